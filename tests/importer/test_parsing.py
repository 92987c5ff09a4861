"""What is stored and what is rejected of each kind of file and record, before any database."""

import csv
import gzip
import io
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csv_importer.errors import FileRefused
from csv_importer.headers import read_header
from csv_importer.limits import BYTES_AROUND_A_RECORD, DEFAULTS, Limits
from csv_importer.parsing import Block, Position, Reject, read_blocks
from csv_importer.records import BROKEN_QUOTES, too_long

from .files import COLUMNS, CUSTOMER, GOOD, HEADER, lines_of

Parsed = tuple[list[list[str | None]], list[Reject], int, Position]
TOO_LONG = too_long(DEFAULTS)


def parse(content: bytes, piece: int = 1 << 20, limits: Limits = DEFAULTS) -> Parsed:
    """Read a whole file: rows, rejects, blank lines, end."""
    source = io.BytesIO(content)

    def read(size: int) -> bytes:
        return source.read(min(size, piece))

    header, buffer = read_header(read, CUSTOMER, limits=limits)
    rows: list[list[str | None]] = []
    rejects: list[Reject] = []
    blank, end = header.blank, header.end
    if header.columns:
        for block in read_blocks(read, header.layout, header.end, buffer, limits=limits):
            rows += block.rows
            rejects += block.rejects
            blank += block.blank
            end = block.end
    return rows, rejects, blank, end


def refusal(content: bytes) -> str:
    with pytest.raises(FileRefused) as caught:
        parse(content)
    return str(caught.value)


def only_reject(*lines: str | bytes) -> Reject:
    """Read a file with one bad record between good ones; return its reject."""
    bad = b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines)
    rows, rejects, blank, _ = parse(lines_of(GOOD) + bad + b"\n" + GOOD.encode())
    assert rows == [GOOD.split(",")] * 2
    assert blank == 0
    assert len(rejects) == 1
    assert rejects[0].line == 3
    return rejects[0]


# The file as a whole


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", HEADER.encode(), f"{HEADER}\r\n".encode()])
def test_nothing_or_a_header_alone_holds_no_rows(content: bytes) -> None:
    rows, rejects, blank, end = parse(content)
    assert (rows, rejects, blank) == ([], [], 0)
    assert end.offset == len(content)


def test_a_file_of_blank_lines_holds_no_rows() -> None:
    assert parse(b"\n\r\n\n") == ([], [], 3, Position(4, 3))


def test_a_first_line_that_is_no_header_is_refused_without_being_quoted() -> None:
    reason = refusal(b"Mr,Charles,Babbage,1,charles@example.org,79\n")
    assert "no header" in reason
    assert "title" in reason
    assert "Babbage" not in reason


def test_unknown_columns_are_refused_and_named() -> None:
    assert "unknown columns: 'iban'" in refusal(f"{HEADER},iban\n".encode())


def test_missing_columns_are_refused_and_named() -> None:
    assert "missing columns: 'status', 'age'" in refusal(b"title,firstname,lastname,email\n")


def test_a_column_twice_is_refused_and_named() -> None:
    assert "columns given twice: 'age'" in refusal(f"{HEADER},age\n".encode())


def test_columns_are_mapped_by_name_whatever_their_order_and_case() -> None:
    header, _ = read_header(io.BytesIO(b" AGE , Email,title,LastName,firstname,status \n").read, CUSTOMER)
    assert [column.name for column in header.columns] == ["age", "email", "title", "lastname", "firstname", "status"]


def test_a_byte_order_mark_is_stripped() -> None:
    assert parse(b"\xef\xbb\xbf" + lines_of(GOOD))[0] == [GOOD.split(",")]


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (lines_of(GOOD).decode().encode("utf-16"), "UTF-16"),
        (lines_of(GOOD).decode().encode("utf-32"), "UTF-32"),
        (lines_of(GOOD).decode().encode("utf-16-le"), "NUL bytes"),
        (gzip.compress(lines_of(GOOD), mtime=0), "gzip"),
        (b"PK\x03\x04" + bytes(30), "xlsx"),
        (b"\xd0\xcf\x11\xe0" + bytes(30), "xls"),
        (b"\0\0\0\0", "NUL bytes"),
        ("vorname;título\n".encode("latin-1"), "not UTF-8"),
    ],
)
def test_other_formats_are_refused_by_name(content: bytes, name: str) -> None:
    assert name in refusal(content)


