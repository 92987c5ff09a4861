"""How the ledger forgets old imports: those of object versions that the bucket does not have any more."""

import random
from collections.abc import Callable, Sequence

from pymysql.cursors import Cursor

from csv_importer.datasets import Datasets, Mode
from csv_importer.errors import ConfigurationError, FileRefused, TransientError
from csv_importer.feed import FeedConnection
from csv_importer.mysql_errors import translated
from csv_importer.objects import ObjectVersion
from csv_importer.ports import Past

type Log = Callable[..., None]

LOOKED_AT = 20
"""Imports that are looked at after each one: in the long run, about one in so many is kept in vain."""

_ENDED = (
    "status IN ('succeeded', 'failed') AND finished_at < CURRENT_TIMESTAMP(3) - INTERVAL %s DAY"
    " AND (undone_by IS NULL OR undone_at IS NOT NULL)"
)
# The newest import that has loaded rows says how old a dataset's data is: to check, status page and status.yml.
_NOT_NEWEST = (
    "(status = 'failed' OR EXISTS (SELECT 1 FROM csv_import AS later WHERE later.dataset = some.dataset"
    " AND later.status = 'succeeded' AND later.finished_at > some.finished_at AND later.rows_loaded > 0"
    " AND later.undone_by IS NULL))"
)
_WITHOUT_ROWS = "rows_loaded = 0 AND NOT EXISTS (SELECT 1 FROM csv_import_range WHERE import_id = some.id)"


def _condition(datasets: Datasets) -> tuple[str, list[str]]:
    """Return which imports no row of a table refers to or is told by, as a condition and its parameters.

    Rows in mode upsert, and imports in mode replace, are compared with the ledger, which says which version is newer.
    In a table that does not say which import a row is of, an undo needs all imports of a file to tell.
    """
    free = [""]
    without_rows = []
    for dataset in datasets.all:
        if dataset.mode is Mode.APPEND and dataset.import_id:
            free.append(dataset.name)
        elif dataset.mode is not Mode.REPLACE:
            without_rows.append(dataset.name)
    of_free = f"dataset IN ({', '.join(['%s'] * len(free))})"
    if not without_rows:
        return of_free, free
    of_others = f"dataset IN ({', '.join(['%s'] * len(without_rows))}) AND {_WITHOUT_ROWS}"
    return f"({of_free} OR {of_others})", [*free, *without_rows]


class MySqlPast:
    """Old imports in the ledger, through a connection that is in no transaction: see ports.Past."""

    def __init__(self, connection: FeedConnection) -> None:
        """Wrap a connection in autocommit mode."""
        self._connection = connection

    def some(
        self, bucket: str, days: int, datasets: Datasets, share: float, most: int
    ) -> Sequence[tuple[int, ObjectVersion]]:
        """Return old imports: see ports.Past. By the primary key, however many imports there are."""
        condition, names = _condition(datasets)
        with translated(), self._connection.cursor() as cursor:
            start = self._start(cursor, share)
            cursor.execute(
                "SELECT id, object_key, version_id, etag FROM (SELECT * FROM csv_import WHERE id >= %s ORDER BY id"  # noqa: S608 - no values
                f" LIMIT %s) AS some WHERE bucket = %s AND {_ENDED} AND {condition}"
                f" AND {_NOT_NEWEST}",
                (start, most, bucket, days, *names),
            )
            found = [(each[0], ObjectVersion(bucket, *each[1:])) for each in cursor.fetchall()]
        return [(import_id, version) for import_id, version in found if version.is_named]

    def forget(self, import_id: int, days: int) -> bool:
        """Delete an import: see ports.Past."""
        with translated(), self._connection.cursor() as cursor:
            return bool(cursor.execute(f"DELETE FROM csv_import WHERE id = %s AND {_ENDED}", (import_id, days)))  # noqa: S608 - no values

    @staticmethod
    def _start(cursor: Cursor, share: float) -> int:
        cursor.execute("SELECT MIN(id), MAX(id) FROM csv_import")
        ((first, last),) = cursor.fetchall()
        return int(first + share * (last - first + 1)) if first else 0


class Retention:
    """Deletes old imports, with their rejects, a few at a time."""

    def __init__(
        self,
        *,
        days: int,
        datasets: Datasets,
        exists: Callable[[ObjectVersion], bool],
        time_left: Callable[[], float],
        log: Log,
    ) -> None:
        """Keep what it needs.

        Args:
            days: Days after its end from which on an import may be forgotten.
            datasets: The datasets.
            exists: Returns whether the bucket still has an object version: see aws.S3Store.exists.
            time_left: Returns how many seconds of the invocation may still be used.
            log: Where to report.
        """
        self._days = days
        self._datasets = datasets
        self._exists = exists
        self._time_left = time_left
        self._log = log

    def run(self, past: Past, bucket: str) -> None:
        """Look at some old imports, and delete those whose object version does not exist any more.

        Nothing can import such a version again: S3 gives an id once. An error is logged, since this is no import's own
        work.

        Args:
            past: The old imports.
            bucket: The bucket, which exists.
        """
        deleted = 0
        try:
            share = random.random()  # noqa: S311 - where to look is no secret
            for import_id, version in past.some(bucket, self._days, self._datasets, share, LOOKED_AT):
                if self._time_left() <= 0:
                    break
                if not self._exists(version):
                    deleted += past.forget(import_id, self._days)
        except (TransientError, ConfigurationError, FileRefused) as error:
            self._log("Old imports could not be deleted (LEDGER_RETENTION_DAYS)", reason=str(error))
        if deleted:
            self._log("Old imports deleted", imports=deleted, days=self._days)
