"""The modes of a dataset: what files do to the rows that a table has, exactly once and in any order."""

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from csv_importer.datasets import Dataset, DescriptorError
from csv_importer.feed import FeedConnection
from csv_importer.importer import Outcome, Result
from csv_importer.limits import DEFAULTS, Limits
from csv_importer.mysql import MySqlSession
from csv_importer.objects import ObjectVersion
from csv_importer.ports import Counts

from .conftest import Database, make_database
from .fates import Fates, Killed
from .files import MemoryStore
from .keyed import FIELDS, Model, Row, create, csv_of, dataset_of, refused, stored, version
from .mysql_server import MySqlServer
from .test_faults import once_before
from .test_importer import comparable

KEYS: list[list[tuple[str, ...]]] = [[("k",)], [("k",), ("u",)], [("u", "k")], [("u", "k"), ("v",)]]
SMALL = Limits(batch_rows=5, block_bytes=120, max_record_bytes=100, whole_bytes=1, remove_rows=3)
LIMITS = st.sampled_from([SMALL, replace(SMALL, whole_bytes=DEFAULTS.whole_bytes), DEFAULTS])

MANY: list[Row] = [(str(number), "", "x") for number in range(30)]

row = st.tuples(
    st.sampled_from(["1", "2", "3", "4", ""]), st.sampled_from(["a", "A", "b", "ä", ""]), st.sampled_from("xyz")
)
rows_of_a_file: st.SearchStrategy[list[Row]] = st.lists(row, max_size=14)


@pytest.fixture(scope="module")
def shared(mysql: MySqlServer) -> Iterator[Database]:
    database = make_database(mysql)
    yield database
    database.admin.close()


def fresh(database: Database, dataset: Dataset) -> None:
    """Begin with no rows, in a table with the dataset's keys."""
    database.empty()
    database.messages.clear()
    database.query(f"DROP TABLE IF EXISTS `{dataset.table}`")
    create(database, dataset)


def load(database: Database, dataset: Dataset, rows: list[Row], at: ObjectVersion, **options: Any) -> Outcome:
    return database.importer(MemoryStore(csv_of(rows)), dataset=dataset, **options).run(at)


def in_table(rows: list[tuple[Any, ...]]) -> list[tuple[str, ...]]:
    return [tuple(map(str, row)) for row in rows]


# Keys, in append mode


@pytest.mark.parametrize("bulk", [True, False])
@pytest.mark.parametrize("keys", KEYS, ids=str)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(files=st.lists(rows_of_a_file, min_size=1, max_size=3), limits=LIMITS)
def test_of_two_rows_with_one_key_the_later_is_rejected(
    *, shared: Database, keys: list[tuple[str, ...]], bulk: bool, files: list[list[Row]], limits: Limits
) -> None:
    dataset = dataset_of("append", *keys)
    fresh(shared, dataset)
    model = Model(keys)
    with shared.bulk_loading(allowed=bulk):
        for number, rows in enumerate(files):
            outcome = load(shared, dataset, rows, version(number), limits=limits)
            model.append(rows, version(number))
            assert (outcome.result, outcome.entry.counts.read) == (Result.SUCCEEDED, len(rows))
    assert in_table(stored(shared)) == model.stored()
    assert refused(shared) == model.refused


