"""The module that empties a bucket."""

from __future__ import annotations

import threading
from typing import Any
from uuid import uuid4

import boto3
import pytest
from ansible_collections.amazon.aws.plugins.module_utils.retries import RetryingBotoClientWrapper
from botocore.stub import Stubber
from emulated_cloud import Cloud

from ansible_collections.csv_to_aurora.aws.plugins.module_utils.common import aws_retry
from ansible_collections.csv_to_aurora.aws.plugins.modules.s3_bucket_purge import pages


def contents(cloud: Cloud, bucket: str) -> dict[str, int]:
    """Return how many of each kind the bucket contains, by the module's names."""
    client = cloud.client("s3")
    listing = client.list_object_versions(Bucket=bucket)
    return {
        "versions": len(listing.get("Versions", [])),
        "delete_markers": len(listing.get("DeleteMarkers", [])),
        "uploads": len(client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])),
    }


def counts(result: dict[str, Any]) -> dict[str, int]:
    """Return what the module says it deleted."""
    return {name: result[name] for name in ("versions", "delete_markers", "uploads")}


@pytest.fixture
def bucket(cloud: Cloud) -> str:
    """A versioned bucket: four versions of two keys, one delete marker, two pending uploads."""
    name = f"purge-{uuid4().hex[:12]}"
    client = cloud.client("s3")
    client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    for key in ("in/a b+c.csv", "out/ü.csv"):
        for body in (b"1", b"2"):
            client.put_object(Bucket=name, Key=key, Body=body)
    client.delete_object(Bucket=name, Key="out/ü.csv")
    for key in ("in/big.csv", "out/big.csv"):
        upload = client.create_multipart_upload(Bucket=name, Key=key)
        client.upload_part(Bucket=name, Key=key, UploadId=upload["UploadId"], PartNumber=1, Body=b"x")
    return name


FULL = {"versions": 4, "delete_markers": 1, "uploads": 2}
EMPTY = {"versions": 0, "delete_markers": 0, "uploads": 0}


def test_purge_through_its_life(cloud: Cloud, bucket: str) -> None:
    assert contents(cloud, bucket) == FULL
    planned = cloud.run("s3_bucket_purge", check=True, name=bucket)
    assert planned["changed"]
    assert counts(planned) == FULL
    assert planned["diff"]["before"] == FULL
    assert contents(cloud, bucket) == FULL

    purged = cloud.run("s3_bucket_purge", name=bucket)
    assert purged["changed"]
    assert counts(purged) == FULL
    assert contents(cloud, bucket) == EMPTY

    for check in (False, True):
        again = cloud.run("s3_bucket_purge", check=check, name=bucket)
        assert not again["changed"]
        assert counts(again) == EMPTY
    cloud.client("s3").delete_bucket(Bucket=bucket)


# What amazon.aws.s3_bucket cannot delete.
def test_versions_from_before_versioning_are_deleted(cloud: Cloud) -> None:
    name = f"purge-{uuid4().hex[:12]}"
    client = cloud.client("s3")
    client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    client.put_object(Bucket=name, Key="old", Body=b"1")
    client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    client.put_object(Bucket=name, Key="old", Body=b"2")
    versions = [version["VersionId"] for version in client.list_object_versions(Bucket=name)["Versions"]]
    assert "null" in versions
    assert counts(cloud.run("s3_bucket_purge", name=name)) == {**EMPTY, "versions": 2}
    client.delete_bucket(Bucket=name)


# moto lists the uploads of every key, whatever the prefix.
@pytest.mark.parametrize("cloud", ["ministack"], indirect=True)
def test_purge_of_a_prefix_leaves_the_rest(cloud: Cloud, bucket: str) -> None:
    result = cloud.run("s3_bucket_purge", name=bucket, prefix="in/")
    assert counts(result) == {"versions": 2, "delete_markers": 0, "uploads": 1}
    assert contents(cloud, bucket) == {"versions": 2, "delete_markers": 1, "uploads": 1}


def test_a_bucket_that_does_not_exist_is_empty(cloud: Cloud) -> None:
    for check in (True, False):
        result = cloud.run("s3_bucket_purge", check=check, name="nobodys-bucket")
        assert not result["changed"]
        assert counts(result) == EMPTY


# moto does not find the next page when the last version of the previous one is deleted.
@pytest.mark.parametrize("cloud", ["ministack"], indirect=True)
def test_more_than_one_page(cloud: Cloud) -> None:
    name = f"purge-{uuid4().hex[:12]}"
    client = cloud.client("s3")
    client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    for number in range(1001):
        client.put_object(Bucket=name, Key=f"{number:04}", Body=b"")
    result = cloud.run("s3_bucket_purge", name=name)
    assert counts(result) == {**EMPTY, "versions": 1001}
    assert "Contents" not in client.list_objects_v2(Bucket=name)


def test_two_at_once(cloud: Cloud, bucket: str) -> None:
    results: list[dict[str, Any]] = []
    runs = [
        threading.Thread(target=lambda: results.append(cloud.run("s3_bucket_purge", name=bucket))) for _ in range(2)
    ]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert len(results) == 2
    assert contents(cloud, bucket) == EMPTY


def test_the_next_page_is_asked_for_where_the_last_one_ended() -> None:
    client = boto3.client("s3", region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b")
    request = {"Bucket": "b", "Prefix": ""}
    first = {"IsTruncated": True, "NextKeyMarker": "k", "NextUploadIdMarker": "u", "Uploads": [{"Key": "k"}]}
    with Stubber(client) as stub:
        stub.add_response("list_multipart_uploads", first, request)
        stub.add_response(
            "list_multipart_uploads", {"IsTruncated": False}, {**request, "KeyMarker": "k", "UploadIdMarker": "u"}
        )
        listing = RetryingBotoClientWrapper(client, aws_retry()).list_multipart_uploads
        found = list(pages(listing, request, {"NextKeyMarker": "KeyMarker", "NextUploadIdMarker": "UploadIdMarker"}))
        stub.assert_no_pending_responses()
    assert len(found) == 2


# Only moto refuses to delete what is under a legal hold.
@pytest.mark.parametrize("cloud", ["moto"], indirect=True)
def test_what_is_refused_is_named_and_the_rest_is_deleted(cloud: Cloud) -> None:
    name = f"purge-{uuid4().hex[:12]}"
    client = cloud.client("s3")
    client.create_bucket(
        Bucket=name,
        ObjectLockEnabledForBucket=True,
        CreateBucketConfiguration={"LocationConstraint": "eu-west-1"},
    )
    client.put_object(Bucket=name, Key="held", Body=b"", ObjectLockLegalHoldStatus="ON")
    client.put_object(Bucket=name, Key="free", Body=b"")
    message = cloud.run.failure("s3_bucket_purge", name=name)
    assert message.startswith(f"Cannot delete 1 versions in bucket {name}, the first of held: ")
    assert message.endswith("Check for legal holds, retention and the bucket's policy.")
    assert contents(cloud, name)["versions"] == 1
