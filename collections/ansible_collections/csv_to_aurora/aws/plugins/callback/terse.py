# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Callback: what a run changes, waits for and has to say, and no more."""

from __future__ import annotations

import math
import re
import time
from typing import TYPE_CHECKING, Any

from ansible import constants, context
from ansible.plugins.callback.default import CallbackModule as Default
from ansible.utils.display import Display

from ansible_collections.csv_to_aurora.aws.plugins.plugin_utils.changes import COLOURS, DONE, Change, Changes
from ansible_collections.csv_to_aurora.aws.plugins.plugin_utils.printable import PrintableDisplay
from ansible_collections.csv_to_aurora.aws.plugins.plugin_utils.task_results import (
    arguments_of,
    duration,
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
    from ansible.inventory.host import Host
    from ansible.playbook.play import Play
    from ansible.playbook.task import Task

DOCUMENTATION = r"""
name: terse
type: stdout
version_added: 1.0.0
short_description: Show what a run changes, waits for and has to say
description:
  - A line for each resource that a run changes, once and when it is done, with what was done, kind, name and, from one
    second on, how long it took. What a resource is and how a task names it, P(csv_to_aurora.aws.run_summary#callback)
    says, which also prints how many there were.
  - A line now and then for what is waited for. Messages of M(ansible.builtin.debug) and success messages of
    M(ansible.builtin.assert) as they are. Warnings.
  - Why a task failed, in one sentence. Messages of the playbook (M(ansible.builtin.assert), M(ansible.builtin.fail))
    and of this collection's modules as they are. Of failures that a block rescues, what the rescue says of them.
  - A play's and a role's name right before the first of that, so never without it. Next to the role the host that the
    lines below are about, where that is another machine, or next to each line if the play has several hosts.
  - Under C(--check) no changes, since P(csv_to_aurora.aws.run_summary#callback) ends with the plan.
  - The recap only where a host failed.
  - With C(-v) and more everything is shown as P(ansible.builtin.default#callback) shows it.
author:
  - The csv-to-aurora authors (@csv-to-aurora)
extends_documentation_fragment:
  - default_callback
  - result_format_callback
requirements:
  - set as stdout_callback in the configuration
"""

INTERVAL = 20
"""Seconds between two lines about the same wait."""


def waiting(task: Task) -> str:
    """Return what a task that is tried again waits for."""
    title = title_of(task)
    waits = re.match(r"Wait (?=for |until )", title)
    return f"waiting {title[waits.end() :]}" if waits else f"waiting: {title}"


class CallbackModule(Default):
    """Says less than the default callback, unless asked for more."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "csv_to_aurora.aws.terse"

    def __init__(self) -> None:
        """Start with nothing shown."""
        super().__init__()
        self._display = PrintableDisplay(Display())
        self.seen = Changes()
        self.pending: Play | None = None
        self.heading = ""
        self.only_host: str | None = None
        self.controllers: dict[str, bool] = {}
        self.waits: dict[tuple[str, str], tuple[float, float]] = {}
        self.failed_items: set[tuple[str, str]] = set()

    @property
    def verbose(self) -> bool:
        """Whether the run was asked to show everything."""
        return bool(self._display.verbosity)

    def get_option(self, k: str, hostvars: Any = None) -> Any:
        """Return an option; what is unchanged, and how tasks are put together, is shown with -v only."""
        if k in ("display_ok_hosts", "display_included_hosts") and not self.verbose:
            return False
        return super().get_option(k, hostvars)

    # Where the run is

    def v2_playbook_on_play_start(self, play: Play) -> None:
        """Begin a play; it is named when there is something to show of it."""
        self.seen.begin_play(play)
        self.pending = self._play = play
        if self.verbose:
            self.name_play()

    def v2_playbook_on_task_start(self, task: Task, is_conditional: bool) -> None:  # noqa: FBT001
        """Prepare for a task's results."""
        self.seen.begin_task(task)
        super().v2_playbook_on_task_start(task, is_conditional)

    def v2_playbook_on_handler_task_start(self, task: Task) -> None:
        """Treat a handler as any other task."""
        self.seen.begin_task(task)
        super().v2_playbook_on_handler_task_start(task)

    def name_play(self) -> None:
        """Name the play, once."""
        if self.pending:
            super().v2_playbook_on_play_start(self.pending)
            variables = self.pending.get_variable_manager().get_vars(play=self.pending)
            hosts = variables["ansible_play_hosts_all"]
            self.only_host = hosts[0] if len(hosts) == 1 else None
            self.heading = self.pending.get_name()
            self.pending = None

    def name_role(self, task: Task, *, remote: bool) -> str | None:
        """Name the play and the role of something that is shown next, each once; return the host that this names too.

        Args:
            task: The task.
            remote: Whether what is shown is on another machine.
        """
        self.name_play()
        role = role_of(task)
        place = self.only_host if role and remote else None
        heading = role or self._play.get_name()
        if place:
            heading = f"{heading} on {place}"
        if heading != self.heading:
            self._display.display(heading)
            self.heading = heading
        return place

    def _print_task_banner(self, task: Task) -> None:
        """Name the task, of what the default callback shows."""
        self.name_play()
        super()._print_task_banner(task)

    def is_controller(self, host: Host) -> bool:
        """Return whether a host is this machine."""
        name = host.get_name()
        if name not in self.controllers:
            variables = self._play.get_variable_manager().get_vars(play=self._play, host=host)
            connection = str(variables.get("ansible_connection") or context.CLIARGS.get("connection"))
            self.controllers[name] = bool(host.implicit) or connection.rpartition(".")[2] == "local"
        return self.controllers[name]

    # What is waited for

    def v2_runner_retry(self, result: CallbackTaskResult) -> None:
        """Say now and then what is waited for, and for how long already."""
        if self.verbose:
            super().v2_runner_retry(result)
            return
        self.name_role(result.task, remote=not self.is_controller(result.host))
        now, wait = time.monotonic(), (result.host.get_name(), result.task._uuid)
        began, shown = self.waits.get(wait, (now, -math.inf))
        if now - shown >= INTERVAL:
            length = f" ({duration(now - began)})" if now > began else ""
            self._display.display(f"  {waiting(result.task)}{length}", color=constants.COLOR_DEBUG)
            shown = now
        self.waits[wait] = began, shown

    # What came of it

    def v2_runner_on_ok(self, result: CallbackTaskResult) -> None:
        """Show a change or a message."""
        if self.verbose:
            super().v2_runner_on_ok(result)
        elif is_loop(result):
            self._handle_warnings(result.result)
        else:
            self.show(result)

    def v2_runner_item_on_ok(self, result: CallbackTaskResult) -> None:
        """Show the change or the message of one item."""
        if self.verbose:
            super().v2_runner_item_on_ok(result)
        else:
            self.show(result)

    def v2_runner_on_skipped(self, result: CallbackTaskResult) -> None:
        """Show what a skipped task warns of."""
        if self.verbose:
            super().v2_runner_on_skipped(result)
        else:
            self._handle_warnings(result.result)

    def v2_on_file_diff(self, result: CallbackTaskResult) -> None:
        """Show differences only where the run was asked for them: some modules run in diff mode to tell what is new."""
        if context.CLIARGS.get("diff"):
            super().v2_on_file_diff(result)

    def show(self, result: CallbackTaskResult) -> None:
        """Show a result that is no failure, in as little as it needs."""
        self._handle_warnings(result.result)
        module = module_of(result.task)
        if module == "ansible.builtin.debug":
            if self._run_is_verbose(result):
                self.name_play()
                self._display.display(self.said(result))
        elif module == "ansible.builtin.assert":
            if arguments_of(result).get("success_msg"):
                self.name_play()
                self._display.display(tidy(str(result.result.get("msg"))), color=constants.COLOR_OK)
        elif not self.seen.check:
            for change in self.seen.take(result):
                self.show_change(result, change)

    def show_change(self, result: CallbackTaskResult, change: Change) -> None:
        """Show one resource that was changed."""
        named = self.name_role(result.task, remote=change.remote)
        line = f"  {DONE[change.action]:8} {change.title}"
        if change.remote and change.host != named:
            line += f" on {change.host}"
        if change.seconds is not None and round(change.seconds) >= 1:
            line += f" ({duration(change.seconds)})"
        self._display.display(line, color=COLOURS[change.action])

    def said(self, result: CallbackTaskResult) -> str:
        """Return the message of debug: text as it is, anything else in the configured format."""
        message = result.result.get("msg")
        if isinstance(message, str):
            return tidy(message)
        self._clean_results(result.result, result.task.action)
        return str(self._dump_results(result.result)).strip("\n")

    # Failures

    def v2_runner_on_failed(self, result: CallbackTaskResult, ignore_errors: bool = False) -> None:  # noqa: FBT001, FBT002
        """Show why a task failed; of a loop, each item has said it already."""
        if self.verbose:
            super().v2_runner_on_failed(result, ignore_errors)
            return
        self._handle_warnings(result.result)
        if (result.host.get_name(), result.task._uuid) not in self.failed_items:
            self.show_failure(result, failure_of(result), ignored=ignore_errors)

    def v2_runner_item_on_failed(self, result: CallbackTaskResult) -> None:
        """Show why one item failed."""
        if self.verbose:
            super().v2_runner_item_on_failed(result)
            return
        self._handle_warnings(result.result)
        self.failed_items.add((result.host.get_name(), result.task._uuid))
        self.show_failure(result, failure_of(result), ignored=bool(fields_of(result).get("ignore_errors")))

    def v2_runner_on_unreachable(self, result: CallbackTaskResult) -> None:
        """Show why a host cannot be reached."""
        if self.verbose:
            super().v2_runner_on_unreachable(result)
            return
        self._handle_warnings(result.result)
        self.show_failure(result, unreachable(result), ignored=bool(fields_of(result).get("ignore_unreachable")))

    def show_failure(self, result: CallbackTaskResult, message: str, *, ignored: bool) -> None:
        """Show a failure, unless somebody else does: the block that rescues it, or a plan that it does not stop."""
        if is_rescued(result.task) or (ignored and self.seen.check):
            return
        self.name_play()
        place = "" if self.is_controller(result.host) else f" on {result.host.get_name()}"
        self._display.display(
            f"\n{'IGNORED' if ignored else 'FAILED'}{place}: {message}",
            color=constants.COLOR_WARN if ignored else constants.COLOR_ERROR,
            stderr=self.get_option("display_failed_stderr"),
        )

    # What the default callback says and nobody needs

    def v2_playbook_on_no_hosts_matched(self) -> None:
        """Say nothing of a play without hosts."""
        if self.verbose:
            super().v2_playbook_on_no_hosts_matched()

    def v2_playbook_on_no_hosts_remaining(self) -> None:
        """Say nothing more when all hosts have failed."""
        if self.verbose:
            super().v2_playbook_on_no_hosts_remaining()

    def v2_runner_on_async_poll(self, result: CallbackTaskResult) -> None:
        """Say nothing of a job that goes on."""
        if self.verbose:
            super().v2_runner_on_async_poll(result)

    def v2_runner_on_async_ok(self, result: CallbackTaskResult) -> None:
        """Say nothing of a job that has ended: its task has a result of its own."""
        if self.verbose:
            super().v2_runner_on_async_ok(result)

    def v2_runner_on_async_failed(self, result: CallbackTaskResult) -> None:
        """Say nothing of a job that has failed: its task has a result of its own."""
        if self.verbose:
            super().v2_runner_on_async_failed(result)

    def v2_playbook_on_stats(self, stats: AggregateStats) -> None:
        """Show the recap where a host failed, or where the run was asked to show more."""
        failed = any(stats.failures.values()) or any(stats.dark.values())
        if self.verbose or failed or self.get_option("show_custom_stats"):
            super().v2_playbook_on_stats(stats)
