"""imports.yml, replay.yml, undo.yml, reconcile.yml, status.yml on a complete stack; only rows and files are left."""

from __future__ import annotations

import csv
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.conftest import GOOD, HEADER, TIMEOUT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Stack

pytestmark = pytest.mark.e2e

FORMULA = '=1+1,"Grace ""G""",Hopper,1,nobody,85\n'


def imports(stack: Stack, *arguments: str) -> dict[str, dict[str, Any]]:
    """The ledger by key, as imports.yml writes it."""
    file = stack.folder / "imports.json"
    stack.playbook("imports.yml", "-e", f"imports_file={file}", "-e", "imports_limit=1000", *arguments)
    # Of several imports of a key the newest one, which is listed first.
    return {entry["key"]: entry for entry in reversed(json.loads(file.read_text()))}


def upload(stack: Stack, folder: Path, name: str, content: str) -> None:
    """Load a file with load.yml, whether the import succeeds or not."""
    file = folder / name
    file.write_text(content, encoding="utf-8")
    stack.playbook("load.yml", "-e", json.dumps({"csv": str(file)}), check=False)


def queue_url(stack: Stack) -> str:
    """The dead-letter queue."""
    found = stack.client("sqs").get_queue_url(QueueName="csv-to-aurora-local-importer-dead-letters")
    return str(found["QueueUrl"])


