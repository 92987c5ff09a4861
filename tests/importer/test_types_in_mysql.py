"""What a dataset of all types is in a real MySQL: stored exactly, by both loaders, or rejected before it gets there."""

import datetime as dt
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tables import definition_of

from csv_importer.datasets import Dataset
from csv_importer.errors import TransientError
from csv_importer.importer import Result
from csv_importer.ports import Counts

from .conftest import Database, make_database
from .files import MemoryStore, version_of
from .mysql_server import MySqlServer
from .schema_tables import migrate

FIELDS: list[dict[str, Any]] = [
    {"name": "code", "type": "string", "constraints": {"maxLength": 20}},
    {"name": "note", "type": "any"},
    {"name": "order", "type": "integer", "groupChar": "_"},
    {"name": "price", "type": "number"},
    {"name": "rate", "type": "number", "csvToAurora:columnType": "decimal(5,2)"},
    {"name": "paid", "type": "boolean", "csvToAurora:columnDefault": "false"},
    {"name": "day", "type": "date"},
    {"name": "at", "type": "time"},
    {"name": "moment", "type": "datetime"},
    {"name": "year", "type": "year"},
    {"name": "month", "type": "yearmonth"},
    {"name": "span", "type": "duration"},
    {"name": "tags", "type": "list"},
    {"name": "more", "type": "object"},
    {"name": "items", "type": "array"},
    {"name": "uid", "type": "string", "format": "uuid"},
]
NAMES = [field["name"] for field in FIELDS]
DATASET = Dataset.of({"name": "things", "schema": {"fields": FIELDS}})
UUID = "123e4567-e89b-12d3-a456-426614174000"
FULL = (
    "a\x1f\x1e\\N", "  text \\N\t\n😀", "1_000", "1.5E3", "-999.990", "TRUE", "2024-02-29", "23:59:59",
    "2024-01-26T15:00:00.300-05:00", "-0044", "2024-06", "P1Y2M3DT4H5M6.789S", 'a,"b",\\', '{"a": [1, "é\\n"]}',
    "[1.5, null]", UUID,
)  # fmt: skip
STORED = (
    "a\x1f\x1e\\N", "  text \\N\t\n😀", 1000, Decimal(1500), Decimal("-999.99"), 1, dt.date(2024, 2, 29),
    dt.timedelta(hours=23, minutes=59, seconds=59), dt.datetime(2024, 1, 26, 20, 0, 0, 300_000), -44, "2024-06",  # noqa: DTZ001
    "P1Y2M3DT4H5M6.789S", ["a", '"b"', "\\"], {"a": [1, "é\n"]}, [1.5, None], UUID,
)  # fmt: skip
JSON_PLACES = [index for index, field in enumerate(FIELDS) if field["type"] in ("list", "object", "array")]
EMPTY = tuple(0 if name == "paid" else None for name in NAMES)


def create(database: Database, dataset: Dataset) -> None:
    """Create a dataset's table."""
    migrate(database.admin, database.name, [definition_of(dataset)])
    database.query(f"GRANT INSERT ON `{dataset.table}` TO {database.user}")


def csv_of(*rows: tuple[str, ...]) -> bytes:
    lines = [",".join(NAMES)]
    lines += (",".join('"' + value.replace('"', '""') + '"' for value in row) for row in rows)
    return "\n".join(lines).encode()


def rows_of(database: Database) -> list[tuple[Any, ...]]:
    names = ", ".join(f"`{name}`" for name in NAMES)
    return [
        tuple(json.loads(value) if at in JSON_PLACES and value else value for at, value in enumerate(row))
        for row in database.query(f"SELECT {names} FROM things ORDER BY id")  # noqa: S608 - names from FIELDS
    ]


@pytest.fixture
def typed(database: Database) -> Database:
    create(database, DATASET)
    return database


