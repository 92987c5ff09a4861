"""How playbooks read the ledger: with the client of the host, whatever keys and reasons are."""

from __future__ import annotations

import json
import re
import shlex
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playbook_runner import PROJECT, run_playbook

from ansible_collections.csv_to_aurora.importer.plugins.action.csv_import_wait import progress
from ansible_collections.csv_to_aurora.importer.plugins.filter.ledger_rows import ledger_rows
from csv_importer.limits import DEFAULTS

from .conftest import PASSWORD, Database
from .files import GOOD, MemoryStore, lines_of, version_of

KEY = 'it\'s "new"\\\n\t=1+1 \U0001f600.csv'
"""A key that means something to SQL, a terminal and JSON."""

CLIENT = """
import json, sys, pymysql
FLAG = pymysql.constants.CLIENT.MULTI_STATEMENTS
connection = pymysql.connect(**json.loads(sys.argv[1]), autocommit=True, client_flag=FLAG)
with connection, connection.cursor() as cursor:
    cursor.execute(sys.stdin.read())
    while True:
        for row in cursor.fetchall():
            print(*row, sep="\\t")
        if not cursor.nextset():
            break
"""
"""In place of the client that only an app host has; tests/e2e runs the real one."""


WATCHED = 5
"""How often the ledger is read until a slow import goes on faster."""


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
    command = shlex.join([sys.executable, "-c", CLIENT, json.dumps(login)])
    client.write_text(f"#!/bin/sh\nprintf . >> {shlex.quote(str(folder / 'calls'))}\nexec {command}\n")
    client.chmod(0o755)
    playbook = folder / "playbook.yml"
    variables = {"stack_mysql": [str(client)], "inventory_dir": "inventories/test"}
    playbook.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "vars": variables, "tasks": tasks}]))
    done = run_playbook(playbook, "-vvvv")
    output = done.stdout + done.stderr
    assert PASSWORD not in output
    return output


