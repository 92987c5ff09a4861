"""What the bucket's current state is, from what amazon.aws.s3_bucket_info returns."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

NOTHING: dict[str, Any] = {"bucket": {}, "rules": {}}
BUCKET: dict[str, Any] = {
    "name": "customers",
    "bucket_tagging": {"Project": "csv-to-aurora", "Environment": "stage"},
    "bucket_versioning": {"Status": "Enabled"},
    "bucket_encryption": {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]},
    "bucket_ownership_controls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
    "public_access_block": {
        "BlockPublicAcls": True,
        "IgnorePublicAcls": True,
        "BlockPublicPolicy": True,
        "RestrictPublicBuckets": False,
    },
    "bucket_policy": {"Version": "2012-10-17", "Statement": []},
    "bucket_lifecycle_configuration": {
        "Rules": [
            {
                "ID": "expire",
                "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
            },
            {"ID": "archive", "Transitions": [{"Days": 90, "StorageClass": "GLACIER"}]},
        ]
    },
}


@pytest.fixture(scope="module")
def filters(load_filters: Callable[[str], ModuleType]) -> ModuleType:
    return load_filters("bucket")


def gathered(*buckets: dict[str, Any]) -> dict[str, Any]:
    return {"bucket": {"buckets": list(buckets)}}


def test_the_current_state_has_the_fields_that_the_role_compares(filters: ModuleType) -> None:
    current = filters.bucket_current(gathered(BUCKET))
    assert current["bucket"] == {
        "tags": {"Project": "csv-to-aurora", "Environment": "stage"},
        "versioning": "Enabled",
        "encryption": "AES256",
        "object_ownership": "BucketOwnerEnforced",
        "public_access": {
            "block_public_acls": True,
            "ignore_public_acls": True,
            "block_public_policy": True,
            "restrict_public_buckets": False,
        },
        "policy": {"Version": "2012-10-17", "Statement": []},
    }
    assert current["rules"] == {
        "expire": {"noncurrent_days": 30, "pending_upload_days": 7},
        "archive": {"noncurrent_days": 0, "pending_upload_days": 0},
    }


@pytest.mark.parametrize("found", [{"bucket": {}}, {"bucket": {"buckets": None}}, gathered()])
def test_a_bucket_that_does_not_exist_has_an_empty_state(filters: ModuleType, found: dict[str, Any]) -> None:
    assert filters.bucket_current(found) == NOTHING
    assert filters.bucket_outputs(found) == {"name": None, "arn": None}


@pytest.mark.parametrize("empty", [None, {}])
def test_settings_that_are_not_there_have_the_values_of_a_plain_bucket(filters: ModuleType, empty: object) -> None:
    plain = {"name": "customers"} | {key: empty for key in BUCKET if key != "name"}
    assert filters.bucket_current(gathered(plain)) == {
        "bucket": {
            "tags": {},
            "versioning": "Disabled",
            "encryption": "none",
            "object_ownership": "none",
            "public_access": {},
            "policy": {},
        },
        "rules": {},
    }


def test_a_plain_bucket_without_any_of_the_settings_is_no_missing_one(filters: ModuleType) -> None:
    assert filters.bucket_current(gathered({"name": "customers"}))["bucket"]["versioning"] == "Disabled"


def test_outputs(filters: ModuleType) -> None:
    assert filters.bucket_outputs(gathered(BUCKET)) == {"name": "customers", "arn": "arn:aws:s3:::customers"}


def test_the_filters_are_named_for_templates(filters: ModuleType) -> None:
    assert set(filters.FilterModule().filters()) == {"bucket_current", "bucket_outputs"}
