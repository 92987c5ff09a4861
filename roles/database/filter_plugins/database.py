"""Filters: what the gathered information about a database says, in the fields that the role compares; its secrets."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.csv_to_aurora.aws.plugins.plugin_utils.kinds import log_groups_current

Gathered = Mapping[str, Any]
Secrets = Mapping[str, Mapping[str, Any]]
"""What the role says about each secret: ``name``, ``description``, ``password_key`` and ``content``."""
State = dict[str, Any]

READY = ("available", "backing-up")
KEPT, MISSING = "kept", "missing"
"""All that is said of a password: whether there is one."""


def _first(gathered: Gathered, module: str, key: str) -> dict[str, Any]:
    """Return the only resource that a module reported; empty where there is none."""
    return next(iter(gathered[module].get(key) or []), {})


def _instances(gathered: Gathered, *modules: str) -> list[dict[str, Any]]:
    """Return the instances that modules reported, each once, by their identifiers."""
    found = {
        one["db_instance_identifier"]: one for module in modules for one in gathered[module].get("instances") or []
    }
    return [found[name] for name in sorted(found)]


def _version(text: str) -> list[int]:
    """Return the numbers of a version: [8, 0, 3, 10, 0] of 8.0.mysql_aurora.3.10.0."""
    return [int(number) for number in re.findall("[0-9]+", text)]


def _is_version(current: str, desired: str) -> bool:
    """Return whether a cluster needs no upgrade: RDS upgrades minor versions itself, and cannot downgrade.

    Source: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/AuroraMySQL.Updates.Patching.html
    """
    found, wanted = _version(current), _version(desired)
    return found[:2] == wanted[:2] and found >= wanted


def _log_exports(cluster: Mapping[str, Any], pending: Mapping[str, Any]) -> list[str]:
    """Return the logs that a cluster exports, or will once RDS has applied what it has accepted."""
    change = pending.get("pending_cloudwatch_logs_exports") or {}
    exported = {*(cluster.get("enabled_cloudwatch_logs_exports") or []), *(change.get("log_types_to_enable") or [])}
    return sorted(exported.difference(change.get("log_types_to_disable") or []))


def _cluster_state(cluster: Mapping[str, Any], engine_version: str) -> State:
    """Return the fields of the cluster. What RDS has accepted and not applied yet is not ordered again."""
    if not cluster or cluster["status"] == "deleting":
        return {}
    scaling = cluster.get("serverless_v2_scaling_configuration") or {}
    pending = {
        name: value for name, value in (cluster.get("pending_modified_values") or {}).items() if value is not None
    }
    current = {**cluster, **pending}
    version = str(current["engine_version"])
    return {
        "tags": cluster.get("tags") or {},
        "running": cluster["status"] not in ("stopped", "stopping"),
        # With 8.0 desired, 8.0.mysql_aurora.3.10.0 is 8.0.
        "engine_version": engine_version if _is_version(version, engine_version) else version,
        "master_username": cluster.get("master_username"),
        "storage_encrypted": cluster.get("storage_encrypted", False),
        "security_group_ids": sorted(
            group["vpc_security_group_id"] for group in cluster.get("vpc_security_groups") or []
        ),
        "parameter_group": cluster["db_cluster_parameter_group"],
        "backup_retention_days": current["backup_retention_period"],
        "deletion_protection": cluster.get("deletion_protection", False),
        "iam_authentication": current.get("iam_database_authentication_enabled", False),
        "copy_tags_to_snapshot": cluster.get("copy_tags_to_snapshot", False),
        "log_exports": _log_exports(cluster, pending),
        "port": cluster["port"],
        "min_capacity": scaling.get("min_capacity"),
        "max_capacity": scaling.get("max_capacity"),
    }


def _instance_state(instance: Mapping[str, Any]) -> State:
    pending = instance.get("pending_modified_values") or {}
    return {
        "tags": instance.get("tags") or {},
        "cluster": instance.get("db_cluster_identifier"),
        "instance_class": pending.get("db_instance_class") or instance["db_instance_class"],
        "auto_minor_version_upgrade": instance["auto_minor_version_upgrade"],
        "publicly_accessible": instance.get("publicly_accessible", False),
        "performance_insights": instance.get("performance_insights_enabled", False),
    }


def _parameter_group_state(group: Mapping[str, Any], parameters: Mapping[str, Any]) -> State:
    if not group:
        return {}
    return {
        "tags": group.get("tags") or {},
        "family": group["db_parameter_group_family"],
        "parameters": parameters.get("current") or {},
    }


def _pending_reboot(cluster: Mapping[str, Any]) -> list[str]:
    """Return the instances that have yet to apply static parameters of the cluster parameter group.

    Source: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/USER_WorkingWithParamGroups.html
    """
    return sorted(
        member["db_instance_identifier"]
        for member in cluster.get("db_cluster_members") or []
        if member.get("db_cluster_parameter_group_status") == "pending-reboot"
    )


def _certificates(instances: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return until when the server certificate of each instance is valid, as a date; of those that say so."""
    found = {
        one["db_instance_identifier"]: (one.get("certificate_details") or {}).get("valid_till") for one in instances
    }
    return {name: str(until)[:10] for name, until in found.items() if until}


