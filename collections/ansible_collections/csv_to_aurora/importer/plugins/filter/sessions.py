# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Filter: how many database sessions one import may have."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.csv_to_aurora.importer.plugins.plugin_utils.connection_limit import ConnectionLimit

DOCUMENTATION = r"""
name: sessions
short_description: How many database sessions one import may have
version_added: "1.0.0"
author:
  - The csv-to-aurora authors (@csv-to-aurora)
description:
  - It is the smallest of four numbers, and at least one.
  - One for each vCPU of the database, since a session keeps one vCPU of the server busy. A class has them by its size,
    C(small) to C(large) two, C(xlarge) four, and each larger one a multiple of four. C(db.serverless) has one for each
    four Aurora capacity units (ACUs) of its highest capacity, which have the memory of one vCPU of the C(db.r) classes.
    With a class that is not known an import has one session.
  - One for each 442 MB of the function's memory, with which Lambda gives it a quarter of a vCPU. A session stores
    250,000 rows a second at most, and a row costs the function one microsecond of processor time.
  - A quarter of the connections that all imports may have together, where that is a number, so that four imports can
    run side by side.
  - Eight. The function reads the file in one thread, which does not keep more of them busy.
options:
  _input:
    description: Class of the DB instances, such as V(db.r6g.large).
    type: str
    required: true
  memory_size:
    description: Memory of the function in MB.
    type: int
    required: true
  max_capacity:
    description: Highest capacity of C(db.serverless) in ACUs.
    type: float
    default: 0
  max_connections:
    description: >-
      How many connections all imports may have together, as a number, V(0) for no limit, or as a share of the server's
      C(max_connections) such as V(67%).
    type: str
    default: "0"
seealso:
  - name: Aurora DB instance classes
    link: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Concepts.DBInstanceClass.Summary.html
  - name: Aurora Serverless v2, capacity
    link: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2.how-it-works.html
  - name: Lambda, memory
    link: https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
"""

EXAMPLES = r"""
- name: Show how many sessions an import has on this database
  ansible.builtin.debug:
    msg: "{{ 'db.r6g.xlarge' | csv_to_aurora.importer.sessions(memory_size=1769, max_connections='67%') }}"  # 4
"""

RETURN = r"""
_value:
  description: How many sessions, 1 to 8.
  type: int
"""

MOST = 8
MEMORY_OF_VCPU = 1769
"""MB with which Lambda gives a function one vCPU."""
SESSIONS_OF_VCPU = 4
ACUS_OF_VCPU = 4.0
IMPORTS = 4
"""How many imports a number of connections is shared between."""
SIZE = re.compile(r"db\.[a-z0-9]+\.(?:(?P<two>small|medium|large)|(?P<times>[1-9][0-9]*)?xlarge)")


def vcpus_of(instance_class: str, max_capacity: float) -> float:
    """Return the vCPUs of a DB instance, 0 where the class is not known."""
    if instance_class == "db.serverless":
        return max_capacity / ACUS_OF_VCPU
    size = SIZE.fullmatch(instance_class)
    if not size:
        return 0
    return 2 if size["two"] else 4 * int(size["times"] or 1)


def sessions(instance_class: str, memory_size: int, max_capacity: float = 0, max_connections: Any = 0) -> int:
    """Return how many sessions one import may have; see DOCUMENTATION."""
    try:
        limit = ConnectionLimit.of(max_connections)
    except ValueError as error:
        raise AnsibleFilterError(f"sessions: max_connections {error}") from error
    most = [
        MOST,
        int(vcpus_of(instance_class, float(max_capacity))),
        int(memory_size) * SESSIONS_OF_VCPU // MEMORY_OF_VCPU,
    ]
    if limit.number:
        most.append(limit.number // IMPORTS)
    return max(1, min(most))


class FilterModule:
    """The filters of this file, as Ansible wants them."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {"sessions": sessions}
