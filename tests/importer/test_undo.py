"""Undo: the rows of one import are removed, once, whatever interrupts it, and none of another."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pymysql
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playbook_runner import run_playbook

from ansible_collections.csv_to_aurora.importer.plugins.module_utils.undo import Undo, Undone, UndoRefused
from csv_importer.feed import FeedConnection
from csv_importer.importer import Result
from csv_importer.limits import Limits

from .conftest import Database, make_database
from .fates import Fates, Killed
from .files import GOOD, MemoryStore, lines_of, version_of
from .keyed import Row, create, csv_of, dataset_of, version
from .mysql_server import MySqlServer

TABLES = {"customer": "customer", "keyed": "keyed"}
ADA = "arn:aws:iam::123456789012:user/ada"
APPEND = dataset_of("append")
ROWS: list[Row] = [(str(number), "", "x") for number in range(50)]


@pytest.fixture(scope="module")
def shared(mysql: MySqlServer) -> Iterator[Database]:
    database = make_database(mysql)
    create(database, APPEND)
    yield database
    database.admin.close()


@pytest.fixture
def keyed(database: Database) -> Database:
    create(database, APPEND)
    return database


def undo(database: Database, import_id: int, by: str = ADA, **options: Any) -> Undone:
    return Undo(database.admin, import_id, TABLES, **options).run(by)


def load(database: Database, at: int, rows: list[Row] = ROWS, key: str = "keyed.csv") -> int:
    """Load rows as a version of an object; return the import's id."""
    outcome = database.importer(MemoryStore(csv_of(rows)), dataset=APPEND).run(version(at, key, second=at))
    assert outcome.result is Result.SUCCEEDED
    return outcome.entry.import_id


def owners(database: Database) -> dict[int, int]:
    return dict(database.query("SELECT import_id, COUNT(*) FROM keyed GROUP BY import_id"))


@pytest.mark.parametrize("index", [True, False])
@pytest.mark.parametrize("batch_rows", [1, 7, 50, 1000])
def test_the_rows_of_one_import_are_removed_and_it_is_recorded(keyed: Database, batch_rows: int, index: bool) -> None:
    if not index:
        keyed.query("ALTER TABLE keyed DROP KEY import_id")
    first, second, third = (load(keyed, number) for number in (1, 2, 3))
    planned = Undo(keyed.admin, second, TABLES).plan()
    assert (planned.changed, planned.rows, planned.undone_by) == (True, 50, None)
    assert owners(keyed) == {first: 50, second: 50, third: 50}
    done = undo(keyed, second, batch_rows=batch_rows)
    assert (done.changed, done.rows, done.rows_undone, done.undone_by) == (True, 50, 50, ADA)
    assert (done.dataset, done.table, done.key) == ("keyed", "keyed", "keyed.csv")
    assert owners(keyed) == {first: 50, third: 50}
    entry = keyed.ledger()[1]
    assert (entry["status"], entry["rows_loaded"], entry["rows_undone"]) == ("succeeded", 50, 50)
    assert entry["undone_by"] == ADA
    assert done.undone_at == entry["undone_at"].strftime("%Y-%m-%d %H:%M:%S")


def test_a_second_undo_changes_nothing_and_says_who_did(keyed: Database) -> None:
    number = load(keyed, 1)
    first = undo(keyed, number)
    before = keyed.ledger()
    for second in (undo(keyed, number, "grace"), Undo(keyed.admin, number, TABLES).plan()):
        assert second == replace(first, changed=False, rows=0)
    assert keyed.ledger() == before


def test_what_did_not_end_is_not_undone(keyed: Database) -> None:
    limits = Limits(batch_rows=5, block_bytes=120, max_record_bytes=100)
    importer = keyed.importer(MemoryStore(csv_of(ROWS)), dataset=APPEND, limits=limits, time_left=lambda: 0.0)
    outcome = importer.run(version(1))
    assert outcome.result is Result.UNFINISHED
    number = outcome.entry.import_id
    attempts: list[Callable[[], Undone]] = [partial(undo, keyed, number), Undo(keyed.admin, number, TABLES).plan]
    for attempt in attempts:
        with pytest.raises(UndoRefused, match="is still running: it can be undone after it has ended"):
            attempt()
    assert keyed.ledger()[0]["undone_by"] is None
    with pytest.raises(UndoRefused, match="There is no import 999"):
        undo(keyed, 999)


