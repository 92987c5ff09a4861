#!/usr/bin/python
# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: s3_bucket_purge
version_added: 1.0.0
short_description: Empty an S3 bucket
description:
  - Deletes all versions of all objects, all delete markers, and all pending multipart uploads of a bucket.
  - A bucket that does not exist is empty.
author:
  - The csv-to-aurora authors (@csv-to-aurora)
options:
  name:
    description:
      - Name of the bucket.
    type: str
    required: true
    aliases: ['bucket']
  prefix:
    description:
      - Delete only objects and uploads whose keys begin like this. By default all.
    type: str
    default: ''
attributes:
  check_mode:
    description: Counts what a run would delete and deletes nothing.
    support: full
notes:
  - "Why this module: M(amazon.aws.s3_bucket) with O(amazon.aws.s3_bucket#module:state=absent) and
    O(amazon.aws.s3_bucket#module:force=true) deletes an object whose version id is C(null) without naming the version.
    In a bucket with versioning, that adds a delete marker and leaves the version that was written before versioning was
    enabled, so that the bucket cannot be deleted, however often it is tried. It also has no check mode, does not return
    what it deleted, does not abort pending multipart uploads, and cannot empty a bucket that is to stay, or a prefix
    of it. The module could go to amazon.aws as it is, and the version id as a fix of C(s3_bucket)."
  - Works in pages of a thousand, so that memory does not grow with the bucket. Two runs at once do not conflict.
  - What is written to the bucket while the module runs may remain. Remove the writers' access first.
  - Objects under a legal hold or a retention period cannot be deleted. The module deletes the others and then fails
    with the first of their names.
seealso:
  - module: amazon.aws.s3_bucket
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Empty the bucket
  csv_to_aurora.aws.s3_bucket_purge:
    name: example-uploads

- name: Delete the imported files only
  csv_to_aurora.aws.s3_bucket_purge:
    name: example-uploads
    prefix: imported/
"""

RETURN = r"""
versions:
  description: How many versions of objects were deleted, or in check mode would be.
  returned: success
  type: int
  sample: 1200
delete_markers:
  description: How many delete markers were deleted, or in check mode would be.
  returned: success
  type: int
  sample: 3
uploads:
  description: How many pending multipart uploads were aborted, or in check mode would be.
  returned: success
  type: int
  sample: 1
"""

from collections.abc import Iterator
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.csv_to_aurora.aws.plugins.module_utils.common import aws_retry, exit_with, explained

Page = dict[str, Any]


def pages(listing: Any, request: dict[str, str], markers: dict[str, str]) -> Iterator[Page]:
    """Yield the pages of a listing; none when the bucket does not exist.

    Args:
        listing: The client's method.
        request: Its parameters.
        markers: Where the next page begins: the request's parameter by the response's field.
    """
    position: dict[str, str] = {}
    while True:
        try:
            page = listing(aws_retry=True, **request, **position)
        except is_boto3_error_code("NoSuchBucket"):
            return
        # Deleting while listing is safe because a marker is a place in the order of keys, not a count.
        yield page
        if not page.get("IsTruncated"):
            return
        position = {parameter: page[field] for field, parameter in markers.items() if page.get(field)}


class Purge:
    """Counts and, outside check mode, deletes what is in a bucket."""

    def __init__(self, module: AnsibleAWSModule) -> None:
        """Take the bucket and the prefix from the module's options."""
        self.bucket: str = module.params["name"]
        self.request = {"Bucket": self.bucket, "Prefix": module.params["prefix"]}
        self.check_mode: bool = module.check_mode
        self.client: Any = module.client("s3", retry_decorator=aws_retry())
        self.counts = {"versions": 0, "delete_markers": 0, "uploads": 0}
        self.refused: list[dict[str, str]] = []

    def objects(self) -> None:
        """Delete every version and every delete marker."""
        markers = {"NextKeyMarker": "KeyMarker", "NextVersionIdMarker": "VersionIdMarker"}
        for page in pages(self.client.list_object_versions, self.request, markers):
            versions, delete_markers = page.get("Versions", []), page.get("DeleteMarkers", [])
            found = [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in versions + delete_markers]
            refused = [] if self.check_mode or not found else self.delete(found)
            self.refused += refused
            kept = {(item["Key"], item.get("VersionId")) for item in refused}
            for name, items in (("versions", versions), ("delete_markers", delete_markers)):
                self.counts[name] += sum((item["Key"], item["VersionId"]) not in kept for item in items)

    def delete(self, found: list[dict[str, str]]) -> list[dict[str, str]]:
        """Delete one page and return what AWS refused; what is already gone is not refused."""
        try:
            response = self.client.delete_objects(
                aws_retry=True, Bucket=self.bucket, Delete={"Objects": found, "Quiet": True}
            )
        except is_boto3_error_code("NoSuchBucket"):
            return []
        refused: list[dict[str, str]] = response.get("Errors", [])
        return refused

    def uploads(self) -> None:
        """Abort every pending multipart upload."""
        markers = {"NextKeyMarker": "KeyMarker", "NextUploadIdMarker": "UploadIdMarker"}
        for page in pages(self.client.list_multipart_uploads, self.request, markers):
            for upload in page.get("Uploads", []):
                self.counts["uploads"] += 1
                if not self.check_mode:
                    self.abort(upload)

    def abort(self, upload: dict[str, str]) -> None:
        """Abort one upload; one that is gone already is no error."""
        try:
            self.client.abort_multipart_upload(
                aws_retry=True, Bucket=self.bucket, Key=upload["Key"], UploadId=upload["UploadId"]
            )
        except is_boto3_error_code(["NoSuchUpload", "NoSuchBucket"]):
            pass


def main() -> None:
    """Entry point."""
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"required": True, "aliases": ["bucket"]},
            "prefix": {"default": ""},
        },
        supports_check_mode=True,
    )
    purge = Purge(module)
    with explained(
        module,
        f"Cannot empty bucket {purge.bucket}",
        "Check that s3:ListBucketVersions, s3:ListBucketMultipartUploads, s3:DeleteObjectVersion, s3:DeleteObject "
        "and s3:AbortMultipartUpload are allowed",
    ):
        # Uploads first: one that completes meanwhile becomes an object, which the second listing finds.
        purge.uploads()
        purge.objects()
    if purge.refused:
        first = purge.refused[0]
        reason = first.get("Message") or first.get("Code")
        module.fail_json(
            msg=f"Cannot delete {len(purge.refused)} versions in bucket {purge.bucket}, the first of "
            f"{first['Key']}: {str(reason).rstrip('.')}. Check for legal holds, retention and the bucket's policy.",
            changed=any(purge.counts.values()),
            **purge.counts,
        )
    exit_with(
        module,
        f"bucket {purge.bucket}",
        {name: count for name, count in purge.counts.items() if count},
        {},
        **purge.counts,
    )


if __name__ == "__main__":
    main()