@pytest.mark.parametrize(("delimiter", "name"), [(";", "semicolon"), ("\t", "tab"), ("|", "bar")])
def test_another_delimiter_is_refused_by_name(delimiter: str, name: str) -> None:
    assert f"the delimiter is a {name}" in refusal(lines_of(GOOD).replace(b",", delimiter.encode()))


def test_a_first_line_without_end_is_refused_in_bounded_memory() -> None:
    assert "no header" in refusal(b"title," * 100_000)


# Records


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_any_line_end_is_accepted(end: str) -> None:
    rows, rejects, blank, at = parse(lines_of(GOOD, "", GOOD, end=end))
    assert rows == [GOOD.split(",")] * 2
    assert (rejects, blank, at.line) == ([], 1, 4)


def test_mixed_line_ends_blank_lines_and_no_newline_at_the_end() -> None:
    content = f"{HEADER}\r\n{GOOD}\n\n\r{GOOD}\r\r\n{GOOD}".encode()
    rows, rejects, blank, end = parse(content)
    assert len(rows) == 3
    assert (rejects, blank) == ([], 3)
    assert end.offset == len(content)


def test_quoted_values_are_kept_as_they_are_and_lines_are_physical() -> None:
    rows, rejects, _, _ = parse(lines_of('Mr,"a\r\nb","c, ""d""\n",0,x@y,1', "Mr,a,b,0,x@y,n/a"))
    assert rows == [["Mr", "a\r\nb", 'c, "d"\n', "0", "x@y", "1"]]
    assert [reject.line for reject in rejects] == [5]


@pytest.mark.parametrize(("line", "count"), [("Mr,a,b,0,x@y", 5), (f"{GOOD},more", 7), ("Mr", 1), (" ", 1), ('""', 1)])
def test_too_few_or_too_many_fields_are_rejected(line: str, count: int) -> None:
    assert only_reject(line).reason == f"{count} fields instead of 6"


@pytest.mark.parametrize(("column", "limit"), [("title", 50), ("firstname", 255), ("lastname", 255), ("email", 255)])
def test_a_value_longer_than_its_column_is_rejected(column: str, limit: int) -> None:
    place = [each.name for each in COLUMNS].index(column)
    value = "é" * (limit - 4) + "a@bc"
    fields = GOOD.split(",")
    fields[place] = value
    assert parse(lines_of(",".join(fields)))[0] == [fields]
    fields[place] = "é" + value
    reject = only_reject(",".join(fields))
    assert (reject.column, reject.reason) == (column, f"longer than {limit} characters")


@pytest.mark.parametrize("place", [3, 5])
@pytest.mark.parametrize(
    "value", ["128", "-1", "+5", " 5", "5 ", "5.0", "1e1", "0x1", "n/a", "٣", "³", "007", "1_0", "99999999999999999999"]
)
def test_a_number_has_to_be_plain_digits_in_range(place: int, value: str) -> None:
    fields = GOOD.split(",")
    fields[place] = value
    reject = only_reject(",".join(fields))
    assert (reject.column, reject.reason) == (COLUMNS[place].name, "not a whole number from 0 to 127 in plain digits")


@pytest.mark.parametrize("value", ["0", "127"])
def test_the_ends_of_the_range_are_stored(value: str) -> None:
    fields = ["Mr", "a", "b", value, "x@y", value]
    assert parse(lines_of(",".join(fields)))[0] == [fields]


def test_an_empty_status_is_stored_as_its_default() -> None:
    assert parse(lines_of("Mr,a,b,,x@y,1"))[0] == [["Mr", "a", "b", "0", "x@y", "1"]]


@pytest.mark.parametrize("place", [0, 1, 2, 4, 5])
def test_any_other_empty_value_is_rejected(place: int) -> None:
    fields = GOOD.split(",")
    fields[place] = ""
    reject = only_reject(",".join(fields))
    assert (reject.column, reject.reason) == (COLUMNS[place].name, "empty")


@pytest.mark.parametrize("value", ["plain", "@b", "a@", "a@b@c", "@", "a@@b"])
def test_an_address_needs_one_at_with_text_on_both_sides(value: str) -> None:
    reject = only_reject(f"Mr,a,b,0,{value},1")
    assert reject.column == "email"
    assert "exactly one @" in reject.reason


def test_bytes_that_are_not_utf8_cost_their_row_only() -> None:
    reject = only_reject(b"Mr,J\xfcrgen,b,0,x@y,1")
    assert (reject.column, reject.reason, reject.raw) == ("firstname", "not UTF-8", "Mr,J\\xfcrgen,b,0,x@y,1")


