# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What the modules for SNS share."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code

NO_TOPIC = ["NotFound", "NotFoundException"]
ARN = "arn:"
"""How the ARN of a subscription begins. While it is pending, SNS says so in place of the ARN."""
DELETED = "Deleted"
"""What SNS lists in place of the ARN for 72 hours after somebody has unsubscribed, such as with the link in an e-mail.

https://repost.aws/knowledge-center/sns-cross-account-subscription
"""


def topic_attributes(client: Any, arn: str) -> dict[str, str] | None:
    """Return the attributes of a topic; None when it does not exist."""
    try:
        return dict(client.get_topic_attributes(aws_retry=True, TopicArn=arn)["Attributes"])
    except is_boto3_error_code(NO_TOPIC):
        return None


def subscriptions_of(client: Any, topic: str) -> Iterator[dict[str, Any]]:
    """Yield the subscriptions of a topic that exists, under the names of sns_topic_info."""
    token: dict[str, str] = {}
    while True:
        page = client.list_subscriptions_by_topic(aws_retry=True, TopicArn=topic, **token)
        for listed in page["Subscriptions"]:
            yield _described(client, listed)
        if not page.get("NextToken"):
            return
        token = {"NextToken": page["NextToken"]}


def _described(client: Any, listed: dict[str, str]) -> dict[str, Any]:
    arn = listed["SubscriptionArn"] if listed["SubscriptionArn"].startswith(ARN) else None
    attributes: dict[str, str] = {}
    if arn:
        try:
            attributes = client.get_subscription_attributes(aws_retry=True, SubscriptionArn=arn)["Attributes"]
        except is_boto3_error_code(NO_TOPIC):
            # Deleted since it was listed, or not known everywhere yet.
            attributes = {}
    deleted = listed["SubscriptionArn"] == DELETED
    pending = not deleted and (not arn or attributes.get("PendingConfirmation") == "true")
    return {
        "arn": arn,
        "protocol": listed["Protocol"],
        "endpoint": listed["Endpoint"],
        "pending": pending,
        "deleted": deleted,
        "attributes": {} if pending else attributes,
    }


def subscription_settings(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the managed settings of a subscription; empty where there is none.

    Those are ``filter_policy``, empty without one, ``filter_scope``, empty where that does not matter, and
    ``raw_message_delivery``. Of one that is pending nobody knows them: ``pending`` is all that it has, and ``deleted``
    of one that is deleted.
    """
    if not found:
        return {}
    if found["pending"]:
        return {"pending": True}
    if found["deleted"]:
        return {"deleted": True}
    attributes = found["attributes"]
    policy = json.loads(attributes.get("FilterPolicy") or "{}")
    return {
        "filter_policy": policy,
        "filter_scope": attributes.get("FilterPolicyScope", "MessageAttributes") if policy else "",
        "raw_message_delivery": attributes.get("RawMessageDelivery") == "true",
    }
