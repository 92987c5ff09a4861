# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Action plugin: several modules that only read, side by side, as one task."""

from __future__ import annotations

import json
import os
import time
import traceback
from collections.abc import Iterator, Mapping
from itertools import batched
from typing import Any, BinaryIO, NoReturn

from ansible.errors import AnsibleActionFail

from ansible_collections.csv_to_aurora.aws.plugins.plugin_utils.modules import Call, ModuleRunner, call_of
from ansible_collections.csv_to_aurora.aws.plugins.plugin_utils.not_yet import not_yet

AT_ONCE = 8
"""Modules that run at the same time: AWS answers each after tens of milliseconds."""
TIMEOUT = 60
"""Seconds within which a module is run again that AWS answers 'not yet'."""


class ActionModule(ModuleRunner):
    """Run modules side by side, all of them in check mode."""

    OWN = frozenset({"modules"})
    REQUIRED = ("modules",)
    LAZY = frozenset({"modules"})

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return each module's result under its key; an empty one where its ``when`` does not hold.

        Raises:
            AnsibleActionFail: The option is missing or malformed, or a module failed or has no check mode.
        """
        result: dict[str, Any] = super().run(tmp, task_vars)
        self.check_options()
        # Whatever the run does, this only looks; a module that can only tell what it would change tells it in its diff.
        self._task.check_mode = self._task.diff = True
        calls = dict(self.calls())
        found = self.answers(calls, task_vars)
        for key, one in found.items():
            # A module without check mode skips, and what it did not look for would pass for absent.
            if one.get("failed") or one.get("skipped"):
                about = f"Information about {key.replace('_', ' ')} could not be gathered ({calls[key].module})"
                raise self.failure(about, one)
        empty: dict[str, dict[str, Any]] = {key: {} for key in self._task.args["modules"]}
        result.update({**empty, **found}, changed=False)
        return result

    def answers(self, calls: Mapping[str, Call], task_vars: dict[str, Any] | None) -> dict[str, dict[str, Any]]:
        """Return the results of the modules, each run again where it failed over something that came or went."""
        found: dict[str, dict[str, Any]] = {}
        missing = list(calls)
        end, pause = time.monotonic() + TIMEOUT, 1.0
        while True:
            for keys in batched(missing, AT_ONCE):
                children = {key: self.start(calls[key], task_vars) for key in keys}
                found |= {key: self.finish(*child) for key, child in children.items()}
            failed = [key for key, one in found.items() if one.get("failed")]
            missing = [key for key in failed if not_yet(found[key], "update")]
            # One that fails for good fails the task: the others are not waited for.
            if not missing or missing != failed or time.monotonic() + pause > end:
                return found
            time.sleep(pause)
            pause *= 2

    def calls(self) -> Iterator[tuple[str, Call]]:
        """Yield the key and the call of each module whose condition holds.

        Raises:
            AnsibleActionFail: The modules are no mapping.
        """
        modules = self._task.args["modules"]
        if not isinstance(modules, Mapping):
            raise AnsibleActionFail("gather: 'modules' has to be a mapping.")
        for key in modules:
            call = call_of(modules[key], f"gather: '{key}'", ("when",))
            if "when" not in modules[key] or self.holds(modules[key]["when"], {}):
                yield str(key), Call(call.module, self.template(call.arguments))

    def start(self, call: Call, task_vars: dict[str, Any] | None) -> tuple[int, BinaryIO]:
        """Run a module in a child of this process; return the child and where its result comes from."""
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            self._answer(call, task_vars, writing)
        os.close(writing)
        return child, os.fdopen(reading, "rb")

    def _answer(self, call: Call, task_vars: dict[str, Any] | None, writing: int) -> NoReturn:
        """Run a module and write its result, as the child, which ends here: it must not go on as a second worker."""
        try:
            self.disposable = True
            try:
                result = self.call(call, task_vars)
            except BaseException as error:  # noqa: BLE001 - the parent has to be told, whatever it was
                result = {"failed": True, "msg": str(error), "exception": traceback.format_exc()}
            with os.fdopen(writing, "wb") as file:
                file.write(json.dumps(result, default=str).encode())
            # Without pipelining the module was in a folder that the parent does not know of.
            self.cleanup()
        finally:
            os._exit(0)

    @staticmethod
    def finish(child: int, answer: BinaryIO) -> dict[str, Any]:
        """Return the result of a child."""
        with answer:
            written = answer.read()
        os.waitpid(child, 0)
        if not written:
            return {"failed": True, "msg": "the module's process ended without a result"}
        return dict(json.loads(written))
