# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Filter: a plan that names changes as a message of SNS."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from ansible_collections.csv_to_aurora.aws.plugins.plugin_utils.printable import printable_line

DOCUMENTATION = r"""
name: drift_message
short_description: A plan that names changes as a message of SNS
version_added: "1.0.0"
author:
  - The csv-to-aurora authors (@csv-to-aurora)
description:
  - Says which resources differ, and how to look and to apply the plan. What differs in them is left out, since it may
    be more than subscribers are to see.
positional: _input, stack, environment, inventory
options:
  _input:
    description: The plan, as M(csv_to_aurora.aws.playbook_plan) returns it.
    type: dict
    required: true
  stack:
    description: Name of the stack.
    type: str
    required: true
  environment:
    description: Name of the environment.
    type: str
    required: true
  inventory:
    description: Name of the inventory's folder, for the commands.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Notify of drift
  community.aws.sns:
    topic: "{{ topic_arn }}"
    subject: "{{ message.subject }}"
    msg: "{{ message.json }}"
    email: "{{ message.email }}"
  vars:
    message: "{{ planned.plan | csv_to_aurora.aws.drift_message('shop-stage', 'stage', 'stage') }}"
"""

RETURN = r"""
_value:
  description: C(subject), in ASCII and up to 99 characters; C(json), for programs; C(email), for people.
  type: dict
"""

LISTED = 100
"""Changes that a message lists, so that it stays below the 256 KiB of SNS."""
NAME_LENGTH = 300
"""Characters of a name that it shows."""


def drift_message(plan: Mapping[str, Any], stack: str, environment: str, inventory: str) -> dict[str, str]:
    """Return subject and texts of a message about a plan.

    Args:
        plan: The plan.
        stack: Name of the stack.
        environment: Name of the environment.
        inventory: Name of the inventory's folder.
    """
    changes = [
        {
            name: printable_line(str(change[name] or "playbook"))[:NAME_LENGTH]
            for name in ("action", "kind", "name", "role")
        }
        for change in plan["changes"]
    ]
    look = f"ansible-playbook playbooks/plan.yml -i inventories/{inventory}"
    apply = f"ansible-playbook playbooks/site.yml -i inventories/{inventory}"
    event = {
        "version": "1",
        "id": str(uuid4()),
        "type": "drift.found",
        "stack": stack,
        "environment": environment,
        "found_at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "changes_total": len(changes),
        "changes": changes[:LISTED],
    }
    lines = [f"{change['role']}: would {change['action']} {change['kind']} {change['name']}" for change in changes]
    more = [f"and {len(changes) - LISTED} more"] if len(changes) > LISTED else []
    email = [
        f"The plan of {stack} names {len(changes)} changes: something was changed by hand, or merged and not applied.",
        "",
        *lines[:LISTED],
        *more,
        "",
        "What differs:",
        f"  {look}",
        "Apply the plan, which reverts what was changed by hand:",
        f"  {apply}",
    ]
    subject = f"{stack}: the plan names {len(changes)} changes".encode("ascii", "replace").decode()
    return {"subject": subject[:99], "json": json.dumps(event), "email": "\n".join(email)}


class FilterModule:
    """The filters of this file, as Ansible wants them."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {"drift_message": drift_message}
