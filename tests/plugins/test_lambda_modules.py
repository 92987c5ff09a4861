"""The modules for settings that belong to a Lambda function."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from emulated_cloud import Cloud

only_ministack = pytest.mark.parametrize("cloud", ["ministack"], indirect=True)

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def zipped(source: str) -> bytes:
    """Return a function's zip with one file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("handler.py", source)
    return buffer.getvalue()


@pytest.fixture
def function(cloud: Cloud) -> Iterator[str]:
    """The name of a function that exists for one test."""
    name = f"function-{uuid4().hex[:8]}"
    role = cloud.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
    client = cloud.client("lambda")
    client.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=role["Role"]["Arn"],
        Handler="handler.handle",
        Code={"ZipFile": zipped("def handle(event, context): return None")},
    )
    yield name
    client.delete_function(FunctionName=name)


@pytest.fixture
def queue(cloud: Cloud) -> str:
    """The ARN of a queue that exists."""
    client = cloud.client("sqs")
    url = client.create_queue(QueueName="failures")["QueueUrl"]
    arn: str = client.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    return arn


def stored_invoke_config(cloud: Cloud, function: str) -> dict[str, Any] | None:
    """Return what the API has, None for nothing."""
    client = cloud.client("lambda")
    try:
        found: dict[str, Any] = client.get_function_event_invoke_config(FunctionName=function)
    except client.exceptions.ResourceNotFoundException:
        return None
    return found


def stored_concurrency(cloud: Cloud, function: str) -> int | None:
    """Return what the API has, None for nothing."""
    answer = cloud.client("lambda").get_function_concurrency(FunctionName=function)
    reserved: int | None = answer.get("ReservedConcurrentExecutions")
    return reserved


def test_event_invoke_config_through_its_life(cloud: Cloud, function: str, queue: str) -> None:
    settings: dict[str, Any] = {
        "function_name": function,
        "maximum_retry_attempts": 1,
        "maximum_event_age": 3600,
        "on_failure_destination": queue,
    }
    described = {name: value for name, value in settings.items() if name != "function_name"}

    planned = cloud.run("lambda_event_invoke_config", check=True, **settings)
    assert planned["changed"]
    assert planned["diff"]["before"] == {}
    assert planned["event_invoke_config"] == described
    assert stored_invoke_config(cloud, function) is None

    created = cloud.run("lambda_event_invoke_config", **settings)
    assert created["changed"]
    assert created["event_invoke_config"] == described
    stored = stored_invoke_config(cloud, function)
    assert stored is not None
    assert stored["MaximumRetryAttempts"] == 1
    assert stored["MaximumEventAgeInSeconds"] == 3600
    assert stored["DestinationConfig"]["OnFailure"]["Destination"] == queue

    for check in (False, True):
        assert not cloud.run("lambda_event_invoke_config", check=check, **settings)["changed"]

    planned = cloud.run("lambda_event_invoke_config", check=True, function_name=function, maximum_event_age=60)
    assert planned["changed"]
    assert planned["diff"]["before"]["maximum_event_age"] == 3600
    assert planned["diff"]["after"]["maximum_event_age"] == 60
    stored = stored_invoke_config(cloud, function)
    assert stored is not None
    assert stored["MaximumEventAgeInSeconds"] == 3600

    changed = cloud.run("lambda_event_invoke_config", function_name=function, maximum_event_age=60)
    assert changed["changed"]
    assert changed["event_invoke_config"] == {**described, "maximum_event_age": 60}

    assert cloud.run("lambda_event_invoke_config", check=True, function_name=function, state="absent")["changed"]
    assert stored_invoke_config(cloud, function) is not None
    removed = cloud.run("lambda_event_invoke_config", function_name=function, state="absent")
    assert removed["changed"]
    assert removed["event_invoke_config"] == {}
    assert stored_invoke_config(cloud, function) is None
    assert not cloud.run("lambda_event_invoke_config", function_name=function, state="absent")["changed"]


# moto keeps the first of several puts for reading.
@only_ministack
def test_event_invoke_config_empty_string_removes_only_the_destination(cloud: Cloud, function: str, queue: str) -> None:
    cloud.run(
        "lambda_event_invoke_config",
        function_name=function,
        maximum_retry_attempts=0,
        on_failure_destination=queue,
    )
    result = cloud.run("lambda_event_invoke_config", function_name=function, on_failure_destination="")
    assert result["changed"]
    assert "on_failure_destination" not in result["event_invoke_config"]
    assert result["event_invoke_config"]["maximum_retry_attempts"] == 0
    stored = stored_invoke_config(cloud, function)
    assert stored is not None
    assert stored["MaximumRetryAttempts"] == 0
    assert not stored["DestinationConfig"].get("OnFailure")
    again = cloud.run("lambda_event_invoke_config", function_name=function, on_failure_destination="")
    assert not again["changed"], again["diff"]


