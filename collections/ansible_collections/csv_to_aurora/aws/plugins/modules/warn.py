# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

# Documentation only: the action plugin of the same name does the work, on the controller.
"""Show a warning."""

from __future__ import annotations

DOCUMENTATION = r"""
module: warn
short_description: Show a warning without failing
description:
  - Shows a text as Ansible shows the warnings of modules, once in a run, whichever callback displays it. It is in the
    task's result, too, so that M(csv_to_aurora.aws.playbook_plan) shows it below a plan.
version_added: "1.1.0"
author:
  - The csv-to-aurora authors (@csv-to-aurora)
options:
  msg:
    description: The text.
    type: str
    required: true
attributes:
  check_mode:
    description: It never changes anything.
    support: full
notes:
  - "Why this plugin: M(ansible.builtin.debug) prints to the output, which a plan, a run of its own, does not show, and
    M(ansible.builtin.assert) fails."
seealso:
  - module: ansible.builtin.debug
"""

EXAMPLES = r"""
- name: Warn of a policy that differs
  csv_to_aurora.aws.warn:
    msg: The policy of the bucket differs from the one in the repository.
  when: policy_differs
"""

RETURN = r"""
warnings:
  description: The text.
  type: list
  elements: str
  returned: always
"""
