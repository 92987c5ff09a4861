"""What we read of a field is what frictionless, the standard's own reader, reads of it, but for listed differences.

Where they differ, the text of the standard is the judge (https://datapackage.org/standard/table-schema/).
"""

import csv
import datetime as dt
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csv_importer.datasets import Dataset
from csv_importer.fields import Column

FIELDS: list[dict[str, Any]] = [
    {"type": "string", "constraints": {"minLength": 2, "maxLength": 3}},
    {"type": "string", "constraints": {"pattern": "[a-c]+", "required": True}},
    {"type": "string", "format": "email"},
    {"type": "string", "format": "uri"},
    {"type": "string", "format": "binary"},
    {"type": "string", "format": "uuid"},
    {"type": "any"},
    {"type": "integer", "missingValues": ["", "-"]},
    {"type": "integer", "bareNumber": False},
    {"type": "integer", "constraints": {"minimum": -5, "maximum": 50}},
    {"type": "number"},
    {"type": "number", "decimalChar": ",", "groupChar": "."},
    {"type": "number", "constraints": {"minimum": "0.1", "enum": ["0.1", "1.5", "7"]}},
    {"type": "boolean"},
    {"type": "boolean", "trueValues": ["ja"], "falseValues": ["nein"]},
    {"type": "date"},
    {"type": "date", "format": "%d/%m/%Y"},
    {"type": "time"},
    {"type": "datetime"},
    {"type": "year"},
    {"type": "yearmonth"},
    {"type": "duration"},
    {"type": "list"},
    {"type": "list", "itemType": "integer", "delimiter": ";"},
    {"type": "object"},
    {"type": "array"},
]


@dataclass(frozen=True)
class Difference:
    """A difference, and why the text of the standard is on the importer's side.

    Attributes:
        types: The types, with the format where it matters.
        values: What the values look like.
        why: What the standard says, or what MySQL cannot hold.
        example: A value that shows the difference.
        taken: Whether it is the importer that takes them.
    """

    types: tuple[str, ...]
    values: str
    why: str
    example: str
    taken: bool = False


NUMERIC = ("integer", "number", "list")
DIFFERENCES = [
    Difference(NUMERIC, r".*_.*", "digits only, no underscores of Python's", "1_0"),
    Difference(NUMERIC, r"(?s).*(?![0-9])\d.*", "decimal digits are 0 to 9", "٣"),
    Difference(NUMERIC, r"(?s)\s.*|.*\s|.*;\s.*|.*\s;.*", "no space around a number", " 1"),
    Difference(("integer", "list"), r".*[0-9]{19,}.*", "BIGINT holds no more", "9223372036854775808"),
    Difference(("number",), r"(?i).*(?:nan|inf).*", "MySQL holds neither NaN nor infinity", "NaN"),
    Difference(("number",), r".*e.*", "an exponent is an E", "1e5"),
    Difference(("number",), r".*(?:[0-9]\.?){36,}.*|.*E.*", "DECIMAL(65,30) holds no more", "1E99"),
    Difference(("number .",), r"[+-]?\..*|.*[0-9]\.(?![0-9]).*|.*,.*\..*", "groupChar groups digits", "1."),
    Difference(("integer %",), r"[^0-9]*[+\-][^0-9].*", "a sign belongs to the digits after it", "+.0"),
    Difference(("date",), r"[0-9]+-[0-9]{1,2}-[0-9]{1,2}(?<!-[0-9]{2}-[0-9]{2})", "yyyy-mm-dd", "2024-2-9"),
    Difference(("yearmonth",), r"(?s)(?![0-9]{4}-[0-9]{2}\Z).*|0000-.*", "YYYY-MM", "2024-2"),
    Difference(("date", "datetime", "date %d/%m/%Y"), r".*0[0-9]{3}.*", "MySQL holds 1000 to 9999", "0999-01-01"),
    Difference(("time",), r"(?!..:..:..\Z).*|24:.*", "hh:mm:ss, and no more", "10:00:00.5"),
    Difference(("datetime",), r"[^T]*", "a T between date and time", "2024-02-29 10:00:00"),
    Difference(("year",), r"-[0-9]{4,}|[1-9][0-9]{4,}", "gYear of XML Schema", "-0044", taken=True),
    Difference(("year",), r"-?0000", "gYear has no year 0", "0000"),
    Difference(
        ("year",), r"-[0-9]{3}|\+.*|.*_.*|(?s:.*(?![0-9])\d.*)|(?s:.*\s.*)", "gYear is four digits or more", "-000"
    ),
    Difference(("duration",), r".*W.*|.*T|P|-P", "PnYnMnDTnHnMnS", "P1W"),
    Difference(("object", "array"), r"(?s).*NaN.*", "NaN is no JSON", '{"a": NaN}'),
    Difference(("object", "array"), r"(?s).*[0-9]{19,}.*", "MySQL's JSON holds no more", "[99999999999999999999]"),
    Difference(("object",), r'\{"a": 1, "a": 2\}', "MySQL would keep one of two", '{"a": 1, "a": 2}'),
    Difference(("string email",), r"(?s).+@.+", "whether mail arrives, no form can tell", "a@b", taken=True),
    Difference(("string uri",), r"(?s).*[^!-~].*|.*[\[\]{}].*", "RFC 3986", "http://a b"),
    Difference(("string binary",), r"(?s)(?!(?:[A-Za-z0-9+/]{4})*\Z).*", "RFC 4648", "@"),
    Difference(
        ("string uuid",),
        r"[^-]*|\{.*",
        "five groups with hyphens",
        "0" * 32,
    ),
]


