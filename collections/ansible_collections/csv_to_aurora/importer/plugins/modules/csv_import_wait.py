# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

# Documentation only: the action plugin of the same name does the work.
"""Follow the import of one object version in the ledger until it has ended."""

from __future__ import annotations

DOCUMENTATION = r"""
module: csv_import_wait
short_description: Follow the import of an object version until it has ended
description:
  - Runs M(ansible.mysql.mysql_query) on the host against the importer's ledger, the table C(csv_import), again and
    again, and displays the progress of the import.
  - An import that fails does not fail the task. The caller decides by RV(csv_import.status).
version_added: "1.0.0"
author:
  - The csv-to-aurora authors (@csv-to-aurora)
options:
  bucket:
    description: Name of the bucket.
    type: str
    required: true
  key:
    description: Key of the object, as it is and not URL-encoded.
    type: str
    required: true
  version_id:
    description: Version id of the object.
    type: str
    required: true
  timeout:
    description: Seconds without any progress after which the task fails.
    type: float
    default: 900
  interval:
    description: Seconds between two queries.
    type: float
    default: 2
  after_attempt:
    description:
      - Ignore the import until it has been attempted more often than this.
      - An import that failed and is run again is still C(failed) in the ledger until the function begins with it.
        Give the number of attempts from before.
    type: int
    default: 0
  login:
    description: Login arguments of M(ansible.mysql.mysql_query), such as C(config_file).
    type: dict
    default: {}
  password_command:
    description:
      - Command on the host, as a list of arguments, that prints a password for O(login), such as an IAM authentication
        token.
      - Run before each query. Its output is never displayed.
    type: list
    elements: str
    default: []
notes:
  - "Why this module: a task with C(until) has no timeout that starts again with each progress, displays none of it, and
    reads a password that expires only once. It reads this project's ledger and cannot go to another collection."
attributes:
  check_mode:
    description: Only reads.
    support: full
"""

EXAMPLES = r"""
- name: Wait for the import of the file
  csv_to_aurora.importer.csv_import_wait:
    bucket: customers
    key: customers.csv
    version_id: "{{ uploaded.object_data.version_id }}"
    login:
      config_file: /home/admin/.my.cnf
      login_db: challenge
  register: ended
"""

RETURN = r"""
csv_import:
  description: The ledger's row, with C(seconds) from the start to the end.
  type: dict
  returned: always
"""
