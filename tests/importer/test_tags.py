"""Objects are tagged once they have been imported, if that is asked for: never before, and not forgotten."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csv_importer import aws
from csv_importer.afterwards import Tagger
from csv_importer.errors import ConfigurationError, TransientError
from csv_importer.importer import Result
from csv_importer.limits import Limits
from csv_importer.mysql import MySqlDatabase
from csv_importer.objects import ObjectVersion
from csv_importer.settings import Settings

from .conftest import BUCKET, Cloud, Database, Invoke
from .fates import Fates, Killed
from .files import GOOD, MemoryStore, lines_of, version_of

ONE = lines_of(GOOD)
IMPORTED = {"csv-to-aurora": "imported"}


@pytest.fixture(autouse=True)
def tagged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROCESSED_OBJECTS", "tag")


def tags_of(cloud: Cloud, record: dict[str, Any]) -> dict[str, str]:
    """Read the tags of the object version of a record."""
    key, version_id = record["s3"]["object"]["key"], record["s3"]["object"]["versionId"]
    found = cloud.s3.get_object_tagging(Bucket=BUCKET, Key=key, VersionId=version_id)["TagSet"]
    return {tag["Key"]: tag["Value"] for tag in found}


def put_with(cloud: Cloud, key: str, count: int) -> dict[str, Any]:
    """Upload an object with some tags; return the record of S3's event."""
    record = cloud.put(key, ONE)
    tags = [{"Key": f"other-{number}", "Value": "ä b"} for number in range(count)]
    cloud.s3.put_object_tagging(Bucket=BUCKET, Key=key, Tagging={"TagSet": tags})  # type: ignore[typeddict-item]
    return record


def left(database: Database) -> list[int]:
    """Return the imports whose objects are not tagged yet."""
    return [import_id for (import_id,) in database.query("SELECT import_id FROM csv_import_tag ORDER BY import_id")]


def test_a_version_is_tagged_once_it_is_imported_and_keeps_its_other_tags(
    cloud: Cloud, database: Database, invoke: Invoke
) -> None:
    older = put_with(cloud, "tagged.csv", 9)
    newer = cloud.put("tagged.csv", ONE)
    invoke(older)
    assert tags_of(cloud, older) == {f"other-{number}": "ä b" for number in range(9)} | IMPORTED
    assert tags_of(cloud, newer) == {}
    assert left(database) == []


@pytest.mark.parametrize(
    "content", [b"PK\x03\x04", lines_of("bad", "bad"), lines_of(GOOD, GOOD, "bad")], ids=["failed", "nothing", "many"]
)
def test_a_file_that_somebody_has_to_look_at_is_not_tagged(
    cloud: Cloud, database: Database, invoke: Invoke, content: bytes
) -> None:
    record = cloud.put("not.csv", content)
    invoke(record)
    assert tags_of(cloud, record) == {}
    assert left(database) == []


