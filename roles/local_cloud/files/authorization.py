"""Authorize calls on what they are about, as AWS does, and keep a record of it.

ministack evaluates policies as AWS does, but for EC2, and for parts of RDS and IAM, it asks about the resource "*"
without tags, and it never asks for `iam:PassRole`. A policy that names resources or tags would be refused, and one that
does not would prove little. So this says for those calls which resources they name, which tags those carry, and which
further permissions they take; ministack still decides.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Kinds of EC2 resources, by what their ids begin with.
KINDS = {
    "ami": "image",
    "eipalloc": "elastic-ip",
    "eni": "network-interface",
    "fl": "vpc-flow-log",
    "i": "instance",
    "igw": "internet-gateway",
    "lt": "launch-template",
    "nat": "natgateway",
    "rtb": "route-table",
    "sg": "security-group",
    "subnet": "subnet",
    "vol": "volume",
    "vpc": "vpc",
    "vpce": "vpc-endpoint",
}
# What a call makes, which has no id yet.
MADE = {
    "AllocateAddress": ["elastic-ip"],
    "CreateFlowLogs": ["vpc-flow-log"],
    "CreateInternetGateway": ["internet-gateway"],
    "CreateLaunchTemplate": ["launch-template"],
    "CreateNatGateway": ["natgateway"],
    "CreateRouteTable": ["route-table"],
    "CreateSecurityGroup": ["security-group"],
    "CreateSubnet": ["subnet"],
    "CreateVpc": ["vpc"],
    "CreateVpcEndpoint": ["vpc-endpoint"],
    "RunInstances": ["instance", "network-interface", "volume"],
}
# Calls that name other resources without being checked on them.
CHECKED_ONLY = {"CreateRoute": {"route-table"}, "ReplaceRoute": {"route-table"}}
# What is inside these parameters does not happen at once, or is no resource of the call's.
IGNORED = re.compile(r"^(Filter|LaunchTemplateData|TagSpecification|Tag|UserData)\b")
# RDS' parameters that name a resource, and its kind.
RDS_KINDS = {
    "DBClusterIdentifier": "cluster",
    "DBClusterParameterGroupName": "cluster-pg",
    "DBClusterSnapshotIdentifier": "cluster-snapshot",
    "DBInstanceIdentifier": "db",
    "DBSubnetGroupName": "subgrp",
}
# Operations of Lambda whose permission has another name.
LAMBDA_ACTIONS = {"Invoke": "InvokeFunction", "InvokeAsync": "InvokeFunction"}
# What RDS describes where nothing is named.
RDS_DESCRIBED = {
    "DescribeDBClusterParameterGroups": "cluster-pg",
    "DescribeDBClusters": "cluster",
    "DescribeDBClusterSnapshots": "cluster-snapshot",
    "DescribeDBInstances": "db",
    "DescribeDBSubnetGroups": "subgrp",
}


@dataclass(frozen=True)
class Check:
    """One question that a call raises: may this caller do `action` to `resource`, under these conditions?"""

    action: str
    resource: str
    context: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """What a call says: its parameters, its body where that is JSON, and what Lambda calls the operation."""

    parameters: Mapping[str, str]
    body: Mapping[str, Any]
    account: str
    region: str
    operation: str = ""


_request: ContextVar[Request | None] = ContextVar("request", default=None)


def numbered(request: Request, pattern: str) -> list[str]:
    """The values of the parameters whose names match `pattern`."""
    return [value for key, value in request.parameters.items() if re.match(pattern, key)]


def resource_tags(identifier: str) -> dict[str, str]:
    """The conditions that the tags of an EC2 resource make."""
    from ministack.services import ec2  # noqa: PLC0415  # reads its settings when it is imported

    return {f"aws:ResourceTag/{tag['Key']}": tag["Value"] for tag in ec2._tags.get(identifier) or []}  # noqa: SLF001


def request_tags(request: Request, prefix: str) -> dict[str, str | list[str]]:
    """The conditions that the tags make which a call brings along, in the parameters that begin with `prefix`."""
    keys = {key: value for key, value in request.parameters.items() if re.fullmatch(rf"{prefix}\.\d+\.Key", key)}
    found: dict[str, str | list[str]] = {
        f"aws:RequestTag/{tag}": request.parameters.get(key.removesuffix("Key") + "Value", "")
        for key, tag in keys.items()
    }
    return {**found, "aws:TagKeys": list(keys.values())} if found else {}


def specified_tags(request: Request, kind: str) -> dict[str, str | list[str]]:
    """The conditions of the tags that a call gives to what it makes of this kind."""
    for key, value in request.parameters.items():
        if re.fullmatch(r"TagSpecification\.\d+\.ResourceType", key) and value == kind:
            return request_tags(request, re.escape(key.removesuffix(".ResourceType")) + r"\.Tag")
    return {}


def launch_template(request: Request) -> dict[str, Any]:
    """The launch template that a call names, or nothing."""
    from ministack.services import ec2  # noqa: PLC0415

    parameters = request.parameters
    identifier = parameters.get("LaunchTemplateId") or parameters.get("LaunchTemplate.LaunchTemplateId")
    name = parameters.get("LaunchTemplateName") or parameters.get("LaunchTemplate.LaunchTemplateName")
    for template in ec2._launch_templates.values():  # noqa: SLF001
        if template["LaunchTemplateId"] == identifier or (name and template["LaunchTemplateName"] == name):
            return dict(template)
    return {}


def associated(identifier: str) -> list[str]:
    """The ids that an association is between."""
    from ministack.services import ec2  # noqa: PLC0415

    profile = ec2._iam_instance_profile_associations.get(identifier)  # noqa: SLF001
    if profile:
        return [profile["InstanceId"]]
    return [
        found
        for table in ec2._route_tables.values()  # noqa: SLF001
        for association in table.get("Associations", [])
        if association["RouteTableAssociationId"] == identifier
        for found in (table["RouteTableId"], association.get("SubnetId"))
        if found
    ]


def named_identifiers(request: Request, name: str) -> list[str]:
    """The ids of all existing resources that an EC2 call names."""
    values = [value for key, value in request.parameters.items() if not IGNORED.match(key)]
    template = launch_template(request) if name not in MADE or name == "RunInstances" else {}
    if template:
        values.append(template["LaunchTemplateId"])
    if template and name == "RunInstances":
        # What the template says happens now. Its ids are found as what they look like.
        values += re.findall(r'"((?:ami|sg|subnet)-[0-9a-f]+)"', json.dumps(template["Versions"][-1]))
    for value in [value for value in values if re.match(r"(rtb|iip-)assoc-", value)]:
        values += associated(value)
    found = [
        value
        for value in values
        if (match := re.fullmatch(r"([a-z]+)-[0-9a-f]{8,17}", value))
        and match[1] in KINDS
        and KINDS[match[1]] in CHECKED_ONLY.get(name, {KINDS[match[1]]})
    ]
    return list(dict.fromkeys(found))


def passed_role(request: Request, name: str) -> str:
    """The role that an EC2 call hands to a host or to flow logs, or nothing."""
    from ministack.services import iam  # noqa: PLC0415

    role = request.parameters.get("DeliverLogsPermissionArn", "")
    if role:
        return role
    text = json.dumps(dict(request.parameters))
    if name == "RunInstances":
        text += json.dumps(launch_template(request).get("Versions", [""])[-1])
    elif name not in {"AssociateIamInstanceProfile", "ReplaceIamInstanceProfileAssociation"}:
        return ""
    for profile in iam._instance_profiles.values():  # noqa: SLF001
        name = profile["InstanceProfileName"]
        if profile["Roles"] and re.search(rf'"{re.escape(name)}"|instance-profile/{re.escape(name)}"', text):
            return f"arn:aws:iam::{request.account}:role/{profile['Roles'][0]}"
    return ""


def ec2_checks(request: Request, action: str) -> Iterator[Check]:
    """What an EC2 call has to be allowed."""
    name = action.partition(":")[2]
    prefix = f"arn:aws:ec2:{request.region}:{request.account}:"
    if name in {"DescribeInstanceAttribute", "DescribeVpcAttribute"}:
        for identifier in named_identifiers(request, name):
            yield Check(action, f"{prefix}{KINDS[identifier.rpartition('-')[0]]}/{identifier}")
        return
    if name.startswith(("Describe", "Get")):
        yield Check(action, "*")
        return
    for kind in MADE.get(name, []):
        tags = specified_tags(request, kind)
        yield Check(action, f"{prefix}{kind}/*", tags)
        if tags:
            yield Check("ec2:CreateTags", f"{prefix}{kind}/*", {**tags, "ec2:CreateAction": name})
    if key := request.parameters.get("KeyName"):
        tags = specified_tags(request, "key-pair")
        yield Check(action, f"{prefix}key-pair/{key}", tags)
        if tags:
            yield Check("ec2:CreateTags", f"{prefix}key-pair/{key}", {**tags, "ec2:CreateAction": name})
    tags = request_tags(request, "Tag") if name in {"CreateTags", "DeleteTags"} else {}
    for identifier in named_identifiers(request, name):
        kind = KINDS[identifier.rpartition("-")[0]]
        owned = f"arn:aws:ec2:{request.region}::" if kind == "image" else prefix
        yield Check(action, f"{owned}{kind}/{identifier}", {**tags, **resource_tags(identifier)})
    if role := passed_role(request, name):
        service = "vpc-flow-logs.amazonaws.com" if name == "CreateFlowLogs" else "ec2.amazonaws.com"
        yield Check("iam:PassRole", role, {"iam:PassedToService": service})


def rds_checks(request: Request, action: str) -> Iterator[Check]:
    """What an RDS call has to be allowed."""
    name = action.partition(":")[2]
    prefix = f"arn:aws:rds:{request.region}:{request.account}:"
    found = [
        f"{prefix}{kind}:{request.parameters[key]}" for key, kind in RDS_KINDS.items() if request.parameters.get(key)
    ]
    if "ResourceName" in request.parameters:
        found.append(request.parameters["ResourceName"])
    if name == "CreateDBCluster":
        # Every cluster has an option group; for MySQL it is the empty default one.
        found.append(f"{prefix}og:default:aurora-mysql-8-0")
    if not found and name in RDS_DESCRIBED:
        found.append(f"{prefix}{RDS_DESCRIBED[name]}:*")
    tags = request_tags(request, r"Tags\.(?:Tag|member)")
    for resource in found or ["*"]:
        yield Check(action, resource, tags)
    if tags and name.startswith("Create"):
        # With tags, what is made is tagged by the same call.
        for resource in found[:1]:
            yield Check("rds:AddTagsToResource", resource, tags)


def iam_checks(request: Request, action: str, resource: str) -> Iterator[Check]:
    """What an IAM call has to be allowed."""
    profile = request.parameters.get("InstanceProfileName")
    if not profile:
        yield Check(action, resource)
        return
    yield Check(action, f"arn:aws:iam::{request.account}:instance-profile/{profile}")
    if action == "iam:AddRoleToInstanceProfile":
        role = f"arn:aws:iam::{request.account}:role/{request.parameters['RoleName']}"
        yield Check("iam:PassRole", role, {"iam:PassedToService": "ec2.amazonaws.com"})


def lambda_checks(request: Request, action: str, resource: str, context: Mapping[str, Any]) -> Iterator[Check]:
    """What a Lambda call has to be allowed."""
    if request.operation:
        action = f"lambda:{LAMBDA_ACTIONS.get(request.operation, request.operation)}"
    if action == "lambda:CreateFunction":
        resource = f"arn:aws:lambda:{request.region}:{request.account}:function:{request.body['FunctionName']}"
    yield Check(action, resource, context)
    if action in {"lambda:CreateFunction", "lambda:UpdateFunctionConfiguration"} and request.body.get("Role"):
        yield Check("iam:PassRole", request.body["Role"], {"iam:PassedToService": "lambda.amazonaws.com"})


def checks(service: str, action: str, resource: str, context: Mapping[str, Any]) -> Iterator[Check]:
    """Every question that a call raises.

    Args:
        service: ministack's name of the service.
        action: What is asked for, such as `ec2:CreateVpc`.
        resource: The ARN that ministack found, or "*".
        context: The condition keys that ministack found.
    """
    request = _request.get()
    if service == "sqs":
        # What may be done to one message may be done to several.
        yield Check(action.removesuffix("Batch"), resource, context)
        if request and action == "sqs:CreateQueue" and request.body.get("tags"):
            yield Check("sqs:TagQueue", resource, context)
    elif request and action in {"cloudwatch:DeleteAlarms", "cloudwatch:DescribeAlarms"}:
        prefix = f"arn:aws:cloudwatch:{request.region}:{request.account}:alarm:"
        named = request.body.get("AlarmNames", []) if action == "cloudwatch:DeleteAlarms" else ["*"]
        yield from (Check(action, f"{prefix}{name}") for name in named)
    elif request is None or service not in {"ec2", "rds", "iam", "lambda"}:
        yield Check(action, resource, context)
    elif service == "ec2":
        yield from ec2_checks(request, action)
    elif service == "rds":
        yield from rds_checks(request, action)
    elif service == "iam":
        yield from iam_checks(request, action, resource)
    else:
        yield from lambda_checks(request, action, resource, context)


def read_request(
    body: bytes, parameters: Mapping[str, Any], account: str, region: str, operation: str | None
) -> Request:
    """Read what a call says, without regard to its protocol."""
    try:
        content = json.loads(body) if body[:1] == b"{" else {}
    except ValueError:
        content = {}
    flat = {key: str(value[0] if isinstance(value, list) and value else value) for key, value in parameters.items()}
    return Request(flat, content, account, region, operation or "")


class Record:
    """A file with one line of JSON for each distinct answer, so that it stays small."""

    def __init__(self, path: Path) -> None:
        """Keep the record in `path`. Whoever removes the file has a new one begun."""
        self.path = path
        self.seen: set[str] = set()

    def note(self, principal: str, check: Check, *, allowed: bool) -> None:
        """Write an answer down, unless it is there already."""
        line = json.dumps(
            {
                "principal": principal,
                "action": check.action,
                "resource": check.resource,
                "context": {key: value for key, value in check.context.items() if value is not None},
                "allowed": allowed,
            },
            sort_keys=True,
        )
        if not self.path.exists():
            self.seen.clear()
        if line not in self.seen:
            self.seen.add(line)
            with self.path.open("a") as file:
                file.write(line + "\n")


def install(record: Path) -> None:
    """Have ministack ask what AWS asks, from now on.

    Args:
        record: File that is told of every answer for a caller that is bound by policies.
    """
    from ministack.core import iam_actions, iam_evaluator  # noqa: PLC0415
    from ministack.core.responses import get_account_id  # noqa: PLC0415

    extract, enforce = iam_actions.extract_resource_arn, iam_evaluator.enforce
    kept = Record(record)
    # ministack tells only some of Lambda's operations apart here; the SDK's own model knows them all.
    iam_actions._BOTOCORE_SERVICE_MAP.setdefault("lambda", ["lambda"])  # noqa: SLF001

    def extract_and_remember(*positional: Any) -> str:
        service, method, path, _, body, parameters, region, account = positional
        operation = (
            iam_actions._match_rest_action(service, method, path, parameters)  # noqa: SLF001
            if service == "lambda"
            else None
        )
        _request.set(read_request(body, parameters, account, region, operation))
        return str(extract(*positional))

    def enforce_each(access_key_id: str, iam_action: str, service: str, region: str, **about: Any) -> Any:
        principal = iam_evaluator.resolve_principal(access_key_id or "", get_account_id())
        context = about.get("service_context") or {}
        for check in checks(service, iam_action, about.get("resource_arn", "*"), context):
            denied = enforce(
                access_key_id,
                check.action,
                service,
                region,
                resource_arn=check.resource,
                service_context=dict(check.context),
            )
            if getattr(principal, "policies", None) is not None:
                kept.note(principal.arn, check, allowed=denied is None)
            if denied:
                return denied
        return None

    iam_actions.extract_resource_arn = extract_and_remember
    iam_evaluator.enforce = enforce_each
