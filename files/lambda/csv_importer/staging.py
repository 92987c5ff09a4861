# ruff: noqa: S608 - the names in the statements are those that a dataset may have; what else is put into them are numbers
"""Stores rows in a table with keys by way of a temporary table, so that it is known which rows the keys refuse.

LOAD DATA does not say which rows it left out for their key, and neither does INSERT IGNORE; REPLACE and ON DUPLICATE
KEY UPDATE act on whatever unique key a row hurts, which need not be the one that is meant. Here rows are compared
first. What is stored is what would be if the rows were stored one after another, in the order of the file: where that
is not certain, they are stored one by one.

The transactions are READ COMMITTED, so that each statement sees what other imports have stored. What they store
between two statements is an error of MySQL, never an altered row, and the rows are compared again.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

from pymysql.cursors import Cursor

from csv_importer.datasets import IMPORT_ID_COLUMN, Dataset, Mode
from csv_importer.errors import FileRefused, TransientError
from csv_importer.feed import FeedConnection
from csv_importer.fields import Column
from csv_importer.mysql_errors import DUPLICATE, MIGRATION, code_of, translated
from csv_importer.parsing import Block, Reject
from csv_importer.ports import RowsAltered, Stamp

STAGE = "csv_import_stage"
"""The temporary table, which other sessions do not see."""

ATTEMPTS = 3
"""How often rows are compared with the table before MySQL's refusal is not taken for a row that came in between."""

type Key = tuple[str, ...]


class Refusal(NamedTuple):
    """A row that is not stored.

    Attributes:
        column: The column with the error, or None where there is no single one.
        reason: What is wrong with it; never a value.
    """

    column: str | None
    reason: str


class Fill[T](Protocol):
    """Writes the rows of a block into the temporary table."""

    def encode(self, block: Block) -> T:
        """Prepare a block; called in the thread that parses."""

    def fill(self, block: Block, content: T, columns: Sequence[Column]) -> list[tuple[int, str]]:
        """Write the rows, in their order.

        Returns:
            The rows that the database refuses, by their place in the block, with the reason.

        Raises:
            RowsAltered: The database would not have stored the values as they are.
        """


class Staged[T]:
    """Stores rows by way of the temporary table: see ports.Loader."""

    def __init__(
        self, connection: FeedConnection, dataset: Dataset, types: Mapping[str, str], fill: Fill[T], rejects: int
    ) -> None:
        """Store the rows of a dataset through a connection.

        Args:
            connection: The connection.
            dataset: The dataset.
            types: The type of each of the table's columns, with character set and collation.
            fill: Writes rows into the temporary table.
            rejects: How many rejects there may be before no more blocks are taken: their text is in memory.
        """
        self._rejects = rejects
        self._connection = connection
        self._dataset = dataset
        self._types = types
        self._fill = fill

    def encode(self, block: Block) -> tuple[Block, T]:
        """Keep the rows and what they came from, for those that are refused."""
        return block, self._fill.encode(block)

    def load(
        self, contents: Iterator[tuple[Block, T]], columns: Sequence[Column], stamp: Stamp
    ) -> tuple[int, list[Reject]]:
        """Store rows: see ports.Loader."""
        stored = 0
        rejects: list[Reject] = []
        with self._connection.cursor() as cursor:
            stage = _Stage(cursor, self._dataset)
            merge = _MERGES[self._dataset.mode](stage, self._dataset, [column.name for column in columns], stamp)
            stage.create(self._types)
            for block, content in contents:
                if not len(block):
                    continue
                refused = {index: Refusal(None, reason) for index, reason in self._fill.fill(block, content, columns)}
                places = stage.added([index for index in range(len(block)) if index not in refused])
                refused |= {places[row]: refusal for row, refusal in merge.all(sorted(places)).items()}
                rejects += [block.reject(index, *refused[index]) for index in sorted(refused)]
                stored += len(block) - len(refused)
                if len(rejects) >= self._rejects:
                    break
            stage.drop()
        return stored, rejects


