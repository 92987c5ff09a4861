"""playbooks/plan.yml with an emulated topic: everything but the checks of the settings."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
import yaml
from emulated_cloud import REGION, Cloud
from playbook_runner import PROJECT, run_playbook


@dataclass
class Planned:
    """What the playbook finds: a topic with a queue, and a site.yml.

    Attributes:
        folder: Where the playbooks are.
        connection: The connection of the inventory.
        topic: The ARN of the topic.
        queue: The URL of the queue.
    """

    folder: Path
    connection: dict[str, str]
    topic: str
    queue: str

    def client(self, service: str) -> Any:
        """Return a client of the emulator."""
        return client_of(service, self.connection)

    def run(self, *arguments: str, topic: str = "") -> tuple[int, str]:
        """Run the playbook; return exit code and output without line breaks."""
        inventory = self.folder / "stage" / "hosts.yml"
        inventory.parent.mkdir(exist_ok=True)
        given = {
            "stack_name": "the-stack",
            "environment_name": "stage",
            "stack_alarms_topic_arn": topic or self.topic,
            "aws_connection": self.connection,
        }
        inventory.write_text(yaml.safe_dump({"all": {"hosts": {"controller": {}}, "vars": given}}))
        run = run_playbook(self.folder / "plan.yml", f"--inventory={inventory}", *arguments)
        return run.returncode, " ".join((run.stdout + run.stderr).split())

    def received(self) -> list[dict[str, Any]]:
        """Return the messages that the topic has got."""
        sqs = self.client("sqs")
        found = sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages", [])
        for message in found:
            sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in found]


def client_of(service: str, connection: dict[str, str]) -> Any:
    """Return a client of the emulator."""
    return boto3.client(  # type: ignore[call-overload] # the stubs want a literal
        service,
        region_name=REGION,
        endpoint_url=connection["endpoint_url"],
        aws_access_key_id=connection["access_key"],
        aws_secret_access_key=connection["secret_key"],
    )


@pytest.fixture
def planned(moto: Cloud, tmp_path: Path) -> Planned:
    """A topic with a queue, and a site.yml that would create a file."""
    connection = {"region": REGION, "profile": "", "endpoint_url": moto.endpoint, "session_token": ""}
    connection |= {"access_key": "testing", "secret_key": "testing"}
    plays = yaml.safe_load((PROJECT / "playbooks/plan.yml").read_text(encoding="utf-8"))
    plays[0]["tasks"] = [task for task in plays[0]["tasks"] if "ansible.builtin.import_role" not in task]
    (tmp_path / "plan.yml").write_text(json.dumps(plays))
    create = {"ansible.builtin.copy": {"content": "a", "dest": str(tmp_path / "made")}}
    (tmp_path / "site.yml").write_text(json.dumps([{"hosts": "controller", "gather_facts": False, "tasks": [create]}]))
    name = f"drift-{uuid4().hex[:8]}"
    topic = client_of("sns", connection).create_topic(Name=name)["TopicArn"]
    sqs = client_of("sqs", connection)
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    client_of("sns", connection).subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return Planned(tmp_path, connection, topic, queue)


def test_drift_is_told_to_whoever_gets_the_alarms_where_it_is_asked_for(planned: Planned) -> None:
    code, output = planned.run()
    assert code == 10, output
    assert planned.received() == []
    code, output = planned.run("-e", "notify=true")
    assert code == 10, output
    assert "1 to create" in output
    (message,) = planned.received()
    assert message["Subject"] == "the-stack: the plan names 1 changes"
    event = json.loads(message["Message"])
    (change,) = event["changes"]
    assert (event["type"], change["action"], change["name"]) == ("drift.found", "create", str(planned.folder / "made"))


def test_without_drift_nobody_is_told(planned: Planned) -> None:
    (planned.folder / "made").write_text("a")
    code, output = planned.run("-e", "notify=true")
    assert code == 0, output
    assert planned.received() == []


def test_a_topic_that_refuses_is_an_error(planned: Planned) -> None:
    code, output = planned.run("-e", "notify=true", topic=planned.topic + "-gone")
    assert code == 2, output
    assert "NotFound" in output
