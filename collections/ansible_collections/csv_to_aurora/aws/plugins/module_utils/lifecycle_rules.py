# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Lifecycle rules of a bucket: as the API has them, and as the options of the module s3_lifecycle_rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Rule = dict[str, Any]

STORAGE_CLASSES = ("STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE")


def to_api(rule: Mapping[str, Any]) -> Rule:
    """Return a rule as the API takes it.

    Args:
        rule: The options of a rule that is present.
    """
    tags = [{"Key": key, "Value": value} for key, value in sorted((rule["tags"] or {}).items())]
    filters: list[Rule] = [{"Prefix": ""}, *({"Tag": tag} for tag in tags)]
    found: Rule = {
        "ID": rule["id"],
        "Status": "Enabled",
        "Filter": filters[-1] if len(tags) < 2 else {"And": {"Tags": tags}},
    }
    if rule["expiration_days"] is not None:
        found["Expiration"] = {"Days": rule["expiration_days"]}
    elif rule["expire_object_delete_marker"]:
        found["Expiration"] = {"ExpiredObjectDeleteMarker": True}
    if rule["transition_days"] is not None:
        found["Transitions"] = [{"Days": rule["transition_days"], "StorageClass": rule["storage_class"]}]
    if rule["noncurrent_version_expiration_days"] is not None:
        found["NoncurrentVersionExpiration"] = {"NoncurrentDays": rule["noncurrent_version_expiration_days"]}
    if rule["abort_incomplete_multipart_upload_days"] is not None:
        found["AbortIncompleteMultipartUpload"] = {
            "DaysAfterInitiation": rule["abort_incomplete_multipart_upload_days"]
        }
    return found


def from_api(rule: Mapping[str, Any]) -> Rule:
    """Return a rule as options, each of them, with ``state`` ``other`` where they cannot say all that it does.

    Args:
        rule: The rule, enabled or not, as the API has it.
    """
    found = {name: value for name, value in rule.items() if value not in ({}, [], None)}
    limits = {"Filter": {"Prefix": found.pop("Prefix", "")}} | {
        name: value for name, value in found.items() if name == "Filter"
    }
    tags = [limits["Filter"]["Tag"]] if "Tag" in limits["Filter"] else limits["Filter"].get("And", {}).get("Tags", [])
    expiration = found.get("Expiration", {})
    transition: Rule = next(iter(found.get("Transitions", [])), {})
    options = {
        "id": found.get("ID", ""),
        "tags": {tag["Key"]: tag["Value"] for tag in tags} or None,
        "expiration_days": expiration.get("Days"),
        "expire_object_delete_marker": bool(expiration.get("ExpiredObjectDeleteMarker")),
        "transition_days": transition.get("Days"),
        "storage_class": transition.get("StorageClass"),
        "noncurrent_version_expiration_days": found.get("NoncurrentVersionExpiration", {}).get("NoncurrentDays"),
        "abort_incomplete_multipart_upload_days": found.get("AbortIncompleteMultipartUpload", {}).get(
            "DaysAfterInitiation"
        ),
    }
    said = to_api(options)
    said_tags, found_tags = (_sorted_tags(one) for one in (said["Filter"], limits["Filter"]))
    same = said | {"Filter": said_tags} == found | {"Filter": found_tags}
    return options | {"state": "present" if same else "other"}


def _sorted_tags(limits: Mapping[str, Any]) -> Rule:
    if "Tags" not in limits.get("And", {}):
        return dict(limits)
    return {"And": {**limits["And"], "Tags": sorted(limits["And"]["Tags"], key=lambda tag: str(tag["Key"]))}}
