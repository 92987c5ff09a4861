# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Filter: the probe file of each dataset, and what an import of it has to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

DOCUMENTATION = r"""
name: probes
short_description: The probe file of each dataset, and what an import of it has to do
version_added: "1.0.0"
author:
  - The csv-to-aurora authors (@csv-to-aurora)
description:
  - A probe has two rows that are loaded and one that is rejected.
  - Where a dataset has keys, or its rows take the place of others, a generated row could be taken for one that the
    table has. Its probe has a header and no row.
options:
  _input:
    description: The datasets, as C(files/lambda/descriptors.py --describe) prints them.
    type: list
    elements: dict
    required: true
  name:
    description: The file's name, which follows the prefix of each dataset.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Set the probes
  ansible.builtin.set_fact:
    verify_probes: "{{ datasets | csv_to_aurora.importer.probes('verify-1.csv') }}"
"""

RETURN = r"""
_value:
  description:
    - For each dataset its C(name), C(table) and descriptor (C(file)), the C(key) of the object, and how many of its
      rows are C(loaded) and C(rejected).
  type: list
  elements: dict
"""


def probes(datasets: Sequence[Mapping[str, Any]], name: str) -> list[dict[str, Any]]:
    """Return the probe of each dataset; see RETURN.

    One reject among twenty rows is fewer than the share that notifies people, by default.
    """
    return [
        {
            "name": dataset["name"],
            "table": dataset["table"],
            "file": dataset["file"],
            "key": f"{dataset['key_prefix']}{name}",
            "loaded": 0 if dataset["keys"] or dataset["mode"] != "append" else 19,
            "rejected": 0 if dataset["keys"] or dataset["mode"] != "append" else 1,
        }
        for dataset in datasets
    ]


class FilterModule:
    """The filters of this file, as Ansible wants them."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {"probes": probes}
