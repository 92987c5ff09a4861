"""Filters: what is wrong with the variables of a stack, and how to fix what the first call to AWS reports."""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypedDict

import yaml
from ansible_collections.amazon.aws.plugins.module_utils.policy import compare_policies
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from packaging.version import Version

from ansible_collections.csv_to_aurora.aws.plugins.filter.notify import notify_mistakes
from ansible_collections.csv_to_aurora.aws.plugins.filter.proxy import proxy_refusal
from ansible_collections.csv_to_aurora.aws.plugins.plugin_utils.aws_profile import mfa_profile
from ansible_collections.csv_to_aurora.importer.plugins.plugin_utils.connection_limit import ConnectionLimit

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
ACCOUNT = re.compile(r"[0-9]{12}")
REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]")
NETWORK = re.compile(r"([0-9]{1,3}\.){3}[0-9]{1,3}/([1-9]|[12][0-9]|3[0-2])")
POLICY = re.compile(r"arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy(/|/[\w+=,.@/-]*/)([\w+=,.@-]+)")
"""The ARN of a managed policy: its account or AWS, its path and its name."""
DRIVER = "1.2"
"""The first version of PyMySQL that refuses a server without TLS."""
LONGEST_NAME = 31
"""Characters of project and environment together: AWS limits the names that are derived from them."""
LOGINS = ("password", "iam")
HASH = re.compile(r"\$(5|6|y|2[aby])\$.+")
"""What nginx takes as a password of its users."""
LEDGER_DAYS = 15
"""Days for which an import stays in the ledger at least, as the function has it: csv_importer.settings.LEDGER_DAYS."""
STORAGE_CLASSES = {
    "STANDARD_IA": 30,
    "ONEZONE_IA": 30,
    "INTELLIGENT_TIERING": 0,
    "GLACIER_IR": 0,
    "GLACIER": 0,
    "DEEP_ARCHIVE": 0,
}
"""The days after the upload at which S3 moves an object to a storage class at the earliest:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-transition-general-considerations.html."""
MOST_DAYS = 36_500
SESSIONS = re.compile(r"auto|[1-9]|1[0-6]")
INVENTORY_PLUGIN = "csv_to_aurora.aws.aws_ec2"
CALLBACKS = ("csv_to_aurora.aws.release_locks", "csv_to_aurora.aws.run_summary")
"""Those that a run cannot do without: the others make it faster, or show it differently."""


class RequiredFile(TypedDict):
    """A file on the controller, and how to fix that it does not exist."""

    path: str
    fix: str


class Settings(TypedDict):
    """What Ansible has read of its settings.

    Attributes:
        config_file: The ansible.cfg that it has read; empty for none.
        callbacks: The enabled callbacks.
        inventory_plugins: The enabled inventory plugins.
    """

    config_file: str | None
    callbacks: Sequence[str]
    inventory_plugins: Sequence[str]


class BoundaryPolicy(TypedDict, total=False):
    """A permissions boundary as the module iam_managed_policy_info returns it; empty where there is none.

    Attributes:
        arn: Its ARN.
        document: The document of its default version.
    """

    arn: str
    document: Mapping[str, Any]


class BoundaryHow(TypedDict):
    """How a permissions boundary is created and updated.

    Attributes:
        command: The command that writes its document, and those of deployer and reader, to a folder DIRECTORY.
        fix: The sentence that says how, where it is no administrator's work; otherwise empty.
        variables_file: The file in which another one can be set.
    """

    command: str
    fix: str
    variables_file: str


class ImporterLimits(TypedDict):
    """How much the importer may do at once, and how long it keeps what it has done, as people set it.

    Attributes:
        sessions: Sessions of one import, or ``auto``.
        max_connections: Connections of all imports, or a share of the server's.
        concurrency: Reserved concurrency of the function; -1 for none.
        server: The server's max_connections where it is set; otherwise empty, or a formula of RDS.
        ledger_retention_days: Days after which old imports are deleted from the ledger; 0 for never.
    """

    sessions: Any
    max_connections: Any
    concurrency: Any
    server: Any
    ledger_retention_days: Any


class StatusPage(TypedDict):
    """How the status page is reached, as people set it.

    Attributes:
        state: present or absent.
        names: Names under which it answers on port 443.
        certificate: The certificate for them, PEM; empty for no port 443.
        certificate_key: Its private key, PEM.
        users: Who may log in there, each with ``name`` and ``hash``.
        ingress: Which ports of the app host are open.
    """

    state: str
    names: Sequence[str]
    certificate: str
    certificate_key: str
    users: Sequence[Mapping[str, str]]
    ingress: Sequence[Mapping[str, Any]]