class _Stage:
    """The temporary table: the columns of a dataset, and seq, which numbers the rows in the order of the file."""

    def __init__(self, cursor: Cursor, dataset: Dataset) -> None:
        self._cursor = cursor
        self._columns = [column.name for column in dataset.columns]
        self._table = dataset.table
        self._last = 0

    def create(self, types: Mapping[str, str]) -> None:
        """Create it; neither this nor drop ends a transaction."""
        missing = [name for name in self._columns if name.lower() not in types]
        if missing:
            raise TransientError(f"table {self._table} lacks {', '.join(missing)}; {MIGRATION}")
        self.drop()
        columns = ", ".join(f"`{name}` {types[name.lower()]} NULL" for name in self._columns)
        try:
            self.run(
                f"CREATE TEMPORARY TABLE {STAGE} (seq INT UNSIGNED AUTO_INCREMENT PRIMARY KEY, {columns}) ENGINE=InnoDB"
            )
        except RowsAltered as refusal:
            raise FileRefused(f"the statement that creates a temporary table cannot be sent: {refusal}") from refusal

    def drop(self) -> None:
        """Drop it."""
        self.run(f"DROP TEMPORARY TABLE IF EXISTS {STAGE}")

    def added(self, places: Sequence[int]) -> dict[int, int]:
        """Return where each row that was added since the last call is in its block.

        Args:
            places: These places, in their order.

        Raises:
            RowsAltered: It is another number of rows.
        """
        added = f"FROM {STAGE} WHERE seq > {self._last}"
        ((first, last, count),) = self.find(f"SELECT MIN(seq), MAX(seq), COUNT(*) {added}")
        rows: Sequence[int] = range(first, last + 1) if count else ()
        if len(rows) != count:
            # MySQL leaves numbers out after a statement that inserts some of its rows only.
            rows = [row for (row,) in self.find(f"SELECT seq {added} ORDER BY seq")]
        if len(rows) != len(places):
            raise RowsAltered(f"{len(places)} rows were sent, {len(rows)} arrived")
        self._last = rows[-1] if rows else self._last
        return dict(zip(rows, places, strict=True))

    def find(self, statement: str, *parameters: object) -> Sequence[tuple[Any, ...]]:
        """Return what a query finds."""
        with translated():
            self._cursor.execute(statement, parameters or None)
            return self._cursor.fetchall()

    def run(self, statement: str, *parameters: object) -> int:
        """Run a statement; return how many rows it took."""
        with translated():
            return self._cursor.execute(statement, parameters or None)

    def write(self, statement: str, parameters: Sequence[object], expected: int) -> None:
        """Run a statement that stores rows.

        Raises:
            RowsAltered: It stores another number of rows than expected, or not as they are.
        """
        taken = self.run(statement, *parameters)
        if taken != expected or self._cursor.warning_count:
            raise RowsAltered(f"{expected} rows were sent, {taken} stored, with {self._cursor.warning_count} warnings")

    @contextmanager
    def undone_on_refusal(self) -> Iterator[None]:
        """Undo what is done within where the database refuses a row."""
        self.run("SAVEPOINT csv_import_merge")
        try:
            yield
        except RowsAltered:
            self.run("ROLLBACK TO SAVEPOINT csv_import_merge")
            raise

    def found_in_table(self, rows: Sequence[int], key: Key, what: str = "0", condition: str = "") -> dict[int, int]:
        """Return those of some rows whose key the table has, with what the table has for it."""
        same = " AND ".join(f"t.`{name}` = s.`{name}`" for name in key)
        return dict(
            self.find(
                f"SELECT s.seq, {what} FROM {STAGE} AS s STRAIGHT_JOIN `{self._table}` AS t ON {same}"
                f" WHERE {among(rows, rows, 's.seq')} {condition}"
            )
        )

    def writers(self, rows: Sequence[int], key: Key) -> dict[int, int]:
        """Lock the table's rows that have the same keys; return how many are of which import."""
        same = " AND ".join(f"t.`{name}` = s.`{name}`" for name in key)
        return dict(
            self.find(
                f"SELECT t.import_id, COUNT(*) FROM {STAGE} AS s STRAIGHT_JOIN `{self._table}` AS t ON {same}"
                f" WHERE {among(rows, rows, 's.seq')} GROUP BY t.import_id FOR UPDATE OF t"
            )
        )

    def groups(self, rows: Sequence[int], key: Key) -> dict[int, int]:
        """Return those of some rows that share their key with others of them, each with the first one of its group."""
        names = ", ".join(f"`{name}`" for name in key)
        present = " AND ".join(f"`{name}` IS NOT NULL" for name in key)
        return dict(
            self.find(
                "SELECT seq, first FROM (SELECT seq, MIN(seq) OVER same AS first, COUNT(*) OVER same AS rows_of_key"
                f" FROM {STAGE} WHERE {among(rows, rows)} AND {present}"
                f" WINDOW same AS (PARTITION BY {names})) AS counted"
                " WHERE rows_of_key > 1"
            )
        )


