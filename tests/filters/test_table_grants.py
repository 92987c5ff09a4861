"""The privileges of each database user, by the modes of the datasets."""

from __future__ import annotations

from typing import Any

from ansible_collections.csv_to_aurora.importer.plugins.filter.table_grants import table_grants

DATASETS = [{"table": "customer", "mode": "append"}, {"table": "prices", "mode": "replace"}]


def test_a_table_s_privileges_follow_from_the_mode_of_its_dataset() -> None:
    stated: dict[str, dict[str, Any]] = {
        "importer": {"datasets": {"append": ["INSERT"], "replace": ["INSERT", "DELETE"]}, "csv_import": ["SELECT"]},
        "application": {"datasets": {"append": ["SELECT"]}, "csv_import": ["SELECT"]},
        "nobody": {"csv_import": ["SELECT"]},
    }
    assert table_grants(stated, DATASETS) == {
        "importer": {"customer": ["INSERT"], "prices": ["INSERT", "DELETE"], "csv_import": ["SELECT"]},
        "application": {"customer": ["SELECT"], "csv_import": ["SELECT"]},
        "nobody": {"csv_import": ["SELECT"]},
    }


def test_without_a_dataset_only_the_other_tables_are_left() -> None:
    assert table_grants({"a": {"datasets": {"append": ["INSERT"]}, "t": ["SELECT"]}}, []) == {"a": {"t": ["SELECT"]}}
