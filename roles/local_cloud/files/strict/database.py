"""Rules about Amazon RDS, of Aurora MySQL."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, ClassVar

from strict.calls import Call, Refusal, resources
from strict.rule import Rule

API = "https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_{}.html"
PARAMETERS = Path(__file__).with_name("aurora-mysql8.0.json")
"""Cluster parameters of the family: type, values and default, as AWS documents them."""


class ClustersTakeTheirTime(Rule):
    """A cluster is creating, backing up or modifying for a while, in which it cannot be changed or given instances."""

    source = API.format("CreateDBInstance")
    follows_operations = frozenset(
        {"rds:CreateDBCluster", "rds:ModifyDBCluster", "rds:DescribeDBClusters", "rds:StartDBCluster"}
    )
    SECONDS: ClassVar = {
        "CreateDBCluster": ("creating", 3.0),
        "ModifyDBCluster": ("modifying", 2.0),
        "StartDBCluster": ("starting", 3.0),
    }
    BACKUP = 2.0
    """Seconds of the first backup, which follows the creation."""
    BUSY = frozenset(
        {"rds:CreateDBInstance", "rds:ModifyDBCluster", "rds:DeleteDBCluster", "rds:CreateDBClusterSnapshot"}
    )

    def state(self, cluster: str) -> str:
        """Return what a cluster is busy with; empty where with nothing."""
        for operation, (status, seconds) in self.SECONDS.items():
            if self.moments.within(seconds * self.pace, (operation, cluster)):
                return status
        created = (self.SECONDS["CreateDBCluster"][1] + self.BACKUP) * self.pace
        return "backing-up" if self.moments.within(created, ("CreateDBCluster", cluster)) else ""

    def refuse(self, call: Call) -> Refusal | None:
        """Refuse what needs an available cluster."""
        cluster = str(call.parameters.get("DBClusterIdentifier") or "")
        status = self.state(cluster) if call.name in self.BUSY else ""
        if not status:
            return None
        message = f"DB cluster {cluster} is not available for this operation, with status {status}."
        return Refusal("InvalidDBClusterStateFault", message)

    def follow(self, call: Call, content: dict[str, Any]) -> None:
        """Change the status in the answers."""
        if call.operation in self.SECONDS:
            self.moments.note((call.operation, call.parameters["DBClusterIdentifier"]))
        for cluster in resources(content, "DBCluster"):
            if cluster.get("Status") == "available":
                cluster["Status"] = self.state(cluster["DBClusterIdentifier"]) or "available"


class InstancesTakeTheirTime(Rule):
    """An instance is creating or modifying for a while, in which it cannot be changed or deleted."""

    source = API.format("DeleteDBInstance")
    follows_operations = frozenset({"rds:CreateDBInstance", "rds:ModifyDBInstance", "rds:DescribeDBInstances"})
    SECONDS: ClassVar = {"CreateDBInstance": ("creating", 3.0), "ModifyDBInstance": ("modifying", 2.0)}

    def state(self, instance: str) -> str:
        """Return what an instance is busy with; empty where with nothing."""
        for operation, (status, seconds) in self.SECONDS.items():
            if self.moments.within(seconds * self.pace, (operation, instance)):
                return status
        return ""

    def refuse(self, call: Call) -> Refusal | None:
        """Refuse what needs an available instance."""
        instance = str(call.parameters.get("DBInstanceIdentifier") or "")
        if call.name == "rds:ModifyDBInstance" and self.state(instance):
            return Refusal("InvalidDBInstanceState", f"Database instance {instance} is not in available state.")
        return None

    def follow(self, call: Call, content: dict[str, Any]) -> None:
        """Change the status in the answers."""
        if call.operation in self.SECONDS:
            self.moments.note((call.operation, call.parameters["DBInstanceIdentifier"]))
        for instance in resources(content, "DBInstance"):
            if instance.get("DBInstanceStatus") == "available":
                instance["DBInstanceStatus"] = self.state(instance["DBInstanceIdentifier"]) or "available"


class DeletedDatabasesAreDeletingFirst(Rule):
    """A cluster or an instance that was deleted is deleting for a while, in which its name is taken."""

    source = API.format("DeleteDBCluster")
    follows_operations = frozenset(
        f"rds:{operation}"
        for kind in ("DBCluster", "DBInstance")
        for operation in (f"Create{kind}", f"Modify{kind}", f"Delete{kind}", f"Describe{kind}s")
    )
    SECONDS = 3.0
    KINDS: ClassVar = {
        "DBCluster": ("Status", "DBClusterAlreadyExistsFault", "InvalidDBClusterStateFault"),
        "DBInstance": ("DBInstanceStatus", "DBInstanceAlreadyExists", "InvalidDBInstanceState"),
    }
    """By the kind: where its status is, and the error codes for a name that is taken and for a wrong state."""
    FILTERS: ClassVar = {"db-cluster-id": "DBClusterIdentifier", "db-instance-id": "DBInstanceIdentifier"}

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Know of no database."""
        super().__init__(*arguments, **named)
        self.last: dict[tuple[str, str], dict[str, Any]] = {}
        """Each as it was seen last, by its kind and identifier."""

    def deleting(self, kind: str) -> dict[str, dict[str, Any]]:
        """Return what is being deleted, by its identifier."""
        recent = self.moments.recent(self.SECONDS * self.pace)
        return {key[1]: one for key, one in self.last.items() if key[0] == kind and key in recent}

    def refuse(self, call: Call) -> Refusal | None:
        """Refuse to create another of that name, and to change or delete what is being deleted."""
        kind = re.sub("^(Create|Modify|Delete|Start|Stop|Reboot)", "", call.operation)
        if call.service != "rds" or kind not in self.KINDS:
            return None
        name = str(call.parameters.get(f"{kind}Identifier"))
        if name not in self.deleting(kind):
            return None
        _, taken, state = self.KINDS[kind]
        code = taken if call.operation.startswith("Create") else state
        return Refusal(code, f"{kind} {name} has the status deleting.")

    def answer(self, call: Call) -> dict[str, Any] | None:
        """Answer who asks for it by its name."""
        for kind in self.KINDS:
            name = call.parameters.get(f"{kind}Identifier")
            if call.name == f"rds:Describe{kind}s" and name in self.deleting(kind):
                return {f"{kind}s": [dict(self.deleting(kind)[str(name)])]}
        return None

    def follow(self, call: Call, content: dict[str, Any]) -> None:
        """Remember each, and add to a list what is being deleted."""
        for kind, (status, _, _) in self.KINDS.items():
            identifier = f"{kind}Identifier"
            for one in resources(content, kind):
                self.last[kind, one[identifier]] = {**one, status: "deleting"}
            if call.operation == f"Delete{kind}":
                self.moments.note((kind, call.parameters[identifier]))
            elif call.operation == f"Describe{kind}s" and identifier not in call.parameters:
                there = {one[identifier] for one in content.get(f"{kind}s", [])}
                gone = [
                    one for name, one in self.deleting(kind).items() if name not in there and self._asked(call, one)
                ]
                content[f"{kind}s"] = [*content.get(f"{kind}s", []), *gone]

    def _asked(self, call: Call, one: dict[str, Any]) -> bool:
        """Return whether the filters of a call let it through."""
        return all(
            one.get(self.FILTERS.get(each["Name"], "")) in each["Values"]
            for each in call.parameters.get("Filters") or []
        )


