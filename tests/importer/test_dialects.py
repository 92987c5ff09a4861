"""Files in any dialect and encoding: what is read, what is rejected, and what is refused as a whole."""

import csv
import io
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csv_importer.datasets import Dataset
from csv_importer.dialects import ENCODINGS, Dialect, Encoding, encoding_of
from csv_importer.encodings import guess
from csv_importer.errors import FileRefused
from csv_importer.headers import Header, read_header
from csv_importer.limits import BYTES_AROUND_A_RECORD, DEFAULTS, Limits
from csv_importer.parsing import Block, Position, Reject, read_blocks
from csv_importer.records import BROKEN_ESCAPE, BROKEN_QUOTES, too_long

Row = list[str | None]

TEXTS: list[dict[str, Any]] = [{"name": name, "missingValues": []} for name in "abc"]
DIALECTS: list[dict[str, Any]] = [
    {},
    {"delimiter": ";"},
    {"delimiter": "\t", "quoteChar": "'"},
    {"delimiter": "|", "skipInitialSpace": True},
    {"delimiter": ";", "quoteChar": "'", "doubleQuote": False, "skipInitialSpace": True},
    {"doubleQuote": False},
    {"escapeChar": "\\"},
    {"delimiter": "^", "escapeChar": "-", "skipInitialSpace": True},
    {"commentChar": "#"},
    {"commentChar": "//", "commentRows": [3, 4, 9], "delimiter": ";"},
    {"commentChar": "#", "escapeChar": "!"},
    {"delimiter": "\x1f", "quoteChar": "]"},
    {"delimiter": "\\", "quoteChar": "^", "commentRows": [2]},
]


@dataclass
class Parsed:
    """What a file holds."""

    header: Header
    rows: list[Row]
    rejects: list[Reject]
    blank: int
    end: Position
    delimited: str


def dataset(
    dialect: dict[str, Any] | None = None,
    encoding: str = "utf-8",
    fields: list[dict[str, Any]] | None = None,
    **schema: Any,
) -> Dataset:
    return Dataset.of(
        {
            "name": "things",
            "encoding": encoding,
            "dialect": dialect or {},
            "schema": {"fields": TEXTS if fields is None else fields, **schema},
        }
    )


def parse(content: bytes, described: Dataset, limits: Limits = DEFAULTS, piece: int = 1 << 20) -> Parsed:
    source = io.BytesIO(content)

    def read(size: int) -> bytes:
        return source.read(min(size, piece))

    header, buffer = read_header(read, described, limits=limits)
    blocks = list(read_blocks(read, header.layout, header.end, buffer, limits=limits)) if header.columns else []
    return Parsed(
        header,
        [row for block in blocks for row in block.rows],
        sorted(reject for block in blocks for reject in block.rejects),
        header.blank + sum(block.blank for block in blocks),
        blocks[-1].end if blocks else header.end,
        "".join(block.delimited() for block in blocks),
    )


def refusal(content: bytes, described: Dataset) -> str:
    with pytest.raises(FileRefused) as caught:
        parse(content, described)
    return str(caught.value)


# The dialect


