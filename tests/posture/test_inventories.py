"""The controls that an inventory decides: stage meets them, and each exception of another one has its reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import permissions
import pytest
import yaml

ROOT = Path(__file__).parents[2]
EXCEPTIONS = yaml.safe_load((permissions.POLICIES / "exceptions.yml").read_text(encoding="utf-8"))["controls"]
ENVIRONMENTS = sorted(path.parent.name for path in ROOT.glob("inventories/*/hosts.yml"))


def loaded(path: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))
    return content


def variables(environment: str) -> dict[str, Any]:
    """The variables of the roles in an environment, as far as they are no templates."""
    found: dict[str, Any] = {}
    for role in ("network", "database", "bucket", "importer", "app_host"):
        found |= loaded(f"roles/{role}/defaults/main.yml")
    return found | loaded("group_vars/all/stack.yml") | loaded(f"inventories/{environment}/group_vars/all/main.yml")


CONTROLS: dict[str, Callable[[dict[str, Any]], bool]] = {
    "RDS.7, RDS.8": lambda v: v["database_deletion_protection"] and v["environment_protected"],
    "RDS.9, RDS.34": lambda v: (
        {"audit", "error", "slowquery"} <= set(v["database_log_exports"])
        and v["database_parameters"].get("server_audit_logging") == "1"
    ),
    "RDS.11": lambda v: v["database_backup_retention_days"] >= 7 and v["database_final_snapshot"],
    "RDS.12": lambda v: v["database_iam_authentication"],
    "RDS.13, RDS.35": lambda v: v["database_auto_minor_version_upgrade"],
    "RDS.15": lambda v: v["database_instance_count"] >= 2 and v["network_zone_count"] >= 2,
    "RDS.16, RDS.17": lambda v: v["database_copy_tags_to_snapshot"],
    "RDS.3, RDS.27": lambda v: v["database_storage_encrypted"],
    "RDS: TLS required": lambda v: v["database_parameters"].get("require_secure_transport") == "ON",
    "S3.5": lambda v: v["bucket_deny_plain_http"],
    "EC2.6": lambda v: v["network_flow_logs"],
    "EC2.13": lambda v: "0.0.0.0/0" not in v["ssh_allowed_cidrs"],
    "Lambda.5": lambda v: v["network_zone_count"] >= 2,
}


@pytest.mark.parametrize("control", CONTROLS)
def test_the_control_holds_in_stage(control: str) -> None:
    assert CONTROLS[control](variables("stage"))


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_each_control_that_an_environment_does_not_meet_has_its_reason(environment: str) -> None:
    failing = {control for control, holds in CONTROLS.items() if not holds(variables(environment))}
    excepted = {
        control for entry in EXCEPTIONS if environment in entry["environments"] for control in entry["controls"]
    }
    assert failing <= excepted, "files/policies/exceptions.yml has no reason"
    assert all(entry["reason"] for entry in EXCEPTIONS)


def test_stage_has_exceptions_only_where_no_setting_exists() -> None:
    excepted = {control for entry in EXCEPTIONS if "stage" in entry["environments"] for control in entry["controls"]}
    assert excepted == {"S3.9", "SecretsManager.1"}
