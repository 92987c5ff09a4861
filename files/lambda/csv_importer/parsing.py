"""Turns the bytes of a CSV file into rows to store and records to reject. Pure: no AWS, no database.

A file is read in blocks of complete records, each a few thousand rows, and each is checked column by
column: calls that cover a block are what makes Python fast enough. Whether a record is stored or rejected
depends on its own bytes only, never on where a block happens to end, so that reading can stop at the end
of any block and resume there later with the same result.
"""

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import repeat
from typing import NamedTuple, Protocol

from csv_importer.columns import COLUMNS, Column
from csv_importer.errors import FileRefused
from csv_importer.limits import DEFAULTS, Limits

FIELD_END, ROW_END, ESCAPE = SEPARATORS = ("\x1f", "\x1e", "\\")
"""Characters with a meaning in the stream that the database reads."""

_BLANK = "blank"
BROKEN_QUOTES = "a quote is never closed, or something follows a closing quote"

type Read = Callable[[int], bytes]
"""Reads up to so many bytes; returns none only at the end."""

_BOM = b"\xef\xbb\xbf"
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
        rejects: The records that are refused.
        blank: How many lines were blank.
        end: Where the next block begins.
    """

    __slots__ = ("_plain", "_raw_length", "_records", "blank", "end", "rejects")

    def __init__(  # noqa: PLR0913 - built in two places
        self,
        records: "_Records | None",
        rejects: list[Reject],
        blank: int,
        end: Position,
        *,
        raw_length: int,
        plain: bool = True,
    ) -> None:
        """Take the records to store, the others, and whether no value holds one of SEPARATORS."""
        self.rejects = rejects
        self.blank = blank
        self.end = end
        self._records = records
        self._raw_length = raw_length
        self._plain = plain

    def __len__(self) -> int:
        """How many rows there are to store."""
        return len(self._records) if self._records else 0

    @property
    def rows(self) -> list[list[str]]:
        """The rows to store, values in the order of the header."""
        return [self._records.fields(index) for index in range(len(self))] if self._records else []

    def delimited(self) -> str:
        """The rows to store as text, with the separators of the LOAD DATA statement."""
        if not self._records or not len(self):
            return ""
        if self._plain:
            return self._records.joined(FIELD_END, ROW_END)
        escapes = str.maketrans({character: ESCAPE + character for character in SEPARATORS})
        return "".join(FIELD_END.join(value.translate(escapes) for value in row) + ROW_END for row in self.rows)

    def reject(self, index: int, reason: str) -> Reject:
        """Return rows[index] as a reject, for a reason that only the database knows."""
        if not self._records:
            raise IndexError(index)
        line, text = self._records.source(index)
        return Reject(line, None, reason, _raw(text, self._raw_length))


def read_header(read: Read, *, limits: Limits = DEFAULTS) -> tuple[Header, bytes]:
    """Read the header from the start of a file.

    Args:
        read: Where the bytes come from.
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
        return Header(_columns(raw), Position(end, blank + 1), blank), buffer[end:]
    if len(buffer) - start > max_record_bytes:
        raise FileRefused(f"no header in the first {max_record_bytes} bytes")
    return Header((), Position(offset, blank), blank), b""


def _columns(raw: bytes) -> tuple[Column, ...]:
    """Map a header to columns.

    Raises:
        FileRefused: It is not text, or its columns are not those of the table.
    """
    known = {column.name: column for column in COLUMNS}
    wanted = ", ".join(known)
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
    return tuple(known[name] for name in names)


