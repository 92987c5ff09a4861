"""The status page in front of a real MySQL server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.importer.mysql_server import MySqlServer, NoServerError
from tests.status_page.page_ledger import Ledger, Pages, make_ledger


@pytest.fixture(scope="session")
def mysql() -> Iterator[MySqlServer]:
    try:
        with MySqlServer() as server:
            yield server
    except NoServerError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture
def ledger(mysql: MySqlServer, tmp_path: Path) -> Iterator[Ledger]:
    with make_ledger(mysql, tmp_path) as ledger:
        yield ledger


@pytest.fixture
def pages(ledger: Ledger) -> Pages:
    return Pages(ledger)


@pytest.fixture(scope="module")
def large(mysql: MySqlServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """A ledger of 100,000 imports."""
    with make_ledger(mysql, tmp_path_factory.mktemp("large")) as ledger:
        ledger.fill(100_000)
        yield ledger
