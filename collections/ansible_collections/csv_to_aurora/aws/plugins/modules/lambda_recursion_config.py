#!/usr/bin/python
# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: lambda_recursion_config
version_added: 1.0.0
short_description: Manage whether AWS Lambda stops a function that invokes itself in a loop
description:
  - By default Lambda ends a chain of invocations through SQS, SNS, S3 or the function itself after about 16 turns. A
    function that continues its own work by invoking itself needs V(Allow).
  - The setting always has a value, so there is nothing to remove.
  - In check mode, a function that does not exist yet is one with V(Terminate), as AWS would create it.
author:
  - The csv-to-aurora authors (@csv-to-aurora)
options:
  function_name:
    description:
      - Name or ARN of the function, without a version or alias.
    type: str
    required: true
    aliases: ['name']
  recursive_loop:
    description:
      - V(Terminate) stops the function when it is in a loop, V(Allow) does not.
    type: str
    choices: ['Allow', 'Terminate']
    required: true
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Let the function invoke itself to continue a long file
  csv_to_aurora.aws.lambda_recursion_config:
    function_name: importer
    recursive_loop: Allow
"""

RETURN = r"""
recursive_loop:
  description: The setting as it is now, or in check mode as it would be.
  returned: success
  type: str
  sample: Allow
"""

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.csv_to_aurora.aws.plugins.module_utils.common import aws_retry, exit_with, explained

DEFAULT = "Terminate"


def current_setting(module: AnsibleAWSModule, client: Any, name: str) -> str:
    """Return the function's setting; that of a new function when it does not exist."""
    with explained(
        module,
        f"Cannot read the recursion configuration of function {name}",
        "Check the connection and that lambda:GetFunctionRecursionConfig is allowed",
    ):
        try:
            return str(client.get_function_recursion_config(aws_retry=True, FunctionName=name)["RecursiveLoop"])
        except is_boto3_error_code("ResourceNotFoundException"):
            return DEFAULT


def main() -> None:
    """Entry point."""
    module = AnsibleAWSModule(
        argument_spec={
            "function_name": {"required": True, "aliases": ["name"]},
            "recursive_loop": {"choices": ["Allow", "Terminate"], "required": True},
        },
        supports_check_mode=True,
    )
    name, wanted = module.params["function_name"], module.params["recursive_loop"]
    client = module.client("lambda", retry_decorator=aws_retry())
    current = current_setting(module, client, name)
    if current != wanted and not module.check_mode:
        with explained(
            module,
            f"Cannot set the recursion configuration of function {name}",
            "Check that the function exists and that lambda:PutFunctionRecursionConfig is allowed",
        ):
            client.put_function_recursion_config(aws_retry=True, FunctionName=name, RecursiveLoop=wanted)
    exit_with(
        module,
        f"recursion configuration of {name}",
        {"recursive_loop": current},
        {"recursive_loop": wanted},
        recursive_loop=wanted,
    )


if __name__ == "__main__":
    main()
