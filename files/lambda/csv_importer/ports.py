"""What the importer needs of the outside world."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from csv_importer.datasets import Dataset, Datasets
from csv_importer.fields import Column
from csv_importer.objects import ObjectVersion
from csv_importer.parsing import Block, Position, Reject


class Status(StrEnum):
    """The status of an import, as in the ledger."""

    CHECKING = "checking"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    """Nobody works on it now; the next attempt goes on with it."""

    @property
    def ended(self) -> bool:
        """Whether nothing more is done without a replay."""
        return self in (Status.SUCCEEDED, Status.FAILED)


@dataclass(frozen=True, slots=True)
class Counts:
    """Records loaded, rejected and blank; read is always their sum."""

    loaded: int = 0
    rejected: int = 0
    blank: int = 0

    @property
    def read(self) -> int:
        """How many there were."""
        return self.loaded + self.rejected + self.blank

    def __add__(self, other: "Counts") -> "Counts":
        """Add, kind by kind."""
        return Counts(self.loaded + other.loaded, self.rejected + other.rejected, self.blank + other.blank)

    def __sub__(self, other: "Counts") -> "Counts":
        """Subtract, kind by kind."""
        return Counts(self.loaded - other.loaded, self.rejected - other.rejected, self.blank - other.blank)


class Range(NamedTuple):
    """A part of a file that has been imported before what precedes it.

    Attributes:
        start: Where it begins.
        end: Where it ends.
        counts: Its counts.
    """

    start: Position
    end: Position
    counts: Counts


class Gap(NamedTuple):
    """A part of a file that has not been imported yet.

    Attributes:
        start: Where it begins.
        end: Where it ends; None for the end of the file.
        rejected: How many records are known to be rejected before it.
    """

    start: Position
    end: Position | None
    rejected: int


@dataclass(frozen=True, slots=True)
class Entry:
    """An object version's row in the ledger.

    Attributes:
        import_id: Its key.
        status: The status of the import.
        position: Up to where the file has been imported.
        counts: The counts up to there.
        attempts: How often it was begun: what an older attempt would store is refused.
        ranges: What has been imported beyond the position, in the order of the file.
        request_id: The invocation that wrote last.
        size: The object's size in bytes, as far as known.
        reason: Why it failed, or was interrupted.
        dataset: The dataset that it belongs to; empty for none.
        undone: Whether its rows were removed, or are being removed, by undo.yml.
    """

    import_id: int
    status: Status
    position: Position
    counts: Counts
    request_id: str
    attempts: int = 1
    ranges: tuple[Range, ...] = ()
    size: int = 0
    reason: str | None = None
    dataset: str = ""
    undone: bool = False

    @property
    def has_begun(self) -> bool:
        """Whether anything of the file has been imported: without a header, that may be behind position 0 only."""
        return bool(self.position.offset or self.ranges)

    @property
    def total(self) -> Counts:
        """The counts of all that has been imported."""
        return sum((each.counts for each in self.ranges), self.counts)

    @property
    def gaps(self) -> list[Gap]:
        """What has not been imported yet, in the order of the file."""
        found = []
        start, rejected = self.position, self.counts.rejected
        for each in self.ranges:
            found.append(Gap(start, each.start, rejected))
            start, rejected = each.end, rejected + each.counts.rejected
        return [*found, Gap(start, None, rejected)]

    def folded(self) -> "Entry":
        """Return the row with what follows on the position as part of it; of adjacent ranges one is made."""
        merged: list[Range] = []
        for start, end, counts in (Range(self.position, self.position, self.counts), *sorted(self.ranges)):
            if merged and merged[-1].end.offset == start.offset:
                last = merged.pop()
                merged.append(Range(last.start, end, last.counts + counts))
            else:
                merged.append(Range(start, end, counts))
        first, *ranges = merged
        return replace(self, position=first.end, counts=first.counts, ranges=tuple(ranges))


@dataclass(frozen=True, slots=True)
class Credentials:
    """How to reach the database, and as whom.

    Attributes:
        host: The cluster's writer.
        port: Its port.
        user: The importer's user.
        password: Its password, or an IAM authentication token: valid for one connection, opened now.
        database: The database.
        lock_key: What other users of the database do not know, whether or not it is the password; may be empty.
    """

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str
    lock_key: str = field(default="", repr=False)


class Secrets(Protocol):
    """The importer's secret."""

    def credentials(self, *, fresh: bool = False) -> Credentials:
        """Read the secret, for a connection that is opened now.

        Args:
            fresh: Whether what was read before is out of date.

        Raises:
            ConfigurationError: It does not exist, or lacks a key.
            TransientError: Secrets Manager does not answer.
        """


