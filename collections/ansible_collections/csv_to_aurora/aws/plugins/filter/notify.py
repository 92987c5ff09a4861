# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Filters: who is notified, as people list it, and what SNS has to know for it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

DOCUMENTATION = r"""
name: notify_subscriptions
short_description: The subscriptions that a list of recipients means
version_added: "1.0.0"
author:
  - The csv-to-aurora authors (@csv-to-aurora)
description:
  - E-mail addresses get all alarms, and of the events of imports those that somebody has to look at. URLs and queues
    get everything. An entry that is a mapping says with C(filter) which events it gets, and with C(alarms) whether it
    gets alarms.
  - The list is one that C(notify_mistakes) has nothing against.
options:
  _input:
    description: E-mail addresses, URLs, ARNs of queues, or mappings with C(endpoint).
    type: list
    elements: raw
    required: true
"""

EXAMPLES = r"""
- name: Set the subscriptions
  ansible.builtin.set_fact:
    subscriptions: "{{ ['operators@example.com'] | csv_to_aurora.aws.notify_subscriptions }}"
"""

RETURN = r"""
_value:
  description: >-
    Each with C(topic) (C(alarms) or C(events)), C(protocol), C(endpoint), C(filter_policy) and C(raw_message_delivery).
  type: list
  elements: dict
"""

ALARMS, EVENTS = "alarms", "events"
ATTENTION: dict[str, Any] = {"$or": [{"status": ["failed"]}, {"many_rejects": ["true"]}]}
"""The events that somebody has to look at. https://docs.aws.amazon.com/sns/latest/dg/and-or-logic.html"""
ATTRIBUTES = ("dataset", "environment", "many_rejects", "status")
"""The message attributes of an event, by which it can be filtered."""
EMAIL = re.compile(r"[^@\s,;:<>\"/]+@[^@\s,;:<>\"/]+\.[^@\s,;:<>\"/.]+")
URL = re.compile(r"https?://[^\s/?#@]+(?::[0-9]+)?(?:[/?][^\s#]*)?")
QUEUE = re.compile(r"arn:aws[a-z-]*:sqs:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,80}")
TOPIC = re.compile(r"arn:aws[a-z-]*:sns:(?P<region>[a-z0-9-]+):(?P<account>[0-9]{12}):[A-Za-z0-9_-]{1,256}")
FORMS = (
    "an e-mail address, an https:// URL, the ARN of a standard SQS queue, a mapping with one of these as its endpoint, "
    "or, as the only entry, the ARN of a standard SNS topic"
)
STATES = {
    "pending": ", once its owner has confirmed it",
    "deleted": ", not any more: somebody has unsubscribed it",
    "confirmed": "",
}
"""What a line says of a subscription, by its state."""
KEYS = frozenset(("endpoint", "filter", "alarms"))


def _entry(given: Any) -> dict[str, Any]:
    """Return an entry of the list as a mapping."""
    return dict(given) if isinstance(given, Mapping) else {"endpoint": given}


def _protocol(endpoint: str) -> str:
    """Return the protocol of an endpoint; empty where it is none that can be subscribed."""
    if URL.fullmatch(endpoint):
        return endpoint.partition(":")[0]
    return "sqs" if QUEUE.fullmatch(endpoint) else "email" if EMAIL.fullmatch(endpoint) else ""


def notify_topic(notify: Sequence[Any]) -> str:
    """Return the ARN of the existing topic that a list names; empty where it names who is to be subscribed."""
    only = notify[0] if len(notify) == 1 and isinstance(notify[0], str) else ""
    return only if TOPIC.fullmatch(only) else ""


def notify_subscriptions(notify: Sequence[Any]) -> list[dict[str, Any]]:
    """Return the subscriptions that a list means, which is one that notify_mistakes has nothing against."""
    if notify_topic(notify):
        return []
    found: list[dict[str, Any]] = []
    for entry in map(_entry, notify):
        protocol = _protocol(entry["endpoint"])
        one = {
            "protocol": protocol,
            "endpoint": entry["endpoint"],
            # A program gets the message alone, whose form is documented; an HTTPS endpoint needs SNS' signature.
            "raw_message_delivery": protocol == "sqs",
        }
        events = entry.get("filter", ATTENTION if protocol == "email" else {})
        if entry.get("alarms", True):
            found.append({"topic": ALARMS, **one, "filter_policy": {}})
        found.append({"topic": EVENTS, **one, "filter_policy": events})
    return found


