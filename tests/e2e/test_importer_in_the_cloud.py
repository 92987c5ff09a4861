"""The importer in the stack: real bucket events, a real function, a real server, and failures between them.

Errors of the database and malformed files are tested in tests/importer, in a hundredth of the time.
"""

from __future__ import annotations

import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

import pymysql
import pytest

from tests.e2e.conftest import FUNCTION, GOOD, HEADER, TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.conftest import Stack

pytestmark = pytest.mark.e2e

MANY = 600_000
"""Rows that take the importer several commits, and some seconds."""
GIGABYTE = 10**9
RUN = token_hex(3)
"""Prefix of the keys, so that a stack can be tested again."""


def until[T](look: Callable[[], T | None], what: str) -> T:
    """Call ``look`` until it returns something, also while the server is not reachable."""
    end = time.monotonic() + TIMEOUT
    while time.monotonic() < end:
        with suppress(pymysql.OperationalError):
            found = look()
            if found:
                return found
        time.sleep(0.1)
    raise AssertionError(f"after {TIMEOUT} s there is still no sign of {what}")


def put(stack: Stack, key: str, content: str) -> dict[str, Any]:
    """Upload an object, and return the record of its event."""
    bucket = stack.bucket
    made = stack.client("s3").put_object(Bucket=bucket, Key=key, Body=content.encode())
    version = {"key": quote_plus(key), "versionId": made["VersionId"], "eTag": made["ETag"].strip('"')}
    return {"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": bucket}, "object": version}}


def imports_of(stack: Stack, key: str) -> list[dict[str, Any]]:
    """The ledger's rows of a key."""
    return stack.query("SELECT * FROM csv_import WHERE object_key = %s ORDER BY id", key)


def ended(stack: Stack, key: str, count: int = 1) -> list[dict[str, Any]]:
    """The ledger's rows of a key, once so many have ended."""

    def look() -> list[dict[str, Any]] | None:
        rows = imports_of(stack, key)
        return rows if len(rows) == count and all(row["finished_at"] for row in rows) else None

    return until(look, f"{count} ended imports of {key}")


def stored(stack: Stack, entry: dict[str, Any]) -> int:
    """How many rows the table has of an import's file."""
    (row,) = stack.query("SELECT COUNT(*) AS n FROM customer WHERE import_file = %s", entry["import_file"])
    return int(row["n"])


def invoke(stack: Stack, *records: dict[str, Any]) -> dict[str, Any]:
    """Call the function and wait for its answer."""
    answer = stack.client("lambda").invoke(FunctionName=FUNCTION, Payload=json.dumps({"Records": records}))
    assert "FunctionError" not in answer, answer["Payload"].read()
    return dict(json.loads(answer["Payload"].read()))


def workers(stack: Stack) -> list[int]:
    """The ids of the processes that run the function of this local cloud."""
    mine = {f"AWS_LAMBDA_FUNCTION_NAME={FUNCTION}", f"BUCKET_NAME={stack.bucket}"}
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            environment = path.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if mine <= set(environment):
            found.append(int(path.parent.name))
    return found


