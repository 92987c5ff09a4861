"""The role schema on a real server: users with a password, users of a plugin, and from one to the other."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pymysql
import pytest
import yaml
from playbook_runner import PROJECT, run_playbook

from .conftest import PASSWORD, Database, grants_of

# In place of AWSAuthenticationPlugin, which only Aurora has.
PLUGIN = {"plugin": "auth_socket", "plugin_string": "RDS"}

Run = Callable[..., int]


@pytest.fixture
def run(database: Database, tmp_path: Path) -> Run:
    """Run the role for the importer's user, and count what changed."""
    (tmp_path / "roles").symlink_to(PROJECT / "roles")
    playbook = tmp_path / "playbook.yml"

    def run(login: dict[str, Any], *arguments: str) -> int:
        server = database.server
        user = {"name": database.user, "password": PASSWORD, "privileges": {"customer": ["INSERT"]}, **login}
        variables: dict[str, Any] = {
            "schema_login": {
                "login_host": server.host,
                "login_port": server.port,
                "login_user": server.user,
                "login_password": server.password,
                "ca_cert": str(server.ca_file),
            },
            "schema_database": database.name,
            "schema_users": [user],
        }
        play = {"hosts": "localhost", "gather_facts": False, "vars": variables, "roles": ["schema"]}
        playbook.write_text(json.dumps([play]))
        # Its recap counts the tasks that changed something.
        done = run_playbook(playbook, *arguments, ANSIBLE_STDOUT_CALLBACK="ansible.builtin.default")
        output = done.stdout + done.stderr
        assert done.returncode == 0, output
        assert PASSWORD not in output
        changed: int = int(output.split("changed=")[1].split()[0])
        return changed

    return run


def lets_in(database: Database, password: str = PASSWORD) -> bool:
    try:
        database.server.connect(database.name, user=database.user, password=password).close()
    except pymysql.OperationalError as error:
        if error.args[0] not in (1045, 1698):
            raise
        return False
    return True


def account(database: Database) -> tuple[Any, ...]:
    (found,) = database.query(
        "SELECT plugin, authentication_string, ssl_type FROM mysql.user WHERE user = %s", database.user
    )
    return found


def test_a_user_has_no_more_connections_than_it_may_have(database: Database, run: Run) -> None:
    limit = {"max_connections": 2}
    assert run(limit) == 1
    assert run(limit) == 0
    first, second = (database.server.connect(database.name, user=database.user, password=PASSWORD) for _ in range(2))
    with first, second, pytest.raises(pymysql.OperationalError, match="max_user_connections"):
        database.server.connect(database.name, user=database.user, password=PASSWORD)
    database.query(f"ALTER USER {database.user} WITH MAX_USER_CONNECTIONS 0")
    assert run(limit, "--check") == 1
    assert run({}) == 0


def test_a_share_of_connections_is_one_of_the_server_s(database: Database, run: Run) -> None:
    ((usual,),) = database.query("SELECT @@max_connections")

    def limit() -> Any:
        ((found,),) = database.query("SELECT max_user_connections FROM mysql.user WHERE user = %s", database.user)
        return found

    share = {"max_connections": "67%", "min_connections": 3}
    try:
        database.query("SET GLOBAL max_connections = 90")
        assert run(share) == 1
        assert limit() == 60
        assert run(share, "--check") == 0
        # Another class of the DB instances.
        database.query("SET GLOBAL max_connections = 1000")
        assert run(share, "--check") == 1
        assert run(share) == 1
        assert limit() == 670
        # What one import needs, whatever the share is.
        assert run({"max_connections": "1%", "min_connections": 17}) == 1
        assert limit() == 17
    finally:
        database.query("SET GLOBAL max_connections = %s", usual)
        database.query(f"ALTER USER {database.user} WITH MAX_USER_CONNECTIONS 0")


def test_no_statement_has_a_password(database: Database, run: Run) -> None:
    """The server hides passwords in its logs, Aurora's audit log may not: what it received is what counts."""
    # An account that exists, one that is new, and a password that somebody changed.
    database.query("SET GLOBAL log_output = 'TABLE', log_raw = ON, general_log = ON")
    try:
        database.query(f"ALTER USER {database.user} IDENTIFIED BY 'changed by hand'")
        assert run({}) == 1
        database.query(f"DROP USER {database.user}")
        assert run({}) == 1
    finally:
        database.query("SET GLOBAL general_log = OFF, log_raw = OFF, log_output = 'FILE'")
    assert lets_in(database)
    statements = [bytes(text).decode() for (text,) in database.query("SELECT argument FROM mysql.general_log")]
    database.query("TRUNCATE mysql.general_log")
    assert any("changed by hand" in statement for statement in statements)
    changes = [one for one in statements if f"USER '{database.user}'" in one and "IDENTIFIED WITH" in one]
    assert len(changes) == 2
    assert all("AS 0x2441243030352" in one for one in changes)
    assert not any(PASSWORD in statement for statement in statements)


