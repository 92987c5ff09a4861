"""Faults of the database, the network and the secret, against a real server."""

import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pymysql
import pytest

from csv_importer import mysql as adapter
from csv_importer.errors import ConfigurationError, TransientError
from csv_importer.feed import FeedConnection
from csv_importer.fields import AS_IT_STANDS
from csv_importer.importer import Result
from csv_importer.limits import Limits
from csv_importer.mysql import LoadData, MySqlDatabase, MySqlSession
from csv_importer.ports import Counts, Credentials

from .conftest import PASSWORD, Database, make_database
from .files import GOOD, MemoryStore, lines_of, version_of
from .mysql_server import CertificateAuthority, MySqlServer
from .schema_tables import FILTERS, TABLES, migrate

ROWS = 1_000
CONTENT = lines_of(*[GOOD] * ROWS, "bad")
SMALL_BATCHES = Limits(batch_rows=100, block_bytes=4096, max_record_bytes=2048)


@pytest.fixture
def limits() -> Limits:
    return SMALL_BATCHES


def assert_loaded_once(database: Database) -> None:
    (entry,) = database.ledger()
    assert (entry["status"], entry["rows_loaded"], entry["rows_rejected"]) == ("succeeded", ROWS, 1)
    assert database.query("SELECT COUNT(*) FROM customer") == [(ROWS,)]
    assert [reject[1] for reject in database.rejects()] == [ROWS + 2]