@pytest.mark.parametrize(
    ("dialect", "text", "rows"),
    [
        ({"delimiter": ";"}, 'a;b;c\n1,5;"x;y";\n', [["1,5", "x;y", ""]]),
        ({"delimiter": "\t"}, "a\tb\tc\n1\t \t3\n", [["1", " ", "3"]]),
        ({"quoteChar": "'"}, "a,b,c\n'1,''2',\"x,3\n", [["1,'2", '"x', "3"]]),
        ({"doubleQuote": False}, 'a,b,c\n"1,2",x"y,"3\n"\n', [["1,2", 'x"y', "3\n"]]),
        ({"skipInitialSpace": True}, 'a, b, c\n1,  "2, 3",   x \n', [["1", "2, 3", "x "]]),
        ({"skipInitialSpace": True}, "a, b, c\n 1, 2, 3\n", [["1", "2", "3"]]),
        ({}, "a, b, c\n1, 2,3\n", [["1", " 2", "3"]]),
        ({"escapeChar": "|"}, 'a,b,c\n1,apple|,|"s,"\n', [["1", 'apple,"s', '"']]),
        ({"escapeChar": "\\"}, "a,b,c\n1,x\\\ny,z\\\\\n", [["1", "x\ny", "z\\"]]),
        ({"escapeChar": "\\"}, "a,b,c\r\n1,x\\\r\ny,\\z\r\n", [["1", "x\r\ny", "z"]]),
        ({"commentChar": "#"}, '# x\na,b,c\n1,"x\n#y",#3\n#1,2,3\n#"\n', [["1", "x\n#y", "#3"]]),
        ({"commentChar": "--"}, "-- x\na,b,c\n-1,2,3\n--1,2,3\n", [["-1", "2", "3"]]),
        ({"commentRows": [2, 5]}, "a,b,c\nkg,m,\n1,2,3\n4,5,6\nsum,,\n", [["1", "2", "3"], ["4", "5", "6"]]),
        ({"headerRows": [3]}, 'A "title"\n\na,b,c\n1,2,3\n', [["1", "2", "3"]]),
        ({"header": False}, "1,2,3\n\n4,5,6", [["1", "2", "3"], ["4", "5", "6"]]),
        ({"header": False, "commentChar": "#"}, "#,,\n1,2,3\n", [["1", "2", "3"]]),
        ({"lineTerminator": "\n"}, "a,b,c\r1,2,3\r\n4,5,6\n", [["1", "2", "3"], ["4", "5", "6"]]),
    ],
)
def test_a_file_is_read_as_its_dialect_says(dialect: dict[str, Any], text: str, rows: list[Row]) -> None:
    found = parse(text.encode(), dataset(dialect))
    assert found.rows == rows
    assert found.rejects == []
    assert found.end.offset == len(text.encode())
    assert found.end.line == len(list(io.StringIO(text, newline="")))


@pytest.mark.parametrize(
    ("dialect", "text", "line", "reason"),
    [
        ({"doubleQuote": False}, 'a,b,c\n1,"x""y",2\n1,2,3\n', 2, BROKEN_QUOTES),
        ({"quoteChar": "'"}, "a,b,c\n1,2,3\n'1,2,3\n", 3, BROKEN_QUOTES),
        ({"escapeChar": "\\"}, "a,b,c\n1,2,3\n1,2,3\\", 3, BROKEN_ESCAPE),
        ({"escapeChar": "\\"}, "a,b,c\n1,2,3\n1,2\\,3\n", 3, "2 fields instead of 3"),
        ({"commentChar": "#"}, "a,b,c\n1,2,3\n #,\n", 3, "2 fields instead of 3"),
    ],
)
def test_what_is_no_record_in_a_dialect_costs_its_line_only(
    dialect: dict[str, Any], text: str, line: int, reason: str
) -> None:
    found = parse(text.encode(), dataset(dialect))
    assert found.rows == [["1", "2", "3"]]
    assert [(reject.line, reject.reason) for reject in found.rejects] == [(line, reason)]


@pytest.mark.parametrize(
    ("text", "blank"),
    [
        ("sep=;\na;b;c\n1;2;3\n", 1),
        ('"SEP=;"\r\na;b;c\r\n1;2;3\r\n', 1),
        ("\ufeffsep=;\n\na;b;c\n1;2;3\n", 2),
    ],
)
def test_excels_own_line_is_skipped_where_it_names_the_delimiter(text: str, blank: int) -> None:
    found = parse(text.encode(), dataset({"delimiter": ";"}))
    assert found.rows == [["1", "2", "3"]]
    assert found.blank == blank


def test_excels_own_line_is_skipped_without_a_header() -> None:
    found = parse(b"sep=;\n1;2;3\n", dataset({"delimiter": ";", "header": False}))
    assert (found.rows, found.blank, found.header.end) == ([["1", "2", "3"]], 1, Position(6, 1))


@pytest.mark.parametrize("header", [True, False])
def test_excels_own_line_with_another_delimiter_is_named_for_what_it_is(header: bool) -> None:
    reason = refusal(b"sep=;\na;b;c\n", dataset({"header": header}))
    assert "for Excel" in reason
    assert "the delimiter is a semicolon: the dataset has a comma (dialect.delimiter)" in reason


