"""Filters: the current and the desired state of the notifications of a bucket."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Gathered = Mapping[str, Any]
State = dict[str, Any]

EVENTS = ["s3:ObjectCreated:*"]
UNKNOWN = "known after apply"
TARGET = "function"
"""Id of the target of the EventBridge rule."""
TARGETS = {
    "LambdaFunctionConfigurations": "LambdaFunctionArn",
    "QueueConfigurations": "QueueArn",
    "TopicConfigurations": "TopicArn",
}
"""The kinds of notifications, each with the key of what it notifies."""


def _filter_value(notification: Mapping[str, Any], name: str) -> str:
    """Return the prefix or the suffix of a notification. S3 itself answers with other cases of these names."""
    rules = ((notification.get("Filter") or {}).get("Key") or {}).get("FilterRules") or []
    return next((str(rule.get("Value", "")) for rule in rules if rule["Name"].lower() == name), "")


def _function_name(arn: str) -> str:
    """Return the name in a function's ARN, which may end in a version or an alias; empty for another ARN."""
    parts = arn.split(":")
    return parts[6] if parts[2:6:3] == ["lambda", "function"] and len(parts) > 6 else ""


def notification_current(gathered: Gathered, name: str, function_name: str = "") -> State:
    """Return ``notifications`` by id, the ``foreign`` ones, whether ``eventbridge`` gets events, and the ``rule``.

    Those of the role have its ids and invoke its function. All others are foreign, a list, each with its ``id`` and its
    ``target``.

    Args:
        gathered: ``bucket``, the result of amazon.aws.s3_bucket_info, empty without a bucket; ``rule``, that of
            cloudwatchevent_rule_info.
        name: What the ids of the role's notifications begin with.
        function_name: The function that they invoke; empty where the id alone decides.
    """
    bucket: Gathered = next(iter(gathered["bucket"].get("buckets") or []), {})
    configuration = bucket.get("bucket_notification_configuration") or {}
    notifications: dict[str, State] = {}
    foreign: list[State] = []
    for kind, target in TARGETS.items():
        for found in configuration.get(kind) or []:
            fields = {
                "events": sorted(found["Events"]),
                "suffix": _filter_value(found, "suffix"),
                "prefix": _filter_value(found, "prefix"),
            }
            named = kind == "LambdaFunctionConfigurations" and re.fullmatch(re.escape(name) + "-[0-9]+", found["Id"])
            if named and function_name in ("", _function_name(found[target])):
                notifications[found["Id"]] = {"function": found[target], **fields}
            else:
                foreign.append({"id": found["Id"], "target": found[target], **fields})
    return {
        "notifications": notifications,
        "foreign": foreign,
        "eventbridge": "EventBridgeConfiguration" in configuration,
        "rule": _rule(gathered["rule"].get("rule") or {}),
    }


def _rule(rule: Mapping[str, Any]) -> State:
    """Return the fields of the rule that invokes the function on a schedule; empty where there is none."""
    if not rule:
        return {}
    target = next((one for one in rule["targets"] if one["id"] == TARGET), {})
    return {
        "arn": rule["arn"],
        "description": rule["description"],
        "schedule": rule["schedule_expression"],
        "state": rule["state"],
        "function": target.get("arn", ""),
        "input": target.get("input", ""),
        "targets": len(rule["targets"]),
    }


def notification_outputs(current: State) -> dict[str, Any]:
    """Return the outputs of the role.

    Args:
        current: What notification_current returns.
    """
    notifications = current["notifications"]
    suffixes = (notification["suffix"] for notification in notifications.values())
    return {
        "ids": sorted(notifications),
        "suffixes": sorted(filter(None, suffixes)),
        "rule": current["rule"].get("arn"),
    }


def notification_desired(suffixes: Sequence[str], name: str, function_arn: str | None) -> dict[str, State]:
    """Return the notification for each suffix, by id: <name>-1, <name>-2 and so on.

    Args:
        suffixes: Ends of the keys that are sent.
        name: What the ids begin with.
        function_arn: The function; None where it does not exist yet.
    """
    return {
        f"{name}-{number}": {"function": function_arn or UNKNOWN, "events": EVENTS, "suffix": suffix, "prefix": ""}
        for number, suffix in enumerate(suffixes, start=1)
    }


def _overlaps(one: State, other: State) -> bool:
    """Return whether two notifications would be sent for one event of one key.

    S3 refuses them: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html
    """
    events = [event.removesuffix("*") for event in one["events"]]
    others = [event.removesuffix("*") for event in other["events"]]
    return (
        any(a.startswith(b) or b.startswith(a) for a in events for b in others)
        and (one["prefix"].startswith(other["prefix"]) or other["prefix"].startswith(one["prefix"]))
        and (one["suffix"].endswith(other["suffix"]) or other["suffix"].endswith(one["suffix"]))
    )


def _conflict(name: str, desired: State, foreign: Sequence[State]) -> str:
    """Return which foreign notification is in the way of one, and what to do; empty where none is."""
    for one in foreign:
        if desired and one["id"] == name:
            return (
                f"There is a notification {name} that notifies {one['target']}, so it is not managed by this stack "
                "and is left as it is. Give it another id, or remove it if it was changed by hand "
                "(console: bucket, Properties, Event notifications)."
            )
        if desired and _overlaps(desired, one):
            return (
                f"The notification {one['id']}, which notifies {one['target']} and is not managed by this stack, is "
                f"sent for keys that end in {desired['suffix']}, too, and S3 allows one for each event. Remove it, or "
                "give it a prefix or suffix that does not overlap (console: bucket, Properties, Event notifications)."
            )
    return ""


def notification_changes(desired: Mapping[str, State], current: State) -> list[State]:
    """Return all notifications in order of change, each with what has to be known for it.

    That is ``id``, ``current``, ``desired``, ``removed_first``, and in ``conflict`` why S3 or we would refuse it.

    S3 refuses two notifications for one suffix, even for a moment: orphaned ones come first, and ``removed_first`` are
    the ids of those that have to be removed before this one is written, since they are still to be updated.

    Args:
        desired: What notification_desired returns.
        current: What notification_current returns.
    """
    found, ids = current["notifications"], list(desired)
    updated = {name for name in ids if name in found and found[name] != desired[name]}
    orphaned = [name for name in sorted(found) if name not in desired]
    return [
        {
            "id": name,
            "current": found.get(name, {}),
            "desired": desired.get(name, {}),
            "removed_first": [later for later in ids[position:] if later in updated],
            "conflict": _conflict(name, desired.get(name, {}), current["foreign"]),
        }
        for position, name in [*((len(ids), name) for name in orphaned), *enumerate(ids, start=1)]
    ]


class FilterModule:
    """The filters of this file, as Ansible wants them."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {
            "notification_changes": notification_changes,
            "notification_current": notification_current,
            "notification_desired": notification_desired,
            "notification_outputs": notification_outputs,
        }
