"""Every molecule scenario, as many at a time as there are processors that no other tests are using.

A scenario spends its time on starting programs, so two of them on two processors take half as long. All
that were chosen start with the first test; each test then waits for its own and shows its output if it failed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCENARIOS = sorted(path.parent.name for path in ROOT.glob("molecule/*/molecule.yml"))

Runs = dict[str, "Future[subprocess.CompletedProcess[str]]"]


def run(scenario: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a scenario from beginning to end, with its state in a folder of its own."""
    # A developer's own local cloud is another one.
    left_out = ("ANSIBLE_", "MOLECULE_", "LOCAL_CLOUD_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    environment |= {
        "MOLECULE_COMMAND_BORDERS": "false",
        "MOLECULE_EPHEMERAL_DIRECTORY": str(folder),
        "NO_COLOR": "1",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    return subprocess.run(
        ["molecule", "test", "--scenario-name", scenario],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    chosen = {
        str(item.callspec.params["scenario"])
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.originalname == test_scenario.__name__
    }
    # Each of several test processes has its share: more at a time would only delay the others.
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    with ThreadPoolExecutor(max_workers=max((os.cpu_count() or 1) // processes, 1)) as pool:
        yield {name: pool.submit(run, name, tmp_path_factory.mktemp(name)) for name in sorted(chosen)}
        pool.shutdown(cancel_futures=True)


@pytest.mark.molecule
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario(scenario: str, runs: Runs) -> None:
    result = runs[scenario].result()
    assert result.returncode == 0, result.stdout
    # Molecule skips a step whose playbook it cannot find, and still succeeds.
    assert "missing=0" in result.stdout, result.stdout
