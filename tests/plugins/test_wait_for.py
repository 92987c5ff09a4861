"""The action that waits for the state of a resource."""

from __future__ import annotations

import re
from typing import Any

import pytest
from scripted_play import Play, aws_error, play, scripted

from ansible_collections.csv_to_aurora.aws.plugins.action import wait_for
from ansible_collections.csv_to_aurora.aws.plugins.plugin_utils.modules import FIX


def wait(call: str, *answers: dict[str, Any], **options: Any) -> dict[str, Any]:
    """Return a task that waits for what the module answers, one answer after the other."""
    module = scripted(call, answers=list(answers), **options.pop("arguments", {}))
    given = {"kind": "DB cluster", "name": "stage", "module": module, "state": "clusters[].status", "delay": 0.1}
    return {"csv_to_aurora.aws.wait_for": {**given, "ready": ["available"], "timeout": 30, **options}}


def clusters(*states: str | None, **values: str) -> dict[str, Any]:
    return {"clusters": [{"status": state, **values} for state in states]}


PERMISSION = "These credentials lack that permission: docs/permissions.md says how to give it to them."
MISSING = aws_error("DBClusterNotFoundFault", "No such cluster.")
THROTTLED = aws_error("ThrottlingException", "Slow down.")
TASKS: dict[str, dict[str, Any]] = {
    "ready": wait("ready", clusters("available")),
    "ready later": wait(
        "later",
        clusters("creating"),
        clusters("creating"),
        clusters("backing-up"),
        ready=["available", "backing-up"],
        name="later",
    ),
    "one state": wait("one", {"State": "Pending"}, {"State": "Active"}, state="State", ready=["Active"]),
    "all of them": wait("all", clusters("available", "creating"), clusters("available", "available")),
    "count": wait("count", clusters("available"), clusters("available", "available"), count=2),
    "count null": wait("count null", clusters("available"), count=None),
    "there at all": wait("there", clusters(), {}, clusters(None), clusters("available")),
    "gone": wait("gone", clusters("deleting"), clusters(), ready=[]),
    "gone with an error": wait("gone error", clusters("deleting"), THROTTLED, MISSING, ready=[]),
    "a number": wait("number", {"left": [3]}, {"left": [0]}, state="left", ready=[0]),
    "new": wait("new", MISSING, THROTTLED, clusters("available")),
    "templated": wait("templated", clusters("available"), arguments={"value": "{{ 1 + 1 }}"}),
    "failed": wait(
        "failed",
        clusters("creating"),
        clusters("incompatible-network", why="No subnet is left."),
        failed=["failed", "incompatible-.*"],
        reason="clusters[].why",
        fix="Remove it in the console.",
    ),
    "part of a pattern": wait("part", clusters("not-failed"), clusters("available"), failed=["failed"]),
    "too long": wait("long", clusters("creating"), timeout=0.3, reason="clusters[].why"),
    "no time": wait("no time", clusters("creating"), timeout=0),
    "never there": wait("never", MISSING, timeout=0),
    "unknown": wait("unknown", THROTTLED, timeout=0, ready=[], name="x"),
    "refused": wait("refused", aws_error("AccessDenied", "Not you.")),
    "broken": wait("broken", {"failed": True, "msg": "Unsupported parameters"}),
    "option missing": {"csv_to_aurora.aws.wait_for": {"kind": "thing", "name": "t", "state": "x", "ready": []}},
    "option misspelled": wait("m", clusters("available"), timout=3),
    "two modules": {
        "csv_to_aurora.aws.wait_for": {
            **wait("m", name="x")["csv_to_aurora.aws.wait_for"],
            "module": {"amazon.aws.s3_bucket_info": {}, "when": "x"},
        }
    },
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Play:
    defaults = {"group/csv_to_aurora.aws.aws": {"region": "eu-west-1"}}
    return play(tmp_path_factory.mktemp("wait"), TASKS, module_defaults=defaults)


@pytest.mark.parametrize(
    ("name", "call", "questions", "state"),
    [
        ("ready", "ready", 1, ["available"]),
        ("ready later", "later", 3, ["backing-up"]),
        ("one state", "one", 2, ["Active"]),
        ("all of them", "all", 2, ["available", "available"]),
        ("count", "count", 2, ["available", "available"]),
        ("count null", "count null", 1, ["available"]),
        ("there at all", "there", 4, ["available"]),
        ("gone", "gone", 2, []),
        ("a number", "number", 2, ["0"]),
        ("part of a pattern", "part", 2, ["available"]),
        # AWS does not know it yet, and then throttles.
        ("new", "new", 3, ["available"]),
        # A throttled call does not mean that it is gone.
        ("gone with an error", "gone error", 3, []),
    ],
)
def test_the_module_is_asked_until_the_state_is_as_wanted(
    run: Play, name: str, call: str, questions: int, state: list[str]
) -> None:
    result = run.results[name]
    assert not result["failed"], result.get("msg")
    assert len(run.calls(call)) == questions
    assert result["state"] == state
    assert (result["kind"], result["name"]) == ("DB cluster", "later" if call == "later" else "stage")
    assert (result["changed"], result["planned"]) == (False, False)
    assert (result["seconds"] > 0) or questions == 1


def test_the_last_answer_is_in_the_result(run: Play) -> None:
    assert run.results["count"]["result"]["clusters"] == [{"status": "available"}, {"status": "available"}]


def test_the_module_gets_the_connection_and_templated_options(run: Play) -> None:
    call = run.calls("templated")[0]
    assert call["connection"] == {"region": "eu-west-1"}
    assert call["value"] == 2


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "failed",
            "The DB cluster stage is incompatible-network (No subnet is left). Remove it in the console.",
        ),
        (
            "no time",
            "The DB cluster stage is still creating after 0 s. Run the same command again: it waits on.",
        ),
        (
            "never there",
            "The DB cluster stage is still not there yet after 0 s. Run the same command again: it waits on.",
        ),
        (
            "unknown",
            "The DB cluster x is still in an unknown state after 0 s. Run the same command again: it waits on.",
        ),
        (
            "refused",
            f"The state of the DB cluster stage could not be read: AccessDenied: Not you. {PERMISSION}",
        ),
        (
            "broken",
            f"The state of the DB cluster stage could not be read: Unsupported parameters. {FIX}",
        ),
        ("option missing", "wait_for needs the option 'module'."),
        (
            "two modules",
            "wait_for: 'module' of DB cluster x has to be one module by its full name with a mapping of its options.",
        ),
    ],
)
def test_what_does_not_come_is_a_failure_in_one_sentence(run: Play, name: str, message: str) -> None:
    assert run.results[name]["failed"] is True
    # Under load the one question takes longer.
    assert re.sub(r"after \d+ s", "after 0 s", run.results[name]["msg"]) == message


