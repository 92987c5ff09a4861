# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Callback: how many resources a run changed, or under --check each that it would change."""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Any

from ansible import constants, context
from ansible.plugins.callback import CallbackBase
from ansible.utils.display import Display

from ansible_collections.csv_to_aurora.aws.plugins.plugin_utils.changes import (
    ACTIONS,
    COLOURS,
    DONE,
    RESOURCE,
    Change,
    Changes,
    sides,
)
from ansible_collections.csv_to_aurora.aws.plugins.plugin_utils.printable import PrintableDisplay
from ansible_collections.csv_to_aurora.aws.plugins.plugin_utils.task_results import (
    failure_of,
    fields_of,
    is_loop,
    is_rescued,
    module_of,
    role_of,
    tidy,
    title_of,
    unreachable,
)

if TYPE_CHECKING:
    from ansible.executor.stats import AggregateStats
    from ansible.executor.task_result import CallbackTaskResult
    from ansible.playbook.play import Play
    from ansible.playbook.task import Task

DOCUMENTATION = r"""
name: run_summary
type: aggregate
version_added: 1.0.0
short_description: Show at the end of a run how many resources it created, updated and deleted
description:
  - Prints one line of totals. Under C(--check) prints before it one line for each resource that a run would change,
    with the fields that differ, as far as the module reports them. P(csv_to_aurora.aws.terse#callback) shows the
    changes of a run as they happen.
  - A resource goes by its kind and its name, and is counted once, however many tasks change it. Those of
    M(csv_to_aurora.aws.resource) have the kind and the name that their task gives. Of any other task they follow from
    its module and its arguments, such as C(file) and its path, C(package) and C(service); the table is in
    C(plugins/plugin_utils/subjects.py).
  - A task whose module reports too little, such as M(ansible.builtin.command), says what it manages in a variable of
    its own whose name is C(resource) or ends in C(_resource). Its keys are C(kind), C(name) and, where that is not
    V(update), C(action). They may be templates, must not be secret, and take precedence over what the module
    reports.
  - Neither modules that only read or compute are counted, nor temporary files. Nor are tasks in check mode of a run
    without C(--check), and in a run with it those with C(check_mode=true) of their own, but for
    M(csv_to_aurora.aws.resource).
  - Of a result with C(no_log) only kind and name are shown, and the name only where it is a path, a user or the like.
  - Modules for files run in diff mode in every run, since they report only there whether a file is new.
  - A playbook steers it with M(ansible.builtin.set_stats), under the key C(run_summary). C(show) is a list of lines to
    end with, such as what to do next. C(plan) is a plan as C(plan_file) has it, to print in place of the run's own
    summary. C(notes) is a list of sentences to show below the changes of a plan, such as limits that hold. C(exit_code)
    is what C(ansible-playbook) exits with where nothing failed; callbacks that are enabled after this one do not see
    the end of such a run.
author:
  - The csv-to-aurora authors (@csv-to-aurora)
requirements:
  - enabled in C(callbacks_enabled)
options:
  plan_file:
    description:
      - Path of a file to write the same to as JSON, readable by its owner only.
      - Keys are C(check), C(changes) (each with C(host), C(remote), C(role), C(kind), C(name), C(action), C(module),
        C(fields), C(diff) and C(seconds)), C(failures) and C(refusals) (each with C(host), C(role), C(task) and
        C(message)), C(warnings), C(notes), C(totals), and C(roles), the totals of each role.
      - C(action) is V(create), V(update), V(replace) or V(delete). C(diff) is the module's diff, or null, and
        C(fields) are the names of what differs in it. Most modules report none without C(--diff).
      - C(refusals) are what a plan passed over, by C(ignore_errors) or as the C(refuse) of
        M(csv_to_aurora.aws.resource), and a run would stop at.
    type: path
    env:
      - name: ANSIBLE_RUN_SUMMARY_PLAN_FILE
    ini:
      - section: callback_run_summary
        key: plan_file
"""

EXAMPLES = r"""
- name: Start the emulator
  ansible.builtin.command:
    argv: [emulator, start]
  register: emulator_start
  changed_when: emulator_start.stdout == 'started'
  vars:
    emulator_resource: {kind: emulator, name: "{{ emulator_name }}", action: create}
"""

# What a plan passes over and a run stops at.
GUARDS = ("ansible.builtin.assert", "ansible.builtin.fail")

NO_HOSTS = 2
"""The exit code of a run whose plays have no hosts, for which Ansible ends with 0."""