def test_privileges_on_some_columns_and_on_the_database_are_exactly_those(database: Database, run: Run) -> None:
    privileges = {"*": ["CREATE TEMPORARY TABLES"], "customer": ["INSERT", "SELECT (age, email)", "UPDATE (age)"]}
    assert run({"privileges": privileges}) == 1
    assert run({"privileges": privileges}) == 0
    grants = sorted(grant for (grant,) in database.query(f"SHOW GRANTS FOR {database.user}") if " ON *.* " not in grant)
    of_user = f"TO `{database.user}`@`%`"
    assert grants == [
        f"GRANT CREATE TEMPORARY TABLES ON `{database.name}`.* {of_user}",
        f"GRANT SELECT (`age`, `email`), INSERT, UPDATE (`age`) ON `{database.name}`.`customer` {of_user}",
    ]
    # A change by hand, and one column less.
    database.query(f"GRANT SELECT (status), DELETE ON {database.name}.customer TO {database.user}")
    assert run({"privileges": privileges}, "--check") == 1
    privileges["customer"] = ["INSERT", "SELECT (age)"]
    assert run({"privileges": privileges}) == 1
    assert run({"privileges": privileges}) == 0
    grants = [grant for (grant,) in database.query(f"SHOW GRANTS FOR {database.user}") if "customer" in grant]
    assert grants == [f"GRANT SELECT (`age`), INSERT ON `{database.name}`.`customer` {of_user}"]
    assert run({"privileges": {"customer": ["INSERT"]}}) == 1
    assert run({"privileges": {"customer": ["INSERT"]}}) == 0


def test_the_importer_may_delete_rejects_where_they_are_to_be_deleted(database: Database, run: Run) -> None:
    grants = grants_of("importer")
    more = yaml.safe_load((PROJECT / "files/schema/grants_retention.yml").read_text())["importer"]
    both = {name: grants.get(name, []) + more.get(name, []) for name in grants | more}
    assert run({"privileges": both}) == 1
    assert run({"privileges": both}) == 0
    connection = database.server.connect(database.name, user=database.user, password=PASSWORD)
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT MIN(import_id) FROM csv_import_reject")
        cursor.execute("DELETE FROM csv_import_reject WHERE import_id = 0 LIMIT 1")
    # The setting taken back.
    assert run({"privileges": grants}) == 1
    assert run({"privileges": grants}) == 0


def test_the_importer_may_delete_imports_where_they_are_to_be_deleted(database: Database, run: Run) -> None:
    """With them go their rejects, which it may neither read nor delete itself."""
    grants = grants_of("importer")
    more = yaml.safe_load((PROJECT / "files/schema/grants_ledger_retention.yml").read_text())["importer"]
    assert run({"privileges": {name: grants[name] + more.get(name, []) for name in grants}}) == 1
    database.query("INSERT INTO csv_import (version_hash, bucket, object_key, version_id, import_file, status)"
                   " VALUES ('a', 'b', 'c', 'd', 'e', 'failed')")  # fmt: skip
    database.query("INSERT INTO csv_import_reject SELECT id, 2, NULL, 'why', 'text' FROM csv_import")
    connection = database.server.connect(database.name, user=database.user, password=PASSWORD)
    with connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM csv_import WHERE version_hash = 'a'")
        connection.commit()
    assert database.query("SELECT COUNT(*) FROM csv_import_reject") == [(0,)]
    assert run({"privileges": grants}) == 1


def test_a_user_goes_from_password_to_plugin_and_back(database: Database, run: Run) -> None:
    if not database.query("SELECT 1 FROM information_schema.plugins WHERE plugin_name = %s", PLUGIN["plugin"]):
        database.query(f"INSTALL PLUGIN {PLUGIN['plugin']} SONAME '{PLUGIN['plugin']}.so'")
    assert lets_in(database)
    assert run(PLUGIN) == 1
    assert account(database) == ("auth_socket", "RDS", "ANY")
    assert not lets_in(database)
    assert run(PLUGIN) == 0
    # A change by hand.
    database.query(f"ALTER USER {database.user} IDENTIFIED WITH auth_socket AS 'another' REQUIRE NONE")
    assert run(PLUGIN, "--check") == 1
    assert account(database) == ("auth_socket", "another", "")
    assert run({}) == 1
    assert account(database)[::2] == ("caching_sha2_password", "ANY")
    assert lets_in(database)
    grants = [grant for (grant,) in database.query(f"SHOW GRANTS FOR {database.user}")]
    assert [grant for grant in grants if " ON *.* " not in grant] == [
        f"GRANT INSERT ON `{database.name}`.`customer` TO `{database.user}`@`%`"
    ]
    database.query(f"DROP USER {database.user}")
    assert run(PLUGIN) == 1
    assert account(database) == ("auth_socket", "RDS", "ANY")
    assert run(PLUGIN, "--check") == 0
