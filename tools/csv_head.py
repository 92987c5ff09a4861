"""Reads the head of a CSV file of which nothing is known: its encoding, its dialect, its records."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import field_types

HEAD_BYTES = 1 << 20
HEAD_ROWS = 20_000

DELIMITERS = (",", ";", "\t", "|")
_BOM = b"\xef\xbb\xbf"
_SIGNATURES = (
    (b"PK\x03\x04", "a zip archive or an Excel workbook (xlsx)", "save the sheet as CSV UTF-8, or unpack it"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook (xls)", "save the sheet as CSV UTF-8"),
    (b"BZh", "compressed with bzip2", "unpack it, or compress it with gzip"),
    (b"\xfd7zXZ\x00", "compressed with xz", "unpack it, or compress it with gzip"),
    (b"\x28\xb5\x2f\xfd", "compressed with Zstandard", "unpack it, or compress it with gzip"),
    (b"PAR1", "Parquet", "export it as CSV"),
    (b"%PDF-", "PDF", "ask for the data as CSV"),
    (b"\xff\xfe\x00\x00", "UTF-32 text", "convert it: iconv -f UTF-32 -t UTF-8 FILE > NEW"),
    (b"\x00\x00\xfe\xff", "UTF-32 text", "convert it: iconv -f UTF-32 -t UTF-8 FILE > NEW"),
    (b"\xff\xfe", "UTF-16 text", "convert it: iconv -f UTF-16 -t UTF-8 FILE > NEW"),
    (b"\xfe\xff", "UTF-16 text", "convert it: iconv -f UTF-16 -t UTF-8 FILE > NEW"),
)

# The letters beyond ASCII of languages, by the single-byte encodings that their files are in, as IANA names these.
_ALPHABETS = {
    "windows-1252": (
        "äöüß", "àâæçèéêëîïôœùûüÿ", "áéíñóúü", "àèéìíîòóùú", "àáâãçéêíóôõúü", "åäöé", "åæøé", "áðéíóúýþæö", "éèëïóöü",
    ),
    "windows-1250": ("ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "ăâîşţ", "čćđšž"),
    "windows-1251": (
        "абвгдежзийклмнопрстуфхцчшщъыьэюяё", "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя", "абвгдђежзијклљмнњопрстћуфхцчџш",
    ),
    "KOI8-R": ("абвгдежзийклмнопрстуфхцчшщъыьэюяё",),
    "windows-1253": ("αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώϊϋΐΰ",),
    "windows-1254": ("çğıİöşüâî",),
    "windows-1257": ("āčēģīķļņšūž", "ąčęėįšųūž", "äõöüšž"),
    "IBM850": ("äöüß", "àâçèéêëîïôùû", "áéíñóúü"),
    "macintosh": ("äöüß", "àâçèéêëîïôœùû", "áéíñóúü"),
}  # fmt: skip
_SIGNS = frozenset("€£§°«»–—’‘“”„…·¿¡ªº²³½µ®©™№× ")


_BACKSLASHES = " (the standard doubles a quote within a value, and knows no backslash before it)"
_SURROGATE = re.compile("[\ud800-\udfff]")
_SEPARATOR_LINE = re.compile(r'"?sep=([^\r\n])"?[\r\n]*', re.IGNORECASE)
"""Excel's own first line, which says what the delimiter is."""

_DOUBTS = {
    True: "the first record is taken for the header; if it is a row, its values are in this file now: see --header",
    False: "the first record is taken for a row, and may be the header: see --header",
}
_QUOTED = re.compile("(?s)'.*'")


class HeadRefused(Exception):
    """Nothing can be proposed for the file; the message says what it is and what to do."""


@dataclass(frozen=True)
class Dialect:
    """How a file is written.

    Attributes:
        delimiter: What is between fields.
        quote: What is around fields.
        escape: What is before a character without its meaning, where there are no quotes: the standard has one or the
            other.
        skip_space: Whether spaces after a delimiter belong to no field.
        comment: What lines begin with that are no records.
    """

    delimiter: str = ","
    quote: str = '"'
    escape: str | None = None
    skip_space: bool = False
    comment: str | None = None

    @property
    def options(self) -> Mapping[str, Any]:
        """The options of csv.reader."""
        return {
            "delimiter": self.delimiter,
            "quotechar": self.quote,
            "quoting": csv.QUOTE_MINIMAL if self.escape is None else csv.QUOTE_NONE,
            "escapechar": self.escape,
            "skipinitialspace": self.skip_space,
            "strict": True,
        }


@dataclass(frozen=True)
class Record:
    """A record, and the physical line on which it begins, from 1."""

    line: int
    fields: Sequence[str]


