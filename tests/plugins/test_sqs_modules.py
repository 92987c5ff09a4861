"""The modules for queues and their messages."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import boto3
import pytest
from ansible_collections.amazon.aws.plugins.module_utils.retries import RetryingBotoClientWrapper
from botocore.stub import Stubber
from emulated_cloud import Cloud

from ansible_collections.csv_to_aurora.aws.plugins.module_utils.common import aws_retry
from ansible_collections.csv_to_aurora.aws.plugins.modules.sqs_queue import create


@pytest.fixture
def queue(cloud: Cloud) -> str:
    """The name of a queue with 23 messages, more than two batches."""
    name = f"queue-{uuid4().hex[:8]}"
    client = cloud.client("sqs")
    url = client.create_queue(QueueName=name)["QueueUrl"]
    for number in range(23):
        client.send_message(
            QueueUrl=url,
            MessageBody=f"body {number}",
            MessageAttributes={"ErrorCode": {"DataType": "Number", "StringValue": "200"}},
        )
    return name


def visible(cloud: Cloud, queue: str) -> int:
    """Return how many messages any reader can get now."""
    client = cloud.client("sqs")
    url = client.get_queue_url(QueueName=queue)["QueueUrl"]
    attributes = client.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    return int(attributes["Attributes"]["ApproximateNumberOfMessages"])


def test_reading_returns_each_message_once_and_keeps_it(cloud: Cloud, queue: str) -> None:
    for check in (True, False):
        result = cloud.run("sqs_message_info", check=check, name=queue)
        assert not result["changed"]
        assert {message["body"] for message in result["messages"]} == {f"body {number}" for number in range(23)}
        assert len(result["messages"]) == 23
        assert visible(cloud, queue) == 23
        assert result["messages"][0]["message_attributes"] == {"ErrorCode": "200"}
        assert result["messages"][0]["attributes"]["ApproximateReceiveCount"] == "1" if check else "2"


def test_limit_and_visibility_timeout(cloud: Cloud, queue: str) -> None:
    assert len(cloud.run("sqs_message_info", name=queue, limit=12)["messages"]) == 12
    assert len(cloud.run("sqs_message_info", name=queue, limit=12, visibility_timeout=300)["messages"]) == 12
    assert visible(cloud, queue) == 11
    assert len(cloud.run("sqs_message_info", name=queue)["messages"]) == 11


def test_delete_what_was_read(cloud: Cloud, queue: str) -> None:
    taken: dict[str, Any] = cloud.run("sqs_message_info", name=queue, limit=1, visibility_timeout=300)["messages"][0]
    message = {"name": queue, "receipt_handle": taken["receipt_handle"]}
    assert cloud.run("sqs_message", check=True, **message)["changed"]
    assert cloud.run("sqs_message", **message)["changed"]
    left = cloud.run("sqs_message_info", name=queue)["messages"]
    assert len(left) == 22
    assert taken["message_id"] not in {message["message_id"] for message in left}


def test_a_message_that_was_only_read_can_be_deleted(cloud: Cloud, queue: str) -> None:
    handle = cloud.run("sqs_message_info", name=queue, limit=1)["messages"][0]["receipt_handle"]
    assert cloud.run("sqs_message", name=queue, receipt_handle=handle)["changed"]
    assert visible(cloud, queue) == 22


def test_no_queue_no_messages(cloud: Cloud) -> None:
    result = cloud.run("sqs_message_info", name="nobodys-queue")
    assert result["messages"] == []
    assert result["queue_url"] is None
    assert not cloud.run("sqs_message", name="nobodys-queue", receipt_handle="x")["changed"]


def test_bad_handles_and_numbers_are_named(cloud: Cloud, queue: str) -> None:
    assert "fresh receipt handle" in cloud.run.failure("sqs_message", name=queue, receipt_handle="no such handle")
    assert "limit is 0" in cloud.run.failure("sqs_message_info", name=queue, limit=0)


def test_a_queue_is_described_and_one_that_is_not_there_is_empty(cloud: Cloud, queue: str) -> None:
    client = cloud.client("sqs")
    url = client.get_queue_url(QueueName=queue)["QueueUrl"]
    client.tag_queue(QueueUrl=url, Tags={"Environment": "stage"})
    described = cloud.run("sqs_queue_info", name=queue)["queue"]
    assert described["url"] == url
    assert described["arn"].endswith(f":{queue}")
    assert described["tags"] == {"Environment": "stage"}
    assert described["attributes"]["ApproximateNumberOfMessages"] == "23"
    assert cloud.run("sqs_queue_info", name=f"{queue}-other")["queue"] == {}


def test_a_queue_through_its_life(cloud: Cloud) -> None:
    wanted: dict[str, Any] = {
        "name": f"queue-{uuid4().hex[:8]}",
        "message_retention_period": 1209600,
        "tags": {"Project": "p", "N": "1"},
    }
    client = cloud.client("sqs")

    planned = cloud.run("sqs_queue", check=True, **wanted)
    assert planned["changed"]
    assert (planned["queue_url"], planned["queue_arn"]) == (None, None)
    assert cloud.run("sqs_queue_info", name=wanted["name"])["queue"] == {}
    created = cloud.run("sqs_queue", **wanted)
    assert created["changed"]
    queue = cloud.run("sqs_queue_info", name=wanted["name"])["queue"]
    assert (created["queue_url"], created["queue_arn"]) == (queue["url"], queue["arn"])
    assert (queue["attributes"]["MessageRetentionPeriod"], queue["tags"]) == ("1209600", wanted["tags"])
    again = cloud.run("sqs_queue", **wanted)
    assert not again["changed"]
    assert again["queue_arn"] == queue["arn"]

    client.tag_queue(QueueUrl=queue["url"], Tags={"Mine": "x", "N": "2"})
    client.set_queue_attributes(QueueUrl=queue["url"], Attributes={"MessageRetentionPeriod": "60"})
    assert cloud.run("sqs_queue", check=True, **wanted)["changed"]
    assert cloud.run("sqs_queue", **wanted)["changed"]
    updated = cloud.run("sqs_queue_info", name=wanted["name"])["queue"]
    assert (updated["attributes"]["MessageRetentionPeriod"], updated["tags"]) == ("1209600", wanted["tags"])

    assert cloud.run("sqs_queue", check=True, name=wanted["name"], state="absent")["changed"]
    deleted = cloud.run("sqs_queue", name=wanted["name"], state="absent")
    assert deleted["changed"]
    assert (deleted["queue_url"], deleted["queue_arn"]) == (None, None)
    assert not cloud.run("sqs_queue", name=wanted["name"], state="absent")["changed"]


def test_the_call_that_creates_a_queue_tags_it() -> None:
    # Emulators do not show which call set a tag: hence botocore's stub.
    client = boto3.client("sqs", region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b")
    url, arn = "https://sqs.eu-west-1.amazonaws.com/123456789012/q", "arn:aws:sqs:eu-west-1:123456789012:q"
    with Stubber(client) as stub:
        stub.add_response(
            "create_queue",
            {"QueueUrl": url},
            {"QueueName": "q", "Attributes": {"MessageRetentionPeriod": "60"}, "tags": {"Project": "p"}},
        )
        stub.add_response(
            "get_queue_attributes",
            {"Attributes": {"QueueArn": arn}},
            {"QueueUrl": url, "AttributeNames": ["QueueArn"]},
        )
        retrying = RetryingBotoClientWrapper(client, aws_retry())
        assert create(retrying, "q", {"message_retention_period": 60, "tags": {"Project": "p"}}) == (url, arn)
        stub.assert_no_pending_responses()
