"""What is left to do once an import has ended: stored with its end in MySQL, done after it.

Two tables are such lists: the outbox, csv_import_event, and csv_import_tag, the objects that are to be tagged.
"""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from pymysql.cursors import Cursor

from csv_importer.datasets import Dataset
from csv_importer.events import Event, event_of
from csv_importer.feed import FeedConnection
from csv_importer.mysql_errors import transaction, translated
from csv_importer.objects import ObjectVersion
from csv_importer.ports import Entry

# The times that the transaction has written, in RFC 3339 and UTC.
_FORMAT = "'%%Y-%%m-%%dT%%H:%%i:%%s.%%fZ'"
_STARTED = f"DATE_FORMAT(CONVERT_TZ(started_at, @@SESSION.time_zone, '+00:00'), {_FORMAT})"
_FINISHED = f"DATE_FORMAT(CONVERT_TZ(finished_at, @@SESSION.time_zone, '+00:00'), {_FORMAT})"
_ADD_EVENT = (
    "INSERT INTO csv_import_event (import_id, event) SELECT id, JSON_SET(CAST(%s AS JSON),"  # noqa: S608 - no values
    f" '$.started_at', {_STARTED}, '$.finished_at', {_FINISHED}) FROM csv_import WHERE id = %s"
)


def add_event(cursor: Cursor, version: ObjectVersion, entry: Entry, dataset: Dataset | None) -> None:
    """Store the event of an import that ends, within the transaction that has written so into the ledger.

    Args:
        cursor: Of the transaction's connection.
        version: The object version.
        entry: The ledger's row as it is at the end.
        dataset: The dataset that takes the object.
    """
    cursor.execute(_ADD_EVENT, (json.dumps(event_of(version, entry, dataset)), entry.import_id))


def add_tag(cursor: Cursor, version: ObjectVersion, entry: Entry) -> None:
    """Store that an object version is to be tagged, within the transaction that ends its import."""
    cursor.execute(
        "INSERT INTO csv_import_tag (import_id, bucket, object_key, version_id) VALUES (%s, %s, %s, %s)",
        (entry.import_id, version.bucket, version.key, version.version_id),
    )


@dataclass(frozen=True, slots=True)
class _List[T]:
    """A table of what is left to do.

    Attributes:
        select: Reads and locks the oldest rows, so many at most: the key, and the others.
        delete: Deletes rows by their keys.
        parse: Makes of the other columns what is to be done.
    """

    select: str
    delete: str
    parse: Callable[..., T]


EVENTS: _List[Event] = _List(
    "SELECT id, event FROM csv_import_event ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED",
    "DELETE FROM csv_import_event WHERE id IN %s",
    json.loads,
)
TAGS: _List[ObjectVersion] = _List(
    "SELECT import_id, bucket, object_key, version_id FROM csv_import_tag ORDER BY import_id LIMIT %s"
    " FOR UPDATE SKIP LOCKED",
    "DELETE FROM csv_import_tag WHERE import_id IN %s",
    lambda bucket, key, version_id: ObjectVersion(bucket, key, version_id, ""),
)


class MySqlOutbox[T]:
    """One of these tables, through a connection that is in no transaction: see ports.Outbox."""

    def __init__(self, connection: FeedConnection, table: _List[T]) -> None:
        """Wrap a connection in autocommit mode."""
        self._connection = connection
        self._table = table

    def hand_over(self, most: int, deliver: Callable[[Mapping[int, T]], Collection[int]]) -> int:
        """Have the oldest rows done: see ports.Outbox.

        They are locked meanwhile, so that nobody else does them too. Without gaps between them: an import that ends at
        the same time does not wait.
        """
        with translated(), self._connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        with transaction(self._connection), self._connection.cursor() as cursor:
            with translated():
                cursor.execute(self._table.select, (most,))
                rows: dict[int, Any] = {key: self._table.parse(*others) for key, *others in cursor.fetchall()}
            done = deliver(rows) if rows else ()
            if done:
                with translated():
                    cursor.execute(self._table.delete, (list(done),))
        return len(rows)
