"""Time of runs that change nothing, against another commit: ``python -m bench.playbooks COMMIT``.

Each of the two trees creates its stack on a local cloud of its own. Then their runs take turns, so that a machine whose
speed drifts is equally fast for both, and only ratios count. Processor time is that of ansible-playbook and all of its
children; what the containers of the app host and the database use is part of the wall time only.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = Path(sys.executable).with_name("ansible-playbook")
PLAYBOOKS = ("site.yml", "plan.yml")
PORT = 4866
ROUNDS = 5


@dataclass(frozen=True)
class Times:
    """Seconds of one run: processor time, user and system together, and wall time."""

    processor: float
    wall: float


@dataclass(frozen=True)
class Tree:
    """A checkout, and the local cloud that its stack is on.

    Attributes:
        name: What the results call it.
        root: The checkout.
        cloud: Folder of the local cloud.
        port: Port of the local cloud.
    """

    name: str
    root: Path
    cloud: Path
    port: int

    def run(self, playbook: str, inventory: str = "inventories/local") -> Times:
        """Run a playbook and return its times.

        Raises:
            subprocess.CalledProcessError: The playbook failed.
        """
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "ANSIBLE_"))}
        kept.pop("PYTHONDONTWRITEBYTECODE", None)
        environment = kept | {"LOCAL_CLOUD_DIR": str(self.cloud), "LOCAL_CLOUD_PORT": str(self.port)}
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        done = subprocess.run(
            [PROGRAM, f"playbooks/{playbook}", "-i", inventory],
            cwd=self.root,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode != 0:
            sys.stderr.write(done.stdout[-3000:] + done.stderr[-3000:])
            done.check_returncode()
        return Times(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, wall)


@contextmanager
def checkout(commit: str, folder: Path) -> Iterator[Path]:
    """Check a commit out into a folder for as long as the block lasts."""
    subprocess.run(["git", "-C", ROOT, "worktree", "add", "--quiet", "--detach", folder, commit], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["git", "-C", ROOT, "worktree", "remove", "--force", folder], check=True)


@contextmanager
def stack(tree: Tree) -> Iterator[None]:
    """Create the stack of a tree on its local cloud, and stop that with everything in it afterwards."""
    hosts = "inventories/local/hosts.yml"
    try:
        tree.run("local_cloud.yml", hosts)
        tree.run("site.yml")
        yield
    finally:
        tree.run("local_cloud_down.yml", hosts)


def line(name: str, times: Sequence[Times]) -> str:
    """Return the medians of one tree's runs."""
    processor, wall = (
        statistics.median(values) for values in zip(*((t.processor, t.wall) for t in times), strict=True)
    )
    return f"  {name:10} {processor:6.1f} s of processor time  {wall:6.1f} s of wall time"


def main(commit: str, rounds: int) -> None:
    """Print the medians of both trees and their ratios."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        with checkout(commit, folder / "baseline") as baseline:
            trees = [
                Tree("baseline", baseline, folder / "baseline-cloud", PORT),
                Tree("this tree", ROOT, folder / "cloud", PORT + 1),
            ]
            with stack(trees[0]), stack(trees[1]):
                for playbook in PLAYBOOKS:
                    runs = [[tree.run(playbook) for tree in trees] for _ in range(rounds)]
                    sys.stdout.write(f"{playbook} without changes, medians of {rounds} runs each\n")
                    for number, tree in enumerate(trees):
                        sys.stdout.write(line(tree.name, [pair[number] for pair in runs]) + "\n")
                    ratios = (
                        statistics.median(getattr(new, of) / getattr(old, of) for old, new in runs)
                        for of in ("processor", "wall")
                    )
                    sys.stdout.write("  ratio      {:6.2f}                      {:6.2f}\n".format(*ratios))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commit", help="the commit to compare with")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"runs of each (default: {ROUNDS})")
    chosen = parser.parse_args()
    main(chosen.commit, chosen.rounds)
