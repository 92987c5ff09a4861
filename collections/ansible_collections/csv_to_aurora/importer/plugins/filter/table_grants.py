# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Filter: the privileges of each database user on each table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

DOCUMENTATION = r"""
name: table_grants
short_description: The privileges of each database user on each table
version_added: "1.0.0"
author:
  - The csv-to-aurora authors (@csv-to-aurora)
description:
  - What a user may do with the table of a dataset depends on the dataset's mode.
options:
  _input:
    description:
      - For each user the privileges, by table.
      - For the tables of datasets C(datasets) has the privileges, by mode. One that is missing there is no privilege.
    type: dict
    required: true
  datasets:
    description: The datasets, as C(files/lambda/descriptors.py --describe) prints them.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Show who may do what
  ansible.builtin.debug:
    msg: "{{ {'importer': {'datasets': {'append': ['INSERT']}}} | csv_to_aurora.importer.table_grants(datasets) }}"
"""

RETURN = r"""
_value:
  description: For each user the privileges, by table.
  type: dict
"""


def table_grants(
    stated: Mapping[str, Mapping[str, Any]], datasets: Sequence[Mapping[str, str]]
) -> dict[str, dict[str, list[str]]]:
    """Return the privileges of each user, by table; those on tables of datasets come first."""
    return {
        user: {
            **{
                dataset["table"]: list(tables["datasets"][dataset["mode"]])
                for dataset in datasets
                if tables.get("datasets", {}).get(dataset["mode"])
            },
            **{table: list(privileges) for table, privileges in tables.items() if table != "datasets"},
        }
        for user, tables in stated.items()
    }


class FilterModule:
    """The filters of this file, as Ansible wants them."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {"table_grants": table_grants}
