"""Rules about what stays for a while after it was deleted: tags, and the names of secrets."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from strict.calls import Call, Refusal
from strict.rule import Rule

ACCOUNT = os.environ.get("MINISTACK_ACCOUNT_ID", "000000000000")
"""The emulator's account, for ARNs that no answer has."""


@dataclass(frozen=True)
class Kind:
    """Resources whose tags are followed from their creation to their deletion.

    Attributes:
        created: The call that creates one.
        member: The member of its answer that has the resource, or several; empty where it is the answer itself.
        name: The member of the resource by which it is named, and which the ARN of those of EC2 ends with.
        arn: The member with its ARN; for EC2, the type in the ARN.
        deleted: The call that deletes it.
        parameter: The parameter of that call that names it.
    """

    created: str
    member: str
    name: str
    arn: str
    deleted: str
    parameter: str


KINDS = (
    Kind("ec2:RunInstances", "Instances", "InstanceId", "instance", "ec2:TerminateInstances", "InstanceIds"),
    Kind("ec2:CreateNatGateway", "NatGateway", "NatGatewayId", "natgateway", "ec2:DeleteNatGateway", "NatGatewayId"),
    Kind(
        "ec2:CreateVpcEndpoint",
        "VpcEndpoint",
        "VpcEndpointId",
        "vpc-endpoint",
        "ec2:DeleteVpcEndpoints",
        "VpcEndpointIds",
    ),
    Kind("ec2:CreateSecurityGroup", "", "GroupId", "security-group", "ec2:DeleteSecurityGroup", "GroupId"),
    Kind(
        "rds:CreateDBCluster",
        "DBCluster",
        "DBClusterIdentifier",
        "DBClusterArn",
        "rds:DeleteDBCluster",
        "DBClusterIdentifier",
    ),
    Kind(
        "rds:CreateDBInstance",
        "DBInstance",
        "DBInstanceIdentifier",
        "DBInstanceArn",
        "rds:DeleteDBInstance",
        "DBInstanceIdentifier",
    ),
    Kind("lambda:CreateFunction", "", "FunctionName", "FunctionArn", "lambda:DeleteFunction", "FunctionName"),
    Kind("secretsmanager:CreateSecret", "", "Name", "ARN", "secretsmanager:DeleteSecret", "SecretId"),
)


@dataclass
class Tagged:
    """A resource that was created with tags: how deletions name it, its region, its ARN and its tags."""

    names: frozenset[str]
    region: str
    arn: str
    tags: list[dict[str, str]]


def _tags(call: Call, resource: Mapping[str, Any], kind: Kind) -> list[dict[str, str]]:
    """Return the tags that a resource is created with, by the call or, from a launch template, by its answer."""
    given = call.parameters.get("Tags") or resource.get("Tags") or []
    if isinstance(given, Mapping):
        return [{"Key": key, "Value": value} for key, value in given.items()]
    of_type = [one for one in call.parameters.get("TagSpecifications") or [] if one.get("ResourceType") == kind.arn]
    return [tag for one in of_type for tag in one.get("Tags") or []] or list(given)


def _created(call: Call, content: Mapping[str, Any]) -> Iterator[Tagged]:
    for kind in (one for one in KINDS if one.created == call.name):
        found = content.get(kind.member) if kind.member else content
        for resource in found if isinstance(found, list) else [found or {}]:
            name = resource.get(kind.name)
            arn = resource.get(kind.arn)
            if call.service == "ec2":
                arn = f"arn:aws:ec2:{call.region}:{ACCOUNT}:{kind.arn}/{name}"
            tags = _tags(call, resource, kind)
            if name and arn and tags:
                yield Tagged(frozenset({name, arn}), call.region, arn, tags)


def _meets(tags: list[dict[str, str]], filters: list[dict[str, Any]]) -> bool:
    values = {tag["Key"]: tag["Value"] for tag in tags}
    return all(
        one["Key"] in values and (not one.get("Values") or values[one["Key"]] in one["Values"]) for one in filters
    )


def _is_of_type(arn: str, types: list[str]) -> bool:
    service, _, resource = arn.partition(":aws:")[2].replace(":", "/").partition("/")
    kind = resource.split("/")[2]
    return not types or service in types or f"{service}:{kind}" in types


class TagsOfDeletedResourcesLinger(Rule):
    """The tagging API returns what carries tags and what once did, for a while after it was deleted."""

    source = "https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html"
    follows_operations = frozenset(
        {"resourcegroupstaggingapi:GetResources"} | {one.created for one in KINDS} | {one.deleted for one in KINDS}
    )
    SECONDS = 60.0

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Know of no resource."""
        super().__init__(*arguments, **named)
        self.tagged: list[Tagged] = []

    def follow(self, call: Call, content: dict[str, Any]) -> None:
        """Remember what is created and deleted, and complete the answer of the tagging API."""
        for new in _created(call, content):
            self.tagged = [one for one in self.tagged if one.arn != new.arn] + [new]
            self.moments.forget(new.arn)
        for kind in (one for one in KINDS if one.deleted == call.name):
            named = set(call.values(kind.parameter))
            for one in self.tagged:
                if one.names & named and one.arn.split(":")[2] == call.service:
                    self.moments.note(one.arn)
        if call.operation == "GetResources" and not content.get("PaginationToken"):
            listed = content.setdefault("ResourceTagMappingList", [])
            known = {one["ResourceARN"] for one in listed}
            listed += [
                {"ResourceARN": one.arn, "Tags": one.tags} for one in self._lingering(call) if one.arn not in known
            ]

    def _lingering(self, call: Call) -> Iterator[Tagged]:
        wanted = call.parameters
        for one in self.tagged:
            if (
                one.region == call.region
                and self.moments.within(self.SECONDS * self.pace, one.arn)
                and _meets(one.tags, wanted.get("TagFilters") or [])
                and _is_of_type(one.arn, wanted.get("ResourceTypeFilters") or [])
                and one.arn in (wanted.get("ResourceARNList") or [one.arn])
            ):
                yield one


class SecretsKeepTheirNames(Rule):
    """No secret can be created under the name of one that is in its recovery window, or was deleted just now."""

    source = "https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html"
    follows_operations = frozenset(
        f"secretsmanager:{one}" for one in ("CreateSecret", "DeleteSecret", "RestoreSecret", "DescribeSecret")
    )
    SECONDS = 2.0
    """How long the deletion of one without a recovery window takes."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Know of no deleted secret."""
        super().__init__(*arguments, **named)
        self.waiting: set[tuple[str, str]] = set()
        """Region and name of those in their recovery window."""

    def refuse(self, call: Call) -> Refusal | None:
        """Refuse to create one of such a name."""
        if call.name != "secretsmanager:CreateSecret":
            return None
        secret = (call.region, str(call.parameters.get("Name")))
        if secret not in self.waiting and not self.moments.within(self.SECONDS * self.pace, secret):
            return None
        message = "You can't create this secret because a secret with this name is already scheduled for deletion."
        return Refusal("InvalidRequestException", message)

    def follow(self, call: Call, content: dict[str, Any]) -> None:
        """Remember what is deleted, and what is restored."""
        secret = (call.region, str(content.get("Name")))
        deletes = call.operation == "DeleteSecret"
        at_once = deletes and bool(call.parameters.get("ForceDeleteWithoutRecovery"))
        if at_once:
            self.moments.note(secret)
        if content.get("DeletedDate") or (deletes and not at_once):
            self.waiting.add(secret)
        if at_once or not (deletes or content.get("DeletedDate")):
            self.waiting.discard(secret)


RULES = (TagsOfDeletedResourcesLinger, SecretsKeepTheirNames)