@pytest.mark.parametrize("bulk", [True, False])
@pytest.mark.parametrize("few", [True, False])
def test_each_type_is_stored_with_its_value(typed: Database, *, bulk: bool, few: bool) -> None:
    plain = ("x", "y", *[""] * (len(NAMES) - 2))
    rows = [FULL, tuple("" for _ in NAMES), *([] if few else [plain] * 50)]
    with typed.bulk_loading(allowed=bulk):
        outcome = typed.importer(MemoryStore(csv_of(*rows)), dataset=DATASET).run(version_of())
    assert (outcome.result, outcome.entry.reason) == (Result.SUCCEEDED, None)
    assert outcome.entry.counts == Counts(len(rows))
    assert "Loading row by row from now on" not in typed.messages
    assert rows_of(typed)[:2] == [STORED, EMPTY]
    assert set(rows_of(typed)[2:]) <= {("x", "y", *EMPTY[2:])}


@pytest.mark.parametrize("bulk", [True, False])
def test_what_mysql_cannot_hold_never_gets_there(typed: Database, *, bulk: bool) -> None:
    bad = {
        "items": "[" * 101 + "]" * 101,
        "price": "9" * 36, "rate": "1000", "order": "9223372036854775808", "day": "0999-12-31", "at": "24:00:00",
        "moment": "9999-12-31T23:59:59-01:00", "year": "40000", "more": '{"a": "\\ud800"}', "code": "x" * 21,
    }  # fmt: skip
    rows = [
        tuple(bad[name] if name == each else value for each, value in zip(NAMES, FULL, strict=True)) for name in bad
    ]
    with typed.bulk_loading(allowed=bulk):
        outcome = typed.importer(MemoryStore(csv_of(FULL, *rows, FULL)), dataset=DATASET).run(version_of())
    assert outcome.entry.counts == Counts(2, len(rows))
    assert [reject[2] for reject in typed.rejects()] == list(bad)
    assert not [reject for reject in typed.rejects() if "database refuses" in reject[3]]


TEXTS: dict[str, st.SearchStrategy[str]] = {
    "code": st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=25),
    "order": st.integers(-(10**20), 10**20).map(str),
    "price": st.decimals(-(10**36), 10**36, allow_nan=False, places=4).map(str) | st.floats().map(str),
    "day": st.dates().map(str),
    "moment": st.datetimes(timezones=st.none() | st.timezones()).map(dt.datetime.isoformat),
    "year": st.integers(-40_000, 40_000).map(str),
    "more": st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
        lambda inner: st.dictionaries(st.text(max_size=2), inner, max_size=3),
        max_leaves=5,
    ).map(json.dumps),
    "tags": st.text(st.sampled_from('a,"\\\x1f'), max_size=5),
}
RANDOM = st.tuples(*(TEXTS.get(name, st.just("")) for name in NAMES))


@pytest.fixture(scope="module")
def shared(mysql: MySqlServer) -> Iterator[Database]:
    database = make_database(mysql)
    create(database, DATASET)
    yield database
    database.admin.close()


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows=st.lists(RANDOM, min_size=1, max_size=8))
def test_the_database_never_disagrees_with_the_checks(shared: Database, rows: list[tuple[str, ...]]) -> None:
    shared.empty()
    shared.query("DELETE FROM things")
    shared.messages.clear()
    outcome = shared.importer(MemoryStore(csv_of(*rows)), dataset=DATASET).run(version_of())
    assert outcome.result is Result.SUCCEEDED
    assert "Loading row by row from now on" not in shared.messages
    good = [
        row
        for row in rows
        if not any(column.judge([value]).errors for column, value in zip(DATASET.columns, row, strict=True))
    ]
    stored = rows_of(shared)
    assert [row[0] for row in stored] == [row[0] or None for row in good]
    place = NAMES.index("price")
    assert [row[place] for row in stored] == [Decimal(row[place]) for row in good]


