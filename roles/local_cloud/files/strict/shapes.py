"""Rules about the form of calls, by botocore's model of each service."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from strict.calls import Call, Refusal
from strict.rule import Rule

EITHER_CASE = frozenset({"FilterRuleName"})
"""Shapes whose values AWS takes in any case, whatever the model says: S3 itself answers with Prefix and Suffix."""


def violations(value: Any, shape: Any, where: str = "") -> Iterator[str]:
    """Yield what is wrong with a parameter by its shape: required members, lengths, ranges, patterns, enumerations.

    Args:
        value: The parameter, or all parameters of a call.
        shape: botocore's model of it.
        where: The path to it, for the message.
    """
    limits = shape.metadata
    match shape.type_name:
        case "structure":
            yield from _structure(value, shape, where)
        case "list":
            yield from _size(len(value), limits, f"{where} has", " elements")
            for number, one in enumerate(value):
                yield from violations(one, shape.member, f"{where}[{number}]")
        case "map":
            for key, one in value.items():
                yield from violations(key, shape.key, f"{where} key {key}")
                yield from violations(one, shape.value, f"{where}.{key}")
        case "string":
            yield from _size(len(value), limits, f"{where} has", " characters")
            if shape.name not in EITHER_CASE:
                yield from _text(value, limits, where)
        case "integer" | "long" | "float" | "double":
            yield from _size(float(value), limits, f"{where} is", "")


def _structure(value: Mapping[str, Any], shape: Any, where: str) -> Iterator[str]:
    for name in shape.required_members:
        if value.get(name) is None:
            yield f"{where or 'the call'} lacks {name}"
    for name, member in shape.members.items():
        if value.get(name) is not None:
            yield from violations(value[name], member, f"{where}.{name}".lstrip("."))


def _text(value: str, limits: Mapping[str, Any], where: str) -> Iterator[str]:
    # Not what it is, which may be secret.
    if limits.get("enum") and value not in limits["enum"]:
        yield f"{where} has to be one of {', '.join(limits['enum'])}"
    if limits.get("pattern") and not _matches(limits["pattern"], value):
        yield f"{where} does not match {limits['pattern']}"


def _size(size: float, limits: Mapping[str, Any], what: str, unit: str) -> Iterator[str]:
    if "min" in limits and size < limits["min"]:
        yield f"{what} {size:g}{unit}, less than {limits['min']}"
    if "max" in limits and size > limits["max"]:
        yield f"{what} {size:g}{unit}, more than {limits['max']}"


def _matches(pattern: str, value: str) -> bool:
    """Return whether a value matches a pattern of a model, which is Java's: all of the value, as AWS applies it."""
    translated = re.sub(r"\\p\{[A-Za-z]+\}|\\p[LZNPMSC]", r"\\w", pattern)
    translated = translated.replace("\\z", r"\Z")
    try:
        return re.fullmatch(translated, value, re.DOTALL) is not None
    except re.error:
        return True


class CallsHaveTheirForm(Rule):
    """Parameters have the lengths, ranges, patterns and values that the service's model says."""

    source = "https://github.com/boto/botocore/tree/develop/botocore/data"

    def refuse(self, call: Call) -> Refusal | None:
        """Refuse a call that has not."""
        shape = getattr(call.model, "input_shape", None)
        if shape is None:
            return None
        wrong = next(violations(call.parameters, shape), None)
        return Refusal("ValidationError", f"{call.name}: {wrong}") if wrong else None


RULES = (CallsHaveTheirForm,)
