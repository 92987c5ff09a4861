# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Filter: what playbooks read of the ledger, with the progress of the imports that are at work."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from ansible_collections.csv_to_aurora.importer.plugins.plugin_utils.progress import AT_WORK, is_compressed, pace, share

DOCUMENTATION = r"""
name: ledger_rows
short_description: Rows of the ledger, with the progress of the imports that are at work
version_added: "1.0.0"
author:
  - The csv-to-aurora authors (@csv-to-aurora)
description:
  - Of an import that was read twice, the first reading, which has C(earlier), says how fast it goes.
options:
  _input:
    description: Lines of JSON, each a row of the ledger, the newest import first.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Record the rows
  ansible.builtin.set_fact:
    ledger_rows: "{{ ledger.stdout_lines | csv_to_aurora.importer.ledger_rows }}"
"""

RETURN = r"""
_value:
  description:
    - The rows. Each has C(progress) in addition, a human-readable text that is empty where the import has ended, and
      C(rows_per_second_now), C(bytes_per_second_now) and C(seconds_left), which are null where they are not known.
  type: list
  elements: dict
"""


def ledger_rows(lines: Iterable[str]) -> list[dict[str, Any]]:
    """Return the rows of the ledger, with the progress of those that are at work."""
    earlier: dict[int, dict[str, Any]] = {}
    rows = []
    for row in map(json.loads, lines):
        if row.pop("earlier", None):
            earlier[row["id"]] = row
        else:
            rows.append(row | _progress(earlier.get(row["id"]), row))
    for row in rows:
        # When it was read is no news of the import.
        del row["read_at"]
    return rows


def _progress(before: dict[str, Any] | None, row: dict[str, Any]) -> dict[str, Any]:
    compressed = is_compressed(row["key"])
    speed = pace(before, row, compressed=compressed)
    parts = [share(row, compressed=compressed), *([str(speed)] if speed else [])]
    return {
        "progress": ", ".join(parts) if row["status"] in AT_WORK else "",
        "rows_per_second_now": speed and round(speed.rows_per_second),
        "bytes_per_second_now": speed and round(speed.bytes_per_second),
        "seconds_left": None if speed is None or speed.seconds_left is None else round(speed.seconds_left),
    }


class FilterModule:
    """The filters of this file, as Ansible wants them."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {"ledger_rows": ledger_rows}
