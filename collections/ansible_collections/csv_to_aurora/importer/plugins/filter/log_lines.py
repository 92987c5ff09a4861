# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Filter: events of the importer's log, each as one line for people."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

DOCUMENTATION = r"""
name: log_lines
short_description: Events of the importer's log, each as one human-readable line
version_added: "1.0.0"
author:
  - The csv-to-aurora authors (@csv-to-aurora)
description:
  - The importer logs JSON. An event becomes its level, its message, and the key and counts that it carries. Metrics and
    Lambda's own lines about an invocation are left out; whatever else is no JSON, such as a traceback, stays as it is.
options:
  _input:
    description: Events as M(csv_to_aurora.aws.cloudwatchlogs_events_info) returns them.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the last log events
  ansible.builtin.debug:
    msg: "{{ log.events | csv_to_aurora.importer.log_lines }}"
"""

RETURN = r"""
_value:
  description: A line for each event that is a message, in the same order.
  type: list
  elements: str
"""

PLATFORM = re.compile("(INIT_START|START|END|REPORT) ")
"""How Lambda's own lines begin."""
COUNTS = ("rows_read", "rows_loaded", "rows_rejected", "rows_blank")


def log_line(message: str) -> str | None:
    """Return one line for a logged message; None for what is no message."""
    text = " ".join(message.split())
    try:
        logged = json.loads(text)
    except ValueError:
        return None if PLATFORM.match(text) else text
    if not isinstance(logged, dict):
        return text
    if "message" not in logged:
        return None
    counts = ", ".join(f"{name.removeprefix('rows_')} {logged[name]}" for name in COUNTS if name in logged)
    told = "; ".join(filter(None, (str(logged.get("key") or ""), counts, str(logged.get("reason") or ""))))
    line = f"{logged.get('level', '')} {logged['message']}".strip()
    return f"{line} ({told})" if told else line


def log_lines(events: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a line for each event of the importer's log that is a message."""
    lines = (log_line(str(event.get("message", ""))) for event in events)
    return [line for line in lines if line]


class FilterModule:
    """The filters of this file, as Ansible wants them."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {"log_lines": log_lines}
