"""Finds the records in lines of text, whatever the dialect, in linear time.

The values of a record are read by the csv module. Which lines are a record is found out here, since that module would
have to read a line again for each line before it where quotes are broken.
"""

import csv
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from functools import cache
from itertools import accumulate, chain, repeat
from typing import Any, NamedTuple, Protocol, override

from csv_importer.dialects import Dialect
from csv_importer.limits import Limits

BROKEN_QUOTES = "a quote is never closed, or something follows a closing quote"
BROKEN_ESCAPE = "nothing follows an escape character"


class End(Enum):
    """How a line ends."""

    CLOSED = "with a record"
    OPEN = "within quotes, or after an escape character"
    BROKEN = "nowhere: something follows a closing quote"


class Grammar:
    """What a dialect means for lines. Get one with grammar_of.

    Attributes:
        delimiter: The character between two values.
        broken: The reason for which a record without an end is rejected.
        reader_is_strict: Whether the csv module refuses what is no record.
    """

    def __init__(self, dialect: Dialect) -> None:
        """Compile what tells how a line ends."""
        self.delimiter = dialect.delimiter
        self.broken = BROKEN_ESCAPE if dialect.escape else BROKEN_QUOTES
        self._comment = dialect.comment
        self._comment_rows = dialect.comment_rows
        self._mark = dialect.quote or dialect.escape or ""
        self._escape = dialect.escape
        # Without doubled quotes, the csv module takes what follows a closing quote.
        self.reader_is_strict = dialect.escape is None and dialect.double_quote
        self._line = re.compile(_escaped_line(dialect.escape) if dialect.escape else _quoted_line(dialect))
        self._slow = [self._mark, "\r"]
        self._options: dict[str, Any] = {"delimiter": dialect.delimiter, "strict": True}
        if dialect.escape:
            self._options |= {"escapechar": dialect.escape, "quoting": csv.QUOTE_NONE}
        else:
            self._options |= {"quotechar": dialect.quote, "doublequote": dialect.double_quote}
        if dialect.skip_initial_space:
            self._options["skipinitialspace"] = True
            self._slow += [f"{dialect.delimiter} ", "\n "]
        self._skips_space = dialect.skip_initial_space

    def is_plain(self, text: str) -> bool:
        """Return whether each delimiter in some lines delimits, and nothing else has a meaning."""
        return not any(mark in text for mark in self._slow) and not (self._skips_space and text.startswith(" "))

    def comments(self, lines: Sequence[str], first_line: int) -> Collection[int]:
        """Find the lines that are comments where they begin a record, by index.

        Args:
            lines: The lines.
            first_line: The number of the first.
        """
        found: set[int] = set()
        numbers = range(first_line, first_line + len(lines))
        if self._comment:
            found = {index for index, line in enumerate(lines) if line.startswith(self._comment)}
        if self._comment_rows:
            found |= {number - first_line for number in self._comment_rows.intersection(numbers)}
        return found

    def values(self, lines: Iterable[str]) -> "Iterator[list[str]]":
        """Read the records of lines.

        Yields:
            The values of each, none for a blank line.
        """
        return csv.reader(lines, **self._options)

    def ends(self, line: str) -> End:
        """Return how a line ends that begins a record."""
        if self._mark not in line:
            return End.CLOSED
        found = self._line.match(line)
        if not found:
            return End.BROKEN
        return End.OPEN if found.lastgroup else End.CLOSED

    def ends_within(self, line: str) -> End:
        """Return how a line ends that goes on with one."""
        if self._escape:
            return self.ends(line)
        return self.ends(self._mark + line) if self._mark in line else End.OPEN

    def spliced(self, lines: Sequence[str]) -> Sequence[str]:
        """Return the lines of one record for the csv module: it takes one character for what is escaped.

        After an escaped end of a line, it takes no end of the text for that of a record, but that of a line only.
        """
        if not self._escape or len(lines) == 1:
            return lines
        *open_lines, last = lines
        return [
            *(f"{line[:-1]}{self._escape}\n" if line.endswith("\r\n") else line for line in open_lines),
            last if last.endswith(("\r", "\n")) else last + "\n",
        ]


def _quoted_line(dialect: Dialect) -> str:
    """Write what matches a line with quotes, as the csv module reads it in its strict mode.

    No quantifier gives back what it has matched, so that the time to match is linear:
    https://docs.python.org/3/library/re.html (possessive quantifiers).
    """
    quote, delimiter = re.escape(dialect.quote or ""), re.escape(dialect.delimiter)
    space, initial = (" *+", " ") if dialect.skip_initial_space else ("", "")
    quoted = rf"{quote}[^{quote}]*+" + (rf"(?:{quote}{quote}[^{quote}]*+)*+" if dialect.double_quote else "")
    unquoted = rf"[^{quote}{delimiter}{initial}\r\n][^{delimiter}\r\n]*+"
    field = rf"{space}(?:{quoted}{quote}|{unquoted}|(?=[{delimiter}\r\n]|\Z))"
    return rf"(?:{field}{delimiter})*+(?:{field}[\r\n]*+\Z|{space}(?P<open>{quoted}\Z))"


