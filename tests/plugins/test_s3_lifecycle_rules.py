"""The module for lifecycle rules of a bucket."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError
from emulated_cloud import Cloud

from ansible_collections.csv_to_aurora.aws.plugins.module_utils.lifecycle_rules import from_api, to_api

OLD = {"id": "old", "noncurrent_version_expiration_days": 30, "abort_incomplete_multipart_upload_days": 7}
DONE = {"id": "done", "tags": {"state": "processed"}, "expiration_days": 90}
FOREIGN = {
    "ID": "foreign",
    "Status": "Disabled",
    "Filter": {"And": {"Prefix": "logs/", "Tags": [{"Key": "a", "Value": "b"}], "ObjectSizeGreaterThan": 5}},
    "Expiration": {"Days": 3},
}


@pytest.fixture
def bucket(cloud: Cloud) -> str:
    """A bucket without rules."""
    name = f"rules-{uuid4().hex[:12]}"
    cloud.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return name


def stored(cloud: Cloud, bucket: str) -> dict[str, Any]:
    """Return the rules that the bucket has, by id."""
    try:
        rules = cloud.client("s3").get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchLifecycleConfiguration":
            raise
        return {}
    return {rule["ID"]: rule for rule in rules}


def test_rules_through_their_life(cloud: Cloud, bucket: str) -> None:
    rules = [OLD | {"expire_object_delete_marker": True}, DONE]
    planned = cloud.run("s3_lifecycle_rules", check=True, name=bucket, rules=rules)
    assert planned["changed"]
    assert planned["diff"]["before"] == {}
    assert stored(cloud, bucket) == {}

    assert cloud.run("s3_lifecycle_rules", name=bucket, rules=rules)["changed"]
    found = stored(cloud, bucket)
    assert set(found) == {"old", "done"}
    assert found["old"]["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}
    assert found["old"]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
    assert found["old"]["Expiration"] == {"ExpiredObjectDeleteMarker": True}
    assert found["done"]["Filter"] == {"Tag": {"Key": "state", "Value": "processed"}}
    assert found["done"]["Expiration"]["Days"] == 90
    assert found["done"]["Status"] == "Enabled"
    for check in (True, False):
        assert not cloud.run("s3_lifecycle_rules", check=check, name=bucket, rules=rules)["changed"]

    moved = [OLD, {"id": "done", "tags": DONE["tags"], "transition_days": 0, "storage_class": "GLACIER_IR"}]
    assert cloud.run("s3_lifecycle_rules", name=bucket, rules=moved)["changed"]
    found = stored(cloud, bucket)
    assert "Expiration" not in found["old"]
    assert "Expiration" not in found["done"]
    assert found["done"]["Transitions"] == [{"Days": 0, "StorageClass": "GLACIER_IR"}]
    assert not cloud.run("s3_lifecycle_rules", name=bucket, rules=moved)["changed"]

    gone = [{"id": name, "state": "absent"} for name in ("old", "done")]
    assert cloud.run("s3_lifecycle_rules", check=True, name=bucket, rules=gone)["changed"]
    assert set(stored(cloud, bucket)) == {"old", "done"}
    assert cloud.run("s3_lifecycle_rules", name=bucket, rules=gone)["changed"]
    assert stored(cloud, bucket) == {}
    assert not cloud.run("s3_lifecycle_rules", name=bucket, rules=gone)["changed"]


def test_other_rules_are_kept(cloud: Cloud, bucket: str) -> None:
    cloud.client("s3").put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [FOREIGN]})
    foreign = stored(cloud, bucket)["foreign"]
    cloud.run("s3_lifecycle_rules", name=bucket, rules=[OLD, DONE])
    cloud.run("s3_lifecycle_rules", name=bucket, rules=[{"id": "done", "state": "absent"}])
    found = stored(cloud, bucket)
    assert set(found) == {"foreign", "old"}
    assert found["foreign"] == foreign


@pytest.mark.parametrize(
    "change",
    [
        {"Status": "Disabled"},
        {"Filter": {"Prefix": "in/"}},
        {"NoncurrentVersionExpiration": {"NoncurrentDays": 31}},
        {"Transitions": [{"Days": 90, "StorageClass": "GLACIER"}]},
        {"Expiration": {"Days": 1}},
    ],
    ids="-".join,
)
def test_what_was_changed_by_hand_is_reverted(cloud: Cloud, bucket: str, change: dict[str, Any]) -> None:
    client = cloud.client("s3")
    cloud.run("s3_lifecycle_rules", name=bucket, rules=[OLD])
    rule = stored(cloud, bucket)["old"]
    client.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule | change]})
    assert cloud.run("s3_lifecycle_rules", check=True, name=bucket, rules=[OLD])["changed"]
    assert cloud.run("s3_lifecycle_rules", name=bucket, rules=[OLD])["changed"]
    assert stored(cloud, bucket)["old"] == rule


def test_a_bucket_that_does_not_exist(cloud: Cloud) -> None:
    assert cloud.run("s3_lifecycle_rules", check=True, name="nobodys-bucket", rules=[OLD])["changed"]
    gone = [{"id": "old", "state": "absent"}]
    assert not cloud.run("s3_lifecycle_rules", name="nobodys-bucket", rules=gone)["changed"]
    message = cloud.run.failure("s3_lifecycle_rules", name="nobodys-bucket", rules=[OLD])
    assert message.startswith("Cannot read the lifecycle rules of bucket nobodys-bucket: NoSuchBucket")
    assert message.endswith("Check that the bucket exists and that s3:GetLifecycleConfiguration is allowed.")


@pytest.mark.parametrize("cloud", ["moto"], indirect=True)
@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ([OLD, OLD], "rules has old more than once"),
        (
            [DONE | {"expire_object_delete_marker": True}],
            "The rule done has tags: S3 takes expire_object_delete_marker",
        ),
        ([DONE | {"abort_incomplete_multipart_upload_days": 7}], "The rule done has tags"),
        ([OLD | {"expire_object_delete_marker": True, "expiration_days": 9}], "of which S3 takes one."),
        ([DONE | {"transition_days": 1}], "storage_class"),
        ([DONE | {"transition_days": 1, "storage_class": "ATTIC"}], "storage_class"),
    ],
)
def test_rules_that_s3_would_refuse_are_refused_before(
    cloud: Cloud, bucket: str, rules: list[dict[str, Any]], message: str
) -> None:
    assert message in cloud.run.failure("s3_lifecycle_rules", name=bucket, rules=rules)
    assert stored(cloud, bucket) == {}


def test_rules_of_several_tags_are_the_same_in_any_order() -> None:
    options = from_api(to_api(from_api(FOREIGN) | {"tags": {"b": "2", "a": "1"}}))
    assert options["state"] == "present"
    reversed_tags = to_api(options)
    reversed_tags["Filter"]["And"]["Tags"].reverse()
    assert from_api(reversed_tags) == options


@pytest.mark.parametrize(
    "more",
    [
        {"NoncurrentVersionExpiration": {"NoncurrentDays": 30, "NewerNoncurrentVersions": 2}},
        {"NoncurrentVersionTransitions": [{"NoncurrentDays": 30, "StorageClass": "GLACIER"}]},
        {"Expiration": {"Date": "2030-01-01T00:00:00Z"}},
        {"Transitions": [{"Days": 30, "StorageClass": "STANDARD_IA"}, {"Days": 90, "StorageClass": "GLACIER"}]},
        {"Filter": {"ObjectSizeGreaterThan": 5}},
        {"Filter": {"And": {"Prefix": "in/", "Tags": [{"Key": "a", "Value": "1"}]}}},
    ],
)
def test_what_the_options_cannot_say_is_not_taken_for_the_same(more: dict[str, Any]) -> None:
    rule = {"ID": "old", "Status": "Enabled", "Filter": {}, "NoncurrentVersionExpiration": {"NoncurrentDays": 30}}
    assert from_api(rule)["state"] == "present"
    assert from_api(rule | more)["state"] == "other"


def test_a_rule_of_the_old_form_is_for_all_objects() -> None:
    """Before filters, rules had a prefix of their own."""
    rule = {"ID": "old", "Status": "Enabled", "Prefix": "", "Expiration": {"Days": 3}}
    assert from_api(rule)["state"] == "present"
    assert from_api(rule | {"Prefix": "in/"})["state"] == "other"
