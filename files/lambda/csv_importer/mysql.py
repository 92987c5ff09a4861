"""The ledger, the rejects and the rows in MySQL."""

import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pymysql
from pymysql.constants import CLIENT
from pymysql.cursors import Cursor

from csv_importer import columns as schema
from csv_importer.columns import Column
from csv_importer.errors import FileRefused, Misconfigured, TransientFault
from csv_importer.feed import FEED_NAME, FeedConnection
from csv_importer.files import FileVersion
from csv_importer.parsing import Block, Position, Reject
from csv_importer.ports import Counts, Credentials, Entry, RowsAltered, Secrets, Status

CONNECT_SECONDS = 10
"""How long to wait for a connection."""

ANSWER_SECONDS = 120
"""How long to wait for an answer: longer than the server itself waits for a lock or for a client."""

SESSION = {"wait_timeout": 60, "net_read_timeout": 60, "net_write_timeout": 60, "innodb_lock_wait_timeout": 20}
"""After a minute's silence the server ends a session, and with it the lock of a client that has died."""

INSERT_ROWS = 1000
"""Rows a statement where LOAD DATA cannot be used."""

REASON_LENGTH = 1000
"""The longest reason that the ledger holds, in characters."""

_TRANSIENT = {
    1040: "too many connections",
    1053: "the server is shutting down",
    1158: "the connection was lost",
    1159: "the connection was lost",
    1160: "the connection was lost",
    1161: "the connection was lost",
    1180: "the server could not commit",
    1203: "too many connections of this user",
    1205: "a lock was waited for too long",
    1213: "a deadlock",
    1226: "the user has used up its share",
    1290: "the server is read-only",
    1317: "the statement was interrupted",
    1792: "the server is read-only",
    1836: "the server is read-only",
    2003: "the server cannot be reached",
    2006: "the connection was lost",
    2013: "the connection was lost",
    2014: "the connection is out of step",
    2055: "the connection was lost",
    3024: "the statement took too long",
    3168: "the server is not ready",
    3169: "the session was killed",
    4031: "the session was idle for too long",
}
_REFUSED = {
    3: "the database's disk is full",
    28: "the database's disk is full",
    1021: "the database's disk is full",
    1030: "the database's storage failed",
    1054: "a table has been altered",
    1114: "the database's disk or table is full",
    1136: "a table has been altered",
    1146: "a table is missing",
    1364: "a table has been altered",
    1467: "the numbers for customer.id are used up",
}
_LOGIN_REFUSED = frozenset({1045, 1698})
# A value that does not fit, a constraint or a trigger; LOAD DATA LOCAL forbidden meanwhile.
_ROWS_REFUSED = frozenset({1048, 1062, 1169, 1264, 1265, 1292, 1366, 1406, 1452, 1644, 1690, 3819, 1148, 3948, 3950})


@contextmanager
def _translated() -> Iterator[None]:
    """Turn the driver's errors into ours."""
    try:
        yield
    except pymysql.MySQLError as error:
        code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        cause = getattr(error, "original_exception", None)
        if isinstance(cause, ssl.SSLCertVerificationError):
            raise Misconfigured(
                f"the database's certificate is refused: {cause.verify_message or cause.reason}."
                " The certificate authority comes with the function as ca.pem, or from DATABASE_CA_FILE"
            ) from error
        # 0: the connection was closed under the driver.
        if code in _TRANSIENT or code == 0:
            raise TransientFault(f"{_TRANSIENT.get(code, 'the connection was lost')} (MySQL error {code})") from error
        text = str(error.args[1]) if len(error.args) > 1 else ""
        if code in _REFUSED:
            raise FileRefused(f"{_REFUSED[code]} (MySQL error {code}: {text})") from error
        if code in _ROWS_REFUSED:
            # The server's own text may hold a value.
            raise RowsAltered(f"MySQL error {code}") from error
        raise Misconfigured(f"the database refuses: {text} (MySQL error {code})") from error
    except OSError as error:
        raise TransientFault(f"the connection was lost ({type(error).__name__})") from error


