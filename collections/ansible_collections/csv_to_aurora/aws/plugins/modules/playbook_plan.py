# Documentation only: the action plugin of the same name does the work, on the controller.
"""Find out what a playbook would do."""

from __future__ import annotations

DOCUMENTATION = r"""
module: playbook_plan
short_description: Say what a playbook would create, change and delete
description:
  - Runs a playbook under C(--check --diff), with inventory, extra variables, tags, limits and all other options of the
    run that this task is in, and returns its plan.
  - Meanwhile shows which role it has come to, or with C(-v) all that the playbook prints.
  - Fails, with the playbook's own message, where the playbook fails under C(--check).
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
- name: Ask what a run would do
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
