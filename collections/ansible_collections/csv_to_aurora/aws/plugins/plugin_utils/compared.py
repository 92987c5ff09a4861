# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which task acts on what the action C(resource_plan) compared: by the registered variable in its condition or loop.

To be removed with C(resource_plan), once no role uses it: this file, what changes.py and run_summary.py say of it, and
the keys C(task) and C(item) of a change.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .task_results import is_hidden, role_of

if TYPE_CHECKING:
    from ansible.executor.task_result import CallbackTaskResult
    from ansible.playbook.task import Task

PLAN = "csv_to_aurora.aws.resource_plan"


@dataclass(frozen=True)
class Comparison:
    """What resource_plan found out about one resource, waiting for the task that acts on it."""

    kind: str
    name: str
    action: str
    diff: Any
    registers: tuple[str, ...]
    label: str | None


def label_of(result: CallbackTaskResult) -> str | None:
    """Return the label of a loop's item; None outside a loop and where it is secret."""
    if is_hidden(result):
        return None
    label = result.result.get("_ansible_item_label", result.result.get("item"))
    return None if label is None else str(label)


class Comparisons:
    """The comparisons of a run."""

    def __init__(self) -> None:
        """Begin with none."""
        self.found: dict[tuple[str, str | None], list[Comparison]] = defaultdict(list)
        self.conditions: dict[str, str] = {}

    def begin_task(self, task: Task) -> None:
        """Keep the task's conditions and loop as written: they name the comparison that the task acts on."""
        self.conditions[task._uuid] = f"{task.when} {task.loop}"

    def take(self, result: CallbackTaskResult) -> Comparison:
        """Take in a comparison."""
        told = result.result
        action = {"change": "update"}.get(str(told["action"]), str(told["action"]))
        # A register is a name, or since ansible-core 2.21 a mapping from names.
        register = result.task.register or ()
        registers = (register,) if isinstance(register, str) else tuple(register)
        one = Comparison(told["kind"], told["name"], action, told.get("diff"), registers, label_of(result))
        if action != "none":
            self.found[result.host.get_name(), role_of(result.task)].append(one)
        return one

    def acted_on(self, result: CallbackTaskResult) -> list[Comparison]:
        """Return the comparisons that the result's task acts on, of its host and role."""
        candidates = self.found[result.host.get_name(), role_of(result.task)]
        conditions = self.conditions.get(result.task._uuid, "")
        named = [
            comparison
            for comparison in candidates
            if any(re.search(rf"\b{re.escape(register)}\b", conditions) for register in comparison.registers)
        ]
        label = label_of(result)
        if label is None:
            return named
        same = [comparison for comparison in named or candidates if label in (comparison.label, comparison.name)]
        if named:
            # Where one thing was compared, the loop is over its parts.
            return same or (named if len(named) == 1 else [])
        # Without a variable to go by, a label that two kinds of things share tells nothing.
        return same if len(same) == 1 else []
