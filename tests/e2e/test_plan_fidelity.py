"""A plan names what a run then changes, and that is what somebody changed by hand: no more, no less.

The scenarios, each with the lines that it adds to a plan, are in drift_scenarios.py. Those that change different
resources are run together in rounds: `make test` runs a few random ones, `make test-all` runs all rounds, each scenario
alone, and some random sets.
"""

from __future__ import annotations

import json
import random
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.drift_scenarios import ALL, DriftScenario, Operator
from tests.e2e.seeds import seed

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.e2e.conftest import Stack

pytestmark = pytest.mark.e2e

RANDOM_SETS = 3
FEW = 5
"""Scenarios in the sample of make test."""
SEED = seed("PLAN_SEED")
"""Of the random sets; a failure names it, and PLAN_SEED repeats it."""
type Resource = tuple[str, str | None, str, str | None]


def packed(scenarios: Iterable[DriftScenario]) -> list[list[DriftScenario]]:
    """Put each scenario into the first round in which no other one changes the same resources."""
    rounds: list[list[DriftScenario]] = []
    for one in scenarios:
        for others in rounds:
            if not any(one.touches & other.touches for other in others):
                others.append(one)
                break
        else:
            rounds.append([one])
    return rounds


def changes(stack: Stack, folder: Path, *arguments: str) -> list[dict[str, Any]]:
    """Run site.yml and return what it changed, or would change."""
    file = folder / "changes.json"
    stack.playbook("site.yml", "--diff", *arguments, environment={"ANSIBLE_RUN_SUMMARY_PLAN_FILE": str(file)})
    return list(json.loads(file.read_text())["changes"])


def line(change: dict[str, Any]) -> str:
    """Return a change as drift_scenarios.py writes it."""
    what = " ".join(filter(None, (change["kind"], change["name"])))
    return f"{change['role']}: {change['action']} {what}"


def resources(changed: list[dict[str, Any]]) -> set[Resource]:
    """Return what identifies the changed resources, whatever the action."""
    return {(change["host"], change["role"], change["kind"], change["name"]) for change in changed}


def prove(stack: Stack, folder: Path, scenarios: list[DriftScenario], *arguments: str) -> None:
    """Change resources by hand, plan, run and plan again.

    Raises:
        AssertionError: The plan wrote, or named other resources than those that were changed by hand or by the run, or
            the plan after the run named any.
    """
    operator = Operator(stack)
    expected = sorted(line for one in scenarios for line in one.plan)
    for one in scenarios:
        one.change(operator)
    changed = time.time()
    assert stack.writes(0), "the local cloud keeps no record of calls"
    plan = changes(stack, folder, "--check", *arguments)
    assert stack.writes(changed) == []
    assert sorted(map(line, plan)) == expected
    run = changes(stack, folder, *arguments)
    assert resources(run) == resources(plan)
    assert changes(stack, folder, "--check", *arguments) == []


ROUNDS = packed(ALL)


@pytest.mark.parametrize("chosen", [SEED])
def test_a_few_scenarios_together(complete: Stack, tmp_path: Path, chosen: int) -> None:
    rng = random.Random(chosen)  # noqa: S311 # to be repeated
    few = packed(rng.sample(ALL, k=len(ALL)))[0][:FEW]
    roles = {role for one in few for role in one.roles}
    prove(complete, tmp_path, few, "--tags", ",".join(sorted(roles)))


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(ROUNDS)))
def test_a_plan_names_what_was_touched_and_what_the_run_changes(complete: Stack, tmp_path: Path, number: int) -> None:
    prove(complete, tmp_path, ROUNDS[number])


@pytest.mark.slow
@pytest.mark.parametrize("one", ALL, ids=lambda one: one.name)
def test_each_scenario_alone(complete: Stack, tmp_path: Path, one: DriftScenario) -> None:
    prove(complete, tmp_path, [one], "--tags", ",".join(sorted(one.roles)))


@pytest.mark.slow
@pytest.mark.parametrize("chosen", [SEED + number for number in range(RANDOM_SETS)])
def test_random_scenarios_together(complete: Stack, tmp_path: Path, chosen: int) -> None:
    rng = random.Random(chosen)  # noqa: S311 # to be repeated
    fitting = packed(rng.sample(ALL, k=len(ALL)))[0]
    prove(complete, tmp_path, rng.sample(fitting, k=rng.randint(1, len(fitting))))
