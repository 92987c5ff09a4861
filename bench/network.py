"""A network between two programs of one machine: a function and its database are never on the same machine."""

import queue
import socket
import threading
import time
from contextlib import suppress
from typing import Self

CHUNK = 1 << 16
CHUNKS = 256
"""Chunks under way in one direction: more than the delay allows for."""


class Link:
    """A port of this machine that forwards to another one, with a delay."""

    def __init__(self, host: str, port: int, delay: float) -> None:
        """Prepare the link.

        Args:
            host: The address to forward to.
            port: The port to forward to.
            delay: Seconds in each direction.
        """
        self._target = (host, port)
        self._delay = delay
        self._listener = socket.create_server((host, 0))
        self.port = int(self._listener.getsockname()[1])

    def __enter__(self) -> Self:
        """Begin to accept connections."""
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Accept no more."""
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._target)
                for end in (near, far):
                    # Small packets are sent at once, as the driver and the server do.
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._forward(near, far)
                self._forward(far, near)

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        """Forward after the delay: one thread notes the time of arrival, one waits."""
        under_way: queue.Queue[tuple[float, bytes]] = queue.Queue(CHUNKS)

        def take() -> None:
            data = b"-"
            while data:
                try:
                    data = source.recv(CHUNK)
                except OSError:
                    data = b""
                under_way.put((time.monotonic() + self._delay, data))

        def give() -> None:
            with suppress(OSError):
                while True:
                    due, data = under_way.get()
                    time.sleep(max(0.0, due - time.monotonic()))
                    if not data:
                        target.shutdown(socket.SHUT_WR)
                        return
                    target.sendall(data)

        for work in (take, give):
            threading.Thread(target=work, daemon=True).start()
