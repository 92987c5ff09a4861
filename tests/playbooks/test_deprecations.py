"""What Ansible deprecates: nothing of this project, and of the collections only what cannot be avoided."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from emulated_cloud import Cloud
from playbook_runner import PROJECT, ansible_command

from tests import servers
from tests.boundary import create_boundary

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UNAVOIDABLE = (
    # amazon.aws.aws_ec2 sets the variable for each host, and says so whether it is used or not. Nothing here uses it.
    "The 'tags' host variable is deprecated. Use 'ec2_tags' instead.",
    # amazon.aws.iam_role_info says so at each call. Nothing here reads the value.
    "In a release after 2026-05-01 iam_role.assume_role_policy_document_raw will no longer be returned.",
    # community.aws.secretsmanager_secret imports it; what every module of amazon.aws passes on has the other one.
    "Importing 'to_bytes' from 'ansible.module_utils._text' is deprecated.",
    "Passing `warnings` to `exit_json` or `fail_json` is deprecated.",
)
WARNING = re.compile(r"\[DEPRECATION WARNING\]: (.*?)(?=\[(?:DEPRECATION )?WARNING\]|PLAY |TASK |\Z)")
UNUSED = ("assume_role_policy_document_raw", ".aws_tags")
"""What is going to disappear, by the names under which it would be read."""


def deprecated(folder: Path, url: str, playbook: str, *arguments: str) -> list[str]:
    """Return the deprecation warnings of a run that are not among those that cannot be avoided."""
    run = ansible_command(
        "ansible-playbook",
        f"playbooks/{playbook}",
        *arguments,
        "--inventory=inventories/local",
        "--extra-vars=@tests/e2e/containerless.yml",
        f"--extra-vars=emulator_url={url}",
        f"--extra-vars=emulator_secret={servers.SECRET}",
        "--extra-vars=teardown_confirm=csv-to-aurora-local",
        ANSIBLE_DEPRECATION_WARNINGS="true",
        LOCAL_CLOUD_DIR=str(folder),
    )
    assert run.returncode == 0, run.stdout + run.stderr
    found = WARNING.findall(" ".join((run.stdout + run.stderr).split()))
    return sorted({text for text in found if not text.startswith(UNAVOIDABLE)})


@contextmanager
def account(folder: Path) -> Iterator[str]:
    """Run an emulator whose account has the permissions boundary, and give its URL."""
    with servers.ministack(folder) as url:
        create_boundary(Cloud("ministack", url).client("iam"), "csv-to-aurora-local")
        yield url


def test_no_plan_uses_what_is_deprecated(tmp_path: Path) -> None:
    with account(tmp_path) as url:
        assert deprecated(tmp_path, url, "provision.yml", "--check") == []


@pytest.mark.slow
def test_no_run_uses_what_is_deprecated(tmp_path: Path) -> None:
    with account(tmp_path) as url:
        for playbook in ("provision.yml", "outputs.yml", "teardown.yml"):
            assert deprecated(tmp_path, url, playbook) == [], playbook


def test_what_cannot_be_avoided_is_not_used() -> None:
    folders = ("group_vars", "inventories", "playbooks", "roles", "collections")
    files = [path for name in folders for path in (PROJECT / name).rglob("*") if path.suffix in (".yml", ".py", ".j2")]
    users = [
        f"{path.relative_to(PROJECT)}: {name}" for path in files for name in UNUSED if name in path.read_text("utf-8")
    ]
    assert users == []
