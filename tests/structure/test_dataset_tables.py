"""The page about the datasets, which tools/dataset_tables.py writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dataset_tables
import pytest
import yaml

FIELDS: list[dict[str, Any]] = [
    {"name": "k", "type": "integer", "title": "Key | number", "csvToAurora:aliases": ["no"]},
    {"name": "amount", "type": "number", "constraints": {"minimum": "0", "exclusiveMaximum": "9.5"}},
    {"name": "day", "type": "date", "constraints": {"required": True}},
]


def write(folder: Path, **more: Any) -> Path:
    """Write a descriptor; return the page's file."""
    descriptor = {
        "name": "things",
        "title": "Things",
        "path": "things.csv",
        "dialect": {"delimiter": "|"},
        "encoding": "windows-1252",
        "csvToAurora:keyPrefix": "in/",
        "schema": {"fields": FIELDS, "fieldsMatch": "subset", "primaryKey": ["k"]},
        **more,
    }
    (folder / "things.yaml").write_text(yaml.safe_dump(descriptor, sort_keys=False), encoding="utf-8")
    return folder / "README.md"


def run(folder: Path, *arguments: str) -> int:
    return dataset_tables.main([f"--folder={folder}", *arguments])


def test_the_page_says_what_a_file_has_to_hold_and_what_the_table_is(tmp_path: Path) -> None:
    readme = write(tmp_path)
    assert run(tmp_path) == 0
    lines = readme.read_text(encoding="utf-8").splitlines()
    assert "## things" in lines
    assert "* Files: those whose keys begin with `in/`, in windows-1252, with `\\|` as delimiter" in lines
    assert "* Header: all columns, in any order, and any others, which are skipped" in lines
    assert "* Table: `things`, mode append" in lines
    assert "* Key: `k`" in lines
    assert [line for line in lines if line.startswith("| `")] == [
        "| `k`, in the header also `Key \\| number`, `no` | a whole number | `bigint not null` |",
        "| `amount` | a number, at least 0, less than 9.5, or empty for NULL | `decimal(65,30)` |",
        "| `day` | a date written as yyyy-mm-dd | `date not null` |",
        "| `id` | | `bigint not null auto_increment` |",
        "| `import_file` | | `varchar(100) not null` |",
        "| `import_id` | | `bigint unsigned not null default 0` |",
        "| `created_at` | | `timestamp default CURRENT_TIMESTAMP` |",
    ]


def test_a_page_that_is_not_up_to_date_is_told_and_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    readme = write(tmp_path)
    assert run(tmp_path, "--check") == 1
    assert not readme.exists()
    assert run(tmp_path) == 0
    assert run(tmp_path, "--check") == 0
    before = readme.read_text(encoding="utf-8")
    write(tmp_path, title="Other things")
    assert run(tmp_path, "--check") == 1
    assert readme.read_text(encoding="utf-8") == before
    assert f"{readme} is not what the descriptors say: run tools/dataset_tables.py" in capsys.readouterr().err


def test_a_descriptor_that_cannot_be_used_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    readme = write(tmp_path, format="xlsx")
    assert run(tmp_path) == 1
    assert "things.yaml:" in capsys.readouterr().err
    assert not readme.exists()
