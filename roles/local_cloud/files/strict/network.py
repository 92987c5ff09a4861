"""Rules about Amazon EC2: the network, and what uses it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from strict.calls import Call, Refusal, texts
from strict.rule import Rule

ERRORS = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html"
CREATES = re.compile(r"ec2:(Create(?!Tags|Route$)|Allocate|Run|Copy|Import)\w+")
IDENTIFIER = re.compile(r"([a-z]+)-[0-9a-f]{8,17}")
NOT_FOUND = {
    "eipalloc": "InvalidAllocationID.NotFound",
    "eni": "InvalidNetworkInterfaceID.NotFound",
    "fl": "InvalidFlowLogId.NotFound",
    "i": "InvalidInstanceID.NotFound",
    "igw": "InvalidInternetGatewayID.NotFound",
    "lt": "InvalidLaunchTemplateId.NotFound",
    "nat": "NatGatewayNotFound",
    "rtb": "InvalidRouteTableID.NotFound",
    "sg": "InvalidGroup.NotFound",
    "subnet": "InvalidSubnetID.NotFound",
    "vol": "InvalidVolume.NotFound",
    "vpc": "InvalidVpcID.NotFound",
    "vpce": "InvalidVpcEndpointId.NotFound",
}
"""The error code for an id that does not exist, by the prefix of the id."""


def identifiers(node: Any) -> set[str]:
    """Return the ids of EC2 resources in parameters or an answer."""
    return {text for text in texts(node) if (match := IDENTIFIER.fullmatch(text)) and match[1] in NOT_FOUND}


class NewIdsAreNotKnownEverywhere(Rule):
    """The id of a new EC2 resource can be unknown to the calls of the next seconds, whatever they are."""

    source = "https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html"
    SECONDS = 2.0

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Know of no id."""
        super().__init__(*arguments, **named)
        self.known: set[str] = set()

    def refuse(self, call: Call) -> Refusal | None:
        """Refuse a call that names an id of the last seconds."""
        if call.service != "ec2":
            return None
        # A filter for what is not known finds nothing, without an error.
        named = {key: value for key, value in call.parameters.items() if key != "Filters"}
        for identifier in sorted(identifiers(named)):
            if self.moments.within(self.SECONDS * self.pace, identifier):
                code = NOT_FOUND[identifier.rpartition("-")[0]]
                return Refusal(code, f"The ID '{identifier}' does not exist")
        return None

    def follows(self, call: Call) -> bool:
        """See what is created, and what there was before."""
        return bool(CREATES.fullmatch(call.name)) or call.name.startswith("ec2:Describe")

    def follow(self, call: Call, content: dict[str, Any]) -> None:
        """Remember the new ids."""
        if call.is_read:
            self.known |= identifiers(content)
            return
        for identifier in identifiers(content) - self.known:
            self.moments.note(identifier)
            self.known.add(identifier)


class NatGatewaysTakeTheirTime(Rule):
    """A NAT gateway is pending at first, without routes to it, and a deleted one is deleting for a while."""

    source = "https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-basics.html"
    follows_operations = frozenset({"ec2:CreateNatGateway", "ec2:DeleteNatGateway", "ec2:DescribeNatGateways"})
    SECONDS = 5.0

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Know of no NAT gateway."""
        super().__init__(*arguments, **named)
        self.parts: dict[str, set[str]] = {}
        """Of each NAT gateway: its subnet and its address."""

    def refuse(self, call: Call) -> Refusal | None:
        """Refuse routes to what is pending, and to take away what a gateway that is being deleted still uses."""
        if call.name in ("ec2:CreateRoute", "ec2:ReplaceRoute"):
            gateway = str(call.parameters.get("NatGatewayId") or "")
            if self.moments.within(self.SECONDS * self.pace, ("create", gateway)):
                return Refusal("InvalidNatGatewayID.NotFound", f"The natGateway ID '{gateway}' does not exist")
        if call.name in ("ec2:ReleaseAddress", "ec2:DeleteSubnet"):
            wanted = set(call.values("AllocationId", "SubnetId"))
            if any(self.parts.get(gateway, set()) & wanted for gateway in self._deleting()):
                if call.operation == "DeleteSubnet":
                    return Refusal("DependencyViolation", "The subnet has dependencies and cannot be deleted.")
                # As for the address of somebody else.
                return Refusal("AuthFailure", "You do not have permission to access the specified resource.")
        return None

    def _deleting(self) -> list[str]:
        recent = self.moments.recent(self.SECONDS * self.pace)
        return [one[1] for one in recent if isinstance(one, tuple) and one[0] == "delete"]

    def follow(self, call: Call, content: dict[str, Any]) -> None:
        """Change the states in the answers."""
        if call.operation == "DeleteNatGateway":
            self.moments.note(("delete", call.parameters["NatGatewayId"]))
        elif call.operation == "CreateNatGateway":
            gateway = content["NatGateway"]
            self.moments.note(("create", gateway["NatGatewayId"]))
            self.parts[gateway["NatGatewayId"]] = set(call.values("SubnetId", "AllocationId"))
            gateway["State"] = "pending"
        for gateway in content.get("NatGateways", []):
            identifier = gateway["NatGatewayId"]
            if identifier in self._deleting():
                gateway["State"] = "deleting"
            elif self.moments.within(self.SECONDS * self.pace, ("create", identifier)):
                gateway["State"] = "pending"


class EndpointsAreDeletedLater(Rule):
    """The network interfaces of a deleted interface endpoint keep its security groups and subnets for a while."""

    source = "https://docs.aws.amazon.com/vpc/latest/privatelink/interface-endpoints.html"
    follows_operations = frozenset({"ec2:CreateVpcEndpoint", "ec2:DeleteVpcEndpoints"})
    SECONDS = 4.0

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Know of no endpoint."""
        super().__init__(*arguments, **named)
        self.parts: dict[str, set[str]] = {}

    def refuse(self, call: Call) -> Refusal | None:
        """Refuse to delete what the interfaces still use."""
        if call.name not in ("ec2:DeleteSecurityGroup", "ec2:DeleteSubnet"):
            return None
        wanted = set(call.values("GroupId", "SubnetId"))
        for endpoint in self.moments.recent(self.SECONDS * self.pace):
            if self.parts.get(str(endpoint), set()) & wanted:
                return Refusal("DependencyViolation", f"resource {min(wanted)} has a dependent object")
        return None

    def follow(self, call: Call, content: dict[str, Any]) -> None:
        """Remember what each endpoint uses, and when it was deleted."""
        if call.operation == "CreateVpcEndpoint":
            self.parts[content["VpcEndpoint"]["VpcEndpointId"]] = set(call.values("SecurityGroupIds", "SubnetIds"))
        else:
            for endpoint in call.values("VpcEndpointIds"):
                self.moments.note(endpoint)