class ParametersHaveATypeAndValues(Rule):
    """A static cluster parameter cannot be applied immediately, and one wrong parameter refuses them all."""

    source = API.format("ModifyDBClusterParameterGroup")
    follows_operations = frozenset({"rds:DescribeDBClusterParameters", "rds:DeleteDBClusterParameterGroup"})
    MOST = 20

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Read what AWS documents of the family's parameters."""
        super().__init__(*arguments, **named)
        self.known: dict[str, dict[str, Any]] = {
            one["ParameterName"]: one for one in json.loads(PARAMETERS.read_text())
        }
        self.set: dict[str, dict[str, str]] = {}
        """The values that are set, by group."""

    def refuse(self, call: Call) -> Refusal | None:
        """Refuse parameters that AWS refuses; keep the others, which the emulator does not."""
        if call.name not in ("rds:ModifyDBClusterParameterGroup", "rds:ResetDBClusterParameterGroup"):
            return None
        given = call.parameters.get("Parameters") or []
        if len(given) > self.MOST:
            return Refusal("InvalidParameterValue", f"Cannot modify more than {self.MOST} parameters at once.")
        for one in given:
            wrong = self._wrong(one, resetting=call.operation.startswith("Reset"))
            if wrong:
                return wrong
        values = self.set.setdefault(call.parameters["DBClusterParameterGroupName"], {})
        for one in given:
            if call.operation.startswith("Reset"):
                values.pop(one["ParameterName"], None)
            else:
                values[one["ParameterName"]] = one["ParameterValue"]
        if call.parameters.get("ResetAllParameters"):
            values.clear()
        return None

    def _wrong(self, one: dict[str, Any], *, resetting: bool) -> Refusal | None:
        name, known = one["ParameterName"], self.known.get(one["ParameterName"])
        if known is None:
            return Refusal("InvalidParameterValue", f"Could not find parameter with name: {name}")
        if not known["IsModifiable"]:
            return Refusal("InvalidParameterValue", f"The parameter {name} cannot be modified.")
        if known["ApplyType"] == "static" and one.get("ApplyMethod") != "pending-reboot":
            message = f"cannot use immediate apply method for static parameter {name}"
            return Refusal("InvalidParameterCombination", message)
        if not resetting and not allowed(str(one.get("ParameterValue")), known.get("AllowedValues", "")):
            message = f"Invalid parameter value for: {name} allowed values are: {known['AllowedValues']}"
            return Refusal("InvalidParameterValue", message)
        return None

    def answer(self, call: Call) -> dict[str, Any] | None:
        """Answer with the defaults of the family."""
        if call.name != "rds:DescribeEngineDefaultClusterParameters":
            return None
        family = call.parameters["DBParameterGroupFamily"]
        if family != PARAMETERS.stem:
            return None
        return {"EngineDefaults": {"DBParameterGroupFamily": family, "Parameters": list(self.known.values())}}

    def follow(self, call: Call, content: dict[str, Any]) -> None:
        """Answer with all parameters; one that is set to its default has the source of a default."""
        group = call.parameters["DBClusterParameterGroupName"]
        if call.operation == "DeleteDBClusterParameterGroup":
            self.set.pop(group, None)
            return
        values = self.set.get(group, {})
        found = []
        for name, known in self.known.items():
            default = known.get("ParameterValue")
            value = values.get(name, default)
            source = "user" if name in values and value != default else known["Source"]
            found.append({**known, "Source": source, **({} if value is None else {"ParameterValue": value})})
        wanted = call.parameters.get("Source")
        content["Parameters"] = [one for one in found if not wanted or one["Source"] == wanted]
        content.pop("Marker", None)


