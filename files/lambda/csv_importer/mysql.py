"""The ledger, the rejects and the rows in MySQL."""

import hmac
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pymysql
from pymysql.constants import CLIENT
from pymysql.cursors import Cursor

from csv_importer.datasets import IMPORT_FILE_COLUMN, IMPORT_ID_COLUMN, IMPORT_ID_TYPE, Dataset, Mode
from csv_importer.errors import ConfigurationError, TransientError
from csv_importer.events import Event, has_many_rejects
from csv_importer.feed import FEED_NAME, FeedConnection
from csv_importer.fields import Column
from csv_importer.ledger import MySqlLedger
from csv_importer.limits import DEFAULTS, Limits
from csv_importer.mysql_errors import (
    COMMAND_DENIED,
    DUPLICATE,
    LOGIN_REFUSED,
    MIGRATION,
    code_of,
    transaction,
    translated,
)
from csv_importer.objects import IMPORT_FILE_LENGTH, ObjectVersion
from csv_importer.outbox import EVENTS, TAGS, MySqlOutbox, add_event, add_tag
from csv_importer.parsing import Block, Position, Reject
from csv_importer.ports import (
    NOTHING_AFTER,
    After,
    Counts,
    Credentials,
    Entry,
    Loader,
    Range,
    RowsAltered,
    Secrets,
    Stamp,
    Status,
    Superseded,
)
from csv_importer.retention import MySqlPast
from csv_importer.staging import NEWER, STAGE, Fill, Staged, listed

CONNECT_TIMEOUT = 10
"""Seconds to wait for a connection."""

READ_TIMEOUT = 120
"""Seconds to wait for an answer: longer than the server itself waits for a lock or for a client."""

SESSION = {"wait_timeout": 60, "net_read_timeout": 60, "net_write_timeout": 60}
"""The server ends a session that is idle for a minute, and with it the lock of a client that has died."""

LEAST_PACKET = 32 * 1024
"""Bytes of max_allowed_packet with which ledger and rejects can be written: a reject may have 10,000."""

IDS = 1000
"""Ids of imports in one statement: 22,000 bytes, however many versions an object has had."""

BRIEFLY = 3
"""Seconds to wait for a connection, or for an answer, at the end of an invocation's time."""

REASON_LENGTH = 1000
"""Characters of the longest reason that the ledger holds."""


_ATTEMPT = "SELECT 1 FROM csv_import WHERE id = %s AND attempts = %s AND status = %s"
_CHANGED = "the ledger's row was changed by another session"

_SAME_KEY = (
    "other.import_file = %s AND CAST(other.object_key AS BINARY) = %s AND other.bucket = %s AND other.dataset = %s"
)


