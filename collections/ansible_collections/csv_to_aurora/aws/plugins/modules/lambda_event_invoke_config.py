#!/usr/bin/python
# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: lambda_event_invoke_config
version_added: 1.0.0
short_description: Manage how AWS Lambda treats a function's asynchronous invocations
description:
  - Manages retries, the maximum age of an event, and where the record of a failed or successful asynchronous invocation
    goes.
  - An option that is not given is left as it is, or, in a new configuration, to AWS.
  - In check mode, a function that does not exist yet is one whose configuration would be created.
author:
  - The csv-to-aurora authors (@csv-to-aurora)
options:
  function_name:
    description:
      - Name or ARN of the function.
    type: str
    required: true
    aliases: ['name']
  qualifier:
    description:
      - Version or alias that the configuration is for. By default it is for the function without a qualifier.
    type: str
  state:
    description:
      - V(present) makes the configuration as given.
      - V(absent) removes it, so that the defaults of AWS apply (two retries, six hours, no destination).
    type: str
    choices: ['present', 'absent']
    default: present
  maximum_retry_attempts:
    description:
      - How often an invocation that failed in the function is tried again, V(0) to V(2). AWS takes 2 by default.
    type: int
  maximum_event_age:
    description:
      - For how many seconds an event may wait to be processed, V(60) to V(21600). AWS takes 21600 by default.
    type: int
    aliases: ['maximum_event_age_in_seconds']
  on_failure_destination:
    description:
      - ARN of the queue, topic, bucket, function or event bus that gets the record of an invocation that failed for
        good.
      - An empty string removes the destination.
    type: str
  on_success_destination:
    description:
      - ARN of the queue, topic, function or event bus that gets the record of an invocation that succeeded.
      - An empty string removes the destination.
    type: str
notes:
  - The function's role must be allowed to send to the destinations; AWS checks it. The module waits up to a minute for
    the permissions of a new role.
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Keep events that failed twice in a queue
  csv_to_aurora.aws.lambda_event_invoke_config:
    function_name: importer
    maximum_retry_attempts: 1
    maximum_event_age: 3600
    on_failure_destination: arn:aws:sqs:eu-west-1:123456789012:importer-failures

- name: Remove the destination and keep the other settings
  csv_to_aurora.aws.lambda_event_invoke_config:
    function_name: importer
    on_failure_destination: ""

- name: Go back to the defaults of AWS
  csv_to_aurora.aws.lambda_event_invoke_config:
    function_name: importer
    state: absent
"""

RETURN = r"""
event_invoke_config:
  description: The configuration as it is now, or in check mode as it would be. Empty when there is none.
  returned: success
  type: dict
  contains:
    maximum_retry_attempts:
      description: How often a failed invocation is tried again.
      type: int
      returned: when set
      sample: 1
    maximum_event_age:
      description: For how many seconds an event may wait.
      type: int
      returned: when set
      sample: 3600
    on_failure_destination:
      description: ARN of the destination of failures.
      type: str
      returned: when set
      sample: arn:aws:sqs:eu-west-1:123456789012:importer-failures
    on_success_destination:
      description: ARN of the destination of successes.
      type: str
      returned: when set
      sample: arn:aws:sns:eu-west-1:123456789012:imported
"""

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.csv_to_aurora.aws.plugins.module_utils.common import aws_retry, exit_with, explained

Settings = dict[str, int | str]


def from_api(config: dict[str, Any]) -> Settings:
    """Return the settings of an API answer under the module's own names, without those that are not set."""
    destinations = config.get("DestinationConfig") or {}
    settings = {
        "maximum_retry_attempts": config.get("MaximumRetryAttempts"),
        "maximum_event_age": config.get("MaximumEventAgeInSeconds"),
        "on_failure_destination": (destinations.get("OnFailure") or {}).get("Destination") or None,
        "on_success_destination": (destinations.get("OnSuccess") or {}).get("Destination") or None,
    }
    return {name: value for name, value in settings.items() if value is not None}


