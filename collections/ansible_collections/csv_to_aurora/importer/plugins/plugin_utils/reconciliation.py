# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which object versions of a bucket the ledger does not know, and events that have them imported.

Both are read in pages: memory does not grow with the bucket.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import batched
from typing import Any, Protocol
from urllib.parse import quote_plus

BATCH = 5_000
"""Object versions that the ledger is asked for at once: 350 KB of SQL."""

RECORDS = 10
"""Object versions of one event, at most: 50 KB with the longest keys, and Lambda takes 256."""

EVENT_BYTES = 64 << 20
"""Content of the object versions of one event, at most, unless it is a single one: they are imported in turn."""


@dataclass(frozen=True, slots=True)
class ObjectVersion:
    """One version of an object, as S3 lists it.

    Attributes:
        bucket: The bucket.
        key: The object's key, as it is.
        version_id: Its id as the ledger has it: that of S3, or C(etag:) and the ETag where the object has none.
        etag: The ETag, without quotes.
        size: The size in bytes.
        modified: When its upload began.
    """

    bucket: str
    key: str
    version_id: str
    etag: str
    size: int
    modified: datetime

    @classmethod
    def of(cls, bucket: str, listed: Mapping[str, Any]) -> ObjectVersion:
        """Read an entry of ListObjectVersions."""
        etag = str(listed.get("ETag") or "").strip('"')
        version_id = str(listed.get("VersionId") or "null")
        return cls(
            bucket,
            listed["Key"],
            f"etag:{etag}" if version_id == "null" else version_id,
            etag,
            int(listed.get("Size") or 0),
            listed["LastModified"].astimezone(UTC),
        )

    @property
    def unnamed(self) -> bool:
        """Whether S3 has no id for it, as for what was uploaded before the bucket had versioning."""
        return self.version_id.startswith("etag:")

    @property
    def digest(self) -> str:
        """What the ledger knows it by, its column version_hash."""
        return hashlib.sha256(f"{self.bucket}\0{self.key}\0{self.version_id}".encode()).hexdigest()

    @property
    def record(self) -> dict[str, Any]:
        """The record of an S3 event about it."""
        thing = {
            "key": quote_plus(self.key, safe="/"),
            "versionId": "null" if self.unnamed else self.version_id,
            "eTag": self.etag,
        }
        return {"s3": {"bucket": {"name": self.bucket}, "object": thing}}


class Ledger(Protocol):
    """What the ledger is asked for."""

    def known(self, digests: Collection[str]) -> set[str]:
        """Return those of these object versions that have an import, whatever its status."""

    def taken(self, digests: Collection[str]) -> set[str]:
        """Return those of them whose import has begun, and has not been interrupted by an error."""

    def progress(self) -> str:
        """Return something that changes while imports that have begun get on."""


def listed(
    pages: Iterable[Mapping[str, Any]], bucket: str, suffixes: Sequence[str], *, newest: bool
) -> Iterator[ObjectVersion]:
    """Yield the object versions whose keys end like those that the bucket's notification is for.

    Args:
        pages: Answers of ListObjectVersions.
        bucket: The bucket.
        suffixes: What keys end in; case matters, as it does to S3.
        newest: Whether only versions that an unversioned GetObject returns are meant: of each key the newest one, and
            none where that is a delete marker. An older one without an id is left out where the newest one has the
            same ETag, and so the same content: the importer asks for it by that, and gets the newest one.
    """
    current: ObjectVersion | None = None
    for page in pages:
        for entry in page.get("Versions", []):
            if not entry["Key"].endswith(tuple(suffixes)):
                continue
            version = ObjectVersion.of(bucket, entry)
            # Versions come key by key, the newest one first.
            if entry["IsLatest"]:
                current = version
            elif newest or (current and version.unnamed and (version.key, version.etag) == (current.key, current.etag)):
                continue
            yield version


