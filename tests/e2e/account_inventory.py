"""All resources of an account, tagged or not, to compare two points in time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jmespath  # type: ignore[import-untyped]

type Clients = Callable[[str], Any]
type Inventory = dict[str, set[str]]

KINDS: dict[str, tuple[str, str, str]] = {
    "VPC": ("ec2", "describe_vpcs", "Vpcs[].VpcId"),
    "subnet": ("ec2", "describe_subnets", "Subnets[].SubnetId"),
    "internet gateway": ("ec2", "describe_internet_gateways", "InternetGateways[].InternetGatewayId"),
    "NAT gateway": ("ec2", "describe_nat_gateways", "NatGateways[?State!='deleted'].NatGatewayId"),
    "Elastic IP address": ("ec2", "describe_addresses", "Addresses[].PublicIp"),
    "route table": ("ec2", "describe_route_tables", "RouteTables[].RouteTableId"),
    "VPC endpoint": ("ec2", "describe_vpc_endpoints", "VpcEndpoints[?State!='deleted'].VpcEndpointId"),
    "security group": ("ec2", "describe_security_groups", "SecurityGroups[].GroupId"),
    "network interface": ("ec2", "describe_network_interfaces", "NetworkInterfaces[].NetworkInterfaceId"),
    "flow log": ("ec2", "describe_flow_logs", "FlowLogs[].FlowLogId"),
    "instance": ("ec2", "describe_instances", "Reservations[].Instances[?State.Name!='terminated'].InstanceId[]"),
    "volume": ("ec2", "describe_volumes", "Volumes[].VolumeId"),
    "launch template": ("ec2", "describe_launch_templates", "LaunchTemplates[].LaunchTemplateName"),
    "key pair": ("ec2", "describe_key_pairs", "KeyPairs[].KeyName"),
    "DB cluster": ("rds", "describe_db_clusters", "DBClusters[].DBClusterIdentifier"),
    "DB instance": ("rds", "describe_db_instances", "DBInstances[].DBInstanceIdentifier"),
    "DB subnet group": ("rds", "describe_db_subnet_groups", "DBSubnetGroups[].DBSubnetGroupName"),
    "DB cluster parameter group": (
        "rds",
        "describe_db_cluster_parameter_groups",
        "DBClusterParameterGroups[].DBClusterParameterGroupName",
    ),
    "secret": ("secretsmanager", "list_secrets", "SecretList[].Name"),
    "bucket": ("s3", "list_buckets", "Buckets[].Name"),
    "Lambda function": ("lambda", "list_functions", "Functions[].FunctionName"),
    "SNS topic": ("sns", "list_topics", "Topics[].TopicArn"),
    "SNS subscription": ("sns", "list_subscriptions", "Subscriptions[].join(' ', [TopicArn, Endpoint])"),
    "EventBridge rule": ("events", "list_rules", "Rules[].Name"),
    "SQS queue": ("sqs", "list_queues", "QueueUrls"),
    "log group": ("logs", "describe_log_groups", "logGroups[].logGroupName"),
    "CloudWatch alarm": ("cloudwatch", "describe_alarms", "MetricAlarms[].AlarmName"),
    "CloudWatch dashboard": ("cloudwatch", "list_dashboards", "DashboardEntries[].DashboardName"),
    "SSM parameter": ("ssm", "describe_parameters", "Parameters[].Name"),
    "IAM role": ("iam", "list_roles", "Roles[].RoleName"),
    "instance profile": ("iam", "list_instance_profiles", "InstanceProfiles[].InstanceProfileName"),
}


def account_inventory(client: Clients) -> Inventory:
    """Return the names or ids of all resources by kind; ``client`` returns a boto3 client of a service."""
    return {
        kind: set(jmespath.search(path, getattr(client(service), operation)()) or [])
        for kind, (service, operation, path) in KINDS.items()
    }


def left(before: Inventory, after: Inventory) -> list[str]:
    """Return the resources that are in ``after`` and not in ``before``, as kind and name."""
    return sorted(f"{kind} {name}" for kind in after for name in after[kind] - before[kind])
