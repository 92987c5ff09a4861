# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Remove the rows of one import from its table, in small transactions that the ledger counts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

RETRIES = 10
_RETRIED = (1205, 1213)
"""A lock wait timeout, a deadlock: an import writes the same rows."""

_AT_REST = ("succeeded", "failed", "interrupted")
"""What nobody works on."""

BY_LENGTH = 512

_HAS_RANGES = "EXISTS (SELECT 1 FROM csv_import_range WHERE import_id = csv_import.id)"
"""Whether several sessions have stored rows that an import which failed does not count yet."""


class UndoRefused(Exception):
    """The import cannot be undone; the message says why, and what to do."""


@dataclass(frozen=True)
class Undone:
    """What was done, or would be.

    Attributes:
        changed: Whether anything was, or would be.
        import_id: The import.
        dataset: Its dataset.
        table: The table.
        key: The object's key.
        rows: How many rows this run removed, or would remove.
        rows_undone: How many rows were removed in all.
        undone_by: Who began to undo it; None where nobody has.
        undone_at: When that had ended, in UTC; None while it has not.
    """

    changed: bool
    import_id: int
    dataset: str
    table: str
    key: str
    rows: int
    rows_undone: int
    undone_by: str | None
    undone_at: str | None


class Undo:
    """Undoes an import, through a connection of PyMySQL in autocommit mode that returns tuples.

    The ledger's row says who began (undone_by) before the first row is removed: from then on the importer does not
    touch the import any more. It counts the rows that were removed (rows_undone) in the transactions in which they are,
    and says when the last one was (undone_at).
    """

    def __init__(
        self,
        connection: Any,
        import_id: int,
        tables: Mapping[str, str],
        *,
        batch_rows: int = 5000,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Prepare.

        Args:
            connection: The connection.
            import_id: The import.
            tables: The table of each dataset.
            batch_rows: Rows of one transaction, in which as many are looked at or removed.
            sleep: Waits for some seconds.
        """
        self._connection = connection
        self._id = import_id
        self._tables = tables
        self._batch_rows = batch_rows
        self._sleep = sleep
        # What a statement looks at and does not remove must not stay locked.
        self._run("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")

    def plan(self) -> Undone:
        """Return what would be done, and change nothing.

        Raises:
            UndoRefused: It cannot be undone.
        """
        entry = self._entry()
        if entry["undone_at"]:
            return self._undone(entry, rows=0, changed=False)
        rows = _Rows(self, entry)
        rows.check()
        ((count,),) = self._query(f"SELECT COUNT(*) FROM `{rows.table}` WHERE {rows.condition}", *rows.parameters)  # noqa: S608 - a table of a dataset
        return self._undone(entry, rows=count, changed=True)

    def run(self, by: str) -> Undone:
        """Undo the import, or the rest of it.

        Args:
            by: Who does.

        Raises:
            UndoRefused: It cannot be undone.
        """
        entry = self._entry()
        if entry["undone_at"]:
            return self._undone(entry, rows=0, changed=False)
        if entry["undone_by"] is None:
            self._retried(lambda: self._begin(by))
            entry = self._entry()
        rows = _Rows(self, entry)
        before = entry["rows_undone"]
        for statement, parameters in rows.batches(self._batch_rows):
            if self._retried(partial(self._remove, statement, parameters)) == 0 and rows.indexed:
                break
        self._run(
            "UPDATE csv_import SET undone_at = CURRENT_TIMESTAMP(3) WHERE id = %s AND undone_at IS NULL", self._id
        )
        entry = self._entry()
        return self._undone(entry, rows=entry["rows_undone"] - before, changed=True)

    def table_of(self, dataset: str) -> str:
        """Return a dataset's table; empty where the dataset is not known."""
        return self._tables.get(dataset, "")

    def _begin(self, by: str) -> None:
        """Write into the ledger who undoes the import, unless it cannot be."""
        with self._transaction():
            entry = self._entry("FOR UPDATE")
            if entry["undone_by"] is not None:
                return
            rows = _Rows(self, entry)
            # Read before it is checked that no other import has such rows: those of a later one have higher ids.
            last = rows.last_id()
            rows.check()
            # One that is interrupted ends here: whoever would have gone on with it finds that it has failed.
            self._run(
                "UPDATE csv_import SET undone_by = %s, undo_last_id = %s,"
                " finished_at = COALESCE(finished_at, CURRENT_TIMESTAMP(3)),"
                " status = IF(status = 'interrupted', 'failed', status) WHERE id = %s",
                by[:BY_LENGTH],
                last,
                self._id,
            )

    def _remove(self, statement: str, parameters: tuple[Any, ...]) -> int:
        """Remove some rows and count them, in one transaction."""
        with self._transaction():
            # Whoever else undoes it waits here.
            self._query("SELECT 1 FROM csv_import WHERE id = %s FOR UPDATE", self._id)
            removed = self._run(statement, *parameters)
            if removed:
                self._run("UPDATE csv_import SET rows_undone = rows_undone + %s WHERE id = %s", removed, self._id)
        return removed

    def _retried[T](self, action: Callable[[], T]) -> T:
        for attempt in range(RETRIES):
            try:
                return action()
            except Exception as error:
                if attempt + 1 == RETRIES or not error.args or error.args[0] not in _RETRIED:
                    raise
                self._sleep(0.1 * 2**attempt)
        raise AssertionError

    def _entry(self, lock: str = "") -> dict[str, Any]:
        """Return the import's row in the ledger.

        Raises:
            UndoRefused: There is none, or an attempt may be at work on it.
        """
        names = ("status", "dataset", "object_key", "import_file", "rows_undone", "undone_by", "undo_last_id")
        expressions = dict(zip(names, names, strict=True)) | {
            "has_rows": f"rows_loaded > 0 OR {_HAS_RANGES}",
            "undone_at": "DATE_FORMAT(CONVERT_TZ(undone_at, @@session.time_zone, '+00:00'), '%%Y-%%m-%%d %%H:%%i:%%S')",
        }
        found = self._query(
            f"SELECT {', '.join(expressions.values())} FROM csv_import WHERE id = %s {lock}",  # noqa: S608 - no values
            self._id,
        )
        if not found:
            raise UndoRefused(f"There is no import {self._id}.")
        entry = dict(zip(expressions, found[0], strict=True))
        if entry["status"] not in _AT_REST:
            raise UndoRefused(
                f"Import {self._id} is still {entry['status']}: it can be undone after it has ended. Where its event"
                " was given up, replay.yml ends it."
            )
        return entry

    def _undone(self, entry: Mapping[str, Any], *, rows: int, changed: bool) -> Undone:
        return Undone(
            changed=changed,
            import_id=self._id,
            dataset=entry["dataset"],
            table=self.table_of(entry["dataset"]),
            key=entry["object_key"],
            rows=rows,
            rows_undone=entry["rows_undone"],
            undone_by=entry["undone_by"],
            undone_at=entry["undone_at"],
        )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.begin()
        try:
            yield
            self._connection.commit()
        except BaseException:
            if self._connection.open:
                self._connection.rollback()
            raise

    def _query(self, statement: str, *parameters: object) -> Any:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return cursor.fetchall()

    def _run(self, statement: str, *parameters: object) -> int:
        with self._connection.cursor() as cursor:
            return int(cursor.execute(statement, parameters or None))


class _Rows:
    """Which rows of which table are those of the import."""

    def __init__(self, undo: Undo, entry: Mapping[str, Any]) -> None:
        self._undo = undo
        self._entry = entry
        self.table = undo.table_of(entry["dataset"])
        columns = undo._query(
            "SELECT LOWER(c.column_name), MIN(s.seq_in_index) FROM information_schema.columns AS c"
            " LEFT JOIN information_schema.statistics AS s"
            " ON s.table_schema = c.table_schema AND s.table_name = c.table_name AND s.column_name = c.column_name"
            " WHERE c.table_schema = DATABASE() AND c.table_name = %s GROUP BY c.column_name",
            self.table,
        )
        self._columns: dict[str, int | None] = dict(columns)
        self.condition: str
        self.parameters: tuple[Any, ...]
        if self.by_id:
            self.condition, self.parameters = "import_id = %s", (undo._id,)
        else:
            # As bytes: the column's collation may ignore case, accents and spaces at the end.
            self.condition, self.parameters = "CAST(import_file AS BINARY) = %s", (entry["import_file"].encode(),)

    @property
    def by_id(self) -> bool:
        """Whether the table says which import a row is of."""
        return "import_id" in self._columns

    @property
    def indexed(self) -> bool:
        """Whether an index leads to them."""
        return self._columns.get("import_id") == 1

    def check(self) -> None:
        """Check that the rows are known.

        Raises:
            UndoRefused: They are not.
        """
        entry = self._entry
        if not self._columns:
            what = f"table {self.table} does not exist" if self.table else "this environment has no such dataset"
            raise UndoRefused(f"The import is of the dataset '{entry['dataset']}', and {what}.")
        if entry["undone_by"] is not None:
            return
        if self.by_id:
            self._check_ids()
            return
        others = self._undo._query(
            "SELECT id FROM csv_import WHERE import_file = %s AND dataset = %s AND id <> %s AND undone_at IS NULL"  # noqa: S608 - no values
            f" AND (rows_loaded > 0 OR {_HAS_RANGES} OR status NOT IN ('succeeded', 'failed')) ORDER BY id",
            entry["import_file"],
            entry["dataset"],
            self._undo._id,
        )
        if others:
            ids = ", ".join(str(other) for (other,) in others[:10])
            raise UndoRefused(
                f"Table {self.table} has no column import_id: rows are known by import_file only, and the import"
                f"{'s' if len(others) > 1 else ''} {ids} of the same file have, or may have, rows of their own. With"
                " csvToAurora:importId: true in the dataset's descriptor, each row says which import it is of."
            )

    def _check_ids(self) -> None:
        """Check that the import's rows are not from before the table had the column.

        Raises:
            UndoRefused: Some are.
        """
        ((older,),) = self._undo._query(
            f"SELECT EXISTS (SELECT 1 FROM `{self.table}` WHERE (import_id = 0 OR import_id IS NULL)"  # noqa: S608 - a table of a dataset
            " AND CAST(import_file AS BINARY) = %s)"
            f" AND NOT EXISTS (SELECT 1 FROM `{self.table}` WHERE import_id = %s)",
            self._entry["import_file"].encode(),
            self._undo._id,
        )
        if older and self._entry["has_rows"]:
            raise UndoRefused(
                f"Rows of import {self._undo._id} may be from before table {self.table} had the column import_id: it"
                " does not say which rows are the import's."
            )

    def last_id(self) -> int | None:
        """Return the newest row of a table that does not say which import a row is of."""
        if self.by_id or not self._columns:
            return None
        ((last,),) = self._undo._query(f"SELECT MAX(id) FROM `{self.table}`")  # noqa: S608 - a table of a dataset
        return last or 0

    def batches(self, size: int) -> Iterator[tuple[str, tuple[Any, ...]]]:
        """Yield statements that remove rows; where rows are indexed, the same one until it removes none."""
        delete = f"DELETE FROM `{self.table}` WHERE {self.condition}"  # noqa: S608 - a table of a dataset
        while self.indexed:
            yield f"{delete} LIMIT {size}", self.parameters
        query = self._undo._query
        last = self._entry["undo_last_id"]
        if last is None:
            ((last,),) = query(f"SELECT MAX(id) FROM `{self.table}`")  # noqa: S608 - a table of a dataset
        after = 0
        # The primary key is walked, so that each statement looks at no more rows than size.
        while last is not None and after < last:
            ((until,),) = query(
                f"SELECT MAX(id) FROM (SELECT id FROM `{self.table}`"  # noqa: S608 - a table of a dataset
                f" WHERE id > %s AND id <= %s ORDER BY id LIMIT {size}) AS next",
                after,
                last,
            )
            if until is None:
                return
            yield f"{delete} AND id > %s AND id <= %s", (*self.parameters, after, until)
            after = until
