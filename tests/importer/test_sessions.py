"""One file through several sessions at once: the same tables and the same ledger as through one, whatever happens."""

import gzip
import itertools
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Any

import pymysql
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csv_importer.datasets import Dataset
from csv_importer.dialects import RFC4180
from csv_importer.errors import FileRefused, TransientError
from csv_importer.feed import FeedConnection
from csv_importer.headers import read_header
from csv_importer.importer import Outcome, Result
from csv_importer.limits import Limits
from csv_importer.mysql import LoadData, MySqlDatabase, MySqlSession
from csv_importer.parsing import Block, Position, read_blocks
from csv_importer.ports import After, Counts, Entry, Range, RowsAltered, Stamp, Status
from csv_importer.sessions import NEAR_BYTES, Content

from .conftest import Database
from .fates import Fates, Killed
from .files import CUSTOMER, GOOD, MemoryStore, MemoryStream, lines_of, version_of
from .keyed import create, csv_of, dataset_of, stored, version

SMALL = Limits(batch_rows=5, block_bytes=120, max_record_bytes=100, whole_bytes=1, session_bytes=1)
BAD = "Mr,a,b,,x@y,1000"
SEVERAL = "Loading through several sessions"
LEFT_OUT = ("id", "attempts", "request_id", "started_at", "updated_at", "finished_at")


def tables_of(database: Database) -> tuple[Any, ...]:
    """Read all that has to be the same, in whatever order it was stored."""
    ledger = [{name: value for name, value in entry.items() if name not in LEFT_OUT} for entry in database.ledger()]
    return database.customers(), database.rejects(), ledger, database.query("SELECT * FROM csv_import_range")


def clean_run(database: Database, store: MemoryStore, key: str = "customers.csv", **options: Any) -> tuple[Any, ...]:
    """Import a file through one session; return what is in the tables, and empty them."""
    database.empty()
    database.importer(store, **{"limits": SMALL} | options).run(version_of(key))
    tables = tables_of(database)
    database.empty()
    return tables


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.sampled_from([GOOD, BAD, "bad", "", 'Mr,"a\nb",c,1,x@y,2', 'Mr,"a']), max_size=60),
    fates=st.dictionaries(
        st.integers(0, 120), st.sampled_from(["lost before", "answer lost", "killed", "refused"]), max_size=12
    ),
    sessions=st.lists(st.integers(1, 4), min_size=1, max_size=5),
    checked=st.booleans(),
    most_kept=st.integers(0, 8),
    compressed=st.booleans(),
)
def test_any_number_of_sessions_and_any_kills_give_the_tables_of_one_clean_run(
    *,
    shared_database: Database,
    rows: list[str],
    fates: dict[int, str],
    sessions: list[int],
    checked: bool,
    most_kept: int,
    compressed: bool,
) -> None:
    """Each attempt may have another number of sessions."""
    database = shared_database
    content = lines_of(*rows)
    store = MemoryStore(gzip.compress(content) if compressed else content, piece=50)
    key = "customers.csv.gz" if compressed else "customers.csv"
    options: dict[str, Any] = {
        "max_reject_ratio": 1.0 if checked else None,
        "max_kept_rejects": most_kept,
        "limits": SMALL,
    }
    clean = clean_run(database, store, key, **options)
    fragile = Fates(fates)
    for reports in (database.sleeps, database.errors, database.messages):
        reports.clear()
    for number in itertools.cycle(sessions):
        importer = database.importer(store, sessions=number, connect=fragile.connect, **options)
        try:
            result = importer.run(version_of(key)).result
        except Killed:
            continue
        assert result in (Result.SUCCEEDED, Result.DUPLICATE)
        break
    assert tables_of(database) == clean


def test_a_file_is_loaded_through_as_many_sessions_as_are_worth_it(database: Database) -> None:
    store = MemoryStore(lines_of(*[GOOD] * 60_000))
    limits = Limits(batch_rows=2_000, session_bytes=1 << 20)
    connections: list[str] = []

    def connect(**options: Any) -> FeedConnection:
        connections.append(threading.current_thread().name)
        return FeedConnection(**options)

    outcome = database.importer(store, sessions=8, limits=limits, connect=connect).run(version_of())
    assert outcome.added == outcome.entry.counts == Counts(loaded=60_000)
    assert len(database.customers()) == 60_000
    # 2.3 MB: the lock's session, and one more.
    assert connections == ["MainThread", "session-2"]
    assert database.query("SELECT * FROM csv_import_range") == []


