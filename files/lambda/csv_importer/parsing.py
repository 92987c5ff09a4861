"""Turns the bytes of a CSV file into rows to store and records to reject. Pure: no AWS, no database.

A file is read in blocks of complete records, each a few thousand rows, and each is checked column by
column: calls that cover a block are what makes Python fast enough. Whether a record is stored or rejected
depends on its own bytes only, never on where a block happens to end, so that reading can stop at the end
of any block and resume there later with the same result.

Time and memory are linear in the size of a file and bounded for a block, whatever the file holds: where quotes
are broken, each line is looked at twice, not once for every line before it.
"""

import csv
import io
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from itertools import accumulate, chain, islice, repeat
from operator import itemgetter
from typing import NamedTuple, Protocol

from csv_importer.datasets import Dataset, FieldsMatch
from csv_importer.errors import FileRefused
from csv_importer.fields import Column
from csv_importer.limits import DEFAULTS, Limits

FIELD_END, ROW_END, ESCAPE = SEPARATORS = ("\x1f", "\x1e", "\\")
"""Characters with a meaning in the stream that the database reads."""

NULL = ESCAPE + "N"
"""NULL in that stream: https://dev.mysql.com/doc/refman/8.4/en/load-data.html."""

_ESCAPES = str.maketrans({character: ESCAPE + character for character in SEPARATORS})

type _Error = tuple[str | None, str]
"""The column with the error, if it is in one, and the reason."""

_BLANK: _Error = (None, "blank")
BROKEN_QUOTES = "a quote is never closed, or something follows a closing quote"

type Read = Callable[[int], bytes]
"""Reads up to so many bytes; returns none only at the end."""

_BOM = b"\xef\xbb\xbf"
_LINE_END = re.compile(rb"\r\n?|\n")

