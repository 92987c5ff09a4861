"""The settings of dev and stage, which the local cloud overrides, on a strict emulator without containers.

Nothing is overridden here but what tests/e2e/stage.yml says: zones and NAT gateways, instances, cluster parameters,
TLS-only bucket, deletion protection, final snapshot, recovery window, profile. What is created are records.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from tests import servers
from tests.boundary import create_boundary
from tests.e2e.account_inventory import account_inventory, left
from tests.e2e.conftest import Run, Stack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e

PACE = 0.1
"""Of the time that things take in the strict layer."""


@dataclass(frozen=True)
class Environment:
    """An environment on an emulator of its own."""

    name: str
    stack: Stack
    url: str

    @property
    def title(self) -> str:
        """The name of its stack."""
        return f"csv-to-aurora-{self.name}"

    def play(self, playbook: str, *, check: bool = True, **variables: Any) -> Run:
        """Run a playbook with the environment's own inventory and a profile, as on AWS."""
        folder = self.stack.folder
        return self.stack.playbook(
            playbook,
            "-e",
            "@tests/e2e/stage.yml",
            "-e",
            json.dumps(variables),
            inventory=f"inventories/{self.name}/hosts.yml",
            check=check,
            environment={
                "AWS_CONFIG_FILE": str(folder / "profiles"),
                "AWS_SHARED_CREDENTIALS_FILE": str(folder / "keys"),
                "AWS_EC2_METADATA_DISABLED": "true",
            },
        )

    def client(self, service: str) -> Any:
        """Return a boto3 client."""
        return boto3.client(  # type: ignore[call-overload] # the stubs want a literal
            service,
            region_name=servers.REGION,
            endpoint_url=self.url,
            aws_access_key_id="test",
            aws_secret_access_key=servers.SECRET,
        )

    def refused(self) -> set[tuple[str, str]]:
        """Return operation and error code of what the strict layer has refused."""
        lines = (self.stack.folder / "strict.jsonl").read_text().splitlines()
        return {(one["call"], one["code"]) for one in map(json.loads, lines)}

    def resources(self) -> dict[str, set[str]]:
        """Everything in the account except volumes: the emulator keeps those of terminated instances."""
        return {kind: found for kind, found in account_inventory(self.client).items() if kind != "volume"}


@contextmanager
def environment(name: str, folder: Path, **faults: float) -> Iterator[Environment]:
    """An environment in an empty account, with these random faults."""
    with servers.strict_ministack(folder, pace=PACE, **faults) as url:
        # As aws_profile says in tests/e2e/stage.yml.
        (folder / "profiles").write_text(f"[profile emulator]\nregion = {servers.REGION}\nendpoint_url = {url}\n")
        (folder / "keys").write_text(
            f"[emulator]\naws_access_key_id = test\naws_secret_access_key = {servers.SECRET}\n"
        )
        made = Environment(name, Stack(folder), url)
        create_boundary(made.client("iam"), made.title)
        yield made


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Environment]:
    """The environment stage."""
    with environment("stage", tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def created(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Environment, dict[str, set[str]]]]:
    """The environment stage after its first run, and what its account had before."""
    with environment("stage", tmp_path_factory.mktemp("stage")) as made:
        before = made.resources()
        made.play("provision.yml")
        yield made, before


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[Environment]:
    """The environment dev."""
    with environment("dev", tmp_path) as made:
        yield made


