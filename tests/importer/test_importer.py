"""Files into a real MySQL: what is stored, rejected, counted and recorded, and that it happens once."""

import csv
import gzip
import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pymysql
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from csv_importer.errors import TransientError
from csv_importer.feed import FeedConnection
from csv_importer.importer import Outcome, Result
from csv_importer.limits import Limits
from csv_importer.mysql import lock_name
from csv_importer.objects import ObjectVersion
from csv_importer.ports import Counts, Status

from .conftest import PASSWORD, Database, grants_of
from .fates import Fates, Killed
from .files import COLUMNS, GOOD, HEADER, MemoryStore, lines_of, text_of, version_of

SMALL_BLOCKS = Limits(block_bytes=64 * 1024, max_record_bytes=32 * 1024, whole_bytes=1)
TRICKY = [
    "😀 𝒳 é e\u0301",
    "'; DROP TABLE customer; -- ",
    "=CMD()",
    "\\",
    "\\N",
    "NULL",
    "\x1f\x1e",
    "a\x1fb\\\x1ec",
    "line\r\nbreak\ttab",
    '"quoted", comma',
    "%s %(a)s %%",
    " spaces ",
    "\x01\x1a\b",
    "\u2028",
]


def test_a_file_is_loaded_with_its_rejects_and_its_ledger(database: Database) -> None:
    content = lines_of(GOOD, "", "Mr,a,b,n/a,x@y,1", "Mr,c,d,,x@y,2", "short")
    outcome = database.importer(MemoryStore(content)).run(version_of("in/customers.csv"))
    assert outcome.result is Result.SUCCEEDED
    assert outcome.added == Counts(loaded=2, rejected=2, blank=1)
    assert database.customers() == [
        ("Mr", "c", "d", 0, "x@y", 2, "in/customers.csv"),
        ("Mrs", "Ada", "Lovelace", 1, "ada@example.org", 36, "in/customers.csv"),
    ]
    assert database.rejects() == [
        ("in/customers.csv", 4, "status", "not a whole number from 0 to 127 in plain digits", "Mr,a,b,n/a,x@y,1"),
        ("in/customers.csv", 6, None, "1 fields instead of 6", "short"),
    ]
    (entry,) = database.ledger()
    assert entry["status"] == "succeeded"
    assert (entry["rows_read"], entry["rows_loaded"], entry["rows_rejected"], entry["rows_blank"]) == (5, 2, 2, 1)
    assert (entry["byte_offset"], entry["line_number"], entry["size_bytes"]) == (len(content), 6, len(content))
    assert (entry["bucket"], entry["object_key"], entry["version_id"]) == ("bucket", "in/customers.csv", "v1")
    assert (entry["attempts"], entry["request_id"], entry["reason"]) == (1, "request-1", None)
    assert entry["finished_at"] >= entry["started_at"]


@pytest.mark.parametrize("content", [b"", HEADER.encode(), b"\n\n"])
def test_a_file_without_rows_succeeds(database: Database, content: bytes) -> None:
    outcome = database.importer(MemoryStore(content)).run(version_of())
    assert (outcome.result, outcome.entry.counts.loaded) == (Result.SUCCEEDED, 0)
    assert database.ledger()[0]["rows_blank"] == content.count(b"\n")


def test_a_file_that_is_not_csv_fails_with_its_reason(database: Database) -> None:
    outcome = database.importer(MemoryStore(b"\x1f\x8b rest")).run(version_of())
    assert outcome.result is Result.FAILED
    (entry,) = database.ledger()
    assert entry["status"] == "failed"
    assert entry["reason"] == "the file is gzip, not CSV in UTF-8; gzip is read where the key ends in .csv.gz"
    assert entry["finished_at"] is not None
    assert database.customers() == []


def test_every_row_bad_succeeds_with_nothing_loaded(database: Database) -> None:
    outcome = database.importer(MemoryStore(lines_of(*["bad"] * 500))).run(version_of())
    assert outcome.result is Result.SUCCEEDED
    assert outcome.entry.counts == Counts(rejected=500)


