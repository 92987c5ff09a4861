"""How a file is written: its dialect and its encoding, as a descriptor states them.

The properties are those of Table Dialect (https://datapackage.org/standard/table-dialect/) for delimited text. The
others, for spreadsheets, JSON and databases, are refused by name.
"""

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

LINE_ENDS = ("\r\n", "\n", "\r")
"""Each of them ends a line, whichever the dialect has."""

MAX_HEADER_ROW = 1000
"""The last line that may belong to a header."""

DELIMITER_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", ":": "colon", " ": "space"}

PROPERTIES = (
    "delimiter",
    "quoteChar",
    "doubleQuote",
    "escapeChar",
    "skipInitialSpace",
    "header",
    "headerRows",
    "headerJoin",
    "commentChar",
    "commentRows",
    "lineTerminator",
    "nullSequence",
)


class PropertyError(ValueError):
    """A property of a dialect is malformed.

    Attributes:
        name: The property.
        message: What it has to be.
    """

    def __init__(self, name: str, message: str) -> None:
        """Keep name and message."""
        self.name = name
        self.message = message
        super().__init__(f"{name}: {message}")


def delimiter_name(character: str) -> str:
    """Name a delimiter, for messages."""
    return DELIMITER_NAMES.get(character, repr(character))


_SURROGATE = re.compile("[\ud800-\udfff]")
_SURROGATE_OR_CONTROL = re.compile("[\ud800-\udfff\x80-\x9f]")


@dataclass(frozen=True, slots=True)
class Encoding:
    """An encoding in which each byte below 128 is a character of ASCII.

    Attributes:
        name: Its name in the registry of IANA: https://www.iana.org/assignments/character-sets/.
        codec: Python's name for it.
    """

    name: str
    codec: str

    @property
    def is_utf8(self) -> bool:
        """Whether it is UTF-8; all others have one byte for each character."""
        return self.codec == "utf-8"

    @property
    def has_controls(self) -> bool:
        """Whether it is a part of ISO 8859."""
        return self.codec.startswith("iso8859")

    @property
    def undefined(self) -> re.Pattern[str]:
        """What matches the characters of a decoded text that stand for bytes which are not of this encoding.

        ISO 8859 leaves 0x80 to 0x9F to control characters, which no text has; where they occur, the file is in
        windows-1252, most likely, and what would be stored is not what was meant.
        """
        return _SURROGATE_OR_CONTROL if self.has_controls else _SURROGATE

    def decode(self, data: bytes) -> str:
        """Decode bytes; what is not of this encoding becomes lone surrogates, which no valid text holds."""
        return data.decode(self.codec, "surrogateescape")

    def decode_strictly(self, data: bytes) -> str:
        """Decode bytes.

        Raises:
            UnicodeDecodeError: Some are not of this encoding.
        """
        text = data.decode(self.codec)
        if self.has_controls and not text.isascii() and (found := self.undefined.search(text)):
            raise UnicodeDecodeError(self.name, data, found.start(), found.end(), "a control character")
        return text

    def size(self, text: str) -> int:
        """Count the bytes of a decoded text."""
        return len(text.encode("utf-8", "surrogateescape")) if self.is_utf8 and not text.isascii() else len(text)


UTF8 = Encoding("UTF-8", "utf-8")

ENCODINGS = {
    encoding.name: encoding
    for encoding in (
        UTF8,
        Encoding("US-ASCII", "ascii"),
        *(Encoding(f"ISO-8859-{part}", f"iso8859-{part}") for part in (*range(1, 12), 13, 14, 15, 16)),
        *(Encoding(f"windows-{page}", f"cp{page}") for page in (*range(1250, 1259), 874)),
        *(Encoding(f"IBM{page}", f"cp{page}") for page in (437, 850, 852, 855, 866)),
        Encoding("IBM00858", "cp858"),
        Encoding("KOI8-R", "koi8-r"),
        Encoding("KOI8-U", "koi8-u"),
        Encoding("macintosh", "mac-roman"),
        Encoding("TIS-620", "tis-620"),
    )
}
"""The encodings that are read, by their names: those in which each byte below 128 is a character of ASCII."""