def test_stage_is_created_kept_and_protected(created: tuple[Environment, dict[str, set[str]]]) -> None:
    stage, before = created
    again = stage.play("provision.yml")
    assert again.changed == 0, again.output[-6000:]
    # Instances were created while the cluster was, and RDS said so.
    assert ("rds:CreateDBInstance", "InvalidDBClusterStateFault") in stage.refused()
    assert not {code for _, code in stage.refused()} & {"InvalidParameterCombination", "InvalidParameterValue"}

    ec2, rds = stage.client("ec2"), stage.client("rds")
    zones = {subnet["SubnetId"]: subnet["AvailabilityZone"] for subnet in ec2.describe_subnets()["Subnets"]}
    gateways = ec2.describe_nat_gateways()["NatGateways"]
    assert len({zones[gateway["SubnetId"]] for gateway in gateways}) == len(gateways) == 3
    assert len(rds.describe_db_instances()["DBInstances"]) == 2
    (cluster,) = rds.describe_db_clusters()["DBClusters"]
    assert cluster["DeletionProtection"]
    versions = stage.client("lambda").list_versions_by_function(FunctionName=f"{stage.title}-importer")["Versions"]
    assert [one["Version"] for one in versions] == ["$LATEST"]
    policy = stage.client("s3").get_bucket_policy(Bucket=f"{stage.title}-000000000000")["Policy"]
    assert "aws:SecureTransport" in policy

    # Protected by the inventory, then by the cluster.
    assert "is protected" in stage.play("teardown.yml", check=False).output
    unprotected: dict[str, Any] = {"environment_protected": False, "teardown_confirm": stage.title}
    assert "is protected from deletion" in stage.play("teardown.yml", check=False, **unprotected).output
    assert stage.resources() != before


@pytest.mark.slow
def test_stage_is_removed_but_for_what_others_have_added(created: tuple[Environment, dict[str, set[str]]]) -> None:
    stage, before = created
    rds = stage.client("rds")
    # A reader that somebody has added: named, left alone by a run, and not removed without the stack's tags.
    reader = {"DBInstanceIdentifier": "reports", "DBInstanceClass": "db.r6g.large", "Engine": "aurora-mysql"}
    rds.create_db_instance(DBClusterIdentifier=stage.title, **reader)
    third = stage.play("provision.yml")
    assert third.changed == 0, third.output[-6000:]
    # As a warning, which a plan shows, too; once, although a run plans first.
    others = "has instances of other names than this inventory gives, which are left as they are: reports."
    assert third.words.count(f"[WARNING]: The DB cluster {stage.title} {others}") == 1

    removal: dict[str, Any] = {
        "environment_protected": False,
        "teardown_confirm": stage.title,
        "database_deletion_protection": False,
    }
    refusal = stage.play("teardown.yml", check=False, **removal)
    assert "The DB instance reports exists but does not carry the tag" in refusal.words
    rds.delete_db_instance(DBInstanceIdentifier="reports", SkipFinalSnapshot=True)
    # RDS deletes no cluster that is stopped.
    rds.stop_db_cluster(DBClusterIdentifier=stage.title)
    stage.play("teardown.yml", **removal)
    assert [one for one in left(before, stage.resources()) if not one.startswith("secret ")] == []
    (snapshot,) = rds.describe_db_cluster_snapshots()["DBClusterSnapshots"]
    assert snapshot["DBClusterSnapshotIdentifier"].startswith(f"{stage.title}-final-")
    secrets = stage.client("secretsmanager").list_secrets(IncludePlannedDeletion=True)["SecretList"]
    assert [secret["Name"] for secret in secrets if "DeletedDate" not in secret] == []
    assert len(secrets) == 3
    assert stage.play("teardown.yml", **removal).changed == 0