@dataclass(frozen=True)
class Head:
    """What the first part of a file shows.

    Attributes:
        content: Its bytes, of whole lines, unpacked.
        encoding: Its name.
        guessed: Whether the encoding is a guess.
        packed: Whether the file is gzip.
        dialect: The dialect.
        header: The record that names the columns, if one does.
        headed: Whether something else is before that.
        header_doubt: Why that is in doubt, where it is.
        names: What a comment names the columns, where there is no header.
        rows: The records of the usual number of fields, below the header.
        faults: How many other records there are, by what is wrong with them.
        whole: Whether this is all of the file.
    """

    content: bytes
    encoding: str
    guessed: bool
    packed: bool
    dialect: Dialect
    header: Record | None
    headed: bool
    header_doubt: str | None
    names: Sequence[str]
    rows: Sequence[Record]
    faults: Mapping[str, int]
    whole: bool


def read_head(
    path: Path, *, encoding: str | None = None, delimiter: str | None = None, header: bool | None = None
) -> Head:
    """Read the head of a file.

    Args:
        path: The file, as it is or compressed with gzip.
        encoding: Its encoding, where that is known.
        delimiter: Its delimiter, where that is known.
        header: Whether it has a header, where that is known.

    Raises:
        HeadRefused: It is no CSV file.
        OSError: It cannot be read.
    """
    content, packed, whole = _content(path)
    text, encoding, guessed = _decoded(content, encoding)
    lines = list(io.StringIO(text, newline=""))
    separator = _SEPARATOR_LINE.fullmatch(lines[0]) if lines else None
    start = 1 if separator else 0
    dialect = _dialect(lines, start, delimiter or (separator[1] if separator else None))
    records, broken = _records(lines, start, dialect, whole=whole)
    width = _width(records)
    noted = [record for record in records if record.fields[0].startswith("#")]
    if noted and not dialect.comment and all(len(record.fields) != width for record in noted):
        dialect = replace(dialect, comment="#")
        records, broken = _records(lines, start, dialect, whole=whole)
    whole = whole and len(records) <= HEAD_ROWS + 1
    records = records[: HEAD_ROWS + 1]
    rows = [record for record in records if len(record.fields) == width and not _unreadable(record)]
    if not rows:
        raise HeadRefused("it holds no record: a header at least is needed to name its columns")
    votes = _header_votes(rows) if header is None else (2 if header else -2)
    names = _commented_names(lines, records[0].line, dialect, width)
    if 0 <= votes < 2 and (names or rows[0] is not records[0]):
        votes = -2 if names else -1
    names_columns = votes >= 0
    # What is before the header is skipped.
    before = records.index(rows[0]) if names_columns else 0
    faults = {
        "another number of fields": sum(len(record.fields) != width for record in records[before:]),
        f"bytes that are not {encoding}": sum(
            len(record.fields) == width and _unreadable(record) for record in records[before:]
        ),
        "broken quotes" + (_BACKSLASHES if '\\"' in text else ""): broken,
    }
    return Head(
        content=content,
        encoding=encoding,
        guessed=guessed,
        packed=packed,
        dialect=dialect,
        header=rows[0] if names_columns else None,
        headed=before > 0,
        header_doubt=_DOUBTS[names_columns] if -2 < votes < 2 else None,
        names=() if names_columns else names,
        rows=rows[1 if names_columns else 0 :],
        faults={what: count for what, count in faults.items() if count},
        whole=whole,
    )


def _decoded(content: bytes, encoding: str | None) -> tuple[str, str, bool]:
    """Return the text, its encoding, and whether that is a guess. What is not of it becomes lone surrogates."""
    guessed = False
    if encoding is None:
        encoding, guessed = _encoding(content.removeprefix(_BOM))
    try:
        codec = codecs.lookup(encoding).name
        return content.decode("utf-8-sig" if codec == "utf-8" else codec, "surrogateescape"), encoding, guessed
    except LookupError:
        raise HeadRefused(f"{encoding!r} is no encoding that Python knows") from None


def _unreadable(record: Record) -> bool:
    return any(map(_SURROGATE.search, record.fields))


