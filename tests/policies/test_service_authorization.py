"""The documents in files/policies against AWS' service authorization reference.

A statement is void, without any error, where its action does not exist, where the action is not authorized on its
resources, or where its condition has a key that AWS does not set for the action: such a key never matches.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import permissions
import pytest
import yaml
from botocore import xform_name

from tests.policies import service_authorization as reference
from tests.policies.second_permissions import SECOND, Second
from tests.policies.stack import STACK
from tests.policies.test_policies import CALLS, FREE, Call, Statement, refused, statements

EXCEPTIONS = yaml.safe_load((permissions.POLICIES / "exceptions.yml").read_text(encoding="utf-8"))
DOCUMENTS = {
    "deployer": [name for name in permissions.names() if name.startswith("deployer-")],
    "reader": ["reader", "reader-secrets"],
    "scheduled plan": ["plan-notify"],
    "importer": ["importer", "importer_login", "importer_processed_files"],
    "app host": ["app_host", "app_host_login"],
    "boundary": ["boundary", "boundary_login", "boundary_processed_files"],
    "flow logs": ["flow_logs"],
}
"""Who has which documents."""
PREFIXES = {"resourcegroupstaggingapi": "tag"}
"""Of actions, where it is not botocore's name of the service."""
OTHER_NAMES = {
    "s3:DeleteBucketLifecycle": "s3:PutLifecycleConfiguration",
    "s3:DeleteObjects": "s3:DeleteObject",
    "s3:GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "s3:ListObjectVersions": "s3:ListBucketVersions",
    "s3:PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
}
"""Of actions, where it is not that of the operation."""


def void(statement: Statement) -> Iterator[str]:
    """Yield the actions and resources of a statement with which it never matches a call."""
    found = list(reference.matches(statement))
    for action in permissions.listed(statement["Action"]):
        if reference.action(action) is None:
            yield f"{action} does not exist"
        elif action not in {one for one, _, _ in found}:
            yield f"{action} on none of the resources under these conditions"
    for resource in permissions.listed(statement["Resource"]):
        if resource not in {one for _, one, _ in found} and resource != "*":
            yield f"{resource} with none of the actions under these conditions"


def granted(documents: list[str]) -> tuple[set[str], set[tuple[str, str]]]:
    """Return the actions that documents allow, and each with the types of resources that it is allowed on."""
    allowing = [one for one in statements(documents) if one["Effect"] == "Allow"]
    actions = {action for one in allowing for action in permissions.listed(one["Action"])}
    return actions, {(action, kind) for one in allowing for action, _, kind in reference.matches(one)}


def types_left(documents: list[str], *, required: bool) -> Iterator[str]:
    """Yield the types of resources that allowed actions are authorized on, but are not allowed on."""
    actions, found = granted(documents)
    for action in sorted(actions):
        known = reference.action(action)
        kinds = known.types if known else ()
        if not required and not any(one.required for one in kinds):
            # It is authorized on one of them, such as a tag's resource.
            continue
        yield from (
            f"{action} {one.name}" for one in kinds if one.required is required and (action, one.name) not in found
        )


def test_everybody_is_looked_at() -> None:
    assert sorted(name for names in DOCUMENTS.values() for name in names) == permissions.names()


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ({"Action": "lambda:GetFunctions", "Resource": "*"}, "lambda:GetFunctions does not exist"),
        ({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::bucket"}, "s3:GetObject on none of the resources"),
        ({"Action": "ec2:DescribeVpcs", "Resource": "arn:aws:ec2:*:*:vpc/*"}, "ec2:DescribeVpcs on none of"),
        (
            {
                "Action": "s3:CreateBucket",
                "Resource": "arn:aws:s3:::bucket",
                "Condition": {"StringEquals": {"aws:ResourceTag/Project": "project"}},
            },
            "s3:CreateBucket on none of the resources under these conditions",
        ),
        (
            {
                "Action": "rds:CreateDBInstance",
                "Resource": ["arn:aws:rds:*:*:db:a", "arn:aws:rds:*:*:global-cluster:a"],
            },
            "global-cluster:a with none of the actions",
        ),
    ],
)
def test_a_statement_that_never_matches_is_found(statement: dict[str, Any], said: str) -> None:
    assert said in "; ".join(void(statement))


def test_every_statement_can_match() -> None:
    found = {
        f"{name}/{statement['Sid']}": list(void(statement))
        for name in permissions.names()
        for statement in permissions.document(name, STACK)
    }
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize("who", DOCUMENTS)
def test_an_action_is_allowed_on_every_type_of_resource_that_it_requires(who: str) -> None:
    assert list(types_left(DOCUMENTS[who], required=True)) == []


def test_an_action_is_allowed_on_every_type_of_resource_that_a_run_has() -> None:
    found = {one for documents in DOCUMENTS.values() for one in types_left(documents, required=False)}
    excepted = {one for entry in EXCEPTIONS["unused_resource_types"] for one in entry["types"]}
    assert sorted(found - excepted) == [], "grant it, or say in files/policies/exceptions.yml why no call has one"
    assert sorted(excepted - found) == [], "files/policies/exceptions.yml has what is granted"


