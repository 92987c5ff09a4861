"""Filters: what the gathered information about the app host says, in the fields that the role compares."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.csv_to_aurora.aws.plugins.plugin_utils.kinds import iam_role_current

Gathered = Mapping[str, Any]
State = dict[str, Any]

METADATA_OPTIONS = ("http_endpoint", "http_tokens", "http_put_response_hop_limit")
"""The options of the instance metadata service that the role sets. AWS reports more."""


def _first(items: Iterable[Any] | None) -> dict[str, Any]:
    """Return the first item; empty where there is none."""
    return next(iter(items or []), None) or {}


def _named(items: Iterable[dict[str, Any]], key: str, name: str) -> dict[str, Any]:
    """Return the item of that name; empty where there is none. Not every endpoint honours the filter for it."""
    return _first(item for item in items if item.get(key) == name)


def _profile_name(profile: Mapping[str, Any] | None) -> str:
    """Return the name of an instance profile of which the ARN is reported; empty where there is none."""
    return str((profile or {}).get("arn") or "").rpartition("/")[2]


def _metadata_options(options: Mapping[str, Any] | None) -> State:
    """Return those options of the instance metadata service that the role sets."""
    return {name: value for name, value in (options or {}).items() if name in METADATA_OPTIONS}


def _key_pair(key: Mapping[str, Any]) -> State:
    """Return a key pair; without ``public_key`` where the endpoint does not report it."""
    # The third word of a public key is a comment.
    public_key = " ".join((key.get("public_key") or "").split()[:2])
    return {
        "id": key["key_pair_id"],
        "tags": key.get("tags") or {},
        **({"public_key": public_key} if public_key else {}),
    }


def _tag_specifications(specifications: Iterable[Mapping[str, Any]] | None) -> list[State]:
    """Return which tags the resources get that are created from a launch template, by their type."""
    return [
        {"resource_type": one["resource_type"], "tags": {tag["key"]: tag["value"] for tag in one["tags"]}}
        for one in sorted(specifications or [], key=lambda one: str(one["resource_type"]))
        # Some endpoints list the template's own tags here.
        if one["resource_type"] != "launch-template"
    ]


def _launch_template(template: Mapping[str, Any]) -> State:
    """Return the latest version of a launch template, in the options of amazon.aws.ec2_launch_template."""
    latest = template["latest_version_number"]
    data = _named(template.get("versions") or [], "version_number", latest).get("launch_template_data") or {}
    disk = _first(data.get("block_device_mappings"))
    return {
        "id": template["launch_template_id"],
        "image_id": data.get("image_id"),
        "instance_type": data.get("instance_type"),
        "key_name": data.get("key_name"),
        "iam_instance_profile": _profile_name(data.get("iam_instance_profile")),
        "block_device_mappings": [{"device_name": disk.get("device_name"), "ebs": disk.get("ebs") or {}}],
        "network_interfaces": data.get("network_interfaces") or [],
        "metadata_options": _metadata_options(data.get("metadata_options")),
        "monitoring": {"enabled": (data.get("monitoring") or {}).get("enabled", False)},
        "tag_specifications": _tag_specifications(data.get("tag_specifications")),
        "default_version": "latest" if template["default_version_number"] == latest else "another",
        "tags": template.get("tags") or {},
    }


def _instance(instance: Mapping[str, Any]) -> State:
    """Return an instance; one that is starting counts as running."""
    state = instance["state"]["name"]
    return {
        "id": instance["instance_id"],
        "state": "running" if state == "pending" else state,
        "iam_instance_profile": _profile_name(instance.get("iam_instance_profile")),
        "security_groups": sorted(group["group_id"] for group in instance.get("security_groups") or []),
        "metadata_options": _metadata_options(instance.get("metadata_options")),
        "image_id": instance["image_id"],
        "instance_type": instance["instance_type"],
        "key_name": instance.get("key_name"),
        "subnet": instance.get("subnet_id"),
        "monitoring": (instance.get("monitoring") or {}).get("state"),
        "tags": {key: value for key, value in (instance.get("tags") or {}).items() if not key.startswith("aws:")},
    }


def _instances(gathered: Gathered, tags: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the instances that carry ``Role`` or ``Name`` of ``tags``: the other may have been changed by hand."""
    return [
        instance
        for instance in gathered["instances"].get("instances") or []
        if any((instance.get("tags") or {}).get(key) == tags[key] for key in ("Role", "Name"))
    ]