def database_expiring(outputs: Mapping[str, Any], today: str, days: int) -> list[str]:
    """Return the instances whose server certificates expire within so many days, or have expired.

    Args:
        outputs: The role's outputs.
        today: The date, as 2026-11-27.
        days: How many days before the end.
    """
    last = dt.date.fromisoformat(today) + dt.timedelta(days=days)
    certificates = outputs["certificates_valid_until"]
    return sorted(name for name, until in certificates.items() if dt.date.fromisoformat(until) < last)


def _subnet_group_state(group: Mapping[str, Any]) -> State:
    if not group:
        return {}
    return {
        "tags": group.get("tags") or {},
        "description": group["description"],
        "subnet_ids": sorted(group["subnet_ids"]),
    }


def _secrets_by_key(gathered: Gathered) -> dict[str, dict[str, Any]]:
    """Return the secrets by the last part of their names, those that are scheduled for deletion included."""
    return {secret["name"].rpartition("/")[2]: secret for secret in gathered["secrets"].get("secrets") or []}


def _secret_state(secret: Mapping[str, Any]) -> State:
    return {
        "tags": secret["tags"],
        "description": secret["description"],
        "scheduled_for_deletion": secret["deleted_date"] is not None,
    }


def database_current(gathered: Gathered, engine_version: str) -> State:
    """Return the database's resources, each empty where there is none or where it is being deleted.

    They are ``cluster``, ``instances`` by identifier (the cluster's members, and whatever else has a name that the role
    gives), ``parameter_group``, ``subnet_group``, ``log_groups`` by name and
    ``secrets`` by the last part of their names, without what they hold. ``available`` are the instances that are,
    ``parameter_refusals`` are sentences about parameters that RDS would refuse.

    Args:
        gathered: Results by the keys ``cluster``, ``instances``, ``named_instances``, ``parameter_group``,
            ``parameters``, ``subnet_group``, ``log_groups`` and ``secrets``.
        engine_version: The desired version, or the major version: a cluster of such a version, or a newer one, has it.
    """
    instances = [
        one for one in _instances(gathered, "named_instances", "instances") if one["db_instance_status"] != "deleting"
    ]
    secrets = _secrets_by_key(gathered)
    return {
        "cluster": _cluster_state(_first(gathered, "cluster", "clusters"), engine_version),
        "instances": {one["db_instance_identifier"]: _instance_state(one) for one in instances},
        "available": [one["db_instance_identifier"] for one in instances if one["db_instance_status"] in READY],
        "parameter_group": _parameter_group_state(
            _first(gathered, "parameter_group", "db_cluster_parameter_groups"), gathered["parameters"]
        ),
        "parameter_refusals": gathered["parameters"].get("refusals") or [],
        "subnet_group": _subnet_group_state(gathered["subnet_group"].get("subnet_group") or {}),
        "log_groups": log_groups_current(gathered["log_groups"]),
        "secrets": {key: _secret_state(secret) for key, secret in secrets.items()},
    }


