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
  - Prints one line for each resource that the run changed, or under C(--check) would change, and the totals of each
    role.
  - A resource that M(csv_to_aurora.aws.resource_plan) compared goes by its kind and name, both in a plan and in the run
    after it, so that the two can be compared. The task that acts on a comparison is known by the registered variable in
    its C(when) or C(loop), or by its item's label. Any other change goes by its task's name and, in a loop, by the
    item's label.
  - Tasks that only look or compute, such as info modules, facts and assertions, are never listed, nor are tasks
    with C(check_mode=true), which only ask.
  - A result with C(no_log) is listed by its task's name alone.
author:
  - The csv-to-aurora authors (@csv-to-aurora)
requirements:
  - enabled in C(callbacks_enabled)
options:
  plan_file:
    description:
      - Path of a file to write the same to as JSON, readable by its owner only.
      - Keys are C(check), C(changes) (each with C(host), C(role), C(task), C(item), C(action), C(module) and C(diff)),
        C(totals), and C(roles), the totals of each role.
      - C(action) is V(create), V(change) or V(delete). C(diff) is what the module told of it, or null. Most modules
        tell nothing without C(--diff), and what they create then counts as changed.
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
        "stat",
        "validate_argument_spec",
        "wait_for",
        "wait_for_connection",
    }
)

ACTIONS = ("create", "change", "delete")
COUNTS = (*ACTIONS, "unchanged", "failed")
DONE = {"create": "created", "change": "changed", "delete": "deleted"}
COLOURS = {"create": constants.COLOR_OK, "change": constants.COLOR_CHANGED, "delete": constants.COLOR_ERROR}


@dataclass(frozen=True)
class Change:
    """One resource that was changed, or would be."""

    host: str
    role: str | None
    task: str
    item: str | None
    action: str
    module: str
    diff: Any

    @property
    def resource(self) -> tuple[str, str | None, str, str | None]:
        """What tells this resource from the others of the run."""
        return self.host, self.role, self.task, self.item

    def line(self, role_width: int, *, check: bool) -> str:
        """Return the line for people."""
        verb = f"would {self.action}" if check else DONE[self.action]
        compared = self.module == PLAN and self.item is not None
        subject = self.item if compared else ": ".join(filter(None, (self.task, self.item)))
        place = "" if self.host == "localhost" else f" on {self.host}"
        return f"  {self.role or 'playbook':{role_width}}  {verb:12}  {subject}{place}"


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
        self.failed_in: dict[str, str | None] = {}
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
            self.failed_in[result.host.get_name()] = role_of(result.task)

    def v2_runner_on_unreachable(self, result: CallbackTaskResult) -> None:
        """Treat a host that does not answer as failed."""
        self.failed_in[result.host.get_name()] = role_of(result.task)

    def v2_playbook_on_stats(self, stats: AggregateStats) -> None:
        """Print the summary and write the file, at the end of the run."""
        failed = [host for host in self.failed_in if stats.failures.get(host) or stats.dark.get(host)]
        totals = self.totals([self.failed_in[host] for host in failed])
        self.print_summary(totals)
        plan_file = self.get_option("plan_file")
        if plan_file:
            self.write(Path(plan_file), totals)

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
        return Change(
            host=result.host.get_name(),
            role=role_of(result.task),
            task=sentence(result.task),
            item=None if secret else item,
            action=action,
            module=module_of(result.task),
            diff=None if secret else result.result.get("diff"),
        )

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

    def totals(self, failed_in: list[str | None]) -> dict[str | None, dict[str, int]]:
        """Return the counts of each role, in the order in which the roles came."""
        totals: dict[str | None, dict[str, int]] = defaultdict(lambda: dict.fromkeys(COUNTS, 0))
        for change in self.changes.values():
            totals[change.role][change.action] += 1
        for role, places in self.unchanged.items():
            totals[role]["unchanged"] += len(places)
        for role in failed_in:
            totals[role]["failed"] += 1
        return totals

    def print_summary(self, totals: dict[str | None, dict[str, int]]) -> None:
        """Print one line a change and the totals. Ansible's display colours on a terminal only."""
        show = self._display.display
        self._display.banner("PLAN" if self.check else "CHANGES")
        width = max([len(role or "playbook") for role in totals] + [len("playbook")])
        for change in self.changes.values():
            show(change.line(width, check=self.check), color=COLOURS[change.action])
        if not self.changes:
            show("  Nothing would change." if self.check else "  Nothing changed.", color=constants.COLOR_OK)
        show("")
        heads = [f"to {name}" if self.check else DONE[name] for name in ACTIONS] + ["unchanged", "failed"]
        show(f"  {'':{width}}" + "".join(f"  {head:>9}" for head in heads))
        rows = {role or "playbook": counts for role, counts in totals.items()} | {"all": self.sums(totals)}
        for name, counts in rows.items():
            colour = constants.COLOR_ERROR if counts["failed"] else None
            show(f"  {name:{width}}" + "".join(f"  {counts[key]:>9}" for key in COUNTS), color=colour)

    @staticmethod
    def sums(totals: dict[str | None, dict[str, int]]) -> dict[str, int]:
        """Return the counts of all roles together."""
        return {key: sum(counts[key] for counts in totals.values()) for key in COUNTS}

    def write(self, path: Path, totals: dict[str | None, dict[str, int]]) -> None:
        """Write the summary as JSON, whole or not at all."""
        summary = {
            "check": self.check,
            "changes": [asdict(change) for change in self.changes.values()],
            "totals": self.sums(totals),
            "roles": {role or "playbook": counts for role, counts in totals.items()},
        }
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
