# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Action plugin: one resource, compared, owned, applied, retried and reported in one task."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import jmespath  # type: ignore[import-untyped]
from ansible import context as cli_context
from ansible.errors import AnsibleActionFail
from ansible.utils.display import Display

from ansible_collections.csv_to_aurora.aws.plugins.plugin_utils.kinds import KINDS
from ansible_collections.csv_to_aurora.aws.plugins.plugin_utils.modules import (
    FIX,
    PENDING,
    Call,
    ModuleRunner,
    call_of,
)
from ansible_collections.csv_to_aurora.aws.plugins.plugin_utils.not_yet import NotYet, not_yet

IDENTITY_TAGS = ("Project", "Environment")
"""The tags that say which stack manages a resource. All others may be updated, these decide."""
OPTIONS = {"create": ("create", "apply"), "update": ("update", "apply"), "delete": ("remove",)}
"""The options of which the first that is given says how to do it."""
DONE = {"create": "created", "update": "updated", "replace": "replaced", "delete": "deleted"}
TIMEOUT = 300
UNFINISHED = NotYet("", "", "the change before it is in progress", "")
"""Why a module is run again whose ``until`` does not hold."""
LONGEST_PAUSE = 10
INTERVAL = 20
"""Seconds between two lines about the same wait."""


def foreign_tags(current: Mapping[str, Any], owner: Mapping[str, str]) -> dict[str, str]:
    """Return the identity tags of ``owner`` that the resource ``current`` does not carry."""
    tags = current.get("tags") or {}
    return {key: owner[key] for key in IDENTITY_TAGS if key in owner and tags.get(key) != owner[key]}