@pytest.mark.parametrize(
    ("dialect", "text", "reason"),
    [
        ({}, "a;b;c\n", "the delimiter is a semicolon: it has to be a comma (dialect.delimiter)"),
        ({"delimiter": ";"}, "a,b,c\n", "the delimiter is a comma: it has to be a semicolon"),
        ({"delimiter": "\t"}, '"a"|"b"|"c"\n', "the delimiter is a bar: it has to be a tab"),
        ({"delimiter": "~"}, "a\tb\tc\n", "the delimiter is a tab: it has to be a '~'"),
        ({"header": False}, "\n1;2;3\n", "the delimiter is a semicolon: it has to be a comma"),
        ({"quoteChar": "'"}, "'a','b,c\n", "the quotes in the first line are not those"),
        ({"headerRows": [4]}, "a,b,c\n1,2,3\n", "the file has 2 lines, and the header is on line 4"),
    ],
)
def test_a_file_in_another_dialect_is_refused_as_a_whole(dialect: dict[str, Any], text: str, reason: str) -> None:
    assert reason in refusal(text.encode(), dataset(dialect))


def test_a_header_has_several_lines() -> None:
    fields = [{"name": name} for name in ("fruit_id", "fruit_name")]
    rows = b"fruit\nid,name\n1,apple\n"
    described = dataset({"headerRows": [1, 2], "headerJoin": "_"}, fields=fields)
    assert parse(rows, described).rows == [["1", "apple"]]
    assert parse(rows, described).end == Position(len(rows), 3)
    titled = [{"name": "nr", "title": "id"}, {"name": "name", "title": "Fruit name"}]
    rows = b"#1\n,Fruit\nunits\nid,name\n1,apple\n"
    found = parse(rows, dataset({"headerRows": [2, 4]}, fields=titled))
    assert (found.rows, found.blank) == ([["1", "apple"]], 2)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_name_in_a_header_may_have_ends_of_lines(end: str) -> None:
    fields = [{"name": "a", "title": f"the{end}first, one"}, {"name": "b"}]
    content = f'{end}"The{end}First, one",b{end}1,2{end}'.encode()
    found = parse(content, dataset(fields=fields))
    assert (found.rows, found.end) == ([["1", "2"]], Position(len(content), 4))
    content = f"x{end}The\\{end}First\\, one,b{end}1,2{end}".encode()
    found = parse(content, dataset({"escapeChar": "\\", "headerRows": [2]}, fields=fields))
    assert (found.rows, found.end) == ([["1", "2"]], Position(len(content), 4))
    assert "the quotes in the first line" in refusal(f'"a{end}b{end}'.encode() * 3, dataset(fields=fields))


def test_comments_and_blank_lines_are_counted_as_blank() -> None:
    found = parse(b"#x\n\na,b,c\n#x\n1,2,3\n\n#x\n", dataset({"commentChar": "#"}))
    assert (len(found.rows), found.rejects, found.blank) == (1, [], 5)


def test_the_null_sequence_of_a_dialect_is_a_missing_value_everywhere() -> None:
    fields: list[dict[str, Any]] = [
        {"name": "a"},
        {"name": "b", "missingValues": ["-"], "csvToAurora:columnDefault": "x"},
        {"name": "c", "constraints": {"required": True}},
    ]
    found = parse(b"a,b,c\n\\N,\\N,\n\\N,-,1\n,,\\N\n", dataset({"nullSequence": "\\N"}, fields=fields))
    assert found.rows == [[None, "x", "1"]]
    assert [(reject.line, reject.column) for reject in found.rejects] == [(2, "c"), (4, "c")]


def test_a_delimiter_may_be_any_character_of_the_encoding() -> None:
    described = dataset({"delimiter": "§", "quoteChar": "«"}, "cp1252")
    assert parse("a§b§c\n«1§»«§2§€\n".encode("cp1252"), described).rows == [["1§»", "2", "€"]]


# The encoding


@pytest.mark.parametrize("encoding", ENCODINGS.values(), ids=lambda encoding: encoding.name)
def test_every_byte_of_an_encoding_is_stored_or_rejected(encoding: Encoding) -> None:
    lines, expected = [b"a"], []
    for byte in range(1, 256):
        if byte in b'"\n\r,':
            continue
        lines.append(b"x" + bytes([byte]))
        try:
            text = bytes([byte]).decode(encoding.codec)
        except UnicodeDecodeError:
            continue
        assert (text == chr(byte)) or byte > 127
        if not (encoding.name.startswith("ISO-8859") and 0x80 <= byte < 0xA0):
            expected.append(["x" + text])
    found = parse(b"\n".join(lines), dataset(encoding=encoding.name, fields=[{"name": "a"}]), unsampled(DEFAULTS))
    assert found.rows == expected
    assert {reject.reason for reject in found.rejects} <= {f"not {encoding.name}"}
    assert len(found.rows) + len(found.rejects) == len(lines) - 1
    assert encoding_of(encoding.name) is encoding_of(encoding.codec) is encoding


