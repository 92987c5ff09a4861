"""The alarms and the dashboard of the monitoring role, and what it makes of the answers of its info modules."""

from __future__ import annotations

import copy
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from strict import values

from csv_importer import handler
from tests.filters.conftest import ROLES
from tests.filters.dashboard_rules import violations

NAME = "customers-stage"
PREFIX = f"{NAME}-database-"
TAGS = {"Project": "customers", "Environment": "stage", "ManagedBy": "ansible"}
NOTHING: dict[str, dict[str, Any]] = {"alarms": {"metric_alarms": []}, "dashboard": {"dashboard": {}}}
GIB = 1024**3
ALARM: dict[str, Any] = {
    "metric": "CPUUtilization",
    "period": 60,
    "threshold": 90,
    "minutes": 15,
    "description": "It is busy",
}
KNOWN = {
    "cpu": ALARM,
    "volume": ALARM | {"period": 300},
    "lag": ALARM | {"when": False},
    "memory": ALARM | {"threshold": None},
}
VARIABLES = yaml.safe_load((ROLES / "monitoring/vars/main.yml").read_text(encoding="utf-8"))
ROWS: list[list[dict[str, Any]]] = VARIABLES["__monitoring_rows"]


@pytest.fixture(scope="module")
def monitoring(load_filters: Callable[[str], ModuleType]) -> ModuleType:
    """Return the filters of the role."""
    return load_filters("monitoring")


def about(**changes: Any) -> dict[str, Any]:
    """Return what monitoring_dashboard is told."""
    source = {"namespace": "AWS/RDS", "dimensions": {"DBClusterIdentifier": NAME}}
    return {
        "name": NAME,
        "tags": TAGS,
        "region": "eu-west-1",
        "text": "Changes by hand\nare overwritten.",
        "alarm_arns": [
            "arn:aws:cloudwatch:eu-west-1:000000000000:alarm:b",
            "arn:aws:cloudwatch:eu-west-1:000000000000:alarm:a",
        ],
        "alarms": {"cpu": {"threshold": 90}},
        "sources": dict.fromkeys(VARIABLES["__monitoring_about"]["sources"], source),
    } | changes


# Sizes


@pytest.mark.parametrize(
    ("instance_class", "memory", "storage", "connections"),
    [
        # As in AWS' tables.
        ("db.t3.small", 2, 32, 45),
        ("db.t4g.medium", 4, 32, 90),
        ("db.t4g.large", 8, 32, 135),
        ("db.r6g.large", 16, 32, 1000),
        ("db.r6i.xlarge", 32, 80, 2000),
        ("db.r8g.4xlarge", 128, 320, 4000),
        ("db.r6g.12xlarge", 384, 960, 6000),
        ("db.r6g.16xlarge", 512, 1280, 6000),
        ("db.r5.24xlarge", 768, 1920, 7000),
        ("db.x2g.large", 32, 40, 2000),
        ("db.x2g.8xlarge", 512, 640, 6000),
        ("db.x2g.16xlarge", 1024, 1280, 7000),
    ],
)
def test_the_sizes_of_a_class(
    monitoring: ModuleType, instance_class: str, memory: int, storage: int, connections: int
) -> None:
    assert monitoring.monitoring_sizes(instance_class, max_capacity=4) == {
        "memory": memory * GIB,
        "local_storage": storage * GIB,
        "connections": connections,
    }


@pytest.mark.parametrize("region", ["eu-west-1", "us-east-1"])
def test_the_sizes_of_every_class_of_aurora_mysql_are_known(monitoring: ModuleType, region: str) -> None:
    classes = values.instance_classes(region)
    assert len(classes) > 50
    sizes = {one: monitoring.monitoring_sizes(one, max_capacity=4) for one in classes - {"db.serverless"}}
    assert [one for one, known in sorted(sizes.items()) if None in known.values()] == []


