"""Filters: what is wrong with the variables of a stack, and how to fix what the first call to AWS reports."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

import yaml

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
ACCOUNT = re.compile(r"[0-9]{12}")
REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]")
NETWORK = re.compile(r"([0-9]{1,3}\.){3}[0-9]{1,3}/([1-9]|[12][0-9]|3[0-2])")
LONGEST_NAME = 31
"""Characters of project and environment together: AWS limits the names that are derived from them."""
LOGINS = ("password", "iam")


class RequiredFile(TypedDict):
    """A file on the controller, and how to fix that it does not exist."""

    path: str
    fix: str


class Inputs(TypedDict):
    """The variables of a stack, by the names of this role's options without ``preflight_``.

    Attributes:
        inventory: Folder of the inventory, relative to the project.
        dynamic_inventory: What its aws_ec2.yml contains.
        argument_errors: What validate_argument_spec found wrong with the roles' variables.
        variables: The names of all variables that are set.
        options: The options of the roles whose variables are checked, as ``preflight_options`` returns them.
    """

    project: str
    environment_name: str
    account_id: str
    region: str
    ssh_allowed_cidrs: Sequence[str]
    ssh_public_key_file: str
    database_login: str
    iam_refusal: str
    required_files: Sequence[RequiredFile]
    roles: Sequence[str]
    inventory: str
    dynamic_inventory: Mapping[str, Any]
    argument_errors: Sequence[str]
    variables: Iterable[str]
    options: Mapping[str, Mapping[str, Any]]


def preflight_options(roles: Sequence[str], folder: str) -> dict[str, dict[str, Any]]:
    """Return the options of the roles' entry point ``main``, none of them required: playbooks hand those over later.

    Args:
        roles: Names of roles.
        folder: The folder that they are in.
    """
    # Not from_yaml, which takes ten times as long for the same.
    files = (Path(folder, role, "meta", "argument_specs.yml").read_text() for role in roles)
    specs = (yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)) for text in files)  # noqa: S506 - both are safe
    return {
        name: {**option, "required": False}
        for spec in specs
        for name, option in spec["argument_specs"]["main"]["options"].items()
    }


def preflight_mistakes(inputs: Inputs) -> list[str]:
    """Return all that is wrong with the variables, each with the file or command that fixes it; empty if nothing is."""
    set_it = f"{inputs['inventory']}/group_vars/all/main.yml"
    checks = (_names, _account_and_region, _dynamic_inventory, _login, _files, _unknown_variables, _argument_errors)
    return [mistake for check in checks for mistake in check(inputs, set_it)]


def _names(inputs: Inputs, set_it: str) -> Iterator[str]:
    names = (str(inputs["project"]), str(inputs["environment_name"]))
    if not all(NAME.fullmatch(name) for name in names) or sum(map(len, names)) > LONGEST_NAME:
        yield (
            f"project ({names[0]}) and environment_name ({names[1]}) have to be lower case letters, digits and single "
            f"hyphens, start with a letter, and be at most {LONGEST_NAME} characters together: resource names are "
            f"derived from them. Set them in {set_it}."
        )


def _account_and_region(inputs: Inputs, set_it: str) -> Iterator[str]:
    if not ACCOUNT.fullmatch(str(inputs["account_id"])):
        yield (
            f"aws_account_id ('{inputs['account_id']}') has to be the 12 digits, in quotes, of the only account that "
            f"this environment may be created in. `aws sts get-caller-identity` prints yours. Set it in {set_it}."
        )
    if not REGION.fullmatch(str(inputs["region"])):
        yield (f"aws_region ({inputs['region']}) does not look like a region such as eu-west-1. Set it in {set_it}.")


def _dynamic_inventory(inputs: Inputs, set_it: str) -> Iterator[str]:
    found, filters = inputs["dynamic_inventory"], inputs["dynamic_inventory"].get("filters") or {}
    if (found.get("regions"), filters.get("tag:Project"), filters.get("tag:Environment")) != (
        [inputs["region"]],
        inputs["project"],
        inputs["environment_name"],
    ):
        yield (
            f"{inputs['inventory']}/aws_ec2.yml has to name region {inputs['region']}, tag:Project {inputs['project']} "
            f"and tag:Environment {inputs['environment_name']}, as {set_it} does: otherwise it does not find the app "
            "host."
        )


def _login(inputs: Inputs, set_it: str) -> Iterator[str]:
    for network in inputs["ssh_allowed_cidrs"]:
        if not NETWORK.fullmatch(str(network)):
            yield (
                f"ssh_allowed_cidrs holds '{network}'. Each entry is an IPv4 network such as 203.0.113.7/32, and never "
                f"the whole internet. Set it in {set_it}."
            )
    if inputs["database_login"] not in LOGINS:
        yield (
            f"stack_database_login ({inputs['database_login']}) has to be {' or '.join(LOGINS)}. Set it in {set_it}."
        )
    if inputs["database_login"] == "iam" and inputs["iam_refusal"]:
        yield (
            f"stack_database_login cannot be iam here: {inputs['iam_refusal']}. Fix that, or set it to password, in "
            f"{set_it}."
        )


def _files(inputs: Inputs, set_it: str) -> Iterator[str]:
    missing = [file for file in inputs["required_files"] if not Path(file["path"]).expanduser().exists()]
    for file in missing:
        yield f"{file['path']} does not exist. {file['fix']}"
    key = inputs["ssh_public_key_file"]
    # What creates the missing file may create the key, too.
    if not missing and not Path(key).expanduser().exists():
        yield (
            f"The public key {key}, with which you log in to the app host, does not exist. Create one with "
            f"`ssh-keygen -t ed25519`, or set ssh_public_key_file in {set_it}."
        )


def _unknown_variables(inputs: Inputs, set_it: str) -> Iterator[str]:
    for role in inputs["roles"]:
        own = (name for name in inputs["variables"] if name.startswith(f"{role}_") and name != f"{role}_outputs")
        unknown = sorted(name for name in own if name not in inputs["options"])
        if unknown:
            yield (
                f"The role {role} has no variable {', '.join(unknown)}. Its variables are in roles/{role}/README.md; "
                f"correct the name in {set_it} or on the command line."
            )


def _argument_errors(inputs: Inputs, set_it: str) -> Iterator[str]:
    errors = inputs["argument_errors"]
    if errors:
        readmes = [f"roles/{role}/README.md" for role in inputs["roles"] if any(f"{role}_" in one for one in errors)]
        yield f"{'; '.join(errors)}. The type of each variable is in {', '.join(readmes)}. Set it in {set_it}."


def preflight_fix(error: str, causes: Sequence[Mapping[str, str]]) -> str:
    """Return the fix of the first cause that an error matches.

    Args:
        error: The error message.
        causes: Each with C(match), a regular expression, and C(fix), a sentence.
    """
    fixes = (cause["fix"] for cause in causes if re.search(cause["match"], error))
    return next(fixes, "AWS refused the first call.")


class FilterModule:
    """The filters of this file, as Ansible wants them."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {
            "preflight_fix": preflight_fix,
            "preflight_mistakes": preflight_mistakes,
            "preflight_options": preflight_options,
        }