def peak_memory(process: int) -> float:
    """The most memory that a process ever had, in MiB."""
    status = Path(f"/proc/{process}/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))


@pytest.mark.parametrize(
    "key",
    [
        "with spaces  and+plus.csv",
        "100 % März & Söhne = 'quoted' \"twice\".csv",
        "a%20b%2Bc.csv",
        "日本語/🙂.csv",
        "UPPER.CSV",
        "k" * 1020 + ".csv",
    ],
    ids=["spaces", "quotes", "percent", "unicode", "upper", "1024"],
)
def test_any_key_is_imported_under_its_own_name(complete: Stack, key: str) -> None:
    put(complete, key, HEADER + GOOD * 2)
    (entry,) = ended(complete, key)
    assert (entry["status"], entry["rows_loaded"]) == ("succeeded", 2)
    assert stored(complete, entry) == 2
    assert entry["import_file"] == key if len(key) <= 100 else entry["import_file"].startswith(key[:83] + "~")


def test_what_is_no_csv_is_left_alone(complete: Stack) -> None:
    folder = put(complete, "folder.csv/", "")
    put(complete, "notes.txt", HEADER + GOOD)
    assert invoke(complete, folder) == {"imports": []}
    put(complete, f"{RUN} after.csv", HEADER + GOOD)
    ended(complete, f"{RUN} after.csv")
    assert imports_of(complete, "folder.csv/") == []
    assert imports_of(complete, "notes.txt") == []


def test_an_event_that_comes_again_is_one_import(complete: Stack) -> None:
    record = put(complete, f"{RUN} again.csv", HEADER + GOOD * 3)
    (entry,) = ended(complete, f"{RUN} again.csv")
    answer = invoke(complete, record, record)
    assert [done["result"] for done in answer["imports"]] == ["duplicate", "duplicate"]
    assert ended(complete, f"{RUN} again.csv") == [entry]
    assert stored(complete, entry) == 3


def test_the_same_key_with_other_content_is_two_imports(complete: Stack) -> None:
    for count in (2, 5):
        put(complete, f"{RUN} twice.csv", HEADER + GOOD * count)
    entries = ended(complete, f"{RUN} twice.csv", count=2)
    assert sorted(entry["rows_loaded"] for entry in entries) == [2, 5]
    assert stored(complete, entries[0]) == 7


def test_two_invocations_at_once_are_one_import(complete: Stack) -> None:
    record = put(complete, f"{RUN} at once.csv", HEADER + GOOD * MANY)
    until(lambda: imports_of(complete, f"{RUN} at once.csv"), "the import's beginning")
    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda _: invoke(complete, record), range(2)))
    assert {done["result"] for answer in answers for done in answer["imports"]} <= {"elsewhere", "duplicate"}
    (entry,) = ended(complete, f"{RUN} at once.csv")
    assert (entry["status"], entry["rows_loaded"]) == ("succeeded", MANY)
    assert stored(complete, entry) == MANY


def test_a_function_that_is_killed_mid_file_resumes_after_its_last_commit(complete: Stack) -> None:
    put(complete, f"{RUN} killed.csv", HEADER + GOOD * MANY)

    def halfway() -> dict[str, Any] | None:
        rows = imports_of(complete, f"{RUN} killed.csv")
        return rows[0] if rows and rows[0]["rows_loaded"] else None

    before = until(halfway, "the first commit")
    assert before["finished_at"] is None, "too fast to be killed: give it more rows"
    killed = workers(complete)
    assert killed
    for process in killed:
        os.kill(process, signal.SIGKILL)
    (entry,) = ended(complete, f"{RUN} killed.csv")
    assert entry["attempts"] > before["attempts"]
    assert (entry["status"], entry["rows_loaded"], entry["rows_rejected"]) == ("succeeded", MANY, 0)
    assert stored(complete, entry) == MANY


def test_a_file_that_takes_longer_than_an_invocation_is_continued_by_the_next(complete: Stack) -> None:
    # A quarter of it is kept in reserve: no machine at hand comes near 800,000 rows a second, read twice.
    with complete.configured(Timeout=5):
        put(complete, f"{RUN} long.csv", HEADER + GOOD * MANY * 5)
        (entry,) = ended(complete, f"{RUN} long.csv")
    assert entry["attempts"] > 1
    assert (entry["status"], entry["rows_loaded"]) == ("succeeded", MANY * 5)
    assert stored(complete, entry) == MANY * 5


def test_a_server_that_goes_away_mid_file_costs_nothing(complete: Stack) -> None:
    put(complete, f"{RUN} restart.csv", HEADER + GOOD * MANY)
    until(
        lambda: [row for row in imports_of(complete, f"{RUN} restart.csv") if row["rows_loaded"]],
        "the first commit",
    )
    (server,) = complete.containers("rds")
    server.restart(timeout=30)
    (entry,) = ended(complete, f"{RUN} restart.csv")
    assert (entry["status"], entry["rows_loaded"]) == ("succeeded", MANY)
    assert stored(complete, entry) == MANY


def reported(stack: Stack) -> list[dict[str, Any]]:
    """The metrics in the function's log, in CloudWatch's embedded format, with name, dimensions and value each."""
    events = stack.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{FUNCTION}")["events"]
    found = []
    for event in events:
        with suppress(ValueError):
            record = json.loads(event["message"])
            for directive in record.get("_aws", {}).get("CloudWatchMetrics", []):
                for metric in directive["Metrics"]:
                    dimensions = {name: record[name] for name in directive["Dimensions"][0]}
                    found.append({"Namespace": directive["Namespace"], "MetricName": metric["Name"],
                                  "Dimensions": dimensions, "Value": record[metric["Name"]]})  # fmt: skip
    return found


