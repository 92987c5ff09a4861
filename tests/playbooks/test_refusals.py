"""What playbooks refuse before they change anything, and their messages."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from playbook_runner import ansible_command, run_playbook

OWNER = {"Project": "csv-to-aurora", "Environment": "stage"}


def plan_of(tmp_path: Path, before: Mapping[str, object], after: Mapping[str, object]) -> tuple[int, str]:
    """Plan the change of a bucket, as every role does before it writes."""
    playbook = tmp_path / "plan.yml"
    task = {
        "name": "Compare",
        "csv_to_aurora.aws.resource": {
            "kind": "bucket",
            "name": "uploads",
            "current": before,
            "desired": after,
            "owner": OWNER,
        },
    }
    playbook.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]))
    run = run_playbook(playbook, "--check")
    return run.returncode, " ".join((run.stdout + run.stderr).split())


@pytest.mark.parametrize(
    ("tags", "after"),
    [({}, {}), (OWNER | {"Environment": "dev"}, {"tags": OWNER, "versioning": "Enabled"})],
    ids=["untagged-removal", "others-change"],
)
def test_a_foreign_resource_is_neither_changed_nor_removed(
    tmp_path: Path, tags: Mapping[str, str], after: Mapping[str, object]
) -> None:
    code, output = plan_of(tmp_path, {"tags": tags, "versioning": "Suspended"}, after)
    assert code != 0
    assert "bucket uploads exists but does not carry the tag" in output


def test_a_resource_with_the_stacks_tags_is_not_refused(tmp_path: Path) -> None:
    wanted = {"tags": OWNER, "versioning": "Enabled"}
    code, output = plan_of(tmp_path, {"tags": OWNER, "versioning": "Suspended"}, wanted)
    assert code == 0, output
    assert "does not carry" not in output


def test_teardown_of_a_protected_environment_is_refused() -> None:
    run = ansible_command("ansible-playbook", "playbooks/teardown.yml", "-i", "inventories/stage/hosts.yml")
    assert run.returncode != 0
    assert "csv-to-aurora-stage is protected" in run.stdout + run.stderr
    assert re.search("environment_protected to false", " ".join((run.stdout + run.stderr).split()))


def test_teardown_with_another_answer_removes_nothing() -> None:
    run = ansible_command(
        "ansible-playbook",
        "playbooks/teardown.yml",
        "-i",
        "inventories/dev/hosts.yml",
        "-e",
        "teardown_confirm=csv-to-aurora-stage",
    )
    assert run.returncode != 0
    assert "Nothing was removed: the answer was not csv-to-aurora-dev" in " ".join((run.stdout + run.stderr).split())


def test_an_account_without_a_password_is_not_rotated() -> None:
    run = ansible_command(
        "ansible-playbook",
        "playbooks/rotate.yml",
        "--inventory=inventories/dev/hosts.yml",
        "--extra-vars=stack_database_login=iam",
        "--extra-vars=rotate=importer",
    )
    output = " ".join((run.stdout + run.stderr).split())
    assert run.returncode != 0
    assert "rotate is 'importer', but importer and application have no passwords here" in output
