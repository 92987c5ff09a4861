"""The modules for topics and their subscriptions.

moto confirms every subscription at once: what is pending is shown with ministack.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import boto3
import pytest
from ansible_collections.amazon.aws.plugins.module_utils.retries import RetryingBotoClientWrapper
from botocore.stub import Stubber
from emulated_cloud import Cloud

from ansible_collections.csv_to_aurora.aws.plugins.module_utils.common import aws_retry
from ansible_collections.csv_to_aurora.aws.plugins.module_utils.sns import subscription_settings, subscriptions_of
from ansible_collections.csv_to_aurora.aws.plugins.modules.sns_topic import create

FAILED = {"status": ["failed"]}
only_ministack = pytest.mark.parametrize("cloud", ["ministack"], indirect=True)


def topic_arn(cloud: Cloud) -> str:
    account = cloud.client("sts").get_caller_identity()["Account"]
    return f"arn:aws:sns:eu-west-1:{account}:topic-{uuid4().hex[:8]}"


def wanted(arn: str) -> dict[str, Any]:
    statement = {
        "Sid": "AllowAlarms",
        "Effect": "Allow",
        "Principal": {"Service": "cloudwatch.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": arn,
    }
    return {
        "topic_arn": arn,
        "display_name": "stack",
        "policy": {"Version": "2012-10-17", "Statement": [statement]},
        "tags": {"Project": "p", "N": "1"},
    }


@pytest.fixture
def topic(cloud: Cloud) -> str:
    """The ARN of a topic."""
    arn = topic_arn(cloud)
    cloud.run("sns_topic", **wanted(arn))
    return arn


def queue(cloud: Cloud) -> str:
    """Create a queue, and return its ARN."""
    client = cloud.client("sqs")
    url = client.create_queue(QueueName=f"queue-{uuid4().hex[:8]}")["QueueUrl"]
    return str(client.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"])


def only_subscription(cloud: Cloud, topic: str) -> dict[str, Any]:
    (found,) = cloud.run("sns_topic_info", topic_arn=topic)["topic"]["subscriptions"]
    return dict(found)


def test_a_topic_through_its_life(cloud: Cloud) -> None:
    arn = topic_arn(cloud)
    client = cloud.client("sns")
    assert cloud.run("sns_topic_info", topic_arn=arn)["topic"] == {}
    planned = cloud.run("sns_topic", check=True, **wanted(arn))
    assert (planned["changed"], planned["topic_arn"]) == (True, None)
    assert cloud.run("sns_topic_info", topic_arn=arn)["topic"] == {}

    created = cloud.run("sns_topic", **wanted(arn))
    assert (created["changed"], created["topic_arn"]) == (True, arn)
    found = cloud.run("sns_topic_info", topic_arn=arn)["topic"]
    assert (found["arn"], found["tags"], found["subscriptions"]) == (arn, {"Project": "p", "N": "1"}, [])
    assert found["attributes"]["DisplayName"] == "stack"
    assert not cloud.run("sns_topic", **wanted(arn))["changed"]

    client.tag_resource(ResourceArn=arn, Tags=[{"Key": "Mine", "Value": "x"}, {"Key": "N", "Value": "2"}])
    client.set_topic_attributes(TopicArn=arn, AttributeName="DisplayName", AttributeValue="mine")
    opened = {**wanted(arn)["policy"]["Statement"][0], "Principal": "*"}
    client.add_permission(TopicArn=arn, Label="mine", AWSAccountId=["123456789012"], ActionName=["Publish"])
    assert cloud.run("sns_topic", check=True, **wanted(arn))["changed"]
    updated = cloud.run("sns_topic", **wanted(arn))
    assert set(updated["diff"]["before"]) == {"display_name", "policy", "tags"}
    assert updated["diff"]["after"] == {key: wanted(arn)[key] for key in ("display_name", "policy", "tags")}
    assert opened not in updated["diff"]["after"]["policy"]["Statement"]
    assert not cloud.run("sns_topic", **wanted(arn))["changed"]

    assert cloud.run("sns_topic", check=True, topic_arn=arn, state="absent")["changed"]
    assert cloud.run("sns_topic", topic_arn=arn, state="absent")["topic_arn"] is None
    assert not cloud.run("sns_topic", topic_arn=arn, state="absent")["changed"]
    assert cloud.run("sns_topic_info", topic_arn=arn)["topic"] == {}


def test_the_call_that_creates_a_topic_gives_it_policy_and_tags() -> None:
    # Emulators do not show which call set them: hence botocore's stub.
    client = boto3.client("sns", region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b")
    arn = "arn:aws:sns:eu-west-1:123456789012:t"
    with Stubber(client) as stub:
        stub.add_response(
            "create_topic",
            {"TopicArn": arn},
            {
                "Name": "t",
                "Attributes": {"DisplayName": "d", "Policy": '{"Statement": []}'},
                "Tags": [{"Key": "Project", "Value": "p"}],
            },
        )
        after = {"display_name": "d", "policy": {"Statement": []}, "tags": {"Project": "p"}}
        assert create(RetryingBotoClientWrapper(client, aws_retry()), arn, after) == arn
        stub.assert_no_pending_responses()


def test_a_subscription_through_its_life(cloud: Cloud, topic: str) -> None:
    endpoint = queue(cloud)
    one: dict[str, Any] = {"topic_arn": topic, "protocol": "sqs", "endpoint": endpoint}

    assert cloud.run("sns_subscription", check=True, **one, filter_policy=FAILED)["changed"]
    assert cloud.run("sns_topic_info", topic_arn=topic)["topic"]["subscriptions"] == []
    created = cloud.run("sns_subscription", **one, filter_policy=FAILED, raw_message_delivery=True)
    assert (created["changed"], created["pending"]) == (True, False)
    found = only_subscription(cloud, topic)
    assert (found["arn"], found["pending"]) == (created["subscription_arn"], False)
    assert (found["protocol"], found["endpoint"]) == ("sqs", endpoint)
    assert found["attributes"]["FilterPolicyScope"] == "MessageAttributes"
    assert not cloud.run("sns_subscription", **one, filter_policy=FAILED, raw_message_delivery=True)["changed"]

    for filter_policy in ({"status": ["failed", "succeeded"]}, {}):
        updated = cloud.run("sns_subscription", **one, filter_policy=filter_policy)
        assert updated["changed"]
        assert updated["subscription_arn"] == created["subscription_arn"]
        assert not cloud.run("sns_subscription", **one, filter_policy=filter_policy)["changed"]
    assert only_subscription(cloud, topic)["attributes"]["RawMessageDelivery"] == "false"

    assert cloud.run("sns_subscription", check=True, **one, state="absent")["changed"]
    assert cloud.run("sns_subscription", **one, state="absent")["changed"]
    assert cloud.run("sns_topic_info", topic_arn=topic)["topic"]["subscriptions"] == []
    assert not cloud.run("sns_subscription", **one, state="absent")["changed"]


def test_a_filter_of_the_body_is_made_one_of_attributes(cloud: Cloud, topic: str) -> None:
    one: dict[str, Any] = {"topic_arn": topic, "protocol": "sqs", "endpoint": queue(cloud), "filter_policy": FAILED}
    arn = cloud.run("sns_subscription", **one)["subscription_arn"]
    cloud.client("sns").set_subscription_attributes(
        SubscriptionArn=arn, AttributeName="FilterPolicyScope", AttributeValue="MessageBody"
    )
    assert cloud.run("sns_subscription", **one)["diff"]["before"]["filter_scope"] == "MessageBody"
    assert only_subscription(cloud, topic)["attributes"]["FilterPolicyScope"] == "MessageAttributes"


@only_ministack
def test_what_is_pending_is_neither_changed_nor_deleted(cloud: Cloud, topic: str) -> None:
    one: dict[str, Any] = {"topic_arn": topic, "protocol": "http", "endpoint": "http://127.0.0.1:9/nobody"}
    subscribed = cloud.run("sns_subscription", **one)
    assert (subscribed["changed"], subscribed["pending"], subscribed["subscription_arn"]) == (True, True, None)
    found = only_subscription(cloud, topic)
    assert (found["pending"], found["attributes"]) == (True, {})
    changes: tuple[dict[str, Any], ...] = ({"filter_policy": FAILED}, {"state": "absent"})
    for change in changes:
        left = cloud.run("sns_subscription", **one, **change)
        assert (left["changed"], left["pending"]) == (False, True)
    assert only_subscription(cloud, topic)["endpoint"] == one["endpoint"]


def test_no_topic_has_no_subscription(cloud: Cloud) -> None:
    one: dict[str, Any] = {"topic_arn": topic_arn(cloud), "protocol": "email", "endpoint": "a@example.com"}
    assert not cloud.run("sns_subscription", **one, state="absent")["changed"]
    assert "Cannot create, update or delete the subscription of a@example.com" in cloud.run.failure(
        "sns_subscription", **one
    )


def test_subscriptions_are_read_page_by_page_and_pending_ones_without_an_arn() -> None:
    # As SNS answers, which has no ARN for what is pending: emulators have one.
    client = boto3.client("sns", region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b")
    topic = "arn:aws:sns:eu-west-1:123456789012:t"

    def listed(arn: str, endpoint: str) -> dict[str, str]:
        return {"SubscriptionArn": arn, "Owner": "1", "Protocol": "email", "Endpoint": endpoint, "TopicArn": topic}

    with Stubber(client) as stub:
        first = {"Subscriptions": [listed("PendingConfirmation", "a@example.com")], "NextToken": "more"}
        stub.add_response("list_subscriptions_by_topic", first, {"TopicArn": topic})
        second = {
            "Subscriptions": [
                listed(f"{topic}:1", "b@example.com"),
                listed(f"{topic}:2", "c@example.com"),
                listed("Deleted", "d@example.com"),
            ]
        }
        stub.add_response("list_subscriptions_by_topic", second, {"TopicArn": topic, "NextToken": "more"})
        attributes = {"Attributes": {"PendingConfirmation": "false", "RawMessageDelivery": "false"}}
        stub.add_response("get_subscription_attributes", attributes, {"SubscriptionArn": f"{topic}:1"})
        stub.add_client_error(
            "get_subscription_attributes", "NotFound", expected_params={"SubscriptionArn": f"{topic}:2"}
        )
        found = list(subscriptions_of(RetryingBotoClientWrapper(client, aws_retry()), topic))
        stub.assert_no_pending_responses()
    assert [(one["arn"], one["pending"], one["deleted"]) for one in found] == [
        (None, True, False),
        (f"{topic}:1", False, False),
        (f"{topic}:2", False, False),
        (None, False, True),
    ]
    assert subscription_settings(found[-1]) == {"deleted": True}
