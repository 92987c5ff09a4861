"""The playbooks' way to the database: through the app host, which sees neither passwords nor rows.

The app host is an SSH server of the test's own. Behind it is the real MySQL server, or what somebody put in its place.
"""

from __future__ import annotations

import getpass
import json
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playbook_runner import PROJECT, ansible_command

from tests.playbooks.ssh_server import SshServer, ssh_server

from .conftest import PASSWORD, Database
from .mysql_server import CertificateAuthority
from .test_faults import impostor

HOST = "i-0123456789abcdef0"


@dataclass
class Host:
    """The app host, and the playbooks' controller.

    Attributes:
        folder: What the controller has.
        server: The host's SSH server.
        sockets: Where the tunnel's sockets are.
    """

    folder: Path
    server: SshServer
    sockets: Path

    def play(
        self, endpoint: str, port: int, ca_file: Path, password: str = PASSWORD, **variables: object
    ) -> subprocess.CompletedProcess[str]:
        """Open the tunnel, and ask who logged in, at the highest verbosity."""
        login = {"tunnel_user": variables.pop("user", "nobody"), "tunnel_password": password}
        hosts = {
            "controller": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable},
            HOST: {
                "ansible_host": "127.0.0.1",
                "ansible_port": self.server.port,
                "ansible_user": getpass.getuser(),
                "ansible_ssh_private_key_file": str(self.folder / "key"),
                "ansible_ssh_common_args": "-o StrictHostKeyChecking=no "
                f"-o 'UserKnownHostsFile=\"{self.folder / 'known_hosts'}\"' -o IdentitiesOnly=yes",
                "ssh_control_path_dir": str(self.sockets),
            },
        }
        known = {
            "database_outputs": {"endpoint": endpoint, "port": port, "administrator_secret_name": "admin"},
            "stack_ca_file": str(ca_file),
            **variables,
        }
        inventory = self.folder / "hosts.json"
        groups = {"all": {"hosts": hosts, "vars": known, "children": {"app_hosts": {"hosts": {HOST: {}}}}}}
        inventory.write_text(json.dumps(groups))
        query = {"query": "SELECT CURRENT_USER() AS user", **{f"login_{k[7:]}": v for k, v in login.items()}}
        tasks: list[dict[str, Any]] = [
            {"ansible.builtin.import_tasks": str(PROJECT / "playbooks/tasks/open_tunnel.yml"), "vars": login},
            {
                "ansible.mysql.mysql_query": query,
                "module_defaults": {"group/ansible.mysql.all": "{{ tunnel_login }}"},
                "register": "asked",
                "no_log": True,
            },
            {"ansible.builtin.debug": {"msg": "logged in as {{ asked.query_result[0][0].user }}"}},
        ]
        playbook = self.folder / "playbook.yml"
        playbook.write_text(json.dumps([{"hosts": "controller", "gather_facts": False, "tasks": tasks}]))
        return ansible_command("ansible-playbook", "-i", str(inventory), str(playbook), "-vvvv")


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    for name in ("key", "host_key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name], check=True)
    sockets = Path(tempfile.mkdtemp(prefix="tunnel-"))
    with ssh_server(tmp_path / "host_key", tmp_path / "key.pub") as server:
        yield Host(tmp_path, server, sockets)
    shutil.rmtree(sockets)


@contextmanager
def recorder(port: int, heard: list[bytes]) -> Iterator[int]:
    """Pass connections on to a port, as the app host does, and keep what goes by; yield the own port."""

    def serve(client: socket.socket) -> None:
        with suppress(OSError), client, socket.create_connection(("127.0.0.1", port)) as behind:
            other = {client: behind, behind: client}
            while True:
                for ready in select.select(list(other), [], [])[0]:
                    data = ready.recv(65536)
                    if not data:
                        return
                    heard.append(data)
                    other[ready].sendall(data)

    def listen() -> None:
        with suppress(OSError):
            while True:
                threads.append(threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True))
                threads[-1].start()

    threads: list[threading.Thread] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepting = threading.Thread(target=listen, daemon=True)
        accepting.start()
        yield listener.getsockname()[1]
        # Closing alone does not wake up the thread that waits in accept.
        listener.shutdown(socket.SHUT_RDWR)
        accepting.join()
        for thread in threads:
            thread.join()


