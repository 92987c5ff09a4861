#!/usr/bin/python
# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: sns_topic
version_added: 1.0.0
short_description: Create, update or delete an SNS topic
description:
  - Creates a standard topic with its display name, policy and tags in one call.
  - Subscriptions are left as they are. Those of a topic that is deleted are deleted with it.
author:
  - The csv-to-aurora authors (@csv-to-aurora)
options:
  topic_arn:
    description:
      - ARN of the topic. Its last part is the topic's name; account and region are those of the credentials.
    type: str
    required: true
    aliases: ['arn']
  state:
    description:
      - Whether the topic should exist.
    type: str
    choices: [present, absent]
    default: present
  display_name:
    description:
      - What e-mails name as their sender.
    type: str
    default: ""
  policy:
    description:
      - Access policy of the topic. Required for V(present).
    type: dict
  tags:
    description:
      - All tags of the topic. Others are removed.
    type: dict
    default: {}
notes:
  - "Why this module: M(community.aws.sns_topic) lists all topics of the account to find one, and takes a topic that it
    has just created for a foreign one until SNS lists it. A topic whose creation was interrupted has no policy yet.
    What should go to community.aws is a fix that asks for the one topic, and gives its attributes to CreateTopic; then
    this module is not needed."
seealso:
  - module: community.aws.sns_topic
  - module: csv_to_aurora.aws.sns_topic_info
  - module: csv_to_aurora.aws.sns_subscription
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Create a topic that the alarms of the account may publish to
  csv_to_aurora.aws.sns_topic:
    topic_arn: arn:aws:sns:eu-west-1:123456789012:customers-alarms
    display_name: customers
    policy:
      Version: "2012-10-17"
      Statement:
        - Effect: Allow
          Principal: {Service: cloudwatch.amazonaws.com}
          Action: sns:Publish
          Resource: arn:aws:sns:eu-west-1:123456789012:customers-alarms
          Condition: {StringEquals: {"aws:SourceAccount": "123456789012"}}
    tags:
      Environment: stage
"""

RETURN = r"""
topic_arn:
  description: ARN of the topic. Null when there is none, or in check mode when it would be created.
  returned: success
  type: str
  sample: arn:aws:sns:eu-west-1:123456789012:customers-alarms
"""

import json
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.policy import compare_policies
from ansible_collections.amazon.aws.plugins.module_utils.tagging import (
    ansible_dict_to_boto3_tag_list,
    boto3_tag_list_to_ansible_dict,
    compare_aws_tags,
)

from ansible_collections.csv_to_aurora.aws.plugins.module_utils.common import aws_retry, exit_with, explained
from ansible_collections.csv_to_aurora.aws.plugins.module_utils.sns import topic_attributes

Settings = dict[str, Any]


def described(client: Any, arn: str) -> Settings:
    """Return the managed settings of a topic; nothing where there is none."""
    found = topic_attributes(client, arn)
    if found is None:
        return {}
    tags = client.list_tags_for_resource(aws_retry=True, ResourceArn=arn)["Tags"]
    return {
        "display_name": found.get("DisplayName", ""),
        "policy": json.loads(found.get("Policy") or "{}"),
        "tags": boto3_tag_list_to_ansible_dict(tags),
    }


def create(client: Any, arn: str, after: Settings) -> str:
    """Create a topic with its attributes and tags, and return its ARN."""
    response = client.create_topic(
        aws_retry=True,
        Name=arn.rpartition(":")[2],
        Attributes={"DisplayName": after["display_name"], "Policy": json.dumps(after["policy"])},
        Tags=ansible_dict_to_boto3_tag_list(after["tags"]),
    )
    return str(response["TopicArn"])


def update(client: Any, arn: str, before: Settings, after: Settings) -> None:
    """Update what differs of a topic that exists."""
    written = {"DisplayName": after["display_name"], "Policy": json.dumps(after["policy"])}
    for attribute, setting in (("DisplayName", "display_name"), ("Policy", "policy")):
        if before[setting] != after[setting]:
            client.set_topic_attributes(
                aws_retry=True, TopicArn=arn, AttributeName=attribute, AttributeValue=written[attribute]
            )
    to_set, to_unset = compare_aws_tags(before["tags"], after["tags"])
    if to_unset:
        client.untag_resource(aws_retry=True, ResourceArn=arn, TagKeys=to_unset)
    if to_set:
        client.tag_resource(aws_retry=True, ResourceArn=arn, Tags=ansible_dict_to_boto3_tag_list(to_set))


def main() -> None:
    """Entry point."""
    module = AnsibleAWSModule(
        argument_spec={
            "topic_arn": {"required": True, "aliases": ["arn"]},
            "state": {"choices": ["present", "absent"], "default": "present"},
            "display_name": {"default": ""},
            "policy": {"type": "dict"},
            "tags": {"type": "dict", "default": {}},
        },
        required_if=[["state", "present", ["policy"]]],
        supports_check_mode=True,
    )
    arn = module.params["topic_arn"]
    client = module.client("sns", retry_decorator=aws_retry())
    with explained(
        module,
        f"Cannot create, update or delete topic {arn}",
        "Check that sns:GetTopicAttributes, ListTagsForResource, CreateTopic, DeleteTopic, SetTopicAttributes, "
        "TagResource and UntagResource are allowed",
    ):
        before = described(client, arn)
        after: Settings = {}
        if module.params["state"] == "present":
            after = {
                "display_name": module.params["display_name"],
                "policy": module.params["policy"],
                "tags": {key: str(value) for key, value in module.params["tags"].items()},
            }
            # SNS may return the same statements in another form.
            if before and not compare_policies(before["policy"], after["policy"]):
                after["policy"] = before["policy"]
        if before != after and not module.check_mode:
            if not after:
                client.delete_topic(aws_retry=True, TopicArn=arn)
            elif before:
                update(client, arn, before, after)
            else:
                arn = create(client, arn, after)
    exists = bool(before) if module.check_mode else bool(after)
    exit_with(module, f"topic {arn}", before, after, topic_arn=arn if exists else None)


if __name__ == "__main__":
    main()