class AddressesBelongToOneGateway(Rule):
    """A NAT gateway whose address another one still has fails, some time after the call that created it."""

    source = "https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-troubleshooting.html"
    follows_operations = frozenset({"ec2:CreateNatGateway", "ec2:DeleteNatGateway", "ec2:DescribeNatGateways"})
    SECONDS = NatGatewaysTakeTheirTime.SECONDS

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Know of no address."""
        super().__init__(*arguments, **named)
        self.owners: dict[str, str] = {}
        """The gateway that has an address, or had it last."""
        self.deleted: set[str] = set()
        self.failed: dict[str, str] = {}
        """The address of each gateway that failed for it."""

    def follow(self, call: Call, content: dict[str, Any]) -> None:
        """Note who has which address, and change the states in the answers."""
        if call.operation == "DeleteNatGateway":
            self.deleted.add(call.parameters["NatGatewayId"])
            self.moments.note(call.parameters["NatGatewayId"])
        elif call.operation == "CreateNatGateway":
            gateway, address = content["NatGateway"]["NatGatewayId"], str(call.parameters.get("AllocationId"))
            owner = self.owners.get(address)
            if owner and (owner not in self.deleted or self.moments.within(self.SECONDS * self.pace, owner)):
                self.failed[gateway] = address
            else:
                self.owners[address] = gateway
        for gateway in content.get("NatGateways", []):
            address = self.failed.get(gateway["NatGatewayId"], "")
            if address and gateway["State"] not in ("deleting", "deleted"):
                gateway["State"] = "failed"
                gateway["FailureCode"] = "Resource.AlreadyAssociated"
                gateway["FailureMessage"] = f"Elastic IP address [{address}] is already associated"


class AddressesAreFoundByFilters(Rule):
    """Elastic IP addresses are described by their IP and by filters."""

    source = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeAddresses.html"
    follows_operations = frozenset({"ec2:DescribeAddresses"})
    FILTERS: ClassVar = {"allocation-id": "AllocationId", "association-id": "AssociationId", "public-ip": "PublicIp"}

    def follow(self, call: Call, content: dict[str, Any]) -> None:
        """Leave out the addresses that were not asked for."""
        filters = list(call.parameters.get("Filters") or [])
        if call.parameters.get("PublicIps"):
            filters.append({"Name": "public-ip", "Values": call.parameters["PublicIps"]})
        content["Addresses"] = [
            one
            for one in content.get("Addresses", [])
            if all(self._value(one, each["Name"]) in each["Values"] for each in filters)
        ]

    def _value(self, address: Mapping[str, Any], name: str) -> Any:
        """Return the value that an address has for a filter."""
        if name.startswith("tag:"):
            tags = {tag["Key"]: tag["Value"] for tag in address.get("Tags") or []}
            return tags.get(name.removeprefix("tag:"))
        return address.get(self.FILTERS[name])


class VersionsOfTemplatesCanBeDeleted(Rule):
    """The versions of a launch template are deleted one by one."""

    source = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteLaunchTemplateVersions.html"
    follows_operations = frozenset({"ec2:DescribeLaunchTemplateVersions"})

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Know of no deleted version."""
        super().__init__(*arguments, **named)
        self.deleted: set[tuple[str, int]] = set()

    def answer(self, call: Call) -> dict[str, Any] | None:
        """Delete versions."""
        if call.name != "ec2:DeleteLaunchTemplateVersions":
            return None
        template = str(call.parameters["LaunchTemplateId"])
        versions = [int(one) for one in call.parameters["Versions"]]
        self.deleted |= {(template, version) for version in versions}
        deleted = [{"LaunchTemplateId": template, "VersionNumber": version} for version in versions]
        return {"SuccessfullyDeletedLaunchTemplateVersions": deleted}

    def follow(self, call: Call, content: dict[str, Any]) -> None:
        """Leave out the deleted versions."""
        del call
        content["LaunchTemplateVersions"] = [
            one
            for one in content.get("LaunchTemplateVersions", [])
            if (one["LaunchTemplateId"], one["VersionNumber"]) not in self.deleted
        ]


RULES = (
    NewIdsAreNotKnownEverywhere,
    NatGatewaysTakeTheirTime,
    EndpointsAreDeletedLater,
    AddressesBelongToOneGateway,
    AddressesAreFoundByFilters,
    VersionsOfTemplatesCanBeDeleted,
)
