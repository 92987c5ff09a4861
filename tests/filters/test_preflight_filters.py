"""What is wrong with the variables, all of it at once, and the fix for an error of the first call to AWS."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

Load = Callable[[str], ModuleType]
ROLES = Path(__file__).resolve().parents[2] / "roles"
CAUSES = [
    {"match": "ExpiredToken|expired", "fix": "Log in again."},
    {"match": "Token", "fix": "Check the token."},
]


@pytest.mark.parametrize(
    ("error", "fix"),
    [
        ("An error occurred (ExpiredToken) when calling GetCallerIdentity", "Log in again."),
        ("the Token is unknown", "Check the token."),
        ("Internal failure", "AWS refused the first call."),
        ("", "AWS refused the first call."),
    ],
)
def test_the_first_cause_that_matches_has_the_fix(load_filters: Load, error: str, fix: str) -> None:
    assert load_filters("preflight").preflight_fix(error, CAUSES) == fix


@pytest.mark.parametrize(("found", "right"), [("1.1.2", False), ("1.2.0", True), ("1.10.0", True), (None, False)])
def test_a_driver_that_would_send_a_password_in_clear_is_refused(
    load_filters: Load, inputs: dict[str, Any], monkeypatch: pytest.MonkeyPatch, found: str | None, right: bool
) -> None:
    filters = load_filters("preflight")

    def version(name: str) -> str:
        assert name == "PyMySQL"
        if found is None:
            raise filters.PackageNotFoundError
        return found

    monkeypatch.setattr(filters, "version", version)
    mistakes = filters.preflight_mistakes(inputs)
    assert right == (mistakes == [])
    assert right or f"there is {found or 'none'}" in mistakes[0]


@pytest.fixture
def inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return inputs that are right, in a shell without AWS profile and proxy."""
    for name in list(os.environ):
        if name.startswith("AWS_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    key = tmp_path / "key.pub"
    key.touch()
    return {
        "project": "csv-to-aurora",
        "environment_name": "dev",
        "account_id": "123456789012",
        "region": "eu-west-1",
        "ssh_allowed_cidrs": ["203.0.113.7/32"],
        "ssh_public_key_file": str(key),
        "permissions_boundary": "arn:aws:iam::123456789012:policy/csv-to-aurora-dev-boundary",
        "database_login": "password",
        "iam_refusal": "",
        "notify": [],
        "missing_endpoints": [],
        "processed_files": {},
        "importer_limits": None,
        "status_page": None,
        "required_files": [{"path": str(key), "fix": "Make one."}],
        "roles": ["bucket", "network"],
        "inventory": "inventories/dev",
        "dynamic_inventory": {"plugin": "csv_to_aurora.aws.aws_ec2"},
        "profile": "",
        "endpoint_url": "",
        "argument_errors": [],
        "variables": {"bucket_name", "bucket_outputs", "network_cidr", "project"},
        "options": {"bucket_name": {}, "network_cidr": {}},
    }


def test_nothing_is_wrong_with_right_inputs(load_filters: Load, inputs: dict[str, Any]) -> None:
    assert load_filters("preflight").preflight_mistakes(inputs) == []


# What people set, one at a time, is in tests/preflight. These are the edges of each rule.
@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("project", "a" * 29, "at most 31 characters"),
        ("project", "csv_to_aurora", "single hyphens"),
        ("project", "csv--aurora", "single hyphens"),
        ("environment_name", "1st", "start with a letter"),
        ("environment_name", "dev\n", "lower case"),
        ("account_id", 123456789012.0, "12 digits, in quotes"),
        ("region", "eu-west-1a", "such as eu-west-1"),
        ("ssh_allowed_cidrs", ["203.0.113.7/32", "203.0.113.0/33"], "holds '203.0.113.0/33'"),
        ("ssh_allowed_cidrs", ["203.0.113.7"], "holds '203.0.113.7'"),
        ("database_login", None, "(None) has to be password or iam"),
        ("permissions_boundary", "shop-boundary", "stack_permissions_boundary (shop-boundary) has to be the ARN"),
        ("permissions_boundary", "arn:aws:iam::210987654321:policy/b", "of a policy of the account 123456789012, such"),
        ("permissions_boundary", "arn:aws:iam::123456789012:role/b", "arn:aws:iam::123456789012:policy/NAME"),
        ("permissions_boundary", "arn:aws:iam::123456789012:policy/", "or empty for IAM roles without a permissions"),
        ("ssh_public_key_file", "/nowhere/key.pub", "ssh-keygen -t ed25519"),
        (
            "dynamic_inventory",
            {},
            "inventories/dev/aws_ec2.yml has to use the plugin csv_to_aurora.aws.aws_ec2, not None",
        ),
        ("dynamic_inventory", {"plugin": "amazon.aws.aws_ec2"}, "cp inventories/dev/aws_ec2.yml inventories/dev/"),
        ("variables", {"network_cdir", "network_outputs", "network_az"}, "no variable network_az, network_cdir."),
        ("argument_errors", ["network_nat is wrong"], "in roles/network/README.md."),
    ],
)
def test_each_rule_refuses_what_is_past_its_edge(
    load_filters: Load, inputs: dict[str, Any], name: str, value: object, message: str
) -> None:
    mistakes = load_filters("preflight").preflight_mistakes({**inputs, name: value})
    assert len(mistakes) == 1
    assert message in mistakes[0]


