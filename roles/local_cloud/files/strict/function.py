"""Rules about AWS Lambda and the notifications of Amazon S3 that invoke it."""

from __future__ import annotations

import json
from itertools import combinations
from typing import Any

from strict.calls import Call, Refusal
from strict.rule import Rule

API = "https://docs.aws.amazon.com/lambda/latest/api/API_{}.html"


def function_name(call: Call) -> str:
    """Return the name of the function that a call names, by name or ARN, with or without a qualifier."""
    parts = str(call.parameters.get("FunctionName") or "").split(":")
    return parts[6] if len(parts) > 6 else parts[0]


class FunctionsTakeTheirTime(Rule):
    """A function is pending or being updated for a while, in which it cannot be updated again."""

    source = "https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html"
    SECONDS = 2.0
    STARTS = frozenset({"CreateFunction", "UpdateFunctionCode", "UpdateFunctionConfiguration"})
    follows_operations = frozenset(
        f"lambda:{one}" for one in {*STARTS, "GetFunction", "GetFunctionConfiguration", "ListFunctions"}
    )
    BUSY = frozenset({"lambda:UpdateFunctionCode", "lambda:UpdateFunctionConfiguration", "lambda:PublishVersion"})

    def _busy(self, function: str) -> str:
        return next(
            (one for one in sorted(self.STARTS) if self.moments.within(self.SECONDS * self.pace, (one, function))), ""
        )

    def refuse(self, call: Call) -> Refusal | None:
        """Refuse a second change while one is in progress."""
        if call.name not in self.BUSY or not self._busy(function_name(call)):
            return None
        message = (
            "The operation cannot be performed at this time. An update is in progress for resource: "
            f"{function_name(call)}"
        )
        return Refusal("ResourceConflictException", message)

    def follow(self, call: Call, content: dict[str, Any]) -> None:
        """Change the states in the answers."""
        if call.operation in self.STARTS:
            self.moments.note((call.operation, function_name(call)))
        found = content.get("Functions") or [content.get("Configuration") or content]
        for one in found:
            started = self._busy(str(one.get("FunctionName")))
            if started == "CreateFunction":
                one["State"] = "Pending"
            if started:
                one["LastUpdateStatus"] = "InProgress"


class ReservedConcurrencyLeavesTheAccountItsShare(Rule):
    """Reserved concurrency has to leave 100 of the account's limit to all other functions."""

    source = API.format("PutFunctionConcurrency")
    LIMIT, LEFT = 1000, 100

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Know of nothing that is reserved."""
        super().__init__(*arguments, **named)
        self.reserved: dict[str, int] = {}

    def refuse(self, call: Call) -> Refusal | None:
        """Refuse what leaves less."""
        function = function_name(call)
        if call.name == "lambda:DeleteFunctionConcurrency":
            self.reserved.pop(function, None)
        if call.name != "lambda:PutFunctionConcurrency":
            return None
        wanted = int(call.parameters["ReservedConcurrentExecutions"])
        others = sum(number for one, number in self.reserved.items() if one != function)
        if self.LIMIT - others - wanted < self.LEFT:
            message = (
                "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution "
                f"below its minimum value of [{self.LEFT}]."
            )
            return Refusal("InvalidParameterValueException", message)
        self.reserved[function] = wanted
        return None


class FunctionsKeepTheirInterfaces(Rule):
    """The network interfaces of a function keep its security groups and subnets after it has left the VPC."""

    source = "https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html"
    follows_operations = frozenset(
        f"lambda:{one}"
        for one in (
            "CreateFunction",
            "UpdateFunctionCode",
            "UpdateFunctionConfiguration",
            "DeleteFunction",
            "PublishVersion",
        )
    )
    SECONDS = 5.0
    LONGER = 60.0
    """Where a published version, which nobody deleted, holds them."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Know of no function."""
        super().__init__(*arguments, **named)
        self.parts: dict[str, set[str]] = {}
        """The subnets and security groups of each function."""
        self.left: dict[str, set[str]] = {}
        """Those that it has left."""
        self.published: dict[str, set[str]] = {}
        """The published versions of each function."""

    def refuse(self, call: Call) -> Refusal | None:
        """Refuse to delete what the interfaces still use."""
        if call.name not in ("ec2:DeleteSecurityGroup", "ec2:DeleteSubnet"):
            return None
        wanted = set(call.values("GroupId", "SubnetId"))
        for function, parts in self.left.items():
            seconds = self.LONGER if self.published.get(function) else self.SECONDS
            if wanted & parts and self.moments.within(seconds * self.pace, function):
                return Refusal("DependencyViolation", f"resource {min(wanted)} has a dependent object")
        return None

    def follow(self, call: Call, content: dict[str, Any]) -> None:
        """Remember what each function uses, and what it has left."""
        function, qualifier = function_name(call), str(call.parameters.get("Qualifier") or "")
        deleted = call.operation == "DeleteFunction" and not qualifier
        if call.operation == "PublishVersion" or call.parameters.get("Publish"):
            self.published.setdefault(function, set()).add(str(content["Version"]))
        elif deleted:
            self.published.pop(function, None)
        elif qualifier:
            self.published.get(function, set()).discard(qualifier)
        settings = call.parameters.get("VpcConfig")
        if not deleted and settings is None:
            return
        after = {str(one) for values in (settings or {}).values() if isinstance(values, list) for one in values}
        gone = self.parts.get(function, set()) - after
        if gone:
            self.left[function] = gone
            self.moments.note(function)
        self.parts[function] = after


