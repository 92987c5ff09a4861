"""What a teardown has left, and what it keeps on purpose."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.csv_to_aurora.aws.plugins.filter.leftovers import leftovers

REGION = "eu-west-1"
RDS = f"arn:aws:rds:{REGION}:123456789012"
VPC = f"arn:aws:ec2:{REGION}:123456789012:vpc/vpc-1"
LOCK = f"arn:aws:ssm:{REGION}:123456789012:parameter/locks/shop-stage"
SECRET = f"arn:aws:secretsmanager:{REGION}:123456789012:secret:shop-stage/importer-AbCdEf"


def one(arn: str, state: str, **details: str) -> dict[str, Any]:
    """Return a resource as the module returns it."""
    return {"arn": arn, "tags": {}, "state": state, "details": details}


def found(*resources: dict[str, Any]) -> dict[str, list[str]]:
    return leftovers(resources, REGION, [":parameter/locks/shop-stage"])


def test_what_its_service_does_not_know_is_gone() -> None:
    assert found(one(VPC, "deleted")) == {"left": [], "kept": []}


@pytest.mark.parametrize(
    ("state", "details", "said"),
    [
        ("exists", {}, VPC),
        ("deleting", {}, f"{VPC} (being deleted)"),
        ("unknown", {"reason": "AccessDenied: no"}, f"{VPC} (in an unknown state: AccessDenied: no)"),
    ],
)
def test_anything_else_is_left(state: str, details: dict[str, str], said: str) -> None:
    assert found(one(VPC, state, **details)) == {"left": [said], "kept": []}


def test_a_final_snapshot_is_kept_with_how_to_delete_it() -> None:
    name = "shop-stage-final-20261126102030"
    result = found(one(f"{RDS}:cluster-snapshot:{name}", "exists", type="manual"))
    assert result["left"] == []
    assert result["kept"] == [
        (
            f"DB cluster snapshot {name}: the database can be restored from it. If nobody needs the data any more: "
            f"aws rds delete-db-cluster-snapshot --region eu-west-1 --db-cluster-snapshot-identifier {name}"
        )
    ]


@pytest.mark.parametrize(("state", "left"), [("deleting", 1), ("deleted", 0)])
def test_a_snapshot_that_is_deleted_is_not_kept(state: str, left: int) -> None:
    result = found(one(f"{RDS}:cluster-snapshot:shop-stage-final-1", state))
    assert (len(result["left"]), result["kept"]) == (left, [])


def test_a_snapshot_that_this_user_may_not_ask_for_is_nothing_to_delete() -> None:
    result = found(one(f"{RDS}:cluster-snapshot:before-the-upgrade", "unknown", reason="AccessDenied: no"))
    assert result["left"] == []
    assert (
        "snapshot before-the-upgrade (RDS did not say whether it still exists: AccessDenied: no): " in result["kept"][0]
    )


def test_automated_snapshots_are_deleted_by_aws() -> None:
    automated = f"{RDS}:cluster-snapshot:rds:shop-stage-2026-11-26-10-20"
    assert found(one(automated, "unknown", reason="AccessDenied")) == {"left": [], "kept": []}


def test_a_secret_is_kept_to_the_end_of_its_recovery_window() -> None:
    window = one(SECRET, "exists", name="shop-stage/importer", deletion_date="2026-12-26 10:20:30+00:00")
    result = found(window)
    assert result["left"] == []
    assert "Secret shop-stage/importer: Secrets Manager deletes it after 2026-12-26" in result["kept"][0]
    assert "--secret-id shop-stage/importer --force-delete-without-recovery" in result["kept"][0]


def test_a_secret_that_is_not_scheduled_for_deletion_is_left() -> None:
    assert found(one(SECRET, "exists", name="shop-stage/importer")) == {"left": [SECRET], "kept": []}


def test_the_lock_of_this_run_is_to_be_there_and_no_other_parameter() -> None:
    other = LOCK.replace("stage", "stage-2")
    assert found(one(LOCK, "unknown"), one(other, "exists")) == {"left": [other], "kept": []}
