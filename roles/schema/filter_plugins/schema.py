"""Filters: what the MySQL server says about a database and its users, in the fields that the role compares."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.csv_to_aurora.importer.plugins.plugin_utils.connection_limit import ConnectionLimit

Row = Mapping[str, Any]
State = dict[str, Any]

SCHEMATA, USERS, PRIVILEGES, SERVER = range(4)
"""Which result is of which of the role's queries."""
ACCEPTED = "accepted"
"""All that is said of a password: that the server accepts the one that the role has."""


def _privileges(rows: Iterable[Row]) -> dict[str, dict[str, list[str]]]:
    """Return the privileges of each user, by what they are on."""
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for row in rows:
        user, _, host = str(row["grantee"]).rpartition("@")
        if host == "'%'":
            granted = {row["privilege"]} | ({"GRANT OPTION"} if row["grantable"] == "YES" else set())
            found[user.strip("'")][row["object"]] |= granted
    return {user: {name: sorted(granted) for name, granted in objects.items()} for user, objects in found.items()}


def schema_current(results: Sequence[Sequence[Row]]) -> dict[str, Any]:
    """Return the ``databases`` and ``users`` that exist, each by name, and the server's ``max_connections``.

    Args:
        results: The rows of the role's queries: schemata, users, privileges, the server, and those for tables.
    """
    privileges = _privileges(results[PRIVILEGES])
    return {
        "databases": {row["name"]: {"name": row["name"]} for row in results[SCHEMATA]},
        "users": {
            row["name"]: {
                "plugin": row["plugin"],
                "plugin_string": row["plugin_string"],
                "tls": row["tls"],
                "max_connections": row["max_connections"],
                "privileges": privileges.get(row["name"], {}),
            }
            for row in results[USERS]
        },
        "max_connections": int(results[SERVER][0]["max_connections"]),
    }


def _by_object(privileges: Mapping[str, Iterable[str]], database: str) -> dict[str, list[str]]:
    """Return privileges by what they are on: those that are restricted to columns, column by column."""
    found: dict[str, set[str]] = defaultdict(set)
    for table, granted in privileges.items():
        for one in map(str, granted):
            privilege, _, columns = one.partition("(")
            parts = [f".{column.strip()}" for column in columns.rstrip(")").split(",")] if columns else [""]
            for part in parts:
                found[f"{database}.{table}{part}"].add(privilege.strip().upper())
    return {name: sorted(granted) for name, granted in found.items()}


def schema_user_priv(user: Mapping[str, Any], database: str) -> str:
    """Return the privileges of an entry of ``schema_users`` as ansible.mysql.mysql_user takes them.

    What is restricted to columns comes first: the module (5.2) grants it on whatever it has read right before, too,
    where that is not restricted (`privs` in its privileges_unpack).
    """
    granted = [f"{database}.{table}:{','.join(privileges)}" for table, privileges in user["privileges"].items()]
    return "/".join(sorted(granted, key=lambda one: "(" not in one))


def _limit(user: Mapping[str, Any]) -> ConnectionLimit:
    """Return how many connections an entry of ``schema_users`` may have.

    Raises:
        AnsibleFilterError: It says neither a number nor a share.
    """
    try:
        return ConnectionLimit.of(user.get("max_connections") or 0)
    except ValueError as error:
        raise AnsibleFilterError(f"schema_users: max_connections of {user['name']}: {error}.") from error


def schema_user_desired(user: Mapping[str, Any], database: str, plugin: str, server: int) -> State:
    """Return the desired state of a database user, in the fields of schema_current, and ``password`` if it has one.

    Args:
        user: An entry of ``schema_users``.
        database: The database that its tables are in.
        plugin: The authentication plugin of users that have a password.
        server: The server's max_connections.
    """
    own = user.get("plugin") or ""
    return {
        "plugin": own or plugin,
        "plugin_string": user.get("plugin_string") or "" if own else "",
        "tls": "ANY",
        "max_connections": _limit(user).on(server, int(user.get("min_connections") or 0)),
        "privileges": _by_object(user["privileges"], database),
        **({} if own else {"password": ACCEPTED}),
    }


def schema_user_warnings(users: Iterable[Mapping[str, Any]], server: int) -> list[str]:
    """Return a sentence for each user whose limit of connections leaves none to others.

    Args:
        users: The entries of ``schema_users``.
        server: The server's max_connections.
    """
    limits = {user["name"]: _limit(user).on(server, int(user.get("min_connections") or 0)) for user in users}
    return [
        f"The database user {name} may have {limit} connections, and the server has {server} in all "
        "(max_connections): others may find none. Lower its limit, or take a larger server."
        for name, limit in limits.items()
        if limit >= server
    ]


def schema_logins(logins: Mapping[str, Any]) -> dict[str, str]:
    """Return the users whose password the server accepts.

    Args:
        logins: What the task registered that logs in as each of them.
    """
    return {one["item"]["name"]: ACCEPTED for one in logins.get("results") or [] if one.get("query_result") is not None}


class FilterModule:
    """The filters of this file, as Ansible wants them."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {
            "schema_current": schema_current,
            "schema_logins": schema_logins,
            "schema_user_desired": schema_user_desired,
            "schema_user_priv": schema_user_priv,
            "schema_user_warnings": schema_user_warnings,
        }
