"""What the importer role makes of the answers of its info modules."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

NAME = "customers-stage-importer"
TAGS = {"Project": "customers", "Environment": "stage", "ManagedBy": "ansible"}
ARN = f"arn:aws:lambda:eu-west-1:000000000000:function:{NAME}"

# What the modules answer where nothing exists.
NOTHING: dict[str, dict[str, Any]] = {
    "function": {"functions": [{"function": {}, "aliases": [], "policy": {}, "versions": [], "mappings": []}]},
    "invocation": {"current": None},
    "role": {"iam_roles": []},
    "role_policies": {},
    "log_group": {"log_groups": []},
    "dead_letter_queue": {"queue": {}},
    "alarms": {"metric_alarms": [], "composite_alarms": []},
}

FUNCTION: dict[str, Any] = {
    "function_name": NAME,
    "function_arn": f"{ARN}:$LATEST",
    "description": "Loads CSV files",
    "role": f"arn:aws:iam::000000000000:role/{NAME}",
    "runtime": "python3.13",
    "handler": "csv_importer.handler.handle",
    "architectures": ["arm64"],
    "code_sha256": "F6yF=",
    "memory_size": 512,
    "timeout": 900,
    "state": "Active",
    "last_update_status": "Successful",
    "environment": {"variables": {"LOG_LEVEL": "INFO", "IMPORT_SESSIONS": "2"}},
    "vpc_config": {"vpc_id": "vpc-1", "subnet_ids": ["subnet-2", "subnet-1"], "security_group_ids": ["sg-1"]},
    # As lambda_info writes the names.
    "tags": {"project": "customers", "environment": "stage", "managed_by": "ansible", "cost_centre": "7"},
    "policy": {
        "statement": [
            {
                "sid": "bucket",
                "effect": "Allow",
                "principal": {"service": "s3.amazonaws.com"},
                "action": "lambda:InvokeFunction",
                "resource": ARN,
                "condition": {
                    "arn_like": {"aws:_source_arn": "arn:aws:s3:::customers"},
                    "string_equals": {"aws:_source_account": "000000000000"},
                },
            },
            {"sid": "open", "effect": "Allow", "principal": "*", "action": "lambda:InvokeFunction", "resource": ARN},
        ]
    },
}

ALARM = {
    "alarm_description": "Invocations fail",
    "namespace": "AWS/Lambda",
    "metric_name": "Errors",
    "dimensions": [{"name": "FunctionName", "value": NAME}],
    "statistic": "Sum",
    "period": 300,
    "evaluation_periods": 1,
    "comparison_operator": "GreaterThanThreshold",
    "threshold": 0.0,
    "treat_missing_data": "notBreaching",
    "alarm_actions": [],
}

EVERYTHING: dict[str, dict[str, Any]] = {
    "function": {"functions": [FUNCTION]},
    "invocation": {"current": {"maximum_retry_attempts": 2, "reserved_concurrent_executions": None}},
    "role": {
        "iam_roles": [
            {
                "role_name": NAME,
                "arn": f"arn:aws:iam::000000000000:role/{NAME}",
                "description": "What the function may do",
                "assume_role_policy_document": {"Version": "2012-10-17", "Statement": []},
                "managed_policies": [],
                "tags": TAGS,
            }
        ]
    },
    "role_policies": {"policies": [{"policy_name": "importer", "policy_document": {"Statement": ["s"]}}]},
    "log_group": {
        "log_groups": [
            # The module finds all whose names begin with the one that it is asked for.
            {"log_group_name": f"/aws/lambda/{NAME}-2", "arn": "arn:2", "retention_in_days": 1, "tags": {}},
            {"log_group_name": f"/aws/lambda/{NAME}", "arn": "arn:1", "retention_in_days": 30, "tags": TAGS},
        ]
    },
    "dead_letter_queue": {
        "queue": {
            "url": f"https://sqs.eu-west-1.amazonaws.com/000000000000/{NAME}-dead-letters",
            "arn": f"arn:aws:sqs:eu-west-1:000000000000:{NAME}-dead-letters",
            "attributes": {"MessageRetentionPeriod": "1209600"},
            "tags": TAGS,
        }
    },
    "alarms": {"metric_alarms": [ALARM | {"alarm_name": f"{NAME}-{name}"} for name in ("throttles", "errors")]},
}


@pytest.fixture(scope="module")
def importer(load_filters: Callable[[str], ModuleType]) -> ModuleType:
    """Return the filters of the role."""
    return load_filters("importer")


def current(importer: ModuleType, gathered: dict[str, Any]) -> dict[str, Any]:
    """Return the current state."""
    found: dict[str, Any] = importer.importer_current(gathered, NAME, TAGS)
    return found


def test_nothing_is_empty(importer: ModuleType) -> None:
    assert not any(current(importer, NOTHING).values())
    outputs = importer.importer_outputs(NOTHING, NAME)
    assert outputs.pop("alarm_names") == []
    assert set(outputs.values()) == {None}


def test_the_outputs_have_the_same_keys_whatever_exists(importer: ModuleType) -> None:
    assert set(importer.importer_outputs(NOTHING, NAME)) == set(importer.importer_outputs(EVERYTHING, NAME))


def test_outputs(importer: ModuleType) -> None:
    assert importer.importer_outputs(EVERYTHING, NAME) == {
        "function_name": NAME,
        # The bucket's notification takes no version.
        "function_arn": ARN,
        "code_sha256": "F6yF=",
        "memory_size": 512,
        "sessions": 2,
        "reserved_concurrent_executions": None,
        "role_name": NAME,
        "role_arn": f"arn:aws:iam::000000000000:role/{NAME}",
        "log_group": f"/aws/lambda/{NAME}",
        "dead_letter_queue_url": f"https://sqs.eu-west-1.amazonaws.com/000000000000/{NAME}-dead-letters",
        "dead_letter_queue_arn": f"arn:aws:sqs:eu-west-1:000000000000:{NAME}-dead-letters",
        "alarm_names": [f"{NAME}-errors", f"{NAME}-throttles"],
    }


@pytest.mark.parametrize("environment", [None, {}, {"IMPORT_SESSIONS": ""}, {"IMPORT_SESSIONS": "two"}])
def test_the_sessions_of_a_function_that_does_not_say_are_not_known(
    importer: ModuleType, environment: dict[str, str] | None
) -> None:
    function = FUNCTION | {"environment": None if environment is None else {"variables": environment}}
    outputs = importer.importer_outputs(EVERYTHING | {"function": {"functions": [function]}}, NAME)
    assert outputs["sessions"] is None


def test_reserved_concurrency_is_an_output(importer: ModuleType) -> None:
    gathered = EVERYTHING | {"invocation": {"current": {"reserved_concurrent_executions": 0}}}
    assert importer.importer_outputs(gathered, NAME)["reserved_concurrent_executions"] == 0


def test_a_function(importer: ModuleType) -> None:
    assert current(importer, EVERYTHING)["function"] == {
        # The names that are not the stack's stay as lambda_info writes them.
        "tags": TAGS | {"cost_centre": "7"},
        "description": "Loads CSV files",
        "role": f"arn:aws:iam::000000000000:role/{NAME}",
        "runtime": "python3.13",
        "handler": "csv_importer.handler.handle",
        "architecture": "arm64",
        "code_sha256": "F6yF=",
        "memory_size": 512,
        "timeout": 900,
        "environment": {"LOG_LEVEL": "INFO", "IMPORT_SESSIONS": "2"},
        "subnet_ids": ["subnet-1", "subnet-2"],
        "security_group_ids": ["sg-1"],
        "published_versions": [],
        "ready": True,
    }


@pytest.mark.parametrize("other", [f"{NAME}-2-importer", f"{NAME}-importer", f"{NAME}-2-database"])
def test_the_alarms_of_a_stack_whose_name_begins_like_the_functions_are_its_own(
    importer: ModuleType, other: str
) -> None:
    """CloudWatch finds them by the same prefix."""
    foreign = [ALARM | {"alarm_name": f"{other}-{name}"} for name in ("errors", "unknown")]
    gathered = EVERYTHING | {"alarms": {"metric_alarms": [*EVERYTHING["alarms"]["metric_alarms"], *foreign]}}
    assert set(current(importer, gathered)["alarms"]) == {"errors", "throttles"}
    assert importer.importer_outputs(gathered, NAME)["alarm_names"] == [f"{NAME}-errors", f"{NAME}-throttles"]


def test_published_versions_but_for_those_that_an_alias_refers_to(importer: ModuleType) -> None:
    function = FUNCTION | {
        "versions": [{"version": version} for version in ("$LATEST", "1", "2", "3", "4")],
        "aliases": [
            {"name": "live", "function_version": "2", "routing_config": {"additional_version_weights": {"3": 0.1}}},
            {"name": "next", "function_version": "$LATEST"},
        ],
    }
    found = current(importer, EVERYTHING | {"function": {"functions": [function]}})["function"]
    assert found["published_versions"] == ["1", "4"]


def test_a_function_outside_of_a_vpc_without_environment_and_tags(importer: ModuleType) -> None:
    bare = FUNCTION | {"vpc_config": {"subnet_ids": [], "vpc_id": ""}, "environment": None, "tags": {}}
    del bare["architectures"]
    found = current(importer, EVERYTHING | {"function": {"functions": [bare]}})["function"]
    assert (found["subnet_ids"], found["security_group_ids"]) == ([], [])
    assert (found["environment"], found["tags"], found["architecture"]) == ({}, {}, "x86_64")


@pytest.mark.parametrize(
    ("state", "last_update_status", "ready"),
    [
        ("Active", "Successful", True),
        # Lambda has reclaimed its resources; the next invocation brings them back.
        ("Inactive", "Successful", True),
        ("Pending", "InProgress", False),
        ("Active", "InProgress", False),
        ("Active", "Failed", False),
        ("Failed", "Failed", False),
    ],
)
def test_whether_a_function_is_ready(importer: ModuleType, state: str, last_update_status: str, ready: bool) -> None:
    function = FUNCTION | {"state": state, "last_update_status": last_update_status}
    assert current(importer, EVERYTHING | {"function": {"functions": [function]}})["function"]["ready"] is ready


def test_permissions_go_by_statement_id(importer: ModuleType) -> None:
    assert current(importer, EVERYTHING)["permissions"] == {
        "bucket": {
            "action": "lambda:InvokeFunction",
            "principal": {"service": "s3.amazonaws.com"},
            "source_arn": "arn:aws:s3:::customers",
            "source_account": "000000000000",
        },
        # Everybody: a text, by which the role knows it.
        "open": {"action": "lambda:InvokeFunction", "principal": "*", "source_arn": None, "source_account": None},
    }


def test_a_function_without_a_policy_has_no_permissions(importer: ModuleType) -> None:
    function = FUNCTION | {"policy": {}}
    assert current(importer, EVERYTHING | {"function": {"functions": [function]}})["permissions"] == {}


def test_the_rest(importer: ModuleType) -> None:
    found = current(importer, EVERYTHING)
    assert found["invocation"] == {"maximum_retry_attempts": 2, "reserved_concurrent_executions": None}
    assert found["role"]["policies"] == {"importer": {"Statement": ["s"]}}
    assert found["log_group"] == {"arn": "arn:1", "retention": 30, "tags": TAGS}
    assert found["dead_letter_queue"]["message_retention_period"] == 1209600
    assert found["dead_letter_queue"]["tags"] == TAGS
    assert set(found["alarms"]) == {"errors", "throttles"}
    assert found["alarms"]["errors"]["metric"] == "Errors"