def read_blocks(
    read: Read, columns: Sequence[Column], start: Position, buffer: bytes = b"", *, limits: Limits = DEFAULTS
) -> Iterator[Block]:
    """Read the records of a file.

    Args:
        read: Where the bytes come from.
        columns: The columns in the order of the file.
        start: The end of the header or of a block: where buffer, then read, begin.
        buffer: Bytes that were read already.
        limits: Sizes of a block and a record.

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
        size = len(buffer) if at_end else _complete(buffer)
        if not size:
            # A character has four bytes at most.
            raw = buffer[: raw_length * 4]
            skipped, buffer, at_end = _skip_line(read, buffer, block_bytes)
            reject = Reject(position.line + 1, None, too_long(limits), _raw(_decode(raw), raw_length))
            position = Position(position.offset + skipped, position.line + 1)
            yield Block(None, [reject], 0, position, raw_length=raw_length)
            continue
        block = _parse(buffer[:size], len(buffer) - size, at_end=at_end, columns=columns, start=position, limits=limits)
        buffer = buffer[block.end.offset - position.offset :]
        position = block.end
        yield block


def too_long(limits: Limits) -> str:
    """Return the reason for which a record that exceeds the limits is rejected."""
    return f"longer than {limits.max_record_bytes} bytes or {limits.max_record_lines} lines"


def _complete(buffer: bytes) -> int:
    """Count the bytes up to the last end of a line. A final CR may be half of a CRLF: it ends nothing yet."""
    return max(buffer.rfind(b"\n"), buffer.rfind(b"\r", 0, -1)) + 1


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


def _parse(  # noqa: PLR0913 - all but two by name
    data: bytes, following: int, *, at_end: bool, columns: Sequence[Column], start: Position, limits: Limits
) -> Block:
    """Parse complete lines.

    Args:
        data: The lines.
        following: Bytes known to follow them.
        at_end: Whether the file ends with them.
        columns: The columns in the order of the file.
        start: Where in the file they are.
        limits: Sizes of a record.

    Returns:
        All records but one that the last lines begin and do not end.
    """
    raw_length, max_record_bytes = limits.raw_length, limits.max_record_bytes
    try:
        text = data.decode()
        suspicious = "\0" in text
    except UnicodeDecodeError:
        text = _decode(data)
        suspicious = True
    records: _Records
    if '"' in text or "\r" in text:
        lines = list(io.StringIO(text, newline=""))
        rows, spans, broken, used = _read_quoted(lines, following, at_end=at_end, limits=limits)
        end = Position(start.offset + len(data) - _size(lines[used:]), start.line + used)
        rejects = [Reject(start.line + 1 + at, None, reason, _raw(lines[at], raw_length)) for at, reason in broken]
        records = _QuotedRecords(rows, spans, lines, start.line + 1)
    else:
        lines = text.split("\n")
        if not lines[-1]:
            lines.pop()
        end = Position(start.offset + len(data), start.line + len(lines))
        rejects = []
        records = _UnquotedRecords(lines, start.line + 1)
    errors = _validation_errors(records, columns, suspicious=suspicious)
    blank = 0
    if errors:
        for index, (column, reason) in errors.items():
            line, source = records.source(index)
            if reason == _BLANK:
                blank += 1
            elif len(source) * 4 > max_record_bytes and _size([source]) > max_record_bytes:
                rejects.append(Reject(line, None, too_long(limits), _raw(source, raw_length)))
            else:
                rejects.append(Reject(line, column, reason, _raw(source, raw_length)))
        records.keep([index for index in range(len(records)) if index not in errors])
    plain = not any(character in text for character in SEPARATORS)
    return Block(records, rejects, blank, end, raw_length=raw_length, plain=plain)


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
        """Replace an empty value."""

    def keep(self, indexes: list[int]) -> None:
        """Drop all others."""

    def joined(self, field: str, row: str) -> str:
        """Join all values; each row ends in row."""

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

    def source(self, index: int) -> tuple[int, str]:
        return self._numbers[index], self._lines[index]


def _read_quoted(
    lines: list[str], following: int, *, at_end: bool, limits: Limits
) -> tuple[list[list[str]], list[tuple[int, int]], list[tuple[int, str]], int]:
    """Read records that may have several lines, or broken quotes.

    Where a record is broken or too long, its first line is rejected and reading continues at the second:
    a quote that is never closed costs no other row.

    Returns:
        The records; the lines of each as (first, after last); rejected lines with their reasons; lines used.
    """
    reader = csv.reader(lines, strict=True)
    rows: list[list[str]] = []
    with suppress(csv.Error):
        rows = list(reader)
    if reader.line_num == len(rows) == len(lines):
        return rows, [(index, index + 1) for index in range(len(rows))], [], len(lines)
    rows = []
    spans: list[tuple[int, int]] = []
    broken: list[tuple[int, str]] = []
    first = 0
    max_record_lines = limits.max_record_lines
    while first < len(lines):
        window = _Window(lines[first : first + max_record_lines + 1])
        reader = csv.reader(window, strict=True)
        base = first
        reason = None
        try:
            for row in reader:
                after = base + reader.line_num
                if after - first > 1 and _exceeds(limits, lines, first, after):
                    reason = too_long(limits)
                    break
                rows.append(row)
                spans.append((first, after))
                first = after
        except csv.Error:
            after = base + reader.line_num
            if window.ended and after < len(lines) and first > base:
                continue
            is_open = window.ended and after == len(lines)
            if _exceeds(limits, lines, first, after, following if is_open else 0):
                reason = too_long(limits)
            elif is_open and not at_end:
                return rows, spans, broken, first
            else:
                reason = BROKEN_QUOTES
        if reason:
            broken.append((first, reason))
            first += 1
    return rows, spans, broken, len(lines)


class _Window(Iterator[str]):
    """Lines for a reader; ended once it has asked for more than there are, which an error alone does not show."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = iter(lines)
        self.ended = False

    def __next__(self) -> str:
        for line in self._lines:
            return line
        self.ended = True
        raise StopIteration