def test_event_invoke_config_of_a_qualifier_is_its_own(ministack: Cloud) -> None:
    # Only ministack keeps configurations apart by qualifier: moto has one for a function.
    role = ministack.client("iam").create_role(RoleName="qualified", AssumeRolePolicyDocument=json.dumps(TRUST))
    ministack.client("lambda").create_function(
        FunctionName="qualified",
        Runtime="python3.13",
        Role=role["Role"]["Arn"],
        Handler="handler.handle",
        Code={"ZipFile": zipped("def handle(event, context): return None")},
        Publish=True,
    )
    version: dict[str, Any] = {"function_name": "qualified", "qualifier": "1", "maximum_retry_attempts": 0}
    assert ministack.run("lambda_event_invoke_config", **version)["changed"]
    assert not ministack.run("lambda_event_invoke_config", **version)["changed"]
    assert stored_invoke_config(ministack, "qualified") is None


@pytest.mark.parametrize(
    ("option", "value", "range_"),
    [("maximum_retry_attempts", 3, "0 to 2"), ("maximum_event_age", 59, "60 to 21600")],
)
def test_event_invoke_config_names_the_range(ministack: Cloud, option: str, value: Any, range_: str) -> None:
    message = ministack.run.failure("lambda_event_invoke_config", function_name="any", **{option: value})
    assert f"{option} is {value}" in message
    assert range_ in message


def test_function_concurrency_through_its_life(cloud: Cloud, function: str) -> None:
    settings: dict[str, Any] = {"function_name": function, "reserved_concurrent_executions": 5}
    planned = cloud.run("lambda_function_concurrency", check=True, **settings)
    assert planned["changed"]
    assert planned["diff"]["after"] == {"reserved_concurrent_executions": 5}
    assert stored_concurrency(cloud, function) is None

    assert cloud.run("lambda_function_concurrency", **settings)["changed"]
    assert stored_concurrency(cloud, function) == 5
    for check in (False, True):
        assert not cloud.run("lambda_function_concurrency", check=check, **settings)["changed"]

    # 0 stops the function: it is a value like any other, not "none".
    stopped: dict[str, Any] = {"function_name": function, "reserved_concurrent_executions": 0}
    assert cloud.run("lambda_function_concurrency", check=True, **stopped)["changed"]
    assert stored_concurrency(cloud, function) == 5
    assert cloud.run("lambda_function_concurrency", **stopped)["changed"]
    assert stored_concurrency(cloud, function) == 0
    assert not cloud.run("lambda_function_concurrency", **stopped)["changed"]

    gone: dict[str, Any] = {"function_name": function, "state": "absent"}
    assert cloud.run("lambda_function_concurrency", check=True, **gone)["changed"]
    assert stored_concurrency(cloud, function) == 0
    removed = cloud.run("lambda_function_concurrency", **gone)
    assert removed["changed"]
    assert removed["diff"]["after"] == {}
    assert stored_concurrency(cloud, function) is None
    assert not cloud.run("lambda_function_concurrency", **gone)["changed"]


# moto has no recursion configuration.
@only_ministack
def test_recursion_config_through_its_life(cloud: Cloud, function: str) -> None:
    def stored() -> str:
        found: str = cloud.client("lambda").get_function_recursion_config(FunctionName=function)["RecursiveLoop"]
        return found

    assert not cloud.run("lambda_recursion_config", function_name=function, recursive_loop="Terminate")["changed"]
    allow: dict[str, Any] = {"function_name": function, "recursive_loop": "Allow"}
    planned = cloud.run("lambda_recursion_config", check=True, **allow)
    assert planned["changed"]
    assert planned["diff"]["before"] == {"recursive_loop": "Terminate"}
    assert stored() == "Terminate"
    assert cloud.run("lambda_recursion_config", **allow)["changed"]
    assert stored() == "Allow"
    for check in (False, True):
        assert not cloud.run("lambda_recursion_config", check=check, **allow)["changed"]
    assert cloud.run("lambda_recursion_config", function_name=function, recursive_loop="Terminate")["changed"]
    assert stored() == "Terminate"


def test_recursion_config_of_a_function_that_does_not_exist(ministack: Cloud) -> None:
    allow: dict[str, Any] = {"function_name": "nobody", "recursive_loop": "Allow"}
    assert ministack.run("lambda_recursion_config", check=True, **allow)["changed"]
    default: dict[str, Any] = {"function_name": "nobody", "recursive_loop": "Terminate"}
    assert not ministack.run("lambda_recursion_config", check=True, **default)["changed"]
    assert "Check that the function exists" in ministack.run.failure("lambda_recursion_config", **allow)


@pytest.mark.parametrize(
    ("module", "settings"),
    [
        ("lambda_event_invoke_config", {"maximum_retry_attempts": 1}),
        ("lambda_function_concurrency", {"reserved_concurrent_executions": 5}),
    ],
)
def test_a_function_that_does_not_exist(cloud: Cloud, module: str, settings: dict[str, Any]) -> None:
    target: dict[str, Any] = {"function_name": "nobody"}
    assert cloud.run(module, check=True, **target, **settings)["changed"]
    assert not cloud.run(module, **target, state="absent")["changed"]
    message = cloud.run.failure(module, **target, **settings)
    assert "function nobody" in message
    assert "Check that the function" in message
