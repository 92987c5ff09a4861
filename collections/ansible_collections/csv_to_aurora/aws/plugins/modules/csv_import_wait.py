# Documentation only: the action plugin of the same name does the work.
"""Follow one file version in the ledger until its import has ended."""

from __future__ import annotations

DOCUMENTATION = r"""
module: csv_import_wait
short_description: Follow the import of a file version until it has ended
description:
  - Runs M(ansible.mysql.mysql_query) on the host against the importer's ledger, C(csv_import), again
    and again, and shows on the controller how far the import is.
  - Whether the import succeeded is for the caller to judge, by RV(csv_import.status).
version_added: "1.0.0"
author:
  - csv-to-aurora maintainers
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
    description: Version of the object.
    type: str
    required: true
  timeout:
    description: Seconds without any progress after which to give up.
    type: float
    default: 900
  interval:
    description: Seconds between two looks.
    type: float
    default: 2
  after_attempt:
    description:
      - Take no notice of the import until it has been attempted more often than this.
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
      - Command on the host, as a list of words, that prints a password for O(login), such as a token of IAM.
      - Run before each look, and shown nowhere.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    description: Only reads.
    support: full
"""

EXAMPLES = r"""
- name: Wait until the file is in the table
  csv_to_aurora.aws.csv_import_wait:
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
