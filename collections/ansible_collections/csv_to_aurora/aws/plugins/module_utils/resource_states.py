# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The state of a resource that is known by its ARN, as its own service tells it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

try:
    import jmespath  # type: ignore[import-untyped]
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # caught by AnsibleAWSModule

from .common import cause_of

AT_ONCE = 8
"""Services that are asked at the same time."""

GONE = re.compile(r"404|.*(?:NotFound|NoSuch|NonExistent|DoesNotExist).*")
"""Error codes by which a service says that there is no such resource."""

EXISTS, DELETING, DELETED, UNKNOWN = "exists", "deleting", "deleted", "unknown"


class Arn(NamedTuple):
    """An ARN and its parts: C(kind) is the service with the type of the resource, C(id) all that follows."""

    kind: str
    id: str
    arn: str


@dataclass(frozen=True)
class Question:
    """How a service is asked for one of its resources.

    Attributes:
        client: The service, as boto3 names it.
        operation: The operation, as a boto3 client has it.
        parameters: Its parameters for a resource.
        found: JMESPath of the resource in the answer, with C({id}) for its id; where it finds nothing, it is gone.
        state: JMESPath of its state in C(found); empty where the service knows none.
        deleting: States in which it is being deleted.
        deleted: States in which it is gone, although the service still lists it.
        details: JMESPaths in C(found) of what else is worth knowing, by name.
    """

    client: str
    operation: str
    parameters: Callable[[Arn], dict[str, Any]]
    found: str = "@"
    state: str = ""
    deleting: tuple[str, ...] = ("deleting",)
    deleted: tuple[str, ...] = ("deleted",)
    details: Mapping[str, str] = field(default_factory=dict)


def _ec2(operation: str, parameter: str, found: str, **more: Any) -> Question:
    return Question("ec2", operation, lambda arn: {parameter: [arn.id]}, found, **more)


def _named(client: str, operation: str, parameter: str, found: str = "@", **more: Any) -> Question:
    return Question(client, operation, lambda arn: {parameter: arn.id.rpartition("/")[2]}, found, **more)


# The states of instances, NAT gateways, endpoints and volumes are those of the operations in
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/. A NAT gateway that failed is deleted by AWS, after about an
# hour: https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-troubleshooting.html
QUESTIONS: dict[str, Question] = {
    "ec2:elastic-ip": _ec2("describe_addresses", "AllocationIds", "Addresses[0]"),
    "ec2:instance": _ec2(
        "describe_instances",
        "InstanceIds",
        "Reservations[].Instances[] | [0]",
        state="State.Name",
        deleting=("shutting-down",),
        deleted=("terminated",),
    ),
    "ec2:internet-gateway": _ec2("describe_internet_gateways", "InternetGatewayIds", "InternetGateways[0]"),
    "ec2:key-pair": _ec2("describe_key_pairs", "KeyPairIds", "KeyPairs[0]"),
    "ec2:launch-template": _ec2("describe_launch_templates", "LaunchTemplateIds", "LaunchTemplates[0]"),
    "ec2:natgateway": _ec2(
        "describe_nat_gateways", "NatGatewayIds", "NatGateways[0]", state="State", deleted=("deleted", "failed")
    ),
    "ec2:network-interface": _ec2("describe_network_interfaces", "NetworkInterfaceIds", "NetworkInterfaces[0]"),
    "ec2:route-table": _ec2("describe_route_tables", "RouteTableIds", "RouteTables[0]"),
    "ec2:security-group": _ec2("describe_security_groups", "GroupIds", "SecurityGroups[0]"),
    "ec2:subnet": _ec2("describe_subnets", "SubnetIds", "Subnets[0]"),
    "ec2:volume": _ec2("describe_volumes", "VolumeIds", "Volumes[0]", state="State"),
    "ec2:vpc": _ec2("describe_vpcs", "VpcIds", "Vpcs[0]"),
    "ec2:vpc-endpoint": _ec2("describe_vpc_endpoints", "VpcEndpointIds", "VpcEndpoints[0]", state="State"),
    "ec2:vpc-flow-log": _ec2("describe_flow_logs", "FlowLogIds", "FlowLogs[0]"),
    "cloudwatch:alarm": Question(
        "cloudwatch", "describe_alarms", lambda arn: {"AlarmNames": [arn.id]}, "MetricAlarms[0]"
    ),
    "iam:instance-profile": _named("iam", "get_instance_profile", "InstanceProfileName"),
    "iam:role": _named("iam", "get_role", "RoleName"),
    "lambda:function": _named("lambda", "get_function_configuration", "FunctionName"),
    "logs:log-group": Question(
        "logs",
        "describe_log_groups",
        lambda arn: {"logGroupNamePrefix": arn.id},
        "logGroups[?logGroupName=='{id}'] | [0]",
    ),
    "rds:cluster": _named("rds", "describe_db_clusters", "DBClusterIdentifier", "DBClusters[0]", state="Status"),
    "rds:cluster-pg": _named(
        "rds", "describe_db_cluster_parameter_groups", "DBClusterParameterGroupName", "DBClusterParameterGroups[0]"
    ),
    "rds:cluster-snapshot": _named(
        "rds",
        "describe_db_cluster_snapshots",
        "DBClusterSnapshotIdentifier",
        "DBClusterSnapshots[0]",
        state="Status",
        details={"type": "SnapshotType"},
    ),
    "rds:db": _named(
        "rds", "describe_db_instances", "DBInstanceIdentifier", "DBInstances[0]", state="DBInstanceStatus"
    ),
    "rds:subgrp": _named("rds", "describe_db_subnet_groups", "DBSubnetGroupName", "DBSubnetGroups[0]"),
    "s3": _named("s3", "head_bucket", "Bucket"),
    "secretsmanager:secret": Question(
        "secretsmanager",
        "describe_secret",
        lambda arn: {"SecretId": arn.arn},
        details={"name": "Name", "deletion_date": "DeletedDate"},
    ),
    "sns": Question("sns", "get_topic_attributes", lambda arn: {"TopicArn": arn.arn}),
    "sqs": _named("sqs", "get_queue_url", "QueueName"),
}
"""How each kind of resource is asked for, by C(service:type), or by the service where its ARNs have no type."""


