"""Filters: what the MySQL server says about a database and its users, in the fields that the role compares."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
State = dict[str, Any]

SCHEMATA, USERS, PRIVILEGES = range(3)
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


def schema_current(results: Sequence[Sequence[Row]]) -> dict[str, dict[str, State]]:
    """Return the ``databases`` and ``users`` that exist, each by name.

    Args:
        results: The rows of the role's queries: schemata, users, privileges, and those for tables.
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
    }


def schema_user_desired(user: Mapping[str, Any], database: str, plugin: str) -> State:
    """Return the desired state of a database user, in the fields of schema_current, and ``password`` if it has one.

    Args:
        user: An entry of ``schema_users``.
        database: The database that its tables are in.
        plugin: The authentication plugin of users that have a password.
    """
    own = user.get("plugin") or ""
    return {
        "plugin": own or plugin,
        "plugin_string": user.get("plugin_string") or "" if own else "",
        "tls": "ANY",
        "max_connections": int(user.get("max_connections") or 0),
        "privileges": {
            f"{database}.{table}": sorted(str(one).upper() for one in granted)
            for table, granted in user["privileges"].items()
        },
        **({} if own else {"password": ACCEPTED}),
    }


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
        }
