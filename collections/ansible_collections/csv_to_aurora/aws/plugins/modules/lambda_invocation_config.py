#!/usr/bin/python
# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: lambda_invocation_config
version_added: 1.0.0
short_description: Configure how AWS Lambda invokes a function
description:
  - Configures asynchronous invocation (retries, maximum age of an event, destinations), recursive invocation, and the
    reserved concurrency of a function.
  - Manages all of these settings. One that is not given gets the default of AWS; only O(recursive_loop) is left as it
    is.
  - Works on the unpublished version (C($LATEST)), not on published versions and aliases.
  - In check mode, a function that does not exist yet is one whose settings would change.
author:
  - The csv-to-aurora authors (@csv-to-aurora)
options:
  function_name:
    description:
      - Name or ARN of the function, without a version or alias.
    type: str
    required: true
    aliases: ['name']
  maximum_retry_attempts:
    description:
      - How often Lambda retries an asynchronous invocation that failed in the function, V(0) to V(2).
    type: int
    default: 2
  maximum_event_age:
    description:
      - For how many seconds Lambda keeps an event that waits to be processed, V(60) to V(21600).
    type: int
    default: 21600
    aliases: ['maximum_event_age_in_seconds']
  on_failure_destination:
    description:
      - ARN of the queue, topic, bucket, function or event bus that gets the record of an event that was discarded after
        all retries. By default none.
    type: str
  on_success_destination:
    description:
      - ARN of the queue, topic, bucket, function or event bus that gets the record of an invocation that succeeded. By
        default none.
    type: str
  reserved_concurrent_executions:
    description:
      - How many invocations may run at once, and are reserved for the function. V(0) stops the function.
      - By default nothing is reserved, and the function uses the account's unreserved concurrency.
      - AWS keeps at least 100 executions of the account unreserved and refuses more.
    type: int
  recursive_loop:
    description:
      - V(Terminate), the default of AWS, stops a chain of invocations through SQS, SNS, S3 or the function itself after
        about 16 turns. V(Allow) does not; a function that continues its own work by invoking itself needs it.
      - Not given, it is neither read nor changed, for endpoints that do not have this setting.
    type: str
    choices: ['Allow', 'Terminate']
notes:
  - "Why this module: M(amazon.aws.lambda) manages code and configuration of a function, and no module of amazon.aws or
    community.aws calls PutFunctionEventInvokeConfig, PutFunctionConcurrency or PutFunctionRecursionConfig. It could go
    to amazon.aws as it is."
  - The function's role must be allowed to send to the destinations; AWS checks it. The module waits up to a minute for
    the permissions of a new role, and for a function that is still being created or updated.
  - In check mode it only reads, and RV(current) is what M(amazon.aws.lambda_info) does not return.
seealso:
  - module: amazon.aws.lambda
  - module: amazon.aws.lambda_info
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Retry once, and then send the event to a queue
  csv_to_aurora.aws.lambda_invocation_config:
    function_name: importer
    maximum_retry_attempts: 1
    maximum_event_age: 3600
    on_failure_destination: arn:aws:sqs:eu-west-1:123456789012:importer-dlq
    reserved_concurrent_executions: 10
    recursive_loop: Allow

- name: Go back to the defaults of AWS
  csv_to_aurora.aws.lambda_invocation_config:
    function_name: importer
    recursive_loop: Terminate

- name: Read the settings
  csv_to_aurora.aws.lambda_invocation_config:
    function_name: importer
    recursive_loop: Terminate
  check_mode: true
  register: invocation
"""

RETURN = r"""
current:
  description:
    - The settings as found, before any change. Null where the function does not exist.
    - Always has the keys that are listed here.
  returned: success
  type: dict
  contains: &settings
    maximum_retry_attempts:
      description: How often an asynchronous invocation is retried.
      type: int
      returned: always
      sample: 1
    maximum_event_age:
      description: For how many seconds an event may wait.
      type: int
      returned: always
      sample: 3600
    on_failure_destination:
      description: ARN of the destination for failures, or null.
      type: str
      returned: always
      sample: arn:aws:sqs:eu-west-1:123456789012:importer-dlq
    on_success_destination:
      description: ARN of the destination for successes, or null.
      type: str
      returned: always
      sample: arn:aws:sns:eu-west-1:123456789012:imported
    reserved_concurrent_executions:
      description: The reserved concurrency, or null where nothing is reserved.
      type: int
      returned: always
      sample: 10
    recursive_loop:
      description: Whether recursive invocation is allowed. Null where O(recursive_loop) is not given.
      type: str
      returned: always
      sample: Allow
settings:
  description: The settings as they are now, or in check mode as they would be.
  returned: success
  type: dict
  contains: *settings
"""

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.csv_to_aurora.aws.plugins.module_utils.common import aws_retry, exit_with, explained

Settings = dict[str, int | str | None]

NOT_FOUND = "ResourceNotFoundException"
# What applies to a function without an event invoke configuration.
DEFAULTS = {"maximum_retry_attempts": 2, "maximum_event_age": 21600}
ASYNCHRONOUS = ("maximum_retry_attempts", "maximum_event_age", "on_failure_destination", "on_success_destination")


def asynchronous_from_api(config: dict[str, Any]) -> Settings:
    """Return the settings of an event invoke configuration under the module's own names."""
    destinations = config.get("DestinationConfig") or {}
    return {
        "maximum_retry_attempts": config.get("MaximumRetryAttempts", DEFAULTS["maximum_retry_attempts"]),
        "maximum_event_age": config.get("MaximumEventAgeInSeconds", DEFAULTS["maximum_event_age"]),
        "on_failure_destination": (destinations.get("OnFailure") or {}).get("Destination") or None,
        "on_success_destination": (destinations.get("OnSuccess") or {}).get("Destination") or None,
    }