def test_a_byte_that_an_encoding_lacks_costs_its_row_only() -> None:
    found = parse(b"a,b,c\n1,J\xfcrgen,3\n1,\x81,3\n", dataset(encoding="windows-1252"))
    assert found.rows == [["1", "Jürgen", "3"]]
    assert found.rejects == [Reject(3, "b", "not windows-1252", "1,\\x81,3")]


TEXT_OF = {
    "windows-1252": "Jürgen Müßig,Straße „Süd“,Garçon à l’été\n",
    "windows-1250": "Łódź,Żółć gęś,příliš žluťoučký kůň\n",
    "windows-1251": "Привет мир,Съешь ещё,этих мягких булок\n",
    "KOI8-R": "Привет мир,Съешь ещё,этих мягких булок\n",
    "macintosh": "Jürgen Müßig,Straße Süd,Garçon à l’été\n",
    "IBM850": "Jürgen Müßig,Straße Süd,Garçon à l'été\n",
}


@pytest.mark.parametrize("name", TEXT_OF)
def test_a_file_in_another_encoding_is_refused_with_a_guess(name: str) -> None:
    text = "a,b,c\n" + "1,2,3\n" * 300 + TEXT_OF[name] * 100
    reason = refusal(text.encode(ENCODINGS[name].codec), dataset())
    assert "the file is not UTF-8: 100 of the 100 lines with other characters than ASCII" in reason
    assert f"It looks like {name} (encoding)" in reason


def test_a_file_in_utf8_is_not_taken_for_an_encoding_of_single_bytes() -> None:
    reason = refusal("a,b,c\nx,é,y\n".encode(), dataset(encoding="cp1252"))
    assert "the file is not windows-1252: 1 of the 1 lines" in reason
    assert "are UTF-8" in reason
    assert "byte order mark of UTF-8" in refusal("\ufeffa,b,c\n".encode(), dataset(encoding="latin-1"))


def test_windows_1252_is_not_taken_for_latin_1() -> None:
    text = "a,b,c\n" + "1,5 €,3\n" * 3
    assert "It looks like windows-1252 (encoding)" in refusal(text.encode("cp1252"), dataset(encoding="latin-1"))
    assert parse(text.replace("€", "£").encode("latin-1"), dataset(encoding="latin-1")).rows == [["1", "5 £", "3"]] * 3


def test_utf16_without_a_mark_is_guessed() -> None:
    for codec, order in (("utf-16-le", "little"), ("utf-16-be", "big")):
        assert f"UTF-16 without a byte order mark, {order} endian" in refusal("a,b,c\n1,é,3\n".encode(codec), dataset())
    assert "UTF-16" in refusal(("a,b,c\n" + "ü,é,ß\n" * 9).encode("utf-16-le"), dataset())
    assert guess("é".encode()) == "UTF-8"
    assert guess("Jürgen".encode("latin-1")) == "windows-1252 or ISO-8859-1"


@pytest.mark.parametrize("bad", [1, 2, 20])
def test_a_few_damaged_lines_cost_their_rows_only(bad: int) -> None:
    """Two at most, or no more than there are good ones."""
    good = "1,é,3\n".encode() * (bad if bad > 2 else 0)
    found = parse(b"a,b,c\n" + b"1,\xe9,3\n" * bad + good, dataset())
    assert [reject.reason for reject in found.rejects] == ["not UTF-8"] * bad
    with pytest.raises(FileRefused):
        parse(b"a,b,c\n" + b"1,\xe9,3\n" * max(bad + 1, 3) + good, dataset())


def test_only_the_sample_decides_and_it_does_not_depend_on_blocks() -> None:
    limits = replace(DEFAULTS, sample_bytes=1000)
    start = b"a,b,c\n" + b"1,2,3\n" * 166
    found = parse(start + b"1,\xe9,3\n" * 9, dataset(), limits)
    assert len(found.rejects) == 9
    for block_bytes in (DEFAULTS.block_bytes, DEFAULTS.max_record_bytes + BYTES_AROUND_A_RECORD):
        for piece in (1, 1 << 20):
            with pytest.raises(FileRefused, match="3 of the 3 lines"):
                parse(b"a,b,c\n" + b"1,\xe9,3\n" * 3, dataset(), replace(limits, block_bytes=block_bytes), piece)


