# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What the modules for SQS share."""

from __future__ import annotations

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code

# The two protocols of SQS (query and JSON) have different codes for the same error.
NO_QUEUE = ["AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"]


def queue_url(client: Any, name: str) -> str | None:
    """Return the URL of a queue; None when it does not exist."""
    try:
        return str(client.get_queue_url(aws_retry=True, QueueName=name)["QueueUrl"])
    except is_boto3_error_code(NO_QUEUE):
        return None
