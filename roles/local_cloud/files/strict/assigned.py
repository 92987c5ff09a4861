"""Rules about what AWS itself sets in a database, and when a change shows."""

from __future__ import annotations

import zlib
from typing import Any

from strict.calls import Call, resources
from strict.database import InstancesTakeTheirTime
from strict.rule import Rule

CLUSTERS = frozenset({"rds:CreateDBCluster", "rds:ModifyDBCluster", "rds:DescribeDBClusters"})
INSTANCES = frozenset({"rds:CreateDBInstance", "rds:ModifyDBInstance", "rds:DescribeDBInstances"})
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class StorageIsTheClusters(Rule):
    """An instance of Aurora has no storage of its own: its storage type is aurora, and its size one GiB."""

    source = "https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html"
    follows_operations = INSTANCES

    def follow(self, call: Call, content: dict[str, Any]) -> None:
        """Change the storage in the answers."""
        del call
        for instance in resources(content, "DBInstance"):
            if str(instance.get("Engine")).startswith("aurora"):
                instance |= {"StorageType": "aurora", "AllocatedStorage": 1}


class WindowsAreAssigned(Rule):
    """A cluster or instance that is created without windows has some of half an hour, which AWS selects at random."""

    source = "https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBCluster.html"
    follows_operations = CLUSTERS | INSTANCES

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Know of no cluster."""
        super().__init__(*arguments, **named)
        self.assigned: dict[str, dict[str, str]] = {}
        """The windows that AWS has selected, by the ARN of what has them."""

    def follow(self, call: Call, content: dict[str, Any]) -> None:
        """Select windows, and change them in the answers."""
        for name in ("DBCluster", "DBInstance"):
            for one in resources(content, name):
                if call.operation == f"Create{name}":
                    self.assigned[one[f"{name}Arn"]] = _windows(one[f"{name}Arn"])
                windows = self.assigned.get(one[f"{name}Arn"], {})
                for key in [key for key in windows if call.parameters.get(key)]:
                    del windows[key]
                one.update(windows)


def _windows(arn: str) -> dict[str, str]:
    """Return windows in the eight hours from 22:00 UTC, which are those of eu-west-1, the same for the same ARN."""
    number = zlib.crc32(arn.encode())

    def half_hour(slot: int) -> tuple[str, str]:
        minutes = [(22 * 60 + 30 * one) % 1440 for one in (slot, slot + 1)]
        start, end = (f"{one // 60:02}:{one % 60:02}" for one in minutes)
        return start, end

    slot, day = number % 8, number // 8 % 7
    backup, maintenance = half_hour(slot), half_hour(slot + 8)
    return {
        "PreferredBackupWindow": "-".join(backup),
        "PreferredMaintenanceWindow": "-".join(f"{DAYS[day]}:{one}" for one in maintenance),
    }


class ClassesArePendingAtFirst(Rule):
    """The class that an instance is being changed to is one of its pending values, until the change is done."""

    source = "https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_PendingModifiedValues.html"
    follows_operations = INSTANCES
    SECONDS = InstancesTakeTheirTime.SECONDS["ModifyDBInstance"][1]

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Know of no instance."""
        super().__init__(*arguments, **named)
        self.shown: dict[str, str] = {}
        """The class of each instance before the last change."""

    def follow(self, call: Call, content: dict[str, Any]) -> None:
        """Show the class that an instance still has, and the one that it is going to have."""
        for instance in resources(content, "DBInstance"):
            identifier, now = instance["DBInstanceIdentifier"], instance.get("DBInstanceClass")
            before = self.shown.get(identifier)
            if call.operation == "ModifyDBInstance" and before not in (None, now):
                self.moments.note(identifier)
            if call.operation == "CreateDBInstance":
                self.moments.forget(identifier)
            if before and self.moments.within(self.SECONDS * self.pace, identifier):
                pending = instance.get("PendingModifiedValues") or {}
                instance |= {"DBInstanceClass": before, "PendingModifiedValues": {**pending, "DBInstanceClass": now}}
            elif now:
                self.shown[identifier] = now


RULES = (StorageIsTheClusters, WindowsAreAssigned, ClassesArePendingAtFirst)
