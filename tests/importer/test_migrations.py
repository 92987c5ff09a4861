"""Tables that follow their descriptors: created, migrated by exact statements, refused where that costs too much."""

import itertools
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

import pymysql
import pytest
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st
from tables import definition_of, located

from csv_importer.datasets import Dataset
from csv_importer.errors import TransientError
from csv_importer.importer import Result

from .conftest import Database
from .files import MemoryStore, version_of
from .schema_tables import Definition, migrate, plans_of

ALL_ALLOWED = ["copy", *(f"{what}:{name}" for what in ("drop", "narrow", "retype") for name in "abcdef")]
COLUMNS_OF = (
    "SELECT column_name, column_type, is_nullable, column_default, extra, collation_name"
    " FROM information_schema.columns WHERE table_schema = %s AND table_name = 'things'"
)
INDEXES_OF = (
    "SELECT index_name, non_unique, column_name FROM information_schema.statistics"
    " WHERE table_schema = %s AND table_name = 'things'"
)


def definition(fields: Sequence[Mapping[str, Any]], allow: Sequence[str] = (), **more: Any) -> Definition:
    """Return the definition of the table of a dataset with fields."""
    custom = {"csvToAurora:allow": list(allow)} | {
        f"csvToAurora:{name}": more.pop(name) for name in ("idType", "importId") if name in more
    }
    dataset = Dataset.of({"name": "things", "schema": {"fields": list(fields), **more}, **custom})
    return located(definition_of(dataset), "datasets/things.yaml", range(10, 10 + len(fields)))


def text(name: str, length: int | None = None, **more: Any) -> dict[str, Any]:
    """Return a field of text."""
    constraints = {"maxLength": length} if length else {}
    return {"name": name, "type": "string", "constraints": constraints | more.pop("constraints", {}), **more}


def required(field: Mapping[str, Any]) -> dict[str, Any]:
    """Return a field that is required."""
    return {**field, "constraints": {**field.get("constraints", {}), "required": True}}


def shape_of(database: Database, schema: str | None = None) -> tuple[set[Any], set[Any]]:
    """Return columns and indexes in no order: added columns come last, and an index of the same columns will do."""
    name = schema or database.name
    indexes: dict[str, tuple[bool, frozenset[str]]] = {}
    for index, not_unique, column in database.query(INDEXES_OF, name):
        _, columns = indexes.get(index, (False, frozenset()))
        indexes[index] = (not not_unique, columns | {column})
    return {*database.query(COLUMNS_OF, name)}, {*indexes.values()}


