#!/usr/bin/python
# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: sqs_message
version_added: 1.0.0
short_description: Delete a message from an SQS queue
description:
  - Deletes one message that M(csv_to_aurora.aws.sqs_message_info) has read.
  - A queue that does not exist has no messages, so that there is nothing to delete.
author:
  - The csv-to-aurora authors (@csv-to-aurora)
options:
  name:
    description:
      - Name of the queue.
    type: str
    required: true
    aliases: ['queue']
  receipt_handle:
    description:
      - The receipt handle that the message was read with.
    type: str
    required: true
  state:
    description:
      - The module deletes messages only.
    type: str
    choices: ['absent']
    default: absent
attributes:
  check_mode:
    description: Deletes nothing.
    support: full
notes:
  - "Why this module: no module of amazon.aws or community.aws deletes messages. It could go to community.aws as it is."
  - SQS accepts the deletion of a message that is already gone, and has no call that shows whether it is. So the module
    reports changed whenever the queue exists.
seealso:
  - module: csv_to_aurora.aws.sqs_message_info
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Delete the events that were processed
  csv_to_aurora.aws.sqs_message:
    name: importer-dlq
    receipt_handle: "{{ item.receipt_handle }}"
    state: absent
  loop: "{{ received.messages }}"
  loop_control:
    label: "{{ item.message_id }}"
"""

RETURN = r"""
queue_url:
  description: URL of the queue. Null when there is no such queue.
  returned: success
  type: str
  sample: https://sqs.eu-west-1.amazonaws.com/123456789012/importer-dlq
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.csv_to_aurora.aws.plugins.module_utils.common import aws_retry, explained
from ansible_collections.csv_to_aurora.aws.plugins.module_utils.sqs import queue_url


def main() -> None:
    """Entry point."""
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"required": True, "aliases": ["queue"]},
            "receipt_handle": {"required": True, "no_log": False},
            "state": {"choices": ["absent"], "default": "absent"},
        },
        supports_check_mode=True,
    )
    params = module.params
    client = module.client("sqs", retry_decorator=aws_retry())
    with explained(
        module,
        f"Cannot delete a message of queue {params['name']}",
        "Read it again with sqs_message_info for a fresh receipt handle, and check that sqs:DeleteMessage is allowed",
    ):
        url = queue_url(client, params["name"])
        if url and not module.check_mode:
            client.delete_message(aws_retry=True, QueueUrl=url, ReceiptHandle=params["receipt_handle"])
    module.exit_json(changed=url is not None, queue_url=url)


if __name__ == "__main__":
    main()
