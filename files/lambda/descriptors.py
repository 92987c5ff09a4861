#!/usr/bin/env python3
"""Reads and checks descriptors of datasets: YAML files in the form of the Data Package standard, version 2.

    descriptors.py [--describe] FILE …

Prints one line for each error, with file, line and property, and exits with 1 if there are any. A descriptor is checked
against the standard's own JSON Schema, the one for our custom properties, what the importer supports, and what a table
of MySQL can hold; all of them together, against taking the same objects. --describe prints what follows from them as
JSON, a list of mappings: file, name, table, key_prefix, mode, import_id, keys, in columns the names of the fields, in
expected_every the seconds after which a file is overdue, or null, and in definition the table for the role schema.
"""

import argparse
import copy
import json
import re
import sys
from collections.abc import Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import yaml
from tables import definition_of, located

from csv_importer.datasets import Dataset, Datasets, DescriptorError, Place, spelled
from csv_importer.errors import ConfigurationError

SCHEMAS = Path(__file__).resolve().parents[1] / "datapackage"
PROFILE = SCHEMAS / "dataresource.json"
CUSTOM = SCHEMAS / "custom.json"

type Descriptor = dict[str, Any]


class DescriptorInvalid(Exception):
    """A descriptor cannot be used; the message has a line for each error."""


class _Loader(yaml.SafeLoader):
    """YAML with the values of JSON only: neither dates nor yes and no."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - as its base has it

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - the base's signature
        """Construct a mapping whose names are texts, each once."""
        names = set()
        for key, _ in node.value:
            name = self.construct_object(key)
            if not isinstance(name, str) or name in names:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{name!r} is given twice, or is no text", key.start_mark
                )
            names.add(name)
        return super().construct_mapping(node, deep)


for _tag, _form, _first in (
    ("bool", "true|false", "tf"),
    ("int", "-?(?:0|[1-9][0-9]*)", "-0123456789"),
    ("float", r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?", "-0123456789"),
    ("null", "null|~|", ["n", "~", ""]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_form})\\Z"), list(_first))


def load(path: Path) -> Descriptor:
    """Read a descriptor and check it.

    Args:
        path: The YAML file.

    Returns:
        The descriptor, of what JSON can hold.

    Raises:
        DescriptorInvalid: It cannot be used.
    """
    return _read(path)[0]


def _read(path: Path) -> tuple[Descriptor, yaml.Node | None]:
    """Read a descriptor and check it; return it, and the YAML that it comes from."""
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, _Loader)
        # The loader is a safe one.
        descriptor = yaml.load(text, _Loader)  # noqa: S506
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise DescriptorInvalid(f"{path}:{line}: {error.problem}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DescriptorInvalid(f"{path}: it cannot be read: {error}") from None
    if not isinstance(descriptor, dict):
        raise DescriptorInvalid(f"{path}:1: it has to be a mapping")
    found = dict(_errors(descriptor))
    if found:
        raise DescriptorInvalid(
            "\n".join(f"{path}:{_line(node, place)}: {spelled(place)}: {message}" for place, message in found.items())
        )
    return descriptor, node


def load_all(paths: Sequence[Path]) -> list[Descriptor]:
    """Read the descriptors of an environment and check them, each by itself and all together.

    Args:
        paths: The YAML files.

    Returns:
        The descriptors, of what JSON can hold.

    Raises:
        DescriptorInvalid: They cannot be used.
    """
    return [descriptor for _, descriptor, _ in _read_all(paths)]


def describe(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Return what follows from descriptors.

    Args:
        paths: The YAML files.

    Returns:
        For each of them file, name, table, key_prefix, mode, import_id, keys, columns, expected_every in seconds and
        definition, as for JSON.

    Raises:
        DescriptorInvalid: They cannot be used.
    """
    described = []
    for path, descriptor, node in _read_all(paths):
        dataset = Dataset.of(descriptor)
        name = f"{path.parent.name}/{path.name}"
        lines = [_line(node, ("schema", "fields", index)) for index in range(len(dataset.columns))]
        described.append(
            {
                "file": str(path),
                "name": dataset.name,
                "table": dataset.table,
                "key_prefix": dataset.key_prefix,
                "mode": dataset.mode.value,
                "import_id": dataset.import_id,
                "keys": dataset.keys,
                "columns": [column.name for column in dataset.columns],
                "expected_every": dataset.expected_every and int(dataset.expected_every.total_seconds()),
                "definition": located(definition_of(dataset), name, lines),
            }
        )
    return described


