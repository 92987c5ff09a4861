"""The runs that created and removed the stack, with the times that AWS takes, against their longest chain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import critical_path
import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Stack

pytestmark = pytest.mark.e2e

MOST = 1.12
"""The status page is configured after the database, which its login is for, in some twenty steps on the host."""


@pytest.fixture(scope="module")
def runs(stack: Stack) -> dict[str, list[critical_path.Step]]:
    """The steps of both playbooks, as earlier tests recorded them."""
    if not all((stack.folder / f"{name}.jsonl").exists() for name in ("site.yml", "teardown.yml")):
        stack.playbook("teardown.yml")
        stack.recorded("site.yml")
        stack.recorded("teardown.yml")
    return {
        name: critical_path.read((stack.folder / f"{name}.jsonl").read_text().splitlines())
        for name in ("site.yml", "teardown.yml")
    }


@pytest.mark.parametrize("name", ["site.yml", "teardown.yml"])
def test_a_run_is_hardly_longer_than_its_longest_chain(runs: dict[str, list[critical_path.Step]], name: str) -> None:
    shortest, chain = critical_path.chain(runs[name])
    seconds = critical_path.run_seconds(runs[name])
    assert any("database" in link for link in chain), chain
    assert seconds / shortest <= MOST, f"{seconds:.0f} s, and no order avoids {shortest:.0f} s: {chain}"


def test_each_task_of_the_tables_is_in_one_of_the_runs(runs: dict[str, list[critical_path.Step]]) -> None:
    assert set.intersection(*map(critical_path.unknown, runs.values())) == set()
