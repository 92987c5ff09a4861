"""Instances that somebody has planted with the tags of the app host: nothing is sent to them, nothing given to them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import boto3
import pytest

from tests import servers
from tests.playbooks.test_identity import OWN, Account, run_instance

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    """An emulator with the app host of dev, and a checkout to run playbooks from."""
    with servers.ministack(tmp_path) as url:
        yield Account(tmp_path, url)


def terminate(account: Account) -> None:
    """Terminate the app host."""
    boto3.client(
        "ec2",
        endpoint_url=account.url,
        region_name=servers.REGION,
        aws_access_key_id=OWN,
        aws_secret_access_key=servers.SECRET,
    ).terminate_instances(InstanceIds=[account.instance])


def test_a_second_instance_with_the_same_tags_stops_the_run(account: Account) -> None:
    planted = run_instance(account.url, OWN, "dev", profile="")
    code, output = account.plan(aws_profile="work")
    assert code == 2
    assert "2 instances are tagged as the app host of csv-to-aurora-dev: " in output
    assert planted in output


@pytest.mark.parametrize("profile", ["", "another-app"])
def test_an_instance_with_the_tags_and_without_the_instance_profile_is_not_the_host(
    account: Account, profile: str
) -> None:
    terminate(account)
    planted = run_instance(account.url, OWN, "dev", profile=profile)
    code, output = account.plan(aws_profile="work")
    assert code == 2
    assert f"The instance {planted} carries the tags of the app host csv-to-aurora-dev-app" in output
    assert f"has the instance profile '{profile}'" in output


def test_an_instance_named_controller_does_not_become_the_controller(account: Account) -> None:
    terminate(account)
    planted = run_instance(account.url, OWN, "dev", Name="controller")
    command = ["ansible-inventory", "--list", "-i", "inventories/dev", "-e", json.dumps({"aws_profile": "work"})]
    found = json.loads(account.run(*command, environment={}).stdout)
    assert found["app_hosts"]["hosts"] == [planted]
    controller = found["_meta"]["hostvars"]["controller"]
    assert controller["ansible_connection"] == "local"
    assert "aws_instance_id" not in controller


def test_a_host_of_another_inventory_file_is_sent_nothing(account: Account) -> None:
    (account.project / "inventories/dev/more.yml").write_text(
        "app_hosts: {hosts: {stranger: {ansible_host: 192.0.2.1}}}"
    )
    code, output = account.plan(aws_profile="work")
    assert code == 2
    assert (
        f"has stranger in the group app_hosts, which is not the app host of csv-to-aurora-dev ({account.instance})"
        in output
    )
