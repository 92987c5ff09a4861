"""playbooks/status.yml with a real server, a queue and alarms: everything but what finds the stack."""

from __future__ import annotations

import json
import shlex
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
import yaml
from playbook_runner import PROJECT, run_playbook

from .conftest import PASSWORD, Cloud, Database, grants_of
from .files import GOOD, MemoryStore, lines_of, version_of
from .test_ledger_readers import CLIENT

SECRET = "TheSecretAccessKeyOfTheConnection"
STACK = "the-stack"
ALARM = f"{STACK}-importer-dead-letters"
WRONG = GOOD.rsplit(",", 1)[0] + ",old"
DATASETS: list[dict[str, Any]] = [
    {"name": "customer", "table": "customer", "expected_every": None},
    {"name": "orders", "table": "orders", "expected_every": None},
]
HEADLESS = b"colour\nred\n"


@dataclass
class Stack:
    """What the playbook finds: a ledger, a queue and alarms.

    Attributes:
        cloud: SQS and CloudWatch.
        database: The database with the ledger.
        folder: Where the playbook, its inventory and its report are.
        queue: The name of the dead-letter queue.
    """

    cloud: Cloud
    database: Database
    folder: Path
    queue: str

    def put(self, key: str, content: bytes, version: str = "v1") -> int:
        """Import an object version; return the import's id."""
        found = version_of(key, version)
        return self.database.importer(MemoryStore(content)).run(found).entry.import_id

    def change(self, key: str, status: str, minutes: int) -> None:
        """Give an import a status, and let it be some minutes old."""
        self.database.query(
            "UPDATE csv_import SET status = %s, reason = 'a lock wait timeout', finished_at = NULL,"
            " updated_at = NOW(3) - INTERVAL %s MINUTE WHERE object_key = %s",
            status,
            minutes,
            key,
        )

    def alarm(self, name: str, state: str) -> None:
        """Create an alarm in a state."""
        cloudwatch = boto3.client("cloudwatch", endpoint_url=self.cloud.endpoint)
        cloudwatch.put_metric_alarm(
            AlarmName=name,
            AlarmDescription="Events wait that could not be imported",
            Namespace="AWS/SQS",
            MetricName="Messages",
            Statistic="Maximum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=0,
            ComparisonOperator="GreaterThanThreshold",
        )
        cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="a test says so")

    def letter(self) -> None:
        """Send a message to the dead-letter queue."""
        sqs = boto3.client("sqs", endpoint_url=self.cloud.endpoint)
        sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName=self.queue)["QueueUrl"], MessageBody="{}")

    def show(self, *arguments: str, host: dict[str, Any] | None = None, **variables: Any) -> tuple[int, str]:
        """Run the playbook's own plays; return exit code and output.

        Args:
            arguments: More of the command line.
            host: Variables of the app host.
            variables: What is otherwise than in a complete stack.
        """
        server = self.database.server
        login = {"host": server.host, "port": server.port, "user": f"app_{self.database.name}", "password": PASSWORD,
                 "database": self.database.name, "charset": "utf8mb4", "ssl_ca": str(server.ca_file)}  # fmt: skip
        client = self.folder / "mysql"
        client.write_text(f"#!/bin/sh\nexec {shlex.join([sys.executable, '-c', CLIENT, json.dumps(login)])}\n")
        client.chmod(0o755)
        given: dict[str, Any] = {
            "stack_name": STACK,
            "stack_mysql": [str(client)],
            "bucket_outputs": {"name": "bucket"},
            "database_outputs": {"endpoint": server.host, "status": "available"},
            "app_host_outputs": {"state": "running"},
            "importer_outputs": {"function_arn": "arn", "dead_letter_queue_url": f"https://sqs/{self.queue}"},
            "notification_outputs": {"ids": ["the-stack-csv"]},
            "preflight_outputs": {"datasets": DATASETS},
            "aws_connection": {"region": "eu-west-1", "profile": "", "endpoint_url": self.cloud.endpoint,
                               "access_key": "key", "secret_key": SECRET, "session_token": ""},
        }  # fmt: skip
        hosts = {"i-1": host or {}} if host is not None or "host" not in variables else {}
        groups = {
            "all": {"hosts": {"controller": {}}, "vars": given | variables},
            "app_hosts": {"hosts": hosts},
        }
        inventory = self.folder / "stage" / "hosts.yml"
        inventory.parent.mkdir(exist_ok=True)
        inventory.write_text(yaml.safe_dump(groups))
        playbook = self.folder / "playbook.yml"
        playbook.write_text(json.dumps(own_plays()))
        run = run_playbook(playbook, f"--inventory={inventory}", *arguments)
        output = run.stdout + run.stderr
        assert [secret for secret in (PASSWORD, SECRET, "grace@example.com") if secret in output] == []
        assert "changed=0" in output or "changed=" not in output
        return run.returncode, output


