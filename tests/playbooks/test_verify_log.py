"""verify.yml reads the function's log, in which events appear some time after they were written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from playbook_runner import PROJECT, run_playbook
from scripted_aws import ScriptedCloud, scripted_aws
from strict.calls import Call

EVENT = {"timestamp": 1795392000000, "message": '{"message": "Import succeeded"}', "logStreamName": "a"}


def log_task() -> dict[str, Any]:
    """Return the task of verify.yml that reads the log, without its pauses."""
    plays = yaml.safe_load((PROJECT / "playbooks/verify.yml").read_text(encoding="utf-8"))
    (task,) = [
        task
        for play in plays
        for task in play.get("tasks", [])
        if "csv_to_aurora.aws.cloudwatchlogs_events_info" in task
    ]
    return {**task, "delay": 0}


def run(folder: Path, cloud: ScriptedCloud) -> str:
    """Run the task, and return what there is afterwards."""
    play = {
        "name": "Read the log",
        "hosts": "localhost",
        "gather_facts": False,
        "module_defaults": {"group/csv_to_aurora.aws.aws": dict(cloud.connection)},
        "vars": {"importer_outputs": {"log_group": "/aws/lambda/importer"}, "verify_key": "verify-abc.csv"},
        "tasks": [
            log_task(),
            {"name": "Show", "ansible.builtin.debug": {"msg": "found {{ verify_log.events | length }} events"}},
        ],
    }
    playbook = folder / "log.yml"
    playbook.write_text(yaml.safe_dump([play]))
    done = run_playbook(playbook)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_events_that_come_late_are_waited_for(tmp_path: Path) -> None:
    answers = iter([[], [], [EVENT]])

    def answer(call: Call) -> dict[str, Any]:
        # Those of the probe, not of whatever was imported before.
        assert call.parameters["filterPattern"] == '"verify-abc.csv"'
        return {"events": next(answers)}

    with scripted_aws(answer) as cloud:
        assert "found 1 events" in run(tmp_path, cloud)
        assert len(cloud.called("FilterLogEvents")) == 3


def test_events_that_never_come_are_no_failure_of_the_task_so_that_the_findings_are_shown(tmp_path: Path) -> None:
    with scripted_aws(lambda _: {"events": []}) as cloud:
        assert "found 0 events" in run(tmp_path, cloud)
        assert len(cloud.called("FilterLogEvents")) == 25