class MySqlDatabase:
    """The cluster's writer, with the importer's user."""

    def __init__(  # noqa: PLR0913 - four by name
        self,
        secrets: Secrets,
        ca_file: Path,
        request_id: str,
        *,
        limits: Limits = DEFAULTS,
        after: After = NOTHING_AFTER,
        clock: Callable[[], float] = time.monotonic,
        connect: Callable[..., FeedConnection] = FeedConnection,
    ) -> None:
        """Keep what connections need.

        Args:
            secrets: Where endpoint, user and password come from.
            ca_file: The CA certificates that the server's certificate is verified with, PEM.
            request_id: The invocation, for the ledger.
            limits: Sizes and times.
            after: What is left to do once an import has ended.
            clock: Seconds, from any start.
            connect: Connects, with the options of FeedConnection.
        """
        self._secrets = secrets
        self._ca_file = ca_file
        self._request_id = request_id
        self._limits = limits
        self._after = after
        self._clock = clock
        self._connect = connect
        # By object version: the id of the import, and the number of the attempt that this invocation has begun.
        self._begun: dict[str, tuple[int, int]] = {}

    @contextmanager
    def open(self, version: ObjectVersion, dataset: Dataset | None, timeout: float) -> "Iterator[MySqlSession | Entry]":
        """Connect and take the lock of an object version: see ports.Database."""
        connection, lock_key = self._logged_in()
        try:
            session = MySqlSession(
                connection, version, dataset, self._request_id, limits=self._limits, after=self._after
            )
            session.prepare(lock_key)
            held = session.lock(lock_name(version, lock_key), timeout, self._clock)
            try:
                yield session if held is None else held
            finally:
                if session.begun:
                    self._begun[version.digest] = session.begun
        finally:
            # Sends no COM_QUIT over a connection that is in the middle of a statement.
            with _quietly():
                connection.close()

    @contextmanager
    def open_more(self, version: ObjectVersion, dataset: Dataset) -> "Iterator[MySqlSession]":
        """Connect once more: see ports.Database."""
        connection, _ = self._logged_in()
        try:
            yield MySqlSession(connection, version, dataset, self._request_id, limits=self._limits, after=self._after)
        finally:
            with _quietly():
                connection.close()

    @contextmanager
    def ledger(self) -> Iterator[MySqlLedger]:
        """Connect for what concerns all imports.

        Raises:
            TransientError: The database cannot be reached or used now.
            ConfigurationError: The secret, the certificate or the user is wrong.
        """
        connection, _ = self._logged_in()
        try:
            yield MySqlLedger(connection)
        finally:
            with _quietly():
                connection.close()

    def interrupt(self, version: ObjectVersion, reason: str) -> None:
        """Write that nobody works on an import now: see ports.Database."""
        begun = self._begun.get(version.digest)
        if begun is None:
            return
        connection, _ = self._logged_in(briefly=True)
        try:
            with translated(), connection.cursor() as cursor:
                # What was only checked begins again: as with a failed import, a position means rows in the table.
                cursor.execute(
                    "UPDATE csv_import SET byte_offset = IF(status = 'checking', 0, byte_offset),"
                    " line_number = IF(status = 'checking', 0, line_number),"
                    " rows_read = IF(status = 'checking', 0, rows_read),"
                    " rows_loaded = IF(status = 'checking', 0, rows_loaded),"
                    " rows_rejected = IF(status = 'checking', 0, rows_rejected),"
                    " rows_blank = IF(status = 'checking', 0, rows_blank), reason = %s, status = 'interrupted'"
                    " WHERE id = %s AND attempts = %s AND request_id = %s AND status IN ('checking', 'running')",
                    (reason[:REASON_LENGTH], *begun, self._request_id),
                )
        except RowsAltered as error:
            raise ConfigurationError(f"the ledger does not take the status: {error}; {MIGRATION}") from error
        finally:
            with _quietly():
                connection.close()

    def _logged_in(self, *, briefly: bool = False) -> tuple[FeedConnection, str]:
        """Return a connection, and the key for names of locks."""
        try:
            with translated():
                credentials = self._secrets.credentials()
                return self._connect_with(credentials, briefly=briefly), credentials.lock_key
        except ConfigurationError as error:
            if code_of(error.__cause__) not in LOGIN_REFUSED:
                raise
        with translated():
            credentials = self._secrets.credentials(fresh=True)
            return self._connect_with(credentials, briefly=briefly), credentials.lock_key

    def _connect_with(self, credentials: Credentials, *, briefly: bool) -> FeedConnection:
        connection = self._connect(
            host=credentials.host,
            port=credentials.port,
            user=credentials.user,
            password=credentials.password,
            database=credentials.database,
            charset="utf8mb4",
            local_infile=True,
            # So that an update which changes nothing counts the row as found.
            client_flag=CLIENT.FOUND_ROWS,
            autocommit=True,
            connect_timeout=BRIEFLY if briefly else CONNECT_TIMEOUT,
            read_timeout=BRIEFLY if briefly else READ_TIMEOUT,
            write_timeout=BRIEFLY if briefly else READ_TIMEOUT,
            ssl=self._tls(),
            program_name="csv-importer",
        )
        try:
            self._prepare(connection, BRIEFLY - 1 if briefly else self._limits.row_lock_timeout)
        except BaseException:
            # Not when it is collected: the server may have no connection left for another try.
            with _quietly():
                connection.close()
            raise
        return connection

    def _prepare(self, connection: FeedConnection, row_lock_timeout: int) -> None:
        session = {**SESSION, "innodb_lock_wait_timeout": row_lock_timeout}
        settings = ", ".join(f"{name} = {value:d}" for name, value in session.items())
        with connection.cursor() as cursor:
            cursor.execute(f"SET SESSION {settings}, sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'")
            cursor.execute("SELECT @@innodb_read_only OR @@read_only, @@max_allowed_packet")
            ((read_only, packet),) = cursor.fetchall()
        if read_only:
            raise pymysql.OperationalError(1836, "the server is read-only")
        if packet < LEAST_PACKET:
            raise ConfigurationError(
                f"max_allowed_packet of the server is {packet}: it has to be {LEAST_PACKET} or more"
            )
        connection.max_allowed_packet = packet

    def _tls(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=str(self._ca_file))
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(f"{self._ca_file} holds no CA certificates: {error}") from error
        # Some CA certificates in use do not meet RFC 5280 in all points; chain and name are verified in full.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return context


