"""The columns in Python, the tables as created and the users' privileges agree."""

import pymysql
import pytest

from csv_importer.datasets import IMPORT_FILE_COLUMN
from csv_importer.limits import DEFAULTS
from csv_importer.mysql import REASON_LENGTH
from csv_importer.objects import IMPORT_FILE_LENGTH

from .conftest import PASSWORD, Database
from .files import COLUMNS
from .schema_tables import TABLES as DEFINITIONS
from .schema_tables import migrate


def columns_of(database: Database, table: str) -> dict[str, tuple[str, str, str | None, str]]:
    return {
        name: (kind, nullable, default, extra)
        for name, kind, nullable, default, extra in database.query(
            "SELECT column_name, column_type, is_nullable, column_default, extra FROM information_schema.columns"
            " WHERE table_schema = DATABASE() AND table_name = %s",
            table,
        )
    }


def test_the_table_is_what_the_columns_say(database: Database) -> None:
    found = columns_of(database, "customer")
    for column in COLUMNS:
        assert found.pop(column.name) == (column.sql_type, "NO", column.default, "")
    assert found.pop(IMPORT_FILE_COLUMN) == (f"varchar({IMPORT_FILE_LENGTH})", "NO", None, "")
    assert found == {
        "id": ("int", "NO", None, "auto_increment"),
        "created_at": ("timestamp", "YES", "CURRENT_TIMESTAMP", "DEFAULT_GENERATED"),
    }


def test_the_ledger_holds_what_the_importer_caps() -> None:
    assert max(len(column.name) for column in COLUMNS) <= 64


def test_caps_are_those_of_the_tables(database: Database) -> None:
    assert columns_of(database, "csv_import_reject")["raw_text"][0] == f"varchar({DEFAULTS.raw_length})"
    assert columns_of(database, "csv_import")["reason"][0] == f"varchar({REASON_LENGTH})"


def test_no_row_that_fits_is_too_long_a_record() -> None:
    # Four bytes a character at most, or two where it is a quote; and two quotes and a comma each.
    characters = sum(int("".join(filter(str.isdigit, column.sql_type)) or 3) for column in COLUMNS)
    assert characters * 4 + len(COLUMNS) * 3 < DEFAULTS.max_record_bytes
    assert characters < DEFAULTS.max_record_lines


def test_the_ledger_takes_no_counts_that_do_not_add_up(database: Database) -> None:
    with pytest.raises(pymysql.OperationalError, match="csv_import_counts"):
        database.query(
            "INSERT INTO csv_import (version_hash, bucket, object_key, version_id, import_file, status, rows_read)"
            " VALUES ('', '', '', '', '', 'running', 1)"
        )


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM customer",
        "UPDATE customer SET age = 1",
        "DELETE FROM customer",
        "SELECT * FROM csv_import_reject",
        "DELETE FROM csv_import_reject",
        "DELETE FROM csv_import",
        "DROP TABLE customer",
        "CREATE TABLE more (id INT)",
        "SELECT * FROM mysql.user",
    ],
)
def test_the_importer_has_no_other_privileges(database: Database, statement: str) -> None:
    connection = database.server.connect(database.name, user=database.user, password=PASSWORD)
    with connection.cursor() as cursor, pytest.raises(pymysql.OperationalError, match="denied"):
        cursor.execute(statement)
    connection.close()


# The statement that customer was created with before tables were migrated.
AS_GIVEN = """
CREATE TABLE customer (
    id INT AUTO_INCREMENT PRIMARY KEY,
    title VARCHAR(50) NOT NULL,
    firstname VARCHAR(255) NOT NULL,
    lastname VARCHAR(255) NOT NULL,
    status TINYINT NOT NULL DEFAULT 0,
    email VARCHAR(255) NOT NULL,
    age TINYINT NOT NULL,
    import_file VARCHAR(100) NOT NULL,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
) ENGINE=InnoDB
"""


def test_customer_is_the_table_as_it_was_given(database: Database) -> None:
    ((_, created),) = database.query("SHOW CREATE TABLE customer")
    database.query("DROP TABLE customer")
    database.query(AS_GIVEN)
    assert database.query("SHOW CREATE TABLE customer") == [("customer", created)]
    assert migrate(database.admin, database.name, DEFINITIONS) == []


def test_a_table_that_is_as_defined_is_left_alone(database: Database) -> None:
    assert migrate(database.admin, database.name, DEFINITIONS) == []
