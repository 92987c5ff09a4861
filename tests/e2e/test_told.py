"""Who is notified, from the alarm and the import to the inbox, the URL and the queue."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import local_mail
import pytest
from jsonschema import Draft202012Validator

from tests.e2e.conftest import ACCOUNT, FUNCTION, GOOD, HEADER, ROOT
from tests.e2e.test_importer_in_the_cloud import RUN, ended, put, until

if TYPE_CHECKING:
    from tests.e2e.conftest import Stack

pytestmark = pytest.mark.e2e

STACK = "csv-to-aurora-local"
TOPIC = f"arn:aws:sns:eu-west-1:{ACCOUNT}:{STACK}"
QUEUE = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:{STACK}-consumer"
OPERATORS, COLLEAGUES = "operators@example.com", "colleagues@example.com"
VALIDATOR = Draft202012Validator(json.loads((ROOT / "files/events/import_ended.schema.json").read_text()))


@dataclass
class Endpoint:
    """An HTTP endpoint that confirms its subscriptions and keeps what it is sent."""

    url: str
    asked: list[str] = field(default_factory=list)
    """The links by which it may confirm."""
    got: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if sent["Type"] == "SubscriptionConfirmation":
                found.asked.append(sent["SubscribeURL"])
            else:
                found.got.append(sent)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name that it has
            del format, arguments

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Endpoint(f"http://127.0.0.1:{server.server_port}/hook")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


def mails_about(stack: Stack, text: str, to: str = OPERATORS) -> list[dict[str, Any]]:
    """Return the e-mails to somebody whose subject has this text."""
    return [mail for mail in local_mail.inbox(stack.folder) if text in mail["Subject"] and mail["To"] == [to]]


def received(stack: Stack) -> list[dict[str, Any]]:
    """Read the consumer's queue empty."""
    client = stack.client("sqs")
    url = client.get_queue_url(QueueName=QUEUE.rpartition(":")[2])["QueueUrl"]
    found: list[dict[str, Any]] = []
    while messages := client.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]).get(
        "Messages"
    ):
        for message in messages:
            found.append(message)
            client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found


def notified(*entries: Any) -> tuple[str, str]:
    """Return the argument of a playbook that sets who is notified."""
    return "-e", json.dumps({"stack_notify": list(entries)})


