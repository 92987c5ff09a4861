#!/usr/bin/python
# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: ssm_lock
version_added: 1.0.0
short_description: Hold a lock in an AWS account, so that one run at a time changes it
description:
  - Acquires or releases a lock that is a parameter in SSM Parameter Store. AWS creates a parameter of a given name only
    once, however many callers try at the same time, and standard parameters are free of charge.
  - The value of the parameter records who holds the lock, on which host and since when. It stays until it is released.
  - In check mode, acquiring a free lock reports changed, and acquiring a held one fails as it would otherwise.
notes:
  - "Why this module: M(community.aws.ssm_parameter) with O(community.aws.ssm_parameter#module:overwrite_value=never)
    creates a parameter only where there is none, but does not return who created it, takes a call that the SDK repeated
    for a lock of another run, does not fail in check mode where the lock is held, and cannot delete a parameter only if
    its value is the expected one. The module could go to community.aws together with the callback."
  - The callback P(csv_to_aurora.aws.release_locks#callback) releases at the end of a run what the run acquired, also
    where the run fails or is interrupted.
author:
  - The csv-to-aurora authors (@csv-to-aurora)
options:
  name:
    description:
      - Name of the parameter that is the lock, such as V(/locks/shop-production).
    type: str
    required: true
  state:
    description:
      - V(acquired) acquires the lock, and fails when it is held.
      - V(released) releases it. A lock with another O(lock_id) is left as it is.
    type: str
    choices: ['acquired', 'released']
    default: acquired
  lock_id:
    description:
      - Id of the lock to release, as returned when it was acquired and to every run that finds it held.
      - Required when O(state=released).
    type: str
  purpose:
    description:
      - What the lock is held for. Returned to every run that finds it held.
    type: str
    default: ''
  process:
    description:
      - Id of the process on this host that holds the lock. A run that finds the lock held on the same host gets
        RV(lock.abandoned), whether the process has ended. V(0) when it is not known.
    type: int
    default: 0
  tags:
    description:
      - Tags of the parameter.
    type: dict
    default: {}
    aliases: ['resource_tags']
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Acquire the lock of the shop
  csv_to_aurora.aws.ssm_lock:
    name: /locks/shop-production
    purpose: deploy.yml
  register: lock

- name: Release the lock of the shop
  csv_to_aurora.aws.ssm_lock:
    name: /locks/shop-production
    state: released
    lock_id: "{{ lock.lock.id }}"
"""

RETURN = r"""
acquired:
  description: Whether this call acquired the lock.
  returned: always
  type: bool
  sample: true
lock:
  description: The lock, or null when it is not held. Also returned on failure, when another run holds it.
  returned: always
  type: dict
  contains:
    id:
      description: Id of this lock. The next lock of the same name has another one.
      type: str
      sample: 3f9a1c07
    owner:
      description: ARN of the identity that acquired it.
      type: str
      sample: arn:aws:iam::123456789012:user/deployer
    host:
      description: Name of the host that it was acquired on.
      type: str
      sample: build-7
    process:
      description: As given.
      type: int
      sample: 4711
    purpose:
      description: As given.
      type: str
      sample: deploy.yml
    since:
      description: When it was acquired, in UTC.
      type: str
      sample: '2026-11-23T22:10:03Z'
    seconds:
      description: How long it has been held.
      type: int
      sample: 340
    abandoned:
      description: Whether its process ran on this host and has ended. Null when that is not known.
      type: bool
      sample: false
"""

import json
import os
import socket
import time
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.tagging import ansible_dict_to_boto3_tag_list

from ansible_collections.csv_to_aurora.aws.plugins.module_utils import ssm_lock
from ansible_collections.csv_to_aurora.aws.plugins.module_utils.common import explained

TIME = "%Y-%m-%dT%H:%M:%SZ"


def abandoned(lock: dict[str, Any]) -> bool | None:
    """Return whether the lock's process has ended; None when it is on another host, or not known."""
    process = lock.get("process")
    if not process or lock.get("host") != socket.gethostname():
        return None
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def described(lock: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return a lock with its age, and whether its process has ended."""
    if lock is None:
        return None
    since = datetime.strptime(lock["since"], TIME).replace(tzinfo=UTC)
    return {**lock, "seconds": int((datetime.now(UTC) - since).total_seconds()), "abandoned": abandoned(lock)}


def held(module: AnsibleAWSModule, client: Any) -> dict[str, Any] | None:
    """Return the lock, None when it is not held; fail where the parameter is no lock."""
    name = module.params["name"]
    with explained(module, f"Cannot read the lock {name}", "Check that ssm:GetParameter is allowed"):
        try:
            return described(ssm_lock.held(client, name))
        except (ValueError, KeyError):
            module.fail_json(
                msg=f"The parameter {name} exists and is no lock. Delete it, or give the lock another name."
            )
    raise AssertionError("fail_json does not return")


def refuse(module: AnsibleAWSModule, lock: dict[str, Any] | None) -> None:
    """Fail because another run holds the lock."""
    name = module.params["name"]
    # None: released between the refused creation and the reading.
    who = f"{lock['owner']} on {lock['host']} since {lock['since']}" if lock else "a run that has just released it"
    module.fail_json(
        msg=f"The lock {name} is held by {who}. Wait until it is released, or release it by its id.",
        acquired=False,
        lock=lock,
    )


def acquire(module: AnsibleAWSModule, client: Any) -> dict[str, Any]:
    """Acquire the lock, and return it; fail when it is held."""
    params = module.params
    with explained(module, "Cannot read the caller's identity", "Check the credentials"):
        owner = module.client("sts").get_caller_identity()["Arn"]
    lock = {
        "id": uuid4().hex[:8],
        "owner": owner,
        "host": socket.gethostname(),
        "process": params["process"],
        "purpose": params["purpose"],
        "since": time.strftime(TIME, time.gmtime()),
    }
    found = held(module, client) if module.check_mode else None
    if found is not None:
        refuse(module, found)
    if not module.check_mode:
        with explained(
            module,
            f"Cannot acquire the lock {params['name']}",
            "Check that ssm:PutParameter and ssm:AddTagsToResource are allowed",
        ):
            try:
                client.put_parameter(
                    Name=params["name"],
                    Description="Lock of a run in progress; its value has the details",
                    Value=json.dumps(lock),
                    Type="String",
                    Overwrite=False,
                    Tags=ansible_dict_to_boto3_tag_list(params["tags"]),
                )
            except is_boto3_error_code("ParameterAlreadyExists"):
                found = held(module, client)
                # The SDK repeats a call whose response was lost.
                if found is None or found["id"] != lock["id"]:
                    refuse(module, found)
    return {**lock, "seconds": 0, "abandoned": None}


def main() -> None:
    """Entry point."""
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"required": True},
            "state": {"choices": ["acquired", "released"], "default": "acquired"},
            "lock_id": {},
            "purpose": {"default": ""},
            "process": {"type": "int", "default": 0},
            "tags": {"type": "dict", "default": {}, "aliases": ["resource_tags"]},
        },
        required_if=[("state", "released", ["lock_id"])],
        supports_check_mode=True,
    )
    name, lock_id = module.params["name"], module.params["lock_id"]
    # Without aws_retry: a lock that is held is a result, and the SDK repeats calls that got no response.
    client = module.client("ssm")
    if module.params["state"] == "acquired":
        module.exit_json(changed=True, acquired=True, lock=acquire(module, client))
    lock = held(module, client)
    released = lock is not None and lock["id"] == lock_id
    if released and not module.check_mode:
        with explained(module, f"Cannot release the lock {name}", "Check that ssm:DeleteParameter is allowed"):
            ssm_lock.release(client, name, lock_id)
    module.exit_json(changed=released, acquired=False, lock=None if released else lock)


if __name__ == "__main__":
    main()