@pytest.mark.parametrize(
    ("capacity", "lowest", "memory", "connections"),
    [
        (1, 0.5, 2, 90),
        (4, 0.5, 8, 135),
        ("8", "2", 16, 1000),
        # What is between two capacities of AWS' table has at least what the smaller one has.
        (12.5, 1, 25, 1000),
        (32, 1, 64, 3000),
        (128, 2, 256, 5000),
        (128, 0.5, 256, 2000),
        (256, 0, 512, 2000),
        (256, 8, 512, 6000),
    ],
)
def test_the_sizes_of_serverless_follow_from_its_capacity(
    monitoring: ModuleType, capacity: Any, lowest: Any, memory: int, connections: int
) -> None:
    assert monitoring.monitoring_sizes("db.serverless", capacity, lowest) == {
        "memory": memory * GIB,
        "local_storage": None,
        "connections": connections,
    }


@pytest.mark.parametrize("instance_class", ["db.m9x.large", "db.r6i.metal", "db.t2.nano", "large"])
def test_the_sizes_of_another_class_are_not_known(monitoring: ModuleType, instance_class: str) -> None:
    assert set(monitoring.monitoring_sizes(instance_class).values()) == {None}


@pytest.mark.parametrize(
    ("parameter", "connections"),
    [("500", 500), (500, 500), ("{DBInstanceClassMemory/12582880}", 90), ("", 90)],
)
def test_a_parameter_that_is_a_number_is_the_number_of_connections(
    monitoring: ModuleType, parameter: Any, connections: int
) -> None:
    sizes = monitoring.monitoring_sizes("db.t4g.medium", max_connections=parameter)
    assert (sizes["connections"], sizes["memory"]) == (connections, 4 * GIB)


# Alarms


def test_minutes_become_periods_and_what_is_not_wanted_or_known_is_left_out(monitoring: ModuleType) -> None:
    before = copy.deepcopy(KNOWN)
    desired = monitoring.monitoring_alarms(KNOWN, {})
    assert {name: alarm["evaluation_periods"] for name, alarm in desired.items()} == {"cpu": 15, "volume": 3}
    assert desired["cpu"] == {
        "metric": "CPUUtilization",
        "period": 60,
        "threshold": 90,
        "description": "It is busy",
        "evaluation_periods": 15,
    }
    assert monitoring.monitoring_unknown(KNOWN, {}) == ["memory"]
    assert before == KNOWN