def shown(where: str, **variables: object) -> dict[str, Any]:
    """Return the task that shows the ledger."""
    return {
        "ansible.builtin.import_tasks": str(PROJECT / "playbooks/tasks/imports_ledger.yml"),
        "vars": {"ledger_title": "Imports", "ledger_where": where, "ledger_limit": 5, **variables},
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


def ledger_row(**values: Any) -> dict[str, Any]:
    """Return a reading of the ledger."""
    row = {"id": 1, "key": "a.csv", "status": "running", "attempts": 1, "size_bytes": 10_000_000, "bytes_read": 0}
    return row | {"rows_read": 0, "rows_loaded": 0, "rows_rejected": 0, "read_at": 100.0} | values


def test_progress_is_a_share_of_the_file_and_of_a_compressed_one_the_bytes() -> None:
    row = ledger_row(rows_loaded=1000, bytes_read=52_000, size_bytes=100_000)
    assert progress(row, 2) == "running: 1,000 rows loaded, 0 rejected, 52 % of the file (2 s)"
    assert progress(row, 2, compressed=True) == "running: 1,000 rows loaded, 0 rejected, 52,000 bytes read (2 s)"
    assert progress(None, 2) == "waiting for the import to begin (2 s)"


def test_before_the_size_is_known_there_is_no_share() -> None:
    assert "0 bytes read" in progress(ledger_row(size_bytes=0), 2)


def test_the_pace_is_that_between_two_readings() -> None:
    before = ledger_row(bytes_read=1_000_000, rows_read=20_000)
    row = ledger_row(bytes_read=3_000_000, rows_read=60_000, rows_loaded=59_000, rows_rejected=1000, read_at=104.0)
    counts = "59,000 rows loaded, 1,000 rejected"
    assert progress(row, 9, since=before) == (
        f"running: {counts}, 30 % of the file, 10,000 rows/s, 0.5 MB/s, 14 s left (9 s)"
    )
    # Nobody knows how large the content of a compressed object is.
    assert progress(row, 9, since=before, compressed=True) == (
        f"running: {counts}, 3,000,000 bytes read, 10,000 rows/s, 0.5 MB/s (9 s)"
    )
    checking = [each | {"status": "checking"} for each in (before, row)]
    assert progress(checking[1], 9, since=checking[0]) == (
        "checking: 60,000 rows, 1,000 of them to be rejected, 30 % of the file, 10,000 rows/s, 0.5 MB/s, 14 s left to"
        " check (9 s)"
    )


@pytest.mark.parametrize(
    "before",
    [{"status": "checking"}, {"attempts": 0}, {"bytes_read": 3_000_000}, {"bytes_read": 4_000_000}, {"read_at": 104.0}],
)
def test_what_was_read_before_an_attempt_or_not_at_all_is_no_pace(before: dict[str, Any]) -> None:
    row = ledger_row(bytes_read=3_000_000, rows_read=60_000, read_at=104.0)
    assert "rows/s" in progress(row, 9, since=ledger_row())
    assert "rows/s" not in progress(row, 9, since=ledger_row() | before)


def test_a_row_that_was_read_twice_has_its_pace_and_is_one_row() -> None:
    earlier = ledger_row(bytes_read=1_000_000, rows_read=20_000) | {"earlier": 1}
    later = ledger_row(bytes_read=3_000_000, rows_read=60_000, read_at=104.0)
    ended = ledger_row(id=2, status="succeeded", bytes_read=10_000_000)
    rows = ledger_rows(map(json.dumps, [earlier, ended, later]))
    assert [row["id"] for row in rows] == [2, 1]
    assert rows[0]["progress"] == ""
    assert rows[0]["seconds_left"] is None
    assert rows[1]["progress"] == "30 % of the file, 10,000 rows/s, 0.5 MB/s, 14 s left"
    assert (rows[1]["rows_per_second_now"], rows[1]["bytes_per_second_now"], rows[1]["seconds_left"]) == (
        10_000,
        500_000,
        14,
    )
    # What was read once has no pace.
    assert ledger_rows([json.dumps(later)])[0]["progress"] == "30 % of the file"


def test_what_is_committed_out_of_order_counts_as_progress(database: Database, tmp_path: Path) -> None:
    database.importer(MemoryStore(lines_of(*[GOOD] * 10))).run(version_of(key=KEY))
    (row,) = database.ledger()
    database.query(
        "UPDATE csv_import SET status = 'running', finished_at = NULL, size_bytes = 1000, byte_offset = 100,"
        " rows_read = 10, rows_loaded = 10"
    )
    for start, loaded, rejected, blank in ((200, 3, 2, 1), (500, 7, 0, 0)):
        database.query(
            "INSERT INTO csv_import_range (import_id, byte_offset, line_number, end_offset, end_line, rows_loaded,"
            " rows_rejected, rows_blank) VALUES (%s, %s, 1, %s, 2, %s, %s, %s)",
            row["id"],
            start,
            start + 100,
            loaded,
            rejected,
            blank,
        )
    wait = {"bucket": row["bucket"], "key": KEY, "version_id": row["version_id"], "client": "{{ stack_mysql }}"}
    counted = ["rows_read == 23", "rows_loaded == 20", "rows_rejected == 2", "rows_blank == 1", "bytes_read == 300"]
    output = play(
        database,
        tmp_path,
        [
            shown("TRUE"),
            {
                "csv_to_aurora.importer.csv_import_wait": {**wait, "interval": 0.1, "timeout": 0.5},
                "register": "waited",
                "ignore_errors": True,
            },
            {"ansible.builtin.assert": {"that": [f"waited.csv_import.{each}" for each in counted]}},
            {"ansible.builtin.assert": {"that": [f"ledger_rows[0].{each}" for each in counted]}},
            {"ansible.builtin.debug": {"msg": "as it is"}},
        ],
    )
    assert "as it is" in output.rpartition("TASK [ansible.builtin.debug]")[2], output
    assert "running: 20 rows loaded, 2 rejected, 30 % of the file" in output


def test_an_import_at_work_shows_its_rate_and_the_time_that_is_left(database: Database, tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    calls.touch()

    def time_left() -> float:
        # Slow until it has been watched for a while.
        time.sleep(0.02 if calls.stat().st_size < WATCHED else 0)
        return 60.0

    version = version_of(key=KEY)
    small = replace(DEFAULTS, block_lines=20, max_record_lines=10, batch_rows=20)
    importer = database.importer(MemoryStore(lines_of(*[GOOD] * 10_000)), limits=small, time_left=time_left)
    wait = {"bucket": version.bucket, "key": KEY, "version_id": version.version_id, "client": "{{ stack_mysql }}"}
    with ThreadPoolExecutor(1) as pool:
        outcome = pool.submit(importer.run, version)
        try:
            while not any(row["rows_read"] for row in database.ledger()):
                time.sleep(0.01)
            output = play(
                database,
                tmp_path,
                [
                    shown("TRUE", ledger_interval=1),
                    {"csv_to_aurora.importer.csv_import_wait": {**wait, "interval": 0.5}, "register": "ended"},
                ],
            )
        finally:
            calls.write_bytes(b"." * WATCHED)
        assert outcome.result().entry.counts.loaded == 10_000
    pace = r"\d+ % of the file, [\d,]+ rows/s, [\d.]+ MB/s, \d+ (?:s|min) left"
    # As debug writes it: folded, with its spaces escaped.
    assert re.search(
        pace, " ".join(output.partition("TASK [imports_ledger | Show the rows]")[2].partition("TASK")[0].split())
    ), output
    assert re.search(rf"running: [\d,]+ rows loaded, 0 rejected, {pace} \(\d+ s\)", output), output


def test_the_reason_of_an_interruption_is_shown_while_it_is_waited_for() -> None:
    row = ledger_row(status="interrupted", reason="a lock wait\n timeout.", rows_loaded=1000, bytes_read=1_000_000)
    assert progress(row, 2) == (
        "interrupted: 1,000 rows loaded, 0 rejected, 10 % of the file (2 s): a lock wait timeout"
    )


@pytest.mark.parametrize(
    ("status", "minutes", "said"),
    [
        ("running", 45, "running, no progress for 45 min: no invocation works on it"),
        ("checking", 20, "checking, no progress for 20 min: no invocation works on it"),
        ("running", 14, None),
        ("interrupted", 45, None),
        ("succeeded", 45, None),
    ],
)
def test_what_makes_no_progress_for_longer_than_an_invocation_lasts_is_shown_as_such(
    database: Database, tmp_path: Path, status: str, minutes: int, said: str | None
) -> None:
    database.importer(MemoryStore(lines_of(*[GOOD] * 10))).run(version_of())
    database.query(
        "UPDATE csv_import SET status = %s, updated_at = NOW(3) - INTERVAL %s MINUTE, started_at = NOW(3) - INTERVAL 1"
        " HOUR, finished_at = IF(%s = 'succeeded', updated_at, NULL)",
        status,
        minutes,
        status,
    )
    stopped = status in ("interrupted", "succeeded")
    minutes_taken = 60 - minutes if stopped else 60
    equal = [
        f"(ledger_rows[0].seconds - {minutes_taken * 60}) | abs < 30",
        f"ledger_rows[0].idle_seconds is {'none' if stopped else 'number'}",
    ]
    output = play(database, tmp_path, [shown("TRUE"), {"ansible.builtin.assert": {"that": equal}}])
    assert "failed=0" in output, output
    assert ("no progress for" in output) == (said is not None)
    assert said is None or said in output


def test_a_wait_for_what_is_interrupted_ends_with_the_reason_and_what_to_do(database: Database, tmp_path: Path) -> None:
    database.importer(MemoryStore(lines_of(*[GOOD] * 10))).run(version_of())
    database.query("UPDATE csv_import SET status = 'interrupted', reason = 'a lock wait timeout', finished_at = NULL")
    (row,) = database.ledger()
    wait = {"bucket": row["bucket"], "key": row["object_key"], "version_id": row["version_id"], "interval": 0.1}
    task = {"csv_to_aurora.importer.csv_import_wait": {**wait, "timeout": 0.5, "client": "{{ stack_mysql }}"}}
    text = " ".join(play(database, tmp_path, [task]).split())
    assert "a lock wait timeout. Once what has interrupted it is corrected, replay.yml runs it again." in text
