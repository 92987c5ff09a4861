"""Filters: how to fix what the first call to AWS reports."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence


def preflight_fix(error: str, causes: Sequence[Mapping[str, str]]) -> str:
    """Return the fix of the first cause that an error matches.

    Args:
        error: The error message.
        causes: Each with C(match), a regular expression, and C(fix), a sentence.
    """
    fixes = (cause["fix"] for cause in causes if re.search(cause["match"], error))
    return next(fixes, "AWS refused the first call.")


class FilterModule:
    """The filters of this file, as Ansible wants them."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {"preflight_fix": preflight_fix}
