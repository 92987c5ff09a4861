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

_QUERY = """
    SELECT JSON_OBJECT(
        'id', id, 'import_file', import_file, 'status', status, 'reason', reason, 'size_bytes', size_bytes,
        'byte_offset', byte_offset, 'rows_read', rows_read, 'rows_loaded', rows_loaded, 'rows_rejected', rows_rejected,
        'rows_blank', rows_blank, 'attempts', attempts, 'request_id', request_id,
        'seconds', TIMESTAMPDIFF(MICROSECOND, started_at, COALESCE(finished_at, NOW(3))) / 1000000
    )
    FROM csv_import
    WHERE bucket = {bucket} AND object_key = {key} AND version_id = {version_id}
"""
_ENDED = ("succeeded", "failed")


def progress(row: dict[str, Any] | None, waited: float, *, compressed: bool = False) -> str:
    """Return one human-readable line about the progress of the import, after ``waited`` seconds.

    The position in a compressed object is one in its content, of which nobody knows the size.
    """
    if row is None:
        return f"waiting for the import to begin ({waited:.0f} s)"
    offset, size = int(row["byte_offset"]), int(row["size_bytes"])
    share = f"{100 * offset / size if size else 100:.0f} % of the file"
    return (
        f"{row['status']}: {int(row['rows_loaded']):,} rows loaded, "
        f"{int(row['rows_rejected']):,} rejected, {f'{offset:,} bytes read' if compressed else share} ({waited:.0f} s)"
    )


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
        compressed = str(version["key"]).lower().endswith(".csv.gz")
        after_attempt = int(arguments.get("after_attempt", 0))

        started = moved = time.monotonic()
        shown = seen = None
        while True:
            row = self._ledger_row(client, query, task_vars)
            if row is not None and int(row["attempts"]) <= after_attempt:
                row = None
            now = time.monotonic()
            if row is not None and row["status"] in _ENDED:
                result.update(csv_import=row, changed=False)
                return result
            state = row and (row["byte_offset"], row["attempts"])
            if state != seen:
                seen, moved = state, now
            if now - moved > timeout:
                raise AnsibleActionFail(
                    f"No progress for {timeout:.0f} s: {progress(row, now - started, compressed=compressed)}."
                    " Read the log of the function.",
                    result={"csv_import": row or {}},
                )
            line = progress(row, now - started, compressed=compressed)
            if line != shown:
                Display().display(f"  {version['key']}: {line}")
                shown = line
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