@pytest.mark.parametrize("local", [True, False])
def test_any_text_arrives_as_it_is(database: Database, local: bool) -> None:
    rows = [("Mr", text, text[::-1] or "x", "0", f"{text}@x", "1") for text in TRICKY]
    with database.bulk_loading(allowed=local):
        outcome = database.importer(MemoryStore(text_of(rows).encode())).run(version_of())
    assert outcome.entry.counts == Counts(loaded=len(rows))
    assert [row[1:3] for row in database.customers()] == sorted(row[1:3] for row in rows)


def test_columns_in_another_order_arrive_in_their_places(database: Database) -> None:
    content = b"age,EMAIL, lastname,title,status,firstname\n36,ada@example.org,Lovelace,Mrs,1,Ada\n"
    database.importer(MemoryStore(content)).run(version_of())
    assert database.customers() == [("Mrs", "Ada", "Lovelace", 1, "ada@example.org", 36, "customers.csv")]


def test_a_long_key_is_shortened_and_still_unique(database: Database) -> None:
    for tail in ("a", "b"):
        database.importer(MemoryStore(lines_of(GOOD))).run(version_of("é" * 500 + tail))
    files = {row[-1] for row in database.customers()}
    assert len(files) == 2
    assert all(len(name) == 100 and name[:84] == "é" * 83 + "~" for name in files)


def test_the_same_version_again_changes_nothing(database: Database) -> None:
    store = MemoryStore(lines_of(GOOD))
    database.importer(store).run(version_of())
    before = (database.customers(), database.ledger())
    assert database.importer(store, request_id="request-2").run(version_of()).result is Result.DUPLICATE
    assert (database.customers(), database.ledger()) == before


def test_another_version_of_the_same_key_is_another_import(database: Database) -> None:
    for number in ("v2", "v1"):
        outcome = database.importer(MemoryStore(lines_of(GOOD))).run(version_of(version_id=number))
        assert outcome.result is Result.SUCCEEDED
    assert len(database.customers()) == 2
    assert [entry["version_id"] for entry in database.ledger()] == ["v2", "v1"]


def test_out_of_time_it_commits_and_later_resumes_there(database: Database) -> None:
    content = lines_of(*[GOOD] * 10_000, "bad")
    store = MemoryStore(content)
    outcome = database.importer(store, limits=SMALL_BLOCKS, time_left=lambda: 0.0).run(version_of())
    assert outcome.result is Result.UNFINISHED
    assert 0 < outcome.entry.counts.loaded < 10_000
    assert outcome.entry.status is Status.RUNNING
    assert len(database.customers()) == outcome.entry.counts.loaded
    resumed = database.importer(store).run(version_of())
    assert store.offsets[-1] == outcome.entry.position.offset
    assert resumed.result is Result.SUCCEEDED
    assert resumed.entry.counts == Counts(loaded=10_000, rejected=1)
    assert resumed.added.loaded == 10_000 - outcome.added.loaded
    assert len(database.customers()) == 10_000
    assert [reject[1] for reject in database.rejects()] == [10_002]
    assert database.ledger()[0]["attempts"] == 2


# Compression


@pytest.mark.parametrize("ratio", [None, 0.5])
def test_a_compressed_file_is_resumed_where_it_stopped(database: Database, ratio: float | None) -> None:
    content = lines_of(*[GOOD] * 10_000, "bad")
    store = MemoryStore(gzip.compress(content[:99_999]) + gzip.compress(content[99_999:]), piece=500)
    version = version_of("in/customers.CSV.gz")
    results: list[Outcome] = []
    while not results or results[-1].result is Result.UNFINISHED:
        importer = database.importer(store, limits=SMALL_BLOCKS, max_reject_ratio=ratio, time_left=lambda: 0.0)
        results.append(importer.run(version))
    assert len(results) > 3
    assert store.offsets == [0] * len(store.offsets)
    assert results[-1].entry.counts == Counts(loaded=10_000, rejected=1)
    assert len(database.customers()) == 10_000
    assert [reject[1] for reject in database.rejects()] == [10_002]
    (entry,) = database.ledger()
    assert (entry["byte_offset"], entry["size_bytes"]) == (len(content), len(store.content))