def test_keys_need_a_unique_index_and_the_later_of_two_rows_is_rejected(database: Database) -> None:
    dataset = Dataset.of(
        {
            "name": "keyed",
            "schema": {"fields": [{"name": "a"}, {"name": "n", "type": "integer"}], "uniqueKeys": [["n"]]},
        }
    )
    create(database, dataset)
    database.query("DROP INDEX key_n ON keyed")
    content = MemoryStore(b"a,n\nfirst,1\nsecond,01\nthird,\nfourth,\n")
    with pytest.raises(TransientError, match="not as the dataset needs it: it lacks a unique index of n"):
        database.importer(content, dataset=dataset).run(version_of())
    database.query("CREATE UNIQUE INDEX by_hand ON keyed (n)")
    database.query(f"GRANT SELECT (n) ON keyed TO {database.user}")
    database.query(f"GRANT CREATE TEMPORARY TABLES ON {database.name}.* TO {database.user}")
    outcome = database.importer(content, dataset=dataset).run(version_of())
    assert outcome.entry.counts == Counts(3, 1)
    assert database.query("SELECT a FROM keyed ORDER BY id") == [("first",), ("third",), ("fourth",)]
    assert database.rejects()[0][1:4] == (3, "n", "a second row with the key n")


def test_a_column_that_takes_no_null_where_the_dataset_has_some_is_named(typed: Database) -> None:
    typed.query("ALTER TABLE things MODIFY day DATE NOT NULL")
    with pytest.raises(TransientError, match="things is not as the dataset needs it: day does not take NULL"):
        typed.importer(MemoryStore(csv_of(FULL)), dataset=DATASET).run(version_of())


@pytest.mark.parametrize("local", [True, False])
def test_a_file_in_another_dialect_and_encoding_arrives_as_it_is(database: Database, local: bool) -> None:
    described = {
        "name": "things",
        "encoding": "windows-1252",
        "dialect": {"delimiter": ";", "quoteChar": "'", "commentChar": "#", "nullSequence": "NULL"},
        "schema": {"fields": FIELDS, "fieldsMatch": "partial"},
    }
    dataset = Dataset.of(described)
    create(database, dataset)
    content = "sep=;\nnote;unknown;code\n#;;\n'5 €; \\N\x1f';\x01;NULL\nÜ;'\n';x\n".encode("cp1252")
    with database.bulk_loading(allowed=local):
        outcome = database.importer(MemoryStore(content), dataset=dataset).run(version_of())
    assert outcome.entry.counts == Counts(loaded=2, rejected=0, blank=2)
    expected = dict(zip(NAMES, EMPTY, strict=True))
    assert rows_of(database) == [
        tuple({**expected, "note": "5 €; \\N\x1f"}.values()),
        tuple({**expected, "note": "Ü", "code": "x"}.values()),
    ]


@pytest.mark.parametrize("local", [True, False])
def test_rows_of_200_columns_and_64_kilobytes_arrive(database: Database, local: bool) -> None:
    # InnoDB has room for no more than 196 columns of type TEXT.
    fields = [{"name": f"c{place}", "type": "string" if place % 10 else "integer"} for place in range(200)]
    dataset = Dataset.of({"name": "things", "schema": {"fields": fields}})
    create(database, dataset)
    text = "é" * (64 * 1024 // 2 // 180 - 1)
    lines = [",".join(text if place % 10 else str(row) for place in range(200)) for row in range(30)]
    content = "\n".join([",".join(f"c{place}" for place in range(200)), *lines, "x" * 140_000, lines[0]]).encode()
    with database.bulk_loading(allowed=local):
        outcome = database.importer(MemoryStore(content), dataset=dataset).run(version_of())
    assert outcome.entry.counts == Counts(loaded=31, rejected=1)
    assert database.query("SELECT c0, c1, c199 FROM things ORDER BY id") == [
        (row, text, text) for row in [*range(30), 0]
    ]
