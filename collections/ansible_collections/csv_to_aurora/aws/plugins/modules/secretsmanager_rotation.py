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
  - A rotation gives a secret its next value in three steps that survive an interruption anywhere between them. The next
    value is kept first (V(pending)), so that whoever goes on after an interruption sets the same one; it becomes what
    everybody reads once it is valid (V(current)); and the rotation has ended when the old value is valid no more
    (V(finished)).
  - Secrets Manager's own staging labels say how far a rotation is. The label C(AWSPENDING) marks a version from
    V(pending) until V(finished); C(AWSCURRENT) is what is read without asking for a version.
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
      - V(pending) keeps O(value) as the next value, unless a rotation is under way already.
      - V(current) has the next value read by everybody. The one before stays readable as C(AWSPREVIOUS).
      - V(finished) ends the rotation. Where none is under way, there is nothing to do.
    type: str
    choices: ['pending', 'current', 'finished']
    required: true
  value:
    description:
      - The next value, as text. Required when O(state=pending).
    type: str
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Keep the next password
  csv_to_aurora.aws.secretsmanager_rotation:
    name: shop/database
    state: pending
    value: "{{ {'username': 'shop', 'password': new_password} | to_json }}"
  no_log: true

- name: Have it read, now that the database takes it
  csv_to_aurora.aws.secretsmanager_rotation:
    name: shop/database
    state: current

- name: End the rotation, now that the database takes the old one no more
  csv_to_aurora.aws.secretsmanager_rotation:
    name: shop/database
    state: finished
"""

RETURN = r"""
stage:
  description: How far the rotation is now, or in check mode would be. V(none) where none is under way.
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
        answer = client.put_secret_value(aws_retry=True, SecretId=name, SecretString=value, VersionStages=[PENDING])
        return str(answer["VersionId"])
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
        module.fail_json(msg=f"No rotation of secret {name} is under way. Begin one with state=pending")
    if stage == "pending" and state == "finished":
        module.fail_json(msg=f"The next value of secret {name} is read by nobody yet. Take it to state=current first")
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