def _escaped_line(character: str) -> str:
    """Write what matches a line with escape characters; one at its end makes the record go on."""
    escape = re.escape(character)
    return rf"[^{escape}\r\n]*+(?:{escape}[^\r\n][^{escape}\r\n]*+)*+(?:[\r\n]*+\Z|(?P<open>{escape}[\r\n]*+\Z))"


@cache
def grammar_of(dialect: Dialect) -> Grammar:
    """Return a dialect's grammar."""
    return Grammar(dialect)


class Records(Protocol):
    """Records of a block, by index."""

    def __len__(self) -> int:
        """How many there are."""

    def widths(self) -> list[int]:
        """Count the fields of each; none where the line is blank."""

    def fields(self, index: int) -> list[str]:
        """Read the values of one."""

    def columns(self, indexes: Sequence[int] | None) -> Sequence[Sequence[str]]:
        """Read the values of some, or of all, column by column: their widths are equal."""

    def fill(self, index: int, place: int, value: str) -> None:
        """Replace a value by one without any character that has a meaning."""

    def keep(self, indexes: list[int]) -> None:
        """Drop all others."""

    def joined(self, field: str, row: str) -> str:
        """Join all values; each row ends in row."""

    def line(self, index: int) -> int:
        """Return the physical line on which one starts."""

    def source(self, index: int) -> tuple[int, str]:
        """Return the physical line on which one starts, and its text."""


class QuotedRecords(Records):
    """Records as the csv module reads them."""

    def __init__(self, rows: list[list[str]], spans: list[tuple[int, int]], lines: list[str], first_line: int) -> None:
        """Take the values of each, its lines as (first, after last), all lines, and the number of the first."""
        self._rows = rows
        self._spans = spans
        self._lines = lines
        self._first_line = first_line

    @override
    def __len__(self) -> int:
        return len(self._rows)

    @override
    def widths(self) -> list[int]:
        return list(map(len, self._rows))

    @override
    def fields(self, index: int) -> list[str]:
        return self._rows[index]

    @override
    def columns(self, indexes: Sequence[int] | None) -> Sequence[Sequence[str]]:
        return list(zip(*(self._rows if indexes is None else [self._rows[at] for at in indexes]), strict=True))

    @override
    def fill(self, index: int, place: int, value: str) -> None:
        self._rows[index][place] = value

    @override
    def keep(self, indexes: list[int]) -> None:
        self._rows = [self._rows[at] for at in indexes]
        self._spans = [self._spans[at] for at in indexes]

    @override
    def joined(self, field: str, row: str) -> str:
        return row.join(map(field.join, self._rows)) + row

    @override
    def line(self, index: int) -> int:
        return self._first_line + self._spans[index][0]

    @override
    def source(self, index: int) -> tuple[int, str]:
        first, after = self._spans[index]
        return self._first_line + first, "".join(self._lines[first:after])


class PlainRecords(Records):
    """Lines where each delimiter delimits: five times as fast as reading every record by itself."""

    def __init__(self, lines: list[str], first_line: int, delimiter: str) -> None:
        """Take the lines, the number of the first, and the delimiter."""
        self._lines = lines
        self._delimiter = delimiter
        self._numbers: Sequence[int] = range(first_line, first_line + len(lines))

    @override
    def __len__(self) -> int:
        return len(self._lines)

    @override
    def widths(self) -> list[int]:
        return [found + 1 if found or line else 0 for line, found in zip(self._lines, self._delimiters(), strict=True)]

    def _delimiters(self) -> Iterator[int]:
        return map(str.count, self._lines, repeat(self._delimiter))

    @override
    def fields(self, index: int) -> list[str]:
        return self._lines[index].split(self._delimiter)

    @override
    def columns(self, indexes: Sequence[int] | None) -> Sequence[Sequence[str]]:
        lines = self._lines if indexes is None else [self._lines[at] for at in indexes]
        if not lines:
            return []
        width = lines[0].count(self._delimiter) + 1
        values = self._delimiter.join(lines).split(self._delimiter)
        return [values[place::width] for place in range(width)]

    @override
    def fill(self, index: int, place: int, value: str) -> None:
        fields = self.fields(index)
        fields[place] = value
        self._lines[index] = self._delimiter.join(fields)

    @override
    def keep(self, indexes: list[int]) -> None:
        self._lines = [self._lines[at] for at in indexes]
        self._numbers = [self._numbers[at] for at in indexes]

    @override
    def joined(self, field: str, row: str) -> str:
        return (row.join(self._lines) + row).replace(self._delimiter, field)

    @override
    def line(self, index: int) -> int:
        return self._numbers[index]

    @override
    def source(self, index: int) -> tuple[int, str]:
        return self._numbers[index], self._lines[index]


