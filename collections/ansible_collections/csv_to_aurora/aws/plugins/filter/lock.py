# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Filters: who holds a lock, and what to do about it, as sentences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

DOCUMENTATION = r"""
name: lock_holder
short_description: Who holds a lock, and since when
version_added: "1.0.0"
author:
  - The csv-to-aurora authors (@csv-to-aurora)
description:
  - Takes the C(lock) that M(csv_to_aurora.aws.ssm_lock) returned.
options:
  _input:
    description: The lock.
    type: dict
    required: true
seealso:
  - module: csv_to_aurora.aws.ssm_lock
"""

EXAMPLES = r"""
- name: Show the holder
  ansible.builtin.debug:
    msg: "The stack is locked by {{ found.lock | csv_to_aurora.aws.lock_holder }}."
"""

RETURN = r"""
_value:
  description: Owner, machine, process and time, to follow "locked by".
  type: str
"""


def lock_holder(lock: Mapping[str, Any]) -> str:
    """Return who holds a lock, where and since when, to follow "locked by"."""
    process = f", process {lock['process']}" if lock.get("process") else ""
    since = str(lock["since"]).replace("T", " ").replace("Z", " UTC")
    return f"{lock['owner']} on {lock['host']}{process}, since {since} ({int(lock['seconds']) // 60} minutes)"


def lock_process(lock: Mapping[str, Any]) -> str:
    """Return what is known of the process that holds a lock, a sentence."""
    abandoned = lock.get("abandoned")
    if abandoned is None:
        return "Only that machine can tell whether the process still runs."
    return "The process has ended on this machine." if abandoned else "The process runs on this machine."


def lock_refusal(acquiring: Mapping[str, Any], stack: str, unlock: str) -> str:
    """Return why a run could not acquire the lock, and what to do.

    Args:
        acquiring: Result of csv_to_aurora.aws.ssm_lock.
        stack: Name of the stack.
        unlock: The command that breaks a lock, without the lock's id.
    """
    lock = acquiring.get("lock")
    if not lock:
        return str(acquiring.get("msg") or "The lock could not be acquired.")
    if lock.get("abandoned"):
        advice = "That process has ended on this machine without releasing the lock: it was killed. Break the lock"
    else:
        advice = "Wait until it has ended. If it is gone for good, break the lock"
    return f"Another run is changing {stack}: {lock_holder(lock)}. {advice}: {unlock} -e lock_id={lock['id']}"


class FilterModule:
    """The filters of this file, as Ansible wants them."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {"lock_holder": lock_holder, "lock_process": lock_process, "lock_refusal": lock_refusal}