@pytest.mark.parametrize("replay", [False, True])
def test_what_is_interrupted_is_undone_and_has_ended(keyed: Database, replay: bool) -> None:
    number = load(keyed, 1)
    keyed.query(
        "UPDATE csv_import SET status = 'interrupted', reason = 'a deadlock', finished_at = NULL, byte_offset = 50,"
        " rows_loaded = 20, rows_read = 20"
    )
    planned = Undo(keyed.admin, number, TABLES).plan()
    assert (planned.changed, keyed.ledger()[0]["status"]) == (True, "interrupted")
    assert undo(keyed, number).rows == 50
    (entry,) = keyed.ledger()
    assert (entry["status"], entry["reason"], entry["finished_at"] is None) == ("failed", "a deadlock", False)
    importer = keyed.importer(MemoryStore(csv_of(ROWS)), dataset=APPEND)
    assert importer.run(version(1), replay=replay).result is Result.DUPLICATE
    assert owners(keyed) == {}


@pytest.mark.parametrize("begun", [True, False])
def test_what_was_undone_is_not_imported_again(keyed: Database, begun: bool) -> None:
    """Neither when its event comes again nor by a replay, and not while it is being undone, either."""
    keyed.query("ALTER TABLE keyed ADD CONSTRAINT few CHECK (k < 1000)")
    number = load(keyed, 1)
    keyed.query("UPDATE csv_import SET status = 'failed', byte_offset = 50, rows_loaded = 20, rows_read = 20")
    if begun:
        keyed.query("UPDATE csv_import SET undone_by = 'grace'")
    else:
        undo(keyed, number)
    rows, before = owners(keyed), keyed.ledger()
    importer = keyed.importer(MemoryStore(csv_of(ROWS)), dataset=APPEND)
    assert importer.run(version(1)).result is Result.DUPLICATE
    assert importer.run(version(1), replay=True).result is Result.DUPLICATE
    assert (owners(keyed), keyed.ledger()) == (rows, before)


def test_a_replay_and_an_undo_at_once_are_one_of_them(keyed: Database) -> None:
    """The replay has read the ledger before the undo begins: its first write is refused, and it reads again."""
    load(keyed, 1)
    keyed.query("UPDATE csv_import SET status = 'failed', byte_offset = 50, rows_loaded = 20, rows_read = 20")
    original = FeedConnection.query
    struck: list[bool] = []

    def strike(connection: FeedConnection, sql: str | bytes, *arguments: Any) -> Any:
        text = sql if isinstance(sql, str) else sql.decode()
        if "attempts = attempts + 1" in text and not struck:
            struck.append(True)
            undo(keyed, keyed.ledger()[0]["id"])
        return original(connection, sql, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FeedConnection, "query", strike)
        outcome = keyed.importer(MemoryStore(csv_of(ROWS)), dataset=APPEND).run(version(1), replay=True)
    assert outcome.result is Result.DUPLICATE
    assert owners(keyed) == {}
    assert keyed.ledger()[0]["undone_at"] is not None


def test_an_upsert_loses_the_rows_that_the_import_wrote_last(database: Database) -> None:
    dataset = dataset_of("upsert", ("k",))
    create(database, dataset)
    for number in (1, 2):
        rows = ROWS[:30] if number == 1 else ROWS[20:]
        database.importer(MemoryStore(csv_of(rows)), dataset=dataset).run(version(number, second=number))
    first, second = (entry["id"] for entry in database.ledger())
    assert undo(database, second).rows == 30
    assert owners(database) == {first: 20}
    assert undo(database, first).rows == 20


# Tables that know rows by import_file only


def customers(database: Database, key: str, version_id: str = "v1", rows: int = 20) -> int:
    outcome = database.importer(MemoryStore(lines_of(*[GOOD] * rows))).run(version_of(key, version_id))
    return outcome.entry.import_id


