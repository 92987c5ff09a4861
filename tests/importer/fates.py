"""Connections that fail at chosen commands, for properties of what any kills and retries leave."""

import threading
from typing import Any

import pymysql

from csv_importer.feed import FeedConnection


class Killed(BaseException):
    """The process ends here."""


class Fates:
    """What happens to the commands of all connections, in the order in which they are sent."""

    def __init__(self, plan: dict[int, str]) -> None:
        self._plan = plan
        self._count = 0
        self._lock = threading.Lock()
        self._connections: list[FragileConnection] = []

    def next(self) -> str | None:
        with self._lock:
            self._count += 1
            return self._plan.get(self._count - 1)

    def connect(self, **options: Any) -> FeedConnection:
        if self._plan.get(self._count) == "refused":
            self._count += 1
            raise pymysql.OperationalError(1040, "Too many connections")
        connection = FragileConnection(self, **options)
        self._connections.append(connection)
        return connection

    def kill(self) -> None:
        """End all connections, as the end of the process does."""
        for connection in self._connections:
            connection.cut()
        raise Killed


class FragileConnection(FeedConnection):
    """A connection that fails at chosen commands."""

    def __init__(self, fates: Fates, **options: Any) -> None:
        self._fates = fates
        super().__init__(**options)

    def _execute_command(self, command: int, sql: str | bytes) -> None:
        fate = self._fates.next()
        if fate == "lost before":
            self.cut()
        super()._execute_command(command, sql)  # type: ignore[misc]
        if fate in ("answer lost", "killed"):
            self.cut()
        if fate == "killed":
            self._fates.kill()

    def cut(self) -> None:
        """Lose the connection: what the server has received, it executes."""
        sock = self._sock  # type: ignore[attr-defined]
        if sock and sock.fileno() >= 0:
            sock.shutdown(2)
