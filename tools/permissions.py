#!/usr/bin/env python3
"""Write the tables of what the documents in files/policies allow, and the record of the calls that need it.

    tools/permissions.py                          # write the tables into docs/permissions.md
    tools/permissions.py --check                  # write nothing, fail where a table is not up to date
    tools/permissions.py --record NAME=FILE …     # tests/policies/calls.json from a local cloud's authorizations.jsonl

There are two tables: one row for each document, between the lines <!-- documents --> and <!-- /documents -->, and one
row for each statement, between <!-- statements --> and <!-- /statements -->. NAME is the playbook that the calls of
FILE belong to; docs/permissions.md says how to record them.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
POLICIES = ROOT / "files/policies"
CALLS = ROOT / "tests/policies/calls.json"
PAGE = ROOT / "docs/permissions.md"
# How the tables show a variable.
WORDS = {
    "stack_alarms_topic_arn": "ALARMS-TOPIC",
    "stack_boundary_arn": "BOUNDARY",
    "stack_events_topic_arn": "EVENTS-TOPIC",
    "stack_name": "STACK",
    "bucket_name": "BUCKET",
    "database_outputs.cluster_resource_id": "CLUSTER-ID",
    "database_outputs.importer_username": "importer",
    "database_outputs.application_username": "application",
}
# How the tables show a condition, whatever its value.
CONDITIONS = {
    "aws:TagKeys": "of the tags Project and Environment",
    "ec2:AssociatePublicIpAddress": "that are created with a public address",
    "ec2:CreateAction": "when they are created",
    "ec2:Public": "that are public",
    "iam:PermissionsBoundary": "with the permissions boundary",
    "lambda:SourceFunctionArn": "called from the function's code",
}

Statement = dict[str, Any]


def names() -> list[str]:
    """Return the names of all documents."""
    return sorted(path.stem for path in POLICIES.glob("*.json"))


def document(name: str, variables: Mapping[str, str] | None = None) -> list[Statement]:
    """Return the statements of a document.

    Args:
        name: Name of the document, without `.json`.
        variables: The values of its variables; without them the variables stay as they are.

    Raises:
        OSError: There is no such document.
        ValueError: It is not JSON.
    """
    text = (POLICIES / f"{name}.json").read_text(encoding="utf-8")
    for variable, value in (variables or {}).items():
        text = text.replace("{{ " + variable + " }}", value)
    statements: list[Statement] = json.loads(text)["Statement"]
    return statements


def listed(value: str | list[str]) -> list[str]:
    """Return a value as a list; policies may have one string in place of a list."""
    return [value] if isinstance(value, str) else value


def short(resource: str) -> str:
    """Return the ARN of a resource without partition, region and account."""
    parts = resource.split(":", 5)
    text = f"{parts[2]}: {parts[5]}" if len(parts) == 6 else resource
    for variable, word in WORDS.items():
        text = text.replace("{{ " + variable + " }}", word)
    return text


def restriction(condition: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a condition as a few words."""
    words = []
    for operator, keys in condition.items():
        for key, value in keys.items():
            if operator == "Null":
                words += ["that carry no tags"] if key == "aws:ResourceTag/Project" else []
            elif operator == "ForAllValues:StringEquals":
                words.append("of all tags")
            elif operator == "StringNotEquals":
                words.append(f"of another {key.rpartition('/')[2]}")
            elif key == "aws:ResourceTag/Project":
                words.append("that carry the stack's tags")
            elif key == "aws:RequestTag/Project":
                words.append("given the stack's tags")
            elif not key.endswith("/Environment"):
                words.append(CONDITIONS.get(key) or f"for {', '.join(listed(value))}")
    return " ".join(dict.fromkeys(words))


def rows() -> Iterator[str]:
    """Yield the rows of the table, one for each statement."""
    yield "| document | statement | actions | on |"
    yield "| --- | --- | --- | --- |"
    for name in names():
        for statement in document(name):
            split = [action.partition(":") for action in listed(statement["Action"])]
            grouped = "; ".join(
                f"`{service}:` " + ", ".join(name for prefix, _, name in split if prefix == service)
                for service in sorted({prefix for prefix, _, _ in split})
            )
            resources = ", ".join(dict.fromkeys(f"`{short(one)}`" for one in listed(statement["Resource"])))
            limit = restriction(statement.get("Condition", {}))
            effect = "" if statement["Effect"] == "Allow" else "denied: "
            yield f"| `{name}` | {statement['Sid']} | {effect}{grouped} | {resources}{' ' + limit if limit else ''} |"


