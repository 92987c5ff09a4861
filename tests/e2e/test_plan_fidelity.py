"""A plan names what a run then changes, and that is what somebody changed by hand: no more, no less.

The perturbations, each with the lines that it brings into a plan, are in perturbations.py. Those that do not touch the
same resource make a round together: `make test` plays a random few, `make test-all` plays all rounds,
each perturbation alone, and some random sets.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.conftest import ROOT
from tests.e2e.perturbations import ALL, Hands, Perturbation
from tests.e2e.seeds import seed

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.e2e.conftest import Stack

pytestmark = pytest.mark.e2e

RANDOM_SETS = 3
FEW = 5
"""Perturbations in the sample of make test."""
SEED = seed("PLAN_SEED")
"""Where random sets begin; a failure names it, and PLAN_SEED repeats it."""
PLAN = "csv_to_aurora.aws.resource_plan"
type Resource = tuple[str, str | None, str, str | None]


def packed(perturbations: Iterable[Perturbation]) -> list[list[Perturbation]]:
    """Put each perturbation into the first round in which nothing else touches the same resources."""
    rounds: list[list[Perturbation]] = []
    for one in perturbations:
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
    """Return a change as perturbations.py writes it."""
    item = change["item"]
    what = item if change["module"] == PLAN and item else ": ".join(filter(None, (change["task"], item)))
    return f"{change['role']}: {change['action']} {what}"


def resources(changed: list[dict[str, Any]]) -> set[Resource]:
    """Return what tells the changed resources apart, however they were changed."""
    return {(change["host"], change["role"], change["task"], change["item"]) for change in changed}


def writes(stack: Stack, since: float) -> list[str]:
    """The calls since a time that could have changed something, by the local cloud's own record."""
    endpoint = stack.client("sts").meta.endpoint_url
    program = ROOT / "molecule/shared/files/writes.py"
    done = subprocess.run(
        [sys.executable, program, endpoint, "eu-west-1", str(since)], capture_output=True, text=True, check=True
    )
    return list(json.loads(done.stdout))


def prove(stack: Stack, folder: Path, perturbations: list[Perturbation], *arguments: str) -> None:
    """Perturb, plan, run and plan again.

    Raises:
        AssertionError: the plan wrote, or named other resources than those that were touched or that the run changed,
            or the run left something to do.
    """
    hands = Hands(stack)
    expected = sorted(line for one in perturbations for line in one.plan)
    for one in perturbations:
        one.change(hands)
    touched = time.time()
    assert writes(stack, 0), "the local cloud keeps no record of calls"
    plan = changes(stack, folder, "--check", *arguments)
    assert writes(stack, touched) == []
    assert sorted(map(line, plan)) == expected
    run = changes(stack, folder, *arguments)
    assert resources(run) == resources(plan)
    assert changes(stack, folder, "--check", *arguments) == []


ROUNDS = packed(ALL)


@pytest.mark.parametrize("chosen", [SEED])
def test_a_few_perturbations_together(complete: Stack, tmp_path: Path, chosen: int) -> None:
    dice = random.Random(chosen)  # noqa: S311 # to be repeated
    few = packed(dice.sample(ALL, k=len(ALL)))[0][:FEW]
    roles = {role for one in few for role in one.roles}
    prove(complete, tmp_path, few, "--tags", ",".join(sorted(roles)))


@pytest.mark.slow
@pytest.mark.parametrize(
    "number",
    range(len(ROUNDS)),
)
def test_a_plan_names_what_was_touched_and_what_the_run_changes(complete: Stack, tmp_path: Path, number: int) -> None:
    prove(complete, tmp_path, ROUNDS[number])


@pytest.mark.slow
@pytest.mark.parametrize("one", ALL, ids=lambda one: one.name)
def test_each_perturbation_alone(complete: Stack, tmp_path: Path, one: Perturbation) -> None:
    prove(complete, tmp_path, [one], "--tags", ",".join(sorted(one.roles)))


@pytest.mark.slow
@pytest.mark.parametrize("chosen", [SEED + number for number in range(RANDOM_SETS)])
def test_random_perturbations_together(complete: Stack, tmp_path: Path, chosen: int) -> None:
    dice = random.Random(chosen)  # noqa: S311 # to be repeated
    fitting = packed(dice.sample(ALL, k=len(ALL)))[0]
    prove(complete, tmp_path, dice.sample(fitting, k=dice.randint(1, len(fitting))))
