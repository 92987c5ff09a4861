"""A real MySQL server with a ledger that the status page reads, as the application's user."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pymysql
import yaml
from flask.testing import FlaskClient
from pymysql.cursors import Cursor

from ansible_collections.csv_to_aurora.importer.plugins.filter.table_grants import table_grants
from status_page.settings import Settings, settings_from
from status_page.web import private_app, public_app
from tests.importer.mysql_server import MySqlServer
from tests.importer.schema_tables import LEDGER, migrate

GRANTS = Path(__file__).parents[2] / "files/schema/grants.yml"
PASSWORD = "a password, with 'quotes'"
ENVIRONMENT = "stage"

FILL = """
INSERT INTO csv_import (version_hash, bucket, object_key, version_id, import_file, dataset, status, size_bytes,
    byte_offset, rows_read, rows_loaded, rows_rejected, attempts, reason, started_at, finished_at)
WITH RECURSIVE numbers AS (SELECT 0 AS i UNION ALL SELECT i + 1 FROM numbers WHERE i + 1 < %s),
named AS (
    SELECT i, ELT(1 + i %% 5, 'customer', 'orders', 'items', 'prices', 'stock') AS dataset, i %% 7 = 6 AS rejected,
        NOW(3) - INTERVAL (%s - i) * 40 * 86400 DIV %s SECOND AS began
    FROM numbers
),
keyed AS (SELECT *, CONCAT(dataset, '/file-', LPAD(i, 7, '0'), '.csv') AS object_key FROM named)
SELECT SHA2(i, 256), 'bucket', object_key, 'v1', object_key, dataset, IF(i %% 100 = 50, 'failed', 'succeeded'), 5000,
    5000, 100, 100 - rejected, rejected, 1, IF(i %% 100 = 50, 'no header', NULL), began,
    began + INTERVAL 2 SECOND FROM keyed
"""
"""Imports of five datasets in the last forty days, one in a hundred failed, of 100 rows each."""

_numbers = itertools.count(1)


@dataclass
class Ledger:
    """An empty ledger, and the application's user; ``others`` are connections to close at the end."""

    server: MySqlServer
    name: str
    admin: pymysql.Connection[Cursor]
    folder: Path
    others: list[pymysql.Connection[Cursor]] = field(default_factory=list)

    @property
    def user(self) -> str:
        """The application's user: a different one in each database, so that tests may lock it out."""
        return f"application_{self.name}"

    @property
    def option_file(self) -> Path:
        """The option file of the role mysql_client."""
        return self.folder / "my.cnf"

    def query(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Run a statement as the administrator."""
        with self.admin.cursor() as cursor:
            cursor.execute(statement, parameters)
            return list(cursor.fetchall())

    def add(self, **values: Any) -> int:
        """Add an import, by default a successful one of a row; return its id."""
        number = next(_numbers)
        row: dict[str, Any] = {
            "version_hash": f"{number:064x}",
            "bucket": "bucket",
            "object_key": f"{number}.csv",
            "version_id": "v1",
            "dataset": "customer",
            "status": "succeeded",
            "size_bytes": 1000,
            "rows_loaded": 1,
            "rows_rejected": 0,
            "attempts": 1,
        } | values
        row.setdefault("import_file", row["object_key"])
        row.setdefault("rows_read", row["rows_loaded"] + row["rows_rejected"])
        with self.admin.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO csv_import ({', '.join(row)}) VALUES ({', '.join(['%s'] * len(row))})",  # noqa: S608
                tuple(row.values()),
            )
            import_id = int(cursor.lastrowid)
        if "finished_at" not in row and row["status"] in ("succeeded", "failed"):
            self.query("UPDATE csv_import SET finished_at = started_at + INTERVAL 2 SECOND WHERE id = %s", import_id)
        return import_id

    def reject(self, import_id: int, line: int, column: str | None, reason: str, text: str = "secret value") -> None:
        """Add a reject."""
        self.query("INSERT INTO csv_import_reject VALUES (%s, %s, %s, %s, %s)", import_id, line, column, reason, text)

    def fill(self, imports: int) -> None:
        """Add many imports: see FILL."""
        self.query("SET SESSION cte_max_recursion_depth = 10000000")
        self.query(FILL, imports, imports, imports)
        self.query("ANALYZE TABLE csv_import")

    def settings(self, **variables: str) -> Settings:
        """Return the page's settings."""
        given = {"STATUS_PAGE_ENVIRONMENT": ENVIRONMENT, "STATUS_PAGE_OPTION_FILE": str(self.option_file)}
        return settings_from(given | variables)

    def write_option_file(self, **options: object) -> None:
        """Write the option file, with other options where they are given."""
        client: dict[str, object] = {
            "host": self.server.host,
            "port": self.server.port,
            "user": self.user,
            "password": json.dumps(PASSWORD),
            "ssl-ca": self.server.ca_file,
        }
        lines = [f"{name} = {value}" for name, value in (client | options).items()]
        self.option_file.write_text(
            "\n".join(["[client]", *lines, "ssl-verify-server-cert", "", "[mysql]", f"database = {self.name}", ""])
        )


@dataclass
class Pages:
    """Both applications; each use is of a new process, so to speak, which has kept nothing."""

    ledger: Ledger

    @property
    def public(self) -> FlaskClient:
        """A client of the public application."""
        return public_app(self.ledger.settings()).test_client(use_cookies=False)

    @property
    def private(self) -> FlaskClient:
        """A client of the private application."""
        return private_app(self.ledger.settings()).test_client(use_cookies=False)


@contextmanager
def make_ledger(server: MySqlServer, folder: Path) -> Iterator[Ledger]:
    """Create a database with the ledger's tables, and the application's user with its grants."""
    name = f"page{next(_numbers)}"
    admin = server.connect()
    ledger = Ledger(server, name, admin, folder)
    ledger.query(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    admin.select_db(name)
    migrate(admin, name, LEDGER)
    ledger.query("SET time_zone = '+00:00'")
    ledger.query(f"CREATE USER {ledger.user} IDENTIFIED BY %s REQUIRE SSL", PASSWORD)
    stated = yaml.safe_load(GRANTS.read_text(encoding="utf-8"))
    for table, privileges in table_grants(stated, [])["application"].items():
        ledger.query(f"GRANT {', '.join(privileges)} ON {table} TO {ledger.user}")
    ledger.write_option_file()
    try:
        yield ledger
    finally:
        for connection in (*ledger.others, admin):
            connection.close()
