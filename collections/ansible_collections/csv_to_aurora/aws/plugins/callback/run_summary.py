# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Callback: what a run changed, or under --check would change, one line a resource."""

from __future__ import annotations

import json
import re
import tempfile
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible import constants, context
from ansible.plugins.callback import CallbackBase

if TYPE_CHECKING:
    from ansible.executor.stats import AggregateStats
    from ansible.executor.task_result import CallbackTaskResult
    from ansible.playbook.task import Task

DOCUMENTATION = r"""
name: run_summary
type: aggregate
version_added: 1.0.0
short_description: Say at the end of a run what was created, changed and deleted
description:
  - Prints one line for each resource that the run changed, or under C(--check) would change, and one line of totals.
    A plan also has the fields that differ, as far as the module tells them.
  - A resource that M(csv_to_aurora.aws.resource_plan) compared goes by its kind and name, both in a plan and in the run
    after it, so that the two can be compared. The task that acts on a comparison is known by the registered variable in
    its C(when) or C(loop), or by its item's label. Any other change goes by its task's name and, in a loop, by the
    item's label.
  - Tasks that only look or compute, such as info modules, facts and assertions, are never listed, nor are tasks
    with C(check_mode=true), which only ask.
  - A result with C(no_log) is listed by its task's name alone.
  - A playbook steers it with M(ansible.builtin.set_stats), under the key C(run_summary). C(show) is a list of lines to
    end with, such as what to do next. C(plan) is a plan as C(plan_file) has it, to print in place of the run's own
    summary. C(exit_code) is what C(ansible-playbook) exits with where nothing failed; callbacks that are enabled
    after this one do not see the end of such a run.
author:
  - The csv-to-aurora authors (@csv-to-aurora)
requirements:
  - enabled in C(callbacks_enabled)
options:
  plan_file:
    description:
      - Path of a file to write the same to as JSON, readable by its owner only.
      - Keys are C(check), C(changes) (each with C(host), C(remote), C(role), C(task), C(item), C(action), C(module),
        C(fields) and C(diff)), C(failures) and C(refusals) (each with C(host), C(role), C(task) and C(message)),
        C(totals), and C(roles), the totals of each role.
      - C(action) is V(create), V(change) or V(delete). C(diff) is what the module told of it, or null, and C(fields)
        are the names of what differs in it. Most modules tell nothing without C(--diff), and what they create then
        counts as changed.
      - C(refusals) are what a plan passed over, by C(ignore_errors), and a run would stop at.
    type: path
    env:
      - name: ANSIBLE_RUN_SUMMARY_PLAN_FILE
    ini:
      - section: callback_run_summary
        key: plan_file
"""

PLAN = "csv_to_aurora.aws.resource_plan"

# What looks, computes or steers, but is no resource of anybody.
INTERNAL = frozenset(
    {
        "add_host",
        "assert",
        "debug",
        "fail",
        "gather_facts",
        "group_by",
        "import_playbook",
        "import_role",
        "import_tasks",
        "include_role",
        "include_tasks",
        "include_vars",
        "meta",
        "pause",
        "ping",
        "set_fact",
        "set_stats",
        "setup",
        "slurp",
        "ssm_lock",
        "stat",
        "validate_argument_spec",
        "wait_for",
        "wait_for_connection",
    }
)

# What a plan passes over and a run stops at.
GUARDS = ("ansible.builtin.assert", "ansible.builtin.fail")

ACTIONS = ("create", "change", "delete")
COUNTS = (*ACTIONS, "unchanged", "failed")
DONE = {"create": "created", "change": "changed", "delete": "deleted"}
KEY = "run_summary"
"""The key of set_stats that is for this callback."""
WIDEST = 140
"""Characters of a value that a plan shows."""
COLOURS = {"create": constants.COLOR_OK, "change": constants.COLOR_CHANGED, "delete": constants.COLOR_ERROR}


@dataclass(frozen=True)
class Change:
    """One resource that was changed, or would be."""

    host: str
    remote: bool
    role: str | None
    task: str
    item: str | None
    action: str
    module: str
    fields: list[str] | None
    diff: Any

    @property
    def resource(self) -> tuple[str, str | None, str, str | None]:
        """What tells this resource from the others of the run."""
        return self.host, self.role, self.task, self.item

    @property
    def subject(self) -> str:
        """What was changed, for people; what is on this machine or in the account needs no host's name."""
        compared = self.module == PLAN and self.item is not None
        subject = str(self.item) if compared else ": ".join(filter(None, (self.task, self.item)))
        return f"{subject} on {self.host}" if self.remote else subject

    def line(self, role_width: int, *, check: bool) -> str:
        """Return the line for people."""
        verb = f"would {self.action}" if check else DONE[self.action]
        return f"  {self.role or 'playbook':{role_width}}  {verb:12}  {self.subject}"

    def details(self) -> list[str]:
        """Return a line for each field that differs; none for what is made or removed whole."""
        before, after = sides(self.diff)
        if self.action != "change" or not isinstance(before, dict) or not isinstance(after, dict):
            return []
        return [line for field in self.fields or [] for line in difference(field, before.get(field), after.get(field))]


