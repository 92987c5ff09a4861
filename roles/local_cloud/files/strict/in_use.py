"""Rules about what cannot be deleted while something uses it, and about what its users have to have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from strict.calls import Call, Refusal, instances, resources
from strict.database import DeletedDatabasesAreDeletingFirst
from strict.function import function_name
from strict.network import NatGatewaysTakeTheirTime
from strict.rule import Rule

EC2 = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_{}.html"


class InstancesShutDown(Rule):
    """An instance is pending before it runs, and shutting down before it is terminated."""

    source = "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitoring-instance-state-changes.html"
    follows_operations = frozenset({"ec2:RunInstances", "ec2:TerminateInstances", "ec2:DescribeInstances"})
    SECONDS = 3.0
    STATES = (
        ("RunInstances", {"Code": 0, "Name": "pending"}, "running"),
        ("TerminateInstances", {"Code": 32, "Name": "shutting-down"}, "terminated"),
    )

    def follow(self, call: Call, content: dict[str, Any]) -> None:
        """Change the states in the answers."""
        for one in [*instances(content), *content.get("TerminatingInstances", [])]:
            if not call.is_read:
                self.moments.note((call.operation, one["InstanceId"]))
            member = "CurrentState" if "CurrentState" in one else "State"
            for operation, state, after in self.STATES:
                recent = self.moments.within(self.SECONDS * self.pace, (operation, one["InstanceId"]))
                if recent and one.get(member, {}).get("Name") == after:
                    one[member] = dict(state)


class GroupsInUseStay(Rule):
    """A security group that something has, or that a rule of another group names, cannot be deleted."""

    source = EC2.format("DeleteSecurityGroup")
    follows_operations = frozenset(
        {
            "ec2:AuthorizeSecurityGroupEgress",
            "ec2:AuthorizeSecurityGroupIngress",
            "ec2:CreateVpcEndpoint",
            "ec2:DeleteSecurityGroup",
            "ec2:DeleteVpcEndpoints",
            "ec2:DescribeInstances",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeVpcEndpoints",
            "ec2:RevokeSecurityGroupEgress",
            "ec2:RevokeSecurityGroupIngress",
            "ec2:RunInstances",
            "ec2:TerminateInstances",
            "lambda:CreateFunction",
            "lambda:DeleteFunction",
            "lambda:UpdateFunctionConfiguration",
            "rds:CreateDBCluster",
            "rds:DeleteDBCluster",
            "rds:DescribeDBClusters",
            "rds:ModifyDBCluster",
        }
    )
    SECONDS = max(InstancesShutDown.SECONDS, DeletedDatabasesAreDeletingFirst.SECONDS)

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Know of no group."""
        super().__init__(*arguments, **named)
        self.users: dict[str, set[str]] = {}
        """The groups of each instance, endpoint, cluster and function."""
        self.rules: dict[tuple[str, str], set[str]] = {}
        """The groups that the rules of each group name, by the group and the direction of the rules."""

    def refuse(self, call: Call) -> Refusal | None:
        """Refuse to delete such a group."""
        if call.name != "ec2:DeleteSecurityGroup":
            return None
        group = str(call.parameters.get("GroupId"))
        users = {user for user, groups in self.users.items() if group in groups and not self._is_gone(user)}
        users |= {owner for (owner, _), named in self.rules.items() if owner != group and group in named}
        return Refusal("DependencyViolation", f"resource {group} has a dependent object") if users else None

    def _going(self, user: str) -> None:
        """Note that an instance or a cluster is on its way out."""
        self.users[f"-{user}"] = self.users.pop(user, set())
        self.moments.note(f"-{user}")

    def _is_gone(self, user: str) -> bool:
        """Return whether an instance or a cluster has been gone for long enough."""
        return user.startswith("-") and not self.moments.within(self.SECONDS * self.pace, user)

    def follow(self, call: Call, content: dict[str, Any]) -> None:
        """Remember who has which group."""
        follow = {"ec2": self._follow_ec2, "lambda": self._follow_function, "rds": self._follow_cluster}
        follow[call.service](call, content)

    def _follow_function(self, call: Call, content: Mapping[str, Any]) -> None:
        del content
        name, settings = f"function {function_name(call)}", call.parameters.get("VpcConfig")
        if call.operation == "DeleteFunction":
            self.users.pop(name, None)
        elif settings is not None:
            self.users[name] = set(settings.get("SecurityGroupIds") or ())

    def _follow_cluster(self, call: Call, content: Mapping[str, Any]) -> None:
        for cluster in resources(content, "DBCluster"):
            groups = {one["VpcSecurityGroupId"] for one in cluster.get("VpcSecurityGroups", [])}
            user = f"cluster {cluster['DBClusterIdentifier']}"
            if cluster.get("Status") != "deleting":
                self.users[user] = groups
            if call.operation == "DeleteDBCluster":
                self._going(user)

    def _follow_ec2(self, call: Call, content: Mapping[str, Any]) -> None:
        for group in content.get("SecurityGroups", []):
            for member, direction in (("IpPermissions", "Ingress"), ("IpPermissionsEgress", "Egress")):
                self.rules[group["GroupId"], direction] = _named(group.get(member))
        if call.operation.endswith(("Ingress", "Egress")):
            direction = "Ingress" if call.operation.endswith("Ingress") else "Egress"
            named = self.rules.setdefault((str(call.parameters.get("GroupId")), direction), set())
            if call.operation.startswith("Authorize"):
                named |= _named(call.parameters.get("IpPermissions"))
            else:
                # Rules that are named by their ids are not known here: better none than one too many.
                named -= _named(call.parameters.get("IpPermissions")) or set(named)
        elif call.operation == "DeleteSecurityGroup":
            group = str(call.parameters.get("GroupId"))
            self.rules = {key: named for key, named in self.rules.items() if key[0] != group}
        else:
            self._follow_interfaces(call, content)

    def _follow_interfaces(self, call: Call, content: Mapping[str, Any]) -> None:
        for one in instances(content):
            if (one.get("State") or {}).get("Name") not in ("shutting-down", "terminated"):
                self.users[one["InstanceId"]] = {group["GroupId"] for group in one.get("SecurityGroups", [])}
        for one in content.get("TerminatingInstances", []):
            self._going(one["InstanceId"])
        for one in resources(content, "VpcEndpoint"):
            self.users[one["VpcEndpointId"]] = {group["GroupId"] for group in one.get("Groups", [])}
        for one in call.values("VpcEndpointIds") if call.operation == "DeleteVpcEndpoints" else ():
            self.users.pop(one, None)


