"""What AWS documents of a dashboard's body, as a JSON Schema and a rule that no schema can say.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

from jsonschema import Draft202012Validator

COLUMNS = 24


def _closed(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": False}


TEXT = {"type": "string"}
AXIS = _closed([], min={"type": "number"}, max={"type": "number"}, label=TEXT, showUnits={"type": "boolean"})
STATISTIC = {
    "type": "string",
    "pattern": r"^(SampleCount|Average|Sum|Minimum|Maximum|IQM|(p|tm|wm|tc|ts)\d{1,2}(\.\d+)?)$",
}
PERIOD = {"anyOf": [{"enum": [1, 5, 10, 30]}, {"type": "integer", "minimum": 60, "multipleOf": 60}]}
COLOR = {"type": "string", "pattern": "^#[0-9a-fA-F]{3}([0-9a-fA-F]{3})?$"}
RENDERING = _closed(
    [],
    accountId=TEXT,
    color=COLOR,
    expression=TEXT,
    id={"type": "string", "pattern": "^[a-z][a-zA-Z0-9_]*$"},
    label=TEXT,
    period=PERIOD,
    region=TEXT,
    stat=STATISTIC,
    visible={"type": "boolean"},
    yAxis={"enum": ["left", "right"]},
)
# Namespace, name, then pairs of dimension and value, at most 30, then how it is drawn.
METRIC = {
    "type": "array",
    "minItems": 2,
    "maxItems": 2 + 2 * 30 + 1,
    "prefixItems": [
        {"type": "string", "minLength": 1, "maxLength": 255},
        {"type": "string", "minLength": 1, "maxLength": 255},
    ],
    "items": {"anyOf": [{"type": "string", "minLength": 1, "maxLength": 1024}, RENDERING]},
}
LINE = _closed(
    ["value"],
    value={"type": "number"},
    label=TEXT,
    color=COLOR,
    visible={"type": "boolean"},
    yAxis={"enum": ["left", "right"]},
)
GRAPH = _closed(
    ["region", "metrics"],
    accountId=TEXT,
    annotations=_closed([], horizontal={"type": "array", "items": LINE}, vertical={"type": "array"}),
    legend=_closed([], position={"enum": ["right", "bottom", "hidden"]}),
    liveData={"type": "boolean"},
    metrics={"type": "array", "minItems": 1, "maxItems": 500, "items": METRIC},
    period=PERIOD,
    region=TEXT,
    stacked={"type": "boolean"},
    stat=STATISTIC,
    title=TEXT,
    view={"enum": ["timeSeries", "singleValue", "gauge", "bar", "pie", "table"]},
    yAxis=_closed([], left=AXIS, right=AXIS),
)
ALARMS = _closed(
    ["alarms"],
    alarms={
        "type": "array",
        "minItems": 1,
        "maxItems": 100,
        "uniqueItems": True,
        "items": {"type": "string", "pattern": r"^arn:aws:cloudwatch:[a-z0-9-]+:\d{12}:alarm:\S+$"},
    },
    sortBy={"enum": ["default", "stateUpdatedTimestamp", "timestamp"]},
    states={"type": "array", "items": {"enum": ["ALARM", "INSUFFICIENT_DATA", "OK"]}},
    title=TEXT,
)
MARKDOWN = _closed(["markdown"], markdown=TEXT, background={"enum": ["transparent", "solid"]})


def _widget(kind: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    return _closed(
        ["type", "properties"],
        type={"const": kind},
        x={"type": "integer", "minimum": 0, "maximum": COLUMNS - 1},
        y={"type": "integer", "minimum": 0},
        width={"type": "integer", "minimum": 1, "maximum": COLUMNS},
        height={"type": "integer", "minimum": 1, "maximum": 1000},
        properties=properties,
    )


SCHEMA = _closed(
    ["widgets"],
    widgets={
        "type": "array",
        "maxItems": 500,
        "items": {"oneOf": [_widget("metric", GRAPH), _widget("alarm", ALARMS), _widget("text", MARKDOWN)]},
    },
    start=TEXT,
    end=TEXT,
    periodOverride={"enum": ["auto", "inherit"]},
)
"""Of the kinds of widgets those that this project uses."""


def _overlap(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(
        one[start] < other[start] + other[length] and other[start] < one[start] + one[length]
        for start, length in (("x", "width"), ("y", "height"))
    )


def violations(body: Mapping[str, Any]) -> list[str]:
    """Return what CloudWatch would refuse of a body, or show otherwise than it is written."""
    found = [
        f"{error.json_path}: {error.message}"
        for outer in Draft202012Validator(SCHEMA).iter_errors(body)
        for error in [outer, *(outer.context or [])]
    ]
    if found:
        return found
    widgets = body["widgets"]
    found += [f"{one} is wider than the grid" for one in widgets if one["x"] + one["width"] > COLUMNS]
    found += [f"{one} covers {other}" for one, other in combinations(widgets, 2) if _overlap(one, other)]
    for widget in widgets:
        for metric in widget["properties"].get("metrics", []):
            dimensions = [part for part in metric[2:] if isinstance(part, str)]
            if len(dimensions) % 2 or any(isinstance(part, dict) for part in metric[:-1]):
                found.append(f"{metric} is not a metric with pairs of dimensions, and how it is drawn last")
    return found
