# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What callbacks read from the result of a task, and the words in which they show it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from posixpath import normpath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ansible.executor.task_result import CallbackTaskResult
    from ansible.playbook.task import Task

OWN = "csv_to_aurora."
ARGUMENT_SPEC = "ansible.builtin.validate_argument_spec"
WITH_V = "Run again with -v for the whole answer."
# How ansible-core begins the message of a fault that the module itself says nothing about.
CORE_FAULTS = ("Task failed: ", "Unexpected failure", "MODULE FAILURE", "Module result deserialization failed")
PATH_THAT_GOES_UP = re.compile(r"[\w./~@%+=-]*\w/\.\./[\w./~@%+=-]*\w")


# The task


def module_of(task: Task) -> str:
    """Return the full name of the task's module."""
    return str(task.resolved_action or task.action)


def role_of(task: Task) -> str | None:
    """Return the name of the role that the task is in."""
    return str(task._role.get_name()) if task._role else None


def title_of(task: Task) -> str:
    """Return a task's name without its role and without the file that it begins with."""
    return str(task.name or task.get_name()).rsplit(" | ", maxsplit=1)[-1]


def is_rescued(task: Task) -> bool:
    """Return whether a block rescues the task's failure: what is to be said of it, the block's rescue says."""
    child, parent = task, task._parent
    while parent is not None:
        if getattr(parent, "rescue", None) and any(entry._uuid == child._uuid for entry in parent.block):
            return True
        child, parent = parent, parent._parent
    return False


# The result


def fields_of(result: CallbackTaskResult) -> Mapping[str, Any]:
    """Return the task's keywords with their templates filled in, as the worker had them.

    Of a loop only the results of the items have them. ansible-core 2.20 does not hand them over in C(result.task).
    """
    fields: Mapping[str, Any] = result._task_fields
    return fields


def arguments_of(result: CallbackTaskResult) -> Mapping[str, Any]:
    """Return the module's arguments. They are not censored where the task has C(no_log)."""
    return fields_of(result).get("args") or {}


def is_hidden(result: CallbackTaskResult) -> bool:
    """Return whether the result's values must not be shown."""
    found = result.result
    return bool(result.task.no_log or found.get("_ansible_no_log") or "censored" in found)


def is_loop(result: CallbackTaskResult) -> bool:
    """Return whether the result sums up items, each of which has been reported."""
    return bool(result.task.loop) and "results" in result.result


# Words


def duration(seconds: float) -> str:
    """Return a duration for people."""
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def tidy(text: str) -> str:
    """Return a text with its paths as short as they can be written, without C(/../)."""
    return PATH_THAT_GOES_UP.sub(lambda match: normpath(match[0]), text)


def one_line(text: Any) -> str:
    """Return a text in one line."""
    return " ".join(str(text).split())


def is_written_out(result: CallbackTaskResult) -> bool:
    """Return whether a failure's message is written for people: by the playbook, or by a module of this project."""
    found, module = result.result, module_of(result.task)
    message = str(found.get("msg") or "")
    if module == "ansible.builtin.assert":
        return "assertion" in found
    if module == "ansible.builtin.fail":
        # Another message tells of a fault in the task itself.
        return message == arguments_of(result).get("msg", message) and not message.startswith(CORE_FAULTS)
    return module.startswith(OWN) and bool(message) and not message.startswith(CORE_FAULTS)


def failure_of(result: CallbackTaskResult) -> str:
    """Return why a task or an item failed and what to do: one sentence, without a traceback."""
    found, task = result.result, result.task
    label = found.get("_ansible_item_label", found.get("item"))
    subject = title_of(task) if label is None or is_hidden(result) else f"{title_of(task)} ({one_line(label)})"
    if is_hidden(result):
        return f"{subject}: failed, and no_log hides why."
    if is_written_out(result):
        return tidy(str(found["msg"]).strip())
    if module_of(task) == ARGUMENT_SPEC and found.get("argument_errors"):
        errors = "; ".join(one_line(error) for error in found["argument_errors"])
        return f"Wrong variables of the role {role_of(task)}: {errors}. Correct them in the inventory's group_vars."
    message = str(found.get("msg") or "no reason given")
    for prefix in ("Task failed: ", "Module failed: ", "Action failed: "):
        message = message.removeprefix(prefix)
    # Of a command the reason is what it printed last.
    printed = str(found.get("stderr") or "").strip().splitlines()[-1:] if "rc" in found else []
    said = ": ".join(one_line(part).rstrip(".:") for part in (message, *printed))
    return f"{tidy(f'{subject}: {said}.')} {WITH_V}"


def unreachable(result: CallbackTaskResult) -> str:
    """Return why a host cannot be reached: one sentence."""
    message = one_line(result.result.get("msg") or "no reason given").removeprefix("Task failed: ").rstrip(".")
    return f"{result.host.get_name()} cannot be reached: {message}. {WITH_V}"
