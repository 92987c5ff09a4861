"""Turns the bytes of a CSV file into rows to store and records to reject. Pure: no AWS, no database.

A file is read in blocks of complete records, each a few thousand rows, and each is checked column by
column: calls that cover a block are what makes Python fast enough. Whether a record is stored or rejected
depends on its own bytes only, never on where a block happens to end, so that reading can stop at the end
of any block and resume there later with the same result.

Time and memory are linear in the size of a file and bounded for a block, whatever the file holds: where quotes
are broken, each line is looked at twice, not once for every line before it.
"""

import io
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice
from operator import itemgetter
from typing import NamedTuple

from csv_importer.dialects import RFC4180, UTF8, Dialect, Encoding
from csv_importer.fields import AS_IT_STANDS, Column
from csv_importer.limits import BYTES_AROUND_A_RECORD, DEFAULTS, Limits
from csv_importer.records import (
    Grammar,
    Lines,
    PlainRecords,
    QuotedRecords,
    Records,
    find_records,
    grammar_of,
    too_long,
)

FIELD_END, ROW_END, ESCAPE = SEPARATORS = ("\x1f", "\x1e", "\\")
"""Characters with a meaning in the stream that the database reads."""

NULL = ESCAPE + "N"
"""NULL in that stream: https://dev.mysql.com/doc/refman/8.4/en/load-data.html."""

_ESCAPES = str.maketrans({character: ESCAPE + character for character in SEPARATORS})

type _Error = tuple[str | None, str]
"""The column with the error, if it is in one, and the reason."""

_BLANK: _Error = (None, "blank")

type Read = Callable[[int], bytes]
"""Reads up to so many bytes; returns none only at the end."""

_LINE_END = re.compile(rb"\r\n?|\n")


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


@dataclass(frozen=True)
class Layout:
    """Where in a file's records the values of which columns are, and how it is written.

    Attributes:
        fields: The columns in the order of the file; None for one that is not stored.
        absent: The columns that the file lacks: each row has their default, or NULL.
        dialect: The file's dialect.
        encoding: Its encoding.
    """

    fields: tuple[Column | None, ...]
    absent: tuple[Column, ...] = ()
    dialect: Dialect = RFC4180
    encoding: Encoding = UTF8

    @cached_property
    def stored(self) -> tuple[Column, ...]:
        """The columns that are stored, in the order of the rows."""
        return (*(column for column in self.fields if column), *self.absent)

    @cached_property
    def is_complete(self) -> bool:
        """Whether each field of the file is stored, and no other column."""
        return None not in self.fields and not self.absent

    @cached_property
    def grammar(self) -> Grammar:
        """What the dialect means for lines."""
        return grammar_of(self.dialect)


class Block:
    """Some records of a file, one after another.

    Attributes:
        rejects: The records that are refused, in the order of the file, or as many of the first as are kept.
        rejected: How many records are refused.
        blank: How many lines were blank.
        start: Where it begins.
        end: Where the next block begins.
    """

    __slots__ = ("_plain", "_raw_length", "_records", "_stored", "blank", "end", "rejected", "rejects", "start")

    def __init__(  # noqa: PLR0913, PLR0917 - built in two places
        self,
        records: Records | None,
        rejects: list[Reject],
        rejected: int,
        blank: int,
        start: Position,
        end: Position,
        *,
        raw_length: int,
        plain: bool = True,
        stored: "Sequence[_Stored] | None" = None,
    ) -> None:
        """Take the records to store, the others, and whether no value holds one of SEPARATORS.

        Args:
            records: The records to store.
            rejects: The others that are kept.
            rejected: How many others there are.
            blank: How many lines were blank.
            start: Where the block begins.
            end: Where the next block begins.
            raw_length: Characters of a rejected record that are kept.
            plain: Whether no value of the records holds one of SEPARATORS.
            stored: What is stored, column by column, where that is not what is in the file.
        """
        self.rejects = rejects
        self.rejected = rejected
        self.blank = blank
        self.start = start
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
        """The rows to store, values in the order of Layout.stored; None for NULL."""
        if self._stored:
            return list(map(list, zip(*(column.values() for column in self._stored), strict=True)))
        return [[*self._records.fields(index)] for index in range(len(self))] if self._records else []

    def delimited(self) -> str:
        """The rows to store as text, with the separators of the LOAD DATA statement."""
        if not self._records or not len(self):
            return ""
        if self._stored:
            columns = (column.escaped(plain=self._plain) for column in self._stored)
            return ROW_END.join(map(FIELD_END.join, zip(*columns, strict=True))) + ROW_END
        if self._plain:
            return self._records.joined(FIELD_END, ROW_END)
        rows = map(self._records.fields, range(len(self)))
        return "".join(FIELD_END.join(value.translate(_ESCAPES) for value in row) + ROW_END for row in rows)

    def reject(self, index: int, column: str | None, reason: str) -> Reject:
        """Return rows[index] as a reject, for a reason that only the database knows."""
        if not self._records:
            raise IndexError(index)
        line, text = self._records.source(index)
        return Reject(line, column, reason, _raw(text, self._raw_length))