class Inputs(TypedDict):
    """The variables of a stack, by the names of this role's options without ``preflight_``.

    Attributes:
        inventory: Folder of the inventory, relative to the project.
        dynamic_inventory: What its aws_ec2.yml contains.
        profile: The AWS profile; empty for the one of the shell.
        importer_limits: How much the importer may do at once; empty where it is not checked.
        notify: Who is notified.
        missing_endpoints: Services that the function cannot reach, for want of NAT and of an endpoint.
        processed_files: What is done with files that have been imported.
        status_page: How the status page is reached; empty where it is not checked.
        endpoint_url: Where AWS is asked, if that is not AWS.
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
    permissions_boundary: str
    database_login: str
    iam_refusal: str
    importer_limits: ImporterLimits | None
    notify: Any
    missing_endpoints: Sequence[str]
    processed_files: Any
    status_page: StatusPage | None
    required_files: Sequence[RequiredFile]
    roles: Sequence[str]
    inventory: str
    dynamic_inventory: Mapping[str, Any]
    profile: str
    endpoint_url: str
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


def preflight_settings_mistakes(settings: Settings, project: str) -> list[str]:
    """Return which settings of the project's ansible.cfg are not in use, and why; empty where those that matter are.

    Args:
        settings: What Ansible has read.
        project: The project's folder.
    """
    missing = [name for name in CALLBACKS if name not in settings["callbacks"]]
    if not {INVENTORY_PLUGIN, "auto", "ansible.builtin.auto"}.intersection(settings["inventory_plugins"]):
        missing.append(INVENTORY_PLUGIN)
    if not missing:
        return []
    root = Path(project).resolve()
    wanted, found = root / "ansible.cfg", settings["config_file"]
    if found and Path(found).resolve() == wanted:
        names = [name for name in ("ANSIBLE_CALLBACKS_ENABLED", "ANSIBLE_INVENTORY_ENABLED") if name in os.environ]
        return [
            f"{' and '.join(names)} of your shell leaves out {', '.join(missing)}: unset it, or add what is missing."
        ]
    if os.environ.get("ANSIBLE_CONFIG"):
        fix = f"ANSIBLE_CONFIG of your shell names another file. Unset it, and run from {root}"
    elif Path.cwd() == root and root.stat().st_mode & stat.S_IWOTH:
        fix = f"Everybody may write to {root}, and Ansible ignores the ansible.cfg of such a folder: chmod o-w {root}"
    else:
        fix = f"Run from the project's folder: cd {root}"
    return [
        f"Ansible has not read {wanted}, but {found or 'no ansible.cfg'}. {fix}, or: export ANSIBLE_CONFIG={wanted}"
    ]


def preflight_mistakes(inputs: Inputs) -> list[str]:
    """Return all that is wrong with the variables, each with the file or command that fixes it; empty if nothing is."""
    set_it = f"{inputs['inventory']}/group_vars/all/main.yml"
    checks = (
        _names,
        _account_and_region,
        _dynamic_inventory,
        _profile,
        _proxy,
        _driver,
        _boundary,
        _login,
        _limits,
        _notify,
        _endpoints,
        _processed_files,
        _status_page,
        _files,
        _unknown_variables,
        _argument_errors,
    )
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
    found = inputs["dynamic_inventory"].get("plugin")
    if found != INVENTORY_PLUGIN:
        yield (
            f"{inputs['inventory']}/aws_ec2.yml has to use the plugin {INVENTORY_PLUGIN}, not {found}: it asks AWS "
            f"with the account, region and tags of {set_it}, so that one setting is enough. The file is the same for "
            f"every environment: cp inventories/dev/aws_ec2.yml {inputs['inventory']}/"
        )


def _profile(inputs: Inputs, set_it: str) -> Iterator[str]:
    name = "" if inputs["endpoint_url"] else mfa_profile(str(inputs["profile"]))
    if name:
        yield (
            f"The AWS profile {name} asks for an MFA code, which a task cannot ask for. Log in first and hand the "
            f'session over: eval "$(aws configure export-credentials --profile {name} --format env)". aws_profile in '
            f"{set_it} and AWS_PROFILE have to be empty then."
        )


def _proxy(inputs: Inputs, set_it: str) -> Iterator[str]:
    del set_it
    refusal = proxy_refusal(inputs["endpoint_url"])
    if refusal:
        yield refusal


def _driver(inputs: Inputs, set_it: str) -> Iterator[str]:
    del inputs, set_it
    try:
        found = version("PyMySQL")
    except PackageNotFoundError:
        found = ""
    # https://github.com/PyMySQL/PyMySQL/pull/1234
    if not found or Version(found) < Version(DRIVER):
        yield (
            f"Modules for MySQL run here with PyMySQL {DRIVER} or newer; there is {found or 'none'}, and an older one "
            "would send a server without TLS the administrator's password. Run `make venv` and use "
            f".venv/bin/ansible-playbook, or install it for {sys.executable}."
        )


def _boundary(inputs: Inputs, set_it: str) -> Iterator[str]:
    boundary, account = str(inputs["permissions_boundary"]), str(inputs["account_id"])
    # The account's own mistake is said already, and would be in this one's default.
    if not boundary or not ACCOUNT.fullmatch(account):
        return
    match = POLICY.fullmatch(boundary)
    if not match or match[1] not in {account, "aws"}:
        yield (
            f"stack_permissions_boundary ({boundary}) has to be the ARN of a policy of the account {account}, such as "
            f"arn:aws:iam::{account}:policy/NAME, or of AWS, or empty for IAM roles without a permissions boundary. "
            f"Set it in {set_it}."
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


def _limits(inputs: Inputs, set_it: str) -> Iterator[str]:
    given = inputs["importer_limits"]
    if not given:
        return
    days = str(given["ledger_retention_days"])
    # The role's own rule says what is wrong with anything else.
    if days.isdecimal() and 0 < int(days) < LEDGER_DAYS:
        yield (
            f"importer_ledger_retention_days ({days}) has to be 0, or {LEDGER_DAYS} at least: the event of an object "
            f"version may come for 14 days, and the ledger says that it is done. Set it in {set_it}."
        )
    sessions = str(given["sessions"])
    if not SESSIONS.fullmatch(sessions):
        yield f"stack_importer_sessions ({sessions}) has to be auto, or a number from 1 to 16. Set it in {set_it}."
        return
    try:
        limit = ConnectionLimit.of(given["max_connections"])
    except ValueError as error:
        yield f"stack_importer_max_connections is wrong: {error}. Set it in {set_it}."
        return
    yield from _contradictions(
        sessions=1 if sessions == "auto" else int(sessions),
        limit=limit,
        concurrency=int(given["concurrency"]) if re.fullmatch(r"-?[0-9]+", str(given["concurrency"])) else -1,
        server=int(given["server"]) if str(given["server"]).isdecimal() else 0,
        set_it=set_it,
    )


def _notify(inputs: Inputs, set_it: str) -> Iterator[str]:
    for mistake in notify_mistakes(inputs["notify"], str(inputs["region"]), local=bool(inputs["endpoint_url"])):
        yield f"{mistake}. Set it in {set_it}."


def _endpoints(inputs: Inputs, set_it: str) -> Iterator[str]:
    if missing := inputs["missing_endpoints"]:
        yield (
            f"network_nat is none, and network_interface_endpoints lacks {', '.join(missing)}: the function could not"
            f" reach {'it' if len(missing) == 1 else 'them'}. Set it in {set_it}."
        )


def _processed_files(inputs: Inputs, set_it: str) -> Iterator[str]:
    given = inputs["processed_files"]
    if not isinstance(given, Mapping):
        yield (
            f"stack_processed_files ({given}) has to be {{}}, or a mapping such as {{tag: true, expire_days: 90}}. "
            f"Set it in {set_it}."
        )
        return
    for mistake in _processed_files_mistakes(given):
        yield f"stack_processed_files: {mistake} Set it in {set_it}; docs/imports.md explains it."


def _processed_files_mistakes(given: Mapping[str, Any]) -> Iterator[str]:
    """Name what S3 would refuse, or what would have no effect."""
    unknown = sorted(str(name) for name in given if name not in ("tag", "expire_days", "storage_class", "after_days"))
    if unknown:
        yield f"{', '.join(unknown)} is unknown: there are tag, expire_days, storage_class and after_days."
    if "tag" in given and not isinstance(given["tag"], bool):
        yield f"tag ({given['tag']}) has to be true or false."
    rest = [name for name in ("expire_days", "storage_class", "after_days") if name in given]
    if rest and given.get("tag", False) is False:
        yield (
            f"{', '.join(rest)} needs tag: true, since only the tag says which files have been imported: others are "
            "neither moved nor expired."
        )
    expire, after = given.get("expire_days"), given.get("after_days")
    if "expire_days" in given and not _days(expire, at_least=1):
        yield f"expire_days ({expire}) has to be a whole number from 1 to {MOST_DAYS}."
    if ("storage_class" in given) != ("after_days" in given):
        missing = "after_days" if "storage_class" in given else "storage_class"
        yield f"{missing} is missing: storage_class says where files are moved to, after_days when."
        return
    if "storage_class" not in given:
        return
    earliest = STORAGE_CLASSES.get(str(given["storage_class"]))
    if earliest is None:
        yield f"storage_class ({given['storage_class']}) has to be one of {', '.join(STORAGE_CLASSES)}."
    if not _days(after, at_least=earliest or 0):
        yield (
            f"after_days ({after}) has to be a whole number from {earliest or 0} to {MOST_DAYS}"
            f"{f': S3 moves nothing to {given["storage_class"]} earlier' if earliest else ''}."
        )
    elif _days(expire, at_least=1) and expire <= after:
        yield (
            f"expire_days ({expire}) has to be greater than after_days ({after}): files are moved before they expire. "
            "Without storage_class and after_days, they expire only."
        )


def _days(value: object, *, at_least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and at_least <= value <= MOST_DAYS


def _contradictions(
    *, sessions: int, limit: ConnectionLimit, concurrency: int, server: int, set_it: str
) -> Iterator[str]:
    """Name limits of the importer that cannot hold together; server is 0 where it is not set."""
    if limit.number and limit.number < sessions + 1:
        yield (
            f"stack_importer_max_connections ({limit.number}) is less than the {sessions + 1} connections that one "
            f"import of {sessions} sessions (stack_importer_sessions) needs. Raise the one, or lower the other, in "
            f"{set_it}."
        )
    if limit.number and concurrency > limit.number:
        yield (
            f"importer_concurrency ({concurrency}) lets more imports run at once than have a connection "
            f"(stack_importer_max_connections: {limit.number}). Lower it in {set_it}: events beyond it wait in "
            "Lambda's queue, which costs nothing."
        )
    if server and limit.number and limit.number >= server:
        yield (
            f"stack_importer_max_connections ({limit.number}) leaves none of the server's {server} connections "
            f"(max_connections in database_parameters) to the application. Lower it, or set a share such as 67%, in "
            f"{set_it}."
        )
    if server and limit.number == 0 and concurrency * sessions >= server:
        yield (
            f"importer_concurrency ({concurrency}) imports of {sessions} sessions may take all of the server's "
            f"{server} connections (max_connections in database_parameters), and stack_importer_max_connections is 0. "
            f"Lower the one, or set the other to a share such as 67%, in {set_it}."
        )


def _status_page(inputs: Inputs, set_it: str) -> Iterator[str]:
    given = inputs["status_page"]
    if not given or given["state"] != "present":
        return
    of_port_443 = ("names", "certificate", "certificate_key", "users")
    missing = [f"status_page_{name}" for name in of_port_443 if not given[name]]  # type: ignore[literal-required] # all of them
    if 0 < len(missing) < len(of_port_443):
        yield (
            f"{', '.join(missing)} is missing: the status page on port 443 needs a certificate, its key, the names it "
            f"is for, and users who may log in. Set all four in {set_it}, or none (docs/status_page.md)."
        )
        return
    is_open = any(
        rule.get("protocol") == "tcp" and int(rule["from_port"]) <= 443 <= int(rule["to_port"])
        for rule in given["ingress"]
    )
    if missing and is_open:
        yield (
            "stack_app_ingress opens port 443, where nothing answers without status_page_certificate. Set that, or "
            f"remove the port, in {set_it}."
        )
    if missing:
        return
    if not is_open:
        yield (
            "status_page_certificate is set, and nobody can reach port 443: add it to stack_app_ingress, for the "
            f"networks that may, in {set_it}."
        )
    for user in given["users"]:
        if not HASH.fullmatch(str(user.get("hash"))):
            yield (
                f"The hash of {user.get('name')} in status_page_users is none of a password: `openssl passwd -6` "
                f"prints one. Set it in {set_it}."
            )
    fault = _certificate_fault(given["certificate"], given["certificate_key"], given["names"])
    if fault:
        yield f"status_page_certificate: {fault}. Set it, with its key, in {set_it}."


def _certificate_fault(certificate: str, key: str, names: Sequence[str]) -> str:
    """Return what is wrong with a certificate; nothing where it can be used. Never a part of the key."""
    try:
        found = x509.load_pem_x509_certificates(certificate.encode())[0]
        public = serialization.load_pem_private_key(key.encode(), password=None).public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return "the certificate or its key is no PEM that can be read, or the key has a passphrase"
    if found.public_key() != public:
        return "the key is that of another certificate"
    if found.not_valid_after_utc < datetime.now(UTC):
        return f"it has expired on {found.not_valid_after_utc:%Y-%m-%d}"
    try:
        known = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return "it has no subject alternative names"
    patterns = known.get_values_for_type(x509.DNSName)
    unknown = [name for name in names if name not in patterns and f"*.{name.partition('.')[2]}" not in patterns]
    return f"it is not for {', '.join(unknown)}" if unknown else ""


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


def preflight_boundary_unread(arn: str, how: BoundaryHow) -> str:
    """Return the warning that a permissions boundary may not be read, so that nobody knows whether it exists.

    Args:
        arn: Its ARN.
        how: How it, and the policies of deployer and reader, are created and updated.
    """
    update = f"have an administrator of the account update those with what `{how['command']}` writes"
    return (
        f"These credentials may not read the permissions boundary {arn}. If it does not exist, a run fails at its "
        "first IAM role. They need iam:GetPolicy and iam:GetPolicyVersion on it, which the policies of deployer "
        f"and reader have: {how['fix'] or update}."
    )


def preflight_boundary_missing(arn: str, how: BoundaryHow) -> str:
    """Return the refusal that a permissions boundary does not exist, with what creates it.

    Args:
        arn: Its ARN.
        how: How it is created.
    """
    match = POLICY.fullmatch(arn)
    owner, path, name = match.groups() if match else ("", "/", arn)
    options = f"--policy-name {name}" + (f" --path {path}" if path != "/" else "")
    change = f"stack_permissions_boundary in {how['variables_file']}"
    create = (
        f"have an administrator of the account create it with `{how['command']}` and `aws iam create-policy {options} "
        f"--policy-document file://DIRECTORY/boundary.json`, or change {change}"
    )
    advice = how["fix"] or (f"correct {change}" if owner == "aws" else create)
    return f"The permissions boundary {arn}, with which the IAM roles are created, does not exist: {advice}."


def preflight_boundary_differences(boundary: BoundaryPolicy, wanted: Mapping[str, Any]) -> list[str]:
    """Return how the statements of a permissions boundary differ from those that it should have; empty if they do not.

    Args:
        boundary: The boundary; empty where it does not exist or was not read.
        wanted: The document that it should have; empty where it is not compared.
    """
    if not boundary or not wanted:
        return []
    found_by_name, wanted_by_name = _statements(boundary["document"]), _statements(wanted)
    both = [name for name in wanted_by_name if name in found_by_name]
    differences = {
        "lacks": [name for name in wanted_by_name if name not in found_by_name],
        "has in addition": [name for name in found_by_name if name not in wanted_by_name],
        "has with other content": [name for name in both if _differ(found_by_name[name], wanted_by_name[name])],
    }
    return [f"{how} {', '.join(names)}" for how, names in differences.items() if names]


def _statements(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the statements of a policy document by their names."""
    statements = document.get("Statement") or []
    listed = [statements] if isinstance(statements, Mapping) else statements
    return {str(one.get("Sid") or f"the statement {number}"): one for number, one in enumerate(listed, 1)}


