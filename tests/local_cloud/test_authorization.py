"""The authorizations that the local cloud requires for a call, as in AWS' service authorization reference."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

FILE = Path(__file__).parents[2] / "roles/local_cloud/files/authorization.py"
ACCOUNT, REGION = "123456789012", "eu-west-1"
EC2 = f"arn:aws:ec2:{REGION}:{ACCOUNT}:"
RDS = f"arn:aws:rds:{REGION}:{ACCOUNT}:"
IAM = f"arn:aws:iam::{ACCOUNT}:"


@pytest.fixture(scope="module")
def authorization() -> ModuleType:
    """The module that the local cloud's launcher uses."""
    spec = importlib.util.spec_from_file_location("authorization", FILE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["authorization"] = module
    spec.loader.exec_module(module)
    return module


def required(
    authorization: ModuleType,
    service: str,
    action: str,
    parameters: dict[str, str] | None = None,
    body: dict[str, Any] | None = None,
) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the authorizations that a call requires: their conditions by action and resource."""
    request = authorization.read_request(json.dumps(body or {}).encode(), parameters or {}, ACCOUNT, REGION, None)
    authorization._request.set(request)
    return {
        (check.action, check.resource): dict(check.context) for check in authorization.checks(service, action, "*", {})
    }


def test_a_new_resource_is_authorized_with_its_tags_and_its_parent(authorization: ModuleType) -> None:
    found = required(
        authorization,
        "ec2",
        "ec2:CreateSubnet",
        {
            "VpcId": "vpc-0123456789abcdef0",
            "TagSpecification.1.ResourceType": "subnet",
            "TagSpecification.1.Tag.1.Key": "Project",
            "TagSpecification.1.Tag.1.Value": "project",
        },
    )
    tags = {"aws:RequestTag/Project": "project", "aws:TagKeys": ["Project"]}
    assert found == {
        ("ec2:CreateSubnet", f"{EC2}subnet/*"): tags,
        ("ec2:CreateTags", f"{EC2}subnet/*"): {**tags, "ec2:CreateAction": "CreateSubnet"},
        ("ec2:CreateSubnet", f"{EC2}vpc/vpc-0123456789abcdef0"): {},
    }


def test_a_route_is_authorized_on_its_table_only(authorization: ModuleType) -> None:
    parameters = {"RouteTableId": "rtb-0123456789abcdef0", "GatewayId": "igw-0123456789abcdef0"}
    found = required(authorization, "ec2", "ec2:CreateRoute", parameters)
    assert list(found) == [("ec2:CreateRoute", f"{EC2}route-table/rtb-0123456789abcdef0")]


def test_describe_calls_have_no_resource(authorization: ModuleType) -> None:
    parameters = {"Filter.1.Name": "vpc-id", "Filter.1.Value.1": "vpc-0123456789abcdef0"}
    assert list(required(authorization, "ec2", "ec2:DescribeSubnets", parameters)) == [("ec2:DescribeSubnets", "*")]


def test_passing_a_role_is_authorized(authorization: ModuleType) -> None:
    role = f"{IAM}role/function"
    function = required(
        authorization, "lambda", "lambda:CreateFunction", body={"FunctionName": "importer", "Role": role}
    )
    profile = required(
        authorization, "iam", "iam:AddRoleToInstanceProfile", {"InstanceProfileName": "host", "RoleName": "host"}
    )
    logs = required(
        authorization,
        "ec2",
        "ec2:CreateFlowLogs",
        {"ResourceId.1": "vpc-0123456789abcdef0", "DeliverLogsPermissionArn": f"{IAM}role/logs"},
    )
    assert function["iam:PassRole", role] == {"iam:PassedToService": "lambda.amazonaws.com"}
    assert profile["iam:PassRole", f"{IAM}role/host"] == {"iam:PassedToService": "ec2.amazonaws.com"}
    assert logs["iam:PassRole", f"{IAM}role/logs"] == {"iam:PassedToService": "vpc-flow-logs.amazonaws.com"}
    assert ("lambda:CreateFunction", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:importer") in function


def test_a_database_cluster_is_authorized_with_all_that_it_uses(authorization: ModuleType) -> None:
    found = required(
        authorization,
        "rds",
        "rds:CreateDBCluster",
        {"DBClusterIdentifier": "c", "DBSubnetGroupName": "s", "DBClusterParameterGroupName": "p"},
    )
    assert {resource for _, resource in found} == {
        f"{RDS}cluster:c",
        f"{RDS}subgrp:s",
        f"{RDS}cluster-pg:p",
        f"{RDS}og:default:aurora-mysql-8-0",
    }


def test_a_database_instance_is_authorized_on_the_default_groups_that_it_takes(authorization: ModuleType) -> None:
    parameters = {"DBInstanceIdentifier": "i", "DBClusterIdentifier": "c", "Tags.Tag.1.Key": "Project"}
    found = required(authorization, "rds", "rds:CreateDBInstance", parameters)
    assert set(found) == {
        ("rds:CreateDBInstance", f"{RDS}db:i"),
        ("rds:CreateDBInstance", f"{RDS}cluster:c"),
        ("rds:CreateDBInstance", f"{RDS}pg:default.aurora-mysql8.0"),
        ("rds:CreateDBInstance", f"{RDS}og:default:aurora-mysql-8-0"),
        ("rds:AddTagsToResource", f"{RDS}db:i"),
    }
    own = required(authorization, "rds", "rds:CreateDBInstance", {**parameters, "DBParameterGroupName": "own"})
    assert {resource for _, resource in own if ":pg:" in resource} == {f"{RDS}pg:own"}


def test_a_cluster_is_deleted_with_its_final_snapshot(authorization: ModuleType) -> None:
    parameters = {"DBClusterIdentifier": "c", "FinalDBSnapshotIdentifier": "c-final"}
    found = required(authorization, "rds", "rds:DeleteDBCluster", parameters)
    assert {resource for _, resource in found} == {f"{RDS}cluster:c", f"{RDS}cluster-snapshot:c-final"}


@pytest.mark.parametrize(
    ("parameters", "associates"),
    [
        ({"VpcEndpointType": "Interface"}, True),
        ({"VpcEndpointType": "Interface", "PrivateDnsEnabled": "false"}, False),
        ({"VpcEndpointType": "Gateway"}, False),
        ({}, False),
    ],
)
def test_private_dns_of_an_endpoint_associates_a_hosted_zone(
    authorization: ModuleType, parameters: dict[str, str], *, associates: bool
) -> None:
    found = required(authorization, "ec2", "ec2:CreateVpcEndpoint", {"VpcId": "vpc-0123456789abcdef0", **parameters})
    assert ("route53:AssociateVPCWithHostedZone" in {action for action, _ in found}) is associates


def test_a_qualifier_is_part_of_a_functions_arn(authorization: ModuleType) -> None:
    request = authorization.read_request(b"", {"Qualifier": ["$LATEST"]}, ACCOUNT, REGION, "GetFunction")
    authorization._request.set(request)
    function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:importer"
    found = authorization.checks("lambda", "lambda:GetFunction", function, {})
    assert [check.resource for check in found] == [f"{function}:$LATEST"]


@pytest.mark.parametrize(
    ("service", "action", "parameters", "body", "tagging"),
    [
        ("lambda", "lambda:CreateFunction", {}, {"FunctionName": "f", "Tags": {"a": "b"}}, "lambda:TagResource"),
        ("logs", "logs:CreateLogGroup", {}, {"tags": {"a": "b"}}, "logs:TagResource"),
        ("secretsmanager", "secretsmanager:CreateSecret", {}, {"Tags": [{}]}, "secretsmanager:TagResource"),
        ("ssm", "ssm:PutParameter", {}, {"Tags": [{}]}, "ssm:AddTagsToResource"),
        ("sqs", "sqs:CreateQueue", {}, {"tags": {"a": "b"}}, "sqs:TagQueue"),
        ("iam", "iam:CreateRole", {"RoleName": "r", "Tags.member.1.Key": "a"}, {}, "iam:TagRole"),
        (
            "iam",
            "iam:CreateInstanceProfile",
            {"InstanceProfileName": "p", "Tags.member.1.Key": "a"},
            {},
            "iam:TagInstanceProfile",
        ),
    ],
)
def test_tags_of_something_new_are_authorized_on_it(  # noqa: PLR0917
    authorization: ModuleType,
    service: str,
    action: str,
    parameters: dict[str, str],
    body: dict[str, Any],
    tagging: str,
) -> None:
    found = required(authorization, service, action, parameters, body)
    resources = dict(found.keys())
    assert resources[tagging] == resources[action]
    untagged = {key: value for key, value in parameters.items() if not key.startswith("Tags.")}
    bare = {key: value for key, value in body.items() if key.lower() != "tags"}
    assert tagging not in {name for name, _ in required(authorization, service, action, untagged, bare)}


def test_a_role_is_authorized_with_its_permissions_boundary(authorization: ModuleType) -> None:
    """That of the request, or that which the role has."""
    role, boundary = {"RoleName": "r"}, f"{IAM}policy/boundary"
    key = {"iam:PermissionsBoundary": boundary}
    for action in ("iam:CreateRole", "iam:PutRolePermissionsBoundary"):
        assert list(required(authorization, "iam", action, {**role, "PermissionsBoundary": boundary}).values()) == [key]
    assert list(required(authorization, "iam", "iam:CreateRole", role).values()) == [{}]


@pytest.mark.parametrize(("given", "key"), [("true", "true"), ("false", "false"), (None, "false")])
def test_a_new_network_interface_is_authorized_with_whether_its_address_is_public(
    authorization: ModuleType, given: str | None, key: str
) -> None:
    parameters = {"NetworkInterface.1.AssociatePublicIpAddress": given} if given else {}
    found = required(authorization, "ec2", "ec2:RunInstances", parameters)
    assert found["ec2:RunInstances", f"{EC2}network-interface/*"] == {"ec2:AssociatePublicIpAddress": key}


def test_an_image_is_authorized_with_whether_it_is_public(authorization: ModuleType) -> None:
    found = required(authorization, "ec2", "ec2:RunInstances", {"ImageId": "ami-0123456789abcdef0"})
    assert found["ec2:RunInstances", f"arn:aws:ec2:{REGION}::image/ami-0123456789abcdef0"] == {"ec2:Public": "true"}


def test_alarms_are_authorized_one_by_one(authorization: ModuleType) -> None:
    found = required(authorization, "monitoring", "cloudwatch:DeleteAlarms", body={"AlarmNames": ["a", "b"]})
    prefix = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:"
    assert [resource for _, resource in found] == [f"{prefix}a", f"{prefix}b"]


def test_dashboards_are_authorized_one_by_one_and_have_no_region(authorization: ModuleType) -> None:
    found = required(authorization, "monitoring", "cloudwatch:DeleteDashboards", body={"DashboardNames": ["a", "b"]})
    prefix = f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/"
    assert [resource for _, resource in found] == [f"{prefix}a", f"{prefix}b"]
    for action in ("PutDashboard", "GetDashboard"):
        found = required(authorization, "monitoring", f"cloudwatch:{action}", body={"DashboardName": "a"})
        assert [resource for _, resource in found] == [f"{prefix}a"]


def test_the_record_has_each_authorization_once_and_starts_again_when_it_is_removed(
    authorization: ModuleType, tmp_path: Path
) -> None:
    file = tmp_path / "authorizations.jsonl"
    record = authorization.Record(file)
    check = authorization.Check("s3:GetObject", "arn:aws:s3:::bucket/key", {"aws:TagKeys": None})
    record.note("user", check, allowed=True)
    record.note("user", check, allowed=True)
    record.note("user", check, allowed=False)
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["allowed"] for line in lines] == [True, False]
    assert lines[0]["context"] == {}
    file.unlink()
    record.note("user", check, allowed=True)
    assert len(file.read_text().splitlines()) == 1


def test_a_topic_is_authorized_by_its_arn_and_tagged_with_its_creation(authorization: ModuleType) -> None:
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:events"
    assert set(required(authorization, "sns", "sns:ListTagsForResource", {"ResourceArn": topic})) == {
        ("sns:ListTagsForResource", topic)
    }
    created = required(authorization, "sns", "sns:CreateTopic", {"Name": "events", "Tags.member.1.Key": "Project"})
    assert {action for action, _ in created} == {"sns:CreateTopic", "sns:TagResource"}
    assert {action for action, _ in required(authorization, "sns", "sns:PublishBatch")} == {"sns:Publish"}


@pytest.mark.parametrize("parameter", ["Name", "Rule"])
def test_a_rule_of_the_default_bus_is_authorized_by_its_name(authorization: ModuleType, parameter: str) -> None:
    found = required(authorization, "events", "events:DescribeRule", body={parameter: "importer-check"})
    assert list(found) == [("events:DescribeRule", f"arn:aws:events:{REGION}:{ACCOUNT}:rule/importer-check")]