def kind_of(described: dict[str, Any]) -> set[str]:
    kind, form = described["type"], described.get("format")
    return {
        f"{kind} {form}" if form else kind,
        *([f"{kind} ."] if described.get("groupChar") else []),
        *([f"{kind} %"] if "bareNumber" in described else []),
    }


def importer_column(described: dict[str, Any]) -> Column:
    return Dataset.of({"name": "things", "schema": {"fields": [{"name": "value", **described}]}}).columns[0]


@pytest.fixture(scope="module", autouse=True)
def _csv_as_it_was() -> Iterator[None]:
    """Undo what frictionless does to the csv module of the whole process."""
    limit = csv.field_size_limit()
    yield
    csv.field_size_limit(limit)


def theirs(described: dict[str, Any]) -> Callable[[str], tuple[Any, Any]]:
    # Not before the fixture has run.
    from frictionless import Field  # noqa: PLC0415

    read = Field.from_descriptor({"name": "value", **described}).create_cell_reader()

    def cell(value: str) -> tuple[Any, Any]:
        try:
            return read(value)
        except (ArithmeticError, ValueError, RecursionError) as error:
            return None, {"type": str(error)}

    return cell


def stored(cell: Any, kind: str) -> Any:
    """Return a logical value of frictionless as we store it."""
    if isinstance(cell, bool):
        return Decimal(cell)
    if isinstance(cell, int | Decimal):
        return Decimal(cell)
    if isinstance(cell, dt.datetime):
        return (cell.astimezone(dt.UTC) if cell.tzinfo else cell).replace(tzinfo=None)
    if kind == "yearmonth" and cell is not None:
        return f"{cell.year:04}-{cell.month:02}"
    if isinstance(cell, dict | list):
        return json.dumps(cell, sort_keys=True)
    return cell


def meant(text: str | None, kind: str) -> Any:
    """Return what a stored text stands for."""
    if text is None:
        return None
    if kind in ("integer", "number", "boolean", "year"):
        return Decimal(text)
    if kind == "date":
        return dt.date.fromisoformat(text)
    if kind == "time":
        return dt.time.fromisoformat(text)
    if kind == "datetime":
        return dt.datetime.fromisoformat(text)
    if kind in ("list", "object", "array"):
        return json.dumps(json.loads(text), sort_keys=True)
    return text


NUMBERS = st.from_regex(r"\A[+-]?[0-9]{0,3}[.,]?[0-9]{0,3}(?:[eE][+-]?[0-9]{1,2})?[%€ _]?\Z")
VALUES = st.one_of(
    NUMBERS,
    st.integers().map(str),
    st.decimals().map(str),
    st.dates().map(str),
    st.dates().map(lambda date: date.strftime("%d/%m/%Y")),
    st.datetimes(timezones=st.none() | st.just(dt.UTC)).map(dt.datetime.isoformat),
    st.times().map(str),
    st.from_regex(r"\A-?[0-9]{3,5}(?:-[0-9]{1,2})?\Z"),
    st.from_regex(r"\A-?P(?:[0-9]{1,2}[YMDW])*(?:T(?:[0-9]{1,2}[HMS])*)?\Z"),
    st.dictionaries(st.text(max_size=2), st.integers() | st.text(max_size=2), max_size=2).map(json.dumps),
    st.lists(st.integers() | st.none(), max_size=3).map(json.dumps),
    st.lists(st.integers().map(str), max_size=3).map(";".join),
    st.sampled_from(["", "-", "true", "False", "1", "ja", "nein", "ab", "abc", "abcd", "a@b.org"]),
    st.sampled_from(["http://example.org", "YWJj", "YQ=="]),
    st.sampled_from([difference.example for difference in DIFFERENCES]),
    st.uuids().map(str),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5),
)  # fmt: skip


# The same values in each run: one that shows another difference is for whoever looks for it, not for any commit.
@settings(max_examples=1500, deadline=None, derandomize=True)
@given(described=st.sampled_from(FIELDS), value=VALUES)
def test_what_we_read_is_what_frictionless_reads(described: dict[str, Any], value: str) -> None:
    column, (cell, notes) = importer_column(described), theirs(described)(value)
    is_taken = not column.judge([value]).errors
    if is_taken != (not notes):
        known = [one for one in DIFFERENCES if kind_of(described) & {*one.types} and re.fullmatch(one.values, value)]
        assert is_taken in {one.taken for one in known}, (described, value, column.judge([value]).errors, cell, notes)
    elif is_taken and described["type"] != "duration":
        text = column.judge([value]).texts.get(value, value)
        assert meant(text, described["type"]) == stored(cell, described["type"]), (described, value)


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda difference: difference.why)
def test_each_difference_is_still_one(difference: Difference) -> None:
    fields = [field for field in FIELDS if kind_of(field) & {*difference.types}]
    assert re.fullmatch(difference.values, difference.example)
    assert any(
        (not importer_column(field).judge([difference.example]).errors) == difference.taken
        and bool(theirs(field)(difference.example)[1]) == difference.taken
        for field in fields
    )