@dataclass
class Comparison:
    """Bucket minus ledger.

    Attributes:
        ledger: The ledger.
        before: What was uploaded later is left out: its event may still be on its way.
        batch: Object versions that the ledger is asked for at once.
        versions: How many object versions were compared, those left out included.
        young: How many were left out.
        missing: How many the ledger does not know.
        missing_bytes: Their size.
    """

    ledger: Ledger
    before: datetime
    batch: int = BATCH
    versions: int = 0
    young: int = 0
    missing: int = 0
    missing_bytes: int = 0

    def run(self, versions: Iterable[ObjectVersion]) -> Iterator[ObjectVersion]:
        """Yield the object versions that the ledger does not know, in the order of the listing."""
        for batch in batched(self._old(versions), self.batch, strict=False):
            known = self.ledger.known([version.digest for version in batch])
            for version in batch:
                if version.digest not in known:
                    self.missing += 1
                    self.missing_bytes += version.size
                    yield version

    def _old(self, versions: Iterable[ObjectVersion]) -> Iterator[ObjectVersion]:
        for version in versions:
            self.versions += 1
            if version.modified <= self.before:
                yield version
            else:
                self.young += 1


class Stalled(Exception):
    """The importer does not begin with what was sent to it."""


@dataclass
class Sender:
    """Sends events, never far ahead of the imports that they begin.

    A million events at once would wait longer in Lambda's queue than they may, and end as dead letters: what the
    database's connections allow is a matter of the importer, so that the ledger has to say how fast events may come.
    Where imports are interrupted, whatever the reason, no more are sent.

    Attributes:
        invoke: Sends one event, as JSON.
        ledger: The ledger.
        ahead: How many object versions may wait at most that were sent and have not begun, or were interrupted.
        timeout: Seconds after which the importer counts as stalled, while nothing begins and no import gets on.
        interval: Seconds between two looks at the ledger.
        sent: How many object versions were sent.
        events: In how many events.
    """

    invoke: Callable[[bytes], object]
    ledger: Ledger
    ahead: int = 500
    timeout: float = 900
    interval: float = 2
    sleep: Callable[[float], object] = time.sleep
    clock: Callable[[], float] = time.monotonic
    sent: int = 0
    events: int = 0
    _collected: list[ObjectVersion] = field(default_factory=list)
    _waiting: set[str] = field(default_factory=set)

    def send(self, version: ObjectVersion) -> None:
        """Send an object version, together with those that follow.

        Raises:
            Stalled: What was sent before does not begin.
        """
        size = sum(one.size for one in self._collected) + version.size
        if self._collected and (size > EVENT_BYTES or len(self._collected) == RECORDS):
            self.flush()
        self._collected.append(version)

    def flush(self) -> None:
        """Send what has been collected.

        Raises:
            Stalled: What was sent before does not begin.
        """
        if not self._collected:
            return
        self._wait()
        event = {"Records": [version.record for version in self._collected]}
        self.invoke(json.dumps(event, separators=(",", ":")).encode())
        self._waiting.update(version.digest for version in self._collected)
        self.sent += len(self._collected)
        self.events += 1
        self._collected.clear()

    def _wait(self) -> None:
        """Wait until another event may be sent."""
        seen = ""
        moved = self.clock()
        while len(self._waiting) + len(self._collected) > max(self.ahead, len(self._collected)):
            taken = self.ledger.taken(self._waiting)
            self._waiting -= taken
            if taken:
                moved = self.clock()
                continue
            if self.clock() - moved > self.timeout:
                raise Stalled(
                    f"{self.sent} object versions were sent in {self.events} events, {len(self._waiting)} of them have"
                    f" not begun or were interrupted, and for {self.timeout:.0f} s no import got on"
                )
            self.sleep(self.interval)
            progress = self.ledger.progress()
            if progress != seen:
                seen, moved = progress, self.clock()


def dataset_of(datasets: Iterable[Mapping[str, Any]], key: str) -> str:
    """Return the dataset that takes a key, the one with the longest prefix of it; empty where none does."""
    taking = [dataset for dataset in datasets if key.startswith(dataset["key_prefix"])]
    return str(max(taking, key=lambda dataset: len(dataset["key_prefix"]), default={"name": ""})["name"])


def described(version: ObjectVersion, datasets: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return an object version for people and reports."""
    return {
        "bucket": version.bucket,
        "key": version.key,
        "version_id": version.version_id,
        "etag": version.etag,
        "version_hash": version.digest,
        "size_bytes": version.size,
        "modified": f"{version.modified:%Y-%m-%dT%H:%M:%SZ}",
        "dataset": dataset_of(datasets, version.key) or None,
    }
