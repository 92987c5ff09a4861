"""The action that warns: at the terminal, in the result, and so in the plan of a run that nobody sees."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playbook_runner import run_playbook

WORDS = "The policy {{ policy }} differs."


def playbook(folder: Path, **arguments: str) -> Path:
    """Write a playbook that warns twice of the same."""
    task = {"name": "Warn", "csv_to_aurora.aws.warn": arguments}
    path = folder / "warn.yml"
    play = {"name": "Warn", "hosts": "localhost", "gather_facts": False, "vars": {"policy": "a"}, "tasks": [task, task]}
    path.write_text(json.dumps([play]))
    return path


@pytest.mark.parametrize("check", [[], ["--check"], ["-v"]])
def test_a_warning_is_shown_once_and_is_in_the_plan(tmp_path: Path, check: list[str]) -> None:
    plan = tmp_path / "plan.json"
    run = run_playbook(playbook(tmp_path, msg=WORDS), *check, ANSIBLE_RUN_SUMMARY_PLAN_FILE=str(plan))
    assert run.returncode == 0, run.stdout + run.stderr
    assert " ".join(run.stderr.split()).count("[WARNING]: The policy a differs.") == 1
    found = json.loads(plan.read_text())
    assert (found["warnings"], found["changes"]) == (["The policy a differs."], [])


@pytest.mark.parametrize(
    ("arguments", "said"), [({}, "missing required arguments: msg"), ({"msg": WORDS, "mgs": WORDS}, "mgs")]
)
def test_wrong_options_fail(tmp_path: Path, arguments: dict[str, str], said: str) -> None:
    run = run_playbook(playbook(tmp_path, **arguments))
    assert run.returncode == 2
    assert said in " ".join((run.stdout + run.stderr).split())
