"""The app host over SSH: what fails for good fails at once, in one sentence with its fix, and the rest after a wait."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playbook_runner import PROJECT, ansible_command

from tests.playbooks.ssh_server import SshServer, ssh_server

if TYPE_CHECKING:
    from collections.abc import Iterator

INSTANCE = "i-0123456789abcdef0"
WAIT = 4
LONG = 60
"""Seconds of a wait that is not to begin: a run that begins it names them."""


def new_key(path: Path, passphrase: str = "") -> Path:
    """Create a key pair and return the private key's path."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", str(path)], check=True)
    return path


@dataclass
class Host:
    """A server, and how the playbooks reach it with the project's group_vars."""

    folder: Path
    server: SshServer

    def reach(
        self,
        *arguments: str,
        home: str = "",
        environment: dict[str, str] | None = None,
        known: bool = True,
        **given: Any,
    ) -> str:
        """Return what a run of reach_host.yml says, after its exit code; ``known`` is whether the host's key is."""
        key = str(self.folder / "key")
        known_hosts = Path(home or self.folder / "home") / ".ssh/known_hosts.csv-to-aurora-dev"
        if known and not known_hosts.exists():
            known_hosts.write_text(f"{INSTANCE} {(self.folder / 'host_key.pub').read_text()}")
        hosts = {"host": {"ansible_host": "127.0.0.1", "ansible_port": self.server.port, "aws_instance_id": INSTANCE}}
        (self.folder / "hosts.yml").write_text(json.dumps({"all": {"hosts": hosts}}))
        settings = {
            "ssh_known_hosts_file": str(known_hosts),
            "reach_host_timeout": WAIT,
            "ssh_allowed_cidrs": ["203.0.113.7/32"],
            "ssh_public_key_file": f"{key}.pub",
            "ssh_private_key_file": key,
            "ansible_python_interpreter": "auto_silent",
            **given,
        }
        play = {
            "hosts": "host",
            "gather_facts": False,
            "vars_files": [str(PROJECT / "group_vars/app_hosts.yml")],
            "tasks": [
                {"ansible.builtin.import_tasks": str(PROJECT / "playbooks/tasks/reach_host.yml")},
                {"ansible.builtin.command": "true"},
            ],
        }
        (self.folder / "reach.yml").write_text(json.dumps([play]))
        run = ansible_command(
            "ansible-playbook",
            f"--inventory={self.folder}/hosts.yml",
            f"--extra-vars={json.dumps(settings)}",
            str(self.folder / "reach.yml"),
            *arguments,
            **{
                "HOME": home or str(self.folder / "home"),
                "SSH_AUTH_SOCK": "",
                "ANSIBLE_SSH_RETRIES": "0",
                **(environment or {}),
            },
        )
        said = " ".join((run.stdout + run.stderr).split())
        assert f"within {LONG} seconds" not in said
        return f"{run.returncode} {said}"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """A host that accepts the key C(key) of the test's folder."""
    (tmp_path / "home/.ssh").mkdir(parents=True)
    new_key(tmp_path / "key")
    with ssh_server(new_key(tmp_path / "host_key"), tmp_path / "key.pub") as server:
        yield Host(tmp_path, server)


@contextmanager
def agent(*keys: Path) -> Iterator[dict[str, str]]:
    """Run an SSH agent that has these keys, and give the variables that point to it."""
    found = subprocess.run(["ssh-agent", "-s"], capture_output=True, text=True, check=True).stdout
    variables = dict(part.strip().split("=", 1) for part in found.split(";") if part.strip().startswith("SSH_"))
    try:
        for key in keys:
            subprocess.run(["ssh-add", "-q", str(key)], env=os.environ | variables, check=True)
        yield variables
    finally:
        subprocess.run(["ssh-agent", "-k"], env=os.environ | variables, capture_output=True, check=True)


def test_a_host_that_accepts_the_key_is_reached(host: Host) -> None:
    assert host.reach().startswith("0 ")


def test_a_host_whose_key_is_not_known_is_not_logged_in_to(host: Host) -> None:
    said = host.reach(known=False, reach_host_timeout=LONG)
    assert said.startswith("2 ")
    assert f"No host key of {INSTANCE} is in {host.folder}/home/.ssh/known_hosts.csv-to-aurora-dev" in said
    assert host.server.offered == []
    assert not (host.folder / "home/.ssh/known_hosts.csv-to-aurora-dev").exists()


@pytest.mark.parametrize("arguments", [(), ("--check",)], ids=["run", "plan"])
def test_a_key_with_a_passphrase_and_no_agent_fails_at_once(host: Host, arguments: tuple[str, ...]) -> None:
    key = host.folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "hunter22", "-f", str(key)], capture_output=True, check=True)
    said = host.reach(*arguments, reach_host_timeout=LONG)
    assert said.startswith("2 ")
    assert f"The private key {key} has a passphrase, and no SSH agent has it: " in said
    assert f"ssh-add {key}" in said
    assert "Permission denied" in said


def test_a_missing_key_fails_at_once(host: Host) -> None:
    (host.folder / "key").unlink()
    said = host.reach(reach_host_timeout=LONG)
    assert said.startswith("2 ")
    assert f"The private key {host.folder}/key does not exist, and no SSH agent has it." in said


