#!/usr/bin/python
# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: secretsmanager_secret_info
version_added: 1.0.0
short_description: Describe secrets of AWS Secrets Manager without reading their values
description:
  - Describes secrets by name, including those that are scheduled for deletion. Values are never read.
author:
  - The csv-to-aurora authors (@csv-to-aurora)
options:
  names:
    description:
      - Names or ARNs of the secrets.
    type: list
    elements: str
    required: true
notes:
  - "Why this module: amazon.aws and community.aws have no info module for secrets. The lookup
    P(amazon.aws.secretsmanager_secret#lookup) returns values and no tags; M(community.aws.secretsmanager_secret) reads
    the value to compare it, and in check mode returns no description. Describing needs secretsmanager:DescribeSecret
    only. It could go to community.aws as it is."
seealso:
  - module: community.aws.secretsmanager_secret
  - plugin: amazon.aws.secretsmanager_secret
    plugin_type: lookup
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Describe two secrets
  csv_to_aurora.aws.secretsmanager_secret_info:
    names:
      - customers/importer
      - customers/application
"""

RETURN = r"""
secrets:
  description: The secrets that exist, in the order of their names as given.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the secret.
      type: str
      returned: always
      sample: customers/importer
    arn:
      description: ARN of the secret.
      type: str
      returned: always
      sample: arn:aws:secretsmanager:eu-west-1:123456789012:secret:customers/importer-a1b2c3
    description:
      description: Description of the secret.
      type: str
      returned: always
      sample: Account of the importer
    tags:
      description: Tags of the secret.
      type: dict
      returned: always
      sample: {"Environment": "stage"}
    deleted_date:
      description: When the secret was scheduled for deletion, as an ISO 8601 time. Null when it was not.
      type: str
      returned: always
      sample: "2026-11-23T18:42:13+00:00"
    rotation_enabled:
      description: Whether automatic rotation is enabled.
      type: bool
      returned: always
      sample: false
"""

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.tagging import boto3_tag_list_to_ansible_dict

from ansible_collections.csv_to_aurora.aws.plugins.module_utils.common import aws_retry, explained


def described(secret: dict[str, Any]) -> dict[str, Any]:
    """Return the description of a secret under the module's own names."""
    deleted = secret.get("DeletedDate")
    return {
        "name": secret["Name"],
        "arn": secret["ARN"],
        "description": secret.get("Description", ""),
        "tags": boto3_tag_list_to_ansible_dict(secret.get("Tags") or []),
        "deleted_date": deleted.isoformat() if deleted else None,
        "rotation_enabled": bool(secret.get("RotationEnabled")),
    }


def describe(module: AnsibleAWSModule, client: Any, name: str) -> list[dict[str, Any]]:
    """Return the description of one secret as a list; an empty list when it does not exist."""
    with explained(
        module,
        f"Cannot describe secret {name}",
        "Check the connection and that secretsmanager:DescribeSecret is allowed",
    ):
        try:
            return [described(client.describe_secret(aws_retry=True, SecretId=name))]
        except is_boto3_error_code("ResourceNotFoundException"):
            return []


def main() -> None:
    """Entry point."""
    module = AnsibleAWSModule(
        argument_spec={"names": {"type": "list", "elements": "str", "required": True, "no_log": False}},
        supports_check_mode=True,
    )
    client = module.client("secretsmanager", retry_decorator=aws_retry())
    secrets = [secret for name in module.params["names"] for secret in describe(module, client, name)]
    module.exit_json(changed=False, secrets=secrets)


if __name__ == "__main__":
    main()
