#!/usr/bin/python
# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: sqs_queue_info
version_added: 1.0.0
short_description: Describe an SQS queue
description:
  - Reads the attributes and the tags of a queue, never its messages.
author:
  - The csv-to-aurora authors (@csv-to-aurora)
options:
  name:
    description:
      - Name of the queue.
    type: str
    required: true
    aliases: ['queue']
notes:
  - "Why this module: amazon.aws and community.aws have no info module for queues, and M(community.aws.sqs_queue) in
    check mode returns the given tags and not those that the queue has. It could go to community.aws as it is."
seealso:
  - module: csv_to_aurora.aws.sqs_queue
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Describe a queue
  csv_to_aurora.aws.sqs_queue_info:
    name: customers-dlq
"""

RETURN = r"""
queue:
  description: The queue. Empty when it does not exist.
  returned: success
  type: dict
  contains:
    url:
      description: URL of the queue.
      type: str
      returned: when the queue exists
      sample: https://sqs.eu-west-1.amazonaws.com/123456789012/customers-dlq
    arn:
      description: ARN of the queue.
      type: str
      returned: when the queue exists
      sample: arn:aws:sqs:eu-west-1:123456789012:customers-dlq
    attributes:
      description: Its attributes under the names of the SQS API, numbers as text.
      type: dict
      returned: when the queue exists
      sample: {"MessageRetentionPeriod": "1209600"}
    tags:
      description: Its tags.
      type: dict
      returned: when the queue exists
      sample: {"Environment": "stage"}
"""

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.csv_to_aurora.aws.plugins.module_utils.common import aws_retry, explained
from ansible_collections.csv_to_aurora.aws.plugins.module_utils.sqs import queue_url


def described(client: Any, url: str) -> dict[str, Any]:
    """Return a queue under the module's own names."""
    attributes = client.get_queue_attributes(aws_retry=True, QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return {
        "url": url,
        "arn": attributes["QueueArn"],
        "attributes": attributes,
        "tags": client.list_queue_tags(aws_retry=True, QueueUrl=url).get("Tags", {}),
    }


def main() -> None:
    """Entry point."""
    module = AnsibleAWSModule(
        argument_spec={"name": {"required": True, "aliases": ["queue"]}},
        supports_check_mode=True,
    )
    client = module.client("sqs", retry_decorator=aws_retry())
    with explained(
        module,
        f"Cannot describe queue {module.params['name']}",
        "Check that sqs:GetQueueUrl, sqs:GetQueueAttributes and sqs:ListQueueTags are allowed",
    ):
        url = queue_url(client, module.params["name"])
        queue = described(client, url) if url else {}
    module.exit_json(changed=False, queue=queue)


if __name__ == "__main__":
    main()