def test_a_character_that_the_sample_cuts_is_not_wrong() -> None:
    for size in range(4, 40):
        content = "a,b,c\n" + "é,é,é\n" * 20
        assert len(parse(content.encode(), dataset(), replace(DEFAULTS, sample_bytes=size)).rows) == 20


# The header


FIELDS: list[dict[str, Any]] = [
    {"name": "a", "type": "integer"},
    {"name": "b", "type": "string", "csvToAurora:columnDefault": "none"},
    {"name": "c", "type": "string", "title": "See", "csvToAurora:aliases": ["the c", "C!"]},
]


@pytest.mark.parametrize(
    ("match", "text", "names", "rows"),
    [
        ("exact", "A , b,see\n1,2,3\n", "abc", [["1", "2", "3"]]),
        ("equal", "the C,b,a\n3,,1\n", "cba", [["3", "none", "1"]]),
        ("subset", "x,c,,b,a,x\nno,3,\0,2,1,no\n", "cba", [["3", "2", "1"]]),
        ("superset", "c!\n3\n\n4\n", "cab", [["3", None, "none"], ["4", None, "none"]]),
        ("partial", "x,b\nno,2\n,\n", "bac", [["2", None, None], ["none", None, None]]),
    ],
)
def test_the_columns_of_a_file_match_the_fields(match: str, text: str, names: str, rows: list[Row]) -> None:
    found = parse(text.encode(), dataset(fields=FIELDS, fieldsMatch=match))
    assert "".join(column.name for column in found.header.columns) == names
    assert (found.rows, found.rejects) == (rows, [])
    assert found.delimited == "".join(
        "\x1f".join("\\N" if value is None else value for value in row) + "\x1e" for row in rows
    )


@pytest.mark.parametrize(
    ("match", "line", "reason"),
    [
        ("exact", "a,c,b", "the columns are in another order. It has to name a, b, c, in this order"),
        ("exact", "a,b,c,d", "unknown columns: 'd'"),
        ("equal", "a,b", "missing columns: 'c'. It has to name a, b, c, in any order"),
        ("equal", "a,b,c,the c", "columns given twice: 'c'"),
        ("subset", "a,b,x", "missing columns: 'c'. It has to name a, b, c, and may name others"),
        ("subset", "a,b,c,A", "columns given twice: 'a'"),
        ("superset", "a,x", "unknown columns: 'x'. It has to name some of a, b, c, and no others"),
        ("partial", "x,y", "no header: the first line names none of the columns a, b, c"),
        ("partial", "a,x,a", "columns given twice: 'a'"),
    ],
)
def test_a_header_that_does_not_match_the_fields_is_refused(match: str, line: str, reason: str) -> None:
    assert reason in refusal(f"{line}\n1,2,3\n".encode(), dataset(fields=FIELDS, fieldsMatch=match))


def test_a_message_names_a_bounded_number_of_columns() -> None:
    fields = [{"name": f"c{place}", "type": "integer"} for place in range(200)]
    reason = refusal(b"x\n", dataset(fields=fields))
    assert reason.endswith("c28, c29, 170 others")
    reason = refusal(b"title\nx\n", dataset({"headerRows": [2]}, fields=fields))
    assert reason.startswith("no header: line 2 names none of the columns c0, c1,")


@pytest.mark.parametrize("match", ["superset", "partial"])
def test_a_file_may_not_lack_what_is_required_and_has_no_default(match: str) -> None:
    fields = [*FIELDS, {"name": "d", "constraints": {"required": True}}]
    assert "missing columns: 'd'" in refusal(b"a\n1\n", dataset(fields=fields, fieldsMatch=match))
    fields[-1] = {"name": "d", "constraints": {"required": True}, "csvToAurora:columnDefault": "x"}
    assert parse(b"a\n1\n", dataset(fields=fields, fieldsMatch=match)).rows == [["1", "none", None, "x"]]
    assert "missing columns: 'c'" in refusal(b"a\n1\n", dataset(fields=FIELDS, fieldsMatch=match, primaryKey=["c"]))


