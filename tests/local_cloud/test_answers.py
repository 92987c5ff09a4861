"""Answers that depend on a second permission: without it AWS does not deny the call, but answers differently."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests import servers

BUCKET = "uploads"
FUNCTION = "importer"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


@dataclass(frozen=True)
class Cloud:
    """An emulator that enforces IAM policies as the local cloud does."""

    url: str
    record: Path

    def client(self, service: str, key: str = "test", secret: str | None = None) -> Any:
        """Return a boto3 client, by default of the root user."""
        return boto3.client(  # type: ignore[call-overload] # the stubs want a literal
            service,
            region_name=servers.REGION,
            endpoint_url=self.url,
            aws_access_key_id=key,
            aws_secret_access_key=secret or servers.SECRET,
        )

    def user(self, name: str, service: str, *actions: str) -> Any:
        """Return a client of a new user who may do these actions on everything."""
        iam = self.client("iam")
        statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
        iam.create_user(UserName=name)
        iam.put_user_policy(
            UserName=name,
            PolicyName="all",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        )
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return self.client(service, key["AccessKeyId"], key["SecretAccessKey"])


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    folder = tmp_path_factory.mktemp("answers")
    with servers.authorizing_ministack(folder) as url:
        made = Cloud(url, folder / "authorizations.jsonl")
        s3 = made.client("s3")
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": servers.REGION})
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        role = made.client("iam").create_role(RoleName=FUNCTION, AssumeRolePolicyDocument=json.dumps(TRUST))
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as file:
            file.writestr("code.py", "def handler(event, context): pass")
        made.client("lambda").create_function(
            FunctionName=FUNCTION,
            Role=role["Role"]["Arn"],
            Runtime="python3.13",
            Handler="code.handler",
            Code={"ZipFile": content.getvalue()},
            Tags={"Project": "project"},
        )
        yield made


def code_of(call: Any, **parameters: str) -> str:
    """Return the error code of a call that fails."""
    with pytest.raises(ClientError) as failed:
        call(Bucket=BUCKET, Key="gone.csv", **parameters)
    code: str = failed.value.response["Error"]["Code"]
    return code


def test_without_permission_to_list_a_missing_object_is_denied(cloud: Cloud) -> None:
    version = cloud.client("s3").put_object(Bucket=BUCKET, Key="gone.csv", Body=b"")["VersionId"]
    cloud.client("s3").delete_object(Bucket=BUCKET, Key="gone.csv", VersionId=version)
    reading = ("s3:GetObject", "s3:GetObjectVersion")
    blind = cloud.user("blind", "s3", *reading)
    seeing = cloud.user("seeing", "s3", *reading, "s3:ListBucket")
    assert code_of(blind.get_object) == code_of(blind.get_object, VersionId=version) == "AccessDenied"
    assert code_of(blind.head_object) == "403"
    assert code_of(seeing.get_object) == "NoSuchKey"
    assert code_of(seeing.get_object, VersionId=version) == "NoSuchVersion"
    assert code_of(seeing.head_object) == code_of(cloud.client("s3").head_object) == "404"


def test_a_missing_bucket_is_missing_for_everybody(cloud: Cloud) -> None:
    reader = cloud.user("elsewhere", "s3", "s3:GetObject")
    with pytest.raises(ClientError, match="NoSuchBucket"):
        reader.get_object(Bucket="nowhere", Key="gone.csv")


def test_without_permission_to_list_tags_a_function_has_none(cloud: Cloud) -> None:
    blind = cloud.user("untagged", "lambda", "lambda:GetFunction").get_function(FunctionName=FUNCTION)
    seeing = cloud.user("tagged", "lambda", "lambda:GetFunction", "lambda:ListTags")
    assert "Tags" not in blind
    assert blind["TagsError"]["ErrorCode"] == "AccessDeniedException"
    assert blind["Configuration"]["FunctionName"] == FUNCTION
    assert seeing.get_function(FunctionName=FUNCTION)["Tags"] == {"Project": "project"}


def test_the_second_permission_is_in_the_record(cloud: Cloud) -> None:
    cloud.user("recorded", "lambda", "lambda:GetFunction").get_function(FunctionName=FUNCTION)
    lines = [json.loads(line) for line in cloud.record.read_text().splitlines()]
    answers = {line["action"]: line["allowed"] for line in lines if line["principal"].endswith("/recorded")}
    assert answers == {"lambda:GetFunction": True, "lambda:ListTags": False}