@pytest.mark.parametrize("limits", [SMALL, Limits(whole_bytes=1)], ids=["in any order", "small"])
def test_one_session_where_others_are_not_worth_it(database: Database, limits: Limits) -> None:
    sessions = 1 if limits is SMALL else 4
    database.importer(MemoryStore(lines_of(*[GOOD] * 100)), sessions=sessions, limits=limits).run(version_of())
    assert SEVERAL not in database.messages
    assert len(database.customers()) == 100


@pytest.mark.parametrize(
    ("mode", "keys"), [("append", [["k"]]), ("upsert", [["k"]]), ("replace", []), ("replace", [["k"]]), ("append", [])]
)
def test_one_session_where_the_order_decides_what_is_stored_or_is_asked_for(
    database: Database, mode: str, keys: list[list[str]]
) -> None:
    in_order = mode == "append" and not keys
    dataset = replace(dataset_of(mode, *keys), file_order=in_order)
    create(database, dataset)
    rows = [(str(number // 2), "u", str(number)) for number in range(100)]
    importer = database.importer(MemoryStore(csv_of(rows)), dataset=dataset, sessions=4, limits=SMALL)
    assert importer.run(version(1)).result is Result.SUCCEEDED
    assert SEVERAL not in database.messages
    assert len(stored(database)) == (50 if keys else 100)
    if in_order:
        assert database.query("SELECT v FROM keyed ORDER BY id") == [(str(number),) for number in range(100)]


# Gaps


def blocks_of(content: bytes, dataset: Dataset = CUSTOMER) -> list[Block]:
    """Read the blocks of a file, as an import does."""
    stream = MemoryStream(content, 0, 1 << 20)
    header, buffer = read_header(stream.read, dataset, limits=SMALL)
    return list(read_blocks(stream.read, header.layout, header.end, buffer, limits=SMALL))


def begin(session: MySqlSession, content: bytes, left_out: Sequence[int], dataset: Dataset = CUSTOMER) -> Entry:
    """Store all blocks of a file but some."""
    blocks = blocks_of(content, dataset)
    entry = session.claim(replay=False, checking=False)
    begun = Entry(
        entry.import_id, entry.status, blocks[0].start, Counts(), "request-1", size=len(content), dataset=dataset.name
    )
    with session.transaction():
        session.advance(entry, begun)
    loader = LoadData(session._connection, dataset.table)
    stamp: Stamp = {"import_file": "customers.csv"} | ({"import_id": entry.import_id} if dataset.import_id else {})
    for number, block in enumerate(blocks):
        if number not in left_out:
            with session.transaction():
                loader.load(iter([loader.encode(block)]), dataset.columns, stamp)
                session.reject(begun, block.rejects)
                counts = Counts(len(block), block.rejected, block.blank)
                session.record(begun, [Range(block.start, block.end, counts)])
    return begun


MIXED = lines_of(*[GOOD, "bad", "", GOOD, BAD, 'Mr,"a\nb",c,1,x@y,2', GOOD] * 8)
LAST = len(blocks_of(MIXED)) - 1


@pytest.mark.parametrize("sessions", [1, 3])
@pytest.mark.parametrize("left_out", [[0], [LAST // 2], [LAST], [0, 1], [3, LAST], [0, 4, 5, 8], [], range(LAST + 1)])
def test_a_resume_reads_exactly_the_gaps(database: Database, left_out: Sequence[int], sessions: int) -> None:
    clean = clean_run(database, MemoryStore(MIXED))
    adapter = MySqlDatabase(database, database.server.ca_file, "request-1", limits=SMALL)
    with adapter.open(version_of(), CUSTOMER, 1.0) as session:
        assert isinstance(session, MySqlSession)
        begin(session, MIXED, left_out)
    ranges = database.query("SELECT COUNT(*) FROM csv_import_range")[0][0]
    assert ranges == LAST + 1 - len(left_out)
    outcome = database.importer(MemoryStore(MIXED), sessions=sessions, limits=SMALL).run(version_of())
    read = sum(
        len(block) + block.rejected + block.blank for index, block in enumerate(blocks_of(MIXED)) if index in left_out
    )
    assert outcome.added.read == read
    assert tables_of(database) == clean


WITHOUT_HEADER = replace(dataset_of("append"), dialect=replace(RFC4180, header=False))


@pytest.mark.parametrize("sessions", [1, 3])
@pytest.mark.parametrize("left_out", [[0], [0, 4]])
@pytest.mark.parametrize("failed", [False, True])
def test_a_resume_from_the_start_of_a_file_without_a_header(
    database: Database, left_out: Sequence[int], sessions: int, *, failed: bool
) -> None:
    """Its first gap begins at position 0, as does a file that nothing is imported of."""
    create(database, WITHOUT_HEADER)
    rows = [(str(number), "u", "v") for number in range(120)]
    content = csv_of(rows).removeprefix(b"k,u,v\n")
    adapter = MySqlDatabase(database, database.server.ca_file, "request-1", limits=SMALL)
    with adapter.open(version_of(), WITHOUT_HEADER, 1.0) as session:
        assert isinstance(session, MySqlSession)
        begin(session, content, left_out, WITHOUT_HEADER)
    options: dict[str, Any] = {"dataset": WITHOUT_HEADER, "sessions": sessions, "limits": SMALL}
    if failed:
        database.query("UPDATE csv_import SET status = 'failed'")
        options["max_reject_ratio"] = 0.5
    outcome = database.importer(MemoryStore(content), **options).run(version_of(), replay=failed)
    assert (outcome.result, outcome.entry.counts) == (Result.SUCCEEDED, Counts(120))
    assert sorted(k for (k,) in database.query("SELECT k FROM keyed")) == [*range(120)]
    assert database.query("SELECT * FROM csv_import_range") == []


def test_what_an_older_attempt_would_store_is_refused(database: Database) -> None:
    adapter = MySqlDatabase(database, database.server.ca_file, "request-1", limits=SMALL)
    end = Position(200, 5)
    with adapter.open(version_of(), CUSTOMER, 1.0) as first, adapter.open_more(version_of(), CUSTOMER) as second:
        assert isinstance(first, MySqlSession)
        older = first.claim(replay=False, checking=False)
        newer = second.claim(replay=False, checking=False)
        stored = Range(Position(100, 2), end, Counts(loaded=3))
        for refused in (
            lambda: first.record(older, [stored]),
            lambda: first.fold(older, [stored]),
            lambda: first.advance(older, older),
        ):
            with pytest.raises(TransientError, match="changed by another session"), first.transaction():
                refused()
        with second.transaction():
            second.record(newer, [stored])
    assert database.query("SELECT byte_offset, end_offset, rows_loaded FROM csv_import_range") == [(100, 200, 3)]


def test_what_is_left_out_of_a_content_is_read_or_not_asked_for() -> None:
    store = MemoryStore(bytes(range(256)) * (2 * NEAR_BYTES // 256))
    version = version_of()
    content = Content(store.open(version, 0), 0, lambda offset: store.open(version, offset))
    for offset in (10, 1_000, NEAR_BYTES + 2_000, 2 * NEAR_BYTES - 5):
        content.go_to(offset)
        assert content.read(1) == bytes([offset % 256])
    assert store.offsets == [0, NEAR_BYTES + 2_000]
    assert content.look(10) == bytes([252, 253, 254, 255])
    assert content.look(2) == bytes([252, 253])
    assert (content.read(3), content.read(3), content.read(3)) == (bytes([252, 253, 254]), bytes([255]), b"")
    content.go_to(3 * NEAR_BYTES)
    assert content.read(1) == b""
    content.close()


def test_two_sessions_never_have_the_same_attempt(database: Database) -> None:
    """Where the lock is taken by somebody who is no importer, two may begin an import again at the same time."""
    adapter = MySqlDatabase(database, database.server.ca_file, "request-1", limits=SMALL)
    with adapter.open(version_of(), CUSTOMER, 1.0) as first, adapter.open_more(version_of(), CUSTOMER) as second:
        assert isinstance(first, MySqlSession)
        first.claim(replay=False, checking=False)
        claimed: list[Entry] = []

        class Slow(MySqlSession):
            def _begin_again(self, entry: Entry, *, checking: bool) -> None:
                super()._begin_again(entry, checking=checking)
                claimed.append(second.claim(replay=False, checking=False))

        slow = Slow(first._connection, version_of(), CUSTOMER, "request-1", limits=SMALL, after=After())
        with pytest.raises(TransientError, match="changed by another session"):
            slow.claim(replay=False, checking=False)
    assert [entry.attempts for entry in claimed] == [3]


def test_the_sessions_of_two_imports_do_not_wait_for_each_other(database: Database) -> None:
    adapter = MySqlDatabase(database, database.server.ca_file, "request-1", limits=replace(SMALL, row_lock_timeout=1))
    one, other = version_of("one.csv"), version_of("other.csv")
    parts = [Range(Position(at, at), Position(at + 1, at + 1), Counts(loaded=1)) for at in range(50)]
    with adapter.open(one, CUSTOMER, 1.0) as first, adapter.open(other, CUSTOMER, 1.0) as second:
        assert isinstance(first, MySqlSession)
        assert isinstance(second, MySqlSession)
        entries = [session.claim(replay=False, checking=False) for session in (first, second)]
        # Nothing, many ranges that become one, and one that goes.
        for earlier, now in (([], []), (parts[1:], []), ([], parts[:1])):
            for (mine, session), (its, another) in itertools.permutations(zip(entries, (first, second), strict=True)):
                with session.transaction():
                    session.record(mine, earlier)
                    session.fold(mine, now)
                    with suppress(_Undone), another.transaction():
                        another.record(its, [Range(Position(300, 3), Position(400, 4), Counts(loaded=1))])
                        another.fold(its, ())
                        raise _Undone


class _Undone(Exception):
    """Rolls a transaction back."""


# Faults in one of several sessions


@contextmanager
def at_load(call: int, act: Callable[[], object]) -> Iterator[None]:
    """Do something before one of the LOAD DATA statements of all sessions."""
    count, original = itertools.count(1), LoadData.load

    def load(self: LoadData, *arguments: Any) -> Any:
        if next(count) == call:
            act()
        return original(self, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LoadData, "load", load)
        yield


ROWS = lines_of(*[GOOD] * 3_000, "bad", *[GOOD] * 3_000)
BATCHES = Limits(batch_rows=500, block_bytes=8_000, max_record_bytes=4_000, whole_bytes=1, session_bytes=1)


def load_with(database: Database, **options: Any) -> Outcome:
    return database.importer(MemoryStore(ROWS), sessions=3, limits=BATCHES, **options).run(version_of())


@pytest.mark.parametrize("call", [1, 4, 9])
def test_sessions_that_an_administrator_kills(database: Database, call: int) -> None:
    def kill() -> None:
        threads = database.query(
            "SELECT id FROM information_schema.processlist WHERE user = %s ORDER BY id", database.user
        )
        for (thread,) in threads[1:]:
            database.query("KILL %s", thread)

    with at_load(call, kill):
        outcome = load_with(database)
    assert (outcome.result, outcome.entry.counts) == (Result.SUCCEEDED, Counts(6_000, 1))
    assert (len(database.customers()), len(database.rejects())) == (6_000, 1)


def test_the_first_session_is_killed_and_what_others_have_stored_stays(database: Database) -> None:
    def kill() -> None:
        ((thread,),) = database.query(
            "SELECT MIN(id) FROM information_schema.processlist WHERE user = %s", database.user
        )
        database.query("KILL %s", thread)

    with at_load(5, kill):
        outcome = load_with(database)
    assert database.ledger()[0]["attempts"] == 2
    assert (outcome.result, outcome.added) == (Result.SUCCEEDED, Counts(6_000, 1))
    assert len(database.customers()) == 6_000


@pytest.mark.parametrize("code", [1040, 1205, 1213, 1290, 2003])
def test_an_error_in_one_session_while_others_go_on(database: Database, code: int) -> None:
    def fail() -> None:
        raise TransientError(f"MySQL error {code}") from pymysql.OperationalError(code, "made up")

    with at_load(3, fail):
        outcome = load_with(database)
    assert (outcome.result, outcome.entry.counts) == (Result.SUCCEEDED, Counts(6_000, 1))
    assert len(database.customers()) == 6_000


def test_no_other_session_finds_a_connection(database: Database) -> None:
    database.query(f"ALTER USER {database.user} WITH MAX_USER_CONNECTIONS 1")
    outcome = load_with(database)
    assert (outcome.result, outcome.entry.counts) == (Result.SUCCEEDED, Counts(6_000, 1))
    assert SEVERAL not in database.messages


def test_half_of_what_is_free_is_left_to_others(database: Database) -> None:
    adapter = MySqlDatabase(database, database.server.ca_file, "request-1")
    database.query(f"ALTER USER {database.user} WITH MAX_USER_CONNECTIONS 10")
    with adapter.open(version_of(), CUSTOMER, 1.0) as first:
        assert isinstance(first, MySqlSession)
        assert first.spare_connections() == 4
        with adapter.open_more(version_of(), CUSTOMER), adapter.open_more(version_of(), CUSTOMER):
            assert first.spare_connections() == 3


def test_rows_that_only_the_database_refuses_are_rejected_alone(database: Database) -> None:
    database.query("ALTER TABLE customer ADD CONSTRAINT adults CHECK (age >= 18)")
    rows = [GOOD] * 400
    for place in (3, 200, 399):
        rows[place] = "Mr,a,b,1,a@b,17"
    clean = clean_run(database, MemoryStore(lines_of(*rows)))
    outcome = database.importer(MemoryStore(lines_of(*rows)), sessions=3, limits=SMALL).run(version_of())
    assert SEVERAL in database.messages
    assert outcome.entry.counts == Counts(397, 3)
    assert tables_of(database) == clean


def test_bulk_loading_is_forbidden_during_an_import(database: Database) -> None:
    with ExitStack() as forbidden:
        forbid = partial(forbidden.enter_context, database.bulk_loading(allowed=False))
        with at_load(4, forbid):
            outcome = load_with(database)
    assert (outcome.result, outcome.entry.counts) == (Result.SUCCEEDED, Counts(6_000, 1))
    assert len(database.customers()) == 6_000


def test_out_of_time_all_sessions_commit_and_the_next_invocation_goes_on(database: Database) -> None:
    began = time.monotonic()
    results = []
    while True:
        # Time for the first blocks of each session only.
        outcome = load_with(database, time_left=lambda: 0.0)
        results.append(outcome)
        loaded = database.query("SELECT COUNT(*) FROM customer")[0][0]
        ranges = database.query("SELECT COALESCE(SUM(rows_loaded), 0) FROM csv_import_range")[0][0]
        assert loaded == outcome.entry.counts.loaded + ranges
        if outcome.result is not Result.UNFINISHED:
            break
        assert outcome.added.loaded
        assert time.monotonic() - began < 120
    assert len(results) > 2
    assert (outcome.result, outcome.entry.counts) == (Result.SUCCEEDED, Counts(6_000, 1))
    assert sum(each.added.loaded for each in results) == len(database.customers()) == 6_000


def test_the_source_is_lost_while_sessions_load(database: Database) -> None:
    class Lossy(MemoryStore):
        def open(self, version: Any, offset: int) -> MemoryStream:
            stream = super().open(version, offset)
            if len(self.offsets) == 1:
                read = stream.read

                def failing(size: int) -> bytes:
                    if stream._rest.tell() > 100_000:
                        raise TransientError("S3 does not answer")
                    return read(size)

                stream.read = failing  # type: ignore[method-assign]
            return stream

    store = Lossy(ROWS, piece=4_096)
    outcome = database.importer(store, sessions=3, limits=BATCHES).run(version_of())
    assert database.errors == ["S3 does not answer"]
    assert (outcome.result, outcome.added) == (Result.SUCCEEDED, Counts(6_000, 1))
    assert len(database.customers()) == 6_000


@pytest.mark.parametrize("sessions", [1, 3])
def test_a_source_that_is_slow_to_begin_costs_no_session(database: Database, sessions: int) -> None:
    """As where a large compressed file is skipped up to the position: the server ends sessions that are idle."""

    class Slow(MemoryStore):
        def open(self, version: Any, offset: int) -> MemoryStream:
            stream = super().open(version, offset)
            read = stream.read

            def pausing(size: int) -> bytes:
                if stream._rest.tell() > 100_000 and not pauses:
                    pauses.append(True)
                    time.sleep(4)
                return read(size)

            stream.read = pausing  # type: ignore[method-assign]
            return stream

    pauses: list[bool] = []
    limits = replace(BATCHES, idle=1, batch_pause=0.1, sample_bytes=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("csv_importer.mysql.SESSION", {"wait_timeout": 2})
        outcome = database.importer(Slow(ROWS, piece=4_096), sessions=sessions, limits=limits).run(version_of())
    assert pauses
    assert (database.errors, SEVERAL in database.messages) == ([], sessions > 1)
    assert "A session was lost" not in database.messages
    assert (outcome.result, outcome.added) == (Result.SUCCEEDED, Counts(6_000, 1))


def test_an_import_that_fails_keeps_what_sessions_have_stored_and_a_replay_goes_on(database: Database) -> None:
    packed = gzip.compress(ROWS)
    damaged = MemoryStore(packed[:-2_000] if len(packed) > 4_000 else packed[: len(packed) // 2])
    version = version_of("customers.csv.gz")
    failed = database.importer(damaged, sessions=3, limits=BATCHES).run(version)
    assert failed.entry.status is Status.FAILED
    whole = database.importer(MemoryStore(packed), sessions=3, limits=BATCHES).run(version, replay=True)
    assert (whole.result, whole.entry.counts) == (Result.SUCCEEDED, Counts(6_000, 1))
    assert len(database.customers()) == 6_000


def test_the_database_refuses_more_and_what_sessions_have_stored_stays(database: Database) -> None:
    def fail() -> None:
        raise FileRefused("the database's disk is full")

    with at_load(9, fail):
        failed = load_with(database)
    assert (failed.result, database.errors) == (Result.FAILED, [])
    assert failed.entry.total == failed.added
    assert failed.added.loaded
    outcome = database.importer(MemoryStore(ROWS), sessions=3, limits=BATCHES).run(version_of(), replay=True)
    assert (outcome.result, outcome.entry.counts) == (Result.SUCCEEDED, Counts(6_000, 1))
    assert len(database.customers()) == 6_000


def test_a_damaged_file_is_refused_though_other_sessions_find_no_connection(database: Database) -> None:
    refused = threading.Event()

    def connect(**options: Any) -> FeedConnection:
        if threading.current_thread() is threading.main_thread():
            return FeedConnection(**options)
        refused.set()
        raise pymysql.OperationalError(1040, "Too many connections")

    class Waiting(MemoryStore):
        def open(self, version: Any, offset: int) -> MemoryStream:
            stream = super().open(version, offset)
            read = stream.read

            def late(size: int) -> bytes:
                if threading.current_thread() is not threading.main_thread():
                    refused.wait(30)
                return read(size)

            stream.read = late  # type: ignore[method-assign]
            return stream

    packer = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
    start = packer.compress(lines_of(GOOD, GOOD)) + packer.flush(zlib.Z_SYNC_FLUSH)
    store = Waiting(start + b"\xff" * 10_000, piece=len(start))
    limits = replace(SMALL, sample_bytes=1)
    outcome = database.importer(store, sessions=3, limits=limits, connect=connect).run(version_of("customers.csv.gz"))
    assert outcome.result is Result.FAILED
    assert "damaged" in str(outcome.entry.reason)


def test_a_session_that_is_left_alone_stores_nothing_that_is_read_again(database: Database) -> None:
    """It hangs until time is up, while rows are altered in another one; what it stores later is stored once."""
    left = [60.0]
    hangs, goes_on = threading.Event(), threading.Event()
    others: list[threading.Thread] = []
    calls = itertools.count()
    original = LoadData.load

    def load(self: LoadData, *arguments: Any) -> Any:
        if threading.current_thread() is not threading.main_thread():
            others.append(threading.current_thread())
            result = original(self, *arguments)
            hangs.set()
            goes_on.wait(60)
            return result
        if next(calls) == 1:
            assert hangs.wait(30)
            left[0] = 0.0
            raise RowsAltered("1 warnings")
        return original(self, *arguments)

    options: dict[str, Any] = {"sessions": 2, "limits": replace(BATCHES, grace=0.5), "time_left": lambda: left[0]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LoadData, "load", load)
        unfinished = database.importer(MemoryStore(ROWS), **options).run(version_of())
        goes_on.set()
        for thread in others:
            thread.join(30)
    assert unfinished.result is Result.UNFINISHED
    left[0] = 60.0
    outcome = database.importer(MemoryStore(ROWS), **options).run(version_of())
    assert (outcome.result, outcome.entry.counts) == (Result.SUCCEEDED, Counts(6_000, 1))
    assert len(database.customers()) == 6_000
