"""The table of a dataset, as data: what the role schema creates and migrates.

A definition is of what JSON can hold: `roles/schema/meta/argument_specs.yml` describes it. What MySQL and InnoDB cannot
hold is an error of the descriptor, found before anything is created.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from csv_importer.datasets import (
    IMPORT_FILE_COLUMN,
    IMPORT_ID_COLUMN,
    IMPORT_ID_TYPE,
    NAMESPACE,
    Dataset,
    DescriptorError,
    Place,
)
from csv_importer.fields import Column
from csv_importer.objects import IMPORT_FILE_LENGTH

type Definition = dict[str, Any]

KEY_COLLATION = "utf8mb4_0900_bin"
"""By value: folds neither case nor accents, and pads no spaces. MySQL has it since 8.0.17, so Aurora MySQL 3, too."""

KEY_PREFIX = "key_"
"""What the names of the indexes of keys begin with: an index that is named so and not defined is dropped."""

MOST_COLUMNS = 1017
"""Of InnoDB: https://dev.mysql.com/doc/refman/8.0/en/innodb-limits.html."""
MOST_INDEXES = 64
"""Of a table, its primary key included."""
MOST_KEY_COLUMNS = 16
MOST_KEY_BYTES = 3072
MOST_ROW_BYTES = 65_535
"""Of all columns, without what texts and JSON store elsewhere: https://dev.mysql.com/doc/refman/8.0/en/column-count-limit.html."""
MOST_PAGE_BYTES = 8126
"""Of what InnoDB stores of a row in its page of 16 KiB, of which two rows have to fit."""

_NAME_LENGTH = 64
_CHARACTER_BYTES = 4
# Type: bytes of a value, or of the reference to it.
_FIXED = {"tinyint": 1, "smallint": 2, "mediumint": 3, "int": 4, "bigint": 8, "date": 3, "time": 3, "datetime": 5} | {
    "timestamp": 4
}
_ELSEWHERE = {"text": 10, "mediumtext": 11, "longtext": 12, "json": 12}
# What InnoDB keeps at most in the page of a value that may be stored elsewhere.
_LOCAL_BYTES = 40
# The header of a row, and the transaction's id and roll pointer.
_ROW_OVERHEAD = 5 + 6 + 7
# Bytes of up to nine decimal digits.
_DIGIT_BYTES = (0, 1, 1, 2, 2, 3, 3, 4, 4, 4)


def definition_of(dataset: Dataset) -> Definition:
    """Return the definition of a dataset's table.

    Raises:
        DescriptorError: MySQL can have no such table.
    """
    in_keys = {name.lower() for key in dataset.keys for name in key}
    columns = [
        _column("id", dataset.id_type, auto_increment=True),
        *(_of_field(column, in_key=column.name.lower() in in_keys) for column in dataset.columns),
        _column(IMPORT_FILE_COLUMN, f"varchar({IMPORT_FILE_LENGTH})"),
    ]
    indexes = [{"name": key_name(key), "columns": list(key), "unique": True} for key in dataset.keys]
    if dataset.import_id:
        # Rows from before the column have 0, which no import has.
        columns.append(_column(IMPORT_ID_COLUMN, IMPORT_ID_TYPE, default="0"))
        indexes.append({"name": IMPORT_ID_COLUMN, "columns": [IMPORT_ID_COLUMN], "unique": False})
    columns.append(_column("created_at", "timestamp", nullable=True, default="CURRENT_TIMESTAMP"))
    definition = {
        "name": dataset.table,
        "columns": columns,
        "primary_key": ["id"],
        "indexes": indexes,
        "allow": list(dataset.allow),
    }
    _check_keys(dataset, columns)
    _check_size(columns)
    return definition


def located(definition: Definition, file: str, lines: Sequence[int]) -> Definition:
    """Return a definition that says where in the descriptor its columns are, for messages.

    Args:
        definition: The definition of a dataset's table.
        file: The descriptor's name.
        lines: The line of each field.
    """
    first, *others = definition["columns"]
    described = [{**column, "place": f"{file}:{line}"} for column, line in zip(others, lines, strict=False)]
    columns = [first, *described, *others[len(lines) :]]
    return {**definition, "columns": columns, "place": file, "allow_property": f"{NAMESPACE}allow"}


def key_name(key: Sequence[str]) -> str:
    """Return the name of a key's index: the same for the same columns, and another one for others."""
    name = KEY_PREFIX + "_".join(key).lower()
    if len(key) == 1 and len(name) <= _NAME_LENGTH:
        return name
    digest = hashlib.sha256("\0".join(key).lower().encode()).hexdigest()[:8]
    return f"{name[: _NAME_LENGTH - 9]}_{digest}"