class ByteStream(Protocol):
    """An object's content from some offset on."""

    @property
    def size(self) -> int:
        """The whole object's size in bytes."""

    def read(self, size: int) -> bytes:
        """Read up to size bytes; none only at the end.

        Raises:
            FileRefused: The object is gone.
            TransientError: S3 does not answer.
        """

    def close(self) -> None:
        """Close the connection."""


class ObjectStore(Protocol):
    """The bucket."""

    def identify(self, version: ObjectVersion) -> ObjectVersion:
        """Return an object version under the id that the bucket has for it, however an event names it.

        Raises:
            FileRefused: It does not exist.
            TransientError: S3 does not answer.
        """

    def open(self, version: ObjectVersion, offset: int) -> ByteStream:
        """Open one version of an object at an offset in bytes.

        Raises:
            FileRefused: It does not exist, or cannot be read without being restored.
            TransientError: S3 does not answer.
        """


type Stamp = Mapping[str, str | int]
"""What is stored with each row of an import, by column."""


class Loader[T](Protocol):
    """Stores rows in the table."""

    def encode(self, block: Block) -> T:
        """Prepare a block; called in the thread that parses."""

    def load(self, contents: Iterator[T], columns: Sequence[Column], stamp: Stamp) -> tuple[int, list[Reject]]:
        """Store the rows of some blocks, within the transaction; it need not take all of them.

        Args:
            contents: The results of encode, one for each block.
            columns: The columns in the order of the file.
            stamp: What is stored with each row.

        Returns:
            How many rows are stored, and those that only the database refuses.

        Raises:
            RowsAltered: The database would not have stored the values as they are.
        """


class RowsAltered(Exception):
    """Rows were changed or dropped on their way into the table: the transaction must not be committed."""


class Superseded(Exception):
    """A newer version of the same object has taken the place of this one, in mode replace.

    Attributes:
        import_id: Its import.
    """

    def __init__(self, import_id: int) -> None:
        """Keep the import."""
        self.import_id = import_id
        super().__init__(f"superseded by import {import_id}")


@dataclass(frozen=True, slots=True)
class Message:
    """A message of a topic.

    Attributes:
        id: The event's id.
        subject: The subject of a mail.
        body: JSON with the text for each protocol: default and email.
        attributes: What subscribers may filter by.
    """

    id: str
    subject: str
    body: str
    attributes: Mapping[str, str]

    @property
    def size(self) -> int:
        """Its bytes, as the limit of SNS counts them, and a few more."""
        texts = (self.subject, self.body, *self.attributes, *self.attributes.values())
        return sum(len(text.encode()) for text in texts) + 100


class Published(NamedTuple):
    """What a topic has taken.

    Attributes:
        accepted: The ids of the messages that it has taken.
        reason: Why it has not taken the others; None where it has taken all.
    """

    accepted: Collection[str]
    reason: str | None = None


class Topic(Protocol):
    """Where events are published."""

    @property
    def name(self) -> str:
        """Which topic it is."""

    @property
    def pausing(self) -> bool:
        """Whether it has refused, or not answered, shortly before."""

    def publish(self, messages: Sequence[Message]) -> Published:
        """Publish messages, in bounded time; what it does not take is no error."""


