"""Run a client against a server without TLS, and print what the server received: without_tls.py COMMAND...

Only what Python brings, since it runs on the host.
"""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
import threading

# Protocol 10, every capability but CLIENT_SSL, and the plugin that asks for the password in clear text.
GREETING = (
    b"\x0a8.0.36\0" + struct.pack("<I", 1) + b"12345678\0" + struct.pack("<H", 0xF7FF) + b"\xff"
    + struct.pack("<HHB", 2, 0x00FF, 21) + bytes(10) + b"123456789012\0" + b"mysql_clear_password\0"
)  # fmt: skip

received: list[bytes] = []


def serve(listener: socket.socket) -> None:
    """Greet one client and keep what it answers."""
    connection, _ = listener.accept()
    with connection:
        connection.sendall(struct.pack("<I", len(GREETING))[:3] + b"\0" + GREETING)
        received.append(connection.recv(1000))


with socket.create_server(("127.0.0.1", 0)) as server:
    thread = threading.Thread(target=serve, args=(server,))
    thread.start()
    done = subprocess.run(
        [*sys.argv[1:], f"--port={server.getsockname()[1]}"], check=False, capture_output=True, text=True
    )
    thread.join(10)
sys.stdout.write(f"{done.returncode} {received} {done.stderr}\n")