class MySqlDatabase:
    """The cluster's writer, with the importer's user."""

    def __init__(
        self, secrets: Secrets, ca_file: Path, request_id: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Keep what connecting takes.

        Args:
            secrets: Where endpoint, user and password come from.
            ca_file: The certificate authorities that the server's certificate is checked against, PEM.
            request_id: The invocation, for the ledger.
            clock: Seconds, from any start.
        """
        self._secrets = secrets
        self._ca_file = ca_file
        self._request_id = request_id
        self._clock = clock

    @contextmanager
    def open(self, version: FileVersion, patience: float) -> "Iterator[MySqlSession | Entry]":
        """Connect and take the lock of a file version: see ports.Database."""
        connection = self._connect()
        try:
            session = MySqlSession(connection, version, self._request_id)
            held = session.lock(patience, self._clock)
            yield session if held is None else held
        finally:
            # Sends no goodbye over a connection that is in the middle of something.
            with _quietly():
                connection.close()

    def _connect(self) -> FeedConnection:
        try:
            with _translated():
                return self._connect_with(self._secrets.credentials())
        except Misconfigured as error:
            if _code(error.__cause__) not in _LOGIN_REFUSED:
                raise
        with _translated():
            return self._connect_with(self._secrets.credentials(fresh=True))

    def _connect_with(self, credentials: Credentials) -> FeedConnection:
        connection = FeedConnection(
            host=credentials.host,
            port=credentials.port,
            user=credentials.user,
            password=credentials.password,
            database=credentials.database,
            charset="utf8mb4",
            local_infile=True,
            # So that an update which writes what was there counts as found.
            client_flag=CLIENT.FOUND_ROWS,
            autocommit=True,
            connect_timeout=CONNECT_SECONDS,
            read_timeout=ANSWER_SECONDS,
            write_timeout=ANSWER_SECONDS,
            ssl=self._tls(),
            program_name="csv-importer",
        )
        with connection.cursor() as cursor:
            settings = ", ".join(f"{name} = {value:d}" for name, value in SESSION.items())
            cursor.execute(f"SET SESSION {settings}, sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'")
            cursor.execute("SELECT @@innodb_read_only OR @@read_only")
            if cursor.fetchone() != (0,):
                connection.close()
                raise pymysql.OperationalError(1836, "the server is read-only")
        return connection

    def _tls(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=str(self._ca_file))
        except (OSError, ssl.SSLError) as error:
            raise Misconfigured(f"{self._ca_file} holds no certificate authorities: {error}") from error
        # Authorities that predate RFC 5280's strict reading are in use; chain and name are checked in full.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return context


class MySqlSession:
    """A connection that holds the lock of one file version: see ports.Session."""

    def __init__(self, connection: FeedConnection, version: FileVersion, request_id: str) -> None:
        """Wrap a connection.

        Args:
            connection: The connection, in autocommit mode.
            version: The file version.
            request_id: The invocation, for the ledger.
        """
        self._connection = connection
        self._version = version
        self._request_id = request_id
        self._takes_local = True

    @property
    def fast(self) -> "LoadData | None":
        """LOAD DATA LOCAL, where the server takes it."""
        with _translated():
            ((enabled,),) = self._query("SELECT @@local_infile")
        return LoadData(self._connection) if enabled else None

    @property
    def careful(self) -> "MultiRowInsert":
        """INSERT with several rows, in strict mode."""
        return MultiRowInsert(self._connection)

    def lock(self, patience: float, clock: Callable[[], float]) -> Entry | None:
        """Take the file version's lock.

        Args:
            patience: How long to wait, in seconds.
            clock: Seconds, from any start.

        Returns:
            None with the lock taken; else the ledger's row: another invocation ended the import, or
            is alive and at work on it. Whoever works on it has an event of its own that is tried
            again if it fails, so nothing is lost by leaving it alone.

        Raises:
            TransientFault: The lock stays taken, and nobody is seen to work.
        """
        name = f"csv_import:{self._version.digest[:48]}"
        first = None
        until = clock() + patience
        while True:
            with _translated():
                ((taken,),) = self._query("SELECT GET_LOCK(%s, 1)", name)
            if taken:
                return None
            entry = self._find()
            if entry and entry.status.ended:
                return entry
            # What this invocation itself wrote last may still be on its way through a connection that it lost.
            if entry and first and entry.position != first.position and entry.request_id != self._request_id:
                return entry
            first = first or entry
            if clock() >= until:
                raise TransientFault("the import is locked by a session that shows no progress")

    def claim(self, *, replay: bool, checking: bool) -> Entry:
        """Read the ledger's row, having counted this attempt: see ports.Session."""
        entry = self._find()
        with _translated():
            if entry is None:
                self._query(
                    "INSERT INTO csv_import (version_hash, bucket, object_key, version_id, etag, import_file,"
                    " status, attempts, request_id) VALUES (%s, %s, %s, %s, %s, %s, %s, 1, %s)",
                    self._version.digest,
                    self._version.bucket,
                    self._version.key,
                    self._version.version_id,
                    self._version.etag,
                    self._version.import_file,
                    (Status.CHECKING if checking else Status.RUNNING).value,
                    self._request_id,
                )
            elif not entry.status.ended or (replay and entry.status is Status.FAILED):
                # A file that failed before its first row is checked again, one that failed later is not:
                # rows of it are in the table.
                again = Status.CHECKING if checking and not entry.position.offset else Status.RUNNING
                self._query(
                    "UPDATE csv_import SET status = %s, attempts = attempts + 1, request_id = %s, reason = NULL,"
                    " finished_at = NULL WHERE id = %s",
                    (again if entry.status is Status.FAILED else entry.status).value,
                    self._request_id,
                    entry.import_id,
                )
            else:
                return entry
        claimed = self._find()
        if claimed is None:
            raise TransientFault("the ledger's row is gone")
        return claimed

    def check_table(self) -> None:
        """Compare the table with COLUMNS: see ports.Session."""
        altered = f"table {schema.TABLE} has been altered:"
        with _translated():
            rows = self._query(
                "SELECT column_name, column_type, character_set_name,"
                " is_nullable = 'NO' AND column_default IS NULL AND extra = '' FROM information_schema.columns"
                " WHERE table_schema = DATABASE() AND table_name = %s",
                schema.TABLE,
            )
        if not rows:
            raise FileRefused(f"table {schema.TABLE} is missing, or the importer may not use it")
        missing = {column.name: column.sql_type for column in schema.COLUMNS}
        missing[schema.IMPORT_FILE_COLUMN] = f"varchar({schema.IMPORT_FILE_LENGTH})"
        for name, kind, charset, demanded in rows:
            wanted = missing.pop(name, None)
            if wanted is None:
                if demanded:
                    raise FileRefused(f"{altered} {name} is none of the importer's columns, and has no default")
            elif kind != wanted:
                raise FileRefused(f"{altered} {name} is {kind} instead of {wanted}")
            elif charset not in (None, "utf8mb4"):
                raise FileRefused(f"{altered} {name} is in {charset} instead of utf8mb4")
        if missing:
            raise FileRefused(f"{altered} it lacks {', '.join(missing)}")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit at the end; roll back on an exception: see ports.Session."""
        with _translated():
            self._connection.begin()
        try:
            yield
            with _translated():
                self._connection.commit()
        except BaseException:
            # A connection that cannot roll back is closed by the server, which rolls back too.
            with _quietly():
                self._connection.rollback()
            raise

    def reject(self, entry: Entry, rejects: Sequence[Reject]) -> None:
        """Store rejects: see ports.Session."""
        if not rejects:
            return
        with _translated(), self._connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO csv_import_reject (import_id, line_number, column_name, reason, raw_text)"
                " VALUES (%s, %s, %s, %s, %s)",
                [(entry.import_id, *reject) for reject in rejects],
            )

    def advance(self, before: Entry, after: Entry) -> None:
        """Store progress: see ports.Session."""
        with _translated(), self._connection.cursor() as cursor:
            found = cursor.execute(
                "UPDATE csv_import SET status = %s, byte_offset = %s, line_number = %s, rows_read = %s,"
                " rows_loaded = %s, rows_rejected = %s, rows_blank = %s, size_bytes = %s, request_id = %s,"
                " reason = %s, finished_at = IF(%s, CURRENT_TIMESTAMP(3), NULL)"
                " WHERE id = %s AND byte_offset = %s AND status = %s",
                (
                    after.status.value,
                    *after.position,
                    after.counts.read,
                    after.counts.loaded,
                    after.counts.rejected,
                    after.counts.blank,
                    after.size,
                    self._request_id,
                    after.reason and after.reason[:REASON_LENGTH],
                    after.status.ended,
                    before.import_id,
                    before.position.offset,
                    before.status.value,
                ),
            )
        if found != 1:
            raise TransientFault("the ledger's row was changed by somebody else")

    def _find(self) -> Entry | None:
        with _translated():
            rows = self._query(
                "SELECT id, status, byte_offset, line_number, rows_loaded, rows_rejected, rows_blank, request_id,"
                " size_bytes, reason FROM csv_import WHERE version_hash = %s",
                self._version.digest,
            )
        for import_id, status, offset, line, loaded, rejected, blank, request_id, size, reason in rows:
            return Entry(
                import_id=import_id,
                status=Status(status),
                position=Position(offset, line),
                counts=Counts(loaded, rejected, blank),
                request_id=request_id,
                size=size,
                reason=reason,
            )
        return None

    def _query(self, statement: str, *parameters: object) -> Sequence[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return cursor.fetchall()


class LoadData:
    """LOAD DATA LOCAL from memory: as fast as the server can load a file of its own.

    It ignores strict mode, and turns what does not fit into warnings: a single one undoes the batch.
    """

    def __init__(self, connection: FeedConnection) -> None:
        """Load through a connection."""
        self._connection = connection

    def encode(self, block: Block) -> bytes:
        """Write the rows with the separators that the statement below names again."""
        return block.delimited().encode()

    def load(self, contents: Iterator[bytes], columns: Sequence[Column], import_file: str) -> tuple[int, list[Reject]]:
        """Store rows: see ports.Loader."""
        names = ", ".join(column.name for column in columns)
        self._connection.feed = contents
        with _translated(), self._connection.cursor() as cursor:
            stored = cursor.execute(
                f"LOAD DATA LOCAL INFILE '{FEED_NAME}' INTO TABLE {schema.TABLE} CHARACTER SET utf8mb4"
                r" FIELDS TERMINATED BY 0x1F ESCAPED BY '\\' LINES TERMINATED BY 0x1E"
                f" ({names}) SET {schema.IMPORT_FILE_COLUMN} = %s",
                (import_file,),
            )
            if cursor.warning_count:
                raise RowsAltered(f"{cursor.warning_count} warnings")
        return stored, []


class MultiRowInsert:
    """INSERT in strict mode: finds the very row that the database refuses."""

    def __init__(self, connection: FeedConnection) -> None:
        """Load through a connection."""
        self._connection = connection

    def encode(self, block: Block) -> Block:
        """Keep the rows, and the text that they came from."""
        return block

    def load(self, contents: Iterator[Block], columns: Sequence[Column], import_file: str) -> tuple[int, list[Reject]]:
        """Store rows: see ports.Loader."""
        names = [*(column.name for column in columns), schema.IMPORT_FILE_COLUMN]
        statement = f"INSERT INTO {schema.TABLE} ({', '.join(names)}) VALUES ({', '.join(['%s'] * len(names))})"  # noqa: S608 - names of our own
        rejects: list[Reject] = []
        stored = 0
        with self._connection.cursor() as cursor:
            for block in contents:
                rows = [(*row, import_file) for row in block.rows]
                for start in range(0, len(rows), INSERT_ROWS):
                    refused: list[tuple[int, str]] = []
                    stop = min(start + INSERT_ROWS, len(rows))
                    stored += self._insert(cursor, statement, rows, range(start, stop), refused)
                    rejects += [block.reject(index, reason) for index, reason in refused]
        return stored, rejects

    def _insert(
        self,
        cursor: Cursor,
        statement: str,
        rows: Sequence[tuple[str, ...]],
        indexes: range,
        refused: list[tuple[int, str]],
    ) -> int:
        """Insert some rows; where the database refuses, halve them until the row at fault stands alone."""
        try:
            with _translated():
                return cursor.executemany(statement, rows[indexes.start : indexes.stop]) or 0
        except RowsAltered as refusal:
            if len(indexes) == 1:
                refused.append((indexes[0], f"the database refuses it: {refusal}"))
                return 0
        middle = len(indexes) // 2
        return sum(
            self._insert(cursor, statement, rows, half, refused) for half in (indexes[:middle], indexes[middle:])
        )


@contextmanager
def _quietly() -> Iterator[None]:
    with suppress(pymysql.MySQLError, OSError):
        yield


def _code(error: BaseException | None) -> int:
    return error.args[0] if isinstance(error, pymysql.MySQLError) and isinstance(error.args[0], int) else 0
