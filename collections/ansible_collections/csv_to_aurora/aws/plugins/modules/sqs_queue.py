#!/usr/bin/python
# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: sqs_queue
version_added: 1.0.0
short_description: Create, change or delete an SQS queue
description:
  - Creates a standard queue with its tags in one call. M(community.aws.sqs_queue) creates it first and tags it then, so
    that a run that is killed in between leaves a queue that nobody can tell is theirs.
  - Sets how long messages are kept, and the tags. Other attributes are left as they are.
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
      - Whether there is such a queue.
    type: str
    choices: [present, absent]
    default: present
  message_retention_period:
    description:
      - How long messages are kept, in seconds. Without it, as SQS or somebody else set it.
    type: int
  tags:
    description:
      - All tags of the queue.
    type: dict
    default: {}
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Keep failed events for two weeks
  csv_to_aurora.aws.sqs_queue:
    name: customers-dead-letters
    message_retention_period: 1209600
    tags:
      Environment: stage
"""

RETURN = r"""
queue_url:
  description: URL of the queue. Null when there is none, or when it is yet to be made.
  returned: success
  type: str
  sample: https://sqs.eu-west-1.amazonaws.com/123456789012/customers-dead-letters
"""

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.csv_to_aurora.aws.plugins.module_utils.common import aws_retry, exit_with, explained
from ansible_collections.csv_to_aurora.aws.plugins.module_utils.sqs import queue_url

RETENTION = "MessageRetentionPeriod"


def found(client: Any, url: str | None) -> dict[str, Any]:
    """Return what is managed of a queue; nothing where there is none."""
    if not url:
        return {}
    attributes = client.get_queue_attributes(aws_retry=True, QueueUrl=url, AttributeNames=[RETENTION])["Attributes"]
    return {
        "message_retention_period": int(attributes[RETENTION]),
        "tags": client.list_queue_tags(aws_retry=True, QueueUrl=url).get("Tags", {}),
    }


def write(client: Any, url: str, before: dict[str, Any], after: dict[str, Any]) -> None:
    """Change what differs of a queue that exists."""
    if before["message_retention_period"] != after["message_retention_period"]:
        attributes = {RETENTION: str(after["message_retention_period"])}
        client.set_queue_attributes(aws_retry=True, QueueUrl=url, Attributes=attributes)
    surplus = [name for name in before["tags"] if name not in after["tags"]]
    if surplus:
        client.untag_queue(aws_retry=True, QueueUrl=url, TagKeys=surplus)
    missing = {name: value for name, value in after["tags"].items() if before["tags"].get(name) != value}
    if missing:
        client.tag_queue(aws_retry=True, QueueUrl=url, Tags=missing)


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
        f"Cannot keep queue {name}",
        "Check that sqs:CreateQueue, DeleteQueue, SetQueueAttributes, TagQueue and UntagQueue are allowed",
    ):
        url = queue_url(client, name)
        before = found(client, url)
        after: dict[str, Any] = {}
        if module.params["state"] == "present":
            after = {
                "message_retention_period": retention or before.get("message_retention_period"),
                "tags": {key: str(value) for key, value in module.params["tags"].items()},
            }
        if before != after and not module.check_mode:
            if not after:
                client.delete_queue(aws_retry=True, QueueUrl=url)
                url = None
            elif url:
                write(client, url, before, after)
            else:
                attributes = {RETENTION: str(retention)} if retention else {}
                url = client.create_queue(aws_retry=True, QueueName=name, Attributes=attributes, tags=after["tags"])[
                    "QueueUrl"
                ]
    exit_with(module, f"queue {name}", before, after, queue_url=url)


if __name__ == "__main__":
    main()
