"""A server that takes small packets: rows are loaded all the same, and what cannot be sent has its reason."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import pymysql
import pytest

from csv_importer.datasets import Dataset
from csv_importer.errors import ConfigurationError
from csv_importer.feed import FEED_NAME, FeedConnection
from csv_importer.importer import Result
from csv_importer.limits import DEFAULTS, Limits
from csv_importer.ports import Counts

from .conftest import Database, make_database
from .files import GOOD, MemoryStore, lines_of, version_of
from .keyed import create, version
from .mysql_server import MySqlServer

PACKET = 64 * 1024
LONGEST = DEFAULTS.max_record_bytes - 100
"""Bytes of a value in one of the longest rows."""
TEXT = {"name": "text", "type": "string"}
TOO_LARGE = "the database refuses it: it is larger than max_allowed_packet of the server (MySQL error 1153)"


@pytest.fixture(scope="module")
def narrow() -> Iterator[MySqlServer]:
    """A server whose max_allowed_packet is 64 KiB."""
    with MySqlServer(options=(f"--max-allowed-packet={PACKET}",)) as server:
        yield server


@pytest.fixture
def small(narrow: MySqlServer) -> Iterator[Database]:
    database = make_database(narrow)
    yield database
    database.admin.close()


def things(*fields: dict[str, Any], mode: str = "append", keys: Sequence[Sequence[str]] = ()) -> Dataset:
    """Make a dataset."""
    schema = {
        "fields": [{"name": "n", "type": "integer"}, *fields],
        **({"uniqueKeys": [list(key) for key in keys]} if keys else {}),
    }
    return Dataset.of({"name": "things", "csvToAurora:mode": mode, "schema": schema})


def content_of(dataset: Dataset, rows: Sequence[str]) -> bytes:
    """Write rows of numbers and texts."""
    header = ",".join(column.name for column in dataset.columns)
    return "".join(f"{line}\n" for line in (header, *rows)).encode()


def lengths(database: Database) -> dict[int, int]:
    """Return how long the text of each number is."""
    return dict(database.query("SELECT n, LENGTH(text) FROM things ORDER BY n"))


@pytest.mark.parametrize(
    ("mode", "keys"), [("append", ()), ("append", (["n"],)), ("upsert", (["n"],)), ("replace", ())]
)
def test_rows_of_twice_the_largest_packet_arrive(small: Database, mode: str, keys: Sequence[Sequence[str]]) -> None:
    dataset = things({**TEXT, "csvToAurora:columnType": "mediumtext"}, mode=mode, keys=keys)
    create(small, dataset)
    sizes = [2, PACKET - 20, PACKET - 1, PACKET, PACKET + 1, LONGEST, *[1000] * 300]
    rows = [f"{number},{'é' * (size // 2)}" for number, size in enumerate(sizes)]
    importer = small.importer(
        MemoryStore(content_of(dataset, rows)), dataset=dataset, sessions=3, limits=Limits(session_bytes=100_000)
    )
    outcome = importer.run(version_of())
    assert ("Loading through several sessions" in small.messages) == (mode == "append" and not keys)
    assert (outcome.result, outcome.entry.counts) == (Result.SUCCEEDED, Counts(len(rows)))
    assert lengths(small) == {number: size // 2 * 2 for number, size in enumerate(sizes)}
    assert small.errors == []


@pytest.mark.parametrize("keys", [(), (["n"],)])
def test_row_by_row_a_row_that_no_packet_holds_is_rejected_alone(
    small: Database, keys: Sequence[Sequence[str]]
) -> None:
    dataset = things({**TEXT, "csvToAurora:columnType": "mediumtext"}, keys=keys)
    create(small, dataset)
    sizes = [1, PACKET - 1000, PACKET, LONGEST, *[1000] * 300]
    rows = [f"{number},{'x' * size}" for number, size in enumerate(sizes)]
    with small.bulk_loading(allowed=False):
        outcome = small.importer(MemoryStore(content_of(dataset, rows)), dataset=dataset).run(version_of())
    assert (outcome.result, outcome.entry.counts) == (Result.SUCCEEDED, Counts(len(rows) - 2, 2))
    assert [(line, reason) for _, line, _, reason, _ in small.rejects()] == [(4, TOO_LARGE), (5, TOO_LARGE)]
    assert lengths(small) == {number: size for number, size in enumerate(sizes) if number not in (2, 3)}
    assert small.errors == []


def test_a_value_that_the_server_makes_too_large_costs_its_row(small: Database) -> None:
    """MySQL stores JSON in another form than its text: numbers of one digit take more there."""
    dataset = things({"name": "text", "type": "array"})
    create(small, dataset)
    values = [[1, 2], [1] * 25_000, [3]]
    rows = [f'{number},"{json.dumps(value, separators=(",", ":"))}"' for number, value in enumerate(values)]
    assert len(rows[1]) < PACKET - 10_000
    outcome = small.importer(MemoryStore(content_of(dataset, rows)), dataset=dataset).run(version_of())
    assert (outcome.result, outcome.entry.counts) == (Result.SUCCEEDED, Counts(2, 1))
    assert [(line, reason) for _, line, _, reason, _ in small.rejects()] == [(3, TOO_LARGE.replace("1153", "1301"))]
    assert small.errors == []


def test_the_longest_rejects_are_kept(small: Database) -> None:
    bad = [f"{'é' * 30_000},{number}" for number in range(100)]
    outcome = small.importer(MemoryStore(lines_of(GOOD, *bad))).run(version_of())
    assert outcome.entry.counts == Counts(1, 100)
    assert {len(text) for *_, text in small.rejects()} == {DEFAULTS.raw_length}
    assert small.errors == []


@pytest.mark.parametrize("mode", ["append", "upsert"])
def test_a_block_of_more_rows_than_a_statement_has_room_for_numbers(small: Database, mode: str) -> None:
    """Every second row has a key that is there already: the statements name the rows one by one."""
    dataset = things(mode=mode, keys=[["n"]])
    create(small, dataset)
    small.query("SET SESSION cte_max_recursion_depth = 100000")
    small.query(
        "INSERT INTO things (n, import_file, import_id) WITH RECURSIVE numbers (n) AS"
        " (SELECT 0 UNION ALL SELECT n + 2 FROM numbers WHERE n < 30000) SELECT n, 'other', 0 FROM numbers"
    )
    rows = [str(number) for number in range(30_000)]
    outcome = small.importer(MemoryStore(content_of(dataset, rows)), dataset=dataset).run(version_of())
    rejected = 15_000 if mode == "append" else 0
    assert (outcome.result, outcome.entry.counts) == (Result.SUCCEEDED, Counts(30_000 - rejected, rejected))
    assert small.query("SELECT COUNT(*), COUNT(DISTINCT n), SUM(import_id > 0) FROM things") == [
        (30_001, 30_001, 30_000 - rejected)
    ]
    assert small.errors == []


def test_an_object_may_have_more_versions_than_a_statement_has_room_for_ids(small: Database) -> None:
    dataset = things(mode="replace")
    create(small, dataset)
    content = content_of(dataset, ["1", "2"])
    small.importer(MemoryStore(content), dataset=dataset).run(version(0))
    small.query("SET SESSION cte_max_recursion_depth = 100000")
    small.query(
        "INSERT INTO csv_import (version_hash, bucket, object_key, version_id, import_file, dataset, status)"
        " WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 9000)"
        " SELECT SHA2(n, 256), 'bucket', 'keyed.csv', n, 'keyed.csv', 'things', 'succeeded' FROM numbers"
    )
    small.query(
        "INSERT INTO things (n, import_file, import_id) SELECT 7, 'keyed.csv', id FROM csv_import WHERE MOD(id, 3) = 0"
    )
    outcome = small.importer(MemoryStore(content), dataset=dataset, limits=Limits(remove_rows=100)).run(
        version(1, second=1)
    )
    assert outcome.result is Result.SUCCEEDED
    assert small.query("SELECT n, import_id FROM things ORDER BY id") == [
        (1, outcome.entry.import_id),
        (2, outcome.entry.import_id),
    ]
    assert small.ledger()[0]["reason"] == f"superseded by import {outcome.entry.import_id}, which removed its rows"
    assert small.errors == []


def test_where_long_rows_are_several_statements_each_is_stored_once(small: Database) -> None:
    """One row is refused after others have been stored; all are sent again, in halves."""
    dataset = things(TEXT)
    create(small, dataset, "CONSTRAINT few CHECK (n < 900)")
    rows = [f"{number},{'x' * 3000}" for number in range(901)]
    with small.bulk_loading(allowed=False):
        outcome = small.importer(MemoryStore(content_of(dataset, rows)), dataset=dataset).run(version_of())
    assert outcome.entry.counts == Counts(900, 1)
    assert small.query("SELECT COUNT(*), COUNT(DISTINCT n) FROM things") == [(900, 900)]


def test_a_server_that_takes_no_packet_of_use_is_named(small: Database) -> None:
    small.query("SET GLOBAL max_allowed_packet = 16384")
    try:
        with pytest.raises(ConfigurationError, match="max_allowed_packet of the server is 16384"):
            small.importer(MemoryStore(lines_of(GOOD))).run(version_of())
    finally:
        small.query("SET GLOBAL max_allowed_packet = %s", PACKET)
    assert small.sleeps == []


def connection_to(server: MySqlServer, database: str, packet: int) -> FeedConnection:
    """Connect, as if the server had said that it takes such packets."""
    connection = FeedConnection(
        host=server.host,
        port=server.port,
        user=server.user,
        password=server.password,
        database=database,
        local_infile=True,
        ssl_ca=str(server.ca_file),
    )
    connection.max_allowed_packet = packet
    return connection


def test_the_largest_packets_are_those_that_the_server_takes(small: Database) -> None:
    """One byte more, and it closes the connection: so no statement with that byte is sent."""
    with connection_to(small.server, small.name, PACKET) as connection, connection.cursor() as cursor:
        padding = "x" * (PACKET - 2 - len("SELECT LENGTH('')"))
        cursor.execute(f"SELECT LENGTH('{padding}')")
        assert cursor.fetchall() == ((len(padding),),)
        with pytest.raises(pymysql.OperationalError, match=re.escape("(1153, ")):
            cursor.execute(f"SELECT LENGTH('{padding}x')")
        cursor.execute("CREATE TEMPORARY TABLE taken (line TEXT)")
        connection.feed = iter([b"x\n" * PACKET])
        assert cursor.execute(f"LOAD DATA LOCAL INFILE '{FEED_NAME}' INTO TABLE taken") == PACKET
    for packet in (PACKET + 1, PACKET + 2):
        with connection_to(small.server, small.name, packet) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE TEMPORARY TABLE taken (line TEXT)")
            connection.feed = iter([b"x\n" * PACKET])
            with pytest.raises(pymysql.MySQLError):
                cursor.execute(f"LOAD DATA LOCAL INFILE '{FEED_NAME}' INTO TABLE taken")
