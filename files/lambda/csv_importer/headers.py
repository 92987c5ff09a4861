"""Reads the start of a file: whether it is what the dataset says, and which of its columns are stored."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from csv_importer.datasets import Dataset, FieldsMatch
from csv_importer.dialects import DELIMITER_NAMES, Encoding, delimiter_name
from csv_importer.encodings import check_encoding, guess
from csv_importer.errors import FileRefused
from csv_importer.fields import Column
from csv_importer.limits import DEFAULTS, Limits
from csv_importer.parsing import Layout, Position, Read
from csv_importer.records import End, Lines, find_records, grammar_of

_BOM = b"\xef\xbb\xbf"
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
_SEPARATOR_LINE = re.compile(r'"?sep=([^\r\n])"?[\r\n]*', re.IGNORECASE)
"""Excel's own first line, which says what the delimiter is."""

_COMMON_DELIMITERS = ",;\t|"
_MOST_NAMES = 30
"""Names of columns in a message."""

_MAY_HAVE_MORE = (FieldsMatch.SUBSET, FieldsMatch.PARTIAL)
_MAY_HAVE_FEWER = (FieldsMatch.SUPERSET, FieldsMatch.PARTIAL)
_DEMANDS = {
    FieldsMatch.EXACT: "{}, in this order",
    FieldsMatch.EQUAL: "{}, in any order",
    FieldsMatch.SUBSET: "{}, and may name others",
    FieldsMatch.SUPERSET: "some of {}, and no others",
    FieldsMatch.PARTIAL: "one or more of {}, and may name others",
}