def database_outputs(gathered: Gathered, of_cluster: Mapping[str, Any]) -> State:
    """Return the outputs of the role; null, or an empty list, where there is no such thing.

    Args:
        gathered: As for database_current.
        of_cluster: Outputs that are known beforehand and hold where there is a cluster.
    """
    cluster = _first(gathered, "cluster", "clusters")
    # A secret that is scheduled for deletion has a name, but nobody can read it.
    secrets = {key: one for key, one in _secrets_by_key(gathered).items() if one["deleted_date"] is None}
    return {
        "cluster_id": cluster.get("db_cluster_identifier"),
        "cluster_arn": cluster.get("db_cluster_arn"),
        "cluster_resource_id": cluster.get("db_cluster_resource_id"),
        **{key: cluster.get(key) for key in ("status", "endpoint", "reader_endpoint", "port", "engine_version")},
        "instance_ids": [instance["db_instance_identifier"] for instance in _instances(gathered, "instances")],
        "pending_reboot": _pending_reboot(cluster),
        "certificates_valid_until": _certificates(_instances(gathered, "instances")),
        **{
            f"{key}_secret_{field}": secrets.get(key, {}).get(field)
            for key in ("administrator", "importer", "application")
            for field in ("name", "arn")
        },
        **{key: value if cluster else None for key, value in of_cluster.items()},
        "parameter_group": _first(gathered, "parameter_group", "db_cluster_parameter_groups").get(
            "db_cluster_parameter_group_name"
        ),
        "subnet_group": (gathered["subnet_group"].get("subnet_group") or {}).get("name"),
        "log_group_names": sorted(group["log_group_name"] for group in gathered["log_groups"].get("log_groups") or []),
    }


def database_endpoint(outputs: Mapping[str, Any], available: bool) -> State:  # noqa: FBT001
    """Return the cluster's ``endpoint``, ``reader_endpoint`` and ``port`` as secrets hold them.

    Args:
        outputs: The role's outputs.
        available: Whether the cluster is, or in a run that only plans will be. They are null otherwise: a cluster that
            is being created may report others than those that it gets.
    """
    names = ("endpoint", "reader_endpoint", "port")
    return {name: outputs[name] or "known after apply" if available else None for name in names}


def _parsed(text: str) -> dict[str, Any]:
    """Return what a secret holds; nothing where that is no JSON mapping, which the role replaces by one."""
    try:
        held = json.loads(text)
    except ValueError:
        return {}
    return held if isinstance(held, dict) else {}


def database_secret_contents(texts: Sequence[str], names: Sequence[str], secrets: Secrets) -> dict[str, State]:
    """Return what secrets hold, by the secrets' keys: of a password only whether there is one.

    Args:
        texts: What each of ``names`` holds.
        names: Names of the secrets that were read.
        secrets: What the role says about each. Keys that it does not know are left out: they may be secret.
    """
    by_name = {name: _parsed(text) for name, text in zip(names, texts, strict=True)}
    contents = {}
    for key, secret in secrets.items():
        held = by_name.get(secret["name"])
        if held is not None:
            contents[key] = {name: held.get(name) for name in secret["content"]} | {
                secret["password_key"]: KEPT if held.get(secret["password_key"]) else MISSING
            }
    return contents


def database_secret_desired(secret: Mapping[str, Any], tags: Mapping[str, str], current: State) -> State:
    """Return the desired state of a secret, with the password as kept.

    Args:
        secret: What the role says about it. What is null in its ``content`` is not compared.
        tags: Its tags.
        current: The secret as it is. One that is scheduled for deletion can be read only after it was restored.
    """
    known = {name: value for name, value in secret["content"].items() if value is not None}
    return {
        "tags": dict(tags),
        "description": secret["description"],
        "scheduled_for_deletion": False,
        **({} if current.get("scheduled_for_deletion") else {**known, secret["password_key"]: KEPT}),
    }


def database_secret_value(stored: Sequence[str], secret: Mapping[str, Any], generated: str) -> str:
    """Return the text to write: always in the same order, so that what has not changed is the same text.

    Args:
        stored: What the secret holds, as a list of one text; empty where there is no secret yet.
        secret: What the role says about it. What is null in its ``content`` stays as it is stored.
        generated: The password of a secret that holds none.
    """
    held = _parsed(stored[0]) if stored else {}
    known = {name: value for name, value in secret["content"].items() if value is not None}
    password = {secret["password_key"]: held.get(secret["password_key"]) or generated}
    value = held | known | password
    return json.dumps({name: value[name] for name in secret["content"] if name in value})


class FilterModule:
    """The filters of this file, as Ansible wants them."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {
            "database_current": database_current,
            "database_endpoint": database_endpoint,
            "database_expiring": database_expiring,
            "database_outputs": database_outputs,
            "database_secret_contents": database_secret_contents,
            "database_secret_desired": database_secret_desired,
            "database_secret_value": database_secret_value,
        }
