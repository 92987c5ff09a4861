"""A MySQL connection that answers LOAD DATA LOCAL from memory, and from nothing else, in packets that the server takes.

In this protocol the server chooses the name of the file that the client has to send, and the driver
opens whatever it names. Here no file is ever opened. The driver has no public hook for this, so two of
its methods are overridden; its version is pinned, and tests/importer/test_feed.py fails where a new one
differs.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pymysql.connections import Connection, MySQLResult
from pymysql.cursors import Cursor
from pymysql.err import OperationalError
from pymysql.protocol import LoadLocalPacketWrapper

FEED_NAME = "rows"
"""The only file name that the server may request."""

FILE_REFUSED = 2068
"""MySQL's own error number for a file that the client does not send."""

TOO_LARGE = 1153
"""MySQL's own error number for a packet of more than max_allowed_packet."""

PACKET_BYTES = 512 * 1024
"""Bytes of the largest packet that is sent to LOAD DATA LOCAL, where the server takes it: more is no faster."""

if TYPE_CHECKING:
    _Base = Connection[Cursor]
    type _Packet = Any
else:
    _Base = Connection


class FeedConnection(_Base):
    """A connection that sends prepared bytes to LOAD DATA LOCAL INFILE 'rows'.

    The driver's attribute max_allowed_packet has to be that of the server. A server answers a larger packet with an
    error and closes the connection, of which a client often sees only the second: so none is sent.
    """

    feed: Iterator[bytes] | None = None
    """What the next LOAD DATA LOCAL sends, once."""

    if TYPE_CHECKING:
        max_allowed_packet: int
        _result: MySQLResult | None
        server_status: int

        def _read_packet(self, packet_type: Any = ...) -> _Packet: ...

    def _read_query_result(self, unbuffered: bool = False) -> int:  # noqa: FBT001, FBT002 - the driver's signature
        if unbuffered:
            raise NotImplementedError("results are read whole here")
        self._result = None
        result = _FeedResult(self)
        result.read()
        self._result = result
        if result.server_status is not None:
            self.server_status = result.server_status
        return result.affected_rows or 0

    @property
    def packet_bytes(self) -> int:
        """Bytes of the largest packet that is sent to LOAD DATA LOCAL."""
        return min(PACKET_BYTES, self.max_allowed_packet - 1)

    def cursor(self, cursor: type[Cursor] | None = None) -> Cursor:  # type: ignore[override]
        """Return a cursor whose executemany makes statements that the server takes, where its rows let it."""
        made: Any = super().cursor(cursor)
        # Such a statement is a packet with one byte more, which has to be smaller than max_allowed_packet.
        made.max_stmt_length = min(made.max_stmt_length, self.max_allowed_packet - 2)
        return made  # type: ignore[no-any-return]

    def query(self, sql: str | bytes | bytearray, unbuffered: bool = False) -> int:  # noqa: FBT001, FBT002 - the driver's signature
        """Send a statement.

        Raises:
            OperationalError: It is larger than the server takes (TOO_LARGE), and has not been sent.
        """
        content = sql.encode(self.encoding) if isinstance(sql, str) else sql
        if len(content) + 1 >= self.max_allowed_packet:
            raise OperationalError(TOO_LARGE, "the statement is larger than max_allowed_packet of the server")
        return super().query(content, unbuffered)

    def take_feed(self, name: bytes) -> Iterator[bytes]:
        """Return what may be sent.

        Args:
            name: The file name that the server requests.

        Raises:
            OperationalError: That is not the feed.
        """
        feed, self.feed = self.feed, None
        if feed is None or name != FEED_NAME.encode():
            raise OperationalError(FILE_REFUSED, f"the server requested the file {name!r}: only prepared rows are sent")
        return feed


class _FeedResult(MySQLResult):
    connection: FeedConnection

    def _read_load_local_packet(self, first_packet: "_Packet") -> None:
        connection = self.connection
        size = connection.packet_bytes
        try:
            for data in connection.take_feed(LoadLocalPacketWrapper(first_packet).filename):
                for start in range(0, len(data), size):
                    connection.write_packet(data[start : start + size])
        except BaseException:
            # The statement has to be ended before the connection can roll back, if there still is one.
            if connection.open:
                self._end()
            raise
        self._read_ok_packet(self._end())

    def _end(self) -> "_Packet":
        self.connection.write_packet(b"")
        return self.connection._read_packet()  # noqa: SLF001 - the driver has no public method

    if TYPE_CHECKING:

        def _read_ok_packet(self, packet: _Packet) -> None: ...
