# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Action plugin: follow the import of one object version in the ledger until it has ended."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.csv_to_aurora.importer.plugins.plugin_utils.progress import is_compressed, pace, share

# What an import through several sessions has committed beyond its position is in csv_import_range.
_QUERY = """
    SELECT JSON_OBJECT(
        'id', id, 'import_file', import_file, 'status', status, 'reason', reason, 'size_bytes', size_bytes,
        'bytes_read', byte_offset + COALESCE(bytes, 0), 'rows_read', rows_read + COALESCE(all_rows, 0),
        'rows_loaded', rows_loaded + COALESCE(loaded, 0), 'rows_rejected', rows_rejected + COALESCE(rejected, 0),
        'rows_blank', rows_blank + COALESCE(blank, 0), 'attempts', attempts, 'request_id', request_id,
        'read_at', UNIX_TIMESTAMP(NOW(6)),
        'seconds', TIMESTAMPDIFF(MICROSECOND, started_at, COALESCE(finished_at, NOW(3))) / 1000000
    )
    FROM csv_import
    LEFT JOIN LATERAL (
        SELECT SUM(end_offset - byte_offset) AS bytes, SUM(rows_loaded + rows_rejected + rows_blank) AS all_rows,
            SUM(rows_loaded) AS loaded, SUM(rows_rejected) AS rejected, SUM(rows_blank) AS blank
        FROM csv_import_range WHERE import_id = csv_import.id
    ) AS more ON TRUE
    WHERE bucket = {bucket} AND object_key = {key} AND version_id = {version_id}
"""
_ENDED = ("succeeded", "failed")

PAUSE = 0.05
"""The time between two lines of progress, as a share of what was waited: hours do not give thousands of lines."""


def progress(
    row: dict[str, Any] | None, waited: float, *, compressed: bool = False, since: dict[str, Any] | None = None
) -> str:
    """Return one human-readable line about the progress of the import, after ``waited`` seconds.

    Args:
        row: The ledger's row, or None while there is none.
        waited: Seconds.
        compressed: Whether positions are those in the content of a compressed object, of which nobody knows the size.
        since: An earlier reading of the row, from which on the pace counts.
    """
    if row is None:
        return f"waiting for the import to begin ({waited:.0f} s)"
    counts = f"{int(row['rows_loaded']):,} rows loaded, {int(row['rows_rejected']):,} rejected"
    if row["status"] == "checking":
        # Nothing is loaded or rejected yet.
        counts = f"{int(row['rows_read']):,} rows, {int(row['rows_rejected']):,} of them to be rejected"
    speed = pace(since, row, compressed=compressed)
    rate = f", {speed}" if speed else ""
    why = f": {_reason(row['reason'])}" if row["status"] == "interrupted" else ""
    return f"{row['status']}: {counts}, {share(row, compressed=compressed)}{rate} ({waited:.0f} s){why}"


def _advice(row: dict[str, Any] | None) -> str:
    """Return what to do about an import without progress."""
    if row is None or row["status"] != "interrupted":
        return "Read the log of the function."
    return "Once what has interrupted it is corrected, replay.yml runs it again."


def _literal(value: str) -> str:
    """Return any text as a literal of SQL."""
    return f"CONVERT(FROM_BASE64('{base64.b64encode(value.encode()).decode()}') USING utf8mb4)"


def _reason(said: object) -> str:
    """Return what a module reported on one line and without a full stop."""
    return " ".join(str(said).split()).rstrip(".")


class ActionModule(ActionBase):
    """Query the ledger, with the client of the host, until the import has ended."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the ledger's row as ``csv_import``; fail after ``timeout`` seconds without progress.

        Raises:
            AnsibleActionFail: An option is missing, the ledger cannot be read, or there is no progress.
        """
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = self._task.args
        try:
            version = {key: arguments[key] for key in ("bucket", "key", "version_id")}
        except KeyError as missing:
            raise AnsibleActionFail(f"csv_import_wait needs the option {missing}.") from missing
        client = arguments.get("client") or ["mysql", "--batch", "--raw", "--skip-column-names"]
        query = _QUERY.format(**{name: _literal(str(value)) for name, value in version.items()})
        timeout = float(arguments.get("timeout", 900))
        interval = float(arguments.get("interval", 2))
        compressed = is_compressed(str(version["key"]))
        after_attempt = int(arguments.get("after_attempt", 0))

        started = moved = time.monotonic()
        due = 0.0
        seen: tuple[object, ...] = ()
        since: dict[str, Any] | None = None
        while True:
            row = self._ledger_row(client, query, task_vars)
            if row is not None and int(row["attempts"]) <= after_attempt:
                row = None
            now = time.monotonic()
            if row is not None and row["status"] in _ENDED:
                result.update(csv_import=row, changed=False)
                return result
            state = () if row is None else (row["status"], row["attempts"], row["bytes_read"])
            if state != seen:
                moved = now
            if state[:2] != seen[:2]:
                # Another attempt, or loading after checking: the pace is that from here on.
                since, due = row, 0.0
            seen = state
            if now - moved > timeout:
                raise AnsibleActionFail(
                    f"No progress for {timeout:.0f} s: {progress(row, now - started, compressed=compressed)}."
                    f" {_advice(row)}",
                    result={"csv_import": row or {}},
                )
            if now >= due:
                line = progress(row, now - started, compressed=compressed, since=since)
                Display().display(f"  {version['key']}: {line}")
                due = now + (now - started) * PAUSE
            time.sleep(interval)

    def _ledger_row(self, client: list[str], query: str, task_vars: dict[str, Any] | None) -> dict[str, Any] | None:
        """Return the ledger's row of the object version, or None while there is none."""
        response = self._execute_module(
            module_name="ansible.builtin.command", module_args={"argv": client, "stdin": query}, task_vars=task_vars
        )
        if response.get("failed") or response.get("rc"):
            reason = _reason(response.get("stderr") or response.get("msg"))
            raise AnsibleActionFail(
                f"The ledger cannot be read from the app host: {reason}. "
                "Run playbooks/configure.yml for this environment."
            )
        line = str(response["stdout"]).strip()
        row: dict[str, Any] | None = json.loads(line) if line else None
        return row
