"""Runs with the permissions of files/policies on an emulator that authorizes as AWS does, without containers.

The end-to-end tests do the same with everything that the local inventory has; here the stack has interface endpoints
in place of a NAT gateway, which it has not.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import boto3
import permissions
import pytest
from botocore.exceptions import ClientError

from csv_importer.aws import S3Store
from csv_importer.errors import FileRefused
from csv_importer.objects import ObjectVersion
from tests import servers
from tests.policies.stack import STACK

ROOT = Path(__file__).parents[2]
ACCOUNT = "000000000000"
LOCAL = {
    **STACK,
    "aws_account_id": ACCOUNT,
    "environment_name": "local",
    "stack_name": "csv-to-aurora-local",
    "bucket_name": f"csv-to-aurora-local-{ACCOUNT}",
    "stack_permissions_boundary": f"arn:aws:iam::{ACCOUNT}:policy/csv-to-aurora-local-boundary",
    "stack_alarms_topic_arn": f"arn:aws:sns:{servers.REGION}:{ACCOUNT}:csv-to-aurora-local-alarms",
    "stack_events_topic_arn": f"arn:aws:sns:{servers.REGION}:{ACCOUNT}:csv-to-aurora-local-events",
    "stack_boundary_arn": f"arn:aws:iam::{ACCOUNT}:policy/csv-to-aurora-local-boundary",
}
type Key = tuple[str, str]
DEPLOYER = [name for name in permissions.names() if name.startswith("deployer-")]
READER = ["reader", "reader-secrets"]
WITH_ENDPOINTS = {"network_nat": "none", "network_interface_endpoints": ["lambda", "secretsmanager", "sns"]}


@dataclass(frozen=True)
class Cloud:
    """An emulator whose users have the permissions of the documents."""

    folder: Path
    url: str

    def client(self, service: str, key: Key = ("test", servers.SECRET)) -> Any:
        """Return a boto3 client with an access key, by default the root user's."""
        return boto3.client(  # type: ignore[call-overload] # the stubs want a literal
            service,
            region_name=servers.REGION,
            endpoint_url=self.url,
            aws_access_key_id=key[0],
            aws_secret_access_key=key[1],
        )

    def policy(self, name: str, document: str, *, without: str = "") -> str:
        """Create a policy from a document, but for one of its statements, and return its ARN."""
        kept = [one for one in permissions.document(document, LOCAL) if one["Sid"] != without]
        content = {"Version": "2012-10-17", "Statement": kept}
        made = self.client("iam").create_policy(PolicyName=name, PolicyDocument=json.dumps(content))
        return str(made["Policy"]["Arn"])

    def user(self, name: str, documents: list[str], *, without: str = "") -> Key:
        """Create a user with the permissions of these documents, but for one statement, and return an access key."""
        iam = self.client("iam")
        iam.create_user(UserName=name)
        for document in documents:
            iam.attach_user_policy(UserName=name, PolicyArn=self.policy(document, document, without=without))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return key["AccessKeyId"], key["SecretAccessKey"]

    def play(self, name: str, key: Key, *arguments: str) -> str:
        """Run a playbook with an access key, and return what it printed.

        Raises:
            AssertionError: It failed.
        """
        done = self.run(name, key, *arguments)
        assert done.returncode == 0, f"{done.stdout}{done.stderr}\ndenied: {self.denied()}"
        return done.stdout

    def run(self, name: str, key: Key, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a playbook with an access key, and return how it ended."""
        connection = {
            "region": servers.REGION,
            "endpoint_url": self.url,
            **dict(zip(("access_key", "secret_key"), key, strict=True)),
        }
        return subprocess.run(
            [
                str(Path(sys.executable).with_name("ansible-playbook")),
                f"playbooks/{name}",
                "--inventory=inventories/local/hosts.yml",
                "--extra-vars=@tests/e2e/containerless.yml",
                f"--extra-vars={json.dumps({'aws_connection': connection, **WITH_ENDPOINTS})}",
                *arguments,
            ],
            cwd=ROOT,
            env={key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "ANSIBLE_"))},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def record(self) -> list[dict[str, Any]]:
        """Return the distinct authorizations so far."""
        return [json.loads(line) for line in (self.folder / "authorizations.jsonl").read_text().splitlines()]

    def denied(self) -> list[str]:
        """Return what was denied so far."""
        return [
            f"{one['principal']}: {one['action']} on {one['resource']}" for one in self.record() if not one["allowed"]
        ]


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    with servers.authorizing_ministack(tmp_path) as url:
        yield Cloud(tmp_path, url)


def test_an_upload_that_is_gone_is_refused_for_good_with_the_functions_permissions(cloud: Cloud) -> None:
    """Denied in place of gone, its event would be retried and end as a dead letter, and its import would never end."""
    s3, bucket = cloud.client("s3"), LOCAL["bucket_name"]
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": servers.REGION})
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket=bucket, Key="gone.csv", Body=b"")["VersionId"]
    s3.delete_object(Bucket=bucket, Key="gone.csv", VersionId=version)
    store = S3Store(cloud.client("s3", cloud.user("importer", ["importer"])))
    for identifier in (version, "etag:"):
        with pytest.raises(FileRefused, match="is gone"):
            store.open(ObjectVersion(bucket, "gone.csv", identifier, ""), 0)


def cut_off(ec2: Any) -> list[str]:
    """Return the subnets that the interface endpoints do not admit, although private DNS names lead all to them."""
    (endpoint,) = (one for one in ec2.describe_vpc_endpoints()["VpcEndpoints"] if one["VpcEndpointType"] == "Interface")
    # By its name: the emulator does not report the groups of an endpoint.
    groups = [
        one for one in ec2.describe_security_groups()["SecurityGroups"] if one["GroupName"].endswith("-endpoints")
    ]
    admitted = [
        IPv4Network(one["CidrIp"])
        for group in groups
        for rule in group["IpPermissions"]
        if (rule["IpProtocol"], rule.get("FromPort"), rule.get("ToPort")) == ("tcp", 443, 443)
        for one in rule["IpRanges"]
    ]
    subnets = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [endpoint["VpcId"]]}])["Subnets"]
    assert len(subnets) > len(endpoint["SubnetIds"])
    return [
        one["CidrBlock"] for one in subnets if not any(IPv4Network(one["CidrBlock"]).subnet_of(net) for net in admitted)
    ]


def denied(call: Callable[..., Any], **arguments: Any) -> bool:
    """Return whether AWS denies a call."""
    try:
        call(**arguments)
    except ClientError as error:
        if error.response["Error"]["Code"] not in {"AccessDenied", "UnauthorizedOperation"}:
            raise
        return True
    return False


def test_a_deployer_does_not_become_an_administrator(cloud: Cloud) -> None:
    deployer = cloud.client("iam", cloud.user("deployer", DEPLOYER))
    boundary = cloud.policy(f"{LOCAL['stack_name']}-boundary", "boundary")
    statement = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    role = {"RoleName": f"{LOCAL['stack_name']}-app"}
    made = {**role, "AssumeRolePolicyDocument": trust}
    assert denied(deployer.create_role, **made)
    assert denied(deployer.create_role, **made, PermissionsBoundary="arn:aws:iam::aws:policy/AdministratorAccess")
    assert not denied(deployer.create_role, **made, PermissionsBoundary=boundary)
    policy = {**role, "PolicyName": "p", "PolicyDocument": json.dumps(everything)}
    assert not denied(deployer.put_role_policy, **policy)
    assert denied(deployer.delete_role_permissions_boundary, **role)
    assert denied(deployer.create_policy_version, PolicyArn=boundary, PolicyDocument=json.dumps(everything))
    # What it may do as the role.
    session = cloud.client("sts").assume_role(
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{role['RoleName']}", RoleSessionName="session"
    )
    key = session["Credentials"]
    taken = boto3.client(
        "iam",
        region_name=servers.REGION,
        endpoint_url=cloud.url,
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
        aws_session_token=key["SessionToken"],
    )
    assert denied(taken.create_user, UserName="administrator")
    # The same for a role that lost its boundary, which an administrator has to have done.
    cloud.client("iam").delete_role_permissions_boundary(**role)
    assert denied(deployer.put_role_policy, **policy)
    assert not denied(deployer.put_role_permissions_boundary, **role, PermissionsBoundary=boundary)


def test_a_deployer_takes_nothing_of_others(cloud: Cloud) -> None:
    root, deployer = cloud.client("ec2"), cloud.client("ec2", cloud.user("deployer", DEPLOYER))
    own = [{"Key": "Project", "Value": LOCAL["project"]}, {"Key": "Environment", "Value": LOCAL["environment_name"]}]
    other = [own[0], {"Key": "Environment", "Value": "stage"}]
    vpc = root.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    group = root.create_security_group(GroupName="g", Description="d", VpcId=vpc)["GroupId"]
    assert denied(deployer.create_tags, Resources=[group], Tags=own)
    assert denied(deployer.delete_security_group, GroupId=group)
    rule = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    assert denied(deployer.authorize_security_group_ingress, GroupId=group, IpPermissions=[rule])
    log = root.create_flow_logs(ResourceIds=[vpc], ResourceType="VPC", TrafficType="ALL", LogGroupName="l")[
        "FlowLogIds"
    ]
    assert denied(deployer.create_tags, Resources=log, Tags=own)
    image = root.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    instances = {
        owner: root.run_instances(
            ImageId=image,
            MinCount=1,
            MaxCount=1,
            UserData="secret",
            TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
        )["Instances"][0]["InstanceId"]
        for owner, tags in {"own": own, "other": other}.items()
    }
    user_data = {"Attribute": "userData"}
    assert denied(deployer.describe_instance_attribute, InstanceId=instances["other"], **user_data)
    assert not denied(deployer.describe_instance_attribute, InstanceId=instances["own"], **user_data)
    assert denied(deployer.create_tags, Resources=[instances["own"]], Tags=other)
    assert denied(deployer.delete_tags, Resources=[instances["own"]], Tags=[{"Key": "Environment"}])
    assert denied(deployer.delete_tags, Resources=[instances["own"]])
    assert not denied(deployer.create_tags, Resources=[instances["own"]], Tags=[{"Key": "Team", "Value": "b"}])


def test_the_reader_lists_object_versions_and_reads_none(cloud: Cloud) -> None:
    """As playbooks/reconcile.yml does where it only lists."""
    bucket, root = LOCAL["bucket_name"], cloud.client("s3")
    root.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": servers.REGION})
    root.put_object(Bucket=bucket, Key="a.csv", Body=b"")
    reader = cloud.client("s3", cloud.user("reader", READER))
    listed = reader.list_object_versions(Bucket=bucket, Prefix="")["Versions"]
    assert [version["Key"] for version in listed] == ["a.csv"]
    assert denied(reader.get_object, Bucket=bucket, Key="a.csv")
    assert denied(reader.put_object, Bucket=bucket, Key="b.csv", Body=b"")


@pytest.mark.slow
def test_no_call_of_a_run_is_denied_or_answered_with_less(cloud: Cloud) -> None:
    deployer = cloud.user("deployer", DEPLOYER)
    reader = cloud.user("reader", READER)
    boundary = cloud.policy(f"{LOCAL['stack_name']}-boundary", "boundary")
    cloud.play("provision.yml", deployer)
    assert cut_off(cloud.client("ec2")) == []
    roles = cloud.client("iam").list_roles()["Roles"]
    found = [cloud.client("iam").get_role(RoleName=role["RoleName"])["Role"] for role in roles]
    assert [role["PermissionsBoundary"]["PermissionsBoundaryArn"] for role in found] == [boundary] * 3
    host = f"{LOCAL['stack_name']}-app"
    cloud.client("iam").delete_role_permissions_boundary(RoleName=host)
    assert f"update IAM role {host}" in " ".join(cloud.play("provision.yml", reader, "--check").split())
    cloud.play("provision.yml", deployer, "--tags=app_host")
    assert (
        cloud.client("iam").get_role(RoleName=host)["Role"]["PermissionsBoundary"]["PermissionsBoundaryArn"] == boundary
    )
    cloud.play("teardown.yml", deployer, "--extra-vars=confirm=csv-to-aurora-local")
    assert cloud.denied() == []
    made = {(one["principal"].rpartition("/")[2], one["action"]) for one in cloud.record()}
    assert {
        ("deployer", "rds:CreateDBInstance"),
        ("deployer", "route53:AssociateVPCWithHostedZone"),
        ("deployer", "ec2:DeleteVpc"),
        ("reader", "lambda:ListTags"),
    } <= made
