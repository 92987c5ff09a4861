"""The topics and their subscriptions: what there is, and what there should be."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

ARN = "arn:aws:sns:eu-west-1:123456789012:shop"
POLICY = {"Version": "2012-10-17", "Statement": []}
FAILED = {"status": ["failed"]}


@pytest.fixture(scope="module")
def filters(load_filters: Callable[[str], ModuleType]) -> ModuleType:
    return load_filters("topic")


def subscription(
    endpoint: str, protocol: str = "email", *, pending: bool = False, deleted: bool = False, **attributes: Any
) -> dict[str, Any]:
    """A subscription as sns_topic_info returns it."""
    arn = None if pending or deleted else f"{ARN}-events:{endpoint}"
    about = {"arn": arn, "protocol": protocol, "endpoint": endpoint, "attributes": attributes}
    return {**about, "pending": pending, "deleted": deleted}


def topic(name: str, *subscriptions: dict[str, Any]) -> dict[str, Any]:
    attributes = {"DisplayName": "shop", "Policy": json.dumps(POLICY), "SubscriptionsPending": "0"}
    found = {
        "arn": f"{ARN}-{name}",
        "attributes": attributes,
        "tags": {"Project": "shop"},
        "subscriptions": [*subscriptions],
    }
    return {"changed": False, "topic": found}


def gathered(*subscriptions: dict[str, Any], existing: dict[str, Any] | None = None) -> dict[str, Any]:
    """Both topics, with these subscriptions to events."""
    return {"alarms": topic("alarms"), "events": topic("events", *subscriptions), "existing": existing or {}}


NOTHING: dict[str, Any] = {"alarms": {"topic": {}}, "events": {"topic": {}}, "existing": {}}


def wanted(endpoint: str, protocol: str = "email", policy: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "topic": "events",
        "protocol": protocol,
        "endpoint": endpoint,
        "filter_policy": policy or {},
        "raw_message_delivery": False,
    }


def test_nothing_is_empty(filters: ModuleType) -> None:
    current = filters.topic_current(NOTHING)
    assert current == {"topics": {"alarms": {}, "events": {}}, "subscriptions": []}
    assert filters.topic_outputs(NOTHING, "") == {"alarms_arn": None, "events_arn": None, "subscriptions": []}


def test_topics_have_the_fields_that_are_compared(filters: ModuleType) -> None:
    state = {"tags": {"Project": "shop"}, "display_name": "shop", "policy": POLICY}
    assert filters.topic_current(gathered())["topics"] == {"alarms": state, "events": state}


def change(filters: ModuleType, desired: list[dict[str, Any]], *found: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    current = filters.topic_current(gathered(*found))
    return [(one["endpoint"], one["current"], one["desired"]) for one in filters.topic_subscriptions(desired, current)]


def settings(policy: dict[str, Any] | None = None, scope: str = "MessageAttributes") -> dict[str, Any]:
    return {"filter_policy": policy or {}, "filter_scope": scope if policy else "", "raw_message_delivery": False}


def test_a_subscription_is_created_updated_and_removed(filters: ModuleType) -> None:
    found = change(
        filters,
        [wanted("new@example.com"), wanted("old@example.com", policy=FAILED)],
        subscription("old@example.com", FilterPolicy=json.dumps({"status": ["succeeded"]})),
        subscription("gone@example.com"),
    )
    assert found == [
        ("gone@example.com", settings(), {}),
        ("new@example.com", {}, settings()),
        ("old@example.com", settings({"status": ["succeeded"]}), settings(FAILED)),
    ]


@pytest.mark.parametrize(
    "attributes",
    [
        {"FilterPolicy": json.dumps(FAILED)},
        {"FilterPolicy": json.dumps(FAILED), "FilterPolicyScope": "MessageAttributes", "RawMessageDelivery": "false"},
    ],
)
def test_one_as_desired_does_not_differ(filters: ModuleType, attributes: dict[str, Any]) -> None:
    ((_, before, after),) = change(
        filters, [wanted("a@example.com", policy=FAILED)], subscription("a@example.com", **attributes)
    )
    assert before == after


@pytest.mark.parametrize(
    "empty", [{}, {"FilterPolicy": ""}, {"FilterPolicy": "{}", "FilterPolicyScope": "MessageBody"}]
)
def test_an_empty_filter_is_none_whatever_its_scope(filters: ModuleType, empty: dict[str, Any]) -> None:
    ((_, before, after),) = change(filters, [wanted("a@example.com")], subscription("a@example.com", **empty))
    assert before == after


def test_a_filter_of_the_body_differs(filters: ModuleType) -> None:
    by_body = subscription("a@example.com", FilterPolicy=json.dumps(FAILED), FilterPolicyScope="MessageBody")
    ((_, before, after),) = change(filters, [wanted("a@example.com", policy=FAILED)], by_body)
    assert (before["filter_scope"], after["filter_scope"]) == ("MessageBody", "MessageAttributes")


@pytest.mark.parametrize("state", ["pending", "deleted"])
def test_a_pending_or_deleted_one_is_neither_changed_nor_removed(filters: ModuleType, state: str) -> None:
    found = change(
        filters,
        [wanted("listed@example.com", policy=FAILED)],
        subscription("listed@example.com", pending=state == "pending", deleted=state == "deleted"),
        subscription("gone@example.com", pending=state == "pending", deleted=state == "deleted"),
    )
    ((endpoint, before, after),) = found
    assert (endpoint, before) == ("listed@example.com", after)


@pytest.mark.parametrize("protocol", ["sms", "lambda", "firehose", "application", "email-json"])
def test_what_the_list_cannot_express_is_not_touched(filters: ModuleType, protocol: str) -> None:
    assert change(filters, [], subscription("somebody", protocol)) == []


def test_the_same_endpoint_by_another_protocol_is_another_subscription(filters: ModuleType) -> None:
    found = change(filters, [wanted("a", "https")], subscription("a", "http"))
    assert found == [("a", settings(), {}), ("a", {}, settings())]


def test_outputs_name_who_is_notified_and_who_is_pending(filters: ModuleType) -> None:
    outputs = filters.topic_outputs(
        gathered(
            subscription("a@example.com"),
            subscription("b@example.com", pending=True),
            subscription("c@example.com", deleted=True),
        ),
        "",
    )
    assert outputs["alarms_arn"] == f"{ARN}-alarms"
    assert outputs["events_arn"] == f"{ARN}-events"
    assert [(one["topic"], one["endpoint"], one["state"]) for one in outputs["subscriptions"]] == [
        ("events", "a@example.com", "confirmed"),
        ("events", "b@example.com", "pending"),
        ("events", "c@example.com", "deleted"),
    ]


def test_an_existing_topic_is_that_of_alarms_and_of_events(filters: ModuleType) -> None:
    arn = f"{ARN}-operations"
    found = {**NOTHING, "existing": topic("operations", subscription("a@example.com"))}
    outputs = filters.topic_outputs(found, arn)
    assert (outputs["alarms_arn"], outputs["events_arn"]) == (arn, arn)
    assert [(one["topic"], one["endpoint"]) for one in outputs["subscriptions"]] == [
        ("shop-operations", "a@example.com")
    ]


@pytest.mark.parametrize(("found", "exists"), [({"topic": {}}, False), ({}, True)])
def test_that_of_another_account_is_taken_to_exist(filters: ModuleType, found: dict[str, Any], exists: bool) -> None:
    arn = f"{ARN}-operations"
    outputs = filters.topic_outputs({**NOTHING, "existing": found}, arn)
    assert outputs == {
        "alarms_arn": arn if exists else None,
        "events_arn": arn if exists else None,
        "subscriptions": [],
    }


def test_plain_http_is_denied_where_that_is_wanted(filters: ModuleType) -> None:
    arns = {"alarms": f"{ARN}-alarms", "events": f"{ARN}-events"}
    for name, statements in filters.topic_only_https(arns, wanted=True).items():
        (statement,) = statements
        assert (statement["Effect"], statement["Resource"]) == ("Deny", arns[name])
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert filters.topic_only_https(arns, wanted=False) == {"alarms": [], "events": []}
