"""What the schema role makes of the server's answers."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

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
    [{"max_connections": 90}],
]


@pytest.fixture(scope="module")
def schema(load_filters: Callable[[str], ModuleType]) -> ModuleType:
    """Return the filters of the role."""
    return load_filters("schema")


def test_an_empty_server(schema: ModuleType) -> None:
    found = schema.schema_current([[], [], [], [{"max_connections": "151"}]])
    assert found == {"databases": {}, "users": {}, "max_connections": 151}


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
    assert schema.schema_user_desired(user, "shop", SHA2, 90) == {
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
    assert schema.schema_user_desired(user, "shop", SHA2, 90) == {
        "plugin": plugin,
        "plugin_string": "RDS",
        "tls": "ANY",
        "max_connections": 0,
        "privileges": {},
    }


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ({"max_connections": "67%"}, 60),
        ({"max_connections": "1%", "min_connections": 3}, 3),
        ({"max_connections": "60", "min_connections": 3}, 60),
        ({"max_connections": 0, "min_connections": 3}, 0),
        ({}, 0),
    ],
)
def test_a_limit_of_connections_follows_from_the_server(
    schema: ModuleType, limit: dict[str, Any], expected: int
) -> None:
    user = {"name": "importer", "password": "p", "privileges": {}, **limit}
    assert schema.schema_user_desired(user, "shop", SHA2, 90)["max_connections"] == expected


def test_a_limit_that_is_none_names_the_user(schema: ModuleType) -> None:
    user = {"name": "importer", "password": "p", "privileges": {}, "max_connections": "most"}
    with pytest.raises(AnsibleFilterError, match="max_connections of importer: 'most' is neither a number"):
        schema.schema_user_desired(user, "shop", SHA2, 90)


def test_a_limit_that_leaves_nothing_to_others_is_warned_of(schema: ModuleType) -> None:
    limits = {"a": 90, "b": 200, "c": "100%", "d": "99%", "e": 89, "f": 0}
    users = [{"name": name, "max_connections": limit} for name, limit in limits.items()]
    warned = schema.schema_user_warnings(users, 90)
    assert [one.split()[3] for one in warned] == ["a", "b", "c"]
    assert "may have 200 connections, and the server has 90 in all" in warned[1]


def test_only_a_login_that_succeeded_counts(schema: ModuleType) -> None:
    results = [
        {"item": {"name": "importer"}, "query_result": [[{"1": 1}]]},
        {"item": {"name": "application"}, "msg": "Access denied"},
        {"item": {"name": "reader"}, "skipped": True},
    ]
    assert schema.schema_logins({"results": results}) == {"importer": "accepted"}
    assert schema.schema_logins({"skipped": True}) == {}