@pytest.fixture(scope="module")
def everybody(complete: Stack, endpoint: Endpoint) -> Iterator[tuple[str, str]]:
    """The argument that says that two people, a URL and a queue are notified; afterwards they are not any more."""
    client = complete.client("sqs")
    url = client.create_queue(QueueName=QUEUE.rpartition(":")[2])["QueueUrl"]
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": QUEUE,
        "Condition": {"ArnLike": {"aws:SourceArn": f"{TOPIC}-*"}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    client.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    given = notified(OPERATORS, COLLEAGUES, endpoint.url, {"endpoint": QUEUE, "alarms": False})
    complete.playbook("site.yml", *given)
    yield given
    complete.playbook("site.yml")
    client.delete_queue(QueueUrl=url)


def test_who_has_not_confirmed_is_named_and_gets_nothing(
    complete: Stack, endpoint: Endpoint, everybody: tuple[str, str]
) -> None:
    plan = complete.playbook("plan.yml", *everybody)
    assert f"{COLLEAGUES} is not notified yet" in plan.output
    assert f"{endpoint.url} is not notified yet" in plan.output
    found = complete.outputs(*everybody)["topic"]["subscriptions"]
    states = {(one["topic"], one["endpoint"]): one["state"] for one in found}
    assert states["events", COLLEAGUES] == states["alarms", COLLEAGUES] == "pending"
    assert states["events", QUEUE] == "confirmed"
    assert ("alarms", QUEUE) not in states

    local_mail.confirm(local_mail.inbox(complete.folder))
    for link in until(lambda: endpoint.asked if len(endpoint.asked) >= 2 else None, "two confirmations for the URL"):
        with urlopen(link) as answer:
            assert answer.status == 200
    assert "is not notified yet" not in complete.playbook("plan.yml", *everybody).output


@pytest.mark.usefixtures("everybody")
def test_a_failed_import_is_told_to_everybody_with_the_command_to_replay_it(
    complete: Stack, endpoint: Endpoint
) -> None:
    received(complete)
    key = f"{RUN}-told-failed.csv"
    put(complete, key, "not,a,header\n1,2,3\n")
    (entry,) = ended(complete, key)
    (mail,) = until(lambda: mails_about(complete, key), "the e-mail about a failed import")
    assert mail["Subject"] == f"[{STACK}] Import failed: {key}"
    command = f"ansible-playbook playbooks/replay.yml -i inventories/local -e replay={entry['id']}"
    assert command in mail["BodyText"].splitlines()

    (message,) = until(lambda: received(complete), "the message about a failed import")
    event = json.loads(message["Body"])
    VALIDATOR.validate(event)
    assert (event["key"], event["status"], event["reason"]) == (key, "failed", entry["reason"])
    attributes = {name: one["StringValue"] for name, one in message["MessageAttributes"].items()}
    assert attributes == {"dataset": "customer", "status": "failed", "environment": "local", "many_rejects": "false"}

    def posted() -> list[dict[str, Any]]:
        return [json.loads(one["Message"]) for one in endpoint.got if key in one["Message"]]

    assert until(posted, "the request about a failed import") == [event]
    left = "SELECT COUNT(*) AS events FROM csv_import_event WHERE import_id = %s"
    until(lambda: complete.query(left, entry["id"]) == [{"events": 0}], "the end of the event in the outbox")


@pytest.mark.usefixtures("everybody")
def test_a_success_is_no_mail_but_a_message(complete: Stack) -> None:
    key = f"{RUN}-told-succeeded.csv"
    put(complete, key, HEADER + GOOD * 2)
    ended(complete, key)
    (message,) = until(lambda: received(complete), "the message about an import")
    assert json.loads(message["Body"])["counts"] == {"read": 2, "loaded": 2, "rejected": 0, "blank": 0}
    assert mails_about(complete, key) == []


@pytest.mark.usefixtures("everybody")
def test_a_file_with_many_rejects_is_a_mail(complete: Stack) -> None:
    key = f"{RUN}-told-rejected.csv"
    put(complete, key, HEADER + GOOD * 4 + "Ms,Grace,Hopper,1,nobody,85\n")
    (entry,) = ended(complete, key)
    (mail,) = until(lambda: mails_about(complete, key), "the e-mail about rejects")
    assert mail["Subject"] == f"[{STACK}] Import with many rejects: {key}"
    assert entry["status"] == "succeeded"


@pytest.mark.usefixtures("everybody")
def test_an_alarm_is_told_when_it_starts_and_when_it_ends(complete: Stack, endpoint: Endpoint) -> None:
    name = f"{FUNCTION}-failed-imports"
    client = complete.client("cloudwatch")
    received(complete)
    for state in ("OK", "ALARM", "OK"):
        client.set_alarm_state(AlarmName=name, StateValue=state, StateReason="a test")
    (alarm,) = mails_about(complete, f'ALARM: "{name}"')[-1:]
    assert "has entered the ALARM state" in alarm["BodyText"]
    assert mails_about(complete, f'OK: "{name}"')
    states = until(
        lambda: [json.loads(one["Message"])["NewStateValue"] for one in endpoint.got if name in one["Message"]][-2:],
        "the alarm's requests",
    )
    assert "ALARM" in states
    assert received(complete) == [], "the queue wants no alarms"


@pytest.mark.usefixtures("everybody")
def test_what_the_topic_refused_is_told_later(complete: Stack) -> None:
    key = f"{RUN}-told-later.csv"
    client = complete.client("sns")
    topic = f"{TOPIC}-events"
    before = client.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"]
    denied = {"Effect": "Deny", "Principal": "*", "Action": "sns:Publish", "Resource": topic}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [denied]})
    received(complete)
    client.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    try:
        put(complete, key, HEADER + GOOD)
        (entry,) = ended(complete, key)
        assert entry["status"] == "succeeded"
        waiting = "SELECT * FROM csv_import_event WHERE import_id = %s"
        assert len(complete.query(waiting, entry["id"])) == 1
    finally:
        client.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=before)
    answer = complete.client("lambda").invoke(FunctionName=FUNCTION, Payload=json.dumps({"check": True}))
    assert "FunctionError" not in answer, answer["Payload"].read()
    assert complete.query(waiting, entry["id"]) == []
    (message,) = until(lambda: received(complete), "the message that was kept")
    assert json.loads(message["Body"])["key"] == key


def test_verify_names_who_is_notified(complete: Stack, everybody: tuple[str, str]) -> None:
    # In new processes: one that the topic has refused leaves it alone for a minute.
    with complete.configured({"PROGRESS_TIMEOUT": "3600"}):
        shown = complete.playbook("verify.yml", *everybody).output
    assert f"published to {TOPIC}-events" in shown
    assert f"{OPERATORS} of alarms" in shown
