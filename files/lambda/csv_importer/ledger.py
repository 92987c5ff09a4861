"""What the ledger and the tables say of the environment as a whole, for the check that runs on a schedule."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from csv_importer.events import Event
from csv_importer.feed import FeedConnection
from csv_importer.mysql_errors import translated
from csv_importer.objects import ObjectVersion
from csv_importer.outbox import EVENTS, TAGS, MySqlOutbox

HIGHEST = {
    "tinyint": 2**7 - 1,
    "smallint": 2**15 - 1,
    "mediumint": 2**23 - 1,
    "int": 2**31 - 1,
    "bigint": 2**63 - 1,
}
"""The highest number of each type with a sign: https://dev.mysql.com/doc/refman/8.4/en/integer-types.html."""


PUBLISHED_WITHIN = 60
"""Seconds within which an import publishes its event if the topic takes it."""


class Stalled(NamedTuple):
    """An import without progress.

    Attributes:
        import_id: Its id.
        status: Its status.
        dataset: Its dataset; empty for none.
        key: The object's key.
        seconds: For how long.
    """

    import_id: int
    status: str
    dataset: str
    key: str
    seconds: int


class Table(NamedTuple):
    """A table whose rows the server numbers.

    Attributes:
        name: Its name.
        used: The share of its numbers that is used up, in percent.
        seconds: How long ago it was created, or copied to be altered.
    """

    name: str
    used: float
    seconds: int


class MySqlLedger:
    """The ledger, which is only read, and what is left to do after imports."""

    def __init__(self, connection: FeedConnection) -> None:
        """Wrap a connection in autocommit mode."""
        self._connection = connection

    @property
    def events(self) -> MySqlOutbox[Event]:
        """The events that are not published yet."""
        return MySqlOutbox(self._connection, EVENTS)

    @property
    def tags(self) -> MySqlOutbox[ObjectVersion]:
        """The object versions that are not tagged yet."""
        return MySqlOutbox(self._connection, TAGS)

    def pending(self) -> tuple[int, int]:
        """Return how many events nobody has published in time, and since when in seconds the oldest waits.

        An event that is younger may be published by its import at this moment.

        Raises:
            TransientError: The database cannot be used now.
            ConfigurationError: The user lacks a privilege.
        """
        ((count, oldest),) = self._query(
            "SELECT COUNT(*), COALESCE(TIMESTAMPDIFF(SECOND, MIN(created_at), CURRENT_TIMESTAMP(3)), 0)"
            " FROM csv_import_event WHERE created_at < CURRENT_TIMESTAMP(3) - INTERVAL %s SECOND",
            PUBLISHED_WITHIN,
        )
        return count, oldest

    def untagged(self) -> tuple[int, int]:
        """Return how many objects are not tagged yet, and since when in seconds the first waits.

        Raises:
            TransientError: The database cannot be used now.
            ConfigurationError: The user lacks a privilege.
        """
        ((count, oldest),) = self._query(
            "SELECT COUNT(*), COALESCE(TIMESTAMPDIFF(SECOND, MIN(created_at), CURRENT_TIMESTAMP(3)), 0)"
            " FROM csv_import_tag"
        )
        return count, oldest

    def newest(self, dataset: str) -> int | None:
        """Return how many seconds ago the newest import of a dataset succeeded; None where none has.

        Raises:
            TransientError: The database cannot be used now.
            ConfigurationError: The user lacks a privilege.
        """
        ((seconds,),) = self._query(
            "SELECT TIMESTAMPDIFF(SECOND, MAX(finished_at), CURRENT_TIMESTAMP(3)) FROM csv_import"
            " WHERE dataset = %s AND status = 'succeeded'",
            dataset,
        )
        return None if seconds is None else int(seconds)

    def stalled(self, seconds: int, most: int) -> tuple[int, list[Stalled]]:
        """Return how many imports have not ended and make no progress, and those that have waited longest.

        Args:
            seconds: For how long they have made none.
            most: How many are named.

        Raises:
            TransientError: The database cannot be used now.
            ConfigurationError: The user lacks a privilege.
        """
        rows = self._query(
            "SELECT id, status, dataset, object_key, TIMESTAMPDIFF(SECOND, updated_at, CURRENT_TIMESTAMP(3)) AS waits,"
            " COUNT(*) OVER () FROM csv_import WHERE status IN ('checking', 'running', 'interrupted')"
            " AND updated_at < CURRENT_TIMESTAMP(3) - INTERVAL %s SECOND ORDER BY waits DESC, id LIMIT %s",
            seconds,
            most,
        )
        return (rows[0][5] if rows else 0), [Stalled(*row[:5]) for row in rows]

    def tables(self) -> list[Table]:
        """Return the tables whose rows the server numbers, as far as the user may see them.

        Raises:
            TransientError: The database cannot be used now.
            ConfigurationError: The user lacks a privilege.
        """
        # Otherwise the next number may be one of yesterday.
        self._query("SET SESSION information_schema_stats_expiry = 0")
        rows = self._query(
            "SELECT t.table_name, t.auto_increment, c.column_type,"
            " TIMESTAMPDIFF(SECOND, t.create_time, CURRENT_TIMESTAMP()) FROM information_schema.tables AS t"
            " JOIN information_schema.columns AS c ON c.table_schema = t.table_schema AND c.table_name = t.table_name"
            " WHERE t.table_schema = DATABASE() AND c.extra LIKE '%%auto_increment%%'"
        )
        return [Table(name, _used(following, kind), int(seconds or 0)) for name, following, kind, seconds in rows]

    def _query(self, statement: str, *parameters: object) -> Sequence[tuple[Any, ...]]:
        with translated(), self._connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return cursor.fetchall()


def _used(following: int | None, kind: str) -> float:
    """Return the share of a column's numbers that is used up, in percent.

    Args:
        following: The next number; None or 1 where none is used.
        kind: The column's type, such as int unsigned.
    """
    highest = HIGHEST[kind.split("(", maxsplit=1)[0].split(maxsplit=1)[0]]
    if "unsigned" in kind:
        highest = 2 * highest + 1
    return 100 * ((following or 1) - 1) / highest
