"""The role monitoring on an emulator: which alarms an environment has, and whose dashboard is left alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from emulated_cloud import Cloud
from playbook_runner import PROJECT, run_playbook

from tests import servers
from tests.filters.dashboard_rules import violations

GIB = 1024**3
FOREIGN = json.dumps({"widgets": [{"type": "text", "properties": {"markdown": "# Sales"}}]})


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """An emulator for these tests."""
    with servers.moto(tmp_path_factory.mktemp("moto")) as url:
        yield Cloud("moto", url)


class Monitoring:
    """One stack's monitoring."""

    def __init__(self, cloud: Cloud, folder: Path) -> None:
        """Have a name that no other stack of the emulator has; the playbooks are in ``folder``."""
        self.cloudwatch = cloud.client("cloudwatch")
        self.name = f"stack-{uuid4().hex[:8]}"
        self.folder, self.connection = folder, cloud.connection

    def run(self, *arguments: str, state: str = "present", **variables: Any) -> tuple[int, str]:
        """Run the role, and return its exit code with what it said in one line."""
        settings = {
            "monitoring_state": state,
            "monitoring_name": self.name,
            "monitoring_tags": {"Project": "customers", "Environment": self.name},
            "monitoring_account_id": "123456789012",
            "monitoring_region": "eu-west-1",
            **variables,
        }
        play = {
            "hosts": "localhost",
            "gather_facts": False,
            "module_defaults": {"group/csv_to_aurora.aws.aws": self.connection},
            "tasks": [{"ansible.builtin.include_role": {"name": "monitoring"}, "vars": settings}],
        }
        playbook = self.folder / "monitoring.yml"
        playbook.write_text(json.dumps([play]))
        roles = self.folder / "roles"
        if not roles.exists():
            roles.symlink_to(PROJECT / "roles")
        result = run_playbook(playbook, *arguments)
        return result.returncode, " ".join((result.stdout + result.stderr).split())

    def alarms(self) -> dict[str, dict[str, Any]]:
        """Return the alarms of the database by what follows the prefix in their names."""
        prefix = f"{self.name}-database-"
        found = self.cloudwatch.describe_alarms(AlarmNamePrefix=prefix)["MetricAlarms"]
        return {alarm["AlarmName"].removeprefix(prefix): alarm for alarm in found}

    def dashboard(self) -> str | None:
        """Return the body of the dashboard, None where there is none."""
        entries = self.cloudwatch.list_dashboards(DashboardNamePrefix=self.name).get("DashboardEntries", [])
        return self.cloudwatch.get_dashboard(DashboardName=self.name)["DashboardBody"] if entries else None


@pytest.fixture
def monitoring(moto: Cloud, tmp_path: Path) -> Monitoring:
    """The monitoring of a stack that has none yet."""
    return Monitoring(moto, tmp_path)


def test_alarms_and_thresholds_follow_the_instances_and_the_settings(monitoring: Monitoring) -> None:
    topic = "arn:aws:sns:eu-west-1:123456789012:topic"
    code, said = monitoring.run(
        monitoring_instance_class="db.r6g.large", monitoring_instance_count=2, monitoring_alarm_actions=[topic]
    )
    assert code == 0, said
    alarms = monitoring.alarms()
    assert {name: (one["ComparisonOperator"][:4], one["Threshold"]) for name, one in alarms.items()} == {
        "connections": ("Grea", 900),
        "cpu": ("Grea", 90),
        "deadlocks": ("Grea", 0.2),
        "local-storage": ("Less", int(32 * GIB * 0.1)),
        "memory": ("Less", int(16 * GIB * 0.05)),
        "replica-lag": ("Grea", 10000),
        "volume": ("Less", 12 * 1024**4),
    }
    for name, alarm in alarms.items():
        assert alarm["Dimensions"] == [{"Name": "DBClusterIdentifier", "Value": monitoring.name}], name
        assert (alarm["TreatMissingData"], alarm["AlarmActions"]) == ("notBreaching", [topic]), name
        assert (alarm["OKActions"], alarm["InsufficientDataActions"]) == ([topic], []), name
        assert alarm["Period"] * alarm["EvaluationPeriods"] >= 300, name

    code, said = monitoring.run(
        monitoring_instance_class="db.serverless",
        monitoring_serverless_max_capacity=16,
        monitoring_alarms={"cpu": {"threshold": 70, "minutes": 45}, "deadlocks": {"enabled": False}},
    )
    assert code == 0, said
    alarms = monitoring.alarms()
    assert sorted(alarms) == ["acu", "connections", "cpu", "memory", "volume"]
    assert (alarms["cpu"]["Threshold"], alarms["cpu"]["EvaluationPeriods"]) == (70, 45)
    assert (alarms["connections"]["Threshold"], alarms["memory"]["Threshold"]) == (1800, int(32 * GIB * 0.05))

    code, said = monitoring.run(state="absent")
    assert code == 0, said
    assert (monitoring.alarms(), monitoring.dashboard()) == ({}, None)