def test_a_compressed_file_that_is_not_whole_is_not_loaded_where_it_is_checked_first(database: Database) -> None:
    content = gzip.compress(lines_of(*[f"Mr,a{number},b,0,x@y,1" for number in range(50_000)]))
    store = MemoryStore(content[:-100])
    outcome = database.importer(store, max_reject_ratio=0.5).run(version_of("customers.csv.gz"))
    assert outcome.result is Result.FAILED
    assert "the gzip data ends within its content, after" in str(database.ledger()[0]["reason"])
    assert database.customers() == []


def test_gzip_under_another_key_is_refused(database: Database) -> None:
    outcome = database.importer(MemoryStore(gzip.compress(lines_of(GOOD)))).run(version_of("customers.csv"))
    assert outcome.result is Result.FAILED
    assert outcome.entry.reason == "the file is gzip, not CSV in UTF-8; gzip is read where the key ends in .csv.gz"
    outcome = database.importer(MemoryStore(lines_of(GOOD))).run(version_of("customers.csv.gz"))
    assert outcome.entry.reason == "the key ends in .csv.gz, and the object is not gzip"


# The highest share of rejects


in_one_transaction_or_checked = pytest.mark.parametrize("limits", [Limits(), SMALL_BLOCKS], ids=["whole", "checked"])


@in_one_transaction_or_checked
@pytest.mark.parametrize("local", [True, False])
def test_above_the_highest_share_of_rejects_nothing_is_loaded(database: Database, local: bool) -> None:
    content = lines_of(GOOD, GOOD, "", "bad")
    with database.bulk_loading(allowed=local):
        outcome = database.importer(MemoryStore(content), max_reject_ratio=0.33).run(version_of())
    assert outcome.result is Result.FAILED
    (entry,) = database.ledger()
    assert entry["reason"] == "1 of 3 rows (33.3 %) would be rejected, more than MAX_REJECT_RATIO allows (33 %)"
    assert (entry["rows_read"], entry["byte_offset"]) == (0, 0)
    assert database.customers() == []
    assert database.rejects() == []
    assert outcome.added == Counts()


@in_one_transaction_or_checked
@pytest.mark.parametrize("local", [True, False])
def test_up_to_the_highest_share_of_rejects_the_file_is_loaded(database: Database, local: bool) -> None:
    content = lines_of(GOOD, GOOD, "", "bad")
    with database.bulk_loading(allowed=local):
        outcome = database.importer(MemoryStore(content), max_reject_ratio=0.34).run(version_of())
    assert outcome.result is Result.SUCCEEDED
    assert outcome.entry.counts == outcome.added == Counts(2, 1, 1)
    assert len(database.rejects()) == 1


@in_one_transaction_or_checked
@pytest.mark.parametrize("content", [b"", HEADER.encode(), b"\n\n", lines_of("", "")])
def test_a_file_without_rows_has_no_share_of_rejects(database: Database, content: bytes) -> None:
    outcome = database.importer(MemoryStore(content), max_reject_ratio=0.0).run(version_of())
    assert outcome.result is Result.SUCCEEDED
    assert outcome.entry.counts == outcome.added
    assert outcome.entry.counts.loaded + outcome.entry.counts.rejected == 0


@in_one_transaction_or_checked
def test_rows_that_only_the_database_refuses_count_in_the_share(database: Database) -> None:
    database.query("ALTER TABLE customer ADD CONSTRAINT grown CHECK (age > 17)")
    content = lines_of(GOOD, "Mr,a,b,0,x@y,17")
    outcome = database.importer(MemoryStore(content), max_reject_ratio=0.5).run(version_of())
    assert (outcome.result, outcome.entry.counts) == (Result.SUCCEEDED, Counts(1, 1))
    assert outcome.added == Counts(1, 1)


