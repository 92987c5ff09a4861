"""The module that describes an EventBridge rule."""

from __future__ import annotations

from uuid import uuid4

from emulated_cloud import Cloud


def test_a_rule_is_described_and_one_that_is_not_there_is_empty(cloud: Cloud) -> None:
    name = f"rule-{uuid4().hex[:8]}"
    client = cloud.client("events")
    assert cloud.run("cloudwatchevent_rule_info", name=name)["rule"] == {}
    arn = client.put_rule(Name=name, ScheduleExpression="rate(5 minutes)")["RuleArn"]
    bare = cloud.run("cloudwatchevent_rule_info", name=name)["rule"]
    assert bare == {
        "arn": arn,
        "description": "",
        "schedule_expression": "rate(5 minutes)",
        "state": "ENABLED",
        "targets": [],
    }
    function = "arn:aws:lambda:eu-west-1:123456789012:function:f"
    client.put_targets(Rule=name, Targets=[{"Id": "f", "Arn": function, "Input": '{"check": true}'}])
    client.disable_rule(Name=name)
    rule = cloud.run("cloudwatchevent_rule_info", check=True, name=name)["rule"]
    assert rule["state"] == "DISABLED"
    assert rule["targets"] == [{"id": "f", "arn": function, "input": '{"check": true}'}]
