"""The permissions boundary that an administrator creates: a run without it is refused before the first write."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests import servers
from tests.boundary import boundary_document, create_boundary
from tests.policies.test_runs import DEPLOYER, LOCAL, Cloud

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from subprocess import CompletedProcess

STACK, ARN = LOCAL["stack_name"], LOCAL["stack_permissions_boundary"]
AS_ON_AWS = "--extra-vars=preflight_boundary_fix="
"""The local cloud creates the boundary itself, and says so."""
CREATE = (
    f"The permissions boundary {ARN}, with which the IAM roles are created, does not exist: have an administrator of "
    "the account create it with `ansible-playbook playbooks/permissions.yml -i inventories/local -e "
    f"permissions_directory=DIRECTORY` and `aws iam create-policy --policy-name {STACK}-boundary --policy-document "
    "file://DIRECTORY/boundary.json`, or change stack_permissions_boundary in "
    "inventories/local/group_vars/all/main.yml."
)
READ = ("Describe", "Get", "List", "Filter", "Head")
OF_THE_LOCK = {"ssm:PutParameter", "ssm:AddTagsToResource", "ssm:DeleteParameter"}


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    """An emulator that authorizes as AWS does, and refuses roles with a boundary that does not exist."""
    with servers.authorizing_ministack(tmp_path) as url:
        yield Cloud(tmp_path, url)


def reader(cloud: Cloud, **but: str) -> tuple[str, str]:
    """Create a user with the reader's documents, and return an access key."""
    return cloud.user("reader", ["reader", "reader-secrets"], **but)


def words(run: CompletedProcess[str]) -> str:
    """Return what a run printed, without its line breaks."""
    return " ".join((run.stdout + run.stderr).split())


def called(cloud: Cloud) -> set[str]:
    """Return the actions of the users' distinct calls so far."""
    return {one["action"] for one in cloud.record()}


@pytest.mark.parametrize("playbook", ["site.yml", "provision.yml"])
def test_a_run_without_the_boundary_is_refused_before_the_first_write(cloud: Cloud, playbook: str) -> None:
    networks = cloud.client("ec2").describe_vpcs()["Vpcs"]
    run = cloud.run(playbook, cloud.user("deployer", DEPLOYER), AS_ON_AWS)
    assert run.returncode == 2, run.stdout
    assert CREATE in words(run)
    assert cloud.client("ec2").describe_vpcs()["Vpcs"] == networks
    assert {one for one in called(cloud) if not one.split(":")[1].startswith(READ)} == OF_THE_LOCK
    assert cloud.denied() == []


def test_a_plan_without_the_boundary_reports_it_and_continues(cloud: Cloud) -> None:
    run = cloud.run("plan.yml", reader(cloud), AS_ON_AWS)
    assert run.returncode == 10, run.stdout + run.stderr
    assert f"A run would stop here: preflight: {CREATE}" in words(run)
    assert f"would create IAM role {STACK}-importer" in words(run)
    assert cloud.denied() == []


EVERYTHING: dict[str, Any] = {"Sid": "Everything", "Effect": "Allow", "Action": "*", "Resource": "*"}


@pytest.mark.parametrize(("statements", "said"), [([EVERYTHING], "it has in addition Everything."), ([], "")])
def test_a_plan_warns_of_a_boundary_that_is_not_the_projects(
    cloud: Cloud, statements: list[dict[str, Any]], said: str
) -> None:
    document = boundary_document(STACK)
    document["Statement"] += statements
    cloud.client("iam").create_policy(PolicyName=f"{STACK}-boundary", PolicyDocument=json.dumps(document))
    run = cloud.run("plan.yml", reader(cloud), AS_ON_AWS)
    assert run.returncode == 10, run.stdout + run.stderr
    assert "A run would stop here" not in run.stdout
    warning = words(run).partition(f"[WARNING]: The permissions boundary {ARN} is not the one of this version and ")[2]
    assert warning.startswith(f"environment: {said}" if said else "")
    assert (f"`aws iam create-policy-version --policy-arn {ARN} --policy-document" in warning) is bool(said)
    assert bool(warning) is bool(said)


def test_whoever_may_not_read_the_boundary_is_told_so_and_continues(cloud: Cloud) -> None:
    create_boundary(cloud.client("iam"), STACK)
    run = cloud.run("plan.yml", reader(cloud, without="ReadPermissionsBoundary"))
    assert run.returncode == 10, run.stdout + run.stderr
    assert f"[WARNING]: These credentials may not read the permissions boundary {ARN}. If it does" in words(run)
    assert cloud.denied() == [f"arn:aws:iam::000000000000:user/reader: iam:GetPolicy on {ARN}"]


@pytest.mark.parametrize(
    ("boundary", "read"), [("", False), ("arn:aws:iam::000000000000:policy/limits", True)], ids=["none", "own"]
)
def test_no_boundary_is_not_read_and_ones_own_is_not_compared(cloud: Cloud, boundary: str, *, read: bool) -> None:
    iam, everything = cloud.client("iam"), {"Version": "2012-10-17", "Statement": [EVERYTHING]}
    arn = iam.create_policy(PolicyName="limits", PolicyDocument=json.dumps(everything))["Policy"]["Arn"]
    administrator = cloud.user("administrator", [])
    iam.attach_user_policy(UserName="administrator", PolicyArn=arn)
    chosen = f"--extra-vars=stack_permissions_boundary={boundary}"
    run = cloud.run("provision.yml", administrator, "--check", chosen)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "permissions boundary" not in words(run)
    assert ("iam:GetPolicy" in called(cloud)) is read


def test_what_creates_no_role_does_not_read_the_boundary(cloud: Cloud) -> None:
    deployer = cloud.user("deployer", DEPLOYER)
    cloud.play("outputs.yml", deployer)
    cloud.play("teardown.yml", deployer)
    cloud.play("provision.yml", deployer, "--check", "--tags=bucket")
    assert "iam:GetRole" in called(cloud)
    assert "iam:GetPolicy" not in called(cloud)