def test_the_check_too_resumes_where_it_stopped(database: Database) -> None:
    store = MemoryStore(lines_of(*[GOOD] * 10_000, "bad"))
    importer = database.importer(store, max_reject_ratio=0.5, limits=SMALL_BLOCKS, time_left=lambda: 0.0)
    outcome = importer.run(version_of())
    assert (outcome.result, outcome.entry.status) == (Result.UNFINISHED, Status.CHECKING)
    assert outcome.added == Counts()
    assert database.customers() == []
    for _ in range(50):
        outcome = importer.run(version_of())
        if outcome.result is not Result.UNFINISHED:
            break
    assert outcome.result is Result.SUCCEEDED
    assert outcome.entry.counts == Counts(10_000, 1)
    assert len(database.customers()) == 10_000


# How many rejects are kept


def kept_lines(database: Database) -> list[int]:
    return [reject[1] for reject in database.rejects()]


@pytest.mark.parametrize("batch_rejects", [1, 2, 1000])
@pytest.mark.parametrize("most", [0, 1, 3, 5, 6])
def test_the_first_rejects_are_kept_and_the_ledger_says_how_many(
    database: Database, most: int, batch_rejects: int
) -> None:
    content = lines_of("bad", GOOD, "bad", 'Mr,"a', GOOD, "Mr,a,b,0,x@y,n/a", "bad")
    limits = Limits(block_bytes=120, max_record_bytes=100, batch_rejects=batch_rejects, batch_bytes=120)
    outcome = database.importer(MemoryStore(content), max_kept_rejects=most, limits=limits).run(version_of())
    assert outcome.result is Result.SUCCEEDED
    assert outcome.entry.counts == Counts(loaded=2, rejected=5)
    assert kept_lines(database) == [2, 4, 5, 7, 8][:most]
    assert outcome.rejects_kept == min(most, 5)
    (entry,) = database.ledger()
    assert entry["rows_rejected"] == 5
    said = f"{most} of 5 rejects are kept, the first ones: the others are only counted (MAX_KEPT_REJECTS)"
    assert entry["reason"] == (said if most < 5 else None)


def test_rejects_of_the_database_are_among_those_that_are_kept(database: Database) -> None:
    database.query("ALTER TABLE customer ADD CONSTRAINT grown CHECK (age > 17)")
    content = lines_of("Mr,a,b,0,x@y,1", "bad", "Mr,a,b,0,x@y,2", GOOD, "bad", "Mr,a,b,0,x@y,3")
    outcome = database.importer(MemoryStore(content), max_kept_rejects=3).run(version_of())
    assert outcome.entry.counts == Counts(loaded=1, rejected=5)
    assert kept_lines(database) == [2, 3, 4]


def test_no_more_are_kept_when_an_import_resumes(database: Database) -> None:
    store = MemoryStore(lines_of(*["bad"] * 60_000))
    importer = database.importer(store, limits=SMALL_BLOCKS, max_kept_rejects=30_000, time_left=lambda: 0.0)
    invocations = 0
    while importer.run(version_of()).result is Result.UNFINISHED:
        invocations += 1
    assert invocations > 1
    assert kept_lines(database) == list(range(2, 30_002))
    assert database.ledger()[0]["rows_rejected"] == 60_000


def test_a_file_without_a_row_is_committed_again_and_again(database: Database) -> None:
    """The server gives up on a transaction that sends nothing for a minute."""
    limits = Limits(batch_bytes=1000, block_bytes=500, max_record_bytes=100)
    outcome = database.importer(MemoryStore(lines_of() + b"\n" * 10_000), limits=limits).run(version_of())
    assert outcome.entry.counts == Counts(blank=10_000)
    assert database.messages.count("Committed") > 9


# How long they are kept

TO_DELETE = "GRANT DELETE, SELECT (import_id) ON csv_import_reject TO "


