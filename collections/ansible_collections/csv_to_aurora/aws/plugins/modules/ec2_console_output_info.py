#!/usr/bin/python
# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: ec2_console_output_info
version_added: 1.1.0
short_description: Read the console output of an EC2 instance, and the SSH host keys in it
description:
  - Reads what an instance has written to its serial console, of which AWS keeps the last 64 KB.
  - cloud-init prints the public host keys there at the first boot. They come over AWS' API, so that a login over the
    network can be verified from the first one on.
author:
  - The csv-to-aurora authors (@csv-to-aurora)
options:
  instance_id:
    description:
      - Id of the instance.
    type: str
    required: true
notes:
  - "Why this module: no module of amazon.aws or community.aws calls GetConsoleOutput. It could go to amazon.aws as it
    is, beside M(amazon.aws.ec2_instance_info)."
  - The output that is being written now is asked for, which instances of the Nitro system have; of any other, AWS has
    what it was some minutes after the last start.
seealso:
  - module: amazon.aws.ec2_instance_info
  - module: ansible.builtin.known_hosts
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Wait for the host keys of a new instance
  csv_to_aurora.aws.ec2_console_output_info:
    instance_id: i-0123456789abcdef0
  register: console
  until: console.host_keys | length > 0
  retries: 30
  delay: 10

- name: Accept no other keys
  ansible.builtin.known_hosts:
    name: i-0123456789abcdef0
    key: "i-0123456789abcdef0 {{ item }}"
  loop: "{{ console.host_keys }}"
"""

RETURN = r"""
output:
  description: What the console shows; empty where there is nothing yet.
  returned: success
  type: str
  sample: "[    0.000000] Linux version 6.12"
host_keys:
  description: The public SSH host keys that the last boot printed, as type and key; empty where there are none.
  returned: success
  type: list
  elements: str
  sample: ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI"]
"""

import re
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.csv_to_aurora.aws.plugins.module_utils.common import aws_retry, explained

BEGIN, END = "-----BEGIN SSH HOST KEY KEYS-----", "-----END SSH HOST KEY KEYS-----"
KEY = re.compile(r"\b((?:ssh|ecdsa|sk)-[a-z0-9@.-]+ AAAA[A-Za-z0-9+/]+=*)")


def host_keys(output: str) -> list[str]:
    """Return the keys in the last whole block that cloud-init has printed, each as type and key.

    Source: https://cloudinit.readthedocs.io/en/latest/reference/modules.html (ssh.emit_keys_to_console)
    """
    whole = output.rpartition(END)[0]
    block = whole.rpartition(BEGIN)[2] if BEGIN in whole else ""
    return sorted({match[1] for line in block.splitlines() if (match := KEY.search(line))})


def console_output(client: Any, instance: str) -> str:
    """Return what the console shows now, or showed after the last start where an instance cannot say more."""
    try:
        answer = client.get_console_output(aws_retry=True, InstanceId=instance, Latest=True)
    except is_boto3_error_code("UnsupportedOperation"):
        answer = client.get_console_output(aws_retry=True, InstanceId=instance)
    return str(answer.get("Output") or "")


def main() -> None:
    """Entry point."""
    module = AnsibleAWSModule(argument_spec={"instance_id": {"required": True}}, supports_check_mode=True)
    instance = module.params["instance_id"]
    client = module.client("ec2", retry_decorator=aws_retry())
    with explained(
        module,
        f"Cannot read the console output of {instance}",
        "Check the instance's id and that ec2:GetConsoleOutput is allowed",
    ):
        output = console_output(client, instance)
    module.exit_json(changed=False, output=output, host_keys=host_keys(output))


if __name__ == "__main__":
    main()
