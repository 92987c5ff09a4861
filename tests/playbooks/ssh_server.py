"""An SSH server of a test's own, which runs commands on this machine, forwards connections and accepts one key."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import asyncssh

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass
class SshServer:
    """An SSH server.

    Attributes:
        port: Where it listens.
        offered: Which keys clients have offered.
        logins: How many clients have logged in.
        forwards: Whether it forwards connections.
        forwarded: Where to, for each connection.
        commands: What it ran.
        connections: Those that there were.
    """

    port: int = 0
    offered: list[str] = field(default_factory=list)
    logins: int = 0
    forwards: bool = True
    forwarded: list[tuple[str, int]] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    connections: list[asyncssh.SSHServerConnection] = field(default_factory=list, repr=False)


def login_of(server: SshServer, accepted: str) -> type[asyncssh.SSHServer]:
    """Return what decides about logins."""

    class Login(asyncssh.SSHServer):
        def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
            server.connections.append(conn)

        def auth_completed(self) -> None:
            server.logins += 1

        def public_key_auth_supported(self) -> bool:
            return True

        def begin_auth(self, username: str) -> bool:
            del username
            return True

        def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
            del username
            offered = " ".join(key.export_public_key().decode().split()[:2])
            server.offered.append(offered)
            return offered == " ".join(accepted.split()[:2])

        def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> bool:
            del orig_host, orig_port
            server.forwarded.append((dest_host, dest_port))
            return server.forwards

    return Login


async def run_command(server: SshServer, process: asyncssh.SSHServerProcess[Any]) -> None:
    """Run the command that a client has sent."""
    server.commands.append(str(process.command))
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_shell(process.command or "true", stdin=pipe, stdout=pipe, stderr=pipe)
    await process.redirect(stdin=child.stdin, stdout=child.stdout, stderr=child.stderr)
    process.exit(await child.wait())
    await process.wait_closed()


@contextmanager
def ssh_server(host_key: Path, accepted: Path) -> Iterator[SshServer]:
    """Serve on a free port until the block ends."""
    server, loop = SshServer(), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    login = login_of(server, accepted.read_text())

    async def listen() -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_factory=login,
            server_host_keys=[str(host_key)],
            process_factory=partial(run_command, server),
            encoding=None,
        )

    async def close(acceptor: asyncssh.SSHAcceptor) -> None:
        acceptor.close()
        for connection in server.connections:
            connection.abort()
        await acceptor.wait_closed()

    acceptor = asyncio.run_coroutine_threadsafe(listen(), loop).result(10)
    server.port = acceptor.get_port()
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(close(acceptor), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