@dataclass(frozen=True)
class Stop:
    """Where a host failed, or where a run would stop that a plan passed over."""

    host: str
    role: str | None
    task: str
    message: str

    def line(self) -> str:
        """Return the line for people."""
        return f"  {self.role or 'playbook'}: {self.message}"


@dataclass
class Comparison:
    """What resource_plan found out about one resource, waiting for the task that acts on it."""

    change: Change
    registers: tuple[str, ...]
    label: str | None
    name: str


def sentence(task: Task) -> str:
    """Return a task's name without its role and without the file that it begins with."""
    name = task.name or task.get_name()
    return str(name).rsplit(" | ", maxsplit=1)[-1]


def role_of(task: Task) -> str | None:
    """Return the name of the role that the task is in."""
    return str(task._role.get_name()) if task._role else None


def module_of(task: Task) -> str:
    """Return the full name of the task's module."""
    return str(task.resolved_action or task.action)


def is_internal(module: str) -> bool:
    """Return whether a module only looks, computes or steers."""
    short = module.rsplit(".", maxsplit=1)[-1]
    return short in INTERNAL or short.endswith(("_info", "_facts"))


def only_asks(task: Task) -> bool:
    """Return whether the task itself says that it runs in check mode, whatever the run does."""
    return (task.get_ds() or {}).get("check_mode") is True


def is_nothing(side: Any) -> bool:
    """Return whether one side of a diff says that there is nothing."""
    return not side or (isinstance(side, dict) and side.get("state") == "absent")


def sides(diff: Any) -> tuple[Any, Any]:
    """Return what was and what will be, of the first diff that a module tells."""
    first = diff[0] if isinstance(diff, list) and diff else diff
    return (first.get("before"), first.get("after")) if isinstance(first, dict) else (None, None)


def fields_of(diff: Any) -> list[str] | None:
    """Return the names of the fields that differ; None where the diff has no fields."""
    before, after = sides(diff)
    if not isinstance(before, dict) or not isinstance(after, dict):
        return None
    return [str(field) for field in {**before, **after} if before.get(field) != after.get(field)]


def shown(value: Any) -> str:
    """Return a value on one short line."""
    text = "none" if value is None else value if isinstance(value, str) else json.dumps(value, default=str)
    text = " ".join(text.split()) or '""'
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"


def difference(field: str, before: Any, after: Any) -> list[str]:
    """Return the lines that tell one value from another: of mappings and lists only what is not in both."""
    if isinstance(before, dict) and isinstance(after, dict):
        return [
            line
            for key in {**before, **after}
            if before.get(key) != after.get(key)
            for line in difference(f"{field}.{key}", before.get(key), after.get(key))
        ]
    if isinstance(before, list) and isinstance(after, list):
        gone = [f"{field}: - {shown(item)}" for item in before if item not in after]
        new = [f"{field}: + {shown(item)}" for item in after if item not in before]
        return gone + new or [f"{field}: in another order"]
    return [f"{field}: {shown(before)} → {shown(after)}"]


def message_of(result: CallbackTaskResult) -> str:
    """Return why a task failed, in one line and without a traceback."""
    found = result.result
    if result.task.no_log or "censored" in found or found.get("_ansible_no_log"):
        return "its result is kept quiet (no_log)"
    return " ".join(str(found.get("msg") or found.get("stderr") or "no reason given").split())


def totals_line(totals: dict[str, int], *, check: bool) -> str:
    """Return the one line of totals."""
    kinds = [f"to {name}" if check else DONE[name] for name in ACTIONS]
    counts = ", ".join(f"{totals[name]} {kind}" for name, kind in zip(ACTIONS, kinds, strict=True))
    failed = f"; {totals['failed']} failed" if totals["failed"] else ""
    return f"{'Plan' if check else 'Run'}: {counts}; {totals['unchanged']} as they should be{failed}."


def action_of(task: Task, diff: Any) -> str:
    """Return what a changed result did, from its diff or else from the state that the task asks for."""
    first = diff[0] if isinstance(diff, list) and diff else diff
    if isinstance(first, dict) and "before" in first and "after" in first:
        if is_nothing(first["after"]):
            return "delete"
        return "create" if is_nothing(first["before"]) else "change"
    return "delete" if task.args.get("state") in ("absent", "deleted") else "change"