@pytest.mark.parametrize("value", [b"\xed\xa0\x80", b"\xc0\xaf", b"\xf5\x80\x80\x80", b"\xe2\x82"])
def test_look_alikes_of_utf8_are_rejected(value: bytes) -> None:
    assert only_reject(b"Mr,a" + value + b",b,0,x@y,1").reason == "not UTF-8"


def test_a_nul_byte_costs_its_row_only() -> None:
    reject = only_reject(b"Mr,a,b\0c,0,x@y,1")
    assert (reject.column, reject.reason) == ("lastname", "a NUL byte")


@pytest.mark.parametrize(
    "value", ["😀", "𝒳", "e\u0301", "\u2028", "\x0b\x0c\x1c\x85", "'; DROP TABLE customer; --", "=CMD()"]
)
def test_any_text_is_kept(value: str) -> None:
    rows, rejects, _, _ = parse(lines_of(f"Mr,{value},b,0,x@y,1"))
    assert not rejects
    assert rows[0][1] == value


@pytest.mark.parametrize("line", ['Mr,"a"b,c,0,x@y,1', '"Mr" ,a,b,0,x@y,1'])
def test_text_after_a_closing_quote_is_rejected(line: str) -> None:
    assert only_reject(line).reason == BROKEN_QUOTES


def test_a_quote_inside_a_value_that_began_without_is_text() -> None:
    assert parse(lines_of('Mr,5" a,b,0,x@y,1'))[0][0][1] == '5" a'


def test_a_quote_that_never_closes_costs_its_line_only() -> None:
    assert only_reject('Mr,"a,b,0,x@y,1').reason == BROKEN_QUOTES


def test_a_quote_that_never_closes_in_a_long_file_costs_its_line_only() -> None:
    rows, rejects, _, _ = parse(lines_of(*[GOOD] * 30_000, 'Mr,"a,b,0,x@y,1', *[GOOD] * 30_000))
    assert len(rows) == 60_000
    assert [(reject.line, reject.reason) for reject in rejects] == [(30_002, TOO_LONG)]


def test_a_quote_that_closes_far_away_costs_its_line_only() -> None:
    rows, rejects, _, _ = parse(lines_of('Mr,"a,b,0,x@y,1', *[GOOD] * 5_000, 'Mr,a",b,0,x@y,1'))
    assert len(rows) == 5_001
    assert [(reject.line, reject.reason) for reject in rejects] == [(2, TOO_LONG)]


