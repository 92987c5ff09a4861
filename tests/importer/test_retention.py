"""The ledger forgets imports whose object version is gone, and nothing else: no version is ever imported twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from csv_importer.datasets import Dataset, Datasets, Mode
from csv_importer.errors import ConfigurationError, TransientError
from csv_importer.importer import Result
from csv_importer.objects import ObjectVersion
from csv_importer.retention import LOOKED_AT, Retention

from .conftest import BUCKET, Cloud, Database, Invoke
from .files import CUSTOMER, GOOD, MemoryStore, lines_of, version_of

DAYS = 15
WITH_IDS = replace(CUSTOMER, import_id=True)


@pytest.fixture(autouse=True)
def privileges(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Grant what grants_ledger_retention.yml does; look from the beginning of the ledger on."""
    monkeypatch.setattr("random.random", lambda: 0.0)
    database.query(f"GRANT DELETE ON csv_import TO {database.user}")


def ended(database: Database, key: str, days: float = 16, **values: Any) -> int:
    """Put an import into the ledger that succeeded so many days ago; return its id."""
    version = version_of(key)
    row = {
        "version_hash": version.digest,
        "bucket": version.bucket,
        "object_key": key,
        "version_id": version.version_id,
        "import_file": key,
        "dataset": "customer",
        "status": "succeeded",
        "rows_read": 1,
        "rows_loaded": 1,
    } | values
    columns, marks = ", ".join(row), ", ".join(["%s"] * len(row))
    database.query(
        f"INSERT INTO csv_import ({columns}, finished_at)"  # noqa: S608 - names of this test
        f" VALUES ({marks}, NOW(3) - INTERVAL %s HOUR)",
        *row.values(),
        24 * days,
    )
    ((number,),) = database.query("SELECT MAX(id) FROM csv_import")
    return int(number)


def keys(database: Database) -> list[str]:
    """Return the keys of the imports in the ledger."""
    return [row["object_key"] for row in database.ledger()]


def gone(version: ObjectVersion) -> bool:
    """Say that an object version does not exist."""
    del version
    return False


def imported(
    database: Database,
    exists: Callable[[ObjectVersion], bool] = gone,
    *datasets: Dataset,
    time: float = 60.0,
) -> None:
    """Import a file, after which old imports are forgotten."""
    retention = Retention(
        days=DAYS,
        datasets=Datasets(datasets or (WITH_IDS,)),
        exists=exists,
        time_left=lambda: time,
        log=database._log,
    )
    outcome = database.importer(MemoryStore(lines_of(GOOD)), retention=retention).run(version_of("now.csv"))
    assert outcome.result is Result.SUCCEEDED


def test_what_the_bucket_does_not_have_any_more_is_forgotten_with_its_rejects(database: Database) -> None:
    number = ended(database, "gone.csv")
    database.query("INSERT INTO csv_import_reject VALUES (%s, 2, NULL, 'why', 'text')", number)
    ended(database, "there.csv")
    imported(database, lambda version: version.key == "there.csv")
    assert keys(database) == ["there.csv", "now.csv"]
    assert database.rejects() == []
    assert "Old imports deleted" in database.messages


@pytest.mark.parametrize(
    "values",
    [
        {"days": 14.9},
        {"status": "running"},
        {"status": "interrupted"},
        {"undone_by": "ada"},
        {"version_id": "etag:0123"},
        {"bucket": "another-bucket"},
        {"dataset": "no-longer-known"},
    ],
)
def test_what_may_still_matter_is_kept(database: Database, values: dict[str, Any]) -> None:
    ended(database, "old.csv", **values)
    imported(database)
    assert keys(database) == ["old.csv", "now.csv"]


@pytest.mark.parametrize(
    ("dataset", "values", "kept"),
    [
        (WITH_IDS, {}, False),
        (WITH_IDS, {"status": "failed"}, False),
        (WITH_IDS, {"undone_by": "ada", "undone_at": "2026-01-01"}, False),
        (WITH_IDS, {"dataset": "", "status": "failed", "rows_loaded": 0, "rows_read": 0}, False),
        # An undo asks the ledger whose rows of a file there are.
        (CUSTOMER, {}, True),
        (CUSTOMER, {"rows_loaded": 0, "rows_rejected": 1}, False),
        # Rows and versions are compared with the ledger.
        (replace(WITH_IDS, mode=Mode.UPSERT), {}, True),
        (replace(WITH_IDS, mode=Mode.UPSERT), {"rows_loaded": 0, "rows_rejected": 1}, False),
        (replace(WITH_IDS, mode=Mode.REPLACE), {}, True),
        (replace(WITH_IDS, mode=Mode.REPLACE), {"rows_loaded": 0, "rows_rejected": 1}, True),
    ],
)
def test_what_rows_or_other_versions_are_compared_with_is_kept(
    database: Database, dataset: Dataset, values: dict[str, Any], kept: bool
) -> None:
    ended(database, "old.csv", **values)
    imported(database, gone, dataset)
    assert keys(database) == ["old.csv", "now.csv"] if kept else ["now.csv"]


