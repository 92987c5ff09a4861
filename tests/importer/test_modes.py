"""The modes of a dataset: what files do to the rows that a table has, exactly once and in any order."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from csv_importer.datasets import Dataset, DescriptorError
from csv_importer.feed import FeedConnection
from csv_importer.importer import Outcome, Result
from csv_importer.limits import Limits
from csv_importer.objects import ObjectVersion
from csv_importer.ports import Counts

from .conftest import Database, make_database
from .files import MemoryStore
from .keyed import FIELDS, Model, Row, create, csv_of, dataset_of, refused, stored, version
from .mysql_server import MySqlServer
from .test_importer import Fates, Killed, comparable

KEYS: list[list[tuple[str, ...]]] = [[("k",)], [("k",), ("u",)], [("u", "k")], [("u", "k"), ("v",)]]
SMALL = Limits(batch_rows=5, block_bytes=120, max_record_bytes=100, whole_bytes=1)
LIMITS = st.sampled_from([SMALL, Limits(batch_rows=5, block_bytes=120, max_record_bytes=100), Limits()])

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
