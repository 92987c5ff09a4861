"""This repository keeps the rules of repository.py."""

from __future__ import annotations

from pathlib import Path

import pytest
from repository import RULES, Rule

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_repository(rule: Rule) -> None:
    assert rule(ROOT) == []
