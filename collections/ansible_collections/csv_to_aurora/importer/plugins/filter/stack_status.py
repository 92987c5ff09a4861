# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Filter: what is going on in a stack and what there is to do, on one screen."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from ansible_collections.csv_to_aurora.aws.plugins.plugin_utils.printable import printable_line
from ansible_collections.csv_to_aurora.importer.plugins.plugin_utils.progress import AT_WORK, duration

DOCUMENTATION = r"""
name: stack_status
short_description: What is going on in a stack, and what there is to do
version_added: "1.0.0"
author:
  - The csv-to-aurora authors (@csv-to-aurora)
description:
  - Puts together what C(playbooks/status.yml) has gathered, and says what there is to do, each with the next command.
  - What could not be found out is something to do, too.
options:
  _input:
    description:
      - C(stack), its name; C(inventory), its folder; C(hours), how long ago an import may have failed.
      - C(parts), the id or state of each part by its name, empty where there is none; C(away), why the ledger could not
        be read, empty where it could.
      - C(begun) and C(failed), rows of the ledger; C(ledger), lines of JSON with the counts, and one for each dataset.
      - C(alarms), as M(amazon.aws.cloudwatch_metric_alarm_info) returns them; C(queue), the attributes of the
        dead-letter queue; C(drift), the result of M(csv_to_aurora.aws.playbook_plan), empty where there is none.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Record the status
  ansible.builtin.set_fact:
    status_now: "{{ status_seen | csv_to_aurora.importer.stack_status }}"
"""

RETURN = r"""
_value:
  description: The status for programs and for people.
  type: dict
  contains:
    status:
      description:
        - C(stack), C(checked_at), C(running), C(interrupted), C(failed), C(counts), C(dead_letters), C(datasets),
          C(alarms), C(drift), C(ledger_error) and C(to_do), a list of C(what) and C(next).
      type: dict
    lines:
      description: The same on one screen.
      type: list
      elements: str
"""

SHOWN = 10
"""How many imports of each kind, alarms and changes are shown."""
LETTERS = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed")
TOLD_WITHIN = 900
"""Seconds after which an event that is still pending is more than a hiccup: the check has tried three times."""
TWO_DAYS = 172_800
"""Seconds from which on an age is shown in days."""
STOPPED = ("stopped", "stopping")
"""States of a cluster that does not answer until somebody starts it."""

NEXT_OF_ALARM = {
    "importer-datasets-overdue": "reconcile.yml",
    "importer-events-pending": "plan.yml",
    "importer-imports-without-progress": "replay.yml",
    "importer-many-rejects": "imports.yml",
    "importer-dead-letters": "replay.yml",
    "importer-errors": "imports.yml -e imports_status=interrupted",
    "importer-failed-imports": "imports.yml -e imports_status=failed",
    "importer-lost-events": "reconcile.yml",
    "importer-throttles": "imports.yml -e imports_status=running",
}
"""What shows more, by what follows the stack's name in that of an alarm."""