def _content(path: Path) -> tuple[bytes, bool, bool]:
    """Return the first bytes, up to the end of a line; whether the file is compressed; whether that is all."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        try:
            content = (gzip.GzipFile(fileobj=file) if packed else file).read(HEAD_BYTES + 1)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise HeadRefused(f"it is gzip, and cannot be unpacked: {error}") from None
    if path.suffix.lower() == ".gz" and not packed:
        raise HeadRefused("its name ends in .gz, and it is not gzip: give it its proper name")
    for signature, what, cure in _SIGNATURES:
        if content.startswith(signature):
            raise HeadRefused(f"it is {what}, and no CSV that the importer reads: {cure}")
    if b"\0" in content[:1000]:
        raise HeadRefused(
            "it has NUL bytes: it is binary, or UTF-16 without a byte order mark (iconv -f UTF-16LE -t UTF-8"
            " FILE > NEW)"
        )
    whole = len(content) <= HEAD_BYTES
    if not whole:
        end = max(content.rfind(b"\n"), content.rfind(b"\r", 0, -1)) + 1
        if not end:
            raise HeadRefused(f"its first line is longer than {HEAD_BYTES:,} bytes")
        content = content[:end]
    return content, packed, whole


def _encoding(content: bytes) -> tuple[str, bool]:
    """Return the encoding, and whether that is a guess.

    Raises:
        HeadRefused: None of those that are known here fits.
    """
    try:
        content.decode()
    except UnicodeDecodeError:
        pass
    else:
        return "utf-8", False
    lines = [line for line in content.splitlines() if not line.isascii()]
    good = sum(_is_utf8(line) for line in lines)
    if good * 2 > len(lines):
        # A few lines are broken.
        return "utf-8", False
    beyond = b"\n".join(lines)
    scores = {name: _plausible(beyond, name) for name in _ALPHABETS}
    best = max(scores, key=lambda name: scores[name])
    if scores[best] < 0.5:
        raise HeadRefused(
            "its encoding is neither UTF-8 nor a single-byte one that is recognized here. Where it is one of several"
            " bytes, such as Shift_JIS or GB18030, convert it: iconv -f SHIFT_JIS -t UTF-8 FILE > NEW. A single-byte"
            " one can be named with --encoding"
        )
    return best, True


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _plausible(content: bytes, encoding: str) -> float:
    """Tell how plausible the letters are that bytes stand for, 0 to 1."""
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        return 0
    counts = Counter(character for character in text if not character.isascii())
    if any(not (character.isprintable() or character.isspace()) for character in counts):
        return 0
    signs = sum(counts[sign] for sign in _SIGNS)
    letters = max(sum(counts[letter] for letter in {*alphabet, *alphabet.upper()}) for alphabet in _ALPHABETS[encoding])
    # Words in which a capital letter follows a small one are those of another encoding.
    mixed = sum(
        before.islower() and after.isupper() and not (before.isascii() and after.isascii())
        for before, after in pairwise(text)
    )
    return (letters + signs / 2 - mixed) / counts.total()


class _Lines(Iterator[str]):
    """Lines for csv.reader, without those that are blank or comments where a record would begin."""

    def __init__(self, lines: Sequence[str], at: int, comment: str | None) -> None:
        self._lines = lines
        self._comment = comment
        self._begins = True
        self.at = at
        self.first = at

    def next_record(self) -> None:
        """Say that the next line begins a record."""
        self._begins = True

    def __next__(self) -> str:
        while self.at < len(self._lines):
            line = self._lines[self.at]
            self.at += 1
            if self._begins:
                if not line.strip("\r\n") or (self._comment and line.startswith(self._comment)):
                    continue
                self.first = self.at - 1
                self._begins = False
            return line
        raise StopIteration


def _records(lines: Sequence[str], start: int, dialect: Dialect, *, whole: bool) -> tuple[list[Record], int]:
    """Read records as the importer does: where one is broken, its first line is dropped and reading continues after it.

    Returns:
        The records, and how many lines were dropped.
    """
    records: list[Record] = []
    broken = 0
    source = _Lines(lines, start, dialect.comment)
    reader = csv.reader(source, **dialect.options)
    while broken < 20:
        source.next_record()
        try:
            records.append(Record(0, next(reader)))
            records[-1] = Record(source.first + 1, records[-1].fields)
        except StopIteration:
            break
        except csv.Error:
            if source.at >= len(lines) and not whole:
                # The record goes on beyond the head.
                break
            broken += 1
            source = _Lines(lines, source.first + 1, dialect.comment)
            reader = csv.reader(source, **dialect.options)
    return records, broken


def _dialect(lines: Sequence[str], start: int, delimiter: str | None) -> Dialect:
    """Find the dialect under which the records have the same number of fields, and most columns a type."""
    comment = _comment(lines, start, [delimiter] if delimiter else DELIMITERS)
    quotes: list[tuple[str, str | None]] = [('"', None)]
    if any("'" in line for line in lines):
        quotes.append(("'", None))
    if any("\\" in line or '"' in line for line in lines):
        quotes.append(('"', "\\"))
    best, best_score = Dialect(delimiter or ",", comment=comment), (0.0, 0.0)
    candidates = [
        Dialect(separator, quote=quote, escape=escape, skip_space=space, comment=comment)
        for separator in ([delimiter] if delimiter else DELIMITERS)
        for quote, escape in quotes
        for space in (False, True)
    ]
    for candidate in candidates:
        score = _score(candidate, *_records(lines, start, candidate, whole=False))
        if score > best_score:
            best, best_score = candidate, score
    records, _ = _records(lines, start, best, whole=False)
    return _refined(best, records)


def _has_quotes(fields: Sequence[str]) -> bool:
    return any(field[:1] == field[-1:] == '"' != field for field in fields)


def _score(candidate: Dialect, records: Sequence[Record], broken: int) -> tuple[float, float]:
    if not records:
        return 0, 0
    widths = Counter(len(record.fields) for record in records)
    width, fitting = widths.most_common(1)[0]
    share = fitting / (len(records) + broken)
    if width == 1 or share < 0.5:
        return 0, 0
    rows = [record.fields for record in records[1:200] if len(record.fields) == width]
    if candidate.escape and sum(map(_has_quotes, rows)) * 4 > len(rows):
        # These quotes are around fields, and backslashes within them: the standard has no such dialect.
        return 0, 0
    typed = sum(field_types.is_typed(values) for values in zip(*rows, strict=True))
    # A header has as many fields as the rows.
    return round(share, 2) if len(records[0].fields) == width else share / 2, typed / width


def _refined(dialect: Dialect, records: Sequence[Record]) -> Dialect:
    """Take single quotes for quotes, and spaces after all delimiters for none of the fields."""
    width = len(records[0].fields) if records else 0
    columns = list(zip(*(record.fields for record in records if len(record.fields) == width), strict=True))
    present = [[value for value in column if value] for column in columns]
    if not dialect.escape and any(len(values) > 2 and all(map(_QUOTED.fullmatch, values)) for values in present):
        dialect = replace(dialect, quote="'")
    spaced = [bool(values) and all(value[0] == " " for value in values) for values in present[1:]]
    if spaced and all(spaced) and len(records) > 1:
        dialect = replace(dialect, skip_space=True)
    return dialect


def _comment(lines: Sequence[str], start: int, delimiters: Sequence[str]) -> str | None:
    """Tell whether lines that begin with # are comments; one with as many fields as the next line is a header."""
    leading = 0
    while start + leading < len(lines) and lines[start + leading].startswith("#"):
        leading += 1
    if not leading:
        return None
    following = lines[start + leading] if start + leading < len(lines) else ""
    if leading == 1 and any(0 < lines[start].count(one) == following.count(one) for one in delimiters):
        return None
    return "#"


