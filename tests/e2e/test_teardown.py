"""The end of the stack's life cycle, by the commands that a user types."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.e2e.conftest import TIMEOUT

if TYPE_CHECKING:
    from tests.e2e.conftest import Stack

pytestmark = pytest.mark.e2e


def test_teardown_leaves_nothing_and_a_second_one_changes_nothing(complete: Stack) -> None:
    assert complete.recorded("teardown.yml").changed > 10
    assert complete.containers() == []
    # The tagging API lists what was deleted for a while.
    end = time.monotonic() + TIMEOUT
    while complete.tagged() and time.monotonic() < end:
        time.sleep(1)
    assert complete.tagged() == []
    assert complete.playbook("teardown.yml").changed == 0
