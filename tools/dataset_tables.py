#!/usr/bin/env python3
"""Write datasets/README.md: what a file of each dataset has to hold, and the table that it is loaded into.

    tools/dataset_tables.py            # write it
    tools/dataset_tables.py --check    # write nothing, fail where it is not up to date

All of it follows from the descriptors in the same folder.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "files/lambda"))

from descriptors import DescriptorInvalid, load_all
from tables import definition_of

from csv_importer.datasets import Dataset, FieldsMatch

FOLDER = Path(__file__).resolve().parents[1] / "datasets"
HEAD = """# Datasets

The kinds of files that can be loaded, and their tables. [docs/datasets.md](../docs/datasets.md) says how to add one,
and `stack_datasets` which of them an environment has. This page is written by `tools/dataset_tables.py`.
"""
HEADERS = {
    FieldsMatch.EXACT: "all columns, in this order",
    FieldsMatch.EQUAL: "all columns, in any order",
    FieldsMatch.SUBSET: "all columns, in any order, and any others, which are skipped",
    FieldsMatch.SUPERSET: "some of the columns, in any order, and no others",
    FieldsMatch.PARTIAL: "one column or more, in any order, and any others, which are skipped",
}


def page(descriptors: Mapping[Path, Mapping[str, Any]]) -> str:
    """Return the page about some descriptors, by the files that they are in."""
    return HEAD + "".join(
        f"\n## {descriptor['name']}\n\n" + "\n".join(_section(path, descriptor)) + "\n"
        for path, descriptor in descriptors.items()
    )


def _section(path: Path, descriptor: Mapping[str, Any]) -> Iterator[str]:
    dataset = Dataset.of(descriptor)
    about = ": ".join(str(descriptor[name]) for name in ("title", "description") if name in descriptor)
    if about:
        yield f"{_cell(about.rstrip('.'))}.\n"
    yield f"* Descriptor: [{path.name}]({path.name})"
    prefix = f"whose keys begin with `{dataset.key_prefix}`" if dataset.key_prefix else "that no other dataset takes"
    yield f"* Files: those {prefix}, in {dataset.encoding.name}, with `{_cell(dataset.dialect.delimiter)}` as delimiter"
    yield f"* Header: {HEADERS[dataset.fields_match]}" if dataset.dialect.header else "* Header: none"
    yield f"* Table: `{dataset.table}`, mode {dataset.mode.value}"
    for key in dataset.keys:
        yield f"* Key: {', '.join(f'`{name}`' for name in key)}"
    yield "\n| column | a value has to be | stored as |\n|---|---|---|"
    columns = {column["name"]: column for column in definition_of(dataset)["columns"]}
    for field, column in zip(descriptor["schema"]["fields"], dataset.columns, strict=True):
        names = [field.get("title"), *field.get("csvToAurora:aliases", [])]
        others = ", ".join(f"`{_cell(name)}`" for name in names if name)
        named = f"`{column.name}`" + (f", in the header also {others}" if others else "")
        yield f"| {named} | {_cell(column.rule)} | `{_sql(columns.pop(column.name))}` |"
    for own in columns.values():
        yield f"| `{own['name']}` | | `{_sql(own)}` |"


def _sql(column: Mapping[str, Any]) -> str:
    """Return a column's type, nullability and default in MySQL's words."""
    default = column.get("default")
    words = [column["type"], "" if column.get("nullable") else "not null"]
    words.append("auto_increment" if column.get("auto_increment") else "")
    words.append(f"default {default}" if default is not None else "")
    return " ".join(filter(None, words))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|") or text.replace("\t", "tab")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page, or compare it; return the exit code."""
    parser = argparse.ArgumentParser(description="Write datasets/README.md from the descriptors beside it.")
    parser.add_argument("--check", action="store_true", help="write nothing, fail where it is not up to date")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="of the descriptors (default: datasets)")
    options = parser.parse_args(arguments)
    paths = sorted(options.folder.glob("*.yaml"))
    try:
        text = page(dict(zip(paths, load_all(paths), strict=True)))
    except DescriptorInvalid as error:
        print(error, file=sys.stderr)
        return 1
    readme = options.folder / "README.md"
    if options.check:
        if not readme.is_file() or readme.read_text(encoding="utf-8") != text:
            print(f"{readme} is not what the descriptors say: run tools/dataset_tables.py", file=sys.stderr)
            return 1
        return 0
    readme.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
