"""All playbooks so far ran with the permissions of files/policies; tests/policies has the rest."""

from __future__ import annotations

import json
from configparser import ConfigParser
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.e2e.conftest import Stack

pytestmark = pytest.mark.e2e


def record(stack: Stack) -> list[dict[str, Any]]:
    """The distinct authorizations that the deployer's calls required, each with its result."""
    lines = (stack.folder / "authorizations.jsonl").read_text().splitlines()
    return [answer for answer in map(json.loads, lines) if answer["principal"].endswith(":user/deployer")]


def deployer(stack: Stack, service: str) -> Any:
    """A boto3 client of the user that the playbooks run as."""
    config, credentials = ConfigParser(), ConfigParser()
    config.read(stack.folder / "aws/config")
    credentials.read(stack.folder / "aws/credentials")
    return boto3.client(  # type: ignore[call-overload] # the stubs want a literal
        service,
        region_name="eu-west-1",
        endpoint_url=config["profile local"]["endpoint_url"],
        aws_access_key_id=credentials["local"]["aws_access_key_id"],
        aws_secret_access_key=credentials["local"]["aws_secret_access_key"],
    )


def test_no_call_of_the_playbooks_was_denied(complete: Stack) -> None:
    answers = record(complete)
    assert len(answers) > 100
    assert [f"{answer['action']} on {answer['resource']}" for answer in answers if not answer["allowed"]] == []


def test_calls_outside_of_the_stack_are_denied(complete: Stack) -> None:
    ec2 = complete.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.99.0.0/16")["Vpc"]["VpcId"]
    ec2.get_waiter("vpc_exists").wait(VpcIds=[vpc])
    try:
        with pytest.raises(ClientError, match="not authorized"):
            deployer(complete, "ec2").delete_vpc(VpcId=vpc)
        with pytest.raises(ClientError, match="not authorized"):
            deployer(complete, "iam").create_role(RoleName="administrator", AssumeRolePolicyDocument="{}")
        with pytest.raises(ClientError, match="not authorized"):
            deployer(complete, "s3").create_bucket(
                Bucket="another-bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
            )
    finally:
        ec2.delete_vpc(VpcId=vpc)
        refused = [answer for answer in record(complete) if not answer["allowed"]]
    assert {answer["action"] for answer in refused} >= {"ec2:DeleteVpc", "iam:CreateRole", "s3:CreateBucket"}
