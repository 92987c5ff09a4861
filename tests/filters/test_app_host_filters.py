"""What the app_host role makes of the answers of its info modules."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

NAME = "customers-stage-app"
TAGS = {"Project": "customers", "Environment": "stage", "ManagedBy": "ansible"}
INSTANCE_TAGS = TAGS | {"Name": NAME, "Role": "app_host"}
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHSX"

# What the modules answer where nothing exists.
NOTHING: dict[str, dict[str, Any]] = {
    "key_pairs": {"keypairs": []},
    "iam_roles": {"iam_roles": []},
    # Of a role that does not exist the module has no policies at all.
    "iam_policies": {"msg": "Role not found."},
    "instance_profiles": {"iam_instance_profiles": []},
    "launch_templates": {"launch_templates": []},
    "instances": {"instances": []},
}


def tag_list(tags: dict[str, str]) -> list[dict[str, str]]:
    """Return tags as a launch template has them."""
    return [{"key": key, "value": value} for key, value in tags.items()]


TEMPLATE_DATA: dict[str, Any] = {
    "image_id": "ami-1",
    "instance_type": "t4g.micro",
    "key_name": NAME,
    "iam_instance_profile": {"arn": f"arn:aws:iam::000000000000:instance-profile/{NAME}"},
    "block_device_mappings": [{"device_name": "/dev/xvda", "ebs": {"encrypted": True, "volume_size": 10}}],
    "network_interfaces": [{"device_index": 0, "groups": ["sg-1"], "subnet_id": "subnet-1"}],
    "metadata_options": {"http_tokens": "required", "http_protocol_ipv6": "disabled", "state": "applied"},
    "monitoring": {"enabled": False},
    "tag_specifications": [
        {"resource_type": "volume", "tags": tag_list(TAGS)},
        {"resource_type": "launch-template", "tags": tag_list(TAGS)},
        {"resource_type": "instance", "tags": tag_list(INSTANCE_TAGS)},
    ],
}

TEMPLATE: dict[str, Any] = {
    "launch_template_id": "lt-1",
    "launch_template_name": NAME,
    "default_version_number": 2,
    "latest_version_number": 2,
    "tags": TAGS,
    "versions": [
        {"version_number": 1, "launch_template_data": TEMPLATE_DATA | {"image_id": "ami-0"}},
        {"version_number": 2, "launch_template_data": TEMPLATE_DATA},
    ],
}


def instance(number: int, state: str = "running", **tags: str) -> dict[str, Any]:
    """Return an instance as ec2_instance_info has it."""
    return {
        "instance_id": f"i-{number}",
        "state": {"code": 0, "name": state},
        "iam_instance_profile": {"arn": f"arn:aws:iam::000000000000:instance-profile/{NAME}", "id": "AIPA"},
        "security_groups": [{"group_id": "sg-2"}, {"group_id": "sg-1"}],
        "metadata_options": {"http_tokens": "required", "instance_metadata_tags": "disabled"},
        "image_id": "ami-1",
        "instance_type": "t4g.micro",
        "key_name": NAME,
        "subnet_id": "subnet-1",
        "monitoring": {"state": "disabled"},
        "placement": {"availability_zone": "eu-west-1a"},
        "public_ip_address": "192.0.2.1",
        "private_ip_address": "10.0.0.1",
        "public_dns_name": "ec2-192-0-2-1.example.com",
        "tags": TAGS | {"aws:ec2launchtemplate:version": "2"} | tags,
    }


EVERYTHING: dict[str, dict[str, Any]] = {
    "key_pairs": {
        "keypairs": [
            # Not every endpoint filters by name.
            {"key_name": "another", "key_pair_id": "key-2", "public_key": KEY, "tags": {}},
            {"key_name": NAME, "key_pair_id": "key-1", "public_key": f"{KEY} somebody@laptop", "tags": TAGS},
        ]
    },
    "iam_roles": {
        "iam_roles": [
            {
                "role_name": NAME,
                "arn": f"arn:aws:iam::000000000000:role/{NAME}",
                "assume_role_policy_document": {"Version": "2012-10-17", "Statement": []},
                "managed_policies": [],
                "tags": TAGS,
            }
        ]
    },
    "iam_policies": {"policies": [{"policy_name": "read-application-secret", "policy_document": {"Statement": ["s"]}}]},
    "instance_profiles": {"iam_instance_profiles": [{"roles": [{"role_name": NAME}], "tags": TAGS}]},
    "launch_templates": {"launch_templates": [TEMPLATE]},
    "instances": {"instances": [instance(1, Name=NAME, Role="app_host")]},
}


@pytest.fixture(scope="module")
def app_host(load_filters: Callable[[str], ModuleType]) -> ModuleType:
    """Return the filters of the role."""
    return load_filters("app_host")


def current(app_host: ModuleType, **gathered: dict[str, Any]) -> dict[str, Any]:
    """Return the current state, where all that is not given is as in EVERYTHING."""
    found: dict[str, Any] = app_host.app_host_current(EVERYTHING | gathered, INSTANCE_TAGS)
    return found


def test_nothing_is_empty(app_host: ModuleType) -> None:
    assert not any(app_host.app_host_current(NOTHING, INSTANCE_TAGS).values())
    assert set(app_host.app_host_outputs(NOTHING, INSTANCE_TAGS).values()) == {None}


def test_the_outputs_have_the_same_keys_whatever_exists(app_host: ModuleType) -> None:
    outputs = app_host.app_host_outputs(EVERYTHING, INSTANCE_TAGS)
    assert set(outputs) == set(app_host.app_host_outputs(NOTHING, INSTANCE_TAGS))
    assert outputs == {
        "instance_id": "i-1",
        "public_ip": "192.0.2.1",
        "private_ip": "10.0.0.1",
        "public_dns": "ec2-192-0-2-1.example.com",
        "image_id": "ami-1",
        "availability_zone": "eu-west-1a",
        "state": "running",
        "key_name": NAME,
        "role_arn": f"arn:aws:iam::000000000000:role/{NAME}",
        "launch_template_id": "lt-1",
    }


def test_the_comment_of_a_public_key_is_not_compared(app_host: ModuleType) -> None:
    assert current(app_host)["key_pair"] == {"id": "key-1", "public_key": KEY, "tags": TAGS}


def test_the_inline_policies_are_part_of_the_role(app_host: ModuleType) -> None:
    assert current(app_host)["iam_role"]["policies"] == {"read-application-secret": {"Statement": ["s"]}}


def test_the_latest_version_of_the_launch_template_counts(app_host: ModuleType) -> None:
    assert current(app_host)["launch_template"] == {
        "id": "lt-1",
        "image_id": "ami-1",
        "instance_type": "t4g.micro",
        "key_name": NAME,
        "iam_instance_profile": NAME,
        "block_device_mappings": [{"device_name": "/dev/xvda", "ebs": {"encrypted": True, "volume_size": 10}}],
        "network_interfaces": [{"device_index": 0, "groups": ["sg-1"], "subnet_id": "subnet-1"}],
        "metadata_options": {"http_tokens": "required"},
        "monitoring": {"enabled": False},
        "tag_specifications": [
            {"resource_type": "instance", "tags": INSTANCE_TAGS},
            {"resource_type": "volume", "tags": TAGS},
        ],
        "default_version": "latest",
        "tags": TAGS,
    }


def test_another_default_version_differs(app_host: ModuleType) -> None:
    templates = {"launch_templates": [TEMPLATE | {"default_version_number": 1}]}
    assert current(app_host, launch_templates=templates)["launch_template"]["default_version"] == "another"


def test_an_empty_launch_template_is_read(app_host: ModuleType) -> None:
    empty = TEMPLATE | {"versions": [{"version_number": 2, "launch_template_data": {}}]}
    found = current(app_host, launch_templates={"launch_templates": [empty]})["launch_template"]
    assert found["iam_instance_profile"] == ""
    assert found["block_device_mappings"] == [{"device_name": None, "ebs": {}}]
    assert found["monitoring"] == {"enabled": False}


def test_the_instance_in_the_fields_that_are_compared(app_host: ModuleType) -> None:
    assert current(app_host)["instance"] == {
        "id": "i-1",
        "state": "running",
        "iam_instance_profile": NAME,
        "security_groups": ["sg-1", "sg-2"],
        "metadata_options": {"http_tokens": "required"},
        "image_id": "ami-1",
        "instance_type": "t4g.micro",
        "key_name": NAME,
        "subnet": "subnet-1",
        "monitoring": "disabled",
        "tags": INSTANCE_TAGS,
    }


@pytest.mark.parametrize(
    ("state", "compared"), [("pending", "running"), ("stopping", "stopping"), ("stopped", "stopped")]
)
def test_an_instance_that_starts_counts_as_running(app_host: ModuleType, state: str, compared: str) -> None:
    instances = {"instances": [instance(1, state, Role="app_host")]}
    assert current(app_host, instances=instances)["instance"]["state"] == compared
    assert app_host.app_host_outputs(EVERYTHING | {"instances": instances}, INSTANCE_TAGS)["state"] == state


def test_one_of_the_two_tags_is_enough(app_host: ModuleType) -> None:
    by_role, by_name = instance(1, Role="app_host", Name="renamed"), instance(2, Name=NAME, Role="another")
    foreign = instance(3, Name="another", Role="another")
    found = current(app_host, instances={"instances": [foreign, by_role, by_name]})
    assert found["instance_ids"] == ["i-1", "i-2"]


def test_a_terminated_instance_is_gone(app_host: ModuleType) -> None:
    states = {1: "terminated", 2: "shutting-down", 3: "running"}
    instances = {"instances": [instance(number, state, Role="app_host") for number, state in states.items()]}
    found = current(app_host, instances=instances)
    assert (found["instance"]["id"], found["instance_ids"], found["terminating"]) == ("i-3", ["i-3"], ["i-2"])
    outputs = app_host.app_host_outputs(EVERYTHING | {"instances": instances}, INSTANCE_TAGS)
    assert outputs["instance_id"] == "i-3"


def test_what_is_not_reported_is_assumed(app_host: ModuleType) -> None:
    desired = {"public_key": KEY, "tags": TAGS}
    assert app_host.app_host_assumed({"id": "key-1", "tags": {}}, desired, ["tags"]) == {"id": "key-1", **desired}
    assert app_host.app_host_assumed({"id": "key-1", "tags": {}}, desired, []) == {"id": "key-1", **desired, "tags": {}}


def test_nothing_is_assumed_of_what_does_not_exist(app_host: ModuleType) -> None:
    assert app_host.app_host_assumed({}, {"tags": TAGS}, ["tags"]) == {}


def test_the_changes_that_need_another_instance(app_host: ModuleType) -> None:
    found = {"image_id": "ami-1", "instance_type": "t3.micro", "tags": {}}
    desired = {"image_id": "ami-2", "instance_type": "t3.micro", "tags": TAGS}
    changes = app_host.app_host_changes(["image_id", "instance_type", "subnet"], found, desired)
    assert changes == "image_id is ami-1 and should be ami-2"
