# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Filter: how much the importer may do at once, as a sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.csv_to_aurora.importer.plugins.plugin_utils.connection_limit import ConnectionLimit

DOCUMENTATION = r"""
name: capacity
short_description: How much the importer may do at once, as a sentence
version_added: "1.0.0"
author:
  - The csv-to-aurora authors (@csv-to-aurora)
description:
  - Says how many sessions one import may have, how many connections all imports have together, and what imports
    beyond that wait for.
options:
  _input:
    description: How many database sessions one import may have.
    type: int
    required: true
  max_connections:
    description: >-
      How many connections all imports may have together, as a number, V(0) for no limit, or as a share of the server's
      C(max_connections) such as V(67%).
    type: str
    required: true
  server:
    description: The server's C(max_connections), V(0) where it is not known yet.
    type: int
    default: 0
  concurrency:
    description: Reserved concurrency of the function, V(-1) for none.
    type: int
    default: -1
"""

EXAMPLES = r"""
- name: Show how much the importer may do at once
  ansible.builtin.debug:
    msg: "{{ 2 | csv_to_aurora.importer.capacity('67%', server=90) }}"
"""

RETURN = r"""
_value:
  description: Two or three sentences.
  type: str
"""


def _connections(limit: ConnectionLimit, server: int, least: int) -> str:
    if limit.number == 0:
        return "as many connections as the server allows, those of the application included"
    if limit.percent is not None and not server:
        return f"up to {limit.percent}% of the server's connections (MAX_USER_CONNECTIONS)"
    of_server = f" of the server's {server}" if server else ""
    return f"up to {limit.on(server, least)}{of_server} connections (MAX_USER_CONNECTIONS)"


def _beyond(sessions: int, limit: ConnectionLimit, server: int, concurrency: int) -> str:
    most = limit.on(server, sessions + 1) if server else limit.number
    if concurrency < 0:
        return "Concurrency is not reserved: imports beyond that wait for a connection."
    if concurrency == 0:
        return "The function is stopped: its reserved concurrency is 0."
    queued = f"Reserved concurrency lets {concurrency} run at once: others wait in Lambda's queue"
    if most and concurrency * (sessions + 1) <= most:
        return f"{queued}."
    return f"{queued}, and those that run may have to wait for a connection."


def capacity(sessions: Any, max_connections: Any, server: int = 0, concurrency: int = -1) -> str:
    """Return how much the importer may do at once; see DOCUMENTATION."""
    try:
        limit = ConnectionLimit.of(max_connections)
    except ValueError as error:
        raise AnsibleFilterError(f"capacity: max_connections {error}") from error
    one = int(sessions)
    return (
        f"One import has up to {one} {'session' if one == 1 else 'sessions'}, all imports together have "
        f"{_connections(limit, int(server), one + 1)}. {_beyond(one, limit, int(server), int(concurrency))}"
    )


class FilterModule:
    """The filters of this file, as Ansible wants them."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {"capacity": capacity}
