"""What the database role makes of the answers of its info modules, and what it writes into secrets."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

NAME = "customers-stage"
TAGS = {"Project": "customers", "Environment": "stage", "ManagedBy": "ansible"}
PASSWORD = "correct-horse-battery"

# What the modules answer where nothing exists.
NOTHING: dict[str, dict[str, Any]] = {
    "cluster": {"clusters": []},
    "instances": {"instances": []},
    "named_instances": {"instances": []},
    "parameter_group": {"db_cluster_parameter_groups": []},
    "parameters": {"current": None, "refusals": []},
    "subnet_group": {"subnet_group": None},
    "log_groups": {"log_groups": []},
    "secrets": {"secrets": []},
}

CLUSTER: dict[str, Any] = {
    "db_cluster_identifier": NAME,
    "db_cluster_arn": f"arn:aws:rds:eu-west-1:000000000000:cluster:{NAME}",
    "db_cluster_resource_id": "cluster-ABC",
    "status": "available",
    "endpoint": "writer.example.com",
    "reader_endpoint": "reader.example.com",
    "port": 3306,
    "engine_version": "8.0.mysql_aurora.3.10.0",
    "master_username": "stackadmin",
    "storage_encrypted": True,
    "vpc_security_groups": [
        {"vpc_security_group_id": "sg-2", "status": "active"},
        {"vpc_security_group_id": "sg-1", "status": "active"},
    ],
    "db_cluster_parameter_group": NAME,
    "backup_retention_period": 7,
    "deletion_protection": True,
    "iam_database_authentication_enabled": True,
    "copy_tags_to_snapshot": True,
    "enabled_cloudwatch_logs_exports": ["error", "audit"],
    "serverless_v2_scaling_configuration": {"min_capacity": 0.5, "max_capacity": 4.0},
    "tags": TAGS,
}

CLUSTER_STATE: dict[str, Any] = {
    "tags": TAGS,
    "running": True,
    "engine_version": "8.0",
    "master_username": "stackadmin",
    "storage_encrypted": True,
    "security_group_ids": ["sg-1", "sg-2"],
    "parameter_group": NAME,
    "backup_retention_days": 7,
    "deletion_protection": True,
    "iam_authentication": True,
    "copy_tags_to_snapshot": True,
    "log_exports": ["audit", "error"],
    "port": 3306,
    "min_capacity": 0.5,
    "max_capacity": 4.0,
}


def instance(number: int, status: str = "available", **more: Any) -> dict[str, Any]:
    """Return a DB instance as its info module has it."""
    return {
        "db_instance_identifier": f"{NAME}-{number}",
        "db_instance_class": "db.t4g.medium",
        "db_instance_status": status,
        "db_cluster_identifier": NAME,
        "auto_minor_version_upgrade": True,
        "tags": TAGS,
        **more,
    }


INSTANCE_STATE = {
    "tags": TAGS,
    "cluster": NAME,
    "instance_class": "db.t4g.medium",
    "auto_minor_version_upgrade": True,
    "publicly_accessible": False,
    "performance_insights": False,
}


def secret(key: str, deleted_date: str | None = None) -> dict[str, Any]:
    """Return a secret as its info module has it."""
    return {
        "name": f"{NAME}/{key}",
        "arn": f"arn:{key}",
        "description": key,
        "tags": TAGS,
        "deleted_date": deleted_date,
        "rotation_enabled": False,
    }


# What the role says about its secrets.
SECRETS: dict[str, dict[str, Any]] = {
    "administrator": {
        "name": f"{NAME}/administrator",
        "description": "Administrator",
        "password_key": "password",
        "content": {"engine": "mysql", "host": None, "username": "stackadmin", "password": None},
    },
    "importer": {
        "name": f"{NAME}/importer",
        "description": "Importer",
        "password_key": "rds_password",
        "content": {"rds_port": 3306, "rds_password": None, "rds_db": "challenge"},
    },
}


@pytest.fixture(scope="module")
def filters(load_filters: Callable[[str], ModuleType]) -> ModuleType:
    """The filters of the role."""
    return load_filters("database")


@pytest.fixture(scope="module")
def current(filters: ModuleType) -> Callable[..., dict[str, Any]]:
    """The current state from the answers of some modules; the others found nothing."""

    def of(version: str = "8.0", **answers: Any) -> dict[str, Any]:
        found: dict[str, Any] = filters.database_current(NOTHING | answers, version)
        return found

    return of


def clusters(**changes: Any) -> dict[str, Any]:
    """Return the answer about the cluster, with changes."""
    return {"clusters": [CLUSTER | changes]}


def test_nothing_is_nothing(filters: ModuleType, current: Callable[..., dict[str, Any]]) -> None:
    assert not any(current().values())
    outputs = filters.database_outputs(NOTHING, {"schema_name": "challenge"})
    assert not any(outputs.values())
    assert outputs["schema_name"] is None
    assert outputs["instance_ids"] == outputs["pending_reboot"] == outputs["log_group_names"] == []


def test_cluster_in_the_fields_that_the_role_compares(current: Callable[..., dict[str, Any]]) -> None:
    assert current(cluster=clusters())["cluster"] == CLUSTER_STATE


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("8.0", "8.0"),
        ("8.0.mysql_aurora.3.10.0", "8.0.mysql_aurora.3.10.0"),
        # AWS upgrades minor versions, and cannot downgrade.
        ("8.0.mysql_aurora.3.08.0", "8.0.mysql_aurora.3.08.0"),
        ("8.0.mysql_aurora.3.9.2", "8.0.mysql_aurora.3.9.2"),
        # An upgrade.
        ("8.0.mysql_aurora.3.10.1", "8.0.mysql_aurora.3.10.0"),
        ("8.0.mysql_aurora.3.11.0", "8.0.mysql_aurora.3.10.0"),
        # Another major version, older or newer.
        ("8.4", "8.0.mysql_aurora.3.10.0"),
        ("5.7", "8.0.mysql_aurora.3.10.0"),
    ],
)
def test_version_is_the_desired_one_unless_it_is_older(
    current: Callable[..., dict[str, Any]], version: str, expected: str
) -> None:
    assert current(version, cluster=clusters())["cluster"]["engine_version"] == expected


def test_what_aws_assigns_is_not_compared(current: Callable[..., dict[str, Any]]) -> None:
    # As DescribeDBClusters answers on AWS: https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DBCluster.html
    assigned = {
        "storage_type": "aurora",
        "preferred_backup_window": "04:12-04:42",
        "preferred_maintenance_window": "tue:01:07-tue:01:37",
        "ca_certificate_identifier": "rds-ca-rsa2048-g1",
        "performance_insights_enabled": False,
        "pending_modified_values": {},
        "serverless_v2_scaling_configuration": {
            "min_capacity": 0.5,
            "max_capacity": 4.0,
            "seconds_until_auto_pause": 300,
        },
        "db_cluster_members": [
            {"db_instance_identifier": f"{NAME}-1", "db_cluster_parameter_group_status": "in-sync"},
            {"db_instance_identifier": f"{NAME}-2", "db_cluster_parameter_group_status": "pending-reboot"},
        ],
    }
    assert current(cluster=clusters(**assigned))["cluster"] == CLUSTER_STATE


def test_what_rds_has_accepted_and_not_applied_yet_is_not_ordered_again(
    current: Callable[..., dict[str, Any]],
) -> None:
    # https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ClusterPendingModifiedValues.html
    pending = {
        "engine_version": "8.0.mysql_aurora.3.10.1",
        "backup_retention_period": 14,
        "iam_database_authentication_enabled": False,
        "pending_cloudwatch_logs_exports": {"log_types_to_enable": ["slowquery"], "log_types_to_disable": ["error"]},
        "storage_type": None,
    }
    state = current("8.0.mysql_aurora.3.10.1", cluster=clusters(pending_modified_values=pending))["cluster"]
    assert state == CLUSTER_STATE | {
        "engine_version": "8.0.mysql_aurora.3.10.1",
        "backup_retention_days": 14,
        "iam_authentication": False,
        "log_exports": ["audit", "slowquery"],
    }


def test_instances_that_wait_for_a_reboot_are_named(filters: ModuleType) -> None:
    members = [
        {"db_instance_identifier": f"{NAME}-{number}", "db_cluster_parameter_group_status": status}
        for number, status in ((3, "pending-reboot"), (2, "in-sync"), (1, "pending-reboot"))
    ]
    outputs = filters.database_outputs(NOTHING | {"cluster": clusters(db_cluster_members=members)}, {})
    assert outputs["pending_reboot"] == [f"{NAME}-1", f"{NAME}-3"]


def test_until_when_certificates_are_valid_is_an_output_and_those_that_expire_are_named(filters: ModuleType) -> None:
    dates = ["2027-01-26T23:59:59+00:00", "2027-01-25T00:00:00+00:00", "2061-05-25T23:59:59+00:00", None]
    members = [instance(number, certificate_details={"valid_till": date}) for number, date in enumerate(dates, start=1)]
    # One that is being created has none.
    members += [instance(5), instance(6, certificate_details=None)]
    outputs = filters.database_outputs(NOTHING | {"instances": {"instances": members}}, {})
    assert outputs["certificates_valid_until"] == {
        f"{NAME}-1": "2027-01-26",
        f"{NAME}-2": "2027-01-25",
        f"{NAME}-3": "2061-05-25",
    }
    assert filters.database_expiring(outputs, "2026-11-27", 60) == [f"{NAME}-2"]
    assert filters.database_expiring(outputs, "2026-11-28", 60) == [f"{NAME}-1", f"{NAME}-2"]
    assert filters.database_expiring(outputs, "2026-11-26", 60) == []
    # Expired ones, too.
    assert len(filters.database_expiring(outputs, "2070-01-01", 60)) == 3


@pytest.mark.parametrize(("status", "running"), [("stopped", False), ("stopping", False), ("starting", True)])
def test_stopped_cluster_is_not_running(current: Callable[..., dict[str, Any]], status: str, running: bool) -> None:
    assert current(cluster=clusters(status=status))["cluster"]["running"] is running


def test_what_an_endpoint_does_not_report_is_off(current: Callable[..., dict[str, Any]]) -> None:
    left_out = (
        "deletion_protection",
        "iam_database_authentication_enabled",
        "copy_tags_to_snapshot",
        "enabled_cloudwatch_logs_exports",
        "serverless_v2_scaling_configuration",
        "vpc_security_groups",
        "tags",
    )
    reported = {key: value for key, value in CLUSTER.items() if key not in left_out}
    state = current(cluster={"clusters": [reported]})["cluster"]
    assert state == CLUSTER_STATE | {
        "tags": {},
        "security_group_ids": [],
        "deletion_protection": False,
        "iam_authentication": False,
        "copy_tags_to_snapshot": False,
        "log_exports": [],
        "min_capacity": None,
        "max_capacity": None,
    }


def test_what_is_being_deleted_is_gone_but_for_the_outputs(
    filters: ModuleType, current: Callable[..., dict[str, Any]]
) -> None:
    answers = {
        "cluster": clusters(status="deleting"),
        "instances": {"instances": [instance(2, "deleting"), instance(1)]},
    }
    state = current(**answers)
    assert state["cluster"] == {}
    assert state["instances"] == {f"{NAME}-1": INSTANCE_STATE}
    outputs = filters.database_outputs(NOTHING | answers, {})
    # The role waits by these until they are gone.
    assert (outputs["cluster_id"], outputs["status"]) == (NAME, "deleting")
    assert outputs["instance_ids"] == [f"{NAME}-1", f"{NAME}-2"]


def test_instances_by_name_and_those_that_are_available(current: Callable[..., dict[str, Any]]) -> None:
    found = [
        instance(3, "creating", performance_insights_enabled=True, publicly_accessible=True),
        instance(2, "backing-up", pending_modified_values={"db_instance_class": "db.r6g.large"}),
        instance(1, pending_modified_values={}),
    ]
    state = current(instances={"instances": found})
    assert list(state["instances"]) == [f"{NAME}-1", f"{NAME}-2", f"{NAME}-3"]
    assert state["available"] == [f"{NAME}-1", f"{NAME}-2"]
    assert state["instances"][f"{NAME}-1"] == INSTANCE_STATE
    # Ordered already: not ordered again.
    assert state["instances"][f"{NAME}-2"]["instance_class"] == "db.r6g.large"
    assert state["instances"][f"{NAME}-3"] == INSTANCE_STATE | {
        "performance_insights": True,
        "publicly_accessible": True,
    }


def test_an_instance_outside_the_cluster_that_has_a_name_of_the_role(
    filters: ModuleType, current: Callable[..., dict[str, Any]]
) -> None:
    outside = instance(2, db_cluster_identifier=None)
    answers = {
        "instances": {"instances": [instance(1)]},
        "named_instances": {"instances": [outside, instance(1)]},
    }
    state = current(**answers)
    assert {name: one["cluster"] for name, one in state["instances"].items()} == {f"{NAME}-1": NAME, f"{NAME}-2": None}
    assert filters.database_outputs(NOTHING | answers, {})["instance_ids"] == [f"{NAME}-1"]


def test_parameter_group_with_the_values_of_its_parameters(current: Callable[..., dict[str, Any]]) -> None:
    group = {
        "db_cluster_parameter_group_name": NAME,
        "db_parameter_group_family": "aurora-mysql8.0",
        "tags": TAGS,
    }
    answer = {"db_cluster_parameter_groups": [group]}
    values = {"current": {"tls_version": "TLSv1.3"}, "refusals": ["The cluster parameter x cannot be 1."]}
    state = current(parameter_group=answer, parameters=values)
    assert state["parameter_group"] == {
        "tags": TAGS,
        "family": "aurora-mysql8.0",
        "parameters": {"tls_version": "TLSv1.3"},
    }
    assert state["parameter_refusals"] == values["refusals"]
    # Without parameters nobody asks for them.
    assert current(parameter_group=answer, parameters={})["parameter_group"]["parameters"] == {}


def test_subnet_group_and_log_groups(filters: ModuleType, current: Callable[..., dict[str, Any]]) -> None:
    answers = {
        "subnet_group": {
            "subnet_group": {
                "name": NAME,
                "description": "Private subnets",
                "subnet_ids": ["subnet-2", "subnet-1"],
                "tags": TAGS,
            }
        },
        "log_groups": {"log_groups": [{"log_group_name": "/b"}, {"log_group_name": "/a", "retention_in_days": 30}]},
    }
    state = current(**answers)
    assert state["subnet_group"] == {
        "tags": TAGS,
        "description": "Private subnets",
        "subnet_ids": ["subnet-1", "subnet-2"],
    }
    # RDS created it, without tags and without an end to its retention.
    assert state["log_groups"]["/b"]["tags"] == {}
    assert [state["log_groups"][name]["retention"] for name in ("/a", "/b")] == [30, 0]
    outputs = filters.database_outputs(NOTHING | answers, {})
    assert outputs["subnet_group"] == NAME
    assert outputs["log_group_names"] == ["/a", "/b"]


def test_outputs_of_a_cluster(filters: ModuleType) -> None:
    answers = {
        "cluster": clusters(),
        "parameter_group": {"db_cluster_parameter_groups": [{"db_cluster_parameter_group_name": NAME}]},
        "secrets": {"secrets": [secret("administrator"), secret("importer")]},
    }
    outputs = filters.database_outputs(NOTHING | answers, {"schema_name": "challenge"})
    assert {key: value for key, value in outputs.items() if value} == {
        "cluster_id": NAME,
        "cluster_arn": CLUSTER["db_cluster_arn"],
        "cluster_resource_id": "cluster-ABC",
        "status": "available",
        "endpoint": "writer.example.com",
        "reader_endpoint": "reader.example.com",
        "port": 3306,
        "engine_version": "8.0.mysql_aurora.3.10.0",
        "administrator_secret_name": f"{NAME}/administrator",
        "administrator_secret_arn": "arn:administrator",
        "importer_secret_name": f"{NAME}/importer",
        "importer_secret_arn": "arn:importer",
        "schema_name": "challenge",
        "parameter_group": NAME,
    }


def test_secret_that_is_scheduled_for_deletion_exists_but_is_no_output(
    filters: ModuleType, current: Callable[..., dict[str, Any]]
) -> None:
    answer = {"secrets": [secret("importer", deleted_date="2026-11-23T18:42:13+00:00"), secret("application")]}
    state = current(secrets=answer)["secrets"]
    assert state == {
        "importer": {"tags": TAGS, "description": "importer", "scheduled_for_deletion": True},
        "application": {"tags": TAGS, "description": "application", "scheduled_for_deletion": False},
    }
    outputs = filters.database_outputs(NOTHING | {"secrets": answer}, {})
    assert outputs["importer_secret_name"] is outputs["importer_secret_arn"] is None
    assert outputs["application_secret_name"] == f"{NAME}/application"


def test_endpoint_is_compared_once_the_cluster_is_available(filters: ModuleType) -> None:
    outputs = {"endpoint": "writer.example.com", "reader_endpoint": "reader.example.com", "port": 3306}
    assert filters.database_endpoint(outputs, available=True) == outputs
    assert filters.database_endpoint(outputs, available=False) == dict.fromkeys(outputs)
    # A run that only plans, before there is a cluster.
    planned = filters.database_endpoint(dict.fromkeys(outputs), available=True)
    assert planned == dict.fromkeys(outputs, "known after apply")


def test_contents_say_of_a_password_only_whether_there_is_one(filters: ModuleType) -> None:
    held = {
        "administrator": {"engine": "mysql", "username": "stackadmin", "password": PASSWORD, "old_key": PASSWORD},
        "importer": {"rds_port": 3306, "rds_password": "", "rds_db": "challenge"},
    }
    contents = filters.database_secret_contents(
        [json.dumps(one) for one in held.values()], [SECRETS[key]["name"] for key in held], SECRETS
    )
    assert PASSWORD not in str(contents)
    assert contents == {
        "administrator": {"engine": "mysql", "host": None, "username": "stackadmin", "password": "kept"},
        "importer": {"rds_port": 3306, "rds_password": "missing", "rds_db": "challenge"},
    }


@pytest.mark.parametrize("text", ["no JSON", '["a list"]', "7"])
def test_secret_that_holds_no_mapping_holds_nothing(filters: ModuleType, text: str) -> None:
    contents = filters.database_secret_contents([text], [f"{NAME}/importer"], SECRETS)
    assert contents == {"importer": {"rds_port": None, "rds_password": "missing", "rds_db": None}}
    value = filters.database_secret_value([text], SECRETS["importer"], "generated")
    assert json.loads(value) == {"rds_port": 3306, "rds_password": "generated", "rds_db": "challenge"}


def test_texts_are_never_taken_for_those_of_another_secret(filters: ModuleType) -> None:
    names = [one["name"] for one in SECRETS.values()]
    with pytest.raises(ValueError, match="shorter"):
        filters.database_secret_contents(["{}"], names, SECRETS)


def test_desired_secret_leaves_out_what_is_not_known(filters: ModuleType) -> None:
    assert filters.database_secret_desired(SECRETS["administrator"], TAGS, {}) == {
        "tags": TAGS,
        "description": "Administrator",
        "scheduled_for_deletion": False,
        "engine": "mysql",
        "username": "stackadmin",
        "password": "kept",
    }


def test_secret_that_is_scheduled_for_deletion_is_first_restored(filters: ModuleType) -> None:
    desired = filters.database_secret_desired(SECRETS["importer"], TAGS, {"scheduled_for_deletion": True})
    assert desired == {"tags": TAGS, "description": "Importer", "scheduled_for_deletion": False}


def test_new_secret_gets_the_generated_password(filters: ModuleType) -> None:
    value = filters.database_secret_value([], SECRETS["administrator"], "generated")
    assert value == '{"engine": "mysql", "username": "stackadmin", "password": "generated"}'


def test_what_has_not_changed_is_the_same_text(filters: ModuleType) -> None:
    text = json.dumps({"engine": "mysql", "host": "h", "username": "stackadmin", "password": PASSWORD})
    assert filters.database_secret_value([text], SECRETS["administrator"], "generated") == text


def test_password_is_kept_while_the_rest_changes(filters: ModuleType) -> None:
    text = json.dumps({"rds_password": PASSWORD, "rds_port": 1, "unknown": "x"})
    value = filters.database_secret_value([text], SECRETS["importer"], "generated")
    assert value == json.dumps({"rds_port": 3306, "rds_password": PASSWORD, "rds_db": "challenge"})


def test_every_filter_has_its_name(filters: ModuleType) -> None:
    assert all(function.__name__ == name for name, function in filters.FilterModule().filters().items())
