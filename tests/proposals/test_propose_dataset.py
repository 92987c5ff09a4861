"""Proposed descriptors: what is proposed for which values, and that the importer reads the file with it."""

import csv
import datetime as dt
import gzip
import io
import json
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import descriptors
import propose_dataset
import pytest
from csv_head import HeadRefused, read_head
from hypothesis import given, settings
from hypothesis import strategies as st
from propose_dataset import Proposal, Reading, check, propose, valid_name

TOOL = Path(propose_dataset.__file__)

type Propose = Callable[..., tuple[dict[str, Any], Proposal, Reading]]


def proposed(file: Path, content: bytes, **known: Any) -> tuple[dict[str, Any], Proposal, Reading]:
    """Propose a descriptor for a file; return it as it is loaded, as it was written, and what the importer reads."""
    file.write_bytes(content)
    head = read_head(file, **known)
    proposal = propose(head, "things", "Things")
    reading = check(proposal.text, "things.yaml", head)
    target = file.with_suffix(".yaml")
    target.write_text(proposal.text, encoding="utf-8")
    return descriptors.load(target), proposal, reading


@pytest.fixture
def proposal_for(tmp_path: Path) -> Propose:
    def of(content: bytes | str, **known: Any) -> tuple[dict[str, Any], Proposal, Reading]:
        return proposed(tmp_path / "things.csv", content.encode() if isinstance(content, str) else content, **known)

    return of


