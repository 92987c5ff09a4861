#!/usr/bin/python
# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: resource_groups_tagging_info
version_added: 1.0.0
short_description: List the resources that have given tags, of all services
description:
  - Lists the resources of a region that have given tags, through the Resource Groups Tagging API.
author:
  - The csv-to-aurora authors (@csv-to-aurora)
options:
  tag_filters:
    description:
      - The tags to look for. A resource must have each of them.
      - A value is the tag's value, or a list of values of which one is enough. An empty list means any value.
      - Without it, every resource is listed that has or ever had tags.
    type: dict
    aliases: ['tags']
  resource_types:
    description:
      - Only resources of these types, such as V(ec2:vpc) or V(s3), in the form C(service[:type]).
    type: list
    elements: str
    default: []
  states:
    description:
      - Ask the service of each resource whether it still exists, all of them side by side.
      - A resource of a type that this module has no question for, and one that the service does not answer for, has the
        state V(unknown).
    type: bool
    default: false
notes:
  - "Why this module: no module of amazon.aws or community.aws calls GetResources. M(amazon.aws.ec2_tag_info) reads the
    tags of one EC2 resource whose id is known. It could go to amazon.aws as it is."
  - The API is eventually consistent. A new resource may be missing for seconds, and one that is deleted may be listed
    for minutes, a NAT gateway or an instance for up to an hour, a secret or a key until the end of its recovery window.
    Set O(states) before you take one for orphaned.
  - O(states) needs the permission to describe each resource. The questions are in
    C(plugins/module_utils/resource_states.py).
  - The API does not return every type of resource. IAM roles, for one, are missing.
  - Global resources are listed in the region V(us-east-1) only.
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: List the resources of a stack
  csv_to_aurora.aws.resource_groups_tagging_info:
    tag_filters:
      Project: csv-to-aurora
      Environment: stage
  register: stack

- name: List the VPCs and functions of two environments
  csv_to_aurora.aws.resource_groups_tagging_info:
    tag_filters:
      Environment: [dev, stage]
    resource_types: ['ec2:vpc', 'lambda:function']
  register: found

- name: List what is left of a stack
  csv_to_aurora.aws.resource_groups_tagging_info:
    tag_filters:
      Project: csv-to-aurora
      Environment: stage
    states: true
  register: left
"""
RETURN = r"""
resources:
  description: The resources, ordered by ARN.
  returned: success
  type: list
  elements: dict
  contains:
    arn:
      description: ARN of the resource.
      type: str
      returned: always
      sample: arn:aws:s3:::example
    tags:
      description: All tags of the resource.
      type: dict
      returned: always
      sample:
        Project: csv-to-aurora
        Environment: stage
    state:
      description: V(exists), V(deleting), V(deleted) or V(unknown).
      type: str
      returned: with O(states)
      sample: exists
    details:
      description:
        - What else is worth knowing. The C(type) of a DB cluster snapshot, C(manual) or C(automated); the C(name) of a
          secret and, where it is in its recovery window, its C(deletion_date); the C(reason) of an unknown state.
      type: dict
      returned: with O(states)
      sample:
        type: manual
"""

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.tagging import boto3_tag_list_to_ansible_dict

from ansible_collections.csv_to_aurora.aws.plugins.module_utils.common import aws_retry, explained
from ansible_collections.csv_to_aurora.aws.plugins.module_utils.resource_states import resource_states


def api_filters(tag_filters: dict[str, Any]) -> list[dict[str, Any]]:
    """Return tag filters in the API's form: a key and the list of values, which is left out for any value."""
    filters = []
    for key, value in tag_filters.items():
        values = [str(one) for one in value] if isinstance(value, list) else [str(value)]
        filters.append({"Key": key, "Values": values} if values else {"Key": key})
    return filters


def tagged_resources(client: Any, request: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the resources that match, all pages of them, ordered by ARN."""
    found: dict[str, dict[str, str]] = {}
    token: dict[str, str] = {}
    while True:
        page = client.get_resources(aws_retry=True, **request, **token)
        for resource in page["ResourceTagMappingList"]:
            found[resource["ResourceARN"]] = boto3_tag_list_to_ansible_dict(resource.get("Tags", []))
        # The last page has an empty token rather than none.
        if not page.get("PaginationToken"):
            return [{"arn": arn, "tags": tags} for arn, tags in sorted(found.items())]
        token = {"PaginationToken": page["PaginationToken"]}


def main() -> None:
    """Entry point."""
    module = AnsibleAWSModule(
        argument_spec={
            "tag_filters": {"type": "dict", "aliases": ["tags"]},
            "resource_types": {"type": "list", "elements": "str", "default": []},
            "states": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    request: dict[str, Any] = {"TagFilters": api_filters(module.params["tag_filters"] or {})}
    if module.params["resource_types"]:
        request["ResourceTypeFilters"] = module.params["resource_types"]
    client = module.client("resourcegroupstaggingapi", retry_decorator=aws_retry())
    with explained(
        module,
        "Cannot list the tagged resources",
        "Check the resource types and that tag:GetResources is allowed",
    ):
        resources = tagged_resources(client, request)
    if module.params["states"]:
        arns = [resource["arn"] for resource in resources]
        states = resource_states(lambda service: module.client(service, retry_decorator=aws_retry()), arns)
        resources = [{**resource, **state} for resource, state in zip(resources, states, strict=True)]
    module.exit_json(changed=False, resources=resources)


if __name__ == "__main__":
    main()
