"""Another instance with the stack's tags: no playbook takes one of the two in silence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from playbook_runner import PROJECT, ansible_command

from tests import servers

WORD = "of-a-test"
"""What the emulator takes for a secret."""

ROLE = {"Project": "csv-to-aurora", "Environment": "local", "Role": "app_host"}


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[str]]]:
    """The URL of a moto_server, and the ids of the two instances that it has."""
    with servers.moto(tmp_path_factory.mktemp("moto")) as url:
        login: dict[str, Any] = {"aws_access_key_id": "test", "aws_secret_access_key": WORD}
        ec2 = boto3.client("ec2", region_name=servers.REGION, endpoint_url=url, **login)
        made = ec2.run_instances(
            ImageId=ec2.describe_images()["Images"][0]["ImageId"],
            MinCount=2,
            MaxCount=2,
            TagSpecifications=[
                {"ResourceType": "instance", "Tags": [{"Key": key, "Value": value} for key, value in ROLE.items()]}
            ],
        )
        yield url, [one["InstanceId"] for one in made["Instances"]]


@pytest.mark.parametrize("name", ["imports", "load", "reconcile", "replay", "rotate", "undo"])
def test_a_second_instance_is_named(account: tuple[str, list[str]], name: str) -> None:
    url, instances = account
    run = ansible_command(
        "ansible-playbook",
        f"playbooks/{name}.yml",
        "--inventory=inventories/local/hosts.yml",
        f"--extra-vars=@{PROJECT}/tests/e2e/moto.yml",
        f"--extra-vars=emulator_url={url}",
        "--extra-vars=rows=1 import=1",
        *([] if name == "load" else ["--check"]),
    )
    output = " ".join((run.stdout + run.stderr).split())
    assert run.returncode != 0
    assert "2 instances are tagged as the app host of csv-to-aurora-local: " in output
    assert all(instance in output for instance in instances)
