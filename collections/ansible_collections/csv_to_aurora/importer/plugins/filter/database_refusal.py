# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Filter: why the database cannot be used through the tunnel, and how to fix it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypedDict

DOCUMENTATION = r"""
name: database_refusal
short_description: Why the database cannot be used through the tunnel, and how to fix it
version_added: "1.0.0"
author:
  - The csv-to-aurora authors (@csv-to-aurora)
description:
  - Takes what a module of C(ansible.mysql) said of a login, and returns one or two sentences.
options:
  _input:
    description:
      - V(error), the module's message.
      - V(endpoint), the name of the database; V(host), the id of the app host; V(user), who logs in; V(secret), the
        name of the secret with the password; V(ca_file), the CA certificates; V(inventory), the name of the
        environment's folder.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show why
  ansible.builtin.fail:
    msg: "{{ found | csv_to_aurora.importer.database_refusal }}"
"""

RETURN = r"""
_value:
  description: The reason with its fix.
  type: str
"""

CAUSES = {
    "Access denied": (
        "The database {endpoint} does not accept the password of {user} in the secret {secret}. A rotation that was "
        "interrupted is continued by ansible-playbook playbooks/rotate.yml -i inventories/{inventory} "
        "-e rotate=administrator"
    ),
    "CERTIFICATE_VERIFY_FAILED": (
        "What answers in place of the database has no certificate of {endpoint} that {ca_file} verifies: no password "
        "was sent. Find out what is between {host} and the database; where AWS has new CA certificates, renew the file."
    ),
    "SSL is required": (
        "What answers in place of the database {endpoint} does not speak TLS: no password was sent. Find out what is "
        "between {host} and the database."
    ),
    "Lost connection|Connection reset|Broken pipe|EOF occurred": (
        "The app host {host} does not connect to the database {endpoint}. The database has to be available, and its "
        "security group to admit the host: ansible-playbook playbooks/plan.yml -i inventories/{inventory} shows what "
        "differs. sshd of the host has to forward connections (AllowTcpForwarding)."
    ),
}
"""The sentences, by what the driver says."""


class Found(TypedDict):
    """What is known of a login that failed."""

    error: str
    endpoint: str
    host: str
    user: str
    secret: str
    ca_file: str
    inventory: str


def database_refusal(found: Found) -> str:
    """Return why the database cannot be used, with what its driver said, and how to fix it."""
    said = " ".join(found["error"].split()).rpartition("Exception message: ")[2].rstrip(".")
    for match, sentence in CAUSES.items():
        if re.search(match, found["error"]):
            return f"{sentence.format_map(found)} ({said})"
    return f"The database {found['endpoint']} cannot be used through the app host {found['host']}: {said}."


class FilterModule:
    """The filters of this file, as Ansible wants them."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {"database_refusal": database_refusal}