def parts_of(arn: str) -> Arn:
    """Return the parts of an ARN."""
    service, resource = arn.split(":", 5)[2::3]
    # Some APIs end the ARN of a log group with what means its log streams.
    typed = re.match("([a-z-]+)[:/](.*)", resource.removesuffix(":*"))
    if service in QUESTIONS or not typed:
        return Arn(service, resource, arn)
    return Arn(f"{service}:{typed[1]}", typed[2], arn)


def state_of(answer: Mapping[str, Any], question: Question, arn: Arn) -> dict[str, Any]:
    """Return the C(state) that an answer tells, with its C(details).

    Args:
        answer: What the service answered.
        question: What it was asked.
        arn: The resource that it was asked for.
    """
    found = jmespath.search(question.found.replace("{id}", arn.id), answer)
    if not found and question.found != "@":
        return {"state": DELETED, "details": {}}
    told = str(jmespath.search(question.state, found)) if question.state else ""
    details = {name: jmespath.search(path, found) for name, path in question.details.items()}
    state = DELETED if told in question.deleted else DELETING if told in question.deleting else EXISTS
    return {"state": state, "details": {name: str(value) for name, value in details.items() if value is not None}}


def resource_state(client: Callable[[str], Any], arn: str) -> dict[str, Any]:
    """Return the C(state) of a resource, with its C(details); where it is unknown, they have the C(reason).

    Args:
        client: Returns the client of a service, with retries.
        arn: The resource.
    """
    parts = parts_of(arn)
    question = QUESTIONS.get(parts.kind)
    if not question:
        return {"state": UNKNOWN, "details": {"reason": f"there is no question for the type {parts.kind}"}}
    try:
        answer = getattr(client(question.client), question.operation)(aws_retry=True, **question.parameters(parts))
    except ClientError as error:
        if GONE.fullmatch(error.response["Error"]["Code"]):
            return {"state": DELETED, "details": {}}
        return {"state": UNKNOWN, "details": {"reason": cause_of(error)}}
    except BotoCoreError as error:
        return {"state": UNKNOWN, "details": {"reason": cause_of(error)}}
    return state_of(answer, question, parts)


def resource_states(client: Callable[[str], Any], arns: Sequence[str]) -> list[dict[str, Any]]:
    """Return the state of each resource, in their order; the services are asked side by side.

    Args:
        client: Returns a new client of a service, with retries.
        arns: The resources.
    """
    kinds = [QUESTIONS.get(parts_of(arn).kind) for arn in arns]
    # Made before the threads are: making clients is not thread-safe, using them is.
    clients = {service: client(service) for service in {kind.client for kind in kinds if kind}}
    with ThreadPoolExecutor(AT_ONCE) as threads:
        return list(threads.map(lambda arn: resource_state(clients.__getitem__, arn), arns))
