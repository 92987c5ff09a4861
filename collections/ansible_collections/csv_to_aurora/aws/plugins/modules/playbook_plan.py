# Documentation only: the action plugin of the same name does the work, on the controller.
"""Plan a playbook."""

from __future__ import annotations

DOCUMENTATION = r"""
module: playbook_plan
short_description: Plan what a playbook would create, update and delete
description:
  - Runs a playbook under C(--check --diff), with inventory, extra variables, tags, limits and all other options of the
    run that this task is in, and returns its plan.
  - Meanwhile displays which role is being planned, or with C(-v) all that the playbook prints, and warns of what the
    playbook's tasks warn of.
  - Fails where the playbook fails under C(--check), with the messages of the tasks that failed, and of a loop with
    those of each item that failed.
version_added: "1.0.0"
author:
  - csv-to-aurora maintainers
options:
  playbook:
    description: Path of the playbook.
    type: path
    required: true
attributes:
  check_mode:
    description: It never changes anything.
    support: full
seealso:
  - plugin: csv_to_aurora.aws.run_summary
    plugin_type: callback
"""

EXAMPLES = r"""
- name: Plan site.yml
  csv_to_aurora.aws.playbook_plan:
    playbook: "{{ playbook_dir }}/site.yml"
  register: found
"""

RETURN = r"""
plan:
  description: The plan, as the callback run_summary writes it.
  type: dict
  returned: always
differs:
  description: Whether a run would change anything.
  type: bool
  returned: always
"""
