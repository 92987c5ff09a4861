"""What test_whole_stack.py asks of imports.yml and replay.yml, in the life of its stack.

Each is a function of a complete stack, and leaves it as it was but for rows, files and rows of the ledger.
"""

from __future__ import annotations

import csv
import json
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.conftest import Stack

HEADER = "title,firstname,lastname,status,email,age\n"
GOOD = "Ms,Grace,Hopper,1,grace@example.com,85\n"
FORMULA = '=1+1,"Grace ""G""",Hopper,1,nobody,85\n'
PATIENCE = 300
"""Seconds after which what should have happened counts as never happening."""


def imports(stack: Stack, *arguments: str) -> dict[str, dict[str, Any]]:
    """The ledger by key, as imports.yml writes it."""
    file = stack.folder / "imports.json"
    stack.playbook("imports.yml", "-e", f"imports_file={file}", "-e", "imports_limit=1000", *arguments)
    return {entry["key"]: entry for entry in json.loads(file.read_text())}


def upload(stack: Stack, folder: Path, name: str, content: str) -> None:
    """Load a file with load.yml, however that ends."""
    file = folder / name
    file.write_text(content, encoding="utf-8")
    stack.playbook("load.yml", "-e", json.dumps({"csv": str(file)}), check=False)


@contextmanager
def environment(stack: Stack, **changes: str) -> Iterator[None]:
    """Run the function with other environment variables for a while."""
    client, name = stack.client("lambda"), "csv-to-aurora-local-importer"
    before = client.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    client.update_function_configuration(FunctionName=name, Environment={"Variables": {**before, **changes}})
    client.get_waiter("function_updated_v2").wait(FunctionName=name)
    try:
        yield
    finally:
        client.update_function_configuration(FunctionName=name, Environment={"Variables": before})
        client.get_waiter("function_updated_v2").wait(FunctionName=name)


def queue_url(stack: Stack) -> str:
    """The dead letter queue."""
    found = stack.client("sqs").get_queue_url(QueueName="csv-to-aurora-local-importer-dead-letters")
    return str(found["QueueUrl"])


