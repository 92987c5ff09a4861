"""The end of a teardown: what is left is named, and what is kept on purpose is neither left nor to be deleted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
from playbook_runner import PROJECT, run_playbook

from tests import servers

WORD = "of-a-test"
"""What the emulator takes for a secret."""


@dataclass(frozen=True)
class Account:
    """An account, the environment in it that is torn down, and a folder for the playbook."""

    url: str
    environment: str
    folder: Path

    @property
    def tags(self) -> list[dict[str, str]]:
        """The tags of the stack."""
        return [{"Key": "Project", "Value": "shop"}, {"Key": "Environment", "Value": self.environment}]

    def client(self, service: str) -> Any:
        """Return a boto3 client."""
        return boto3.client(  # type: ignore[call-overload] # the stubs want a literal
            service,
            region_name=servers.REGION,
            endpoint_url=self.url,
            aws_access_key_id="test",
            aws_secret_access_key=WORD,
        )

    def sweep(self) -> tuple[int, str]:
        """Run the sweep and return its exit code and its output."""
        playbook = self.folder / "sweep.yml"
        play = {
            "hosts": "localhost",
            "gather_facts": False,
            "module_defaults": {"group/csv_to_aurora.aws.playbooks": "{{ aws_connection }}"},
            "vars": {
                "project": "shop",
                "environment_name": self.environment,
                "stack_name": f"shop-{self.environment}",
                "stack_lock_name": f"/locks/shop-{self.environment}",
                "aws_region": servers.REGION,
                "aws_connection": {
                    "region": servers.REGION,
                    "endpoint_url": self.url,
                    "access_key": "test",
                    "secret_key": WORD,
                },
                "sweep_retries": 2,
                "sweep_delay": 1,
            },
            "tasks": [{"ansible.builtin.import_tasks": str(PROJECT / "playbooks/tasks/sweep.yml")}],
        }
        playbook.write_text(json.dumps([play]))
        run = run_playbook(playbook)
        return run.returncode, " ".join((run.stdout + run.stderr).split())


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a moto_server for these tests."""
    with servers.moto(tmp_path_factory.mktemp("moto")) as url:
        yield url


@pytest.fixture
def account(moto: str, tmp_path: Path) -> Account:
    """An environment of its own."""
    return Account(moto, uuid4().hex[:8], tmp_path)


def test_nothing_is_left(account: Account) -> None:
    code, output = account.sweep()
    assert code == 0, output
    assert f"Nothing carries the tags of shop-{account.environment} any more." in output
    assert "Kept on purpose" not in output


def test_what_lingers_is_gone_and_what_is_kept_is_said(account: Account) -> None:
    ec2, rds, secrets = account.client("ec2"), account.client("rds"), account.client("secretsmanager")
    image = ec2.describe_images()["Images"][0]["ImageId"]
    instance = ec2.run_instances(
        ImageId=image,
        MinCount=1,
        MaxCount=1,
        TagSpecifications=[{"ResourceType": "instance", "Tags": account.tags}],
    )["Instances"][0]["InstanceId"]
    ec2.terminate_instances(InstanceIds=[instance])
    cluster, snapshot = f"shop-{account.environment}", f"shop-{account.environment}-final-1"
    rds.create_db_cluster(
        DBClusterIdentifier=cluster, Engine="aurora-mysql", MasterUsername="root", MasterUserPassword=WORD
    )
    rds.create_db_cluster_snapshot(DBClusterIdentifier=cluster, DBClusterSnapshotIdentifier=snapshot, Tags=account.tags)
    rds.delete_db_cluster(DBClusterIdentifier=cluster, SkipFinalSnapshot=True)
    secrets.create_secret(Name=f"{cluster}/importer", SecretString=WORD, Tags=account.tags)
    secrets.delete_secret(SecretId=f"{cluster}/importer", RecoveryWindowInDays=7)
    listed = account.client("resourcegroupstaggingapi").get_resources(
        TagFilters=[{"Key": "Environment", "Values": [account.environment]}]
    )["ResourceTagMappingList"]
    assert {one["ResourceARN"].split(":")[2] for one in listed} == {"ec2", "rds", "secretsmanager"}
    code, output = account.sweep()
    assert code == 0, output
    assert f"Nothing else carries the tags of {cluster} any more." in output
    kept = output.partition("Kept on purpose:")[2]
    assert f"DB cluster snapshot {snapshot}: " in kept
    assert f"delete-db-cluster-snapshot --region eu-west-1 --db-cluster-snapshot-identifier {snapshot}" in kept
    assert f"Secret {cluster}/importer: Secrets Manager deletes it after 20" in kept


def test_what_is_left_is_named(account: Account) -> None:
    vpc = account.client("ec2").create_vpc(
        CidrBlock="10.9.0.0/16", TagSpecifications=[{"ResourceType": "vpc", "Tags": account.tags}]
    )["Vpc"]["VpcId"]
    code, output = account.sweep()
    assert code != 0
    assert f"These still carry the tags of shop-{account.environment}: arn:aws:ec2:" in output
    assert f"vpc/{vpc}" in output
    assert "Run the teardown again" in output


def test_an_api_that_does_not_answer_is_no_empty_account(account: Account) -> None:
    code, output = Account("http://127.0.0.1:1", account.environment, account.folder).sweep()
    assert code != 0
    assert "Cannot list the tagged resources" in output
