"""The module for flow logs.

ministack keeps neither role, interval nor format of a flow log, so what depends on them is shown with moto.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from emulated_cloud import Cloud

ROLE = "arn:aws:iam::123456789012:role/flow-logs"
TAGS = {"Project": "csv", "Environment": "test"}

only_moto = pytest.mark.parametrize("cloud", ["moto"], indirect=True)


@pytest.fixture
def vpc(cloud: Cloud) -> str:
    """The id of a VPC of the test's own."""
    vpc_id: str = cloud.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    return vpc_id


@pytest.fixture
def log_group(cloud: Cloud) -> str:
    """The name of a log group that exists."""
    name = f"/flow/{uuid4().hex[:8]}"
    cloud.client("logs").create_log_group(logGroupName=name)
    return name


def stored(cloud: Cloud, vpc: str) -> list[dict[str, Any]]:
    """Return the VPC's flow logs as the API has them."""
    filters = [{"Name": "resource-id", "Values": [vpc]}]
    found: list[dict[str, Any]] = cloud.client("ec2").describe_flow_logs(Filters=filters)["FlowLogs"]
    return found


def stored_tags(cloud: Cloud, flow_log_id: str) -> dict[str, str]:
    """Return the flow log's tags as the API has them."""
    filters = [{"Name": "resource-id", "Values": [flow_log_id]}]
    found = cloud.client("ec2").describe_tags(Filters=filters)["Tags"]
    return {tag["Key"]: tag["Value"] for tag in found}


def test_flow_log_through_its_life(cloud: Cloud, vpc: str, log_group: str) -> None:
    settings: dict[str, Any] = {
        "resource_id": vpc,
        "destination": log_group,
        "iam_role_arn": ROLE,
        "max_aggregation_interval": 60,
        "tags": TAGS,
    }

    planned = cloud.run("ec2_vpc_flow_log", check=True, **settings)
    assert planned["changed"]
    assert planned["flow_log_id"] is None
    assert planned["current"] == []
    assert planned["diff"]["before"] == {}
    assert planned["diff"]["after"]["traffic_type"] == "ALL"
    assert stored(cloud, vpc) == []

    created = cloud.run("ec2_vpc_flow_log", **settings)
    assert created["changed"]
    assert created["current"] == []
    (flow_log,) = stored(cloud, vpc)
    assert flow_log["FlowLogId"] == created["flow_log_id"]
    assert stored_tags(cloud, created["flow_log_id"]) == TAGS

    for check in (False, True):
        again = cloud.run("ec2_vpc_flow_log", check=check, **settings)
        assert not again["changed"], again["diff"]
        assert again["flow_log_id"] == created["flow_log_id"]
        assert again["current"] == [again["flow_log"]]

    # Tags are changed in place.
    retagged = {**settings, "tags": {**TAGS, "Owner": "me"}}
    assert cloud.run("ec2_vpc_flow_log", check=True, **retagged)["changed"]
    assert stored_tags(cloud, created["flow_log_id"]) == TAGS
    changed = cloud.run("ec2_vpc_flow_log", **retagged)
    assert changed["changed"]
    assert changed["flow_log_id"] == created["flow_log_id"]
    assert stored_tags(cloud, created["flow_log_id"]) == {**TAGS, "Owner": "me"}
    kept = cloud.run("ec2_vpc_flow_log", **{**settings, "purge_tags": False})
    assert not kept["changed"], kept["diff"]

    # Any other change replaces the flow log.
    refused = {**settings, "traffic_type": "REJECT"}
    planned = cloud.run("ec2_vpc_flow_log", check=True, **refused)
    assert planned["changed"]
    assert planned["diff"]["before"]["traffic_type"] == "ALL"
    assert planned["diff"]["after"]["traffic_type"] == "REJECT"
    assert planned["flow_log_id"] is None
    assert [found["TrafficType"] for found in stored(cloud, vpc)] == ["ALL"]
    replaced = cloud.run("ec2_vpc_flow_log", **refused)
    assert replaced["changed"]
    assert replaced["flow_log_id"] != created["flow_log_id"]
    assert [found["flow_log_id"] for found in replaced["current"]] == [created["flow_log_id"]]
    assert [found["TrafficType"] for found in stored(cloud, vpc)] == ["REJECT"]
    assert not cloud.run("ec2_vpc_flow_log", **refused)["changed"]

    gone: dict[str, Any] = {"resource_id": vpc, "destination": log_group, "state": "absent"}
    assert cloud.run("ec2_vpc_flow_log", check=True, **gone)["changed"]
    assert len(stored(cloud, vpc)) == 1
    assert cloud.run("ec2_vpc_flow_log", **gone)["changed"]
    assert stored(cloud, vpc) == []
    assert not cloud.run("ec2_vpc_flow_log", **gone)["changed"]