def allowed(value: str, values: str) -> bool:
    """Return whether a parameter may have a value, by the form in which RDS lists the allowed ones.

    Args:
        value: The value; several where it is a list, by commas.
        values: Values and ranges by commas, such as ``0,1`` or ``1-65535``; empty for any.
    """
    choices = [one.strip() for one in values.split(",") if one.strip()]

    def is_one(part: str) -> bool:
        ranges = (re.fullmatch(r"(-?\d+)-(\d+)", one) for one in choices)
        return part in choices or (
            bool(re.fullmatch(r"-?\d+", part)) and any(r and int(r[1]) <= int(part) <= int(r[2]) for r in ranges)
        )

    return not choices or all(is_one(part.strip()) for part in value.split(","))


class PasswordsHaveAForm(Rule):
    """A master password has 8 to 41 printable ASCII characters, without slash, at sign, quotation mark and space."""

    source = API.format("CreateDBCluster")
    FORM = re.compile(r"[!#-.0-?A-~]{8,41}")

    def refuse(self, call: Call) -> Refusal | None:
        """Refuse any other password."""
        password = call.parameters.get("MasterUserPassword") if call.service == "rds" else None
        if password is None or self.FORM.fullmatch(password):
            return None
        message = (
            "The parameter MasterUserPassword is not a valid password. Only printable ASCII characters other than "
            "'/', '@', '\"', ' ' may be used."
        )
        return Refusal("InvalidParameterValue", message)


