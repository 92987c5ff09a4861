"""Topics: one in memory, and an SNS that refuses or hangs."""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import jsonschema
from moto.sns.models import sns_backends

from csv_importer.ports import Message, Published

SCHEMA_FILE = Path(__file__).parents[2] / "files" / "events" / "import_ended.schema.json"
VALIDATOR = jsonschema.Draft202012Validator(
    json.loads(SCHEMA_FILE.read_text(encoding="utf-8")),
    format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER,
)


ACCOUNT = "123456789012"


def event_in(message: Message) -> dict[str, Any]:
    """Return the event of a message, which its schema takes."""
    event: dict[str, Any] = json.loads(json.loads(message.body)["default"])
    VALIDATOR.validate(event)
    return event


@dataclass
class Subscribed:
    """A topic of SNS with a queue."""

    arn: str
    queue: str

    def received(self) -> list[dict[str, Any]]:
        """Read the queue empty; return what SNS has sent."""
        client = boto3.client("sqs")
        found: list[dict[str, Any]] = []
        while messages := client.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                found.append(json.loads(message["Body"]))
                client.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        return found

    def events(self) -> list[dict[str, Any]]:
        """Read the queue empty; return the events, valid ones."""
        events = [json.loads(sent["Message"]) for sent in self.received()]
        for event in events:
            VALIDATOR.validate(event)
        return events

    def mails(self) -> list[tuple[str, str]]:
        """Return subject and text of each mail that SNS would have sent."""
        sent = sns_backends[ACCOUNT]["eu-west-1"].topics[self.arn].sent_notifications
        return [(str(subject), json.loads(body)["email"]) for _, body, subject, _, _ in sent]


class MemoryTopic:
    """A topic in memory."""

    name = "arn:aws:sns:eu-west-1:123456789012:memory"

    def __init__(self, fate: Callable[[], str | None] = lambda: None) -> None:
        """Ask for the fate of each call: lost before, refused, in part, or lost after, which is None otherwise."""
        self.messages: list[Message] = []
        self.calls = 0
        self.pausing = False
        self._fate = fate

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events, valid ones, in the order in which they came."""
        return [event_in(message) for message in self.messages]

    def publish(self, messages: Sequence[Message]) -> Published:
        self.calls += 1
        fate = self._fate()
        if fate == "refused":
            return Published([], "no")
        taken = messages[: len(messages) // 2] if fate == "in part" else messages
        self.messages += taken
        return Published([message.id for message in taken], "no" if fate == "in part" else None)


class Sns(ThreadingHTTPServer):
    """An SNS that answers with an error, or not at all."""

    status = 400
    code = ""
    calls = 0
    released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Answer(BaseHTTPRequestHandler):
    server: Sns

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.calls += 1
        if not self.server.code:
            self.server.released.wait(60)
            self.close_connection = True
            return
        error = f"<Error><Type>Sender</Type><Code>{self.server.code}</Code><Message>not now</Message></Error>"
        body = f"<ErrorResponse>{error}<RequestId>1</RequestId></ErrorResponse>".encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def refusing_sns(status: int, code: str) -> Iterator[Sns]:
    """Serve an SNS that answers with a status and a code of an error; without a code, not at all."""
    with Sns(("127.0.0.1", 0), _Answer) as server:
        server.status, server.code, server.calls, server.released = status, code, 0, threading.Event()
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.released.set()
            server.shutdown()
            thread.join()
