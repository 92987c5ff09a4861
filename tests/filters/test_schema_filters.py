"""What the schema role makes of the server's answers."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

SHA2 = "caching_sha2_password"


def privilege(user: str, on: str, granted: str, host: str = "%", *, grantable: bool = False) -> dict[str, str]:
    """Return a row of the query for privileges."""
    return {
        "grantee": f"'{user}'@'{host}'",
        "object": on,
        "privilege": granted,
        "grantable": "YES" if grantable else "NO",
    }


RESULTS: list[list[dict[str, Any]]] = [
    [{"name": "shop"}],
    [
        {"name": "importer", "plugin": SHA2, "plugin_string": "", "tls": "ANY", "max_connections": 7},
        {
            "name": "reader",
            "plugin": "AWSAuthenticationPlugin",
            "plugin_string": "RDS",
            "tls": "",
            "max_connections": 0,
        },
    ],
    [
        privilege("importer", "shop.csv_import", "UPDATE"),
        privilege("importer", "shop.csv_import", "INSERT"),
        privilege("importer", "shop.*", "DELETE", grantable=True),
        # Another account of the same name.
        privilege("importer", "shop.customer", "DROP", host="localhost"),
        privilege("root", "*.*", "SUPER"),
    ],
]


@pytest.fixture(scope="module")
def schema(load_filters: Callable[[str], ModuleType]) -> ModuleType:
    """Return the filters of the role."""
    return load_filters("schema")


def test_an_empty_server(schema: ModuleType) -> None:
    assert schema.schema_current([[], [], []]) == {"databases": {}, "users": {}}


def test_what_there_is_by_name(schema: ModuleType) -> None:
    current = schema.schema_current(RESULTS)
    assert current["databases"] == {"shop": {"name": "shop"}}
    assert current["users"]["reader"] == {
        "plugin": "AWSAuthenticationPlugin",
        "plugin_string": "RDS",
        "tls": "",
        "max_connections": 0,
        "privileges": {},
    }


def test_privileges_of_the_account_for_all_hosts(schema: ModuleType) -> None:
    assert schema.schema_current(RESULTS)["users"]["importer"]["privileges"] == {
        "shop.csv_import": ["INSERT", "UPDATE"],
        "shop.*": ["DELETE", "GRANT OPTION"],
    }


def test_a_user_with_a_password(schema: ModuleType) -> None:
    user = {
        "name": "importer",
        "password": "p",
        "plugin": "",
        "max_connections": 9,
        "privileges": {"csv_import": ["update", "INSERT"]},
    }
    assert schema.schema_user_desired(user, "shop", SHA2) == {
        "plugin": SHA2,
        "plugin_string": "",
        "tls": "ANY",
        "max_connections": 9,
        "privileges": {"shop.csv_import": ["INSERT", "UPDATE"]},
        "password": "accepted",
    }


def test_a_user_with_a_plugin_has_no_password(schema: ModuleType) -> None:
    plugin = "AWSAuthenticationPlugin"
    user = {"name": "reader", "password": "p", "plugin": plugin, "plugin_string": "RDS", "privileges": {}}
    assert schema.schema_user_desired(user, "shop", SHA2) == {
        "plugin": plugin,
        "plugin_string": "RDS",
        "tls": "ANY",
        "max_connections": 0,
        "privileges": {},
    }


def test_only_a_login_that_succeeded_counts(schema: ModuleType) -> None:
    results = [
        {"item": {"name": "importer"}, "query_result": [[{"1": 1}]]},
        {"item": {"name": "application"}, "msg": "Access denied"},
        {"item": {"name": "reader"}, "skipped": True},
    ]
    assert schema.schema_logins({"results": results}) == {"importer": "accepted"}
    assert schema.schema_logins({"skipped": True}) == {}
