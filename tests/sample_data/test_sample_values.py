"""Sample files of any dataset, with the importer's parser as the judge: which rows it takes, and which it rejects."""

import csv
import datetime as dt
import gzip
import io
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sample_data
import sample_values
from descriptors import load
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_values import Generator, Row, SampleRefused

from csv_importer.datasets import Dataset
from csv_importer.headers import read_header
from csv_importer.parsing import Reject, read_blocks

TOOL = Path(sample_data.__file__)
DATASETS = TOOL.parents[1] / "datasets"

VISITS: dict[str, Any] = {
    "name": "visits",
    "schema": {
        "missingValues": ["", "-"],
        "primaryKey": ["visit_no"],
        "fields": [
            {"name": "visit_no", "type": "integer"},
            {"name": "email", "type": "string", "format": "email", "constraints": {"unique": True, "maxLength": 100}},
            {"name": "birthday", "type": "date", "format": "%d.%m.%Y", "constraints": {"required": True}},
            {"name": "arrived_at", "type": "datetime", "constraints": {"minimum": "2030-01-01T00:00:00"}},
            {"name": "price", "type": "number", "decimalChar": ",", "groupChar": ".", "constraints": {"minimum": "0"}},
            {"name": "nights", "type": "integer", "constraints": {"minimum": 1, "maximum": 14}},
            {"name": "breakfast", "type": "boolean", "trueValues": ["ja"], "falseValues": ["nein"]},
            {"name": "country", "type": "string", "constraints": {"enum": ["DE", "FR", "PL"], "required": True}},
            {"name": "room", "type": "string", "constraints": {"pattern": "[A-C][0-9]{3}", "required": True}},
            {"name": "phone", "type": "string", "constraints": {"maxLength": 30}},
            {"name": "wishes", "type": "list"},
            {"name": "details", "type": "object", "constraints": {"minLength": 1}},
        ],
    },
}


def content(descriptor: dict[str, Any], rows: int, seed: int = 1, bad: int = 0) -> bytes:
    return b"".join(sample_values.blocks(descriptor, rows, seed, bad))


def read(descriptor: dict[str, Any], content: bytes) -> tuple[list[list[str | None]], list[Reject], int]:
    """Return the rows that the importer stores, those that it rejects, and how many lines it skips."""
    source = io.BytesIO(content).read
    header, rest = read_header(source, Dataset.of(descriptor))
    rows, rejects, blank = list[list[str | None]](), list[Reject](), 0
    for block in read_blocks(source, header.layout, header.end, rest):
        rows += block.rows
        rejects += block.rejects
        blank += block.blank
    return rows, rejects, blank


