"""playbooks/reconcile.yml with a real server, a bucket and a queue: everything but what finds the stack."""

from __future__ import annotations

import http.client
import json
import shlex
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import boto3
import pytest
import yaml
from playbook_runner import PROJECT, run_playbook

from csv_importer.handler import EventFailed

from .conftest import PASSWORD, Cloud, Database, Invoke, grants_of
from .files import GOOD, lines_of
from .test_ledger_readers import CLIENT

SECRET = "TheSecretAccessKeyOfTheConnection"
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:the-stack-importer"
QUEUE = "the-stack-importer-dead-letters"
ODD = '{{ 1 + 1 }} it\'s "new" \U0001f600 +%41&.csv'
"""A key that means something to Ansible, SQL, a form and JSON."""


@dataclass
class Stack:
    """What the playbook finds: a bucket, a queue, a function that is the importer, and a ledger.

    Attributes:
        cloud: S3 and SQS.
        bucket: The bucket, without versioning at first.
        database: The database with the ledger.
        endpoint: Where the cloud and the function answer.
        events: What the function was invoked with.
        refuses: Whether invoking it is denied.
    """

    cloud: Cloud
    bucket: str
    database: Database
    folder: Path
    endpoint: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)
    refuses: bool = False

    def put(self, key: str, content: bytes = lines_of(GOOD)) -> dict[str, Any]:
        """Upload an object; return the record of an event about it."""
        answer = self.cloud.s3.put_object(Bucket=self.bucket, Key=key, Body=content)
        thing = {"key": key, "versionId": answer.get("VersionId"), "eTag": answer["ETag"].strip('"')}
        return {"s3": {"bucket": {"name": self.bucket}, "object": thing}}

    def version(self) -> None:
        """Enable versioning."""
        self.cloud.s3.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration={"Status": "Enabled"})

    def letter(self, body: str) -> None:
        """Send a message to the dead-letter queue."""
        sqs = boto3.client("sqs", endpoint_url=self.cloud.endpoint)
        sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"], MessageBody=body)

    def ledger(self) -> list[tuple[str, str]]:
        """Return key and status of each import."""
        return [(row["object_key"], row["status"]) for row in self.database.ledger()]

    def play(self, *arguments: str, **variables: Any) -> tuple[int, str]:
        """Run the playbook's own plays on what the stack gives; return exit code and output without line breaks."""
        login = {
            "host": "127.0.0.1",
            "port": self.database.server.port,
            "user": f"app_{self.database.name}",
            "password": PASSWORD,
            "database": self.database.name,
            "charset": "utf8mb4",
            "ssl_ca": str(self.database.server.ca_file),
        }
        client = self.folder / "mysql"
        command = f"exec {sys.executable} -c {shlex.quote(CLIENT)} {shlex.quote(json.dumps(login))}\n"
        client.write_text(f"#!/bin/sh\n{command}")
        client.chmod(0o755)
        given = {
            "stack_name": "the-stack",
            "stack_mysql": [str(client)],
            "stack_suffixes": [".csv", ".CSV"],
            "bucket_outputs": {"name": self.bucket},
            "database_outputs": {"endpoint": "127.0.0.1"},
            "importer_outputs": {"function_arn": FUNCTION, "dead_letter_queue_url": f"https://sqs/{QUEUE}"},
            "preflight_outputs": {"datasets": [{"name": "customer", "key_prefix": ""}]},
            "aws_connection": {
                "region": "eu-west-1",
                "profile": "",
                "endpoint_url": self.endpoint,
                "access_key": "key",
                "secret_key": SECRET,
                "session_token": "",
            },
        }
        inventory = self.folder / "stage" / "hosts.yml"
        inventory.parent.mkdir(exist_ok=True)
        groups = {"all": {"hosts": {"controller": {}}, "vars": given | variables}, "app_hosts": {"hosts": {"i-1": {}}}}
        inventory.write_text(yaml.safe_dump(groups))
        playbook = self.folder / "playbook.yml"
        playbook.write_text(json.dumps(own_plays()))
        run = run_playbook(playbook, f"--inventory={inventory}", "-vvv", *arguments)
        output = " ".join((run.stdout + run.stderr).split())
        assert [secret for secret in (PASSWORD, SECRET) if secret in output] == []
        return run.returncode, output


