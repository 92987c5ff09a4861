"""The check that a schedule starts: what nobody else would notice is a metric, and a line of the log that names it."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest

from csv_importer.check import Check
from csv_importer.datasets import Dataset, Datasets
from csv_importer.ledger import MySqlLedger, _used
from csv_importer.mysql import MySqlDatabase
from csv_importer.ports import Message, Published
from csv_importer.settings import PROGRESS_TIMEOUT

from .conftest import PASSWORD, SOURCE, Cloud, Database, Invoke
from .files import DESCRIPTOR, GOOD, MemoryStore, lines_of, version_of
from .topic import MemoryTopic, Subscribed

ONE = lines_of(GOOD)
NOTHING_FOUND = {
    "CheckErrors": 0,
    "EventsPending": 0,
    "EventsRefused": 0,
    "ObjectsUntagged": 0,
    "DatasetsOverdue": 0,
    "ImportsWithoutProgress": 0,
    "IdentifiersUsed": 0.0,
}


def warnings(lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [line for line in lines if line["level"] == "WARNING"]


def waits(database: Database) -> None:
    """Let the events of imports have waited for some minutes."""
    database.query("UPDATE csv_import_event SET created_at = created_at - INTERVAL 5 MINUTE")


@pytest.fixture
def daily(invoke: Invoke, tmp_path: Path) -> Dataset:
    """The dataset customer, of which a file is expected every day."""
    del invoke
    descriptor = {**DESCRIPTOR, "csvToAurora:expectedEvery": "P1D"}
    (tmp_path / "datasets.json").write_text(json.dumps([descriptor]), encoding="utf-8")
    return Dataset.of(descriptor)


def test_where_all_is_well_every_metric_is_nothing(
    database: Database, invoke: Invoke, lines: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    database.importer(MemoryStore(ONE)).run(version_of())
    database.query("TRUNCATE TABLE customer")
    found = invoke.check()
    assert found | {"IdentifiersUsed": 0.0} == NOTHING_FOUND
    assert found["IdentifiersUsed"] < 0.001
    assert warnings(lines) == []
    (metrics,) = (json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line)
    assert {name: [value] for name, value in found.items()}.items() <= metrics.items()
    assert metrics["service"] == "csv-importer"
    (directive,) = metrics["_aws"]["CloudWatchMetrics"]
    assert (directive["Namespace"], directive["Dimensions"]) == ("CsvToAurora", [["service"]])
    assert {each["Name"]: each["Unit"] for each in directive["Metrics"]}["IdentifiersUsed"] == "Percent"


def test_it_publishes_all_that_is_pending(
    cloud: Cloud, database: Database, invoke: Invoke, topic: Subscribed, lines: list[dict[str, Any]]
) -> None:
    del cloud
    for number in range(25):
        database.importer(MemoryStore(ONE), topic=MemoryTopic(lambda: "refused")).run(version_of(f"{number}.csv"))
    assert invoke.check()["EventsPending"] == 0
    assert [event["key"] for event in topic.events()] == [f"{number}.csv" for number in range(25)]
    assert database.pending() == []
    assert warnings(lines) == []


def test_events_that_stay_are_counted_and_named(
    cloud: Cloud,
    database: Database,
    invoke: Invoke,
    topic: Subscribed,
    lines: list[dict[str, Any]],
) -> None:
    del cloud
    boto3.client("sns").delete_topic(TopicArn=topic.arn)
    database.importer(MemoryStore(ONE), topic=MemoryTopic(lambda: "refused")).run(version_of())
    waits(database)
    for _ in range(2):
        found = invoke.check()
        assert (found["EventsPending"], found["EventsRefused"], found["CheckErrors"]) == (1, 1, 0)
    messages = [line["message"] for line in warnings(lines)]
    assert messages == ["The topic refuses events, which are published later", "Events are not published yet"] * 2
    assert warnings(lines)[1]["events"] == 1


def test_without_a_topic_it_looks_all_the_same(database: Database, invoke: Invoke) -> None:
    database.importer(MemoryStore(ONE), topic=MemoryTopic(lambda: "refused")).run(version_of())
    waits(database)
    assert invoke.check()["EventsPending"] == 1


def test_an_event_that_its_import_publishes_just_now_is_not_pending(database: Database, invoke: Invoke) -> None:
    """Where many files come, there is one at any time: the alarm would be on although nothing is refused."""
    found: list[float] = []

    class Checked(MemoryTopic):
        def publish(self, messages: Sequence[Message]) -> Published:
            found.append(invoke.check()["EventsPending"])
            return super().publish(messages)

    database.importer(MemoryStore(ONE), topic=Checked()).run(version_of())
    assert found == [0]


# Datasets


@pytest.mark.parametrize(("hours", "overdue"), [(23, False), (25, True)])
def test_a_dataset_is_overdue_once_its_newest_file_is_older_than_it_says(
    *,
    database: Database,
    invoke: Invoke,
    daily: Dataset,
    lines: list[dict[str, Any]],
    hours: int,
    overdue: bool,
) -> None:
    for key, age in (("old.csv", 100), ("new.csv", hours)):
        database.importer(MemoryStore(ONE), dataset=daily).run(version_of(key))
        database.query(
            "UPDATE csv_import SET finished_at = CURRENT_TIMESTAMP(3) - INTERVAL %s HOUR WHERE object_key = %s",
            age,
            key,
        )
    # A file that fails brings no rows.
    database.importer(MemoryStore(b"PK\x03\x04"), dataset=daily).run(version_of("failed.csv"))
    assert invoke.check()["DatasetsOverdue"] == int(overdue)
    said = warnings(lines)
    assert len(said) == int(overdue)
    for line in said:
        assert (line["dataset"], line["expected_every_seconds"], line["any_file_yet"]) == ("customer", 86_400, True)
        assert hours * 3600 <= line["seconds"] < hours * 3600 + 600
        assert line["look"] == [
            "ansible-playbook playbooks/imports.yml -i inventories/ENVIRONMENT",
            "ansible-playbook playbooks/reconcile.yml -i inventories/ENVIRONMENT",
        ]


def test_files_of_another_dataset_are_none_of_this(database: Database, invoke: Invoke, daily: Dataset) -> None:
    for key, name in (("a.csv", "customer"), ("b.csv", "other")):
        database.importer(MemoryStore(ONE), dataset=daily).run(version_of(key))
        database.query("UPDATE csv_import SET dataset = %s WHERE object_key = %s", name, key)
    database.query("UPDATE csv_import SET finished_at = '2020-01-01' WHERE dataset = 'customer'")
    assert invoke.check()["DatasetsOverdue"] == 1


def test_a_dataset_without_a_file_is_overdue_once_its_table_is_older_than_it_says(
    database: Database, daily: Dataset, invoke: Invoke
) -> None:
    """A new environment is not overdue on its first day."""
    assert invoke.check()["DatasetsOverdue"] == 0
    said: list[dict[str, Any]] = []
    with MySqlDatabase(database, database.server.ca_file, "check").ledger() as ledger:
        (table,) = (each for each in ledger.tables() if each.name == daily.table)
        assert 0 <= table.seconds < 600
    # The server's own clock cannot be set forward: the dataset is in more of a hurry.
    hurried = replace(daily, expected_every=timedelta(seconds=-1))
    check = Check(
        datasets=Datasets((hurried,)),
        source=SOURCE,
        progress_timeout=60,
        after=(),
        time_left=lambda: 60.0,
        warn=lambda message, **values: said.append({"message": message, **values}),
    )
    found = check.run(MySqlDatabase(database, database.server.ca_file, "check").ledger())
    assert found.datasets_overdue == 1
    assert said[0]["any_file_yet"] is False


# Imports


def test_imports_without_progress_are_named_with_the_next_command(
    database: Database, invoke: Invoke, lines: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENVIRONMENT_NAME", "stage")
    for key, status, seconds in (
        ("running.csv", "running", PROGRESS_TIMEOUT + 60),
        ("checking.csv", "checking", PROGRESS_TIMEOUT + 120),
        ("interrupted.csv", "interrupted", PROGRESS_TIMEOUT + 180),
        ("young.csv", "running", PROGRESS_TIMEOUT - 60),
        ("ended.csv", "failed", 999_999),
    ):
        database.importer(MemoryStore(ONE)).run(version_of(key))
        database.query(
            "UPDATE csv_import SET status = %s, updated_at = CURRENT_TIMESTAMP(3) - INTERVAL %s SECOND"
            " WHERE object_key = %s",
            status,
            seconds,
            key,
        )
    assert invoke.check()["ImportsWithoutProgress"] == 3
    said = warnings(lines)
    assert [line["key"] for line in said] == ["interrupted.csv", "checking.csv", "running.csv"]
    ids = {entry["object_key"]: entry["id"] for entry in database.ledger()}
    assert said[0]["import_id"] == ids["interrupted.csv"]
    assert said[0]["look"] == (
        "ansible-playbook playbooks/imports.yml -i inventories/stage -e imports_status=interrupted"
    )
    assert said[0]["fix"] == (
        f"ansible-playbook playbooks/replay.yml -i inventories/stage -e replay={ids['interrupted.csv']}"
    )
    monkeypatch.setenv("PROGRESS_TIMEOUT", str(PROGRESS_TIMEOUT + 150))
    assert invoke.check()["ImportsWithoutProgress"] == 1


# Identifiers


@pytest.mark.parametrize(
    ("following", "kind", "percent"),
    [
        (None, "int", 0.0),
        (1, "int", 0.0),
        (2**31 - 1, "int", 100.0),
        (2**31, "int unsigned", 50.0),
        (2**64 - 1, "bigint unsigned", 100.0),
        (128, "tinyint(1)", 100.0),
    ],
)
def test_the_share_of_numbers_that_is_used(following: int | None, kind: str, percent: float) -> None:
    assert _used(following, kind) == pytest.approx(percent, abs=1e-6)


def test_a_table_near_its_last_number_is_named(database: Database, invoke: Invoke, lines: list[dict[str, Any]]) -> None:
    """At once, and not as statistics of yesterday have it."""
    assert invoke.check()["IdentifiersUsed"] < 1
    database.query("ALTER TABLE customer AUTO_INCREMENT = 1932735283")
    database.importer(MemoryStore(ONE)).run(version_of())
    assert invoke.check()["IdentifiersUsed"] == pytest.approx(90.0, abs=0.001)
    (line,) = warnings(lines)
    assert (line["table"], line["percent"]) == ("customer", 90.0)
    assert line["look"] == "ansible-playbook playbooks/plan.yml -i inventories/ENVIRONMENT"


# What may go wrong


@pytest.mark.parametrize("statement", ["ALTER USER {} ACCOUNT LOCK", "REVOKE SELECT ON csv_import FROM {}"])
def test_a_check_that_cannot_be_made_is_counted_and_is_no_dead_letter(
    database: Database,
    invoke: Invoke,
    lines: list[dict[str, Any]],
    capsys: pytest.CaptureFixture[str],
    statement: str,
) -> None:
    database.query(statement.format(database.user))
    assert invoke.check() == {"CheckErrors": 1}
    (line,) = (line for line in lines if line["level"] == "ERROR")
    assert line["message"] == "Check interrupted"
    assert line["reason"].startswith("the database refuses: ")
    (metrics,) = (json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line)
    assert metrics["CheckErrors"] == [1.0]


def test_a_function_that_is_not_configured_is_a_check_that_cannot_be_made(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SECRET_ID")
    assert invoke.check() == {"CheckErrors": 1}


def test_anything_but_true_is_no_check(invoke: Invoke, database: Database) -> None:
    assert invoke(check="true") == invoke(check=1) == {"imports": []}
    assert database.ledger() == []


def test_its_queries_are_few_and_use_indexes(database: Database) -> None:
    """With 20,000 imports in the ledger, as the importer's user."""
    database.query("SET SESSION cte_max_recursion_depth = 100000")
    database.query(
        "INSERT INTO csv_import (version_hash, bucket, object_key, version_id, import_file, dataset, status,"
        " finished_at) WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"
        " SELECT i, 'b', i, i, i, IF(i %% 2, 'customer', 'other'), 'succeeded',"
        " CURRENT_TIMESTAMP(3) - INTERVAL i SECOND FROM n"
    )
    database.query("ANALYZE TABLE csv_import")
    connection = database.server.connect(database.name, user=database.user, password=PASSWORD)
    read: list[tuple[str, int]] = []

    class Counting(MySqlLedger):
        def _query(self, statement: str, *parameters: object) -> Any:
            before = self._read()
            rows = super()._query(statement, *parameters)
            read.append((statement, self._read() - before))
            return rows

        def _read(self) -> int:
            with connection.cursor() as cursor:
                cursor.execute("SHOW SESSION STATUS LIKE 'Handler_read_%'")
                return sum(int(value) for _, value in cursor.fetchall())

    ledger = Counting(connection)  # type: ignore[arg-type]
    ledger.pending()
    assert ledger.newest("customer") is not None
    assert ledger.newest("none") is None
    assert ledger.stalled(60, 10) == (0, [])
    connection.close()
    assert max(count for _, count in read) < 50, read


def test_the_ledger_says_so_where_no_event_waits(database: Database) -> None:
    with MySqlDatabase(database, database.server.ca_file, "check").ledger() as ledger:
        assert ledger.pending() == (0, 0)
        database.importer(MemoryStore(ONE), topic=MemoryTopic(lambda: "refused")).run(version_of())
        database.query("UPDATE csv_import_event SET created_at = created_at - INTERVAL 1 HOUR")
        count, oldest = ledger.pending()
    assert count == 1
    assert 3600 <= oldest < 4200