def differences(current: Mapping[str, Any], desired: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the fields of ``desired`` that have other values in ``current``.

    Fields that only ``current`` has are not compared: an API answers with far more than a playbook states. Of a
    resource that should not exist all fields differ.
    """
    wanted = desired or dict.fromkeys(current)
    return [
        {"field": name, "before": current.get(name), "after": wanted[name]}
        for name in wanted
        if current.get(name) != wanted[name]
    ]


@dataclass
class Plan:
    """What has to be done for one resource.

    Attributes:
        action: create, update, replace, delete or none.
        differences: Field, before and after of all that differs.
    """

    kind: str
    name: str
    current: dict[str, Any]
    desired: dict[str, Any]
    action: str
    differences: list[dict[str, Any]] = field(default_factory=list)

    @property
    def differing(self) -> list[str]:
        """The names of the fields that differ."""
        return [difference["field"] for difference in self.differences]

    @property
    def title(self) -> str:
        """Kind and name."""
        return f"{self.kind} {self.name}"

    @property
    def variables(self) -> dict[str, Any]:
        """What conditions and applied options may use beside the task's variables."""
        return {
            "action": self.action,
            "current": self.current,
            "desired": self.desired,
            "differing": self.differing,
        }

    @property
    def diff(self) -> dict[str, Any]:
        """The differing fields, as ``--diff`` shows them."""
        return {
            "before_header": self.title,
            "after_header": self.title,
            "before": {one["field"]: one["before"] for one in self.differences} if self.current else {},
            "after": {one["field"]: one["after"] for one in self.differences} if self.desired else {},
        }


def plan_of(kind: str, name: str, current: dict[str, Any], desired: dict[str, Any], replace_on: list[str]) -> Plan:
    """Return what has to be done for a resource to be as desired."""
    found = differences(current, desired)
    if not current:
        action = "create" if desired else "none"
    elif not desired:
        action = "delete"
    elif any(one["field"] in replace_on for one in found):
        action = "replace"
    else:
        action = "update" if found else "none"
    return Plan(kind, name, current, desired, action, found if action != "none" else [])


class ActionModule(ModuleRunner):
    """Bring one resource into the desired state, or say what that would take."""

    OWN = frozenset(
        {"apply", "create", "current", "desired", "kind", "name", "needs", "owner", "refuse", "remove", "replace_on"}
        | {"result_id", "timeout", "update"}
    )
    REQUIRED = ("kind", "name", "current", "desired")
    LAZY = frozenset({"apply", "create", "refuse", "remove", "update"})
    last: dict[str, Any] = {}  # noqa: RUF012 - replaced, never changed
    """Result of the last module that was run."""
    new_id: Any = None
    """What ``result_id`` found in the result of a module."""
    changed = False
    """Whether a module has changed something."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what was done, or under check mode would be done.

        Raises:
            AnsibleActionFail: An option is missing or malformed, the resource is not the owner's, the task refuses the
                change, what it needs does not exist, or a module failed.
        """
        result: dict[str, Any] = super().run(tmp, task_vars)
        self.check_options()
        arguments = self._task.args
        plan = plan_of(
            str(arguments["kind"]),
            str(arguments["name"]),
            self.mapping("current"),
            self.mapping("desired"),
            list(arguments.get("replace_on") or []),
        )
        self.check_owner(plan, arguments.get("owner") or {})
        refusals = list(self.refusals(plan)) if plan.action != "none" else []
        checking = bool(cli_context.CLIARGS.get("check"))
        if refusals and not checking:
            raise AnsibleActionFail(" ".join(refusals))
        result.update(
            kind=plan.kind,
            name=plan.name,
            action=plan.action,
            differences=plan.differences,
            differing=plan.differing,
            id=plan.current.get("id"),
            planned=bool(self._task.check_mode),
            refusals=refusals,
            changed=False,
            seconds=0.0,
        )
        if plan.action == "none":
            return result
        result["diff"] = plan.diff
        if self._task.check_mode:
            # Where the whole run only checks, what differs is what a run would change.
            result["changed"] = checking
            result["ansible_facts"] = {PENDING: True}
            return result
        self.check_needs(plan, arguments.get("needs") or {})
        began = time.monotonic()
        applied = self.apply(plan, task_vars)
        result.update(
            result=applied,
            id=self.id_after(plan),
            seconds=round(time.monotonic() - began, 1),
            changed=True,
        )
        return result

    def mapping(self, option: str) -> dict[str, Any]:
        """Return an option that is a mapping or null.

        Raises:
            AnsibleActionFail: It is something else.
        """
        value = self._task.args[option]
        if not value and not isinstance(value, bool):
            return {}
        if not isinstance(value, Mapping):
            subject = f"{self._task.args['kind']} {self._task.args['name']}"
            raise AnsibleActionFail(f"resource: '{option}' of {subject} has to be a mapping or null.")
        return dict(value)

    # Refusals

    @staticmethod
    def check_owner(plan: Plan, owner: dict[str, str]) -> None:
        """Refuse a resource that another stack, or somebody by hand, has made.

        Raises:
            AnsibleActionFail: It exists and lacks a tag of its owner.
        """
        missing = foreign_tags(plan.current, owner) if plan.current else {}
        if missing:
            wanted = ", ".join(f"{key}={value}" for key, value in missing.items())
            raise AnsibleActionFail(
                f"The {plan.title} exists but does not carry the tag {wanted}, so it is not managed by this stack and "
                f"is left as it is. Rename the stack (project and environment_name in the inventory's group_vars), "
                f"remove the {plan.kind}, or tag it if it belongs to this stack."
            )

    def refusals(self, plan: Plan) -> Iterator[str]:
        """Yield why the task does not want the planned change.

        Raises:
            AnsibleActionFail: The option is malformed.
        """
        for entry in self._task.args.get("refuse") or []:
            if not isinstance(entry, Mapping) or entry.keys() != {"when", "message"}:
                raise AnsibleActionFail(f"resource: 'refuse' of {plan.title} has to be a list of 'when' and 'message'.")
            if self.holds(entry["when"], plan.variables):
                yield " ".join(str(self.template(entry["message"], plan.variables)).split())

    @staticmethod
    def check_needs(plan: Plan, needs: dict[str, Any]) -> None:
        """Refuse to create or update something whose parents do not exist.

        Raises:
            AnsibleActionFail: One of them is empty.
        """
        missing = [str(what) for what, value in needs.items() if not value]
        if missing and plan.action != "delete":
            exist, them = ("does not exist", "it") if len(missing) == 1 else ("do not exist", "them")
            raise AnsibleActionFail(
                f"The {plan.title} needs the {' and the '.join(missing)}, which {exist} yet. Create {them} first: "
                "run playbooks/site.yml without --tags."
            )

    # Applying

    def apply(self, plan: Plan, task_vars: dict[str, Any] | None) -> dict[str, Any]:
        """Run the modules that the plan takes, one after another, and return the result of the last one.

        Raises:
            AnsibleActionFail: A module failed, or the task does not say which module to run.
        """
        path = self._task.args.get("result_id")
        for step, call in self.calls(plan):
            self.last = self.call_until_accepted(call, plan, step, task_vars)
            self.new_id = (jmespath.search(path, self.last) if path else None) or self.new_id
        if not self.changed:
            Display().warning(f"The {plan.title} differs ({', '.join(plan.differing)}), but no module changed it.")
        return self.last

    def calls(self, plan: Plan) -> Iterator[tuple[str, Call]]:
        """Yield the modules to run, each templated right before it runs, with what it is for: create, update or delete.

        Raises:
            AnsibleActionFail: The task does not say what to run.
        """
        for step in ("delete", "create") if plan.action == "replace" else (plan.action,):
            options = OPTIONS[step]
            option = next((option for option in options if option in self._task.args), None)
            if option is not None:
                calls: Iterable[Call] = self.written_calls(option, plan)
            elif plan.kind in KINDS:
                # What is created again has nothing yet of what it had.
                current = {} if plan.action == "replace" else plan.current
                calls = KINDS[plan.kind](plan.name, current, {} if step == "delete" else plan.desired)
            else:
                raise AnsibleActionFail(
                    f"resource: {plan.title} has to be {DONE[plan.action]}, and '{options[-1]}' is missing."
                )
            for call in calls:
                yield step, call

    def written_calls(self, option: str, plan: Plan) -> Iterator[Call]:
        """Yield the modules of one of the task's options: once for each item of a ``loop``, where ``when`` holds."""
        keywords = ("when", "loop", "until")
        written = self._task.args[option]
        for entry in written if isinstance(written, list) else [written]:
            call = call_of(entry, f"resource: '{option}' of {plan.title}", keywords)
            items = self.template(entry["loop"], plan.variables) if "loop" in entry else None
            for item in [None] if items is None else items:
                more = {**plan.variables, "result": self.last, **({} if items is None else {"item": item})}
                if "when" not in entry or self.holds(entry["when"], more):
                    until = str(self.template(entry.get("until", ""), more))
                    yield Call(call.module, self.template(call.arguments, more), until)

    def call_until_accepted(
        self, call: Call, plan: Plan, step: str, task_vars: dict[str, Any] | None
    ) -> dict[str, Any]:
        """Run one module, and again for as long as AWS answers 'not yet', or its ``until`` does not hold.

        Raises:
            AnsibleActionFail: It failed otherwise, or for longer than the timeout.
        """
        began = shown = time.monotonic()
        pause = 1.0
        timeout = self.number("timeout", TIMEOUT)
        while True:
            result = self.call(call, task_vars)
            self.changed = self.changed or bool(result.get("changed"))
            if not result.get("failed") and (not call.until or jmespath.search(call.until, result)):
                return result
            reason = not_yet(result, step) if result.get("failed") else UNFINISHED
            # It may have done what it could not finish: the next time it finds nothing left to do.
            self.changed = self.changed or reason is not None
            now = time.monotonic()
            if reason is None or now - began + pause > timeout:
                failed = f"The {plan.title} could not be {DONE[plan.action]}"
                waited = f" within {timeout:.0f} s ({reason.why})" if reason else ""
                if result.get("failed"):
                    raise self.failure(failed + waited, result)
                raise AnsibleActionFail(f"{failed}{waited}. {FIX}", result={"result": result})
            if now - shown >= INTERVAL:
                Display().display(f"  waiting: {plan.title}: {reason.why} ({now - began:.0f} s)")
                shown = now
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    def id_after(self, plan: Plan) -> Any:
        """Return the id of the resource after the plan was applied; None where it is gone or not told."""
        if plan.action == "delete":
            return None
        return self.new_id or (plan.current.get("id") if plan.action == "update" else None)