def test_alarms_of_a_class_that_is_not_known_are_left_out_with_a_warning(monitoring: Monitoring) -> None:
    settings = {"memory": {"threshold": 1e9}}
    code, said = monitoring.run(monitoring_instance_class="db.m9x.large", monitoring_alarms=settings)
    assert code == 0, said
    assert (
        "db.m9x.large are not known, and the alarms that follow from them are left out: connections, local-storage"
        in said
    )
    assert sorted(monitoring.alarms()) == ["cpu", "deadlocks", "memory", "volume"]
    assert monitoring.alarms()["memory"]["Threshold"] == 1e9


def test_a_setting_for_no_alarm_is_refused_before_anything_is_written(monitoring: Monitoring) -> None:
    code, said = monitoring.run(monitoring_alarms={"cup": {"threshold": 1}})
    assert code != 0
    assert "monitoring_alarms in the inventory's group_vars has 'cup', which is no alarm" in said
    assert (monitoring.alarms(), monitoring.dashboard()) == ({}, None)


def test_the_dashboard_shows_all_alarms_and_is_one_that_cloudwatch_takes(monitoring: Monitoring) -> None:
    code, said = monitoring.run(monitoring_other_alarms=["other-alarm"])
    assert code == 0, said
    body = json.loads(monitoring.dashboard() or "")
    assert violations(body) == []
    shown = [arn for widget in body["widgets"] for arn in widget["properties"].get("alarms", [])]
    names = ["other-alarm", *(f"{monitoring.name}-database-{name}" for name in monitoring.alarms())]
    assert sorted(arn.rpartition(":")[2] for arn in shown) == sorted(names)
    function = ["AWS/Lambda", "Errors", "FunctionName", f"{monitoring.name}-importer"]
    metrics = [metric[:4] for widget in body["widgets"] for metric in widget["properties"].get("metrics", [])]
    assert function in metrics
    assert ["CsvToAurora", "RowsLoaded", "service", monitoring.name] in metrics


@pytest.mark.parametrize("state", ["present", "absent"])
def test_a_foreign_dashboard_of_the_same_name_is_kept(monitoring: Monitoring, state: str) -> None:
    monitoring.cloudwatch.put_dashboard(DashboardName=monitoring.name, DashboardBody=FOREIGN)
    code, said = monitoring.run(state=state)
    assert code != 0
    assert f"aws cloudwatch delete-dashboards --dashboard-names {monitoring.name}" in said
    assert monitoring.dashboard() == FOREIGN
    # A plan names the change, and says that a run refuses it.
    code, said = monitoring.run("--check", state=state)
    assert "delete-dashboards" in said
    assert monitoring.dashboard() == FOREIGN


def test_alarms_of_others_whose_names_begin_like_the_roles_are_kept(monitoring: Monitoring) -> None:
    other = f"{monitoring.name}-database-b-database-cpu"
    monitoring.cloudwatch.put_metric_alarm(
        AlarmName=other,
        Namespace="AWS/RDS",
        MetricName="CPUUtilization",
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=1,
        ComparisonOperator="GreaterThanThreshold",
        Threshold=1,
    )
    for state in ("present", "absent"):
        code, said = monitoring.run(state=state)
        assert code == 0, said
    assert [*monitoring.alarms()] == ["b-database-cpu"]
