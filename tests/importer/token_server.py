"""A proxy that requests the token in clear text, as Aurora does, in front of a real MySQL server."""

import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pymysql
from pymysql.constants import CLIENT

from .conftest import PASSWORD, Database

ASK_FOR_CLEAR_TEXT = b"\xfemysql_clear_password\0"
OK = b"\0\0\0\x02\0\0\0"
DENIED = b"\xff" + struct.pack("<H", 1045) + b"#28000Access denied for user 'test'"


@dataclass
class TokenServer:
    """A server that accepts tokens.

    Attributes:
        port: Where it listens.
        tokens: The tokens that it received.
        accepts: Returns whether it accepts a token.
    """

    port: int
    tokens: list[str] = field(default_factory=list)
    accepts: Callable[[str], bool] = lambda _: True


@contextmanager
def token_server(database: Database, folder: Path) -> Iterator[TokenServer]:
    """Serve a database to clients with a token.

    Args:
        database: The database.
        folder: Where its certificate may be written.
    """
    database.server.ca.issue(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    threads: list[threading.Thread] = []

    def serve(connection: socket.socket) -> None:
        with connection, suppress(OSError), _behind(database) as behind:
            # The stubs lack these attributes of the connection. Both sides need the same capabilities.
            known = vars(behind)
            connection.sendall(_packet(0, _greeting(known["server_capabilities"] & known["client_flag"])))
            # The request for TLS has a fixed length: nothing of what follows is read with it.
            connection.recv(36, socket.MSG_WAITALL)
            with context.wrap_socket(connection, server_side=True) as secured:
                number, _ = _read(secured)
                secured.sendall(_packet(number + 1, ASK_FOR_CLEAR_TEXT))
                number, token = _read(secured)
                server.tokens.append(token.rstrip(b"\0").decode())
                accepted = server.accepts(server.tokens[-1])
                secured.sendall(_packet(number + 1, OK if accepted else DENIED))
                if accepted:
                    _exchange(secured, known["_sock"])

    def listen() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threads.append(threading.Thread(target=serve, args=(connection,), daemon=True))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = TokenServer(listener.getsockname()[1])
        threads.append(threading.Thread(target=listen, daemon=True))
        threads[0].start()
        yield server
        # Closing alone does not wake up the thread that waits in accept.
        listener.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join(timeout=10)


def _behind(database: Database) -> "pymysql.Connection[pymysql.cursors.Cursor]":
    """Connect to the real server as the importer does, with the password that it has there."""
    return database.server.connect(
        database.name,
        user=database.user,
        password=PASSWORD,
        local_infile=True,
        client_flag=CLIENT.FOUND_ROWS,
    )


def _greeting(capabilities: int) -> bytes:
    low, high = capabilities & 0xFFFF, capabilities >> 16
    return (
        b"\x0a8.0.36\0" + struct.pack("<I", 1) + b"12345678\0" + struct.pack("<H", low) + b"\xff"
        + struct.pack("<HHB", 2, high, 21) + bytes(10) + b"123456789012\0" + b"caching_sha2_password\0"
    )  # fmt: skip


def _packet(number: int, content: bytes) -> bytes:
    return struct.pack("<I", len(content))[:3] + bytes([number]) + content


def _read(connection: socket.socket) -> tuple[int, bytes]:
    """Read a packet: its number and content."""

    def exactly(size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = connection.recv(size - len(data))
            if not more:
                raise ConnectionError
            data += more
        return data

    head = exactly(4)
    return head[3], exactly(int.from_bytes(head[:3], "little"))


def _exchange(client: ssl.SSLSocket, server: ssl.SSLSocket) -> None:
    """Pass on what either sends to the other, until one of them disconnects."""
    other = {client: server, server: client}
    while True:
        ready = [each for each in other if each.pending()] or select.select(list(other), [], [])[0]
        for each in ready:
            data = each.recv(65536)
            if not data:
                return
            other[each].sendall(data)
