# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

# Documentation only: the action plugin of the same name does the work, on the controller.
"""Bring one resource into the desired state."""

from __future__ import annotations

DOCUMENTATION = r"""
module: resource
short_description: Bring one resource of AWS into the desired state, or say what that would take
version_added: "1.0.0"
author:
  - The csv-to-aurora authors (@csv-to-aurora)
description:
  - Compares the fields of O(desired) with those of O(current), and where they differ runs the modules of O(apply) or
    O(remove). Fields that only O(current) has are not compared.
  - Never touches a resource that does not carry the identity tags of its O(owner).
  - In check mode it only compares. It reports C(changed) then where the whole run is a check (C(--check)), since a run
    would change that. In a play or task with C(check_mode=true) of a run that is no check it only plans, which refuses
    what would be refused later.
  - A module that fails with an error code by which AWS says 'not yet' (a new id that is not known everywhere, an IAM
    role that cannot be assumed yet, a DB cluster that is being changed, throttling …) is run again until O(timeout).
    The codes, each with its source, are in C(plugins/plugin_utils/not_yet.py).
  - Any other failure becomes one sentence with its cause and how to fix it. The module's answer is in RV(result).
  - All other options are the connection, which the module defaults of the group C(csv_to_aurora.aws.aws) give, and are
    handed to each module.
notes:
  - "Why this plugin: modules of AWS compare each in its own way or not at all, some have no check mode, none knows of
    ownership, and few try again. Here that is done once for all of them."
  - Leans on C(finalize_task_arg) of ansible-core, with which M(ansible.builtin.assert) leaves its conditions
    untemplated. That is how O(apply) is templated only when it is applied.
options:
  kind:
    description: Kind of the resource in AWS' words, such as V(subnet).
    type: str
    required: true
  name:
    description: Name of the resource.
    type: str
    required: true
  current:
    description: The resource as it is, its V(id) and V(tags) among its fields. Null or empty where it does not exist.
    type: dict
    required: true
  desired:
    description: The resource in its desired state. Null or empty where it should not exist.
    type: dict
    required: true
  owner:
    description:
      - Tags of the stack that manages the resource. Where O(current) differs from them in C(Project) or C(Environment),
        the task fails, so that nothing foreign is ever changed or deleted.
    type: dict
  apply:
    description:
      - What creates and updates the resource. One module by its full name with its options, or a list of them that is
        run in order. An entry may have a C(when), and a C(loop) whose C(item) stands for the task's own in it.
        With C(until), a JMESPath, it is run again until its result fulfils that, or until O(timeout).
      - Left out for the kinds V(log group), V(IAM role) and V(CloudWatch alarm), which this action knows.
        C(plugins/plugin_utils/kinds.py) has their fields of O(desired).
      - Templated only when it is applied, with O(current), O(desired), RV(action) and RV(differing) as variables,
        and with C(result), what the module before it in the list returned.
    type: raw
  create:
    description: What creates the resource, where that is not O(apply).
    type: raw
  update:
    description: What updates the resource, where that is not O(apply).
    type: raw
  remove:
    description: What deletes the resource, also before it is created again because of O(replace_on).
    type: raw
  replace_on:
    description: Fields that AWS cannot change. Where one of them differs, the resource is replaced.
    type: list
    elements: str
    default: []
  needs:
    description: What has to exist before the resource can. The key describes it; an empty value fails the task.
    type: dict
  refuse:
    description: Changes that are not wanted. Each is evaluated when the change is planned, before anything is written.
    type: list
    elements: dict
    suboptions:
      when:
        description: Condition, or list of them, with the variables that O(apply) has.
        type: raw
        required: true
      message:
        description: Why not, and what to do instead.
        type: str
        required: true
  result_id:
    description: JMESPath of the new resource's id in the result of the module of O(apply) that has it.
    type: str
  timeout:
    description: For how many seconds to go on while AWS answers 'not yet'.
    type: int
    default: 300
attributes:
  check_mode:
    description: Compares, and writes nothing.
    support: full
  diff_mode:
    description: Shows the differing fields.
    support: full
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
seealso:
  - module: csv_to_aurora.aws.gather
  - module: csv_to_aurora.aws.wait_for
"""

EXAMPLES = r"""
- name: Create or update the bucket
  csv_to_aurora.aws.resource:
    kind: bucket
    name: customers
    current: "{{ found }}"
    desired:
      versioning: Enabled
      tags: "{{ bucket_tags }}"
    owner: "{{ bucket_tags }}"
    apply:
      amazon.aws.s3_bucket:
        name: customers
        versioning: true
        tags: "{{ desired.tags }}"
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
action:
  description: V(create), V(update), V(replace), V(delete) or V(none).
  type: str
  returned: always
differences:
  description: The differing fields, each with field, before and after.
  type: list
  elements: dict
  returned: always
differing:
  description: Names of the differing fields.
  type: list
  elements: str
  returned: always
id:
  description: Id of the resource; null where it does not exist, or not yet.
  type: str
  returned: always
planned:
  description: Whether the task only planned, being in check mode.
  type: bool
  returned: always
refusals:
  description: Under C(--check) why a run would refuse the change.
  type: list
  elements: str
  returned: always
result:
  description: Result of the last module that was run.
  type: dict
  returned: when something was applied or failed
seconds:
  description: How long applying took.
  type: float
  returned: always
ansible_facts:
  description: Facts of the host.
  type: dict
  returned: in check mode, where there is something to apply
  contains:
    changes_pending:
      description: Always V(true). A playbook that plans first can end there where it is not set.
      type: bool
"""
