"""The role bucket on an emulator: its lifecycle rules, and those of others."""

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

OLD = "expire-old-versions-and-pending-uploads"
PROCESSED = "expire-or-move-processed-objects"
FOREIGN = {"ID": "logs", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 3}}


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """An emulator for these tests."""
    with servers.moto(tmp_path_factory.mktemp("moto")) as url:
        yield Cloud("moto", url)


class Bucket:
    """The bucket of one stack."""

    def __init__(self, cloud: Cloud, folder: Path) -> None:
        """Have a name that no other bucket of the emulator has; the playbook is in ``folder``."""
        self.s3 = cloud.client("s3")
        self.name = f"bucket-{uuid4().hex[:8]}"
        self.folder, self.connection = folder, cloud.connection
        (folder / "roles").symlink_to(PROJECT / "roles")

    def run(self, *arguments: str, **variables: Any) -> str:
        """Run the role, and return what it said in one line."""
        settings = {
            "bucket_name": self.name,
            "bucket_tags": {"Project": "customers", "Environment": self.name},
            **variables,
        }
        play = {
            "hosts": "localhost",
            "gather_facts": False,
            "module_defaults": {"group/csv_to_aurora.aws.aws": self.connection},
            "tasks": [{"ansible.builtin.include_role": {"name": "bucket"}, "vars": settings}],
        }
        playbook = self.folder / "bucket.yml"
        playbook.write_text(json.dumps([play]))
        result = run_playbook(playbook, *arguments)
        said = " ".join((result.stdout + result.stderr).split())
        assert result.returncode == 0, said
        return said

    def rules(self) -> dict[str, dict[str, Any]]:
        """Return the lifecycle rules by id."""
        found = self.s3.get_bucket_lifecycle_configuration(Bucket=self.name)["Rules"]
        return {rule["ID"]: rule for rule in found}


@pytest.fixture
def bucket(moto: Cloud, tmp_path: Path) -> Bucket:
    """The bucket of a stack that has none yet."""
    return Bucket(moto, tmp_path)


def test_imported_objects_expire_where_that_is_set_and_only_they(bucket: Bucket) -> None:
    bucket.run()
    assert set(bucket.rules()) == {OLD}
    assert "Expiration" not in bucket.rules()[OLD]
    foreign = {"Rules": [*bucket.rules().values(), FOREIGN]}
    bucket.s3.put_bucket_lifecycle_configuration(Bucket=bucket.name, LifecycleConfiguration=foreign)

    expiring = {"bucket_processed_objects": {"expire_days": 365, "storage_class": "GLACIER_IR", "after_days": 30}}
    planned = bucket.run("--check", **expiring)
    assert f"create lifecycle rule {PROCESSED}" in planned
    assert f"update lifecycle rule {OLD}" in planned
    assert set(bucket.rules()) == {OLD, "logs"}

    bucket.run(**expiring)
    rules = bucket.rules()
    assert set(rules) == {OLD, PROCESSED, "logs"}
    assert rules[PROCESSED]["Filter"] == {"Tag": {"Key": "csv-to-aurora", "Value": "imported"}}
    assert rules[PROCESSED]["Expiration"]["Days"] == 365
    assert rules[PROCESSED]["Transitions"] == [{"Days": 30, "StorageClass": "GLACIER_IR"}]
    # What has expired leaves a delete marker, which has no tag.
    assert rules[OLD]["Expiration"]["ExpiredObjectDeleteMarker"] is True
    assert "lifecycle rule" not in bucket.run("--check", **expiring)

    changed = {"Rules": [rule for rule in rules.values() if rule["ID"] != PROCESSED]}
    changed["Rules"].append(rules[PROCESSED] | {"Filter": {"Prefix": ""}})
    bucket.s3.put_bucket_lifecycle_configuration(Bucket=bucket.name, LifecycleConfiguration=changed)
    assert f"update lifecycle rule {PROCESSED}" in bucket.run("--check", **expiring)
    bucket.run(**expiring)
    assert bucket.rules() == rules

    planned = bucket.run("--check")
    assert f"delete lifecycle rule {PROCESSED}" in planned
    bucket.run()
    assert set(bucket.rules()) == {OLD, "logs"}
    assert "Expiration" not in bucket.rules()[OLD]
    bucket.run(bucket_state="absent")
    assert bucket.name not in {one["Name"] for one in bucket.s3.list_buckets()["Buckets"]}