def _differ(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return bool(compare_policies({"Statement": [found]}, {"Statement": [wanted]}))


def preflight_boundary_differs(boundary: BoundaryPolicy, differences: Sequence[str], how: BoundaryHow) -> str:
    """Return the warning that a permissions boundary differs from its document, with what updates it.

    Args:
        boundary: The boundary.
        differences: What differs, as ``preflight_boundary_differences`` returns it.
        how: How it is updated.
    """
    update = (
        f"have an administrator of the account update it with `{how['command']}` and `aws iam create-policy-version "
        f"--policy-arn {boundary['arn']} --policy-document file://DIRECTORY/boundary.json --set-as-default`"
    )
    return (
        f"The permissions boundary {boundary['arn']} is not the one of this version and environment: it "
        f"{', '.join(differences)}. What it lacks the IAM roles may not do, whatever their policies say, and what it "
        f"has in addition they could be given. To correct it, {how['fix'] or update}."
    )


class FilterModule:
    """The filters of this file, as Ansible wants them."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {
            "preflight_boundary_differences": preflight_boundary_differences,
            "preflight_boundary_differs": preflight_boundary_differs,
            "preflight_boundary_missing": preflight_boundary_missing,
            "preflight_boundary_unread": preflight_boundary_unread,
            "preflight_fix": preflight_fix,
            "preflight_mistakes": preflight_mistakes,
            "preflight_options": preflight_options,
            "preflight_settings_mistakes": preflight_settings_mistakes,
        }