def _commented_names(lines: Sequence[str], first_line: int, dialect: Dialect, width: int) -> Sequence[str]:
    """Return the names of columns that the last comment before the first record has, if it has any."""
    last = lines[first_line - 2] if first_line >= 2 and dialect.comment else ""
    if not dialect.comment or not last.startswith(dialect.comment):
        return ()
    names = last.rstrip("\r\n").removeprefix(dialect.comment).split(dialect.delimiter)
    return [name.strip() for name in names] if len(names) == width else ()


def _width(records: Sequence[Record]) -> int:
    """Return the number of fields that a record has: as many as the header, where rows leave the last ones out."""
    if not records:
        return 0
    first, widths = records[0].fields, Counter(len(record.fields) for record in records)
    usual = widths.most_common(1)[0][0]
    named = len(set(first)) == len(first) and all(first) and not any(field_types.is_typed([name]) for name in first)
    return len(first) if len(first) > usual and widths[len(first)] > 1 and named else usual


def _header_votes(records: Sequence[Record]) -> int:
    """Count what speaks for a header in the first record (positive) and against it (negative)."""
    first, rows = records[0].fields, [record.fields for record in records[1:2000]]
    if any(len(name) > 200 for name in first):
        return -2
    numbers = [int(name) if name.isdecimal() and len(name) == 4 else 0 for name in first]
    years = {index for index, year in enumerate(numbers) if 1800 < year < 2200}
    if len(years) < 3:
        years = set()
    votes = len({name.strip().lower() for name in first}) - len(first)
    for index, values in enumerate(zip(*rows, strict=True)):
        name, present = first[index], [value for value in values if value and value not in field_types.MARKERS]
        if not present or index in years:
            continue
        if field_types.is_typed(present):
            fits = field_types.is_typed([name]) and field_types.is_typed([name, *present])
            votes += -2 if fits else 2 if name else 0
        elif field_types.is_typed([name]):
            votes -= 2
        elif name in present:
            votes -= 1
        else:
            alike = len(present) > 3 and len(set(map(len, present))) == 1
            votes += 1 if len(set(present)) * 2 <= len(present) else 0
            votes += (1 if len(name) != len(present[0]) else -1) if alike else 0
    return votes
