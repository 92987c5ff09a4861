#!/usr/bin/env python3
"""Write the tables in the roles' READMEs from their meta/argument_specs.yml.

    tools/role_readmes.py            # write all of them
    tools/role_readmes.py bucket     # write one
    tools/role_readmes.py --check    # write nothing, fail where one is not up to date

A table of arguments stands between the lines <!-- arguments --> and <!-- /arguments -->. A table of
outputs follows it where the entry point's description has items of the form
"C(role_outputs.key): What it is." in its list.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROLES = Path(__file__).resolve().parent.parent / "roles"
BEGIN, END = "<!-- arguments -->", "<!-- /arguments -->"
LONGEST_DEFAULT = 60
_MARKUP = re.compile(r"\b(?:C|V|O|RV|E)\(([^)]*)\)")
_OUTPUT = re.compile(r"C\((\w+_outputs(?:\.\w+)+)\):\s*(.+)", re.DOTALL)


class ReadmeError(Exception):
    """A role's files cannot be written as tables; the message names the file and the reason."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table of arguments."""

    name: str
    type: str
    default: str
    meaning: str


def texts(description: str | Sequence[str] | None) -> list[str]:
    """Return a description, which YAML may give as one text or a list of them, as a list."""
    if description is None:
        return []
    return [description] if isinstance(description, str) else list(description)


def markdown(text: str) -> str:
    """Return a text with Ansible's markup as the content of a Markdown table's cell."""
    return _MARKUP.sub(r"`\1`", " ".join(text.split())).replace("|", "\\|")


def code(value: object) -> str:
    """Return a value as YAML would write it on one line, as code in a Markdown table's cell."""
    written = value if isinstance(value, str) and value else _yaml(value)
    return f"`{' '.join(written.split())}`".replace("|", "\\|")


def _yaml(value: object) -> str:
    return yaml.safe_dump(value, default_flow_style=True, width=10_000).removesuffix("\n").removesuffix("\n...")


def rows(options: Mapping[str, Mapping[str, Any]], defaults: Mapping[str, Any], prefix: str = "") -> Iterator[Row]:
    """Yield the rows of the options, each followed by its suboptions as ``option[].suboption``.

    Args:
        options: The options of an entry point, or the suboptions of an option.
        defaults: The role's defaults/main.yml; its values take precedence over the option's.
        prefix: What goes before the names, for suboptions.
    """
    for name, option in options.items():
        kind = option.get("type", "str")
        if "elements" in option:
            kind = f"{kind} of {option['elements']}"
        found = defaults.get(name, option.get("default")) if not prefix else option.get("default")
        has_default = "default" in option or (not prefix and name in defaults)
        if option.get("required"):
            default = "required"
        elif not has_default or found is None:
            default = "–"
        else:
            default = code(found)
            if len(default) > LONGEST_DEFAULT:
                default = "see [defaults](defaults/main.yml)"
        meaning = " ".join(texts(option.get("description")))
        if option.get("choices"):
            meaning = f"{meaning} One of {', '.join(f'C({choice})' for choice in option['choices'])}."
        yield Row(f"`{prefix}{name}`", kind, default, markdown(meaning))
        if option.get("options"):
            brackets = "[]" if option.get("type") == "list" else ""
            yield from rows(option["options"], {}, f"{prefix}{name}{brackets}.")


def tables(specs: Mapping[str, Mapping[str, Any]], defaults: Mapping[str, Any]) -> str:
    """Return the tables of all entry points of a role.

    Args:
        specs: What meta/argument_specs.yml has under ``argument_specs``.
        defaults: What defaults/main.yml has.
    """
    parts = []
    for entry_point, spec in specs.items():
        if entry_point != "main":
            parts.append(f"### tasks_from: {entry_point}")
            parts.extend(markdown(text) for text in texts(spec.get("description")) if not _OUTPUT.fullmatch(text))
        arguments = list(rows(spec.get("options") or {}, defaults))
        if arguments:
            lines = [f"| {row.name} | {row.type} | {row.default} | {row.meaning} |" for row in arguments]
            parts.append("\n".join(["| Argument | Type | Default | Meaning |", "|---|---|---|---|", *lines]))
        else:
            parts.append("No arguments.")
        outputs = [found for text in texts(spec.get("description")) if (found := _OUTPUT.fullmatch(text))]
        if outputs:
            lines = [f"| `{name}` | {markdown(meaning)} |" for name, meaning in (found.groups() for found in outputs)]
            parts.append("\n".join(["| Output | Meaning |", "|---|---|", *lines]))
    return "\n\n".join(parts)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ReadmeError(f"{path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise ReadmeError(f"{path}: no YAML: {error}") from error
    if not isinstance(content or {}, dict):
        raise ReadmeError(f"{path}: has to be a mapping.")
    return content or {}


def readme(role: Path) -> str:
    """Return the role's README as generated.

    Args:
        role: The role's folder.

    Raises:
        ReadmeError: a file is missing or unreadable, or the README has no place for the tables.
    """
    specs = _read(role / "meta" / "argument_specs.yml").get("argument_specs")
    if not isinstance(specs, dict):
        raise ReadmeError(f"{role / 'meta' / 'argument_specs.yml'}: has no mapping 'argument_specs'.")
    defaults_file = role / "defaults" / "main.yml"
    defaults = _read(defaults_file) if defaults_file.exists() else {}
    path = role / "README.md"
    if not path.exists():
        raise ReadmeError(f"{path}: missing.")
    text = path.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise ReadmeError(f"{path}: needs the line {BEGIN} and, below it, the line {END}, once each.")
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}\n\n{tables(specs, defaults)}\n\n{END}{after}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the READMEs that the command line names.

    Args:
        arguments: The words after the command's name; those of the process when None.

    Returns:
        The exit code: 0, or 1 when a role's files are wrong or, with --check, a README is not up to date.

    Raises:
        SystemExit: the arguments are wrong (code 2), or help was asked for.
    """
    parser = argparse.ArgumentParser(description="Write the tables in the roles' READMEs.")
    parser.add_argument("--check", action="store_true", help="write nothing, fail where one is not up to date")
    parser.add_argument("--roles", type=Path, default=ROLES, help="folder of the roles (default: %(default)s)")
    parser.add_argument("role", nargs="*", help="names of roles (default: all)")
    options = parser.parse_args(arguments)
    names = options.role or sorted(path.name for path in options.roles.iterdir() if (path / "meta").is_dir())
    failed = False
    for name in names:
        path = options.roles / name / "README.md"
        try:
            wanted = readme(options.roles / name)
        except ReadmeError as error:
            print(error, file=sys.stderr)
            failed = True
            continue
        if path.read_text(encoding="utf-8") == wanted:
            continue
        if options.check:
            print(f"{path}: not up to date. Run: tools/role_readmes.py {name}", file=sys.stderr)
            failed = True
        else:
            path.write_text(wanted, encoding="utf-8")
            print(f"{path}: written")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