def test_a_failure_has_the_state_too(run: Play) -> None:
    assert run.results["failed"]["state"] == ["incompatible-network"]
    assert run.results["failed"]["result"]["clusters"][0]["why"] == "No subnet is left."


def test_a_misspelled_option_is_named(run: Play) -> None:
    assert run.results["option misspelled"]["msg"].startswith("wait_for has no option 'timout'. It has count, delay,")
    assert run.calls("m") == []


def test_the_timeout_ends_the_wait(run: Play) -> None:
    assert run.results["too long"]["failed"] is True
    assert 0 < run.results["too long"]["seconds"] <= 2
    assert len(run.calls("long")) >= 1


def test_each_state_is_shown_once_with_how_long_it_was_waited_for(run: Play) -> None:
    lines = [line for line in run.output.splitlines() if line.startswith("  waiting: ")]
    assert all(re.fullmatch(r"  waiting: DB cluster \w+ is [\w, -]+ \(\d+ s\)", line) for line in lines)
    shown = [line.removeprefix("  waiting: DB cluster ").rpartition(" (")[0] for line in lines]
    assert shown.count("later is creating") == 1
    assert "stage is not there yet" in shown
    assert "stage is available, creating" in shown


@pytest.mark.parametrize("mode", ["--check", "check_mode"])
def test_a_plan_does_not_wait(tmp_path_factory: pytest.TempPathFactory, mode: str) -> None:
    folder = tmp_path_factory.mktemp("plan")
    task = {"wait": wait("planned", clusters("creating"))}
    run = play(folder, task, mode) if mode == "--check" else play(folder, task, check_mode=True)
    assert run.calls("planned") == []
    result = run.results["wait"]
    assert (result["planned"], result["state"], result["seconds"], result["failed"]) == (True, [], 0, False)
    assert result["ansible_facts"] == {"changes_pending": True}


@pytest.mark.parametrize(
    ("path", "result", "values"),
    [
        ("status", {"status": "available"}, ["available"]),
        ("status", {}, []),
        ("all[].status", {"all": [{"status": "a"}, {"status": None}, {"other": 1}]}, ["a"]),
        ("all[].status", {"all": []}, []),
        ("all[?id=='x'].status | [0]", {"all": [{"id": "x", "status": "a"}]}, ["a"]),
        ("ready", {"ready": True}, ["True"]),
        ("left", {"left": 0}, ["0"]),
    ],
)
def test_values_are_text_and_nothing_is_none(path: str, result: dict[str, Any], values: list[str]) -> None:
    assert wait_for.values_at(path, result) == values