def test_the_alarms_watch_what_is_reported(complete: Stack) -> None:
    put(complete, f"{RUN} refused.csv", "colour;shape\n")
    (entry,) = ended(complete, f"{RUN} refused.csv")
    assert entry["status"] == "failed"

    def failures() -> list[dict[str, Any]]:
        return [one for one in reported(complete) if one["MetricName"] == "ImportsFailed" and 1.0 in one["Value"]]

    until(failures, "the failed import in the function's metrics")
    alarms = complete.client("cloudwatch").describe_alarms(AlarmNamePrefix=FUNCTION)["MetricAlarms"]
    watched = {
        (alarm["Namespace"], alarm["MetricName"], *sorted((d["Name"], d["Value"]) for d in alarm["Dimensions"])): alarm
        for alarm in alarms
    }
    (series,) = {(one["Namespace"], one["MetricName"], *sorted(one["Dimensions"].items())) for one in failures()}
    # The dimension is this environment's, and a single failed import triggers the alarm.
    assert ("service", "csv-to-aurora-local") in series
    assert watched[series]["Threshold"] <= 1
    queue = ("QueueName", f"{FUNCTION}-dead-letters")
    assert ("AWS/SQS", "ApproximateNumberOfMessagesVisible", queue) in watched
    assert ("AWS/Lambda", "Errors", ("FunctionName", FUNCTION)) in watched
    assert all(alarm["ActionsEnabled"] for alarm in alarms)


def write_gigabyte(file: Path) -> int:
    """Write a file; return how many rows it has."""
    with file.open("wb") as stream:
        stream.write(HEADER.encode())
        block = GOOD.encode() * 100_000
        while stream.tell() < GIGABYTE:
            stream.write(block)
    return (file.stat().st_size - len(HEADER)) // len(GOOD)


@pytest.mark.slow
def test_a_gigabyte_through_several_sessions_is_loaded_once_whatever_is_killed(complete: Stack, tmp_path: Path) -> None:
    file = tmp_path / f"{RUN}-sessions.csv"
    rows = write_gigabyte(file)
    ranges = 0
    # Many short invocations. Lambda tries an event three times: the second attempt is let live, and hands over.
    with complete.configured(environment={"IMPORT_SESSIONS": "3", "MAX_REJECT_RATIO": "1"}, Timeout=12):
        complete.client("s3").upload_file(str(file), complete.bucket, file.name)
        for attempt in range(1, 10, 2):

            def begun(attempt: int = attempt) -> dict[str, Any] | None:
                found = imports_of(complete, file.name)
                return found[0] if found and found[0]["byte_offset"] and found[0]["attempts"] >= attempt else None

            entry = until(begun, f"attempt {attempt}")
            # Somewhere in the middle of what it does.
            time.sleep(1 + attempt / 10)
            assert entry["finished_at"] is None, f"over with attempt {attempt}: give it more rows"
            for process in workers(complete):
                os.kill(process, signal.SIGKILL)
            ranges += len(complete.query("SELECT 1 FROM csv_import_range WHERE import_id = %s", entry["id"]))
        (entry,) = ended(complete, file.name)
    assert ranges, "no session was ahead of another: nothing was tested"
    assert (entry["status"], entry["rows_loaded"], entry["rows_rejected"]) == ("succeeded", rows, 0)
    assert stored(complete, entry) == rows
    assert complete.query("SELECT 1 FROM csv_import_range WHERE import_id = %s", entry["id"]) == []


@pytest.mark.slow
def test_a_gigabyte_is_loaded_in_flat_memory(complete: Stack, tmp_path: Path) -> None:
    with complete.configured(Timeout=120):
        put(complete, f"{RUN} small.csv", HEADER + GOOD * 10_000)
        ended(complete, f"{RUN} small.csv")
        small = max(map(peak_memory, workers(complete)))
        file = tmp_path / "gigabyte.csv"
        rows = write_gigabyte(file)
        report = tmp_path / "report.json"
        complete.playbook("load.yml", "-e", json.dumps({"csv": str(file), "load_report": str(report)}))
        large = max(map(peak_memory, workers(complete)))
    result = json.loads(report.read_text())
    assert (result["status"], result["rows_loaded"], result["rows_rejected"]) == ("succeeded", rows, 0)
    (entry,) = imports_of(complete, file.name)
    assert stored(complete, entry) == rows
    assert large - small < 32, f"{small} MiB after a small file, {large} MiB after {rows} rows"