class After(NamedTuple):
    """What is left to do once an import has ended.

    Attributes:
        publish: Whether its event is published.
        tag: Whether its object is tagged, where it has succeeded.
    """

    publish: bool = False
    tag: bool = False


NOTHING_AFTER = After()
"""Where there is no topic, and objects are not tagged."""


class Tags(Protocol):
    """The tags of objects in the bucket."""

    @property
    def pausing(self) -> bool:
        """Whether it has refused, or not answered, shortly before."""

    def mark(self, version: ObjectVersion) -> None:
        """Tag an object version as imported; its other tags stay.

        Raises:
            FileRefused: It is gone, or has as many other tags as an object may have.
            TransientError: S3 does not answer.
            ConfigurationError: The role may not tag it.
        """


class Outbox[T](Protocol):
    """What is left to do once imports have ended, of any import."""

    def hand_over(self, most: int, deliver: Callable[[Mapping[int, T]], Collection[int]]) -> int:
        """Have the oldest done, but what another session is doing; delete what is done.

        Args:
            most: How many at most.
            deliver: Does what it is given, by key, and returns the keys of what is done.

        Returns:
            How many there were to be done, most at most.

        Raises:
            TransientError: The database cannot be used now.
            ConfigurationError: The user lacks a privilege.
        """


class Past(Protocol):
    """Imports in the ledger that ended long ago."""

    def some(
        self, bucket: str, days: int, datasets: Datasets, share: float, most: int
    ) -> Sequence[tuple[int, ObjectVersion]]:
        """Return imports that ended so many days ago, and that neither rows nor other imports are compared with.

        Args:
            bucket: The bucket of their objects.
            days: The days.
            datasets: The datasets.
            share: From which part of the ledger: 0 is the oldest import, 1 would be behind the newest one.
            most: How many imports from there on are looked at.

        Returns:
            Id and object version of each.

        Raises:
            TransientError: The database cannot be used now.
            ConfigurationError: The user lacks a privilege.
        """

    def forget(self, import_id: int, days: int) -> bool:
        """Delete an import and its rejects, in a transaction of its own, if it is still one that ended so long ago.

        Returns:
            Whether it was deleted.

        Raises:
            TransientError: The database cannot be used now.
            ConfigurationError: The user lacks a privilege.
        """