class _Merge:
    """Moves rows from the temporary table into the table."""

    def __init__(self, stage: _Stage, dataset: Dataset, columns: Sequence[str], stamp: Stamp) -> None:
        self._stage = stage
        self._dataset = dataset
        self._table = dataset.table
        self._columns = columns
        self._stamp = stamp
        self._keys = [key for key in dataset.keys if {*key} <= {*columns}]

    def all(self, rows: Sequence[int]) -> dict[int, Refusal]:
        """Store rows, in their order; where the database refuses one, halve them until it is alone.

        Args:
            rows: Their numbers in the temporary table, without any gap that matters: others between them are refused.

        Returns:
            Those that are refused.
        """
        if not rows:
            return {}
        for attempt in range(ATTEMPTS):
            try:
                with self._stage.undone_on_refusal():
                    return self._store(rows)
            except RowsAltered as refusal:
                if code_of(refusal.__cause__) == DUPLICATE and attempt + 1 < ATTEMPTS:
                    continue
                if len(rows) == 1:
                    return {rows[0]: Refusal(None, f"the database refuses it: {refusal}")}
                break
        middle = len(rows) // 2
        return self.all(rows[:middle]) | self.all(rows[middle:])

    def _store(self, rows: Sequence[int]) -> dict[int, Refusal]:
        """Store rows, or raise RowsAltered; return those that are refused."""
        raise NotImplementedError

    def _insert(self, rows: Sequence[int], chosen: Collection[int]) -> None:
        """Add some of the rows to the table."""
        if not chosen:
            return
        names = ", ".join(f"`{name}`" for name in self._columns)
        stamps = ", ".join(f"`{name}`" for name in self._stamp)
        self._stage.write(
            f"INSERT INTO `{self._table}` ({names}, {stamps})"
            f" SELECT {names}, {', '.join(['%s'] * len(self._stamp))} FROM {STAGE}"
            f" WHERE {among(rows, chosen)} ORDER BY seq",
            [*self._stamp.values()],
            len(chosen),
        )


class _Append(_Merge):
    """Each row is added; of two with the same key, the later is refused."""

    def _store(self, rows: Sequence[int]) -> dict[int, Refusal]:
        in_table = [self._stage.found_in_table(rows, key) for key in self._keys]
        groups = [self._stage.groups(rows, key) for key in self._keys]
        taken: list[set[int]] = [set() for _ in self._keys]
        refused: dict[int, Refusal] = {}
        for row in sorted(set().union(*in_table, *groups)):
            hurt = [
                key
                for key, known, group, gone in zip(self._keys, in_table, groups, taken, strict=True)
                if row in known or group.get(row) in gone
            ]
            if hurt:
                refused[row] = second_row(hurt[0])
                continue
            for group, gone in zip(groups, taken, strict=True):
                if row in group:
                    gone.add(group[row])
        self._insert(rows, [row for row in rows if row not in refused])
        return refused