class _Status:
    """The status of a stack, part by part."""

    def __init__(self, seen: Mapping[str, Any], now: datetime) -> None:
        """Read what was gathered."""
        self.seen = seen
        self.now = now
        lines = [json.loads(line) for line in seen["ledger"]]
        self.counts: dict[str, int] = lines[0] if lines else {}
        self.datasets = [line | {"overdue": _is_overdue(line)} for line in lines[1:]]
        self.running = [row for row in seen["begun"] if row["status"] in AT_WORK]
        self.interrupted = [row for row in seen["begun"] if row["status"] not in AT_WORK]
        self.letters = sum(int(seen["queue"].get(name, 0)) for name in LETTERS)
        self.alarms = [_alarm(alarm) for alarm in seen["alarms"] if alarm["state_value"] == "ALARM"]
        self.drift = _drift(seen["drift"])
        self.to_do: list[dict[str, str]] = []

    def play(self, playbook: str) -> str:
        """Return the command that runs a playbook, which its options may follow."""
        name, *options = playbook.split(" ", 1)
        return " ".join([f"ansible-playbook playbooks/{name} -i {self.seen['inventory']}", *options])

    def do(self, what: str, command: str) -> None:
        """Note something that there is to do, and the command that is next."""
        self.to_do.append({"what": what, "next": command})

    def sections(self) -> Iterator[tuple[str, str, list[str]]]:
        """Yield title, summary and details of each part of the screen, and note what there is to do."""
        yield from self._parts()
        if not self.seen["away"]:
            yield from self._imports()
        yield from self._waiting()
        yield from self._data()
        yield from self._alarm_section()
        yield from self._drift_section()

    def _parts(self) -> Iterator[tuple[str, str, list[str]]]:
        missing = [name for name, found in self.seen["parts"].items() if not found]
        cluster = self.seen["parts"].get("DB cluster")
        if missing:
            self.do(f"missing: {', '.join(missing)}", self.play("plan.yml"))
            yield "Missing", ", ".join(missing), []
        if cluster and cluster != "available":
            yield "Database", f"the DB cluster is {cluster}", []
        if self.seen["away"]:
            # That there is no way to what is missing has been said.
            if cluster in STOPPED:
                self.do(
                    f"the DB cluster is {cluster}",
                    f"aws rds start-db-cluster --db-cluster-identifier {self.seen['stack']}",
                )
            elif not {"DB cluster", "app host"} & set(missing):
                self.do("the ledger cannot be read", self.play("plan.yml"))
            yield "Ledger", f"not read: {_line(self.seen['away'])}", []

    def _imports(self) -> Iterator[tuple[str, str, list[str]]]:
        stuck = [row["id"] for row in self.seen["begun"] if row["stuck"]]
        if self.counts["stuck"]:
            # Where there are more than were read, reconcile.yml names them.
            complete = len(stuck) >= self.counts["stuck"]
            ids = ",".join(map(str, stuck))
            self.do(
                f"imports without progress for too long: {self.counts['stuck']:,}",
                self.play(f"replay.yml -e replay={ids}" if complete else "reconcile.yml"),
            )
        yield "Running", f"{self.counts['running']:,}", [_row(row, row["progress"]) for row in self.running[:SHOWN]]
        failed = [row for row in self.seen["failed"] if row["status"] == "failed"]
        empty = [row for row in self.seen["failed"] if row["status"] != "failed"]
        period = f"in the last {self.seen['hours']} h"
        details = [
            _row(row, row["reason"] or f"all {row['rows_rejected']:,} rows were rejected")
            for row in self.seen["failed"]
        ]
        yield "Failed", f"{self.counts['failed']:,} {period}", details
        if failed:
            ids = ",".join(str(row["id"]) for row in failed)
            self.do(
                f"failed {period}: load a corrected file, or correct what else is wrong and run them again",
                self.play(f"replay.yml -e replay={ids}"),
            )
        for row in empty[:1]:
            self.do(
                f"imports of which every row was rejected {period}: the rejects say why",
                self.play(f"imports.yml -e rejects_of={row['id']} -e rejects_file=rejects.csv"),
            )

    def _waiting(self) -> Iterator[tuple[str, str, list[str]]]:
        if self.letters:
            self.do(f"dead letters: {self.letters:,}; list them, and run them again", self.play("replay.yml"))
        waits = [f"{self.letters:,} dead letters"]
        if not self.seen["away"]:
            waits.append(f"{self.counts['interrupted']:,} interrupted imports")
            waits.append(f"{self.counts['events']:,} events")
            if self.counts["oldest_event_seconds"] > TOLD_WITHIN:
                since = f"the oldest for {_age(self.counts['oldest_event_seconds'])}"
                self.do(
                    f"events that the topic has not taken, {since}: the function's log says why", self.play("plan.yml")
                )
        yield "Waiting", ", ".join(waits), [_row(row, row["reason"]) for row in self.interrupted[:SHOWN]]

    def _data(self) -> Iterator[tuple[str, str, list[str]]]:
        title, width = "Data", max((len(found["dataset"]) for found in self.datasets), default=0)
        for found in self.datasets:
            newest = found["newest"]
            text = "none yet"
            if newest:
                text = f"{_age(newest['age_seconds'])} old: {_line(newest['key'])}, {newest['rows_loaded']:,} rows"
            if found["overdue"]:
                text += f"; overdue: a file is expected every {_age(found['expected_every'])}"
                waited = f"{found['dataset']}: no file for {_age(found['waited_seconds'])}"
                self.do(f"{waited}; look whether one has arrived and was not imported", self.play("reconcile.yml"))
            yield title, f"{found['dataset']:{width}}  {text}", []
            title = ""

    def _alarm_section(self) -> Iterator[tuple[str, str, list[str]]]:
        details = []
        for alarm in self.alarms:
            details.append(f"{alarm['name']} since {alarm['since']}: {_line(alarm['description'])}")
            following = NEXT_OF_ALARM.get(alarm["name"].removeprefix(f"{self.seen['stack']}-"), "verify.yml")
            self.do(f"alarm {alarm['name']}", self.play(following))
        yield "Alarms", f"{len(self.alarms)} of {len(self.seen['alarms'])} in ALARM", details[:SHOWN]

    def _drift_section(self) -> Iterator[tuple[str, str, list[str]]]:
        if self.drift is None:
            yield "Drift", "not looked for: -e drift=true", []
        elif "error" in self.drift:
            self.do("there is no plan", self.play("plan.yml"))
            yield "Drift", f"there is no plan: {_line(self.drift['error'])}", []
        else:
            changes = self.drift["changes"]
            if changes:
                self.do(f"the plan names changes: {len(changes)}", self.play("plan.yml"))
            more = [f"and {len(changes) - SHOWN} more"] if len(changes) > SHOWN else []
            named = [f"{one['action']} {one['kind']} {one['name']}" for one in changes[:SHOWN]]
            yield "Drift", f"{len(changes)} changes in the plan", named + more

    def shown(self) -> list[str]:
        """Return the screen."""
        width = 10
        body = []
        for title, summary, details in self.sections():
            body.append(f"{title:{width}}{summary}")
            body += [f"{'':{width}}  {detail}" for detail in details]
        body += ["", f"{'To do':{width}}{len(self.to_do) or 'nothing'}"]
        for one in self.to_do:
            body += [f"{'':{width}}  {one['what']}", f"{'':{width}}    {one['next']}"]
        return [f"{self.seen['stack']} at {self.now:%Y-%m-%d %H:%M} UTC", "", *body]


