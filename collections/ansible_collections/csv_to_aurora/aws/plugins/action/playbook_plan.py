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

from ansible import constants, context
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

ROLE = re.compile(r"TASK \[(\w+) : (?!Validating)")
LAST_LINES = 15
SUMMARY = "csv_to_aurora.aws.run_summary"
ASKING = {
    "ask_pass": "--connection-password-file",
    "become_ask_pass": "--become-password-file",
    "ask_vault_pass": "--vault-password-file",
}
"""Options with which Ansible asks for a password, and those that read it from a file."""


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


def refuse_questions() -> None:
    """Refuse options that ask for a password: nobody can answer the run that makes the plan.

    Raises:
        AnsibleActionFail: There is such an option.
    """
    for option, instead in ASKING.items():
        if context.CLIARGS.get(option):
            raise AnsibleActionFail(
                f"A plan is made by a run of its own, which cannot ask for a password. Use {instead} in place of "
                f"--{option.replace('_', '-')} or ANSIBLE_{option.upper()}."
            )


def settings() -> dict[str, str]:
    """Return the environment variables with which a run writes its plan, and progress can be read off its banners."""
    callbacks = [*constants.CALLBACKS_ENABLED, *([] if SUMMARY in constants.CALLBACKS_ENABLED else [SUMMARY])]
    return {
        "ANSIBLE_CALLBACKS_ENABLED": ",".join(callbacks),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
        "ANSIBLE_DISPLAY_OK_HOSTS": "true",
        "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "false",
        # A banner is one line that begins with TASK.
        "ANSIBLE_NOCOWS": "true",
        "ANSIBLE_FORCE_COLOR": "false",
        "ANSIBLE_NOCOLOR": "true",
    }


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
            AnsibleActionFail: The argument is missing, an option asks for a password, or the playbook fails under
                --check.
        """
        result: dict[str, Any] = super().run(tmp, task_vars)
        playbook = self._task.args.get("playbook")
        if not playbook:
            raise AnsibleActionFail("playbook_plan needs the argument 'playbook'.")
        refuse_questions()
        command = command_line(sys.argv, list(context.CLIARGS["args"]), playbook)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "plan.json"
            code, output = self._follow(command, {**settings(), "ANSIBLE_RUN_SUMMARY_PLAN_FILE": str(file)})
            plan = json.loads(file.read_text()) if file.exists() else None
        if code != 0 or plan is None:
            raise AnsibleActionFail(failure(plan, Path(playbook).name, output))
        if not Display().verbosity:
            for warning in plan["warnings"]:
                Display().warning(warning)
        result.update(plan=plan, differs=bool(plan["changes"]), changed=False)
        return result

    @staticmethod
    def _follow(command: list[str], environment: dict[str, str]) -> tuple[int, list[str]]:
        """Run a command; return its exit code and what it printed. Meanwhile show which role it has come to."""
        display, seen, output = Display(), "", []
        with subprocess.Popen(
            command,
            env=os.environ | environment,
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
