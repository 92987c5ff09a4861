"""Bucket minus ledger: pages in bounded memory, events of bounded size, and never far ahead of the importer."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.csv_to_aurora.importer.plugins.action.csv_import_reconcile import HostLedger
from ansible_collections.csv_to_aurora.importer.plugins.plugin_utils.reconciliation import (
    EVENT_BYTES,
    RECORDS,
    Comparison,
    ObjectVersion,
    Sender,
    Stalled,
    dataset_of,
    listed,
)
from csv_importer.datasets import Datasets
from csv_importer.objects import object_version_of

from .conftest import Database
from .files import GOOD, MemoryStore, lines_of, version_of
from .keyed import dataset_of as keyed

UPLOADED = datetime(2026, 11, 1, tzinfo=UTC)
ASYNCHRONOUS_BYTES = 256 << 10
"""What Lambda takes as the payload of an asynchronous invocation."""

keys = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=256).map(
    lambda text: f"{text}.csv"
)
version_ids = st.one_of(st.just("null"), st.from_regex("[A-Za-z0-9._]{1,32}", fullmatch=True))


def entry(key: str = "a.csv", version_id: str = "v1", *, size: int = 10, latest: bool = True) -> dict[str, Any]:
    """An object version as S3 lists it."""
    return {
        "Key": key,
        "VersionId": version_id,
        "ETag": '"d41d8cd98f00b204e9800998ecf8427e"',
        "Size": size,
        "IsLatest": latest,
        "LastModified": UPLOADED,
    }


def versions(number: int, size: int = 10) -> list[ObjectVersion]:
    return [ObjectVersion.of("bucket", entry(f"{place:07}.csv", size=size)) for place in range(number)]


class Recorded:
    """A ledger, and a function that is invoked with events: they wait until the importer begins with them."""

    def __init__(self) -> None:
        self.begun: set[str] = set()
        self.interrupted: set[str] = set()
        self.queue: list[dict[str, Any]] = []
        self.events: list[bytes] = []
        self.asked: list[int] = []
        self.running = ""

    def known(self, digests: Collection[str]) -> set[str]:
        self.asked.append(len(digests))
        return self.begun & set(digests)

    def taken(self, digests: Collection[str]) -> set[str]:
        return (self.begun - self.interrupted) & set(digests)

    def progress(self) -> str:
        return self.running

    def invoke(self, event: bytes) -> None:
        self.events.append(event)
        self.queue.extend(json.loads(event)["Records"])

    def begin(self, number: int) -> None:
        """Begin with the oldest of what is waiting."""
        for record in self.queue[:number]:
            version = object_version_of(record, "bucket")
            assert version is not None
            self.begun.add(version.digest)
        del self.queue[:number]


@given(keys, version_ids, st.sampled_from(["", '"abc"', "d41d8cd98f00b204e9800998ecf8427e-3"]))
def test_a_listed_version_is_the_one_that_the_importer_knows(key: str, version_id: str, etag: str) -> None:
    """By its hash, and by the record that names it in an event."""
    version = ObjectVersion.of("bucket", {**entry(key, version_id), "ETag": etag})
    imported = object_version_of(json.loads(json.dumps(version.record)), "bucket")
    assert imported is not None
    assert (imported.digest, imported.key, imported.version_id) == (version.digest, key, version.version_id)


@given(
    st.lists(st.sampled_from(["", "a", "a/", "a/b", "ab", "b/"]), min_size=1, unique=True), st.text("ab/", max_size=5)
)
def test_the_dataset_is_the_one_that_the_importer_chooses(prefixes: list[str], key: str) -> None:
    described = [{"name": f"d{place}", "key_prefix": prefix} for place, prefix in enumerate(prefixes)]
    base = keyed("append")
    importer = Datasets(
        tuple(replace(base, name=one["name"], table=one["name"], key_prefix=one["key_prefix"]) for one in described)
    ).taking(key)
    assert dataset_of(described, key) == (importer.name if importer else "")


@pytest.mark.parametrize(
    ("newest", "expected"),
    [(True, ["a.csv v2", "d.CSV v1"]), (False, ["a.csv v2", "a.csv v1", "c.csv v1", "d.CSV v1"])],
)
def test_what_the_notification_is_for_is_listed(newest: bool, expected: list[str]) -> None:
    page = {
        "Versions": [
            entry("a.csv", "v2"),
            entry("a.csv", "v1", latest=False),
            entry("b.txt"),
            entry("c.csv", latest=False),
            entry("d.CSV"),
            entry("e.Csv"),
            entry("folder.csv/"),
        ],
        "DeleteMarkers": [{**entry("c.csv", "v2"), "Size": None}],
    }
    found = listed([{}, page], "bucket", [".csv", ".CSV"], newest=newest)
    assert [f"{version.key} {version.version_id}" for version in found] == expected


def test_an_older_version_without_an_id_is_listed_where_its_content_is_another() -> None:
    """The importer asks for it by its ETag, and gets the newest one where that is the same."""
    old = {"VersionId": "null", "IsLatest": False}
    pages = [
        {"Versions": [entry("same.csv", "v3")]},
        {"Versions": [entry("same.csv", "v2", latest=False), entry("same.csv") | old, entry("behind.csv") | old]},
        {"Versions": [{**entry("other.csv"), "ETag": '"e"'}, entry("other.csv") | old]},
    ]
    found = [f"{version.key} {version.version_id[:5]}" for version in listed(pages, "bucket", [".csv"], newest=False)]
    assert found == ["same.csv v3", "same.csv v2", "behind.csv etag:", "other.csv v1", "other.csv etag:"]


def test_what_the_ledger_does_not_know_is_missing_unless_it_is_young() -> None:
    ledger = Recorded()
    given = versions(25)
    ledger.begun = {version.digest for version in given[::2]}
    late = ObjectVersion.of("bucket", {**entry("late.csv"), "LastModified": UPLOADED + timedelta(seconds=1)})
    comparison = Comparison(ledger, UPLOADED, batch=10)
    assert list(comparison.run([*given, late])) == given[1::2]
    assert (comparison.versions, comparison.missing, comparison.young) == (26, 12, 1)
    assert comparison.missing_bytes == 120
    assert ledger.asked == [10, 10, 5]


class Body:
    """What S3 has answered."""

    def __init__(self, text: str) -> None:
        self._text = text

    def stream(self) -> Iterator[bytes]:
        yield self._text.encode()


def test_each_page_begins_where_the_one_before_it_ended() -> None:
    """With the SDK's own paging: neither emulator has as many versions of a key as a page."""
    client = boto3.client("s3", region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b")
    asked = []

    def answer(request: Any, **_: Any) -> AWSResponse:
        asked.append(sorted(part for part in urlsplit(request.url).query.split("&") if "marker" in part))
        more = len(asked) < 3
        text = f"""<ListVersionsResult><IsTruncated>{str(more).lower()}</IsTruncated><EncodingType>url</EncodingType>
            <NextKeyMarker>k%C3%A4+{len(asked)}</NextKeyMarker><NextVersionIdMarker>v{len(asked)}</NextVersionIdMarker>
            <Version><Key>k%C3%A4+{len(asked)}.csv</Key><VersionId>v</VersionId><IsLatest>true</IsLatest>
            <LastModified>2026-11-01T00:00:00.000Z</LastModified><ETag>&quot;e&quot;</ETag><Size>10</Size></Version>
            </ListVersionsResult>"""
        return AWSResponse(request.url, 200, HTTPHeaders(), Body(text))

    register: Any = client.meta.events.register
    register("before-send.s3.ListObjectVersions", answer)
    pages = client.get_paginator("list_object_versions").paginate(Bucket="bucket", Prefix="")
    assert [version.key for version in listed(pages, "bucket", [".csv"], newest=True)] == [
        f"kä {number}.csv" for number in (1, 2, 3)
    ]
    assert asked == [[], *([f"key-marker=k%C3%A4%20{number}", f"version-id-marker=v{number}"] for number in (1, 2))]


def test_memory_does_not_grow_with_the_bucket() -> None:
    """A list of these 100,000 object versions takes 30 MB."""
    function = Recorded()
    pages = ({"Versions": [entry(f"exports/{page:05}/{one:05}.csv") for one in range(1_000)]} for page in range(100))
    comparison = Comparison(function, UPLOADED)
    sent = 0

    def invoke(event: bytes) -> None:
        nonlocal sent
        sent += len(json.loads(event)["Records"])
        function.queue.extend(json.loads(event)["Records"])
        function.begun.clear()

    sender = Sender(invoke, function, sleep=lambda _: function.begin(1_000))
    tracemalloc.start()
    for version in comparison.run(listed(pages, "bucket", [".csv"], newest=True)):
        sender.send(version)
    sender.flush()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (comparison.versions, comparison.missing, sender.sent, sent) == (100_000,) * 4
    assert peak < 12 << 20


@given(st.lists(st.tuples(keys, st.sampled_from([0, 1, EVENT_BYTES // 3, EVENT_BYTES, 5 * EVENT_BYTES])), max_size=40))
def test_events_are_of_bounded_size_and_name_each_version_once(objects: list[tuple[str, int]]) -> None:
    function = Recorded()
    sender = Sender(function.invoke, function)
    sizes = {}
    for place, (key, size) in enumerate(objects):
        version = ObjectVersion.of("bucket", entry(key, f"v{place}", size=size))
        sizes[version.version_id] = size
        sender.send(version)
    sender.flush()
    sender.flush()
    records = [json.loads(event)["Records"] for event in function.events]
    assert all(len(event) < ASYNCHRONOUS_BYTES for event in function.events)
    assert all(0 < len(each) <= RECORDS for each in records)
    named = [[record["s3"]["object"]["versionId"] for record in each] for each in records]
    assert all(len(each) == 1 or sum(sizes[one] for one in each) <= EVENT_BYTES for each in named)
    assert [one for each in named for one in each] == list(sizes)
    assert (sender.sent, sender.events) == (len(objects), len(records))


def test_the_longest_keys_fit_into_an_event() -> None:
    function = Recorded()
    sender = Sender(function.invoke, function)
    for number in range(RECORDS):
        sender.send(ObjectVersion.of("b" * 63, entry("\U0001f600" * 254 + f"{number:04}.csv", "v" * 1024)))
    sender.flush()
    (event,) = function.events
    assert len(event) < ASYNCHRONOUS_BYTES / 4


def test_events_are_sent_no_further_ahead_than_the_importer_begins() -> None:
    function = Recorded()
    most = 0

    def sleep(_: float) -> None:
        nonlocal most
        most = max(most, len(function.queue))
        function.begin(7)

    sender = Sender(function.invoke, function, ahead=50, sleep=sleep)
    for version in versions(300):
        sender.send(version)
    sender.flush()
    assert most == 50
    assert sender.sent == 300
    assert len({json.dumps(json.loads(event)["Records"]) for event in function.events}) == 30


@pytest.mark.parametrize("interrupted", [True, False])
@pytest.mark.parametrize("large", [10, EVENT_BYTES])
def test_an_importer_that_does_not_begin_is_sent_no_more(large: int, interrupted: bool) -> None:
    function, now = Recorded(), 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds
        if interrupted:
            function.begin(1)
            function.interrupted = set(function.begun)
        # Another import gets on for a while.
        function.running = str(min(now, 100.0))

    sender = Sender(function.invoke, function, ahead=50, timeout=60, sleep=sleep, clock=lambda: now)
    for version in versions(50, large):
        sender.send(version)
    with pytest.raises(Stalled, match=r"50 object versions .*, 50 of them have not begun or .* for 60 s no import"):  # noqa: PT012 - which of them it is, depends on their size
        for version in versions(20, large):
            sender.send(version)
    assert sender.sent == 50
    assert 160 < now < 170


def test_the_ledger_says_what_is_known_and_what_was_taken(database: Database) -> None:
    def query(statement: str) -> list[str]:
        return ["\t".join(map(str, row)) for row in database.query(statement)]

    states = ("checking", "running", "interrupted", "succeeded", "failed")
    for state in states:
        database.importer(MemoryStore(lines_of(GOOD))).run(version_of(f"{state}.csv"))
        database.query("UPDATE csv_import SET status = %s WHERE object_key = %s", state, f"{state}.csv")
    digests = {state: version_of(f"{state}.csv").digest for state in states}
    ledger = HostLedger(query)
    asked = [*digests.values(), version_of("another.csv").digest]
    assert ledger.known(asked) == set(digests.values())
    assert ledger.taken(asked) == set(digests.values()) - {digests["interrupted"]}
    assert ledger.known([]) == ledger.taken([]) == set()
    before = ledger.progress()
    database.query("UPDATE csv_import SET attempts = attempts + 1 WHERE status IN ('interrupted', 'failed')")
    assert ledger.progress() == before
    database.query("UPDATE csv_import SET attempts = attempts + 1 WHERE status = 'running'")
    assert ledger.progress() != before