def own_plays() -> list[dict[str, Any]]:
    """Return the plays of the playbook, but for those that find the stack."""
    plays = yaml.safe_load((PROJECT / "playbooks/reconcile.yml").read_text(encoding="utf-8"))
    own = [play for play in plays if "tasks" in play]
    for play in own:
        play["tasks"] = [
            task for task in play["tasks"] if task.get("ansible.builtin.import_tasks") != "tasks/find_host.yml"
        ]
        for task in play["tasks"]:
            if "ansible.builtin.import_tasks" in task:
                task["ansible.builtin.import_tasks"] = f"{PROJECT}/playbooks/{task['ansible.builtin.import_tasks']}"
    return own


@pytest.fixture
def stack(
    cloud: Cloud, database: Database, invoke: Invoke, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Stack]:
    """A bucket of its own, and a function that imports what it is invoked with."""
    bucket = f"reconcile-{uuid4().hex[:12]}"
    cloud.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    sqs = boto3.client("sqs", endpoint_url=cloud.endpoint)
    queue = sqs.create_queue(QueueName=QUEUE)["QueueUrl"]
    monkeypatch.setenv("BUCKET_NAME", bucket)
    user = f"app_{database.name}"
    database.query(f"CREATE USER {user} IDENTIFIED BY %s REQUIRE SSL", PASSWORD)
    for table, privileges in grants_of("application").items():
        database.query(f"GRANT {', '.join(privileges)} ON {table} TO {user}")
    made = Stack(cloud, bucket, database, tmp_path)

    class Front(BaseHTTPRequestHandler):
        """Invokes the importer, and hands all other calls to the cloud."""

        def respond(self) -> None:
            """Answer, whatever the method."""
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            status, headers, data = 202, {}, b""
            if not self.path.endswith("/invocations"):
                there = http.client.HTTPConnection(urlsplit(cloud.endpoint).netloc)
                there.request(self.command, self.path, body, dict(self.headers))
                answer = there.getresponse()
                status, data = answer.status, answer.read()
                headers = {key: value for key, value in answer.getheaders() if key.lower() != "content-length"}
                there.close()
            elif made.refuses:
                status, headers = 403, {"x-amzn-errortype": "AccessDeniedException"}
            else:
                assert self.headers["x-amz-invocation-type"] == "Event"
                made.events.append(json.loads(body))
                with suppress(EventFailed):
                    invoke(*made.events[-1]["Records"])
            self.send_response_only(status)
            for key, value in (headers | {"content-length": str(len(data))}).items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = respond  # noqa: N815 - the names that http.server looks for

        def log_message(self, *_: Any) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Front) as server:
        made.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield made
        finally:
            server.shutdown()
            thread.join()
            sqs.delete_queue(QueueUrl=queue)


NOW = ("-e", "reconcile_older_than=0")
RUN = (*NOW, "-e", "reconcile=run")
COMMAND = "ansible-playbook playbooks/reconcile.yml -i inventories/stage -e reconcile=run"