def created(database: Database, wanted: Definition) -> tuple[set[Any], set[Any]]:
    """Return the shape of a table that is created afresh."""
    name = f"{database.name}_fresh"
    database.query(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    try:
        migrate(database.admin, name, [wanted])
        return shape_of(database, name)
    finally:
        database.query(f"DROP DATABASE {name}")
        database.admin.select_db(database.name)


def refusals_of(database: Database, wanted: Definition) -> list[str]:
    (plan,) = plans_of(database.admin, database.name, [wanted])
    return plan.refusals


def fresh(database: Database, wanted: Definition, *, filled: bool = True) -> None:
    """Create the table again, with a row where it is asked for."""
    database.query("DROP TABLE IF EXISTS things")
    migrate(database.admin, database.name, [wanted])
    if filled:
        insert(database, wanted)


def insert(database: Database, wanted: Definition) -> None:
    """Insert a row: its texts are as short as they can be."""
    names = [column["name"] for column in wanted["columns"] if not column["auto_increment"]]
    values = {
        column["name"]: SAMPLES.get(re.split(r"[( ]", column["type"])[0], "1")
        for column in wanted["columns"]
        if column["name"] in names and column["name"] != "created_at"
    }
    columns = ", ".join(f"`{name}`" for name in values)
    database.query(
        f"INSERT INTO things ({columns}) VALUES ({', '.join(['%s'] * len(values))})",  # noqa: S608 - names of a test
        *values.values(),
    )


SAMPLES = {
    "json": "[1]",
    "date": "2024-02-29",
    "time": "10:00:00",
    "datetime": "2024-02-29 10:00:00",
    "timestamp": "2024-02-29 10:00:00",
}

# Versions of a descriptor, each with what it may do to the table of the one before.
LADDER: list[tuple[list[dict[str, Any]], list[str], dict[str, Any]]] = [
    ([required(text("a", 20)), {"name": "n", "type": "integer"}], [], {}),
    (
        [required(text("a", 60)), {"name": "n", "type": "integer"}, text("note")],
        [],
        {"uniqueKeys": [["n"]]},
    ),
    (
        [
            text("a", 63),
            {"name": "n", "type": "integer", "csvToAurora:columnDefault": "-1", "missingValues": [""]},
            text("note"),
            {"name": "paid", "type": "boolean", "csvToAurora:columnDefault": "false"},
        ],
        ["narrow:n"],
        {"uniqueKeys": [["n"], ["a", "n"]]},
    ),
    (
        [
            text("a", 63),
            {"name": "n", "type": "integer", "csvToAurora:columnDefault": "7"},
            {"name": "paid", "type": "boolean", "csvToAurora:columnDefault": "true"},
            {"name": "price", "type": "number", "csvToAurora:columnType": "decimal(8,2)"},
        ],
        ["drop:note", "narrow:n"],
        {"uniqueKeys": [["a"]]},
    ),
    (
        [
            text("a", 300),
            {"name": "n", "type": "integer", "csvToAurora:columnDefault": "7"},
            {"name": "paid", "type": "boolean", "csvToAurora:columnDefault": "true"},
            {"name": "price", "type": "number", "csvToAurora:columnType": "decimal(12,3)"},
            {"name": "seen", "type": "datetime"},
        ],
        ["copy", "drop:note", "narrow:n"],
        {"uniqueKeys": [["a"]]},
    ),
    (
        [
            text("a"),
            {"name": "n", "type": "string", "constraints": {"maxLength": 30}},
            {"name": "seen", "type": "date"},
            text("mail", format="email", constraints={"maxLength": 200, "unique": True}),
        ],
        ["copy", "drop:note", "drop:paid", "drop:price", "retype:n", "retype:seen"],
        {"importId": False},
    ),
]


def version(number: int) -> Definition:
    fields, allow, more = LADDER[number]
    return definition(fields, allow, **dict(more))


@pytest.mark.parametrize(("start", "end"), [*itertools.combinations(range(len(LADDER)), 2)])
def test_from_each_version_to_each_later_one(database: Database, start: int, end: int) -> None:
    fresh(database, version(start))
    kept = sorted({column["name"] for column in version(start)["columns"]} & {"a", "import_file", "created_at", "id"})
    statement = f"SELECT {', '.join(kept)} FROM things"  # noqa: S608 - names of the ladder
    before = database.query(statement)
    assert migrate(database.admin, database.name, [version(end)])
    columns, indexes = shape_of(database)
    if start < len(LADDER) - 1 == end:
        # The last version has no import_id: the column stays, since a row can be stored without it.
        columns = {column for column in columns if column[0] != "import_id"}
        indexes -= {(False, frozenset({"import_id"}))}
    assert (columns, indexes) == created(database, version(end))
    assert database.query(statement) == before
    assert migrate(database.admin, database.name, [version(end)]) == []


# Random descriptors

# No two of them are too long for an index.
lengths = st.sampled_from([1, 20, 60, 63, 64, 100, 255, 380])
texts = st.builds(lambda length: {"type": "string", "constraints": {"maxLength": length}}, lengths)
typed = st.one_of(
    texts,
    texts.map(lambda field: {**field, "csvToAurora:columnDefault": "é"}),
    st.sampled_from(["char(5)", "char(20)", "text", "mediumtext", "varchar(70)"]).map(
        lambda kind: {"type": "string", "csvToAurora:columnType": kind}
    ),
    st.sampled_from(["tinyint", "smallint", "int", "bigint", "int unsigned", "tinyint unsigned"]).flatmap(
        lambda kind: st.sampled_from(
            [{}, {"csvToAurora:columnDefault": "-0"}, {"csvToAurora:columnDefault": "+7"}]
        ).map(lambda default: {"type": "integer", "csvToAurora:columnType": kind, **default})
    ),
    st.sampled_from(["decimal(5,2)", "decimal(7,2)", "decimal(9,4)", "decimal(5,0)"]).flatmap(
        lambda kind: st.sampled_from(
            [{}, {"csvToAurora:columnDefault": "-0.0"}, {"csvToAurora:columnDefault": "1E1"}]
        ).map(lambda default: {"type": "number", "csvToAurora:columnType": kind, **default})
    ),
    st.sampled_from(
        [
            {"type": "boolean"},
            {"type": "boolean", "csvToAurora:columnDefault": "true"},
            {"type": "date", "csvToAurora:columnDefault": "2024-02-29"},
            {"type": "time"},
            {"type": "time", "csvToAurora:columnDefault": "10:00:00"},
            {"type": "datetime", "csvToAurora:columnDefault": "2024-02-29T10:00:00.5Z"},
            {"type": "year", "csvToAurora:columnDefault": "-0044"},
            {"type": "string", "csvToAurora:columnDefault": "it's \\ \n 😀 %s"},
            {"type": "string", "constraints": {"maxLength": 20}, "csvToAurora:columnDefault": "it's \\ \n 😀 %s"},
            {
                "type": "string",
                "constraints": {"maxLength": 20},
                "missingValues": ["-"],
                "csvToAurora:columnDefault": "",
            },
            {"type": "object", "csvToAurora:columnDefault": "{}"},
            {"type": "list"},
        ]
    ),
)


Fields = dict[str, dict[str, Any]]


@st.composite
def fields_of(draw: st.DrawFn) -> Fields:
    """Draw any of six fields."""
    names = draw(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=5, unique=True))
    return {name: draw(_field(name)) for name in names}