def own_plays() -> list[dict[str, Any]]:
    """Return the plays of the playbook, but for what finds stack and host."""
    plays = yaml.safe_load((PROJECT / "playbooks/status.yml").read_text(encoding="utf-8"))
    own = [play for play in plays if "tasks" in play]
    for tasks in [each for play in own for each in (play["tasks"], *(task.get("block", []) for task in play["tasks"]))]:
        tasks[:] = [task for task in tasks if task.get("ansible.builtin.import_tasks") != "tasks/find_host.yml"]
        for task in tasks:
            if "ansible.builtin.import_tasks" in task:
                task["ansible.builtin.import_tasks"] = f"{PROJECT}/playbooks/{task['ansible.builtin.import_tasks']}"
    return own


@pytest.fixture
def stack(cloud: Cloud, database: Database, tmp_path: Path) -> Iterator[Stack]:
    """A database that the application may read, a queue, and an alarm that is OK."""
    user = f"app_{database.name}"
    database.query(f"CREATE USER {user} IDENTIFIED BY %s REQUIRE SSL", PASSWORD)
    for table, privileges in grants_of("application").items():
        database.query(f"GRANT {', '.join(privileges)} ON {table} TO {user}")
    made = Stack(cloud, database, tmp_path, f"letters-{uuid4().hex[:12]}")
    sqs = boto3.client("sqs", endpoint_url=cloud.endpoint)
    queue = sqs.create_queue(QueueName=made.queue)["QueueUrl"]
    made.alarm(ALARM, "OK")
    yield made
    sqs.delete_queue(QueueUrl=queue)
    cloudwatch = boto3.client("cloudwatch", endpoint_url=cloud.endpoint)
    cloudwatch.delete_alarms(AlarmNames=[each["AlarmName"] for each in cloudwatch.describe_alarms()["MetricAlarms"]])


def words(text: str) -> str:
    """Return text without line breaks and indentation."""
    return " ".join(text.split())


def command(playbook: str) -> str:
    """Return the command that the playbook is run with."""
    name, *options = playbook.split(" ", 1)
    return " ".join([f"ansible-playbook playbooks/{name} -i inventories/stage", *options])


def test_where_nothing_is_to_do_it_says_so(stack: Stack) -> None:
    number = stack.put("a.csv", lines_of(GOOD, GOOD))
    file = stack.folder / "status.json"
    code, output = stack.show("-e", f"status_file={file}")
    assert code == 0, output
    assert "To do     nothing" in output
    assert "Running   0" in output
    assert "Failed    0 in the last 24 h" in output
    assert "Waiting   0 dead letters, 0 interrupted imports, 0 events" in output
    assert " s old: a.csv, 2 rows" in output
    assert "orders    none yet" in output
    assert "Alarms    0 of 1 in ALARM" in output
    assert "Drift     not looked for: -e drift=true" in output
    status = json.loads(file.read_text())
    assert (status["to_do"], status["ledger_error"], status["drift"]) == ([], None, None)
    first, second = status["datasets"]
    assert (first["newest"]["id"], second["newest"]) == (number, None)


