"""Filters: what the gathered information about a bucket says, in the fields that the role compares."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.csv_to_aurora.aws.plugins.module_utils.lifecycle_rules import from_api

OLD_VERSIONS = "expire-old-versions-and-pending-uploads"
PROCESSED = "expire-or-move-processed-objects"
"""Ids of the lifecycle rules."""
IMPORTED = ("csv-to-aurora", "imported")
"""The tag of an object that has been imported, as the function has it: csv_importer.aws.IMPORTED."""

Gathered = Mapping[str, Any]
State = dict[str, Any]


def _bucket(gathered: Gathered) -> dict[str, Any]:
    """Return the bucket as s3_bucket_info has it; empty where there is none."""
    return next(iter(gathered["bucket"].get("buckets") or []), {})


def _first_rule(bucket: Mapping[str, Any], setting: str) -> dict[str, Any]:
    """Return the first rule of a setting; empty where it has none."""
    return next(iter((bucket.get(setting) or {}).get("Rules") or []), {})


def bucket_rules(processed: Mapping[str, Any], noncurrent_days: int, pending_upload_days: int) -> list[State]:
    """Return the lifecycle rules by the options of the module s3_lifecycle_rules, each with all of them.

    Args:
        processed: What is done with objects that have the tag of the importer: ``expire_days``, ``storage_class`` and
            ``after_days``; empty for nothing.
        noncurrent_days: Days after which a noncurrent version is deleted.
        pending_upload_days: Days after which the parts of an incomplete upload are deleted.
    """
    expire_days, after_days = processed.get("expire_days"), processed.get("after_days")
    nothing: State = {
        "tags": None,
        "expiration_days": None,
        "expire_object_delete_marker": False,
        "transition_days": None,
        "storage_class": None,
        "noncurrent_version_expiration_days": None,
        "abort_incomplete_multipart_upload_days": None,
    }
    return [
        nothing
        | {
            "id": OLD_VERSIONS,
            "state": "present",
            "noncurrent_version_expiration_days": int(noncurrent_days),
            "abort_incomplete_multipart_upload_days": int(pending_upload_days),
            # What expires leaves a delete marker, which has no tag that the other rule could go by.
            "expire_object_delete_marker": expire_days is not None,
        },
        nothing
        | {
            "id": PROCESSED,
            "state": "absent" if expire_days is None and after_days is None else "present",
            "tags": dict([IMPORTED]),
            "expiration_days": None if expire_days is None else int(expire_days),
            "transition_days": None if after_days is None else int(after_days),
            "storage_class": None if after_days is None else processed["storage_class"],
        },
    ]


def bucket_rule_options(rules: Sequence[State]) -> list[State]:
    """Return rules without the options that are null, for which a module has no choice."""
    return [{name: value for name, value in rule.items() if value is not None} for rule in rules]


def bucket_current(gathered: Gathered) -> dict[str, State]:
    """Return ``bucket``, empty where there is none, and its lifecycle ``rules`` by id.

    Args:
        gathered: ``bucket``, the result of amazon.aws.s3_bucket_info.
    """
    found = _bucket(gathered)
    if not found:
        return {"bucket": {}, "rules": {}}
    encryption = _first_rule(found, "bucket_encryption").get("ApplyServerSideEncryptionByDefault", {})
    bucket = {
        "tags": found.get("bucket_tagging") or {},
        "versioning": (found.get("bucket_versioning") or {}).get("Status", "Disabled"),
        "encryption": encryption.get("SSEAlgorithm", "none"),
        "object_ownership": _first_rule(found, "bucket_ownership_controls").get("ObjectOwnership", "none"),
        "public_access": {
            # BlockPublicAcls, and by the module's name block_public_acls.
            re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower(): value
            for name, value in (found.get("public_access_block") or {}).items()
        },
        "policy": found.get("bucket_policy") or {},
    }
    rules = (found.get("bucket_lifecycle_configuration") or {}).get("Rules") or []
    return {"bucket": bucket, "rules": {rule["ID"]: from_api(rule) for rule in rules}}


def bucket_outputs(gathered: Gathered) -> dict[str, str | None]:
    """Return the outputs of the role; null where there is no bucket."""
    name = _bucket(gathered).get("name")
    return {"name": name, "arn": f"arn:aws:s3:::{name}" if name else None}


class FilterModule:
    """The filters of this file, as Ansible wants them."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {
            "bucket_current": bucket_current,
            "bucket_outputs": bucket_outputs,
            "bucket_rule_options": bucket_rule_options,
            "bucket_rules": bucket_rules,
        }