@st.composite
def _field(draw: st.DrawFn, name: str) -> dict[str, Any]:
    field = {"name": name, **draw(typed)}
    return required(field) if draw(st.booleans()) else field


@st.composite
def definitions(draw: st.DrawFn, fields: Fields, allow: Sequence[str] = ()) -> Definition:
    """Draw the definition of a table with fields."""
    may_be = [name for name, field in fields.items() if _may_be_key(field)]
    keys = st.lists(st.lists(st.sampled_from(may_be), min_size=1, max_size=2, unique=True), max_size=2)
    unique = draw(keys) if may_be else []
    return definition([*fields.values()], allow, uniqueKeys=unique, importId=draw(st.booleans()))


@st.composite
def alike(draw: st.DrawFn, allow: Sequence[str]) -> tuple[Definition, Definition]:
    """Draw two definitions, the later one with a few changes."""
    before = draw(fields_of())
    after = dict(before)
    for name in draw(st.lists(st.sampled_from("abcdef"), max_size=2, unique=True)):
        field = draw(st.none() | _field(name) | st.sampled_from(LIKELY).map(lambda change: {"name": name, **change}))  # noqa: B023 - drawn at once
        after = {other: each for other, each in after.items() if other != name} | ({name: field} if field else {})
    return draw(definitions(before)), draw(definitions(after or before, allow))


LIKELY: list[dict[str, Any]] = [
    {"type": "string", "constraints": {"maxLength": 63}},
    {"type": "string", "constraints": {"maxLength": 380}},
    {"type": "integer", "csvToAurora:columnType": "bigint"},
    {"type": "number", "csvToAurora:columnType": "decimal(9,4)"},
    {"type": "boolean"},
]


def _may_be_key(field: Mapping[str, Any]) -> bool:
    kind = field.get("csvToAurora:columnType", "")
    if field["type"] == "string":
        return "text" not in kind and ("char" in kind or "maxLength" in field.get("constraints", {}))
    return field["type"] not in ("object", "list")


examples = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
DROPS = [f"drop:{name}" for name in "abcdef"]
TIGHTER = [f"narrow:{name}" for name in "abcdef"]


@examples
@given(
    before=fields_of().flatmap(definitions),
    after=fields_of().flatmap(lambda fields: definitions(fields, [*DROPS, *TIGHTER])),
)
def test_a_table_without_rows_becomes_any_other(
    shared_database: Database, before: Definition, after: Definition
) -> None:
    fresh(shared_database, before, filled=False)
    migrate(shared_database.admin, shared_database.name, [after])
    columns, indexes = shape_of(shared_database)
    if "import_id" not in [column["name"] for column in after["columns"]]:
        columns = {column for column in columns if column[0] != "import_id"}
        indexes -= {(False, frozenset({"import_id"}))}
    assert (columns, indexes) == created(shared_database, after)
    assert migrate(shared_database.admin, shared_database.name, [after]) == []