@contextmanager
def once_before(owner: type, method: str, action: Callable[[], object], *, call: int = 1) -> Iterator[None]:
    """Do something before one call of a method."""
    original = getattr(owner, method)
    calls = 0

    def replaced(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call:
            action()
        return original(*arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, method, replaced)
        yield
    assert calls >= call


def kill(database: Database) -> None:
    """Kill all of the importer's connections, as an administrator or a failover does."""
    for (process,) in database.query("SELECT id FROM information_schema.processlist WHERE user = %s", database.user):
        database.query("KILL %s", process)


# The connection


def test_a_connection_killed_in_the_middle_of_a_batch(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    original = LoadData.load
    strikes = [lambda: kill(database)]

    def load(self: LoadData, contents: Iterator[bytes], *arguments: Any) -> Any:
        def sabotaged() -> Iterator[bytes]:
            for content in contents:
                yield content[:100]
                while strikes:
                    strikes.pop()()
                yield content[100:]

        return original(self, sabotaged(), *arguments)

    monkeypatch.setattr(LoadData, "load", load)
    outcome = database.importer(MemoryStore(CONTENT)).run(version_of())
    assert outcome.result is Result.SUCCEEDED
    assert database.errors
    assert_loaded_once(database)


def test_a_connection_killed_before_a_commit(database: Database) -> None:
    with once_before(FeedConnection, "commit", lambda: kill(database), call=3):
        database.importer(MemoryStore(CONTENT)).run(version_of())
    assert database.errors
    assert_loaded_once(database)


def test_the_answer_to_a_commit_is_lost(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    original = FeedConnection.commit
    commits = []

    def commit(connection: FeedConnection) -> None:
        original(connection)
        commits.append(1)
        if len(commits) == 3:
            raise pymysql.OperationalError(2013, "Lost connection to MySQL server during query")

    monkeypatch.setattr(FeedConnection, "commit", commit)
    database.importer(MemoryStore(CONTENT)).run(version_of())
    assert database.errors == ["the connection was lost (MySQL error 2013)"]
    assert_loaded_once(database)


def test_a_statement_that_an_administrator_interrupts(database: Database) -> None:
    def interrupt() -> None:
        raise pymysql.OperationalError(1317, "Query execution was interrupted")

    with once_before(FeedConnection, "commit", interrupt, call=2):
        database.importer(MemoryStore(CONTENT)).run(version_of())
    assert_loaded_once(database)


def test_a_server_that_is_killed_and_started_again() -> None:
    with MySqlServer() as server:
        database = make_database(server, SMALL_BATCHES)
        with once_before(MySqlSession, "advance", server.restart, call=3):
            database.importer(MemoryStore(CONTENT)).run(version_of())
        database.admin = server.connect(database.name)
        assert database.errors
        assert_loaded_once(database)


def test_an_unreachable_server_is_given_up_in_bounded_time(database: Database) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        credentials = replace(database.credentials(), port=port)
        importer = database.importer(MemoryStore(CONTENT), database=connecting(database, credentials))
        with pytest.raises(TransientError, match="the server cannot be reached"):
            importer.run(version_of())
    assert SMALL_BATCHES.retry_timeout - 5 < sum(database.sleeps) <= SMALL_BATCHES.retry_timeout


def test_an_error_is_not_retried_beyond_the_time_that_is_left(database: Database) -> None:
    credentials = replace(database.credentials(), port=1)
    importer = database.importer(
        MemoryStore(CONTENT), database=connecting(database, credentials), time_left=lambda: 0.05
    )
    with pytest.raises(TransientError):
        importer.run(version_of())
    assert database.sleeps == []


# The server's state


def test_a_deadlock_is_retried(database: Database) -> None:
    """A rival holds the ledger's row and waits for the importer's rows, while the importer waits for the ledger's."""
    rival = database.server.connect(database.name, autocommit=False)
    threads: list[threading.Thread] = []

    def provoke() -> None:
        cursor = rival.cursor()
        # The server rolls back the transaction that has written least.
        cursor.executemany(
            "INSERT INTO customer (title, firstname, lastname, email, age, import_file)"
            " VALUES (%s, 'r', 'r', 'r', 1, 'r')",
            [("Mr",)] * 2_000,
        )
        cursor.execute("UPDATE csv_import SET reason = 'rival'")

        def wait_for_the_importer() -> None:
            cursor.execute("SELECT COUNT(*) FROM customer FOR UPDATE")
            rival.rollback()

        threads.append(threading.Thread(target=wait_for_the_importer))
        threads[0].start()

    with once_before(MySqlSession, "advance", provoke, call=2):
        database.importer(MemoryStore(CONTENT)).run(version_of())
    threads[0].join()
    rival.close()
    assert database.errors == ["a deadlock (MySQL error 1213)"]
    assert_loaded_once(database)


def test_a_lock_wait_timeout_is_retried(database: Database) -> None:
    rival = database.server.connect(database.name, autocommit=False)
    importer = database.importer(
        MemoryStore(CONTENT), limits=replace(SMALL_BATCHES, row_lock_timeout=1), sleep=lambda _: rival.rollback()
    )

    def hold() -> None:
        with rival.cursor() as cursor:
            cursor.execute("SELECT * FROM csv_import FOR UPDATE")

    with once_before(MySqlSession, "advance", hold, call=2):
        importer.run(version_of())
    rival.close()
    assert database.errors == ["a lock wait timeout (MySQL error 1205)"]
    assert_loaded_once(database)


@pytest.mark.parametrize("call", [1, 3])
def test_a_node_that_turned_read_only_is_left_for_another(database: Database, call: int) -> None:
    def recover(_: float) -> None:
        if len(database.errors) == 3:
            database.query("SET GLOBAL read_only = OFF")

    importer = database.importer(MemoryStore(CONTENT), sleep=recover)
    try:
        with once_before(MySqlSession, "transaction", lambda: database.query("SET GLOBAL read_only = ON"), call=call):
            importer.run(version_of())
    finally:
        database.query("SET GLOBAL read_only = OFF")
    assert len(database.errors) == 3
    assert all("the server is read-only" in error for error in database.errors)
    assert_loaded_once(database)


@contextmanager
def no_connection_left(database: Database, limit: str) -> Iterator[Callable[[], None]]:
    """Leave the importer no connection, by one of the server's limits; yield what ends that."""

    def restore() -> None:
        database.query(f"ALTER USER {database.user} WITH MAX_USER_CONNECTIONS 0")
        for name, value in usual.items():
            database.query(f"SET GLOBAL {name} = %s", value)

    usual = {
        name: database.query(f"SELECT @@GLOBAL.{name}")[0][0] for name in ("max_connections", "max_user_connections")
    }
    with ExitStack() as others:
        try:
            if limit == "MAX_USER_CONNECTIONS":
                database.query(f"ALTER USER {database.user} WITH MAX_USER_CONNECTIONS 3")
            else:
                database.query(f"SET GLOBAL {limit} = 3")
            with suppress(pymysql.MySQLError):
                # The server counts those that are opened from now on.
                for _ in range(4):
                    others.enter_context(database.server.connect(user=database.user, password=PASSWORD))
            yield restore
        finally:
            restore()


LIMITS_OF_CONNECTIONS = {"max_connections": 1040, "max_user_connections": 1203, "MAX_USER_CONNECTIONS": 1226}


@pytest.mark.parametrize(("limit", "code"), LIMITS_OF_CONNECTIONS.items())
@pytest.mark.parametrize("midway", [False, True])
def test_too_many_connections_are_waited_for(database: Database, limit: str, code: int, midway: bool) -> None:
    """For far longer than other errors are retried; the import may have begun."""
    with ExitStack() as stack:
        recoveries: list[Callable[[], None]] = []

        def refuse() -> None:
            kill(database)
            while database.query("SELECT 1 FROM information_schema.processlist WHERE user = %s", database.user):
                pass
            recoveries.append(stack.enter_context(no_connection_left(database, limit)))

        def sleep(seconds: float) -> None:
            slept.append(seconds)
            if sum(slept) > 5 * SMALL_BATCHES.retry_timeout:
                recoveries[0]()

        slept: list[float] = []
        importer = database.importer(MemoryStore(CONTENT), sleep=sleep, time_left=lambda: 900.0)
        if midway:
            with once_before(MySqlSession, "advance", refuse, call=3):
                importer.run(version_of())
        else:
            refuse()
            importer.run(version_of())
    assert "Waiting for a connection" in database.messages
    assert all(0.1 <= pause <= 5 for pause in slept)
    assert len({*slept}) == len(slept)
    assert not any(str(code) in error for error in database.errors)
    assert_loaded_once(database)


def test_a_connection_is_not_waited_for_beyond_the_time_that_is_left(database: Database) -> None:
    slept: list[float] = []
    importer = database.importer(MemoryStore(CONTENT), sleep=slept.append, time_left=lambda: 200.0 - sum(slept))
    with (
        no_connection_left(database, "MAX_USER_CONNECTIONS"),
        pytest.raises(TransientError, match=r"too many connections of this user.*\(MySQL error 1226\)"),
    ):
        importer.run(version_of())
    assert 195 <= sum(slept) <= 200
    assert importer.run(version_of()).result is Result.SUCCEEDED


def test_a_full_disk_fails_the_import_and_says_so(database: Database) -> None:
    database.query("DROP TABLE customer")
    statement = FILTERS.creation(TABLES[0], database.name)
    database.query(f"{statement} DATA DIRECTORY = '/small-disk'")
    content = lines_of(*[f"Mr,{'x' * 250},{'x' * 250},,a@b,1"] * 20_000)
    outcome = database.importer(MemoryStore(content)).run(version_of())
    assert outcome.result is Result.FAILED
    (entry,) = database.ledger()
    assert entry["status"] == "failed"
    assert "is full (MySQL error 1114" in entry["reason"]
    assert database.query("SELECT COUNT(*) FROM customer") == [(entry["rows_loaded"],)]


# The tables


@pytest.mark.parametrize(
    ("alteration", "reason"),
    [
        ("DROP TABLE customer", "table customer is missing"),
        ("ALTER TABLE customer DROP COLUMN age", "table customer is not as the dataset needs it: it lacks age"),
        ("ALTER TABLE customer MODIFY title VARCHAR(10) NOT NULL", "title is varchar(10) instead of varchar(50)"),
        ("ALTER TABLE customer MODIFY age INT NOT NULL", "age is int instead of tinyint"),
        ("ALTER TABLE customer CONVERT TO CHARACTER SET latin1", "is in latin1 instead of utf8mb4"),
        ("ALTER TABLE customer ADD COLUMN iban VARCHAR(34) NOT NULL", "iban is none of its columns"),
        ("DROP TABLE csv_import_reject", "a table is missing (MySQL error 1146"),
    ],
)
def test_a_table_missing_or_altered_keeps_the_event_until_it_is_migrated(
    database: Database, alteration: str, reason: str
) -> None:
    database.query(alteration)
    importer = database.importer(MemoryStore(lines_of(*[GOOD] * 3, "bad")))
    with pytest.raises(TransientError, match=re.escape(reason)):
        importer.run(version_of())
    (entry,) = database.ledger()
    assert (entry["status"], entry["rows_loaded"]) == ("interrupted", 0)
    assert reason in entry["reason"]
    database.query("DROP TABLE IF EXISTS customer")
    migrate(database.admin, database.name, TABLES)
    database.grant()
    assert importer.run(version_of()).entry.counts == Counts(3, 1)


def test_a_table_altered_during_an_import_keeps_what_was_committed(database: Database) -> None:
    def alter() -> None:
        database.query("ALTER TABLE customer MODIFY COLUMN title VARCHAR(50) NULL, RENAME COLUMN age TO years")

    def restore(_: float) -> None:
        if alter.__name__ not in restored and "1054" in "".join(database.errors):
            restored.append(alter.__name__)
            database.query("ALTER TABLE customer RENAME COLUMN years TO age")

    restored: list[str] = []
    with once_before(MySqlSession, "transaction", alter, call=3):
        outcome = database.importer(MemoryStore(CONTENT), sleep=restore).run(version_of())
    assert outcome.result is Result.SUCCEEDED
    assert "a table lacks a column (MySQL error 1054" in database.errors[0]
    assert_loaded_once(database)


def test_without_a_ledger_the_event_is_kept(database: Database) -> None:
    database.query("DROP TABLE csv_import_reject, csv_import_range, csv_import_event, csv_import_tag, csv_import")
    with pytest.raises(TransientError, match="a table is missing"):
        database.importer(MemoryStore(CONTENT)).run(version_of())


def test_a_missing_grant_keeps_the_event(database: Database) -> None:
    database.query(f"REVOKE INSERT ON csv_import_reject FROM {database.user}")
    with pytest.raises(ConfigurationError, match="INSERT command denied"):
        database.importer(MemoryStore(CONTENT)).run(version_of())
    assert database.query("SELECT COUNT(*) FROM customer") == [(database.ledger()[0]["rows_loaded"],)]


def test_a_row_that_only_the_database_refuses_is_rejected_alone(database: Database) -> None:
    database.query(
        "CREATE TRIGGER picky BEFORE INSERT ON customer FOR EACH ROW"
        " IF NEW.lastname = 'unwanted' THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'unwanted'; END IF"
    )
    bad = 'Mr,a,unwanted,0,"x@\ny",1'
    outcome = database.importer(MemoryStore(lines_of(*[GOOD] * 300, bad, "bad", *[GOOD] * 300))).run(version_of())
    assert outcome.entry.counts == Counts(600, 2)
    assert database.rejects()[0] == ("customers.csv", 302, None, "the database refuses it: MySQL error 1644", bad)
    assert database.rejects()[1][1] == 304


def test_values_that_load_data_would_change_are_never_committed(database: Database) -> None:
    """Warnings show values that validation lets pass by mistake: here it is switched off."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("csv_importer.fields.IntegerField.judge", lambda *_: AS_IT_STANDS)
        patch.setattr("csv_importer.fields.StringField.judge", lambda *_: AS_IT_STANDS)
        bad = ["Mr,a,b,0,x@y,n/a", "Mr,a,b,300,x@y,1", f"{'x' * 51},a,b,0,x@y,1"]
        outcome = database.importer(MemoryStore(lines_of(GOOD, *bad, GOOD))).run(version_of())
    assert outcome.entry.counts == Counts(2, 3)
    assert [reject[1] for reject in database.rejects()] == [3, 4, 5]
    assert [row[1] for row in database.customers()] == ["Ada", "Ada"]


def test_where_the_server_forbids_local_files_rows_are_inserted(database: Database) -> None:
    with database.bulk_loading(allowed=False), once_before(adapter.MultiRowInsert, "load", lambda: None):
        database.importer(MemoryStore(CONTENT)).run(version_of())
    assert_loaded_once(database)


def test_where_the_server_forbids_local_files_during_an_import_rows_are_inserted(database: Database) -> None:
    with ExitStack() as forbidden:
        forbid = partial(forbidden.enter_context, database.bulk_loading(allowed=False))
        with once_before(LoadData, "load", forbid, call=2):
            database.importer(MemoryStore(CONTENT)).run(version_of())
    assert_loaded_once(database)


# TLS and the secret


def connecting(database: Database, credentials: Credentials, ca_file: Path | None = None) -> MySqlDatabase:
    """Make the adapter with other credentials, or the certificate of another CA."""

    class Secret:
        def credentials(self, *, fresh: bool = False) -> Credentials:
            del fresh
            return credentials

    return MySqlDatabase(Secret(), ca_file or database.server.ca_file, "request-1")


def refused(database: Database, credentials: Credentials, ca_file: Path | None = None) -> str:
    importer = database.importer(MemoryStore(CONTENT), database=connecting(database, credentials, ca_file))
    with pytest.raises(ConfigurationError) as caught:
        importer.run(version_of())
    assert database.sleeps == []
    return str(caught.value)


def test_a_certificate_of_another_ca_is_refused(database: Database, tmp_path: Path) -> None:
    other = CertificateAuthority.create("another CA").write(tmp_path / "ca.pem")
    assert "the database's certificate is refused" in refused(database, database.credentials(), other)


def test_a_certificate_for_another_name_is_refused(database: Database) -> None:
    assert "certificate is refused" in refused(database, replace(database.credentials(), host="localhost"))


def test_a_file_without_ca_certificates_is_refused(database: Database, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing", encoding="ascii")
    assert "holds no CA certificates" in refused(database, database.credentials(), tmp_path / "ca.pem")


@contextmanager
def impostor(folder: Path | None, heard: list[bytes]) -> Iterator[int]:
    """Answer as a MySQL server that cannot be configured like this; yield its port.

    Args:
        folder: Where its certificate is, or None for a server without TLS.
        heard: Gets what the client sends after its request for TLS.
    """
    capabilities = 0xF7FF if folder is None else 0xFFFF
    greeting = (
        b"\x0a8.0.36\0" + struct.pack("<I", 1) + b"12345678\0" + struct.pack("<H", capabilities) + b"\xff"
        + struct.pack("<HHB", 2, 0x000F, 21) + bytes(10) + b"123456789012\0" + b"mysql_native_password\0"
    )  # fmt: skip

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(struct.pack("<I", len(greeting))[:3] + b"\0" + greeting)
            if folder is None:
                heard.append(connection.recv(1000))
                return
            connection.recv(36)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
            try:
                with context.wrap_socket(connection, server_side=True) as secured:
                    heard.append(secured.recv(1000))
            except ssl.SSLError:
                heard.append(b"")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


@pytest.mark.parametrize(
    ("days", "reason"), [(-1, "certificate has expired"), (None, "SSL is required"), (1, "(MySQL error 2013)")]
)
def test_without_tls_or_a_valid_certificate_no_credentials_are_sent(
    database: Database, tmp_path: Path, days: int | None, reason: str
) -> None:
    """The third server has a valid certificate: the two others are refused only for what they lack."""
    if days is not None:
        database.server.ca.issue(tmp_path, days=days)
    heard: list[bytes] = []
    with impostor(None if days is None else tmp_path, heard) as port:
        credentials = replace(database.credentials(), port=port)
        importer = database.importer(
            MemoryStore(CONTENT),
            database=connecting(database, credentials),
            limits=replace(SMALL_BATCHES, retry_timeout=0.0),
        )
        with pytest.raises((ConfigurationError, TransientError), match=re.escape(reason)):
            importer.run(version_of())
    assert (database.user.encode() in heard[0]) == (days == 1)
    assert (heard[0] == b"") == (days != 1)


@pytest.mark.parametrize("at_once", [True, False])
def test_a_rotated_password_is_fetched_again_once(database: Database, at_once: bool) -> None:
    asked: list[bool] = []

    class Secret:
        def credentials(self, *, fresh: bool = False) -> Credentials:
            asked.append(fresh)
            return replace(database.credentials(), password="new") if any(asked) else database.credentials()

    def rotate() -> None:
        database.query(f"ALTER USER {database.user} IDENTIFIED BY 'new'")
        kill(database)

    importer = database.importer(
        MemoryStore(CONTENT), database=MySqlDatabase(Secret(), database.server.ca_file, "request-1")
    )
    if at_once:
        rotate()
        importer.run(version_of())
    else:
        with once_before(MySqlSession, "advance", rotate, call=3):
            importer.run(version_of())
    assert asked.count(True) == 1
    assert_loaded_once(database)


def test_a_wrong_password_is_refused_and_not_shown(database: Database) -> None:
    reason = refused(database, replace(database.credentials(), password="wrong-and-secret"))
    assert "Access denied" in reason
    assert "wrong-and-secret" not in reason


def test_a_missing_database_is_refused(database: Database) -> None:
    assert "MySQL error 1044" in refused(database, replace(database.credentials(), database="nowhere"))