def imported(database: Database, key: str, days: int, *lines: str) -> None:
    """Import a file, so many days ago."""
    database.importer(MemoryStore(lines_of(*lines))).run(version_of(key))
    database.query(
        "UPDATE csv_import SET finished_at = NOW(3) - INTERVAL %s DAY, updated_at = updated_at WHERE object_key = %s",
        days,
        key,
    )


@pytest.mark.parametrize("delete_rows", [1, 4, 5, 1000])
def test_old_rejects_are_deleted_and_their_counts_stay(database: Database, delete_rows: int) -> None:
    database.query(TO_DELETE + database.user)
    imported(database, "old.csv", 31, *["bad"] * 5)
    imported(database, "older.csv", 300, *["bad"] * 4)
    imported(database, "new.csv", 29, *["bad"] * 3)
    limits = Limits(delete_rows=delete_rows)
    importer = database.importer(MemoryStore(lines_of(GOOD, "bad")), reject_retention_days=30, limits=limits)
    assert importer.run(version_of("now.csv")).result is Result.SUCCEEDED
    assert [reject[0] for reject in database.rejects()] == ["new.csv"] * 3 + ["now.csv"]
    assert [entry["rows_rejected"] for entry in database.ledger()] == [5, 4, 3, 1]
    assert importer.run(version_of("old.csv")).result is Result.DUPLICATE


def test_one_import_deletes_a_bounded_number_of_rejects(database: Database) -> None:
    database.query(TO_DELETE + database.user)
    imported(database, "old.csv", 31, *["bad"] * 50)
    limits = Limits(delete_rows=5, deletions=3)
    importer = database.importer(MemoryStore(lines_of(GOOD)), reject_retention_days=30, limits=limits)
    importer.run(version_of("now.csv"))
    assert len(database.rejects()) == 35


def test_no_rejects_are_deleted_without_the_setting(database: Database) -> None:
    database.query(TO_DELETE + database.user)
    imported(database, "old.csv", 10_000, "bad")
    imported(database, "now.csv", 0, GOOD)
    assert len(database.rejects()) == 1


def test_an_import_does_not_fail_where_old_rejects_cannot_be_deleted(database: Database) -> None:
    database.query(f"REVOKE ALL ON csv_import_reject FROM {database.user}")
    database.query(f"GRANT INSERT ON csv_import_reject TO {database.user}")
    importer = database.importer(MemoryStore(lines_of(GOOD)), reject_retention_days=30)
    assert importer.run(version_of()).result is Result.SUCCEEDED
    assert "Old rejects could not be deleted (REJECT_RETENTION_DAYS)" in database.messages


# Time


class SlowStream:
    """Bytes of which the first come at once, and the others when they may."""

    def __init__(self, content: bytes, first: int, more: threading.Event) -> None:
        self.size = len(content)
        self._pieces = [content[:first], content[first:]]
        self._more = more

    def read(self, size: int) -> bytes:
        del size
        if len(self._pieces) == 1:
            self._more.wait(60)
        return self._pieces.pop(0) if self._pieces else b""

    def close(self) -> None:
        self._more.set()


class SlowStore(MemoryStore):
    """A bucket that answers with the first bytes only."""

    def __init__(self, content: bytes, first: int) -> None:
        super().__init__(content)
        self._first = first

    def open(self, version: ObjectVersion, offset: int) -> Any:
        del version
        return SlowStream(self.content[offset:], self._first, threading.Event())


IMPATIENT = Limits(
    block_bytes=500,
    max_record_bytes=100,
    sample_bytes=400,
    grace=1.5,
    batch_pause=0.1,
    retry_timeout=0.0,
    whole_bytes=1,
)


