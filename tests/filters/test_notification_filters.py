"""The notifications of a bucket: what there is, what there should be, and an order of changes that S3 accepts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import pytest

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:importer"


@pytest.fixture(scope="module")
def filters(load_filters: Callable[[str], ModuleType]) -> ModuleType:
    return load_filters("notification")


def gathered(*notifications: dict[str, Any], **others: Any) -> dict[str, Any]:
    """A bucket with these notifications, as amazon.aws.s3_bucket_info returns it."""
    configuration = {"LambdaFunctionConfigurations": list(notifications), **others}
    buckets = [{"name": "customers", "bucket_notification_configuration": configuration}]
    return {"bucket": {"buckets": buckets}, "rule": {"rule": {}}}


def found(name: str, suffix: str = ".csv", **changes: Any) -> dict[str, Any]:
    """A notification as S3 returns it, which writes the names of filters in either case."""
    rules = [{"Name": "Prefix", "Value": ""}, {"Name": "Suffix", "Value": suffix}]
    key = {"Key": {"FilterRules": rules}}
    return {"Id": name, "LambdaFunctionArn": ARN, "Events": ["s3:ObjectCreated:*"], "Filter": key, **changes}


def state(suffix: str, **changes: Any) -> dict[str, Any]:
    return {"function": ARN, "events": ["s3:ObjectCreated:*"], "suffix": suffix, "prefix": "", **changes}


def test_a_gathered_notification_is_one_as_desired(filters: ModuleType) -> None:
    current = filters.notification_current(gathered(found("shop-1"), found("shop-2", ".CSV")), "shop")
    assert current == {
        "notifications": filters.notification_desired([".csv", ".CSV"], "shop", ARN),
        "foreign": [],
        "eventbridge": False,
        "rule": {},
    }
    assert current["notifications"]["shop-2"] == state(".CSV")


def test_names_of_filters_are_read_in_any_case(filters: ModuleType) -> None:
    rules = [{"Name": "suffix", "Value": ".csv"}, {"Name": "PREFIX", "Value": "in/"}]
    current = filters.notification_current(gathered(found("shop-1", Filter={"Key": {"FilterRules": rules}})), "shop")
    assert current["notifications"] == {"shop-1": state(".csv", prefix="in/")}


@pytest.mark.parametrize("empty", [None, {}, {"Key": None}, {"Key": {"FilterRules": []}}])
def test_a_notification_without_filter_is_for_all_keys(filters: ModuleType, empty: object) -> None:
    current = filters.notification_current(gathered(found("shop-1", Filter=empty)), "shop")
    assert current["notifications"] == {"shop-1": state("")}
    assert filters.notification_outputs(current) == {"ids": ["shop-1"], "suffixes": [], "rule": None}


@pytest.mark.parametrize("foreign", ["other", "shop", "shop-x", "shop-1-copy", "my-shop-1", "shop_1", "xshop-1"])
def test_notifications_with_other_ids_are_foreign(filters: ModuleType, foreign: str) -> None:
    current = filters.notification_current(gathered(found(foreign)), "shop")
    assert current["notifications"] == {}


def test_a_name_with_special_characters_is_no_pattern(filters: ModuleType) -> None:
    current = filters.notification_current(gathered(found("a.b-1"), found("axb-2")), "a.b")
    assert set(current["notifications"]) == {"a.b-1"}


def test_events_are_compared_in_no_order(filters: ModuleType) -> None:
    events = ["s3:ObjectRemoved:*", "s3:ObjectCreated:*"]
    current = filters.notification_current(gathered(found("shop-1", Events=events)), "shop")
    assert current["notifications"]["shop-1"]["events"] == sorted(events)


def test_eventbridge_is_seen_by_its_empty_configuration(filters: ModuleType) -> None:
    assert filters.notification_current(gathered(EventBridgeConfiguration={}), "shop")["eventbridge"] is True


@pytest.mark.parametrize(
    "nothing",
    [
        {"bucket": {}, "rule": {}},
        {"bucket": {"buckets": []}, "rule": {}},
        {"bucket": {"buckets": [{"name": "customers"}]}, "rule": {}},
        {"bucket": {"buckets": [{"name": "customers", "bucket_notification_configuration": None}]}, "rule": {}},
        gathered(),
    ],
)
def test_nothing_is_an_empty_state(filters: ModuleType, nothing: dict[str, Any]) -> None:
    current = filters.notification_current(nothing, "shop")
    assert current == {"notifications": {}, "foreign": [], "eventbridge": False, "rule": {}}
    assert filters.notification_outputs(current) == {"ids": [], "suffixes": [], "rule": None}


def test_outputs(filters: ModuleType) -> None:
    current = filters.notification_current(gathered(found("shop-2", ".CSV"), found("shop-1"), found("foreign")), "shop")
    assert filters.notification_outputs(current) == {
        "ids": ["shop-1", "shop-2"],
        "suffixes": [".CSV", ".csv"],
        "rule": None,
    }


@pytest.mark.parametrize("unknown", [None, ""])
def test_a_function_that_does_not_exist_yet_is_known_after_apply(filters: ModuleType, unknown: str | None) -> None:
    assert filters.notification_desired([".csv"], "shop", unknown) == {
        "shop-1": state(".csv", function="known after apply")
    }


# The rule

RULE = {
    "arn": "arn:aws:events:eu-west-1:123456789012:rule/importer-check",
    "description": "",
    "schedule_expression": "rate(5 minutes)",
    "state": "ENABLED",
    "targets": [{"id": "function", "arn": ARN, "input": '{"check": true}'}],
}


def test_a_rule_has_the_fields_that_are_compared(filters: ModuleType) -> None:
    current = filters.notification_current({**gathered(), "rule": {"rule": RULE}}, "shop")
    assert current["rule"] == {
        "arn": RULE["arn"],
        "description": "",
        "schedule": "rate(5 minutes)",
        "state": "ENABLED",
        "function": ARN,
        "input": '{"check": true}',
        "targets": 1,
    }
    assert filters.notification_outputs(current)["rule"] == RULE["arn"]


@pytest.mark.parametrize("targets", [[], [{"id": "mine", "arn": ARN, "input": ""}]])
def test_a_rule_that_invokes_something_else_invokes_no_function(
    filters: ModuleType, targets: list[dict[str, str]]
) -> None:
    current = filters.notification_current({**gathered(), "rule": {"rule": {**RULE, "targets": targets}}}, "shop")
    assert (current["rule"]["function"], current["rule"]["targets"]) == ("", len(targets))


# What others made

OTHER = ARN.replace("importer", "thumbnails")
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:uploads"


def conflicts(filters: ModuleType, bucket: dict[str, Any], suffixes: list[str]) -> dict[str, str]:
    """Return the ids of what would be written or deleted, each with what is in the way."""
    current = filters.notification_current(bucket, "shop", "importer")
    changes = filters.notification_changes(filters.notification_desired(suffixes, "shop", ARN), current)
    return {one["id"]: one["conflict"] for one in changes if one["current"] != one["desired"]}


@pytest.mark.parametrize("arn", [ARN, f"{ARN}:3", f"{ARN}:live"])
def test_a_notification_of_the_function_is_one_of_the_role_whatever_the_version(filters: ModuleType, arn: str) -> None:
    current = filters.notification_current(gathered(found("shop-1", LambdaFunctionArn=arn)), "shop", "importer")
    assert (set(current["notifications"]), current["foreign"]) == ({"shop-1"}, [])


def test_one_whose_id_looks_like_ours_and_that_invokes_another_function_is_not_deleted(filters: ModuleType) -> None:
    bucket = gathered(found("shop-1"), found("shop-7", ".jpg", LambdaFunctionArn=OTHER))
    assert conflicts(filters, bucket, [".csv"]) == {}
    assert [one["id"] for one in filters.notification_current(bucket, "shop", "importer")["foreign"]] == ["shop-7"]


def test_nor_is_it_overwritten(filters: ModuleType) -> None:
    found_conflicts = conflicts(filters, gathered(found("shop-1", ".jpg", LambdaFunctionArn=OTHER)), [".csv"])
    assert f"There is a notification shop-1 that notifies {OTHER}" in found_conflicts["shop-1"]


def test_a_queue_may_have_such_an_id_too(filters: ModuleType) -> None:
    queue = found("shop-1", ".jpg", QueueArn=QUEUE)
    found_conflicts = conflicts(filters, gathered(QueueConfigurations=[queue]), [".csv"])
    assert f"There is a notification shop-1 that notifies {QUEUE}" in found_conflicts["shop-1"]


@pytest.mark.parametrize(
    ("suffix", "prefix", "events", "refused"),
    [
        (".csv", "", ["s3:ObjectCreated:*"], True),
        ("", "in/", ["s3:ObjectCreated:Put"], True),
        ("orders.csv", "", ["s3:ObjectCreated:*"], True),
        (".jpg", "", ["s3:ObjectCreated:*"], False),
        (".csv", "", ["s3:ObjectRemoved:*"], False),
        (".CSV", "", ["s3:ObjectCreated:*"], False),
    ],
)
def test_what_s3_would_refuse_is_refused_before(
    filters: ModuleType, suffix: str, prefix: str, events: list[str], refused: bool
) -> None:
    rules = [{"Name": "Prefix", "Value": prefix}, {"Name": "Suffix", "Value": suffix}]
    other = found("others", Events=events, Filter={"Key": {"FilterRules": rules}}, LambdaFunctionArn=OTHER)
    said = conflicts(filters, gathered(other), [".csv"])["shop-1"]
    assert bool(said) == refused
    assert not refused or f"The notification others, which notifies {OTHER}" in said


def test_what_exists_is_not_in_conflict_with_what_is_beside_it(filters: ModuleType) -> None:
    other = found("others", ".jpg", LambdaFunctionArn=OTHER)
    assert conflicts(filters, gathered(found("shop-1"), other), [".csv"]) == {}


# The order of changes


def refused_by_s3(bucket: Mapping[str, str]) -> bool:
    """Return whether S3 refuses these suffixes by id, of which no two may be the same."""
    return len(set(bucket.values())) < len(bucket)


@pytest.mark.parametrize("before", [[], [".csv"], [".csv", ".CSV"], [".csv", ".CSV", ".tsv"], ["", "", ".csv"]])
@pytest.mark.parametrize(
    "after", [[], [".csv"], [".CSV", ".csv"], [".tsv", ".csv", ".CSV"], [".CSV", ".tsv", ".csv"], [".a", ".csv"]]
)
def test_at_no_moment_do_two_notifications_have_one_suffix(
    filters: ModuleType, before: list[str], after: list[str]
) -> None:
    # An empty suffix stands for a notification that was removed by hand.
    bucket = {f"shop-{number}": suffix for number, suffix in enumerate(before, start=1) if suffix}
    current = filters.notification_current(gathered(*(found(name, bucket[name]) for name in bucket)), "shop")
    desired = filters.notification_desired(after, "shop", ARN)
    for change in filters.notification_changes(desired, current):
        assert change["current"] == current["notifications"].get(change["id"], {})
        if change["current"] == change["desired"]:
            continue
        for name in change["removed_first"]:
            bucket.pop(name, None)
        bucket.pop(change["id"], None)
        if change["desired"]:
            bucket[change["id"]] = change["desired"]["suffix"]
        assert not refused_by_s3(bucket), change
    assert bucket == {name: one["suffix"] for name, one in desired.items()}


def test_what_stays_is_not_removed_first(filters: ModuleType) -> None:
    current = filters.notification_current(gathered(found("shop-1", ".old"), found("shop-2", ".CSV")), "shop")
    changes = filters.notification_changes(filters.notification_desired([".csv", ".CSV"], "shop", ARN), current)
    assert [change["removed_first"] for change in changes] == [[], []]


def test_orphaned_ones_come_first_and_are_deleted(filters: ModuleType) -> None:
    current = filters.notification_current(gathered(found("shop-1"), found("shop-3", ".tsv")), "shop")
    changes = filters.notification_changes(filters.notification_desired([".csv"], "shop", ARN), current)
    assert [(change["id"], bool(change["desired"])) for change in changes] == [("shop-3", False), ("shop-1", True)]
