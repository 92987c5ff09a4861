"""The life of a whole stack with stage's settings on a strict local cloud: host, schema and function included."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.e2e.conftest import GOOD, HEADER, PORT, STRICT, Stack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SETTINGS = ("-e", "@tests/e2e/stage_with_host.yml")
STACK = "csv-to-aurora-local"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stack]:
    """A strict local cloud of its own, with an empty account."""
    made = Stack(tmp_path, PORT + 1)
    hosts = "inventories/local/hosts.yml"
    try:
        made.playbook("local_cloud.yml", "-e", json.dumps(STRICT), inventory=hosts)
        yield made
    finally:
        made.playbook("local_cloud_down.yml", inventory=hosts)


def test_the_life_of_a_stack_with_stages_settings(stage: Stack, tmp_path: Path) -> None:
    stage.playbook("site.yml", *SETTINGS)
    again = stage.playbook("site.yml", *SETTINGS)
    assert again.changed == 0, again.output[-6000:]
    assert stage.playbook("plan.yml", *SETTINGS).changed == 0

    # Of the network, the database, the function, and the schema.
    ec2, rds, function = stage.client("ec2"), stage.client("rds"), stage.client("lambda")
    (group,) = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": [f"{STACK}-database"]}])[
        "SecurityGroups"
    ]
    ec2.revoke_security_group_ingress(GroupId=group["GroupId"], IpPermissions=group["IpPermissions"])
    rds.modify_db_cluster(DBClusterIdentifier=STACK, BackupRetentionPeriod=2, ApplyImmediately=True)
    function.update_function_configuration(FunctionName=f"{STACK}-importer", Timeout=17)
    stage.query("DROP TABLE csv_import_reject")
    plan = stage.playbook("plan.yml", *SETTINGS, check=False)
    assert plan.returncode == 10, plan.output[-6000:]
    for subject in (f"DB cluster {STACK}", f"function {STACK}-importer", f"security group {STACK}-database"):
        assert subject in plan.words
    stage.playbook("site.yml", *SETTINGS)
    assert stage.playbook("plan.yml", *SETTINGS).changed == 0

    file = tmp_path / "people.csv"
    file.write_text(HEADER + GOOD)
    stage.playbook("load.yml", *SETTINGS, "-e", json.dumps({"csv": str(file)}))
    assert len(stage.query("SELECT * FROM customer")) == 1

    teardown = (*SETTINGS, "-e", "environment_protected=false", "-e", "database_deletion_protection=false")
    stage.playbook("teardown.yml", *teardown)
    (snapshot,) = rds.describe_db_cluster_snapshots()["DBClusterSnapshots"]
    assert snapshot["DBClusterSnapshotIdentifier"].startswith(f"{STACK}-final-")
    assert stage.playbook("teardown.yml", *teardown).changed == 0
