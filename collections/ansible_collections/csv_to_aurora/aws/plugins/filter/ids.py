# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Filter: the ids of the resources of a loop, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

DOCUMENTATION = r"""
name: ids
short_description: The ids of the resources that a loop of resource went over, by name
version_added: "1.0.0"
author:
  - The csv-to-aurora authors (@csv-to-aurora)
description:
  - Takes what a task with M(csv_to_aurora.aws.resource) and a loop registered.
options:
  _input:
    description: The registered result.
    type: dict
    required: true
seealso:
  - module: csv_to_aurora.aws.resource
"""

EXAMPLES = r"""
- name: Create or update the route table
  csv_to_aurora.aws.resource:
    # and its other options
    kind: route table
    name: private
    current: {}
    desired:
      subnets: "{{ (__network_subnets | csv_to_aurora.aws.ids).values() }}"
"""

RETURN = r"""
_value:
  description: The id of each resource, by its name; null for what does not exist yet.
  type: dict
"""


def ids(registered: Mapping[str, Any]) -> dict[str, Any]:
    """Return the id of each resource of a loop, by name; nothing for a loop that was skipped."""
    results = registered.get("results") or [registered]
    return {one["name"]: one.get("id") for one in results if "name" in one and one.get("action") != "delete"}


class FilterModule:
    """The filters of this file, as Ansible wants them."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {"ids": ids}
