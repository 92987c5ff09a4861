"""The role schema on a real server: a plan shows what a run does, refusals come first, and others are waited for."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playbook_runner import PROJECT, run_playbook

from .conftest import Database
from .schema_tables import TABLES, Definition, plans_of
from .test_migrations import definition, insert, text

Run = Callable[..., tuple[int, str]]
BEFORE = definition([text("a", 20)])
AFTER = definition([text("a", 60), {"name": "n", "type": "integer"}], uniqueKeys=[["a"]])


@pytest.fixture
def run(database: Database, tmp_path: Path) -> Run:
    """Run the role, return the exit code and the output on one line."""
    (tmp_path / "roles").symlink_to(PROJECT / "roles")
    playbook = tmp_path / "playbook.yml"

    def run(tables: Sequence[Definition], *arguments: str, **more: Any) -> tuple[int, str]:
        server = database.server
        login = {
            "login_host": server.host,
            "login_port": server.port,
            "login_user": server.user,
            "login_password": server.password,
            "ca_cert": str(server.ca_file),
        }
        variables = {"schema_login": login, "schema_database": database.name, "schema_tables": list(tables), **more}
        play = {"hosts": "localhost", "gather_facts": False, "vars": variables, "roles": ["schema"]}
        playbook.write_text(json.dumps([play]))
        done = run_playbook(playbook, *arguments, ANSIBLE_STDOUT_CALLBACK="ansible.builtin.default")
        return done.returncode, " ".join((done.stdout + done.stderr).split())

    return run


@contextmanager
def statements_of(database: Database) -> Iterator[list[str]]:
    """Record the statements that alter or create something."""
    database.query("SET GLOBAL log_output = 'TABLE', general_log = ON")
    recorded: list[str] = []
    try:
        yield recorded
    finally:
        database.query("SET GLOBAL general_log = OFF, log_output = 'FILE'")
        found = [bytes(each).decode() for (each,) in database.query("SELECT argument FROM mysql.general_log")]
        database.query("TRUNCATE mysql.general_log")
        recorded += [each for each in found if each.startswith(("ALTER", "CREATE", "DROP"))]


def test_a_run_executes_what_the_plan_shows_and_then_nothing(database: Database, run: Run) -> None:
    database.query("DROP TABLE csv_import_reject")
    for tables in ([*TABLES, BEFORE], [*TABLES, AFTER]):
        expected = [each for plan in plans_of(database.admin, database.name, tables) for each in plan.statements]
        with statements_of(database) as planned:
            code, output = run(tables, "--check", "--diff")
        assert (code, planned) == (0, []), output
        # The difference has a mark before each line.
        shown = "".join(each for each in output.split() if each != "+")
        assert all("".join(statement.split()) in shown for statement in expected), output
        with statements_of(database) as executed:
            code, output = run(tables)
        assert (code, executed) == (0, expected), output
        code, output = run(tables)
        assert code == 0
        assert "changed=0" in output
        if tables[-1] is BEFORE:
            insert(database, BEFORE)


def test_all_refusals_are_named_before_anything_is_changed(database: Database, run: Run) -> None:
    run([BEFORE])
    insert(database, BEFORE)
    database.query("ALTER TABLE csv_import ADD COLUMN shop INT NOT NULL")
    # The first could be altered, the others could not.
    customer, *ledger = TABLES
    longer = {**customer, "columns": [*customer["columns"], {"name": "more", "type": "int", "nullable": True}]}
    tables = [longer, *ledger, definition([text("a", 10)])]
    user = {"name": "another", "password": "p", "privileges": {}}
    with statements_of(database) as executed:
        code, output = run(tables, schema_users=[user])
    assert code != 0
    assert executed == []
    assert "The column csv_import.shop is not in the definition" in output
    assert "The column things.a (datasets/things.yaml:10) is varchar(20)" in output
    assert "add narrow:a to the list csvToAurora:allow in datasets/things.yaml" in output
    assert "Nothing has been changed" in output
    # A plan names them and goes on.
    code, output = run(tables, "--check", schema_users=[user])
    assert code == 0, output
    assert "csv_import.shop" in output
    assert "things.a" in output


def test_a_session_that_uses_the_table_is_waited_for(database: Database, run: Run) -> None:
    run([BEFORE])
    insert(database, BEFORE)
    with database.server.connect(database.name, autocommit=False) as other, other.cursor() as cursor:
        cursor.execute("SELECT * FROM things")

        def finish() -> None:
            # Two attempts later: each of them waits for five seconds.
            waited: set[int] = set()
            while len(waited) < 2:
                waited |= {
                    process
                    for (process,) in watcher.query(
                        "SELECT id FROM information_schema.processlist WHERE state LIKE 'Waiting for table metadata%%'"
                    )
                }
                time.sleep(0.2)
            other.rollback()

        watcher = Database(database.server, database.name, database.server.connect())
        thread = threading.Thread(target=finish)
        thread.start()
        code, output = run([AFTER])
        thread.join()
    assert code == 0, output
    assert plans_of(database.admin, database.name, [AFTER])[0].statements == []


def test_rows_with_one_key_are_no_key_and_no_value_is_shown(database: Database, run: Run) -> None:
    run([BEFORE])
    for _ in range(2):
        database.query("INSERT INTO things (a, import_file) VALUES ('a secret value', '')")
    code, output = run([AFTER], "-vvv")
    assert code != 0
    assert "MySQL error 1062: Duplicate entry for key 'things.key_a'" in output
    assert "HAVING COUNT(*) > 1 finds them" in output
    assert "a secret value" not in output
    # What was done before stays, and the next run goes on from there.
    database.query("DELETE FROM things LIMIT 1")
    assert run([AFTER])[0] == 0
    assert plans_of(database.admin, database.name, [AFTER])[0].statements == []


def test_a_warning_names_an_id_that_is_nearly_used_up(database: Database, run: Run) -> None:
    database.query("ALTER TABLE customer AUTO_INCREMENT = 2000000000")
    code, output = run(TABLES)
    assert code == 0
    assert "93 % of the numbers of customer.id (int) are used" in output
    assert "changed=0" in output


def test_a_user_that_may_take_all_connections_is_warned_of(database: Database, run: Run) -> None:
    ((server,),) = database.query("SELECT @@max_connections")
    user = {"name": "crowd", "password": "p", "privileges": {}, "max_connections": server}
    try:
        code, output = run(TABLES, "--check", schema_users=[user])
        assert code == 0
        assert f"crowd may have {server} connections, and the server has {server} in all" in output
        code, output = run(TABLES, "--check", schema_users=[{**user, "max_connections": "99%"}])
        assert code == 0
        assert "crowd may have" not in output
    finally:
        database.query("DROP USER IF EXISTS crowd")
