"""The module that reads the console output of an instance, and the host keys in it."""

from __future__ import annotations

import base64

from scripted_aws import Answer, scripted_aws
from strict.calls import Call, Refusal

from ansible_collections.csv_to_aurora.aws.plugins.modules.ec2_console_output_info import host_keys

INSTANCE = "i-0123456789abcdef0"
ED25519, ECDSA = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA", "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTY="
BOOT = f"""[    0.000000] Linux version 6.12
ci-info: | root | ssh-rsa AAAAB3NzaC1yc2E= a key that is authorized, and no host key |
-----BEGIN SSH HOST KEY KEYS-----
{ECDSA} root@ip-10-0-0-1
[   12.345678] cloud-init[512]: {ED25519} root@ip-10-0-0-1
-----END SSH HOST KEY KEYS-----
[   13.000000] cloud-init[512]: finished
"""


def test_the_host_keys_are_those_in_cloud_inits_block() -> None:
    assert host_keys(BOOT) == [ECDSA, ED25519]


def test_the_last_boot_counts_and_half_a_block_does_not() -> None:
    other = BOOT.replace(ED25519, "ssh-ed25519 AAAAOTHER")
    assert host_keys(BOOT + other) == [ECDSA, "ssh-ed25519 AAAAOTHER"]
    assert host_keys("") == host_keys(BOOT.partition("-----END")[0]) == host_keys(BOOT.partition("BEGIN")[2]) == []


def test_an_instance_that_has_no_latest_output_is_asked_for_that_of_its_start() -> None:
    def answer(call: Call) -> Answer:
        if call.parameters.get("Latest"):
            return Refusal("UnsupportedOperation", "This instance type does not support the latest console logs")
        return {"InstanceId": INSTANCE, "Output": base64.b64encode(BOOT.encode()).decode()}

    with scripted_aws(answer) as aws:
        result = aws.run("ec2_console_output_info", instance_id=INSTANCE)
        assert (result["changed"], result["output"], result["host_keys"]) == (False, BOOT, [ECDSA, ED25519])
        assert [one.get("Latest") for one in aws.called("GetConsoleOutput")] == [True, None]
