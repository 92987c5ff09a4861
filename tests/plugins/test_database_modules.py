"""The modules that modify a DB cluster and describe secrets."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from emulated_cloud import Cloud
from scripted_aws import scripted_aws
from strict.calls import Call

RANGE = {"min_capacity": 0.5, "max_capacity": 4.0}


@pytest.fixture
def cluster(cloud: Cloud) -> str:
    """A DB cluster with neither IAM authentication nor a capacity range."""
    name = f"cluster-{uuid4().hex[:12]}"
    cloud.client("rds").create_db_cluster(
        DBClusterIdentifier=name,
        Engine="aurora-mysql",
        MasterUsername="stackadmin",
        MasterUserPassword="a-secret-of-the-tests",
    )
    return name


def described(cloud: Cloud, name: str) -> dict[str, Any]:
    (found,) = cloud.client("rds").describe_db_clusters(DBClusterIdentifier=name)["DBClusters"]
    return dict(found)


# moto accepts the setting and does not store it.
@pytest.mark.parametrize("cloud", ["ministack"], indirect=True)
def test_iam_authentication_is_switched_once(cloud: Cloud, cluster: str) -> None:
    wanted: dict[str, Any] = {"db_cluster_identifier": cluster, "enable_iam_database_authentication": True}
    planned = cloud.run("rds_cluster_modify", check=True, **wanted)
    assert planned["changed"]
    assert planned["diff"]["before"] == {"enable_iam_database_authentication": False}
    assert described(cloud, cluster)["IAMDatabaseAuthenticationEnabled"] is False

    assert cloud.run("rds_cluster_modify", **wanted)["changed"]
    assert described(cloud, cluster)["IAMDatabaseAuthenticationEnabled"] is True
    for check in (True, False):
        again = cloud.run("rds_cluster_modify", check=check, **wanted)
        assert not again["changed"]
        assert again["settings"] == {"enable_iam_database_authentication": True}


def test_a_first_range_of_capacity_is_set_and_the_rest_left(cloud: Cloud, cluster: str) -> None:
    wanted: dict[str, Any] = {"db_cluster_identifier": cluster, "serverless_v2_scaling_configuration": RANGE}
    assert cloud.run("rds_cluster_modify", **wanted)["changed"]
    found = described(cloud, cluster)
    assert found["ServerlessV2ScalingConfiguration"] == {"MinCapacity": 0.5, "MaxCapacity": 4.0}
    assert found["IAMDatabaseAuthenticationEnabled"] is False
    assert not cloud.run("rds_cluster_modify", **wanted)["changed"]


def test_log_exports_are_those_that_are_named() -> None:
    # Neither emulator changes them.
    exported = {"general", "error"}

    def answer(call: Call) -> dict[str, Any]:
        change = call.parameters.get("CloudwatchLogsExportConfiguration") or {}
        exported.difference_update(change.get("DisableLogTypes") or [])
        exported.update(change.get("EnableLogTypes") or [])
        cluster = {"DBClusterIdentifier": "logs", "EnabledCloudwatchLogsExports": sorted(exported)}
        return {"DBClusters": [cluster]} if call.operation == "DescribeDBClusters" else {"DBCluster": cluster}

    with scripted_aws(answer) as cloud:
        for logs in (["error", "audit"], ["slowquery", "audit"], []):
            wanted: dict[str, Any] = {"db_cluster_identifier": "logs", "cloudwatch_logs_exports": logs}
            assert cloud.run("rds_cluster_modify", check=True, **wanted)["changed"]
            assert cloud.run("rds_cluster_modify", **wanted)["changed"]
            assert exported == set(logs)
            assert not cloud.run("rds_cluster_modify", **wanted)["changed"]
        assert len(cloud.called("ModifyDBCluster")) == 3


def test_what_rds_has_accepted_and_not_applied_yet_is_not_ordered_again() -> None:
    pending = {
        "IAMDatabaseAuthenticationEnabled": True,
        "PendingCloudwatchLogsExports": {"LogTypesToEnable": ["audit"], "LogTypesToDisable": ["general"]},
    }
    cluster = {
        "DBClusterIdentifier": "pending",
        "IAMDatabaseAuthenticationEnabled": False,
        "EnabledCloudwatchLogsExports": ["error", "general"],
        "PendingModifiedValues": pending,
    }
    with scripted_aws(lambda _: {"DBClusters": [cluster]}) as cloud:
        result = cloud.run(
            "rds_cluster_modify",
            db_cluster_identifier="pending",
            enable_iam_database_authentication=True,
            cloudwatch_logs_exports=["error", "audit"],
        )
        assert not result["changed"]
        assert {call.operation for call in cloud.calls} == {"DescribeDBClusters"}


def test_a_cluster_that_does_not_exist_is_planned_for_and_refused(moto: Cloud) -> None:
    wanted: dict[str, Any] = {"db_cluster_identifier": "missing", "enable_iam_database_authentication": True}
    assert moto.run("rds_cluster_modify", check=True, **wanted)["changed"]
    assert "There is no DB cluster missing in this region" in moto.run.failure("rds_cluster_modify", **wanted)


def test_one_of_the_settings_has_to_be_given(moto: Cloud) -> None:
    assert "one of the following is required" in moto.run.failure("rds_cluster_modify", db_cluster_identifier="any")


def test_secrets_are_described_and_never_read(cloud: Cloud) -> None:
    client, prefix = cloud.client("secretsmanager"), uuid4().hex[:12]
    names = [f"{prefix}/{name}" for name in ("importer", "deleted", "missing")]
    for name in names[:2]:
        client.create_secret(
            Name=name,
            Description=f"Account {name}",
            SecretString="swordfish",
            Tags=[{"Key": "Environment", "Value": "test"}],
        )
    client.delete_secret(SecretId=names[1], RecoveryWindowInDays=7)
    result = cloud.run("secretsmanager_secret_info", names=[names[1], names[2], names[0]])
    assert not result["changed"]
    assert [secret["name"] for secret in result["secrets"]] == [names[1], names[0]]
    deleted, kept = result["secrets"]
    assert kept["arn"].startswith(f"arn:aws:secretsmanager:eu-west-1:{kept['arn'].split(':')[4]}:secret:{names[0]}")
    assert kept["description"] == f"Account {names[0]}"
    assert kept["tags"] == {"Environment": "test"}
    assert kept["deleted_date"] is None
    assert deleted["deleted_date"]
    assert "swordfish" not in json.dumps(result)
