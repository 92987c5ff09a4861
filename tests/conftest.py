"""Shared by all tests: which of them run side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped] # it has no stubs

if TYPE_CHECKING:
    import pytest

APART = (
    "tests/e2e/test_second_emulator.py",
    "tests/e2e/test_stage.py",
    "tests/e2e/test_interruption.py::test_killed_at_",
)
"""Prefixes of the tests that need no stack, so that they need not wait for the others of their folder."""


class FolderScheduling(LoadScopeScheduling):  # type: ignore[misc]
    """All tests of a folder in one process and in their order: they share a stack or a server."""

    def _split_scope(self, nodeid: str) -> str:
        return next(filter(nodeid.startswith, APART), "/".join(nodeid.split("/")[:2]))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FolderScheduling:
    """Return the scheduler of the processes."""
    return FolderScheduling(config, log)