def _line(text: Any) -> str:
    """Return text of others on one line."""
    return printable_line(" ".join(str(text or "").split()))


def _age(seconds: float) -> str:
    """Return an age in the unit that matters."""
    return duration(seconds) if seconds < TWO_DAYS else f"{seconds / 86_400:.0f} days"


def _row(row: Mapping[str, Any], text: Any) -> str:
    """Return an import on one line."""
    stuck = f"no progress for {duration(row['idle_seconds'])}" if row["stuck"] and row["idle_seconds"] else ""
    said = ", ".join(filter(None, (row["status"], _line(text), stuck)))
    return f"{row['id']:>6}  {_minute(row['started_at'])}  {_line(row['key'])}: {said}"


def _minute(moment: Any) -> str:
    """Return a moment without what comes after its minute; empty where it is not known."""
    return str(moment or "")[:16].replace("T", " ")


def _alarm(alarm: Mapping[str, Any]) -> dict[str, str]:
    return {
        "name": alarm["alarm_name"],
        "since": _minute(alarm.get("state_updated_timestamp")),
        "description": alarm.get("alarm_description") or "",
        "reason": alarm.get("state_reason") or "",
    }


def _is_overdue(dataset: Mapping[str, Any]) -> bool:
    """Return whether the next file is late, where the dataset says when it is expected."""
    return bool(dataset["expected_every"]) and (dataset["waited_seconds"] or 0) > dataset["expected_every"]


def _drift(planned: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what the plan names; none where nobody asked for it."""
    if not planned:
        return None
    if "plan" not in planned:
        return {"error": str(planned.get("msg") or "")}
    plan = planned["plan"]
    changes = [{key: change[key] for key in ("action", "kind", "name", "role")} for change in plan["changes"]]
    return {"changes": changes, "totals": plan["totals"]}


def stack_status(seen: Mapping[str, Any]) -> dict[str, Any]:
    """Return the status of a stack, for programs and for people.

    Args:
        seen: What was gathered, as the documentation above says.
    """
    now = datetime.now(UTC)
    status = _Status(seen, now)
    lines = status.shown()
    return {
        "lines": lines,
        "status": {
            "stack": seen["stack"],
            "checked_at": f"{now:%Y-%m-%dT%H:%M:%SZ}",
            "to_do": status.to_do,
            "ledger_error": seen["away"] or None,
            "counts": status.counts,
            "running": status.running,
            "interrupted": status.interrupted,
            "failed": list(seen["failed"]),
            "dead_letters": status.letters,
            "datasets": status.datasets,
            "alarms": status.alarms,
            "drift": status.drift,
        },
    }


class FilterModule:
    """The filters of this file, as Ansible wants them."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {"stack_status": stack_status}