def app_host_current(gathered: Gathered, tags: Mapping[str, str]) -> dict[str, Any]:
    """Return what there is of the app host, each resource empty where it does not exist.

    Args:
        gathered: Results of the info modules: ``key_pairs``, ``iam_roles``, ``iam_policies``, ``instance_profiles``,
            ``launch_templates`` and ``instances``.
        tags: The tags of the instance, its ``Name`` and its ``Role`` among them.

    Returns:
        ``key_pair``, ``iam_role``, ``instance_profile``, ``launch_template``, ``instance``; ``instance_ids`` of all
        instances that may be meant, and ``terminating``, those that are being terminated.
    """
    name = tags["Name"]
    key = _named(gathered["key_pairs"].get("keypairs") or [], "key_name", name)
    profile = _first(gathered["instance_profiles"].get("iam_instance_profiles"))
    template = _named(gathered["launch_templates"].get("launch_templates") or [], "launch_template_name", name)
    found = _instances(gathered, tags)
    instances = [one for one in found if one["state"]["name"] not in ("shutting-down", "terminated")]
    return {
        "key_pair": _key_pair(key) if key else {},
        "iam_role": iam_role_current(gathered["iam_roles"], gathered["iam_policies"]),
        "instance_profile": {
            "roles": [role["role_name"] for role in profile.get("roles") or []],
            "tags": profile.get("tags") or {},
        }
        if profile
        else {},
        "launch_template": _launch_template(template) if template else {},
        "instance": _instance(instances[0]) if instances else {},
        "instance_ids": [one["instance_id"] for one in instances],
        "terminating": [one["instance_id"] for one in found if one["state"]["name"] == "shutting-down"],
    }


def app_host_instance_outputs(info: Gathered) -> dict[str, str | None]:
    """Return the outputs that come from the instance; null where there is none.

    Args:
        info: Result of amazon.aws.ec2_instance_info for that instance alone.
    """
    instance = _first(info.get("instances"))
    return {
        "instance_id": instance.get("instance_id"),
        "public_ip": instance.get("public_ip_address"),
        "private_ip": instance.get("private_ip_address"),
        "public_dns": instance.get("public_dns_name"),
        "image_id": instance.get("image_id"),
        "availability_zone": (instance.get("placement") or {}).get("availability_zone"),
        "state": (instance.get("state") or {}).get("name"),
    }


def app_host_outputs(gathered: Gathered, tags: Mapping[str, str]) -> dict[str, str | None]:
    """Return the outputs of the role; null for what does not exist.

    Args:
        gathered: As for app_host_current.
        tags: As for app_host_current.
    """
    current = app_host_current(gathered, tags)
    instances = [one for one in _instances(gathered, tags) if one["instance_id"] in current["instance_ids"]]
    return {
        **app_host_instance_outputs({"instances": instances}),
        "key_name": tags["Name"] if current["key_pair"] else None,
        "role_arn": current["iam_role"].get("arn"),
        "launch_template_id": current["launch_template"].get("id"),
    }


def app_host_assumed(current: Mapping[str, Any], desired: Mapping[str, Any], unverified: Iterable[str]) -> State:
    """Return a resource with those fields assumed to be as desired that the endpoint does not report.

    Args:
        current: The resource as reported; empty where it does not exist.
        desired: The desired state of the resource.
        unverified: Fields that the endpoint does not apply, or reports wrongly.
    """
    if not current:
        return {}
    reported = set(current) - set(unverified)
    return {**current, **{field: value for field, value in desired.items() if field not in reported}}


def app_host_changes(fields: Iterable[str], current: Mapping[str, Any], desired: Mapping[str, Any]) -> str:
    """Return how those of ``fields`` that differ would change, as the middle of a sentence."""
    return ", ".join(
        f"{field} is {current.get(field)} and should be {desired[field]}"
        for field in fields
        if field in desired and current.get(field) != desired[field]
    )


class FilterModule:
    """The filters of this file, as Ansible wants them."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {
            "app_host_assumed": app_host_assumed,
            "app_host_changes": app_host_changes,
            "app_host_current": app_host_current,
            "app_host_instance_outputs": app_host_instance_outputs,
            "app_host_outputs": app_host_outputs,
        }
