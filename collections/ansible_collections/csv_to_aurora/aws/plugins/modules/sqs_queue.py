#!/usr/bin/python
# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: sqs_queue
version_added: 1.0.0
short_description: Create, update or delete an SQS queue
description:
  - Creates a standard queue with its attributes and tags in one call.
  - Sets the message retention period and the tags. Other attributes are left as they are.
author:
  - The csv-to-aurora authors (@csv-to-aurora)
options:
  name:
    description:
      - Name of the queue.
    type: str
    required: true
    aliases: ['queue']
  state:
    description:
      - Whether the queue should exist.
    type: str
    choices: [present, absent]
    default: present
  message_retention_period:
    description:
      - How many seconds messages are retained. Not given, it stays as it is, and a new queue has the default of SQS.
    type: int
  tags:
    description:
      - All tags of the queue. Others are removed.
    type: dict
    default: {}
notes:
  - "Why this module: M(community.aws.sqs_queue) calls CreateQueue, SetQueueAttributes and TagQueue one after the other.
    A run that is interrupted in between leaves a queue without tags, which no later run can tell from a foreign one. It
    returns no ARN for a new queue in C(queue_arn) either, since it reads that from a key that SQS does not send. What
    should go to community.aws is a fix that gives attributes and tags to CreateQueue; then this module is not needed."
  - SQS refuses the name of a queue that was deleted in the last 60 seconds (C(QueueDeletedRecently)).
seealso:
  - module: community.aws.sqs_queue
  - module: csv_to_aurora.aws.sqs_queue_info
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Create a dead-letter queue that retains messages for two weeks
  csv_to_aurora.aws.sqs_queue:
    name: customers-dlq
    message_retention_period: 1209600
    tags:
      Environment: stage
"""

RETURN = r"""
queue_url:
  description: URL of the queue. Null when there is none, or in check mode when it would be created.
  returned: success
  type: str
  sample: https://sqs.eu-west-1.amazonaws.com/123456789012/customers-dlq
queue_arn:
  description: ARN of the queue. Null when there is none, or in check mode when it would be created.
  returned: success
  type: str
  sample: arn:aws:sqs:eu-west-1:123456789012:customers-dlq
"""

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.csv_to_aurora.aws.plugins.module_utils.common import aws_retry, exit_with, explained
from ansible_collections.csv_to_aurora.aws.plugins.module_utils.sqs import queue_url

RETENTION = "MessageRetentionPeriod"

Settings = dict[str, Any]


def described(client: Any, url: str | None) -> tuple[Settings, str | None]:
    """Return the managed settings of a queue and its ARN; nothing where there is none."""
    if not url:
        return {}, None
    attributes = client.get_queue_attributes(aws_retry=True, QueueUrl=url, AttributeNames=[RETENTION, "QueueArn"])
    found = attributes["Attributes"]
    settings = {
        "message_retention_period": int(found[RETENTION]),
        "tags": client.list_queue_tags(aws_retry=True, QueueUrl=url).get("Tags", {}),
    }
    return settings, str(found["QueueArn"])


def create(client: Any, name: str, after: Settings) -> tuple[str, str]:
    """Create a queue with its attributes and tags, and return its URL and ARN."""
    retention = after["message_retention_period"]
    attributes = {RETENTION: str(retention)} if retention else {}
    response = client.create_queue(aws_retry=True, QueueName=name, Attributes=attributes, tags=after["tags"])
    url = str(response["QueueUrl"])
    found = client.get_queue_attributes(aws_retry=True, QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    return url, str(found["QueueArn"])


def update(client: Any, url: str, before: Settings, after: Settings) -> None:
    """Update what differs of a queue that exists."""
    if before["message_retention_period"] != after["message_retention_period"]:
        attributes = {RETENTION: str(after["message_retention_period"])}
        client.set_queue_attributes(aws_retry=True, QueueUrl=url, Attributes=attributes)
    to_unset = [name for name in before["tags"] if name not in after["tags"]]
    if to_unset:
        client.untag_queue(aws_retry=True, QueueUrl=url, TagKeys=to_unset)
    to_set = {name: value for name, value in after["tags"].items() if before["tags"].get(name) != value}
    if to_set:
        client.tag_queue(aws_retry=True, QueueUrl=url, Tags=to_set)


def main() -> None:
    """Entry point."""
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"required": True, "aliases": ["queue"]},
            "state": {"choices": ["present", "absent"], "default": "present"},
            "message_retention_period": {"type": "int"},
            "tags": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    name, retention = module.params["name"], module.params["message_retention_period"]
    client = module.client("sqs", retry_decorator=aws_retry())
    with explained(
        module,
        f"Cannot create, update or delete queue {name}",
        "Check that sqs:GetQueueUrl, GetQueueAttributes, ListQueueTags, CreateQueue, DeleteQueue, SetQueueAttributes, "
        "TagQueue and UntagQueue are allowed",
    ):
        url = queue_url(client, name)
        before, arn = described(client, url)
        after: Settings = {}
        if module.params["state"] == "present":
            after = {
                "message_retention_period": retention or before.get("message_retention_period"),
                "tags": {key: str(value) for key, value in module.params["tags"].items()},
            }
        if before != after and not module.check_mode:
            if not after:
                client.delete_queue(aws_retry=True, QueueUrl=url)
                url = arn = None
            elif url:
                update(client, url, before, after)
            else:
                url, arn = create(client, name, after)
    exit_with(module, f"queue {name}", before, after, queue_url=url, queue_arn=arn)


if __name__ == "__main__":
    main()
