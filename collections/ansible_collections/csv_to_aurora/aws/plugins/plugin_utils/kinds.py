# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Kinds of resources that several roles have: how the state of one is read, and which modules apply it.

Roles read with the functions that end in C(_current), in their filter plugins; the action C(resource) knows the rest by
the kind's name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.csv_to_aurora.aws.plugins.plugin_utils.modules import Call

State = dict[str, Any]
LOG_GROUP = "amazon.aws.cloudwatchlogs_log_group"
ROLE, ROLE_POLICY = "amazon.aws.iam_role", "amazon.aws.iam_policy"
ALARM = "amazon.aws.cloudwatch_metric_alarm"
NO_INSTANCE_PROFILE = {"create_instance_profile": False, "delete_instance_profile": False}
"""Both are said at each call: amazon.aws warns where one is not, since their defaults are going to change."""


def log_groups_current(info: Mapping[str, Any]) -> dict[str, State]:
    """Return log groups by name, each with ``arn``, ``retention`` in days (0: never expires) and ``tags``.

    Args:
        info: Result of amazon.aws.cloudwatchlogs_log_group_info.
    """
    return {
        group["log_group_name"]: {
            "arn": group.get("arn"),
            "retention": group.get("retention_in_days") or 0,
            "tags": group.get("tags") or {},
        }
        for group in info.get("log_groups") or []
    }


def _log_group(name: str, current: State, desired: State) -> list[Call]:
    del current
    if not desired:
        return [Call(LOG_GROUP, {"log_group_name": name, "state": "absent"})]
    retention = {"retention": desired["retention"]} if desired["retention"] else {"purge_retention_policy": True}
    return [Call(LOG_GROUP, {"log_group_name": name, "tags": desired["tags"], **retention})]


def iam_role_current(roles: Mapping[str, Any], policies: Mapping[str, Any]) -> State:
    """Return an IAM role, empty where there is none.

    Its fields are ``arn``, ``description``, ``trust_policy``, ``permissions_boundary`` (an ARN, empty without one),
    ``managed_policies`` (ARNs), ``policies`` by name and ``tags``.

    Args:
        roles: Result of amazon.aws.iam_role_info for the role's name.
        policies: Result of amazon.aws.iam_policy_info for the same role.
    """
    role = next(iter(roles.get("iam_roles") or []), None)
    if role is None:
        return {}
    return {
        "arn": role["arn"],
        "description": role.get("description") or "",
        "trust_policy": role["assume_role_policy_document"],
        "permissions_boundary": (role.get("permissions_boundary") or {}).get("permissions_boundary_arn") or "",
        "managed_policies": sorted(policy["policy_arn"] for policy in role.get("managed_policies") or []),
        "policies": {one["policy_name"]: one["policy_document"] for one in policies.get("policies") or []},
        "tags": role.get("tags") or {},
    }


def _iam_role(name: str, current: State, desired: State) -> list[Call]:
    if not desired:
        return [Call(ROLE, {"name": name, "state": "absent", **NO_INSTANCE_PROFILE})]
    # The module passes an empty one to CreateRole, which takes none.
    boundary = {"boundary": desired["permissions_boundary"]} if desired.get("permissions_boundary") else {}
    # Before the rest, which somebody may be allowed to write only for roles with this boundary.
    first = current and boundary and current.get("permissions_boundary") != desired["permissions_boundary"]
    bounded = {"name": name, "assume_role_policy_document": current.get("trust_policy"), **boundary}
    role = {
        "name": name,
        **({"description": desired["description"]} if "description" in desired else {}),
        "assume_role_policy_document": desired["trust_policy"],
        "managed_policies": desired.get("managed_policies") or [],
        "purge_policies": True,
        **boundary,
        **NO_INSTANCE_PROFILE,
        "tags": desired["tags"],
    }
    wanted, found = desired.get("policies") or {}, current.get("policies") or {}
    of_role = {"iam_type": "role", "iam_name": name}
    return [
        *([Call(ROLE, {**bounded, **NO_INSTANCE_PROFILE})] if first else []),
        Call(ROLE, role),
        *(
            Call(ROLE_POLICY, {**of_role, "policy_name": policy, "policy_json": wanted[policy]})
            for policy in sorted(wanted)
            if found.get(policy) != wanted[policy]
        ),
        *(
            Call(ROLE_POLICY, {**of_role, "policy_name": policy, "state": "absent"})
            for policy in sorted(set(found) - set(wanted))
        ),
    ]


def alarms_current(info: Mapping[str, Any]) -> dict[str, State]:
    """Return CloudWatch alarms by name, each in the fields that ``desired`` of such a resource has.

    Args:
        info: Result of amazon.aws.cloudwatch_metric_alarm_info.
    """
    return {
        alarm["alarm_name"]: {
            "description": alarm.get("alarm_description") or "",
            "namespace": alarm.get("namespace"),
            "metric": alarm.get("metric_name"),
            "dimensions": {one["name"]: one["value"] for one in alarm.get("dimensions") or []},
            "statistic": alarm.get("statistic"),
            "period": alarm.get("period"),
            "evaluation_periods": alarm.get("evaluation_periods"),
            "comparison": alarm.get("comparison_operator"),
            "threshold": alarm.get("threshold"),
            "missing_data": alarm.get("treat_missing_data") or "missing",
            "actions": sorted(alarm.get("alarm_actions") or []),
            "ok_actions": sorted(alarm.get("ok_actions") or []),
            "no_data_actions": sorted(alarm.get("insufficient_data_actions") or []),
        }
        for alarm in info.get("metric_alarms") or []
    }


def _alarm(name: str, current: State, desired: State) -> list[Call]:
    del current
    if not desired:
        return [Call(ALARM, {"name": name, "state": "absent"})]
    same = (
        "description",
        "namespace",
        "dimensions",
        "statistic",
        "period",
        "evaluation_periods",
        "comparison",
        "threshold",
    )
    alarm = {
        "name": name,
        **{field: desired[field] for field in same},
        "metric_name": desired["metric"],
        "treat_missing_data": desired["missing_data"],
        "alarm_actions": desired["actions"],
        "ok_actions": desired.get("ok_actions", []),
        "insufficient_data_actions": desired.get("no_data_actions", []),
    }
    return [Call(ALARM, alarm)]


KINDS: dict[str, Callable[[str, State, State], list[Call]]] = {
    "log group": _log_group,
    "IAM role": _iam_role,
    # The module cannot tag: an alarm is managed by this stack where its name begins with the stack's.
    "CloudWatch alarm": _alarm,
}
"""The modules that create and update a resource of a kind or, where nothing is desired, delete it."""
