#!/usr/bin/python
# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: cloudwatchevent_rule_info
version_added: 1.0.0
short_description: Describe an EventBridge rule and its targets
description:
  - Reads a rule of the default event bus, and what it invokes.
author:
  - The csv-to-aurora authors (@csv-to-aurora)
options:
  name:
    description:
      - Name of the rule.
    type: str
    required: true
notes:
  - "Why this module: amazon.aws has no info module for rules, and M(amazon.aws.cloudwatchevent_rule) has no check mode.
    It could go to amazon.aws as it is."
seealso:
  - module: amazon.aws.cloudwatchevent_rule
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Describe a rule
  csv_to_aurora.aws.cloudwatchevent_rule_info:
    name: customers-importer-check
"""

RETURN = r"""
rule:
  description: The rule. Empty when it does not exist.
  returned: success
  type: dict
  contains:
    arn:
      description: ARN of the rule.
      type: str
      returned: when the rule exists
      sample: arn:aws:events:eu-west-1:123456789012:rule/customers-importer-check
    description:
      description: Its description; empty without one.
      type: str
      returned: when the rule exists
    schedule_expression:
      description: When it invokes its targets; empty for a rule of events.
      type: str
      returned: when the rule exists
      sample: rate(5 minutes)
    state:
      description: C(ENABLED) or C(DISABLED).
      type: str
      returned: when the rule exists
    targets:
      description: What it invokes.
      type: list
      elements: dict
      returned: when the rule exists
      contains:
        id:
          description: Id of the target.
          type: str
          returned: always
        arn:
          description: What is invoked.
          type: str
          returned: always
        input:
          description: What it gets in place of the event, as text; empty for the event itself.
          type: str
          returned: always
"""

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.csv_to_aurora.aws.plugins.module_utils.common import aws_retry, explained

NO_RULE = "ResourceNotFoundException"


def targets_of(client: Any, name: str) -> list[dict[str, str]]:
    """Return what a rule invokes; nothing where it has just been deleted."""
    found: list[dict[str, str]] = []
    token: dict[str, str] = {}
    while True:
        page = client.list_targets_by_rule(aws_retry=True, Rule=name, **token)
        found += [{"id": one["Id"], "arn": one["Arn"], "input": one.get("Input", "")} for one in page["Targets"]]
        if not page.get("NextToken"):
            return found
        token = {"NextToken": page["NextToken"]}


def described(client: Any, name: str) -> dict[str, Any]:
    """Return a rule under the module's own names; empty where there is none."""
    try:
        rule = client.describe_rule(aws_retry=True, Name=name)
        targets = targets_of(client, name)
    except is_boto3_error_code(NO_RULE):
        return {}
    return {
        "arn": rule["Arn"],
        "description": rule.get("Description", ""),
        "schedule_expression": rule.get("ScheduleExpression", ""),
        "state": rule["State"],
        "targets": targets,
    }


def main() -> None:
    """Entry point."""
    module = AnsibleAWSModule(argument_spec={"name": {"required": True}}, supports_check_mode=True)
    name = module.params["name"]
    client = module.client("events", retry_decorator=aws_retry())
    with explained(
        module,
        f"Cannot describe rule {name}",
        "Check that events:DescribeRule and events:ListTargetsByRule are allowed",
    ):
        rule = described(client, name)
    module.exit_json(changed=False, rule=rule)


if __name__ == "__main__":
    main()