@pytest.mark.slow
def test_dev_serverless_without_nat_and_with_iam_login(dev: Environment) -> None:
    settings: dict[str, Any] = {
        "network_nat": "none",
        "network_interface_endpoints": ["secretsmanager", "lambda", "logs", "sns"],
        "database_instance_class": "db.serverless",
        "database_serverless_max_capacity": 2,
        "stack_database_login": "iam",
    }
    before = dev.resources()
    first = dev.play("provision.yml", **settings)
    again = dev.play("provision.yml", **settings)
    assert again.changed == 0, again.output[-6000:]
    rds = dev.client("rds")
    (cluster,) = rds.describe_db_clusters()["DBClusters"]
    # As an administrator has written it before there was a cluster; without an update nobody could log in with a token.
    update = f"-e permissions_cluster_id={cluster['DbClusterResourceId']}` and `aws iam create-policy-version"
    for run in (first, again):
        assert "it lacks ConnectToDatabase." in run.words
        assert update in run.words
    assert cluster["ServerlessV2ScalingConfiguration"] == {"MinCapacity": 0.5, "MaxCapacity": 2.0}
    assert cluster["IAMDatabaseAuthenticationEnabled"]
    assert [one["DBInstanceClass"] for one in rds.describe_db_instances()["DBInstances"]] == ["db.serverless"]
    iam = dev.client("iam")
    for role in (f"{dev.title}-app", f"{dev.title}-importer"):
        (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
        policy = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        assert cluster["DbClusterResourceId"] in json.dumps(policy)
    assert dev.client("ec2").describe_nat_gateways()["NatGateways"] == []

    # Changed by hand, and afterwards in the inventory: each is one ModifyDBCluster, the second while the first goes on.
    rds.modify_db_cluster(DBClusterIdentifier=dev.title, BackupRetentionPeriod=3, EnableIAMDatabaseAuthentication=False)
    changed = settings | {"database_serverless_max_capacity": 4}
    assert dev.play("provision.yml", **changed).changed == 1
    assert ("rds:ModifyDBCluster", "InvalidDBClusterStateFault") in dev.refused()
    assert dev.play("provision.yml", **changed).changed == 0
    dev.play("teardown.yml", **changed, teardown_confirm=dev.title)
    assert left(before, dev.resources()) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_runs_converge_while_calls_are_refused_for_their_rate_and_connections_are_cut(
    tmp_path: Path, seed: int
) -> None:
    with environment("dev", tmp_path, seed=seed, throttled=0.05, cut=0.005) as dev:
        before = dev.resources()
        dev.play("provision.yml")
        # A call whose answer was lost is repeated, and may have created two of something: the next run removes one.
        dev.play("provision.yml")
        again = dev.play("provision.yml")
        assert again.changed == 0, again.output[-6000:]
        dev.play("teardown.yml", teardown_confirm=dev.title)
        assert left(before, dev.resources()) == []
        assert dev.play("teardown.yml", teardown_confirm=dev.title).changed == 0
        rules = {json.loads(line)["rule"] for line in (tmp_path / "strict.jsonl").read_text().splitlines()}
        assert {"Faults", "cut"} <= rules


def test_a_cluster_parameter_that_rds_would_refuse_is_refused_before_the_first_change(stage: Environment) -> None:
    before = stage.resources()
    wrong = {"tls_version": "TLSv1.1", "datadir": "/data", "nothing": "1"}
    run = stage.play("provision.yml", check=False, database_parameters=wrong)
    assert run.returncode != 0
    assert "The cluster parameter tls_version cannot be TLSv1.1: aurora-mysql8.0 allows TLSv1.2,TLSv1.3." in run.words
    assert "The cluster parameter datadir of the family aurora-mysql8.0 cannot be modified." in run.words
    assert "The family aurora-mysql8.0 has no cluster parameter nothing." in run.words
    assert "Correct database_parameters in the inventory's group_vars." in run.words
    assert stage.resources() == before


def test_an_instance_outside_the_cluster_that_has_a_name_of_the_stack_stops_the_first_run(stage: Environment) -> None:
    stage.client("rds").create_db_instance(
        DBInstanceIdentifier=f"{stage.title}-2",
        DBInstanceClass="db.t4g.medium",
        Engine="mysql",
        MasterUsername="admin",
        MasterUserPassword="none-of-the-stack",
        AllocatedStorage=20,
        Tags=[{"Key": key, "Value": value} for key, value in (("Project", "csv-to-aurora"), ("Environment", "stage"))],
    )
    before = stage.resources()
    run = stage.play("provision.yml", check=False)
    assert run.returncode != 0
    assert (
        f"The DB instance {stage.title}-2 has a name of the DB cluster {stage.title} and is in no cluster." in run.words
    )
    assert stage.resources() == before