def _named(permissions: Any) -> set[str]:
    return {pair["GroupId"] for one in permissions or [] for pair in one.get("UserIdGroupPairs") or []}


class GroupsOfDatabasesInUseStay(Rule):
    """A DB subnet group or cluster parameter group that a cluster has cannot be deleted."""

    source = "https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeleteDBSubnetGroup.html"
    follows_operations = frozenset(
        {"rds:CreateDBCluster", "rds:DeleteDBCluster", "rds:DescribeDBClusters", "rds:ModifyDBCluster"}
    )
    GROUPS = (
        ("DeleteDBSubnetGroup", "DBSubnetGroupName", "DBSubnetGroup", "InvalidDBSubnetGroupStateFault"),
        (
            "DeleteDBClusterParameterGroup",
            "DBClusterParameterGroupName",
            "DBClusterParameterGroup",
            "InvalidDBParameterGroupState",
        ),
    )

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Know of no cluster."""
        super().__init__(*arguments, **named)
        self.clusters: dict[str, dict[str, Any]] = {}

    def refuse(self, call: Call) -> Refusal | None:
        """Refuse to delete such a group."""
        for operation, parameter, member, code in self.GROUPS:
            name = call.parameters.get(parameter)
            if call.name == f"rds:{operation}" and any(one.get(member) == name for one in self._users()):
                return Refusal(code, f"{name} cannot be deleted: a DB cluster uses it.")
        return None

    def _users(self) -> list[dict[str, Any]]:
        """Return the clusters that are there, or still being deleted."""
        there = DeletedDatabasesAreDeletingFirst.SECONDS * self.pace
        return [
            cluster
            for name, cluster in self.clusters.items()
            if name not in self.moments or self.moments.within(there, name)
        ]

    def follow(self, call: Call, content: dict[str, Any]) -> None:
        """Remember which cluster has which groups."""
        for cluster in resources(content, "DBCluster"):
            name = cluster["DBClusterIdentifier"]
            self.clusters[name] = cluster
            if call.operation == "CreateDBCluster":
                self.moments.forget(name)
        if call.operation == "DeleteDBCluster":
            self.moments.note(call.parameters["DBClusterIdentifier"])


class PublicNatGatewaysNeedAnInternetGateway(Rule):
    """A public NAT gateway in a VPC without an internet gateway fails, some time after the call that created it."""

    source = EC2.format("NatGateway")
    follows_operations = frozenset(
        {"ec2:AttachInternetGateway", "ec2:DetachInternetGateway", "ec2:DescribeInternetGateways"}
        | {"ec2:CreateNatGateway", "ec2:DescribeNatGateways"}
    )

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Know of no internet gateway."""
        super().__init__(*arguments, **named)
        self.attached: set[str] = set()
        """The VPCs that have one."""
        self.failed: set[str] = set()

    def follow(self, call: Call, content: dict[str, Any]) -> None:
        """Note which VPC has an internet gateway, and change the states in the answers."""
        if call.operation == "AttachInternetGateway":
            self.attached.add(call.parameters["VpcId"])
        elif call.operation == "DetachInternetGateway":
            self.attached.discard(call.parameters["VpcId"])
        for one in content.get("InternetGateways", []):
            self.attached |= {attachment["VpcId"] for attachment in one.get("Attachments", [])}
        if call.operation == "CreateNatGateway" and call.parameters.get("ConnectivityType") != "private":
            gateway = content["NatGateway"]
            if gateway["VpcId"] not in self.attached:
                self.failed.add(gateway["NatGatewayId"])
        for one in content.get("NatGateways", []):
            if one["NatGatewayId"] in self.failed and one["State"] not in ("pending", "deleting", "deleted"):
                message = f"Network {one['VpcId']} has no Internet gateway attached"
                one |= {"State": "failed", "FailureCode": "Gateway.NotAttached", "FailureMessage": message}


