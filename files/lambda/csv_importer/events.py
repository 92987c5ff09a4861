"""The event of an import that has ended, and the message that tells people and programs of it. Pure."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from csv_importer.datasets import ALARM_REJECT_RATIO, Dataset
from csv_importer.objects import ObjectVersion
from csv_importer.ports import Counts, Entry, Message, Status

VERSION = "1"
"""The version of the event's schema, files/events/import_ended.schema.json."""

TYPE = "import.ended"

SUBJECT_LENGTH = 99
"""Characters of the longest subject that SNS takes: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html."""

type Event = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Source:
    """Where the importer runs.

    Attributes:
        stack: The stack's name.
        environment: The environment's name, which is that of its inventory.
    """

    stack: str
    environment: str

    def command(self, playbook: str, *options: str) -> str:
        """Return the command that runs a playbook for this environment."""
        given = "".join(f" -e {option}" for option in options)
        return f"ansible-playbook playbooks/{playbook}.yml -i inventories/{self.environment}{given}"


def has_many_rejects(counts: Counts, dataset: Dataset | None) -> bool:
    """Return whether somebody should look at an import, although it may have succeeded."""
    ratio = dataset.alarm_reject_ratio if dataset else ALARM_REJECT_RATIO
    rows = counts.loaded + counts.rejected
    return counts.rejected > 0 and (counts.loaded == 0 or counts.rejected > ratio * rows)


def event_of(version: ObjectVersion, entry: Entry, dataset: Dataset | None) -> dict[str, Any]:
    """Return the event of an import that ends now, but for the times, which are the database's, and the source.

    Args:
        version: The object version.
        entry: The ledger's row as it is at the end.
        dataset: The dataset that takes the object.
    """
    counts = entry.total
    return {
        "version": VERSION,
        # Random: the numbers of imports begin again with each new database.
        "id": str(uuid.uuid4()),
        "type": TYPE,
        "import_id": entry.import_id,
        "dataset": entry.dataset or None,
        "bucket": version.bucket,
        "key": version.key,
        "version_id": version.version_id,
        "size": entry.size,
        "status": entry.status.value,
        "reason": entry.reason,
        "counts": {
            "read": counts.read,
            "loaded": counts.loaded,
            "rejected": counts.rejected,
            "blank": counts.blank,
        },
        "many_rejects": has_many_rejects(counts, dataset),
        "attempts": entry.attempts,
    }


def message_of(stored: Event, source: Source) -> Message:
    """Return the message about an event of the outbox.

    Args:
        stored: The event as it was stored.
        source: Where the importer runs.
    """
    event = {
        "version": stored["version"],
        "id": stored["id"],
        "type": stored["type"],
        "stack": source.stack,
        "environment": source.environment,
        # MySQL keeps the members of an object in an order of its own.
        **{name: stored[name] for name in ("import_id", "dataset", "bucket", "key", "version_id", "size")},
        "status": stored["status"],
        "reason": stored["reason"],
        "counts": {name: stored["counts"][name] for name in ("read", "loaded", "rejected", "blank")},
        **{name: stored[name] for name in ("many_rejects", "attempts", "started_at", "finished_at")},
    }
    attributes = {
        "status": event["status"],
        "environment": source.environment,
        "many_rejects": json.dumps(event["many_rejects"]),
    }
    if event["dataset"]:
        # SNS takes no attribute without a value.
        attributes["dataset"] = event["dataset"]
    title = _title(event)
    body = {"default": json.dumps(event), "email": _text(event, source, title)}
    return Message(event["id"], _subject(event, source, title), json.dumps(body), attributes)


def _title(event: Event) -> str:
    if event["status"] == Status.FAILED:
        return "Import failed"
    if not event["many_rejects"]:
        return "Import succeeded"
    return "Import with many rejects" if event["counts"]["loaded"] else "Import loaded nothing"


def _subject(event: Event, source: Source, title: str) -> str:
    """Return a subject as SNS takes it: ASCII without control characters."""
    begin = f"[{source.stack}] {title}: "[: SUBJECT_LENGTH // 2 + 20]
    key = _shown(event["key"]).encode("ascii", "replace").decode()
    room = SUBJECT_LENGTH - len(begin)
    # The end of a key says more than its folders.
    return begin + (key if len(key) <= room else "..." + key[3 - room :])


def _text(event: Event, source: Source, title: str) -> str:
    """Return what a person reads."""
    counts, import_id = event["counts"], event["import_id"]
    rows = ", ".join(f"{counts[name]:,} {name}" for name in ("read", "loaded", "rejected", "blank"))
    lines = [
        f"{title}: {_shown(event['key'])}",
        "",
        f"Environment  {source.environment} (stack {source.stack})",
        f"Bucket       {event['bucket']}",
        f"Key          {_shown(event['key'])}",
        f"Version      {event['version_id']}",
        f"Dataset      {event['dataset'] or 'none takes this key'}",
        f"Size         {event['size']:,} bytes",
        f"Status       {event['status']}",
        *([f"Reason       {_shown(event['reason'])}"] if event["reason"] else []),
        f"Rows         {rows}",
        f"Import       {import_id}, attempt {event['attempts']}",
        f"Started      {event['started_at']}",
        f"Finished     {event['finished_at']}",
    ]
    if event["many_rejects"]:
        share = 100 * counts["rejected"] / (counts["loaded"] + counts["rejected"])
        lines += ["", f"Many rejects: {share:.3g} % of the rows were rejected."]
    failed = event["status"] == Status.FAILED
    lines += ["", "To look at it:", source.command("imports", *(["imports_status=failed"] if failed else []))]
    if counts["rejected"]:
        options = (f"rejects_of={import_id}", f"rejects_file=rejects-{import_id}.csv")
        lines += ["", "To see the rejected rows:", source.command("imports", *options)]
    if failed:
        again = source.command("replay", f"replay={import_id}")
        lines += ["", "To run it again, once its cause is removed (a corrected file is uploaded instead):", again]
    return "\n".join(lines) + "\n"


def _shown(text: str) -> str:
    """Escape what would not show, or would pretend to be a line of its own."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