class _Upsert(_Merge):
    """Each row takes the place of the row with the same key, or is added; newer imports' rows stay as they are."""

    def _store(self, rows: Sequence[int]) -> dict[int, Refusal]:
        key, *others = self._dataset.keys
        others = [other for other in others if other in self._keys]
        keyless = self._keyless(rows, key)
        present, outdated = self._in_table(rows, key)
        doubtful = self._doubtful(rows, key, others)
        if doubtful and len(rows) > 1:
            return self._one_by_one(rows, doubtful.keys())
        refused = dict.fromkeys(keyless, no_key(key))
        refused |= {
            row: second_row(other) for row, other in doubtful.items() if row not in outdated and row not in refused
        }
        superseded = self._superseded(rows, key)
        current = [row for row in rows if not (row in refused or row in outdated or row in superseded)]
        self._update(rows, [row for row in current if row in present], key)
        self._insert(rows, [row for row in current if row not in present])
        return refused

    def _in_table(self, rows: Sequence[int], key: Key) -> tuple[set[int], set[int]]:
        """Return the rows whose key the table has, and those of them that newer imports have written.

        The table's rows are locked, so that no other import writes them before this one does.
        """
        writers = self._stage.writers(rows, key)
        newer = self._newer({*writers})
        if not writers:
            return set(), set()
        if not newer and sum(writers.values()) == len(rows):
            return {*rows}, set()
        found = self._stage.found_in_table(rows, key, "t.import_id")
        return {*found}, {row for row, writer in found.items() if writer in newer}

    def _keyless(self, rows: Sequence[int], key: Key) -> list[int]:
        if key in self._keys and not any(column.nullable for column in self._dataset.columns if column.name in key):
            return []
        missing = " OR ".join(f"`{name}` IS NULL" for name in key)
        found = self._stage.find(f"SELECT seq FROM {STAGE} WHERE {among(rows, rows)} AND ({missing})")
        return [row for (row,) in found]

    def _newer(self, imports: set[int]) -> set[int]:
        """Return those of some imports whose object versions are newer than this one's."""
        mine = self._stamp[IMPORT_ID_COLUMN]
        others = imports - {mine}
        if not others:
            return set()
        found = self._stage.find(
            f"SELECT other.id FROM csv_import AS other JOIN csv_import AS mine ON mine.id = %s"
            f" WHERE other.id IN ({listed(others)}) AND {NEWER}",
            mine,
        )
        return {other for (other,) in found}

    def _doubtful(self, rows: Sequence[int], key: Key, others: Sequence[Key]) -> dict[int, Key]:
        """Return rows that share another key with a row that is, or may be, not the one whose place they take."""
        found: dict[int, Key] = {}
        elsewhere = " AND ".join(f"t.`{name}` <=> s.`{name}`" for name in key)
        for other in others:
            doubtful = {*self._stage.found_in_table(rows, other, condition=f"AND NOT ({elsewhere})")}
            places = self._stage.groups(rows, other)
            if places:
                same = self._stage.groups(rows, (*other, *key))
                mixed = {places[row] for row in places if places[row] != same.get(row)}
                doubtful |= {row for row, first in places.items() if first in mixed}
            found |= dict.fromkeys(doubtful - found.keys(), other)
        return found

    def _one_by_one(self, rows: Sequence[int], doubtful: Collection[int]) -> dict[int, Refusal]:
        """Store the doubtful rows each by itself, and those between them together."""
        refused: dict[int, Refusal] = {}
        since: list[int] = []
        for row in rows:
            if row in doubtful:
                refused |= self.all(since) | self.all([row])
                since = []
            else:
                since.append(row)
        return refused | self.all(since)

    def _superseded(self, rows: Sequence[int], key: Key) -> set[int]:
        """Return the rows that have the same key as a later one of them."""
        last: dict[int, int] = {}
        groups = self._stage.groups(rows, key)
        for row, first in groups.items():
            last[first] = max(row, last.get(first, 0))
        return {row for row, first in groups.items() if row != last[first]}

    def _update(self, rows: Sequence[int], chosen: Collection[int], key: Key) -> None:
        """Have some of the rows take the places of those with the same key; id and created_at stay."""
        if not chosen:
            return
        same = " AND ".join(f"t.`{name}` = s.`{name}`" for name in key)
        values = {name: f"s.`{name}`" for name in self._columns}
        values |= {column.name: "DEFAULT" for column in self._dataset.columns if column.name not in values}
        values |= dict.fromkeys(self._stamp, "%s")
        assignments = ", ".join(f"t.`{name}` = {value}" for name, value in values.items())
        self._stage.write(
            f"UPDATE {STAGE} AS s STRAIGHT_JOIN `{self._table}` AS t ON {same} SET {assignments}"
            f" WHERE {among(rows, chosen, 's.seq')}",
            [*self._stamp.values()],
            len(chosen),
        )


_MERGES: Mapping[Mode, type[_Merge]] = {Mode.APPEND: _Append, Mode.REPLACE: _Append, Mode.UPSERT: _Upsert}

NEWER = "(other.object_modified, other.sequencer, other.id) > (mine.object_modified, mine.sequencer, mine.id)"
"""That one of two imports in the ledger, other and mine, is of the newer object version."""


def second_row(key: Key) -> Refusal:
    """Return that there is a row with the same key."""
    return Refusal(key[0] if len(key) == 1 else None, f"a second row with the key {', '.join(key)}")


def no_key(key: Key) -> Refusal:
    """Return that a row cannot be told from others."""
    return Refusal(
        key[0] if len(key) == 1 else None,
        f"no value for the key {', '.join(key)}, which says whose place the row takes",
    )


def among(rows: Sequence[int], chosen: Collection[int], column: str = "seq") -> str:
    """Return the condition that a row is among the chosen ones of some rows; those left out are named where fewer."""
    first, last = rows[0], rows[-1]
    within = f"{column} BETWEEN {first} AND {last}"
    if len(chosen) == last - first + 1:
        return within
    if 2 * len(chosen) <= last - first + 1:
        return f"{column} IN ({listed(chosen)})"
    return f"{within} AND {column} NOT IN ({listed({*range(first, last + 1)}.difference(chosen))})"


def listed(numbers: Collection[int]) -> str:
    """Return numbers as they are in a list of SQL."""
    return ", ".join(map(str, sorted(numbers)))
