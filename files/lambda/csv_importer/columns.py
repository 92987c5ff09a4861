"""The one description of the rows of a file.

Parsing, validation, the statements for the database and the documentation follow COLUMNS;
a test compares it with the table as created.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import repeat
from types import MappingProxyType
from typing import Protocol

TABLE = "customer"
IMPORT_FILE_COLUMN = "import_file"
IMPORT_FILE_LENGTH = 100

NO_ERRORS: Mapping[int, str] = MappingProxyType({})


class Column(Protocol):
    """One column of the file, and of the table under the same name."""

    @property
    def name(self) -> str:
        """Its name, lower case."""

    @property
    def sql_type(self) -> str:
        """Its type as the information schema spells it."""

    @property
    def default(self) -> str | None:
        """What an empty value is stored as; None where an empty value is rejected."""

    @property
    def rule(self) -> str:
        """What a value has to be, as a phrase."""

    def errors(self, values: Sequence[str]) -> Mapping[int, str]:
        """Find the values that cannot be stored as they stand.

        Args:
            values: One value a row; a whole block at once, since one call for each value would halve the speed.

        Returns:
            The reason for each bad value by its index.
        """


@dataclass(frozen=True, slots=True)
class TextColumn:
    """Text of one character or more, as many as the table's column holds."""

    name: str
    max_length: int
    default: None = None

    @property
    def sql_type(self) -> str:
        """Its type as the information schema spells it."""
        return f"varchar({self.max_length})"

    @property
    def rule(self) -> str:
        """What a value has to be, as a phrase."""
        return f"1 to {self.max_length} characters"

    def errors(self, values: Sequence[str]) -> Mapping[int, str]:
        """Find values that are empty or too long."""
        lengths = set(map(len, values))
        if 0 not in lengths and max(lengths, default=1) <= self.max_length:
            return NO_ERRORS
        too_long = f"longer than {self.max_length} characters"
        return {
            index: too_long if value else "empty"
            for index, value in enumerate(values)
            if not 0 < len(value) <= self.max_length
        }


@dataclass(frozen=True, slots=True)
class EmailColumn:
    """Text with exactly one @ that has text on both sides."""

    name: str
    max_length: int
    default: None = None

    @property
    def sql_type(self) -> str:
        """Its type as the information schema spells it."""
        return f"varchar({self.max_length})"

    @property
    def rule(self) -> str:
        """What a value has to be, as a phrase."""
        return f"1 to {self.max_length} characters, exactly one @ with text on both sides"

    def errors(self, values: Sequence[str]) -> Mapping[int, str]:
        """Find values that are empty, too long or not an address."""
        found = dict(TextColumn(self.name, self.max_length).errors(values))
        # One search over all values costs a tenth of one call for each.
        joined = "\n".join(values)
        edges = joined.startswith("@") or joined.endswith("@") or "\n@" in joined or "@\n" in joined
        if edges or set(map(str.count, values, repeat("@"))) != {1}:
            for index, value in enumerate(values):
                if value.count("@") != 1 or value[0] == "@" or value[-1] == "@":
                    found.setdefault(index, "not an address: it needs exactly one @ with text on both sides")
        return found


@dataclass(frozen=True, slots=True)
class IntegerColumn:
    """A whole number from 0 to highest, written in plain ASCII digits: no sign, space or leading zero."""

    name: str
    highest: int
    sql_type: str
    default: str | None = None

    @property
    def rule(self) -> str:
        """What a value has to be, as a phrase."""
        empty = "" if self.default is None else f", or empty for {self.default}"
        return f"a whole number from 0 to {self.highest} in plain digits{empty}"

    def errors(self, values: Sequence[str]) -> Mapping[int, str]:
        """Find values that are empty where they may not be, not such a number, or out of range."""
        bad = set(values) - _numbers(self.highest)
        if self.default is not None:
            bad.discard("")
        if not bad:
            return NO_ERRORS
        reason = f"not a whole number from 0 to {self.highest} in plain digits"
        return {index: reason if value else "empty" for index, value in enumerate(values) if value in bad}


@cache
def _numbers(highest: int) -> frozenset[str]:
    return frozenset(map(str, range(highest + 1)))


COLUMNS: tuple[Column, ...] = (
    TextColumn("title", 50),
    TextColumn("firstname", 255),
    TextColumn("lastname", 255),
    IntegerColumn("status", 127, "tinyint", default="0"),
    EmailColumn("email", 255),
    IntegerColumn("age", 127, "tinyint"),
)
