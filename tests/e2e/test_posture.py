"""The controls of AWS' Foundational Security Best Practices that concern what the stack consists of, as it runs.

Settings that the local inventory disables are tested in tests/posture for the other inventories. Controls that no
environment meets are in files/policies/exceptions.yml.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.conftest import FUNCTION, Stack

pytestmark = pytest.mark.e2e

# FTP, Telnet, mail, RPC, Windows, databases, admin consoles: EC2.19's list, and 22 and 3389 of EC2.13 and EC2.14.
RISKY_PORTS = [20, 21, 22, 23, 25, 110, 135, 143, 445, 1433, 1434, 3000, 3306, 3389, 4333, 5000, 5432, 5500, 5601, 8080]
DEFAULT_NAMES = {"admin", "administrator", "awsuser", "postgres", "root", "rdsadmin"}
RUNTIMES = {"python3.12", "python3.13", "python3.14"}


class Account:
    """The stack's resources as AWS describes them."""

    def __init__(self, stack: Stack) -> None:
        """Gather information about the resources."""
        self.outputs = stack.outputs()
        ec2, rds = stack.client("ec2"), stack.client("rds")
        in_vpc = [{"Name": "vpc-id", "Values": [self.outputs["network"]["vpc_id"]]}]
        tagged = [{"Name": "tag:Environment", "Values": ["local"]}]
        self.groups = ec2.describe_security_groups(Filters=in_vpc)["SecurityGroups"]
        self.subnets = ec2.describe_subnets(Filters=in_vpc)["Subnets"]
        self.addresses = ec2.describe_addresses(Filters=tagged)["Addresses"]
        self.gateways = ec2.describe_nat_gateways(Filters=in_vpc)["NatGateways"]
        self.flow_logs = ec2.describe_flow_logs()["FlowLogs"]
        template = f"{self.outputs['stack']['name']}-app"
        self.template = ec2.describe_launch_template_versions(LaunchTemplateName=template, Versions=["$Latest"])[
            "LaunchTemplateVersions"
        ][0]["LaunchTemplateData"]
        self.cluster = rds.describe_db_clusters(DBClusterIdentifier=self.outputs["database"]["cluster_id"])[
            "DBClusters"
        ][0]
        members = [{"Name": "db-cluster-id", "Values": [self.outputs["database"]["cluster_id"]]}]
        self.instances = rds.describe_db_instances(Filters=members)["DBInstances"]
        self.s3 = stack.client("s3")
        self.bucket = self.outputs["bucket"]["name"]
        self.function = stack.client("lambda").get_function_configuration(
            FunctionName=self.outputs["importer"]["function_name"]
        )
        self.function_policy = json.loads(
            stack.client("lambda").get_policy(FunctionName=self.outputs["importer"]["function_name"])["Policy"]
        )
        iam = stack.client("iam")
        self.role_policies = {
            f"{role}/{name}": iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
            for role in (f"{self.outputs['stack']['name']}-{part}" for part in ("importer", "app", "flow-logs"))
            for name in iam.list_role_policies(RoleName=role)["PolicyNames"]
        }


@pytest.fixture(scope="module")
def account(complete: Stack) -> Account:
    """The complete stack, read once."""
    return Account(complete)


def open_to_all(account: Account, ports: list[int]) -> list[str]:
    """The rules that let everybody reach one of these ports."""
    return [
        f"{group['GroupName']}: {rule}"
        for group in account.groups
        for rule in group["IpPermissions"]
        if any(item.get("CidrIp") == "0.0.0.0/0" for item in rule.get("IpRanges", []))
        or any(item.get("CidrIpv6") == "::/0" for item in rule.get("Ipv6Ranges", []))
        if rule["IpProtocol"] == "-1" or any(rule["FromPort"] <= port <= rule["ToPort"] for port in ports)
    ]


def default_group(account: Account) -> list[str]:
    """The rules of the VPC's default group."""
    groups = [group for group in account.groups if group["GroupName"] == "default"]
    assert len(groups) == 1
    return [str(rule) for rule in groups[0]["IpPermissions"] + groups[0]["IpPermissionsEgress"]]


def idle_addresses(account: Account) -> list[str]:
    """Addresses beyond one for each NAT gateway; the emulator does not return which gateway has which address."""
    used = sum(
        gateway["ConnectivityType"] == "public" for gateway in account.gateways if gateway["State"] == "available"
    )
    return [one["AllocationId"] for one in account.addresses][used:]


def without_flow_logs(account: Account) -> list[str]:
    """The VPC, where not all of its traffic is logged."""
    vpc = account.outputs["network"]["vpc_id"]
    logged = [one for one in account.flow_logs if one["ResourceId"] == vpc and one["TrafficType"] == "ALL"]
    return [] if logged else [vpc]


def unless(*, holds: bool, found: object) -> list[str]:
    """What was found, unless the control holds."""
    return [] if holds else [str(found)]


def bucket_access(account: Account) -> list[str]:
    """The settings of public access block that are off."""
    settings = account.s3.get_public_access_block(Bucket=account.bucket)["PublicAccessBlockConfiguration"]
    return [name for name in ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
            if not settings[name]]  # fmt: skip


