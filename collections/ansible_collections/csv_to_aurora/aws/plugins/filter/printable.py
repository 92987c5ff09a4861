# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Filter: text of others as one line for a terminal."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.csv_to_aurora.aws.plugins.plugin_utils.printable import printable_line

DOCUMENTATION = r"""
name: printable
short_description: Text of others as one line for a terminal
version_added: "1.1.0"
author:
  - The csv-to-aurora authors (@csv-to-aurora)
description:
  - Replaces each character that would steer a terminal by a question mark. Newlines and tabs are among them, so that a
    key that holds them does not look like several.
  - What this collection's callbacks print has no such characters in any case, but for newlines and tabs.
options:
  _input:
    description: The text, such as the key of an object.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show a key
  ansible.builtin.debug:
    msg: "{{ object.key | csv_to_aurora.aws.printable }}"
"""

RETURN = r"""
_value:
  description: The text in one line.
  type: str
"""


class FilterModule:
    """The filter of this file, as Ansible wants it."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {"printable": printable_line}
