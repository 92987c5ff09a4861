"""Rules about values that exist on AWS, each in some regions, and that the emulator does not know."""

from __future__ import annotations

import functools
import importlib.util
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from strict.calls import Call, Refusal
from strict.rule import Rule

ENGINE = "aurora-mysql"


@functools.cache
def _data(name: str) -> Any:
    """Return a file of the data that cfn-lint carries, which is read without cfn-lint itself.

    Raises:
        FileNotFoundError: cfn-lint, which requirements.txt names, is not installed, or has the file elsewhere.
    """
    found = importlib.util.find_spec("cfnlint")
    places = list(found.submodule_search_locations or []) if found else []
    path = Path(*places[:1], "data", name)
    return json.loads(path.read_text(encoding="utf-8"))


def _of_engine(node: Any, member: str) -> frozenset[str]:
    """Return the values of a member, of all conditions of a schema that are of the engine."""
    values: set[str] = set()
    for one in node["allOf"]:
        if one["if"]["properties"]["Engine"].get("const") == ENGINE:
            values.update(one["then"]["properties"][member]["enum"])
    return frozenset(values)


@functools.cache
def instance_types(region: str) -> frozenset[str]:
    """Return the types of instances of EC2 in a region."""
    return frozenset(_data("schemas/extensions/aws_ec2_instance/instancetype_enum.json")[region]["enum"])


@functools.cache
def instance_classes(region: str) -> frozenset[str]:
    """Return the classes of instances of Aurora MySQL in a region."""
    classes = _data("schemas/extensions/aws_rds_dbinstance/dbinstanceclass_enum.json")
    return _of_engine(classes[region], "DBInstanceClass")


@functools.cache
def engine_versions() -> frozenset[str]:
    """Return the versions of Aurora MySQL, which are the same in all regions."""
    return _of_engine(_data("schemas/extensions/aws_rds_dbcluster/engine_version.json"), "EngineVersion")


@functools.cache
def _function_schema(region: str) -> Any:
    file = _data(f"schemas/providers/{region}.json")["AWS::Lambda::Function"]
    return _data(f"schemas/resources/{file}.json")["properties"]


@functools.cache
def runtimes(region: str) -> frozenset[str]:
    """Return the runtimes of Lambda in a region, without those that new functions may no longer have."""
    today = datetime.now(UTC).date().isoformat()
    lifecycle = _data("AdditionalSpecs/LmbdRuntimeLifecycle.json")
    ended = {name for name, dates in lifecycle.items() if dates["create-block"] and dates["create-block"] <= today}
    return frozenset(_function_schema(region)["Runtime"]["enum"]) - ended


@functools.cache
def architectures(region: str) -> frozenset[str]:
    """Return the architectures of Lambda in a region."""
    return frozenset(_function_schema(region)["Architectures"]["items"]["enum"])


class ValuesExistInTheRegion(Rule):
    """Instance types and classes, engine versions, runtimes and architectures have to exist in the region."""

    source = "https://github.com/aws-cloudformation/cfn-lint/tree/main/src/cfnlint/data"
    follows_operations = frozenset({"ec2:CreateLaunchTemplate", "ec2:CreateLaunchTemplateVersion"})

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Know of no launch template."""
        super().__init__(*arguments, **named)
        self.templates: dict[str, str] = {}
        """The instance type of each launch template, by its id and its name."""

    def refuse(self, call: Call) -> Refusal | None:
        """Refuse a value that does not exist there."""
        given = call.parameters
        match call.name:
            case "ec2:RunInstances" | "ec2:ModifyInstanceAttribute":
                return self._refused_type(call)
            case "rds:CreateDBInstance" | "rds:ModifyDBInstance":
                wanted = given.get("DBInstanceClass")
                if wanted and wanted not in instance_classes(call.region):
                    return Refusal("InvalidParameterValue", f"Invalid DB Instance class: {wanted}")
            case "rds:CreateDBCluster" | "rds:ModifyDBCluster":
                wanted = given.get("EngineVersion")
                if wanted and wanted not in engine_versions():
                    return Refusal("InvalidParameterCombination", f"Cannot find version {wanted} for {ENGINE}")
            case "lambda:CreateFunction" | "lambda:UpdateFunctionCode" | "lambda:UpdateFunctionConfiguration":
                wrong = {given["Runtime"]} - runtimes(call.region) if given.get("Runtime") else set()
                wrong |= set(given.get("Architectures") or ()) - architectures(call.region)
                if wrong:
                    message = f"Value {min(wrong)} failed to satisfy constraint: Member must satisfy enum value set"
                    return Refusal("InvalidParameterValueException", message)
        return None

    def _refused_type(self, call: Call) -> Refusal | None:
        named = [one["Value"] if isinstance(one, dict) else one for one in call.values("InstanceType")]
        if not named:
            keys = call.values("LaunchTemplateId", "LaunchTemplateName")
            named = [self.templates[key] for key in keys if self.templates.get(key)]
        wrong = sorted(set(named) - instance_types(call.region))
        if not wrong:
            return None
        return Refusal("InvalidParameterValue", f"Invalid value '{wrong[0]}' for InstanceType.")

    def follow(self, call: Call, content: dict[str, Any]) -> None:
        """Remember which type a launch template has: AWS does not look at it before an instance is launched."""
        template = content.get("LaunchTemplate") or content.get("LaunchTemplateVersion") or {}
        kind = (call.parameters.get("LaunchTemplateData") or {}).get("InstanceType")
        for key in ("LaunchTemplateId", "LaunchTemplateName"):
            if template.get(key) and kind:
                self.templates[template[key]] = kind


RULES = (ValuesExistInTheRegion,)
