"""What dev and stage ask AWS for exists there: instance types and classes, engine version, runtime and architecture."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import yaml
from repository import PROJECT, defaults_of, load, roles
from strict import values

REGIONS = ("eu-west-1", "eu-central-1", "us-east-1")
EXISTING: dict[str, Callable[[str], frozenset[str]]] = {
    "app_host_instance_type": values.instance_types,
    "database_engine_version": lambda _: values.engine_versions(),
    "database_instance_class": values.instance_classes,
    "importer_architecture": values.architectures,
    "importer_runtime": values.runtimes,
}


def settings(inventory: str) -> dict[str, Any]:
    """Return the variables of an inventory, with the roles' defaults."""
    merged: dict[str, Any] = {}
    for role in roles(PROJECT):
        merged |= defaults_of(role)
    for path in sorted((PROJECT / "group_vars/all").glob("*.yml")):
        merged |= load(path) or {}
    return merged | (load(PROJECT / "inventories" / inventory / "group_vars/all/main.yml") or {})


def missing(variables: Mapping[str, Any], region: str) -> list[str]:
    """Return what does not exist in a region, each as a sentence."""
    return [
        f"{name} is {variables[name]}, which AWS does not have in {region}."
        for name, existing in EXISTING.items()
        if variables[name] not in existing(region)
    ]


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("inventory", ["dev", "stage"])
def test_what_is_asked_for_exists(inventory: str, region: str) -> None:
    assert missing(settings(inventory), region) == []


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("app_host_instance_type", "t4g.tiny"),
        ("database_engine_version", "8.1"),
        # YAML reads it as a number where the quotation marks are forgotten.
        ("database_engine_version", 8.0),
        # Of MySQL, and not of Aurora.
        ("database_instance_class", "db.t4g.micro"),
        ("importer_architecture", "aarch64"),
        # New functions can no longer have it.
        ("importer_runtime", "python3.7"),
    ],
)
def test_what_does_not_exist_is_named(name: str, wrong: object, region: str) -> None:
    sentence = f"{name} is {wrong}, which AWS does not have in {region}."
    assert missing(settings("dev") | {name: wrong}, region) == [sentence]


def test_a_default_that_group_vars_repeat_is_that_of_the_role() -> None:
    """Where the inventory does not say, the variables of all environments see no default of a role."""
    of_roles: dict[str, Any] = {}
    for role in roles(PROJECT):
        of_roles |= defaults_of(role)
    text = "".join(path.read_text() for path in sorted((PROJECT / "group_vars/all").glob("*.yml")))
    repeated = re.findall(r"\b(\w+) \| default\(([^(){}]*)\)", text)
    found = {name: yaml.safe_load(value) for name, value in repeated if name in of_roles}
    assert {"database_instance_class", "importer_memory_size", "importer_concurrency"} <= found.keys()
    assert found == {name: of_roles[name] for name in found}
