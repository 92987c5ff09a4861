#!/usr/bin/python
# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: secretsmanager_rotation
version_added: 1.0.0
short_description: Take a secret through the stages of a rotation
description:
  - Rotates a secret in three steps, and a rotation that is interrupted between any two of them can be resumed. The next
    value is stored under C(AWSPENDING) first (V(pending)), so that a run that resumes sets the same one; C(AWSPENDING)
    is promoted to C(AWSCURRENT) once it is valid (V(current)); and the rotation ends when the previous value is no
    longer valid (V(finished)).
  - The staging labels of Secrets Manager record how far a rotation is. A version has the label C(AWSPENDING) from
    V(pending) until V(finished); C(AWSCURRENT) is what is read without naming a version.
  - The module never returns a value.
author:
  - The csv-to-aurora authors (@csv-to-aurora)
options:
  name:
    description:
      - Name or ARN of the secret.
    type: str
    required: true
  state:
    description:
      - V(pending) stores O(value) as C(AWSPENDING), unless a rotation is in progress already.
      - V(current) promotes C(AWSPENDING) to C(AWSCURRENT). The previous value stays readable as C(AWSPREVIOUS).
      - V(finished) removes the label C(AWSPENDING). Where no rotation is in progress, there is nothing to do.
    type: str
    choices: ['pending', 'current', 'finished']
    required: true
  value:
    description:
      - The next value, as text. Required when O(state=pending).
    type: str
notes:
  - "Why this module: M(community.aws.secretsmanager_secret) replaces the current value at once, or configures a Lambda
    function that rotates it. No module of amazon.aws or community.aws stores a version under C(AWSPENDING) or moves a
    staging label (UpdateSecretVersionStage). It could go to community.aws as it is."
seealso:
  - module: community.aws.secretsmanager_secret
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Store the next password as AWSPENDING
  csv_to_aurora.aws.secretsmanager_rotation:
    name: shop/database
    state: pending
    value: "{{ {'username': 'shop', 'password': new_password} | to_json }}"
  no_log: true

- name: Promote AWSPENDING to AWSCURRENT, once the database accepts it
  csv_to_aurora.aws.secretsmanager_rotation:
    name: shop/database
    state: current

- name: End the rotation, once the previous password is discarded
  csv_to_aurora.aws.secretsmanager_rotation:
    name: shop/database
    state: finished
"""

RETURN = r"""
stage:
  description: How far the rotation is now, or in check mode would be. V(none) where none is in progress.
  returned: success
  type: str
  sample: pending
version_id:
  description: Id of the version that is being rotated to, or null.
  returned: success
  type: str
  sample: 2f5a3f0e-6d34-4f0c-9b1c-7d0c5d3d6a11
"""

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.csv_to_aurora.aws.plugins.module_utils.common import aws_retry, exit_with, explained

CURRENT = "AWSCURRENT"
PENDING = "AWSPENDING"


def labelled(versions: dict[str, list[str]], label: str) -> str | None:
    """Return the id of the version that carries a label, or None."""
    return next((version for version, labels in versions.items() if label in labels), None)


def stage_of(versions: dict[str, list[str]]) -> str:
    """Return how far a rotation is, by the labels of a secret's versions."""
    pending = labelled(versions, PENDING)
    if pending is None:
        return "none"
    return "current" if CURRENT in versions[pending] else "pending"


def advance(client: Any, name: str, state: str, value: str | None, versions: dict[str, list[str]]) -> str | None:
    """Take the one step to a state, and return the id of the version that is being rotated to."""
    pending, current = labelled(versions, PENDING), labelled(versions, CURRENT)
    if state == "pending":
        response = client.put_secret_value(aws_retry=True, SecretId=name, SecretString=value, VersionStages=[PENDING])
        return str(response["VersionId"])
    if state == "current":
        client.update_secret_version_stage(
            aws_retry=True,
            SecretId=name,
            VersionStage=CURRENT,
            MoveToVersionId=pending,
            RemoveFromVersionId=current,
        )
        return pending
    client.update_secret_version_stage(aws_retry=True, SecretId=name, VersionStage=PENDING, RemoveFromVersionId=pending)
    return None


def main() -> None:
    """Entry point."""
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"required": True},
            "state": {"required": True, "choices": ["pending", "current", "finished"]},
            "value": {"no_log": True},
        },
        required_if=[("state", "pending", ["value"])],
        supports_check_mode=True,
    )
    name, state = module.params["name"], module.params["state"]
    client = module.client("secretsmanager", retry_decorator=aws_retry())
    with explained(
        module,
        f"Cannot read the versions of secret {name}",
        "Check the name and that secretsmanager:DescribeSecret is allowed",
    ):
        versions = client.describe_secret(aws_retry=True, SecretId=name)["VersionIdsToStages"]
    stage, version = stage_of(versions), labelled(versions, PENDING)
    if stage == "none" and state == "current":
        module.fail_json(msg=f"No rotation of secret {name} is in progress. Start one with state=pending.")
    if stage == "pending" and state == "finished":
        module.fail_json(
            msg=f"The next value of secret {name} is still AWSPENDING. Promote it with state=current first."
        )
    done = {"pending": stage != "none", "current": stage == "current", "finished": stage == "none"}[state]
    reached = stage if done else "none" if state == "finished" else state
    if not done and not module.check_mode:
        with explained(
            module,
            f"Cannot take secret {name} to {state}",
            "Check that secretsmanager:PutSecretValue and secretsmanager:UpdateSecretVersionStage are allowed",
        ):
            version = advance(client, name, state, module.params["value"], versions)
    exit_with(
        module, f"rotation of secret {name}", {"stage": stage}, {"stage": reached}, stage=reached, version_id=version
    )


if __name__ == "__main__":
    main()
