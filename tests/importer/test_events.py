"""Each import that ends is published, at least once, whatever happens; no import fails or waits for that."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pymysql
import pytest
from botocore.config import Config
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import ValidationError

from csv_importer import aws
from csv_importer.afterwards import BATCH, Publisher
from csv_importer.aws import TOPIC_BYTES, SnsTopic
from csv_importer.datasets import Datasets
from csv_importer.errors import ConfigurationError, TransientError
from csv_importer.events import event_of, has_many_rejects, message_of
from csv_importer.feed import FeedConnection
from csv_importer.importer import BATCHES, Result
from csv_importer.limits import Limits
from csv_importer.mysql import MySqlDatabase
from csv_importer.objects import ObjectVersion
from csv_importer.parsing import Position
from csv_importer.ports import Counts, Entry, Status
from csv_importer.settings import Settings

from .conftest import BUCKET, SOURCE, Cloud, Database, Invoke
from .fates import Fates, Killed
from .files import CUSTOMER, GOOD, MemoryStore, lines_of, version_of
from .keyed import create, csv_of, dataset_of, version
from .topic import VALIDATOR, MemoryTopic, Subscribed, event_in, refusing_sns

ONE = lines_of(GOOD)


def publish_all(database: Database, topic: MemoryTopic) -> None:
    """Publish what is pending, as the check does."""
    publisher = Publisher(topic, SOURCE, database._log, at_any_time=True)
    with MySqlDatabase(database, database.server.ca_file, "check").ledger() as ledger:
        publisher.run(ledger, 100, lambda: 60.0)


# What is published


def test_an_import_that_succeeds_is_published(
    cloud: Cloud, database: Database, invoke: Invoke, topic: Subscribed
) -> None:
    content = lines_of(*[GOOD] * 20, "bad", "")
    record = cloud.put("in/März & Co.csv", content)
    (report,) = invoke(record)["imports"]
    (sent,) = topic.received()
    event = json.loads(sent["Message"])
    VALIDATOR.validate(event)
    (entry,) = database.ledger()
    finished = entry["finished_at"].isoformat(timespec="microseconds") + "Z"
    assert event == {
        "version": "1",
        "id": event["id"],
        "type": "import.ended",
        "stack": "csv-to-aurora-stage",
        "environment": "stage",
        "import_id": report["import_id"],
        "dataset": "customer",
        "bucket": BUCKET,
        "key": "in/März & Co.csv",
        "version_id": record["s3"]["object"]["versionId"],
        "size": len(content),
        "status": "succeeded",
        "reason": None,
        "counts": {"read": 22, "loaded": 20, "rejected": 1, "blank": 1},
        "many_rejects": False,
        "attempts": 1,
        "started_at": entry["started_at"].isoformat(timespec="microseconds") + "Z",
        "finished_at": finished,
    }
    assert {name: value["Value"] for name, value in sent["MessageAttributes"].items()} == {
        "dataset": "customer",
        "status": "succeeded",
        "environment": "stage",
        "many_rejects": "false",
    }
    assert database.pending() == []


def test_the_event_of_the_documentation_is_one() -> None:
    page = (Path(__file__).parents[2] / "docs" / "notifications.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```json\n(\{\n.*?)^```", page, re.MULTILINE | re.DOTALL)
    event = json.loads(example)
    VALIDATOR.validate(event)
    assert event["counts"]["read"] == sum(event["counts"][name] for name in ("loaded", "rejected", "blank"))
    counts = Counts(*(event["counts"][name] for name in ("loaded", "rejected", "blank")))
    assert has_many_rejects(counts, CUSTOMER) is event["many_rejects"]
    with pytest.raises(ValidationError):
        VALIDATOR.validate({**event, "status": "failed"})


def test_a_failure_is_a_mail_with_the_reason_and_the_commands(
    cloud: Cloud, database: Database, invoke: Invoke, topic: Subscribed
) -> None:
    (report,) = invoke(cloud.put("in/zip.csv", b"PK\x03\x04"))["imports"]
    (event,) = topic.events()
    assert (event["status"], event["reason"]) == ("failed", database.ledger()[0]["reason"])
    ((subject, text),) = topic.mails()
    assert subject == "[csv-to-aurora-stage] Import failed: in/zip.csv"
    for line in (
        "Environment  stage (stack csv-to-aurora-stage)",
        f"Bucket       {BUCKET}",
        "Key          in/zip.csv",
        f"Reason       {event['reason']}",
        "Rows         0 read, 0 loaded, 0 rejected, 0 blank",
        "ansible-playbook playbooks/imports.yml -i inventories/stage -e imports_status=failed",
        f"ansible-playbook playbooks/replay.yml -i inventories/stage -e replay={report['import_id']}",
    ):
        assert line in text.splitlines()


def test_a_key_that_no_dataset_takes_is_published_without_one(database: Database) -> None:
    topic = MemoryTopic()
    datasets = Datasets((replace(CUSTOMER, key_prefix="in/"),))
    database.importer(MemoryStore(ONE), topic=topic, datasets=datasets).run(version_of("out/a.csv"))
    (event,) = topic.events
    assert (event["status"], event["dataset"]) == ("failed", None)
    assert topic.messages[0].attributes == {"status": "failed", "environment": "stage", "many_rejects": "false"}


def test_a_version_that_a_newer_one_has_replaced_is_published(database: Database) -> None:
    dataset = dataset_of("replace")
    create(database, dataset)
    topic = MemoryTopic()
    for number in (2, 1):
        content = csv_of([("1", "", str(number))])
        database.importer(MemoryStore(content), dataset=dataset, topic=topic).run(version(number, second=number))
    newer, older = topic.events
    assert (older["status"], older["reason"]) == ("succeeded", f"superseded by import {newer['import_id']}")
    assert (newer["counts"]["loaded"], older["counts"]["loaded"]) == (1, 0)


def test_each_end_has_an_event_of_its_own(database: Database) -> None:
    topic = MemoryTopic()
    store = MemoryStore(lines_of(GOOD, "bad", "bad"))
    database.importer(store, max_reject_ratio=0.5, topic=topic).run(version_of())
    importer = database.importer(store, topic=topic)
    assert importer.run(version_of(), replay=True).result is Result.SUCCEEDED
    assert importer.run(version_of(), replay=True).result is Result.DUPLICATE
    failed, succeeded = topic.events
    assert (failed["status"], failed["attempts"], failed["counts"]["read"]) == ("failed", 1, 0)
    assert (succeeded["status"], succeeded["attempts"], succeeded["counts"]["read"]) == ("succeeded", 2, 3)
    assert failed["id"] != succeeded["id"]
    assert failed["started_at"] == succeeded["started_at"]


def test_what_has_not_ended_has_no_event(database: Database) -> None:
    topic = MemoryTopic()
    limits = Limits(batch_rows=5, block_bytes=120, max_record_bytes=100, whole_bytes=1)
    importer = database.importer(MemoryStore(lines_of(*[GOOD] * 50)), topic=topic, limits=limits, time_left=lambda: 0.0)
    assert importer.run(version_of()).result is Result.UNFINISHED
    assert (topic.calls, database.pending()) == (0, [])


def test_without_a_topic_nothing_is_kept_for_later(cloud: Cloud, database: Database, invoke: Invoke) -> None:
    invoke(cloud.put("a.csv", ONE), cloud.put("b.csv", b"PK\x03\x04"))
    assert database.pending() == []


def test_times_are_in_utc_whatever_the_server_s_zone_is(database: Database) -> None:
    topic = MemoryTopic()
    database.query("SET GLOBAL time_zone = '+05:30'")
    try:
        database.importer(MemoryStore(ONE), topic=topic).run(version_of())
    finally:
        database.query("SET GLOBAL time_zone = 'SYSTEM'")
    (event,) = topic.events
    database.query("SET time_zone = '+00:00'")
    ((finished,),) = database.query("SELECT finished_at FROM csv_import")
    assert event["finished_at"] == finished.isoformat(timespec="microseconds") + "Z"


def test_no_value_of_a_row_is_published(database: Database) -> None:
    topic = MemoryTopic()
    private = ["Secretperson", "secret@example.org", "Lovelace"]
    rows = [GOOD, f"Mr,{private[0]},b,n/a,{private[1]},1", f'Mr,"{private[0]}']
    for number, content in enumerate((lines_of(*rows), rows[1].encode(), lines_of(*rows) + b"\xff\xfe\xff")):
        database.importer(MemoryStore(content), topic=topic, max_reject_ratio=0.9).run(version_of(f"{number}.csv"))
    published = "".join(message.body + message.subject for message in topic.messages)
    assert len(topic.events) == 3
    assert not [value for value in private if value in published]


@pytest.mark.parametrize(
    ("counts", "ratio", "many"),
    [
        (Counts(0, 1, 0), 1.0, True),
        (Counts(0, 0, 5), 0.0, False),
        (Counts(9, 1, 90), 0.1, False),
        (Counts(89, 11, 0), 0.1, True),
        (Counts(100, 0, 0), 0.0, False),
        (Counts(1_000_000, 1, 0), 0.0, True),
    ],
)
def test_an_import_has_many_rejects_where_nobody_should_miss_them(counts: Counts, ratio: float, many: bool) -> None:
    assert has_many_rejects(counts, replace(CUSTOMER, alarm_reject_ratio=ratio)) is many


def test_many_rejects_are_in_event_metric_and_mail(
    cloud: Cloud, invoke: Invoke, topic: Subscribed, capsys: pytest.CaptureFixture[str]
) -> None:
    invoke(
        cloud.put("few.csv", lines_of(*[GOOD] * 9, "bad")),
        cloud.put("many.csv", lines_of(*[GOOD] * 3, "bad")),
        cloud.put("all.csv", lines_of("bad", "bad")),
    )
    metrics = next(json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line)
    assert metrics["ImportsWithManyRejects"] == [0.0, 1.0, 1.0]
    received = topic.received()
    assert [sent["MessageAttributes"]["many_rejects"]["Value"] for sent in received] == ["false", "true", "true"]
    events = [json.loads(sent["Message"]) for sent in received]
    assert [event["many_rejects"] for event in events] == [False, True, True]
    assert {event["status"] for event in events} == {"succeeded"}
    few, many, none = topic.mails()
    assert few[0] == "[csv-to-aurora-stage] Import succeeded: few.csv"
    assert many[0] == "[csv-to-aurora-stage] Import with many rejects: many.csv"
    assert "Many rejects: 25 % of the rows were rejected." in many[1]
    assert none[0] == "[csv-to-aurora-stage] Import loaded nothing: all.csv"
    import_id = events[2]["import_id"]
    options = f"-e rejects_of={import_id} -e rejects_file=rejects-{import_id}.csv"
    assert f"ansible-playbook playbooks/imports.yml -i inventories/stage {options}" in none[1].splitlines()


TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=1000)


@settings(max_examples=300)
@given(
    key=TEXTS.filter(lambda key: len(key.encode()) <= 1024),
    reason=st.none() | TEXTS,
    stack=st.from_regex(r"[a-z][a-z0-9-]{0,60}", fullmatch=True),
    counts=st.builds(Counts, *[st.integers(0, 1 << 40)] * 3),
    status=st.sampled_from([Status.SUCCEEDED, Status.FAILED]),
)
def test_any_import_is_a_message_that_sns_takes(
    key: str, reason: str | None, stack: str, counts: Counts, status: Status
) -> None:
    reason = reason or ("why" if status is Status.FAILED else None)
    version = ObjectVersion("bucket", key, "v" * 1024, "")
    entry = Entry(1, status, Position(0, 0), counts, "r", reason=reason, dataset="customer")
    times = {"started_at": "2026-11-27T10:00:00.000000Z", "finished_at": "2026-11-27T10:00:01.000000Z"}
    message = message_of({**event_of(version, entry, CUSTOMER), **times}, replace(SOURCE, stack=stack))
    event = event_in(message)
    assert (event["key"], event["reason"]) == (key, reason)
    assert re.fullmatch(r"[\x20-\x7e]{1,99}", message.subject)
    assert message.body.isascii()
    # Ten are published at once, or fewer where they are this long.
    assert message.size < TOPIC_BYTES // 4
    text = json.loads(message.body)["email"]
    assert all(line.isprintable() for line in text.split("\n"))
    # A key or a reason is no line of its own.
    assert text.count("\n") <= 30


def test_the_end_of_a_long_key_is_in_the_subject() -> None:
    key = "folder/" * 50 + "über\n2026.csv"
    entry = Entry(1, Status.SUCCEEDED, Position(0, 0), Counts(1), "r", dataset="customer")
    times = {"started_at": "2026-11-27T10:00:00.000000Z", "finished_at": "2026-11-27T10:00:01.000000Z"}
    message = message_of({**event_of(ObjectVersion("b", key, "v", ""), entry, CUSTOMER), **times}, SOURCE)
    assert len(message.subject) == 99
    assert message.subject.startswith("[csv-to-aurora-stage] Import succeeded: ...")
    assert message.subject.endswith(r"/folder/?ber\n2026.csv")


# At least once


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.sampled_from([GOOD, "bad", "", 'Mr,"a']), max_size=20),
    fates=st.dictionaries(st.integers(0, 60), st.sampled_from(["lost before", "answer lost", "killed"]), max_size=8),
    told=st.lists(st.sampled_from(["refused", "in part", "killed before", "killed after", None]), max_size=6),
    ratio=st.sampled_from([None, 0.5]),
    sessions=st.sampled_from([1, 2]),
)
def test_whatever_is_killed_each_end_is_published_and_nothing_else(
    *,
    shared_database: Database,
    rows: list[str],
    fates: dict[int, str],
    told: list[str | None],
    ratio: float | None,
    sessions: int,
) -> None:
    """Three files, one of them refused; every command of their connections may fail, and every call of the topic."""
    database = shared_database
    database.empty()
    database.messages.clear()
    database.errors.clear()
    fragile = Fates(fates)
    left = list(told)

    class Topic(MemoryTopic):
        def publish(self, messages: Any) -> Any:
            fate = left.pop(0) if left else None
            if fate == "killed before":
                fragile.kill()
            self._fate = lambda: fate
            published = super().publish(messages)
            if fate == "killed after":
                fragile.kill()
            return published

    topic = Topic()
    limits = Limits(batch_rows=5, block_bytes=120, max_record_bytes=100, whole_bytes=1, session_bytes=1)
    files = {"a.csv": lines_of(*rows), "b.csv": b"PK\x03\x04", "c.csv": ONE}
    for key, content in files.items():
        while True:
            options: dict[str, Any] = {"topic": topic, "max_reject_ratio": ratio, "sessions": sessions}
            importer = database.importer(MemoryStore(content), limits=limits, connect=fragile.connect, **options)
            try:
                importer.run(version_of(key))
            except (Killed, TransientError):
                # What is or will be published is what has ended. One statement: the server may still be at work.
                entries = database.query(
                    "SELECT id, status IN ('succeeded', 'failed'),"
                    " EXISTS(SELECT 1 FROM csv_import_event WHERE import_id = csv_import.id) FROM csv_import"
                )
                published = {event["import_id"] for event in topic.events}
                assert [(waits or import_id in published) for import_id, _, waits in entries] == [
                    bool(ended) for _, ended, _ in entries
                ]
                continue
            break
    left.clear()
    publish_all(database, topic)
    assert database.pending() == []
    events = {event["id"]: event for event in topic.events}
    assert sorted((event["import_id"], event["status"], event["reason"]) for event in events.values()) == [
        (entry["id"], entry["status"], entry["reason"]) for entry in database.ledger()
    ]


@pytest.mark.parametrize("fate", ["killed before", "killed after"])
def test_killed_between_commit_and_publish_it_is_published_later_with_the_same_id(
    database: Database, fate: str
) -> None:
    fragile = Fates({})

    class Killing(MemoryTopic):
        def publish(self, messages: Any) -> Any:
            if fate == "killed after":
                super().publish(messages)
            fragile.kill()

    killing, topic = Killing(), MemoryTopic()
    importer = database.importer(MemoryStore(ONE), topic=killing, connect=fragile.connect)
    with pytest.raises(Killed):
        importer.run(version_of())
    (entry,) = database.ledger()
    assert (entry["status"], database.pending()) == ("succeeded", [entry["id"]])
    # Lambda delivers the event again: a duplicate by now.
    assert database.importer(MemoryStore(ONE), topic=topic).run(version_of()).result is Result.DUPLICATE
    assert {event["id"] for event in killing.events} <= {event["id"] for event in topic.events}
    assert [event["import_id"] for event in topic.events] == [entry["id"]]
    assert database.pending() == []


def test_many_pending_events_are_published_oldest_first_some_by_each_import(database: Database) -> None:
    refusing = MemoryTopic(lambda: "refused")
    for number in range(45):
        database.importer(MemoryStore(ONE), topic=refusing).run(version_of(f"{number}.csv"))
    waiting = database.pending()
    assert waiting == [entry["id"] for entry in database.ledger()]
    topic = MemoryTopic()
    database.importer(MemoryStore(ONE), topic=topic).run(version_of("last.csv"))
    assert [event["import_id"] for event in topic.events] == waiting[: BATCHES * BATCH]
    publish_all(database, topic)
    assert [event["import_id"] for event in topic.events] == [*waiting, database.ledger()[-1]["id"]]
    assert database.pending() == []


def test_one_that_the_topic_does_not_take_stays_and_the_others_go(database: Database) -> None:
    database.importer(MemoryStore(ONE), topic=MemoryTopic(lambda: "refused")).run(version_of("1.csv"))
    topic = MemoryTopic(lambda: "in part")
    database.importer(MemoryStore(ONE), topic=topic).run(version_of("2.csv"))
    first, second = (entry["id"] for entry in database.ledger())
    assert [event["import_id"] for event in topic.events] == [first]
    assert database.pending() == [second]


# Fewer than are locked at once: then the lock must not reach beyond the last one, to where the next is stored.
@pytest.mark.parametrize("count", [BATCH // 2, BATCH + 5])
def test_two_at_once_do_not_publish_the_same_and_no_import_waits_for_them(database: Database, count: int) -> None:
    for number in range(count):
        database.importer(MemoryStore(ONE), topic=MemoryTopic(lambda: "refused")).run(version_of(f"{number}.csv"))
    waiting = database.pending()
    meanwhile = MemoryTopic()
    ended: list[Result] = []

    class Slow(MemoryTopic):
        def publish(self, messages: Any) -> Any:
            if not ended:
                # While some events are locked: less than a second would be too long to wait for them.
                limits = Limits(row_lock_timeout=1, retry_timeout=0.0)
                importer = database.importer(MemoryStore(ONE), topic=meanwhile, limits=limits)
                ended.append(importer.run(version_of("meanwhile.csv")).result)
            return super().publish(messages)

    slow = Slow()
    publish_all(database, slow)
    assert ended == [Result.SUCCEEDED]
    assert [event["import_id"] for event in slow.events] == waiting[:BATCH]
    assert [event["import_id"] for event in meanwhile.events] == [*waiting[BATCH:], database.ledger()[-1]["id"]]
    assert database.pending() == []


def test_an_import_whose_event_cannot_be_stored_has_not_ended(database: Database) -> None:
    database.query(f"REVOKE INSERT ON csv_import_event FROM {database.user}")
    topic = MemoryTopic()
    with pytest.raises(TransientError, match=r"INSERT command denied.*site\.yml migrates the tables"):
        database.importer(MemoryStore(ONE), topic=topic).run(version_of())
    assert (database.ledger()[0]["status"], topic.calls) == ("interrupted", 0)
    database.grant()
    assert database.importer(MemoryStore(ONE), topic=topic).run(version_of()).result is Result.SUCCEEDED
    assert len(topic.events) == len(database.customers()) == 1


def test_an_import_waits_for_an_outbox_that_site_yml_creates_meanwhile(database: Database) -> None:
    """The function is updated minutes before table and grants; without both, MySQL denies the command."""
    create = database.query("SHOW CREATE TABLE csv_import_event")[0][1]
    database.query(f"REVOKE SELECT, INSERT, DELETE ON csv_import_event FROM {database.user}")
    database.query("DROP TABLE csv_import_event")

    def migrate(delay: float) -> None:
        database.sleeps.append(delay)
        if len(database.sleeps) == 3:
            database.query(create)
            database.grant()

    topic = MemoryTopic()
    outcome = database.importer(MemoryStore(ONE), topic=topic, sleep=migrate).run(version_of())
    assert (outcome.result, len(topic.events)) == (Result.SUCCEEDED, 1)


@pytest.mark.parametrize("privilege", ["SELECT", "DELETE"])
def test_an_outbox_that_cannot_be_read_fails_no_import(database: Database, privilege: str) -> None:
    database.query(f"REVOKE {privilege} ON csv_import_event FROM {database.user}")
    topic = MemoryTopic()
    assert database.importer(MemoryStore(ONE), topic=topic).run(version_of()).result is Result.SUCCEEDED
    assert "What is left to do after imports cannot be read, and is done later" in database.messages
    database.grant()
    publish_all(database, topic)
    assert len(topic.events) == 1


# A topic that refuses


@contextmanager
def gone() -> Iterator[str]:
    """An address where nothing listens."""
    with refusing_sns(500, "Gone") as server:
        url = server.url
    yield url


REFUSALS = [
    (403, "AuthorizationError", "SNS refuses: AuthorizationError: not now"),
    (404, "NotFound", "SNS refuses: NotFound: not now"),
    (429, "Throttled", "SNS refuses: Throttled: not now"),
    (503, "ServiceUnavailable", "SNS refuses: ServiceUnavailable: not now"),
    (200, "", "SNS does not answer (ReadTimeoutError)"),
]


@pytest.mark.parametrize(("status", "code", "reason"), REFUSALS)
def test_a_topic_that_refuses_fails_no_import_and_is_told_later(
    *,
    cloud: Cloud,
    database: Database,
    invoke: Invoke,
    topic: Subscribed,
    lines: list[dict[str, Any]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    code: str,
    reason: str,
) -> None:
    with refusing_sns(status, code) as server, monkeypatch.context() as there:
        there.setenv("AWS_ENDPOINT_URL_SNS", server.url)
        if not code:
            there.setattr(aws, "BRIEF_CONFIG", aws.BRIEF_CONFIG.merge(Config(read_timeout=0.2)))
        answer = invoke(cloud.put("a.csv", ONE), cloud.put("b.csv", ONE))
        again = invoke(cloud.put("c.csv", ONE))
        assert {each["result"] for each in answer["imports"] + again["imports"]} == {"succeeded"}
        # One try, and for a while none.
        assert server.calls == 1
    said = [line for line in lines if line["message"] == "The topic refuses events, which are published later"]
    assert [(line["level"], line["reason"], line["topic"]) for line in said] == [("WARNING", reason, topic.arn)]
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line)
    assert first["EventsRefused"] == [1.0]
    assert "EventsRefused" not in second
    assert len(database.pending()) == 3
    # Another execution environment.
    monkeypatch.setattr("csv_importer.aws.PAUSE_SECONDS", 0.0)
    later = Publisher(SnsTopic(topic.arn), SOURCE, database._log)
    with MySqlDatabase(database, database.server.ca_file, "later").ledger() as ledger:
        later.run(ledger, 1, lambda: 60.0)
    assert [event["key"] for event in topic.events()] == ["a.csv", "b.csv", "c.csv"]
    assert database.pending() == []


def test_a_topic_that_cannot_be_reached_fails_no_import(
    cloud: Cloud, database: Database, invoke: Invoke, topic: Subscribed, monkeypatch: pytest.MonkeyPatch
) -> None:
    with gone() as url, monkeypatch.context() as there:
        there.setenv("AWS_ENDPOINT_URL_SNS", url)
        (report,) = invoke(cloud.put("a.csv", ONE))["imports"]
    assert report["result"] == "succeeded"
    assert database.pending() == [report["import_id"]]
    assert topic.events() == []


@pytest.mark.parametrize("arn", ["nonsense", "arn:aws:sns:eu-west-1:123456789012:no-such-topic", "arn:aws:sns::x:y"])
def test_a_topic_that_does_not_exist_fails_no_import(
    *,
    cloud: Cloud,
    database: Database,
    invoke: Invoke,
    topic: Subscribed,
    monkeypatch: pytest.MonkeyPatch,
    arn: str,
) -> None:
    monkeypatch.setenv("EVENTS_TOPIC_ARN", arn)
    (report,) = invoke(cloud.put("a.csv", ONE))["imports"]
    assert report["result"] == "succeeded"
    assert database.pending() == [report["import_id"]]
    monkeypatch.setenv("EVENTS_TOPIC_ARN", topic.arn)
    assert invoke.check()["EventsPending"] == 0
    assert len(topic.events()) == 1


def test_the_topic_s_client_is_made_when_it_is_needed(
    cloud: Cloud, invoke: Invoke, topic: Subscribed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes a part of a cold start."""
    made: list[str] = []
    client = boto3.client

    def noted(service: str, **options: Any) -> Any:
        made.append(service)
        return client(service, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(boto3, "client", noted)
    monkeypatch.delenv("EVENTS_TOPIC_ARN")
    invoke(cloud.put("a.csv", ONE))
    assert "sns" not in made
    monkeypatch.setenv("EVENTS_TOPIC_ARN", topic.arn)
    invoke(cloud.put("b.csv", ONE))
    invoke(cloud.put("c.csv", ONE))
    assert made.count("sns") == 1


def test_a_topic_that_has_taken_an_event_is_left_alone_no_longer(topic: Subscribed) -> None:
    entry = Entry(1, Status.FAILED, Position(0, 0), Counts(), "r", reason="no header", dataset="customer")
    times = {"started_at": "2026-11-27T10:00:00.000000Z", "finished_at": "2026-11-27T10:00:01.000000Z"}
    message = message_of({**event_of(ObjectVersion("b", "k", "v", ""), entry, CUSTOMER), **times}, SOURCE)
    with gone() as url:
        there = SnsTopic(topic.arn, boto3.client("sns", endpoint_url=url, config=aws.BRIEF_CONFIG))
        assert there.publish([message]).accepted == []
    assert there.pausing
    there._client = boto3.client("sns")
    assert there.publish([message]).reason is None
    assert not there.pausing


def test_messages_that_are_too_long_for_one_call_are_published_in_several(topic: Subscribed) -> None:
    entry = Entry(1, Status.FAILED, Position(0, 0), Counts(), "r", reason="\x01" * 1000, dataset="customer")
    times = {"started_at": "2026-11-27T10:00:00.000000Z", "finished_at": "2026-11-27T10:00:01.000000Z"}
    longest = ObjectVersion("b", "\x01" * 1024, "v" * 1024, "")
    messages = [message_of({**event_of(longest, entry, CUSTOMER), **times}, SOURCE) for _ in range(BATCH)]
    assert sum(message.size for message in messages) > TOPIC_BYTES
    published = SnsTopic(topic.arn).publish(messages)
    assert (set(published.accepted), published.reason) == ({message.id for message in messages}, None)
    assert len(topic.events()) == BATCH


@pytest.mark.parametrize("name", ["STACK_NAME", "ENVIRONMENT_NAME"])
def test_events_need_to_know_where_they_come_from(name: str) -> None:
    environment = {
        "SECRET_ID": "s",
        "BUCKET_NAME": "b",
        "EVENTS_TOPIC_ARN": "arn",
        "STACK_NAME": "a-b",
        "ENVIRONMENT_NAME": "b",
    }
    assert Settings.of(environment).topic == "arn"
    with pytest.raises(ConfigurationError, match=f"{name} is not set: events name it"):
        Settings.of({**environment, name: ""})


def test_two_publishers_and_many_imports_at_once_lose_nothing(database: Database) -> None:
    topic = MemoryTopic()
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for index in range(10):
                database.importer(MemoryStore(ONE), topic=topic).run(version_of(f"{number}-{index}.csv"))
        except BaseException as error:  # noqa: BLE001 - shown below
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    publish_all(database, topic)
    ids = [event["import_id"] for event in topic.events]
    assert sorted(ids) == [entry["id"] for entry in database.ledger()]
    assert len(ids) == 40


def test_a_statement_more_for_each_import_and_none_for_each_batch(database: Database) -> None:
    """The event costs an import a constant number of commands, however long the file is."""
    commands: list[str | bytes] = []

    class Counting(FeedConnection):
        def _execute_command(self, command: int, sql: str | bytes) -> None:
            commands.append(sql)
            super()._execute_command(command, sql)  # type: ignore[misc]

    limits = Limits(batch_rows=5, block_bytes=120, max_record_bytes=100, whole_bytes=1)

    def commands_of(rows: int, topic: MemoryTopic | None) -> int:
        commands.clear()
        store = MemoryStore(lines_of(*[GOOD] * rows))
        importer = database.importer(store, topic=topic, limits=limits, connect=Counting)
        assert importer.run(version_of(f"{rows} {topic is None}.csv")).result is Result.SUCCEEDED
        return len(commands)

    few, many = (commands_of(rows, MemoryTopic()) - commands_of(rows, None) for rows in (10, 500))
    assert few == many == 6


def test_the_importer_may_not_change_an_event(database: Database) -> None:
    database.importer(MemoryStore(ONE), topic=MemoryTopic(lambda: "refused")).run(version_of())
    connection = database.server.connect(database.name, user=database.user, password=database.credentials().password)
    with connection.cursor() as cursor, pytest.raises(pymysql.OperationalError, match="denied"):
        cursor.execute("UPDATE csv_import_event SET event = '{}'")
    connection.close()
