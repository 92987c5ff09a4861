"""What is shared by all tests: which of them run side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped] # it has no stubs

if TYPE_CHECKING:
    import pytest

APART = ("tests/e2e/test_second_emulator.py", "tests/e2e/test_interruption.py::test_killed_at_")
"""Where the names begin of what lives on no stack, and so need not wait for the others of its folder."""


class FolderScheduling(LoadScopeScheduling):  # type: ignore[misc]
    """All tests of a folder in one process and in their order: they share a stack or a server."""

    def _split_scope(self, nodeid: str) -> str:
        return next(filter(nodeid.startswith, APART), "/".join(nodeid.split("/")[:2]))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FolderScheduling:
    """Hand over the scheduler of the processes."""
    return FolderScheduling(config, log)