class _Stored(NamedTuple):
    """What is stored of one column.

    Attributes:
        written: What the records hold.
        texts: What is stored instead, None for NULL, by what they hold.
    """

    written: Sequence[str]
    texts: Mapping[str, str | None]

    def values(self) -> Iterable[str | None]:
        """Return the values; None for NULL."""
        return map(self.texts.get, self.written, self.written) if self.texts else self.written

    def escaped(self, *, plain: bool) -> Iterable[str]:
        """Return the values as the LOAD DATA statement reads them.

        Args:
            plain: Whether no value of the records holds one of SEPARATORS.
        """
        texts: dict[str, str] = {}
        if not plain and _is_special("".join(self.written)):
            texts = {value: value.translate(_ESCAPES) for value in self.written}
        for value, text in self.texts.items():
            texts[value] = NULL if text is None else text.translate(_ESCAPES) if _is_special(text) else text
        # One call for all: it takes a third of the time of one for each.
        return map(texts.get, self.written, self.written) if texts else self.written


def read_blocks(  # noqa: PLR0913 - three by name
    read: Read,
    layout: Layout,
    start: Position,
    buffer: bytes = b"",
    *,
    until: Position | None = None,
    ahead: Read | None = None,
    limits: Limits = DEFAULTS,
    keep_rejects: int = sys.maxsize,
) -> Iterator[Block]:
    """Read the records of a file.

    Args:
        read: Where the bytes come from.
        layout: What its fields are.
        start: The end of the header or of a block: where buffer, then read, begin.
        buffer: Bytes that were read already.
        until: Where to end: at the beginning of another block. None for the end of the file.
        ahead: Returns so many bytes of what follows there, fewer only at the end of the file, and does not take them:
            they may tell why the last record is refused. None to take them with read.
        limits: Sizes of a block and a record.
        keep_rejects: How many rejects are kept, the first ones: the others are only counted.

    Yields:
        The records in blocks. Memory is bounded, whatever the file holds.
    """
    block_bytes, raw_length = limits.block_bytes, limits.raw_length
    position = start
    at_end = False
    beyond = None
    if until:
        length = until.offset - start.offset
        beyond = partial(_follows, ahead or partial(read_all, read), buffer[length:], limits)
        read, buffer = _up_to(length - len(buffer), read), buffer[:length]
    begun, buffer = io.BytesIO(buffer), b""
    while True:
        while len(buffer) < block_bytes and not at_end:
            chunk = begun.read(block_bytes) or read(block_bytes)
            at_end = not chunk
            buffer += chunk
        if not buffer:
            return
        complete = len(buffer) if at_end else _complete(buffer)
        if not complete:
            # A character has four bytes at most.
            text = layout.encoding.decode(buffer[: raw_length * 4])
            is_comment = bool(layout.grammar.comments([text], position.line + 1))
            skipped, buffer, at_end = _skip_line(lambda size: begun.read(size) or read(size), buffer, block_bytes)
            reject = Reject(position.line + 1, None, too_long(limits), _raw(text, raw_length))
            rejects = [] if is_comment else [reject][:keep_rejects]
            end = Position(position.offset + skipped, position.line + 1)
            block = Block(None, rejects, int(not is_comment), int(is_comment), position, end, raw_length=raw_length)
        else:
            size = _first_lines(buffer, complete, limits.block_lines)
            # What follows is known to belong to the last line only where that has no end.
            source = _Source(
                buffer[:size],
                position,
                following=len(buffer) - size if size == complete else 0,
                at_end=at_end and size == len(buffer),
                beyond=beyond,
            )
            block = _parse(source, layout, limits, keep_rejects)
            buffer = buffer[block.end.offset - position.offset :]
        position = block.end
        keep_rejects -= len(block.rejects)
        yield block