def test_time_that_is_up_within_a_block_ends_an_invocation_without_progress(database: Database) -> None:
    """A line of gigabytes, or an S3 that hangs: the lock is given back, and the event is tried again."""
    store = SlowStore(lines_of("x" * 2000), 1500)
    with pytest.raises(TransientError, match="before a block of the file had arrived"):
        database.importer(store, limits=IMPATIENT, time_left=lambda: 0.0).run(version_of())
    name = lock_name(version_of(), PASSWORD)
    assert database.query("SELECT GET_LOCK(%s, 10), RELEASE_LOCK(%s)", name, name) == [(1, 1)]
    assert database.importer(MemoryStore(store.content)).run(version_of()).entry.counts == Counts(rejected=1)


def test_time_that_is_up_within_a_block_keeps_what_was_read_before(database: Database) -> None:
    store = SlowStore(lines_of(*[GOOD] * 20, "x" * 2000, GOOD), 1500)
    outcome = database.importer(store, limits=IMPATIENT, time_left=lambda: 0.2).run(version_of())
    assert outcome.result is Result.UNFINISHED
    assert outcome.entry.counts.loaded > 0
    resumed = database.importer(MemoryStore(store.content)).run(version_of())
    assert resumed.entry.counts == Counts(loaded=21, rejected=1)


def test_a_file_that_comes_too_slowly_for_one_transaction_is_tried_again(database: Database) -> None:
    store = SlowStore(lines_of(*[GOOD] * 20), 600)
    limits = replace(IMPATIENT, whole_bytes=10_000)
    with pytest.raises(TransientError, match="before all of the file had arrived"):
        database.importer(store, limits=limits, max_reject_ratio=0.5, time_left=lambda: 0.0).run(version_of())
    assert database.customers() == []


# Replays


def test_a_failed_import_stays_failed_until_it_is_replayed(database: Database) -> None:
    database.query("ALTER TABLE customer AUTO_INCREMENT = 2147483647")
    store = MemoryStore(lines_of(GOOD, GOOD))
    outcome = database.importer(store).run(version_of())
    assert outcome.result is Result.FAILED
    assert "the numbers for the column id are used up: csvToAurora:idType bigint" in str(outcome.entry.reason)
    database.query("ALTER TABLE customer MODIFY id BIGINT AUTO_INCREMENT")
    assert database.importer(store).run(version_of()).result is Result.DUPLICATE
    assert database.customers() == []
    assert database.importer(store).run(version_of(), replay=True).result is Result.SUCCEEDED
    assert len(database.customers()) == 2
    (entry,) = database.ledger()
    assert (entry["status"], entry["reason"], entry["attempts"]) == ("succeeded", None, 2)


def test_a_replay_of_what_succeeded_changes_nothing(database: Database) -> None:
    store = MemoryStore(lines_of(GOOD))
    database.importer(store).run(version_of())
    assert database.importer(store).run(version_of(), replay=True).result is Result.DUPLICATE
    assert len(database.customers()) == 1


# Two at once


@contextmanager
def locked(database: Database, request_id: str = "another") -> Iterator["pymysql.Connection[Any]"]:
    """Hold the lock of the usual object version, with a ledger row that names the holder."""
    holder = database.server.connect(database.name)
    with holder.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK(%s, 0)", (lock_name(version_of(), PASSWORD),))
        cursor.execute(
            "INSERT INTO csv_import (version_hash, bucket, object_key, version_id, import_file, status, request_id)"
            " VALUES (%s, 'bucket', 'customers.csv', 'v1', 'customers.csv', 'running', %s)",
            (version_of().digest, request_id),
        )
    yield holder
    if holder.open:
        holder.close()


def test_an_import_in_progress_elsewhere_is_left_alone(database: Database) -> None:
    done = threading.Event()

    def advance(holder: "pymysql.Connection[Any]") -> None:
        with holder.cursor() as cursor:
            while not done.wait(0.1):
                cursor.execute("UPDATE csv_import SET byte_offset = byte_offset + 1")

    with locked(database) as holder:
        progress = threading.Thread(target=advance, args=(holder,))
        progress.start()
        outcome = database.importer(MemoryStore(lines_of(GOOD))).run(version_of())
        done.set()
        progress.join()
    assert outcome.result is Result.ELSEWHERE
    assert database.customers() == []


