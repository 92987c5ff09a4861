#!/usr/bin/python
# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: sqs_message_info
version_added: 1.0.0
short_description: Read the messages of an SQS queue without deleting them
description:
  - Returns messages of a queue without deleting them, and then makes them visible again to its other readers.
  - A queue that does not exist has no messages.
author:
  - The csv-to-aurora authors (@csv-to-aurora)
options:
  name:
    description:
      - Name of the queue.
    type: str
    required: true
    aliases: ['queue']
  limit:
    description:
      - How many messages to return at most.
    type: int
    default: 100
  visibility_timeout:
    description:
      - For how many seconds the messages stay hidden from other readers. V(0) makes them visible as soon as the module
        has read them.
      - To process and then delete the messages, give enough time for that, so that no other reader receives them in the
        meantime.
    type: int
    default: 0
notes:
  - "Why this module: no module of amazon.aws or community.aws receives messages. It could go to community.aws as it
    is."
  - SQS counts this as a receive of the message. A queue with a redrive policy moves a message to its dead-letter queue
    when it was received as often as the policy allows. A dead-letter queue itself usually has no such policy.
  - While the module reads, the messages are hidden, so that the same one is not read twice. Two readers at once each
    receive a part.
  - A queue is spread over many servers. A message may be missing from the result, the more likely the fewer there are.
seealso:
  - module: csv_to_aurora.aws.sqs_message
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Read the failed events
  csv_to_aurora.aws.sqs_message_info:
    name: importer-dlq
  register: failed

- name: Receive ten events for the next five minutes
  csv_to_aurora.aws.sqs_message_info:
    name: importer-dlq
    limit: 10
    visibility_timeout: 300
  register: received
"""

RETURN = r"""
queue_url:
  description: URL of the queue. Null when there is no such queue.
  returned: success
  type: str
  sample: https://sqs.eu-west-1.amazonaws.com/123456789012/importer-dlq
messages:
  description: The messages, in the order in which they were sent.
  returned: success
  type: list
  elements: dict
  contains:
    message_id:
      description: Id of the message. It stays the same when the message is read again.
      type: str
      returned: always
      sample: 5fea7756-0ea4-451a-a703-a558b933e274
    receipt_handle:
      description: The value of O(csv_to_aurora.aws.sqs_message#module:receipt_handle) to delete the message.
      type: str
      returned: always
      sample: AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a
    body:
      description: Text of the message.
      type: str
      returned: always
      sample: '{"Records": []}'
    attributes:
      description: The system attributes of the message, such as C(SentTimestamp) and C(ApproximateReceiveCount).
      type: dict
      returned: always
      sample:
        ApproximateReceiveCount: "1"
    message_attributes:
      description: The attributes that the sender added, as name and value.
      type: dict
      returned: always
      sample:
        ErrorCode: "200"
"""

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.csv_to_aurora.aws.plugins.module_utils.common import aws_retry, explained
from ansible_collections.csv_to_aurora.aws.plugins.module_utils.sqs import queue_url

BATCH = 10
"""How many messages SQS returns, or changes, in one call."""

READING_SECONDS = 30
"""How long a message is hidden while the others are read, unless the options say longer or shorter."""

Message = dict[str, Any]


def received(client: Any, url: str, limit: int, hide: int) -> list[Message]:
    """Receive up to C(limit) messages, each once, hiding each for C(hide) seconds."""
    found: dict[str, Message] = {}
    while len(found) < limit:
        response = client.receive_message(
            aws_retry=True,
            QueueUrl=url,
            MaxNumberOfMessages=min(BATCH, limit - len(found)),
            VisibilityTimeout=hide,
            # A long poll asks every server of the queue; a short one asks a few and may find nothing on them.
            WaitTimeSeconds=1,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        new = {message["MessageId"]: message for message in response.get("Messages", [])}
        # A message that comes again is one whose visibility timeout has ended: the whole queue has been read.
        if not new.keys() - found.keys():
            break
        found |= new
    return list(found.values())


def make_visible(client: Any, url: str, messages: list[Message]) -> None:
    """Make the messages visible to other readers at once."""
    for start in range(0, len(messages), BATCH):
        entries = [
            {"Id": str(index), "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 0}
            for index, message in enumerate(messages[start : start + BATCH])
        ]
        # Entries that fail are messages that another reader has deleted in the meantime.
        client.change_message_visibility_batch(aws_retry=True, QueueUrl=url, Entries=entries)


def described(message: Message) -> Message:
    """Return a message under the module's own names."""
    return {
        "message_id": message["MessageId"],
        "receipt_handle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "message_attributes": {
            name: value["StringValue"]
            for name, value in message.get("MessageAttributes", {}).items()
            if "StringValue" in value
        },
    }


def main() -> None:
    """Entry point."""
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"required": True, "aliases": ["queue"]},
            "limit": {"type": "int", "default": 100},
            "visibility_timeout": {"type": "int", "default": 0},
        },
        supports_check_mode=True,
    )
    params = module.params
    for name, low, high in (("limit", 1, 10_000), ("visibility_timeout", 0, 43_200)):
        if not low <= params[name] <= high:
            module.fail_json(msg=f"{name} is {params[name]}. Give a number from {low} to {high}.")
    client = module.client("sqs", retry_decorator=aws_retry())
    messages: list[Message] = []
    with explained(
        module,
        f"Cannot read queue {params['name']}",
        "Check that sqs:GetQueueUrl, sqs:ReceiveMessage and sqs:ChangeMessageVisibility are allowed",
    ):
        url = queue_url(client, params["name"])
        if url:
            messages = received(client, url, params["limit"], params["visibility_timeout"] or READING_SECONDS)
            if not params["visibility_timeout"]:
                make_visible(client, url, messages)
    messages.sort(key=lambda message: int(message.get("Attributes", {}).get("SentTimestamp", 0)))
    module.exit_json(changed=False, queue_url=url, messages=[described(message) for message in messages])


if __name__ == "__main__":
    main()
