"""The rows that we load of a file are those that frictionless reads of it, but for listed differences.

The descriptors and the files are any of many: dialects, encodings, headers. Where the two differ, the text of the
standard is the judge: https://datapackage.org/standard/table-dialect/, https://datapackage.org/standard/table-schema/.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csv_importer.datasets import Dataset
from csv_importer.errors import FileRefused
from csv_importer.headers import read_header
from csv_importer.parsing import read_blocks

from .test_frictionless import meant, stored

type Rows = list[tuple[Any, ...]]
type Read = tuple[Rows, int]
"""The rows, and how many others are rejected."""


@pytest.fixture(scope="module", autouse=True)
def _csv_as_it_was() -> Iterator[None]:
    """Undo what frictionless does to the csv module of the whole process."""
    limit = csv.field_size_limit()
    yield
    csv.field_size_limit(limit)


def imported(descriptor: dict[str, Any], content: bytes) -> Read | None:
    """Read a file as the importer does; None where it is refused."""
    dataset = Dataset.of(descriptor)
    source = io.BytesIO(content)
    try:
        header, buffer = read_header(source.read, dataset)
    except FileRefused:
        return None
    if not header.columns:
        return [], 0
    blocks = list(read_blocks(source.read, header.layout, header.end, buffer))
    types = {field["name"]: field["type"] for field in descriptor["schema"]["fields"]}
    rows = [
        {column.name: meant(text, types[column.name]) for column, text in zip(header.columns, row, strict=True)}
        for block in blocks
        for row in block.rows
    ]
    return [tuple(row[name] for name in types) for row in rows], sum(block.rejected for block in blocks)


def theirs(descriptor: dict[str, Any], content: bytes) -> Read | None:
    """Read a file as frictionless does; None where the file as a whole, or its header, is an error."""
    # Not before the fixture has run.
    from frictionless import Dialect, FrictionlessException, Schema  # noqa: PLC0415
    from frictionless.resources import TableResource  # noqa: PLC0415

    # What is not given, it guesses.
    dialect = {"delimiter": ",", "quoteChar": '"', "skipInitialSpace": False, **descriptor.get("dialect", {})}
    if dialect.get("header", True):
        dialect.setdefault("headerRows", [1])
    control = {
        name: dialect.pop(name)
        for name in ("delimiter", "quoteChar", "doubleQuote", "escapeChar", "skipInitialSpace", "nullSequence")
        if name in dialect
    }
    types = {field["name"]: field["type"] for field in descriptor["schema"]["fields"]}
    rows: Rows = []
    rejected = 0
    try:
        resource = TableResource(
            data=content,
            format="csv",
            encoding=descriptor.get("encoding", "utf-8"),
            dialect=Dialect.from_descriptor({**dialect, "csv": control}),
            schema=Schema.from_descriptor(descriptor["schema"]),
        )
        with resource:
            if not resource.header.valid and resource.dialect.header:
                return None
            for row in resource.row_stream:
                is_blank = [error.type for error in row.errors] == ["blank-row"]
                if is_blank and not row.cells:
                    continue
                if row.errors and not (is_blank and len(row.cells) == len(row.field_names)):
                    rejected += 1
                else:
                    rows.append(tuple(stored(row.get(name), kind) for name, kind in types.items()))
    except FrictionlessException:
        return None
    return rows, rejected


FIELDS: list[dict[str, Any]] = [
    {"name": "a", "type": "string"},
    {"name": "b", "type": "integer", "missingValues": ["", "-"]},
    {"name": "c", "type": "number", "decimalChar": ","},
    {"name": "d", "type": "date"},
    {"name": "e", "type": "boolean"},
]
DIALECTS: list[dict[str, Any]] = [
    {},
    {"delimiter": ";"},
    {"delimiter": "\t", "quoteChar": "'"},
    {"delimiter": "|", "skipInitialSpace": True},
    {"delimiter": ";", "commentChar": "#"},
    {"headerRows": [2]},
    {"headerRows": [1, 2], "headerJoin": ""},
    {"header": False},
    {"header": False, "delimiter": "~", "commentChar": "//"},
]
CELLS = [
    "",
    "-",
    "1",
    "-5",
    "x",
    "12,5",
    "true",
    "false",
    "2024-02-29",
    "é",
    "a b",
    "€",
    "ß",
    '"',
    "'",
    ";",
    "|",
    "a\nb",
]
MATCHES = ["exact", "equal", "subset", "superset", "partial"]


@st.composite
def described_files(draw: st.DrawFn) -> tuple[dict[str, Any], bytes]:
    """Draw a descriptor, and a file that fits it in most cases."""
    fields = draw(st.lists(st.sampled_from(FIELDS), min_size=1, max_size=4, unique_by=lambda field: field["name"]))
    dialect = draw(st.sampled_from(DIALECTS))
    encoding = draw(st.sampled_from(["utf-8", "windows-1252", "iso-8859-15"]))
    match = draw(st.sampled_from(MATCHES if dialect.get("header", True) else ["exact", "equal"]))
    names = [field["name"] for field in fields]
    label = st.sampled_from([*names, *names, *names, "x", "y"])
    labels = draw(st.just(names) | st.permutations(names) | st.lists(label, min_size=1, max_size=5))
    # Two columns of one name that are not stored: see DIFFERENCES.
    labels = [label for at, label in enumerate(labels) if label not in "xy" or label not in labels[:at]]
    width = len(labels) if dialect.get("header", True) else len(names)
    # Without a header, a first row in another dialect is refused: see DIFFERENCES.
    cell = st.sampled_from(CELLS if dialect.get("header", True) else [cell for cell in CELLS if cell not in ";|"])
    row = st.lists(cell, min_size=width, max_size=width) | st.lists(cell, max_size=6)
    rows = draw(st.lists(row, max_size=8))
    if "headerJoin" in dialect:
        # The standard's own example: each name is in two parts.
        head = [[""] * len(labels), labels]
    else:
        head = [["title"], labels] if dialect.get("headerRows") == [2] else [labels]
    out = io.StringIO(newline="")
    writer = csv.writer(
        out,
        delimiter=dialect.get("delimiter", ","),
        quotechar=dialect.get("quoteChar", '"'),
        lineterminator=draw(st.sampled_from(["\n", "\r\n"])),
        quoting=csv.QUOTE_ALL if draw(st.booleans()) else csv.QUOTE_MINIMAL,
    )
    writer.writerows(head if dialect.get("header", True) else [])
    for cells in rows:
        comment = dialect.get("commentChar")
        if comment and draw(st.booleans()):
            out.write(f"{comment} {draw(cell)}".replace("\n", "").replace('"', "") + "\n")
        writer.writerow(cells)
    descriptor = {
        "name": "things",
        "encoding": encoding,
        "dialect": dialect,
        "schema": {"fields": fields, "fieldsMatch": match},
    }
    return descriptor, out.getvalue().encode(encoding)


# The same files in each run: one that shows another difference is for whoever looks for it, not for any commit.
@settings(max_examples=600, deadline=None, derandomize=True)
@given(described_files())
def test_what_we_load_is_what_frictionless_reads(case: tuple[dict[str, Any], bytes]) -> None:
    descriptor, content = case
    assert imported(descriptor, content) == theirs(descriptor, content)


@dataclass(frozen=True)
class Difference:
    """A difference, and why it is one.

    Attributes:
        why: What the standard says, or the project's own reason where the standard says nothing.
        content: A file that shows it.
        loaded: What we load of it, and how many other rows we reject.
        dialect: The file's dialect.
        schema: More of the schema.
        fields: The fields.
        encoding: The encoding.
    """

    why: str
    content: bytes
    loaded: Read | None
    dialect: dict[str, Any] = field(default_factory=dict)
    schema: dict[str, Any] = field(default_factory=dict)
    fields: tuple[dict[str, Any], ...] = ({"name": "a", "type": "string"}, {"name": "b", "type": "string"})
    encoding: str = "utf-8"


ROW = ("1", "2")
TITLED = (
    {"name": "x_a", "type": "string", "title": "x a"},
    {"name": "x_b", "type": "string", "title": "x b"},
)
DIFFERENCES = [
    Difference(
        "escapeChar and quoteChar are mutually exclusive",
        b'a,b\n"1,2"\n',
        ([('"1', '2"')], 0),
        {"escapeChar": "\\"},
    ),
    Difference(
        "without doubleQuote, two quotes are not one",
        b'a,b\n"x""y",1\n',
        ([], 1),
        {"doubleQuote": False},
    ),
    Difference("nullSequence is NULL", b"a,b\nNULL,1\n", ([(None, "1")], 0), {"nullSequence": "NULL"}),
    Difference(
        "a comment is told by the row's first characters, not by its first value",
        b'a,b\n"#x",1\n',
        ([("#x", "1")], 0),
        {"commentChar": "#"},
    ),
    Difference("quotes have no meaning in a comment", b'a,b\n# it"s,"\n1,2\n', ([ROW], 0), {"commentChar": "#"}),
    Difference("comments are no header", b"#x\na,b\n1,2\n", ([ROW], 0), {"commentChar": "#"}),
    Difference("blank lines are no header", b"\na,b\n1,2\n", ([ROW], 0)),
    Difference(
        "the last name of a short header line goes on to the right: the example of headerRows",
        b"x\na,b\n1,2\n",
        ([ROW], 0),
        {"headerRows": [1, 2]},
        fields=TITLED,
    ),
    Difference("neither case nor spaces matter in a header", b"A, B\n1,2\n", ([ROW], 0)),
    Difference("a title is a name in a header", b"x A,X b\n1,2\n", ([ROW], 0), fields=TITLED),
    Difference(
        "columns that are not stored may have the same name",
        b"a,x,x\n1,2,3\n",
        ([("1", None)], 0),
        schema={"fieldsMatch": "partial"},
    ),
    Difference(
        "without a header, subset allows more values",
        b"1,2,3\n",
        ([ROW], 0),
        {"header": False},
        {"fieldsMatch": "subset"},
    ),
    Difference(
        "without a header, superset allows fewer values",
        b"1\n",
        ([("1", None)], 0),
        {"header": False},
        {"fieldsMatch": "superset"},
    ),
    Difference("a first row in another dialect is another file", b"1;2\n", None, {"header": False}),
    Difference(
        "commentRows are lines, which a text editor counts too",
        b'a,b\n"x\ny",2\n3,4\n1,2\n',
        ([("x\ny", "2"), ROW], 0),
        {"commentRows": [4]},
    ),
    Difference("text after a closing quote is no CSV: RFC 4180", b'a,b\n"1"x,2\n', ([], 1)),
    Difference("a quote that is never closed costs its line only", b'a,b\n"1,2\n1,2\n', ([ROW], 1)),
    Difference("bytes of another encoding cost their row only", b"a,b\n\xff,2\n1,2\n", ([ROW], 1)),
    Difference(
        "bytes that an encoding lacks cost their row only", b"a,b\n\x81,2\n1,2\n", ([ROW], 1), encoding="windows-1252"
    ),
    Difference("no text has the control characters of ISO 8859", b"a,b\n1,\x80\n", ([], 1), encoding="iso-8859-1"),
    Difference("a NUL byte costs its row", b"a,b\n\0,2\n1,2\n", ([ROW], 1)),
    Difference("Excel's own line is no header", b"sep=,\na,b\n1,2\n", ([ROW], 0)),
]


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda difference: difference.why)
def test_each_difference_is_still_one(difference: Difference) -> None:
    descriptor = {
        "name": "things",
        "encoding": difference.encoding,
        "dialect": difference.dialect,
        "schema": {"fields": [*difference.fields], **difference.schema},
    }
    assert imported(descriptor, difference.content) == difference.loaded
    assert theirs(descriptor, difference.content) != difference.loaded
