"""Who is notified: which entries of stack_notify are accepted, and the subscriptions that they mean."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ministack.services import sns

from ansible_collections.csv_to_aurora.aws.plugins.filter.notify import (
    ATTENTION,
    notify_lines,
    notify_mistakes,
    notify_notes,
    notify_subscriptions,
    notify_topic,
)

REGION = "eu-west-1"
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:consumer"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:operations"
FILE = "inventories/dev/group_vars/all/main.yml"


@pytest.mark.parametrize(
    "notify",
    [
        [],
        ["operators@example.com"],
        ["first.last+aws@mail.example.co.uk", "https://example.com", "https://example.com:8443/a?b=c"],
        [QUEUE, {"endpoint": "data@example.com", "filter": {"dataset": ["orders"]}, "alarms": False}],
        [{"endpoint": QUEUE, "filter": {"$or": [{"status": ["failed"]}, {"many_rejects": ["true"]}]}}],
        [{"endpoint": "a@example.com", "filter": {}}],
        [TOPIC],
    ],
)
def test_these_are_accepted(notify: list[Any]) -> None:
    assert notify_mistakes(notify, REGION) == []


@pytest.mark.parametrize(
    ("notify", "said"),
    [
        ("operators@example.com", "has to be a list"),
        (None, "has to be a list"),
        (["operators"], "holds 'operators'. Each entry is an e-mail address"),
        (["a@example.com, b@example.com"], "Each entry is"),
        (["a@localhost"], "Each entry is"),
        ([17], "holds '17'"),
        ([{"email": "a@example.com"}], "holds '{'email': 'a@example.com'}'"),
        (["http://example.com/hook"], "over HTTPS only. Write https://"),
        (["https://user@example.com/hook"], "Each entry is"),
        ([f"{QUEUE}.fifo"], "the ARN of a standard SQS queue"),
        ([TOPIC, "a@example.com"], "as the only entry, the ARN of a standard SNS topic"),
        ([f"{TOPIC}.fifo"], "the ARN of a standard SNS topic"),
        ([TOPIC.replace("eu-west-1", "us-east-1")], "a topic in us-east-1"),
        (["a@example.com", {"endpoint": "a@example.com"}], "has a@example.com twice"),
        ([{"endpoint": "a@example.com", "only": "failed"}], "a@example.com has only, and an entry may have alarms"),
        ([{"endpoint": "a@example.com", "alarms": "no"}], "alarms of a@example.com has to be true or false"),
        ([{"endpoint": "a@example.com", "filter": "failed"}], "lists of their values"),
        ([{"endpoint": "a@example.com", "filter": {"statsu": ["failed"]}}], "'statsu' is no attribute of an event"),
        ([{"endpoint": "a@example.com", "filter": {"status": "failed"}}], "'status' needs a list of values"),
        ([{"endpoint": "a@example.com", "filter": {"status": []}}], "'status' needs a list of values"),
    ],
)
def test_these_are_refused_with_what_is_wrong(notify: Any, said: str) -> None:
    (mistake,) = notify_mistakes(notify, REGION)
    assert mistake.startswith("stack_notify")
    assert said in mistake


def test_plain_http_is_for_an_emulator() -> None:
    assert notify_mistakes(["http://127.0.0.1:8000/hook"], REGION, local=True) == []


def test_all_mistakes_are_named_at_once() -> None:
    assert len(notify_mistakes(["a", "b", "c@example.com", "c@example.com"], REGION)) == 3


def test_an_existing_topic_is_used_as_it_is() -> None:
    assert (notify_topic([TOPIC]), notify_subscriptions([TOPIC])) == (TOPIC, [])
    assert [notify_topic(notify) for notify in ([], ["a@example.com"], [QUEUE], [TOPIC, TOPIC])] == [""] * 4


def test_a_person_gets_alarms_and_what_needs_attention_a_program_everything() -> None:
    found = notify_subscriptions(["a@example.com", "https://example.com/hook", QUEUE])
    assert [(one["topic"], one["protocol"], one["filter_policy"], one["raw_message_delivery"]) for one in found] == [
        ("alarms", "email", {}, False),
        ("events", "email", ATTENTION, False),
        ("alarms", "https", {}, False),
        ("events", "https", {}, False),
        ("alarms", "sqs", {}, True),
        ("events", "sqs", {}, True),
    ]


def test_an_entry_may_have_a_filter_of_its_own_and_no_alarms() -> None:
    orders = {"dataset": ["orders"]}
    found = notify_subscriptions([{"endpoint": "a@example.com", "filter": orders, "alarms": False}])
    assert [(one["topic"], one["endpoint"], one["filter_policy"]) for one in found] == [
        ("events", "a@example.com", orders)
    ]
    (_, every) = notify_subscriptions([{"endpoint": "a@example.com", "filter": {}}])
    assert every["filter_policy"] == {}


@pytest.mark.parametrize(
    ("status", "many_rejects", "sent"),
    [("failed", "false", True), ("succeeded", "true", True), ("succeeded", "false", False)],
)
def test_the_filter_of_a_person_as_the_emulator_evaluates_it(status: str, many_rejects: str, sent: bool) -> None:
    attributes = {"dataset": "customer", "status": status, "many_rejects": many_rejects}
    given = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}
    subscription = {"attributes": {"FilterPolicy": json.dumps(ATTENTION)}}
    assert sns._matches_filter_policy(subscription, given) == sent


def test_no_filter_of_attributes_lets_an_alarm_pass() -> None:
    """Hence the second topic."""
    for policy in (
        ATTENTION,
        {"status": [{"exists": False}]},
        {"$or": [{"status": ["failed"]}, {"status": [{"exists": False}]}]},
    ):
        assert not sns._matches_filter_policy({"attributes": {"FilterPolicy": json.dumps(policy)}}, {})


def test_notes_name_that_nobody_is_notified_and_who_has_not_confirmed() -> None:
    (nobody,) = notify_notes({}, [], FILE)
    assert "stack_notify is empty" in nobody
    assert FILE in nobody
    subscriptions = [
        {"topic": "alarms", "endpoint": "a@example.com", "state": "pending"},
        {"topic": "events", "endpoint": "a@example.com", "state": "pending"},
        {"topic": "alarms", "endpoint": "b@example.com", "state": "confirmed"},
    ]
    (pending,) = notify_notes({"subscriptions": subscriptions}, ["a@example.com", "b@example.com"], FILE)
    assert pending.startswith("a@example.com is not notified yet")
    assert notify_notes({}, ["b@example.com"], FILE) == []


def test_notes_name_who_has_unsubscribed() -> None:
    subscriptions = [
        {"topic": "alarms", "endpoint": "a@example.com", "state": "deleted"},
        {"topic": "alarms", "endpoint": "b@example.com", "state": "confirmed"},
    ]
    (deleted,) = notify_notes({"subscriptions": subscriptions}, ["a@example.com", "b@example.com"], FILE)
    assert deleted.startswith("a@example.com is not notified any more")
    assert FILE in deleted
    assert notify_lines({"subscriptions": subscriptions}) == [
        "a@example.com of alarms, not any more: somebody has unsubscribed it",
        "b@example.com of alarms",
    ]
