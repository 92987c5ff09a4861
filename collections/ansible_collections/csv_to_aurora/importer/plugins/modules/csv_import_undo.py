#!/usr/bin/python
# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Remove the rows of one import from its table."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: csv_import_undo
short_description: Remove the rows of one import from its table
description:
  - Removes the rows that one import of the importer's ledger, the table C(csv_import), has left in its table, in small
    transactions, each of which counts in the ledger what it removes.
  - Continues where a run before it was interrupted. What has been undone is not undone again.
  - An import that is interrupted has failed from then on, so that nothing goes on with it.
  - Fails where the import is running or checked, or where the table does not tell its rows from those of others.
version_added: "1.0.0"
author:
  - The csv-to-aurora authors (@csv-to-aurora)
options:
  id:
    description: The import, by its id in the ledger.
    type: int
    required: true
  by:
    description: Who undoes it, for the ledger.
    type: str
    required: true
  tables:
    description: The table of each dataset, by the name of the dataset.
    type: dict
    required: true
  login_db:
    description: The database.
    type: str
    required: true
  batch_rows:
    description: Rows of one transaction.
    type: int
    default: 5000
extends_documentation_fragment:
  - ansible.mysql.mysql
notes:
  - "Why this module: M(ansible.mysql.mysql_query) does not repeat statements until nothing is left, and has no check
    mode. It writes this project's ledger and cannot go to another collection."
attributes:
  check_mode:
    description: Counts the rows, and removes none.
    support: full
"""

EXAMPLES = r"""
- name: Undo the import
  csv_to_aurora.importer.csv_import_undo:
    id: 7
    by: arn:aws:iam::123456789012:user/ada
    tables: {customer: customer}
    login_db: challenge
"""

RETURN = r"""
undone:
  description: What was done, or in check mode would be.
  returned: success
  type: dict
  contains:
    import_id:
      description: The import.
      type: int
    dataset:
      description: Its dataset.
      type: str
    table:
      description: The table.
      type: str
    key:
      description: The object's key.
      type: str
    rows:
      description: How many rows this run has removed, or would remove.
      type: int
    rows_undone:
      description: How many rows were removed in all.
      type: int
    undone_by:
      description: Who began to undo it.
      type: str
    undone_at:
      description: When that had ended, in UTC.
      type: str
"""

from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.ansible.mysql.plugins.module_utils.mysql import (
    mysql_common_argument_spec,
    mysql_connect,
    mysql_driver,
    mysql_driver_fail_msg,
)

from ansible_collections.csv_to_aurora.importer.plugins.module_utils.undo import Undo, UndoRefused


def main() -> None:
    """Run the module."""
    spec = mysql_common_argument_spec()
    spec.update(
        id={"type": "int", "required": True},
        by={"type": "str", "required": True},
        tables={"type": "dict", "required": True},
        login_db={"type": "str", "required": True},
        batch_rows={"type": "int", "default": 5000},
    )
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    if mysql_driver is None:
        module.fail_json(msg=mysql_driver_fail_msg)
    options = module.params
    try:
        _, connection = mysql_connect(
            module,
            options["login_user"],
            options["login_password"],
            options["config_file"],
            options["client_cert"],
            options["client_key"],
            options["ca_cert"],
            options["login_db"],
            check_hostname=options["check_hostname"],
            connect_timeout=options["connect_timeout"],
            autocommit=True,
        )
        undo = Undo(connection, options["id"], options["tables"], batch_rows=options["batch_rows"])
        undone = asdict(undo.plan() if module.check_mode else undo.run(options["by"]))
    except UndoRefused as refusal:
        module.fail_json(msg=str(refusal))
    except mysql_driver.Error as error:
        module.fail_json(
            msg=f"The database refuses, or was lost: {error}. A second run continues where this one ended."
        )
    else:
        module.exit_json(changed=undone.pop("changed"), undone=undone)


if __name__ == "__main__":
    main()