def test_whatever_there_is_to_do_is_named_with_the_next_command(stack: Stack) -> None:
    stack.put("a.csv", lines_of(GOOD))
    for key, status, minutes in (
        ("now.csv", "running", 1),
        ("killed.csv", "running", 16),
        ("held.csv", "interrupted", 3),
    ):
        stack.put(key, lines_of(GOOD))
        stack.change(key, status, minutes)
    ids = {row["object_key"]: row["id"] for row in stack.database.ledger()}
    failed = stack.put("colours.csv", HEADLESS)
    empty = stack.put("wrong.csv", lines_of(WRONG))
    stack.letter()
    stack.alarm(ALARM, "ALARM")
    stack.alarm(f"{STACK}-b-importer-errors", "ALARM")
    file = stack.folder / "status.json"
    code, output = stack.show("-e", f"status_file={file}")
    assert code == 2, output
    status = json.loads(file.read_text())
    assert [each["next"] for each in status["to_do"]] == [
        command(f"replay.yml -e replay={ids['killed.csv']}"),
        command(f"replay.yml -e replay={failed}"),
        command(f"imports.yml -e rejects_of={empty} -e rejects_file=rejects.csv"),
        command("replay.yml"),
        command("replay.yml"),
    ]
    assert [each for one in status["to_do"] for each in one.values() if each not in output] == []
    assert "Running   2" in output
    assert "killed.csv: running, " in output
    assert "no progress for 16 min" in output
    assert "Failed    2 in the last 24 h" in output
    (reason,) = [row["reason"] for row in stack.database.ledger() if row["id"] == failed]
    assert f"colours.csv: failed, {reason}" in output
    assert "wrong.csv: succeeded, all 1 rows were rejected" in output
    assert "Waiting   1 dead letters, 1 interrupted imports, 0 events" in output
    assert "held.csv: interrupted, a lock wait timeout" in output
    assert "Alarms    1 of 1 in ALARM" in output
    assert "Events wait that could not be imported" in output
    assert [row["id"] for row in status["interrupted"]] == [ids["held.csv"]]


def test_what_has_been_dealt_with_or_is_long_ago_is_nothing_to_do(stack: Stack) -> None:
    stack.put("again.csv", HEADLESS)
    stack.put("again.csv", lines_of(GOOD), "v2")
    stack.put("wrong.csv", lines_of(WRONG))
    stack.put("wrong.csv", lines_of(GOOD), "v2")
    undone = stack.put("undone.csv", HEADLESS)
    stack.database.query("UPDATE csv_import SET undone_by = 'ada', undone_at = NOW(3) WHERE id = %s", undone)
    old = stack.put("old.csv", HEADLESS)
    stack.database.query("UPDATE csv_import SET finished_at = NOW(3) - INTERVAL 25 HOUR WHERE id = %s", old)
    code, output = stack.show()
    assert code == 0, output
    code, output = stack.show("-e", "status_hours=26")
    assert code == 2, output
    assert "Failed    1 in the last 26 h" in output
    assert command(f"replay.yml -e replay={old}") in output


def test_files_that_are_late_and_events_that_wait_are_named(stack: Stack) -> None:
    """As the function's check has it: until the first file, the time counts from the creation of the table."""
    ago = "UPDATE csv_import SET finished_at = NOW(3) - INTERVAL 25 HOUR WHERE id = %s"
    stack.database.query(ago, stack.put("a.csv", lines_of(GOOD)))
    event = "INSERT INTO csv_import_event (import_id, event, created_at) VALUES (1, '{}', NOW(3) - INTERVAL %s MINUTE)"
    stack.database.query(event, 14)
    customer, orders = DATASETS
    expected = [customer | {"expected_every": 86_400}, orders | {"table": "csv_import", "expected_every": 86_400}]
    code, output = stack.show(preflight_outputs={"datasets": expected})
    assert code == 2, output
    assert "0 interrupted imports, 1 events" in output
    assert "customer  25.0 h old: a.csv, 1 rows; overdue: a file is expected every 24.0 h" in output
    assert "orders    none yet\n" in output
    late = "customer: no file for 25.0 h; look whether one has arrived and was not imported"
    assert f"To do 1 {late} {command('reconcile.yml')}" in words(output)

    stack.database.query(event, 16)
    code, output = stack.show(preflight_outputs={"datasets": [expected[1] | {"expected_every": 1}]})
    assert code == 2, output
    waiting = "events that the topic has not taken, the oldest for 16 min: the function's log says why"
    assert f"To do 2 {waiting} {command('plan.yml')} orders: no file for " in words(output)