def test_what_an_action_depends_on_is_allowed_or_has_its_reason() -> None:
    found = set()
    for documents in DOCUMENTS.values():
        actions, _ = granted(documents)
        known = filter(None, map(reference.action, actions))
        found |= {one for action in known for one in action.dependent} - actions
    excepted = {one for entry in EXCEPTIONS["unused_dependent_actions"] for one in entry["actions"]}
    assert sorted(found - excepted) == [], "grant it, or say in files/policies/exceptions.yml why no call needs it"
    assert sorted(excepted - found) == [], "files/policies/exceptions.yml has what nothing depends on"
    assert all(
        entry["reason"] for key in ("unused_resource_types", "unused_dependent_actions") for entry in EXCEPTIONS[key]
    )


def types_of(call: Call) -> list[reference.ResourceType]:
    known = reference.action(call["action"])
    return [one for one in known.types if reference.fits(call["resource"], one)] if known else []


def test_the_recorded_calls_are_on_resources_that_aws_authorizes_them_on() -> None:
    wrong = [
        f"{call['action']} on {call['resource']}"
        for call in CALLS
        if reference.action(call["action"]) is None
        or (call["resource"] == "*" if types_of(call) else call["resource"] != "*")
    ]
    assert wrong == []


def test_every_call_is_allowed_with_the_condition_keys_that_aws_sets() -> None:
    """The emulator may set a key that AWS does not set for the action, and so match a condition that never matches."""
    for who, documents in (("deployer", DOCUMENTS["deployer"]), (f"{STACK['stack_name']}-importer", ["importer"])):
        made = []
        for call in (one for one in CALLS if one["who"] == who):
            known = reference.action(call["action"])
            keys = frozenset(key for one in types_of(call) for key in one.keys) | (known.keys if known else frozenset())
            # Keys of tags do not depend on their case, and the emulator writes them in two.
            lower = frozenset(key.lower() for key in keys)
            context = {key: value for key, value in call["context"].items() if reference.supported(key.lower(), lower)}
            made.append({**call, "context": context})
        assert made
        assert [f"{call['action']} on {call['resource']}" for call in refused(made, statements(documents))] == []


def sample(second: Second, *, first: bool) -> Call:
    action, resource, context = (
        (second.action, second.resource, second.context) if first else (second.needs, second.on, second.needs_context)
    )
    return {"action": action, "resource": resource, "context": context}


@pytest.mark.parametrize("second", SECOND, ids=lambda second: f"{second.action} {second.needs}")
def test_what_an_action_takes_in_addition_is_allowed(second: Second) -> None:
    having = [
        who
        for who, documents in DOCUMENTS.items()
        if who in (second.who or DOCUMENTS) and not refused([sample(second, first=True)], statements(documents))
    ]
    assert having, "nobody may do it: the row is not needed"
    lacking = [who for who in having if refused([sample(second, first=False)], statements(DOCUMENTS[who]))]
    assert lacking == [], f"without it: {second.without}"


def test_what_the_roles_say_they_need_is_granted() -> None:
    """Each role's README has a row of actions for each state; those of all states only read."""
    deployer, reader = (granted(DOCUMENTS[who])[0] | FREE for who in ("deployer", "reader"))
    looked_at = 0
    for path in sorted((permissions.ROOT / "roles").glob("*/README.md")):
        section = path.read_text(encoding="utf-8").partition("\n## Permissions\n")[2].partition("\n## ")[0]
        for line in section.splitlines():
            needed = set(re.findall(r"`([a-z0-9-]+:[A-Z][A-Za-z0-9]+)`", line))
            looked_at += len(needed)
            assert needed <= deployer, f"{path}: {sorted(needed - deployer)}"
            assert not line.startswith("| all |") or needed <= reader, f"{path}: {sorted(needed - reader)}"
    assert looked_at > 100


def called(path: Path) -> Iterator[str]:
    """Yield the actions of the API operations that a module of the collection names."""
    text = path.read_text(encoding="utf-8")
    services = set(re.findall(r'(?:client\(|Question\(|_named\()\s*"([a-z0-9]+)"', text))
    for service in services | ({"ec2"} if "_ec2(" in text else set()):
        model = botocore.session.get_session().get_service_model(service)
        operations = {xform_name(name): name for name in model.operation_names}
        for word in set(re.findall(r"[a-z]+(?:_[a-z0-9]+)+", text)) & operations.keys():
            action = f"{PREFIXES.get(service, service)}:{operations[word]}"
            yield OTHER_NAMES.get(action, action)


def test_what_the_collections_own_modules_call_is_granted() -> None:
    """Modules of other collections are not looked at: they also name what no run calls."""
    plugins = permissions.ROOT / "collections/ansible_collections/csv_to_aurora/aws/plugins"
    found = {action for path in plugins.glob("module*/*.py") for action in called(path)} - FREE
    assert len(found) > 50
    assert sorted(action for action in found if reference.action(action) is None) == [], "add them to OTHER_NAMES"
    assert sorted(found - granted(DOCUMENTS["deployer"])[0]) == []


def test_second_permissions_exist_and_have_a_source() -> None:
    assert [one.needs for one in SECOND if reference.action(one.needs) is None] == []
    assert [one.action for one in SECOND if not one.source.startswith("https://docs.aws.amazon.com/")] == []
