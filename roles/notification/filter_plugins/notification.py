"""Filters: the current and the desired state of the notifications of a bucket."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Gathered = Mapping[str, Any]
State = dict[str, Any]

EVENTS = ["s3:ObjectCreated:*"]
UNKNOWN = "known after apply"


def _filter_value(notification: Mapping[str, Any], name: str) -> str:
    """Return the prefix or the suffix of a notification. S3 itself answers with other cases of these names."""
    rules = ((notification.get("Filter") or {}).get("Key") or {}).get("FilterRules") or []
    return next((str(rule.get("Value", "")) for rule in rules if rule["Name"].lower() == name), "")


def notification_current(gathered: Gathered, name: str) -> State:
    """Return ``notifications`` by id, and whether the bucket sends its events to ``eventbridge``.

    Notifications with other ids than those of the role are not among them.

    Args:
        gathered: ``bucket``, the result of amazon.aws.s3_bucket_info; empty without a bucket.
        name: What the ids of the role's notifications begin with.
    """
    bucket: Gathered = next(iter(gathered["bucket"].get("buckets") or []), {})
    configuration = bucket.get("bucket_notification_configuration") or {}
    notifications = {
        found["Id"]: {
            "function": found["LambdaFunctionArn"],
            "events": sorted(found["Events"]),
            "suffix": _filter_value(found, "suffix"),
            "prefix": _filter_value(found, "prefix"),
        }
        for found in configuration.get("LambdaFunctionConfigurations") or []
        if re.fullmatch(re.escape(name) + "-[0-9]+", found["Id"])
    }
    return {"notifications": notifications, "eventbridge": "EventBridgeConfiguration" in configuration}


def notification_outputs(current: State) -> dict[str, list[str]]:
    """Return the outputs of the role.

    Args:
        current: What notification_current returns.
    """
    notifications = current["notifications"]
    suffixes = (notification["suffix"] for notification in notifications.values())
    return {"ids": sorted(notifications), "suffixes": sorted(filter(None, suffixes))}


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


def notification_changes(desired: Mapping[str, State], current: State) -> list[State]:
    """Return all notifications, each with ``id``, ``current``, ``desired`` and ``removed_first``, in order of change.

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