def test_while_the_database_is_away_the_rest_is_shown(stack: Stack) -> None:
    stack.put("a.csv", lines_of(GOOD))
    stack.letter()
    stack.database.query(f"DROP USER app_{stack.database.name}")
    code, output = stack.show(database_outputs={"endpoint": stack.database.server.host, "status": "modifying"})
    assert code == 2, output
    assert "Database  the DB cluster is modifying" in output
    assert "Ledger    not read: The ledger cannot be read from the app host i-1:" in output
    assert "Access denied" in output
    assert "Waiting   1 dead letters" in output
    assert "Alarms    0 of 1 in ALARM" in output
    assert "Running" not in output
    letters = f"dead letters: 1; list them, and run them again {command('replay.yml')}"
    assert f"To do 2 the ledger cannot be read {command('plan.yml')} {letters}" in words(output)


def test_a_cluster_that_is_stopped_is_started(stack: Stack) -> None:
    stack.database.query(f"DROP USER app_{stack.database.name}")
    code, output = stack.show(database_outputs={"endpoint": stack.database.server.host, "status": "stopped"})
    assert code == 2, output
    assert "the DB cluster is stopped aws rds start-db-cluster --db-cluster-identifier the-stack" in words(output)


def test_a_host_that_does_not_answer_is_said(stack: Stack) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        host = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": port}
        code, output = stack.show(host=host, ansible_ssh_retries=0)
    assert code == 2, output
    assert "Ledger    not read: " in output
    assert "Connection refused" in output
    assert "Alarms    0 of 1 in ALARM" in output
    assert f"the ledger cannot be read {command('plan.yml')}" in words(output)


def test_what_is_missing_is_named(stack: Stack) -> None:
    code, output = stack.show(
        database_outputs={"endpoint": None, "status": None},
        importer_outputs={"function_arn": None, "dead_letter_queue_url": None},
        notification_outputs={"ids": []},
        app_host_outputs={"state": None},
        host=None,
    )
    assert code == 2, output
    missing = "function, dead-letter queue, notification, DB cluster, app host"
    assert f"Missing   {missing}" in output
    assert f"To do 1 missing: {missing} {command('plan.yml')}" in words(output)


def test_drift_is_part_of_it_where_it_is_asked_for(stack: Stack) -> None:
    site = stack.folder / "site.yml"
    task = {"name": "Create the file", "ansible.builtin.copy": {"content": "a", "dest": str(stack.folder / "made")}}
    play = {"hosts": "controller", "gather_facts": False, "tasks": [task]}
    site.write_text(json.dumps([play]))
    code, output = stack.show("-e", "drift=true")
    assert code == 2, output
    assert "Drift     1 changes in the plan" in output
    assert f"create file {stack.folder / 'made'}" in output
    assert f"the plan names changes: 1 {command('plan.yml')}" in words(output)
    site.write_text(json.dumps([play | {"tasks": []}]))
    code, output = stack.show("-e", "drift=true")
    assert code == 0, output
    assert "Drift     0 changes in the plan" in output
    site.write_text(json.dumps([play | {"tasks": [{"ansible.builtin.fail": {"msg": "no credentials"}}]}]))
    code, output = stack.show("-e", "drift=true")
    assert code == 2, output
    assert "Drift     there is no plan: no credentials" in output


@pytest.mark.parametrize("hours", ["0", "-1", "1 HOUR) OR (TRUE"])
def test_hours_are_a_number(stack: Stack, hours: str) -> None:
    code, output = stack.show("-e", json.dumps({"status_hours": hours}))
    assert code == 2
    assert f"status_hours is '{hours}'; give a whole number of hours" in words(output)