class Found(NamedTuple):
    """What some lines hold.

    Attributes:
        rows: The records; none of a comment's values.
        spans: The lines of each as (first, after last).
        broken: Lines that are refused, with the reasons.
        used: How many lines that is.
    """

    rows: list[list[str]]
    spans: list[tuple[int, int]]
    broken: list[tuple[int, str]]
    used: int


@dataclass(frozen=True, slots=True)
class Lines:
    """Complete lines of a file.

    Attributes:
        lines: The lines, with their ends.
        others: Lines that follow, of which no record is wanted: one that these end is refused.
        comments: Those that are comments where they begin a record, by index.
        following: Bytes that are known to follow them without an end of a line.
        open_reason: Why a record that does not end with them is refused; None where what follows may end it.
        size: Counts the bytes of a line.
    """

    lines: list[str]
    others: Sequence[str]
    comments: Collection[int]
    following: int
    open_reason: str | None
    size: Callable[[str], int]


def too_long(limits: Limits) -> str:
    """Return the reason for which a record that exceeds the limits is rejected."""
    return f"longer than {limits.max_record_bytes} bytes or {limits.max_record_lines} lines"


def find_records(found: Lines, grammar: Grammar, limits: Limits) -> Found:
    """Read records that may have several lines, or broken quotes.

    Where a record is broken or too long, its first line is rejected and reading continues at the second:
    a quote that is never closed costs no other row.
    """
    lines = found.lines
    if grammar.reader_is_strict and not found.comments:
        rows: list[list[str]] = []
        with suppress(csv.Error):
            rows = list(grammar.values(lines))
        # No error, and as many records as lines: none has several.
        if len(rows) == len(lines):
            return Found(rows, [(index, index + 1) for index in range(len(rows))], [], len(lines))
    spans, broken, used = _outline(found, grammar, limits)
    records = chain.from_iterable(
        ("\n",) if first in found.comments else grammar.spliced(lines[first:after]) for first, after in spans
    )
    return Found(list(grammar.values(records)), spans, broken, used)


def _outline(
    found: Lines, grammar: Grammar, limits: Limits
) -> tuple[list[tuple[int, int]], list[tuple[int, str]], int]:
    """Find out which lines are a record, without reading a line again for each line before it.

    A record that goes on after its first line does so within quotes, or after an escape character. So the line on which
    it ends is the next one that leaves the quotes, or ends without such a character, the same for all lines before that
    one, and is searched for once.

    Returns:
        The lines of each record as (first, after last); refused lines with their reasons; lines used.
    """
    lines = [*found.lines, *found.others] if found.others else found.lines
    wanted = len(found.lines)
    spans: list[tuple[int, int]] = []
    broken: list[tuple[int, str]] = []
    count = len(lines)
    offsets = list(accumulate(map(found.size, lines), initial=0))
    first = 0
    # The first line after `first` that leaves quotes, and how it ends.
    leaving, leaves = 0, End.OPEN
    field_limit = csv.field_size_limit()
    while first < wanted:
        line, after = lines[first], first + 1
        end = End.CLOSED if first in found.comments else grammar.ends(line)
        if end is End.OPEN:
            if leaving <= first:
                leaving, leaves = after, End.OPEN
            while leaves is End.OPEN and leaving < count:
                leaves = grammar.ends_within(lines[leaving])
                leaving += leaves is End.OPEN
            after, end = min(leaving + 1, count), leaves
        size = offsets[after] - offsets[first] + (found.following if end is End.OPEN else 0)
        if after - first > limits.max_record_lines or (
            size > limits.max_record_bytes and (after - first > 1 or end is not End.CLOSED or len(line) > field_limit)
        ):
            broken.append((first, too_long(limits)))
            first += 1
        elif end is End.CLOSED and after > wanted:
            # Where the limits were others: what follows is known to be another record.
            broken.append((first, too_long(limits)))
            first += 1
        elif end is End.CLOSED:
            spans.append((first, after))
            first = after
        elif end is End.OPEN and not found.open_reason:
            return spans, broken, first
        else:
            broken.append((first, found.open_reason if found.open_reason and end is End.OPEN else grammar.broken))
            first += 1
    return spans, broken, wanted