def files(database: Database) -> dict[str, int]:
    return dict(
        database.query(
            "SELECT CAST(import_file AS CHAR) COLLATE utf8mb4_bin AS file, COUNT(*) FROM customer GROUP BY file"
        )
    )


@pytest.mark.parametrize("batch_rows", [1, 7, 1000])
def test_without_ids_of_imports_a_file_that_was_imported_once_is_undone(database: Database, batch_rows: int) -> None:
    """Names that the column's collation takes for the same are not."""
    customers(database, "A.CSV")
    number = customers(database, "a.csv")
    customers(database, "á.csv")
    assert Undo(database.admin, number, TABLES).plan().rows == 20
    assert undo(database, number, batch_rows=batch_rows).rows == 20
    assert files(database) == {"A.CSV": 20, "á.csv": 20}


def test_without_ids_of_imports_two_imports_of_a_file_are_refused(database: Database) -> None:
    first, second = customers(database, "a.csv"), customers(database, "a.csv", "v2")
    refusal = f"known by import_file only, and the import {first} of the same file .*csvToAurora:importId: true"
    attempts: list[Callable[[], Undone]] = [partial(undo, database, second), Undo(database.admin, second, TABLES).plan]
    for attempt in attempts:
        with pytest.raises(UndoRefused, match=refusal):
            attempt()
    assert files(database) == {"a.csv": 40}
    assert database.ledger()[1]["undone_by"] is None


def test_what_several_sessions_have_stored_of_a_failed_import_is_in_the_way(database: Database) -> None:
    """They are in ranges beyond its position, where none is counted in the ledger's row."""
    first, second = customers(database, "a.csv"), customers(database, "a.csv", "v2")
    database.query("UPDATE csv_import SET status = 'failed', rows_loaded = 0, rows_read = 0 WHERE id = %s", first)
    database.query("INSERT INTO csv_import_range VALUES (%s, 100, 4, 500, 24, 20, 0, 0)", first)
    with pytest.raises(UndoRefused, match=f"the import {first} of the same file have"):
        undo(database, second)


def test_an_import_of_the_same_file_that_has_no_rows_is_in_nobodys_way(database: Database) -> None:
    first = customers(database, "a.csv")
    database.importer(MemoryStore(b"another,header\n")).run(version_of("a.csv", "v2"))
    assert undo(database, first).rows == 20
    customers(database, "a.csv", "v3")
    assert files(database) == {"a.csv": 20}


def test_the_next_import_of_a_file_keeps_its_rows_while_the_first_is_being_undone(database: Database) -> None:
    number = customers(database, "a.csv")
    undo_it = Undo(database.admin, number, TABLES, batch_rows=5)
    original, calls = undo_it._remove, []

    def interrupted(*arguments: Any) -> int:
        calls.append(1)
        if len(calls) == 3:
            customers(database, "a.csv", "v2", rows=9)
            raise KeyboardInterrupt
        return original(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(undo_it, "_remove", interrupted)
        with pytest.raises(KeyboardInterrupt):
            undo_it.run(ADA)
    assert files(database) == {"a.csv": 19}
    assert undo(database, number, "grace").rows == 10
    assert files(database) == {"a.csv": 9}
    assert [(entry["rows_undone"], entry["undone_by"]) for entry in database.ledger()] == [(20, ADA), (0, None)]


def test_rows_from_before_the_table_had_ids_of_imports_are_not_guessed(database: Database) -> None:
    number = customers(database, "a.csv")
    database.query("ALTER TABLE customer ADD import_id BIGINT UNSIGNED NOT NULL DEFAULT 0, ADD KEY (import_id)")
    with pytest.raises(UndoRefused, match="from before table customer had the column import_id"):
        undo(database, number)
    assert files(database) == {"a.csv": 20}


def test_a_dataset_or_table_that_is_gone_is_named(keyed: Database) -> None:
    number = load(keyed, 1)
    with pytest.raises(UndoRefused, match="of the dataset 'keyed', and this environment has no such dataset"):
        Undo(keyed.admin, number, {}).run(ADA)
    keyed.query("DROP TABLE keyed")
    with pytest.raises(UndoRefused, match="and table keyed does not exist"):
        undo(keyed, number)


# Interruptions


def fragile(database: Database, connect: Callable[..., FeedConnection]) -> FeedConnection:
    server = database.server
    return connect(
        host=server.host, port=server.port, user=server.user, password=server.password, database=database.name,
        charset="utf8mb4", autocommit=True, ssl_ca=str(server.ca_file),
    )  # fmt: skip


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    fates=st.dictionaries(st.integers(0, 60), st.sampled_from(["lost before", "answer lost", "killed"]), max_size=6),
    batch_rows=st.integers(1, 60),
)
def test_however_it_is_interrupted_each_row_is_removed_and_counted_once(
    shared: Database, fates: dict[int, str], batch_rows: int
) -> None:
    shared.empty()
    shared.query("DELETE FROM keyed")
    number, other = load(shared, 1), load(shared, 2)
    plan = Fates(fates)
    removed = 0
    for _ in range(20):
        try:
            connection = fragile(shared, plan.connect)
            with connection:
                removed = Undo(connection, number, TABLES, batch_rows=batch_rows).run(ADA).rows
        except (Killed, pymysql.MySQLError, OSError):
            continue
        break
    assert removed <= 50
    entry = shared.ledger()[0]
    assert (entry["rows_undone"], entry["undone_by"], entry["undone_at"] is None) == (50, ADA, False)
    assert owners(shared) == {other: 50}