def test_many_duplicates_are_found_in_bulk(database: Database) -> None:
    dataset = dataset_of("append", ("k",))
    create(database, dataset)
    rows = [(str(number // 2), "", "x") for number in range(6_000)]
    outcome = load(database, dataset, rows, version(1))
    assert outcome.entry.counts == Counts(3_000, 3_000)
    assert database.messages.count("Loading through a temporary table from now on") == 1
    assert "Loading row by row from now on" not in database.messages


@pytest.mark.parametrize("ratio", [None, 0.5, 0.49])
def test_the_texts_of_many_duplicates_are_not_in_memory_at_once(database: Database, ratio: float | None) -> None:
    """A batch ends earlier, unless all of the file is one transaction."""
    dataset = dataset_of("append", ("k",))
    create(database, dataset)
    rows = [(str(number // 2), "", "x") for number in range(2_000)]
    limits = Limits(block_bytes=500, max_record_bytes=100, batch_rejects=70)
    outcome = load(database, dataset, rows, version(1), limits=limits, max_reject_ratio=ratio)
    commits = database.messages.count("Committed")
    if ratio == 0.49:
        assert "1000 of 2000 rows (50 %) would be rejected" in str(outcome.entry.reason)
        assert (stored(database), refused(database), commits) == ([], [], 1)
        return
    assert outcome.entry.counts == Counts(1_000, 1_000)
    assert [line for _, line, *_ in refused(database)] == list(range(3, 2_003, 2))
    assert len(stored(database)) == 1_000
    # The last one says that the import has ended.
    assert commits == 2 if ratio else commits > 5


def test_a_row_that_only_the_database_refuses_is_rejected_alone_whatever_the_mode(database: Database) -> None:
    for mode in ("append", "upsert"):
        dataset = dataset_of(mode, ("k",), name=mode)
        create(database, dataset, "CONSTRAINT `no_" + mode + "` CHECK (v <> 'bad')", "UNIQUE KEY unknown (v, u)")
        rows = [("1", "a", "x"), ("2", "b", "bad"), ("3", "c", "x"), ("4", "a", "x"), ("1", "d", "bad")]
        outcome = load(database, dataset, rows, version(1, mode))
        assert outcome.entry.counts == Counts(2, 3)
        reasons = [reject[1:4] for reject in database.rejects() if reject[0] == mode]
        second = (6, "k", "a second row with the key k")
        assert reasons == [
            (3, None, "the database refuses it: MySQL error 3819"),
            (5, None, "the database refuses it: MySQL error 1062"),
            second if mode == "append" else (6, None, "the database refuses it: MySQL error 3819"),
        ]
        assert [row[:3] for row in stored(database, mode)] == [("1", "a", "x"), ("3", "c", "x")]


# Upsert


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({}, "upsert needs a key to find the row"),
        ({"schema": {"fields": FIELDS, "primaryKey": "k"}, "csvToAurora:importId": False}, "importId may not be false"),
    ],
)
def test_an_upsert_needs_a_key_and_the_import_of_each_row(more: dict[str, Any], message: str) -> None:
    with pytest.raises(DescriptorError, match=message):
        Dataset.of({"name": "keyed", "csvToAurora:mode": "upsert", "schema": {"fields": FIELDS}, **more})


@pytest.mark.parametrize("bulk", [True, False])
@pytest.mark.parametrize("keys", KEYS, ids=str)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    files=st.lists(
        st.tuples(rows_of_a_file, st.integers(0, 9)), min_size=1, max_size=4, unique_by=lambda each: each[1]
    ),
    limits=LIMITS,
)
def test_rows_take_the_places_of_those_with_the_same_key(
    *, shared: Database, keys: list[tuple[str, ...]], bulk: bool, files: list[tuple[list[Row], int]], limits: Limits
) -> None:
    dataset = dataset_of("upsert", *keys)
    fresh(shared, dataset)
    model = Model(keys)
    with shared.bulk_loading(allowed=bulk):
        for number, (rows, second) in enumerate(files):
            at = version(number, f"file-{number % 2}.csv", second=second)
            outcome = load(shared, dataset, rows, at, limits=limits)
            model.upsert(rows, at)
            assert (outcome.result, outcome.entry.counts.read) == (Result.SUCCEEDED, len(rows))
    assert in_table(stored(shared)) == model.stored()
    assert refused_by_version(shared) == sorted(model.refused, key=str)


def refused_by_version(database: Database) -> list[tuple[Any, ...]]:
    return sorted(refused(database), key=str)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    files=st.lists(rows_of_a_file, min_size=2, max_size=4).flatmap(
        lambda files: st.permutations(list(enumerate(files))).map(lambda order: (files, order))
    )
)
def test_in_whatever_order_events_come_the_newest_rows_stay(
    shared: Database, files: tuple[list[list[Row]], list[tuple[int, list[Row]]]]
) -> None:
    dataset = dataset_of("upsert", ("k",))
    fresh(shared, dataset)
    model = Model([("k",)])
    in_order, order = files
    at = {number: version(number, second=number // 2, sequencer=f"{number:X}1") for number, _ in order}
    for number, rows in order:
        load(shared, dataset, rows, at[number])
    for number, rows in enumerate(in_order):
        model.upsert(rows, at[number])
    assert in_table(stored(shared)) == model.stored()
    counts = {entry["version_id"]: entry["rows_loaded"] for entry in shared.ledger()}
    assert counts == {f"v{number}": sum(1 for row in rows if row[0]) for number, rows in enumerate(in_order)}


def test_a_row_keeps_its_id_and_when_it_was_created(database: Database) -> None:
    dataset = dataset_of("upsert", ("k",))
    create(database, dataset)
    load(database, dataset, [("1", "a", "x"), ("2", "b", "x")], version(1))
    database.query("UPDATE keyed SET created_at = '2020-01-01'")
    before = database.query("SELECT id, k, created_at FROM keyed ORDER BY id")
    load(database, dataset, [("2", "c", ""), ("1", "d", "y")], version(2, second=1))
    assert database.query("SELECT id, k, created_at FROM keyed ORDER BY id") == before
    assert [each[1:] for each in stored(database)] == [("d", "y", "keyed.csv", "v2"), ("c", "", "keyed.csv", "v2")]


def test_a_column_that_a_file_lacks_has_its_default(database: Database) -> None:
    """The whole row is replaced: nothing of the one that was there stays."""
    some = [*FIELDS, {"name": "w", "type": "integer", "csvToAurora:columnDefault": "7"}]
    schema = {"fields": some, "fieldsMatch": "superset", "primaryKey": "k"}
    dataset = Dataset.of({"name": "keyed", "csvToAurora:mode": "upsert", "schema": schema})
    create(database, dataset)
    for number, content in enumerate([b"k,u,v,w\n1,a,x,1\n2,b,y,2\n", b"w,k\n,1\n9,3\n", b"k,u\n2,c\n"]):
        outcome = database.importer(MemoryStore(content), dataset=dataset).run(version(number, second=number))
        assert outcome.result is Result.SUCCEEDED
    rows = database.query("SELECT k, u, v, w FROM keyed ORDER BY k")
    assert rows == [(1, None, None, 7), (2, "c", None, 7), (3, None, None, 9)]


def test_imports_that_write_the_same_rows_at_once_all_get_on(database: Database) -> None:
    """In orders of their own, so that they deadlock."""
    dataset = dataset_of("upsert", ("k",))
    create(database, dataset)
    limits = Limits(batch_rows=400, block_bytes=1_000, max_record_bytes=100)
    results: list[Result] = []

    def run(number: int) -> None:
        keys = [str((index * (2 * number + 3)) % 2_003) for index in range(2_003)]
        rows: list[Row] = [(key, "", str(number)) for key in keys]
        at = version(number, f"{number}.csv", second=number)
        results.append(load(database, dataset, rows, at, limits=limits, request_id=str(number)).result)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [Result.SUCCEEDED] * 6
    assert database.query("SELECT v, COUNT(*) FROM keyed GROUP BY v") == [("5", 2_003)]


def test_whoever_has_the_turn_delays_an_import_and_does_not_stop_it(database: Database) -> None:
    dataset = dataset_of("upsert", ("k",))
    create(database, dataset)
    rival = database.server.connect(database.name, autocommit=False)
    limits = Limits(row_lock_timeout=1)
    original = FeedConnection.query
    asked: list[str] = []

    def query(connection: FeedConnection, sql: str | bytes, *arguments: Any) -> Any:
        text = sql if isinstance(sql, str) else sql.decode()
        if "GET_LOCK" in text:
            (name,) = re.findall("csv_import:[0-9a-f]+", text)
            asked.append(name)
            with rival.cursor() as cursor:
                cursor.execute("SELECT GET_LOCK(%s, 0)", (name if len({*asked}) > 1 else "another",))
        return original(connection, sql, *arguments)

    load(database, dataset, MANY, version(1))
    with rival.cursor() as cursor:
        cursor.execute("SELECT * FROM keyed FOR UPDATE")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FeedConnection, "query", query)
        outcome = load(
            database, dataset, MANY[:3], version(2, second=1), limits=limits, sleep=lambda _: rival.rollback()
        )
    assert outcome.result is Result.SUCCEEDED
    assert database.errors == ["a lock wait timeout (MySQL error 1205)"]
    assert len({*asked}) == 2
    rival.close()


def unchanging(run: Callable[[Callable[..., FeedConnection]], None], fates: dict[int, str]) -> None:
    """Run it again and again, with connections that fail, until it is not killed."""
    fragile = Fates(fates)
    while True:
        try:
            run(fragile.connect)
        except Killed:
            continue
        return


FATES = st.dictionaries(st.integers(0, 120), st.sampled_from(["lost before", "answer lost", "killed"]), max_size=8)


@pytest.mark.parametrize("mode", ["append", "upsert"])
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(before=rows_of_a_file, rows=rows_of_a_file, fates=FATES, limits=LIMITS, older=st.booleans(), bulk=st.booleans())
def test_any_kills_give_the_same_tables_as_one_clean_run(
    *,
    shared: Database,
    mode: str,
    before: list[Row],
    rows: list[Row],
    fates: dict[int, str],
    limits: Limits,
    older: bool,
    bulk: bool,
) -> None:
    dataset = dataset_of(mode, ("k",), ("u",))

    def run(connect: Callable[..., FeedConnection]) -> None:
        at = version(2, second=-1 if older else 1)
        outcome = load(shared, dataset, rows, at, connect=connect, limits=limits, max_reject_ratio=1.0)
        assert outcome.result in (Result.SUCCEEDED, Result.DUPLICATE)

    def tables() -> tuple[Any, ...]:
        return stored(shared), refused(shared), comparable(shared)

    with shared.bulk_loading(allowed=bulk):
        fresh(shared, dataset)
        load(shared, dataset, before, version(1))
        run(FeedConnection)
        clean = tables()
        fresh(shared, dataset)
        load(shared, dataset, before, version(1))
        unchanging(run, fates)
        assert tables() == clean


# Replace

REPLACE = dataset_of("replace")


def owners(database: Database) -> list[tuple[Any, ...]]:
    return sorted(
        database.query(
            "SELECT object_key, version_id, COUNT(*) FROM keyed AS t JOIN csv_import AS i ON i.id = t.import_id"
            " GROUP BY object_key, version_id"
        )
    )


def reasons(database: Database) -> dict[str, str | None]:
    return {entry["version_id"]: entry["reason"] for entry in database.ledger()}


def test_rows_are_those_of_the_newest_version_of_each_key(database: Database) -> None:
    create(database, REPLACE)
    load(database, REPLACE, MANY, version(1))
    load(database, REPLACE, MANY, version(1, "other.csv"))
    load(database, REPLACE, MANY[:2], version(2, second=1))
    assert owners(database) == [("keyed.csv", "v2", 2), ("other.csv", "v1", 30)]
    first, other, second = database.ledger()
    assert (first["status"], first["rows_loaded"]) == ("succeeded", 30)
    assert first["reason"] == f"superseded by import {second['id']}, which removed its rows"
    assert (other["reason"], second["reason"]) == (None, None)


@pytest.mark.parametrize("checked", [True, False])
def test_an_older_version_that_comes_later_leaves_no_rows(database: Database, checked: bool) -> None:
    create(database, REPLACE)
    load(database, REPLACE, MANY, version(2, second=1))
    outcome = load(database, REPLACE, MANY[:5], version(1), max_reject_ratio=0.5 if checked else None)
    assert (outcome.result, outcome.entry.counts) == (Result.SUCCEEDED, Counts())
    assert outcome.entry.reason == f"superseded by import {database.ledger()[0]['id']}"
    assert owners(database) == [("keyed.csv", "v2", 30)]


@pytest.mark.parametrize(
    "content",
    [b"another,header\n1,2\n", b"k,u,v\nx,,\nx,,\n1,,\n", csv_of(MANY)[:-3] * 200],
    ids=["header", "small", "large"],
)
def test_a_version_that_is_refused_as_a_whole_removes_nothing(database: Database, content: bytes) -> None:
    create(database, REPLACE)
    load(database, REPLACE, MANY, version(1))
    limits = Limits(whole_bytes=100, remove_rows=5)
    importer = database.importer(MemoryStore(content), dataset=REPLACE, max_reject_ratio=0.01, limits=limits)
    assert importer.run(version(2, second=1)).result is Result.FAILED
    assert owners(database) == [("keyed.csv", "v1", 30)]
    assert reasons(database)["v1"] is None


@pytest.mark.parametrize("content", [b"", b"k,u,v\n", b"k,u,v\nbad,,\n"])
def test_a_newer_version_without_rows_leaves_none(database: Database, content: bytes) -> None:
    create(database, REPLACE)
    load(database, REPLACE, MANY, version(1))
    importer = database.importer(MemoryStore(content), dataset=REPLACE, limits=Limits(remove_rows=7))
    assert importer.run(version(2, second=1)).result is Result.SUCCEEDED
    assert owners(database) == []
    assert (
        load(database, REPLACE, MANY, version(0)).entry.reason == f"superseded by import {database.ledger()[1]['id']}"
    )


def test_a_small_file_takes_the_place_of_another_at_once(database: Database) -> None:
    """No reader sees a part of either."""
    create(database, REPLACE)
    load(database, REPLACE, MANY, version(1))
    seen: set[tuple[tuple[Any, ...], ...]] = set()
    original = FeedConnection.query

    def look(connection: FeedConnection, *arguments: Any, **options: Any) -> Any:
        seen.add(tuple(owners(database)))
        return original(connection, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FeedConnection, "query", look)
        load(database, REPLACE, MANY[:5], version(2, second=1), max_reject_ratio=0.5)
    assert seen == {(("keyed.csv", "v1", 30),), (("keyed.csv", "v2", 5),)}


def test_a_key_with_a_space_at_its_end_is_another_key(database: Database) -> None:
    create(database, REPLACE)
    load(database, REPLACE, MANY, version(1, "a"))
    load(database, REPLACE, MANY[:3], version(2, "a ", second=1))
    assert owners(database) == [("a", "v1", 30), ("a ", "v2", 3)]


def test_out_of_time_while_rows_are_removed_it_goes_on_later(database: Database) -> None:
    create(database, REPLACE)
    load(database, REPLACE, MANY, version(1))
    options: dict[str, Any] = {"limits": Limits(remove_rows=7), "time_left": lambda: 0.0}
    outcome = load(database, REPLACE, MANY[:3], version(2, second=1), **options)
    assert outcome.result is Result.UNFINISHED
    assert owners(database) == [("keyed.csv", "v1", 23)]
    later = [load(database, REPLACE, MANY[:3], version(2, second=1), **options).result for _ in range(5)]
    assert later[-2:] == [Result.SUCCEEDED, Result.DUPLICATE]
    assert owners(database) == [("keyed.csv", "v2", 3)]


versions_of_a_key = st.lists(st.tuples(rows_of_a_file, FATES, st.booleans()), min_size=2, max_size=4).flatmap(
    lambda each: st.tuples(st.just(each), st.permutations(range(len(each))))
)


@pytest.mark.parametrize("keys", [[], [("k",)]], ids=str)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(versions=versions_of_a_key, limits=LIMITS, checked=st.booleans(), bulk=st.booleans())
def test_in_any_order_and_under_any_kills_the_newest_version_stays(
    *,
    shared: Database,
    keys: list[tuple[str, ...]],
    versions: tuple[list[tuple[list[Row], dict[int, str], bool]], list[int]],
    limits: Limits,
    checked: bool,
    bulk: bool,
) -> None:
    dataset = dataset_of("replace", *keys)
    fresh(shared, dataset)
    files, order = versions
    abandoned = [number for number in order if files[number][2]]

    def run(number: int, connect: Callable[..., FeedConnection]) -> None:
        rows, at = files[number][0], version(number, second=number)
        ratio = 1.0 if checked else None
        load(shared, dataset, rows, at, connect=connect, limits=limits, max_reject_ratio=ratio)

    with shared.bulk_loading(allowed=bulk):
        for number in order:
            fragile = Fates(files[number][1])
            try:
                run(number, fragile.connect)
            except Killed:
                # Some come again at once, the others when the versions that follow have had their turn.
                if number not in abandoned:
                    unchanging(lambda connect, number=number: run(number, connect), {})  # type: ignore[misc]
        for number in order:
            run(number, FeedConnection)
    model = Model(keys)
    newest = len(files) - 1
    model.append(files[newest][0], version(newest, second=newest))
    assert in_table(stored(shared)) == model.stored()
    assert {entry["status"] for entry in shared.ledger()} == {"succeeded"}


@pytest.mark.parametrize("whole", [True, False])
def test_versions_that_are_loaded_at_once_leave_the_newest(database: Database, whole: bool) -> None:
    create(database, REPLACE)
    limits = Limits(
        batch_rows=50, block_bytes=300, max_record_bytes=100, whole_bytes=10**6 if whole else 1, remove_rows=90
    )
    rows: list[Row] = [(str(number), "", "x") for number in range(1_000)]
    results: list[Result] = []

    def run(number: int) -> None:
        at = version(number, second=number)
        ratio = 0.5 if whole else None
        results.append(
            load(database, REPLACE, rows, at, limits=limits, request_id=str(number), max_reject_ratio=ratio).result
        )

    threads = [threading.Thread(target=run, args=(number,)) for number in (2, 1, 4, 3, 0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [Result.SUCCEEDED] * 5
    assert owners(database) == [("keyed.csv", "v4", 1_000)]


def full(database: Database) -> None:
    """Have the server refuse each row as a full disk does."""
    database.query(
        "CREATE TRIGGER full BEFORE INSERT ON keyed FOR EACH ROW"
        " SIGNAL SQLSTATE 'HY000' SET MESSAGE_TEXT = 'full', MYSQL_ERRNO = 1114"
    )


def test_a_failed_version_that_was_superseded_is_replayed_without_rows(database: Database) -> None:
    create(database, REPLACE)
    limits = Limits(batch_rows=5, block_bytes=120, max_record_bytes=100)
    with once_before(MySqlSession, "transaction", lambda: full(database), call=2):
        assert load(database, REPLACE, MANY * 5, version(1), limits=limits).result is Result.FAILED
    assert owners(database)
    database.query("DROP TRIGGER full")
    load(database, REPLACE, MANY[:5], version(2, second=1))
    outcome = database.importer(MemoryStore(csv_of(MANY * 5)), dataset=REPLACE).run(version(1), replay=True)
    assert outcome.entry.reason == f"superseded by import {database.ledger()[1]['id']}"
    assert owners(database) == [("keyed.csv", "v2", 5)]


def test_replacing_needs_the_import_of_each_row() -> None:
    with pytest.raises(DescriptorError, match="replace has to know which import a row is of"):
        Dataset.of(
            {"name": "a", "csvToAurora:mode": "replace", "csvToAurora:importId": False, "schema": {"fields": FIELDS}}
        )