@only_moto
def test_every_immutable_setting_replaces(cloud: Cloud, vpc: str, log_group: str) -> None:
    settings: dict[str, Any] = {
        "resource_id": vpc,
        "destination": log_group,
        "iam_role_arn": ROLE,
        "max_aggregation_interval": 60,
    }
    cloud.run("ec2_vpc_flow_log", **settings)
    for option, value in (
        ("max_aggregation_interval", 600),
        ("log_format", "${version} ${srcaddr} ${action}"),
        ("iam_role_arn", f"{ROLE}-2"),
    ):
        settings[option] = value
        result = cloud.run("ec2_vpc_flow_log", **settings)
        assert result["changed"], option
        assert result["diff"]["after"][option] == value
        assert len(stored(cloud, vpc)) == 1
        assert not cloud.run("ec2_vpc_flow_log", **settings)["changed"], option
    # Options that are not given are kept: the format is kept by a replacement that does not name it.
    del settings["log_format"]
    cloud.run("ec2_vpc_flow_log", **{**settings, "traffic_type": "ACCEPT"})
    assert stored(cloud, vpc)[0]["LogFormat"] == "${version} ${srcaddr} ${action}"


def test_a_moved_destination_replaces_the_flow_log_with_our_tags_only(cloud: Cloud, vpc: str, log_group: str) -> None:
    buckets = [f"flow-{uuid4().hex[:12]}" for _ in range(2)]
    for bucket in buckets:
        cloud.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    theirs = cloud.run(
        "ec2_vpc_flow_log", resource_id=vpc, destination=log_group, iam_role_arn=ROLE, tags={"Project": "audit"}
    )
    first = cloud.run("ec2_vpc_flow_log", resource_id=vpc, destination=f"arn:aws:s3:::{buckets[0]}", tags=TAGS)
    second = cloud.run("ec2_vpc_flow_log", resource_id=vpc, destination=f"arn:aws:s3:::{buckets[1]}", tags=TAGS)
    assert first["changed"]
    assert second["changed"]
    assert {found["FlowLogId"] for found in stored(cloud, vpc)} == {theirs["flow_log_id"], second["flow_log_id"]}

    assert cloud.run("ec2_vpc_flow_log", resource_id=vpc, tags=TAGS, state="absent")["changed"]
    assert [found["FlowLogId"] for found in stored(cloud, vpc)] == [theirs["flow_log_id"]]
    assert not cloud.run("ec2_vpc_flow_log", resource_id=vpc, tags=TAGS, state="absent")["changed"]


def test_check_mode_of_an_absent_flow_log_reads_those_with_the_tags(cloud: Cloud, vpc: str, log_group: str) -> None:
    read: dict[str, Any] = {"resource_id": vpc, "tags": {"Project": "csv"}, "state": "absent"}
    assert cloud.run("ec2_vpc_flow_log", check=True, **read)["current"] == []
    foreign: dict[str, Any] = {"resource_id": vpc, "destination": "arn:aws:s3:::audit", "tags": {"Project": "audit"}}
    cloud.client("s3").create_bucket(Bucket="audit", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    cloud.run("ec2_vpc_flow_log", **foreign)
    created = cloud.run(
        "ec2_vpc_flow_log", resource_id=vpc, destination=log_group, iam_role_arn=ROLE, traffic_type="REJECT", tags=TAGS
    )
    (found,) = cloud.run("ec2_vpc_flow_log", check=True, **read)["current"]
    assert found["flow_log_id"] == created["flow_log_id"]
    assert found["resource_id"] == vpc
    assert found["traffic_type"] == "REJECT"
    assert found["destination"] == log_group
    assert found["tags"] == TAGS
    assert len(stored(cloud, vpc)) == 2
    assert cloud.run("ec2_vpc_flow_log", check=True, **{**read, "resource_id": "vpc-00000000"})["current"] == []


@only_moto
def test_the_arn_and_the_name_of_a_log_group_mean_the_same(cloud: Cloud, vpc: str, log_group: str) -> None:
    arn = f"arn:aws:logs:eu-west-1:123456789012:log-group:{log_group}:*"
    assert cloud.run("ec2_vpc_flow_log", resource_id=vpc, destination=log_group, iam_role_arn=ROLE)["changed"]
    assert not cloud.run("ec2_vpc_flow_log", resource_id=vpc, destination=arn, iam_role_arn=ROLE)["changed"]


def test_what_does_not_exist_yet_and_what_is_missing(cloud: Cloud) -> None:
    new: dict[str, Any] = {"resource_id": "vpc-00000000", "destination": "/flow", "iam_role_arn": ROLE}
    assert cloud.run("ec2_vpc_flow_log", check=True, **new)["changed"]
    assert not cloud.run("ec2_vpc_flow_log", resource_id="vpc-00000000", destination="/flow", state="absent")["changed"]
    message = cloud.run.failure("ec2_vpc_flow_log", resource_id="vpc-00000000", destination="/flow")
    assert "iam_role_arn is missing" in message
    message = cloud.run.failure("ec2_vpc_flow_log", resource_id="vpc-00000000", state="absent")
    assert "destination, tags" in message


@only_moto
def test_a_refused_destination_is_named(cloud: Cloud, vpc: str) -> None:
    message = cloud.run.failure("ec2_vpc_flow_log", resource_id=vpc, destination="arn:aws:s3:::nobodys-bucket")
    assert message.startswith(f"Cannot create the flow log of {vpc}: ")
    assert "nobodys-bucket" in message
    assert message.endswith("Check that the destination exists and that the role may write to it.")
    message = cloud.run.failure("ec2_vpc_flow_log", resource_id="vpc-00000000", destination="/flow", iam_role_arn=ROLE)
    assert "Check that the resource" in message
