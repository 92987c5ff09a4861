#!/usr/bin/python
# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: cloudwatch_dashboard
version_added: 1.0.0
short_description: Create, update or delete a CloudWatch dashboard
description:
  - Creates a dashboard, or replaces its body where that differs. Bodies are compared as JSON values, so that the order
    of keys and white space do not matter.
author:
  - The csv-to-aurora authors (@csv-to-aurora)
options:
  name:
    description:
      - Name of the dashboard, up to 255 letters, digits, hyphens and underscores. It is unique in the account, whatever
        the region.
    type: str
    required: true
    aliases: ['dashboard_name']
  state:
    description:
      - Whether the dashboard should exist.
    type: str
    choices: [present, absent]
    default: present
  body:
    description:
      - The dashboard body, a mapping with the list C(widgets). Required with O(state=present).
    type: dict
notes:
  - "Why this module: amazon.aws and community.aws have no module for dashboards. It could go to community.aws as it
    is."
  - What CloudWatch has to say about a body that it accepts is shown as warnings.
seealso:
  - module: csv_to_aurora.aws.cloudwatch_dashboard_info
  - name: Dashboard body structure and syntax
    description: What a body may hold.
    link: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Create a dashboard with one graph
  csv_to_aurora.aws.cloudwatch_dashboard:
    name: customers
    body:
      widgets:
        - type: metric
          width: 12
          height: 6
          properties:
            title: Errors
            region: eu-west-1
            stat: Sum
            metrics:
              - [AWS/Lambda, Errors, FunctionName, customers-importer]
"""

RETURN = r"""
dashboard_arn:
  description: ARN of the dashboard. Null when there is none, or in check mode when it would be created.
  returned: success
  type: str
  sample: arn:aws:cloudwatch::123456789012:dashboard/customers
"""

import json
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.csv_to_aurora.aws.plugins.module_utils.common import aws_retry, exit_with, explained
from ansible_collections.csv_to_aurora.aws.plugins.module_utils.dashboards import dashboard


def put(client: Any, name: str, body: dict[str, Any]) -> list[str]:
    """Create or replace a dashboard, and return what CloudWatch has to say about a body that it accepts."""
    text = json.dumps(body, ensure_ascii=False)
    answer = client.put_dashboard(aws_retry=True, DashboardName=name, DashboardBody=text)
    return [
        f"{message.get('Message')} ({message.get('DataPath')})"
        for message in answer.get("DashboardValidationMessages") or []
    ]


def main() -> None:
    """Entry point."""
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"required": True, "aliases": ["dashboard_name"]},
            "state": {"choices": ["present", "absent"], "default": "present"},
            "body": {"type": "dict"},
        },
        required_if=[("state", "present", ["body"])],
        supports_check_mode=True,
    )
    name = module.params["name"]
    client = module.client("cloudwatch", retry_decorator=aws_retry())
    with explained(
        module,
        f"Cannot create, update or delete dashboard {name}",
        "Correct the body where it is called invalid, and check that cloudwatch:GetDashboard, PutDashboard and "
        "DeleteDashboards are allowed",
    ):
        found = dashboard(client, name)
        before = {"body": found["body"]} if found else {}
        after = {"body": module.params["body"]} if module.params["state"] == "present" else {}
        if before != after and not module.check_mode:
            if after:
                for warning in put(client, name, after["body"]):
                    module.warn(f"Dashboard {name}: {warning}")
            else:
                client.delete_dashboards(aws_retry=True, DashboardNames=[name])
            found = dashboard(client, name)
    exit_with(module, f"dashboard {name}", before, after, dashboard_arn=found.get("arn"))


if __name__ == "__main__":
    main()
