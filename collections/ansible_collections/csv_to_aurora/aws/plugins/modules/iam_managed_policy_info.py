#!/usr/bin/python
# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: iam_managed_policy_info
version_added: 1.1.0
short_description: Read an IAM managed policy and its default version
description:
  - Reads a managed policy, of the account or of AWS, by its ARN, with the document of its default version.
author:
  - The csv-to-aurora authors (@csv-to-aurora)
options:
  arn:
    description:
      - ARN of the policy.
    type: str
    required: true
notes:
  - "Why this module: amazon.aws and community.aws have no info module for managed policies.
    M(amazon.aws.iam_managed_policy) finds a policy by listing all of the account's, needs a document to compare with,
    and in check mode returns nothing of a policy that does not exist. Reading by ARN needs iam:GetPolicy and
    iam:GetPolicyVersion on that one policy. It could go to amazon.aws as it is."
seealso:
  - module: amazon.aws.iam_managed_policy
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Read a permissions boundary
  csv_to_aurora.aws.iam_managed_policy_info:
    arn: arn:aws:iam::123456789012:policy/customers-boundary
  register: found

- name: Check that it exists
  ansible.builtin.assert:
    that: found.policy is not none
"""

RETURN = r"""
policy:
  description: The policy. Null when it does not exist.
  returned: success
  type: dict
  contains:
    name:
      description: Name of the policy.
      type: str
      returned: always
      sample: customers-boundary
    arn:
      description: ARN of the policy.
      type: str
      returned: always
      sample: arn:aws:iam::123456789012:policy/customers-boundary
    default_version_id:
      description: Identifier of the default version, which is the one in effect.
      type: str
      returned: always
      sample: v1
    document:
      description: The document of the default version.
      type: dict
      returned: always
      sample: {"Version": "2012-10-17", "Statement": []}
"""

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.csv_to_aurora.aws.plugins.module_utils.common import aws_retry, explained


def described(client: Any, arn: str) -> dict[str, Any] | None:
    """Return a policy under the module's own names; None when it does not exist.

    Sources: https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetPolicy.html
    https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetPolicyVersion.html
    """
    try:
        policy = client.get_policy(aws_retry=True, PolicyArn=arn)["Policy"]
        default = policy["DefaultVersionId"]
        version = client.get_policy_version(aws_retry=True, PolicyArn=arn, VersionId=default)["PolicyVersion"]
    except is_boto3_error_code("NoSuchEntity"):
        return None
    return {
        "name": policy["PolicyName"],
        "arn": policy["Arn"],
        "default_version_id": default,
        # botocore has decoded it.
        "document": version["Document"],
    }


def main() -> None:
    """Entry point."""
    module = AnsibleAWSModule(argument_spec={"arn": {"required": True}}, supports_check_mode=True)
    arn = module.params["arn"]
    client = module.client("iam", retry_decorator=aws_retry())
    with explained(
        module,
        f"Cannot read the managed policy {arn}",
        "Check its ARN, and that iam:GetPolicy and iam:GetPolicyVersion are allowed on it",
    ):
        policy = described(client, arn)
    module.exit_json(changed=False, policy=policy)


if __name__ == "__main__":
    main()