C: dict[str, Any] = {"name": "c", "type": "string", "csvToAurora:columnType": "char(20)"}


@examples
# Another collation, for the key, and NULL.
@example(pair=(definition([{**C, "constraints": {"required": True}}]), definition([C], uniqueKeys=[["c"]])))
@given(pair=st.lists(st.sampled_from([*DROPS, "copy", "copy"])).flatmap(alike))
def test_a_plan_is_refused_or_the_server_takes_it_as_it_is_written_and_no_cheaper(
    shared_database: Database, pair: tuple[Definition, Definition]
) -> None:
    database = shared_database
    before, after = pair
    fresh(database, before)
    (plan,) = plans_of(database.admin, database.name, [after])
    if plan.refusals:
        event("refused")
        assert all(re.search(r"things\.\w+", refusal) and "To go on" in refusal for refusal in plan.refusals)
        return
    event("taken" if plan.statements else "unchanged")
    for statement in plan.statements:
        for cheaper in _cheaper(statement):
            with copied(database, cheaper) as attempt, pytest.raises(pymysql.MySQLError, match="is not supported"):
                database.query(attempt)
        database.query(statement)
    assert database.query("SELECT COUNT(*) FROM things") == [(1,)]
    assert migrate(database.admin, database.name, [after]) == []


def _cheaper(statement: str) -> Iterator[str]:
    """Yield the statement with the algorithm that would be cheaper."""
    if "ALGORITHM=COPY" in statement:
        yield statement.replace("ALGORITHM=COPY", "ALGORITHM=INPLACE")
    elif "ALGORITHM=INPLACE" in statement:
        yield statement.replace("ALGORITHM=INPLACE, LOCK=NONE", "ALGORITHM=INSTANT")


class copied:  # noqa: N801 - a context manager
    """A copy of the table, and the statement for it."""

    def __init__(self, database: Database, statement: str) -> None:
        self._database = database
        self._statement = statement

    def __enter__(self) -> str:
        self._database.query("DROP TABLE IF EXISTS copy_of_things")
        self._database.query("CREATE TABLE copy_of_things LIKE things")
        return self._statement.replace("`things`", "`copy_of_things`")

    def __exit__(self, *_: object) -> None:
        self._database.query("DROP TABLE copy_of_things")


# What is refused

A = text("a", 20)
N = {"name": "n", "type": "integer", "csvToAurora:columnType": "int"}
REFUSALS: list[tuple[dict[str, Any], dict[str, Any], str, str]] = [
    # Before, after, what allows it, and words of the reason.
    (A, text("a", 64), "copy", "across 255 bytes, where the length of a value takes a second byte"),
    (A, text("a"), "copy", "is varchar(20) utf8mb4_0900_ai_ci NULL and would become text"),
    (A, text("a", 10), "narrow:a", "may not hold all of its values"),
    (text("a"), A, "narrow:a", "may not hold all of its values"),
    (A, required(A), "narrow:a", "would become varchar(20) utf8mb4_0900_ai_ci NOT NULL, which may not hold"),
    (A, {"name": "a", "type": "integer"}, "retype:a", "another kind of values"),
    (A, {"name": "a", "type": "object"}, "retype:a", "another kind of values"),
    (
        N,
        {**N, "csvToAurora:columnType": "bigint"},
        "copy",
        "is int NULL and would become bigint NULL: the server copies",
    ),
    (N, {**N, "csvToAurora:columnType": "int unsigned"}, "narrow:n", "may not hold all of its values"),
    (
        {"name": "d", "type": "number", "csvToAurora:columnType": "decimal(9,4)"},
        {"name": "d", "type": "number", "csvToAurora:columnType": "decimal(9,2)"},
        "narrow:d",
        "may not hold all of its values",
    ),
    ({"name": "t", "type": "date"}, {"name": "t", "type": "datetime"}, "retype:t", "another kind of values"),
]