def notify_mistakes(notify: Any, region: str, local: bool = False) -> list[str]:  # noqa: FBT001, FBT002 - a filter's
    """Return what is wrong with a list, each a sentence about stack_notify without a full stop.

    Args:
        notify: The list.
        region: The region of the stack.
        local: Whether AWS is an emulator, which may be given plain HTTP.
    """
    if isinstance(notify, str) or not isinstance(notify, Sequence):
        return ["stack_notify has to be a list, such as [operators@example.com], and empty to notify nobody"]
    topic = notify_topic(notify)
    if topic:
        return list(_topic_mistakes(topic, region))
    entries = [_entry(one) for one in notify]
    endpoints = [str(entry.get("endpoint", "")) for entry in entries]
    twice = sorted({endpoint for endpoint in endpoints if endpoint and endpoints.count(endpoint) > 1})
    return [
        *(mistake for entry in entries for mistake in _entry_mistakes(entry, local=local)),
        *(f"stack_notify has {endpoint} twice, and one topic has one subscription for it" for endpoint in twice),
    ]


def _topic_mistakes(topic: str, region: str) -> Iterator[str]:
    match = TOPIC.fullmatch(topic)
    if match and match["region"] != region:
        yield f"stack_notify names a topic in {match['region']} ({topic}), and an alarm notifies its own region only"


def _entry_mistakes(entry: Mapping[str, Any], *, local: bool) -> Iterator[str]:
    endpoint = entry.get("endpoint")
    if not isinstance(endpoint, str) or not _protocol(endpoint):
        yield f"stack_notify holds '{endpoint if endpoint is not None else dict(entry)}'. Each entry is {FORMS}"
        return
    if endpoint.startswith("http:") and not local:
        yield f"stack_notify holds {endpoint}: events and alarms are sent over HTTPS only. Write https://"
    unknown = sorted(str(key) for key in entry.keys() - KEYS)
    if unknown:
        yield f"stack_notify: {endpoint} has {', '.join(unknown)}, and an entry may have {', '.join(sorted(KEYS))} only"
    if not isinstance(entry.get("alarms", True), bool):
        yield f"stack_notify: alarms of {endpoint} has to be true or false"
    yield from (f"stack_notify: {mistake} in the filter of {endpoint}" for mistake in _filter_mistakes(entry))


def _filter_mistakes(entry: Mapping[str, Any]) -> Iterator[str]:
    policy = entry.get("filter", {})
    if not isinstance(policy, Mapping):
        yield "attributes and lists of their values, such as {status: [failed]}, have to be"
        return
    for name, values in policy.items():
        if name == "$or":
            continue  # whose parts SNS checks
        if name not in ATTRIBUTES:
            yield f"'{name}' is no attribute of an event ({', '.join(ATTRIBUTES)})"
        elif not isinstance(values, Sequence) or isinstance(values, str) or not values:
            yield f"'{name}' needs a list of values, such as [failed],"


def notify_notes(outputs: Mapping[str, Any], notify: Sequence[Any], variables_file: str) -> list[str]:
    """Return what people should know about who is notified: nobody, who has not confirmed, who has unsubscribed.

    Args:
        outputs: The outputs of the role topic; empty where they are not known.
        notify: The list.
        variables_file: The file in which it is set.
    """
    if not notify:
        return [
            (
                "Nobody is notified of failed imports and alarms: stack_notify is empty. Set it, such as "
                f"[operators@example.com], in {variables_file}."
            )
        ]
    found = outputs.get("subscriptions") or []
    pending, deleted = (
        sorted({one["endpoint"] for one in found if one["state"] == state}) for state in ("pending", "deleted")
    )
    notes = [
        f"{endpoint} is not notified yet: its owner has to confirm it with the link that AWS has sent there. SNS "
        "deletes a subscription that is not confirmed within 48 hours, and the next run sends another link."
        for endpoint in pending
    ]
    return notes + [
        f"{endpoint} is not notified any more: somebody has unsubscribed it. The message about that has a link that "
        "subscribes it again; otherwise the next run after 72 hours does. Or remove it from stack_notify in "
        f"{variables_file}."
        for endpoint in deleted
    ]


def notify_lines(outputs: Mapping[str, Any]) -> list[str]:
    """Return a line for each subscription, those first that wait for their confirmation; one that says so for none."""
    found = outputs.get("subscriptions") or []
    lines = [
        f"{one['endpoint']} of {one['topic']}{STATES[one['state']]}"
        for one in sorted(found, key=lambda one: (one["state"] == "confirmed", one["endpoint"], one["topic"]))
    ]
    return lines or ["nobody"]


class FilterModule:
    """The filters of this file, as Ansible wants them."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {
            "notify_lines": notify_lines,
            "notify_mistakes": notify_mistakes,
            "notify_notes": notify_notes,
            "notify_subscriptions": notify_subscriptions,
            "notify_topic": notify_topic,
        }
