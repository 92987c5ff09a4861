"""Object versions, and the S3 events that name them."""

import datetime as dt
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import unquote_plus

from csv_importer.errors import ConfigurationError

type Json = Mapping[str, object]

IMPORT_FILE_LENGTH = 100
"""Characters of the column import_file."""

LONG_AGO = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
"""When an upload began of which that is not known."""

_NO_ID = "null"
_ETAG = "etag:"
_SEQUENCER = re.compile("[0-9A-Fa-f]{1,64}")


@dataclass(frozen=True, slots=True)
class ObjectVersion:
    """One version of one object in S3: what is imported exactly once.

    Attributes:
        bucket: The bucket's name.
        key: The object's key as it is, not as an event encodes it.
        version_id: The version id, or "etag:" and the ETag where the bucket has no versioning.
        etag: The ETag without quotes; empty where the event has none.
        modified: When its upload began, in whole seconds: S3 orders the versions of a key by that.
        sequencer: What orders two events of one key, in a form that is compared as text; empty where it is not known.
    """

    bucket: str
    key: str
    version_id: str
    etag: str
    modified: dt.datetime = field(default=LONG_AGO, compare=False)
    sequencer: str = field(default="", compare=False)

    @property
    def is_named(self) -> bool:
        """Whether it has a version id of S3."""
        return not self.version_id.startswith(_ETAG)

    def identified(self, version_id: str, etag: str, modified: dt.datetime) -> "ObjectVersion":
        """Return this version under the id that S3 has for it.

        Args:
            version_id: The version id in S3's answer; empty, or "null", where the object has none.
            etag: The ETag in it.
            modified: When the object was last modified, with a time zone.
        """
        return replace(self._identified(version_id, etag), modified=modified.astimezone(dt.UTC))

    def _identified(self, version_id: str, etag: str) -> "ObjectVersion":
        if version_id and version_id != _NO_ID:
            return replace(self, version_id=version_id)
        if self.is_named:
            return self
        etag = etag.strip('"')
        return replace(self, version_id=_ETAG + etag, etag=etag)

    @property
    def digest(self) -> str:
        """64 hexadecimal digits that stand for bucket, key and version."""
        return hashlib.sha256(f"{self.bucket}\0{self.key}\0{self.version_id}".encode()).hexdigest()

    @property
    def import_file(self) -> str:
        """The key as the column import_file holds it: whole, or cut and with a part of its hash."""
        if len(self.key) <= IMPORT_FILE_LENGTH:
            return self.key
        digest = hashlib.sha256(self.key.encode()).hexdigest()[:16]
        return f"{self.key[: IMPORT_FILE_LENGTH - len(digest) - 1]}~{digest}"


def records_of(event: object) -> list[Json]:
    """List the records of an S3 event; none for a test event or anything else."""
    records = event.get("Records") if isinstance(event, Mapping) else None
    return [record for record in records if isinstance(record, Mapping)] if isinstance(records, list) else []


def object_version_of(record: Json, bucket: str) -> ObjectVersion | None:
    """Return the object version that a record names.

    Args:
        record: One of an S3 event's records.
        bucket: The only bucket that is served.

    Returns:
        The object version, or None where the key ends in a slash: consoles create such objects to show folders.

    Raises:
        ConfigurationError: The record is from another bucket, or not from S3.
    """
    try:
        s3 = _mapping(record["s3"])
        named = str(_mapping(s3["bucket"])["name"])
        thing = _mapping(s3["object"])
        key = unquote_plus(str(thing["key"]), errors="strict")
    except (KeyError, TypeError, ValueError):
        raise ConfigurationError("a record of the event is not from S3: it has no bucket name and object key") from None
    if named != bucket:
        raise ConfigurationError(
            f"the event is of bucket {named!r}; this function serves {bucket!r} only (BUCKET_NAME)"
        )
    if key.endswith("/"):
        return None
    etag = str(thing.get("eTag") or "").strip('"')
    version_id = str(thing.get("versionId") or _NO_ID)
    return ObjectVersion(
        named,
        key,
        _ETAG + etag if version_id == _NO_ID else version_id,
        etag,
        sequencer=_sequencer(str(thing.get("sequencer") or "")),
    )


def _sequencer(text: str) -> str:
    """Return a sequencer so that two are compared as text.

    They are hexadecimal, and the shorter one is filled up with zeros on its right:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
    """
    return text.upper().rstrip("0") if _SEQUENCER.fullmatch(text) else ""


def _mapping(value: object) -> Json:
    if not isinstance(value, Mapping):
        raise TypeError
    return value
