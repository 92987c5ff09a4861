"""Filters: the current and the desired state of the topics and their subscriptions."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.csv_to_aurora.aws.plugins.module_utils.sns import subscription_settings

Gathered = Mapping[str, Any]
State = dict[str, Any]

TOPICS = ("alarms", "events")
MANAGED = ("email", "http", "https", "sqs")
"""The protocols that the role subscribes. Subscriptions of another, such as a phone or a function, are not touched."""


def _topic(topic: Mapping[str, Any]) -> State:
    """Return the fields of a topic; empty where there is none."""
    if not topic:
        return {}
    return {
        "tags": topic["tags"],
        "display_name": topic["attributes"].get("DisplayName", ""),
        "policy": json.loads(topic["attributes"].get("Policy") or "{}"),
    }


def topic_current(gathered: Gathered) -> State:
    """Return ``topics`` by name, empty where there is none, and ``subscriptions``.

    These are a list, each with ``topic``, ``protocol``, ``endpoint``, ``settings``, and
    ``fixed``, whether SNS lets nobody change it.

    Args:
        gathered: The results of sns_topic_info by ``alarms``, ``events`` and ``existing``.
    """
    found = {name: gathered[name].get("topic") or {} for name in TOPICS}
    return {
        "topics": {name: _topic(topic) for name, topic in found.items()},
        "subscriptions": [
            {
                "topic": name,
                "protocol": one["protocol"],
                "endpoint": one["endpoint"],
                "fixed": one["pending"] or one["deleted"],
                "settings": subscription_settings(one),
            }
            for name, topic in found.items()
            for one in topic.get("subscriptions") or []
        ],
    }


def topic_subscriptions(wanted: Sequence[State], current: State) -> list[State]:
    """Return all subscriptions that should exist or do, each with its ``current`` and ``desired`` settings.

    One that is pending is as desired, whatever it is: SNS neither returns nor changes its settings, nor deletes it. So
    is one that somebody has unsubscribed: SNS does not subscribe it again while it lists it as deleted.

    Args:
        wanted: What notify_subscriptions returns.
        current: What topic_current returns.
    """
    keys = ("topic", "protocol", "endpoint")
    desired = {tuple(one[key] for key in keys): one for one in wanted}
    found = {tuple(one[key] for key in keys): one for one in current["subscriptions"] if one["protocol"] in MANAGED}
    changes: list[State] = []
    for key in sorted({*desired, *found}):
        settings = found[key]["settings"] if key in found else {}
        fixed = key in found and found[key]["fixed"]
        if fixed and key not in desired:
            continue
        after = settings if fixed else _settings(desired.get(key))
        changes.append({**dict(zip(keys, key, strict=True)), "current": settings, "desired": after})
    return changes


def _settings(wanted: State | None) -> State:
    if wanted is None:
        return {}
    return {
        "filter_policy": wanted["filter_policy"],
        "filter_scope": "MessageAttributes" if wanted["filter_policy"] else "",
        "raw_message_delivery": wanted["raw_message_delivery"],
    }


def _state(one: Mapping[str, Any]) -> str:
    return "pending" if one["pending"] else "deleted" if one["deleted"] else "confirmed"


def topic_only_https(arns: Mapping[str, str], wanted: bool) -> dict[str, list[State]]:  # noqa: FBT001 - a filter's
    """Return for each topic the statements that refuse to publish over plain HTTP; none where that is not wanted."""
    return {
        name: [
            {
                "Sid": "DenyPlainHttp",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "sns:Publish",
                "Resource": arn,
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        ]
        if wanted
        else []
        for name, arn in arns.items()
    }


def topic_outputs(gathered: Gathered, existing: str) -> State:
    """Return the outputs of the role.

    Args:
        gathered: As of topic_current.
        existing: ARN of the topic that exists already and is used for both; empty where the role creates them.
    """
    topics = {name: gathered[name].get("topic") or {} for name in TOPICS}
    if existing:
        # That of another account cannot be described: it is taken to exist.
        topic = gathered["existing"].get("topic", {"arn": existing})
        topics = dict.fromkeys(TOPICS, topic)
    listed = topics if not existing else {"alarms": topics["alarms"]}
    return {
        "alarms_arn": topics["alarms"].get("arn"),
        "events_arn": topics["events"].get("arn"),
        "subscriptions": [
            {
                "topic": name if not existing else existing.rpartition(":")[2],
                "protocol": one["protocol"],
                "endpoint": one["endpoint"],
                "state": _state(one),
            }
            for name, topic in listed.items()
            for one in topic.get("subscriptions") or []
        ],
    }


class FilterModule:
    """The filters of this file, as Ansible wants them."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {
            "topic_current": topic_current,
            "topic_only_https": topic_only_https,
            "topic_outputs": topic_outputs,
            "topic_subscriptions": topic_subscriptions,
        }
