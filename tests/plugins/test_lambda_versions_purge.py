"""The module that deletes the published versions of a function."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from uuid import uuid4

import pytest
from emulated_cloud import Cloud

MODULE = "lambda_versions_purge"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


@pytest.fixture
def function(cloud: Cloud) -> Iterator[str]:
    """The name of a function with two published versions."""
    name = f"function-{uuid4().hex[:8]}"
    role = cloud.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("handler.py", "def handle(event, context): return None")
    client = cloud.client("lambda")
    client.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=role["Role"]["Arn"],
        Handler="handler.handle",
        Code={"ZipFile": buffer.getvalue()},
        Publish=True,
    )
    client.update_function_configuration(FunctionName=name, Description="another")
    client.publish_version(FunctionName=name)
    yield name
    client.delete_function(FunctionName=name)


def versions(cloud: Cloud, name: str) -> list[str]:
    return [one["Version"] for one in cloud.client("lambda").list_versions_by_function(FunctionName=name)["Versions"]]


def test_versions_go_and_the_function_stays(cloud: Cloud, function: str) -> None:
    assert versions(cloud, function) == ["$LATEST", "1", "2"]
    planned = cloud.run(MODULE, check=True, function_name=function)
    assert planned["changed"]
    assert planned["versions"] == ["1", "2"]
    assert planned["diff"]["before"] == {"versions": ["1", "2"]}
    assert versions(cloud, function) == ["$LATEST", "1", "2"]

    assert cloud.run(MODULE, function_name=function)["versions"] == ["1", "2"]
    assert versions(cloud, function) == ["$LATEST"]
    assert cloud.client("lambda").get_function(FunctionName=function)["Configuration"]["FunctionName"] == function
    assert not cloud.run(MODULE, function_name=function)["changed"]


def test_a_version_that_an_alias_refers_to_is_kept(cloud: Cloud, function: str) -> None:
    cloud.client("lambda").create_alias(FunctionName=function, Name="live", FunctionVersion="2")
    result = cloud.run(MODULE, function_name=function)
    assert (result["versions"], result["kept"]) == (["1"], ["2"])
    assert versions(cloud, function) == ["$LATEST", "2"]
    assert not cloud.run(MODULE, function_name=function)["changed"]


def test_a_function_that_does_not_exist_has_none(cloud: Cloud) -> None:
    result = cloud.run(MODULE, function_name="missing")
    assert not result["changed"]
    assert result["versions"] == result["kept"] == []