def summary() -> Iterator[str]:
    """Yield the rows of the short table, one for each document."""
    yield "| document | actions | services | only on `*` |"
    yield "| --- | --- | --- | --- |"
    for name in names():
        statements = [statement for statement in document(name) if statement["Effect"] == "Allow"]
        actions = {action for statement in statements for action in listed(statement["Action"])}
        everywhere = {action for one in statements if one["Resource"] == "*" for action in listed(one["Action"])}
        services = sorted({action.split(":")[0] for action in actions})
        yield f"| `{name}` | {len(actions)} | {', '.join(services)} | {len(everywhere)} |"


def written(text: str) -> str:
    """Return the page with its tables up to date.

    Raises:
        ValueError: The page has no place for a table.
    """
    for marker, lines in (("documents", summary()), ("statements", rows())):
        begin, end = f"<!-- {marker} -->", f"<!-- /{marker} -->"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise ValueError(f"{PAGE}: needs the line {begin} and, below it, the line {end}.")
        text = f"{before}{begin}\n\n" + "\n".join(lines) + f"\n\n{end}{after}"
    return text


def tables(*, check: bool) -> list[Path]:
    """Write the tables; return the files whose tables were not up to date."""
    text = PAGE.read_text(encoding="utf-8")
    wanted = written(text)
    if wanted == text:
        return []
    if not check:
        PAGE.write_text(wanted, encoding="utf-8")
    return [PAGE]


def general(value: Any, variables: Mapping[str, str]) -> Any:
    """Return a recorded value without what differs between two local clouds."""
    if isinstance(value, Mapping):
        return {key: general(one, variables) for key, one in value.items() if one is not None}
    if isinstance(value, list):
        return [general(one, variables) for one in value]
    text = re.sub(
        r"^arn:aws:iam::[0-9]+:policy/[a-z0-9-]+-boundary(-[0-9a-f]{8})?$",
        "{{ stack_permissions_boundary }}",
        str(value),
    )
    for variable, meant in sorted(variables.items(), key=lambda item: -len(item[1])):
        text = text.replace(meant, "{{ " + variable + " }}")
    text = re.sub(r"/([a-z]+)-[0-9a-f]{8,17}$", r"/\1-0123456789abcdef0", text)
    text = re.sub(r"(:secret:.+)-[A-Za-z0-9]{6}$", r"\1-AbCdEf", text)
    return re.sub(r"(\{\{ bucket_name \}\}/).+", r"\1file.csv", text)


def recorded(named: Sequence[str]) -> list[dict[str, Any]]:
    """Return the distinct calls in a local cloud's records, each with the playbooks that made it."""
    calls: dict[str, dict[str, Any]] = {}
    for pair in named:
        playbook, _, file = pair.partition("=")
        for line in Path(file).read_text(encoding="utf-8").splitlines():
            call = json.loads(line)
            account = call["principal"].split(":")[4]
            variables = {
                "aws_region": "eu-west-1",
                "aws_account_id": account,
                "bucket_name": f"csv-to-aurora-local-{account}",
                "stack_name": "csv-to-aurora-local",
            }
            resource = general(call["resource"], variables)
            context = {
                ("aws:" + key[4:5].upper() + key[5:] if key.startswith("aws:") else key): value
                for key, value in general(call["context"], variables).items()
                if "tag" not in key.lower() or key.lower().endswith(("/project", "/environment"))
            }
            who = re.split(r"[:/]", call["principal"])[6]
            entry = {"who": general(who, variables), "action": call["action"], "resource": resource, "context": context}
            made = calls.setdefault(json.dumps(entry, sort_keys=True), {**entry, "playbooks": []})
            made["playbooks"] = sorted({*made["playbooks"], playbook})
    return [calls[key] for key in sorted(calls, key=lambda key: (calls[key]["who"], calls[key]["action"], key))]


def main(arguments: Sequence[str]) -> int:
    """Run the command line; 1 where a check failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--record", nargs="+", metavar="NAME=FILE")
    options = parser.parse_args(arguments)
    if options.record:
        lines = ",\n".join(json.dumps(call) for call in recorded(options.record))
        CALLS.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
        return 0
    stale = tables(check=options.check)
    for path in stale:
        print(f"{path}: {'not up to date; run tools/permissions.py' if options.check else 'written'}")
    return 1 if stale and options.check else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