COUNTS = (*ACTIONS, "unchanged", "failed")
KEY = "run_summary"
"""The key of set_stats that is for this callback."""
WIDEST = 140
"""Characters of a value that a plan shows."""
WHOLE = ("statements",)
"""Fields of which a plan shows all: they are what is run."""


@dataclass(frozen=True)
class Stop:
    """Where a host failed, or where a run would stop that a plan passed over."""

    host: str
    role: str | None
    task: str
    message: str


def line_of(change: Change, role_width: int) -> str:
    """Return the line of a plan about one change; what is on this machine or in the account needs no host's name."""
    place = f" on {change.host}" if change.remote else ""
    return f"  {change.role or 'playbook':{role_width}}  would {change.action:7} {change.title}{place}"


def details_of(change: Change) -> list[str]:
    """Return a line for each field that differs; none for what is created or deleted whole."""
    before, after = sides(change.diff)
    if change.action in ("create", "delete") or not isinstance(before, dict) or not isinstance(after, dict):
        return []
    return [line for field in change.fields or [] for line in difference(field, before.get(field), after.get(field))]


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
        new = [f"{field}: + {item if field in WHOLE else shown(item)}" for item in after if item not in before]
        return gone + new or [f"{field}: in another order"]
    return [f"{field}: {shown(before)} → {shown(after)}"]


def totals_line(totals: dict[str, int], *, check: bool) -> str:
    """Return the one line of totals; replacements only where there are any."""
    counts = [
        f"{totals[action]} {f'to {action}' if check else DONE[action]}"
        for action in ACTIONS
        if totals[action] or action != "replace"
    ]
    failed = f"; {totals['failed']} failed" if totals["failed"] else ""
    return f"{'Plan' if check else 'Run'}: {', '.join(counts)}; {totals['unchanged']} unchanged{failed}."


