"""The fix for an error of the first call to AWS."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pytest

CAUSES = [
    {"match": "ExpiredToken|expired", "fix": "Log in again."},
    {"match": "Token", "fix": "Check the token."},
]


@pytest.mark.parametrize(
    ("error", "fix"),
    [
        ("An error occurred (ExpiredToken) when calling GetCallerIdentity", "Log in again."),
        ("the Token is unknown", "Check the token."),
        ("Internal failure", "AWS refused the first call."),
        ("", "AWS refused the first call."),
    ],
)
def test_the_first_cause_that_matches_has_the_fix(
    load_filters: Callable[[str], ModuleType], error: str, fix: str
) -> None:
    assert load_filters("preflight").preflight_fix(error, CAUSES) == fix