def encoding_of(name: object) -> Encoding:
    """Return an encoding by any of its names.

    Raises:
        PropertyError: There is none, or it is not supported.
    """
    text = name if isinstance(name, str) else ""
    for encoding in ENCODINGS.values():
        if text.lower() == encoding.name.lower():
            return encoding
    try:
        codec = codecs.lookup(text).name
    except (LookupError, ValueError):
        codec = ""
    for encoding in ENCODINGS.values():
        if codec == codecs.lookup(encoding.codec).name:
            return encoding
    raise PropertyError("encoding", f"{name!r} is not supported; allowed: {', '.join(ENCODINGS)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How a file separates lines, rows and values.

    Attributes:
        delimiter: The character between two values.
        quote: The character around a value; None where there is an escape character.
        double_quote: Whether two of them within a quoted value stand for one.
        escape: The character before one that has no meaning of its own.
        skip_initial_space: Whether spaces at the start of a value are skipped.
        header: Whether the file has a header.
        header_rows: The numbers of the header's lines; none for the first line that is neither blank nor a comment.
        header_join: What is between the parts of a name in several header lines.
        comment: What a line begins with that is none of the data; empty for nothing.
        comment_rows: The numbers of lines that are none of the data.
        null_sequence: A value that stands for a missing one in all columns.
    """

    delimiter: str = ","
    quote: str | None = '"'
    double_quote: bool = True
    escape: str | None = None
    skip_initial_space: bool = False
    header: bool = True
    header_rows: tuple[int, ...] = ()
    header_join: str = " "
    comment: str = ""
    comment_rows: frozenset[int] = frozenset()
    null_sequence: str | None = None

    @classmethod
    def of(cls, described: Mapping[str, Any], encoding: Encoding) -> "Dialect":
        """Read the properties of a dialect.

        Args:
            described: Those of PROPERTIES that the descriptor has.
            encoding: The encoding, which has to have the characters.

        Raises:
            PropertyError: One is malformed, or they contradict each other.
        """
        read = _Properties(described, encoding)
        escape = read.character("escapeChar", None)
        if escape is not None and "quoteChar" in described:
            raise PropertyError("escapeChar", "quoteChar and escapeChar are mutually exclusive: give one of them")
        dialect = cls(
            delimiter=read.character("delimiter", ",") or ",",
            quote=None if escape is not None else read.character("quoteChar", '"'),
            double_quote=read.flag("doubleQuote", default=True),
            escape=escape,
            skip_initial_space=read.flag("skipInitialSpace", default=False),
            header=read.flag("header", default=True),
            header_rows=tuple(sorted(read.numbers("headerRows", MAX_HEADER_ROW))),
            header_join=read.text("headerJoin", " "),
            comment=read.text("commentChar", ""),
            comment_rows=frozenset(read.numbers("commentRows", None)),
            null_sequence=read.text("nullSequence", "") if "nullSequence" in described else None,
        )
        dialect._check(described)
        # [1] is the standard's default.
        return replace(dialect, header_rows=()) if dialect.header_rows == (1,) else dialect

    def _check(self, described: Mapping[str, Any]) -> None:
        meaning = {"delimiter": self.delimiter, "quoteChar": self.quote, "escapeChar": self.escape}
        characters = [character for character in meaning.values() if character is not None]
        if len({*characters}) < len(characters):
            raise PropertyError("delimiter", f"{self.delimiter!r} has another meaning in this dialect")
        for name, character in meaning.items():
            if character == " " and self.skip_initial_space:
                raise PropertyError(name, "a space is skipped in this dialect (skipInitialSpace)")
        if self.comment and self.comment[0] in meaning.values():
            raise PropertyError("commentChar", "a value may begin like that in this dialect")
        if "lineTerminator" in described and described["lineTerminator"] not in LINE_ENDS:
            raise PropertyError("lineTerminator", "it has to be \\r\\n, \\n or \\r; each of them ends a line")
        if not self.header and self.header_rows not in ((), (1,)):
            raise PropertyError("headerRows", "the file has none: header is false")
        if self.header and self.comment_rows & set(self.header_rows):
            raise PropertyError("commentRows", "the same line is in headerRows")
        if self.escape and self.null_sequence and self.escape in self.null_sequence:
            raise PropertyError(
                "nullSequence", "it is compared with values without escape characters: leave the escape character out"
            )


class _Properties:
    """Reads properties of one kind each."""

    def __init__(self, described: Mapping[str, Any], encoding: Encoding) -> None:
        self._described = described
        self._encoding = encoding

    def flag(self, name: str, *, default: bool) -> bool:
        value = self._described.get(name, default)
        if not isinstance(value, bool):
            raise PropertyError(name, "it has to be true or false")
        return value

    def character(self, name: str, default: str | None) -> str | None:
        """Read a character, which a file of the encoding can hold."""
        value = self._described.get(name, default)
        if name in self._described and (not isinstance(value, str) or len(value) != 1 or value in "\r\n\0"):
            raise PropertyError(name, "it has to be one character, and none that ends a line")
        if isinstance(value, str):
            self._check_encoded(name, value)
            return value
        return None

    def text(self, name: str, default: str) -> str:
        """Read a text on one line, which a file of the encoding can hold."""
        value = self._described.get(name, default)
        if not isinstance(value, str) or any(character in value for character in "\r\n\0"):
            raise PropertyError(name, "it has to be a text on one line")
        if name == "commentChar" and name in self._described and not value:
            raise PropertyError(name, "it has to be one character or more")
        self._check_encoded(name, value)
        return value

    def numbers(self, name: str, highest: int | None) -> list[int]:
        values = self._described.get(name, [])
        allowed = "" if highest is None else f" to {highest}"
        if (
            not isinstance(values, list)
            or (name in self._described and not values)
            or len({*map(repr, values)}) != len(values)
            or any(
                isinstance(value, bool) or not isinstance(value, int) or value < 1 or (highest and value > highest)
                for value in values
            )
        ):
            raise PropertyError(name, f"it has to be a list of line numbers, from 1{allowed}, each once")
        return values

    def _check_encoded(self, name: str, text: str) -> None:
        try:
            text.encode(self._encoding.codec)
        except UnicodeEncodeError:
            raise PropertyError(name, f"{text!r} cannot be written in {self._encoding.name}") from None


RFC4180 = Dialect()
"""What a file is written in where its descriptor does not say."""
