# Documentation only: the action plugin of the same name does the work, on the controller.
"""Compare a resource that exists with what it should be."""

from __future__ import annotations

DOCUMENTATION = r"""
module: resource_plan
short_description: Say what would have to change for a resource to be as it should
description:
  - Compares the fields that a role states (O(after)) with what an info module found (O(before)).
  - Under C(--check) a difference is reported as changed, with the differing fields as diff. In a
    real run nothing is reported as changed. The task that follows acts when RV(differs) is true,
    and it says whether it changed something.
  - Calls no API. Meant for modules without an honest check mode, and for resources whose parent
    does not exist yet.
version_added: "1.0.0"
author:
  - csv-to-aurora maintainers
options:
  kind:
    description: Kind of the resource, in the words of the API, such as V(subnet).
    type: str
    required: true
  name:
    description: Name of the resource.
    type: str
    required: true
  before:
    description: The resource as found. Null or empty when it does not exist.
    type: dict
    required: true
  after:
    description: The resource as it should be. Null or empty when it should not exist.
    type: dict
    required: true
  owner:
    description:
      - Tags of the stack that owns the resource. When O(before) exists and its field C(tags) differs
        in C(Project) or C(Environment), the task fails, so that nothing foreign is ever changed,
        adopted or deleted.
    type: dict
attributes:
  check_mode:
    description: Reports changed when the resource differs.
    support: full
  diff_mode:
    description: Shows the differing fields.
    support: full
"""

EXAMPLES = r"""
- name: Compare the bucket with what it should be
  csv_to_aurora.aws.resource_plan:
    kind: bucket
    name: customers
    before: "{{ found }}"
    after:
      versioning: Enabled
      tags: "{{ bucket_tags }}"
    owner: "{{ bucket_tags }}"
  register: plan

- name: Create or mend the bucket
  amazon.aws.s3_bucket:
    name: customers
    versioning: true
  when: plan.differs and not ansible_check_mode
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
  description: V(create), V(change), V(delete) or V(none).
  type: str
  returned: always
differs:
  description: Whether there is anything to do.
  type: bool
  returned: always
differences:
  description: The differing fields, each with field, before and after.
  type: list
  elements: dict
  returned: always
"""