@dataclass(frozen=True, slots=True)
class Header:
    """The start of a file, up to its rows.

    Attributes:
        layout: What the fields of its records are; none where the file holds blank lines at most.
        end: Where the rows begin.
        blank: Lines before them that are no part of the header.
    """

    layout: Layout
    end: Position
    blank: int

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns that are stored, in the order of the rows."""
        return self.layout.stored


def read_header(read: Read, dataset: Dataset, *, limits: Limits = DEFAULTS) -> tuple[Header, bytes]:
    """Read the header from the start of a file.

    Args:
        read: Where the bytes come from.
        dataset: What the file has to be.
        limits: Sizes of a sample and a record.

    Returns:
        The header, and the bytes read beyond it.

    Raises:
        FileRefused: This is not a CSV file with the dataset's dialect, encoding and columns; the message says what it
            is or which columns are wrong.
    """
    # One more byte tells whether the sample is all of the file.
    size = max(limits.sample_bytes, limits.max_record_bytes + len(_BOM)) + 1
    pieces: list[bytes] = []
    while size > 0 and (chunk := read(size)):
        pieces.append(chunk)
        size -= len(chunk)
    buffer = b"".join(pieces)
    start = _check_format(buffer, dataset.encoding, limits)
    found = _Start(buffer, start, dataset, limits)
    header = found.read() if dataset.dialect.header else found.without_header()
    return header, buffer[header.end.offset :]


def _check_format(buffer: bytes, encoding: Encoding, limits: Limits) -> int:
    """Check that a file is text in its encoding; return where the text begins.

    Raises:
        FileRefused: It is not.
    """
    for signature, name in _SIGNATURES:
        if buffer.startswith(signature):
            hint = "; gzip is read where the key ends in .csv.gz" if name == "gzip" else ""
            raise FileRefused(f"the file is {name}, not CSV in {encoding.name}{hint}")
    if not buffer.startswith(_BOM):
        check_encoding(buffer[: limits.sample_bytes], encoding, is_cut=len(buffer) > limits.sample_bytes)
        return 0
    if not encoding.is_utf8:
        raise FileRefused(f"the file is not {encoding.name}: it begins with the byte order mark of UTF-8 (encoding)")
    check_encoding(buffer[len(_BOM) : limits.sample_bytes], encoding, is_cut=len(buffer) > limits.sample_bytes)
    return len(_BOM)


class _Start:
    """The first lines of a file."""

    def __init__(self, buffer: bytes, start: int, dataset: Dataset, limits: Limits) -> None:
        self._buffer = buffer
        self._start = start
        self._dataset = dataset
        self._encoding = dataset.encoding
        self._grammar = grammar_of(dataset.dialect)
        self._limits = limits
        rows = dataset.dialect.header_rows
        self._where = f"line {' or '.join(map(str, rows))}" if rows else "the first line"
        # What is longer than the longest record is no header.
        self._window = buffer[start : start + limits.max_record_bytes]
        self._is_cut = len(buffer) - start > limits.max_record_bytes

    def read(self) -> Header:
        """Read the header.

        Raises:
            FileRefused: There is none, or its columns are not those of the dataset.
        """
        rows = self._dataset.dialect.header_rows
        header: list[list[str]] = []
        others = number = 0
        end = self._start
        lines = enumerate(self._lines(), 1)
        for number, (raw, end) in lines:
            text = self._decoded(raw) if raw.strip(b"\r\n") else ""
            is_separator = number == 1 and number not in rows and self._check_separator(text)
            if number not in rows and (rows or is_separator or self._is_skipped(text, number)):
                others += 1
                continue
            record, position, how = self._whole(text, lines, Position(end, number))
            header.append(self._fields(record, how))
            if not rows or position.line >= rows[-1]:
                return Header(self._matched(_joined(header, self._dataset.dialect.header_join)), position, others)
        if self._is_cut:
            raise FileRefused(f"no header in the first {self._limits.max_record_bytes} bytes")
        if rows and self._window.strip(b"\r\n"):
            raise FileRefused(f"no header: the file has {number} lines, and the header is on line {rows[-1]}")
        return Header(Layout(()), Position(end, number), number)

    def _whole(
        self, first: str, lines: Iterator[tuple[int, tuple[bytes, int]]], position: Position
    ) -> tuple[list[str], Position, End]:
        """Return the lines of the record that a line begins, and where and how it ends: a name may have several."""
        record = [first]
        end = self._grammar.ends(first)
        while end is End.OPEN and (following := next(lines, None)):
            number, (raw, after) = following
            position = Position(after, number)
            record.append(self._decoded(raw))
            end = self._grammar.ends_within(record[-1])
        return record, position, end

    def without_header(self) -> Header:
        """Lay the columns out by their order.

        Raises:
            FileRefused: The first row has more or fewer fields than it may, or another delimiter.
        """
        lines = [(self._decoded(raw), after) for raw, after in self._lines(tolerant=True)]
        end, skipped = self._start, 0
        if lines and self._check_separator(lines[0][0]):
            ((_, end), *lines), skipped = lines, 1
        self._check_delimiter(lines, skipped)
        return Header(self._positions(lines, skipped), Position(end, skipped), skipped)

    def _lines(self, *, tolerant: bool = False) -> Iterator[tuple[bytes, int]]:
        """Split the start of the file into lines, each with the offset after it.

        Raises:
            FileRefused: One is not text, or is longer than a record may be.
        """
        # Latin-1 maps each byte to one character: positions in it are positions in the file.
        offset = self._start
        only_blank = True
        for line in io.StringIO(self._window.decode("latin-1"), newline=""):
            raw = line.encode("latin-1")
            offset += len(raw)
            if b"\0" in raw and not tolerant:
                raise FileRefused(f"the file starts with NUL bytes: it is {guess(self._window)}")
            if self._is_cut and offset == self._start + len(self._window):
                if line.endswith("\r") and self._buffer[offset : offset + 1] == b"\n":
                    offset += 1
                elif not line.endswith(("\r", "\n")) and only_blank and not tolerant:
                    raise FileRefused(f"no header: the first line is longer than {len(self._window)} bytes")
                elif not line.endswith(("\r", "\n")):
                    return
            only_blank = only_blank and not line.strip("\r\n")
            yield raw, offset

    def _decoded(self, raw: bytes) -> str:
        return self._encoding.decode(raw)

    def _is_skipped(self, text: str, number: int) -> bool:
        """Return whether a line is blank or a comment."""
        return not text.strip("\r\n") or bool(self._grammar.comments([text], number))

    def _check_separator(self, text: str) -> bool:
        """Return whether a line is Excel's own.

        Raises:
            FileRefused: It names another delimiter than the dataset's.
        """
        found = _SEPARATOR_LINE.fullmatch(text)
        if not found:
            return False
        character, wanted = found[1], self._grammar.delimiter
        if character != wanted:
            raise FileRefused(
                f"the first line, {'sep=' + character!r}, is for Excel and says that the delimiter is a"
                f" {delimiter_name(character)}: the dataset has a {delimiter_name(wanted)} (dialect.delimiter)"
            )
        return True

    def _fields(self, record: Sequence[str], how: End) -> list[str]:
        """Read one record of the header.

        Raises:
            FileRefused: It is not text, or no record.
        """
        text = "".join(record)
        if self._encoding.undefined.search(text):
            raise FileRefused(
                f"{self._where} is not {self._encoding.name} text: it looks like {guess(self._window)} (encoding)"
            )
        if not text:
            return []
        try:
            if how is End.CLOSED:
                (fields,) = self._grammar.values(self._grammar.spliced(record))
                return fields
        except (csv.Error, ValueError):
            pass
        self._check_names(record[0])
        raise FileRefused(f"the quotes in {self._where} are not those of CSV, or of the dataset's dialect")

    def _matched(self, names: Sequence[str]) -> Layout:
        """Map the names of a header to columns: neither case nor spaces around them matter.

        Raises:
            FileRefused: They are not those that the dataset asks for.
        """
        dataset, match = self._dataset, self._dataset.fields_match
        folded = [name.strip().casefold() for name in names]
        places = [dataset.headers.get(name) for name in folded]
        times = Counter(places)
        wanted = _listed(dataset.columns)
        if not times.keys() - {None}:
            self._check_names(self._grammar.delimiter.join(names))
            # The line may be a row of personal data: it is not quoted.
            raise FileRefused(f"no header: {self._where} names none of the columns {wanted}")
        absent = tuple(column for place, column in enumerate(dataset.columns) if place not in times)
        demanded = absent if match not in _MAY_HAVE_FEWER else tuple(filter(_is_demanded, absent))
        unknown = (
            [] if match in _MAY_HAVE_MORE else [name for name in dict.fromkeys(folded) if name not in dataset.headers]
        )
        errors = [
            f"{error} {', '.join(repr(name[:64]) for name in found[:10])}"
            for error, found in (
                ("missing columns:", [column.name for column in demanded]),
                ("unknown columns:", unknown),
                (
                    "columns given twice:",
                    [column.name for place, column in enumerate(dataset.columns) if times[place] > 1],
                ),
            )
            if found
        ]
        if not errors and match is FieldsMatch.EXACT and places != [*range(len(dataset.columns))]:
            errors = ["the columns are in another order"]
        if errors:
            raise FileRefused(f"wrong header: {'; '.join(errors)}. It has to name {_DEMANDS[match].format(wanted)}")
        fields = tuple(None if place is None else dataset.columns[place] for place in places)
        return Layout(fields, absent, dataset.dialect, dataset.encoding)

    def _check_names(self, line: str) -> None:
        """Look for another delimiter in a line that names no column.

        Raises:
            FileRefused: There is one.
        """
        known = self._dataset.headers.keys()
        found = {
            delimiter: len(known & {part.strip(" \"'\r\n").casefold() for part in line.split(delimiter)})
            for delimiter in DELIMITER_NAMES
            if delimiter != self._grammar.delimiter and delimiter in line
        }
        delimiter = max(found, key=lambda each: found[each], default="")
        if delimiter and found[delimiter]:
            self._refuse_delimiter(delimiter)

    def _refuse_delimiter(self, delimiter: str) -> None:
        wanted = delimiter_name(self._grammar.delimiter)
        raise FileRefused(
            f"the delimiter is a {delimiter_name(delimiter)}: it has to be a {wanted} (dialect.delimiter)"
        )

    def _check_delimiter(self, lines: Sequence[tuple[str, int]], skipped: int) -> None:
        """Look for another delimiter in the first row of a file without header.

        Raises:
            FileRefused: There is one, and with it the row has as many values as there are columns.
        """
        width = len(self._dataset.columns)
        first = next((text for at, (text, _) in enumerate(lines, 1 + skipped) if not self._is_skipped(text, at)), "")
        if width > 1 and first and self._grammar.delimiter not in first:
            for delimiter in _COMMON_DELIMITERS:
                if first.count(delimiter) == width - 1:
                    self._refuse_delimiter(delimiter)

    def _positions(self, lines: Sequence[tuple[str, int]], skipped: int) -> Layout:
        """Lay the columns out by the number of values in the first row.

        Raises:
            FileRefused: It has too many or too few.
        """
        dataset, match = self._dataset, self._dataset.fields_match
        columns = dataset.columns
        width = len(columns)
        if match not in (FieldsMatch.EXACT, FieldsMatch.EQUAL):
            width = self._first_width([text for text, _ in lines], skipped) or width
        if width > len(columns) and match not in _MAY_HAVE_MORE:
            raise FileRefused(f"the first row has {width} fields, and the dataset no more than {len(columns)}")
        absent = columns[width:]
        demanded = absent if match not in _MAY_HAVE_FEWER else tuple(filter(_is_demanded, absent))
        if demanded:
            raise FileRefused(f"the first row has {width} fields: it lacks {_listed(demanded)}")
        fields = (*columns[:width], *[None] * (width - len(columns)))
        return Layout(fields, absent, dataset.dialect, dataset.encoding)

    def _first_width(self, lines: list[str], skipped: int) -> int:
        """Count the values of the first row; none where there is no row.

        Raises:
            FileRefused: It is longer than a record may be.
        """
        comments = self._grammar.comments(lines, 1 + skipped)
        following = len(self._buffer) - self._start - len(self._window)
        open_reason = None if self._is_cut else self._grammar.broken
        found = find_records(
            Lines(lines, (), comments, following, open_reason, self._encoding.size), self._grammar, self._limits
        )
        width = next(filter(None, map(len, found.rows)), 0)
        if not width and self._is_cut:
            raise FileRefused(
                f"no row in the first {self._limits.max_record_bytes} bytes tells how many columns there are"
            )
        return width


def _listed(columns: Sequence[Column]) -> str:
    """Name columns: the first ones, where there are many."""
    names = [column.name for column in columns]
    return ", ".join([*names[:_MOST_NAMES], *([f"{len(names) - _MOST_NAMES} others"] if names[_MOST_NAMES:] else [])])


def _is_demanded(column: Column) -> bool:
    """Return whether a file may not lack a column: a missing value is neither NULL nor a default."""
    return not column.nullable and column.default is None


def _joined(lines: Sequence[Sequence[str]], join: str) -> list[str]:
    """Join the lines of a header, column by column.

    The last name of a line that is shorter than others goes on to the right, as the standard's example of headerRows
    has it; empty ones are left out.
    """
    if len(lines) == 1:
        return [*lines[0]]
    width = max(map(len, lines))
    filled = [[*line, *[line[-1]] * (width - len(line))] if line else [""] * width for line in lines]
    return [join.join(part for part in parts if part.strip()) for parts in zip_longest(*filled, fillvalue="")]
