#!/usr/bin/python
# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: cloudwatch_dashboard_info
version_added: 1.0.0
short_description: Describe a CloudWatch dashboard
description:
  - Reads the body of a dashboard, never a metric.
author:
  - The csv-to-aurora authors (@csv-to-aurora)
options:
  name:
    description:
      - Name of the dashboard.
    type: str
    required: true
    aliases: ['dashboard_name']
notes:
  - "Why this module: amazon.aws and community.aws have no module for dashboards. It could go to community.aws as it
    is."
seealso:
  - module: csv_to_aurora.aws.cloudwatch_dashboard
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Describe a dashboard
  csv_to_aurora.aws.cloudwatch_dashboard_info:
    name: customers
"""

RETURN = r"""
dashboard:
  description: The dashboard. Empty when it does not exist.
  returned: success
  type: dict
  contains:
    name:
      description: Its name.
      type: str
      returned: when the dashboard exists
      sample: customers
    arn:
      description: ARN of the dashboard.
      type: str
      returned: when the dashboard exists
      sample: arn:aws:cloudwatch::123456789012:dashboard/customers
    body:
      description: Its body, parsed.
      type: dict
      returned: when the dashboard exists
      sample: {"widgets": []}
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.csv_to_aurora.aws.plugins.module_utils.common import aws_retry, explained
from ansible_collections.csv_to_aurora.aws.plugins.module_utils.dashboards import dashboard


def main() -> None:
    """Entry point."""
    module = AnsibleAWSModule(
        argument_spec={"name": {"required": True, "aliases": ["dashboard_name"]}},
        supports_check_mode=True,
    )
    client = module.client("cloudwatch", retry_decorator=aws_retry())
    with explained(
        module,
        f"Cannot describe dashboard {module.params['name']}",
        "Check that cloudwatch:GetDashboard is allowed",
    ):
        found = dashboard(client, module.params["name"])
    module.exit_json(changed=False, dashboard=found)


if __name__ == "__main__":
    main()