@pytest.mark.parametrize(("before", "after", "allowance", "reason"), REFUSALS)
def test_what_copies_the_table_or_may_lose_values_is_refused_until_it_is_allowed(
    database: Database, before: dict[str, Any], after: dict[str, Any], allowance: str, reason: str
) -> None:
    fresh(database, definition([before]))
    shape = shape_of(database)
    (refusal,) = refusals_of(database, definition([after], ["drop:other"]))
    assert f"The column things.{before['name']} (datasets/things.yaml:10) is " in refusal
    assert reason in refusal
    assert f"add {allowance} to the list csvToAurora:allow in datasets/things.yaml" in refusal
    assert shape_of(database) == shape
    (plan,) = plans_of(database.admin, database.name, [definition([after], [allowance])])
    assert (plan.refusals, len(plan.statements)) == ([], 1)
    # The row that there is has a value for which the server itself may refuse that.
    database.query("DELETE FROM things")
    assert refusals_of(database, definition([after])) == []
    migrate(database.admin, database.name, [definition([after])])
    assert shape_of(database) == created(database, definition([after]))


def test_a_new_column_that_is_required_is_refused_where_there_are_rows(database: Database) -> None:
    after = definition([A, required(N)], ALL_ALLOWED)
    fresh(database, definition([A]))
    (refusal,) = refusals_of(database, after)
    assert (
        "things.n (datasets/things.yaml:11) is new and required, and the rows that there are have no value" in refusal
    )
    assert "csvToAurora:columnDefault" in refusal
    database.query("DELETE FROM things")
    (plan,) = plans_of(database.admin, database.name, [after])
    add, require = plan.statements
    database.query(add)
    # A row that came in between: the server looks for it, and the next plan names it.
    insert(database, definition([A]))
    with pytest.raises(pymysql.MySQLError, match="Invalid use of NULL value"):
        database.query(require)
    (refusal,) = refusals_of(database, definition([A, required(N)]))
    assert "narrow:n" in refusal


def test_a_column_that_gets_a_default_still_takes_null_in_the_rows_that_have_it(database: Database) -> None:
    fresh(database, definition([A, N]))
    database.query("UPDATE things SET n = NULL")
    after = [A, {**N, "csvToAurora:columnDefault": "5"}]
    (statement,) = migrate(database.admin, database.name, [definition(after)])
    assert statement.endswith("ALTER COLUMN `n` SET DEFAULT '5', ALGORITHM=INSTANT")
    assert database.query("SELECT n FROM things") == [(None,)]
    assert migrate(database.admin, database.name, [definition(after)]) == []
    database.query("UPDATE things SET n = 5")
    (statement,) = migrate(database.admin, database.name, [definition(after, ["narrow:n"])])
    assert "MODIFY COLUMN `n` int NOT NULL DEFAULT '5', ALGORITHM=INPLACE, LOCK=NONE" in statement
    assert shape_of(database) == created(database, definition(after))


def test_a_text_with_a_default_is_added_by_a_copy(database: Database) -> None:
    fresh(database, definition([A]))
    after = [A, {**text("note"), "csvToAurora:columnDefault": "none"}]
    (refusal,) = refusals_of(database, definition(after))
    assert "things.note (datasets/things.yaml:11) is new, of type text and has a default: the server copies" in refusal
    (statement,) = migrate(database.admin, database.name, [definition(after, ["copy"])])
    assert statement.endswith("ALGORITHM=COPY")
    assert database.query("SELECT note FROM things") == [("none",)]


def test_what_is_not_defined_is_left_alone_where_rows_can_be_stored_without_it(database: Database) -> None:
    fresh(database, definition([A]))
    database.query(
        "ALTER TABLE things ADD COLUMN region VARCHAR(5) NULL, ADD INDEX by_region (region, a), ADD UNIQUE INDEX u (a)"
    )
    assert migrate(database.admin, database.name, [definition([A])]) == []
    database.query("ALTER TABLE things ADD COLUMN shop INT NOT NULL")
    (refusal,) = refusals_of(database, definition([A]))
    assert "things.shop is not in the definition, takes no NULL and has no default" in refusal
    (statement,) = migrate(database.admin, database.name, [definition([A], ["drop:shop"])])
    assert "DROP COLUMN `shop`, ALGORITHM=INSTANT" in statement


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        ("CREATE VIEW things AS SELECT 1 AS id", "is a view"),
        ("CREATE TABLE things (id BIGINT PRIMARY KEY) ENGINE=MyISAM", "is of the engine MyISAM"),
        ("CREATE TABLE things (a INT PRIMARY KEY)", "has the primary key (a) instead of (id)"),
    ],
)
def test_another_table_of_that_name_is_refused(database: Database, made: str, reason: str) -> None:
    database.query(made)
    (refusal,) = refusals_of(database, definition([A], ALL_ALLOWED))
    assert reason in refusal
    assert "another" in refusal