class CallbackModule(CallbackBase):
    """Collects the results of a run and prints what they changed."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "csv_to_aurora.aws.run_summary"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Start with nothing seen."""
        super().__init__(*args, **kwargs)
        self.check = bool(context.CLIARGS.get("check"))
        self.changes: dict[tuple[str, str | None, str, str | None], Change] = {}
        self.unchanged: dict[str | None, set[tuple[str, str, str | None]]] = defaultdict(set)
        self.failures: dict[str, Stop] = {}
        self.refusals: list[Stop] = []
        self.local: set[str] = set()
        self.comparisons: dict[tuple[str, str | None], list[Comparison]] = defaultdict(list)
        self.conditions: dict[str, str] = {}

    # Events

    def v2_playbook_on_task_start(self, task: Task, is_conditional: bool) -> None:  # noqa: ARG002, FBT001
        """Keep the task's conditions and loop as written: they name the comparison that the task acts on."""
        self.conditions[task._uuid] = f"{task.when} {task.loop}"

    def v2_playbook_on_handler_task_start(self, task: Task) -> None:
        """Treat a handler as any other task."""
        self.v2_playbook_on_task_start(task, is_conditional=False)

    def v2_runner_on_ok(self, result: CallbackTaskResult) -> None:
        """Take in a task's result; those of a loop come one by one."""
        if not self.is_loop(result):
            self.take(result)

    def v2_runner_item_on_ok(self, result: CallbackTaskResult) -> None:
        """Take in the result of one item."""
        self.take(result)

    def v2_runner_on_failed(self, result: CallbackTaskResult, ignore_errors: bool = False) -> None:  # noqa: FBT001, FBT002
        """Remember where a host failed last; whether it recovered is known at the end."""
        if not ignore_errors:
            self.failures[result.host.get_name()] = self.stop(result)
        elif self.check and module_of(result.task) in GUARDS:
            self.refusals.append(self.stop(result))

    def v2_runner_on_unreachable(self, result: CallbackTaskResult) -> None:
        """Treat a host that does not answer as failed."""
        self.failures[result.host.get_name()] = self.stop(result)

    def v2_playbook_on_stats(self, stats: AggregateStats) -> None:
        """Print the summary and write the file, at the end of the run.

        Raises:
            SystemExit: The playbook asked for an exit code of its own, and nothing failed.
        """
        failures = [stop for host, stop in self.failures.items() if stats.failures.get(host) or stats.dark.get(host)]
        summary = self.summary(failures)
        steering = stats.custom.get("_run", {}).get(KEY, {})
        self.print_summary(steering.get("plan") or summary)
        for line in steering.get("show", []):
            self._display.display(f"{line}")
        plan_file = self.get_option("plan_file")
        if plan_file:
            self.write(Path(plan_file), summary)
        if steering.get("exit_code") and not failures:
            raise SystemExit(int(steering["exit_code"]))

    # Results

    @staticmethod
    def is_loop(result: CallbackTaskResult) -> bool:
        """Return whether the result sums up items that were reported one by one."""
        return bool(result.task.loop) and "results" in result.result

    def take(self, result: CallbackTaskResult) -> None:
        """Count one result as a change or as unchanged."""
        task, module = result.task, module_of(result.task)
        if is_internal(module) or only_asks(task) or result.is_skipped():
            return
        if module == PLAN and "differs" in result.result:
            self.compare(result)
        elif result.is_changed():
            self.act(result)
        elif not self.acted_on(result):
            self.note_unchanged(result)

    def compare(self, result: CallbackTaskResult) -> None:
        """Take in a comparison: under --check the change itself, in a run what a later task will do."""
        found = result.result
        if not found["differs"]:
            self.note_unchanged(result)
            return
        change = self.change(result, f"{found['kind']} {found['name']}", found["action"])
        if self.check:
            self.add(change)
        # A register is a name, or since ansible-core 2.21 a mapping from names.
        register = result.task.register or ()
        registers = (register,) if isinstance(register, str) else tuple(register)
        comparison = Comparison(change, registers, self.label(result), found["name"])
        self.comparisons[change.host, change.role].append(comparison)

    def act(self, result: CallbackTaskResult) -> None:
        """Take in a change, under the name of the resource that was compared, if one was."""
        acted_on = self.acted_on(result)
        for comparison in acted_on:
            self.add(comparison.change)
        if not acted_on:
            self.add(self.change(result, self.label(result), action_of(result.task, result.result.get("diff"))))

    def acted_on(self, result: CallbackTaskResult) -> list[Comparison]:
        """Return the comparisons that the result's task acts on, of its host and role."""
        candidates = self.comparisons[result.host.get_name(), role_of(result.task)]
        conditions = self.conditions.get(result.task._uuid, "")
        named = [
            comparison
            for comparison in candidates
            if any(re.search(rf"\b{re.escape(register)}\b", conditions) for register in comparison.registers)
        ]
        label = self.label(result)
        if label is None:
            return named
        same = [comparison for comparison in named or candidates if label in (comparison.label, comparison.name)]
        if named:
            # Where one thing was compared, the loop is over its parts.
            return same or (named if len(named) == 1 else [])
        # Without a variable to go by, a label that two kinds of things share tells nothing.
        return same if len(same) == 1 else []

    def change(self, result: CallbackTaskResult, item: str | None, action: str) -> Change:
        """Return the change that a result tells of; without values where they are secret."""
        secret = self.is_secret(result)
        host = result.host
        if host.implicit or host.get_vars().get("ansible_connection") == "local":
            self.local.add(host.get_name())
        diff = None if secret else result.result.get("diff")
        return Change(
            host=host.get_name(),
            remote=host.get_name() not in self.local,
            role=role_of(result.task),
            task=sentence(result.task),
            item=None if secret else item,
            action=action,
            module=module_of(result.task),
            fields=fields_of(diff),
            diff=diff,
        )

    @staticmethod
    def stop(result: CallbackTaskResult) -> Stop:
        """Return where a host failed, and why."""
        return Stop(result.host.get_name(), role_of(result.task), sentence(result.task), message_of(result))

    def add(self, change: Change) -> None:
        """List a change; a resource that several tasks change is listed once."""
        self.changes.setdefault(change.resource, change)

    def note_unchanged(self, result: CallbackTaskResult) -> None:
        """Count a resource that was looked after and found right."""
        place = (result.host.get_name(), result.task._uuid, self.label(result))
        self.unchanged[role_of(result.task)].add(place)

    @staticmethod
    def is_secret(result: CallbackTaskResult) -> bool:
        """Return whether the result's values are to be kept quiet."""
        return bool(result.task.no_log or result.result.get("_ansible_no_log") or "censored" in result.result)

    def label(self, result: CallbackTaskResult) -> str | None:
        """Return the label of a loop's item; None outside a loop and where it is secret."""
        if self.is_secret(result):
            return None
        label = self._get_item_label(result.result)
        return None if label is None else str(label)

    # Output

    def totals(self, failures: list[Stop]) -> dict[str | None, dict[str, int]]:
        """Return the counts of each role, in the order in which the roles came."""
        totals: dict[str | None, dict[str, int]] = defaultdict(lambda: dict.fromkeys(COUNTS, 0))
        for change in self.changes.values():
            totals[change.role][change.action] += 1
        for role, places in self.unchanged.items():
            totals[role]["unchanged"] += len(places)
        for stop in failures:
            totals[stop.role]["failed"] += 1
        return totals

    def summary(self, failures: list[Stop]) -> dict[str, Any]:
        """Return what the run did, as the plan file has it."""
        roles = self.totals(failures)
        return {
            "check": self.check,
            "changes": [asdict(change) for change in self.changes.values()],
            "failures": [asdict(stop) for stop in failures],
            "refusals": [asdict(stop) for stop in self.refusals],
            "totals": {key: sum(counts[key] for counts in roles.values()) for key in COUNTS},
            "roles": {role or "playbook": counts for role, counts in roles.items()},
        }

    def print_summary(self, summary: dict[str, Any]) -> None:
        """Print one line a change, under --check what differs, and the totals; colours are for terminals only."""
        show, check = self._display.display, summary["check"]
        self._display.banner("PLAN" if check else "CHANGES")
        changes = [Change(**change) for change in summary["changes"]]
        width = max((len(change.role or "playbook") for change in changes), default=0)
        for change in changes:
            show(change.line(width, check=check), color=COLOURS[change.action])
            for line in change.details() if check else []:
                show(f"  {'':{width}}    {line}")
        if not changes:
            show("  Nothing would change." if check else "  Nothing changed.", color=constants.COLOR_OK)
        for refusal in summary["refusals"]:
            show("\nA run would stop here:", color=constants.COLOR_ERROR)
            show(Stop(**refusal).line(), color=constants.COLOR_ERROR)
        show("")
        show(totals_line(summary["totals"], check=check))

    def write(self, path: Path, summary: dict[str, Any]) -> None:
        """Write the summary as JSON, whole or not at all."""
        try:
            # A temporary file is its owner's only, and so is what it is renamed to.
            with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
                json.dump(summary, file, indent=2, default=str)
                file.write("\n")
            Path(file.name).replace(path)
        except OSError as error:
            self._display.error(
                f"The summary could not be written to {path}: {error.strerror}. "
                "Give plan_file a path in a folder that exists and that you may write to."
            )