def bucket_encryption(account: Account) -> list[str]:
    """The encryption rules, where they do not encrypt."""
    rules = account.s3.get_bucket_encryption(Bucket=account.bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    return unless(holds=bool(rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"]), found=rules)


def bucket_lifecycle(account: Account) -> list[str]:
    """The lifecycle rules, where none expires old versions."""
    rules = account.s3.get_bucket_lifecycle_configuration(Bucket=account.bucket)["Rules"]
    enabled = [rule for rule in rules if rule["Status"] == "Enabled" and "NoncurrentVersionExpiration" in rule]
    return unless(holds=bool(enabled), found=rules)


def bucket_ownership(account: Account) -> list[str]:
    """The ownership controls, where ACLs are not disabled."""
    rules = account.s3.get_bucket_ownership_controls(Bucket=account.bucket)["OwnershipControls"]["Rules"]
    return unless(holds=rules[0]["ObjectOwnership"] == "BucketOwnerEnforced", found=rules)


def bucket_versioning(account: Account) -> list[str]:
    """The versioning, where it is not enabled."""
    found = account.s3.get_bucket_versioning(Bucket=account.bucket)
    return unless(holds=found.get("Status") == "Enabled", found=found)


def public_function(account: Account) -> list[str]:
    """Statements that let others invoke the function than S3 for the stack's bucket, and EventBridge for its rule."""
    bucket, owner, rule = f"arn:aws:s3:::{account.bucket}", account.outputs["stack"]["account_id"], f"{FUNCTION}-check"
    from_s3 = {"StringEquals": {"AWS:SourceAccount": owner}, "ArnLike": {"AWS:SourceArn": bucket}}
    # The ARN of a rule names its account.
    from_rule = {"ArnLike": {"AWS:SourceArn": f"arn:aws:events:eu-west-1:{owner}:rule/{rule}"}}
    allowed = [({"Service": "s3.amazonaws.com"}, from_s3), ({"Service": "events.amazonaws.com"}, from_rule)]
    return [
        statement["Sid"]
        for statement in account.function_policy["Statement"]
        if (statement["Principal"], statement["Condition"]) not in allowed
    ]


def zones_of_function(account: Account) -> list[str]:
    """The function's zones, where they are fewer than two."""
    zones = {one["AvailabilityZone"] for one in account.subnets if one["SubnetId"] in vpc_of(account)["SubnetIds"]}
    return unless(holds=len(zones) > 1, found=zones)


def vpc_of(account: Account) -> dict[str, Any]:
    """Where the function runs."""
    return dict(account.function.get("VpcConfig") or {"SubnetIds": []})


def wildcards(account: Account) -> list[str]:
    """Statements of the roles that allow an action by a wildcard."""
    return [
        f"{name}: {statement['Sid']}"
        for name, document in account.role_policies.items()
        for statement in document["Statement"]
        if statement["Effect"] == "Allow" and "*" in str(statement["Action"])
    ]


CONTROLS: dict[str, Callable[[Account], list[str]]] = {
    "EC2.2": default_group,
    "EC2.3": lambda a: [str(d) for d in a.template["BlockDeviceMappings"] if not d["Ebs"].get("Encrypted")],
    "EC2.6": without_flow_logs,
    "EC2.8": lambda a: unless(holds=a.template["MetadataOptions"]["HttpTokens"] == "required", found=a.template),
    "EC2.12": idle_addresses,
    "EC2.13, EC2.14, EC2.18, EC2.19": lambda a: open_to_all(a, RISKY_PORTS),
    "EC2.15": lambda a: [one["SubnetId"] for one in a.subnets if one["MapPublicIpOnLaunch"]],
    "RDS.2": lambda a: [one["DBInstanceIdentifier"] for one in a.instances if one["PubliclyAccessible"]],
    "RDS.3, RDS.27": lambda a: unless(holds=a.cluster["StorageEncrypted"], found=a.cluster["StorageEncrypted"]),
    "RDS.11": lambda a: unless(holds=a.cluster["BackupRetentionPeriod"] >= 7, found=a.cluster["BackupRetentionPeriod"]),
    "RDS.12": lambda a: unless(holds=a.cluster["IAMDatabaseAuthenticationEnabled"], found="no IAM authentication"),
    "RDS.13, RDS.35": lambda a: [
        one["DBInstanceIdentifier"] for one in a.instances if not one["AutoMinorVersionUpgrade"]
    ],
    "RDS.16, RDS.17": lambda a: unless(holds=a.cluster["CopyTagsToSnapshot"], found="snapshots have no tags"),
    "RDS.24, RDS.25": lambda a: unless(
        holds=a.cluster["MasterUsername"] not in DEFAULT_NAMES, found=a.cluster["MasterUsername"]
    ),
    "S3.1, S3.2, S3.3, S3.8": bucket_access,
    "S3.4": bucket_encryption,
    "S3.10, S3.13": bucket_lifecycle,
    "S3.12": bucket_ownership,
    "S3.14": bucket_versioning,
    "Lambda.1": public_function,
    "Lambda.2": lambda a: unless(holds=a.function["Runtime"] in RUNTIMES, found=a.function["Runtime"]),
    "Lambda.3": lambda a: unless(holds=bool(vpc_of(a)["SubnetIds"]), found="in no VPC"),
    "Lambda.5": zones_of_function,
    "IAM.1, IAM.21": wildcards,
}


@pytest.mark.parametrize("control", CONTROLS)
def test_the_control_holds(account: Account, control: str) -> None:
    assert CONTROLS[control](account) == []


def test_the_checks_see_something(account: Account) -> None:
    assert account.instances
    assert account.addresses
    assert account.role_policies
    assert len(account.groups) >= 4
    assert open_to_all(account, [80]), "the application's port 80 is open to all, or this looks at the wrong groups"