def test_an_environment_changes_and_disables_alarms(monitoring: ModuleType) -> None:
    settings = {
        "cpu": {"threshold": 80.5, "minutes": 30},
        "volume": {"enabled": False},
        "memory": {"threshold": 1000, "enabled": True},
        # Nothing makes an alarm wanted whose metric does not exist.
        "lag": {"enabled": True, "threshold": 1},
    }
    desired = monitoring.monitoring_alarms(KNOWN, settings)
    assert sorted(desired) == ["cpu", "memory"]
    assert (desired["cpu"]["threshold"], desired["cpu"]["evaluation_periods"]) == (80.5, 30)
    assert desired["memory"]["threshold"] == 1000
    assert monitoring.monitoring_unknown(KNOWN, settings) == []
    assert monitoring.monitoring_unknown(KNOWN, {"memory": {"enabled": False}}) == []


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"cup": {"threshold": 1}}, "'cup', which is no alarm. There are cpu, lag, memory, volume."),
        ({"cpu": 80}, "'cpu' takes threshold, minutes and enabled, as a mapping"),
        ({"cpu": {"treshold": 80}}, "'cpu' takes threshold, minutes and enabled, as a mapping"),
        ({"cpu": {"threshold": "80"}}, "the threshold of 'cpu' is '80'"),
        ({"cpu": {"threshold": True}}, "the threshold of 'cpu' is True"),
        ({"cpu": {"minutes": 0}}, "the minutes of 'cpu' are 0, which is not a whole number from 1 to 1440"),
        ({"cpu": {"minutes": 1441}}, "the minutes of 'cpu' are 1441"),
        ({"cpu": {"minutes": 1.5}}, "the minutes of 'cpu' are 1.5"),
        ({"volume": {"minutes": 7}}, "the minutes of 'volume' are 7, which is not a multiple of 5 up to 1440"),
        ({"cpu": {"enabled": "no"}}, "enabled of 'cpu' is 'no'"),
    ],
)
def test_a_setting_that_is_none_is_refused_by_name(monitoring: ModuleType, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(AnsibleFilterError) as refused:
        monitoring.monitoring_alarms(KNOWN, settings)
    assert said in str(refused.value)
    assert "monitoring_alarms in the inventory's group_vars" in str(refused.value)


def test_every_description_says_what_to_do_and_fits() -> None:
    for name, alarm in VARIABLES["__monitoring_alarms_known"].items():
        # The threshold may be another one, and is in each notification.
        assert "threshold" not in alarm["description"], name
        assert 100 < len(alarm["description"].replace("{{ monitoring_name }}", "x" * 60)) <= 1024, name


# The dashboard


def test_the_dashboard_is_one_that_cloudwatch_takes(monitoring: ModuleType) -> None:
    body = monitoring.monitoring_dashboard(ROWS, about())
    assert violations(body) == []
    assert len(body["widgets"]) == 2 + sum(len(row) for row in ROWS)


def test_the_rules_find_what_cloudwatch_refuses(monitoring: ModuleType) -> None:
    def broken(change: Callable[[list[dict[str, Any]]], Any]) -> list[str]:
        body = copy.deepcopy(monitoring.monitoring_dashboard(ROWS, about()))
        change(body["widgets"])
        return violations(body)

    assert broken(lambda widgets: widgets[0].update(width=25))
    assert broken(lambda widgets: widgets[3].update(x=20))
    assert broken(lambda widgets: widgets[3].update(y=widgets[2]["y"], x=widgets[2]["x"]))
    assert broken(lambda widgets: widgets.extend(widgets[:1] * 500))
    assert broken(lambda widgets: widgets[1]["properties"].update(alarms=[]))
    assert broken(lambda widgets: widgets[1]["properties"].update(alarms=["name"]))
    assert broken(lambda widgets: widgets[2]["properties"].pop("region"))
    assert broken(lambda widgets: widgets[2]["properties"].update(stat="Total"))
    assert broken(lambda widgets: widgets[2]["properties"].update(period=90))
    assert broken(lambda widgets: widgets[2]["properties"]["metrics"][0].insert(2, "service"))
    assert broken(lambda widgets: widgets[2]["properties"]["metrics"][0].append("service"))
    assert broken(lambda widgets: widgets[2]["properties"]["metrics"][0].append({"colour": "#fff"}))


def test_widgets_share_the_width_of_their_row(monitoring: ModuleType) -> None:
    widgets = monitoring.monitoring_dashboard(ROWS, about())["widgets"]
    for top in {widget["y"] for widget in widgets}:
        assert sum(widget["width"] for widget in widgets if widget["y"] == top) == 24


def test_a_graph_shows_the_threshold_of_its_alarm_where_there_is_one(monitoring: ModuleType) -> None:
    def lines(alarms: dict[str, Any]) -> dict[str, float]:
        widgets = monitoring.monitoring_dashboard(ROWS, about(alarms=alarms))["widgets"]
        return {
            widget["properties"]["metrics"][0][1]: line["value"]
            for widget in widgets
            for line in widget["properties"].get("annotations", {}).get("horizontal", [])
        }

    assert lines({"cpu": {"threshold": 90}}) == {"CPUUtilization": 90}
    assert lines({}) == {}


def test_the_graphs_name_alarms_and_sources_of_the_role() -> None:
    graphs = [graph for row in ROWS for graph in row]
    assert {graph["alarm"] for graph in graphs if "alarm" in graph} <= set(VARIABLES["__monitoring_alarms_known"])
    used = {metric["of"] for graph in graphs for metric in graph["metrics"]}
    assert used == set(VARIABLES["__monitoring_about"]["sources"])


def test_the_dashboard_shows_metrics_that_the_function_reports() -> None:
    shown = {
        metric["name"] for row in ROWS for graph in row for metric in graph["metrics"] if metric["of"] == "importer"
    }
    # Its duration is that of an import, and a graph shows that of an invocation.
    assert shown == handler._UNITS.keys() - {"Duration"}


def test_the_dashboard_shows_every_alarm_of_the_importer() -> None:
    """The names are set, and not those that exist: a missing alarm is no other dashboard."""
    shown = yaml.safe_load((ROLES.parent / "group_vars/all/roles.yml").read_text(encoding="utf-8"))
    alarms = yaml.safe_load((ROLES / "importer/vars/main.yml").read_text(encoding="utf-8"))
    assert shown["stack_importer_alarms"] == sorted(alarms["__importer_alarms"])
    assert shown["stack_importer_check_alarms"] == sorted(alarms["__importer_check_alarms"])


def test_alarms_are_in_the_same_order_whatever_the_order_of_their_names(monitoring: ModuleType) -> None:
    arns = about()["alarm_arns"]
    one, other = (monitoring.monitoring_dashboard(ROWS, about(alarm_arns=names)) for names in (arns, arns[::-1]))
    assert one == other


# What there is


def found(monitoring: ModuleType, body: Any, tags: dict[str, str] | None = None) -> dict[str, Any]:
    """Return the current state of a dashboard with this body."""
    dashboard = {"name": NAME, "arn": f"arn:aws:cloudwatch::000000000000:dashboard/{NAME}", "body": body}
    gathered = NOTHING | {"dashboard": {"dashboard": dashboard}}
    current: dict[str, Any] = monitoring.monitoring_current(gathered, PREFIX, tags or TAGS)["dashboard"]
    return current


def test_nothing_is_empty(monitoring: ModuleType) -> None:
    assert monitoring.monitoring_current(NOTHING, PREFIX, TAGS) == {"alarms": {}, "dashboard": {}}
    assert monitoring.monitoring_outputs(NOTHING, "https://console/") == {
        "alarm_names": [],
        "dashboard_name": None,
        "dashboard_url": None,
    }


def test_a_dashboard_is_recognised_by_its_text(monitoring: ModuleType) -> None:
    body = monitoring.monitoring_dashboard(ROWS, about())
    assert found(monitoring, body) == {"body": body, "managed": True}
    # Moved to the end by hand.
    body["widgets"].reverse()
    assert found(monitoring, body)["managed"]


@pytest.mark.parametrize(
    "tags", [{}, TAGS | {"Environment": "stag"}, TAGS | {"Environment": "stage2"}, TAGS | {"Project": "customer"}]
)
def test_a_dashboard_of_another_stack_is_foreign(monitoring: ModuleType, tags: dict[str, str]) -> None:
    body = monitoring.monitoring_dashboard(ROWS, about(tags=tags))
    assert not found(monitoring, body)["managed"]


@pytest.mark.parametrize(
    "body",
    [
        {"widgets": []},
        {},
        {"widgets": None},
        {"widgets": [{"type": "text", "properties": {"markdown": "# customers-stage"}}, {"type": "metric"}]},
        "no JSON",
        ["widgets"],
    ],
)
def test_a_dashboard_without_the_text_is_foreign(monitoring: ModuleType, body: Any) -> None:
    assert found(monitoring, body) == {"body": body, "managed": False}


def test_alarms_and_outputs(monitoring: ModuleType) -> None:
    gathered = {
        "alarms": {
            "metric_alarms": [{"alarm_name": f"{PREFIX}memory"}, {"alarm_name": f"{PREFIX}cpu", "threshold": 90.0}]
        },
        "dashboard": {"dashboard": {"name": NAME, "arn": "arn", "body": {"widgets": []}}},
    }
    current = monitoring.monitoring_current(gathered, PREFIX, TAGS)
    assert sorted(current["alarms"]) == ["cpu", "memory"]
    assert current["alarms"]["cpu"]["threshold"] == 90
    assert monitoring.monitoring_outputs(gathered, "https://console/#dashboards/dashboard/") == {
        "alarm_names": [f"{PREFIX}cpu", f"{PREFIX}memory"],
        "dashboard_name": NAME,
        "dashboard_url": f"https://console/#dashboards/dashboard/{NAME}",
    }
    assert monitoring.monitoring_outputs(gathered, "")["dashboard_url"] is None
