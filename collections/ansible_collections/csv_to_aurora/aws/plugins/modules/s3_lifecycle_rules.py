#!/usr/bin/python
# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: s3_lifecycle_rules
version_added: 1.0.0
short_description: Manage lifecycle rules of an S3 bucket, also of objects with given tags
description:
  - Creates, updates and deletes lifecycle rules by their ids, all of them in one request. Other rules stay as they are.
author:
  - The csv-to-aurora authors (@csv-to-aurora)
options:
  name:
    description:
      - Name of the bucket. In check mode it may be one that does not exist yet.
    type: str
    required: true
    aliases: ['bucket']
  rules:
    description:
      - The rules that are managed, each with an id of its own.
    type: list
    elements: dict
    required: true
    suboptions:
      id:
        description:
          - Id of the rule.
        type: str
        required: true
      state:
        description:
          - V(present) creates or updates the rule, V(absent) deletes it.
          - In a diff, V(other) is a rule that is disabled, or that does what these options cannot say.
        type: str
        choices: ['present', 'absent']
        default: present
      tags:
        description:
          - The rule is for the objects that have all of these tags. By default it is for all objects.
        type: dict
      expiration_days:
        description:
          - Days after the upload after which an object expires. In a bucket with versioning it gets a delete marker.
        type: int
      expire_object_delete_marker:
        description:
          - Whether delete markers without older versions are removed. Not for a rule with O(rules[].tags), since delete
            markers have none, nor together with O(rules[].expiration_days).
        type: bool
        default: false
      transition_days:
        description:
          - Days after the upload after which an object is moved to O(rules[].storage_class).
        type: int
      storage_class:
        description:
          - The storage class that objects are moved to.
        type: str
        choices: ['STANDARD_IA', 'ONEZONE_IA', 'INTELLIGENT_TIERING', 'GLACIER_IR', 'GLACIER', 'DEEP_ARCHIVE']
      noncurrent_version_expiration_days:
        description:
          - Days after which a version that is not the current one any more is deleted.
        type: int
      abort_incomplete_multipart_upload_days:
        description:
          - Days after which the parts of an incomplete multipart upload are deleted. Not for a rule with
            O(rules[].tags).
        type: int
attributes:
  check_mode:
    description: Compares, and writes nothing.
    support: full
notes:
  - "Why this module: M(community.aws.s3_lifecycle) has neither a filter by tags nor the storage class V(GLACIER_IR). It
    also writes one rule at a time: S3 has one request for all rules of a bucket, and may answer with the previous ones
    for some seconds after a change, so that of two rules that are created one after the other, the second request can
    remove the first rule again. The module could go to community.aws as it is."
seealso:
  - module: community.aws.s3_lifecycle
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Expire old versions, and objects that have been processed
  csv_to_aurora.aws.s3_lifecycle_rules:
    name: example-uploads
    rules:
      - id: old-versions
        noncurrent_version_expiration_days: 30
        expire_object_delete_marker: true
      - id: processed-objects
        tags:
          state: processed
        expiration_days: 90

- name: Delete a rule
  csv_to_aurora.aws.s3_lifecycle_rules:
    name: example-uploads
    rules:
      - id: processed-objects
        state: absent
"""

RETURN = r"""
rules:
  description: The managed rules as they are now, or in check mode as they would be, with the options' names.
  returned: success
  type: list
  elements: dict
  sample:
    - id: processed-objects
      state: present
      tags: {"state": "processed"}
      expiration_days: 90
      expire_object_delete_marker: false
      transition_days: null
      storage_class: null
      noncurrent_version_expiration_days: null
      abort_incomplete_multipart_upload_days: null
