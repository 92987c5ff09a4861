# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Callback: what a run changes, waits for and has to say, and no more."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

from ansible import constants
from ansible.plugins.callback.default import CallbackModule as Default

if TYPE_CHECKING:
    from ansible.executor.task_result import CallbackTaskResult
    from ansible.playbook.play import Play
    from ansible.playbook.task import Task

DOCUMENTATION = r"""
name: terse
type: stdout
version_added: 1.0.0
short_description: Show what a run changes, waits for and has to say
description:
  - The plays that do something. A line for each role that the run comes to, for each change, and now and then for
    what is waited for. Messages of M(ansible.builtin.debug) and success messages of M(ansible.builtin.assert) as they
    are. Failures with their message alone where the playbook wrote it (M(ansible.builtin.assert),
    M(ansible.builtin.fail)).
  - What was looked up, compared, computed or found right is not shown.
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


def sentence(task: Task) -> str:
    """Return a task's name without its role and without the file that it begins with."""
    return str(task.name or task.get_name()).rsplit(" | ", maxsplit=1)[-1]


def module_of(task: Task) -> str:
    """Return the full name of the task's module."""
    return str(task.resolved_action or task.action)


def is_written(result: CallbackTaskResult) -> bool:
    """Return whether a failure's message is the playbook's own."""
    found, module = result.result, module_of(result.task)
    if module == "ansible.builtin.assert":
        return "assertion" in found
    # Another message tells of a fault in the task itself.
    return module == "ansible.builtin.fail" and found.get("msg") == result.task.args.get("msg")


class CallbackModule(Default):
    """Says less than the default callback, unless asked for more."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "csv_to_aurora.aws.terse"

    def __init__(self) -> None:
        """Start with nothing shown."""
        super().__init__()
        self.role: str | None = None
        self.pending: Play | None = None
        self.waits: dict[tuple[str, str], tuple[float, float]] = {}

    def get_option(self, k: str, hostvars: Any = None) -> Any:
        """Return an option; what is as it should be, and how tasks are put together, is shown with -v only."""
        if k in ("display_ok_hosts", "display_included_hosts") and not self._display.verbosity:
            return False
        return super().get_option(k, hostvars)

    # Where the run is

    def v2_playbook_on_play_start(self, play: Play) -> None:
        """Begin a play; it is named when there is something to show of it."""
        self.role = None
        self.pending = self._play = play
        if self._display.verbosity:
            self.name_play()

    def name_play(self) -> None:
        """Name the play, once."""
        if self.pending:
            super().v2_playbook_on_play_start(self.pending)
            self.pending = None

    def name_role(self, task: Task) -> None:
        """Name the play and the role of a task that there is something to show of, once."""
        self.name_play()
        role = task._role.get_name() if task._role else None
        if role and role != self.role:
            self._display.display(f"{role}")
        self.role = role

    def _print_task_banner(self, task: Task) -> None:
        """Name the task, of what the default callback shows."""
        self.name_play()
        super()._print_task_banner(task)

    def v2_runner_retry(self, result: CallbackTaskResult) -> None:
        """Say now and then what is waited for, and for how long already."""
        if self._display.verbosity:
            super().v2_runner_retry(result)
            return
        self.name_role(result.task)
        now, wait = time.monotonic(), (result.host.get_name(), result.task._uuid)
        began, shown = self.waits.get(wait, (now, -math.inf))
        if now - shown >= INTERVAL:
            line = f"  waiting: {sentence(result.task)} ({now - began:.0f} s)"
            self._display.display(line, color=constants.COLOR_DEBUG)
            shown = now
        self.waits[wait] = began, shown

    # What came of it

    def v2_runner_on_ok(self, result: CallbackTaskResult) -> None:
        """Show a change, or a message, and which role the run has come to."""
        if self._display.verbosity:
            super().v2_runner_on_ok(result)
            return
        if result.task._role:
            self.name_role(result.task)
        if not (result.task.loop and "results" in result.result):
            self.show(result)

    def v2_runner_item_on_ok(self, result: CallbackTaskResult) -> None:
        """Show the change or the message of one item."""
        if self._display.verbosity:
            super().v2_runner_item_on_ok(result)
        else:
            self.show(result)

    def v2_runner_on_failed(self, result: CallbackTaskResult, ignore_errors: bool = False) -> None:  # noqa: FBT001, FBT002
        """Show why a task failed; where the playbook says it, in its words alone."""
        if self._display.verbosity:
            super().v2_runner_on_failed(result, ignore_errors)
        elif is_written(result):
            self.show_written(result, ignored=ignore_errors)
        # Of a loop each item has said it already.
        elif not any("assertion" in item for item in result.result.get("results", [])):
            super().v2_runner_on_failed(result, ignore_errors)

    def v2_runner_item_on_failed(self, result: CallbackTaskResult) -> None:
        """Show why one item failed."""
        if self._display.verbosity or not is_written(result):
            super().v2_runner_item_on_failed(result)
        else:
            self.show_written(result, ignored=False)

    def show(self, result: CallbackTaskResult) -> None:
        """Show a result that is no failure, in as little as it needs."""
        self._handle_warnings_and_exception(result)
        found, module = result.result, module_of(result.task)
        if module == "ansible.builtin.debug":
            if self._run_is_verbose(result):
                self.name_play()
                self._display.display(self.said(result))
        elif result.is_changed():
            self.name_role(result.task)
            label = None if result.task.no_log else self._get_item_label(found)
            subject = sentence(result.task) if label is None else f"{sentence(result.task)}: {label}"
            place = "" if self.is_here(result) else f" on {self.host_label(result)}"
            self._display.display(f"  changed: {subject}{place}", color=constants.COLOR_CHANGED)
        elif module == "ansible.builtin.assert" and result.task.args.get("success_msg"):
            self.name_play()
            self._display.display(str(found.get("msg")), color=constants.COLOR_OK)

    def said(self, result: CallbackTaskResult) -> str:
        """Return the message of debug: text as it is, anything else in the configured format."""
        message = result.result.get("msg")
        if isinstance(message, str):
            return message
        self._clean_results(result.result, result.task.action)
        return str(self._dump_results(result.result)).strip("\n")

    def show_written(self, result: CallbackTaskResult, *, ignored: bool) -> None:
        """Show the message of a task that stops a run with a message."""
        self.name_play()
        passed = " (a plan passes over it)" if ignored else ""
        self._display.display(
            f"\nFAILED: {sentence(result.task)}{passed}\n{result.result.get('msg')}",
            color=constants.COLOR_WARN if ignored else constants.COLOR_ERROR,
            stderr=self.get_option("display_failed_stderr"),
        )

    @staticmethod
    def is_here(result: CallbackTaskResult) -> bool:
        """Return whether the task worked on this machine or on the account."""
        host = result.host
        return bool(host.implicit or host.get_vars().get("ansible_connection") == "local")
