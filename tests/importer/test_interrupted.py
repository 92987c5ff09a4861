"""An import that nobody works on does not say that it is running: it is interrupted, and the ledger says why."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csv_importer.errors import ConfigurationError, TransientError
from csv_importer.feed import FeedConnection
from csv_importer.importer import Result
from csv_importer.limits import Limits
from csv_importer.mysql import MySqlDatabase, MySqlSession, lock_name
from csv_importer.ports import Counts

from .conftest import PASSWORD, Cloud, Database, Invoke
from .fates import Fates, Killed
from .files import GOOD, MemoryStore, lines_of, version_of
from .keyed import create, csv_of, dataset_of, version
from .test_faults import once_before
from .test_importer import comparable

ROWS = 1_000
CONTENT = lines_of(*[GOOD] * ROWS, "bad")
SMALL_BATCHES = Limits(batch_rows=100, block_bytes=4096, max_record_bytes=2048, whole_bytes=1, retry_timeout=0.0)


@pytest.fixture
def limits() -> Limits:
    return SMALL_BATCHES


def fail(error: Exception) -> Callable[[], None]:
    """Return what raises an error."""

    def raise_it() -> None:
        raise error

    return raise_it


def interrupted_at(database: Database, call: int, error: Exception, **options: Any) -> dict[str, Any]:
    """Begin an import, in which an error ends the work before one of its commits; return the ledger's row."""
    importer = database.importer(MemoryStore(CONTENT), **options)
    with once_before(MySqlSession, "advance", fail(error), call=call), pytest.raises(type(error), match=str(error)):
        importer.run(version_of())
    (entry,) = database.ledger()
    return entry


def assert_loaded_once(database: Database) -> None:
    (entry,) = database.ledger()
    assert (entry["status"], entry["reason"]) == ("succeeded", None)
    assert (entry["rows_loaded"], entry["rows_rejected"]) == (ROWS, 1)
    assert database.query("SELECT COUNT(*) FROM customer") == [(ROWS,)]
    assert [reject[1] for reject in database.rejects()] == [ROWS + 2]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (TransientError("a deadlock"), "a deadlock"),
        (ConfigurationError("the database refuses"), "the database refuses"),
        # What it says may have a value of a row.
        (ValueError("36"), "an error of the importer: ValueError"),
    ],
)
@pytest.mark.parametrize("replay", [False, True])
def test_an_import_that_ends_with_an_error_is_interrupted_and_the_next_attempt_resumes_it(
    database: Database, error: Exception, reason: str, replay: bool
) -> None:
    entry = interrupted_at(database, 4, error)
    assert (entry["status"], entry["reason"], entry["finished_at"]) == ("interrupted", reason, None)
    assert entry["rows_loaded"] > 0
    assert database.query("SELECT COUNT(*) FROM customer") == [(entry["rows_loaded"],)]
    importer = database.importer(MemoryStore(CONTENT))
    running: list[Any] = []

    def look() -> None:
        running.extend((entry["status"], entry["reason"]) for entry in database.ledger())

    with once_before(MySqlSession, "advance", look):
        outcome = importer.run(version_of(), replay=replay)
    assert running == [("running", None)]
    assert outcome.result is Result.SUCCEEDED
    assert outcome.added.loaded == ROWS - entry["rows_loaded"]
    assert_loaded_once(database)


def test_a_check_that_is_interrupted_begins_again(database: Database) -> None:
    entry = interrupted_at(database, 4, TransientError("a deadlock"), max_reject_ratio=0.5)
    assert (entry["status"], entry["byte_offset"], entry["line_number"], entry["rows_read"]) == ("interrupted", 0, 0, 0)
    assert database.query("SELECT COUNT(*) FROM customer") == [(0,)]
    checked: list[Any] = []

    def look() -> None:
        checked.extend(entry["status"] for entry in database.ledger())

    with once_before(MySqlSession, "advance", look):
        database.importer(MemoryStore(CONTENT), max_reject_ratio=0.5).run(version_of())
    assert checked == ["checking"]
    assert_loaded_once(database)


@pytest.mark.parametrize("request_id", ["request-2", "request-1"])
def test_an_attempt_that_has_begun_since_is_left_alone(database: Database, request_id: str) -> None:
    """Of another invocation; or of another try of the same event, which has the same request id."""

    def begin_another() -> None:
        other = database.importer(
            MemoryStore(CONTENT), request_id=request_id, limits=replace(SMALL_BATCHES, lock_timeout=0), time_left=zero
        )
        assert other.run(version_of()).result is Result.UNFINISHED

    def zero() -> float:
        return 0.0

    importer = database.importer(MemoryStore(CONTENT), time_left=lambda: 60.0)
    with once_before(MySqlSession, "advance", begin_another, call=4), pytest.raises(TransientError):
        importer.run(version_of())
    (entry,) = database.ledger()
    assert (entry["status"], entry["reason"], entry["request_id"], entry["attempts"]) == (
        "running",
        None,
        request_id,
        2,
    )
    database.importer(MemoryStore(CONTENT)).run(version_of())
    assert_loaded_once(database)


def test_without_a_row_in_the_ledger_none_is_written(database: Database) -> None:
    with once_before(MySqlSession, "claim", fail(TransientError("refused"))), pytest.raises(TransientError):
        database.importer(MemoryStore(CONTENT)).run(version_of())
    assert database.ledger() == []


