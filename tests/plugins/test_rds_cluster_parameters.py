"""The module that sets cluster parameters, against answers as RDS documents them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from emulated_cloud import Cloud
from scripted_aws import ScriptedCloud, scripted_aws
from strict.calls import Call, Refusal

from ansible_collections.csv_to_aurora.aws.plugins.modules.rds_cluster_parameters import is_allowed, same

MODULE = "rds_cluster_parameters"
NAME, FAMILY = "customers-stage", "aurora-mysql8.0"


def parameter(name: str, value: str | None = None, **more: Any) -> dict[str, Any]:
    """Return a parameter as RDS describes one: without a value where only the engine knows it."""
    defaults = {"ApplyType": "dynamic", "AllowedValues": "", "IsModifiable": True, "Source": "engine-default"}
    return {"ParameterName": name, **({} if value is None else {"ParameterValue": value}), **defaults, **more}


TLS = parameter("tls_version", "TLSv1.2,TLSv1.3", ApplyType="static", AllowedValues="TLSv1.2,TLSv1.3", Source="system")
PARAMETERS = [
    parameter("datadir", "/rdsdbdata/db/", ApplyType="static", IsModifiable=False, Source="system"),
    parameter("long_query_time", AllowedValues="0-31536000"),
    parameter("require_secure_transport", "OFF", AllowedValues="ON,OFF", Source="system"),
    parameter("server_audit_events", AllowedValues="CONNECT,QUERY,QUERY_DCL,QUERY_DDL,QUERY_DML,TABLE"),
    TLS,
    *(parameter(f"dynamic_{number}") for number in range(25)),
]


class Rds:
    """One family, and the group where there is one."""

    def __init__(self, *, group: bool) -> None:
        """Begin with the parameters as they are by default."""
        self.group = group
        self.parameters = {one["ParameterName"]: dict(one) for one in PARAMETERS}

    def page(self, marker: str | None) -> dict[str, Any]:
        """Return a page of ten parameters, of which all but the last name the next."""
        start = int(marker or 0)
        some = list(self.parameters.values())[start : start + 10]
        return {"Parameters": some, **({"Marker": str(start + 10)} if start + 10 < len(self.parameters) else {})}

    def answer(self, call: Call) -> dict[str, Any] | Refusal:
        """Return what RDS answers."""
        marker = call.parameters.get("Marker")
        if call.operation == "DescribeEngineDefaultClusterParameters":
            assert call.parameters["DBParameterGroupFamily"] == FAMILY
            return {"EngineDefaults": {"DBParameterGroupFamily": FAMILY, **self.page(marker)}}
        assert call.parameters["DBClusterParameterGroupName"] == NAME
        if not self.group:
            return Refusal("DBParameterGroupNotFound", f"DBClusterParameterGroup not found: {NAME}")
        if call.operation == "DescribeDBClusterParameters":
            return self.page(marker)
        assert call.operation == "ModifyDBClusterParameterGroup"
        given = call.parameters["Parameters"]
        for one in given:
            static = self.parameters[one["ParameterName"]]["ApplyType"] == "static"
            if static and one["ApplyMethod"] == "immediate":
                return Refusal("InvalidParameterCombination", "cannot use immediate apply method for static parameter")
        for one in given:
            self.parameters[one["ParameterName"]]["ParameterValue"] = one["ParameterValue"]
        return {"DBClusterParameterGroupName": NAME}


@pytest.fixture
def cloud() -> Iterator[ScriptedCloud]:
    """An account with the group."""
    with scripted_aws(Rds(group=True).answer) as made:
        yield made


@pytest.fixture
def empty() -> Iterator[ScriptedCloud]:
    """An account without it."""
    with scripted_aws(Rds(group=False).answer) as made:
        yield made


def options(**parameters: str) -> dict[str, Any]:
    """Return the options of the module for some parameters."""
    return {"name": NAME, "family": FAMILY, "parameters": parameters}


def test_each_parameter_is_applied_as_its_type_takes_it_and_then_nothing_differs(cloud: ScriptedCloud) -> None:
    wanted = options(require_secure_transport="ON", tls_version="TLSv1.3", long_query_time="1")
    planned = cloud.run(MODULE, check=True, **wanted)
    assert planned["changed"]
    assert planned["current"] == {"require_secure_transport": "OFF", "tls_version": "TLSv1.2,TLSv1.3"}
    assert planned["static"] == ["tls_version"]
    assert cloud.called("ModifyDBClusterParameterGroup") == []

    assert cloud.run(MODULE, **wanted)["changed"]
    (written,) = cloud.called("ModifyDBClusterParameterGroup")
    assert {one["ParameterName"]: one["ApplyMethod"] for one in written["Parameters"]} == {
        "require_secure_transport": "immediate",
        "tls_version": "pending-reboot",
        "long_query_time": "immediate",
    }
    again = cloud.run(MODULE, **wanted)
    assert not again["changed"]
    assert again["current"] == wanted["parameters"]
    assert len(cloud.called("ModifyDBClusterParameterGroup")) == 1


def test_a_parameter_that_is_set_to_its_default_differs_in_no_run(cloud: ScriptedCloud) -> None:
    # RDS has them with the source system, not user.
    wanted = options(tls_version="TLSv1.3, TLSv1.2", require_secure_transport="OFF")
    assert not cloud.run(MODULE, **wanted)["changed"]
    assert all("Source" not in call for call in cloud.called("DescribeDBClusterParameters"))


def test_more_than_twenty_are_written_in_several_calls_and_only_what_differs(cloud: ScriptedCloud) -> None:
    many = {f"dynamic_{number}": "1" for number in range(25)}
    cloud.run(MODULE, **options(**many, tls_version="TLSv1.2,TLSv1.3"))
    calls = cloud.called("ModifyDBClusterParameterGroup")
    written = [[one["ParameterName"] for one in call["Parameters"]] for call in calls]
    assert [len(names) for names in written] == [20, 5]
    assert sorted(name for names in written for name in names) == sorted(many)


REFUSED = [
    ({"tls_versions": "TLSv1.3"}, "The family aurora-mysql8.0 has no cluster parameter tls_versions."),
    ({"datadir": "/tmp"}, "The cluster parameter datadir of the family aurora-mysql8.0 cannot be modified."),  # noqa: S108
    (
        {"tls_version": "TLSv1.1,TLSv1.2"},
        "The cluster parameter tls_version cannot be TLSv1.1,TLSv1.2: aurora-mysql8.0 allows TLSv1.2,TLSv1.3.",
    ),
]


@pytest.mark.parametrize(("parameters", "sentence"), REFUSED)
def test_what_rds_would_refuse_is_refused_before_the_first_change(
    cloud: ScriptedCloud, parameters: dict[str, str], sentence: str
) -> None:
    wanted = options(require_secure_transport="ON", **parameters)
    assert cloud.run(MODULE, check=True, **wanted)["refusals"] == [sentence]
    assert cloud.run.failure(MODULE, **wanted) == sentence
    assert cloud.called("ModifyDBClusterParameterGroup") == []


def test_before_there_is_a_group_the_family_says_the_same(empty: ScriptedCloud) -> None:
    planned = empty.run(MODULE, check=True, **options(tls_version="TLSv1.2,TLSv1.3", nothing="1"))
    assert planned["changed"]
    assert planned["current"] is None
    assert planned["static"] == ["tls_version"]
    assert planned["refusals"] == ["The family aurora-mysql8.0 has no cluster parameter nothing."]
    assert "There is no DB cluster parameter group" in empty.run.failure(MODULE, **options(tls_version="TLSv1.3"))


def test_an_endpoint_that_does_not_know_the_family_refuses_nothing_before_there_is_a_group(ministack: Cloud) -> None:
    planned = ministack.run(MODULE, check=True, **options(tls_version="TLSv1.3"))
    assert planned["changed"]
    assert (planned["current"], planned["refusals"]) == (None, [])


@pytest.mark.parametrize(
    ("value", "allowed", "expected"),
    [
        ("anything", "", True),
        ("1", "0,1", True),
        ("ON", "0,1", False),
        ("1.5", "0-31536000", True),
        ("-2", "-1-100", False),
        ("-1", "-1-100", True),
        ("7", "1,5-10", True),
        ("11", "1,5-10", False),
        ("{DBInstanceClassMemory/12582880}", "1-16000", True),
        ("CONNECT,QUERY_DDL", "CONNECT,QUERY_DCL,QUERY_DDL", True),
        ("CONNECT,EVERYTHING", "CONNECT,QUERY_DCL,QUERY_DDL", False),
    ],
)
def test_allowed_values_are_read_as_rds_lists_them(value: str, allowed: str, expected: bool) -> None:
    assert is_allowed(value, allowed) is expected


@pytest.mark.parametrize(
    ("value", "other", "expected"),
    [("1", "1.0", True), ("1", "10", False), ("a,b", "b, a", True), ("ON", "on", False), ("1", "ON", False)],
)
def test_another_spelling_is_the_same_value(value: str, other: str, expected: bool) -> None:
    assert same(value, other) is expected
