"""A refusal comes before the first write of the run, in whatever role it arises: nothing was changed or removed."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.e2e.drift_scenarios import BUCKET, HAND, STACK, Operator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.conftest import Run, Stack

pytestmark = pytest.mark.e2e

LOCK = {"PutParameter", "DeleteParameter"}
"""The calls by which a run acquires and releases the lock."""


@pytest.fixture
def operator(complete: Stack) -> Operator:
    """Somebody with all permissions."""
    return Operator(complete)


@contextmanager
def drifted(operator: Operator) -> Iterator[None]:
    """Leave something for the first role to update, which a refused run must not do."""
    vpc = operator.id("Vpc", STACK)
    operator.tag(vpc)
    yield
    tags = operator.ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [vpc]}])["Tags"]
    assert HAND["Value"] in {tag["Value"] for tag in tags}


def refused(stack: Stack, playbook: str, *arguments: str) -> Run:
    """Run a playbook that has to be refused before it writes anything but the lock."""
    began = time.time()
    run = stack.playbook(playbook, *arguments, check=False)
    assert run.returncode == 2, run.output[-3000:]
    assert set(stack.writes(began)) <= LOCK
    assert run.changed == 0
    return run


def test_teardown_of_a_protected_cluster_removes_nothing(operator: Operator) -> None:
    operator.cluster(DeletionProtection=True)
    try:
        run = refused(operator.stack, "teardown.yml", "-e", "database_deletion_protection=true")
    finally:
        operator.cluster(DeletionProtection=False)
    assert "database_deletion_protection" in run.output


def test_teardown_with_a_database_instance_made_by_hand_removes_nothing(operator: Operator) -> None:
    arn = operator.rds.describe_db_instances()["DBInstances"][0]["DBInstanceArn"]
    tags = operator.rds.list_tags_for_resource(ResourceName=arn)["TagList"]
    operator.rds.remove_tags_from_resource(ResourceName=arn, TagKeys=["Project", "Environment"])
    try:
        run = refused(operator.stack, "teardown.yml")
    finally:
        operator.rds.add_tags_to_resource(ResourceName=arn, Tags=tags)
    assert f"The DB instance {STACK}-1 exists but does not carry the tag" in run.words


def test_a_foreign_bucket_stops_a_run_before_the_network_is_updated(operator: Operator) -> None:
    tags = operator.s3.get_bucket_tagging(Bucket=BUCKET)["TagSet"]
    foreign = [tag if tag["Key"] != "Environment" else tag | {"Value": "other"} for tag in tags]
    operator.s3.put_bucket_tagging(Bucket=BUCKET, Tagging={"TagSet": foreign})
    try:
        with drifted(operator):
            run = refused(operator.stack, "site.yml")
    finally:
        operator.s3.put_bucket_tagging(Bucket=BUCKET, Tagging={"TagSet": tags})
    assert f"The bucket {BUCKET} exists but does not carry the tag Environment=local" in run.words


def test_a_foreign_secret_stops_a_run_before_the_network_is_updated(operator: Operator) -> None:
    name = f"{STACK}/importer"
    tags = operator.secretsmanager.describe_secret(SecretId=name)["Tags"]
    operator.secretsmanager.untag_resource(SecretId=name, TagKeys=["Environment"])
    try:
        with drifted(operator):
            run = refused(operator.stack, "site.yml")
    finally:
        operator.secretsmanager.tag_resource(SecretId=name, Tags=tags)
    assert f"The secret {name} exists but does not carry the tag Environment=local" in run.words


def test_a_notification_that_would_be_lost_stops_a_run_before_the_network_is_updated(operator: Operator) -> None:
    kept = operator.s3.get_bucket_notification_configuration(Bucket=BUCKET)["LambdaFunctionConfigurations"]
    by_hand = {"EventBridgeConfiguration": {}, "LambdaFunctionConfigurations": kept[:1]}
    operator.s3.put_bucket_notification_configuration(Bucket=BUCKET, NotificationConfiguration=by_hand)
    try:
        with drifted(operator):
            run = refused(operator.stack, "site.yml")
    finally:
        operator.s3.put_bucket_notification_configuration(
            Bucket=BUCKET, NotificationConfiguration={"LambdaFunctionConfigurations": kept}
        )
    assert "EventBridge" in run.output


def test_a_replacement_that_was_not_asked_for_stops_a_run_before_the_network_is_updated(operator: Operator) -> None:
    with drifted(operator):
        run = refused(operator.stack, "site.yml", "-e", "app_host_instance_type=t3.large")
    assert "app_host_replace" in run.output
    assert operator.stack.playbook("site.yml", "--tags", "network").changed == 1