def test_an_import_that_has_ended_stays_as_it_is(database: Database) -> None:
    """The answer to the last commit was lost, and the database with it."""

    def lose(connection: FeedConnection) -> None:
        commit(connection)
        if database.ledger()[0]["status"] == "succeeded":
            raise TransientError("lost")

    commit = FeedConnection.commit
    importer = database.importer(MemoryStore(CONTENT))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FeedConnection, "commit", lose)
        with pytest.raises(TransientError, match="lost"):
            importer.run(version_of())
    assert_loaded_once(database)


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        (
            "ALTER TABLE csv_import MODIFY status ENUM('checking', 'running', 'succeeded', 'failed') NOT NULL",
            "the ledger does not take the status: MySQL error 1265; site.yml migrates the tables",
        ),
        ("ALTER USER {user} ACCOUNT LOCK", "the database refuses: "),
    ],
)
def test_the_error_that_ends_an_import_is_shown_whatever_the_ledger_says(
    database: Database, statement: str, reason: str
) -> None:
    def spoil() -> None:
        database.query(statement.format(user=database.user))
        raise TransientError("a deadlock")

    logged: list[tuple[str, object]] = []

    def log(message: str, **values: object) -> None:
        logged.append((message, values.get("reason")))

    importer = database.importer(MemoryStore(CONTENT), log=log)
    with once_before(MySqlSession, "advance", spoil, call=4), pytest.raises(TransientError, match=r"^a deadlock$"):
        importer.run(version_of())
    message, why = logged[-1]
    assert message == "The ledger does not say that the import is interrupted"
    assert str(why).startswith(reason)
    assert database.ledger()[0]["status"] == "running"


def test_whoever_waits_for_the_lock_of_an_import_that_is_interrupted_takes_it_over(database: Database) -> None:
    interrupted_at(database, 4, TransientError("a deadlock"))
    database.query("UPDATE csv_import SET status = 'running'")
    holder = database.server.connect()
    name = lock_name(version_of(), PASSWORD)
    with holder.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK(%s, 0)", (name,))
    looked: list[float] = []

    def clock() -> float:
        looked.append(0.0)
        if len(looked) == 2:
            database.query("UPDATE csv_import SET status = 'interrupted', byte_offset = 0, line_number = 0")
            database.query("UPDATE csv_import SET rows_read = 0, rows_loaded = 0, rows_rejected = 0")
            database.query("DELETE FROM customer")
        if len(looked) == 4:
            holder.close()
        return 0.0

    adapter = MySqlDatabase(database, database.server.ca_file, "request-2", limits=SMALL_BATCHES, clock=clock)
    outcome = database.importer(MemoryStore(CONTENT), database=adapter).run(version_of())
    assert outcome.result is Result.SUCCEEDED
    assert_loaded_once(database)


def test_a_newer_version_that_is_interrupted_has_taken_the_place_of_older_ones(database: Database) -> None:
    dataset = dataset_of("replace")
    create(database, dataset)
    newer = csv_of([(str(number), "", "x") for number in range(1_000)])
    importer = database.importer(MemoryStore(newer), dataset=dataset)
    error = TransientError("a deadlock")
    with once_before(MySqlSession, "advance", fail(error), call=3), pytest.raises(TransientError):
        importer.run(version(2, second=2))
    older = database.importer(MemoryStore(csv_of([("1", "", "old")])), dataset=dataset).run(version(1, second=1))
    assert (older.result, older.entry.counts) == (Result.SUCCEEDED, Counts())
    assert older.entry.reason == f"superseded by import {database.ledger()[0]['id']}"
    assert importer.run(version(2, second=2)).entry.counts == Counts(1_000)
    assert database.query("SELECT COUNT(*), COUNT(DISTINCT k) FROM keyed") == [(1_000, 1_000)]


def test_where_no_other_invocation_can_be_started_the_import_is_interrupted(
    database: Database, cloud: Cloud, invoke: Invoke
) -> None:
    class Refused:
        def send(self, event: object) -> None:
            del event
            raise TransientError("the function cannot be invoked")

    invoke.continuation = lambda _: Refused()
    record = cloud.put("customers.csv", CONTENT)
    with pytest.raises(Exception, match=re.escape("the function cannot be invoked")):
        invoke(record, milliseconds=1)
    (entry,) = database.ledger()
    assert (entry["status"], entry["reason"]) == ("interrupted", "the function cannot be invoked")
    invoke(record)
    assert_loaded_once(database)


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(st.sampled_from([GOOD, "Mr,a,b,,x@y,1", "bad", ""]), max_size=40),
    fates=st.dictionaries(st.integers(0, 80), st.sampled_from(["lost before", "answer lost", "killed"]), max_size=12),
    checked=st.booleans(),
    whole_bytes=st.sampled_from([1, 1 << 20]),
)
def test_any_errors_that_end_attempts_give_the_same_tables_as_one_clean_run(
    *, shared_database: Database, rows: list[str], fates: dict[int, str], checked: bool, whole_bytes: int
) -> None:
    """None is retried within an attempt, and the connection that says so may be lost, too."""
    database = shared_database
    store = MemoryStore(lines_of(*rows))
    limits = Limits(
        batch_rows=5,
        block_bytes=120,
        max_record_bytes=100,
        whole_bytes=whole_bytes,
        retry_timeout=0.0,
        lock_timeout=0.0,
    )

    def run(connect: Callable[..., FeedConnection]) -> None:
        ratio = 1.0 if checked else None
        importer = database.importer(store, max_reject_ratio=ratio, limits=limits, connect=connect)
        assert importer.run(version_of()).result in (Result.SUCCEEDED, Result.DUPLICATE)

    database.empty()
    run(FeedConnection)
    clean = (database.customers(), database.rejects(), comparable(database))
    database.empty()
    fragile = Fates(fates)
    while True:
        try:
            run(fragile.connect)
        except (Killed, TransientError):
            continue
        break
    assert (database.customers(), database.rejects(), comparable(database)) == clean