class CallbackModule(CallbackBase):
    """Collects the results of a run and prints what they come to."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "csv_to_aurora.aws.run_summary"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Start with nothing seen."""
        super().__init__(*args, **kwargs)
        self._display = PrintableDisplay(Display())
        self.check = bool(context.CLIARGS.get("check"))
        self.seen = Changes()
        self.failures: list[Stop] = []
        self.refusals: list[Stop] = []
        self.warnings: list[str] = []
        self.plays = 0
        self.plays_without_hosts = 0
        self.hosts: list[str] = []
        self.items: dict[tuple[str, str], list[str]] = defaultdict(list)

    # Events

    def v2_playbook_on_play_start(self, play: Play) -> None:
        """Keep the play, which knows the variables of its tasks."""
        self.plays += 1
        self.hosts = list(play.hosts)
        self.seen.begin_play(play)

    def v2_playbook_on_no_hosts_matched(self) -> None:
        """Count a play that has no host.

        Raises:
            SystemExit: It is the controller that --limit has left out: what follows would find nothing gathered.
        """
        self.plays_without_hosts += 1
        limit = context.CLIARGS.get("subset")
        if limit and self.hosts == ["controller"]:
            self._display.error(
                f"Nothing was done: --limit {limit} leaves out the host controller, from which all playbooks work. "
                "Leave --limit out; --tags chooses the parts of a run"
            )
            raise SystemExit(NO_HOSTS)

    def v2_playbook_on_task_start(self, task: Task, is_conditional: bool) -> None:  # noqa: ARG002, FBT001
        """Prepare for a task's results."""
        self.seen.begin_task(task)

    def v2_playbook_on_handler_task_start(self, task: Task) -> None:
        """Treat a handler as any other task."""
        self.seen.begin_task(task)

    def v2_runner_on_ok(self, result: CallbackTaskResult) -> None:
        """Take in a task's result; those of a loop come one by one."""
        if not is_loop(result):
            self.take(result)

    def v2_runner_item_on_ok(self, result: CallbackTaskResult) -> None:
        """Take in the result of one item."""
        self.take(result)

    def v2_runner_item_on_failed(self, result: CallbackTaskResult) -> None:
        """Keep what one item says: the loop's own message is that one or more have failed."""
        self.items[result.host.get_name(), result.task._uuid].append(failure_of(result))

    def v2_runner_on_failed(self, result: CallbackTaskResult, ignore_errors: bool = False) -> None:  # noqa: FBT001, FBT002
        """Remember where a host failed, or under --check where a run would."""
        items = self.items.pop((result.host.get_name(), result.task._uuid), [])
        stop = self.stop(result, "\n".join(items) or failure_of(result))
        if not ignore_errors and not is_rescued(result.task):
            self.failures.append(stop)
        elif self.check and module_of(result.task) in GUARDS:
            self.refusals.append(stop)

    def v2_runner_on_unreachable(self, result: CallbackTaskResult) -> None:
        """Treat a host that does not answer as failed."""
        if not fields_of(result).get("ignore_unreachable") and not is_rescued(result.task):
            self.failures.append(self.stop(result, unreachable(result)))

    def v2_playbook_on_stats(self, stats: AggregateStats) -> None:
        """Print the summary and write the file, at the end of the run.

        Raises:
            SystemExit: The playbook asked for an exit code of its own, and nothing failed; or no play has a host.
        """
        if self.plays and self.plays == self.plays_without_hosts:
            inventory = ", ".join(context.CLIARGS.get("inventory") or ["the default"])
            self._display.error(
                f"Nothing was done: the inventory ({inventory}) has no host of this playbook. Name one that has, such "
                "as -i inventories/dev"
            )
            raise SystemExit(NO_HOSTS)
        failures = [stop for stop in self.failures if stats.failures.get(stop.host) or stats.dark.get(stop.host)]
        steering = stats.custom.get("_run", {}).get(KEY, {})
        summary = self.summary(failures, [tidy(f"{note}") for note in steering.get("notes", [])])
        self.print_summary(steering.get("plan") or summary)
        for line in steering.get("show", []):
            self._display.display(tidy(f"{line}"))
        plan_file = self.get_option("plan_file")
        if plan_file:
            self.write(Path(plan_file), summary)
        if steering.get("exit_code") and not failures:
            raise SystemExit(int(steering["exit_code"]))

    # Results

    def take(self, result: CallbackTaskResult) -> None:
        """Count one result as a change or as unchanged."""
        self.seen.take(result)
        self.warnings += [str(warning) for warning in result.result.get("warnings") or []]
        for message in result.result.get("refusals") or []:
            refusal = self.stop(result, message)
            if self.check and module_of(result.task) == RESOURCE and refusal not in self.refusals:
                self.refusals.append(refusal)

    @staticmethod
    def stop(result: CallbackTaskResult, message: str) -> Stop:
        """Return where a host failed, and why."""
        return Stop(result.host.get_name(), role_of(result.task), title_of(result.task), message)

    # Output

    def totals(self, failures: list[Stop]) -> dict[str | None, dict[str, int]]:
        """Return the counts of each role, in the order in which the roles came."""
        totals: dict[str | None, dict[str, int]] = defaultdict(lambda: dict.fromkeys(COUNTS, 0))
        for change in self.seen.changes.values():
            totals[change.role][change.action] += 1
        for role, count in self.seen.unchanged.items():
            totals[role]["unchanged"] += count
        for stop in failures:
            totals[stop.role]["failed"] += 1
        return totals

    def summary(self, failures: list[Stop], notes: list[str]) -> dict[str, Any]:
        """Return what the run did, as the plan file has it."""
        roles = self.totals(failures)
        return {
            "check": self.check,
            "changes": [asdict(change) for change in self.seen.changes.values()],
            "failures": [asdict(stop) for stop in failures],
            "refusals": [asdict(stop) for stop in self.refusals],
            "warnings": list(dict.fromkeys(self.warnings)),
            "notes": notes,
            "totals": {key: sum(counts[key] for counts in roles.values()) for key in COUNTS},
            "roles": {role or "playbook": counts for role, counts in roles.items()},
        }

    def print_summary(self, summary: dict[str, Any]) -> None:
        """Print a plan, or the totals of a run; nothing of a run that manages nothing."""
        if summary["check"]:
            self.print_plan(summary)
        elif any(summary["totals"].values()):
            if not summary["totals"]["failed"]:  # after which the recap ends with an empty line
                self._display.display("")
            self._display.display(totals_line(summary["totals"], check=False))

    def print_plan(self, summary: dict[str, Any]) -> None:
        """Print one line a change, what differs, where a run would stop, and the totals."""
        show = self._display.display
        self._display.banner("PLAN")
        changes = [Change(**change) for change in summary["changes"]]
        width = max((len(change.role or "playbook") for change in changes), default=0)
        for change in changes:
            show(line_of(change, width), color=COLOURS[change.action])
            for line in details_of(change):
                show(f"  {'':{width}}    {line}")
        if not changes:
            show("  Nothing would change.", color=constants.COLOR_OK)
        if summary["refusals"]:
            show("\nA run would stop here:", color=constants.COLOR_ERROR)
        for refusal in summary["refusals"]:
            role = refusal["role"] or "playbook"
            show(f"  {role}: {indent(refusal['message'], '  ').lstrip()}", color=constants.COLOR_ERROR)
        for note in summary["notes"]:
            show(f"\n{note}")
        show("")
        show(totals_line(summary["totals"], check=True))

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
