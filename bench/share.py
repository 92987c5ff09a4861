"""A share of the processors for one process, as Lambda gives its functions one by their memory."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Self

PERIOD = 20_000
"""Microseconds in which a process may use its share: short, so that it does not wait for long at once."""

CGROUPS = Path("/sys/fs/cgroup")


class NoShareError(Exception):
    """This machine lets nobody limit a process; the message says why."""


class Share:
    """A cgroup with a share of the processors; a context manager that removes it again."""

    def __init__(self, processors: float) -> None:
        """Prepare the cgroup.

        Args:
            processors: How many processors its processes may use together, such as 0.29.
        """
        quota = max(1000, round(processors * PERIOD))
        unified = (CGROUPS / "cgroup.controllers").is_file()
        self._folder = CGROUPS / ("" if unified else "cpu") / f"bench-{os.getpid()}-{quota}"
        # https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu and …/scheduler/sched-bwc.html for version 1.
        self._settings = (
            {"cpu.max": f"{quota} {PERIOD}"}
            if unified
            else {"cpu.cfs_period_us": f"{PERIOD}", "cpu.cfs_quota_us": f"{quota}"}
        )
        self._unified = unified

    def __enter__(self) -> Self:
        """Create the cgroup.

        Raises:
            NoShareError: That is not possible here.
        """
        try:
            if self._unified:
                (CGROUPS / "cgroup.subtree_control").write_text("+cpu", encoding="ascii")
            self._folder.mkdir()
            for name, value in self._settings.items():
                (self._folder / name).write_text(value, encoding="ascii")
        except OSError as error:
            self.__exit__()
            raise NoShareError(f"no cgroup can be created here: {error}") from error
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the cgroup, which is empty: its processes have ended."""
        with suppress(OSError):
            self._folder.rmdir()

    def limit(self, process: int) -> None:
        """Limit a process, and all of its threads."""
        (self._folder / "cgroup.procs").write_text(str(process), encoding="ascii")