def test_it_is_an_option(cloud: Cloud, database: Database, invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROCESSED_OBJECTS")
    record = cloud.put("off.csv", ONE)
    invoke(record)
    assert tags_of(cloud, record) == {}
    assert left(database) == []
    with pytest.raises(ConfigurationError, match="PROCESSED_OBJECTS is 'delete': it has to be tag or empty"):
        Settings.of({"SECRET_ID": "s", "BUCKET_NAME": "b", "PROCESSED_OBJECTS": "delete"})


def test_an_object_that_cannot_be_tagged_is_named_once_and_the_others_are_tagged(
    cloud: Cloud, database: Database, invoke: Invoke, lines: list[dict[str, Any]]
) -> None:
    full, other = put_with(cloud, "full.csv", 10), cloud.put("other.csv", ONE)
    invoke(full, other)
    assert tags_of(cloud, other) == IMPORTED
    assert len(tags_of(cloud, full)) == 10
    (line,) = (line for line in lines if line["message"] == "An object is not tagged")
    assert (line["key"], line["reason"]) == ("full.csv", "it has 10 other tags, as many as an object may have")
    assert left(database) == []


def test_an_object_that_is_deleted_after_its_import_is_forgotten(
    cloud: Cloud, database: Database, invoke: Invoke, monkeypatch: pytest.MonkeyPatch, lines: list[dict[str, Any]]
) -> None:
    record = cloud.put("deleted.csv", ONE)
    with refusing_s3(monkeypatch):
        invoke(record)
    cloud.s3.delete_object(Bucket=BUCKET, Key="deleted.csv", VersionId=record["s3"]["object"]["versionId"])
    assert invoke.check()["ObjectsUntagged"] == 0
    (line,) = (line for line in lines if line["message"] == "An object is not tagged")
    assert "gone" in line["reason"]
    assert left(database) == []


def test_without_a_version_id_it_is_not_known_whether_the_object_is_the_same(database: Database) -> None:
    tags = MemoryTags()
    version = ObjectVersion("bucket", "a.csv", "etag:e", "e")
    assert database.importer(MemoryStore(ONE), tags=tags).run(version).result is Result.SUCCEEDED
    assert (tags.versions, left(database)) == ([], [])


# What may go wrong


class _Refusal(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>"
        self.send_response(403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def refusing_s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have S3 refuse whatever concerns tags; objects are read as before."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Refusal) as server, monkeypatch.context() as there:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{server.server_port}")
        mark = aws.S3Tags.mark

        def refused(tags: aws.S3Tags, version: ObjectVersion) -> None:
            mine, tags._client = tags._client, client
            try:
                mark(tags, version)
            finally:
                tags._client = mine

        there.setattr(aws.S3Tags, "mark", refused)
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def test_a_bucket_that_refuses_fails_no_import_and_objects_are_tagged_later(
    cloud: Cloud,
    database: Database,
    invoke: Invoke,
    monkeypatch: pytest.MonkeyPatch,
    lines: list[dict[str, Any]],
) -> None:
    records = [cloud.put(f"{number}.csv", ONE) for number in range(3)]
    with refusing_s3(monkeypatch):
        assert {each["result"] for each in invoke(*records)["imports"]} == {"succeeded"}
        assert invoke.check()["ObjectsUntagged"] == 3
    assert left(database) == [entry["id"] for entry in database.ledger()]
    refusals = [line for line in lines if line["message"] == "Objects are not tagged, and are later"]
    # The imports, once for all; and the check.
    assert [line["objects"] for line in refusals] == [1, 3]
    assert "the function's role may not tag the object in S3 (AccessDenied)" in refusals[0]["reason"]
    assert invoke.check()["ObjectsUntagged"] == 0
    assert [tags_of(cloud, record) for record in records] == [IMPORTED] * 3


class MemoryTags:
    """Tags in memory."""

    pausing = False

    def __init__(self) -> None:
        self.versions: list[ObjectVersion] = []

    def mark(self, version: ObjectVersion) -> None:
        self.versions.append(version)


@settings(max_examples=25, deadline=None)
@given(
    rows=st.lists(st.sampled_from([GOOD, "bad", ""]), max_size=12),
    fates=st.dictionaries(st.integers(0, 50), st.sampled_from(["lost before", "answer lost", "killed"]), max_size=8),
    marks=st.lists(st.sampled_from(["refused", "killed before", "killed after", None]), max_size=5),
)
def test_whatever_is_killed_what_succeeded_is_tagged_and_nothing_else(
    *, shared_database: Database, rows: list[str], fates: dict[int, str], marks: Sequence[str | None]
) -> None:
    database = shared_database
    database.empty()
    fragile = Fates(fates)
    rest = list(marks)

    class Some(MemoryTags):
        def mark(self, version: ObjectVersion) -> None:
            fate = rest.pop(0) if rest else None
            if fate == "killed before":
                fragile.kill()
            if fate == "refused":
                raise TransientError("no")
            # Never before it has succeeded.
            ledger = {entry["object_key"]: entry["status"] for entry in database.ledger()}
            assert ledger[version.key] == "succeeded"
            super().mark(version)
            if fate == "killed after":
                fragile.kill()

    tags = Some()
    limits = Limits(batch_rows=5, block_bytes=120, max_record_bytes=100, whole_bytes=1)
    for key, content in {"a.csv": lines_of(*rows), "b.csv": b"PK\x03\x04", "c.csv": ONE}.items():
        while True:
            importer = database.importer(MemoryStore(content), tags=tags, limits=limits, connect=fragile.connect)
            try:
                importer.run(version_of(key))
            except (Killed, TransientError):
                continue
            break
    rest.clear()
    # The next import does what is left.
    database.importer(MemoryStore(ONE), tags=tags).run(version_of("d.csv"))
    few = [row for row in rows if row == "bad"], [row for row in rows if row == GOOD]
    many = bool(few[0]) and len(few[0]) > 0.1 * len(few[0] + few[1])
    assert left(database) == []
    assert {version.key for version in tags.versions} == {"c.csv", "d.csv"} | (set() if many else {"a.csv"})
    assert json.dumps(database.query("SELECT COUNT(*) FROM csv_import_tag")) == "[[0]]"


def test_a_slow_bucket_gets_no_more_time_than_is_left(database: Database) -> None:
    """Otherwise Lambda ends the invocation, although its imports have succeeded."""

    class Tags:
        pausing = True

        def __init__(self) -> None:
            self.seconds = 0.0

        def mark(self, version: ObjectVersion) -> None:
            del version
            self.seconds += 5

    slow = Tags()
    for number in range(8):
        database.importer(MemoryStore(ONE), tags=slow).run(version_of(f"{number}.csv"))
    assert (slow.seconds, len(left(database))) == (0, 8)
    with MySqlDatabase(database, database.server.ca_file, "check").ledger() as ledger:
        Tagger(slow, database._log, at_any_time=True).run(ledger, 100, lambda: 12 - slow.seconds)
    assert (slow.seconds, len(left(database))) == (15, 5)
