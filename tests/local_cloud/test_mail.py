"""What SNS sends by e-mail on the local cloud, and that nobody gets any without having confirmed it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests import servers

OPERATORS = "operators@example.com"
FAILED = {"status": {"DataType": "String", "StringValue": "failed"}}


@dataclass(frozen=True)
class Cloud:
    """A local cloud without containers that enforces IAM."""

    url: str

    def client(self, service: str) -> Any:
        """Return a boto3 client of the root user."""
        return boto3.client(  # type: ignore[call-overload] # the stubs want a literal
            service,
            region_name=servers.REGION,
            endpoint_url=self.url,
            aws_access_key_id="test",
            aws_secret_access_key=servers.SECRET,
        )

    def inbox(self) -> list[dict[str, Any]]:
        """Return all e-mails, the oldest first."""
        request = AWSRequest("GET", f"{self.url}/_ministack/ses/messages")
        SigV4Auth(Credentials("test", servers.SECRET), "ses", servers.REGION).add_auth(request)
        prepared = request.prepare()
        with urlopen(Request(prepared.url, headers=dict(prepared.headers))) as answer:
            found: dict[str, list[dict[str, Any]]] = json.load(answer)["messages"]
        return [mail for mails in found.values() for mail in mails]


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    with servers.authorizing_ministack(tmp_path) as url:
        yield Cloud(url)


@pytest.fixture
def topic(cloud: Cloud) -> str:
    """The ARN of a topic with a name for its mails."""
    return str(cloud.client("sns").create_topic(Name="events", Attributes={"DisplayName": "stage"})["TopicArn"])


def link(mail: dict[str, Any]) -> str:
    found = re.search(r"http://\S+", mail["BodyText"])
    assert found, mail
    return found[0]


def confirmed(cloud: Cloud, topic: str, **attributes: str) -> None:
    """Subscribe the operators, and open the link that they get."""
    cloud.client("sns").subscribe(TopicArn=topic, Protocol="email", Endpoint=OPERATORS, Attributes=attributes)
    with urlopen(link(cloud.inbox()[-1])) as answer:
        assert answer.status == 200


def is_pending(cloud: Cloud, topic: str) -> bool:
    client = cloud.client("sns")
    (listed,) = client.list_subscriptions()["Subscriptions"]
    (one,) = client.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert listed == one
    return bool(one["SubscriptionArn"] == "PendingConfirmation")


def test_who_has_not_confirmed_gets_nothing_but_the_link(cloud: Cloud, topic: str) -> None:
    client = cloud.client("sns")
    answer = client.subscribe(TopicArn=topic, Protocol="email", Endpoint=OPERATORS)
    assert answer["SubscriptionArn"] == "pending confirmation"
    assert is_pending(cloud, topic)
    client.publish(TopicArn=topic, Message="unseen")
    (mail,) = cloud.inbox()
    assert (mail["To"], mail["Subject"]) == ([OPERATORS], "AWS Notification - Subscription Confirmation")
    assert mail["Source"].startswith("stage <")
    client.subscribe(TopicArn=topic, Protocol="email", Endpoint=OPERATORS)
    assert link(cloud.inbox()[-1]) == link(mail)


def test_the_link_of_the_mail_confirms_and_no_other_does(cloud: Cloud, topic: str) -> None:
    cloud.client("sns").subscribe(TopicArn=topic, Protocol="email", Endpoint=OPERATORS)
    right = link(cloud.inbox()[0])
    for wrong, status in ((right[:-1], 400), (f"{right}&Action=Publish", 403), (right.replace("Confirm", "List"), 403)):
        with pytest.raises(HTTPError) as refused:
            urlopen(wrong)
        assert refused.value.code == status
        refused.value.close()
    assert is_pending(cloud, topic)
    with urlopen(right) as answer:
        assert answer.status == 200
    assert not is_pending(cloud, topic)


def test_a_mail_has_the_text_for_mails_and_its_subject(cloud: Cloud, topic: str) -> None:
    confirmed(cloud, topic)
    message = json.dumps({"default": "{}", "email": "What happened, and what to do."})
    cloud.client("sns").publish(TopicArn=topic, Message=message, MessageStructure="json", Subject="Import failed")
    mail = cloud.inbox()[-1]
    assert (mail["Subject"], mail["BodyText"]) == ("Import failed", "What happened, and what to do.")


def test_a_filter_of_attributes_decides(cloud: Cloud, topic: str) -> None:
    confirmed(cloud, topic, FilterPolicy=json.dumps({"status": ["failed"]}))
    before = len(cloud.inbox())
    client = cloud.client("sns")
    client.publish(
        TopicArn=topic, Message="succeeded", MessageAttributes={"status": FAILED["status"] | {"StringValue": "ok"}}
    )
    client.publish(TopicArn=topic, Message="failed", MessageAttributes=FAILED)
    assert [mail["BodyText"] for mail in cloud.inbox()[before:]] == ["failed"]


def alarmed(cloud: Cloud, topic: str) -> list[dict[str, Any]]:
    """Have an alarm start and end, and return the mails about it."""
    before = len(cloud.inbox())
    client = cloud.client("cloudwatch")
    client.put_metric_alarm(
        AlarmName="failed-imports",
        AlarmDescription="Look: playbooks/imports.yml",
        Namespace="CsvToAurora",
        MetricName="ImportsFailed",
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
        AlarmActions=[topic],
        OKActions=[topic],
    )
    client.put_metric_data(Namespace="CsvToAurora", MetricData=[{"MetricName": "ImportsFailed", "Value": 1}])
    client.set_alarm_state(AlarmName="failed-imports", StateValue="OK", StateReason="by hand")
    return cloud.inbox()[before:]


def may_publish(topic: str, **condition: dict[str, str]) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "cloudwatch.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": topic,
        "Condition": condition,
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_an_alarm_is_written_as_text_when_it_starts_and_when_it_ends(cloud: Cloud, topic: str) -> None:
    confirmed(cloud, topic)
    account = topic.split(":")[4]
    policy = may_publish(topic, StringEquals={"aws:SourceAccount": account})
    cloud.client("sns").set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    started, over = alarmed(cloud, topic)
    assert started["Subject"].startswith('ALARM: "failed-imports"')
    assert "has entered the ALARM state" in started["BodyText"]
    assert "Look: playbooks/imports.yml" in started["BodyText"]
    assert over["Subject"].startswith('OK: "failed-imports"')


def test_a_topic_that_does_not_let_cloudwatch_publish_gets_no_alarm(cloud: Cloud, topic: str) -> None:
    confirmed(cloud, topic)
    policy = may_publish(topic, ArnLike={"aws:SourceArn": "arn:aws:cloudwatch:*:*:alarm:another-*"})
    cloud.client("sns").set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    assert alarmed(cloud, topic) == []


def test_an_unsubscribed_address_gets_nothing(cloud: Cloud, topic: str) -> None:
    confirmed(cloud, topic)
    client = cloud.client("sns")
    (one,) = client.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    client.unsubscribe(SubscriptionArn=one["SubscriptionArn"])
    before = cloud.inbox()
    client.publish(TopicArn=topic, Message="unseen")
    assert cloud.inbox() == before