def dead_letters(stack: Stack) -> int:
    """How many messages the queue has."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = stack.client("sqs").get_queue_attributes(QueueUrl=queue_url(stack), AttributeNames=names)
    return sum(int(attributes["Attributes"][name]) for name in names)


def test_imports_shows_the_ledger_and_writes_rejects(complete: Stack, tmp_path: Path) -> None:
    """The table, its filter, the JSON file, and rejected rows as a CSV that no spreadsheet computes."""
    upload(complete, tmp_path, "rejects.csv", HEADER + GOOD + FORMULA)
    upload(complete, tmp_path, "refused.csv", "colour;shape\nred;round\n")
    known = imports(complete)
    entry = known["rejects.csv"]
    assert [entry[f"rows_{kind}"] for kind in ("read", "loaded", "rejected", "blank")] == [2, 1, 1, 0]
    assert entry["status"] == "succeeded"
    assert entry["seconds"] > 0
    assert entry["id"] < known["refused.csv"]["id"]

    shown = complete.playbook("imports.yml", "-e", "imports_status=failed")
    assert shown.changed == 0
    assert "refused.csv" in shown.output
    assert known["refused.csv"]["reason"] in shown.output
    assert "rejects.csv" not in shown.output
    newest = complete.playbook("imports.yml", "-e", "imports_limit=1")
    assert "refused.csv" in newest.output
    assert "rejects.csv" not in newest.output

    file = tmp_path / "rejected rows.csv"
    chosen = {"rejects_of": entry["id"], "rejects_file": str(file)}
    complete.playbook("imports.yml", "-e", json.dumps(chosen))
    with file.open(encoding="utf-8", newline="") as stream:
        header, row = list(csv.reader(stream))
    assert header == ["line_number", "column_name", "reason", "raw_text"]
    assert row[:2] == ["3", "email"]
    assert row[3] == "'" + FORMULA.rstrip("\n")
    assert file.stat().st_mode & 0o077 == 0

    for arguments, said in (
        ({"rejects_of": 999999, "rejects_file": str(file)}, "There is no import 999999"),
        ({"rejects_of": 1}, "-e rejects_of=ID -e rejects_file=FILE"),
        ({"imports_status": "gone"}, "an import is checking, running, interrupted, succeeded or failed"),
        ({"imports_limit": "0; DROP"}, "give a number from 1"),
    ):
        refused = complete.playbook("imports.yml", "-e", json.dumps(arguments), check=False)
        assert refused.returncode != 0
        assert said in refused.words


def test_a_failed_import_is_run_again_once(complete: Stack, tmp_path: Path) -> None:
    """Refused for its share of rejects; plan, failing again, then success, and no second time."""
    with complete.configured({"MAX_REJECT_RATIO": "0"}):
        upload(complete, tmp_path, "share.csv", HEADER + GOOD * 3 + FORMULA)
        failed = imports(complete)["share.csv"]
        assert failed["status"] == "failed"
        listed = complete.playbook("replay.yml")
        assert listed.changed == 0
        assert "share.csv" in listed.output
        assert "-e replay=ID" in listed.output

        chosen = ("-e", f"replay={failed['id']}")
        plan = complete.playbook("replay.yml", "--check", *chosen)
        assert "1 files would be run again" in plan.output
        assert imports(complete)["share.csv"] == failed

        again = complete.playbook("replay.yml", *chosen, check=False)
        assert again.returncode != 0
        assert "Not imported: share.csv" in again.output
        twice = imports(complete)["share.csv"]
        assert (twice["status"], twice["attempts"]) == ("failed", failed["attempts"] + 1)

    complete.playbook("replay.yml", *chosen)
    done = imports(complete)["share.csv"]
    assert done["status"] == "succeeded"
    assert [done[f"rows_{kind}"] for kind in ("read", "loaded", "rejected", "blank")] == [4, 3, 1, 0]

    refused = complete.playbook("replay.yml", *chosen, check=False)
    assert refused.returncode != 0
    assert "it has succeeded" in refused.words
    assert imports(complete)["share.csv"] == done


def test_an_import_is_undone_once(complete: Stack, tmp_path: Path) -> None:
    """Plan, refusal of another answer, undo, a second one; a replay and its event change nothing afterwards."""
    upload(complete, tmp_path, "undone.csv", HEADER + GOOD * 3)
    entry = imports(complete)["undone.csv"]
    chosen = ("-e", f"import={entry['id']}")
    plan = complete.playbook("undo.yml", "--check", *chosen)
    assert f"Would remove 3 rows of import {entry['id']} from the table customer" in plan.words
    refused = complete.playbook("undo.yml", *chosen, "-e", "undo_confirm=0", check=False)
    assert refused.returncode != 0
    assert f"Nothing was removed: the answer was not {entry['id']}." in refused.words
    assert imports(complete)["undone.csv"] == entry

    confirmed = (*chosen, "-e", f"undo_confirm={entry['id']}")
    assert complete.playbook("undo.yml", *confirmed, verbose=True).changed == 1
    done = imports(complete)["undone.csv"]
    assert (done["status"], done["rows_loaded"], done["rows_undone"]) == ("succeeded", 3, 3)
    assert done["undone_by"].startswith("arn:")
    again = complete.playbook("undo.yml", *confirmed)
    assert again.changed == 0
    assert f"Import {entry['id']} has been undone already, by arn:" in again.words
    assert imports(complete)["undone.csv"] == done
    replayed = complete.playbook("replay.yml", "-e", f"replay={entry['id']}", check=False)
    assert replayed.returncode != 0
    assert "it has succeeded or was undone, and is not run again" in replayed.words


def test_a_dead_letter_is_run_again_once(complete: Stack) -> None:
    """Retries used up, queue, plan, replay; the same event again changes nothing; any other message is kept."""
    bucket = f"{complete.outputs()['bucket']['name']}"
    with complete.configured({"SECRET_ID": "does-not-exist"}):
        version = complete.client("s3").put_object(Bucket=bucket, Key="dead ä.csv", Body=(HEADER + GOOD * 2).encode())
        until = time.monotonic() + TIMEOUT
        while dead_letters(complete) == 0 and time.monotonic() < until:
            time.sleep(2)
    assert dead_letters(complete) == 1
    assert "dead ä.csv" not in imports(complete)

    chosen = ("-e", "replay_dead_letters=all")
    assert "dead ä.csv" in complete.playbook("replay.yml").output
    assert "1 files would be run again" in complete.playbook("replay.yml", "--check", *chosen).output
    assert dead_letters(complete) == 1
    assert "dead ä.csv" not in imports(complete)

    assert "deleted, its files have been imported" in complete.playbook("replay.yml", *chosen).output
    assert dead_letters(complete) == 0
    done = imports(complete)["dead ä.csv"]
    assert (done["status"], done["rows_loaded"]) == ("succeeded", 2)

    # As in a dead-letter queue: the bare event. Its file is imported already.
    thing = {"key": "dead+%C3%A4.csv", "versionId": version["VersionId"], "eTag": version["ETag"].strip('"')}
    event = {"Records": [{"s3": {"bucket": {"name": bucket}, "object": thing}}]}
    sqs, queue = complete.client("sqs"), queue_url(complete)
    sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(event))
    hopeless = sqs.send_message(QueueUrl=queue, MessageBody="no event")["MessageId"]
    run = complete.playbook("replay.yml", *chosen)
    assert "0 files are run again" in run.output
    assert f"{hopeless}: kept" in run.output
    assert dead_letters(complete) == 1
    assert imports(complete)["dead ä.csv"] == done

    refused = complete.playbook("replay.yml", "-e", f"replay_dead_letters={hopeless}", check=False)
    assert refused.returncode != 0
    assert "is named in there" in refused.words
    missing = complete.playbook("replay.yml", "-e", "replay_dead_letters=abc-1", check=False)
    assert missing.returncode != 0
    assert "There is no dead letter abc-1" in missing.words
    sqs.purge_queue(QueueUrl=queue)


def test_a_file_without_an_event_is_found_and_imported_once(complete: Stack, tmp_path: Path) -> None:
    """Uploaded while there was no notification: listed, not by a plan imported, then imported, and no second time."""
    s3, bucket, key = complete.client("s3"), complete.bucket, "forgotten/ä +%41.csv"
    found = s3.get_bucket_notification_configuration(Bucket=bucket)
    found.pop("ResponseMetadata")
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    try:
        version = s3.put_object(Bucket=bucket, Key=key, Body=(HEADER + GOOD * 2).encode())["VersionId"]
    finally:
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=found)

    report = tmp_path / "missing.jsonl"
    chosen = ("-e", f"reconcile_prefix=forgotten/ reconcile_report={report}")
    young = complete.playbook("reconcile.yml", *chosen)
    assert "1 were left out: uploaded less than 15 minutes ago" in young.words
    at_once = (*chosen, "-e", "reconcile_older_than=0")
    missing: dict[str, Any] = {}
    for more in ([], ["-e", "reconcile=run", "--check"]):
        listed = complete.playbook("reconcile.yml", *at_once, *more, check=False)
        assert listed.returncode == 2
        assert f"1 of 1 object versions in {bucket} are not in the ledger" in listed.words
        assert "reconcile.yml -i inventories/local -e reconcile=run" in listed.words
        (missing,) = map(json.loads, report.read_text(encoding="utf-8").splitlines())
        assert (missing["key"], missing["version_id"], missing["dataset"]) == (key, version, "customer")
    ledger = "SELECT status, rows_loaded, attempts, version_hash FROM csv_import WHERE object_key = %s"
    assert complete.query(ledger, key) == []

    run = complete.playbook("reconcile.yml", *at_once, "-e", "reconcile=run", verbose=True)
    assert "1 object versions were sent to the importer in 1 events." in run.words
    done = {"status": "succeeded", "rows_loaded": 2, "attempts": 1, "version_hash": missing["version_hash"]}
    until = time.monotonic() + TIMEOUT
    while complete.query(ledger, key) != [done] and time.monotonic() < until:
        time.sleep(1)
    assert complete.query(ledger, key) == [done]
    for more in ([], ["-e", "reconcile=run"]):
        again = complete.playbook("reconcile.yml", *at_once, *more)
        assert f"0 of 1 object versions in {bucket} are not in the ledger" in again.words
        assert again.changed == 0
    assert complete.query(ledger, key) == [done]


def test_the_status_of_a_stack_and_what_is_next(complete: Stack, tmp_path: Path) -> None:
    """With the client of the host, and the plan: a file that was refused is there until it has been dealt with."""
    file = tmp_path / "status.json"
    upload(complete, tmp_path, "other.csv", "colour;shape\nred;round\n")
    upload(complete, tmp_path, "fresh.csv", HEADER + GOOD * 2)
    known = imports(complete)
    shown = complete.playbook("status.yml", "-e", f"drift=true status_file={file}", verbose=True, check=False)
    assert shown.returncode == 2
    assert shown.changed == 0
    status = json.loads(file.read_text(encoding="utf-8"))
    assert status["ledger_error"] is None
    assert known["other.csv"]["reason"] in {row["reason"] for row in status["failed"]}
    (next_command,) = (one["next"] for one in status["to_do"] if one["what"].startswith("failed in the last 24 h"))
    assert next_command.startswith("ansible-playbook playbooks/replay.yml -i inventories/local -e replay=")
    assert str(known["other.csv"]["id"]) in next_command
    (customer,) = status["datasets"]
    assert (customer["newest"]["key"], customer["newest"]["rows_loaded"]) == ("fresh.csv", 2)
    assert customer["newest"]["age_seconds"] < TIMEOUT
    assert status["drift"]["changes"] == []
    assert all(one["next"] in shown.words for one in status["to_do"])

    complete.playbook("undo.yml", "-e", f"import={known['other.csv']['id']} undo_confirm={known['other.csv']['id']}")
    complete.playbook("status.yml", "-e", f"status_file={file}", check=False)
    status = json.loads(file.read_text(encoding="utf-8"))
    assert known["other.csv"]["id"] not in {row["id"] for row in status["failed"]}
    assert status["drift"] is None
