"""Everything that an account holds, tagged or not, so that two moments can be compared."""

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
    "address": ("ec2", "describe_addresses", "Addresses[].PublicIp"),
    "route table": ("ec2", "describe_route_tables", "RouteTables[].RouteTableId"),
    "VPC endpoint": ("ec2", "describe_vpc_endpoints", "VpcEndpoints[?State!='deleted'].VpcEndpointId"),
    "security group": ("ec2", "describe_security_groups", "SecurityGroups[].GroupId"),
    "network interface": ("ec2", "describe_network_interfaces", "NetworkInterfaces[].NetworkInterfaceId"),
    "flow log": ("ec2", "describe_flow_logs", "FlowLogs[].FlowLogId"),
    "instance": ("ec2", "describe_instances", "Reservations[].Instances[?State.Name!='terminated'].InstanceId[]"),
    "volume": ("ec2", "describe_volumes", "Volumes[].VolumeId"),
    "launch template": ("ec2", "describe_launch_templates", "LaunchTemplates[].LaunchTemplateName"),
    "key pair": ("ec2", "describe_key_pairs", "KeyPairs[].KeyName"),
    "database cluster": ("rds", "describe_db_clusters", "DBClusters[].DBClusterIdentifier"),
    "database instance": ("rds", "describe_db_instances", "DBInstances[].DBInstanceIdentifier"),
    "database subnet group": ("rds", "describe_db_subnet_groups", "DBSubnetGroups[].DBSubnetGroupName"),
    "database parameter group": (
        "rds",
        "describe_db_cluster_parameter_groups",
        "DBClusterParameterGroups[].DBClusterParameterGroupName",
    ),
    "secret": ("secretsmanager", "list_secrets", "SecretList[].Name"),
    "bucket": ("s3", "list_buckets", "Buckets[].Name"),
    "function": ("lambda", "list_functions", "Functions[].FunctionName"),
    "queue": ("sqs", "list_queues", "QueueUrls"),
    "log group": ("logs", "describe_log_groups", "logGroups[].logGroupName"),
    "alarm": ("cloudwatch", "describe_alarms", "MetricAlarms[].AlarmName"),
    "parameter": ("ssm", "describe_parameters", "Parameters[].Name"),
    "role": ("iam", "list_roles", "Roles[].RoleName"),
    "instance profile": ("iam", "list_instance_profiles", "InstanceProfiles[].InstanceProfileName"),
}


def account_inventory(client: Clients) -> Inventory:
    """Return the names or ids of all that there is, by kind; ``client`` gives a boto3 client of a service."""
    return {
        kind: set(jmespath.search(path, getattr(client(service), operation)()) or [])
        for kind, (service, operation, path) in KINDS.items()
    }


def left(before: Inventory, after: Inventory) -> list[str]:
    """Return what ``after`` has and ``before`` had not, each as its kind and its name."""
    return sorted(f"{kind} {name}" for kind in after for name in after[kind] - before[kind])