def to_api(settings: Settings) -> dict[str, Any]:
    """Return the request parameters for settings under the module's own names."""
    parameters: dict[str, Any] = {"DestinationConfig": {}}
    if "maximum_retry_attempts" in settings:
        parameters["MaximumRetryAttempts"] = settings["maximum_retry_attempts"]
    if "maximum_event_age" in settings:
        parameters["MaximumEventAgeInSeconds"] = settings["maximum_event_age"]
    if "on_failure_destination" in settings:
        parameters["DestinationConfig"]["OnFailure"] = {"Destination": settings["on_failure_destination"]}
    if "on_success_destination" in settings:
        parameters["DestinationConfig"]["OnSuccess"] = {"Destination": settings["on_success_destination"]}
    return parameters


def merged(current: Settings, params: dict[str, Any]) -> Settings:
    """Return the current settings with the given options laid over them; an empty string takes a setting away."""
    wanted = dict(current)
    for name in ("maximum_retry_attempts", "maximum_event_age", "on_failure_destination", "on_success_destination"):
        if params[name] == "":
            wanted.pop(name, None)
        elif params[name] is not None:
            wanted[name] = params[name]
    return wanted


def current_config(module: AnsibleAWSModule, client: Any, target: dict[str, str]) -> Settings | None:
    """Return the configuration's settings; None when the function has none or does not exist."""
    with explained(
        module,
        f"Cannot read the event invoke configuration of function {module.params['function_name']}",
        "Check the connection and that lambda:GetFunctionEventInvokeConfig is allowed",
    ):
        try:
            return from_api(client.get_function_event_invoke_config(aws_retry=True, **target))
        except is_boto3_error_code("ResourceNotFoundException"):
            return None


def check_ranges(module: AnsibleAWSModule) -> None:
    """Fail before the first call when a number is out of the range that AWS takes."""
    for name, low, high in (("maximum_retry_attempts", 0, 2), ("maximum_event_age", 60, 21600)):
        value = module.params[name]
        if value is not None and not low <= value <= high:
            module.fail_json(msg=f"{name} is {value}; give a number from {low} to {high}")


def main() -> None:
    """Entry point."""
    module = AnsibleAWSModule(
        argument_spec={
            "function_name": {"required": True, "aliases": ["name"]},
            "qualifier": {},
            "state": {"choices": ["present", "absent"], "default": "present"},
            "maximum_retry_attempts": {"type": "int"},
            "maximum_event_age": {"type": "int", "aliases": ["maximum_event_age_in_seconds"]},
            "on_failure_destination": {},
            "on_success_destination": {},
        },
        supports_check_mode=True,
    )
    check_ranges(module)
    name = module.params["function_name"]
    target = {"FunctionName": name}
    if module.params["qualifier"]:
        target["Qualifier"] = module.params["qualifier"]
    client = module.client("lambda", retry_decorator=aws_retry())

    current = current_config(module, client, target)
    # A configuration without any setting is still one: only None is absent.
    before = {} if current is None else {"state": "present", **current}
    after: dict[str, Any] = {}
    wanted: Settings = {}
    if module.params["state"] == "present":
        wanted = merged(current or {}, module.params)
        after = {"state": "present", **wanted}

    if before != after and not module.check_mode:
        if after:
            with explained(
                module,
                f"Cannot set the event invoke configuration of function {name}",
                "Check that the function and the destinations exist and that the function's role may send to them",
            ):
                wanted = from_api(client.put_function_event_invoke_config(aws_retry=True, **target, **to_api(wanted)))
        else:
            with explained(
                module,
                f"Cannot remove the event invoke configuration of function {name}",
                "Check that lambda:DeleteFunctionEventInvokeConfig is allowed",
            ):
                try:
                    client.delete_function_event_invoke_config(aws_retry=True, **target)
                except is_boto3_error_code("ResourceNotFoundException"):
                    pass  # somebody else removed it between the two calls

    exit_with(module, f"event invoke configuration of {name}", before, after, event_invoke_config=wanted)


if __name__ == "__main__":
    main()