"""

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.csv_to_aurora.aws.plugins.module_utils.common import aws_retry, exit_with, explained
from ansible_collections.csv_to_aurora.aws.plugins.module_utils.lifecycle_rules import (
    STORAGE_CLASSES,
    Rule,
    from_api,
    to_api,
)


def configuration_of(module: AnsibleAWSModule, client: Any) -> dict[str, Any]:
    """Return the bucket's lifecycle configuration; without rules where it has none, or does not exist yet."""
    missing = ["NoSuchLifecycleConfiguration"]
    if module.check_mode or all(rule["state"] == "absent" for rule in module.params["rules"]):
        missing.append("NoSuchBucket")
    bucket = module.params["name"]
    with explained(
        module,
        f"Cannot read the lifecycle rules of bucket {bucket}",
        "Check that the bucket exists and that s3:GetLifecycleConfiguration is allowed",
    ):
        try:
            found = client.get_bucket_lifecycle_configuration(aws_retry=True, Bucket=bucket)
        except is_boto3_error_code(missing):
            return {"Rules": []}
    # Left out of the next request, it would become the default again.
    kept = ("Rules", "TransitionDefaultMinimumObjectSize")
    return {name: value for name, value in found.items() if name in kept}


def write(module: AnsibleAWSModule, client: Any, configuration: dict[str, Any]) -> None:
    """Replace all rules of the bucket."""
    bucket, rules = module.params["name"], configuration.pop("Rules")
    with explained(
        module,
        f"Cannot change the lifecycle rules of bucket {bucket}",
        "Check that s3:PutLifecycleConfiguration is allowed, and what S3 says of the rules",
    ):
        if rules:
            client.put_bucket_lifecycle_configuration(
                aws_retry=True, Bucket=bucket, LifecycleConfiguration={"Rules": rules}, **configuration
            )
        else:
            client.delete_bucket_lifecycle(aws_retry=True, Bucket=bucket)


def validate(module: AnsibleAWSModule, rules: list[Rule]) -> None:
    """Fail where S3 would refuse a rule, or where it is not clear which one is meant."""
    ids = [rule["id"] for rule in rules]
    twice = sorted({one for one in ids if ids.count(one) > 1})
    if twice:
        module.fail_json(msg=f"rules has {', '.join(twice)} more than once. Give each rule an id of its own.")
    for rule in rules:
        if rule["tags"] and (rule["expire_object_delete_marker"] or rule["abort_incomplete_multipart_upload_days"]):
            module.fail_json(
                msg=f"The rule {rule['id']} has tags: S3 takes expire_object_delete_marker and "
                "abort_incomplete_multipart_upload_days only in a rule without. Write them in another rule."
            )
        if rule["expire_object_delete_marker"] and rule["expiration_days"] is not None:
            module.fail_json(
                msg=f"The rule {rule['id']} has expiration_days and expire_object_delete_marker, of which S3 takes "
                "one. Write the other in another rule."
            )


def main() -> None:
    """Entry point."""
    days = ("expiration_days", "noncurrent_version_expiration_days", "abort_incomplete_multipart_upload_days")
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"required": True, "aliases": ["bucket"]},
            "rules": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "id": {"required": True},
                    "state": {"choices": ["present", "absent"], "default": "present"},
                    "tags": {"type": "dict"},
                    "expire_object_delete_marker": {"type": "bool", "default": False},
                    "transition_days": {"type": "int"},
                    "storage_class": {"choices": list(STORAGE_CLASSES)},
                    **{name: {"type": "int"} for name in days},
                },
                "required_together": [("transition_days", "storage_class")],
            },
        },
        supports_check_mode=True,
    )
    rules: list[Rule] = module.params["rules"]
    validate(module, rules)
    wanted = {rule["id"]: {**rule, "tags": rule["tags"] or None} for rule in rules if rule["state"] == "present"}
    managed = {rule["id"] for rule in rules}
    client = module.client("s3", retry_decorator=aws_retry())
    configuration = configuration_of(module, client)

    found = configuration["Rules"]
    before = {rule["ID"]: from_api(rule) for rule in found if rule.get("ID") in managed}
    if before != wanted and not module.check_mode:
        others = [rule for rule in found if rule.get("ID") not in managed]
        write(module, client, {**configuration, "Rules": others + [to_api(rule) for rule in wanted.values()]})
    exit_with(module, f"lifecycle rules of bucket {module.params['name']}", before, wanted, rules=list(wanted.values()))


if __name__ == "__main__":
    main()
