"""Loads the filter plugins of roles, which are no packages."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ROLES = Path(__file__).resolve().parents[2] / "roles"


@pytest.fixture(scope="session")
def load_filters() -> Callable[[str], ModuleType]:
    """Return a function from a role's name to the module of its filters."""

    def load(role: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(f"{role}_filters", ROLES / role / "filter_plugins" / f"{role}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load
