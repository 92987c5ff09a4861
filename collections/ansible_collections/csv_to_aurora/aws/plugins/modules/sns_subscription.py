#!/usr/bin/python
# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: sns_subscription
version_added: 1.0.0
short_description: Create, update or delete a subscription to an SNS topic
description:
  - Subscribes an endpoint to a topic, with its filter policy in the same call, or updates the subscription that it has.
  - A subscription by e-mail, HTTP or HTTPS is pending until its owner confirms it. Until then SNS neither changes nor
    deletes it, and neither does this module; after 48 hours SNS deletes it by itself.
author:
  - The csv-to-aurora authors (@csv-to-aurora)
options:
  topic_arn:
    description:
      - ARN of the topic.
    type: str
    required: true
  protocol:
    description:
      - Protocol of the endpoint.
    type: str
    required: true
    choices: [email, http, https, sqs]
  endpoint:
    description:
      - Who is notified, an e-mail address, a URL or the ARN of a queue.
    type: str
    required: true
  state:
    description:
      - Whether the subscription should exist.
    type: str
    choices: [present, absent]
    default: present
  filter_policy:
    description:
      - Which messages are sent, by their attributes. Empty for all.
    type: dict
    default: {}
  raw_message_delivery:
    description:
      - Send the message alone, without the envelope of SNS.
    type: bool
    default: false
notes:
  - "Why this module: M(community.aws.sns_topic) subscribes, but does not set filter policies. It could go to
    community.aws as it is."
seealso:
  - module: community.aws.sns_topic
  - module: csv_to_aurora.aws.sns_topic_info
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Tell somebody of failed imports
  csv_to_aurora.aws.sns_subscription:
    topic_arn: arn:aws:sns:eu-west-1:123456789012:customers-events
    protocol: email
    endpoint: operators@example.com
    filter_policy:
      status: [failed]
"""

RETURN = r"""
subscription_arn:
  description: ARN of the subscription. Null where there is none, or where it is pending.
  returned: success
  type: str
  sample: arn:aws:sns:eu-west-1:123456789012:customers-events:6b0e71bd-7e97-4d97-80ce-4a0994e55286
pending:
  description: Whether the subscription waits for its confirmation.
  returned: success
  type: bool
"""

import json
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.csv_to_aurora.aws.plugins.module_utils.common import aws_retry, exit_with, explained
from ansible_collections.csv_to_aurora.aws.plugins.module_utils.sns import (
    subscription_settings,
    subscriptions_of,
    topic_attributes,
)

Settings = dict[str, Any]
SCOPE = "MessageAttributes"


def found_subscription(client: Any, topic: str, protocol: str, endpoint: str) -> dict[str, Any]:
    """Return the subscription of an endpoint; empty where there is none, or no topic."""
    if topic_attributes(client, topic) is None:
        return {}
    same = (
        one for one in subscriptions_of(client, topic) if (one["protocol"], one["endpoint"]) == (protocol, endpoint)
    )
    return next(same, {})


def written(settings: Settings) -> dict[str, str]:
    """Return settings as the attributes of SNS."""
    policy = {"FilterPolicy": json.dumps(settings["filter_policy"]), "FilterPolicyScope": SCOPE}
    raw = {"RawMessageDelivery": json.dumps(settings["raw_message_delivery"])}
    return {**(policy if settings["filter_policy"] else {}), **raw}


def update(client: Any, arn: str, before: Settings, after: Settings) -> None:
    """Update what differs of a subscription that is confirmed."""
    # An empty policy removes the one that there is.
    attributes = {"FilterPolicy": "{}", **written(after)}
    names = {"filter_policy": "FilterPolicy", "filter_scope": "FilterPolicyScope"}
    names["raw_message_delivery"] = "RawMessageDelivery"
    # The scope before the policy, which SNS checks against it.
    for setting in ("filter_scope", "filter_policy", "raw_message_delivery"):
        if before[setting] != after[setting] and names[setting] in attributes:
            client.set_subscription_attributes(
                aws_retry=True,
                SubscriptionArn=arn,
                AttributeName=names[setting],
                AttributeValue=attributes[names[setting]],
            )


def main() -> None:
    """Entry point."""
    module = AnsibleAWSModule(
        argument_spec={
            "topic_arn": {"required": True},
            "protocol": {"required": True, "choices": ["email", "http", "https", "sqs"]},
            "endpoint": {"required": True},
            "state": {"choices": ["present", "absent"], "default": "present"},
            "filter_policy": {"type": "dict", "default": {}},
            "raw_message_delivery": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    params = module.params
    subject = f"subscription of {params['endpoint']} to {params['topic_arn']}"
    client = module.client("sns", retry_decorator=aws_retry())
    with explained(
        module,
        f"Cannot create, update or delete the {subject}",
        "Check that sns:GetTopicAttributes, ListSubscriptionsByTopic, GetSubscriptionAttributes, Subscribe, "
        "SetSubscriptionAttributes and Unsubscribe are allowed",
    ):
        found = found_subscription(client, params["topic_arn"], params["protocol"], params["endpoint"])
        arn = found.get("arn")
        before = subscription_settings(found)
        after: Settings = {}
        if params["state"] == "present":
            filtered = bool(params["filter_policy"])
            after = {
                "filter_policy": params["filter_policy"],
                "filter_scope": SCOPE if filtered else "",
                "raw_message_delivery": params["raw_message_delivery"],
            }
        if found.get("pending") or found.get("deleted"):
            # Neither changed nor deleted by SNS, nor subscribed again.
            after = before
        if before != after and not module.check_mode:
            if not after:
                client.unsubscribe(aws_retry=True, SubscriptionArn=arn)
                arn = None
            elif arn:
                update(client, arn, before, after)
            else:
                response = client.subscribe(
                    aws_retry=True,
                    TopicArn=params["topic_arn"],
                    Protocol=params["protocol"],
                    Endpoint=params["endpoint"],
                    Attributes=written(after),
                )
                arn = response["SubscriptionArn"]
    confirmed = str(arn or "").startswith("arn:") and not found.get("pending")
    exists = (bool(before) if module.check_mode else bool(after)) and not found.get("deleted")
    exit_with(
        module, subject, before, after, subscription_arn=arn if confirmed else None, pending=exists and not confirmed
    )


if __name__ == "__main__":
    main()
