"""The privileges of each database user, by the modes and keys of the datasets."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from playbook_runner import PROJECT

from ansible_collections.csv_to_aurora.importer.plugins.filter.table_grants import table_grants

GRANTS = yaml.safe_load((PROJECT / "files/schema/grants.yml").read_text())


def dataset(table: str, mode: str, *keys: list[str]) -> dict[str, Any]:
    return {"table": table, "mode": mode, "keys": keys, "columns": ["a", "b", "c"]}


@pytest.mark.parametrize(
    ("one", "privileges"),
    [
        (dataset("t", "append"), ["INSERT"]),
        (dataset("t", "append", ["a"], ["b", "a"]), ["INSERT", "SELECT (a, b)"]),
        (
            dataset("t", "upsert", ["a"]),
            ["INSERT", "SELECT (a, import_id)", "UPDATE (a, b, c, import_file, import_id)"],
        ),
        (dataset("t", "replace"), ["INSERT", "DELETE", "SELECT (import_id)"]),
        (dataset("t", "replace", ["c"]), ["INSERT", "DELETE", "SELECT (c, import_id)"]),
    ],
)
def test_the_importer_s_privileges_follow_from_mode_and_keys(one: dict[str, Any], privileges: list[str]) -> None:
    granted = table_grants(GRANTS, [one])["importer"]
    assert granted["t"] == privileges
    assert granted.get("*", []) == (["CREATE TEMPORARY TABLES"] if one["keys"] else [])


def test_the_application_reads_every_table_and_of_rejects_no_text() -> None:
    datasets = [dataset("t", "append"), dataset("u", "upsert", ["a"]), dataset("v", "replace")]
    assert table_grants(GRANTS, datasets)["application"] == {
        "t": ["SELECT"],
        "u": ["SELECT"],
        "v": ["SELECT"],
        "csv_import": ["SELECT"],
        "csv_import_range": ["SELECT"],
        "csv_import_event": ["SELECT"],
        "csv_import_reject": ["SELECT (import_id, line_number, column_name, reason)"],
    }


def test_without_a_dataset_only_the_other_tables_are_left() -> None:
    stated = {"a": {"datasets": {"append": {"INSERT": []}}, "t": ["SELECT"]}}
    assert table_grants(stated, []) == {"a": {"t": ["SELECT"]}}
