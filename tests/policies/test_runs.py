"""Runs with the permissions of files/policies on an emulator that authorizes as AWS does, without containers.

The end-to-end tests do the same with everything that the local inventory has; here the stack has interface endpoints
in place of a NAT gateway, which it has not.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import boto3
import permissions
import pytest

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
}
type Key = tuple[str, str]
WITH_ENDPOINTS = {"network_nat": "none", "network_interface_endpoints": ["secretsmanager"]}


@dataclass(frozen=True)
class Cloud:
    """An emulator whose users have the permissions of the documents."""

    folder: Path
    url: str

    def client(self, service: str, key: Key = ("test", "of-root")) -> Any:
        """Return a boto3 client with an access key, by default the root user's."""
        return boto3.client(  # type: ignore[call-overload] # the stubs want a literal
            service,
            region_name=servers.REGION,
            endpoint_url=self.url,
            aws_access_key_id=key[0],
            aws_secret_access_key=key[1],
        )

    def user(self, name: str, documents: list[str]) -> Key:
        """Create a user with the permissions of these documents, and return an access key."""
        iam = self.client("iam")
        iam.create_user(UserName=name)
        for document in documents:
            content = {"Version": "2012-10-17", "Statement": permissions.document(document, LOCAL)}
            made = iam.create_policy(PolicyName=document, PolicyDocument=json.dumps(content))
            iam.attach_user_policy(UserName=name, PolicyArn=made["Policy"]["Arn"])
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return key["AccessKeyId"], key["SecretAccessKey"]

    def play(self, name: str, key: Key, *arguments: str) -> str:
        """Run a playbook with an access key, and return what it printed."""
        connection = {
            "region": servers.REGION,
            "endpoint_url": self.url,
            **dict(zip(("access_key", "secret_key"), key, strict=True)),
        }
        done = subprocess.run(
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
        assert done.returncode == 0, f"{done.stdout}{done.stderr}\ndenied: {self.denied()}"
        return done.stdout

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


@pytest.mark.slow
def test_no_call_of_a_run_is_denied_or_answered_with_less(cloud: Cloud) -> None:
    deployer = cloud.user("deployer", [name for name in permissions.names() if name.startswith("deployer-")])
    reader = cloud.user("reader", ["reader", "reader-secrets"])
    cloud.play("provision.yml", deployer)
    assert cut_off(cloud.client("ec2")) == []
    cloud.play("provision.yml", reader, "--check")
    cloud.play("teardown.yml", deployer, "--extra-vars=confirm=csv-to-aurora-local")
    assert cloud.denied() == []
    made = {(one["principal"].rpartition("/")[2], one["action"]) for one in cloud.record()}
    assert {
        ("deployer", "rds:CreateDBInstance"),
        ("deployer", "route53:AssociateVPCWithHostedZone"),
        ("deployer", "ec2:DeleteVpc"),
        ("reader", "lambda:ListTags"),
    } <= made