def _column(
    name: str, kind: str, *, nullable: bool = False, default: str | None = None, auto_increment: bool = False
) -> dict[str, Any]:
    return {"name": name, "type": kind, "nullable": nullable, "default": default, "auto_increment": auto_increment}


def _of_field(field: Column, *, in_key: bool) -> dict[str, Any]:
    column = _column(field.name, field.sql_type, nullable=field.nullable, default=field.default)
    if in_key and _is_text(field.sql_type):
        column["collation"] = KEY_COLLATION
    return column


def _is_text(kind: str) -> bool:
    return "char" in kind or "text" in kind


def _check_keys(dataset: Dataset, columns: Sequence[Mapping[str, Any]]) -> None:
    kinds = {str(column["name"]).lower(): str(column["type"]) for column in columns}
    names = [column.name.lower() for column in dataset.columns]
    for key in dataset.keys:
        path: Place = ("schema", "fields", names.index(key[0].lower()))
        title = f"the key {', '.join(key)}"
        if len(key) > MOST_KEY_COLUMNS:
            raise DescriptorError(
                path, f"{title} has {len(key)} fields: MySQL's indexes have {MOST_KEY_COLUMNS} at most"
            )
        for name in key:
            kind = kinds[name.lower()]
            if kind in _ELSEWHERE:
                fix = f"maxLength, or {NAMESPACE}columnType," if "text" in kind else "a type other than JSON"
                raise DescriptorError(
                    ("schema", "fields", names.index(name.lower())),
                    f"{title} cannot be an index: {name} is a column of type {kind}. It needs {fix} for that",
                )
        size = sum(_bytes(kinds[name.lower()])[0] for name in key)
        if size > MOST_KEY_BYTES:
            raise DescriptorError(
                path,
                f"{title} cannot be an index: its values have up to {size} bytes, four for each character, and InnoDB's"
                f" limit is {MOST_KEY_BYTES}. A smaller maxLength makes them shorter",
            )
    indexes = 1 + len(dataset.keys) + dataset.import_id
    if indexes > MOST_INDEXES:
        raise DescriptorError(("schema",), f"{indexes} indexes are needed: a table has {MOST_INDEXES} at most")


def _check_size(columns: Sequence[Mapping[str, Any]]) -> None:
    path: Place = ("schema", "fields")
    if len(columns) > MOST_COLUMNS:
        raise DescriptorError(path, f"the table would have {len(columns)} columns: InnoDB's limit is {MOST_COLUMNS}")
    nullable = sum(column["nullable"] for column in columns)
    sizes = [_bytes(str(column["type"])) for column in columns]
    row = sum(value + length for value, length in sizes) + (nullable + 8) // 8
    if row > MOST_ROW_BYTES:
        raise DescriptorError(
            path,
            f"a row has up to {row} bytes, four for each character: MySQL's limit is {MOST_ROW_BYTES}. Texts count as"
            f" ten where their {NAMESPACE}columnType is text",
        )
    page = sum(_page_bytes(str(column["type"])) for column in columns) + (nullable + 7) // 8 + _ROW_OVERHEAD
    if page >= MOST_PAGE_BYTES:
        raise DescriptorError(
            path,
            f"a row takes up to {page} bytes of its page, and InnoDB's limit is {MOST_PAGE_BYTES}: too many columns."
            f" Each text of ten characters or more, and each JSON, takes {_LOCAL_BYTES + 1}",
        )


def _page_bytes(kind: str) -> int:
    """Return how much of a value InnoDB keeps in the row's page, in its format DYNAMIC."""
    value, _ = _bytes(kind)
    if kind in _ELSEWHERE:
        return _LOCAL_BYTES + 1
    return min(value, _LOCAL_BYTES) + 1 if _is_text(kind) else value


def _bytes(kind: str) -> tuple[int, int]:
    """Return the bytes of a column's longest value, and of its length, as the server counts a row."""
    name, *sizes = re.findall("[a-z]+|[0-9]+", kind)
    numbers = [int(size) for size in sizes if size.isdecimal()]
    if name in _ELSEWHERE:
        return _ELSEWHERE[name], 0
    if name == "char":
        return numbers[0] * _CHARACTER_BYTES, 0
    if name == "varchar":
        size = numbers[0] * _CHARACTER_BYTES
        return size, 1 if size < 256 else 2
    if name == "decimal":
        digits, decimals = numbers
        whole = digits - decimals
        return 4 * (whole // 9 + decimals // 9) + _DIGIT_BYTES[whole % 9] + _DIGIT_BYTES[decimals % 9], 0
    fraction = (numbers[0] + 1) // 2 if numbers and name in ("time", "datetime", "timestamp") else 0
    return _FIXED[name] + fraction, 0
