"""The states of resources by their ARNs: on two emulators, and from answers as AWS documents them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import boto3
import pytest
from ansible_collections.amazon.aws.plugins.module_utils.retries import RetryingBotoClientWrapper
from botocore.stub import Stubber
from emulated_cloud import REGION, Cloud

from ansible_collections.csv_to_aurora.aws.plugins.module_utils.common import aws_retry
from ansible_collections.csv_to_aurora.aws.plugins.module_utils.resource_states import (
    QUESTIONS,
    parts_of,
    resource_state,
    resource_states,
)

ACCOUNT = "123456789012"


def arn_of(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


@pytest.mark.parametrize(
    ("arn", "kind", "id_"),
    [
        (arn_of("ec2", "natgateway/nat-1"), "ec2:natgateway", "nat-1"),
        (arn_of("rds", "cluster:shop"), "rds:cluster", "shop"),
        (arn_of("rds", "cluster-snapshot:rds:shop-1"), "rds:cluster-snapshot", "rds:shop-1"),
        (arn_of("secretsmanager", "secret:shop/app-AbCdEf"), "secretsmanager:secret", "shop/app-AbCdEf"),
        (arn_of("logs", "log-group:/aws/lambda/shop:*"), "logs:log-group", "/aws/lambda/shop"),
        (arn_of("sqs", "shop-dead-letters"), "sqs", "shop-dead-letters"),
        (arn_of("elasticfilesystem", "file-system/fs-1"), "elasticfilesystem:file-system", "fs-1"),
        (arn_of("sns", "shop"), "sns", "shop"),
        ("arn:aws:s3:::shop-1", "s3", "shop-1"),
        ("arn:aws:iam::123456789012:role/shop-app", "iam:role", "shop-app"),
    ],
)
def test_parts(arn: str, kind: str, id_: str) -> None:
    assert parts_of(arn) == (kind, id_, arn)


# On the emulators


def client_of(cloud: Cloud) -> Callable[[str], Any]:
    return lambda service: RetryingBotoClientWrapper(cloud.client(service), aws_retry())


def ec2_made(cloud: Cloud) -> tuple[dict[str, str], list[Callable[[], Any]]]:
    """Create one of most kinds of EC2 and return their ARNs by kind, and what deletes them, in order."""
    ec2 = cloud.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.0.0/24")["Subnet"]["SubnetId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    group = ec2.create_security_group(GroupName=uuid4().hex, Description="of a test", VpcId=vpc)["GroupId"]
    nat = ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address)["NatGateway"]["NatGatewayId"]
    volume = ec2.create_volume(AvailabilityZone=f"{REGION}a", Size=1)["VolumeId"]
    template = ec2.create_launch_template(
        LaunchTemplateName=uuid4().hex, LaunchTemplateData={"InstanceType": "t3.micro"}
    )["LaunchTemplate"]["LaunchTemplateId"]
    arns = {
        "natgateway": nat,
        "subnet": subnet,
        "internet-gateway": gateway,
        "elastic-ip": address,
        "route-table": table,
        "security-group": group,
        "volume": volume,
        "launch-template": template,
        "vpc": vpc,
    }
    return {kind: arn_of("ec2", f"{kind}/{id_}") for kind, id_ in arns.items()}, [
        lambda: ec2.delete_nat_gateway(NatGatewayId=nat),
        lambda: ec2.release_address(AllocationId=address),
        lambda: ec2.delete_route_table(RouteTableId=table),
        lambda: ec2.delete_security_group(GroupId=group),
        lambda: ec2.delete_internet_gateway(InternetGatewayId=gateway),
        lambda: ec2.delete_subnet(SubnetId=subnet),
        lambda: ec2.delete_volume(VolumeId=volume),
        lambda: ec2.delete_launch_template(LaunchTemplateId=template),
        lambda: ec2.delete_vpc(VpcId=vpc),
    ]


def others_made(cloud: Cloud) -> tuple[dict[str, str], list[Callable[[], Any]]]:
    """Create one of some kinds of other services and return their ARNs by kind, and what deletes them."""
    name = f"shop-{uuid4().hex[:8]}"
    s3, sqs, logs, alarms = (cloud.client(service) for service in ("s3", "sqs", "logs", "cloudwatch"))
    secrets, iam, rds = (cloud.client(service) for service in ("secretsmanager", "iam", "rds"))
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    logs.create_log_group(logGroupName=f"/aws/{name}")
    alarms.put_metric_alarm(
        AlarmName=name,
        ComparisonOperator="GreaterThanThreshold",
        EvaluationPeriods=1,
        MetricName="Errors",
        Namespace="AWS/Lambda",
        Period=60,
        Statistic="Sum",
        Threshold=0,
    )
    secret = secrets.create_secret(Name=name, SecretString="of a test")["ARN"]
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument='{"Version": "2012-10-17", "Statement": []}')["Role"]
    rds.create_db_cluster_parameter_group(
        DBClusterParameterGroupName=name, DBParameterGroupFamily="aurora-mysql8.0", Description="of a test"
    )
    group = logs.describe_log_groups(logGroupNamePrefix=f"/aws/{name}")["logGroups"][0]["arn"]
    arns = {
        "s3": f"arn:aws:s3:::{name}",
        "sqs": arn_of("sqs", name),
        "logs:log-group": group,
        "cloudwatch:alarm": arn_of("cloudwatch", f"alarm:{name}"),
        "secretsmanager:secret": secret,
        "iam:role": role["Arn"],
        "rds:cluster-pg": arn_of("rds", f"cluster-pg:{name}"),
    }
    return arns, [
        lambda: s3.delete_bucket(Bucket=name),
        lambda: sqs.delete_queue(QueueUrl=url),
        lambda: logs.delete_log_group(logGroupName=f"/aws/{name}"),
        lambda: alarms.delete_alarms(AlarmNames=[name]),
        lambda: secrets.delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True),
        lambda: iam.delete_role(RoleName=name),
        lambda: rds.delete_db_cluster_parameter_group(DBClusterParameterGroupName=name),
    ]


@pytest.mark.parametrize("make", [ec2_made, others_made], ids=["ec2", "others"])
def test_what_is_deleted_is_no_longer_there(
    cloud: Cloud, make: Callable[[Cloud], tuple[dict[str, str], list[Callable[[], Any]]]]
) -> None:
    arns, deletions = make(cloud)

    def states() -> dict[str, str]:
        found = resource_states(client_of(cloud), list(arns.values()))
        return {kind: one["state"] for kind, one in zip(arns, found, strict=True)}

    assert states() == dict.fromkeys(arns, "exists")
    for delete in deletions:
        delete()
    deadline = time.monotonic() + 20
    while "deleting" in states().values() and time.monotonic() < deadline:
        time.sleep(0.5)
    assert states() == dict.fromkeys(arns, "deleted")


def test_an_instance_that_is_terminated_is_gone(cloud: Cloud) -> None:
    ec2 = cloud.client("ec2")
    image = ec2.describe_images()["Images"][0]["ImageId"]
    instance = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    arn = arn_of("ec2", f"instance/{instance}")
    assert resource_state(client_of(cloud), arn)["state"] == "exists"
    ec2.terminate_instances(InstanceIds=[instance])
    assert resource_state(client_of(cloud), arn)["state"] == "deleted"


def test_a_secret_in_its_recovery_window_has_the_date(cloud: Cloud) -> None:
    secrets, name = cloud.client("secretsmanager"), f"shop-{uuid4().hex[:8]}"
    arn = secrets.create_secret(Name=name, SecretString="of a test")["ARN"]
    assert resource_state(client_of(cloud), arn) == {"state": "exists", "details": {"name": name}}
    secrets.delete_secret(SecretId=arn, RecoveryWindowInDays=7)
    found = resource_state(client_of(cloud), arn)
    assert (found["state"], found["details"]["name"]) == ("exists", name)
    assert found["details"]["deletion_date"].startswith("20")
    secrets.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)
    assert resource_state(client_of(cloud), arn)["state"] == "deleted"


def test_the_module_returns_the_states_where_it_is_told_to(cloud: Cloud) -> None:
    name = uuid4().hex[:8]
    sqs = cloud.client("sqs")
    sqs.create_queue(QueueName=name, tags={"Project": name})
    without = cloud.run("resource_groups_tagging_info", tag_filters={"Project": name})
    assert "state" not in without["resources"][0]
    found = cloud.run("resource_groups_tagging_info", check=True, tag_filters={"Project": name}, states=True)
    assert [(one["state"], one["details"]) for one in found["resources"]] == [("exists", {})]


# From answers as AWS documents them

SNAPSHOT = "shop-stage-final-20261126102030"
ANSWERS: list[tuple[str, str, dict[str, Any], str, dict[str, str]]] = [
    # What is asked about, the operation, what AWS answers, the state, the details.
    ("ec2:natgateway/nat-1", "describe_nat_gateways", {"NatGateways": [{"State": "deleted"}]}, "deleted", {}),
    ("ec2:natgateway/nat-1", "describe_nat_gateways", {"NatGateways": [{"State": "failed"}]}, "deleted", {}),
    ("ec2:natgateway/nat-1", "describe_nat_gateways", {"NatGateways": [{"State": "deleting"}]}, "deleting", {}),
    (
        "ec2:instance/i-1",
        "describe_instances",
        {"Reservations": [{"Instances": [{"State": {"Name": "shutting-down"}}]}]},
        "deleting",
        {},
    ),
    ("ec2:instance/i-1", "describe_instances", {"Reservations": []}, "deleted", {}),
    ("ec2:volume/vol-1", "describe_volumes", {"Volumes": [{"State": "deleting"}]}, "deleting", {}),
    ("ec2:vpc-endpoint/vpce-1", "describe_vpc_endpoints", {"VpcEndpoints": [{"State": "deleting"}]}, "deleting", {}),
    ("ec2:vpc-flow-log/fl-1", "describe_flow_logs", {"FlowLogs": []}, "deleted", {}),
    ("rds:cluster:shop", "describe_db_clusters", {"DBClusters": [{"Status": "deleting"}]}, "deleting", {}),
    ("rds:db:shop-1", "describe_db_instances", {"DBInstances": [{"DBInstanceStatus": "deleting"}]}, "deleting", {}),
    (
        f"rds:cluster-snapshot:{SNAPSHOT}",
        "describe_db_cluster_snapshots",
        {"DBClusterSnapshots": [{"Status": "available", "SnapshotType": "manual"}]},
        "exists",
        {"type": "manual"},
    ),
    ("logs:log-group:/shop", "describe_log_groups", {"logGroups": [{"logGroupName": "/shop-2"}]}, "deleted", {}),
    ("logs:log-group:/shop:*", "describe_log_groups", {"logGroups": [{"logGroupName": "/shop"}]}, "exists", {}),
    ("cloudwatch:alarm:shop", "describe_alarms", {"MetricAlarms": [], "CompositeAlarms": []}, "deleted", {}),
]
ERRORS = [
    # What is asked about, the operation, the error code, whether it is gone.
    ("ec2:volume/vol-1", "describe_volumes", "InvalidVolume.NotFound", True),
    ("ec2:natgateway/nat-1", "describe_nat_gateways", "NatGatewayNotFound", True),
    ("ec2:security-group/sg-1", "describe_security_groups", "InvalidGroup.NotFound", True),
    ("rds:cluster:shop", "describe_db_clusters", "DBClusterNotFoundFault", True),
    ("rds:cluster-pg:shop", "describe_db_cluster_parameter_groups", "DBParameterGroupNotFound", True),
    ("secretsmanager:secret:shop-AbCdEf", "describe_secret", "ResourceNotFoundException", True),
    ("sqs:shop", "get_queue_url", "AWS.SimpleQueueService.NonExistentQueue", True),
    ("iam:role/shop", "get_role", "NoSuchEntity", True),
    ("s3:shop", "head_bucket", "404", True),
    ("s3:shop", "head_bucket", "403", False),
    ("ec2:volume/vol-1", "describe_volumes", "UnauthorizedOperation", False),
    ("rds:cluster:shop", "describe_db_clusters", "AccessDenied", False),
]


def stubbed(about: str) -> tuple[str, Any, Stubber]:
    """Return the ARN of what is asked about, a client of its service, and a stub of that."""
    service, _, resource = about.partition(":")
    client = boto3.client(service, region_name=REGION, aws_access_key_id="a", aws_secret_access_key="b")  # type: ignore[call-overload]
    return arn_of(service, resource), RetryingBotoClientWrapper(client, aws_retry()), Stubber(client)


@pytest.mark.parametrize(("about", "operation", "answer", "state", "details"), ANSWERS)
def test_answers(about: str, operation: str, answer: dict[str, Any], state: str, details: dict[str, str]) -> None:
    arn, client, stub = stubbed(about)
    stub.add_response(operation, answer)
    with stub:
        assert resource_state(lambda _: client, arn) == {"state": state, "details": details}


@pytest.mark.parametrize(("about", "operation", "code", "gone"), ERRORS)
def test_errors(about: str, operation: str, code: str, gone: bool) -> None:
    arn, client, stub = stubbed(about)
    stub.add_client_error(operation, code, "what AWS says")
    with stub:
        found = resource_state(lambda _: client, arn)
    assert found["state"] == ("deleted" if gone else "unknown")
    if not gone:
        assert code in found["details"]["reason"]


def test_a_type_without_a_question_is_unknown_and_not_asked_for() -> None:
    arn = arn_of("elasticfilesystem", "file-system/fs-1")
    assert resource_states(lambda _: pytest.fail("asked"), [arn]) == [
        {
            "state": "unknown",
            "details": {"reason": "there is no question for the type elasticfilesystem:file-system"},
        }
    ]


@pytest.mark.parametrize("kind", sorted(QUESTIONS))
def test_each_question_is_one_that_the_service_knows(kind: str) -> None:
    """Operations, parameters and the members of the answers are those of botocore's models."""
    question = QUESTIONS[kind]
    client = boto3.client(question.client, region_name=REGION, aws_access_key_id="a", aws_secret_access_key="b")  # type: ignore[call-overload]
    model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[question.operation])
    service, _, type_ = kind.partition(":")
    parts = parts_of(arn_of(service, f"{type_}:name" if type_ else "name"))
    assert set(question.parameters(parts)) <= set(model.input_shape.members)
    member = question.found.partition("[")[0]
    if member == "@":
        return
    shape = model.output_shape.members[member].member
    shape = shape.members["Instances"].member if member == "Reservations" else shape
    for path in filter(None, [question.state, *question.details.values()]):
        for name in path.split("."):
            shape_of_name = shape.members[name]
            shape = shape_of_name if shape_of_name.type_name == "structure" else shape