def lock_name(version: ObjectVersion, key: str) -> str:
    """Return the name of an object version's lock, which nobody knows who does not have the key."""
    return _secret_name(version.digest, key)


def _secret_name(what: str, key: str) -> str:
    """Return the name of a lock.

    Any user of the server may hold any named lock, and needs no privilege for it
    (https://dev.mysql.com/doc/refman/8.4/en/locking-functions.html). Without the key nobody knows the name.
    """
    digest = hmac.digest(key.encode(), what.encode(), "sha256").hex()
    # A name has 64 characters at most.
    return f"csv_import:{digest[:48]}"


class MySqlSession:
    """A connection for one object version: see ports.Session."""

    def __init__(  # noqa: PLR0913 - two by name
        self,
        connection: FeedConnection,
        version: ObjectVersion,
        dataset: Dataset | None,
        request_id: str,
        *,
        limits: Limits,
        after: After,
    ) -> None:
        """Wrap a connection.

        Args:
            connection: The connection, in autocommit mode.
            version: The object version.
            dataset: The dataset that it belongs to; None where none takes it, so that only the ledger is written.
            request_id: The invocation, for the ledger.
            limits: Sizes.
            after: What is left to do once an import has ended.
        """
        self._connection = connection
        self._version = version
        self._dataset = dataset
        self._request_id = request_id
        self._limits = limits
        self._after = after
        self._lock_key = ""
        self.locked = False
        # The id of the import, and the number of the attempt that claim has begun.
        self.begun: tuple[int, int] | None = None

    @property
    def bulk_loaders(self) -> "Sequence[Loader[Any]]":
        """LOAD DATA LOCAL, where the server allows it: see ports.Session."""
        with translated():
            ((enabled,),) = self._query("SELECT @@local_infile")
        if not enabled:
            return ()
        direct = LoadData(self._connection, self._table)
        if not self._required.staged:
            return (direct,)
        staged = self._staged(_BulkFill(self._connection))
        # An upsert has to know which rows the table has.
        return (staged,) if self._required.mode is Mode.UPSERT else (direct, staged)

    @property
    def row_loader(self) -> "Loader[Any]":
        """INSERT with several rows, in strict mode: see ports.Session."""
        if self._required.staged:
            return self._staged(_RowFill(self._connection, self._limits.insert_rows))
        return MultiRowInsert(self._connection, self._table, self._limits.insert_rows)

    @property
    def events(self) -> MySqlOutbox[Event]:
        """The events: see ports.Session."""
        return MySqlOutbox(self._connection, EVENTS)

    @property
    def tags(self) -> MySqlOutbox[ObjectVersion]:
        """The objects to be tagged: see ports.Session."""
        return MySqlOutbox(self._connection, TAGS)

    @property
    def past(self) -> MySqlPast:
        """Old imports: see ports.Session."""
        return MySqlPast(self._connection)

    def _staged[T](self, fill: Fill[T]) -> Staged[T]:
        return Staged(self._connection, self._required, self._types(), fill, self._limits.batch_rejects)

    def _types(self) -> Mapping[str, str]:
        """Return the types of the table's columns: keys are compared as the table's indexes do."""
        with translated():
            rows = self._query(
                "SELECT LOWER(column_name), column_type, character_set_name, collation_name"
                " FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = %s",
                self._table,
            )
        return {
            name: f"{kind} CHARACTER SET {charset} COLLATE {collation}" if charset else kind
            for name, kind, charset, collation in rows
        }

    @property
    def _table(self) -> str:
        return self._required.table

    @property
    def _required(self) -> Dataset:
        if self._dataset is None:
            raise LookupError("an object that no dataset takes has no table")
        return self._dataset

    def prepare(self, lock_key: str) -> None:
        """Have each statement see what others have committed, where rows are compared with those of the table.

        Args:
            lock_key: The key for names of locks.
        """
        self._lock_key = lock_key
        if self._dataset and (self._dataset.staged or self._dataset.mode is not Mode.APPEND):
            with translated():
                self._query("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")

    def lock(self, name: str, timeout: float, clock: Callable[[], float]) -> Entry | None:
        """Take the object version's lock.

        Args:
            name: The lock's name.
            timeout: How long to wait, in seconds.
            clock: Seconds, from any start.

        Returns:
            None, where the import is this session's; else the ledger's row: another invocation ended the import, or
            makes progress with it. That invocation has an event of its own, which is retried if it
            fails, so nothing is lost by leaving the import to it.

        Raises:
            TransientError: The lock stays taken, the ledger shows no progress, and there is no time to wait longer.
        """
        first = None
        until = clock() + timeout
        while True:
            with translated():
                ((taken,),) = self._query("SELECT GET_LOCK(%s, 1)", name)
            if taken:
                self.locked = True
                return None
            entry = self._find()
            if entry and entry.status.ended:
                return entry
            # The last write of this invocation may still be under way through a connection that it lost.
            moved = entry and first and (entry.position, entry.ranges) != (first.position, first.ranges)
            # One that is interrupted is worked on by nobody: its lock is free soon.
            at_work = entry and entry.status is not Status.INTERRUPTED
            if entry and moved and at_work and entry.request_id != self._request_id:
                return entry
            first = first or entry
            if clock() >= until:
                if timeout >= self._limits.lock_timeout:
                    # Not held by an importer that has died, whose session the server has ended by now.
                    return None
                raise TransientError("the import is locked by a session that shows no progress")

    def claim(self, *, replay: bool, checking: bool) -> Entry:
        """Read the ledger's row, having counted this attempt: see ports.Session."""
        entry, attempt = self._find(), 1
        if entry is None:
            self._begin(checking=checking)
        elif not entry.status.ended or (replay and entry.status is Status.FAILED and not entry.undone):
            self._begin_again(entry, checking=checking)
            attempt = entry.attempts + 1
        else:
            return entry
        claimed = self._find()
        if claimed is None:
            raise TransientError("the ledger's row is gone")
        if claimed.attempts != attempt:
            # Begun once more, without the lock: two that took the same number would both be let in.
            raise TransientError(_CHANGED)
        self.begun = claimed.import_id, claimed.attempts
        if claimed.ranges:
            with self.transaction():
                return self.fold(claimed, ())
        return claimed

    def _begin(self, *, checking: bool) -> None:
        try:
            with translated():
                self._query(
                    "INSERT INTO csv_import (version_hash, bucket, object_key, version_id, etag, object_modified,"
                    " sequencer, import_file, dataset, status, attempts, request_id)"
                    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 1, %s)",
                    self._version.digest,
                    self._version.bucket,
                    self._version.key,
                    self._version.version_id,
                    self._version.etag,
                    self._version.modified,
                    self._version.sequencer,
                    self._version.import_file,
                    self._name,
                    (Status.CHECKING if checking else Status.RUNNING).value,
                    self._request_id,
                )
        except RowsAltered as error:
            if code_of(error.__cause__) == DUPLICATE:
                raise TransientError("another session has begun the import") from error
            raise ConfigurationError(f"the database refuses a row of csv_import: {error}") from error

    def _begin_again(self, entry: Entry, *, checking: bool) -> None:
        # What has rows in a table goes on there: another dataset may have taken over the key since.
        name = entry.dataset if entry.has_begun else self._name
        # A file that failed, or was interrupted, before its first row is checked again; one that did so later is not,
        # since rows of it are in the table.
        again = Status.CHECKING if checking and not entry.has_begun else Status.RUNNING
        with translated(), self._connection.cursor() as cursor:
            found = cursor.execute(
                "UPDATE csv_import SET dataset = %s, status = %s, attempts = attempts + 1, request_id = %s,"
                " reason = NULL, finished_at = NULL"
                " WHERE id = %s AND attempts = %s AND byte_offset = %s AND status = %s AND undone_by IS NULL",
                (
                    name,
                    (again if entry.status in (Status.FAILED, Status.INTERRUPTED) else entry.status).value,
                    self._request_id,
                    entry.import_id,
                    entry.attempts,
                    entry.position.offset,
                    entry.status.value,
                ),
            )
        if found != 1:
            raise TransientError(_CHANGED)

    @property
    def _name(self) -> str:
        return self._dataset.name if self._dataset else ""

    def check_table(self) -> None:
        """Compare the table with the dataset: see ports.Session."""
        table = self._table
        title = f"table {table} is not as the dataset needs it"
        with translated():
            rows = self._query(
                "SELECT column_name, column_type, character_set_name, is_nullable = 'YES',"
                " is_nullable = 'NO' AND column_default IS NULL AND extra = '' FROM information_schema.columns"
                " WHERE table_schema = DATABASE() AND table_name = %s",
                table,
            )
        if not rows:
            raise TransientError(f"table {table} is missing, or the importer may not use it; {MIGRATION}")
        missing = {column.name.lower(): (column.sql_type, column.nullable) for column in self._required.columns}
        missing[IMPORT_FILE_COLUMN] = (f"varchar({IMPORT_FILE_LENGTH})", False)
        if self._required.import_id:
            missing[IMPORT_ID_COLUMN] = (IMPORT_ID_TYPE, False)
        for name, kind, charset, nullable, demanded in rows:
            wanted, null = missing.pop(name.lower(), (None, False))
            if wanted is None:
                if demanded:
                    raise TransientError(f"{title}: {name} is none of its columns, and has no default; {MIGRATION}")
            elif kind != wanted:
                raise TransientError(f"{title}: {name} is {kind} instead of {wanted}; {MIGRATION}")
            elif charset not in (None, "utf8mb4"):
                raise TransientError(f"{title}: {name} is in {charset} instead of utf8mb4; {MIGRATION}")
            elif null and not nullable:
                raise TransientError(f"{title}: {name} does not take NULL; {MIGRATION}")
        if missing:
            raise TransientError(f"{title}: it lacks {', '.join(missing)}; {MIGRATION}")
        if self._required.keys:
            self._check_keys(title)

    def _check_keys(self, title: str) -> None:
        """Check that the table has the unique indexes which look after the dataset's keys."""
        with translated():
            rows = self._query(
                "SELECT index_name, column_name FROM information_schema.statistics"
                " WHERE table_schema = DATABASE() AND table_name = %s AND non_unique = 0 AND sub_part IS NULL",
                self._table,
            )
        indexes: dict[str, set[str]] = {}
        for index, column in rows:
            indexes.setdefault(index, set()).add(str(column).lower())
        for key in self._required.keys:
            if {name.lower() for name in key} not in indexes.values():
                raise TransientError(f"{title}: it lacks a unique index of {', '.join(key)}; {MIGRATION}")

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Take a lock that all sessions of the table take after a deadlock: see ports.Session.

        It is not needed for what is stored to be right, but each of them gets on.
        """
        with translated():
            ((schema,),) = self._query("SELECT DATABASE()")
            name = _secret_name(f"{schema}.{self._table}", self._lock_key)
            self._query("SELECT GET_LOCK(%s, %s)", name, self._limits.row_lock_timeout)
        try:
            yield
        finally:
            # A connection that is lost has lost its locks, too.
            with _quietly():
                self._query("SELECT RELEASE_LOCK(%s)", name)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit at the end; roll back on an exception: see ports.Session."""
        with transaction(self._connection):
            yield

    def reject(self, entry: Entry, rejects: Sequence[Reject]) -> None:
        """Store rejects: see ports.Session."""
        if not rejects:
            return
        with translated(), self._connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO csv_import_reject (import_id, line_number, column_name, reason, raw_text)"
                " VALUES (%s, %s, %s, %s, %s)",
                [(entry.import_id, *reject) for reject in rejects],
            )

    def forget(self, days: int, most: int) -> int:
        """Delete old rejects: see ports.Session."""
        deleted = 0
        with translated(), self._connection.cursor() as cursor:
            while deleted < most:
                # The first entry of the primary key: however many rejects and imports there are.
                ((oldest,),) = self._query("SELECT MIN(import_id) FROM csv_import_reject")
                old = oldest is not None and self._query(
                    "SELECT 1 FROM csv_import WHERE id = %s"
                    " AND COALESCE(finished_at, updated_at) < CURRENT_TIMESTAMP(3) - INTERVAL %s DAY",
                    oldest,
                    days,
                )
                if not old:
                    break
                deleted += cursor.execute(
                    "DELETE FROM csv_import_reject WHERE import_id = %s LIMIT %s", (oldest, most - deleted)
                )
        return deleted

    def advance(self, before: Entry, after: Entry) -> None:
        """Store progress: see ports.Session."""
        reason = after.reason and after.reason[:REASON_LENGTH]
        with translated(), self._connection.cursor() as cursor:
            found = cursor.execute(
                "UPDATE csv_import SET status = %s, byte_offset = %s, line_number = %s, rows_read = %s,"
                " rows_loaded = %s, rows_rejected = %s, rows_blank = %s, size_bytes = %s, request_id = %s,"
                " reason = %s, finished_at = IF(%s, CURRENT_TIMESTAMP(3), NULL)"
                " WHERE id = %s AND attempts = %s AND byte_offset = %s AND status = %s",
                (
                    after.status.value,
                    *after.position,
                    after.counts.read,
                    after.counts.loaded,
                    after.counts.rejected,
                    after.counts.blank,
                    after.size,
                    self._request_id,
                    reason,
                    after.status.ended,
                    before.import_id,
                    before.attempts,
                    before.position.offset,
                    before.status.value,
                ),
            )
            if found != 1:
                raise TransientError(_CHANGED)
            gone = [each.start.offset for each in before.ranges if each not in after.ranges]
            new = [each for each in after.ranges if each not in before.ranges]
            # One by one: for a list of them, MySQL reads and locks all of a small table, ranges of other imports too.
            cursor.executemany(
                "DELETE FROM csv_import_range WHERE import_id = %s AND byte_offset = %s",
                [(before.import_id, offset) for offset in gone],
            )
            self._add_ranges(cursor, before, new)
            if after.status.ended:
                try:
                    self._add_what_follows(cursor, replace(after, reason=reason))
                except pymysql.MySQLError as error:
                    if code_of(error) != COMMAND_DENIED:
                        raise
                    # The function is updated some minutes before its tables and what it may do with them.
                    raise TransientError(f"{error.args[1]} (MySQL error {COMMAND_DENIED}); {MIGRATION}") from error

    def _add_what_follows(self, cursor: Cursor, entry: Entry) -> None:
        """Store what is left to do after an import that ends, within the transaction."""
        if self._after.publish:
            add_event(cursor, self._version, entry, self._dataset)
        many = has_many_rejects(entry.total, self._dataset)
        # Somebody may want the rejected rows, and without a version id the object may be another one by then.
        if self._after.tag and entry.status is Status.SUCCEEDED and not many and self._version.is_named:
            add_tag(cursor, self._version, entry)

    def record(self, entry: Entry, ranges: Sequence[Range]) -> None:
        """Store what is imported beyond the position: see ports.Session."""
        with translated(), self._connection.cursor() as cursor:
            # Until the end of the transaction, nobody begins the import again.
            if not cursor.execute(f"{_ATTEMPT} FOR SHARE", self._attempt(entry)):
                raise TransientError(_CHANGED)
            self._add_ranges(cursor, entry, ranges)

    def fold(self, entry: Entry, ranges: Sequence[Range]) -> Entry:
        """Store what is imported, and move the position: see ports.Session."""
        with translated(), self._connection.cursor() as cursor:
            if not cursor.execute(f"{_ATTEMPT} FOR UPDATE", self._attempt(entry)):
                raise TransientError(_CHANGED)
            # Whoever writes ranges of this import has that row locked. To lock them, too, would lock gaps between those
            # of other imports, of which two would block each other.
            stored = self._ranges(entry.import_id)
        known = replace(entry, ranges=stored)
        folded = replace(entry, ranges=(*stored, *ranges)).folded()
        if folded != known:
            self.advance(known, folded)
        return folded

    @staticmethod
    def _attempt(entry: Entry) -> tuple[object, ...]:
        return entry.import_id, entry.attempts, entry.status.value

    @staticmethod
    def _add_ranges(cursor: Cursor, entry: Entry, ranges: Sequence[Range]) -> None:
        if ranges:
            cursor.executemany(
                "INSERT INTO csv_import_range (import_id, byte_offset, line_number, end_offset, end_line, rows_loaded,"
                " rows_rejected, rows_blank) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
                [
                    (entry.import_id, *start, *end, counts.loaded, counts.rejected, counts.blank)
                    for start, end, counts in ranges
                ],
            )

    def _ranges(self, import_id: int) -> tuple[Range, ...]:
        with translated():
            rows = self._query(
                "SELECT byte_offset, line_number, end_offset, end_line, rows_loaded, rows_rejected, rows_blank"
                " FROM csv_import_range WHERE import_id = %s ORDER BY byte_offset",
                import_id,
            )
        return tuple(Range(Position(*row[:2]), Position(*row[2:4]), Counts(*row[4:])) for row in rows)

    def keep_alive(self) -> None:
        """Have the server not take the session for idle: see ports.Session."""
        with translated():
            self._query("SELECT 1")

    def spare_connections(self) -> int:
        """Return how many more connections this import may have: see ports.Session."""
        with translated():
            ((of_user, of_all),) = self._query("SELECT @@max_user_connections, @@max_connections")
            # Those of this user: without the privilege PROCESS, others are not shown.
            used = len(self._query("SHOW PROCESSLIST"))
        return max(0, (min(int(of_user or of_all), int(of_all)) - used) // 2)

    def check_newest(self, entry: Entry) -> None:
        """Check that there is no newer version: see ports.Session."""
        self._older(entry)

    def has_outdated(self, entry: Entry, most: int) -> bool:
        """Look for rows of older versions: see ports.Session."""
        older = self._older(entry)
        found = 0
        for ids in _portions(older):
            with translated():
                ((more,),) = self._query(
                    f"SELECT COUNT(*) FROM (SELECT 1 FROM `{self._table}` WHERE {IMPORT_ID_COLUMN} IN ({listed(ids)})"  # noqa: S608 - names that a dataset may have
                    " LIMIT %s) AS some",
                    most + 1 - found,
                )
            found += more
            if found > most:
                return True
        return False

    def take_place(self, entry: Entry, *, first: bool, most: int | None = None) -> int:
        """Remove rows of older versions: see ports.Session.

        Whoever stores a version locks its row of the ledger and those of others that may be at work, in the order of
        their ids, and only then looks which have begun: of two versions, one always sees what the other has stored.
        """
        with translated():
            at_work = self._query(
                f"SELECT id FROM csv_import AS other WHERE {_SAME_KEY} AND status IN ('checking', 'running')",  # noqa: S608 - no values
                *self._same_key,
            )
            ids = {entry.import_id, *(other for (other,) in at_work)}
            self._query(f"SELECT id FROM csv_import WHERE id IN ({listed(ids)}) ORDER BY id FOR UPDATE")  # noqa: S608 - numbers
        older = self._older(entry)
        if not (first and older):
            return 0
        removed = 0
        with translated(), self._connection.cursor() as cursor:
            for some in _portions(older):
                left = None if most is None else most - removed
                now = cursor.execute(
                    f"DELETE FROM `{self._table}` WHERE {IMPORT_ID_COLUMN} IN ({listed(some)})"  # noqa: S608 - names that a dataset may have
                    + ("" if left is None else f" LIMIT {left}")
                )
                removed += now
                if now == left:
                    break
                cursor.execute(
                    "UPDATE csv_import SET reason = %s WHERE status = 'succeeded' AND rows_loaded > 0"  # noqa: S608 - numbers
                    " AND undone_by IS NULL AND COALESCE(reason, '') NOT LIKE 'superseded %%'"
                    f" AND id IN ({listed(some)})",
                    (f"{Superseded(entry.import_id)}, which removed its rows",),
                )
        return removed

    def _older(self, entry: Entry) -> list[int]:
        """Return the imports of older versions of the same object.

        Raises:
            Superseded: A newer one has begun.
        """
        with translated():
            others = self._query(
                f"SELECT other.id, {NEWER}, other.status = 'succeeded'"  # noqa: S608 - no values
                " OR (other.status IN ('running', 'failed', 'interrupted') AND other.byte_offset > 0)"
                " FROM csv_import AS other JOIN csv_import AS mine ON mine.id = %s AND mine.id <> other.id"
                f" WHERE {_SAME_KEY} ORDER BY other.object_modified, other.sequencer, other.id",
                entry.import_id,
                *self._same_key,
            )
        for other, newer, begun in reversed(others):
            if newer and begun:
                raise Superseded(other)
        return [other for other, newer, _ in others if not newer]

    @property
    def _same_key(self) -> tuple[str | bytes, ...]:
        version = self._version
        # Compared as bytes: the column's collation ignores spaces at the end.
        return version.import_file, version.key.encode(), version.bucket, self._name

    def _find(self) -> Entry | None:
        with translated():
            rows = self._query(
                "SELECT id, status, byte_offset, line_number, rows_loaded, rows_rejected, rows_blank, request_id,"
                " attempts, size_bytes, reason, dataset, undone_by IS NOT NULL FROM csv_import WHERE version_hash = %s",
                self._version.digest,
            )
        for import_id, status, offset, line, loaded, rejected, blank, request, attempts, *others in rows:
            size, reason, dataset, undone = others
            return Entry(
                import_id=import_id,
                status=Status(status),
                position=Position(offset, line),
                counts=Counts(loaded, rejected, blank),
                request_id=request,
                attempts=attempts,
                ranges=self._ranges(import_id),
                size=size,
                reason=reason,
                dataset=dataset,
                undone=bool(undone),
            )
        return None

    def _query(self, statement: str, *parameters: object) -> Sequence[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return cursor.fetchall()


class LoadData:
    """LOAD DATA LOCAL from memory: as fast as the server can load a file of its own.

    It ignores strict mode, and turns what does not fit into warnings: a single one rolls the batch back.
    """

    def __init__(self, connection: FeedConnection, table: str) -> None:
        """Load into a table through a connection."""
        self._connection = connection
        self._table = table

    def encode(self, block: Block) -> bytes:
        """Write the rows with the separators that the statement below names."""
        return block.delimited().encode()

    def load(self, contents: Iterator[bytes], columns: Sequence[Column], stamp: Stamp) -> tuple[int, list[Reject]]:
        """Store rows: see ports.Loader."""
        names = ", ".join(f"`{column.name}`" for column in columns)
        stamped = ", ".join(f"{name} = %s" for name in stamp)
        stamped = stamped and f" SET {stamped}"
        self._connection.feed = contents
        with translated(), self._connection.cursor() as cursor:
            stored = cursor.execute(
                f"LOAD DATA LOCAL INFILE '{FEED_NAME}' INTO TABLE `{self._table}` CHARACTER SET utf8mb4"
                r" FIELDS TERMINATED BY 0x1F ESCAPED BY '\\' LINES TERMINATED BY 0x1E"
                f" ({names}){stamped}",
                tuple(stamp.values()) or None,
            )
            if cursor.warning_count:
                raise RowsAltered(f"{cursor.warning_count} warnings")
        return stored, []


class MultiRowInsert:
    """INSERT in strict mode: finds the row that the database refuses."""

    def __init__(self, connection: FeedConnection, table: str, insert_rows: int) -> None:
        """Load into a table through a connection, so many rows a statement."""
        self._connection = connection
        self._table = table
        self._insert_rows = insert_rows

    def encode(self, block: Block) -> Block:
        """Keep the rows, and the text that they came from."""
        return block

    def load(self, contents: Iterator[Block], columns: Sequence[Column], stamp: Stamp) -> tuple[int, list[Reject]]:
        """Store rows: see ports.Loader."""
        rejects: list[Reject] = []
        stored = 0
        for block in contents:
            now, refused = self.insert(block, columns, stamp)
            stored += now
            rejects += [block.reject(index, None, reason) for index, reason in refused]
        return stored, rejects

    def insert(self, block: Block, columns: Sequence[Column], stamp: Stamp) -> tuple[int, list[tuple[int, str]]]:
        """Store the rows of a block; return how many, and those that are refused, by their place in it."""
        names = [*(f"`{column.name}`" for column in columns), *stamp]
        statement = f"INSERT INTO `{self._table}` ({', '.join(names)}) VALUES ({', '.join(['%s'] * len(names))})"  # noqa: S608 - names that a dataset may have
        rows = [(*row, *stamp.values()) for row in block.rows]
        refused: list[tuple[int, str]] = []
        stored, step = 0, self._insert_rows
        with self._connection.cursor() as cursor:
            for start in range(0, len(rows), step):
                stop = min(start + step, len(rows))
                stored += self._insert(cursor, statement, rows, range(start, stop), refused)
        return stored, refused

    def _insert(
        self,
        cursor: Cursor,
        statement: str,
        rows: Sequence[tuple[str | int | None, ...]],
        indexes: range,
        refused: list[tuple[int, str]],
    ) -> int:
        """Insert some rows; where the database refuses, halve them until the refused row is alone."""
        try:
            with translated():
                cursor.execute("SAVEPOINT csv_import_rows")
                return cursor.executemany(statement, rows[indexes.start : indexes.stop]) or 0
        except RowsAltered as refusal:
            with translated():
                # Long rows are several statements, of which the first ones have been stored.
                cursor.execute("ROLLBACK TO SAVEPOINT csv_import_rows")
            if len(indexes) == 1:
                refused.append((indexes[0], f"the database refuses it: {refusal}"))
                return 0
        middle = len(indexes) // 2
        return sum(
            self._insert(cursor, statement, rows, half, refused) for half in (indexes[:middle], indexes[middle:])
        )


class _BulkFill:
    """Fills the temporary table with LOAD DATA LOCAL: see staging.Fill."""

    def __init__(self, connection: FeedConnection) -> None:
        self._loader = LoadData(connection, STAGE)

    def encode(self, block: Block) -> bytes:
        return self._loader.encode(block)

    def fill(self, block: Block, content: bytes, columns: Sequence[Column]) -> list[tuple[int, str]]:
        del block
        self._loader.load(iter((content,)), columns, {})
        return []


class _RowFill:
    """Fills the temporary table with INSERT in strict mode: see staging.Fill."""

    def __init__(self, connection: FeedConnection, insert_rows: int) -> None:
        self._loader = MultiRowInsert(connection, STAGE, insert_rows)

    def encode(self, block: Block) -> None:
        del block

    def fill(self, block: Block, content: None, columns: Sequence[Column]) -> list[tuple[int, str]]:
        del content
        return self._loader.insert(block, columns, {})[1]


def _portions(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    """Split the ids of imports, so that a statement with them is no larger than the server takes."""
    for start in range(0, len(ids), IDS):
        yield ids[start : start + IDS]


@contextmanager
def _quietly() -> Iterator[None]:
    with suppress(pymysql.MySQLError, OSError):
        yield
