"""Does what is left to do once imports have ended, and never lets an import suffer from it."""

from collections.abc import Callable, Collection, Mapping
from typing import Protocol

from csv_importer.errors import FileRefused, ImporterError
from csv_importer.events import Event, Source, message_of
from csv_importer.objects import ObjectVersion
from csv_importer.ports import Outbox, RowsAltered, Tags, Topic

BATCH = 10
"""Events that are published at once: https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html."""

type Warn = Callable[..., None]
"""Writes a message with keys and values."""

type TimeLeft = Callable[[], float]
"""Returns how many seconds may still be used."""


class Pending(Protocol):
    """What is left to do, of any import."""

    @property
    def events(self) -> Outbox[Event]:
        """The events that are not published yet."""

    @property
    def tags(self) -> Outbox[ObjectVersion]:
        """The object versions that are not tagged yet."""


class Publisher:
    """Publishes the events that are pending, oldest first, until the topic refuses.

    Attributes:
        refused: How many events the topic has not taken.
    """

    def __init__(self, topic: Topic, source: Source, warn: Warn, *, at_any_time: bool = False) -> None:
        """Keep what publishing needs.

        Args:
            topic: Where to publish.
            source: Where the importer runs.
            warn: Where to report what could not be published.
            at_any_time: Whether to try a topic that has refused shortly before.
        """
        self.refused = 0
        self._topic = topic
        self._source = source
        self._warn = warn
        self._at_any_time = at_any_time

    def run(self, pending: Pending, batches: int, time_left: TimeLeft) -> None:
        """Publish some batches of events. No error is raised: what is left is published later.

        Args:
            pending: What is left to do.
            batches: How many at most.
            time_left: Returns how many seconds may still be used.
        """

        def may_go_on() -> bool:
            return not self.refused and time_left() > 0 and (self._at_any_time or not self._topic.pausing)

        _deliver(pending.events, self._send, batches, may_go_on, self._warn)

    def _send(self, events: Mapping[int, Event]) -> Collection[int]:
        messages = [message_of(event, self._source) for event in events.values()]
        published = self._topic.publish(messages)
        self.refused += len(messages) - len(published.accepted)
        if published.reason:
            self._warn(
                "The topic refuses events, which are published later",
                events=self.refused,
                reason=published.reason,
                topic=self._topic.name,
            )
        return [row_id for row_id, event in events.items() if event["id"] in published.accepted]


class Tagger:
    """Tags the objects of imports that have succeeded, oldest first, until the bucket refuses."""

    def __init__(self, tags: Tags, warn: Warn, *, at_any_time: bool = False) -> None:
        """Keep what tagging needs.

        Args:
            tags: The tags of objects.
            warn: Where to report what could not be tagged.
            at_any_time: Whether to try a bucket that has refused shortly before.
        """
        self._tags = tags
        self._warn = warn
        self._at_any_time = at_any_time
        self._refused = False

    def run(self, pending: Pending, batches: int, time_left: TimeLeft) -> None:
        """Tag some batches of objects. No error is raised: what is left is tagged later.

        Args:
            pending: What is left to do.
            batches: How many at most.
            time_left: Returns how many seconds may still be used.
        """

        def may_go_on() -> bool:
            return not self._refused and time_left() > 0 and (self._at_any_time or not self._tags.pausing)

        def tag(versions: Mapping[int, ObjectVersion]) -> Collection[int]:
            return self._tag(versions, time_left)

        _deliver(pending.tags, tag, batches, may_go_on, self._warn)

    def _tag(self, versions: Mapping[int, ObjectVersion], time_left: TimeLeft) -> Collection[int]:
        done: list[int] = []
        for import_id, version in versions.items():
            # One by one: a bucket that is slow would use up the time of several invocations.
            if done and time_left() <= 0:
                break
            try:
                self._tags.mark(version)
            except FileRefused as refusal:
                # It is gone, or cannot be tagged: later is no better.
                self._warn("An object is not tagged", import_id=import_id, key=version.key, reason=str(refusal))
            except ImporterError as error:
                self._refused = True
                self._warn(
                    "Objects are not tagged, and are later", objects=len(versions) - len(done), reason=str(error)
                )
                break
            done.append(import_id)
        return done


def _deliver[T](
    outbox: Outbox[T],
    deliver: Callable[[Mapping[int, T]], Collection[int]],
    batches: int,
    may_go_on: Callable[[], bool],
    warn: Warn,
) -> None:
    """Deliver some batches; no error is raised."""
    try:
        for _ in range(batches):
            if not may_go_on() or outbox.hand_over(BATCH, deliver) < BATCH:
                return
    except (ImporterError, RowsAltered) as error:
        warn("What is left to do after imports cannot be read, and is done later", reason=str(error))
    except Exception as error:  # noqa: BLE001 - the import has ended, and must not fail for this
        warn("What is left to do after imports could not be done, and is later", reason=type(error).__name__)
