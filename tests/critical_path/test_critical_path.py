"""The arithmetic of tools/critical_path.py, on runs of a few tasks."""

from __future__ import annotations

import json
from typing import Any

import critical_path
import pytest

START = "database : Present | Start creating or mending the instances"
WAIT = "database : Available | Wait until the instances are available"
ROLE = "importer : Present | Create or mend the role"
FUNCTION = "importer : Present | Create or mend the function"
OTHER = "bucket : Present | Create or mend the bucket"


def event(name: str, action: str = "amazon.aws.any", host: str = "controller", **result: Any) -> str:
    return json.dumps(
        {"_event": "v2_runner_on_ok", "task": {"name": name}, "hosts": {host: {"action": action, **result}}}
    )


def test_steps_are_read_in_their_order_with_their_calls() -> None:
    loop = [{"changed": True}, {"skipped": True}, {"changed": False}]
    steps = critical_path.read(
        [
            "PLAY [anything]",
            event(START, results=loop),
            event("Reach host | Wait for SSH", "ansible.builtin.wait_for_connection", host="app"),
            event(START),
            event(OTHER, skipped=True),
        ]
    )
    assert [(step.name, step.calls, step.remote) for step in steps] == [
        ("database: Start creating or mending the instances", 2, False),
        ("Wait for SSH", 1, True),
        ("database: Start creating or mending the instances (2)", 1, False),
        ("bucket: Create or mend the bucket", 0, False),
    ]
    assert steps[0].seconds == 2 * critical_path.CALL_SECONDS
    assert steps[1].seconds == critical_path.REMOTE_SECONDS
    assert steps[3].seconds == critical_path.LOCAL_SECONDS


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
    assert critical_path.run_seconds(critical_path.read(map(event, order))) == seconds


def test_a_wait_that_was_skipped_waits_where_it_was_skipped_last() -> None:
    skipped = event(WAIT, skipped=True)
    late = [event(START), skipped, *[event(OTHER)] * 1200, skipped]
    assert critical_path.run_seconds(critical_path.read(late)) == pytest.approx(0.5 + 600 + 0.1)


def test_the_chain_is_the_same_in_any_order() -> None:
    tasks = [OTHER, ROLE, START, FUNCTION, WAIT]
    seconds, names = critical_path.chain(critical_path.read(map(event, tasks)))
    assert seconds == 0.5 + 600 + 0.5
    assert [name.partition(": ")[2].partition(":")[0] for name in names if name.startswith("database")] == [
        "Start creating or mending the instances",
        "Wait until the instances are available",
    ]
    assert critical_path.chain(critical_path.read(map(event, reversed(tasks))))[0] == seconds


def test_a_step_of_the_tables_that_no_run_has_is_named() -> None:
    missing = critical_path.unknown(critical_path.read([event(START)]))
    assert "database: Start creating or mending the instances" not in missing
    assert "database: Wait until the instances are available" in missing
    assert "the database" not in missing


def test_nothing_that_needs_something_is_needed_by_it() -> None:
    def before(name: str, seen: tuple[str, ...]) -> None:
        assert name not in seen, f"{name} needs itself"
        started = [slow.started_by for slow in critical_path.SLOW if slow.name == name]
        for need in (*critical_path.NEEDS.get(name, ()), *started):
            before(need, (*seen, name))

    for name in critical_path.NEEDS:
        before(name, ())
