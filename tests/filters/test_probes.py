"""The probe file of each dataset: none of its rows may touch what a table has."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.csv_to_aurora.importer.plugins.filter.probes import probes

PLAIN = {"name": "d", "table": "t", "file": "d.yaml", "key_prefix": "in/", "mode": "append", "keys": []}


@pytest.mark.parametrize(
    ("changes", "loaded", "rejected"),
    [({}, 19, 1), ({"keys": [["a"]]}, 0, 0), ({"mode": "upsert"}, 0, 0), ({"mode": "replace"}, 0, 0)],
)
def test_rows_are_loaded_only_where_they_cannot_be_taken_for_others(
    changes: dict[str, Any], loaded: int, rejected: int
) -> None:
    (probe,) = probes([{**PLAIN, **changes}], "verify-1.csv")
    assert (probe["key"], probe["table"], probe["file"]) == ("in/verify-1.csv", "t", "d.yaml")
    assert (probe["loaded"], probe["rejected"]) == (loaded, rejected)
