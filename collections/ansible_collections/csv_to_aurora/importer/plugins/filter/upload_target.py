# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Filter: where a file is uploaded to, and which dataset it is of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

DOCUMENTATION = r"""
name: upload_target
short_description: Where a file is uploaded to, and which dataset it is of
version_added: "1.0.0"
author:
  - The csv-to-aurora authors (@csv-to-aurora)
description:
  - An object belongs to the dataset with the longest prefix of its key.
  - Without a dataset, the file's own name is its key, where a dataset takes that. Where there is only one dataset, and
    it does not, the key begins with its prefix.
options:
  _input:
    description: The datasets, as C(files/lambda/descriptors.py --describe) prints them.
    type: list
    elements: dict
    required: true
  file_name:
    description: The file's own name.
    type: str
    required: true
  dataset:
    description: Name of the dataset; empty where it follows from the key.
    type: str
    default: ""
  key:
    description: The key; empty where it follows from the file's name.
    type: str
    default: ""
seealso:
  - name: The datasets of the importer
    link: https://datapackage.org/standard/data-resource/
"""

EXAMPLES = r"""
- name: Choose a key in the bucket
  ansible.builtin.set_fact:
    target: "{{ datasets | csv_to_aurora.importer.upload_target('2026-11.csv', dataset='orders') }}"
"""

RETURN = r"""
_value:
  description:
    - C(key), and the C(dataset) that takes it.
    - C(mistake) says why there is none, and is empty otherwise.
  type: dict
"""

Dataset = Mapping[str, Any]


def _taking(datasets: Sequence[Dataset], key: str) -> Dataset:
    fitting = [dataset for dataset in datasets if key.startswith(dataset["key_prefix"])]
    return max(fitting, key=lambda dataset: len(dataset["key_prefix"]), default={})


def upload_target(datasets: Sequence[Dataset], file_name: str, dataset: str = "", key: str = "") -> dict[str, Any]:
    """Return the key and the dataset of an upload; see RETURN."""
    there = "; ".join(f"{each['name']}: {each['key_prefix'] or 'any key'}" for each in datasets)
    named = next((each for each in datasets if each["name"] == dataset), {})
    if dataset and not named:
        mistake = f"There is no dataset {dataset!r} in this environment (stack_datasets). There are {there}."
        return {"key": key, "dataset": {}, "mistake": mistake}
    if not key:
        key = file_name
        if named or (len(datasets) == 1 and not _taking(datasets, key)):
            key = (named or datasets[0])["key_prefix"] + file_name
    taking = _taking(datasets, key)
    mistake = ""
    if not taking:
        mistake = (
            f"No dataset takes the key '{key}'. Choose one with -e dataset=NAME, or a key with one of these prefixes "
            f"with -e key=KEY: {there}."
        )
    elif named and taking != named:
        mistake = f"The key '{key}' belongs to the dataset {taking['name']}, not to {dataset}. Prefixes: {there}."
    return {"key": key, "dataset": taking, "mistake": mistake}


class FilterModule:
    """The filters of this file, as Ansible wants them."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {"upload_target": upload_target}
