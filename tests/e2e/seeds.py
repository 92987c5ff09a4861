"""Seeds of random choices."""

from __future__ import annotations

import os
from uuid import uuid4
from zlib import crc32


def seed(variable: str) -> int:
    """Return a number that each run of the tests chooses again, the same in all of its processes.

    The environment variable, where it is set, repeats a choice.
    """
    return int(os.environ.get(variable) or crc32(os.environ.get("PYTEST_XDIST_TESTRUNUID", uuid4().hex).encode()))