def dead_letters(stack: Stack) -> int:
    """How many messages the queue has."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = stack.client("sqs").get_queue_attributes(QueueUrl=queue_url(stack), AttributeNames=names)
    return sum(int(attributes["Attributes"][name]) for name in names)


def imports_shows_the_ledger_and_writes_rejects(stack: Stack, folder: Path) -> None:
    """The table, its filter, the JSON file, and rejected rows as a CSV that no spreadsheet computes."""
    upload(stack, folder, "rejects.csv", HEADER + GOOD + FORMULA)
    upload(stack, folder, "refused.csv", "colour;shape\nred;round\n")
    known = imports(stack)
    entry = known["rejects.csv"]
    assert [entry[f"rows_{kind}"] for kind in ("read", "loaded", "rejected", "blank")] == [2, 1, 1, 0]
    assert entry["status"] == "succeeded"
    assert entry["seconds"] > 0
    assert entry["id"] < known["refused.csv"]["id"]

    shown = stack.playbook("imports.yml", "-e", "imports_status=failed")
    assert shown.changed == 0
    assert "refused.csv" in shown.output
    assert known["refused.csv"]["reason"] in shown.output
    assert "rejects.csv" not in shown.output
    newest = stack.playbook("imports.yml", "-e", "imports_limit=1")
    assert "refused.csv" in newest.output
    assert "rejects.csv" not in newest.output

    file = folder / "rejected rows.csv"
    chosen = {"rejects_of": entry["id"], "rejects_file": str(file)}
    stack.playbook("imports.yml", "-e", json.dumps(chosen))
    with file.open(encoding="utf-8", newline="") as stream:
        header, row = list(csv.reader(stream))
    assert header == ["line_number", "column_name", "reason", "raw_text"]
    assert row[:2] == ["3", "email"]
    assert row[3] == "'" + FORMULA.rstrip("\n")
    assert file.stat().st_mode & 0o077 == 0

    for arguments, said in (
        ({"rejects_of": 999999, "rejects_file": str(file)}, "There is no import 999999"),
        ({"rejects_of": 1}, "-e rejects_of=ID -e rejects_file=FILE"),
        ({"imports_status": "gone"}, "an import is checking, running, succeeded or failed"),
        ({"imports_limit": "0; DROP"}, "give a number from 1"),
    ):
        refused = stack.playbook("imports.yml", "-e", json.dumps(arguments), check=False)
        assert refused.returncode != 0
        assert said in " ".join(refused.output.split())


def a_failed_import_is_run_again_once(stack: Stack, folder: Path) -> None:
    """Refused for its share of rejects; plan, failing again, then success, and no second time."""
    with environment(stack, MAX_REJECT_RATIO="0"):
        upload(stack, folder, "share.csv", HEADER + GOOD * 3 + FORMULA)
        failed = imports(stack)["share.csv"]
        assert failed["status"] == "failed"
        listed = stack.playbook("replay.yml")
        assert listed.changed == 0
        assert "share.csv" in listed.output
        assert "-e replay=ID" in listed.output

        chosen = ("-e", f"replay={failed['id']}")
        plan = stack.playbook("replay.yml", "--check", *chosen)
        assert "1 files would be run again" in plan.output
        assert imports(stack)["share.csv"] == failed

        again = stack.playbook("replay.yml", *chosen, check=False)
        assert again.returncode != 0
        assert "Not imported: share.csv" in again.output
        twice = imports(stack)["share.csv"]
        assert (twice["status"], twice["attempts"]) == ("failed", failed["attempts"] + 1)

    stack.playbook("replay.yml", *chosen)
    done = imports(stack)["share.csv"]
    assert done["status"] == "succeeded"
    assert [done[f"rows_{kind}"] for kind in ("read", "loaded", "rejected", "blank")] == [4, 3, 1, 0]

    refused = stack.playbook("replay.yml", *chosen, check=False)
    assert refused.returncode != 0
    assert "it has succeeded" in " ".join(refused.output.split())
    assert imports(stack)["share.csv"] == done


def a_dead_letter_is_run_again_once(stack: Stack) -> None:
    """Retries used up, queue, plan, replay; the same event once more changes nothing; what is no event is kept."""
    bucket = f"{stack.outputs()['bucket']['name']}"
    with environment(stack, SECRET_ID="nobody-made-this-secret"):
        version = stack.client("s3").put_object(Bucket=bucket, Key="dead ä.csv", Body=(HEADER + GOOD * 2).encode())
        until = time.monotonic() + PATIENCE
        while dead_letters(stack) == 0 and time.monotonic() < until:
            time.sleep(2)
    assert dead_letters(stack) == 1
    assert "dead ä.csv" not in imports(stack)

    chosen = ("-e", "replay_dead_letters=all")
    assert "dead ä.csv" in stack.playbook("replay.yml").output
    assert "1 files would be run again" in stack.playbook("replay.yml", "--check", *chosen).output
    assert dead_letters(stack) == 1
    assert "dead ä.csv" not in imports(stack)

    assert "deleted, its files have been imported" in stack.playbook("replay.yml", *chosen).output
    assert dead_letters(stack) == 0
    done = imports(stack)["dead ä.csv"]
    assert (done["status"], done["rows_loaded"]) == ("succeeded", 2)

    # As a dead letter queue has it: the bare event. Its file is imported already.
    thing = {"key": "dead+%C3%A4.csv", "versionId": version["VersionId"], "eTag": version["ETag"].strip('"')}
    event = {"Records": [{"s3": {"bucket": {"name": bucket}, "object": thing}}]}
    sqs, queue = stack.client("sqs"), queue_url(stack)
    sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(event))
    hopeless = sqs.send_message(QueueUrl=queue, MessageBody="no event")["MessageId"]
    run = stack.playbook("replay.yml", *chosen)
    assert "0 files are run again" in run.output
    assert f"{hopeless}: kept" in run.output
    assert dead_letters(stack) == 1
    assert imports(stack)["dead ä.csv"] == done

    refused = stack.playbook("replay.yml", "-e", f"replay_dead_letters={hopeless}", check=False)
    assert refused.returncode != 0
    assert "is named in there" in " ".join(refused.output.split())
    missing = stack.playbook("replay.yml", "-e", "replay_dead_letters=abc-1", check=False)
    assert missing.returncode != 0
    assert "There is no dead letter abc-1" in " ".join(missing.output.split())
    sqs.purge_queue(QueueUrl=queue)