class SubnetGroupsCoverTwoZones(Rule):
    """A DB subnet group has subnets in two availability zones or more."""

    source = API.format("CreateDBSubnetGroup")
    follows_operations = frozenset({"ec2:CreateSubnet", "ec2:DescribeSubnets"})

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Know of no subnet."""
        super().__init__(*arguments, **named)
        self.zones: dict[str, str] = {}

    def refuse(self, call: Call) -> Refusal | None:
        """Refuse a group in one zone."""
        if call.name not in ("rds:CreateDBSubnetGroup", "rds:ModifyDBSubnetGroup"):
            return None
        subnets = [str(one) for one in call.values("SubnetIds")]
        if len({self.zones.get(one, one) for one in subnets}) >= 2:
            return None
        message = (
            "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. Current AZ coverage: "
            f"{', '.join(sorted({self.zones.get(one, one) for one in subnets}))}. Add subnets to cover at least 2 AZs."
        )
        return Refusal("DBSubnetGroupDoesNotCoverEnoughAZs", message)

    def follow(self, call: Call, content: dict[str, Any]) -> None:
        """Remember the zone of each subnet."""
        del call
        for subnet in resources(content, "Subnet"):
            self.zones[subnet["SubnetId"]] = subnet["AvailabilityZone"]


class FinalSnapshotsAreAskedFor(Rule):
    """A cluster is deleted with a final snapshot of a new name, or expressly without one."""

    source = API.format("DeleteDBCluster")
    follows_operations = frozenset({"rds:DeleteDBCluster"})

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Know of no snapshot."""
        super().__init__(*arguments, **named)
        self.snapshots: set[str] = set()

    def refuse(self, call: Call) -> Refusal | None:
        """Refuse a deletion that says neither, or both, or the name of another snapshot."""
        if call.name != "rds:DeleteDBCluster":
            return None
        skip, name = bool(call.parameters.get("SkipFinalSnapshot")), call.parameters.get("FinalDBSnapshotIdentifier")
        if skip == bool(name):
            message = "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified."
            return Refusal("InvalidParameterCombination", message)
        if name in self.snapshots:
            message = f"Cannot create the cluster snapshot because one with the identifier {name} already exists."
            return Refusal("DBClusterSnapshotAlreadyExistsFault", message)
        return None

    def follow(self, call: Call, content: dict[str, Any]) -> None:
        """Remember the snapshot."""
        del content
        if call.parameters.get("FinalDBSnapshotIdentifier"):
            self.snapshots.add(call.parameters["FinalDBSnapshotIdentifier"])


class VersionsAreInFull(Rule):
    """The engine version of a cluster is the full one, whatever part of it was asked for."""

    source = "https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/AuroraMySQL.Updates.Versions.html"
    follows_operations = frozenset(
        {"rds:CreateDBCluster", "rds:ModifyDBCluster", "rds:DescribeDBClusters"}
        | {"rds:CreateDBInstance", "rds:DescribeDBInstances"}
    )
    MINOR = "8.0.mysql_aurora.3.10.1"

    def follow(self, call: Call, content: dict[str, Any]) -> None:
        """Complete the version."""
        del call
        for one in [*resources(content, "DBCluster"), *resources(content, "DBInstance")]:
            if self.MINOR.startswith(str(one.get("EngineVersion"))):
                one["EngineVersion"] = self.MINOR


RULES = (
    ClustersTakeTheirTime,
    InstancesTakeTheirTime,
    DeletedDatabasesAreDeletingFirst,
    ParametersHaveATypeAndValues,
    PasswordsHaveAForm,
    SubnetGroupsCoverTwoZones,
    FinalSnapshotsAreAskedFor,
    VersionsAreInFull,
)