class InternetGatewaysStayWithPublicAddresses(Rule):
    """An internet gateway cannot be detached from a VPC in which something still has a public address."""

    source = EC2.format("DetachInternetGateway")
    follows_operations = frozenset(
        {"ec2:CreateNatGateway", "ec2:DeleteNatGateway", "ec2:DescribeNatGateways"}
        | {"ec2:RunInstances", "ec2:DescribeInstances", "ec2:TerminateInstances"}
    )
    SECONDS = NatGatewaysTakeTheirTime.SECONDS

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Know of no address."""
        super().__init__(*arguments, **named)
        self.vpcs: dict[str, str] = {}
        """The VPC of each NAT gateway and instance with a public address."""
        self.deleted: set[str] = set()

    def refuse(self, call: Call) -> Refusal | None:
        """Refuse to detach it."""
        vpc = call.parameters.get("VpcId")
        if call.name != "ec2:DetachInternetGateway" or not any(
            self.vpcs[one] == vpc
            for one in self.vpcs
            if one not in self.deleted or self.moments.within(self.SECONDS * self.pace, one)
        ):
            return None
        message = (
            f"Network {vpc} has some mapped public address(es). Please unmap those public address(es) before detaching "
            "the gateway."
        )
        return Refusal("DependencyViolation", message)

    def follow(self, call: Call, content: dict[str, Any]) -> None:
        """Note what has a public address, and for how long."""
        for one in resources(content, "NatGateway"):
            if one.get("ConnectivityType") != "private" and one.get("State") not in ("deleted", "failed"):
                self.vpcs[one["NatGatewayId"]] = one["VpcId"]
        for one in instances(content):
            if one.get("PublicIpAddress") and (one.get("State") or {}).get("Name") in ("pending", "running"):
                self.vpcs[one["InstanceId"]] = one["VpcId"]
        gone = [one["InstanceId"] for one in content.get("TerminatingInstances", [])]
        gone += [call.parameters["NatGatewayId"]] if call.operation == "DeleteNatGateway" else []
        for one in gone:
            self.deleted.add(one)
            self.moments.note(one)


RULES = (
    InstancesShutDown,
    GroupsInUseStay,
    GroupsOfDatabasesInUseStay,
    PublicNatGatewaysNeedAnInternetGateway,
    InternetGatewaysStayWithPublicAddresses,
)
