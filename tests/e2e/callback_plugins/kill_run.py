"""Callback: kill the run and all its processes, at one of its tasks or after one of its calls to AWS.

The calls are counted in the SDK itself, which every module inherits from this process (warm_modules): a run can be
killed between two calls of one module. Calls that only read do not count, since they change nothing that a next run
finds, nor do those of the environment's lock, which is no part of the stack.
"""

from __future__ import annotations

import json
import mmap
import os
import re
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from ansible.plugins.callback import CallbackBase
from botocore.client import BaseClient

if TYPE_CHECKING:
    from ansible.executor.stats import AggregateStats
    from ansible.playbook.task import Task

DOCUMENTATION = r"""
name: kill_run
type: aggregate
version_added: 1.0.0
short_description: Kill a run at a chosen task or call
description: Kills a run where the options say, and counts its tasks and calls. For tests.
author: The csv-to-aurora authors (@csv-to-aurora)
options:
  at_task:
    description: The task, counted from 1, before which the run is killed. 0 is never.
    type: int
    default: 0
    env:
      - name: KILL_RUN_AT_TASK
  after_task:
    description: The name of the task after which the run is killed.
    type: str
    env:
      - name: KILL_RUN_AFTER_TASK
  after_write:
    description: The call, counted from 1, after which the run is killed. 0 is never.
    type: int
    default: 0
    env:
      - name: KILL_RUN_AFTER_WRITE
  counts:
    description: A file to write C(tasks) and C(writes) to, as JSON, when the run ends by itself.
    type: str
    env:
      - name: KILL_RUN_COUNTS
"""

LOCK = "ssm"
READS = re.compile(r"(?:Get|List|Describe|Head|Filter|Lookup|BatchGet|Simulate)[A-Z]|AssumeRole")


class CallbackModule(CallbackBase):  # type: ignore[misc] # Ansible's classes are untyped
    """Counts tasks and calls, and kills the run at the chosen one."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "kill_run"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Make this run a process group of its own and count its calls from now on."""
        super().__init__(*args, **kwargs)
        if os.getpgrp() != os.getpid():
            os.setpgid(0, 0)
        self.group = os.getpgrp()
        self.tasks = 0
        self.task: str | None = None
        # Shared with every process that Ansible forks from here.
        self.writes = mmap.mmap(-1, 4)
        self.count_calls()

    def count_calls(self) -> None:
        """Have the SDK report every call that was answered and may have changed something."""
        call = BaseClient._make_api_call  # type: ignore[attr-defined] # private, hence in no stub

        def counted(client: BaseClient, operation: str, parameters: dict[str, Any]) -> Any:
            answer = call(client, operation, parameters)
            if client.meta.service_model.service_name != LOCK and not READS.match(operation):
                self.written()
            return answer

        BaseClient._make_api_call = counted  # type: ignore[attr-defined]

    def written(self) -> None:
        """Count one call, and kill the run if it is the chosen one."""
        number = int.from_bytes(self.writes[:], "little") + 1
        self.writes[:] = number.to_bytes(4, "little")
        if number == self.get_option("after_write"):
            self.kill()

    def kill(self) -> NoReturn:
        """Kill the run's processes, and this one last: workers have process groups of their own."""
        os.killpg(self.group, signal.SIGKILL)
        os.killpg(os.getpgrp(), signal.SIGKILL)
        raise AssertionError("still alive")

    def v2_playbook_on_task_start(self, task: Task, is_conditional: bool) -> None:  # noqa: ARG002
        """Count one task, and kill the run if it, or the one before it, is the chosen one."""
        self.tasks += 1
        if self.tasks == self.get_option("at_task") or (self.task and self.task == self.get_option("after_task")):
            self.kill()
        self.task = task.name

    def v2_playbook_on_stats(self, stats: AggregateStats) -> None:  # noqa: ARG002
        """Write the counts: the run has ended by itself."""
        if path := self.get_option("counts"):
            counts = {"tasks": self.tasks, "writes": int.from_bytes(self.writes[:], "little")}
            Path(path).write_text(json.dumps(counts))
