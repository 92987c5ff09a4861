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
  - What a user may do with the table of a dataset depends on the dataset's mode and keys.
options:
  _input:
    description:
      - For each user the privileges, by table.
      - For the tables of datasets C(datasets) has the privileges, by mode, each with a list of columns that it is
        restricted to; an empty list is the whole table. C(keys) stands for the columns of the dataset's keys, and
        C(columns) for those of its fields.
      - C(with_keys) has the privileges on the whole database where a dataset has keys.
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
    msg: "{{ {'importer': {'datasets': {'append': {'INSERT': []}}}} | csv_to_aurora.importer.table_grants(datasets) }}"
"""

RETURN = r"""
_value:
  description: >-
    For each user the privileges, by table, such as C(INSERT) or C(SELECT (a, b\)); C(*) is the whole database.
  type: dict
"""


Dataset = Mapping[str, Any]


def _on_table(stated: Mapping[str, Sequence[str]], dataset: Dataset) -> list[str]:
    """Return the privileges on a dataset's table."""
    stands_for = {"keys": [name for key in dataset["keys"] for name in key], "columns": dataset["columns"]}
    granted = []
    for privilege, restricted in stated.items():
        columns = dict.fromkeys(column for name in restricted for column in stands_for.get(name, [name]))
        if columns or not restricted:
            granted.append(f"{privilege} ({', '.join(columns)})" if columns else privilege)
    return granted


def table_grants(
    stated: Mapping[str, Mapping[str, Any]], datasets: Sequence[Dataset]
) -> dict[str, dict[str, list[str]]]:
    """Return the privileges of each user, by table; those on tables of datasets come first."""
    with_keys = any(dataset["keys"] for dataset in datasets)
    grants: dict[str, dict[str, list[str]]] = {}
    for user, tables in stated.items():
        modes = tables.get("datasets", {})
        grants[user] = {each["table"]: _on_table(modes[each["mode"]], each) for each in datasets if modes}
        if with_keys and "with_keys" in tables:
            grants[user]["*"] = list(tables["with_keys"])
        grants[user] |= {
            table: list(granted) for table, granted in tables.items() if table not in ("datasets", "with_keys")
        }
    return grants


class FilterModule:
    """The filters of this file, as Ansible wants them."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {"table_grants": table_grants}