LIMITS: dict[str, Any] = {
    "sessions": "auto",
    "max_connections": "67%",
    "concurrency": -1,
    "server": "",
    "ledger_retention_days": 0,
}


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"sessions": "0"}, "stack_importer_sessions (0) has to be auto, or a number from 1 to 16"),
        ({"sessions": 17}, "stack_importer_sessions (17) has to be auto"),
        ({"sessions": "many"}, "stack_importer_sessions (many) has to be auto"),
        ({"sessions": None}, "stack_importer_sessions (None) has to be auto"),
        ({"ledger_retention_days": 14}, "importer_ledger_retention_days (14) has to be 0, or 15 at least"),
        ({"max_connections": "most"}, "stack_importer_max_connections is wrong: 'most' is neither a number"),
        ({"max_connections": 1}, "(1) is less than the 2 connections that one import of 1 sessions"),
        ({"max_connections": "8", "sessions": 8}, "(8) is less than the 9 connections that one import of 8 sessions"),
        ({"max_connections": 60, "concurrency": 61}, "importer_concurrency (61) lets more imports run"),
        ({"max_connections": 60, "server": "60"}, "(60) leaves none of the server's 60 connections"),
        (
            {"max_connections": 0, "server": "60", "concurrency": 15, "sessions": 4},
            "importer_concurrency (15) imports of 4 sessions may take all of the server's 60",
        ),
    ],
)
def test_limits_of_the_importer_that_contradict_each_other_are_refused(
    load_filters: Load, inputs: dict[str, Any], limits: dict[str, Any], message: str
) -> None:
    mistakes = load_filters("preflight").preflight_mistakes({**inputs, "importer_limits": LIMITS | limits})
    assert len(mistakes) == 1
    assert message in mistakes[0]
    assert "inventories/dev/group_vars/all/main.yml" in mistakes[0]


@pytest.mark.parametrize(
    "limits",
    [
        None,
        {},
        LIMITS | {"sessions": 16, "max_connections": 17},
        LIMITS | {"sessions": "16", "max_connections": "100%"},
        LIMITS | {"max_connections": 60, "concurrency": 60},
        LIMITS | {"max_connections": 59, "server": "60"},
        # A formula of RDS, which only the server can compute.
        LIMITS | {"max_connections": 59, "server": "{DBInstanceClassMemory/12582880}"},
        LIMITS | {"max_connections": 0, "server": "60"},
        LIMITS | {"max_connections": 0, "server": "60", "concurrency": 14, "sessions": 4},
        LIMITS | {"ledger_retention_days": "15"},
        # The role's own rule says what is wrong with it.
        LIMITS | {"ledger_retention_days": "some"},
        LIMITS | {"concurrency": "some"},
    ],
)
def test_limits_of_the_importer_that_can_hold_together(
    load_filters: Load, inputs: dict[str, Any], limits: dict[str, Any] | None
) -> None:
    assert load_filters("preflight").preflight_mistakes({**inputs, "importer_limits": limits}) == []


NAME = "status.example.com"
PORT_80 = {"from_port": 80, "to_port": 80, "protocol": "tcp"}
PORT_443 = {"from_port": 443, "to_port": 443, "protocol": "tcp"}