# The strict dialect of the csv module, for one line. No quantifier gives back what it has matched, so that the time to
# match is linear: https://docs.python.org/3/library/re.html (possessive quantifiers).
_QUOTED = r'"[^"]*+(?:""[^"]*+)*+'
_FIELD = rf'(?:{_QUOTED}"|[^",\r\n][^,\r\n]*+|(?=[,\r\n]|\Z))'
_LINE = re.compile(rf"(?:{_FIELD},)*+(?:{_FIELD}[\r\n]*+\Z|(?P<open>{_QUOTED}\Z))")
_SURROGATE = re.compile("[\ud800-\udfff]")
_SIGNATURES = (
    (b"\x1f\x8b", "gzip"),
    (b"PK\x03\x04", "a zip archive or an Excel workbook (xlsx)"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook (xls)"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "Zstandard"),
    (b"PAR1", "Parquet"),
    (b"%PDF-", "PDF"),
    (b"\xff\xfe\x00\x00", "UTF-32 text"),
    (b"\x00\x00\xfe\xff", "UTF-32 text"),
    (b"\xff\xfe", "UTF-16 text"),
    (b"\xfe\xff", "UTF-16 text"),
)


class Position(NamedTuple):
    """How far a file has been read.

    Attributes:
        offset: Bytes read.
        line: Physical lines read.
    """

    offset: int
    line: int


class Reject(NamedTuple):
    """A record that is not stored.

    Attributes:
        line: The physical line on which it starts, from 1.
        column: The column with the error, or None where it is the record as a whole.
        reason: What is wrong with it; never a value.
        raw: The first characters of its text.
    """

    line: int
    column: str | None
    reason: str
    raw: str


@dataclass(frozen=True, slots=True)
class Header:
    """The first record of a file.

    Attributes:
        columns: The columns in the order of the file; none where the file holds blank lines at most.
        end: Where the rows begin.
        blank: Blank lines before it.
    """

    columns: tuple[Column, ...]
    end: Position
    blank: int


class Block:
    """Some records of a file, one after another.

    Attributes:
        rejects: The records that are refused, in the order of the file, or as many of the first as are kept.
        rejected: How many records are refused.
        blank: How many lines were blank.
        end: Where the next block begins.
    """

    __slots__ = ("_plain", "_raw_length", "_records", "_stored", "blank", "end", "rejected", "rejects")

    def __init__(  # noqa: PLR0913 - built in two places
        self,
        records: "_Records | None",
        rejects: list[Reject],
        rejected: int,
        blank: int,
        end: Position,
        *,
        raw_length: int,
        plain: bool = True,
        stored: "_Stored | None" = None,
    ) -> None:
        """Take the records to store, the others, and whether no value holds one of SEPARATORS.

        Args:
            records: The records to store.
            rejects: The others that are kept.
            rejected: How many others there are.
            blank: How many lines were blank.
            end: Where the next block begins.
            raw_length: Characters of a rejected record that are kept.
            plain: Whether no value in the file holds one of SEPARATORS.
            stored: What is stored, column by column, where that is not what is in the file.
        """
        self.rejects = rejects
        self.rejected = rejected
        self.blank = blank
        self.end = end
        self._records = records
        self._raw_length = raw_length
        self._plain = plain
        self._stored = stored

    def __len__(self) -> int:
        """How many rows there are to store."""
        return len(self._records) if self._records else 0

    @property
    def rows(self) -> list[list[str | None]]:
        """The rows to store, values in the order of the header; None for NULL."""
        if self._stored:
            return list(map(list, zip(*self._stored, strict=True)))
        return [[*self._records.fields(index)] for index in range(len(self))] if self._records else []

    def delimited(self) -> str:
        """The rows to store as text, with the separators of the LOAD DATA statement."""
        if not self._records or not len(self):
            return ""
        if self._stored:
            return ROW_END.join(map(FIELD_END.join, zip(*map(_escaped, self._stored), strict=True))) + ROW_END
        if self._plain:
            return self._records.joined(FIELD_END, ROW_END)
        rows = map(self._records.fields, range(len(self)))
        return "".join(FIELD_END.join(value.translate(_ESCAPES) for value in row) + ROW_END for row in rows)

    def reject(self, index: int, reason: str) -> Reject:
        """Return rows[index] as a reject, for a reason that only the database knows."""
        if not self._records:
            raise IndexError(index)
        line, text = self._records.source(index)
        return Reject(line, None, reason, _raw(text, self._raw_length))


type _Stored = Sequence[Sequence[str | None]]
"""What is stored, column by column."""


def _escaped(values: Sequence[str | None]) -> Sequence[str]:
    """Write the values of a column as the LOAD DATA statement reads them."""
    texts = [value for value in values if value is not None]
    joined = "".join(texts)
    plain = not any(character in joined for character in SEPARATORS)
    if plain and len(texts) == len(values):
        return texts
    return [NULL if value is None else value if plain else value.translate(_ESCAPES) for value in values]


def read_header(read: Read, dataset: Dataset, *, limits: Limits = DEFAULTS) -> tuple[Header, bytes]:
    """Read the header from the start of a file.

    Args:
        read: Where the bytes come from.
        dataset: What the file has to be.
        limits: Sizes of a block and a record.

    Returns:
        The header, and the bytes read beyond it.

    Raises:
        FileRefused: This is not a CSV file with the columns of the table; the message says what it is or which
            columns are wrong.
    """
    block_bytes, max_record_bytes = limits.block_bytes, limits.max_record_bytes
    buffer = b""
    while len(buffer) < block_bytes and (chunk := read(block_bytes - len(buffer))):
        buffer += chunk
    for signature, name in _SIGNATURES:
        if buffer.startswith(signature):
            raise FileRefused(f"the file is {name}, not CSV in UTF-8")
    start = len(_BOM) if buffer.startswith(_BOM) else 0
    # Latin-1 maps each byte to one character: positions in it are positions in the file.
    lines = io.StringIO(buffer[start : start + max_record_bytes].decode("latin-1"), newline="")
    offset = start
    blank = 0
    for line in lines:
        if not line.strip("\r\n"):
            offset += len(line)
            blank += 1
            continue
        raw = line.encode("latin-1")
        if b"\0" in raw:
            raise FileRefused("the file starts with NUL bytes: it is binary, or UTF-16 without a byte order mark")
        end = offset + len(raw)
        if end == start + max_record_bytes < len(buffer) and not line.endswith(("\r", "\n")):
            raise FileRefused(f"no header: the first line is longer than {max_record_bytes} bytes")
        if line.endswith("\r") and buffer[end : end + 1] == b"\n":
            end += 1
        return Header(_columns(raw, dataset), Position(end, blank + 1), blank), buffer[end:]
    if len(buffer) - start > max_record_bytes:
        raise FileRefused(f"no header in the first {max_record_bytes} bytes")
    return Header((), Position(offset, blank), blank), b""


def _columns(raw: bytes, dataset: Dataset) -> tuple[Column, ...]:
    """Map a header to columns, by name: neither case nor spaces around it matter.

    Raises:
        FileRefused: It is not text, or its columns are not those of the table.
    """
    known = {column.name.lower(): column for column in dataset.columns}
    wanted = ", ".join(column.name for column in dataset.columns)
    try:
        (fields,) = csv.reader([raw.decode()], strict=True)
    except UnicodeDecodeError:
        raise FileRefused("the first line is not UTF-8 text") from None
    except csv.Error:
        raise FileRefused("the quotes in the first line are not those of CSV") from None
    names = [field.strip().lower() for field in fields]
    if not known.keys() & names:
        for delimiter, name in ((";", "semicolon"), ("\t", "tab"), ("|", "bar")):
            if known.keys() & {part.strip(' "\r\n').lower() for part in raw.decode().split(delimiter)}:
                raise FileRefused(f"the delimiter is a {name}: it has to be a comma")
        # The line may be a row of personal data: it is not quoted.
        raise FileRefused(f"no header: the first line names none of the columns {wanted}")
    errors = [
        f"{error} {', '.join(repr(name[:64]) for name in found[:10])}"
        for error, found in (
            ("missing columns:", [name for name in known if name not in names]),
            ("unknown columns:", [name for name in dict.fromkeys(names) if name not in known]),
            ("columns given twice:", [name for name in known if names.count(name) > 1]),
        )
        if found
    ]
    if errors:
        raise FileRefused(f"wrong header: {'; '.join(errors)}. It has to name {wanted}, in any order")
    if dataset.fields_match is FieldsMatch.EXACT and names != list(known):
        raise FileRefused(f"wrong header: the columns are in another order. It has to name {wanted}, in this order")
    return tuple(known[name] for name in names)


def read_blocks(  # noqa: PLR0913 - two by name
    read: Read,
    columns: Sequence[Column],
    start: Position,
    buffer: bytes = b"",
    *,
    limits: Limits = DEFAULTS,
    keep_rejects: int = sys.maxsize,
) -> Iterator[Block]:
    """Read the records of a file.

    Args:
        read: Where the bytes come from.
        columns: The columns in the order of the file.
        start: The end of the header or of a block: where buffer, then read, begin.
        buffer: Bytes that were read already.
        limits: Sizes of a block and a record.
        keep_rejects: How many rejects are kept, the first ones: the others are only counted.

    Yields:
        The records in blocks. Memory is bounded, whatever the file holds.
    """
    block_bytes, raw_length = limits.block_bytes, limits.raw_length
    position = start
    at_end = False
    while True:
        while len(buffer) < block_bytes and not at_end:
            chunk = read(block_bytes)
            at_end = not chunk
            buffer += chunk
        if not buffer:
            return
        complete = len(buffer) if at_end else _complete(buffer)
        if not complete:
            # A character has four bytes at most.
            raw = buffer[: raw_length * 4]
            skipped, buffer, at_end = _skip_line(read, buffer, block_bytes)
            reject = Reject(position.line + 1, None, too_long(limits), _raw(_decode(raw), raw_length))
            position = Position(position.offset + skipped, position.line + 1)
            block = Block(None, [reject][:keep_rejects], 1, 0, position, raw_length=raw_length)
        else:
            size = _first_lines(buffer, complete, limits.block_lines)
            # What follows is known to belong to the last line only where that has no end.
            source = _Source(
                buffer[:size],
                position,
                following=len(buffer) - size if size == complete else 0,
                at_end=at_end and size == len(buffer),
            )
            block = _parse(source, columns, limits, keep_rejects)
            buffer = buffer[block.end.offset - position.offset :]
            position = block.end
        keep_rejects -= len(block.rejects)
        yield block


def too_long(limits: Limits) -> str:
    """Return the reason for which a record that exceeds the limits is rejected."""
    return f"longer than {limits.max_record_bytes} bytes or {limits.max_record_lines} lines"


def _complete(buffer: bytes) -> int:
    """Count the bytes up to the last end of a line. A final CR may be half of a CRLF: it ends nothing yet."""
    return max(buffer.rfind(b"\n"), buffer.rfind(b"\r", 0, -1)) + 1


def _first_lines(buffer: bytes, size: int, most: int) -> int:
    """Count the bytes of the first lines, so many at most, within size bytes."""
    if buffer.count(b"\n", 0, size) + buffer.count(b"\r", 0, size) <= most:
        return size
    last = next(islice(_LINE_END.finditer(buffer, 0, size), most - 1, None), None)
    return last.end() if last else size


def _skip_line(read: Read, buffer: bytes, block_bytes: int) -> tuple[int, bytes, bool]:
    """Read past the end of a line of any length; return its length, what was read beyond it, and the end."""
    skipped = 0
    at_end = False
    while True:
        ends = [at + 1 for at in (buffer.find(b"\n"), buffer.find(b"\r", 0, -1)) if at >= 0]
        if ends:
            end = min(ends)
            end += buffer[end - 1 : end + 1] == b"\r\n"
            return skipped + end, buffer[end:], at_end
        if at_end:
            return skipped + len(buffer), b"", True
        keep = 1 if buffer.endswith(b"\r") else 0
        skipped += len(buffer) - keep
        chunk = read(block_bytes)
        at_end = not chunk
        buffer = buffer[len(buffer) - keep :] + chunk


@dataclass(frozen=True, slots=True)
class _Source:
    """Complete lines of a file.

    Attributes:
        data: The lines.
        start: Where in the file they are.
        following: Bytes that are known to follow them without an end of a line.
        at_end: Whether the file ends with them.
    """

    data: bytes
    start: Position
    following: int
    at_end: bool


class _Fault(NamedTuple):
    """A record that is refused: at is its index in _Records, or None where the line could not be read as one."""

    line: int
    column: str | None
    reason: str
    at: int | None


def _parse(source: _Source, columns: Sequence[Column], limits: Limits, keep_rejects: int) -> Block:
    """Parse complete lines.

    Args:
        source: The lines.
        columns: The columns in the order of the file.
        limits: Sizes of a record.
        keep_rejects: How many rejects are kept.

    Returns:
        All records but one that the last lines begin and do not end.
    """
    start, data = source.start, source.data
    try:
        text = data.decode()
        suspicious = "\0" in text
    except UnicodeDecodeError:
        text = _decode(data)
        suspicious = True
    records: _Records
    faults: list[_Fault] = []
    if '"' in text or "\r" in text:
        lines = list(io.StringIO(text, newline=""))
        found = _read_quoted(lines, source, limits)
        end = Position(start.offset + len(data) - _size(lines[found.used :]), start.line + found.used)
        faults = [_Fault(start.line + 1 + at, None, reason, None) for at, reason in found.broken]
        records = _QuotedRecords(found.rows, found.spans, lines, start.line + 1)
    else:
        lines = text.split("\n")
        if not lines[-1]:
            lines.pop()
        end = Position(start.offset + len(data), start.line + len(lines))
        records = _UnquotedRecords(lines, start.line + 1)
    errors, values = _validation_errors(records, columns, suspicious=suspicious)
    blank = sum(error is _BLANK for error in errors.values()) if errors else 0
    rejected = len(faults) + len(errors) - blank
    rejects: list[Reject] = []
    if rejected and keep_rejects:
        faults += (_Fault(records.line(at), *error, at) for at, error in errors.items() if error is not _BLANK)
        faults.sort(key=itemgetter(0))
        rejects = [_reject(fault, records, lines, start, limits) for fault in faults[:keep_rejects]]
    stored = _stored(records, columns, values)
    if errors:
        records.keep([index for index in range(len(records)) if index not in errors])
    plain = not any(character in text for character in SEPARATORS)
    return Block(records, rejects, rejected, blank, end, raw_length=limits.raw_length, plain=plain, stored=stored)


def _reject(fault: _Fault, records: "_Records", lines: Sequence[str], start: Position, limits: Limits) -> Reject:
    if fault.at is None:
        return Reject(fault.line, None, fault.reason, _raw(lines[fault.line - start.line - 1], limits.raw_length))
    # Whether the line has an end says nothing about its record.
    text = records.source(fault.at)[1].rstrip("\r\n")
    raw = _raw(text, limits.raw_length)
    if len(text) * 4 > limits.max_record_bytes and _bytes(text) > limits.max_record_bytes:
        return Reject(fault.line, None, too_long(limits), raw)
    return Reject(fault.line, fault.column, fault.reason, raw)


class _Records(Protocol):
    """Records of a block, by index."""

    def __len__(self) -> int: ...

    def widths(self) -> list[int]:
        """Count the fields of each; none where the line is blank."""

    def fields(self, index: int) -> list[str]:
        """Read the values of one."""

    def columns(self, indexes: Sequence[int] | None) -> Sequence[Sequence[str]]:
        """Read the values of some, or of all, column by column: their widths are equal."""

    def fill(self, index: int, place: int, value: str) -> None:
        """Replace a value by one without any character that CSV needs quotes for."""

    def keep(self, indexes: list[int]) -> None:
        """Drop all others."""

    def joined(self, field: str, row: str) -> str:
        """Join all values; each row ends in row."""

    def line(self, index: int) -> int:
        """Return the physical line on which one starts."""

    def source(self, index: int) -> tuple[int, str]:
        """Return the physical line on which one starts, and its text."""


class _QuotedRecords:
    """Records as the csv module reads them."""

    def __init__(self, rows: list[list[str]], spans: list[tuple[int, int]], lines: list[str], first_line: int) -> None:
        self._rows = rows
        self._spans = spans
        self._lines = lines
        self._first_line = first_line

    def __len__(self) -> int:
        return len(self._rows)

    def widths(self) -> list[int]:
        return list(map(len, self._rows))

    def fields(self, index: int) -> list[str]:
        return self._rows[index]

    def columns(self, indexes: Sequence[int] | None) -> Sequence[Sequence[str]]:
        return list(zip(*(self._rows if indexes is None else [self._rows[at] for at in indexes]), strict=True))

    def fill(self, index: int, place: int, value: str) -> None:
        self._rows[index][place] = value

    def keep(self, indexes: list[int]) -> None:
        self._rows = [self._rows[at] for at in indexes]
        self._spans = [self._spans[at] for at in indexes]

    def joined(self, field: str, row: str) -> str:
        return row.join(map(field.join, self._rows)) + row

    def line(self, index: int) -> int:
        return self._first_line + self._spans[index][0]

    def source(self, index: int) -> tuple[int, str]:
        first, after = self._spans[index]
        return self._first_line + first, "".join(self._lines[first:after])


class _UnquotedRecords:
    """Lines without quotes, where each comma delimits: five times as fast as reading every record by itself."""

    def __init__(self, lines: list[str], first_line: int) -> None:
        self._lines = lines
        self._numbers: Sequence[int] = range(first_line, first_line + len(lines))

    def __len__(self) -> int:
        return len(self._lines)

    def widths(self) -> list[int]:
        return [commas + 1 if commas or line else 0 for line, commas in zip(self._lines, self._commas(), strict=True)]

    def _commas(self) -> Iterator[int]:
        return map(str.count, self._lines, repeat(","))

    def fields(self, index: int) -> list[str]:
        return self._lines[index].split(",")

    def columns(self, indexes: Sequence[int] | None) -> Sequence[Sequence[str]]:
        lines = self._lines if indexes is None else [self._lines[at] for at in indexes]
        if not lines:
            return []
        width = lines[0].count(",") + 1
        values = ",".join(lines).split(",")
        return [values[place::width] for place in range(width)]

    def fill(self, index: int, place: int, value: str) -> None:
        fields = self.fields(index)
        fields[place] = value
        self._lines[index] = ",".join(fields)

    def keep(self, indexes: list[int]) -> None:
        self._lines = [self._lines[at] for at in indexes]
        self._numbers = [self._numbers[at] for at in indexes]

    def joined(self, field: str, row: str) -> str:
        return (row.join(self._lines) + row).replace(",", field)

    def line(self, index: int) -> int:
        return self._numbers[index]

    def source(self, index: int) -> tuple[int, str]:
        return self._numbers[index], self._lines[index]


class _Found(NamedTuple):
    """What some lines hold.

    Attributes:
        rows: The records.
        spans: The lines of each as (first, after last).
        broken: Lines that are refused, with the reasons.
        used: How many lines that is.
    """

    rows: list[list[str]]
    spans: list[tuple[int, int]]
    broken: list[tuple[int, str]]
    used: int


def _read_quoted(lines: list[str], source: _Source, limits: Limits) -> _Found:
    """Read records that may have several lines, or broken quotes.

    Where a record is broken or too long, its first line is rejected and reading continues at the second:
    a quote that is never closed costs no other row.
    """
    reader = csv.reader(lines, strict=True)
    rows: list[list[str]] = []
    with suppress(csv.Error):
        rows = list(reader)
    if reader.line_num == len(rows) == len(lines):
        return _Found(rows, [(index, index + 1) for index in range(len(rows))], [], len(lines))
    spans, broken, used = _outline(lines, source, limits)
    records = chain.from_iterable(lines[first:after] for first, after in spans)
    return _Found(list(csv.reader(records, strict=True)), spans, broken, used)


class _End(Enum):
    """How a line ends."""

    CLOSED = "with a record"
    OPEN = "within quotes"
    BROKEN = "nowhere: something follows a closing quote"


def _end_of(line: str) -> _End:
    """Return how a line ends that begins a record; with a quote before it, one that begins within quotes."""
    found = _LINE.match(line)
    if not found:
        return _End.BROKEN
    return _End.OPEN if found.lastgroup else _End.CLOSED


def _outline(
    lines: Sequence[str], source: _Source, limits: Limits
) -> tuple[list[tuple[int, int]], list[tuple[int, str]], int]:
    """Find out which lines are a record, without reading a line again for each line before it.

    A record that goes on after its first line does so within quotes. So the line on which it ends is the next one that
    leaves the quotes, the same for all lines before that one, and is searched for once.

    Returns:
        The lines of each record as (first, after last); refused lines with their reasons; lines used.
    """
    spans: list[tuple[int, int]] = []
    broken: list[tuple[int, str]] = []
    count = len(lines)
    offsets = list(accumulate(map(_bytes, lines), initial=0))
    first = 0
    # The first line after `first` that leaves quotes, and how it ends.
    leaving, leaves = 0, _End.OPEN
    field_limit = csv.field_size_limit()
    while first < count:
        line, after = lines[first], first + 1
        end = _end_of(line) if '"' in line else _End.CLOSED
        if end is _End.OPEN:
            if leaving <= first:
                leaving, leaves = after, _End.OPEN
            while leaves is _End.OPEN and leaving < count:
                leaves = _end_of('"' + lines[leaving]) if '"' in lines[leaving] else _End.OPEN
                leaving += leaves is _End.OPEN
            after, end = min(leaving + 1, count), leaves
        size = offsets[after] - offsets[first] + (source.following if end is _End.OPEN else 0)
        if after - first > limits.max_record_lines or (
            size > limits.max_record_bytes and (after - first > 1 or end is not _End.CLOSED or len(line) > field_limit)
        ):
            broken.append((first, too_long(limits)))
            first += 1
        elif end is _End.CLOSED:
            spans.append((first, after))
            first = after
        elif end is _End.OPEN and not source.at_end:
            return spans, broken, first
        else:
            broken.append((first, BROKEN_QUOTES))
            first += 1
    return spans, broken, count


def _bytes(line: str) -> int:
    return len(line) if line.isascii() else len(line.encode("utf-8", "surrogateescape"))


def _validation_errors(
    records: _Records, columns: Sequence[Column], *, suspicious: bool
) -> tuple[dict[int, _Error], "_Values"]:
    """Find the records that cannot be stored, blank ones included.

    Returns:
        The errors by index; and the values of all others.
    """
    errors: dict[int, _Error] = {}
    width = len(columns)
    widths = records.widths()
    different = set(widths) - {width}
    if different:
        wrong: dict[int, _Error] = {found: (None, f"{found} fields instead of {width}") for found in different}
        wrong[0] = _BLANK
        errors = {index: wrong[found] for index, found in enumerate(widths) if found != width}
    if suspicious:
        for index in range(len(records)):
            if index not in errors:
                errors |= _suspicions(index, records.fields(index), columns)
    fitting = [index for index in range(len(records)) if index not in errors] if errors else None
    found = records.columns(fitting)
    for column, values in zip(columns, found, strict=False):
        for index, reason in column.errors(values).items():
            errors.setdefault(index if fitting is None else fitting[index], (column.name, reason))
    return errors, _Values(found, range(len(records)) if fitting is None else fitting, errors)


class _Values(NamedTuple):
    """The values of some records, column by column.

    Attributes:
        columns: The values of each column.
        indexes: The records that they are of.
        errors: The records, by index, that are not stored.
    """

    columns: Sequence[Sequence[str]]
    indexes: Sequence[int]
    errors: Mapping[int, _Error]

    def stored[T](self, values: Sequence[T]) -> Sequence[T]:
        """Return those of a column's values whose records are stored."""
        if not self.errors:
            return values
        return [value for index, value in zip(self.indexes, values, strict=True) if index not in self.errors]


_FEW = 4
"""Where no more than one row in so many is stored otherwise than written, its line is written again."""

_QUOTED_FOR = re.compile('[,"\r\n]')


def _stored(records: _Records, columns: Sequence[Column], values: _Values) -> _Stored | None:
    """Return what is stored, column by column, or None where that is what the records hold: they may be changed.

    Args:
        records: The records to store.
        columns: The columns in the order of the file.
        values: Their values.
    """
    changed: dict[int, Sequence[str | None]] = {}
    differences: list[tuple[int, int, str | None]] = []
    for place, (column, before) in enumerate(zip(columns, values.columns, strict=False)):
        after = before if column.verbatim else column.stored(before)
        if after is not before:
            changed[place] = after
            if len(differences) * _FEW <= len(records):
                differences += (
                    (index, place, text)
                    for index, value, text in zip(values.indexes, before, after, strict=True)
                    if value is not text and index not in values.errors
                )
    if not changed:
        return None
    texts = {text for _, _, text in differences}
    if len(differences) * _FEW > len(records) or any(text is None or _special(text) for text in texts):
        return [values.stored(changed.get(place, before)) for place, before in enumerate(values.columns)]
    for index, place, text in differences:
        records.fill(index, place, text or "")
    return None


def _special(text: str) -> bool:
    return _QUOTED_FOR.search(text) is not None or any(character in text for character in SEPARATORS)


def _suspicions(index: int, fields: list[str], columns: Sequence[Column]) -> dict[int, _Error]:
    for column, value in zip(columns, fields, strict=True):
        if _SURROGATE.search(value):
            return {index: (column.name, "not UTF-8")}
        if "\0" in value:
            return {index: (column.name, "a NUL byte")}
    return {}


def _decode(data: bytes) -> str:
    """Decode UTF-8; invalid bytes become lone surrogates, which no valid text holds."""
    return data.decode("utf-8", "surrogateescape")


def _size(lines: Iterable[str]) -> int:
    """Count the bytes of some lines."""
    return sum(map(_bytes, lines))


def _raw(text: str, length: int) -> str:
    """Return the text of a rejected record as it can be stored and shown."""
    capped = text.rstrip("\r\n")[:length]
    return capped.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")[:length]
