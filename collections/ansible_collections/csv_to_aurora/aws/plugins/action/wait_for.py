# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Action plugin: wait until AWS has finished what a call started."""

from __future__ import annotations

import re
import time
from typing import Any

import jmespath  # type: ignore[import-untyped]
from ansible.errors import AnsibleActionFail
from ansible.utils.display import Display

from ansible_collections.csv_to_aurora.aws.plugins.plugin_utils.modules import PENDING, Call, ModuleRunner, call_of
from ansible_collections.csv_to_aurora.aws.plugins.plugin_utils.not_yet import error_of, not_yet

TIMEOUT = 600
DELAY = 5
INTERVAL = 20
"""Seconds between two lines about a state that does not change."""


def values_at(path: str, result: dict[str, Any]) -> list[str]:
    """Return the values that a JMESPath finds in a result, as text; none where it finds nothing."""
    found = jmespath.search(path, result)
    values = found if isinstance(found, list) else [found]
    return [str(value) for value in values if value is not None]


class ActionModule(ModuleRunner):
    """Ask an info module until what it tells is as wanted. Under check mode there is nothing to wait for."""

    OWN = frozenset(
        {"count", "delay", "failed", "fix", "kind", "module", "name", "ready", "reason", "state", "timeout"}
    )
    REQUIRED = ("kind", "name", "module", "state", "ready")

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the state that was waited for.

        Raises:
            AnsibleActionFail: An option is missing, the module failed, the state is one that does not pass, or the
                timeout is over.
        """
        result: dict[str, Any] = super().run(tmp, task_vars)
        self.check_options()
        arguments = self._task.args
        self.title = f"{arguments['kind']} {arguments['name']}"
        result.update(kind=arguments["kind"], name=arguments["name"], state=[], seconds=0.0, changed=False)
        result["planned"] = bool(self._task.check_mode)
        if self._task.check_mode:
            result["ansible_facts"] = {PENDING: True}
            return result
        call = call_of(arguments["module"], f"wait_for: 'module' of {self.title}")
        ready = [str(value) for value in arguments["ready"] or []]
        count = self.number("count", 1 if ready else 0)
        failed = [str(pattern) for pattern in arguments.get("failed") or []]
        timeout, delay = self.number("timeout", TIMEOUT), self.number("delay", DELAY)
        began = time.monotonic()
        shown, before = began, ""
        while True:
            answer = self.ask(call, task_vars)
            found = answer or {}
            values = values_at(arguments["state"], found) if answer is not None else []
            now = time.monotonic()
            result.update(state=values, seconds=round(now - began, 1), result=found)
            if answer is not None and len(values) >= count and set(values) <= set(ready):
                return result
            state = ", ".join(values) or ("not there yet" if answer is not None else "in an unknown state")
            if any(re.fullmatch(pattern, value) for pattern in failed for value in values):
                raise AnsibleActionFail(f"The {self.title} is {state}{self.reason(found)}. {self.fix}", result=result)
            if now - began + delay > timeout:
                raise AnsibleActionFail(
                    f"The {self.title} is still {state} after {now - began:.0f} s{self.reason(found)}. {self.fix}",
                    result=result,
                )
            if state != before or now - shown >= INTERVAL:
                Display().display(f"  waiting: {self.title} is {state} ({now - began:.0f} s)")
                shown, before = now, state
            time.sleep(delay)

    def ask(self, call: Call, task_vars: dict[str, Any] | None) -> dict[str, Any] | None:
        """Return the module's result; an empty one where AWS does not know the resource, None where it did not say.

        Raises:
            AnsibleActionFail: The module failed.
        """
        found = self.call(call, task_vars)
        if not found.get("failed"):
            return found
        if not_yet(found, "create"):
            # A call that was throttled does not say that a resource is gone.
            return {} if re.search("NotFound|NoSuch", error_of(found)[0]) else None
        raise self.failure(f"The state of the {self.title} could not be read", found)

    def reason(self, found: dict[str, Any]) -> str:
        """Return what AWS says of the state, to follow it; empty where it says nothing."""
        path = self._task.args.get("reason")
        told = "; ".join(values_at(path, found)) if path else ""
        return f" ({told.rstrip('.')})" if told else ""

    @property
    def fix(self) -> str:
        """What to do about a state that was not reached."""
        return str(self._task.args.get("fix") or "Run the same command again: it waits on.")
