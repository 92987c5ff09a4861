"""The outbox in MySQL: events that are stored with the end of an import, and published after it."""

import json
from collections.abc import Callable, Collection, Sequence
from typing import Any

from pymysql.cursors import Cursor

from csv_importer.datasets import Dataset
from csv_importer.events import event_of
from csv_importer.feed import FeedConnection
from csv_importer.mysql_errors import transaction, translated
from csv_importer.objects import ObjectVersion
from csv_importer.ports import Entry

# The times that the transaction has written, in RFC 3339 and UTC.
_FORMAT = "'%%Y-%%m-%%dT%%H:%%i:%%s.%%fZ'"
_STARTED = f"DATE_FORMAT(CONVERT_TZ(started_at, @@SESSION.time_zone, '+00:00'), {_FORMAT})"
_FINISHED = f"DATE_FORMAT(CONVERT_TZ(finished_at, @@SESSION.time_zone, '+00:00'), {_FORMAT})"
_ADD = (
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
    cursor.execute(_ADD, (json.dumps(event_of(version, entry, dataset)), entry.import_id))


class MySqlOutbox:
    """The outbox, through a connection that is in no transaction: see ports.Outbox."""

    def __init__(self, connection: FeedConnection) -> None:
        """Wrap a connection in autocommit mode."""
        self._connection = connection

    def hand_over(self, most: int, publish: Callable[[Sequence[Any]], Collection[str]]) -> int:
        """Publish the oldest events: see ports.Outbox.

        They are locked meanwhile, so that nobody publishes them too. Without gaps between them: an import that ends at
        the same time does not wait.
        """
        with translated(), self._connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        with transaction(self._connection), self._connection.cursor() as cursor:
            with translated():
                cursor.execute(
                    "SELECT id, event FROM csv_import_event ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED", (most,)
                )
                events = {row_id: json.loads(event) for row_id, event in cursor.fetchall()}
            if not events:
                return 0
            accepted = publish(list(events.values()))
            gone = [row_id for row_id, event in events.items() if event["id"] in accepted]
            if gone:
                with translated():
                    cursor.execute("DELETE FROM csv_import_event WHERE id IN %s", (gone,))
        return len(events)
