"""Many files at once for a server that takes few connections: each of them is loaded, once."""

import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from csv_importer.errors import TransientError
from csv_importer.importer import Result
from csv_importer.limits import DEFAULTS
from csv_importer.objects import ObjectVersion

from .conftest import Database, make_database
from .files import GOOD, MemoryStore, lines_of, version_of
from .mysql_server import MySqlServer

CONNECTIONS = 20
OF_THE_USER = 12
FILES = 300
INVOCATIONS = 60
TRIES = 3
"""As often as Lambda tries an event."""
SECONDS = 60.0
"""Of one invocation."""
# Nothing but a connection is waited for: an error of any other kind costs one of the tries.
LIMITS = replace(DEFAULTS, retry_timeout=0.0, session_bytes=500_000)
LINE = f"{GOOD}\n".encode()


@pytest.fixture
def crowded() -> Iterator[Database]:
    """A database of a server with few connections."""
    with MySqlServer(options=(f"--max-connections={CONNECTIONS}",)) as server:
        database = make_database(server, LIMITS)
        database.query(f"ALTER USER {database.user} WITH MAX_USER_CONNECTIONS {OF_THE_USER}")
        yield database
        database.admin.close()


def rows_of(number: int) -> int:
    """Return how many rows a file has: most are small, and some have megabytes."""
    if number % 10 == 0:
        return 0
    return 60_000 if number % 100 == 50 else number % 7 * number


def test_300_files_of_all_sizes_for_20_connections(crowded: Database) -> None:
    events = [*range(FILES), *range(0, FILES, 15)]
    random.Random(1).shuffle(events)  # noqa: S311
    start = threading.Barrier(INVOCATIONS)
    waited: list[str] = []

    def log(message: str, **values: object) -> None:
        if message == "Waiting for a connection":
            waited.append(str(values["reason"]))

    def attempt(version: ObjectVersion, content: bytes, request_id: str) -> Result:
        until = time.monotonic() + SECONDS
        importer = crowded.importer(
            MemoryStore(content),
            request_id=request_id,
            sessions=4,
            log=log,
            sleep=time.sleep,
            time_left=lambda: until - time.monotonic(),
        )
        return importer.run(version).result

    def invoke(place: int) -> Result:
        """Import the file of an event, as often as Lambda tries it."""
        if place < INVOCATIONS:
            start.wait()
        number = events[place]
        # An object without a byte has no header, either.
        content = lines_of() + LINE * rows_of(number) if number % 20 else b""
        for last in [False] * (TRIES - 1) + [True]:
            try:
                return attempt(version_of(f"{number}.csv"), content, f"request-{place}")
            except TransientError:
                if last:
                    raise
        raise AssertionError

    with ThreadPoolExecutor(INVOCATIONS) as invocations:
        results = list(invocations.map(invoke, range(len(events))))
    assert results.count(Result.SUCCEEDED) == FILES
    assert {*results} <= {Result.SUCCEEDED, Result.DUPLICATE, Result.ELSEWHERE}
    assert {"1040", "1226"} & {reason.rpartition(" ")[2].strip(")") for reason in waited}
    assert {(entry["object_key"], entry["status"], entry["rows_loaded"]) for entry in crowded.ledger()} == {
        (f"{number}.csv", "succeeded", rows_of(number)) for number in range(FILES)
    }
    assert dict(crowded.query("SELECT import_file, COUNT(*) FROM customer GROUP BY import_file")) == {
        f"{number}.csv": rows_of(number) for number in range(FILES) if rows_of(number)
    }
    assert crowded.query("SELECT COUNT(*) FROM csv_import") == [(FILES,)]
