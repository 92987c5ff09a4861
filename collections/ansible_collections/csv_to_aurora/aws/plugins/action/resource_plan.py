"""Action plugin: what would have to change for one resource to be as it should."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.text.converters import to_text
from ansible.plugins.action import ActionBase

_NAME_BY_DIRECTION = {
    (False, True): "create",
    (True, True): "change",
    (True, False): "delete",
    (False, False): "none",
}


# The tags that say whose a resource is. All others may be mended, these decide.
IDENTITY_TAGS = ("Project", "Environment")


def foreign_tags(before: dict[str, Any], owner: dict[str, str]) -> dict[str, str]:
    """Return the identity tags of ``owner`` that the resource ``before`` does not carry."""
    tags = before.get("tags") or {}
    return {k: owner[k] for k in IDENTITY_TAGS if k in owner and tags.get(k) != owner[k]}


def differences(before: dict[str, Any] | None, after: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Return the fields of ``after`` that ``before`` does not hold as they should be.

    Fields that only ``before`` has are nobody's business: an API answers with far more than a
    playbook states. A resource that should not exist differs in all the fields it has.
    """
    before, wanted = before or {}, after if after is not None else dict.fromkeys(before or {})
    return [
        {"field": field, "before": before.get(field), "after": wanted[field]}
        for field in wanted
        if before.get(field) != wanted[field]
    ]


class ActionModule(ActionBase):
    """Compare what exists with what should, and under --check report the difference as changed."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return ``differs``, ``action``, ``differences`` and a ``diff`` of the differing fields.

        Raises:
            AnsibleActionFail: an argument is missing or neither a mapping nor null, or the
                resource exists and is not its owner's.
        """
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = self._task.args
        for key in ("kind", "name", "before", "after"):
            if key not in arguments:
                raise AnsibleActionFail(f"resource_plan needs the argument '{key}'.")
        before, after = arguments["before"] or None, arguments["after"] or None
        for key, value in (("before", before), ("after", after)):
            if value is not None and not isinstance(value, dict):
                raise AnsibleActionFail(
                    f"resource_plan: '{key}' of {arguments['kind']} {arguments['name']} has to be "
                    f"a mapping or null, not {to_text(type(value).__name__)}."
                )
        if before is not None and (missing := foreign_tags(before, arguments.get("owner") or {})):
            wanted = ", ".join(f"{key}={value}" for key, value in missing.items())
            raise AnsibleActionFail(
                f"The {arguments['kind']} {arguments['name']} exists but does not carry the tag "
                f"{wanted}, so it is not this stack's and is left as it is. Rename the stack "
                f"(project and environment_name in the inventory's group_vars), remove the "
                f"{arguments['kind']}, or give it the tag if it is yours to give."
            )
        found = differences(before, after)
        action = _NAME_BY_DIRECTION[before is not None, after is not None]
        if action == "change" and not found:
            action = "none"
        differs = action != "none"
        result.update(
            kind=arguments["kind"],
            name=arguments["name"],
            action=action,
            differs=differs,
            differences=found if differs else [],
            # A real run leaves it to the task that acts on this to say that something changed.
            changed=differs and bool(self._task.check_mode),
        )
        if differs:
            result["diff"] = {
                "before_header": f"{arguments['kind']} {arguments['name']}",
                "after_header": f"{arguments['kind']} {arguments['name']}",
                "before": {d["field"]: d["before"] for d in found} if before else {},
                "after": {d["field"]: d["after"] for d in found} if after else {},
            }
        return result