@pytest.mark.parametrize(
    ("match", "first", "names", "refused"),
    [
        ("exact", "1,2,3", "abc", ""),
        ("subset", "1,2,3,4", "abc", ""),
        ("subset", "1,2", "", "2 fields: it lacks c"),
        ("superset", "1", "abc", ""),
        ("superset", "1,2,3,4", "", "4 fields, and the dataset no more than 3"),
        ("partial", "1,2", "abc", ""),
        ("partial", "1,2,3,4", "abc", ""),
    ],
)
def test_without_a_header_the_first_row_says_how_many_columns_there_are(
    match: str, first: str, names: str, refused: str
) -> None:
    described = dataset({"header": False}, fields=FIELDS, fieldsMatch=match)
    content = f"\n{first}\n{first},\n".encode()
    if refused:
        assert refused in refusal(content, described)
        return
    found = parse(content, described)
    values = dict(zip("abc", first.split(","), strict=False))
    assert "".join(column.name for column in found.header.columns) == names
    assert found.rows == [[values.get("a"), values.get("b", "none"), values.get("c")]]
    assert [reject.reason for reject in found.rejects] == [
        f"{len(first) // 2 + 2} fields instead of {len(first) // 2 + 1}"
    ]


def test_a_file_without_a_header_may_be_empty() -> None:
    for match in ("exact", "subset", "partial"):
        found = parse(b"\n\n", dataset({"header": False}, fieldsMatch=match))
        assert (found.rows, found.blank) == ([], 2)


def test_a_column_that_is_not_stored_is_not_checked() -> None:
    found = parse(b'a,x,b,c\n1,\xff\0,2,3\n1,"\n",2,3\n1,x,\xff,3\n', dataset(fields=FIELDS, fieldsMatch="subset"))
    assert found.rows == [["1", "2", "3"]] * 2
    assert found.rejects == [Reject(5, "b", "not UTF-8", "1,x,\\xff,3")]


# Long rows


