"""The documents in files/policies against every call of a stack's life cycle, with the local cloud's policy evaluator.

calls.json has each distinct call of plan, site, load, verify, outputs, imports, replay, rotate and teardown, with the
resource and the condition keys that AWS would evaluate; tools/permissions.py wrote it from a local cloud's record.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import permissions
import pytest
import yaml
from ministack.core.iam_evaluator import EvalContext, evaluate, parse_policy_document
from playbook_runner import ansible_command

from tests.policies.stack import STACK

HERE = Path(__file__).parent
EXCEPTIONS = yaml.safe_load((permissions.POLICIES / "exceptions.yml").read_text(encoding="utf-8"))
MANAGED_POLICY_CHARACTERS = 6144
MANAGED_POLICIES = 10

OTHER_STACK = {
    **STACK,
    "environment_name": "dev",
    "stack_name": "csv-to-aurora-dev",
    "bucket_name": "csv-to-aurora-dev-123456789012",
    "stack_permissions_boundary": "arn:aws:iam::123456789012:policy/csv-to-aurora-dev-boundary",
    "stack_alarms_topic_arn": "arn:aws:sns:eu-west-1:123456789012:csv-to-aurora-dev-alarms",
    "stack_events_topic_arn": "arn:aws:sns:eu-west-1:123456789012:csv-to-aurora-dev-events",
    "stack_boundary_arn": "arn:aws:iam::123456789012:policy/csv-to-aurora-dev-boundary",
}
DEPLOYER = [name for name in permissions.names() if name.startswith("deployer-")]
READER = [name for name in permissions.names() if name.startswith("reader")]
READ = ("Describe", "Get", "List", "Filter", "Head")
# Allowed without any policy.
FREE = {"sts:GetCallerIdentity"}

Call = dict[str, Any]
Statement = dict[str, Any]


def calls(stack: Mapping[str, str]) -> list[Call]:
    """Return the recorded calls, as this stack would make them."""
    text = (HERE / "calls.json").read_text(encoding="utf-8")
    for variable, value in stack.items():
        text = text.replace("{{ " + variable + " }}", value)
    found: list[Call] = json.loads(text)
    tags = {"Project": stack["project"], "Environment": stack["environment_name"]}
    for call in found:
        for key in call["context"]:
            for tag, value in tags.items():
                if key.lower().endswith(f"tag/{tag}".lower()):
                    call["context"][key] = value
    return [call for call in found if call["action"] not in FREE]


CALLS = calls(STACK)
BY_DEPLOYER = [call for call in CALLS if call["who"] == "deployer"]
BY_FUNCTION = [call for call in CALLS if call["who"].endswith("-importer")]
BY_READER = [call for call in BY_DEPLOYER if {"plan", "outputs"} & set(call["playbooks"])]


def statements(names: list[str], stack: Mapping[str, str] = STACK) -> list[Statement]:
    return [statement for name in names for statement in permissions.document(name, stack)]


def refused(made: list[Call], given: list[Statement]) -> list[Call]:
    """Return the calls that these statements do not allow."""
    parsed = [parse_policy_document({"Statement": given})]
    return [call for call in made if evaluate(asked(call), parsed).decision != "Allow"]


def asked(call: Call) -> EvalContext:
    return EvalContext(
        principal_arn=f"arn:aws:iam::{STACK['aws_account_id']}:user/somebody",
        principal_type="User",
        principal_account=STACK["aws_account_id"],
        action=call["action"],
        resource_arn=call["resource"],
        region=STACK["aws_region"],
        service_context={key.lower(): value for key, value in call["context"].items()},
    )


def line(call: Call) -> str:
    return f"{call['action']} on {call['resource']} {call['context']} ({', '.join(call['playbooks'])})"


def not_recorded() -> set[str]:
    return {f"{entry['document']} {action}" for entry in EXCEPTIONS["not_recorded"] for action in entry["actions"]}


@pytest.mark.parametrize("name", permissions.names())
def test_a_document_is_small_enough_for_a_managed_policy(name: str) -> None:
    text = json.dumps({"Version": "2012-10-17", "Statement": permissions.document(name, STACK)}, separators=(",", ":"))
    assert len(text) <= MANAGED_POLICY_CHARACTERS
    assert "{{" not in text


def test_a_user_can_have_all_of_the_deployers_documents() -> None:
    assert 0 < len(DEPLOYER) <= MANAGED_POLICIES


def test_the_record_is_of_a_whole_life_cycle() -> None:
    made = {playbook for call in CALLS for playbook in call["playbooks"]}
    assert made >= {"site", "plan", "outputs", "load", "verify", "imports", "replay", "rotate", "teardown"}


@pytest.mark.parametrize(
    ("by", "documents"), [(BY_DEPLOYER, DEPLOYER), (BY_READER, READER), (BY_FUNCTION, ["importer"])]
)
def test_every_call_is_allowed(by: list[Call], documents: list[str]) -> None:
    given = statements(documents)
    assert len(by) > 1
    assert [line(call) for call in refused(by, given)] == []


def needless(documents: list[str], by: list[Call]) -> Iterator[str]:
    """Yield the statements without which all calls are still allowed."""
    for name in documents:
        for statement in permissions.document(name, STACK):
            rest = [one for one in statements(documents) if one != statement]
            if statement["Effect"] == "Allow" and not refused(by, rest):
                yield f"{name}/{statement['Sid']}"


@pytest.mark.parametrize(
    ("by", "documents"), [(BY_DEPLOYER, DEPLOYER), (BY_READER, READER), (BY_FUNCTION, ["importer"])]
)
def test_each_statement_was_needed(by: list[Call], documents: list[str]) -> None:
    excepted = not_recorded()
    without_reason = [
        name
        for name in needless(documents, by)
        if not all(
            f"{name.split('/')[0]} {action}" in excepted
            for one in permissions.document(name.split("/")[0])
            if one["Sid"] == name.split("/")[1]
            for action in permissions.listed(one["Action"])
        )
    ]
    assert without_reason == []


def unneeded(documents: list[str], by: list[Call]) -> set[str]:
    """Return the actions of documents that no call needed."""
    asked = {(call["action"]) for call in by}
    return {
        f"{name} {action}"
        for name in documents
        for statement in permissions.document(name)
        if statement["Effect"] == "Allow"
        for action in permissions.listed(statement["Action"])
        if action not in asked
    }


def test_each_action_was_needed_or_has_its_reason() -> None:
    found = (
        unneeded(DEPLOYER, BY_DEPLOYER)
        | unneeded(READER, BY_READER)
        | unneeded(["importer"], BY_FUNCTION)
        # Local hosts and flow logs have no credentials, and the local database accepts no tokens.
        | unneeded(["app_host", "app_host_login", "flow_logs", "importer_login"], [])
        # It is given to the function only where processed files are tagged, which they were not.
        | unneeded(["importer_processed_files"], BY_FUNCTION)
    )
    assert sorted(found - not_recorded()) == [], "no call needed it, and files/policies/exceptions.yml has no reason"
    assert sorted(not_recorded() - found) == [], "files/policies/exceptions.yml has what a call needs"


def test_no_action_has_a_wildcard() -> None:
    assert [one["Sid"] for one in statements(permissions.names()) if "*" in str(one["Action"])] == []


def test_each_statement_about_everything_has_its_reason() -> None:
    found = {
        f"{name}/{statement['Sid']}"
        for name in permissions.names()
        for statement in permissions.document(name)
        if statement["Resource"] == "*"
    }
    assert found == {name for entry in EXCEPTIONS["every_resource"] for name in entry["statements"]}


@pytest.mark.parametrize(("name", "user"), [("importer_login", "importer"), ("app_host_login", "application")])
def test_a_login_with_a_token_is_as_one_user_of_one_cluster(name: str, user: str) -> None:
    users = "arn:aws:rds-db:eu-west-1:123456789012:dbuser:cluster-ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    (statement,) = permissions.document(name, STACK)
    assert (statement["Action"], statement["Resource"]) == ("rds-db:connect", f"{users}/{user}")


@pytest.mark.parametrize(
    ("login", "cluster", "may"),
    [("password", "cluster-A", False), ("iam", "cluster-A", True), ("iam", None, False), ("iam", "", False)],
)
def test_a_role_may_log_in_with_tokens_where_they_are_used_and_the_cluster_is_known(
    login: str, cluster: str | None, *, may: bool
) -> None:
    """None is a cluster that has not been gathered, an empty string one that does not exist."""
    found = {
        "cluster_resource_id": cluster or None,
        "importer_username": "importer",
        "application_username": "application",
    }
    given = {"aws_account_id": STACK["aws_account_id"], "stack_database_login": login} | (
        {} if cluster is None else {"database_outputs": found}
    )
    shown = ansible_command(
        "ansible",
        "controller",
        "--inventory=inventories/dev/hosts.yml",
        "--module-name=ansible.builtin.debug",
        "--args=msg={{ {'importer': importer_policy, 'app_host': app_host_policy} | to_json | b64encode }}",
        f"--extra-vars={json.dumps(given)}",
        ANSIBLE_CALLBACK_RESULT_FORMAT="json",
        ANSIBLE_STDOUT_CALLBACK="ansible.builtin.minimal",
    )
    assert shown.returncode == 0, shown.stdout + shown.stderr
    policies = json.loads(base64.b64decode(json.loads(shown.stdout.partition("=>")[2])["msg"]))
    for role, user in {"importer": "importer", "app_host": "application"}.items():
        statements = policies[role]["Statement"]
        assert [one["Resource"].split(":")[-1] for one in statements if one["Action"] == "rds-db:connect"] == (
            [f"{cluster}/{user}"] if may else []
        )
        assert len(statements) == len(permissions.document(role)) + may


@pytest.mark.parametrize(
    ("setting", "may"),
    [
        ({}, False),
        ({"tag": False}, False),
        ({"tag": True}, True),
        ({"tag": True, "expire_days": 90}, True),
        # Refused by preflight, which names them.
        ({"tag": "yes"}, False),
        ({"expire_days": 90}, False),
        (None, False),
        ("tag", False),
        (["tag"], False),
    ],
)
def test_the_function_may_tag_objects_only_where_processed_files_are_tagged(setting: object, *, may: bool) -> None:
    given = {"aws_account_id": STACK["aws_account_id"], "stack_processed_files": setting}
    shown = ansible_command(
        "ansible",
        "controller",
        "--inventory=inventories/dev/hosts.yml",
        "--module-name=ansible.builtin.debug",
        "--args=msg={{ [importer_processed_objects, importer_policy, stack_boundary_policy] | to_json | b64encode }}",
        f"--extra-vars={json.dumps(given)}",
        ANSIBLE_CALLBACK_RESULT_FORMAT="json",
        ANSIBLE_STDOUT_CALLBACK="ansible.builtin.minimal",
    )
    assert shown.returncode == 0, shown.stdout + shown.stderr
    told, *policies = json.loads(base64.b64decode(json.loads(shown.stdout.partition("=>")[2])["msg"]))
    assert told == ("tag" if may else "")
    for name, policy in zip(["importer", "boundary"], policies, strict=True):
        tagging = [one for one in policy["Statement"] if "VersionTagging" in str(one["Action"])]
        assert tagging == (permissions.document(f"{name}_processed_files", OTHER_STACK) if may else []), name
        assert len(policy["Statement"]) == len(permissions.document(name)) + may, name


def test_three_roles_can_be_passed_each_to_its_own_service() -> None:
    passing = [one for one in statements(permissions.names()) if "iam:PassRole" in permissions.listed(one["Action"])]
    role = f"arn:aws:iam::{STACK['aws_account_id']}:role/{STACK['stack_name']}"
    assert {one["Resource"]: one["Condition"]["StringEquals"]["iam:PassedToService"] for one in passing} == {
        f"{role}-importer": "lambda.amazonaws.com",
        f"{role}-app": "ec2.amazonaws.com",
        f"{role}-flow-logs": "vpc-flow-logs.amazonaws.com",
    }


def test_the_reader_writes_nothing() -> None:
    given = statements(READER)
    actions = {action for one in given for action in permissions.listed(one["Action"])}
    assert [action for action in actions if not action.split(":")[1].startswith(READ)] == []
    writes = [call for call in BY_DEPLOYER if not call["action"].split(":")[1].startswith(READ)]
    assert len(writes) > 50
    assert refused(writes, given) == writes


def test_only_one_document_lets_the_reader_read_secrets() -> None:
    secret = [call for call in BY_READER if call["action"] == "secretsmanager:GetSecretValue"]
    assert secret
    assert refused(secret, statements(["reader"])) == secret


def test_the_deployer_of_one_environment_changes_nothing_of_another() -> None:
    # What AWS owns, and what carries no tags yet.
    unmanaged = (
        "::image/*",
        ":network-interface/*",
        ":og:default:*",
        ":pg:default.*",
        ":db:*",
        ":role/aws-service-role/*",
        ":hostedzone/*",
    )
    given = statements(DEPLOYER)
    foreign = [
        call
        for call in calls(OTHER_STACK)
        if call["who"] == "deployer"
        and not call["action"].split(":")[1].startswith(READ)
        and not any(fnmatchcase(call["resource"], f"*{one}") for one in unmanaged)
        # The default group of a VPC carries no tags: see test_adversary.py.
        and not (":security-group/" in call["resource"] and not call["context"])
    ]
    assert len(foreign) > 50
    denied = refused(foreign, given)
    assert [line(call) for call in foreign if call not in denied] == []


@pytest.mark.parametrize(("cluster", "logins"), [("", 0), ("cluster-A", 2)])
def test_the_boundary_is_written_for_an_administrator(tmp_path: Path, cluster: str, logins: int) -> None:
    given = {
        "aws_account_id": STACK["aws_account_id"],
        "permissions_directory": str(tmp_path),
        "permissions_cluster_id": cluster,
        "stack_database_login": "iam",
    }
    shown = ansible_command(
        "ansible-playbook",
        "playbooks/permissions.yml",
        "--inventory=inventories/stage/hosts.yml",
        f"--extra-vars={json.dumps(given)}",
    )
    assert shown.returncode == 0, shown.stdout + shown.stderr
    found = json.loads((tmp_path / "boundary.json").read_text(encoding="utf-8"))["Statement"]
    assert found[: len(found) - bool(logins)] == permissions.document("boundary", STACK)
    users = [one for statement in found for one in permissions.listed(statement["Resource"]) if ":dbuser:" in one]
    assert [one.rpartition(":")[2].partition("/")[0] for one in users] == [cluster] * logins
    assert not [*tmp_path.glob("*_login.json"), *tmp_path.glob("*_processed_files.json")]


def test_the_documents_are_written_for_a_stack_without_a_boundary(tmp_path: Path) -> None:
    """IAM takes no policy with an empty ARN; the reader's and most of the deployer's are used there, too."""
    given = {
        "aws_account_id": STACK["aws_account_id"],
        "permissions_directory": str(tmp_path),
        "stack_permissions_boundary": "",
    }
    shown = ansible_command(
        "ansible-playbook",
        "playbooks/permissions.yml",
        "--inventory=inventories/stage/hosts.yml",
        f"--extra-vars={json.dumps(given)}",
    )
    assert shown.returncode == 0, shown.stdout + shown.stderr
    files = list(tmp_path.glob("*.json"))
    assert len(files) == len(
        [name for name in permissions.names() if not name.endswith(("_login", "_processed_files"))]
    )
    for file in files:
        for statement in json.loads(file.read_text(encoding="utf-8"))["Statement"]:
            resources = permissions.listed(statement["Resource"])
            assert [one for one in resources if one != "*" and not one.startswith("arn:aws:")] == [], file.name


@pytest.mark.parametrize("suffix", ["", "-0a1b2c3d"])
def test_the_boundary_is_recorded_as_that_of_any_stack(suffix: str) -> None:
    """The local cloud's has the digest of its document in its name."""
    arn = f"arn:aws:iam::000000000000:policy/csv-to-aurora-local-boundary{suffix}"
    assert permissions.general({"iam:PermissionsBoundary": arn}, {"aws_account_id": "000000000000"}) == {
        "iam:PermissionsBoundary": "{{ stack_permissions_boundary }}"
    }


def test_the_tables_are_those_of_the_documents() -> None:
    assert permissions.tables(check=True) == [], "run tools/permissions.py"
