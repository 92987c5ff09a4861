"""Filters: what the gathered information about a bucket says, in the fields that the role compares."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Gathered = Mapping[str, Any]
State = dict[str, Any]


def _bucket(gathered: Gathered) -> dict[str, Any]:
    """Return the bucket as s3_bucket_info has it; empty where there is none."""
    return next(iter(gathered["bucket"].get("buckets") or []), {})


def _first_rule(bucket: Mapping[str, Any], setting: str) -> dict[str, Any]:
    """Return the first rule of a setting; empty where it has none."""
    return next(iter((bucket.get(setting) or {}).get("Rules") or []), {})


def _lifecycle_rule(rule: Mapping[str, Any]) -> State:
    """Return a lifecycle rule; 0 days where it does not do something."""
    return {
        "noncurrent_days": int((rule.get("NoncurrentVersionExpiration") or {}).get("NoncurrentDays", 0)),
        "pending_upload_days": int((rule.get("AbortIncompleteMultipartUpload") or {}).get("DaysAfterInitiation", 0)),
    }


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
    return {"bucket": bucket, "rules": {rule["ID"]: _lifecycle_rule(rule) for rule in rules}}


def bucket_outputs(gathered: Gathered) -> dict[str, str | None]:
    """Return the outputs of the role; null where there is no bucket."""
    name = _bucket(gathered).get("name")
    return {"name": name, "arn": f"arn:aws:s3:::{name}" if name else None}


class FilterModule:
    """The filters of this file, as Ansible wants them."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {"bucket_current": bucket_current, "bucket_outputs": bucket_outputs}