class Session(Protocol):
    """A connection for one object version.

    Only one of several sessions can store progress from the same position on (advance), so that nothing is imported
    twice. The lock, which others may hold, only saves the work that would be lost.
    """

    @property
    def locked(self) -> bool:
        """Whether it holds the object version's lock."""

    @property
    def bulk_loaders(self) -> "Sequence[Loader[Any]]":
        """The fast loaders, the fastest first; the next one where rows are altered. None where they are forbidden."""

    @property
    def row_loader(self) -> "Loader[Any]":
        """The loader that finds the rows which the database refuses."""

    @property
    def events(self) -> Outbox[Mapping[str, Any]]:
        """The events that are not published yet, of any import."""

    @property
    def tags(self) -> Outbox[ObjectVersion]:
        """The object versions that are not tagged yet, of any import."""

    @property
    def past(self) -> Past:
        """The imports that ended long ago."""

    def claim(self, *, replay: bool, checking: bool) -> Entry:
        """Count this attempt in the ledger's row, which is created if there is none, and read it.

        Args:
            replay: Whether a failed import starts to run again.
            checking: Whether a new import is checked before it is loaded.

        Raises:
            TransientError: Another session wrote the row at the same time.
        """

    def turn(self) -> AbstractContextManager[None]:
        """Wait, for a bounded time, until no other session of this table has its turn; have it, and give it back."""

    def transaction(self) -> AbstractContextManager[None]:
        """Commit at the end; roll back on an exception."""

    def reject(self, entry: Entry, rejects: Sequence[Reject]) -> None:
        """Store rejects, within the transaction."""

    def forget(self, days: int, most: int) -> int:
        """Delete the oldest rejects of imports that ended, or were last worked on, so many days ago.

        Args:
            days: The days.
            most: How many rejects are deleted at most.

        Returns:
            How many were deleted: less than most only where no others are left.

        Raises:
            TransientError: The database cannot be used now.
            ConfigurationError: The user lacks a privilege.
        """

    def advance(self, before: Entry, after: Entry) -> None:
        """Store progress, within the transaction; where the import ends, what is left to do after it, too.

        Raises:
            TransientError: The ledger's row is not as in before: another session wrote it.
        """

    def record(self, entry: Entry, ranges: "Sequence[Range]") -> None:
        """Store what is imported beyond the position, within the transaction, whatever others store meanwhile.

        Raises:
            TransientError: The import has been begun again, or has ended.
        """

    def fold(self, entry: Entry, ranges: "Sequence[Range]") -> Entry:
        """Store what is imported beyond the position, and move this up to the first gap, within the transaction.

        Args:
            entry: The ledger's row as it is, but for ranges.
            ranges: What is imported.

        Returns:
            The row.

        Raises:
            TransientError: The import has been begun again, or has ended.
        """

    def keep_alive(self) -> None:
        """Have the server not take the session for idle.

        Raises:
            TransientError: It is lost.
        """

    def spare_connections(self) -> int:
        """Return how many more connections this import may have, so that others find some, too."""

    def check_newest(self, entry: Entry) -> None:
        """Check that no newer version of the same object has been stored, or has begun to be.

        Raises:
            Superseded: One has.
        """

    def has_outdated(self, entry: Entry, most: int) -> bool:
        """Return whether the table has more than so many rows of older versions of the same object."""

    def take_place(self, entry: Entry, *, first: bool, most: int | None = None) -> int:
        """Take the place of older versions of the same object, within the transaction.

        Until its end, no other version of the same object is stored.

        Args:
            entry: The ledger's row.
            first: Whether none of this version's rows are stored yet, so that those of older ones are removed.
            most: How many rows are removed at most; None for all.

        Returns:
            How many rows were removed.

        Raises:
            Superseded: A newer version has been stored, or has begun to be.
        """

    def check_table(self) -> None:
        """Compare the table with the dataset.

        Raises:
            TransientError: It is missing or another one: it has not been migrated yet, or the function is older.
        """


class Database(Protocol):
    """The database."""

    def open(
        self, version: ObjectVersion, dataset: Dataset | None, timeout: float
    ) -> "AbstractContextManager[Session | Entry]":
        """Connect and take the lock of an object version.

        Args:
            version: The object version.
            dataset: The dataset that it belongs to; None where none takes it, so that only the ledger is written.
            timeout: Seconds to wait while another session holds the lock.

        Returns:
            The session; or the ledger's row, where another invocation ended the import or makes progress with it.
            A session without the lock, where whoever holds it has shown no progress for the whole lock timeout.

        Raises:
            TransientError: The database cannot be reached or used now, or the lock stays taken.
            ConfigurationError: The secret, the certificate or the user is wrong.
        """

    def open_more(self, version: ObjectVersion, dataset: Dataset) -> "AbstractContextManager[Session]":
        """Connect once more, for an import that has a session already: this one has no lock.

        Raises:
            TransientError: The database cannot be reached or used now.
            ConfigurationError: The secret, the certificate or the user is wrong.
        """

    def interrupt(self, version: ObjectVersion, reason: str) -> None:
        """Write into the ledger that nobody works on an import now, and why; the next claim takes it back.

        Nothing is written where this database has not claimed the import, another one has claimed it since, or it has
        ended.

        Args:
            version: The object version.
            reason: What has ended the work.

        Raises:
            TransientError: The database cannot be reached or used now.
            ConfigurationError: The secret, the certificate or the user is wrong, or the ledger is an older one.
        """


class Continuation(Protocol):
    """Lets another invocation do the rest of the work."""

    def send(self, event: Mapping[str, object]) -> None:
        """Send an event with the rest of the work.

        Raises:
            TransientError: It was not accepted: the event at hand has to be retried instead.
        """
