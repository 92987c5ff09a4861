#!/usr/bin/python
# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: lambda_function_concurrency
version_added: 1.0.0
short_description: Manage the reserved concurrency of an AWS Lambda function
description:
  - Reserves, and thereby caps, the number of invocations of a function that run at once.
  - In check mode, a function that does not exist yet is one whose concurrency would be set.
author:
  - The csv-to-aurora authors (@csv-to-aurora)
options:
  function_name:
    description:
      - Name or ARN of the function, without a version or alias.
    type: str
    required: true
    aliases: ['name']
  reserved_concurrent_executions:
    description:
      - How many invocations may run at once. V(0) stops the function.
      - AWS keeps at least 100 executions of the account unreserved and refuses more.
      - Required when O(state=present).
    type: int
  state:
    description:
      - V(present) sets the reserved concurrency.
      - V(absent) removes it, so that the function draws on the account's unreserved executions.
    type: str
    choices: ['present', 'absent']
    default: present
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Run at most ten invocations at once
  csv_to_aurora.aws.lambda_function_concurrency:
    function_name: importer
    reserved_concurrent_executions: 10

- name: Lift the cap
  csv_to_aurora.aws.lambda_function_concurrency:
    function_name: importer
    state: absent
"""

RETURN = r"""
reserved_concurrent_executions:
  description: The reserved concurrency as it is now, or in check mode as it would be. Null when there is none.
  returned: success
  type: int
  sample: 10
"""

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.csv_to_aurora.aws.plugins.module_utils.common import aws_retry, exit_with, explained


def current_concurrency(module: AnsibleAWSModule, client: Any, name: str) -> int | None:
    """Return the reserved concurrency; None when nothing is reserved or the function does not exist."""
    with explained(
        module,
        f"Cannot read the reserved concurrency of function {name}",
        "Check the connection and that lambda:GetFunctionConcurrency is allowed",
    ):
        try:
            answer = client.get_function_concurrency(aws_retry=True, FunctionName=name)
        except is_boto3_error_code("ResourceNotFoundException"):
            return None
    reserved: int | None = answer.get("ReservedConcurrentExecutions")
    return reserved


def as_state(reserved: int | None) -> dict[str, int]:
    """Return the setting as a state to compare: empty when nothing is reserved."""
    return {} if reserved is None else {"reserved_concurrent_executions": reserved}


def main() -> None:
    """Entry point."""
    module = AnsibleAWSModule(
        argument_spec={
            "function_name": {"required": True, "aliases": ["name"]},
            "reserved_concurrent_executions": {"type": "int"},
            "state": {"choices": ["present", "absent"], "default": "present"},
        },
        required_if=[("state", "present", ["reserved_concurrent_executions"])],
        supports_check_mode=True,
    )
    name = module.params["function_name"]
    wanted: int | None = None
    if module.params["state"] == "present":
        wanted = module.params["reserved_concurrent_executions"]
        if wanted is not None and wanted < 0:
            module.fail_json(msg=f"reserved_concurrent_executions is {wanted}; give 0 or more")
    client = module.client("lambda", retry_decorator=aws_retry())

    current = current_concurrency(module, client, name)
    if current != wanted and not module.check_mode:
        if wanted is None:
            with explained(
                module,
                f"Cannot remove the reserved concurrency of function {name}",
                "Check that lambda:DeleteFunctionConcurrency is allowed",
            ):
                try:
                    client.delete_function_concurrency(aws_retry=True, FunctionName=name)
                except is_boto3_error_code("ResourceNotFoundException"):
                    pass  # somebody else removed the function between the two calls
        else:
            with explained(
                module,
                f"Cannot reserve {wanted} concurrent executions for function {name}",
                "Check that the function exists and that the account's limit leaves 100 unreserved executions",
            ):
                client.put_function_concurrency(aws_retry=True, FunctionName=name, ReservedConcurrentExecutions=wanted)

    exit_with(
        module,
        f"reserved concurrency of {name}",
        as_state(current),
        as_state(wanted),
        reserved_concurrent_executions=wanted,
    )


if __name__ == "__main__":
    main()