@pytest.mark.parametrize(
    ("later", "kept"),
    [
        ({}, ["later.csv", "now.csv"]),
        ({"status": "failed"}, ["monthly.csv", "now.csv"]),
        ({"rows_loaded": 0, "rows_rejected": 1}, ["monthly.csv", "later.csv", "now.csv"]),
        ({"undone_by": "ada", "undone_at": "2026-01-01"}, ["monthly.csv", "later.csv", "now.csv"]),
    ],
)
def test_the_newest_import_of_a_dataset_is_kept(database: Database, later: dict[str, Any], kept: list[str]) -> None:
    """Otherwise a dataset of which a file comes each month would be overdue, and without data, after 15 days."""
    monthly = replace(WITH_IDS, name="monthly", table="monthly", key_prefix="monthly")
    ended(database, "monthly.csv", 20, dataset="monthly")
    ended(database, "later.csv", 16, dataset="monthly", **later)
    imported(database, gone, WITH_IDS, monthly)
    assert keys(database) == kept


def test_rows_that_several_sessions_have_stored_of_a_failed_import_are_rows(database: Database) -> None:
    number = ended(database, "old.csv", status="failed", rows_loaded=0, rows_read=0)
    database.query("INSERT INTO csv_import_range VALUES (%s, 0, 1, 10, 2, 1, 0, 0)", number)
    imported(database, gone, CUSTOMER)
    assert keys(database) == ["old.csv", "now.csv"]


@pytest.mark.parametrize(("share", "place"), [(0.0, 0), (0.5, 30), (0.95, 57)])
def test_each_import_looks_at_a_few_from_somewhere_in_the_ledger(
    database: Database, monkeypatch: pytest.MonkeyPatch, share: float, place: int
) -> None:
    monkeypatch.setattr("random.random", lambda: share)
    names = [f"{number:03}.csv" for number in range(3 * LOOKED_AT)]
    for name in names:
        ended(database, name)
    asked: list[str] = []

    def exists(version: ObjectVersion) -> bool:
        asked.append(version.key)
        return True

    imported(database, exists)
    assert asked == names[place : place + LOOKED_AT]


def test_without_time_nothing_is_asked(database: Database) -> None:
    ended(database, "old.csv")
    imported(database, time=0.0)
    assert keys(database) == ["old.csv", "now.csv"]


@pytest.mark.parametrize("error", [TransientError("S3 does not answer"), ConfigurationError("the role may not")])
def test_where_the_bucket_does_not_say_nothing_is_forgotten(database: Database, error: Exception) -> None:
    ended(database, "old.csv")

    def exists(_: ObjectVersion) -> bool:
        raise error

    imported(database, exists)
    assert keys(database) == ["old.csv", "now.csv"]
    assert "Old imports could not be deleted (LEDGER_RETENTION_DAYS)" in database.messages


def test_an_import_does_not_fail_where_the_privilege_is_missing(database: Database) -> None:
    ended(database, "old.csv")
    database.query(f"REVOKE DELETE ON csv_import FROM {database.user}")
    imported(database)
    assert keys(database) == ["old.csv", "now.csv"]
    assert "Old imports could not be deleted (LEDGER_RETENTION_DAYS)" in database.messages


def test_what_begins_again_while_it_is_looked_at_is_kept(database: Database) -> None:
    number = ended(database, "old.csv", status="failed")

    def exists(version: ObjectVersion) -> bool:
        del version
        database.query("UPDATE csv_import SET status = 'running', finished_at = NULL WHERE id = %s", number)
        return False

    imported(database, exists)
    assert keys(database) == ["old.csv", "now.csv"]


def test_an_event_of_what_was_forgotten_loads_nothing(
    database: Database, invoke: Invoke, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the bucket: an object that was deleted for good is forgotten, one behind a delete marker is not."""
    monkeypatch.setenv("LEDGER_RETENTION_DAYS", str(DAYS))
    records = {key: cloud.put(f"retention/{key}", lines_of("bad")) for key in ("a.csv", "b.csv", "c.csv")}
    for record in records.values():
        invoke(record)
    database.query("UPDATE csv_import SET finished_at = NOW(3) - INTERVAL 16 DAY")
    for key, record in records.items():
        version = record["s3"]["object"]["versionId"]
        named = {"VersionId": version} if key != "c.csv" else {}
        cloud.s3.delete_object(Bucket=BUCKET, Key=f"retention/{key}", **named)
    invoke(cloud.put("retention/now.csv", lines_of(GOOD)))
    assert keys(database) == ["retention/c.csv", "retention/now.csv"]
    loaded = database.customers()
    invoke(records["a.csv"])
    (again,) = [row for row in database.ledger() if row["object_key"] == "retention/a.csv"]
    assert (again["status"], again["rows_read"]) == ("failed", 0)
    assert "gone" in again["reason"]
    assert database.customers() == loaded
