"""How pages and JSON write what the ledger holds."""

from __future__ import annotations

import datetime as dt
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from status_page.ledger import FAILED, Counts, Day, Import, Imports, Newest, Overview, Rejects

MINUTE, HOUR, DAY = 60, 3600, 86_400


def number(value: int | None) -> str:
    """Return a number with its thousands apart, and a dash for none."""
    return "–" if value is None else f"{value:,}"


def iso(moment: dt.datetime | dt.date) -> str:
    """Return a time as ISO 8601 has it, to the second."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}" if isinstance(moment, dt.datetime) else moment.isoformat()


def duration(seconds: float) -> str:
    """Return how long something takes, in its two largest units."""
    seconds = round(seconds) if seconds >= 10 else round(seconds, 1)
    if seconds < MINUTE:
        return f"{seconds:g} s"
    whole = int(seconds)
    for unit, size, smaller, part in (("d", DAY, "h", HOUR), ("h", HOUR, "min", MINUTE), ("min", MINUTE, "s", 1)):
        if whole >= size:
            rest = whole % size // part
            return f"{whole // size} {unit}" + (f" {rest} {smaller}" if rest else "")
    raise AssertionError(seconds)


def age(moment: dt.datetime) -> str:
    """Return how long ago a time is."""
    seconds = max((dt.datetime.now(dt.UTC) - moment).total_seconds(), 0)
    for unit, size in (("day", DAY), ("hour", HOUR), ("minute", MINUTE)):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"


def size(count: int) -> str:
    """Return a number of bytes with a unit."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= factor:
            return f"{count / factor:.3g} {unit}"
    return f"{count} B"


def commands(environment: str, of: Import) -> list[str]:
    """Return what to run next because of an import: see docs/imports.md."""
    inventory = f"-i inventories/{shlex.quote(environment)}"
    found = []
    if of.status in FAILED or of.idle_seconds is not None:
        found.append(f"ansible-playbook playbooks/replay.yml {inventory} -e replay={of.id}")
    if of.rows_rejected:
        found.append(
            f"ansible-playbook playbooks/imports.yml {inventory} -e rejects_of={of.id} -e rejects_file=rejects.csv"
        )
    return found


def import_as_json(of: Import) -> dict[str, Any]:
    """Return an import with the names that playbooks use for it, too."""
    return {
        "id": of.id,
        "bucket": of.bucket,
        "key": of.key,
        "version_id": of.version_id,
        "dataset": of.dataset,
        "status": of.status,
        "attempts": of.attempts,
        "size_bytes": of.size_bytes,
        "bytes_read": of.bytes_read,
        "rows_read": of.rows_read,
        "rows_loaded": of.rows_loaded,
        "rows_rejected": of.rows_rejected,
        "rows_blank": of.rows_blank,
        "rows_per_second": of.rows_per_second,
        "seconds": round(of.seconds, 3),
        "seconds_left": of.seconds_left,
        "idle_seconds": of.idle_seconds,
        "reason": of.reason,
        "started_at": iso(of.started_at),
        "finished_at": of.finished_at and iso(of.finished_at),
        "undone_at": of.undone_at and iso(of.undone_at),
        "rows_undone": of.rows_undone,
    }


def imports_as_json(page: Imports) -> dict[str, Any]:
    """Return a page of imports; ``before`` is the parameter of the next one."""
    return {"imports": [import_as_json(each) for each in page.imports], "before": page.before}


def rejects_as_json(page: Rejects) -> dict[str, Any]:
    """Return a page of rejects; ``after`` is the parameter of the next one."""
    return asdict(page)


def public_as_json(counts: Counts, newest: Sequence[Newest], days: Sequence[Day]) -> dict[str, Any]:
    """Return health and totals: no names, no reasons."""
    ended = max((each.finished_at for each in newest if each.finished_at), default=None)
    imports: dict[str, int] = {}
    for total in counts.totals:
        imports[total.status] = imports.get(total.status, 0) + total.imports
    return {
        "status": "ok",
        "at": iso(counts.at),
        "imports": imports,
        "rows_loaded": sum(total.rows_loaded for total in counts.totals),
        "rows_rejected": sum(total.rows_rejected for total in counts.totals),
        "newest_success_at": ended and iso(ended),
        "days": days_as_json(days),
    }


def days_as_json(days: Sequence[Day]) -> list[dict[str, Any]]:
    """Return counts by day."""
    return [asdict(day) | {"day": iso(day.day)} for day in days]


def overview_as_json(counts: Counts, overview: Overview, days: Mapping[str, Sequence[Day]]) -> dict[str, Any]:
    """Return all that the private overview shows."""
    return {
        "status": "ok",
        "at": iso(counts.at),
        "totals": [asdict(total) for total in counts.totals],
        "days": {dataset: days_as_json(each) for dataset, each in days.items()},
        "newest": [
            asdict(each) | {"finished_at": each.finished_at and iso(each.finished_at)} for each in overview.newest
        ],
        "at_work": [import_as_json(each) for each in overview.at_work],
        "without_progress": overview.without_progress,
        "failures": [import_as_json(each) for each in overview.failures],
    }