def asynchronous_to_api(settings: Settings) -> dict[str, Any]:
    """Return the request parameters of an event invoke configuration."""
    destinations = {
        name: {"Destination": settings[option]}
        for name, option in (("OnFailure", "on_failure_destination"), ("OnSuccess", "on_success_destination"))
        if settings[option]
    }
    return {
        "MaximumRetryAttempts": settings["maximum_retry_attempts"],
        "MaximumEventAgeInSeconds": settings["maximum_event_age"],
        "DestinationConfig": destinations,
    }


class Function:
    """The settings of one function, read and written."""

    def __init__(self, module: AnsibleAWSModule) -> None:
        """Take the function's name from the module's options."""
        self.module = module
        self.name: str = module.params["function_name"]
        self.client: Any = module.client("lambda", retry_decorator=aws_retry())

    def current(self, *, with_recursion: bool) -> Settings | None:
        """Return the settings as they are; None where the function does not exist."""
        with explained(
            self.module,
            f"Cannot read the invocation settings of function {self.name}",
            "Check the connection and that lambda:GetFunctionConcurrency, lambda:GetFunctionEventInvokeConfig and "
            "lambda:GetFunctionRecursionConfig are allowed",
        ):
            try:
                concurrency = self.client.get_function_concurrency(aws_retry=True, FunctionName=self.name)
            except is_boto3_error_code(NOT_FOUND):
                return None
            try:
                config = self.client.get_function_event_invoke_config(aws_retry=True, FunctionName=self.name)
            except is_boto3_error_code(NOT_FOUND):
                config = {}
            recursion = {}
            if with_recursion:
                recursion = self.client.get_function_recursion_config(aws_retry=True, FunctionName=self.name)
        return {
            **asynchronous_from_api(config),
            "reserved_concurrent_executions": concurrency.get("ReservedConcurrentExecutions"),
            "recursive_loop": recursion.get("RecursiveLoop"),
        }

    def write(self, current: Settings, desired: Settings) -> None:
        """Write the settings that differ."""
        differing = {name for name, value in desired.items() if current[name] != value}
        if differing.intersection(ASYNCHRONOUS):
            with explained(
                self.module,
                f"Cannot configure asynchronous invocation of function {self.name}",
                "Check that the destinations exist and that the function's role may send to them",
            ):
                self.client.put_function_event_invoke_config(
                    aws_retry=True, FunctionName=self.name, **asynchronous_to_api(desired)
                )
        if "recursive_loop" in differing:
            with explained(
                self.module,
                f"Cannot configure recursive invocation of function {self.name}",
                "Check that lambda:PutFunctionRecursionConfig is allowed",
            ):
                self.client.put_function_recursion_config(
                    aws_retry=True, FunctionName=self.name, RecursiveLoop=desired["recursive_loop"]
                )
        if "reserved_concurrent_executions" in differing:
            self.reserve(desired["reserved_concurrent_executions"])

    def reserve(self, executions: int | str | None) -> None:
        """Reserve a number of concurrent executions, or none."""
        with explained(
            self.module,
            f"Cannot set the reserved concurrency of function {self.name}",
            "Check that lambda:PutFunctionConcurrency and lambda:DeleteFunctionConcurrency are allowed and that the "
            "account's limit leaves 100 unreserved executions",
        ):
            if executions is None:
                self.client.delete_function_concurrency(aws_retry=True, FunctionName=self.name)
            else:
                self.client.put_function_concurrency(
                    aws_retry=True, FunctionName=self.name, ReservedConcurrentExecutions=executions
                )


def check_ranges(module: AnsibleAWSModule) -> None:
    """Fail before the first call when a number is out of the range that AWS takes."""
    for name, low, high in (("maximum_retry_attempts", 0, 2), ("maximum_event_age", 60, 21600)):
        value = module.params[name]
        if not low <= value <= high:
            module.fail_json(msg=f"{name} is {value}. Give a number from {low} to {high}.")
    reserved = module.params["reserved_concurrent_executions"]
    if reserved is not None and reserved < 0:
        module.fail_json(
            msg=f"reserved_concurrent_executions is {reserved}. Give 0 or more, or leave it out to reserve nothing."
        )


def main() -> None:
    """Entry point."""
    module = AnsibleAWSModule(
        argument_spec={
            "function_name": {"required": True, "aliases": ["name"]},
            "maximum_retry_attempts": {"type": "int", "default": 2},
            "maximum_event_age": {"type": "int", "default": 21600, "aliases": ["maximum_event_age_in_seconds"]},
            "on_failure_destination": {},
            "on_success_destination": {},
            "reserved_concurrent_executions": {"type": "int"},
            "recursive_loop": {"choices": ["Allow", "Terminate"]},
        },
        supports_check_mode=True,
    )
    check_ranges(module)
    options = (*ASYNCHRONOUS, "reserved_concurrent_executions", "recursive_loop")
    # An empty text is no destination.
    desired: Settings = {name: None if module.params[name] == "" else module.params[name] for name in options}
    function = Function(module)
    current = function.current(with_recursion=desired["recursive_loop"] is not None)
    if not module.check_mode:
        if current is None:
            module.fail_json(
                msg=f"There is no function {function.name} in this region. Create it first, or correct function_name."
            )
        elif current != desired:
            function.write(current, desired)
    exit_with(
        module,
        f"invocation settings of function {function.name}",
        current or {},
        desired,
        current=current,
        settings=desired,
    )


if __name__ == "__main__":
    main()