def _exceeds(limits: Limits, lines: list[str], first: int, after: int, following: int = 0) -> bool:
    return after - first > limits.max_record_lines or _size(lines[first:after]) + following > limits.max_record_bytes


def _validation_errors(
    records: _Records, columns: Sequence[Column], *, suspicious: bool
) -> dict[int, tuple[str | None, str]]:
    """Find the records that cannot be stored, blank ones included; fill in defaults.

    Returns:
        The column with the error and the reason, by index.
    """
    errors: dict[int, tuple[str | None, str]] = {}
    width = len(columns)
    widths = records.widths()
    if set(widths) != {width}:
        for index, found in enumerate(widths):
            if found != width:
                errors[index] = (None, f"{found} fields instead of {width}" if found else _BLANK)
    if suspicious:
        for index in range(len(records)):
            if index not in errors:
                errors |= _suspicions(index, records.fields(index), columns)
    fitting = [index for index in range(len(records)) if index not in errors] if errors else None
    for place, (column, values) in enumerate(zip(columns, records.columns(fitting), strict=False)):
        for index, reason in column.errors(values).items():
            errors.setdefault(index if fitting is None else fitting[index], (column.name, reason))
        if column.default is not None and "" in values:
            for index, value in enumerate(values):
                if not value:
                    records.fill(index if fitting is None else fitting[index], place, column.default)
    return errors


def _suspicions(index: int, fields: list[str], columns: Sequence[Column]) -> dict[int, tuple[str | None, str]]:
    for column, value in zip(columns, fields, strict=True):
        if _SURROGATE.search(value):
            return {index: (column.name, "not UTF-8")}
        if "\0" in value:
            return {index: (column.name, "a NUL byte")}
    return {}


def _decode(data: bytes) -> str:
    """Decode UTF-8; invalid bytes become lone surrogates, which no valid text holds."""
    return data.decode("utf-8", "surrogateescape")


def _size(lines: Sequence[str]) -> int:
    """Count the bytes of some lines."""
    return sum(len(line.encode("utf-8", "surrogateescape")) for line in lines)


def _raw(text: str, length: int) -> str:
    """Return the text of a rejected record as it can be stored and shown."""
    capped = text.rstrip("\r\n")[:length]
    return capped.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")[:length]