def test_a_column_that_the_server_computes_is_refused(database: Database) -> None:
    fresh(database, definition([A]))
    database.query("ALTER TABLE things ADD COLUMN n INT AS (LENGTH(a))")
    assert (
        "things.n (datasets/things.yaml:11) is computed by the server" in refusals_of(database, definition([A, N]))[0]
    )


def test_the_last_numbers_of_an_id_are_warned_of(database: Database) -> None:
    small = definition([A], idType="int")
    fresh(database, small, filled=False)
    warnings: list[list[str]] = []
    for number in (1_700_000_000, 1_800_000_000):
        database.query(f"ALTER TABLE things AUTO_INCREMENT = {number}")
        insert(database, small)
        (plan,) = plans_of(database.admin, database.name, [small])
        warnings.append(plan.warnings)
    none, (warning,) = warnings
    assert none == []
    assert "83 % of the numbers of things.id (int) are used" in warning
    assert "bigint (csvToAurora:idType), and add copy to the list csvToAurora:allow in datasets/things.yaml" in warning
    (statement,) = migrate(database.admin, database.name, [definition([A], ["copy"])])
    assert statement.endswith("MODIFY COLUMN `id` bigint NOT NULL AUTO_INCREMENT, ALGORITHM=COPY")
    (plan,) = plans_of(database.admin, database.name, [definition([A])])
    assert plan.warnings == []


# Interrupted


def test_a_run_that_is_killed_between_two_statements_goes_on_where_it_stopped(database: Database) -> None:
    statements = len(_migrated_until(database, None))
    assert statements >= 5
    for done in range(statements):
        _migrated_until(database, done)
        migrate(database.admin, database.name, [version(4)])
        assert shape_of(database) == created(database, version(4))
        assert database.query("SELECT COUNT(*) FROM things") == [(1,)]


def _migrated_until(database: Database, stop: int | None) -> list[str]:
    """Create the table again, and run the first statements that make it another one."""
    fresh(database, version(1))
    (plan,) = plans_of(database.admin, database.name, [version(4)])
    assert plan.refusals == []
    for statement in plan.statements[:stop]:
        database.query(statement)
    return plan.statements


def test_a_statement_that_is_killed_is_run_again(database: Database) -> None:
    fresh(database, definition([A]), filled=False)
    fill(database, 200_000)
    after = definition([A, N], uniqueKeys=[["a"]])
    watcher = Database(database.server, database.name, database.server.connect())

    def kill() -> None:
        while not killed:
            for (process,) in watcher.query(
                "SELECT id FROM information_schema.processlist WHERE info LIKE 'ALTER TABLE%%ADD UNIQUE INDEX%%'"
            ):
                watcher.query(f"KILL {process}")
                killed.append(process)

    killed: list[int] = []
    thread = threading.Thread(target=kill)
    thread.start()
    session = database.server.connect()
    try:
        with pytest.raises(pymysql.MySQLError, match=r"Lost connection|interrupted|killed"):
            migrate(session, database.name, [after])
    finally:
        killed.append(0)
        thread.join()
    # The columns were altered before.
    (plan,) = plans_of(database.admin, database.name, [after])
    (statement,) = plan.statements
    assert "ADD UNIQUE INDEX" in statement
    migrate(database.admin, database.name, [after])
    assert shape_of(database) == created(database, after)
    assert database.query("SELECT COUNT(*) FROM things") == [(200_000,)]


def fill(database: Database, rows: int) -> None:
    """Store rows with different values of a."""
    database.query("SET SESSION cte_max_recursion_depth = 1000000")
    database.query(
        "INSERT INTO things (a, import_file) WITH RECURSIVE numbers (i) AS"
        " (SELECT 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < %s) SELECT i, '' FROM numbers",
        rows,
    )