@pytest.mark.parametrize("quote", ["", '"'])
def test_a_huge_field_is_one_reject_in_bounded_memory(quote: str) -> None:
    size = 100_000_000
    start = f"{HEADER}\nMr,{quote}".encode()
    end = f"{quote},b,0,x@y,1\n{GOOD}\n".encode()
    left = [start, *[b"x" * 100_000] * (size // 100_000), end]

    def pieces() -> Iterator[bytes]:
        yield from left

    source = pieces()
    header, buffer = read_header(lambda _: next(source, b""), CUSTOMER)
    tracemalloc.start()
    blocks = list(read_blocks(lambda _: next(source, b""), header.layout, header.end, buffer))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    rejects = [reject for block in blocks for reject in block.rejects]
    assert [(reject.line, reject.reason) for reject in rejects] == [(2, TOO_LONG)]
    assert len(rejects[0].raw) == DEFAULTS.raw_length
    assert sum(len(block.rows) for block in blocks) == 1
    assert blocks[-1].end == Position(sum(map(len, left)), 3)
    assert peak < 16 * 2**20


def test_the_raw_text_of_a_reject_is_capped() -> None:
    assert only_reject("x" * 5000).raw == "x" * DEFAULTS.raw_length


# Properties


fields = st.text(st.sampled_from('ab1@,"\n\r é😀\x1f\x1e\\') | st.characters(codec="utf-8"), max_size=8)
almost_good = st.tuples(
    st.sampled_from(["Mr", "", "x" * 51]),
    fields,
    fields,
    st.sampled_from(["", "0", "1", "127", "128"]),
    st.sampled_from(["a@b", "a", "@", "a@b@"]) | fields,
    st.sampled_from(["0", "5", "200", "", "x"]),
)


# Blocks that end within every file, and records that fit into them; too small a sample to tell the encoding from it.
SMALL_BLOCKS = Limits(block_bytes=120, max_record_bytes=100, max_record_lines=4, raw_length=25, sample_bytes=1)
SMALLEST_BLOCK = SMALL_BLOCKS.max_record_bytes + BYTES_AROUND_A_RECORD


def is_storable(row: list[str]) -> bool:
    """Check a row one value after another, by the columns' rules."""
    if len(row) != len(COLUMNS) or any("\0" in value for value in row):
        return False
    title, firstname, lastname, status, email, age = row
    return (
        1 <= len(title) <= 50
        and 1 <= len(firstname) <= 255
        and 1 <= len(lastname) <= 255
        and (
            status == "" or (status.isascii() and status.isdigit() and str(int(status)) == status and int(status) < 128)
        )
        and 1 <= len(email) <= 255
        and email.count("@") == 1
        and all(email.split("@"))
        and age.isascii()
        and age.isdigit()
        and str(int(age)) == age
        and int(age) < 128
    )


@settings(max_examples=200, deadline=None)
@given(rows=st.lists(almost_good, max_size=30), end=st.sampled_from(["\n", "\r\n", "\r"]), piece=st.integers(1, 500))
def test_what_is_stored_is_what_the_csv_module_reads(rows: list[tuple[str, ...]], end: str, piece: int) -> None:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator=end).writerows(rows)
    content = f"{HEADER}{end}{out.getvalue()}"
    read = list(csv.reader(io.StringIO(content, newline=""), strict=True))[1:]
    stored, rejects, blank, position = parse(content.encode(), piece)
    expected = [row for row in read if is_storable(row)]
    assert stored == [[*row[:3], row[3] or "0", *row[4:]] for row in expected]
    assert blank == read.count([])
    assert len(stored) + len(rejects) + blank == len(read)
    assert position.offset == len(content.encode())


anything = st.lists(
    st.sampled_from([GOOD, GOOD, ",", '"', '""', "\n", "\r", "\r\n", "a", "é", "\0", "x" * 60, "1", "@"]).map(
        str.encode
    )
    | st.binary(max_size=3),
    max_size=60,
).map(b"".join)


@settings(max_examples=300, deadline=None)
@given(body=anything, piece=st.integers(1, 300), block_bytes=st.integers(SMALLEST_BLOCK, 300))
def test_any_bytes_read_the_same_in_any_pieces_and_blocks(body: bytes, piece: int, block_bytes: int) -> None:
    content = b"\xef\xbb\xbf" + HEADER.encode() + b"\n" + body
    in_pieces = parse(content, piece, replace(SMALL_BLOCKS, block_bytes=block_bytes))
    whole = parse(content, limits=replace(SMALL_BLOCKS, block_bytes=1 << 20))
    assert in_pieces[0] == whole[0]
    assert sorted(in_pieces[1], key=lambda reject: reject.line) == sorted(whole[1], key=lambda reject: reject.line)
    assert in_pieces[2:] == whole[2:]
    lines = [reject.line for reject in whole[1]]
    assert len(set(lines)) == len(lines)
    assert whole[3].offset == len(content)


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("length", range(97, 104))
def test_at_the_longest_record_the_smallest_blocks_read_the_same(length: int, mark: str, end: str) -> None:
    def outcome(content: str, limits: Limits) -> Parsed | str:
        try:
            return parse(content.encode(), limits=limits)
        except FileRefused as refusal:
            return str(refusal)

    quoted = f'Mr,"{"x" * (length - 20)}\n",b,0,x@y,1'
    for content in (f"{mark}{HEADER.ljust(length)}{end}{GOOD}{end}", f"{mark}{HEADER}{end}{quoted}{end}{GOOD}{end}"):
        smallest, large = (replace(SMALL_BLOCKS, block_bytes=size) for size in (SMALLEST_BLOCK, 5000))
        assert outcome(content, smallest) == outcome(content, large)


@settings(max_examples=200, deadline=None)
@given(body=anything, stop=st.integers(0, 20))
def test_reading_resumes_at_the_end_of_any_block(body: bytes, stop: int) -> None:
    content = HEADER.encode() + b"\n" + body
    header, _ = read_header(io.BytesIO(content).read, CUSTOMER, limits=SMALL_BLOCKS)

    def read_from(position: Position) -> list[Block]:
        source = io.BytesIO(content[position.offset :])
        return list(read_blocks(source.read, header.layout, position, limits=SMALL_BLOCKS))

    blocks = read_from(header.end)
    done = blocks[: min(stop, len(blocks))]
    resumed = read_from(done[-1].end if done else header.end)
    assert [row for block in [*done, *resumed] for row in block.rows] == [row for block in blocks for row in block.rows]
    assert sorted(reject for block in [*done, *resumed] for reject in block.rejects) == sorted(
        reject for block in blocks for reject in block.rejects
    )