def test_two_at_once_count_each_row_once(keyed: Database) -> None:
    number = load(keyed, 1, ROWS * 20)

    def run(by: str) -> None:
        with fragile(keyed, FeedConnection) as connection:
            Undo(connection, number, TABLES, batch_rows=10).run(by)

    threads = [threading.Thread(target=run, args=(by,)) for by in ("ada", "grace")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (entry,) = keyed.ledger()
    assert (entry["rows_undone"], entry["undone_at"] is None) == (1000, False)
    assert owners(keyed) == {}


def test_a_deadlock_with_an_import_is_tried_again(keyed: Database) -> None:
    number = load(keyed, 1)
    rival = keyed.server.connect(keyed.name, autocommit=False)
    with rival.cursor() as cursor:
        cursor.execute("SELECT * FROM csv_import FOR UPDATE")
    keyed.query("SET SESSION innodb_lock_wait_timeout = 1")
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        rival.rollback()

    assert undo(keyed, number, sleep=sleep).rows == 50
    assert len(slept) == 1
    rival.close()


# The module


def test_the_module_undoes_with_check_mode(keyed: Database, tmp_path: Path) -> None:
    number = load(keyed, 1)
    server = keyed.server
    options = {
        "id": number, "by": ADA, "tables": TABLES, "login_db": keyed.name, "login_user": server.user,
        "login_password": server.password, "login_host": server.host, "login_port": server.port,
        "ca_cert": str(server.ca_file), "check_hostname": True,
    }  # fmt: skip
    module = "csv_to_aurora.importer.csv_import_undo"
    tasks: list[dict[str, Any]] = [
        {module: options, "register": "planned", "check_mode": True},
        {module: options, "register": "done"},
        {module: options, "register": "again"},
        {module: {**options, "id": 99}, "register": "refused", "ignore_errors": True},
        {
            "ansible.builtin.copy": {
                "content": "{{ [planned, done, again, refused] | to_json }}",
                "dest": str(tmp_path / "results"),
            }
        },
    ]
    playbook = tmp_path / "playbook.yml"
    playbook.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    run = run_playbook(playbook, "-vvv")
    assert server.password not in run.stdout + run.stderr
    planned, done, again, refused = json.loads((tmp_path / "results").read_text(encoding="utf-8"))
    assert (planned["changed"], planned["undone"]["rows"], planned["undone"]["undone_by"]) == (True, 50, None)
    assert (done["changed"], done["undone"]["rows"], done["undone"]["undone_by"]) == (True, 50, ADA)
    assert (again["changed"], again["undone"]) == (False, {**done["undone"], "rows": 0})
    assert refused["msg"] == "There is no import 99."
