# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

# Documentation only: the action plugin of the same name does the work, on the controller.
"""Gather information about several resources at once."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gather
short_description: Run several info modules of AWS side by side
version_added: "1.0.0"
author:
  - The csv-to-aurora authors (@csv-to-aurora)
description:
  - Runs modules side by side and returns all of their results, as one task.
  - All of them run in check mode and with C(--diff), whatever the run does. So a module that has no info module beside
    it can tell what there is, by what it says it would change.
  - A module that lists resources and then asks about each of them fails where one of them has just been created or
    deleted, by whomever. It is run again, for up to a minute, as is one that AWS answers at that rate no more.
  - The first module that fails otherwise fails the task with one sentence.
  - All other options are the connection, which the module defaults of the group C(csv_to_aurora.aws.aws) give, and are
    handed to each module.
notes:
  - "Why this plugin: a role reads up to a dozen kinds of resources, and each answer of AWS takes tens of milliseconds.
    As tasks of their own they wait for one another; C(async) cannot be used in check mode."
options:
  modules:
    description:
      - What to run. The key is that of the result, the value a module by its full name with its options, and with a
        C(when) if need be.
    type: dict
    required: true
attributes:
  check_mode:
    description: It never writes anything.
    support: full
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
seealso:
  - module: csv_to_aurora.aws.resource
"""

EXAMPLES = r"""
- name: Gather information about the function and its log group
  csv_to_aurora.aws.gather:
    modules:
      function:
        amazon.aws.lambda_info:
          function_name: importer
      log_group:
        amazon.aws.cloudwatchlogs_log_group_info:
          log_group_name: /aws/lambda/importer
  register: found
"""

RETURN = r"""
"(key of O(modules))":
  description: The module's result; empty where its C(when) did not hold.
  type: dict
  returned: always
"""