def _up_to(size: int, read: Read) -> Read:
    """Return what reads so many bytes at most in all."""
    left = max(size, 0)

    def bounded(size: int) -> bytes:
        nonlocal left
        data = read(min(size, left)) if left else b""
        left -= len(data)
        return data

    return bounded


def read_all(read: Read, size: int) -> bytes:
    """Read so many bytes, fewer only at the end."""
    data = b""
    while len(data) < size and (piece := read(size - len(data))):
        data += piece
    return data


def _follows(ahead: Read, begun: bytes, limits: Limits) -> tuple[bytes, bool]:
    """Return what follows, more than a record may have, of which some may be there, and whether that is all."""
    size = limits.max_record_bytes + BYTES_AROUND_A_RECORD
    data = ahead(size)
    return begun + data, len(data) < size


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
        at_end: Whether the file ends with them, or what is read of it.
        beyond: Reads what follows what is read of the file, as much as a record may have, and tells whether that is the
            end of the file; None where all of it is read.
    """

    data: bytes
    start: Position
    following: int
    at_end: bool
    beyond: Callable[[], tuple[bytes, bool]] | None


class _Fault(NamedTuple):
    """A record that is refused: at is its index in Records, or None where the line could not be read as one."""

    line: int
    column: str | None
    reason: str
    at: int | None


def _parse(source: _Source, layout: Layout, limits: Limits, keep_rejects: int) -> Block:
    """Parse complete lines.

    Args:
        source: The lines.
        layout: What the fields of a record are.
        limits: Sizes of a record.
        keep_rejects: How many rejects are kept.

    Returns:
        All records but one that the last lines begin and do not end.
    """
    start, data, encoding, grammar = source.start, source.data, layout.encoding, layout.grammar
    try:
        text = encoding.decode_strictly(data)
        suspicious = "\0" in text
    except UnicodeDecodeError:
        text = encoding.decode(data)
        suspicious = True
    records: Records
    faults: list[_Fault] = []
    if grammar.is_plain(text):
        lines = text.split("\n")
        if not lines[-1]:
            lines.pop()
        end = Position(start.offset + len(data), start.line + len(lines))
        # A comment is a blank line from here on.
        for index in grammar.comments(lines, start.line + 1):
            lines[index] = ""
        records = PlainRecords(lines, start.line + 1, grammar.delimiter)
    else:
        lines = list(io.StringIO(text, newline=""))
        comments = grammar.comments(lines, start.line + 1)
        following, open_reason = source.following, grammar.broken if source.at_end else None
        others: Sequence[str] = ()
        if source.beyond and source.at_end:
            beyond, is_end = source.beyond()
            complete = len(beyond) if is_end else _complete(beyond)
            others = list(io.StringIO(encoding.decode(beyond[:complete]), newline=""))
            following = len(beyond) - complete
        found = find_records(Lines(lines, others, comments, following, open_reason, encoding.size), grammar, limits)
        unused = sum(map(encoding.size, lines[found.used :]))
        end = Position(start.offset + len(data) - unused, start.line + found.used)
        faults = [_Fault(start.line + 1 + at, None, reason, None) for at, reason in found.broken]
        records = QuotedRecords(found.rows, found.spans, lines, start.line + 1)
    errors, values = _validation_errors(records, layout, suspicious=suspicious)
    if max(map(len, lines), default=0) * 4 > limits.max_record_bytes:
        _add_long(errors, records, encoding, limits)
    blank = sum(error is _BLANK for error in errors.values()) if errors else 0
    rejected = len(faults) + len(errors) - blank
    rejects: list[Reject] = []
    if rejected and keep_rejects:
        faults += (_Fault(records.line(at), *error, at) for at, error in errors.items() if error is not _BLANK)
        faults.sort(key=itemgetter(0))
        rejects = [_reject(fault, records, lines, start, limits) for fault in faults[:keep_rejects]]
    stored = _stored(records, layout, values)
    if errors:
        records.keep([index for index in range(len(records)) if index not in errors])
    plain = not any(character in text for character in SEPARATORS)
    return Block(
        records, rejects, rejected, blank, start, end, raw_length=limits.raw_length, plain=plain, stored=stored
    )


def _add_long(errors: dict[int, _Error], records: Records, encoding: Encoding, limits: Limits) -> None:
    """Add the records that are too long, which is what is wrong with them before anything else."""
    for index in range(len(records)):
        if errors.get(index) is not _BLANK:
            # Whether the last line has an end says nothing about its record.
            text = records.source(index)[1].rstrip("\r\n")
            if len(text) * 4 > limits.max_record_bytes and encoding.size(text) > limits.max_record_bytes:
                errors[index] = (None, too_long(limits))


def _reject(fault: _Fault, records: Records, lines: Sequence[str], start: Position, limits: Limits) -> Reject:
    text = lines[fault.line - start.line - 1] if fault.at is None else records.source(fault.at)[1]
    return Reject(fault.line, fault.column, fault.reason, _raw(text, limits.raw_length))


def _validation_errors(records: Records, layout: Layout, *, suspicious: bool) -> tuple[dict[int, _Error], "_Values"]:
    """Find the records that cannot be stored, blank ones included.

    Returns:
        The errors by index; and the values of all others.
    """
    errors: dict[int, _Error] = {}
    width = len(layout.fields)
    widths = records.widths()
    different = set(widths) - {width}
    if different:
        wrong: dict[int, _Error] = {found: (None, f"{found} fields instead of {width}") for found in different}
        wrong[0] = _BLANK
        errors = {index: wrong[found] for index, found in enumerate(widths) if found != width}
    if suspicious:
        for index in range(len(records)):
            if index not in errors:
                errors |= _suspicions(index, records.fields(index), layout)
    fitting = [index for index in range(len(records)) if index not in errors] if errors else None
    found = records.columns(fitting)
    texts: list[Mapping[str, str | None]] = []
    for column, values in zip(layout.fields, found, strict=False):
        judgement = column.judge(values) if column else AS_IT_STANDS
        texts.append(judgement.texts)
        for index, reason in judgement.errors.items():
            errors.setdefault(index if fitting is None else fitting[index], (column.name if column else None, reason))
    return errors, _Values(found, texts, range(len(records)) if fitting is None else fitting, errors)


class _Values(NamedTuple):
    """The values of some records, column by column.

    Attributes:
        columns: The values of each column.
        texts: What is stored instead of which of them, for each column.
        indexes: The records that they are of.
        errors: The records, by index, that are not stored.
    """

    columns: Sequence[Sequence[str]]
    texts: Sequence[Mapping[str, str | None]]
    indexes: Sequence[int]
    errors: Mapping[int, _Error]

    def stored(self, place: int) -> _Stored:
        """Return what is stored of one column."""
        values = self.columns[place]
        if self.errors:
            values = [value for index, value in zip(self.indexes, values, strict=True) if index not in self.errors]
        return _Stored(values, self.texts[place])


_FEW = 4
"""Where no more than one row in so many is stored otherwise than written, its line is written again."""


def _stored(records: Records, layout: Layout, values: _Values) -> Sequence[_Stored] | None:
    """Return what is stored, column by column, or None where that is what the records hold: they may be changed.

    Args:
        records: The records to store.
        layout: What their fields are.
        values: Their values.
    """
    if layout.is_complete:
        if not any(values.texts):
            return None
        different = list(islice(_different(values), len(records) // _FEW + 1))
        if len(different) * _FEW <= len(records) and not any(
            text is None or layout.grammar.delimiter in text or _is_special(text) for *_, text in different
        ):
            for index, place, text in different:
                records.fill(index, place, text or "")
            return None
    found = [values.stored(place) for place in range(len(values.columns)) if layout.fields[place]]
    if not found:
        return None
    return [*found, *(_Stored([""] * len(found[0].written), {"": column.default}) for column in layout.absent)]


def _different(values: _Values) -> Iterator[tuple[int, int, str | None]]:
    """Find what is stored otherwise than written: the record, the field, and the text."""
    for place, (column, texts) in enumerate(zip(values.columns, values.texts, strict=True)):
        if texts:
            for index, value in zip(values.indexes, column, strict=True):
                if value in texts and index not in values.errors:
                    yield index, place, texts[value]


def _is_special(text: str) -> bool:
    return any(character in text for character in SEPARATORS)


def _suspicions(index: int, fields: list[str], layout: Layout) -> dict[int, _Error]:
    undefined = layout.encoding.undefined
    for column, value in zip(layout.fields, fields, strict=True):
        if column is None:
            continue
        if undefined.search(value):
            return {index: (column.name, f"not {layout.encoding.name}")}
        if "\0" in value:
            return {index: (column.name, "a NUL byte")}
    return {}


def _raw(text: str, length: int) -> str:
    """Return the text of a rejected record as it can be stored and shown."""
    capped = text.rstrip("\r\n")[:length]
    return capped.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")[:length]
