"""A new SSH key for a host that runs: it takes the place of the old one, and at no time is everybody locked out."""

from __future__ import annotations

import asyncio
import getpass
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncssh
import boto3
import pytest
from playbook_runner import PROJECT, ansible_command

from tests import servers

WORD = "of-a-test"
"""What the emulator takes for a secret."""


@contextmanager
def ssh_server(home: Path, host_key: Path) -> Iterator[int]:
    """Serve on a free port, with the keys in ``.ssh/authorized_keys`` of a home, and give the port."""
    authorized = home / ".ssh/authorized_keys"

    class Login(asyncssh.SSHServer):
        def public_key_auth_supported(self) -> bool:
            return True

        def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
            del username
            lines = [line.split()[:2] for line in authorized.read_text().splitlines()]
            return key.export_public_key().decode().split()[:2] in lines

    async def run(process: asyncssh.SSHServerProcess[Any]) -> None:
        pipe = asyncio.subprocess.PIPE
        child = await asyncio.create_subprocess_shell(
            process.command or "true", stdin=pipe, stdout=pipe, stderr=pipe, env=os.environ | {"HOME": str(home)}
        )
        await process.redirect(stdin=child.stdin, stdout=child.stdout, stderr=child.stderr)
        process.exit(await child.wait())
        await process.wait_closed()

    async def listen() -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            "127.0.0.1", 0, server_factory=Login, server_host_keys=[str(host_key)], process_factory=run, encoding=None
        )

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    acceptor = asyncio.run_coroutine_threadsafe(listen(), loop).result(10)
    try:
        yield acceptor.get_port()
    finally:
        loop.call_soon_threadsafe(acceptor.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def new_key(path: Path) -> Path:
    """Create a key pair and return the private key's path."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "me@laptop", "-f", str(path)], check=True)
    return path


def public(path: Path) -> str:
    """Return the public key without its comment."""
    return " ".join(path.with_suffix(".pub").read_text().split()[:2])


@dataclass(frozen=True)
class Host:
    """An app host whose SSH server accepts the keys ``old`` and ``colleague`` of the folder, and the role."""

    url: str
    name: str
    folder: Path
    port: int
    network: dict[str, str]

    def client(self) -> Any:
        """Return a boto3 client."""
        login: dict[str, Any] = {"aws_access_key_id": "test", "aws_secret_access_key": WORD}
        return boto3.client("ec2", region_name=servers.REGION, endpoint_url=self.url, **login)

    def accepted(self) -> list[str]:
        """Return the keys that the host accepts."""
        lines = (self.folder / "host/.ssh/authorized_keys").read_text().splitlines()
        return sorted(" ".join(line.split()[:2]) for line in lines)

    def key_pair(self) -> str:
        """Return the public key of the key pair."""
        found = self.client().describe_key_pairs(KeyNames=[f"{self.name}-app"], IncludePublicKey=True)["KeyPairs"]
        return " ".join(found[0]["PublicKey"].split()[:2])

    def instances(self) -> list[str]:
        """Return the ids of the instances that run."""
        filters = [
            {"Name": "tag:Project", "Values": [self.name]},
            {"Name": "instance-state-name", "Values": ["running"]},
        ]
        found = self.client().describe_instances(Filters=filters)["Reservations"]
        return [one["InstanceId"] for reservation in found for one in reservation["Instances"]]

    def play(self, key: str, *arguments: str, **variables: object) -> tuple[int, str]:
        """Plan and apply the role, as the playbooks do, and return the exit code and the output."""
        if not (self.folder / "roles").exists():
            (self.folder / "roles").symlink_to(PROJECT / "roles")
        # As if recorded from the console, which an emulated instance does not have.
        host_key = (self.folder / "host_key.pub").read_text()
        (self.folder / "known").write_text("".join(f"{instance} {host_key}" for instance in self.instances()))
        connection = {
            "region": servers.REGION,
            "endpoint_url": self.url,
            "access_key": "test",
            "secret_key": WORD,
        }
        settings = {
            "app_host_name": self.name,
            "app_host_tags": {"Project": self.name, "Environment": "test"},
            "app_host_public_key": (self.folder / f"{key}.pub").read_text(),
            "app_host_private_key_file": str(self.folder / key),
            "app_host_inventory_name": "the-host",
            "app_host_known_hosts_file": str(self.folder / "known"),
            "app_host_user": getpass.getuser(),
            "app_host_wait": False,
            **self.network,
            **variables,
        }
        play = {
            "hosts": "controller",
            "gather_facts": False,
            "module_defaults": {"group/csv_to_aurora.aws.playbooks": connection},
            "vars": settings,
            "roles": ["app_host"],
        }
        (self.folder / "site.yml").write_text(json.dumps([play | {"check_mode": True}, play]))
        python = {"ansible_python_interpreter": sys.executable}
        host = {
            "ansible_host": "127.0.0.1",
            "ansible_port": self.port,
            "ansible_user": getpass.getuser(),
            "ansible_ssh_private_key_file": str(self.folder / key),
            "ansible_ssh_common_args": f"-o UserKnownHostsFile={self.folder}/known -o StrictHostKeyChecking=no",
        }
        hosts = {"controller": {"ansible_connection": "local", **python}, "the-host": {**host, **python}}
        (self.folder / "hosts.json").write_text(json.dumps({"all": {"hosts": hosts}}))
        run = ansible_command(
            "ansible-playbook",
            f"--inventory={self.folder}/hosts.json",
            str(self.folder / "site.yml"),
            *arguments,
            ANSIBLE_ROLES_PATH=str(self.folder / "roles"),
            SSH_AUTH_SOCK="",
        )
        return run.returncode, " ".join((run.stdout + run.stderr).split())


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a moto_server for these tests."""
    with servers.moto(tmp_path_factory.mktemp("moto"), MOTO_IAM_LOAD_MANAGED_POLICIES="true") as url:
        yield url


@pytest.fixture
def host(moto: str, tmp_path: Path) -> Iterator[Host]:
    """A host that was launched with the key ``old``."""
    (tmp_path / "host/.ssh").mkdir(parents=True)
    for key in ("old", "new", "colleague", "host_key"):
        new_key(tmp_path / key)
    (tmp_path / "host/.ssh/authorized_keys").write_text(
        f"{public(tmp_path / 'old')} shop-app\n{public(tmp_path / 'colleague')} colleague\n"
    )
    with ssh_server(tmp_path / "host", tmp_path / "host_key") as port:
        made = Host(moto, f"shop-{uuid4().hex[:6]}", tmp_path, port, {})
        ec2 = made.client()
        subnet = ec2.describe_subnets()["Subnets"][0]
        group = ec2.create_security_group(GroupName=made.name, Description="x", VpcId=subnet["VpcId"])["GroupId"]
        image = ec2.describe_images()["Images"][0]["ImageId"]
        made.network.update(
            app_host_subnet_id=subnet["SubnetId"], app_host_security_group_id=group, app_host_image_id=image
        )
        code, output = made.play("old")
        assert code == 0, output
        yield made


def test_the_new_key_takes_the_place_of_the_old_one(host: Host) -> None:
    instances = host.instances()
    code, output = host.play("new", "-e", f"app_host_previous_private_key_file={host.folder}/old", "--check")
    assert code == 0, output
    assert "would update authorized key" in output
    assert "would replace key pair" in output
    assert host.accepted() == sorted(public(host.folder / key) for key in ("old", "colleague"))

    code, output = host.play("new", "-e", f"app_host_previous_private_key_file={host.folder}/old")
    assert code == 0, output
    assert host.accepted() == sorted(public(host.folder / key) for key in ("new", "colleague"))
    assert host.key_pair() == public(host.folder / "new")
    assert host.instances() == instances
    code, output = host.play("new", "--check")
    assert "Nothing would change" in output


def test_a_key_that_the_host_accepts_already_needs_no_other(host: Host) -> None:
    code, output = host.play("colleague")
    assert code == 0, output
    assert host.accepted() == [public(host.folder / "colleague")]
    assert host.key_pair() == public(host.folder / "colleague")


def test_without_a_login_nothing_is_changed(host: Host) -> None:
    code, output = host.play("new")
    assert code != 0
    assert "so that nobody could log in after this run" in output
    assert "-e app_host_previous_private_key_file=FILE" in output
    assert host.key_pair() == public(host.folder / "old")
    assert host.accepted() == sorted(public(host.folder / key) for key in ("old", "colleague"))
    code, output = host.play("new", "--check")
    assert code == 0, output
    assert "A run would stop here" in output
    assert "so that nobody could log in" in output


def test_the_old_key_stays_where_the_new_one_does_not_log_in(host: Host) -> None:
    """As with a public key whose private key somebody else has."""
    code, output = host.play(
        "new",
        "-e",
        f"app_host_previous_private_key_file={host.folder}/old",
        app_host_private_key_file=str(host.folder / "host_key"),
    )
    assert code != 0
    assert "does not accept a login with" in output
    assert public(host.folder / "old") in host.accepted()
    assert host.key_pair() == public(host.folder / "old")


@pytest.mark.parametrize("protected", [False, True])
def test_a_host_without_a_login_is_replaced_by_choice_only(host: Host, protected: bool) -> None:
    before = host.instances()
    variables = {"app_host_replace": True, "app_host_protected": protected}
    code, output = host.play("new", "--check", **variables)
    assert code == 0, output
    assert ("would replace instance" in output) != protected
    code, output = host.play("new", **variables)
    assert (code != 0) == protected, output
    assert (host.instances() == before) == protected
    assert host.key_pair() == public(host.folder / ("old" if protected else "new"))
    assert not protected or "set environment_protected to false" in output
