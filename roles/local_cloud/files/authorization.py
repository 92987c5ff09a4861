"""Authorize calls on the resources that they name, as AWS does, and record each authorization.

ministack evaluates policies as AWS does, but for EC2, and for parts of RDS and IAM, it evaluates them for the resource
"*" without tags, and it never requires `iam:PassRole`. A policy with resources or tags would deny such calls, and one
without them would prove little. So this finds the resources that those calls name, their tags, and the further
permissions that the calls require; ministack still decides. Some calls are answered differently without a second
permission, rather than denied; their answers are changed as AWS changes them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from pathlib import Path
from typing import Any

# Kinds of EC2 resources, by the prefixes of their ids.
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
# The kinds that a call creates, which have no id yet.
CREATED = {
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
# Calls that name other resources without being authorized on them.
CHECKED_ONLY = {"CreateRoute": {"route-table"}, "ReplaceRoute": {"route-table"}}
# These parameters name no resources of the call, or of a later call only.
IGNORED = re.compile(r"^(Filter|LaunchTemplateData|TagSpecification|Tag|UserData)\b")
# The hosted zone of an interface endpoint's private DNS names, which belongs to AWS; its id does not matter here.
HOSTED_ZONE = "arn:aws:route53:::hostedzone/Z0123456789ABCDEFGHIJ"
# RDS' parameters that name a resource, and its kind. What a call creates comes before what it is created in.
RDS_KINDS = {
    "DBClusterSnapshotIdentifier": "cluster-snapshot",
    "DBInstanceIdentifier": "db",
    "DBClusterIdentifier": "cluster",
    "DBClusterParameterGroupName": "cluster-pg",
    "DBParameterGroupName": "pg",
    "DBSubnetGroupName": "subgrp",
    "FinalDBSnapshotIdentifier": "cluster-snapshot",
    "OptionGroupName": "og",
}
# What RDS takes where a call names none of the kind, and is authorized on. Example policies with both:
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/security_iam_id-based-policy-examples.html
RDS_DEFAULTS = {
    "CreateDBCluster": {"OptionGroupName": "og:default:aurora-mysql-8-0"},
    "CreateDBInstance": {
        "DBParameterGroupName": "pg:default.aurora-mysql8.0",
        "OptionGroupName": "og:default:aurora-mysql-8-0",
    },
}
DASHBOARD_ACTIONS = {"cloudwatch:DeleteDashboards", "cloudwatch:GetDashboard", "cloudwatch:PutDashboard"}
# Calls that, given tags, are also authorized for tagging what they create:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/access_tags.html
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-tags.html
# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html
# https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html
# https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html
# https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
TAGGED_ON_CREATION = {
    "iam:TagInstanceProfile": "iam:CreateInstanceProfile",
    "iam:TagRole": "iam:CreateRole",
    "lambda:TagResource": "lambda:CreateFunction",
    "logs:TagResource": "logs:CreateLogGroup",
    "secretsmanager:TagResource": "secretsmanager:CreateSecret",
    "sns:TagResource": "sns:CreateTopic",
    "sqs:TagQueue": "sqs:CreateQueue",
    "ssm:AddTagsToResource": "ssm:PutParameter",
}
# Operations of Lambda whose permission has another name.
LAMBDA_ACTIONS = {"Invoke": "InvokeFunction", "InvokeAsync": "InvokeFunction"}
# What RDS describes where no resource is named.
RDS_DESCRIBED = {
    "DescribeDBClusterParameterGroups": "cluster-pg",
    "DescribeDBClusters": "cluster",
    "DescribeDBClusterSnapshots": "cluster-snapshot",
    "DescribeDBInstances": "db",
    "DescribeDBSubnetGroups": "subgrp",
}


@dataclass(frozen=True)
class Check:
    """One authorization that a call requires: `action` on `resource`, under these conditions."""

    action: str
    resource: str
    context: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """The content of a call: its parameters, its body where that is JSON, and its operation where it is of Lambda."""

    parameters: Mapping[str, str]
    body: Mapping[str, Any]
    account: str
    region: str
    operation: str = ""


type Allowed = Callable[[str, str], bool]
type Response = tuple[int, dict[str, str], bytes]

_request: ContextVar[Request | None] = ContextVar("request", default=None)
_allowed: ContextVar[Allowed | None] = ContextVar("allowed", default=None)
"""Whether the caller of the call that is being answered may do an action on a resource."""


def numbered(request: Request, pattern: str) -> list[str]:
    """Return the values of the parameters whose names match `pattern`."""
    return [value for key, value in request.parameters.items() if re.match(pattern, key)]


def resource_tags(identifier: str) -> dict[str, str]:
    """Return the condition keys of the tags of an EC2 resource."""
    from ministack.services import ec2  # noqa: PLC0415  # reads its settings when it is imported

    return {f"aws:ResourceTag/{tag['Key']}": tag["Value"] for tag in ec2._tags.get(identifier) or []}  # noqa: SLF001


def request_tags(request: Request, prefix: str) -> dict[str, str | list[str]]:
    """Return the condition keys of the tags in a call, in the parameters that begin with `prefix`."""
    keys = {key: value for key, value in request.parameters.items() if re.fullmatch(rf"{prefix}\.\d+\.Key", key)}
    found: dict[str, str | list[str]] = {
        f"aws:RequestTag/{tag}": request.parameters.get(key.removesuffix("Key") + "Value", "")
        for key, tag in keys.items()
    }
    return {**found, "aws:TagKeys": list(keys.values())} if found else {}


def specified_tags(request: Request, kind: str) -> dict[str, str | list[str]]:
    """Return the condition keys of the tags that a call gives to the resources of a kind that it creates."""
    for key, value in request.parameters.items():
        if re.fullmatch(r"TagSpecification\.\d+\.ResourceType", key) and value == kind:
            return request_tags(request, re.escape(key.removesuffix(".ResourceType")) + r"\.Tag")
    return {}


def image_keys(identifier: str) -> dict[str, str]:
    """Return the condition key that tells a public image from others; nothing for what is no image."""
    from ministack.services import ec2  # noqa: PLC0415

    if not identifier.startswith("ami-"):
        return {}
    # What is not registered here is one of the public images that every emulator has.
    image = ec2._images.get(identifier)  # noqa: SLF001
    return {"ec2:Public": "true" if image is None else ec2._image_view(image)["IsPublic"]}  # noqa: SLF001


def new_interface(request: Request, kind: str) -> dict[str, str]:
    """Return the condition key of a network interface that a launch creates; nothing for other kinds.

    Only a new interface can be given a public address:
    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_InstanceNetworkInterfaceSpecification.html
    """
    if kind != "network-interface":
        return {}
    text = json.dumps([dict(request.parameters), launch_template(request).get("Versions", [])[-1:]])
    asked = re.search(r'AssociatePublicIpAddress": "?true', text)
    return {"ec2:AssociatePublicIpAddress": "true" if asked else "false"}


def launch_template(request: Request) -> dict[str, Any]:
    """Return the launch template that a call names; empty where it names none."""
    from ministack.services import ec2  # noqa: PLC0415

    parameters = request.parameters
    identifier = parameters.get("LaunchTemplateId") or parameters.get("LaunchTemplate.LaunchTemplateId")
    name = parameters.get("LaunchTemplateName") or parameters.get("LaunchTemplate.LaunchTemplateName")
    for template in ec2._launch_templates.values():  # noqa: SLF001
        if template["LaunchTemplateId"] == identifier or (name and template["LaunchTemplateName"] == name):
            return dict(template)
    return {}


def associated(identifier: str) -> list[str]:
    """Return the ids of the resources that an association is between."""
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
    """Return the ids of all existing resources that an EC2 call names."""
    values = [value for key, value in request.parameters.items() if not IGNORED.match(key)]
    template = launch_template(request) if name not in CREATED or name == "RunInstances" else {}
    if template:
        values.append(template["LaunchTemplateId"])
    if template and name == "RunInstances":
        # The content of the template is used now. Its ids are found by their form.
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
    """Return the role that an EC2 call passes to an instance or to flow logs; empty where it passes none."""
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


def associates_hosted_zone(request: Request) -> bool:
    """Return whether a call creates an endpoint with private DNS names, which those of interfaces have by default.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVpcEndpoint.html
    """
    parameters = request.parameters
    return parameters.get("VpcEndpointType") == "Interface" and parameters.get("PrivateDnsEnabled", "true") != "false"


def ec2_checks(request: Request, action: str) -> Iterator[Check]:
    """Yield the authorizations that an EC2 call requires."""
    name = action.partition(":")[2]
    prefix = f"arn:aws:ec2:{request.region}:{request.account}:"
    if name in {"DescribeInstanceAttribute", "DescribeVpcAttribute", "GetConsoleOutput"}:
        for identifier in named_identifiers(request, name):
            arn = f"{prefix}{KINDS[identifier.rpartition('-')[0]]}/{identifier}"
            yield Check(action, arn, resource_tags(identifier))
        return
    if name.startswith(("Describe", "Get")):
        yield Check(action, "*")
        return
    for kind in CREATED.get(name, []):
        tags = specified_tags(request, kind)
        yield Check(action, f"{prefix}{kind}/*", {**tags, **new_interface(request, kind)})
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
        keys = {**tags, **resource_tags(identifier), **image_keys(identifier)}
        yield Check(action, f"{owned}{kind}/{identifier}", keys)
    if name == "CreateVpcEndpoint" and associates_hosted_zone(request):
        yield Check("route53:AssociateVPCWithHostedZone", HOSTED_ZONE)
    if role := passed_role(request, name):
        service = "vpc-flow-logs.amazonaws.com" if name == "CreateFlowLogs" else "ec2.amazonaws.com"
        yield Check("iam:PassRole", role, {"iam:PassedToService": service})


def rds_checks(request: Request, action: str) -> Iterator[Check]:
    """Yield the authorizations that an RDS call requires."""
    name = action.partition(":")[2]
    prefix = f"arn:aws:rds:{request.region}:{request.account}:"
    found = [
        f"{prefix}{kind}:{request.parameters[key]}" for key, kind in RDS_KINDS.items() if request.parameters.get(key)
    ]
    if "ResourceName" in request.parameters:
        found.append(request.parameters["ResourceName"])
    defaults = RDS_DEFAULTS.get(name, {})
    found += [f"{prefix}{default}" for key, default in defaults.items() if not request.parameters.get(key)]
    if not found and name in RDS_DESCRIBED:
        found.append(f"{prefix}{RDS_DESCRIBED[name]}:*")
    tags = request_tags(request, r"Tags\.(?:Tag|member)")
    for resource in found or ["*"]:
        yield Check(action, resource, tags)
    if tags and name.startswith("Create"):
        # With tags, the same call also tags what it creates.
        for resource in found[:1]:
            yield Check("rds:AddTagsToResource", resource, tags)


def role_boundary(request: Request) -> dict[str, str]:
    """Return the condition key of a role's permissions boundary: that of the request, or that which the role has.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html
    """
    from ministack.services import iam  # noqa: PLC0415

    role = iam._roles.get(request.parameters.get("RoleName", "")) or {}  # noqa: SLF001
    boundary = request.parameters.get("PermissionsBoundary") or role.get("PermissionsBoundary")
    return {"iam:PermissionsBoundary": boundary} if boundary else {}


def iam_checks(request: Request, action: str, resource: str) -> Iterator[Check]:
    """Yield the authorizations that an IAM call requires."""
    profile = request.parameters.get("InstanceProfileName")
    if not profile:
        yield Check(action, resource, role_boundary(request))
        return
    yield Check(action, f"arn:aws:iam::{request.account}:instance-profile/{profile}")
    if action == "iam:AddRoleToInstanceProfile":
        role = f"arn:aws:iam::{request.account}:role/{request.parameters['RoleName']}"
        yield Check("iam:PassRole", role, {"iam:PassedToService": "ec2.amazonaws.com"})


def lambda_checks(request: Request, action: str, resource: str, context: Mapping[str, Any]) -> Iterator[Check]:
    """Yield the authorizations that a Lambda call requires."""
    if request.operation:
        action = f"lambda:{LAMBDA_ACTIONS.get(request.operation, request.operation)}"
    if action == "lambda:CreateFunction":
        resource = f"arn:aws:lambda:{request.region}:{request.account}:function:{request.body['FunctionName']}"
    if qualifier := request.parameters.get("Qualifier"):
        # https://docs.aws.amazon.com/lambda/latest/dg/lambda-api-permissions-ref.html
        resource = f"{resource}:{qualifier}"
    yield Check(action, resource, context)
    if action in {"lambda:CreateFunction", "lambda:UpdateFunctionConfiguration"} and request.body.get("Role"):
        yield Check("iam:PassRole", request.body["Role"], {"iam:PassedToService": "lambda.amazonaws.com"})


def checks(service: str, action: str, resource: str, context: Mapping[str, Any]) -> Iterator[Check]:
    """Yield every authorization that a call requires.

    Args:
        service: ministack's name of the service.
        action: The action, such as `ec2:CreateVpc`.
        resource: The ARN that ministack found, or "*".
        context: The condition keys that ministack found.
    """
    found = list(call_checks(service, action, resource, context))
    yield from found
    request = _request.get()
    for tagging, creating in TAGGED_ON_CREATION.items():
        if request and found and found[0].action == creating and is_tagged(request):
            yield replace(found[0], action=tagging)


def is_tagged(request: Request) -> bool:
    """Return whether a call gives tags, in any of the forms that services have for them."""
    return bool(
        request.body.get("Tags")
        or request.body.get("tags")
        or any(key.startswith("Tags.") for key in request.parameters)
    )


def call_checks(service: str, action: str, resource: str, context: Mapping[str, Any]) -> Iterator[Check]:
    """Yield the authorizations that a call requires, without those for the tags of what it creates."""
    request = _request.get()
    if service == "sns" and request and "ResourceArn" in request.parameters:
        yield Check(action, request.parameters["ResourceArn"], context)
    elif service in {"sns", "sqs"}:
        # The permission for one message covers several.
        yield Check(action.removesuffix("Batch"), resource, context)
    elif request and action in {"cloudwatch:DeleteAlarms", "cloudwatch:DescribeAlarms"}:
        prefix = f"arn:aws:cloudwatch:{request.region}:{request.account}:alarm:"
        named = request.body.get("AlarmNames", []) if action == "cloudwatch:DeleteAlarms" else ["*"]
        yield from (Check(action, f"{prefix}{name}") for name in named)
    elif request and service == "events" and (rule := request.body.get("Rule") or request.body.get("Name")):
        # A rule of the default event bus, which has no part in its name.
        yield Check(action, f"arn:aws:events:{request.region}:{request.account}:rule/{rule}", context)
    elif request and action in DASHBOARD_ACTIONS:
        # Dashboards are global.
        named = request.body.get("DashboardNames") or [request.body.get("DashboardName", "*")]
        yield from (Check(action, f"arn:aws:cloudwatch::{request.account}:dashboard/{name}") for name in named)
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
    """Read the content of a call, whatever its protocol."""
    try:
        content = json.loads(body) if body[:1] == b"{" else {}
    except ValueError:
        content = {}
    flat = {key: str(value[0] if isinstance(value, list) and value else value) for key, value in parameters.items()}
    return Request(flat, content, account, region, operation or "")


class Record:
    """A file with one line of JSON for each distinct authorization, so that it stays small."""

    def __init__(self, path: Path) -> None:
        """Write the record to `path`; where the file is removed, a new one is started."""
        self.path = path
        self.seen: set[str] = set()

    def note(self, principal: str, check: Check, *, allowed: bool) -> None:
        """Write an authorization, unless it is in the file already."""
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


def hide_missing_objects() -> None:
    """Have S3 answer for an object that does not exist as AWS does: with 403 where the caller may not list the bucket.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
    """
    from ministack.services import s3  # noqa: PLC0415

    def hiding(find: Callable[..., Response]) -> Callable[..., Response]:
        def answer(bucket: str, key: str, *positional: Any, **named: Any) -> Response:
            found, allowed = find(bucket, key, *positional, **named), _allowed.get()
            missing = found[0] == HTTPStatus.NOT_FOUND and re.search(rb"<Code>NoSuch(Key|Version)<", found[2])
            if not missing or allowed is None or allowed("s3:ListBucket", f"arn:aws:s3:::{bucket}"):
                return found
            denied: Response = s3._error("AccessDenied", "Access Denied", 403, f"/{bucket}/{key}")  # noqa: SLF001
            return denied

        return answer

    s3._get_object, s3._head_object = hiding(s3._get_object), hiding(s3._head_object)  # noqa: SLF001


def hide_tags_of_functions() -> None:
    """Have Lambda return a function without its tags where the caller may not list them, as AWS does.

    https://docs.aws.amazon.com/lambda/latest/api/API_GetFunction.html
    """
    from ministack.services import lambda_svc  # noqa: PLC0415

    find = lambda_svc._get_function  # noqa: SLF001

    def answer(name: str, qualifier: str | None = None) -> Response:
        status, headers, body = find(name, qualifier)
        allowed = _allowed.get()
        arn = lambda_svc._func_arn(name)  # noqa: SLF001
        if status != HTTPStatus.OK or allowed is None or allowed("lambda:ListTags", arn):
            return status, headers, body
        content = json.loads(body)
        del content["Tags"]
        content["TagsError"] = {"ErrorCode": "AccessDeniedException", "Message": f"no lambda:ListTags on {arn}"}
        return status, headers, json.dumps(content).encode()

    lambda_svc._get_function = answer  # noqa: SLF001


def tag_flow_logs() -> None:
    """Have ministack read the tags of new flow logs by the name that EC2 has for them, vpc-flow-log.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_TagSpecification.html
    """
    from ministack.services import ec2  # noqa: PLC0415

    read = ec2._parse_tag_specs  # noqa: SLF001

    def answer(params: Mapping[str, Any], kind: str, *positional: Any, **named: Any) -> Any:
        return read(params, "vpc-flow-log" if kind == "flow-log" else kind, *positional, **named)

    ec2._parse_tag_specs = answer  # noqa: SLF001


def install(record: Path) -> None:
    """Have ministack require the authorizations that AWS requires, from now on.

    Args:
        record: File for every authorization of a caller that policies apply to.
    """
    from ministack.core import iam_actions, iam_evaluator  # noqa: PLC0415
    from ministack.core.responses import get_account_id  # noqa: PLC0415

    extract, enforce = iam_actions.extract_resource_arn, iam_evaluator.enforce
    kept = Record(record)
    # ministack distinguishes only some of Lambda's operations here; the SDK's model has them all.
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

        def refusal(check: Check) -> Any:
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
            return denied

        _allowed.set(lambda action, resource: refusal(Check(action, resource)) is None)
        found = checks(service, iam_action, about.get("resource_arn", "*"), context)
        return next(filter(None, map(refusal, found)), None)

    iam_actions.extract_resource_arn = extract_and_remember
    iam_evaluator.enforce = enforce_each
    hide_missing_objects()
    hide_tags_of_functions()
    tag_flow_logs()
