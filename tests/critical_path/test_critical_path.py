"""The arithmetic of tools/critical_path.py, on runs of a few tasks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import critical_path
import pytest

RESOURCE, WAIT_FOR = "csv_to_aurora.aws.resource", "csv_to_aurora.aws.wait_for"


def event(role: str, action: str = "amazon.aws.any", host: str = "controller", path: str = "", **result: Any) -> str:
    task = {"name": f"{role} : Do something" if role else "Do something", "path": path}
    return json.dumps({"_event": "v2_runner_on_ok", "task": task, "hosts": {host: {"action": action, **result}}})


def resource(role: str, action: str, kind: str, **result: Any) -> str:
    task = {"name": f"{role} : Do something"}
    found = {"action": RESOURCE, "results": [{"action": action, "kind": kind, **result}]}
    return json.dumps({"_event": "v2_runner_on_ok", "task": task, "hosts": {"controller": found}})


START = resource("database", "create", "DB instance")
WAIT = event("database", WAIT_FOR, kind="DB instance")
ROLE = resource("importer", "create", "IAM role")
FUNCTION = resource("importer", "create", "Lambda function")
OTHER = resource("bucket", "create", "bucket")

TASKS = """- name: present | Create what belongs together
  no_log: true
  block:
    - name: present | Create or update the secrets
      csv_to_aurora.aws.resource:
        kind: secret
        desired: "{{ desired }}"
- name: present | Wait for the cluster
  csv_to_aurora.aws.wait_for:
    kind: DB cluster
"""


def test_steps_are_read_in_their_order_with_their_calls() -> None:
    loop = [
        {"action": "create", "kind": "DB instance"},
        {"action": "none", "kind": "DB instance"},
        {"action": "create", "kind": "DB instance"},
        {"skipped": True},
    ]
    steps = critical_path.read(
        [
            "PLAY [anything]",
            event("database", RESOURCE, results=loop),
            event("", "ansible.builtin.wait_for_connection", host="app"),
            START,
            resource("bucket", "create", "bucket", planned=True),
            event("bucket", "csv_to_aurora.aws.gather", a={}, b={}, c={}, d={}, e={}, f={}, g={}, h={}, i={}),
        ]
    )
    assert [(step.name, step.calls, step.remote) for step in steps] == [
        ("database: create DB instance", 2, False),
        ("database: none DB instance", 0, False),
        ("database: none ", 0, False),
        ("wait_for_connection", 1, True),
        ("database: create DB instance (2)", 1, False),
        ("bucket: create bucket", 0, False),
        ("bucket: gather", 2, False),
    ]
    assert steps[0].seconds == 2 * critical_path.CALL_SECONDS
    assert steps[1].seconds == critical_path.LOCAL_SECONDS
    assert steps[3].seconds == critical_path.REMOTE_SECONDS


def test_what_a_result_does_not_tell_is_in_the_task(tmp_path: Path) -> None:
    file = tmp_path / "present.yml"
    file.write_text(TASKS)
    steps = critical_path.read(
        [
            event("database", RESOURCE, path=f"{file}:4", results=[{"censored": "no_log", "changed": True}]),
            event("database", WAIT_FOR, path=f"{file}:8", skipped=True),
        ]
    )
    assert [(step.name, step.calls) for step in steps] == [
        ("database: create secret", 1),
        ("database: wait for DB cluster", 0),
    ]


@pytest.mark.parametrize(
    ("before", "after", "name"),
    [({}, {"a": 1}, "create VPC"), ({"a": 1}, {"a": 2}, "update VPC"), ({"a": 1}, {}, "delete VPC")],
)
def test_what_one_resource_did_is_in_its_difference(before: dict[str, int], after: dict[str, int], name: str) -> None:
    # The callback puts the module's name where the result has the action.
    diff = {"before": before, "after": after}
    (step,) = critical_path.read([event("network", RESOURCE, kind="VPC", changed=True, diff=diff)])
    assert (step.name, step.calls) == (f"network: {name}", 1)


def test_a_resource_without_a_difference_was_only_compared() -> None:
    (step,) = critical_path.read([event("network", RESOURCE, kind="VPC", changed=False)])
    assert (step.name, step.calls) == ("network: none VPC", 0)


@pytest.mark.parametrize(
    ("order", "seconds"),
    [
        # What is done while the database comes up costs nothing.
        ([START, OTHER, OTHER, WAIT], 0.5 + 600 + 2.5 + 0.5),
        ([OTHER, OTHER, START, WAIT], 1.5 + 600 + 2.5 + 0.5),
        ([START, WAIT, OTHER, OTHER], 0.5 + 600 + 2.5 + 0.5 + 1.0),
        # A wait for what was not started is none, and neither is one for what is there.
        ([WAIT], 0.5),
        ([START, WAIT, WAIT], 0.5 + 600 + 2.5 + 0.5 + 0.5),
        ([START, *[OTHER] * 1200, WAIT], 0.5 + 600 + 0.5),
        # A call that AWS refuses for a while waits too.
        ([ROLE, OTHER, FUNCTION], 0.5 + 10 + 2.5 + 0.5),
    ],
)
def test_a_run_lasts_as_long_as_its_calls_and_what_it_waits_for(order: list[str], seconds: float) -> None:
    assert critical_path.run_seconds(critical_path.read(order)) == seconds


def test_a_wait_that_was_skipped_waits_where_it_was_skipped_last() -> None:
    skipped = event("database", WAIT_FOR, kind="DB instance", skipped=True)
    late = [START, skipped, *[OTHER] * 1200, skipped]
    assert critical_path.run_seconds(critical_path.read(late)) == pytest.approx(0.5 + 600 + 0.1)


def test_the_chain_is_the_same_in_any_order() -> None:
    tasks = [OTHER, ROLE, START, FUNCTION, WAIT]
    seconds, names = critical_path.chain(critical_path.read(tasks))
    assert seconds == 0.5 + 600 + 0.5
    assert [name.partition(": ")[2].partition(":")[0] for name in names if name.startswith("database")] == [
        "create DB instance",
        "wait for DB instance",
    ]
    assert critical_path.chain(critical_path.read(reversed(tasks)))[0] == seconds


def test_a_step_of_the_tables_that_no_run_has_is_named() -> None:
    missing = critical_path.unknown(critical_path.read([START]))
    assert "database: create DB instance" not in missing
    assert "database: wait for DB instance" in missing
    assert "the database" not in missing


def test_nothing_that_needs_something_is_needed_by_it() -> None:
    def before(name: str, seen: tuple[str, ...]) -> None:
        assert name not in seen, f"{name} needs itself"
        started = [slow.started_by for slow in critical_path.SLOW if slow.name == name]
        for need in (*critical_path.NEEDS.get(name, ()), *started):
            before(need, (*seen, name))

    for name in critical_path.NEEDS:
        before(name, ())
