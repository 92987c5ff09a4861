"""The modules for CloudWatch dashboards."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import boto3
import pytest
from ansible_collections.amazon.aws.plugins.module_utils.retries import RetryingBotoClientWrapper
from botocore.stub import Stubber
from emulated_cloud import Cloud

from ansible_collections.csv_to_aurora.aws.plugins.module_utils.common import aws_retry
from ansible_collections.csv_to_aurora.aws.plugins.modules.cloudwatch_dashboard import put

TEXT = {"type": "text", "x": 0, "y": 0, "width": 24, "height": 2, "properties": {"markdown": "# Größe & <more>"}}
GRAPH = {
    "type": "metric",
    "width": 12,
    "height": 6,
    "properties": {"region": "eu-west-1", "metrics": [["AWS/Lambda", "Errors", "FunctionName", "f", {"stat": "Sum"}]]},
}
BODY: dict[str, Any] = {"widgets": [TEXT, GRAPH]}


@pytest.fixture
def name() -> str:
    """The name of a dashboard that does not exist."""
    return f"dashboard-{uuid4().hex[:8]}"


def stored(cloud: Cloud, name: str) -> dict[str, Any]:
    """Return the body that CloudWatch has."""
    found: dict[str, Any] = json.loads(cloud.client("cloudwatch").get_dashboard(DashboardName=name)["DashboardBody"])
    return found


def names(cloud: Cloud) -> set[str]:
    """Return the names of all dashboards."""
    entries = cloud.client("cloudwatch").list_dashboards().get("DashboardEntries", [])
    return {entry["DashboardName"] for entry in entries}


def test_a_dashboard_through_its_life(cloud: Cloud, name: str) -> None:
    planned = cloud.run("cloudwatch_dashboard", check=True, name=name, body=BODY)
    assert planned["changed"]
    assert planned["diff"]["after"] == {"body": BODY}
    assert planned["dashboard_arn"] is None
    assert name not in names(cloud)

    created = cloud.run("cloudwatch_dashboard", name=name, body=BODY)
    assert created["changed"]
    assert created["dashboard_arn"].endswith(f":dashboard/{name}")
    assert stored(cloud, name) == BODY
    assert not cloud.run("cloudwatch_dashboard", name=name, body=BODY)["changed"]

    less = {"widgets": [GRAPH]}
    assert cloud.run("cloudwatch_dashboard", check=True, name=name, body=less)["changed"]
    assert stored(cloud, name) == BODY
    updated = cloud.run("cloudwatch_dashboard", name=name, body=less)
    assert updated["changed"]
    assert updated["diff"]["before"] == {"body": BODY}
    assert stored(cloud, name) == less

    assert cloud.run("cloudwatch_dashboard", check=True, name=name, state="absent")["changed"]
    assert name in names(cloud)
    deleted = cloud.run("cloudwatch_dashboard", name=name, state="absent")
    assert (deleted["changed"], deleted["dashboard_arn"]) == (True, None)
    assert name not in names(cloud)
    assert not cloud.run("cloudwatch_dashboard", name=name, state="absent")["changed"]


def test_the_same_body_written_otherwise_is_no_change(cloud: Cloud, name: str) -> None:
    """As the console writes it: other white space, keys in another order, escapes, 12.0 for 12."""
    turned = json.dumps({"widgets": [dict(reversed(TEXT.items())), {**GRAPH, "width": 12.0}]}, indent=4)
    cloud.client("cloudwatch").put_dashboard(DashboardName=name, DashboardBody=turned)
    assert not cloud.run("cloudwatch_dashboard", name=name, body=BODY)["changed"]
    moved = {"widgets": [GRAPH, TEXT]}
    assert cloud.run("cloudwatch_dashboard", name=name, body=moved)["changed"]


def test_a_dashboard_is_described_and_one_that_is_not_there_is_empty(cloud: Cloud, name: str) -> None:
    assert cloud.run("cloudwatch_dashboard_info", name=name)["dashboard"] == {}
    cloud.client("cloudwatch").put_dashboard(DashboardName=name, DashboardBody=json.dumps(BODY))
    found = cloud.run("cloudwatch_dashboard_info", check=True, name=name)
    assert not found["changed"]
    assert found["dashboard"]["arn"].endswith(f":dashboard/{name}")
    assert found["dashboard"] == {"name": name, "arn": found["dashboard"]["arn"], "body": BODY}


def test_a_body_is_required_for_a_dashboard_that_should_exist(cloud: Cloud, name: str) -> None:
    assert "body" in cloud.run.failure("cloudwatch_dashboard", name=name)


def test_a_body_that_is_no_json_is_replaced(ministack: Cloud, name: str) -> None:
    # moto refuses it, as CloudWatch does.
    ministack.client("cloudwatch").put_dashboard(DashboardName=name, DashboardBody="none")
    assert ministack.run("cloudwatch_dashboard_info", name=name)["dashboard"]["body"] == "none"
    assert ministack.run("cloudwatch_dashboard", name=name, body=BODY)["changed"]
    assert stored(ministack, name) == BODY


def test_what_cloudwatch_says_about_an_accepted_body_is_returned() -> None:
    # No emulator checks bodies: hence botocore's stub.
    client = boto3.client("cloudwatch", region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b")
    said = {"DataPath": "/widgets/0/properties/title", "Message": "Should be a string"}
    with Stubber(client) as stub:
        stub.add_response(
            "put_dashboard",
            {"DashboardValidationMessages": [said]},
            {"DashboardName": "d", "DashboardBody": '{"widgets": []}'},
        )
        found = put(RetryingBotoClientWrapper(client, aws_retry()), "d", {"widgets": []})
        stub.assert_no_pending_responses()
    assert found == ["Should be a string (/widgets/0/properties/title)"]
