"""The status page over a sample ledger in a MySQL server of its own: a picture for the README, or load.

.venv/bin/python -m bench.status_page serve
.venv/bin/python -m bench.status_page picture docs/status_page.png
.venv/bin/python -m bench.status_page load --rate 200 --seconds 30
"""

from __future__ import annotations

import argparse
import http.client
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from browser import NoBrowserError, browser, prefer, resize

from tests.importer.mysql_server import MySqlServer, NoServerError
from tests.status_page.page_ledger import Ledger, make_ledger
from tests.status_page.served import served

IMPORTS = 100_000
"""Those of the ledger that load is driven against: ten million rows."""

CLIENTS = 16
"""Connections at a time."""


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _tell(ledger: Ledger) -> None:
    """Add a few imports that are worth to be looked at."""
    ledger.fill(4000)
    # Days of different size, fewer rows on Saturdays and Sundays; nothing failed but what follows.
    ledger.query(
        "UPDATE csv_import SET status = 'succeeded', reason = NULL,"
        " dataset = ELT(1 + MOD(id, 2), 'customer', 'orders'), rows_loaded ="
        " rows_loaded * (1 + MOD(DAYOFMONTH(started_at) * 7, 11)) DIV IF(WEEKDAY(started_at) > 4, 4, 1),"
        " rows_rejected = rows_rejected * MOD(DAYOFMONTH(started_at) * 5, 7), rows_read = rows_loaded + rows_rejected"
    )
    rejected = ledger.add(dataset="orders", object_key="orders/2026-11-27.csv", rows_loaded=48_211, rows_rejected=37)
    for line in range(37):
        ledger.reject(rejected, 1000 + 7 * line, "email" if line % 4 else None, "not exactly one @")
    ledger.add(
        dataset="customer", object_key="customers-old.csv", status="failed", rows_loaded=0, reason="no column age"
    )
    ledger.add(
        dataset="orders", object_key="orders/large.csv", status="running", size_bytes=10**9, byte_offset=42 * 10**7,
        rows_loaded=4_200_000, finished_at=None,
    )  # fmt: skip
    ledger.query("UPDATE csv_import SET started_at = NOW(3) - INTERVAL 75 SECOND WHERE status = 'running'")


@contextmanager
def _ledger() -> Iterator[Ledger]:
    with tempfile.TemporaryDirectory() as folder, MySqlServer() as server, make_ledger(server, Path(folder)) as ledger:
        yield ledger


def serve() -> None:
    """Serve both applications until the command is interrupted."""
    with _ledger() as ledger:
        _tell(ledger)
        with served(ledger, "public") as public, served(ledger, "private") as private:
            _say(f"public:  {public}\nprivate: {private}\nCtrl+C ends it.")
            threading.Event().wait()


def picture(file: Path) -> None:
    """Write what the private overview looks like."""
    with _ledger() as ledger:
        _tell(ledger)
        with served(ledger, "private") as url, browser() as driver:
            prefer(driver, "light")
            resize(driver, 1000, 1500)
            driver.get(url)
            driver.save_screenshot(str(file))
    _say(f"{file}: {file.stat().st_size // 1000} kB")


class Load:
    """Requests at a constant rate, whether the ones before have been answered or not."""

    def __init__(self, url: str, paths: list[str], rate: float, seconds: float) -> None:
        """Prepare it.

        Args:
            url: The server.
            paths: Asked for in turn.
            rate: Requests a second.
            seconds: For how long.
        """
        self._host = urlsplit(url).netloc
        self._paths = paths
        self._due = [number / rate for number in range(round(rate * seconds))]
        self._lock = threading.Lock()
        self._next = 0
        self._start = 0.0
        self.times: list[float] = []
        self.statuses: dict[int, int] = {}

    def run(self) -> None:
        """Send all requests."""
        self._start = time.monotonic() + 0.1
        clients = [threading.Thread(target=self._client) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()

    def _client(self) -> None:
        connection = http.client.HTTPConnection(self._host, timeout=30)
        while True:
            with self._lock:
                number = self._next
                self._next += 1
            if number >= len(self._due):
                connection.close()
                return
            due = self._start + self._due[number]
            time.sleep(max(due - time.monotonic(), 0))
            connection.request("GET", self._paths[number % len(self._paths)])
            answer = connection.getresponse()
            answer.read()
            # From when it was due: a server that is behind is not given time.
            taken = time.monotonic() - due
            with self._lock:
                self.times.append(taken)
                self.statuses[answer.status] = self.statuses.get(answer.status, 0) + 1

    def __str__(self) -> str:
        """Return the result."""
        percentiles = statistics.quantiles(self.times, n=100, method="inclusive")
        took = max(time.monotonic() - self._start, 1e-9)
        return (
            f"{len(self.times)} answers in {took:.1f} s, {len(self.times) / took:.0f}/s, statuses {self.statuses}:"
            f" half within {percentiles[49] * 1000:.0f} ms, 95 % within {percentiles[94] * 1000:.0f} ms,"
            f" 99 % within {percentiles[98] * 1000:.0f} ms, the slowest {max(self.times) * 1000:.0f} ms"
        )


def load(rate: float, seconds: float) -> None:
    """Ask for the public pages at a constant rate, then for the private ones, one at a time, and print the times."""
    with _ledger() as ledger:
        ledger.fill(IMPORTS)
        with served(ledger, "public") as url:
            every = Load(url, ["/", "/api/overview", "/healthz"], rate, seconds)
            every.run()
            _say(f"public: {every}")
        with served(ledger, "private") as url:
            for path in (
                "/",
                "/imports",
                "/imports?dataset=orders&status=failed",
                "/imports?prefix=orders/",
                "/metrics",
            ):
                one = Load(url, [path], 1, min(seconds, 12))
                one.run()
                _say(f"private {path}: {one}")


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.status_page", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="serve both applications")
    picturing = commands.add_parser("picture", help="write a picture of the overview")
    picturing.add_argument("file", type=Path)
    loading = commands.add_parser("load", help="drive load, and print how long answers take")
    loading.add_argument("--rate", type=float, default=200, help="requests a second")
    loading.add_argument("--seconds", type=float, default=30)
    options = parser.parse_args()
    try:
        if options.command == "serve":
            serve()
        elif options.command == "picture":
            picture(options.file)
        else:
            load(options.rate, options.seconds)
    except (NoBrowserError, NoServerError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
