# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Filters: why an SSH login fails, from what ssh says of it, and how to fix it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypedDict

DOCUMENTATION = r"""
name: ssh_refusal
short_description: Why an SSH login fails, and how to fix it
version_added: "1.0.0"
author:
  - The csv-to-aurora authors (@csv-to-aurora)
description:
  - Takes what ssh and ssh-keygen said, and returns V(message), one or more sentences, and V(final), whether waiting
    cannot help.
options:
  _input:
    description:
      - V(error), the message of the task that could not connect.
      - V(key_file), the private key's path, and V(key_check), what C(ssh-keygen -y) said with an empty passphrase.
      - V(agent), what C(ssh-add -L) printed, and V(public_key), the key that the host accepts.
      - V(networks), from which the host may be reached; V(instance), its id; V(known_hosts), the file of host keys.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show why
  ansible.builtin.debug:
    msg: "{{ (found | csv_to_aurora.aws.ssh_refusal).message }}"
"""

RETURN = r"""
_value:
  description: The reason with its fix, and whether it stays.
  type: dict
"""

LOGIN = re.compile(r"Permission denied|Too many authentication failures|UNPROTECTED PRIVATE KEY")
PREFIX = re.compile(
    r"^(?:timed out waiting for [^:]*: )?(?:Task failed: )?(?:Failed to connect to the host via ssh: )?(?:ssh: )?"
)
"""What Ansible, and ssh itself, put before the reason."""


class Found(TypedDict):
    """What is known of a login that failed."""

    error: str
    key_file: str
    key_check: str
    agent: str
    public_key: str
    networks: list[str]
    instance: str
    known_hosts: str


class Refusal(TypedDict):
    """Why a login fails, and whether waiting cannot help."""

    message: str
    final: bool


@dataclass(frozen=True)
class Cause:
    """A reason that ssh itself names.

    Attributes:
        match: What ssh says.
        fix: The sentence that says what to do, with the fields of Found in braces.
        final: Whether waiting cannot help.
    """

    match: str
    fix: str
    final: bool = True


CAUSES = (
    Cause(
        "too long for Unix domain socket|ControlPath too long",
        "The path of the control socket is too long. Choose a shorter folder of your own: "
        "export ANSIBLE_SSH_CONTROL_PATH_DIR=FOLDER",
    ),
    Cause(
        r"[Bb]ad configuration option|Bad owner or permissions on|: line \d+: ",
        "Correct that line of your SSH configuration: ~/.ssh/config, or ANSIBLE_SSH_ARGS of your shell.",
    ),
    Cause(
        "host key is known for",
        "No host key of {instance} is in {known_hosts}. Whatever playbook logs in reads it from the instance's console "
        "before: run it without --tags and --start-at-task.",
    ),
    Cause(
        "REMOTE HOST IDENTIFICATION HAS CHANGED|Host key verification failed",
        "What answers has another host key than {instance} printed on its console. Where you know why, forget that "
        "one, and the next run reads the console again: ssh-keygen -R {instance} -f {known_hosts}",
    ),
    Cause(
        "Could not resolve hostname",
        "Your SSH configuration sends the connection through a host whose name cannot be resolved, as with ProxyJump. "
        "Connect the network, such as a VPN, that knows it, or correct ~/.ssh/config.",
    ),
    Cause("[Cc]ommand not found|No such file or directory: b?'ssh'|ssh.*not installed", "Install the OpenSSH client."),
    Cause(
        "[Tt]imed out|No route to host|Network is unreachable",
        "Your address has to be one of ssh_allowed_cidrs ({networks}), and your network has to let port 22 through. "
        "The instance {instance} has to be running.",
        final=False,
    ),
    Cause(
        "Connection refused|Connection reset|Connection closed",
        "The instance {instance} has to be running and past its status checks: sshd does not answer.",
        final=False,
    ),
)


def _words(public_key: str) -> list[str]:
    """Return type and key of a public key, without its comment."""
    return public_key.split()[:2]


def _key_fault(found: Found) -> str:
    """Return what is wrong with the private key, and how to fix it; empty where nothing is."""
    key, check = found["key_file"], found["key_check"]
    held = _words(found["public_key"]) in [_words(line) for line in found["agent"].splitlines()]
    if held:
        return ""
    if "No such file" in check:
        return f"The private key {key} does not exist, and no SSH agent has it. Set ssh_private_key_file."
    if "UNPROTECTED" in check or "too open" in check:
        return f"ssh ignores the private key {key}, since others may read it: chmod 600 {key}"
    if "passphrase" in check:
        return f'The private key {key} has a passphrase, and no SSH agent has it: eval "$(ssh-agent)"; ssh-add {key}'
    if "invalid format" in check or "error in libcrypto" in check:
        return f"{key} is no private key that ssh can read. Set ssh_private_key_file."
    derived = _words(check)
    if len(derived) == 2 and derived != _words(found["public_key"]):
        return (
            f"{key} is the private key of another public key than ssh_public_key_file, which the host accepts. Set "
            "ssh_private_key_file."
        )
    return ""


def _said(lines: list[str], match: str) -> str:
    """Return the line in which ssh names the reason, in brackets; otherwise the last one."""
    line = next((line for line in lines if re.search(match, line)), lines[-1] if lines else "nothing")
    return f"(ssh: {line.rstrip('.')})"


def ssh_refusal(found: Found) -> Refusal:
    """Return why a login fails, how to fix it, and whether waiting cannot help.

    Args:
        found: What is known of it.
    """
    lines = [line for line in (PREFIX.sub("", line).strip() for line in found["error"].splitlines()) if line]
    error = "\n".join(lines)
    fault = _key_fault(found) if LOGIN.search(error) else ""
    if fault:
        return {"message": f"{fault} {_said(lines, LOGIN.pattern)}", "final": True}
    values = {**found, "networks": ", ".join(found["networks"]) or "none"}
    for cause in CAUSES:
        if re.search(cause.match, error):
            fix = cause.fix.format_map(values)
            return {"message": f"{fix} {_said(lines, cause.match)}", "final": cause.final}
    return {
        "message": (
            f"Check three things. Your address: is it one of ssh_allowed_cidrs ({values['networks']})? Your key: is "
            f"{found['key_file']} the private key of the instance's key pair? The instance: is {found['instance']} "
            f"running and past its status checks? {_said(lines, LOGIN.pattern)}"
        ),
        "final": False,
    }


class FilterModule:
    """The filters of this file, as Ansible wants them."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {"ssh_refusal": ssh_refusal}
