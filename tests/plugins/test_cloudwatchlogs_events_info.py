"""The module that reads the last events of a log group."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import boto3
import pytest
from ansible_collections.amazon.aws.plugins.module_utils.retries import RetryingBotoClientWrapper
from botocore.stub import Stubber
from emulated_cloud import Cloud

from ansible_collections.csv_to_aurora.aws.plugins.module_utils.common import aws_retry
from ansible_collections.csv_to_aurora.aws.plugins.modules.cloudwatchlogs_events_info import last_events, request_for


@pytest.fixture
def now() -> int:
    """The time of the test, in milliseconds since 1970."""
    return int(time.time() * 1000)


@pytest.fixture
def log_group(cloud: Cloud, now: int) -> str:
    """A log group: twelve events a second apart in stream a, one in stream b, one of two hours ago in stream a."""
    name = f"/events/{uuid4().hex[:8]}"
    client = cloud.client("logs")
    client.create_log_group(logGroupName=name)
    for stream in ("a/1", "b/1"):
        client.create_log_stream(logGroupName=name, logStreamName=stream)
    old = {"timestamp": now - 7_200_000, "message": "old"}
    recent = [{"timestamp": now - 20_000 + 1000 * n, "message": f"INFO line {n}\n"} for n in range(12)]
    client.put_log_events(logGroupName=name, logStreamName="a/1", logEvents=[old, *recent])
    client.put_log_events(
        logGroupName=name, logStreamName="b/1", logEvents=[{"timestamp": now - 1000, "message": "ERROR last"}]
    )
    return name


def messages(cloud: Cloud, log_group: str, **options: Any) -> list[str]:
    """Return the messages that the module reads."""
    result = cloud.run("cloudwatchlogs_events_info", log_group_name=log_group, **options)
    assert not result["changed"]
    return [event["message"] for event in result["events"]]


def test_the_newest_events_come_oldest_first(cloud: Cloud, log_group: str, now: int) -> None:
    result = cloud.run("cloudwatchlogs_events_info", check=True, log_group_name=log_group, limit=3)
    assert [event["message"] for event in result["events"]] == ["INFO line 10", "INFO line 11", "ERROR last"]
    last = result["events"][-1]
    assert last["timestamp"] == now - 1000
    assert datetime.fromisoformat(last["time"]).timestamp() * 1000 == pytest.approx(now - 1000)
    assert last["log_stream_name"] == "b/1"


def test_an_hour_by_default_and_any_time_by_option(cloud: Cloud, log_group: str, now: int) -> None:
    assert "old" not in messages(cloud, log_group)
    assert messages(cloud, log_group, start_time="0")[0] == "old"
    moment = datetime.fromtimestamp((now - 5000) / 1000, tz=UTC)
    assert messages(cloud, log_group, start_time=moment.isoformat()) == ["ERROR last"]
    # A time without a zone is UTC, whatever the machine's own zone is.
    assert messages(cloud, log_group, start_time=moment.replace(tzinfo=None).isoformat()) == ["ERROR last"]
    assert messages(cloud, log_group, start_time="0", end_time=str(now - 3_600_000)) == ["old"]


def test_filter_pattern(cloud: Cloud, log_group: str) -> None:
    assert messages(cloud, log_group, filter_pattern="ERROR") == ["ERROR last"]


def test_stream_prefix_and_pages() -> None:
    # Neither emulator filters by the prefix, and neither returns pages this small: hence botocore's stub.
    client = boto3.client("logs", region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b")
    params = {"log_group_name": "/events", "log_stream_name_prefix": "b/", "filter_pattern": None}
    request = {"logGroupName": "/events", "startTime": 1, "endTime": 9, "logStreamNamePrefix": "b/"}
    pages = [[{"timestamp": n, "message": str(n), "logStreamName": "b/1"} for n in page] for page in ([1, 2], [], [3])]
    with Stubber(client) as stub:
        stub.add_response("filter_log_events", {"events": pages[0], "nextToken": "2"}, request)
        # A page without events is not the end.
        stub.add_response("filter_log_events", {"events": pages[1], "nextToken": "3"}, {**request, "nextToken": "2"})
        stub.add_response("filter_log_events", {"events": pages[2]}, {**request, "nextToken": "3"})
        retrying = RetryingBotoClientWrapper(client, aws_retry())
        events = last_events(retrying, request_for(params, 1, 9), limit=2)
        stub.assert_no_pending_responses()
    assert [event["message"] for event in events] == ["2", "3"]


def test_no_log_group_no_events(cloud: Cloud) -> None:
    assert messages(cloud, "/events/none") == []


@pytest.mark.parametrize(
    ("option", "value", "hint"),
    [("start_time", "yesterday", "ISO 8601"), ("end_time", "1e3", "ISO 8601"), ("limit", 0, "Give 1 or more")],
)
def test_bad_options_are_named(ministack: Cloud, option: str, value: Any, hint: str) -> None:
    message = ministack.run.failure("cloudwatchlogs_events_info", log_group_name="/events", **{option: value})
    assert f"{option} is {value!r}" in message
    assert hint in message