def test_files_without_an_event_are_listed_and_then_imported_once(stack: Stack, invoke: Invoke) -> None:
    stack.version()
    invoke(stack.put("known.csv"))
    stack.put("lost.csv")
    stack.put(ODD)
    stack.put("notes.txt")
    for more in ([], ["-e", "reconcile=run", "--check"]):
        code, output = stack.play(*NOW, *more)
        assert code == 2, output
        assert f"2 of 3 object versions in {stack.bucket} are not in the ledger (" in output
        assert "lost.csv, version " in output
        assert "{{ 1 + 1 }} it's" in output
        assert f"2 object versions are not in the ledger; import them: {COMMAND}" in output
        assert stack.events == []
    code, output = stack.play(*RUN)
    assert code == 0, output
    assert "2 object versions were sent to the importer in 1 events." in output
    assert "changed=1" in output
    assert sorted(stack.ledger()) == [("known.csv", "succeeded"), ("lost.csv", "succeeded"), (ODD, "succeeded")]
    assert len(stack.database.customers()) == 3
    for more in ([], ["-e", "reconcile=run"]):
        code, output = stack.play(*NOW, *more)
        assert code == 0, output
        assert "0 of 3 object versions" in output
        assert "changed=1" not in output
    assert len(stack.events) == 1


def test_versions_prefix_and_age_are_chosen(stack: Stack, tmp_path: Path) -> None:
    """Those from before the bucket had versioning included, which have no id."""
    for key in ("old.csv", "replaced.csv", "same.csv"):
        stack.put(key)
    stack.version()
    for key in ("a.csv", "a.csv", "gone.csv", "in/b.csv", "same.csv"):
        stack.put(key)
    stack.put("replaced.csv", lines_of(GOOD, GOOD))
    stack.cloud.s3.delete_object(Bucket=stack.bucket, Key="gone.csv")
    file = tmp_path / "missing.jsonl"

    def missing(*arguments: str) -> list[str]:
        stack.play("-e", f"reconcile_report={file}", *arguments)
        return [json.loads(line)["key"] for line in file.read_text().splitlines()]

    assert missing(*NOW) == ["a.csv", "in/b.csv", "old.csv", "replaced.csv", "same.csv"]
    everything = ["a.csv", "a.csv", "gone.csv", "in/b.csv", "old.csv", "replaced.csv", "replaced.csv", "same.csv"]
    assert missing(*NOW, "-e", "reconcile_versions=all") == everything
    assert missing(*NOW, "-e", "reconcile_prefix=in/") == ["in/b.csv"]
    assert missing() == []
    code, output = stack.play()
    assert code == 0, output
    assert "0 of 5 object versions" in output
    assert "5 were left out: uploaded less than 15 minutes ago" in output

    code, output = stack.play(*RUN, "-e", "reconcile_versions=all")
    assert code == 0, output
    # The importer cannot read the older version that has no id.
    failed = [key for key, status in stack.ledger() if status != "succeeded"]
    assert failed == ["replaced.csv"]
    assert sorted(key for key, _ in stack.ledger()) == everything
    assert missing(*NOW, "-e", "reconcile_versions=all") == []


def test_a_key_that_no_dataset_takes_is_said(stack: Stack, tmp_path: Path) -> None:
    stack.put("elsewhere.csv")
    stack.put("orders/a.csv")
    datasets = {"datasets": [{"name": "orders", "key_prefix": "orders/"}]}
    file = tmp_path / "missing.jsonl"
    code, output = stack.play(*NOW, "-e", f"reconcile_report={file}", preflight_outputs=datasets)
    assert code == 2, output
    assert "which no dataset takes" in output
    assert "1 are taken by no dataset: the importer records them as failed" in output
    first, second = map(json.loads, file.read_text().splitlines())
    assert (first["dataset"], second["dataset"]) == (None, "orders")
    assert first["version_id"] == f"etag:{first['etag']}"