def certified(days: int = 1, name: str = NAME) -> dict[str, str]:
    """Return a certificate for a name that is valid for so many days, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), 1)
        .not_valid_before(datetime.now(UTC) - timedelta(days=3))
        .not_valid_after(datetime.now(UTC) + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {
        "certificate": certificate.public_bytes(serialization.Encoding.PEM).decode(),
        "certificate_key": private.decode(),
    }


CLOSED = {"state": "present", "names": [], "certificate": "", "certificate_key": "", "users": [], "ingress": [PORT_80]}
OPEN = {"names": [NAME], "users": [{"name": "operator", "hash": "$6$salt$hash"}], "ingress": [PORT_80, PORT_443]}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"users": []}, "status_page_users is missing"),
        ({"certificate_key": "", "names": []}, "status_page_names, status_page_certificate_key is missing"),
        ({"ingress": [PORT_80]}, "nobody can reach port 443"),
        ({"ingress": [PORT_443 | {"protocol": "udp"}]}, "nobody can reach port 443"),
        ({"users": [{"name": "operator", "hash": "plain text"}]}, "The hash of operator"),
        ({"certificate": "a file's name"}, "is no PEM"),
        ({"certificate_key": certified()["certificate_key"]}, "the key is that of another certificate"),
        (certified(days=-1), "it has expired on"),
        (certified(name="other.example.com"), f"it is not for {NAME}"),
        (CLOSED | {"ingress": [PORT_443]}, "opens port 443, where nothing answers"),
    ],
)
def test_a_status_page_that_cannot_be_reached_as_it_is_set_is_refused(
    load_filters: Load, inputs: dict[str, Any], changed: dict[str, Any], message: str
) -> None:
    given = CLOSED | OPEN | certified() | changed
    mistakes = load_filters("preflight").preflight_mistakes({**inputs, "status_page": given})
    assert len(mistakes) == 1
    assert message in mistakes[0]
    assert "inventories/dev/group_vars/all/main.yml" in mistakes[0]
    assert "PRIVATE KEY" not in mistakes[0]
    assert "plain text" not in mistakes[0]


@pytest.mark.parametrize(
    "given",
    [
        None,
        CLOSED,
        CLOSED | OPEN | certified(),
        CLOSED | OPEN | certified(name="*.example.com"),
        CLOSED | OPEN | certified() | {"ingress": [{"from_port": 1, "to_port": 1024, "protocol": "tcp"}]},
        CLOSED | {"state": "absent", "ingress": [PORT_443]},
    ],
)
def test_a_status_page_that_can_be_reached_as_it_is_set(
    load_filters: Load, inputs: dict[str, Any], given: dict[str, Any] | None
) -> None:
    assert load_filters("preflight").preflight_mistakes({**inputs, "status_page": given}) == []


@pytest.mark.parametrize(
    "boundary",
    [
        "",
        "arn:aws:iam::aws:policy/PowerUserAccess",
        "arn:aws:iam::123456789012:policy/teams/data/limits",
        "arn:aws-us-gov:iam::123456789012:policy/limits",
    ],
)
def test_other_boundaries_can_be_chosen(load_filters: Load, inputs: dict[str, Any], boundary: str) -> None:
    assert load_filters("preflight").preflight_mistakes({**inputs, "permissions_boundary": boundary}) == []


def test_what_private_subnets_cannot_reach_is_refused(load_filters: Load, inputs: dict[str, Any]) -> None:
    missing = {**inputs, "missing_endpoints": ["lambda", "sns"]}
    (mistake,) = load_filters("preflight").preflight_mistakes(missing)
    assert "network_interface_endpoints lacks lambda, sns" in mistake
    assert mistake.endswith("Set it in inventories/dev/group_vars/all/main.yml.")


def test_who_is_notified_is_checked(load_filters: Load, inputs: dict[str, Any]) -> None:
    (mistake,) = load_filters("preflight").preflight_mistakes({**inputs, "notify": ["http://example.com"]})
    assert mistake.endswith("Write https://. Set it in inventories/dev/group_vars/all/main.yml.")
    emulated = {**inputs, "notify": ["http://127.0.0.1:8000"], "endpoint_url": "http://127.0.0.1:4566"}
    assert load_filters("preflight").preflight_mistakes(emulated) == []


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"tag": False},
        {"tag": True},
        {"tag": True, "expire_days": 1},
        {"tag": True, "storage_class": "STANDARD_IA", "after_days": 30},
        {"tag": True, "storage_class": "GLACIER_IR", "after_days": 0, "expire_days": 1},
        {"tag": True, "storage_class": "DEEP_ARCHIVE", "after_days": 30, "expire_days": 36500},
    ],
)
def test_processed_files_can_be_kept_tagged_moved_or_expired(
    load_filters: Load, inputs: dict[str, Any], given: dict[str, Any]
) -> None:
    assert load_filters("preflight").preflight_mistakes({**inputs, "processed_files": given}) == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, "stack_processed_files (None) has to be {}, or a mapping such as {tag: true, expire_days: 90}"),
        ("tag", "stack_processed_files (tag) has to be {}"),
        ({"tag": "yes"}, "tag (yes) has to be true or false"),
        ({"tag": True, "expires": 90}, "expires is unknown: there are tag, expire_days, storage_class and after_days"),
        ({"expire_days": 90}, "expire_days needs tag: true, since only the tag says which files have been imported"),
        ({"tag": False, "storage_class": "GLACIER", "after_days": 1}, "storage_class, after_days needs tag: true"),
        ({"tag": True, "expire_days": 0}, "expire_days (0) has to be a whole number from 1 to 36500"),
        ({"tag": True, "expire_days": True}, "expire_days (True) has to be a whole number"),
        ({"tag": True, "expire_days": "90"}, "expire_days (90) has to be a whole number"),
        ({"tag": True, "expire_days": 36501}, "expire_days (36501) has to be a whole number"),
        ({"tag": True, "storage_class": "GLACIER_IR"}, "after_days is missing: storage_class says where"),
        ({"tag": True, "after_days": 30}, "storage_class is missing: storage_class says where"),
        (
            {"tag": True, "storage_class": "glacier", "after_days": 30},
            "storage_class (glacier) has to be one of STANDARD_IA, ONEZONE_IA, INTELLIGENT_TIERING, GLACIER_IR",
        ),
        (
            {"tag": True, "storage_class": "ONEZONE_IA", "after_days": 29},
            "after_days (29) has to be a whole number from 30 to 36500: S3 moves nothing to ONEZONE_IA earlier",
        ),
        (
            {"tag": True, "storage_class": "GLACIER", "after_days": -1},
            "after_days (-1) has to be a whole number from 0",
        ),
        (
            {"tag": True, "storage_class": "STANDARD_IA", "after_days": 30, "expire_days": 30},
            "expire_days (30) has to be greater than after_days (30): files are moved before they expire",
        ),
    ],
)
def test_a_setting_of_processed_files_without_effect_or_that_s3_refuses_is_named(
    load_filters: Load, inputs: dict[str, Any], given: object, message: str
) -> None:
    (mistake,) = load_filters("preflight").preflight_mistakes({**inputs, "processed_files": given})
    assert message in mistake
    assert "Set it in inventories/dev/group_vars/all/main.yml" in mistake


def test_all_that_is_wrong_is_said_at_once(load_filters: Load, inputs: dict[str, Any]) -> None:
    wrong = {**inputs, "account_id": "", "region": "Ireland", "dynamic_inventory": {}}
    mistakes = load_filters("preflight").preflight_mistakes(wrong)
    assert [mistake.split()[0] for mistake in mistakes] == [
        "aws_account_id",
        "aws_region",
        "inventories/dev/aws_ec2.yml",
    ]


def test_a_key_that_the_missing_file_would_bring_is_not_asked_for(load_filters: Load, inputs: dict[str, Any]) -> None:
    fix = "Start the local cloud."
    missing = {**inputs, "ssh_public_key_file": "/nowhere", "required_files": [{"path": "/nothing", "fix": fix}]}
    assert load_filters("preflight").preflight_mistakes(missing) == [f"/nothing does not exist. {fix}"]


def test_options_are_those_of_all_roles_and_none_is_required(load_filters: Load) -> None:
    options = load_filters("preflight").preflight_options(["network", "bucket"], str(ROLES))
    assert options["network_nat"]["choices"]
    assert options["bucket_noncurrent_days"]["type"] == "int"
    assert not any(option["required"] for option in options.values())


MFA = "role_arn = arn:aws:iam::123456789012:role/admin\nmfa_serial = arn:aws:iam::123456789012:mfa/ada\n"


@pytest.mark.parametrize(
    ("section", "profile", "shell", "asks"),
    [
        ("profile admin", "admin", {}, True),
        ("profile admin", "", {"AWS_PROFILE": "admin"}, True),
        ("default", "", {}, True),
        ("profile admin", "other", {"AWS_PROFILE": "admin"}, False),
        ("profile admin", "", {"AWS_PROFILE": "admin", "AWS_ACCESS_KEY_ID": "x"}, False),
        ("profile admin", "admin", {"AWS_ACCESS_KEY_ID": "x"}, True),
    ],
    ids=["named", "shell", "default", "another", "keys", "named-and-keys"],
)
def test_a_profile_that_asks_for_an_mfa_code_is_refused(
    load_filters: Load,
    inputs: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    *,
    section: str,
    profile: str,
    shell: dict[str, str],
    asks: bool,
) -> None:
    (tmp_path / "config").write_text(f"[{section}]\n{MFA}")
    for name, value in shell.items():
        monkeypatch.setenv(name, value)
    mistakes = load_filters("preflight").preflight_mistakes({**inputs, "profile": profile})
    assert [("asks for an MFA code" in mistake) for mistake in mistakes] == [True] * asks


@pytest.mark.parametrize(
    ("shell", "refused"),
    [
        ({"HTTP_PROXY": "http://gateway.example.com:8080"}, True),
        ({"http_proxy": "http://gateway.example.com:8080", "NO_PROXY": "169.254.169.254"}, True),
        ({"http_proxy": "http://gateway.example.com:8080", "no_proxy": "localhost,127.0.0.1"}, False),
        ({"HTTPS_PROXY": "http://gateway.example.com:8080"}, False),
        ({}, False),
    ],
    ids=["upper", "lower", "excepted", "https", "none"],
)
def test_a_proxy_for_this_machine_is_refused(
    load_filters: Load, inputs: dict[str, Any], monkeypatch: pytest.MonkeyPatch, shell: dict[str, str], refused: bool
) -> None:
    for name, value in shell.items():
        monkeypatch.setenv(name, value)
    mistakes = load_filters("preflight").preflight_mistakes({**inputs, "endpoint_url": "http://127.0.0.1:4566"})
    assert [('export NO_PROXY="$NO_PROXY,127.0.0.1"' in mistake) for mistake in mistakes] == [True] * refused


def settings(project: Path, **others: Any) -> dict[str, Any]:
    """Return what Ansible has read of the project's ansible.cfg, and what a test changes of it."""
    return {
        "config_file": str(project / "ansible.cfg"),
        "callbacks": ["csv_to_aurora.aws.release_locks", "csv_to_aurora.aws.run_summary", "profile_tasks"],
        "inventory_plugins": ["ansible.builtin.yaml", "csv_to_aurora.aws.aws_ec2"],
        **others,
    }


