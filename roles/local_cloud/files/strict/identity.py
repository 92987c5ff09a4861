"""Rules about IAM."""

from __future__ import annotations

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


RULES = (NewRolesCannotBeAssumed, NewInstanceProfilesAreNotKnown)