@st.composite
def constrained_fields(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a field whose constraints some hundred values at least meet."""
    low, size = draw(st.integers(-500, 500)), draw(st.integers(200, 5000))
    year = draw(st.integers(1000, 8000))
    length = draw(st.integers(0, 30))
    field: dict[str, Any] = draw(
        st.sampled_from(
            [
                {"type": "string"},
                {"type": "string", "constraints": {"minLength": length, "maxLength": length + 6}},
                {"type": "string", "constraints": {"minLength": 2 * length, "pattern": "[a-c ]{3,90}x?"}},
                {"type": "string", "constraints": {"pattern": r"(?:ab|cd)-\d{3,5}[^0-9a-f]?"}},
                {"type": "string", "constraints": {"pattern": r"\w{5,9}@corp\.example"}, "format": "email"},
                {"type": "string", "constraints": {"enum": ["a, b", 'c "d"', "é"]}},
                {"type": "string", "format": "email", "constraints": {"maxLength": 20}},
                {"type": "string", "format": "uri"},
                {"type": "string", "format": "uuid"},
                {"type": "string", "format": "binary"},
                {"type": "string", "csvToAurora:columnType": "char(5)"},
                {"type": "any"},
                {"type": "integer"},
                {"type": "integer", "constraints": {"minimum": low, "maximum": low + size}},
                {"type": "integer", "constraints": {"exclusiveMinimum": low * 10**15}, "groupChar": " "},
                {"type": "integer", "csvToAurora:columnType": "tinyint", "csvToAurora:plainDigits": True},
                {"type": "integer", "constraints": {"enum": [low, low + size]}},
                {"type": "number"},
                {"type": "number", "decimalChar": ",", "groupChar": "."},
                {"type": "number", "constraints": {"minimum": low, "exclusiveMaximum": low + size}},
                {"type": "number", "constraints": {"minimum": "0.0011", "maximum": "0.0099"}},
                {"type": "number", "csvToAurora:columnType": "decimal(4,4)"},
                {"type": "boolean"},
                {"type": "boolean", "trueValues": ["x", "y"], "falseValues": [""], "missingValues": []},
                {"type": "date"},
                {"type": "date", "constraints": {"minimum": f"{year}-01-01", "maximum": f"{year}-12-30"}},
                {"type": "date", "format": "%d/%m/%y"},
                {"type": "datetime", "format": "%Y-%m-%d %I:%M %p"},
                {"type": "datetime", "format": "%d.%m.%Y %H:%M:%S%z", "constraints": {"required": True}},
                {"type": "datetime", "constraints": {"maximum": f"{year}-06-15T10:00:00"}},
                {"type": "time"},
                {"type": "time", "format": "%H:%M:%S.%f"},
                {"type": "year", "constraints": {"minimum": year, "maximum": year + 300}},
                {"type": "yearmonth"},
                {"type": "yearmonth", "constraints": {"maximum": f"{year}-11"}},
                {"type": "duration"},
                {"type": "list"},
                {"type": "list", "itemType": "number", "delimiter": ";"},
                {"type": "list", "itemType": "date", "delimiter": "|"},
                {"type": "object"},
                {"type": "array", "constraints": {"minLength": 3, "maxLength": 12}},
            ]
        )
    )
    constraints = dict(field.get("constraints", {}))
    if draw(st.booleans()):
        constraints["required"] = True
    if field["type"] in ("string", "integer", "date") and "enum" not in constraints and draw(st.integers(0, 3)) == 0:
        constraints["unique"] = field.get("csvToAurora:columnType") is None
    return {**field, "constraints": constraints} if constraints else field


@st.composite
def random_datasets(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a descriptor."""
    fields = draw(st.lists(constrained_fields(), min_size=1, max_size=6))
    names = draw(
        st.lists(
            st.sampled_from(["email", "city", "price", "age", "note", "code", "country", "phone", "when", "qty", "x"]),
            min_size=len(fields),
            max_size=len(fields),
            unique=True,
        )
    )
    schema: dict[str, Any] = {"fields": [{"name": name, **field} for name, field in zip(names, fields, strict=True)]}
    schema["missingValues"] = draw(st.sampled_from([[""], ["", "-", "NA"], ["NA"]]))
    return {"name": "things", "schema": schema}


@settings(deadline=None, max_examples=120)
@given(random_datasets(), st.integers(0, 60), st.sampled_from([-5, 1, 7, 10**9]))
def test_every_row_of_a_clean_file_is_stored(descriptor: dict[str, Any], rows: int, seed: int) -> None:
    stored, rejects, blank = read(descriptor, content(descriptor, rows, seed))
    assert (len(stored), rejects, blank) == (rows, [], 0)


@settings(deadline=None, max_examples=120)
@given(random_datasets(), st.integers(0, 60), st.data())
def test_exactly_the_bad_rows_are_rejected(descriptor: dict[str, Any], rows: int, data: st.DataObject) -> None:
    bad = data.draw(st.integers(0, rows))
    stored, rejects, blank = read(descriptor, content(descriptor, rows, 3, bad))
    assert (len(stored), len(rejects), blank) == (rows - bad, bad, 0)


@settings(deadline=None, max_examples=100)
@given(random_datasets())
def test_each_kind_of_bad_row_is_rejected(descriptor: dict[str, Any]) -> None:
    generator = Generator(descriptor, 1, 20)
    rows, source = generator.rows(10), random.Random(1)  # noqa: S311 - sample data is not secret
    for kind, spoiler in generator.spoilers().items():
        lines = [spoiler(Row(row, generator.form), source) + b"\n" for row in rows]
        stored, rejects, blank = read(descriptor, generator.header + b"".join(lines))
        assert (kind, stored, len(rejects), blank) == (kind, [], 10, 0)


@pytest.mark.parametrize("name", [path.stem for path in DATASETS.glob("*.yaml")])
def test_the_datasets_of_the_project(name: str) -> None:
    descriptor = load(DATASETS / f"{name}.yaml")
    stored, rejects, _ = read(descriptor, content(descriptor, 3000, 2, 500))
    assert (len(stored), len(rejects)) == (2500, 500)


def test_kinds_break_each_rule_of_a_dataset() -> None:
    stored, rejects, _ = read(VISITS, content(VISITS, 2000, 1, 1000))
    assert (len(stored), len(rejects)) == (1000, 1000)
    columns = {reject.column for reject in rejects}
    # Of wishes, each value is one.
    assert {field["name"] for field in VISITS["schema"]["fields"]} - {"wishes"} <= columns
    reasons = {reject.reason for reject in rejects}
    assert {"empty", "a NUL byte", "none of the values that are allowed"} <= reasons
    assert any("fields instead of" in reason for reason in reasons)


def test_values_of_keys_differ_within_a_file_and_between_seeds() -> None:
    first, second = (read(VISITS, content(VISITS, 25_000, seed))[0] for seed in (1, 2))
    for place in (0, 1):
        values = [row[place] for row in [*first, *second]]
        assert len({*values}) == 50_000


def test_values_are_plausible() -> None:
    rows, _, _ = read(VISITS, content(VISITS, 5000))
    columns = {
        field["name"]: column for field, column in zip(VISITS["schema"]["fields"], zip(*rows, strict=True), strict=True)
    }
    assert {str(mail).rpartition(".example.")[2] for mail in columns["email"] if mail} == {"com", "net", "org"}
    assert all(
        dt.date(1940, 1, 1) <= dt.date.fromisoformat(str(day)) < dt.date(2008, 1, 1) for day in columns["birthday"]
    )
    assert {*columns["country"]} == {"DE", "FR", "PL"}
    assert {*columns["breakfast"]} == {"0", "1", None}
    assert {*columns["nights"]} == {*map(str, range(1, 15)), None}
    assert 100 < columns["wishes"].count(None) < 600
    assert len({*columns["price"]}) > 300
    assert all(price is None or 1 <= float(str(price)) <= 2000 for price in columns["price"])


def test_same_arguments_same_bytes_other_seed_other_bytes() -> None:
    assert content(VISITS, 300, 8, 30) == content(VISITS, 300, 8, 30)
    assert content(VISITS, 300, 8, 30) != content(VISITS, 300, 9, 30)


@pytest.mark.parametrize(
    ("field", "rows", "says"),
    [
        (
            {"name": "grade", "type": "string", "constraints": {"unique": True, "enum": ["a", "b"]}},
            3,
            "grade: there are not as many different values as rows",
        ),
        (
            {
                "name": "grade",
                "type": "string",
                "constraints": {"pattern": "[0-9]{5}", "maxLength": 3, "required": True},
            },
            1,
            "grade: no value could be generated that its constraints allow",
        ),
    ],
)
def test_what_cannot_be_generated_is_named(field: dict[str, Any], rows: int, says: str) -> None:
    with pytest.raises(SampleRefused, match=says):
        content({"name": "marks", "schema": {"fields": [field]}}, rows)


@pytest.mark.parametrize(("rows", "bad"), [(-1, 0), (1, 2), (1, -1)])
def test_impossible_counts_are_refused(rows: int, bad: int) -> None:
    with pytest.raises(ValueError, match="impossible"):
        content(VISITS, rows, bad=bad)


@st.composite
def dialects(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a dialect in which all values can be written."""
    dialect: dict[str, Any] = {"delimiter": draw(st.sampled_from(",;\t|"))}
    dialect |= draw(st.sampled_from([{}, {"quoteChar": "'"}, {"escapeChar": "\\"}, {"escapeChar": "!"}]))
    dialect |= draw(st.sampled_from([{}, {"commentChar": "#"}, {"commentChar": "a"}, {"skipInitialSpace": True}]))
    dialect |= draw(st.sampled_from([{}, {"lineTerminator": "\r\n"}]))
    return dialect | draw(
        st.sampled_from([{}, {"header": False}, {"headerRows": [3]}, {"commentRows": [1, 2]}, {"nullSequence": "NIL"}])
    )


@settings(deadline=None, max_examples=120)
@given(random_datasets(), dialects(), st.sampled_from(["utf-8", "windows-1252", "ISO-8859-2"]), st.integers(0, 30))
def test_files_are_in_their_dialect(
    descriptor: dict[str, Any], dialect: dict[str, Any], encoding: str, bad: int
) -> None:
    descriptor = {**descriptor, "dialect": dialect, "encoding": encoding}
    stored, rejects, _ = read(descriptor, content(descriptor, 30, 1, bad))
    assert (len(stored), len(rejects)) == (30 - bad, bad)


def test_python_reads_a_file_in_its_dialect() -> None:
    fields = [
        {"name": "sentence", "type": "string", "constraints": {"enum": ["a;b", "a,b", "it's", '"x"', "\\"]}},
        {"name": "author", "type": "string", "constraints": {"required": True}},
    ]
    for quotes, options in (
        ({"quoteChar": "'"}, {"quotechar": "'"}),
        ({"escapeChar": "\\"}, {"escapechar": "\\", "quoting": csv.QUOTE_NONE}),
    ):
        dialect = {"delimiter": ";", "lineTerminator": "\r\n", **quotes}
        data = content({"name": "t", "encoding": "cp1252", "dialect": dialect, "schema": {"fields": fields}}, 500)
        rows = list(csv.reader(io.StringIO(data.decode("cp1252"), newline=""), delimiter=";", strict=True, **options))
        assert rows[0] == ["sentence", "author"]
        assert {row[0] for row in rows[1:]} == {"", "a;b", "a,b", "it's", '"x"', "\\"}
        assert not data.isascii()
        assert data.count(b"\r\n") == len(rows) == 501


@pytest.mark.parametrize("dialect", [{"headerRows": [1, 2]}, {"commentRows": [5]}])
def test_a_dialect_that_is_not_generated_is_named(dialect: dict[str, Any]) -> None:
    with pytest.raises(SampleRefused, match="one headerRow at most, and no commentRows"):
        content({**VISITS, "dialect": dialect}, 1)


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, str(TOOL), *arguments], capture_output=True, check=False, env={**os.environ, **environment}
    )


def test_command_takes_a_dataset(tmp_path: Path) -> None:
    orders = str(DATASETS / "orders.yaml")
    to_stdout = run("--rows", "200", "--seed", "4", "--bad-ratio", "0.1", "--dataset", orders, PYTHONHASHSEED="1")
    assert (to_stdout.returncode, to_stdout.stdout) == (0, content(load(Path(orders)), 200, 4, 20))
    again = run("--rows", "200", "--seed", "4", "--bad-ratio", "0.1", "--dataset", orders, PYTHONHASHSEED="2")
    assert again.stdout == to_stdout.stdout
    packed = tmp_path / "orders.csv.gz"
    for _ in range(2):
        assert (
            run(
                "--rows", "200", "--seed", "4", "--bad-ratio", "0.1", "--dataset", orders, "--output", str(packed)
            ).returncode
            == 0
        )
    assert gzip.decompress(packed.read_bytes()) == to_stdout.stdout


def test_customers_are_the_default() -> None:
    assert run("--rows", "50").stdout == run("--rows", "50", "--dataset", str(DATASETS / "customer.yaml")).stdout
    assert run("--rows", "50").stdout == b"".join(sample_data.blocks(50, 1, 0))


def test_a_customer_with_another_column_follows_the_descriptor(tmp_path: Path) -> None:
    file = tmp_path / "customer.yaml"
    text = (DATASETS / "customer.yaml").read_text(encoding="utf-8")
    file.write_text(text + "    - name: city\n      type: string\n", encoding="utf-8")
    result = run("--rows", "50", "--dataset", str(file))
    stored, rejects, _ = read(load(file), result.stdout)
    assert (len(stored), rejects) == (50, [])
    assert result.stdout.startswith(b"title,firstname,lastname,status,email,age,city\n")


def test_a_descriptor_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    result = run("--dataset", str(tmp_path / "missing.yaml"))
    assert result.returncode == 1
    assert result.stderr.decode().startswith(f"{tmp_path / 'missing.yaml'}: it cannot be read")
    (tmp_path / "bad.yaml").write_text("name: bad\n", encoding="utf-8")
    assert b"bad.yaml:1: " in run("--dataset", str(tmp_path / "bad.yaml"), "--output", str(tmp_path / "x.csv")).stderr
    assert not (tmp_path / "x.csv").exists()
