"""How playbooks read the ledger: with the client of the host, whatever keys and reasons are."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

from playbook_runner import PROJECT, run_playbook

from ansible_collections.csv_to_aurora.importer.plugins.action.csv_import_wait import progress

from .conftest import PASSWORD, Database
from .files import GOOD, MemoryStore, lines_of, version_of

KEY = 'it\'s "new"\\\n\t=1+1 \U0001f600.csv'
"""A key that means something to SQL, a terminal and JSON."""

CLIENT = """
import json, sys, pymysql
connection = pymysql.connect(**json.loads(sys.argv[1]), client_flag=pymysql.constants.CLIENT.MULTI_STATEMENTS)
with connection, connection.cursor() as cursor:
    cursor.execute(sys.stdin.read())
    while True:
        for row in cursor.fetchall():
            print(*row, sep="\\t")
        if not cursor.nextset():
            break
"""
"""In place of the client that only an app host has; tests/e2e runs the real one."""


def play(database: Database, folder: Path, tasks: list[dict[str, Any]], *, password: str = PASSWORD) -> str:
    """Run tasks on a host whose client reads the database, and return the output."""
    login = {
        "host": "127.0.0.1",
        "port": database.server.port,
        "user": database.user,
        "password": password,
        "database": database.name,
        "charset": "utf8mb4",
        "ssl_ca": str(database.server.ca_file),
    }
    client = folder / "mysql"
    client.write_text(f"#!/bin/sh\nexec {sys.executable} -c {shlex.quote(CLIENT)} {shlex.quote(json.dumps(login))}\n")
    client.chmod(0o755)
    playbook = folder / "playbook.yml"
    variables = {"stack_mysql": [str(client)], "inventory_dir": "inventories/test"}
    playbook.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "vars": variables, "tasks": tasks}]))
    done = run_playbook(playbook, "-vvvv")
    output = done.stdout + done.stderr
    assert PASSWORD not in output
    return output


def shown(where: str) -> dict[str, Any]:
    """Return the task that shows the ledger."""
    return {
        "ansible.builtin.import_tasks": str(PROJECT / "playbooks/tasks/imports_ledger.yml"),
        "vars": {"ledger_title": "Imports", "ledger_where": where, "ledger_limit": 5},
    }


def test_playbooks_read_the_ledger_as_it_is(database: Database, tmp_path: Path) -> None:
    version = version_of(key=KEY)
    database.importer(MemoryStore(lines_of(*[GOOD] * 10))).run(version)
    (row,) = database.ledger()
    wait: dict[str, Any] = {
        "bucket": row["bucket"],
        "key": KEY,
        "version_id": row["version_id"],
        "client": "{{ stack_mysql }}",
    }
    # The first wait is for an attempt that never comes: it reads the ledger several times.
    never = {**wait, "after_attempt": 1, "interval": 0.1, "timeout": 1}
    equal = [
        "'No progress' in waited.msg",
        "ended.csv_import.status == 'succeeded'",
        "ended.csv_import.rows_loaded == 10",
        "ledger_rows | length == 1",
        "ledger_rows[0].key == key",
        f"ledger_rows[0].version_hash == '{row['version_hash']}'",
        "ledger_rows[0].started_at is match('20[0-9-]+T[0-9:]+Z$')",
        "ledger_rows[0].reason is none",
        "ledger_rows[0].seconds is number",
    ]
    output = play(
        database,
        tmp_path,
        [
            shown(f"version_hash IN ({json.dumps(row['version_hash'])})"),
            {"csv_to_aurora.importer.csv_import_wait": never, "register": "waited", "ignore_errors": True},
            {"csv_to_aurora.importer.csv_import_wait": wait, "register": "ended"},
            {"ansible.builtin.assert": {"that": equal}, "vars": {"key": KEY}},
            {"ansible.builtin.debug": {"msg": "as it is"}},
        ],
    )
    assert "as it is" in output.rpartition("TASK [ansible.builtin.debug]")[2], output


def test_a_client_that_cannot_log_in_is_said(database: Database, tmp_path: Path) -> None:
    output = play(database, tmp_path, [shown("TRUE")], password="another")
    text = " ".join(output.split())
    assert "The ledger cannot be read from the app host localhost:" in text
    assert "Access denied" in text
    assert "ansible-playbook playbooks/configure.yml" in text


def test_the_progress_of_a_compressed_file_is_not_a_share_of_it() -> None:
    row = {"status": "running", "rows_loaded": 1000, "rows_rejected": 0, "byte_offset": 52_000, "size_bytes": 10_000}
    assert progress(row, 2) == "running: 1,000 rows loaded, 0 rejected, 520 % of the file (2 s)"
    assert progress(row, 2, compressed=True) == "running: 1,000 rows loaded, 0 rejected, 52,000 bytes read (2 s)"