def test_a_key_that_only_the_agent_has_is_enough_whatever_else_it_holds(host: Host) -> None:
    others = [new_key(host.folder / f"other{number}") for number in range(6)]
    with agent(*others, host.folder / "key") as variables:
        (host.folder / "key").unlink()
        assert host.reach(environment=variables).startswith("0 ")
    assert set(host.server.offered) == {" ".join((host.folder / "key.pub").read_text().split()[:2])}


def test_a_key_that_others_may_read_fails_at_once(host: Host) -> None:
    (host.folder / "key").chmod(0o644)
    assert f"chmod 600 {host.folder}/key" in host.reach(reach_host_timeout=LONG)


def test_the_private_key_of_another_public_key_fails_at_once(host: Host) -> None:
    other = new_key(host.folder / "other")
    said = host.reach(reach_host_timeout=LONG, ssh_private_key_file=str(other))
    assert f"{other} is the private key of another public key than ssh_public_key_file" in said


def test_a_host_that_refuses_the_right_key_is_waited_for(host: Host) -> None:
    # As while cloud-init has not written the key yet.
    other = new_key(host.folder / "other")
    said = host.reach(ssh_private_key_file=str(other), ssh_public_key_file=f"{other}.pub")
    assert said.startswith("2 ")
    assert f"within {WAIT} seconds. Check three things." in said
    assert "Your address: is it one of ssh_allowed_cidrs (203.0.113.7/32)" in said
    assert "Permission denied" in said


@pytest.mark.parametrize("setting", ["True", "False"])
def test_another_host_key_of_the_same_instance_fails_at_once(host: Host, setting: str) -> None:
    known = host.folder / "home/.ssh/known_hosts.csv-to-aurora-dev"
    known.write_text(f"{INSTANCE} {(host.folder / 'key.pub').read_text()}")
    said = host.reach(reach_host_timeout=LONG, environment={"ANSIBLE_HOST_KEY_CHECKING": setting})
    assert said.startswith("2 ")
    assert f"ssh-keygen -R {INSTANCE} -f {known}" in said


def test_a_line_of_the_ssh_configuration_that_ssh_refuses_fails_at_once(host: Host) -> None:
    config = host.folder / "config"
    config.write_text("Host *\n  UseKeychain yes\n")
    said = host.reach(reach_host_timeout=LONG, environment={"ANSIBLE_SSH_ARGS": f"-F {config}"})
    assert said.startswith("2 ")
    assert "Correct that line of your SSH configuration: ~/.ssh/config" in said
    assert "usekeychain" in said.lower()


def test_a_jump_host_that_cannot_be_resolved_fails_at_once(host: Host) -> None:
    config = host.folder / "config"
    config.write_text("Host 127.0.0.1\n  ProxyJump bastion.invalid\n")
    said = host.reach(reach_host_timeout=LONG, environment={"ANSIBLE_SSH_ARGS": f"-F {config}"})
    assert "as with ProxyJump" in said


def test_what_a_real_ssh_config_has_in_it_does_not_matter(host: Host) -> None:
    config = host.folder / "config"
    config.write_text(
        "Host *\n  ControlMaster auto\n  ControlPath /nowhere/%r@%h:%p\n  IdentityFile ~/.ssh/id_rsa\n"
        "  HashKnownHosts yes\n  StrictHostKeyChecking ask\n  ServerAliveInterval 60\n  RequestTTY no\n"
    )
    arguments = f"-F {config} -o ControlMaster=auto -o ControlPersist=5s"
    assert host.reach(environment={"ANSIBLE_SSH_ARGS": arguments}).startswith("0 ")


def test_a_home_in_a_long_path_with_a_space_is_reached(host: Host) -> None:
    home = host.folder / ("a home " * 4) / ("x" * 100)
    (home / ".ssh").mkdir(parents=True)
    said = host.reach(home=str(home), ssh_private_key_file=str(host.folder / "key"))
    assert said.startswith("0 "), said


def test_a_control_path_that_is_too_long_fails_at_once(host: Host) -> None:
    arguments = f"-o ControlMaster=auto -o ControlPersist=5s -o ControlPath={host.folder}/{'x' * 120}"
    said = host.reach(reach_host_timeout=LONG, environment={"ANSIBLE_SSH_ARGS": arguments})
    assert said.startswith("2 ")
    assert "export ANSIBLE_SSH_CONTROL_PATH_DIR=FOLDER" in said


def test_where_nothing_listens_it_is_given_up_after_the_wait(host: Host) -> None:
    host.server.port = 1
    said = host.reach()
    assert said.startswith("2 ")
    assert f"within {WAIT} seconds. The instance {INSTANCE} has to be running and past its status checks" in said
    assert "Connection refused" in said
    assert f"`ssh -v -i {host.folder}/key admin@127.0.0.1` shows more." in said


def test_a_plan_waits_for_nothing(host: Host) -> None:
    host.server.port = 1
    said = host.reach("--check", reach_host_timeout=LONG)
    assert said.startswith("2 ")
    assert "did not accept an SSH login of admin. The instance" in said
