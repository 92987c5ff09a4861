"""The tables as the role schema creates and migrates them, in the database of a test."""

import importlib.util
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pymysql
import yaml
from descriptors import describe
from pymysql.cursors import Cursor, DictCursor

from .files import DATASET_FILE

type Definition = Mapping[str, Any]
type Connection = pymysql.Connection[Cursor]

PROJECT = Path(__file__).parents[2]
ROLE = PROJECT / "roles" / "schema"
LEDGER: list[Definition] = yaml.safe_load((PROJECT / "files" / "schema" / "ledger.yml").read_text(encoding="utf-8"))
CUSTOMER: list[Definition] = [described["definition"] for described in describe([DATASET_FILE])]
TABLES = (*CUSTOMER, *LEDGER)


def _filters() -> ModuleType:
    spec = importlib.util.spec_from_file_location("schema_tables_filters", ROLE / "filter_plugins" / "tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Before it is run, for its dataclasses.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


FILTERS = _filters()
VARIABLES: dict[str, Any] = yaml.safe_load((ROLE / "vars" / "main.yml").read_text(encoding="utf-8"))
SESSION: dict[str, Any] = VARIABLES["__schema_session"]


@dataclass(frozen=True)
class Plan:
    """What one table needs: see the filter."""

    name: str
    exists: bool
    statements: list[str]
    refusals: list[str]
    warnings: list[str]


def plans_of(connection: Connection, database: str, definitions: Iterable[Definition]) -> list[Plan]:
    """Plan as the role does, with its queries and filters."""
    tables = list(definitions)
    with connection.cursor(DictCursor) as cursor:
        use_session(cursor)
        results = [_rows(cursor, query, {"database": database}) for query in VARIABLES["__schema_table_queries"]]
        queries = FILTERS.schema_filled_queries(tables, results, database)
        filled = [row["name"] for query in queries for row in _rows(cursor, query)]
    return [Plan(**plan) for plan in FILTERS.schema_table_plans(tables, results, filled, database)]


def _rows(cursor: DictCursor, query: str, named: Mapping[str, str] | None = None) -> Sequence[dict[str, Any]]:
    cursor.execute(query, named)
    return [dict(row) for row in cursor.fetchall()]


def use_session(cursor: Cursor | DictCursor) -> None:
    """Set the role's session variables."""
    for name, value in SESSION.items():
        cursor.execute(f"SET SESSION {name} = %s", (value,))


def migrate(connection: Connection, database: str, definitions: Iterable[Definition]) -> list[str]:
    """Create and migrate the tables as the role does; return the statements.

    Raises:
        AssertionError: Something is refused.
    """
    plans = plans_of(connection, database, definitions)
    refusals = [refusal for plan in plans for refusal in plan.refusals]
    assert not refusals, refusals
    statements = [statement for plan in plans for statement in plan.statements]
    with connection.cursor() as cursor:
        cursor.execute(f"USE `{database}`")
        use_session(cursor)
        for statement in statements:
            cursor.execute(statement)
    return statements
