"""Rules about IAM."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from typing import Any

from strict.calls import Call, Refusal
from strict.rule import Rule

CONSISTENCY = (
    "https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency"
)


class NewRolesCannotBeAssumed(Rule):
    """A service cannot assume a role of the last seconds, or whose trust policy has just changed."""

    source = CONSISTENCY
    follows_operations = frozenset({"iam:CreateRole", "iam:UpdateAssumeRolePolicy"})
    SECONDS = 6.0

    def refuse(self, call: Call) -> Refusal | None:
        """Refuse functions that are given such a role."""
        if call.name in ("lambda:CreateFunction", "lambda:UpdateFunctionConfiguration"):
            role = str(call.parameters.get("Role") or "").rpartition("/")[2]
            if self.moments.within(self.SECONDS * self.pace, role):
                message = "The role defined for the function cannot be assumed by Lambda."
                return Refusal("InvalidParameterValueException", message)
        return None

    def follow(self, call: Call, content: dict[str, Any]) -> None:
        """Remember the role."""
        del content
        self.moments.note(call.parameters["RoleName"])


class NewInstanceProfilesAreNotKnown(Rule):
    """EC2 does not know an instance profile of the last seconds, or one that has just been given its role."""

    source = CONSISTENCY
    follows_operations = frozenset(
        {"iam:CreateInstanceProfile", "iam:AddRoleToInstanceProfile", "ec2:CreateLaunchTemplate"}
        | {"ec2:CreateLaunchTemplateVersion"}
    )
    SECONDS = 5.0

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Know of no launch template."""
        super().__init__(*arguments, **named)
        self.profiles: dict[str, str] = {}
        """The instance profile of each launch template, by its id and its name."""

    def refuse(self, call: Call) -> Refusal | None:
        """Refuse instances with such a profile."""
        if call.name not in ("ec2:RunInstances", "ec2:AssociateIamInstanceProfile"):
            return None
        named = [str(one) for one in call.values("Name", "Arn")]
        named += [self.profiles.get(str(one), "") for one in call.values("LaunchTemplateId", "LaunchTemplateName")]
        for name in (one.rpartition("/")[2] for one in named):
            if self.moments.within(self.SECONDS * self.pace, name):
                message = f"Value ({name}) for parameter iamInstanceProfile.name is invalid"
                return Refusal("InvalidParameterValue", message)
        return None

    def follow(self, call: Call, content: dict[str, Any]) -> None:
        """Remember the profile, and which launch template has it."""
        if call.service == "iam":
            self.moments.note(call.parameters["InstanceProfileName"])
            return
        template = content.get("LaunchTemplate") or content.get("LaunchTemplateVersion") or {}
        profile = (call.parameters.get("LaunchTemplateData") or {}).get("IamInstanceProfile") or {}
        name = str(profile.get("Name") or profile.get("Arn") or "").rpartition("/")[2]
        for key in ("LaunchTemplateId", "LaunchTemplateName"):
            if template.get(key):
                self.profiles[template[key]] = name


class RolesInAVpcNeedPermissions(Rule):
    """The role of a function in a VPC has to allow network interfaces, by policies that are some seconds old."""

    source = "https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html"
    follows_operations = frozenset(
        {"iam:AttachRolePolicy", "iam:CreateRole", "iam:DeleteRolePolicy", "iam:DetachRolePolicy", "iam:PutRolePolicy"}
    )
    SECONDS = 3.0
    ACTIONS = ("ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DeleteNetworkInterface")
    MANAGED = "arn:aws:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole"

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Know of no role."""
        super().__init__(*arguments, **named)
        self.allowed: dict[str, dict[str, list[str]]] = {}
        """The actions that each policy of a role allows, with wildcards, of the roles that were created meanwhile."""

    def refuse(self, call: Call) -> Refusal | None:
        """Refuse a function in a VPC with a role that does not allow it."""
        role = str(call.parameters.get("Role") or "").rpartition("/")[2]
        in_vpc = (call.parameters.get("VpcConfig") or {}).get("SubnetIds")
        if call.name not in ("lambda:CreateFunction", "lambda:UpdateFunctionConfiguration") or not in_vpc:
            return None
        patterns = [
            pattern.lower()
            for policy, actions in self.allowed.get(role, {}).items()
            if not self.moments.within(self.SECONDS * self.pace, (role, policy))
            for pattern in actions
        ]
        for action in self.ACTIONS if role in self.allowed else ():
            if not any(fnmatchcase(action.lower(), pattern) for pattern in patterns):
                name = action.partition(":")[2]
                message = f"The provided execution role does not have permissions to call {name} on EC2"
                return Refusal("InvalidParameterValueException", message)
        return None

    def follow(self, call: Call, content: dict[str, Any]) -> None:
        """Remember what the policies of each role allow."""
        del content
        role = str(call.parameters["RoleName"])
        policy = str(call.parameters.get("PolicyName") or call.parameters.get("PolicyArn"))
        if call.operation == "CreateRole":
            self.allowed[role] = {}
        elif role in self.allowed and call.operation in ("DeleteRolePolicy", "DetachRolePolicy"):
            self.allowed[role].pop(policy, None)
        elif role in self.allowed:
            document = call.parameters.get("PolicyDocument")
            actions = _allowed(document) if document else list(self.ACTIONS) if policy == self.MANAGED else []
            if self.allowed[role].get(policy) != actions:
                self.moments.note((role, policy))
            self.allowed[role][policy] = actions


def _allowed(document: str) -> list[str]:
    """Return the actions that the statements of a policy allow, whatever the resources and conditions."""
    statements = json.loads(document)["Statement"]
    found: list[str] = []
    for one in statements if isinstance(statements, list) else [statements]:
        actions = one.get("Action") or [] if one["Effect"] == "Allow" else []
        found += actions if isinstance(actions, list) else [actions]
    return found


RULES = (NewRolesCannotBeAssumed, NewInstanceProfilesAreNotKnown, RolesInAVpcNeedPermissions)