def test_settings_that_are_in_use_are_no_mistake(load_filters: Load, tmp_path: Path) -> None:
    check = load_filters("preflight").preflight_settings_mistakes
    assert check(settings(tmp_path), str(tmp_path)) == []
    elsewhere = settings(tmp_path, config_file="/elsewhere/ansible.cfg", inventory_plugins=["auto"])
    assert check(elsewhere, str(tmp_path)) == []


def test_a_variable_of_the_shell_that_leaves_callbacks_out_is_named(
    load_filters: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANSIBLE_CALLBACKS_ENABLED", "profile_tasks")
    mistakes = load_filters("preflight").preflight_settings_mistakes(
        settings(tmp_path, callbacks=["profile_tasks"]), str(tmp_path)
    )
    missing = "csv_to_aurora.aws.release_locks, csv_to_aurora.aws.run_summary"
    said = f"ANSIBLE_CALLBACKS_ENABLED of your shell leaves out {missing}: unset it, or add what is missing."
    assert mistakes == [said]


@pytest.mark.parametrize(
    ("where", "config", "fix"),
    [
        ("elsewhere", "", "Run from the project's folder: cd {project}"),
        ("writable", "", "chmod o-w {project}"),
        ("project", "/other.cfg", "ANSIBLE_CONFIG of your shell names another file."),
    ],
)
def test_a_configuration_that_was_not_read_is_said_with_the_reason(
    load_filters: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, where: str, config: str, fix: str
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    if where == "writable":
        project.chmod(0o777)
    monkeypatch.chdir(tmp_path if where == "elsewhere" else project)
    monkeypatch.setenv("ANSIBLE_CONFIG", config)
    mistakes = load_filters("preflight").preflight_settings_mistakes(
        settings(project, config_file=config, callbacks=[]), str(project)
    )
    assert len(mistakes) == 1
    assert fix.format(project=project) in mistakes[0]
    assert f"export ANSIBLE_CONFIG={project}/ansible.cfg" in mistakes[0]


HOW = {
    "command": "ansible-playbook playbooks/permissions.yml -i inventories/dev -e permissions_directory=DIRECTORY",
    "fix": "",
    "variables_file": "inventories/dev/group_vars/all/main.yml",
}


@pytest.mark.parametrize(
    ("boundary", "create"),
    [
        (
            "shop-dev-boundary",
            "aws iam create-policy --policy-name shop-dev-boundary --policy-document file://DIRECTORY/boundary.json",
        ),
        (
            "data/teams/limits",
            "aws iam create-policy --policy-name limits --path /data/teams/ --policy-document file://DIRECTORY/boundary.json",
        ),
    ],
)
def test_a_boundary_that_does_not_exist_is_refused_with_the_commands_that_create_it(
    load_filters: Load, boundary: str, create: str
) -> None:
    arn = f"arn:aws:iam::123456789012:policy/{boundary}"
    assert load_filters("preflight").preflight_boundary_missing(arn, HOW) == (
        f"The permissions boundary {arn}, with which the IAM roles are created, does not exist: have an administrator "
        f"of the account create it with `{HOW['command']}` and `{create}`, or change stack_permissions_boundary in "
        "inventories/dev/group_vars/all/main.yml."
    )


def test_nobody_is_told_to_create_a_policy_of_aws_or_what_the_local_cloud_creates(load_filters: Load) -> None:
    missing = load_filters("preflight").preflight_boundary_missing
    of_aws = missing("arn:aws:iam::aws:policy/PowerUser", HOW)
    assert of_aws.endswith("correct stack_permissions_boundary in inventories/dev/group_vars/all/main.yml.")
    local = missing("arn:aws:iam::000000000000:policy/b", {**HOW, "fix": "run the playbook"})
    assert local.endswith("does not exist: run the playbook.")
    assert "create-policy" not in of_aws + local


def test_who_may_not_read_the_boundary_is_told_who_grants_it(load_filters: Load) -> None:
    unread, arn = load_filters("preflight").preflight_boundary_unread, "arn:aws:iam::123456789012:policy/b"
    assert unread(arn, HOW).endswith(
        "They need iam:GetPolicy and iam:GetPolicyVersion on it, which the policies of deployer and reader have: have "
        f"an administrator of the account update those with what `{HOW['command']}` writes."
    )
    assert unread(arn, {**HOW, "fix": "run the playbook"}).endswith("deployer and reader have: run the playbook.")


READ = {"Sid": "Read", "Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "arn:aws:s3:::b"}
SEND = {"Sid": "Send", "Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "arn:aws:sqs:eu-west-1:1:q"}
EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}


@pytest.mark.parametrize(
    ("found", "differences"),
    [
        ([SEND, {**READ, "Action": ["s3:ListBucket", "s3:GetObject"], "Resource": ["arn:aws:s3:::b"]}], []),
        ([READ], ["lacks Send"]),
        ([READ, SEND, EVERYTHING], ["has in addition the statement 3"]),
        (EVERYTHING, ["lacks Read, Send", "has in addition the statement 1"]),
        ([READ, {**SEND, "Resource": "*"}], ["has with other content Send"]),
        ([{**READ, "Effect": "Deny"}, SEND], ["has with other content Read"]),
        ([{**READ, "Condition": {"Bool": {"aws:SecureTransport": "true"}}}, SEND], ["has with other content Read"]),
        ([], ["lacks Read, Send"]),
    ],
    ids=["same", "less", "more", "everything", "wider", "denied", "condition", "nothing"],
)
def test_a_boundary_is_compared_statement_by_statement(
    load_filters: Load, found: object, differences: list[str]
) -> None:
    filters = load_filters("preflight")
    boundary = {"arn": "arn:aws:iam::123456789012:policy/b", "document": {"Statement": found}}
    wanted = {"Version": "2012-10-17", "Statement": [READ, SEND]}
    assert filters.preflight_boundary_differences(boundary, wanted) == differences
    said = filters.preflight_boundary_differs(boundary, differences, HOW)
    assert f"it {', '.join(differences)}. What it lacks" in said
    assert said.endswith(
        f"have an administrator of the account update it with `{HOW['command']}` and `aws iam create-policy-version "
        f"--policy-arn {boundary['arn']} --policy-document file://DIRECTORY/boundary.json --set-as-default`."
    )


def test_what_was_not_read_or_is_ones_own_is_not_compared(load_filters: Load) -> None:
    differences = load_filters("preflight").preflight_boundary_differences
    assert differences({}, {"Statement": [READ]}) == []
    assert differences({"arn": "b", "document": {"Statement": [EVERYTHING]}}, {}) == []
