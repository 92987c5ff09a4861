"""Publishes the outbox's events, and never lets an import suffer from it."""

from collections.abc import Callable, Collection, Sequence

from csv_importer.errors import ImporterError
from csv_importer.events import Event, Source, message_of
from csv_importer.ports import Outbox, RowsAltered, Topic

BATCH = 10
"""Events that are published at once: https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html."""

type Warn = Callable[..., None]
"""Writes a message with keys and values."""


class Publisher:
    """Publishes what is pending, oldest first, until the topic refuses.

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

    def publish(self, outbox: Outbox, batches: int, time_left: Callable[[], float]) -> None:
        """Publish some batches of events. No error is raised: what is left is published later.

        Args:
            outbox: The outbox.
            batches: How many at most.
            time_left: Returns how many seconds may still be used.
        """
        try:
            for _ in range(batches):
                if self.refused or time_left() <= 0 or (self._topic.pausing and not self._at_any_time):
                    return
                if outbox.hand_over(BATCH, self._send) < BATCH:
                    return
        except (ImporterError, RowsAltered) as error:
            self._warn("The outbox cannot be used: its events are published later", reason=str(error))
        except Exception as error:  # noqa: BLE001 - the import has ended, and must not fail for this
            self._warn("Events could not be published, and are later", reason=type(error).__name__)

    def _send(self, events: Sequence[Event]) -> Collection[str]:
        messages = [message_of(event, self._source) for event in events]
        published = self._topic.publish(messages)
        self.refused += len(messages) - len(published.accepted)
        if published.reason:
            self._warn(
                "The topic refuses events, which are published later",
                events=self.refused,
                reason=published.reason,
                topic=self._topic.name,
            )
        return published.accepted
