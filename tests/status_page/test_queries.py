"""Queries over a ledger of 100,000 imports: by index, and no more rows than a page has, however large it is."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from status_page import ledger as queries
from status_page.database import Database, Parameters, Reader, Row
from status_page.ledger import AT_WORK_SHOWN, LATEST, PAGE, STATUSES, Choice
from tests.status_page.page_ledger import Ledger

FILES = 2000
"""Imports with a key that begins with PREFIX."""

PREFIX = "orders/file-000"


class Watched(Reader):
    """Keeps the plan of each statement, and how many rows they have read."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.plans: dict[str, list[Row]] = {}
        self.read = 0

    def rows(self, statement: str, parameters: Parameters = ()) -> list[Row]:
        before = self._handled()
        rows = self._reader.rows(statement, parameters)
        self.read += self._handled() - before
        self.plans[statement] = self._reader.rows("EXPLAIN FORMAT=TRADITIONAL " + statement, parameters)
        return rows

    def _handled(self) -> int:
        found = self._reader.rows("SHOW SESSION STATUS LIKE 'Handler_read%%'")
        return sum(int(row["Value"]) for row in found if row["Variable_name"] != "Handler_read_rnd_next")


def watched(ledger: Ledger, work: Callable[[Reader], object]) -> Watched:
    """Do work as the page does, and watch it."""

    def watch(reader: Reader) -> Watched:
        found = Watched(reader)
        work(found)
        return found

    return Database(ledger.settings()).read(watch)


def on_tables(found: Watched) -> list[Row]:
    """Return the steps of the plans that read the ledger's tables, and not what a statement has put together."""
    return [step for plan in found.plans.values() for step in plan if step["table"] and step["table"][0] != "<"]


CHOICES = [
    Choice(dataset, status, prefix, before)
    for before in (None, 50_000)
    for dataset in (None, "orders")
    for status in (None, "failed", "succeeded")
    for prefix in ("", PREFIX)
]


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_a_page_of_imports_is_read_in_the_order_of_an_index(large: Ledger, choice: Choice) -> None:
    found = watched(large, lambda reader: queries.imports(reader, choice))
    steps = on_tables(found)
    assert steps
    for step in steps:
        assert step["type"] != "ALL", step
        assert step["key"], step
        # A beginning is a range of its own index: what matches it is sorted.
        if choice.prefix:
            assert step["key"] in ("import_file", "PRIMARY"), step
        else:
            assert "Using filesort" not in (step["Extra"] or ""), step
    # Each is read from an index, from the ledger, and from the ranges of sessions; five statuses are read side by side.
    most = 5 * len(STATUSES) * (PAGE + 1)
    assert found.read <= most + (FILES if choice.prefix else 0)


def test_the_overview_reads_what_it_shows(large: Ledger) -> None:
    found = watched(large, queries.overview)
    for step in on_tables(found):
        assert step["type"] != "ALL", step
        assert "Using filesort" not in (step["Extra"] or ""), step
    assert found.read <= 10 * (LATEST + AT_WORK_SHOWN) + 100


@pytest.mark.parametrize("work", [queries.counts, queries.days])
def test_sums_are_read_from_an_index_alone(large: Ledger, work: Callable[[Reader], object]) -> None:
    for step in on_tables(watched(large, work)):
        assert step["key"] in ("dataset_status_started", "dataset_finished"), step
        assert "Using index" in step["Extra"], step


def test_totals_need_no_temporary_table(large: Ledger) -> None:
    for step in on_tables(watched(large, queries.counts)):
        assert "Using temporary" not in step["Extra"], step


def test_an_import_and_its_rejects_are_read_by_key(large: Ledger) -> None:
    import_id = large.add(rows_rejected=500)
    for line in range(500):
        large.reject(import_id, line + 2, "age", "not a number")

    def work(reader: Reader) -> None:
        queries.one_import(reader, import_id)
        queries.rejects(reader, import_id, after=100)

    found = watched(large, work)
    for step in on_tables(found):
        assert step["key"] == "PRIMARY", step
    # The reasons are those of all rejects of the import, of which a setting limits the number: each is looked for once.
    assert found.read <= 2 * 500 + PAGE + 50
