"""The module that configures how Lambda invokes a function.

moto has no recursion configuration, and of several event invoke configurations it keeps the first for reading: what
depends on them is shown with ministack.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import boto3
import pytest
from ansible_collections.amazon.aws.plugins.module_utils.retries import RetryingBotoClientWrapper
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from emulated_cloud import Cloud

from ansible_collections.csv_to_aurora.aws.plugins.module_utils.common import aws_retry

MODULE = "lambda_invocation_config"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
DEFAULTS = {
    "maximum_retry_attempts": 2,
    "maximum_event_age": 21600,
    "on_failure_destination": None,
    "on_success_destination": None,
    "reserved_concurrent_executions": None,
    "recursive_loop": None,
}

only_ministack = pytest.mark.parametrize("cloud", ["ministack"], indirect=True)


@pytest.fixture
def function(cloud: Cloud) -> Iterator[str]:
    """The name of a function that exists for one test."""
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
    )
    yield name
    client.delete_function(FunctionName=name)


@pytest.fixture
def queue(cloud: Cloud) -> str:
    """The ARN of a queue that exists."""
    client = cloud.client("sqs")
    url = client.create_queue(QueueName="failed")["QueueUrl"]
    arn: str = client.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    return arn


def stored_asynchronous(cloud: Cloud, function: str) -> dict[str, Any] | None:
    """Return the event invoke configuration that the API has, None for nothing."""
    client = cloud.client("lambda")
    try:
        found: dict[str, Any] = client.get_function_event_invoke_config(FunctionName=function)
    except client.exceptions.ResourceNotFoundException:
        return None
    return found


def stored_concurrency(cloud: Cloud, function: str) -> int | None:
    """Return the reserved concurrency that the API has, None for nothing."""
    response = cloud.client("lambda").get_function_concurrency(FunctionName=function)
    reserved: int | None = response.get("ReservedConcurrentExecutions")
    return reserved


def stored_recursion(cloud: Cloud, function: str) -> str:
    """Return the recursion configuration that the API has."""
    found: str = cloud.client("lambda").get_function_recursion_config(FunctionName=function)["RecursiveLoop"]
    return found


def test_a_new_function_has_the_defaults_of_aws(cloud: Cloud, function: str) -> None:
    for check in (True, False):
        result = cloud.run(MODULE, check=check, function_name=function)
        assert not result["changed"], result["diff"]
        assert result["current"] == result["settings"] == DEFAULTS
    assert stored_asynchronous(cloud, function) is None


def test_settings_are_planned_written_and_found_again(cloud: Cloud, function: str, queue: str) -> None:
    desired: dict[str, Any] = {
        "maximum_retry_attempts": 1,
        "maximum_event_age": 3600,
        "on_failure_destination": queue,
        "reserved_concurrent_executions": 5,
    }
    after = {**DEFAULTS, **desired}

    planned = cloud.run(MODULE, check=True, function_name=function, **desired)
    assert planned["changed"]
    assert planned["current"] == planned["diff"]["before"] == DEFAULTS
    assert planned["settings"] == planned["diff"]["after"] == after
    assert stored_asynchronous(cloud, function) is None
    assert stored_concurrency(cloud, function) is None

    written = cloud.run(MODULE, function_name=function, **desired)
    assert written["changed"]
    assert (written["current"], written["settings"]) == (DEFAULTS, after)
    stored = stored_asynchronous(cloud, function)
    assert stored is not None
    assert stored["MaximumRetryAttempts"] == 1
    assert stored["MaximumEventAgeInSeconds"] == 3600
    assert stored["DestinationConfig"]["OnFailure"]["Destination"] == queue
    assert stored_concurrency(cloud, function) == 5

    for check in (False, True):
        again = cloud.run(MODULE, check=check, function_name=function, **desired)
        assert not again["changed"], again["diff"]
        assert again["current"] == after


@only_ministack
def test_every_setting_is_updated_alone_and_reset_by_leaving_it_out(cloud: Cloud, function: str, queue: str) -> None:
    given: dict[str, Any] = {"recursive_loop": "Terminate"}
    for option, value in {
        "maximum_retry_attempts": 0,
        "maximum_event_age": 60,
        "on_failure_destination": queue,
        "on_success_destination": queue,
        "reserved_concurrent_executions": 7,
        "recursive_loop": "Allow",
    }.items():
        before = {**DEFAULTS, **given}
        given[option] = value
        result = cloud.run(MODULE, function_name=function, **given)
        assert result["changed"], option
        assert result["current"] == before, option
        assert not cloud.run(MODULE, function_name=function, **given)["changed"], option
    assert stored_recursion(cloud, function) == "Allow"

    for option in [name for name in given if name != "recursive_loop"]:
        del given[option]
        result = cloud.run(MODULE, function_name=function, **given)
        assert result["changed"], option
        assert cloud.run(MODULE, check=True, function_name=function, **given)["current"] == {**DEFAULTS, **given}
    assert stored_concurrency(cloud, function) is None
    assert stored_recursion(cloud, function) == "Allow"


@only_ministack
def test_an_empty_text_is_no_destination(cloud: Cloud, function: str, queue: str) -> None:
    cloud.run(MODULE, function_name=function, maximum_retry_attempts=0, on_failure_destination=queue)
    empty: dict[str, Any] = {"maximum_retry_attempts": 0, "on_failure_destination": ""}
    assert cloud.run(MODULE, function_name=function, **empty)["changed"]
    stored = stored_asynchronous(cloud, function)
    assert stored is not None
    assert stored["MaximumRetryAttempts"] == 0
    assert not stored["DestinationConfig"].get("OnFailure")
    assert not cloud.run(MODULE, function_name=function, **empty)["changed"]


def test_zero_reserved_executions_is_a_value_and_not_none(cloud: Cloud, function: str) -> None:
    assert cloud.run(MODULE, check=True, function_name=function, reserved_concurrent_executions=0)["changed"]
    assert stored_concurrency(cloud, function) is None
    assert cloud.run(MODULE, function_name=function, reserved_concurrent_executions=0)["changed"]
    assert stored_concurrency(cloud, function) == 0
    assert not cloud.run(MODULE, function_name=function, reserved_concurrent_executions=0)["changed"]
    assert cloud.run(MODULE, check=True, function_name=function)["changed"]
    assert stored_concurrency(cloud, function) == 0
    assert cloud.run(MODULE, function_name=function)["changed"]
    assert stored_concurrency(cloud, function) is None


# moto has no such call: the other tests, which run with moto, show that it is not made there.
@only_ministack
def test_recursion_is_left_as_it_is_unless_it_is_given(cloud: Cloud, function: str) -> None:
    planned = cloud.run(MODULE, check=True, function_name=function, recursive_loop="Allow")
    assert planned["changed"]
    assert planned["current"]["recursive_loop"] == "Terminate"
    assert stored_recursion(cloud, function) == "Terminate"
    assert cloud.run(MODULE, function_name=function, recursive_loop="Allow")["changed"]
    assert stored_recursion(cloud, function) == "Allow"

    result = cloud.run(MODULE, function_name=function)
    assert not result["changed"]
    assert result["current"]["recursive_loop"] is None
    assert stored_recursion(cloud, function) == "Allow"
    assert cloud.run(MODULE, function_name=function, recursive_loop="Terminate")["changed"]
    assert stored_recursion(cloud, function) == "Terminate"


def test_a_function_that_does_not_exist(cloud: Cloud) -> None:
    planned = cloud.run(MODULE, check=True, function_name="missing", reserved_concurrent_executions=5)
    assert planned["changed"]
    assert planned["current"] is None
    assert planned["diff"]["before"] == {}
    message = cloud.run.failure(MODULE, function_name="missing", reserved_concurrent_executions=5)
    assert message == "There is no function missing in this region. Create it first, or correct function_name."


@pytest.mark.parametrize(
    ("option", "value", "range_"),
    [
        ("maximum_retry_attempts", 3, "0 to 2"),
        ("maximum_event_age", 59, "60 to 21600"),
        ("reserved_concurrent_executions", -1, "0 or more"),
    ],
)
def test_a_number_out_of_range_is_named(ministack: Cloud, option: str, value: Any, range_: str) -> None:
    message = ministack.run.failure(MODULE, function_name="any", **{option: value})
    assert f"{option} is {value}" in message
    assert range_ in message


def test_a_failure_has_cause_and_fix_in_one_line(moto: Cloud) -> None:
    # moto responds to a call that it does not have with a page of HTML.
    name = f"function-{uuid4().hex[:8]}"
    client = moto.client("lambda")
    role = moto.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    client.create_function(
        FunctionName=name, Runtime="python3.13", Role=role, Handler="h.h", Code={"ZipFile": b"no zip at all"}
    )
    message = moto.run.failure(MODULE, function_name=name, recursive_loop="Allow")
    assert message.startswith(f"Cannot read the invocation settings of function {name}: 404: ")
    assert "lambda:GetFunctionRecursionConfig are allowed." in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("code", "said", "retried"),
    [
        ("ResourceConflictException", "The function is being updated", True),
        (
            "InvalidParameterValueException",
            "The provided execution role does not have permissions to call SendMessage",
            True,
        ),
        ("InvalidParameterValueException", "The role defined for the function cannot be assumed by Lambda.", True),
        ("ThrottlingException", "Rate exceeded", True),
        ("InvalidParameterValueException", "The destination ARN is invalid", False),
        ("AccessDeniedException", "not authorized to perform: lambda:PutFunctionConcurrency", False),
    ],
)
def test_what_says_not_yet_is_retried_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, code: str, said: str, *, retried: bool
) -> None:
    # Neither emulator has a function with an update in progress, or a role that cannot be assumed yet.
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    client = boto3.client("lambda", region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b")
    put = RetryingBotoClientWrapper(client, aws_retry()).put_function_concurrency
    request = {"FunctionName": "f", "ReservedConcurrentExecutions": 1}
    with Stubber(client) as stub:
        stub.add_client_error("put_function_concurrency", code, said, expected_params=request)
        if retried:
            stub.add_response("put_function_concurrency", {"ReservedConcurrentExecutions": 1}, request)
            assert put(aws_retry=True, **request)["ReservedConcurrentExecutions"] == 1
        else:
            with pytest.raises(ClientError):
                put(aws_retry=True, **request)
        stub.assert_no_pending_responses()
    assert bool(pauses) == retried