def test_without_the_time_to_wait_for_a_lock_the_event_is_kept(database: Database) -> None:
    importer = database.importer(
        MemoryStore(lines_of(GOOD)), limits=Limits(retry_timeout=0.0), time_left=iter([0.5, *[0.0] * 9]).__next__
    )
    with locked(database), pytest.raises(TransientError, match="locked by a session that shows no progress"):
        importer.run(version_of())


def test_a_lock_without_progress_delays_an_import_and_does_not_stop_it(database: Database) -> None:
    importer = database.importer(MemoryStore(lines_of(GOOD)), limits=Limits(lock_timeout=0.0))
    with locked(database):
        assert importer.run(version_of()).result is Result.SUCCEEDED
    assert "Importing without the lock: whoever holds it shows no progress" in database.messages
    assert len(database.customers()) == 1


def test_another_user_of_the_database_cannot_name_the_lock(database: Database) -> None:
    """It reads the ledger, and holds every name that can be derived from what is in it."""
    user = f"web_{database.name}"
    database.query(f"CREATE USER {user} IDENTIFIED BY %s REQUIRE SSL", PASSWORD)
    for table, privileges in grants_of("application").items():
        database.query(f"GRANT {', '.join(privileges)} ON {table} TO {user}")
    attacker = database.server.connect(database.name, user=user, password=PASSWORD)
    version = version_of()
    names = (f"csv_import:{version.digest[:48]}", lock_name(version, ""), lock_name(version, version.digest))
    with attacker.cursor() as cursor:
        for name in names:
            cursor.execute("SELECT GET_LOCK(%s, 0)", (name,))
            assert cursor.fetchone() == (1,)
    assert database.importer(MemoryStore(lines_of(GOOD))).run(version).result is Result.SUCCEEDED
    assert not any("without the lock" in message for message in database.messages)
    attacker.close()


