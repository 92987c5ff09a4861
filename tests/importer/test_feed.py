"""The driver's overridden methods: nothing but the feed is ever sent."""

from pathlib import Path

import pymysql
import pytest
from pymysql.connections import Connection, MySQLResult

from csv_importer.feed import FEED_NAME, FeedConnection

from .conftest import Database
from .mysql_server import MySqlServer


@pytest.fixture
def connection(database: Database) -> FeedConnection:
    server: MySqlServer = database.server
    return FeedConnection(
        host=server.host,
        port=server.port,
        user=server.user,
        password=server.password,
        database=database.name,
        local_infile=True,
        ssl_ca=str(server.ca_file),
        ssl_verify_cert=True,
        ssl_verify_identity=True,
    )


def test_the_driver_still_has_what_is_overridden() -> None:
    for owner, name in (
        (Connection, "_read_query_result"),
        (Connection, "_read_packet"),
        (MySQLResult, "_read_load_local_packet"),
        (MySQLResult, "_read_ok_packet"),
    ):
        assert callable(getattr(owner, name))


@pytest.mark.parametrize("prepared", [True, False])
def test_a_file_that_the_server_requests_is_never_read(
    connection: FeedConnection, tmp_path: Path, prepared: bool
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret\n", encoding="ascii")
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE stolen (line TEXT)")
        connection.feed = iter([b"harmless\n"]) if prepared else None
        with pytest.raises(pymysql.OperationalError, match="only prepared rows are sent"):
            cursor.execute(f"LOAD DATA LOCAL INFILE '{secret}' INTO TABLE stolen")
        cursor.execute("SELECT COUNT(*) FROM stolen")
        assert cursor.fetchone() == (0,)
    connection.close()


def test_a_feed_is_sent_once(connection: FeedConnection) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE taken (line TEXT)")
        connection.feed = iter([b"one\n", b"two\n" * 300_000])
        assert cursor.execute(f"LOAD DATA LOCAL INFILE '{FEED_NAME}' INTO TABLE taken") == 300_001
        with pytest.raises(pymysql.OperationalError, match="only prepared rows are sent"):
            cursor.execute(f"LOAD DATA LOCAL INFILE '{FEED_NAME}' INTO TABLE taken")
    connection.close()


def test_a_feed_that_breaks_leaves_a_connection_that_can_roll_back(connection: FeedConnection) -> None:
    def broken() -> object:
        yield b"one\n"
        raise ValueError("no more")

    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE kept (line TEXT)")
        connection.begin()
        connection.feed = broken()  # type: ignore[assignment]
        with pytest.raises(ValueError, match="no more"):
            cursor.execute(f"LOAD DATA LOCAL INFILE '{FEED_NAME}' INTO TABLE kept")
        connection.rollback()
        cursor.execute("SELECT COUNT(*) FROM kept")
        assert cursor.fetchone() == (0,)
    connection.close()