def field_for(propose_for: Propose, values: Sequence[str], name: str = "value") -> dict[str, Any]:
    """Return the field that is proposed for some values, after checking that the importer takes them all."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    # A second column, so that an empty value makes no blank line.
    writer.writerows([(name, "other"), *((value, "x") for value in values)])
    descriptor, _, reading = propose_for(out.getvalue(), header=True)
    assert (reading.refused, reading.loaded, [*reading.rejects]) == (None, len(values), [])
    field: dict[str, Any] = descriptor["schema"]["fields"][0]
    assert field.pop("name") == name
    return field


REQUIRED = {"constraints": {"required": True}}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1", "-20", "300"], {"type": "integer", **REQUIRED}),
        (["1", "", "300"], {"type": "integer"}),
        (["1", "NA", "", "3"], {"type": "integer", "missingValues": ["", "NA"]}),
        (["1", "\\N", "3"], {"type": "integer", "missingValues": ["", "\\N"]}),
        (
            ["18446744073709551615", "1"],
            {"type": "integer", "csvToAurora:columnType": "bigint unsigned", **REQUIRED},
        ),
        (["1,234,567", "12"], {"type": "integer", "groupChar": ",", **REQUIRED}),
        (["0.5", "1234.25"], {"type": "number", "csvToAurora:columnType": "decimal(12,2)", **REQUIRED}),
        (["0.12345", "1.5"], {"type": "number", "csvToAurora:columnType": "decimal(17,7)", **REQUIRED}),
        (
            ["1.234,50", "12,00"],
            {
                "type": "number",
                "decimalChar": ",",
                "groupChar": ".",
                "csvToAurora:columnType": "decimal(12,2)",
                **REQUIRED,
            },
        ),
        (
            ["$1,234.50", "$7.00"],
            {
                "type": "number",
                "groupChar": ",",
                "bareNumber": False,
                "csvToAurora:columnType": "decimal(12,2)",
                **REQUIRED,
            },
        ),
        (["true", "false", "true"], {"type": "boolean", **REQUIRED}),
        (["Yes", "No", ""], {"type": "boolean", "trueValues": ["Yes"], "falseValues": ["No"]}),
        (["2024-02-29", "1999-12-31"], {"type": "date", **REQUIRED}),
        (["31/12/2024", "01/02/2024"], {"type": "date", "format": "%d/%m/%Y", **REQUIRED}),
        (["12/31/2024", "01/02/2024"], {"type": "date", "format": "%m/%d/%Y", **REQUIRED}),
        (["1.2.2024", "31.12.2024"], {"type": "date", "format": "%d.%m.%Y", **REQUIRED}),
        (["5-Jan-2024", "31-Dec-2024"], {"type": "date", "format": "%d-%b-%Y", **REQUIRED}),
        (["2024-01-01T10:00:00Z", "2024-01-01T10:00:00+02:00"], {"type": "datetime", **REQUIRED}),
        (["2024-01-01 10:00:00"] * 2, {"type": "datetime", "format": "%Y-%m-%d %H:%M:%S", **REQUIRED}),
        (["12/31/2024 1:05 PM"] * 2, {"type": "datetime", "format": "%m/%d/%Y %I:%M %p", **REQUIRED}),
        (["2024-01-01 10:00:00 UTC"] * 2, {"type": "datetime", "format": "%Y-%m-%d %H:%M:%S UTC", **REQUIRED}),
        (["10:00:00", "23:59:59"], {"type": "time", **REQUIRED}),
        (["9:05", "23:59"], {"type": "time", "format": "%H:%M", **REQUIRED}),
        (["2024-01", "2024-12"], {"type": "yearmonth", **REQUIRED}),
        (["P1D", "PT2H"], {"type": "duration", **REQUIRED}),
        (['{"a": 1}', "{}"], {"type": "object", **REQUIRED}),
        (["[1, 2]", "[]"], {"type": "array", **REQUIRED}),
        (["123e4567-e89b-12d3-a456-426614174000"] * 2, {"type": "string", "format": "uuid", **REQUIRED}),
        (
            ["ada@example.org", "b.c@example.com"],
            {"type": "string", "format": "email", "constraints": {"required": True, "maxLength": 255}},
        ),
        (
            ["https://example.org/a?b", "http://example.com"],
            {"type": "string", "format": "uri", "constraints": {"required": True, "maxLength": 255}},
        ),
        (["x", "longer text"], {"type": "string", "constraints": {"required": True, "maxLength": 50}}),
        (["x" * 9000, "y"], {"type": "string", "constraints": {"required": True}}),
        (["01067", "80331"], {"type": "string", "constraints": {"required": True, "maxLength": 10}}),
        (["+491701234567", "+4930123456"], {"type": "string", "constraints": {"required": True, "maxLength": 50}}),
        (["NULL", "Smith"], {"type": "string", "constraints": {"required": True, "maxLength": 10}}),
        (["", ""], {"type": "string", "constraints": {"maxLength": 255}}),
        # Neither a day nor a thousand is certain.
        (["01/02/2024", "03/04/2024"], {"type": "string", "constraints": {"required": True, "maxLength": 20}}),
        (["1,234", "5,678"], {"type": "string", "constraints": {"required": True, "maxLength": 10}}),
        (["yes", "yes"], {"type": "string", "constraints": {"required": True, "maxLength": 10}}),
        (["1e5", "2e-3"], {"type": "string", "constraints": {"required": True, "maxLength": 10}}),
        (["123456789012345678901", "1"], {"type": "string", "constraints": {"required": True, "maxLength": 50}}),
        (["0999-01-01", "2024-01-01"], {"type": "string", "constraints": {"required": True, "maxLength": 20}}),
        (["192.168.1.1", "10.0.0.1"], {"type": "string", "constraints": {"required": True, "maxLength": 50}}),
    ],
)
def test_a_type_is_proposed_that_takes_the_values(
    proposal_for: Propose, values: list[str], expected: dict[str, Any]
) -> None:
    assert field_for(proposal_for, values) == expected


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("year", ["1999", "2024"], "year"),
        ("amount", ["1999", "2024"], "integer"),
        ("is_member", ["0", "1"], "boolean"),
        ("count", ["0", "1"], "integer"),
        ("phone", ["491701234567", "4930123456"], "string"),
        ("zip", ["90210", "10001"], "string"),
        ("order_date", ["20240131", "20231224"], "date"),
        ("serial", ["20240131", "20231224"], "integer"),
    ],
)
def test_a_name_decides_where_values_leave_it_open(
    proposal_for: Propose, name: str, values: list[str], kind: str
) -> None:
    assert field_for(proposal_for, values, name)["type"] == kind


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Order Date", "order_date"),
        (" Amount (EUR) ", "amount_eur"),
        ("Größe", "grosse"),
        ("Łódź", "lodz"),
        ("id", "orders_id"),
        ("Created_At", "orders_created_at"),
        ("import_id", "orders_import_id"),
        ("1990", "column_1990"),
        ("2nd", "column_2nd"),
        ("名前", "f3"),
        ("", "f3"),
        ("x" * 100, "x" * 60),
    ],
)
def test_names_of_columns(title: str, name: str) -> None:
    assert valid_name(title, 3, "orders") == name


def test_every_name_is_another_one(proposal_for: Propose) -> None:
    descriptor, proposal, _ = proposal_for("a b,a-b,a_b\n1,2,3\n")
    assert [field["name"] for field in descriptor["schema"]["fields"]] == ["a_b_1", "a_b_2", "a_b"]
    assert [field.get("title") for field in descriptor["schema"]["fields"]] == ["a b", "a-b", None]
    assert not proposal.doubts
    _, twice, _ = proposal_for("a,a\n1,2\n", header=True)
    assert [text for _, text in twice.doubts] == [
        f"{name}: the header has this name twice, and such a file is refused" for name in ("a", "a_2")
    ]


def test_a_key_is_a_comment(proposal_for: Propose) -> None:
    descriptor, proposal, _ = proposal_for("order_no,colour\nA1,red\nA2,blue\n")
    assert "primaryKey" not in descriptor["schema"]
    assert "  # primaryKey: [order_no]" in proposal.lines
    _, repeated, _ = proposal_for("order_no,colour\nA1,red\nA1,blue\n")
    assert "primaryKey" not in repeated.text


def test_doubts_name_their_lines(proposal_for: Propose) -> None:
    _, proposal, _ = proposal_for("when,amount\n01/02/2024,1\n03/04/2024,2\n")
    ((line, text),) = proposal.doubts
    assert text.startswith("when: text, since nothing shows which of these formats")
    assert proposal.lines[line - 1].startswith("    # Check: when: text")
    assert proposal.lines[line] == "    - name: when" or proposal.lines[line + 1] == "    - name: when"


def test_a_value_among_others_is_named_by_its_line(proposal_for: Propose) -> None:
    rows = [f"{index},x" for index in range(30)]
    rows[20] = "oops,x"
    _, proposal, _ = proposal_for("\n".join(["amount,other", *rows, ""]), header=True)
    assert [text for _, text in proposal.doubts] == [
        "amount: text, since 1 of the values are not whole numbers, the first one on line 22"
    ]


def test_rows_that_would_be_rejected_are_counted(proposal_for: Propose) -> None:
    good = "".join(f"{number},é\n" for number in range(400)).encode()
    descriptor, proposal, reading = proposal_for(b'n,t\n1\n2,"b"c\n3,\xff\n' + good)
    assert [text for _, text in proposal.doubts] == [
        f"1 record of the head would be rejected, for {what}"
        for what in ("another number of fields", "bytes that are not utf-8", "broken quotes")
    ]
    assert descriptor["schema"]["fields"][0]["type"] == "integer"
    assert (reading.loaded, [reject.line for reject in reading.rejects]) == (400, [2, 3, 4])


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.csv", "a,b\n1,2\n".encode("utf-16"), "UTF-16 text, and no CSV that the importer reads: convert it: iconv"),
        ("a.csv", "a,b\n1,2\n".encode("utf-16-le"), "NUL bytes: it is binary, or UTF-16 without a byte order mark"),
        ("a.csv", b"PK\x03\x04rest", "an Excel workbook (xlsx), and no CSV that the importer reads: save the sheet"),
        ("a.csv.gz", b"a,b\n1,2\n", "its name ends in .gz, and it is not gzip"),
        ("a.csv.gz", gzip.compress(b"a,b\n1,2\n" * 1000, mtime=0)[:-20], "it is gzip, and cannot be unpacked"),
        ("a.csv", b"", "it holds no record"),
        ("a.csv", b"\n\r\n", "it holds no record"),
        ("a.csv", b"a" * (1 << 21), "its first line is longer than 1,048,576 bytes"),
        ("a.csv", "名前,市\n田中,東京\n鈴木,大阪\n佐藤,札幌\n".encode("shift_jis"), "iconv -f SHIFT_JIS -t UTF-8"),
    ],
)
def test_what_is_no_csv_is_named(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(HeadRefused, match=re.escape(says)):
        read_head(tmp_path / name)


def test_only_the_head_is_read(tmp_path: Path) -> None:
    file = tmp_path / "long.csv"
    with file.open("w", encoding="utf-8") as out:
        out.write("n,text\n")
        out.writelines(f'{number},"quoted\nover lines"\n' for number in range(100_000))
    head = read_head(file)
    assert (len(head.rows), head.whole, dict(head.faults)) == (20_000, False, {})
    with gzip.open(tmp_path / "long.csv.gz", "wb", compresslevel=1) as packed:
        packed.write(file.read_bytes())
    assert (len(read_head(tmp_path / "long.csv.gz").rows), read_head(tmp_path / "long.csv.gz").packed) == (20_000, True)


def test_wide_rows_are_of_text(proposal_for: Propose) -> None:
    names, values = [f"c{place}" for place in range(190)], ["word " * 20] * 190
    descriptor, _, reading = proposal_for(f"{','.join(names)}\n{','.join(values)}\n", header=True)
    fields = descriptor["schema"]["fields"]
    assert sum(field.get("csvToAurora:columnType") == "text" for field in fields) > 100
    assert reading.loaded == 1


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), min_size=1, max_size=30)
COLUMNS: dict[str, st.SearchStrategy[str]] = {
    "integer": st.integers(-(2**63), 2**63 - 1).map(str),
    "number": st.decimals(-(10**9), 10**9, places=3).map(lambda number: format(number, "f")),
    "comma": st.decimals(0, 10**9, places=2).map(lambda number: format(number, "f").replace(".", ",")),
    "boolean": st.sampled_from(["yes", "no"]),
    "date": st.dates(dt.date(1000, 1, 1)).map(str),
    "german": st.dates(dt.date(1000, 1, 1)).map(lambda date: date.strftime("%d.%m.%Y")),
    "datetime": st.datetimes(dt.datetime(1000, 1, 1)).map(dt.datetime.isoformat),  # noqa: DTZ001
    "time": st.times().map(lambda time: time.strftime("%H:%M:%S")),
    "object": st.dictionaries(st.text(max_size=3), st.booleans(), max_size=2).map(json.dumps),
    "email": st.from_regex(r"[a-z]{1,9}@example\.(?:com|org)", fullmatch=True),
    "text": WORDS,
    "blank": st.sampled_from(["", "x"]),
    "marked": st.one_of(st.just("NA"), st.integers(0, 99).map(str)),
}


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[str]]]:
    """Draw the names and the rows of a table."""
    kinds = draw(st.lists(st.sampled_from(list(COLUMNS)), min_size=2, max_size=6))
    rows = draw(st.lists(st.tuples(*(COLUMNS[kind] for kind in kinds)).map(list), min_size=1, max_size=20))
    return [f"{kind}_{place}" for place, kind in enumerate(kinds)], rows


@settings(deadline=None, max_examples=150)
@given(tables(), st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]), st.sampled_from(["\n", "\r\n"]))
def test_the_importer_loads_each_row_of_a_clean_file(
    tmp_path_factory: pytest.TempPathFactory, table: tuple[list[str], list[list[str]]], quoting: Any, line_end: str
) -> None:
    names, rows = table
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator=line_end, quoting=quoting)
    writer.writerows([names, *rows])
    file = tmp_path_factory.mktemp("table") / "table.csv"
    descriptor, _, reading = proposed(file, out.getvalue().encode(), delimiter=",", header=True)
    assert (reading.refused, reading.loaded, [*reading.rejects]) == (None, len(rows), [])
    assert [field["name"] for field in descriptor["schema"]["fields"]] == names


@settings(deadline=None, max_examples=50)
@given(st.lists(st.text("bcdfghjkmpqrstvwxz", min_size=8, max_size=12), min_size=3, max_size=20, unique=True))
def test_no_value_of_a_row_is_in_a_proposal(tmp_path_factory: pytest.TempPathFactory, values: list[str]) -> None:
    file = tmp_path_factory.mktemp("values") / "values.csv"
    rows = [f"{value},{value}@example.org,{number},2024-01-{number + 1:02}" for number, value in enumerate(values)]
    _, proposal, _ = proposed(file, "\n".join(["name,mail,number,day", *rows, ""]).encode())
    assert [value for value in values if value in proposal.text] == []


def run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(TOOL), *arguments], capture_output=True, check=False, text=True, encoding="utf-8", cwd=cwd
    )


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    file = tmp_path / "orders.csv"
    file.write_text("order_no,day,amount\nA1,2024-01-31,12.50\nA2,01/02/24,7.00\n", encoding="utf-8")
    return file


def test_command_writes_a_descriptor_and_says_what_is_next(orders: Path, tmp_path: Path) -> None:
    target = tmp_path / "orders.yaml"
    result = run("--name", "orders", "--output", str(target), str(orders))
    assert (result.returncode, result.stdout) == (0, "")
    assert descriptors.load(target)["name"] == "orders"
    assert f"{target}: proposed. Under it, the importer takes 2 of 2 rows of the file." in result.stderr
    assert "stack_datasets" in result.stderr
    to_stdout = run("--name", "orders", "--output", "-", str(orders))
    assert (to_stdout.returncode, to_stdout.stdout) == (0, target.read_text(encoding="utf-8"))


def test_command_names_the_lines_in_doubt(orders: Path, tmp_path: Path) -> None:
    orders.write_text("day,n\n01/02/2024,1\n03/04/2024,2\n", encoding="utf-8")
    target = tmp_path / "orders.yaml"
    result = run("--name", "orders", "--output", str(target), str(orders))
    found = re.search(rf"{re.escape(str(target))}:(\d+): day: text", result.stderr)
    assert found
    assert "Check: day" in target.read_text(encoding="utf-8").splitlines()[int(found[1]) - 1]


def test_command_overwrites_nothing(orders: Path, tmp_path: Path) -> None:
    target = tmp_path / "orders.yaml"
    target.write_text("mine", encoding="utf-8")
    result = run("--name", "orders", "--output", str(target), str(orders))
    assert result.returncode == 1
    assert f"{target} exists, and is not overwritten" in result.stderr
    assert target.read_text(encoding="utf-8") == "mine"
    assert "customer.yaml exists" in run("--name", "customer", str(orders)).stderr


def test_command_refuses_what_the_importer_does_not_take(orders: Path, tmp_path: Path) -> None:
    target = tmp_path / "csv_import.yaml"
    result = run("--name", "csv_import", "--output", str(target), str(orders))
    assert (result.returncode, target.exists()) == (1, False)
    assert re.search(rf"{re.escape(str(target))}:\d+: name: 'csv_import' is no name for a table", result.stderr)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--name", "", "x.csv"), "--name is ''"),
        (("--name", "Orders", "x.csv"), "--name is 'Orders': it is the table's name"),
        (("--name", "orders", ""), "no file: make dataset name=orders csv=FILE"),
        (("--name", "orders", "missing.csv"), "'missing.csv' is no file"),
        (("--name", "orders", "--delimiter", ";;", "x.csv"), "invalid single character, or tab value: ';;'"),
    ],
)
def test_wrong_arguments_are_named(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    (tmp_path / "x.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    result = run(*arguments, cwd=tmp_path)
    assert result.returncode == 2
    assert says in result.stderr
    assert "Traceback" not in result.stderr


def test_an_encoding_that_does_not_exist_is_named(orders: Path) -> None:
    result = run("--name", "orders", "--output", "-", "--encoding", "klingon", str(orders))
    assert result.returncode == 1
    assert "'klingon' is no encoding that Python knows" in result.stderr


def test_a_german_file_of_excel(proposal_for: Propose) -> None:
    text = (
        "sep=;\r\nid;Größe;Straße;Umsatz;Tag;aktiv\r\n"
        '1;1,85;"Am ""Ring"" 3";1.234,50;31.12.2023;ja\r\n2;1,7;Königsweg 7;12,00;01.02.2024;nein\r\n'
    )
    descriptor, proposal, reading = proposal_for(text.encode("cp1252"))
    assert (descriptor["encoding"], descriptor["dialect"]["delimiter"]) == ("windows-1252", ";")
    assert [(field["name"], field.get("title"), field["type"]) for field in descriptor["schema"]["fields"]] == [
        ("things_id", "id", "integer"),
        ("grosse", "Größe", "number"),
        ("strasse", "Straße", "string"),
        ("umsatz", None, "number"),
        ("tag", None, "date"),
        ("aktiv", None, "boolean"),
    ]
    assert [text for _, text in proposal.doubts] == [
        "windows-1252 is a guess: look at letters beyond ASCII in the file"
    ]
    assert (reading.refused, reading.loaded, reading.rejects) == (None, 2, [])


@pytest.mark.parametrize(
    ("content", "dialect", "names"),
    [
        ("a|b\n1|x\n2|y\n", {"delimiter": "|"}, ["a", "b"]),
        ("a\tb\n1\tx\n2\ty\n", {"delimiter": "\t"}, ["a", "b"]),
        ("a;b\n1,5;2,25\n2,5;3,5\n", {"delimiter": ";"}, ["a", "b"]),
        ("a, b\n1, x\n2, y\n", {"skipInitialSpace": True}, ["a", "b"]),
        ("'a','b'\n'1','it''s, x'\n'2','y'\n'3','z'\n", {"quoteChar": "'"}, ["a", "b"]),
        ("a,b\n1,x\\, y\n2,z\n3,v\\, w\n", {"escapeChar": "\\"}, ["a", "b"]),
        ("1,2024-01-01,red\n2,2024-01-02,blue\n", {"header": False}, ["f1", "f2", "f3"]),
        ("Ann,Smith,Rome\nBob,Smith,Bonn\nCid,Doe,Rome\n", {"header": False}, ["f1", "f2", "f3"]),
        ("# of a program\n# in 2024\na,b\n1,x\n2,y\n", {"commentChar": "#"}, ["a", "b"]),
        ("# note\n#code\tname\nDE\tBonn\nFR\tParis\nIT\tRome\nES\tMadrid\nPL\tWarsaw\n",
         {"header": False, "commentChar": "#", "delimiter": "\t"}, ["code", "name"]),
        ("a,b\n# good ones\n1,x\n2,y\n", {"commentChar": "#"}, ["a", "b"]),
        ("#a,b\n1,x\n2,y\n", {}, ["a", "b"]),
        ("All orders\n\na,b,c\n1,x,2.5\n2,y,3.5\n", {"headerRows": [3]}, ["a", "b", "c"]),
        ("country,1990,1991,1992\nDE,5,6,7\nFR,6,7,8\n", {}, ["country", "column_1990", "column_1991", "column_1992"]),
        (",a,b\n0,1.5,x\n1,2.5,y\n", {}, ["a", "b"]),
        ("a\rb\rc\r", {}, ["a"]),
    ],
)  # fmt: skip
def test_a_dialect_is_proposed_that_reads_the_file(
    proposal_for: Propose, content: str, dialect: dict[str, Any], names: list[str]
) -> None:
    descriptor, _, reading = proposal_for(content)
    usual = {"delimiter": ",", "quoteChar": '"', "doubleQuote": True, "header": True}
    if "escapeChar" in dialect:
        del usual["quoteChar"], usual["doubleQuote"]
    assert descriptor["dialect"] == usual | dialect
    assert [field["name"] for field in descriptor["schema"]["fields"]] == names
    assert (reading.refused, reading.rejects) == (None, [])
    assert reading.loaded == sum(not line.startswith("#") for line in re.split("[\r\n]+", content.strip())) - (
        1 if dialect.get("header", True) and not content.startswith("#a") else 0
    ) - ("headerRows" in dialect)


LETTERS = {
    "windows-1250": "Příliš Žluťoučký,Kůň\nŘehoř,Dvořák\n",
    "windows-1251": "Иван,Москва\nОльга,Тула\n",
    "KOI8-R": "Иван,Москва\nОльга,Тула\n",
    "windows-1252": "Müller,Köln\nJäger,Düsseldorf\n",
    "windows-1253": "Γιώργος,Αθήνα\nΜαρία,Πάτρα\n",
    "macintosh": "Élodie,Nîmes\nHélène,Orléans\n",
    "IBM850": "Müller,Köln\nGrößer,Fürth\n",
    "utf-8": "Müller,Łódź\nИван,東京\n",
}


@pytest.mark.parametrize("encoding", LETTERS)
def test_an_encoding_is_guessed(proposal_for: Propose, encoding: str) -> None:
    descriptor, proposal, reading = proposal_for(f"name,town\n{LETTERS[encoding]}".encode(encoding), header=True)
    assert descriptor["encoding"] == encoding
    assert [text for _, text in proposal.doubts if "is a guess" in text] == (
        [f"{encoding} is a guess: look at letters beyond ASCII in the file"] if encoding != "utf-8" else []
    )
    assert (reading.loaded, reading.rejects) == (2, [])


@settings(deadline=None, max_examples=150)
@given(
    tables(),
    st.sampled_from(",;\t|"),
    st.sampled_from("\"'"),
    st.sampled_from(["utf-8", "utf-8-sig", "cp1252"]),
    st.booleans(),
    st.booleans(),
)
def test_the_importer_loads_each_row_in_any_dialect(  # noqa: PLR0917 - what is drawn
    tmp_path_factory: pytest.TempPathFactory,
    table: tuple[list[str], list[list[str]]],
    delimiter: str,
    quote: str,
    encoding: str,
    header: bool,
    packed: bool,
) -> None:
    names, rows = table
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, quotechar=quote, quoting=csv.QUOTE_ALL).writerows([names, *rows][not header :])
    content = out.getvalue().encode(encoding, "replace")
    file = tmp_path_factory.mktemp("table") / ("table.csv.gz" if packed else "table.csv")
    known = {"encoding": encoding} if encoding == "cp1252" else {}
    descriptor, _, reading = proposed(
        file, gzip.compress(content) if packed else content, delimiter=delimiter, header=header, **known
    )
    assert (reading.refused, reading.loaded, [*reading.rejects]) == (None, len(rows), [])
    assert descriptor["dialect"]["delimiter"] == delimiter
    assert descriptor["path"].endswith(".gz") == packed