@pytest.mark.parametrize("checked", [True, False])
def test_without_the_lock_two_at_once_still_load_a_file_once(database: Database, checked: bool) -> None:
    """Somebody holds it: the ledger alone decides who stores."""
    content = lines_of(*[GOOD] * 3_000, "bad")
    limits = Limits(batch_rows=100, block_bytes=4096, max_record_bytes=2048, whole_bytes=1, lock_timeout=0.0)
    results: list[Result] = []

    def run(number: int) -> None:
        importer = database.importer(
            MemoryStore(content),
            request_id=f"request-{number}",
            limits=limits,
            max_reject_ratio=0.5 if checked else None,
        )
        results.append(importer.run(version_of()).result)

    holder = database.server.connect(database.name)
    with holder.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK(%s, 0)", (lock_name(version_of(), PASSWORD),))
    threads = [threading.Thread(target=run, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    holder.close()
    assert len(results) == 3
    assert Result.SUCCEEDED in results
    assert len(database.customers()) == 3_000
    assert len(database.rejects()) == 1
    (entry,) = database.ledger()
    assert (entry["status"], entry["rows_loaded"], entry["rows_rejected"]) == ("succeeded", 3_000, 1)


def test_a_lock_of_its_own_lost_session_is_waited_for(database: Database) -> None:
    with locked(database, request_id="request-1") as holder:
        free = threading.Timer(1.5, holder.close)
        free.start()
        outcome = database.importer(MemoryStore(lines_of(GOOD))).run(version_of())
        free.join()
        assert outcome.result is Result.SUCCEEDED


def test_two_at_once_load_a_file_once(database: Database) -> None:
    content = lines_of(*[GOOD] * 5_000)
    results: list[Result] = []

    def run(number: int) -> None:
        importer = database.importer(
            MemoryStore(content), request_id=f"request-{number}", limits=Limits(batch_rows=100)
        )
        results.append(importer.run(version_of()).result)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Result.SUCCEEDED in results
    assert set(results) <= {Result.SUCCEEDED, Result.DUPLICATE, Result.ELSEWHERE}
    assert len(database.customers()) == 5_000


# Properties

values = st.text(st.sampled_from('ab@,"\n\r\\ é😀\x1f\x1e') | st.characters(codec="utf-8"), max_size=6)
rows_of_a_file = st.lists(
    st.tuples(st.just("Mr"), values, values, st.sampled_from(["", "1", "x"]), values.map("a@b".__add__), st.just("5")),
    max_size=25,
)


def loaded_by_csv_module(content: str, key: str) -> list[tuple[Any, ...]]:
    """Read a file with Python's csv module; keep what the columns' rules allow, one value at a time."""
    kept = []
    for row in list(csv.reader(io.StringIO(content, newline=""), strict=True))[1:]:
        if len(row) != 6 or any("\0" in value for value in row):
            continue
        if any(column.judge([value]).errors for column, value in zip(COLUMNS, row, strict=True)):
            continue
        kept.append((row[0], row[1], row[2], int(row[3] or 0), row[4], int(row[5]), key))
    return sorted(kept)


@settings(max_examples=40, deadline=None)
@given(rows=rows_of_a_file, local=st.booleans())
def test_what_is_in_the_table_is_what_the_csv_module_reads(
    shared_database: Database, rows: list[tuple[str, ...]], local: bool
) -> None:
    database = shared_database
    database.empty()
    content = text_of(rows)
    with database.bulk_loading(allowed=local):
        outcome = database.importer(MemoryStore(content.encode(), piece=50)).run(version_of())
    counts = outcome.entry.counts
    assert outcome.result is Result.SUCCEEDED
    assert database.customers() == loaded_by_csv_module(content, "customers.csv")
    assert len(database.rejects()) == counts.rejected
    assert (
        counts.loaded + counts.rejected + counts.blank == counts.read == database.ledger()[0]["rows_read"] == len(rows)
    )


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(st.sampled_from([GOOD, "Mr,a,b,,x@y,1", "bad", "", 'Mr,"a\nb",c,1,x@y,2']), max_size=40),
    fates=st.dictionaries(st.integers(0, 80), st.sampled_from(["lost before", "answer lost", "killed"]), max_size=12),
    checked=st.booleans(),
    whole_bytes=st.sampled_from([1, 1 << 20]),
    most_kept=st.integers(0, 5),
    compressed=st.booleans(),
)
@example(
    rows=[], fates={8: "lost before", 9: "lost before"}, checked=True, whole_bytes=1, most_kept=9, compressed=False
)
def test_any_kills_and_retries_give_the_same_tables_as_one_clean_run(
    *,
    shared_database: Database,
    rows: list[str],
    fates: dict[int, str],
    checked: bool,
    whole_bytes: int,
    most_kept: int,
    compressed: bool,
) -> None:
    database = shared_database
    content = lines_of(*rows)
    store = MemoryStore(gzip.compress(content) if compressed else content)
    version = version_of("customers.csv.gz" if compressed else "customers.csv")
    ratio = 1.0 if checked else None
    limits = Limits(batch_rows=5, block_bytes=120, max_record_bytes=100, whole_bytes=whole_bytes)

    def run(connect: Callable[..., FeedConnection]) -> None:
        importer = database.importer(
            store, max_reject_ratio=ratio, max_kept_rejects=most_kept, limits=limits, connect=connect
        )
        assert importer.run(version).result in (Result.SUCCEEDED, Result.DUPLICATE)

    database.empty()
    run(FeedConnection)
    clean = (database.customers(), database.rejects(), comparable(database))
    database.empty()
    fragile = Fates(fates)
    while True:
        try:
            run(fragile.connect)
        except Killed:
            continue
        break
    assert (database.customers(), database.rejects(), comparable(database)) == clean


def comparable(database: Database) -> list[dict[str, Any]]:
    """The ledger without what differs from run to run."""
    volatile = ("id", "attempts", "started_at", "updated_at", "finished_at")
    return [{name: value for name, value in entry.items() if name not in volatile} for entry in database.ledger()]