def test_a_row_of_200_columns_and_64_kilobytes_is_stored() -> None:
    fields = [{"name": f"c{place}", "type": "string"} for place in range(200)]
    value = "x" * (64 * 1024 // 200)
    line = ",".join([value] * 200)
    header = ",".join(field["name"] for field in fields)
    quoted = ",".join([f'"{value}"'] * 200)
    found = parse(f"{header}\n{line}\n{quoted}\n{line}\n".encode(), dataset(fields=fields), piece=1000)
    assert (found.rows, found.rejects) == ([[value] * 200] * 3, [])


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
@pytest.mark.parametrize("others", ["", '"x"\n'])
def test_whether_a_row_is_too_long_depends_on_its_own_bytes_only(end: str, others: str) -> None:
    described = dataset({"delimiter": ";"}, fields=[{"name": "a"}])
    for size in (DEFAULTS.max_record_bytes - 1, DEFAULTS.max_record_bytes, DEFAULTS.max_record_bytes + 1):
        for limits in (DEFAULTS, DEFAULTS.row_by_row, replace(DEFAULTS, block_bytes=1 << 20)):
            found = parse(f"a\n{others}{'x' * size}{end}".encode(), described, limits)
            rejected = size > DEFAULTS.max_record_bytes
            assert [reject.reason for reject in found.rejects] == [too_long(DEFAULTS)] * rejected
            assert len(found.rows) == bool(others) + (not rejected)


# Properties


SMALL = Limits(block_bytes=120, max_record_bytes=100, max_record_lines=4, raw_length=25, sample_bytes=1)
SMALLEST_BLOCK = SMALL.max_record_bytes + BYTES_AROUND_A_RECORD


def unsampled(limits: Limits) -> Limits:
    """Return limits with a sample that is too small to tell the encoding from."""
    return replace(limits, sample_bytes=1)


def tokens(dialect: dict[str, Any]) -> st.SearchStrategy[str]:
    """Draw texts of characters with a meaning, in this dialect or another."""
    own = [value for value in dialect.values() if isinstance(value, str)]
    return st.lists(
        st.sampled_from(
            [*own, *own, *own, ",", '"', "\n", "\n", "\r", "\r\n", " ", "a", "é", "\0", "x" * 40, "#", "1"]
        ),
        max_size=60,
    ).map("".join)


described_files = st.sampled_from(DIALECTS).flatmap(lambda dialect: st.tuples(st.just(dialect), tokens(dialect)))


def read_record(text: str, dialect: Dialect) -> list[str] | str:
    """Read some lines character by character; return the values, "open" or "broken"."""
    values: list[str] = []
    value, state, at = "", "start", 0
    while at < len(text):
        character = text[at]
        at += 1
        if state == "quoted":
            if character != dialect.quote:
                value += character
            elif dialect.double_quote and text[at : at + 1] == dialect.quote:
                value += character
                at += 1
            else:
                state = "after"
        elif state == "start" and character == " " and dialect.skip_initial_space:
            pass
        elif state == "start" and character == dialect.quote:
            state = "quoted"
        elif character == dialect.escape:
            end = 2 if text[at : at + 2] == "\r\n" else 1
            value += text[at : at + end]
            if text[at : at + 1] in ("\r", "\n", "") and at + end >= len(text):
                return "open"
            at += end
            state = "value"
        elif character in "\r\n":
            return [*values, value] if values or value or state != "start" or text[0] == " " else []
        elif character == dialect.delimiter:
            values.append(value)
            value, state = "", "start"
        elif state == "after":
            return "broken"
        else:
            value += character
            state = "value"
    return "open" if state == "quoted" else [*values, value]


def by_the_text(body: str, dialect: Dialect, first_line: int) -> tuple[list[list[str]], dict[int, str], int]:
    """Read records as documented, one after another.

    Returns:
        The rows of three values; the reasons of rejects by line; how many lines are blank or comments.
    """
    lines = list(io.StringIO(body, newline=""))
    broken = BROKEN_ESCAPE if dialect.escape else BROKEN_QUOTES
    rows: list[list[str]] = []
    rejects: dict[int, str] = {}
    blank = first = 0
    while first < len(lines):
        number, after, found = first_line + first, first + 1, read_record(lines[first], dialect)
        if (dialect.comment and lines[first].startswith(dialect.comment)) or number in dialect.comment_rows:
            found = []
        while found == "open" and after < len(lines) and after - first <= SMALL.max_record_lines:
            after += 1
            found = read_record("".join(lines[first:after]), dialect)
        text = "".join(lines[first:after])
        size = len(text.encode())
        too_big = after - first > SMALL.max_record_lines or size > SMALL.max_record_bytes
        if isinstance(found, str) or (after - first > 1 and too_big):
            rejects[number] = too_long(SMALL) if too_big else broken
            first += 1
            continue
        first = after
        if not found:
            blank += 1
        elif len(text.rstrip("\r\n").encode()) > SMALL.max_record_bytes:
            rejects[number] = too_long(SMALL)
        elif len(found) != 3:
            rejects[number] = f"{len(found)} fields instead of 3"
        elif "\0" in "".join(found):
            rejects[number] = "a NUL byte"
        else:
            rows.append(found)
    return rows, rejects, blank


@settings(max_examples=1500, deadline=None)
@given(case=described_files, piece=st.integers(1, 300), block_bytes=st.integers(SMALLEST_BLOCK, 300))
def test_records_are_those_of_the_dialect_in_any_pieces_and_blocks(
    case: tuple[dict[str, Any], str], piece: int, block_bytes: int
) -> None:
    dialect, body = case
    described = dataset({"header": False, **dialect})
    rows, rejects, blank = by_the_text(f"1\n{body}", described.dialect, 1)
    found = parse(f"1\n{body}".encode(), described, replace(SMALL, block_bytes=block_bytes), piece)
    assert found.rows == rows
    assert {reject.line: reject.reason for reject in found.rejects} == rejects
    assert len(found.rejects) == len(rejects)
    assert found.blank == blank
    assert found.end == Position(2 + len(body.encode()), 1 + len(list(io.StringIO(body, newline=""))))


@settings(max_examples=400, deadline=None)
@given(case=described_files, stop=st.integers(0, 20), encoding=st.sampled_from(["utf-8", "cp1252"]))
def test_reading_resumes_at_the_end_of_any_block_in_any_dialect(
    case: tuple[dict[str, Any], str], stop: int, encoding: str
) -> None:
    dialect, body = case
    described = dataset({"header": False, **dialect}, encoding, fieldsMatch="partial")
    content = f"1\n{body}".encode(encoding)
    header, _ = read_header(io.BytesIO(content).read, described, limits=SMALL)

    def read_from(position: Position) -> list[Block]:
        source = io.BytesIO(content[position.offset :])
        return list(read_blocks(source.read, header.layout, position, limits=SMALL))

    blocks = read_from(header.end)
    done = blocks[: min(stop, len(blocks))]
    resumed = [*done, *read_from(done[-1].end if done else header.end)]
    assert [row for block in resumed for row in block.rows] == [row for block in blocks for row in block.rows]
    assert [reject for block in resumed for reject in block.rejects] == [
        reject for block in blocks for reject in block.rejects
    ]
    assert blocks[-1].end.offset == len(content)


@settings(max_examples=400, deadline=None)
@given(
    case=described_files,
    part=st.tuples(st.integers(0, 20), st.integers(0, 20)),
    block_bytes=st.sampled_from([SMALL.block_bytes, 2 * SMALL.block_bytes]),
    encoding=st.sampled_from(["utf-8", "cp1252"]),
)
def test_a_part_between_any_blocks_is_read_as_within_the_file(
    case: tuple[dict[str, Any], str], part: tuple[int, int], block_bytes: int, encoding: str
) -> None:
    """A function that reads what another one left out may read larger blocks."""
    dialect, body = case
    described = dataset({"header": False, **dialect}, encoding, fieldsMatch="partial")
    content = f"1\n{body}".encode(encoding)
    header, _ = read_header(io.BytesIO(content).read, described, limits=SMALL)
    whole = io.BytesIO(content[header.end.offset :])
    blocks = list(read_blocks(whole.read, header.layout, header.end, limits=SMALL))
    first, after = sorted(min(place, len(blocks)) for place in part)
    expected = blocks[first:after]
    if not expected or after == len(blocks):
        return
    source = io.BytesIO(content[expected[0].start.offset :])
    buffer = source.read(len(body) % 50)
    limits = replace(SMALL, block_bytes=block_bytes)
    start, until = expected[0].start, expected[-1].end
    found = list(read_blocks(source.read, header.layout, start, buffer, until=until, limits=limits))
    assert found[-1].end == until
    assert [row for block in found for row in block.rows] == [row for block in expected for row in block.rows]
    assert [reject for block in found for reject in block.rejects] == [
        reject for block in expected for reject in block.rejects
    ]
    assert sum(block.blank for block in found) == sum(block.blank for block in expected)


@pytest.mark.parametrize("lines", [0, 10, 20, 24, 40])
def test_what_follows_a_part_tells_why_its_last_record_is_refused(lines: int) -> None:
    """The quote of the first line is broken by the second one with a quote, which is in another block."""
    described = dataset({"header": False}, fieldsMatch="partial")
    content = ('1\n,"a\n' + "x\n" * lines + ',"b\n' + "x\n" * 200).encode()
    limits = replace(SMALL, max_record_lines=1000, block_lines=2000)
    header, _ = read_header(io.BytesIO(content).read, described, limits=limits)
    blocks = list(read_blocks(io.BytesIO(content).read, header.layout, header.end, limits=limits))
    for block in blocks[:-1]:
        source = io.BytesIO(content[block.start.offset :])
        part = list(read_blocks(source.read, header.layout, block.start, until=block.end, limits=limits))
        assert [reject for each in part for reject in each.rejects] == block.rejects
        assert part[-1].end == block.end


@settings(max_examples=300, deadline=None)
@given(
    dialect=st.sampled_from(
        [dialect for dialect in DIALECTS if "commentChar" not in dialect and "commentRows" not in dialect]
    ),
    rows=st.lists(st.tuples(*[st.text(st.sampled_from("ab1,\"\n\r ;'\\^-|]é€") | st.characters(codec="cp1252"))] * 3)),
    encoding=st.sampled_from(["utf-8", "cp1252"]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_what_the_csv_module_writes_is_read_as_it_was(
    dialect: dict[str, Any], rows: list[tuple[str, ...]], encoding: str, end: str
) -> None:
    described = dataset(dialect, encoding)
    written = described.dialect
    rows = [row for row in rows if "\0" not in "".join(row)]
    if not written.double_quote:
        rows = [tuple(value.replace(written.quote or "", "") for value in row) for row in rows]
    if written.escape:
        # The module does not escape the ends of lines, nor spaces, which are skipped.
        rows = [tuple(value.translate({10: "", 13: "", 32: ""}) for value in row) for row in rows]
    out = io.StringIO(newline="")
    options: dict[str, Any] = (
        {"quoting": csv.QUOTE_NONE, "escapechar": written.escape, "quotechar": None}
        if written.escape
        else {"quoting": csv.QUOTE_ALL, "quotechar": written.quote}
    )
    csv.writer(out, delimiter=written.delimiter, lineterminator=end, **options).writerows([tuple("abc"), *rows])
    found = parse(out.getvalue().encode(encoding), described, unsampled(DEFAULTS))
    assert found.rows == [[*row] for row in rows]
    assert found.rejects == []