# While imports run

MILLION = 1_000_000
FILE_ROWS = 500
BASE = [required(text("a", 20)), text("note", 20)]
# What a function of the version before does not notice, and what it does.
UNNOTICED = [
    text("a", 20),
    {**text("note", 20), "csvToAurora:columnDefault": "none"},
    {"name": "n", "type": "integer"},
    {"name": "paid", "type": "boolean", "csvToAurora:columnDefault": "false"},
]
NOTICED = [{**UNNOTICED[0], "constraints": {"maxLength": 63}}, *UNNOTICED[1:], text("more", 100)]


class Imports:
    """Threads that import one file after another, and begin again after a transient error, as Lambda does."""

    def __init__(self, database: Database, fields: Sequence[Mapping[str, Any]], numbers: Iterator[int]) -> None:
        self._database = database
        self._dataset = Dataset.of({"name": "things", "schema": {"fields": list(fields), "fieldsMatch": "subset"}})
        self._numbers = numbers
        self._header = [str(field["name"]) for field in fields]
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(3)]
        self.errors: list[str] = []
        self.results: list[Result] = []

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            number = next(self._numbers)
            rows = (
                f"{MILLION + 1 + number * FILE_ROWS + row}{',' * (len(self._header) - 1)}" for row in range(FILE_ROWS)
            )
            content = "\n".join([",".join(self._header), *rows]).encode()
            while True:
                importer = self._database.importer(
                    MemoryStore(content), request_id=str(number), dataset=self._dataset, sleep=lambda _: time.sleep(0.1)
                )
                try:
                    self.results.append(importer.run(version_of(f"{number}.csv")).result)
                    break
                except TransientError as error:
                    self.errors.append(str(error))


def test_a_million_rows_are_migrated_while_imports_run(database: Database) -> None:
    before, unnoticed = definition(BASE), definition(UNNOTICED, uniqueKeys=[["a"]])
    noticed = definition(NOTICED, uniqueKeys=[["a"]])
    fresh(database, before, filled=False)
    database.query(f"GRANT INSERT ON things TO {database.user}")
    fill(database, MILLION)
    database.query("UPDATE things SET note = ''")
    numbers = itertools.count()
    with Imports(database, BASE, numbers) as older:
        statements = migrate_as_the_role_does(database, unnoticed)
    assert [statement.rpartition("ALGORITHM=")[2] for statement in statements] == [
        "INSTANT",
        "INSTANT",
        "INPLACE, LOCK=NONE",
        "INPLACE, LOCK=NONE",
    ]
    with Imports(database, NOTICED, numbers) as newer:
        # The function comes first.
        while not any("not as the dataset needs it" in error for error in database.errors):
            time.sleep(0.05)
        statements = migrate_as_the_role_does(database, noticed)
    assert [statement.rpartition("ALGORITHM=")[2] for statement in statements] == ["INSTANT", "INPLACE, LOCK=NONE"]
    assert older.errors == []
    assert all("not as the dataset needs it" in error for error in newer.errors)
    results = older.results + newer.results
    assert len(older.results) > 3
    assert len(newer.results) >= 3
    assert set(results) == {Result.SUCCEEDED}
    assert database.query("SELECT COUNT(*), COUNT(DISTINCT a) FROM things") == [
        (MILLION + len(results) * FILE_ROWS, MILLION + len(results) * FILE_ROWS)
    ]
    assert database.query("SELECT COUNT(*), MIN(rows_loaded), MAX(rows_loaded) FROM csv_import") == [
        (len(results), FILE_ROWS, FILE_ROWS)
    ]
    assert plans_of(database.admin, database.name, [noticed])[0].statements == []


def migrate_as_the_role_does(database: Database, wanted: Definition) -> list[str]:
    """Migrate, again and again while other sessions use the table; return the statements."""
    connection = database.server.connect()
    done: list[str] = []
    (plan,) = plans_of(connection, database.name, [wanted])
    assert plan.refusals == []
    with connection.cursor() as cursor:
        for statement in plan.statements:
            while statement not in done:
                try:
                    cursor.execute(statement)
                    done.append(statement)
                except pymysql.OperationalError as error:
                    if error.args[0] != 1205:
                        raise
    connection.close()
    return done