def _read_all(paths: Sequence[Path]) -> list[tuple[Path, Descriptor, yaml.Node | None]]:
    """Read descriptors and check them; return them with the YAML that they come from."""
    read: list[tuple[Path, Descriptor, yaml.Node | None]] = []
    errors: list[str] = []
    for path in paths:
        try:
            read.append((path, *_read(path)))
        except DescriptorInvalid as error:
            errors.append(str(error))
    if errors:
        raise DescriptorInvalid("\n".join(errors))
    try:
        Datasets(tuple(Dataset.of(descriptor) for _, descriptor, _ in read))
    except ConfigurationError as error:
        raise DescriptorInvalid(f"{', '.join(map(str, paths))}: {error}") from None
    return read


def _errors(descriptor: Descriptor) -> Iterator[tuple[Place, str]]:
    """Find the errors, each place once: what the importer itself says comes last and is more precise."""
    yield from _violations(json.loads(PROFILE.read_text(encoding="utf-8")), descriptor)
    custom = json.loads(CUSTOM.read_text(encoding="utf-8"))
    for error in jsonschema.Draft7Validator(custom).iter_errors(descriptor):
        yield tuple(error.absolute_path), error.message
    try:
        definition_of(Dataset.of(descriptor))
    except DescriptorError as error:
        yield error.path, error.message


def _violations(profile: Mapping[str, Any], descriptor: Descriptor) -> Iterator[tuple[Place, str]]:
    """Check a descriptor against the standard's JSON Schema.

    Where that contradicts the text of the standard, the text is right: fieldsMatch is a string, and there is a type
    `list`. Each field is checked against the branch of its type alone, so that an error is about what is wrong with it.
    """
    checked = copy.deepcopy(descriptor)
    schema = checked.get("schema")
    fields: Sequence[object] = ()
    if isinstance(schema, dict):
        if isinstance(schema.get("fieldsMatch"), str):
            schema["fieldsMatch"] = [schema["fieldsMatch"]]
        if isinstance(schema.get("fields"), list) and schema["fields"]:
            fields, schema["fields"] = schema["fields"], [{"name": "any", "type": "any"}]
    for error in jsonschema.Draft7Validator(profile).iter_errors(checked):
        yield tuple(error.absolute_path), _allowed(error)
    branches = _branches(profile)
    for index, field in enumerate(fields):
        branch = branches.get(str(field.get("type", "any"))) if isinstance(field, dict) else None
        if branch:
            for error in jsonschema.Draft7Validator(branch).iter_errors(field):
                yield ("schema", "fields", index, *error.absolute_path), _allowed(error)


def _branches(profile: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    items = profile["properties"]["schema"]["properties"]["fields"]["items"]
    branches = next(items[name] for name in ("oneOf", "anyOf") if name in items)
    return {name: branch for branch in branches for name in branch["properties"]["type"]["enum"]}


def _allowed(error: jsonschema.ValidationError) -> str:
    if error.validator in ("oneOf", "anyOf") and all(set(one) == {"required"} for one in error.validator_value):
        return f"one of these is required: {' or '.join(', '.join(one['required']) for one in error.validator_value)}"
    return str(error.message)


def _line(node: yaml.Node | None, place: Place) -> int:
    """Find the line of a property, or of the nearest one that there is."""
    line = 1
    for part in place:
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == part), None)
            if found is None:
                break
            key, node = found
            line = key.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line


def main(arguments: Sequence[str]) -> int:
    """Check the files; return the exit code."""
    parser = argparse.ArgumentParser(description="Check descriptors of datasets.")
    parser.add_argument("--describe", action="store_true", help="print what follows from them, as JSON")
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="a descriptor, YAML")
    options = parser.parse_args(arguments)
    try:
        described = describe(options.files)
    except DescriptorInvalid as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if options.describe:
        sys.stdout.write(json.dumps(described) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
