# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Filter: a password as the authentication string of caching_sha2_password."""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable

from ansible_collections.ansible.mysql.plugins.module_utils.implementations.mysql import hash as mysql_hash

DOCUMENTATION = r"""
name: caching_sha2_hash
short_description: A password as the authentication string of caching_sha2_password
version_added: "1.0.0"
author:
  - The csv-to-aurora authors (@csv-to-aurora)
description:
  - For statements that M(ansible.mysql.mysql_user) cannot write, such as C(ALTER USER ... RETAIN CURRENT PASSWORD). A
    password in a statement is in the logs of the server; its hash there lets nobody in.
  - Each call has a salt of its own.
options:
  _input:
    description: The password.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Add a password
  ansible.mysql.mysql_query:
    query: >-
      ALTER USER app@'%%' IDENTIFIED WITH caching_sha2_password
      AS 0x{{ password | csv_to_aurora.importer.caching_sha2_hash }} RETAIN CURRENT PASSWORD
"""

RETURN = r"""
_value:
  description: The authentication string, in hexadecimal.
  type: str
"""

SALT_LENGTH = 20


def caching_sha2_hash(password: str) -> str:
    """Return the authentication string of a password in hexadecimal, with a new salt."""
    salt = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(SALT_LENGTH))
    return str(mysql_hash.mysql_sha256_password_hash_hex(password, salt))


class FilterModule:
    """The filters of this file, as Ansible wants them."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {"caching_sha2_hash": caching_sha2_hash}
