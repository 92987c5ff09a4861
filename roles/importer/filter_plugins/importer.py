"""Filters: what the gathered information about the importer says, in the fields that the role compares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.module_utils.common.dict_transformations import camel_dict_to_snake_dict

from ansible_collections.csv_to_aurora.aws.plugins.plugin_utils.kinds import (
    alarms_current,
    iam_role_current,
    log_groups_current,
)

Gathered = Mapping[str, Any]
State = dict[str, Any]


def _function(gathered: Gathered) -> dict[str, Any]:
    """Return the function as lambda_info has it; empty where there is none."""
    function: dict[str, Any] = next(iter(gathered["function"].get("functions") or []), {})
    return function if function.get("function_name") else {}


def _tags(found: Mapping[str, str], names: Mapping[str, str]) -> dict[str, str]:
    """Return tags under the names that they were given.

    amazon.aws.lambda_info turns them into snake case. Back it goes for those names that are known.
    """
    given = {next(iter(camel_dict_to_snake_dict({name: ""}))): name for name in names}
    return {given.get(name, name): value for name, value in found.items()}


def _published_versions(function: Mapping[str, Any]) -> list[str]:
    """Return the published versions of the function, but for those that an alias, which somebody made, refers to."""
    used = set()
    for alias in function.get("aliases") or []:
        routing = alias.get("routing_config") or {}
        used |= {alias.get("function_version"), *(routing.get("additional_version_weights") or {})}
    versions = [str(one.get("version")) for one in function.get("versions") or []]
    return [version for version in versions if version != "$LATEST" and version not in used]


def _function_current(function: Mapping[str, Any], tags: Mapping[str, str]) -> State:
    """Return the fields of the function; empty where there is none."""
    if not function:
        return {}
    same = ("description", "role", "runtime", "handler", "code_sha256", "memory_size", "timeout")
    vpc = function.get("vpc_config") or {}
    return {
        **{field: function.get(field) for field in same},
        "tags": _tags(function.get("tags") or {}, tags),
        "architecture": next(iter(function.get("architectures") or ["x86_64"])),
        "environment": (function.get("environment") or {}).get("variables") or {},
        "subnet_ids": sorted(vpc.get("subnet_ids") or []),
        "security_group_ids": sorted(vpc.get("security_group_ids") or []),
        "published_versions": _published_versions(function),
        "ready": function.get("state") in ("Active", "Inactive") and function.get("last_update_status") == "Successful",
    }


def _permission(statement: Mapping[str, Any]) -> State:
    """Return the fields of a statement of the function's policy, whose keys lambda_info turned into snake case."""
    condition = statement.get("condition") or {}
    return {
        "action": statement.get("action"),
        "principal": statement.get("principal"),
        "source_arn": (condition.get("arn_like") or {}).get("aws:_source_arn"),
        "source_account": (condition.get("string_equals") or {}).get("aws:_source_account"),
    }


def _queue_current(queue: Mapping[str, Any]) -> State:
    """Return the fields of the dead-letter queue; empty where there is none."""
    if not queue:
        return {}
    return {
        "tags": queue.get("tags") or {},
        "message_retention_period": int(queue["attributes"]["MessageRetentionPeriod"]),
    }


def importer_current(gathered: Gathered, name: str, tags: Mapping[str, str]) -> dict[str, State]:
    """Return the fields of each resource, empty where there is none.

    Args:
        gathered: The results of the info modules by ``function``, ``invocation``, ``role``, ``role_policies``,
            ``log_group``, ``dead_letter_queue`` and ``alarms``.
        name: Name of the function, with which the names of all its resources begin.
        tags: The stack's tags, for the spelling of their names.

    Returns:
        ``function``, ``invocation``, ``role``, ``log_group`` and ``dead_letter_queue``; ``permissions`` by statement
        id and ``alarms`` by what follows the function's name in theirs.
    """
    function = _function(gathered)
    statements = (function.get("policy") or {}).get("statement") or []
    return {
        "function": _function_current(function, tags),
        "invocation": gathered["invocation"].get("current") or {},
        "permissions": {one["sid"]: _permission(one) for one in statements},
        "role": iam_role_current(gathered["role"], gathered["role_policies"]),
        "log_group": log_groups_current(gathered["log_group"]).get(f"/aws/lambda/{name}", {}),
        "dead_letter_queue": _queue_current(gathered["dead_letter_queue"].get("queue") or {}),
        "alarms": {alarm.removeprefix(f"{name}-"): state for alarm, state in _own_alarms(gathered, name).items()},
    }


def _own_alarms(gathered: Gathered, name: str) -> dict[str, dict[str, Any]]:
    """Return the alarms of the function, without those of a stack whose name begins like the function's.

    Of the function a-importer are a-importer-errors and all others but a-importer-b-importer-errors and
    a-importer-b-database-cpu, of the stack a-importer-b. Alarms carry no tags to tell.
    """
    alarms = alarms_current(gathered["alarms"])
    others = ("-importer-", "-database-")
    return {
        alarm: state
        for alarm, state in alarms.items()
        if not any(other in alarm.removeprefix(name) for other in others)
    }


def importer_outputs(gathered: Gathered, name: str) -> dict[str, Any]:
    """Return the outputs of the role; null, or an empty list, where something does not exist.

    Args:
        gathered: As of importer_current.
        name: Name of the function.
    """
    function, log_group = _function(gathered), f"/aws/lambda/{name}"
    role = iam_role_current(gathered["role"], gathered["role_policies"])
    queue = gathered["dead_letter_queue"].get("queue") or {}
    arn = function.get("function_arn")
    sessions = ((function.get("environment") or {}).get("variables") or {}).get("IMPORT_SESSIONS")
    return {
        "function_name": function.get("function_name"),
        # Without the version, which would be the eighth part.
        "function_arn": ":".join(arn.split(":")[:7]) if arn else None,
        "code_sha256": function.get("code_sha256"),
        "memory_size": function.get("memory_size"),
        "sessions": int(sessions) if str(sessions or "").isdecimal() else None,
        "reserved_concurrent_executions": (gathered["invocation"].get("current") or {}).get(
            "reserved_concurrent_executions"
        ),
        "role_name": name if role else None,
        "role_arn": role.get("arn"),
        "log_group": log_group if log_group in log_groups_current(gathered["log_group"]) else None,
        "dead_letter_queue_url": queue.get("url"),
        "dead_letter_queue_arn": queue.get("arn"),
        "alarm_names": sorted(_own_alarms(gathered, name)),
    }


class FilterModule:
    """The filters of this file, as Ansible wants them."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {"importer_current": importer_current, "importer_outputs": importer_outputs}
