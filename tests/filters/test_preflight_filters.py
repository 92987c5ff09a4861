"""What is wrong with the variables, all of it at once, and the fix for an error of the first call to AWS."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

Load = Callable[[str], ModuleType]
ROLES = Path(__file__).resolve().parents[2] / "roles"
CAUSES = [
    {"match": "ExpiredToken|expired", "fix": "Log in again."},
    {"match": "Token", "fix": "Check the token."},
]


@pytest.mark.parametrize(
    ("error", "fix"),
    [
        ("An error occurred (ExpiredToken) when calling GetCallerIdentity", "Log in again."),
        ("the Token is unknown", "Check the token."),
        ("Internal failure", "AWS refused the first call."),
        ("", "AWS refused the first call."),
    ],
)
def test_the_first_cause_that_matches_has_the_fix(load_filters: Load, error: str, fix: str) -> None:
    assert load_filters("preflight").preflight_fix(error, CAUSES) == fix


@pytest.fixture
def inputs(tmp_path: Path) -> dict[str, Any]:
    """Return inputs that are right."""
    key = tmp_path / "key.pub"
    key.touch()
    return {
        "project": "csv-to-aurora",
        "environment_name": "dev",
        "account_id": "123456789012",
        "region": "eu-west-1",
        "ssh_allowed_cidrs": ["203.0.113.7/32"],
        "ssh_public_key_file": str(key),
        "database_login": "password",
        "iam_refusal": "",
        "required_files": [{"path": str(key), "fix": "Make one."}],
        "roles": ["bucket", "network"],
        "inventory": "inventories/dev",
        "dynamic_inventory": {
            "regions": ["eu-west-1"],
            "filters": {"tag:Project": "csv-to-aurora", "tag:Environment": "dev"},
        },
        "argument_errors": [],
        "variables": {"bucket_name", "bucket_outputs", "network_cidr", "project"},
        "options": {"bucket_name": {}, "network_cidr": {}},
    }


def test_nothing_is_wrong_with_right_inputs(load_filters: Load, inputs: dict[str, Any]) -> None:
    assert load_filters("preflight").preflight_mistakes(inputs) == []


# What people set, one at a time, is in tests/preflight. These are the edges of each rule.
@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("project", "a" * 29, "at most 31 characters"),
        ("project", "csv_to_aurora", "single hyphens"),
        ("project", "csv--aurora", "single hyphens"),
        ("environment_name", "1st", "start with a letter"),
        ("environment_name", "dev\n", "lower case"),
        ("account_id", 123456789012.0, "12 digits, in quotes"),
        ("region", "eu-west-1a", "such as eu-west-1"),
        ("ssh_allowed_cidrs", ["203.0.113.7/32", "203.0.113.0/33"], "holds '203.0.113.0/33'"),
        ("ssh_allowed_cidrs", ["203.0.113.7"], "holds '203.0.113.7'"),
        ("database_login", None, "(None) has to be password or iam"),
        ("ssh_public_key_file", "/nowhere/key.pub", "ssh-keygen -t ed25519"),
        ("dynamic_inventory", {}, "inventories/dev/aws_ec2.yml has to name region eu-west-1"),
        ("dynamic_inventory", {"regions": ["eu-west-1"], "filters": None}, "tag:Project csv-to-aurora"),
        ("variables", {"network_cdir", "network_outputs", "network_az"}, "no variable network_az, network_cdir."),
        ("argument_errors", ["network_nat is wrong"], "in roles/network/README.md."),
    ],
)
def test_each_rule_refuses_what_is_past_its_edge(
    load_filters: Load, inputs: dict[str, Any], name: str, value: object, message: str
) -> None:
    wrong = {**inputs, name: value}
    if name in ("project", "environment_name", "region"):
        filters = {"tag:Project": wrong["project"], "tag:Environment": wrong["environment_name"]}
        wrong["dynamic_inventory"] = {"regions": [wrong["region"]], "filters": filters}
    mistakes = load_filters("preflight").preflight_mistakes(wrong)
    assert len(mistakes) == 1
    assert message in mistakes[0]


def test_all_that_is_wrong_is_said_at_once(load_filters: Load, inputs: dict[str, Any]) -> None:
    wrong = {**inputs, "account_id": "", "region": "Ireland", "dynamic_inventory": {"regions": ["Ireland"]}}
    mistakes = load_filters("preflight").preflight_mistakes(wrong)
    assert [mistake.split()[0] for mistake in mistakes] == [
        "aws_account_id",
        "aws_region",
        "inventories/dev/aws_ec2.yml",
    ]


def test_a_key_that_the_missing_file_would_bring_is_not_asked_for(load_filters: Load, inputs: dict[str, Any]) -> None:
    fix = "Start the local cloud."
    missing = {**inputs, "ssh_public_key_file": "/nowhere", "required_files": [{"path": "/nothing", "fix": fix}]}
    assert load_filters("preflight").preflight_mistakes(missing) == [f"/nothing does not exist. {fix}"]


def test_options_are_those_of_all_roles_and_none_is_required(load_filters: Load) -> None:
    options = load_filters("preflight").preflight_options(["network", "bucket"], str(ROLES))
    assert options["network_nat"]["choices"]
    assert options["bucket_noncurrent_days"]["type"] == "int"
    assert not any(option["required"] for option in options.values())
