"""The function's environment."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from csv_importer.errors import ConfigurationError
from csv_importer.events import Source

MAX_KEPT_REJECTS = 10_000
"""Rejects of one import that are kept: more than anybody corrects by hand, and 40 MB of text at most."""

MAX_SESSIONS = 16
"""Sessions of one import. One process parses no faster than some eight of them load."""

PROGRESS_TIMEOUT = 1800
"""Seconds without progress after which an import is named: twice the longest time of an invocation."""

LEDGER_DAYS = 15
"""Days for which an import stays in the ledger at least: a queue keeps the event of an object version for 14."""

SHIPPED_CA_FILE = Path(__file__).with_name("ca.pem")
SHIPPED_DATASETS_FILE = Path(__file__).with_name("datasets.json")


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings from the environment variables.

    Attributes:
        secret_id: SECRET_ID, the importer's secret by name or ARN.
        bucket: BUCKET_NAME, the only bucket that is served.
        ca_file: DATABASE_CA_FILE, or the CA certificates that come with the function.
        datasets_file: DATASETS_FILE, or the descriptors that come with the function.
        max_reject_ratio: MAX_REJECT_RATIO, the highest share of rows that may be rejected; None for any.
        max_kept_rejects: MAX_KEPT_REJECTS, how many rejects of one import are kept; the others are counted.
        reject_retention_days: REJECT_RETENTION_DAYS, the days after which rejects of an import that has ended are
            deleted; 0 keeps them.
        ledger_retention_days: LEDGER_RETENTION_DAYS, the days after which an import that has ended, and whose object
            version is gone, is deleted from the ledger; 0 keeps it. Otherwise at least 15.
        sessions: IMPORT_SESSIONS, how many database sessions one import may have at most, 1 to 16.
        iam_login: DATABASE_LOGIN, whether to log in with IAM authentication tokens instead of a password.
        topic: EVENTS_TOPIC_ARN, the topic for the events of imports that end; empty for none.
        source: STACK_NAME and ENVIRONMENT_NAME, which events and logs name.
        tag: PROCESSED_OBJECTS, whether objects are tagged once they have been imported.
        progress_timeout: PROGRESS_TIMEOUT, the seconds without progress after which the check names an import.
    """

    secret_id: str
    bucket: str
    ca_file: Path
    datasets_file: Path
    max_reject_ratio: float | None
    max_kept_rejects: int
    reject_retention_days: int
    ledger_retention_days: int
    sessions: int
    iam_login: bool
    topic: str
    source: Source
    tag: bool
    progress_timeout: int

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Settings":
        """Read the settings.

        Raises:
            ConfigurationError: One is missing or malformed; the message names it.
        """
        for name in ("SECRET_ID", "BUCKET_NAME"):
            if not environment.get(name):
                raise ConfigurationError(f"environment variable {name} is not set")
        processed = environment.get("PROCESSED_OBJECTS", "")
        if processed not in ("", "tag"):
            raise ConfigurationError(
                f"environment variable PROCESSED_OBJECTS is {processed!r}: it has to be tag or empty"
            )
        topic = environment.get("EVENTS_TOPIC_ARN", "")
        for name in ("STACK_NAME", "ENVIRONMENT_NAME"):
            if topic and not environment.get(name):
                raise ConfigurationError(f"environment variable {name} is not set: events name it (EVENTS_TOPIC_ARN)")
        login = environment.get("DATABASE_LOGIN") or "password"
        if login not in ("password", "iam"):
            raise ConfigurationError(f"environment variable DATABASE_LOGIN is {login!r}: it has to be password or iam")
        return cls(
            secret_id=environment["SECRET_ID"],
            bucket=environment["BUCKET_NAME"],
            ca_file=Path(environment.get("DATABASE_CA_FILE") or SHIPPED_CA_FILE),
            datasets_file=Path(environment.get("DATASETS_FILE") or SHIPPED_DATASETS_FILE),
            max_reject_ratio=_ratio(environment.get("MAX_REJECT_RATIO", "")),
            max_kept_rejects=_count(environment, "MAX_KEPT_REJECTS", MAX_KEPT_REJECTS, 999_999_999),
            reject_retention_days=_count(environment, "REJECT_RETENTION_DAYS", 0, 36_500),
            ledger_retention_days=_ledger_days(environment),
            sessions=_count(environment, "IMPORT_SESSIONS", 1, MAX_SESSIONS, lowest=1),
            iam_login=login == "iam",
            topic=topic,
            tag=processed == "tag",
            source=Source(
                environment.get("STACK_NAME") or "STACK", environment.get("ENVIRONMENT_NAME") or "ENVIRONMENT"
            ),
            progress_timeout=_count(environment, "PROGRESS_TIMEOUT", PROGRESS_TIMEOUT, 999_999, lowest=1),
        )


def _ratio(text: str) -> float | None:
    if not text:
        return None
    try:
        ratio = float(text)
    except ValueError:
        ratio = -1.0
    if not 0 <= ratio <= 1:
        raise ConfigurationError(
            f"environment variable MAX_REJECT_RATIO is {text!r}: it has to be a number from 0 to 1"
        )
    # All rows may be rejected: counting them beforehand would read the whole file for nothing.
    return ratio if ratio < 1 else None


def _ledger_days(environment: Mapping[str, str]) -> int:
    days = _count(environment, "LEDGER_RETENTION_DAYS", 0, 36_500)
    if 0 < days < LEDGER_DAYS:
        raise ConfigurationError(
            f"environment variable LEDGER_RETENTION_DAYS is {days}: it has to be 0, or {LEDGER_DAYS} at least, since"
            " events of an object version may come for 14 days"
        )
    return days


def _count(environment: Mapping[str, str], name: str, default: int, highest: int, *, lowest: int = 0) -> int:
    text = environment.get(name) or str(default)
    # What has more digits is not converted.
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(highest)) or not lowest <= int(text) <= highest:
        raise ConfigurationError(
            f"environment variable {name} is {text!r}: it has to be a whole number from {lowest} to {highest}"
        )
    return int(text)
