#!/usr/bin/python
# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: sns_topic_info
version_added: 1.0.0
short_description: Describe an SNS topic and its subscriptions
description:
  - Reads the attributes and the tags of a topic, and its subscriptions with their filter policies.
author:
  - The csv-to-aurora authors (@csv-to-aurora)
options:
  topic_arn:
    description:
      - ARN of the topic.
    type: str
    required: true
    aliases: ['arn']
notes:
  - "Why this module: M(community.aws.sns_topic_info) fails for a topic that does not exist, after minutes of retries,
    lists all topics of the account for one, and returns neither the filter policies of subscriptions nor which of them
    are pending. What should go to community.aws is a fix of these three; then this module is not needed."
  - SNS does not tell the ARN of a subscription before it is confirmed, and so nothing but its protocol and endpoint.
seealso:
  - module: csv_to_aurora.aws.sns_subscription
  - module: csv_to_aurora.aws.sns_topic
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Describe a topic
  csv_to_aurora.aws.sns_topic_info:
    topic_arn: arn:aws:sns:eu-west-1:123456789012:customers-events
"""

RETURN = r"""
topic:
  description: The topic. Empty when it does not exist.
  returned: success
  type: dict
  contains:
    arn:
      description: ARN of the topic.
      type: str
      returned: when the topic exists
      sample: arn:aws:sns:eu-west-1:123456789012:customers-events
    attributes:
      description: Its attributes under the names of the SNS API, all of them text.
      type: dict
      returned: when the topic exists
      sample: {"DisplayName": "customers"}
    tags:
      description: Its tags.
      type: dict
      returned: when the topic exists
      sample: {"Environment": "stage"}
    subscriptions:
      description: Its subscriptions, those that wait for a confirmation included.
      type: list
      elements: dict
      returned: when the topic exists
      contains:
        arn:
          description: ARN of the subscription; null while it is pending or deleted and SNS does not tell.
          type: str
          returned: always
        protocol:
          description: Protocol, such as C(email), C(https) or C(sqs).
          type: str
          returned: always
        endpoint:
          description: Who is notified.
          type: str
          returned: always
        pending:
          description: Whether it waits for a confirmation.
          type: bool
          returned: always
        deleted:
          description: Whether somebody has unsubscribed it, which SNS lists for up to 72 hours.
          type: bool
          returned: always
        attributes:
          description: Its attributes under the names of the SNS API, as text; empty where it is pending or deleted.
          type: dict
          returned: always
"""

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.tagging import boto3_tag_list_to_ansible_dict

from ansible_collections.csv_to_aurora.aws.plugins.module_utils.common import aws_retry, explained
from ansible_collections.csv_to_aurora.aws.plugins.module_utils.sns import subscriptions_of, topic_attributes


def described(client: Any, arn: str) -> dict[str, Any]:
    """Return a topic under the module's own names; empty where there is none."""
    attributes = topic_attributes(client, arn)
    if attributes is None:
        return {}
    tags = client.list_tags_for_resource(aws_retry=True, ResourceArn=arn)["Tags"]
    return {
        "arn": arn,
        "attributes": attributes,
        "tags": boto3_tag_list_to_ansible_dict(tags),
        "subscriptions": list(subscriptions_of(client, arn)),
    }


def main() -> None:
    """Entry point."""
    module = AnsibleAWSModule(
        argument_spec={"topic_arn": {"required": True, "aliases": ["arn"]}},
        supports_check_mode=True,
    )
    arn = module.params["topic_arn"]
    client = module.client("sns", retry_decorator=aws_retry())
    with explained(
        module,
        f"Cannot describe topic {arn}",
        "Check that sns:GetTopicAttributes, ListTagsForResource, ListSubscriptionsByTopic and "
        "GetSubscriptionAttributes are allowed",
    ):
        topic = described(client, arn)
    module.exit_json(changed=False, topic=topic)


if __name__ == "__main__":
    main()
