# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Callback: release at the end of a run, however it ends, the locks that the run acquired."""

from __future__ import annotations

import atexit
import os
import signal
from typing import TYPE_CHECKING, Any, NoReturn

from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.callback import CallbackBase
from ansible_collections.amazon.aws.plugins.module_utils.modules import aws_argument_spec
from ansible_collections.amazon.aws.plugins.plugin_utils.base import AWSPluginBase

if TYPE_CHECKING:
    from types import FrameType

    from ansible.executor.stats import AggregateStats
    from ansible.executor.task_result import CallbackTaskResult

DOCUMENTATION = r"""
name: release_locks
type: aggregate
version_added: 1.0.0
short_description: Release at the end of a run the locks that it acquired
description:
  - Releases the locks that the run acquired with M(csv_to_aurora.aws.ssm_lock), with the connection of the task that
    acquired them.
  - Does so when the run succeeds, when it fails on any play or host, when it is interrupted (C(Ctrl-C)) and when it is
    terminated (C(SIGTERM), C(SIGHUP)). Only a run that is killed (C(SIGKILL)) leaves its locks.
  - A lock that was released and acquired by another run in the meantime is left as it is.
author:
  - The csv-to-aurora authors (@csv-to-aurora)
requirements:
  - enabled in C(callbacks_enabled)
"""

LOCK = "csv_to_aurora.aws.ssm_lock"


class CallbackModule(AWSPluginBase, CallbackBase):
    """Records the locks that tasks acquire, and releases them once."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "csv_to_aurora.aws.release_locks"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Start without locks."""
        super().__init__(*args, **kwargs)
        self.locks: dict[str, dict[str, Any]] = {}
        self.connection: dict[str, Any] = {}
        self.process = 0

    def v2_runner_on_ok(self, result: CallbackTaskResult) -> None:
        """Record a lock that the task acquired, and no longer one that it released."""
        task, found = result.task, result.result
        if str(task.resolved_action or task.action) != LOCK or task.check_mode:
            return
        name = str(task.args["name"])
        if found.get("acquired"):
            self.prepare()
            self.locks[name] = {"id": found["lock"]["id"], "arguments": dict(task.args)}
        elif found.get("changed"):
            self.locks.pop(name, None)

    def v2_playbook_on_stats(self, stats: AggregateStats) -> None:
        """Release at the end of a run that succeeded or failed."""
        del stats
        self.release()

    def prepare(self) -> None:
        """Install the handlers that release the locks of a run that is interrupted."""
        if self.process:
            return
        self.process = os.getpid()
        atexit.register(self.release)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self.end)

    @staticmethod
    def end(number: int, frame: FrameType | None) -> NoReturn:
        """End the run as Ctrl-C would: workers first, then the exit handlers."""
        del frame
        raise SystemExit(128 + number)

    def release(self) -> None:
        """Release all locks that are left; report those for which that fails, with the id that releases them."""
        # A worker that was forked from this process has these handlers too.
        if os.getpid() != self.process:
            return
        while self.locks:
            name, lock = self.locks.popitem()
            try:
                self.release_one(name, lock)
            # Any error: the run is over, and the other locks still have to be released.
            except Exception as error:  # noqa: BLE001
                self._display.error(
                    f"The lock {name} could not be released: {str(error).rstrip('.')}. "
                    f"Release it by its id {lock['id']}."
                )

    def release_one(self, name: str, lock: dict[str, Any]) -> None:
        """Release one lock with the connection that it was acquired with.

        Raises:
            AnsibleError: The connection options of the task are invalid.
        """
        from ansible_collections.csv_to_aurora.aws.plugins.module_utils import (  # noqa: PLC0415 - imports the AWS SDK
            ssm_lock,
        )

        spec = aws_argument_spec()
        names = {*spec, *(alias for option in spec.values() for alias in option.get("aliases", []))}
        given = {key: value for key, value in lock["arguments"].items() if key in names}
        checked = ArgumentSpecValidator(spec).validate(given)
        if checked.error_messages:
            raise AnsibleError("; ".join(checked.error_messages))
        self.connection = checked.validated_parameters
        ssm_lock.release(self.client("ssm"), name, lock["id"])

    def get_options(self, hostvars: Any = None) -> dict[str, Any]:
        """Return the connection to use, for AWSPluginBase."""
        del hostvars
        return self.connection
