"""What the bucket's current state is, from what amazon.aws.s3_bucket_info returns."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from ansible_collections.csv_to_aurora.aws.plugins.module_utils.lifecycle_rules import to_api
from csv_importer.aws import IMPORTED

NOTHING: dict[str, Any] = {"bucket": {}, "rules": {}}
NOTHING_DONE: dict[str, Any] = {
    "state": "present",
    "tags": None,
    "expiration_days": None,
    "expire_object_delete_marker": False,
    "transition_days": None,
    "storage_class": None,
    "noncurrent_version_expiration_days": None,
    "abort_incomplete_multipart_upload_days": None,
}
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
                "Status": "Enabled",
                "Filter": {"Prefix": ""},
                "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
            },
            {
                "ID": "archive",
                "Status": "Enabled",
                "Filter": {},
                "Transitions": [{"Days": 90, "StorageClass": "GLACIER"}],
            },
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
        "expire": NOTHING_DONE
        | {
            "id": "expire",
            "noncurrent_version_expiration_days": 30,
            "abort_incomplete_multipart_upload_days": 7,
        },
        "archive": NOTHING_DONE | {"id": "archive", "transition_days": 90, "storage_class": "GLACIER"},
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


@pytest.mark.parametrize(
    ("processed", "expected"),
    [
        ({}, {"state": "absent"}),
        ({"expire_days": 90}, {"expiration_days": 90}),
        ({"storage_class": "GLACIER_IR", "after_days": 0}, {"storage_class": "GLACIER_IR", "transition_days": 0}),
        (
            {"storage_class": "STANDARD_IA", "after_days": 30, "expire_days": 365},
            {"storage_class": "STANDARD_IA", "transition_days": 30, "expiration_days": 365},
        ),
    ],
)
def test_imported_objects_have_a_rule_of_their_own(
    filters: ModuleType, processed: dict[str, Any], expected: dict[str, Any]
) -> None:
    old, imported = filters.bucket_rules(processed, "30", 7)
    assert imported == NOTHING_DONE | {"id": filters.PROCESSED, "tags": dict([IMPORTED])} | expected
    assert old == NOTHING_DONE | {
        "id": filters.OLD_VERSIONS,
        "noncurrent_version_expiration_days": 30,
        "abort_incomplete_multipart_upload_days": 7,
        "expire_object_delete_marker": "expire_days" in processed,
    }


@pytest.mark.parametrize("processed", [{"expire_days": 90}, {"storage_class": "GLACIER", "after_days": 1}])
def test_rules_that_were_written_are_those_that_the_role_wants(filters: ModuleType, processed: dict[str, Any]) -> None:
    rules = filters.bucket_rules(processed, 30, 7)
    written = BUCKET | {"bucket_lifecycle_configuration": {"Rules": [to_api(rule) for rule in rules]}}
    assert filters.bucket_current(gathered(written))["rules"] == {rule["id"]: rule for rule in rules}


def test_outputs(filters: ModuleType) -> None:
    assert filters.bucket_outputs(gathered(BUCKET)) == {"name": "customers", "arn": "arn:aws:s3:::customers"}


def test_the_filters_are_named_for_templates(filters: ModuleType) -> None:
    assert set(filters.FilterModule().filters()) == {
        "bucket_current",
        "bucket_outputs",
        "bucket_rule_options",
        "bucket_rules",
    }
