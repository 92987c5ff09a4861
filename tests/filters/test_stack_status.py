"""What is going on in a stack, on one screen: what the test of the playbook with a real server does not come to."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.csv_to_aurora.importer.plugins.filter.stack_status import stack_status

COUNTS = {"running": 0, "interrupted": 0, "stuck": 0, "failed": 0, "events": 0, "oldest_event_seconds": 0}


def row(number: int, **values: Any) -> dict[str, Any]:
    """Return a row of the ledger."""
    begun = {"id": number, "key": f"{number}.csv", "status": "running", "started_at": "2026-11-27T10:00:00Z"}
    return begun | {"progress": "30 % of the file", "reason": None, "stuck": False, "idle_seconds": 1} | values


def seen(counts: dict[str, int] | None = None, *datasets: dict[str, Any], **values: Any) -> dict[str, Any]:
    """Return what was gathered of a stack in which nothing is to do, but for these values."""
    gathered = {
        "stack": "s",
        "inventory": "inventories/s",
        "hours": 24,
        "parts": {"DB cluster": "available", "app host": "running"},
        "away": "",
        "begun": [],
        "failed": [],
        "ledger": [json.dumps(line) for line in (COUNTS | (counts or {}), *datasets)],
        "alarms": [],
        "queue": {},
        "drift": {},
    }
    return gathered | values


def alarm(name: str, state: str = "ALARM") -> dict[str, Any]:
    """Return an alarm as the module has it."""
    return {"alarm_name": name, "state_value": state, "state_updated_timestamp": "2026-11-27T10:00:00+00:00"}


def next_of(gathered: dict[str, Any]) -> list[str]:
    """Return the commands that are next."""
    return [each["next"] for each in stack_status(gathered)["status"]["to_do"]]


@pytest.mark.parametrize(
    ("seconds", "said"), [(59, "59 s"), (600, "10 min"), (172_799, "48.0 h"), (172_800, "2 days"), (3e7, "347 days")]
)
def test_an_age_is_in_the_unit_that_matters(seconds: float, said: str) -> None:
    newest = {"id": 1, "key": "a\n.csv", "rows_loaded": 1234, "age_seconds": seconds}
    dataset = {"dataset": "customer", "expected_every": None, "waited_seconds": seconds, "newest": newest}
    assert f"Data      customer  {said} old: a .csv, 1,234 rows" in stack_status(seen(None, dataset))["lines"]


def test_more_imports_than_a_screen_has_are_counted() -> None:
    rows = [row(number) for number in range(40)]
    lines = stack_status(seen({"running": 400}, begun=rows))["lines"]
    assert "Running   400" in lines
    assert len([line for line in lines if "30 % of the file" in line]) == 10


def test_imports_that_are_stuck_are_run_again_or_listed_where_not_all_were_read() -> None:
    stuck = [row(7, stuck=True, idle_seconds=2700), row(9, stuck=True, status="interrupted", idle_seconds=None)]
    gathered = seen({"running": 1, "interrupted": 1, "stuck": 2}, begun=stuck)
    assert next_of(gathered) == ["ansible-playbook playbooks/replay.yml -i inventories/s -e replay=7,9"]
    assert "7.csv: running, 30 % of the file, no progress for 45 min" in "\n".join(stack_status(gathered)["lines"])
    gathered = seen({"running": 150, "stuck": 120}, begun=stuck)
    assert next_of(gathered) == ["ansible-playbook playbooks/reconcile.yml -i inventories/s"]


def test_each_alarm_in_alarm_has_a_next_command() -> None:
    names = ["s-importer-failed-imports", "s-importer-lost-events", "s-new"]
    gathered = seen(alarms=[*map(alarm, names), alarm("s-importer-errors", "OK"), alarm("s-x", "INSUFFICIENT_DATA")])
    assert "Alarms    3 of 5 in ALARM" in stack_status(gathered)["lines"]
    assert next_of(gathered) == [
        "ansible-playbook playbooks/imports.yml -i inventories/s -e imports_status=failed",
        "ansible-playbook playbooks/reconcile.yml -i inventories/s",
        "ansible-playbook playbooks/verify.yml -i inventories/s",
    ]


def test_messages_that_somebody_reads_at_the_moment_are_dead_letters_too() -> None:
    gathered = seen(queue={"ApproximateNumberOfMessages": "2", "ApproximateNumberOfMessagesNotVisible": "1"})
    assert stack_status(gathered)["status"]["dead_letters"] == 3


def test_changes_beyond_the_screen_are_counted() -> None:
    changes = [{"action": "update", "kind": "VPC", "name": f"v{number}", "role": "network"} for number in range(12)]
    gathered = seen(drift={"plan": {"changes": changes, "totals": {}}})
    lines = stack_status(gathered)["lines"]
    assert "            update VPC v9" in lines
    assert "            and 2 more" in lines
    assert "            update VPC v10" not in lines


def test_nothing_that_steers_a_terminal_is_on_the_screen() -> None:
    failed = row(1, status="failed", key="\x1b[31m.csv", reason="no\x07 header")
    text = "\n".join(stack_status(seen({"failed": 1}, failed=[failed]))["lines"])
    assert "?[31m.csv: failed, no? header" in text
