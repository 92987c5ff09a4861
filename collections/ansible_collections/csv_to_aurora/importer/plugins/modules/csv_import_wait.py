# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

# Documentation only: the action plugin of the same name does the work.
"""Follow the import of one object version in the ledger until it has ended."""

from __future__ import annotations

DOCUMENTATION = r"""
module: csv_import_wait
short_description: Follow the import of an object version until it has ended
description:
  - Queries the importer's ledger, the table C(csv_import), with the client of the host, again and again, and displays
    how much of the file has been read, how fast, and how long the rest takes at that pace.
  - What an import through several sessions has committed out of order counts, too.
  - One that is interrupted is waited for like one that is running, since Lambda tries its event again.
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
  client:
    description:
      - Command on the host, as a list of arguments, that runs the statements of its standard input and prints each row
        as a line, unescaped, without the names of the columns.
      - By default, C(mysql) with its option file.
    type: list
    elements: str
notes:
  - "Why this module: a task with C(until) has no timeout that starts again with each progress, and displays none of it.
    It reads this project's ledger and cannot go to another collection."
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
  register: ended
"""

RETURN = r"""
csv_import:
  description: The ledger's row, with C(seconds) from the start to the end, and C(bytes_read) in place of the position.
  type: dict
  returned: always
"""
