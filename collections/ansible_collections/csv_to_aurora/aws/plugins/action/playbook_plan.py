# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Action plugin: what a playbook would do, by running it under --check."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from ansible import context
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

ROLE = re.compile(r"TASK \[(\w+) : (?!Validating)")
LAST_LINES = 15


def command_line(program: list[str], playbooks: list[str], playbook: str) -> list[str]:
    """Return a command line that runs one playbook under --check, and otherwise is ``program``'s own.

    Args:
        program: The command line of this run.
        playbooks: What of it names playbooks.
        playbook: The playbook to run instead.

    Raises:
        AnsibleActionFail: This run was not started by a command line.
    """
    arguments = list(program[1:])
    for name in playbooks:
        if name not in arguments:
            raise AnsibleActionFail("playbook_plan can only be used in a run that ansible-playbook started.")
        arguments.remove(name)
    return [sys.executable, program[0], *arguments, "--check", "--diff", playbook]


def failure(plan: dict[str, Any] | None, playbook: str, output: list[str]) -> str:
    """Return why there is no plan, in the run's own words; of several hosts with their names."""
    stops = (plan or {}).get("failures") or []
    if not stops:
        return f"{playbook} --check ended before it began: " + "\n".join(output[-LAST_LINES:])
    several = len({stop["host"] for stop in stops}) > 1
    return "\n".join(f"{stop['host']}: {stop['message']}" if several else stop["message"] for stop in stops)


class ActionModule(ActionBase):
    """Run a playbook under --check with the options of this run, and return its plan."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return ``plan``, as the callback run_summary writes it, and ``differs``.

        Raises:
            AnsibleActionFail: The argument is missing, or the playbook fails under --check.
        """
        result: dict[str, Any] = super().run(tmp, task_vars)
        playbook = self._task.args.get("playbook")
        if not playbook:
            raise AnsibleActionFail("playbook_plan needs the argument 'playbook'.")
        command = command_line(sys.argv, list(context.CLIARGS["args"]), playbook)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "plan.json"
            code, output = self._follow(command, {"ANSIBLE_RUN_SUMMARY_PLAN_FILE": str(file)})
            plan = json.loads(file.read_text()) if file.exists() else None
        if code != 0 or plan is None:
            raise AnsibleActionFail(failure(plan, Path(playbook).name, output))
        if not Display().verbosity:
            for warning in plan["warnings"]:
                Display().warning(warning)
        result.update(plan=plan, differs=bool(plan["changes"]), changed=False)
        return result

    @staticmethod
    def _follow(command: list[str], settings: dict[str, str]) -> tuple[int, list[str]]:
        """Run a command; return its exit code and what it printed. Meanwhile show which role it has come to."""
        display, seen, output = Display(), "", []
        environment = (
            os.environ
            | settings
            | {
                # Progress is read off the banner of each task.
                "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
                "ANSIBLE_DISPLAY_OK_HOSTS": "true",
                "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "false",
            }
        )
        with subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as child:
            try:
                for line in child.stdout or ():
                    output.append(line.rstrip())
                    role = ROLE.match(line)
                    if display.verbosity:
                        display.display(line.rstrip())
                    elif role and role[1] != seen:
                        seen = role[1]
                        display.display(f"  planning {seen}")
            except BaseException:
                child.terminate()
                raise
        return child.returncode, output
