"""The definition of a dataset's table: what MySQL can have is accepted, and what it cannot is refused with its line."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pymysql
import pytest
import tables
import yaml
from descriptors import DescriptorInvalid, load
from tables import definition_of, key_name

from csv_importer.datasets import Dataset, DescriptorError

from .conftest import Database
from .schema_tables import LEDGER, migrate

Fields = list[dict[str, Any]]


def text(name: str, length: int) -> dict[str, Any]:
    return {"name": name, "type": "string", "constraints": {"maxLength": length}}


def dataset(fields: Fields, **schema: Any) -> Dataset:
    return Dataset.of({"name": "wide", "schema": {"fields": fields, **schema}})


def many(field: Mapping[str, Any], count: int) -> Fields:
    return [{**field, "name": f"c{number}"} for number in range(count)]


KINDS: dict[str, Callable[[int], Dataset]] = {
    "columns": lambda count: dataset(many({"type": "boolean"}, count)),
    "bytes of varchar": lambda count: dataset([*many(text("", 1000), 16), text("last", count)]),
    "bytes of char": lambda count: dataset(many({"type": "string", "csvToAurora:columnType": "char(200)"}, count)),
    "columns of text": lambda count: dataset(many({"type": "string"}, count)),
    "columns of short text": lambda count: dataset(many(text("", 9), count)),
    "columns of long text": lambda count: dataset(many(text("", 80), count)),
    "columns of JSON": lambda count: dataset(many({"type": "object", "constraints": {"required": True}}, count)),
    "decimals": lambda count: dataset(many({"type": "number"}, count)),
    "times": lambda count: dataset(many({"type": "datetime"}, count)),
    "bytes of a key": lambda count: dataset([text("a", 500), text("b", count)], uniqueKeys=[["a", "b"]]),
    "bytes of a key of numbers": lambda count: dataset(
        [text("a", count), {"name": "n", "type": "number"}, {"name": "m", "type": "datetime"}],
        uniqueKeys=[["a", "n", "m"]],
    ),
    "fields of a key": lambda count: dataset(
        many({"type": "integer"}, count), uniqueKeys=[[f"c{number}" for number in range(count)]]
    ),
    "keys": lambda count: dataset(many({"type": "integer", "constraints": {"unique": True}}, count)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_accepted_ends_where_the_server_s_limit_is(
    database: Database, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = KINDS[kind]
    accepted, refused = 1, 5000
    while refused - accepted > 1:
        count = (accepted + refused) // 2
        try:
            definition_of(make(count))
        except DescriptorError:
            refused = count
        else:
            accepted = count
    migrate(database.admin, database.name, [definition_of(make(accepted))])
    database.query("DROP TABLE wide")
    for check in ("_check_keys", "_check_size"):
        monkeypatch.setattr(tables, check, lambda *_: None)
    with pytest.raises(pymysql.MySQLError, match=r"Too many|too long|Row size too large|too many"):
        migrate(database.admin, database.name, [definition_of(make(refused))])


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("string", "the key note cannot be an index: note is a column of type text. It needs maxLength"),
        ("object", "the key note cannot be an index: note is a column of type json. It needs a type other than JSON"),
    ],
)
def test_a_key_that_is_no_index_is_refused_with_its_line(tmp_path: Path, kind: str, reason: str) -> None:
    fields = [{"name": "id_of_it", "type": "integer"}, {"name": "note", "type": kind}]
    path = tmp_path / "notes.yaml"
    descriptor = {
        "name": "notes",
        "path": "x.csv",
        "schema": {"fields": fields, "uniqueKeys": [["id_of_it"], ["note"]]},
    }
    path.write_text(yaml.safe_dump(descriptor, sort_keys=False))
    line = path.read_text().splitlines().index("  - name: note") + 1
    with pytest.raises(DescriptorInvalid) as error:
        load(path)
    assert f"{path}:{line}: schema.fields[1]: {reason}" in str(error.value)


def test_texts_of_keys_are_compared_by_value_and_others_as_usual(database: Database) -> None:
    wanted = definition_of(dataset([text("code", 20), text("name", 20)], primaryKey="code"))
    migrate(database.admin, database.name, [wanted])
    for code in ("a", "A", "ä", "a ", "ａ"):
        database.query("INSERT INTO wide (code, name, import_file) VALUES (%s, 'x', '')", code)
    with pytest.raises(pymysql.IntegrityError):
        database.query("INSERT INTO wide (code, name, import_file) VALUES ('ä', 'x', '')")
    assert database.query("SELECT COUNT(*) FROM wide WHERE name = 'X'") == [(5,)]


def test_the_name_of_a_key_is_that_of_its_columns_and_of_no_others() -> None:
    assert key_name(["Email"]) == "key_email"
    names = {key_name(key) for key in (["a", "b"], ["a_b"], ["b", "a"], ["a", "b", "c"], ["x" * 64], ["x" * 63 + "y"])}
    assert len(names) == 6
    assert all(len(name) <= 64 for name in names)


# As it was created before objects belonged to datasets.
FIRST_LEDGER = """
CREATE TABLE csv_import (
    id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY,
    version_hash CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    bucket VARCHAR(63) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    object_key VARCHAR(1024) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    version_id VARCHAR(1024) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    etag VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
    import_file VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    status ENUM('checking', 'running', 'succeeded', 'failed') NOT NULL,
    size_bytes BIGINT UNSIGNED NOT NULL DEFAULT 0,
    byte_offset BIGINT UNSIGNED NOT NULL DEFAULT 0,
    line_number BIGINT UNSIGNED NOT NULL DEFAULT 0,
    rows_read BIGINT UNSIGNED NOT NULL DEFAULT 0,
    rows_loaded BIGINT UNSIGNED NOT NULL DEFAULT 0,
    rows_rejected BIGINT UNSIGNED NOT NULL DEFAULT 0,
    rows_blank BIGINT UNSIGNED NOT NULL DEFAULT 0,
    attempts INT UNSIGNED NOT NULL DEFAULT 0,
    request_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
    reason VARCHAR(1000) CHARACTER SET utf8mb4 NULL,
    started_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    updated_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
    finished_at TIMESTAMP(3) NULL,
    UNIQUE KEY version_hash (version_hash),
    KEY status_started (status, started_at),
    KEY import_file (import_file),
    CONSTRAINT csv_import_counts CHECK (rows_read = rows_loaded + rows_rejected + rows_blank)
) ENGINE=InnoDB
"""


def test_the_first_ledger_becomes_that_of_today_at_once_and_its_rows_are_of_customer(database: Database) -> None:
    shape = "SELECT column_name, column_type, column_default, extra, collation_name FROM information_schema.columns"
    today = {*database.query(f"{shape} WHERE table_schema = DATABASE() AND table_name = 'csv_import'")}
    database.query("DROP TABLE csv_import_reject, csv_import_range, csv_import_event, csv_import_tag, csv_import")
    database.query(FIRST_LEDGER)
    database.query(
        "INSERT INTO csv_import (version_hash, bucket, object_key, version_id, import_file, status, rows_read,"
        " rows_loaded) VALUES ('a', 'b', 'c', 'd', 'e', 'succeeded', 3, 3)"
    )
    statements = migrate(database.admin, database.name, LEDGER)
    # An index is built while imports go on.
    online = ("ALGORITHM=INSTANT", "ALGORITHM=INPLACE, LOCK=NONE")
    assert all(each.endswith(online) or each.startswith("CREATE TABLE") for each in statements), statements
    assert {*database.query(f"{shape} WHERE table_schema = DATABASE() AND table_name = 'csv_import'")} == today
    (entry,) = database.ledger()
    assert (entry["dataset"], entry["rows_loaded"], entry["status"]) == ("customer", 3, "succeeded")
    assert migrate(database.admin, database.name, LEDGER) == []