class NotificationsMayNotOverlap(Rule):
    """Two notifications for the same event may not both match one key."""

    source = "https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html"

    def refuse(self, call: Call) -> Refusal | None:
        """Refuse such a configuration."""
        if call.name != "s3:PutBucketNotificationConfiguration":
            return None
        configuration = call.parameters.get("NotificationConfiguration") or {}
        rules = [
            one for key, value in configuration.items() if key.endswith("Configurations") and value for one in value
        ]
        for one, other in combinations(rules, 2):
            if _common_event(one, other) and all(
                _meet(_filter(one, key), _filter(other, key), key) for key in ("prefix", "suffix")
            ):
                message = (
                    "Configurations overlap. Configurations on the same bucket cannot share a common event type if "
                    "their prefixes and suffixes overlap."
                )
                return Refusal("InvalidArgument", message)
        return None


def _common_event(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return any(
        a == b or a.startswith(b.rstrip("*")) or b.startswith(a.rstrip("*"))
        for a in one.get("Events", [])
        for b in other.get("Events", [])
    )


def _filter(rule: dict[str, Any], key: str) -> str:
    rules = ((rule.get("Filter") or {}).get("Key") or {}).get("FilterRules") or []
    return next((str(one["Value"]) for one in rules if str(one["Name"]).lower() == key), "")


def _meet(one: str, other: str, key: str) -> bool:
    if key == "prefix":
        return one.startswith(other) or other.startswith(one)
    return one.endswith(other) or other.endswith(one)


class S3ChecksItsDestinations(Rule):
    """S3 refuses a notification of a function that it may not invoke, or does not know yet that it may."""

    source = "https://docs.aws.amazon.com/AmazonS3/latest/userguide/how-to-enable-disable-notification-intro.html"
    follows_operations = frozenset({"lambda:AddPermission", "lambda:RemovePermission", "lambda:DeleteFunction"})
    SECONDS = 3.0

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Know of no permission."""
        super().__init__(*arguments, **named)
        self.allowed: dict[tuple[str, str], str] = {}
        """The bucket, or an empty text for any, by function and statement."""

    def refuse(self, call: Call) -> Refusal | None:
        """Refuse a notification without a permission that is some seconds old."""
        if call.name != "s3:PutBucketNotificationConfiguration":
            return None
        configuration = call.parameters.get("NotificationConfiguration") or {}
        for one in configuration.get("LambdaFunctionConfigurations") or []:
            function = str(one["LambdaFunctionArn"]).split(":")[6]
            known = [
                bucket
                for (name, statement), bucket in self.allowed.items()
                if name == function and not self.moments.within(self.SECONDS * self.pace, (name, statement))
            ]
            if not any(bucket in ("", call.parameters["Bucket"]) for bucket in known):
                return Refusal("InvalidArgument", "Unable to validate the following destination configurations")
        return None

    def follow(self, call: Call, content: dict[str, Any]) -> None:
        """Remember who may invoke what."""
        function, statement = function_name(call), str(call.parameters.get("StatementId") or "")
        if call.operation == "AddPermission":
            document = json.loads(content["Statement"])
            if document.get("Principal", {}).get("Service") == "s3.amazonaws.com":
                bucket = str(call.parameters.get("SourceArn") or "").rpartition(":")[2]
                self.allowed[function, statement] = bucket
                self.moments.note((function, statement))
        elif call.operation == "RemovePermission":
            self.allowed.pop((function, statement), None)
        elif not call.parameters.get("Qualifier"):
            # With one, a single version is deleted.
            self.allowed = {key: bucket for key, bucket in self.allowed.items() if key[0] != function}


RULES = (
    FunctionsTakeTheirTime,
    ReservedConcurrencyLeavesTheAccountItsShare,
    FunctionsKeepTheirInterfaces,
    NotificationsMayNotOverlap,
    S3ChecksItsDestinations,
)
