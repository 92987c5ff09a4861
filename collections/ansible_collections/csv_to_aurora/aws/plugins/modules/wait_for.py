# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

# Documentation only: the action plugin of the same name does the work, on the controller.
"""Wait for the state of a resource."""

from __future__ import annotations

DOCUMENTATION = r"""
module: wait_for
short_description: Wait until a resource of AWS is in a state
version_added: "1.0.0"
author:
  - The csv-to-aurora authors (@csv-to-aurora)
description:
  - Asks an info module until what it tells is as wanted. Says meanwhile what is waited for, its state and for how long.
  - In check mode it returns at once.
  - All other options are the connection, which the module defaults of the group C(csv_to_aurora.aws.aws) give, and are
    handed to the module.
notes:
  - "Why this plugin: the option C(wait) of AWS' modules waits where the resource is created, and C(until) of a task can
    neither tell a state that never passes from one that does, nor what it is waiting for. The form is that of
    botocore's waiters: a JMESPath, the values that end the wait well, and those that end it badly."
options:
  kind:
    description: Kind of the resource in AWS' words.
    type: str
    required: true
  name:
    description: Name of the resource.
    type: str
    required: true
  module:
    description: The info module to ask, by its full name, with its options.
    type: dict
    required: true
  state:
    description: JMESPath of the state in the module's result, or of several states.
    type: str
    required: true
  ready:
    description: The values that are waited for. Empty to wait until there is none.
    type: list
    elements: str
    required: true
  count:
    description: How many values there have to be at least. By default one, or none where O(ready) is empty.
    type: int
  failed:
    description: Regular expressions for values that do not pass by themselves.
    type: list
    elements: str
    default: []
  reason:
    description: JMESPath of what AWS says about the state, for the message of a failure.
    type: str
  fix:
    description: What to do about a state that was not reached, a sentence.
    type: str
  timeout:
    description: For how many seconds to wait.
    type: int
    default: 600
  delay:
    description: Seconds between two questions.
    type: int
    default: 5
attributes:
  check_mode:
    description: Does not wait.
    support: full
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
seealso:
  - module: csv_to_aurora.aws.resource
"""

EXAMPLES = r"""
- name: Wait for the DB cluster
  csv_to_aurora.aws.wait_for:
    kind: DB cluster
    name: customers
    module:
      amazon.aws.rds_cluster_info:
        db_cluster_identifier: customers
    state: clusters[].status
    ready: [available, backing-up]
    failed: [failed, incompatible-.*]
"""

RETURN = r"""
kind:
  description: As given.
  type: str
  returned: always
name:
  description: As given.
  type: str
  returned: always
state:
  description: The last state, as a list.
  type: list
  elements: str
  returned: always
planned:
  description: Whether the task was in check mode and did not wait.
  type: bool
  returned: always
seconds:
  description: How long was waited.
  type: float
  returned: always
result:
  description: Last result of the module.
  type: dict
  returned: when something was asked
ansible_facts:
  description: Facts of the host.
  type: dict
  returned: in check mode, where there is something to wait for
  contains:
    changes_pending:
      description: Always V(true). A playbook that plans first can end there where it is not set.
      type: bool
"""
