# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Filter: foreign text as one cell of a CSV file that people open in a spreadsheet."""

from __future__ import annotations

from collections.abc import Callable

DOCUMENTATION = r"""
name: csv_cell
short_description: Foreign text as one cell of a CSV file that people open in a spreadsheet
version_added: "1.0.0"
author:
  - The csv-to-aurora authors (@csv-to-aurora)
description:
  - A cell that a spreadsheet would take for a formula begins with an apostrophe.
options:
  _input:
    description: The text.
    type: str
    required: true
seealso:
  - name: CSV Injection
    link: https://owasp.org/www-community/attacks/CSV_Injection
"""

EXAMPLES = r"""
- name: Write a row
  ansible.builtin.copy:
    content: "{{ row.line_number }},{{ row.raw_text | csv_to_aurora.importer.csv_cell }}\n"
    dest: rejects.csv
    mode: "0600"
"""

RETURN = r"""
_value:
  description: The cell, in double quotes.
  type: str
"""

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a formula begins."""


def csv_cell(text: str) -> str:
    """Return text as a quoted cell that no spreadsheet takes for a formula."""
    quoted = text.replace('"', '""')
    return f'"{"'" if text.startswith(FORMULA) else ""}{quoted}"'


class FilterModule:
    """The filters of this file, as Ansible wants them."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {"csv_cell": csv_cell}