def said(done: subprocess.CompletedProcess[str]) -> str:
    """Return the output, without line breaks of its own."""
    return " ".join((done.stdout + done.stderr).split())


def test_the_host_sees_neither_passwords_nor_rows(database: Database, host: Host) -> None:
    heard: list[bytes] = []
    with recorder(database.server.port, heard) as port:
        for _ in range(2):
            done = host.play("127.0.0.1", port, database.server.ca_file, user=database.user)
            assert done.returncode == 0, said(done)
            assert f"logged in as {database.user}@%" in said(done)
            assert PASSWORD not in done.stdout + done.stderr
    passed = b"".join(heard)
    assert b"caching_sha2_password" in passed
    for secret in (PASSWORD, database.user, "CURRENT_USER"):
        assert secret.encode() not in passed
    # The second run found the tunnel of the first, and nothing ran on the host.
    assert host.server.logins == 1
    assert host.server.forwarded == [("127.0.0.1", port)] * 4
    assert host.server.commands == []
    kept = b"".join(path.read_bytes() for path in host.sockets.iterdir() if path.is_file())
    assert kept == b"[client]\nhost = 127.0.0.1\n"


def test_a_long_folder_for_sockets_is_not_used(database: Database, host: Host) -> None:
    host.sockets = host.folder / ("long" * 20)
    done = host.play("127.0.0.1", database.server.port, database.server.ca_file, user=database.user)
    assert done.returncode == 0, said(done)
    assert not host.sockets.exists()


@dataclass
class Rogue:
    """What somebody put in the database's place.

    Attributes:
        certificate: Whether it is signed by the right CA, for which address, or None without TLS.
        expected: What the run says.
    """

    certificate: tuple[bool, str] | None
    expected: str
    heard: list[bytes] = field(default_factory=list)


@pytest.mark.parametrize(
    "rogue",
    [
        Rogue(None, "does not speak TLS: no password was sent"),
        Rogue((False, "127.0.0.1"), "no certificate of 127.0.0.1 that"),
        Rogue((True, "127.0.0.9"), "no certificate of 127.0.0.1 that"),
    ],
    ids=["without TLS", "of another CA", "of another name"],
)
def test_what_is_in_the_place_of_the_database_gets_nothing(host: Host, tmp_path: Path, rogue: Rogue) -> None:
    ca = CertificateAuthority.create("CA of the database")
    ca_file = ca.write(tmp_path / "ca.pem")
    folder = None
    if rogue.certificate is not None:
        folder = tmp_path / "rogue"
        folder.mkdir()
        right, address = rogue.certificate
        (ca if right else CertificateAuthority.create("another CA")).issue(folder, address=address)
    with impostor(folder, rogue.heard) as port:
        done = host.play("127.0.0.1", port, ca_file)
    assert done.returncode == 2
    assert rogue.expected in said(done)
    assert rogue.heard == [b""]
    assert PASSWORD not in done.stdout + done.stderr


def test_a_host_that_forwards_nothing_is_said(database: Database, host: Host) -> None:
    host.server.forwards = False
    done = host.play("127.0.0.1", database.server.port, database.server.ca_file)
    assert done.returncode == 2
    assert f"The app host {HOST} does not connect to the database 127.0.0.1" in said(done)


def test_another_password_is_said(database: Database, host: Host) -> None:
    done = host.play("127.0.0.1", database.server.port, database.server.ca_file, "another-one", user=database.user)
    assert done.returncode == 2
    assert f"does not accept the password of {database.user} in the secret admin" in said(done)
    assert "playbooks/rotate.yml" in said(done)
    assert "another-one" not in done.stdout + done.stderr


def test_a_tunnel_that_cannot_be_opened_is_said(database: Database, host: Host) -> None:
    (host.folder / "key").unlink()
    done = host.play("127.0.0.1", database.server.port, database.server.ca_file)
    assert done.returncode == 2
    assert "Permission denied (publickey)" in said(done)