def test_what_is_stuck_or_a_dead_letter_is_named_with_the_next_command(stack: Stack, invoke: Invoke) -> None:
    for key in ("stuck.csv", "interrupted.csv", "working.csv", "again.csv", "failed.csv"):
        invoke(stack.put(key))
    change = stack.database.query
    for key, status, minutes in (
        ("stuck.csv", "running", 16),
        ("interrupted.csv", "interrupted", 16),
        ("again.csv", "interrupted", 14),
        ("working.csv", "running", 14),
        ("failed.csv", "failed", 16),
    ):
        updated = "UPDATE csv_import SET status = %s, updated_at = NOW(3) - INTERVAL %s MINUTE WHERE object_key = %s"
        change(updated, status, minutes, key)
    ids = {row["object_key"]: row["id"] for row in stack.database.ledger()}
    replay = "ansible-playbook playbooks/replay.yml -i inventories/stage"
    stuck = f"{replay} -e replay={ids['interrupted.csv']},{ids['stuck.csv']}"

    code, output = stack.play(*NOW)
    assert code == 2, output
    assert "0 object versions are not in the ledger; stuck imports: 2; run them again: " + stuck in output
    assert f"Failed imports: 1; their reasons, and how to run them again: {replay}" in output
    assert "Dead letters: 0" in output

    change("UPDATE csv_import SET status = 'succeeded' WHERE status <> 'failed'")
    stack.letter("no event")
    code, output = stack.play(*NOW)
    assert code == 2, output
    assert f"stuck imports: 0; dead letters: 1; list them, and run them again: {replay}" in output
    assert "Events not published: 0" in output
    code, output = stack.play(*RUN)
    assert code == 0, output
    assert "Dead letters: 1" in output


def test_events_that_are_not_published_are_named_with_the_next_command(stack: Stack) -> None:
    """Those of the last minutes are left to the scheduled check."""
    for minutes in (14, 16, 61):
        stack.database.query(
            "INSERT INTO csv_import_event (import_id, event, created_at) VALUES (1, '{}', NOW(3) - INTERVAL %s MINUTE)",
            minutes,
        )
    code, output = stack.play(*NOW)
    assert code == 2, output
    said = "the oldest for 61 minutes; the function's log has the reason, and what is missing is created by"
    command = "ansible-playbook playbooks/site.yml -i inventories/stage"
    assert f"dead letters: 0; events not published: 2, {said} {command}" in output
    stack.database.query("DELETE FROM csv_import_event WHERE created_at < NOW(3) - INTERVAL 15 MINUTE")
    code, output = stack.play(*NOW)
    assert code == 0, output
    assert "Events not published: 0" in output


def test_what_cannot_be_read_or_sent_is_said(stack: Stack) -> None:
    stack.put("lost.csv")
    stack.refuses = True
    code, output = stack.play(*RUN)
    assert code == 2
    assert f"Cannot invoke {FUNCTION}: AccessDenied" in output
    assert "Check that lambda:InvokeFunction is allowed, and run this again: nothing is imported twice." in output
    code, output = stack.play(*NOW, bucket_outputs={"name": "nobodys"})
    assert code == 2
    assert "Cannot list the object versions of the bucket nobodys: NoSuchBucket" in output
    code, output = stack.play(*NOW, "-e", "reconcile_report=/nowhere/missing.jsonl")
    assert code == 2
    assert "The report /nowhere/missing.jsonl cannot be written: No such file or directory." in output
    stack.database.query(f"DROP USER app_{stack.database.name}")
    code, output = stack.play(*NOW)
    assert code == 2
    assert "The ledger cannot be read from the app host:" in output
    assert "Access denied" in output
    assert "Run playbooks/configure.yml for this environment." in output


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("reconcile=yes", "reconcile is 'yes'; -e reconcile=run has what is missing imported"),
        ("reconcile_versions=some", "reconcile_versions is 'some'; it has to be newest or all."),
        ("reconcile_older_than=-1", "reconcile_older_than is '-1' and reconcile_timeout '900'; give whole numbers"),
        ("reconcile_timeout=0", "reconcile_older_than is '15' and reconcile_timeout '0'; give whole numbers"),
    ],
)
def test_what_is_mistyped_is_said(stack: Stack, given: str, said: str) -> None:
    code, output = stack.play("-e", given)
    assert code == 2
    assert said in output
