"""The types of Table Schema: which values a field may hold, and the text that MySQL gets for each.

A value is stored as it stands or refused: what it may be follows from the text of the standard, version 2
(https://datapackage.org/standard/table-schema/), and from what MySQL can hold.

Fields look at a whole block of values, and judge one by one only those distinct values that are not evidently good:
one call of Python for each value would halve the speed.
"""

import datetime as dt
import json
import operator
import re
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from decimal import Decimal
from functools import cache, cached_property
from itertools import filterfalse, repeat
from re import _parser  # type: ignore[attr-defined] # the only way to a pattern's tree
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple, Protocol, override

NO_ERRORS: Mapping[int, str] = MappingProxyType({})

INTEGER_TYPES = {
    f"{name}{suffix}": (0, 2**bits - 1) if suffix else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    for name, bits in (("tinyint", 8), ("smallint", 16), ("mediumint", 24), ("int", 32), ("bigint", 64))
    for suffix in ("", " unsigned")
}
"""Lowest and highest value of each integer type: https://dev.mysql.com/doc/refman/8.4/en/integer-types.html."""

MOST_DIGITS, MOST_DECIMALS = 65, 30
"""Of DECIMAL: https://dev.mysql.com/doc/refman/8.4/en/fixed-point-types.html."""

LONGEST_VARCHAR = 16_383
"""Characters of four bytes that fit into a row: https://dev.mysql.com/doc/refman/8.4/en/column-count-limit.html."""

JSON_DEPTH = 100
"""Levels of the deepest JSON document: https://dev.mysql.com/doc/refman/8.4/en/json.html."""

BOUNDS: Mapping[Callable[[Any, Any], bool], str] = {
    operator.ge: "at least",
    operator.le: "at most",
    operator.gt: "more than",
    operator.lt: "less than",
}
"""How a value has to compare with a bound, as a phrase."""

_SMALL_RANGE = 1000


class ValueRefused(ValueError):
    """A value is not one of its field; the message says why, and never shows the value."""


class Judgement(NamedTuple):
    """What a column does with some values.

    Attributes:
        errors: The reason for each value that cannot be stored, by its index.
        texts: What the database gets, None for NULL, by the value, for those that are not stored as they stand.
    """

    errors: Mapping[int, str]
    texts: Mapping[str, str | None]


AS_IT_STANDS = Judgement(NO_ERRORS, MappingProxyType({}))


class Column(Protocol):
    """One column of the file, and of the table under the same name."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def sql_type(self) -> str:
        """Its type as the information schema spells it."""

    @property
    def default(self) -> str | None:
        """What a missing value is stored as; None for NULL, or where a missing value is rejected."""

    @property
    def nullable(self) -> bool:
        """Whether a missing value is stored as NULL."""

    @property
    def rule(self) -> str:
        """What a value has to be, as a phrase."""

    def judge(self, values: Sequence[str]) -> Judgement:
        """Judge the values of a block, one a row."""


def _never(value: str) -> bool:
    del value
    return False


@dataclass(frozen=True, slots=True)
class Range:
    """Bounds of logical values.

    Attributes:
        bounds: Comparison, bound and the reason for a value outside.
    """

    bounds: tuple[tuple[Callable[[Any, Any], bool], Any, str], ...] = ()

    def check(self, logical: Any) -> None:
        """Check a value.

        Raises:
            ValueRefused: It is outside.
        """
        for within, bound, reason in self.bounds:
            if not within(logical, bound):
                raise ValueRefused(reason)


@dataclass(frozen=True)
class BaseField:
    """What all fields have in common.

    Attributes:
        name: The field's name, and the column's.
        missing: Values that stand for a missing one.
        default: What a missing value is stored as.
        required: Whether a missing value without default is rejected.
        bounds: minimum, maximum, exclusiveMinimum, exclusiveMaximum.
        allowed: enum, or categories, as logical values; None for any.
        lengths: minLength and maxLength: of characters, or of items.
    """

    name: str
    _: KW_ONLY
    missing: frozenset[str] = frozenset({""})
    default: str | None = None
    required: bool = False
    bounds: Range = field(default_factory=Range)
    allowed: frozenset[Any] | None = None
    lengths: tuple[int, int | None] = (0, None)

    counted: ClassVar[str] = "characters"

    @property
    def sql_type(self) -> str:
        """Its type as the information schema spells it."""
        raise NotImplementedError

    @property
    def nullable(self) -> bool:
        """Whether a missing value is stored as NULL."""
        return self.default is None and not self.required

    @property
    def _never_missing(self) -> bool:
        """Whether a missing value is always rejected, or there is none."""
        return not self.missing or (self.required and self.default is None)

    @property
    def rule(self) -> str:
        """What a value has to be, as a phrase."""
        bounds = (f", {BOUNDS[within]} {bound}" for within, bound, _ in self.bounds.bounds)
        return self.phrase + "".join(bounds) + self._missing_phrase

    @property
    def phrase(self) -> str:
        """What a value has to be where it is not missing."""
        raise NotImplementedError

    @property
    def _missing_phrase(self) -> str:
        if self._never_missing:
            return ""
        names = " or ".join(repr(value) if value else "empty" for value in sorted(self.missing))
        return f", or {names} for {'NULL' if self.default is None else self.default}"

    def logical(self, value: str) -> tuple[Any, str]:
        """Parse a value that is not missing.

        Args:
            value: The value.

        Returns:
            Its logical value, for constraints, and the text that the database gets.

        Raises:
            ValueRefused: It is none, or MySQL cannot hold it.
        """
        raise NotImplementedError

    def logical_of(self, entry: object) -> Any:
        """Parse a value of a constraint, which may be written as JSON or as text.

        Raises:
            ValueRefused: It is no value of this field.
        """
        if isinstance(entry, bool | Mapping | list):
            entry = json.dumps(entry)
        return self.logical(str(entry))[0]

    def size(self, logical: Any) -> int:
        """Return what minLength and maxLength are about."""
        return len(logical)

    @cached_property
    def evident(self) -> Callable[[str], object]:
        """What tells that a value is good, and stored as it stands; it may be wrong in the other direction."""
        return _never

    def quick(self, value: str) -> str | None:
        """Return the text that the database gets for a value that is quickly told to be good; None for any other."""
        del value
        return None

    def judge(self, values: Sequence[str]) -> Judgement:
        """Judge the values of a block: see Column."""
        bad: dict[str, str] = {}
        texts: dict[str, str | None] = {}
        for value in self.doubtful(values):
            try:
                text = self._text(value)
            except ValueRefused as refusal:
                bad[value] = str(refusal)
            else:
                if text != value:
                    texts[value] = text
        errors = {index: bad[value] for index, value in enumerate(values) if value in bad} if bad else NO_ERRORS
        return Judgement(errors, texts)

    def doubtful(self, values: Sequence[str]) -> Collection[str]:
        """Return the distinct values that have to be judged one by one: all that are not evident."""
        distinct = set(values)
        doubtful = set(filterfalse(self.evident, distinct))
        return doubtful | (self.missing & distinct)

    def _text(self, value: str) -> str | None:
        """Return what the database gets for a value.

        Raises:
            ValueRefused: It cannot be stored.
        """
        if value in self.missing:
            if self.default is None and self.required:
                raise ValueRefused("a missing value" if value else "empty")
            return self.default
        quick = self.quick(value)
        if quick is not None:
            return quick
        logical, text = self.logical(value)
        self.check(logical)
        return text

    def check(self, logical: Any) -> None:
        """Check a logical value against the constraints.

        Raises:
            ValueRefused: One is not met.
        """
        shortest, longest = self.lengths
        if shortest or longest is not None:
            size = self.size(logical)
            if size < shortest:
                raise ValueRefused(f"shorter than {shortest} {self.counted}")
            if longest is not None and size > longest:
                raise ValueRefused(f"longer than {longest} {self.counted}")
        self.bounds.check(logical)
        if self.allowed is not None and logical not in self.allowed:
            raise ValueRefused("none of the values that are allowed")

    @property
    def unconstrained(self) -> bool:
        """Whether the form of a value alone decides."""
        return not self.bounds.bounds and self.unlisted

    @property
    def unlisted(self) -> bool:
        """Whether the form of a value and its bounds decide."""
        return self.allowed is None and self.lengths == (0, None)


@dataclass(frozen=True)
class StringField(BaseField):
    """Text.

    Attributes:
        pattern: What the whole value has to match.
        column_type: The column's type, where it is not that which follows from the lengths.
    """

    _: KW_ONLY
    pattern: re.Pattern[str] | None = None
    column_type: str | None = None

    form: ClassVar[tuple[str, str] | None] = None
    """What the format demands, and the reason for a value that is not so."""

    @property
    @override
    def sql_type(self) -> str:
        longest = self.lengths[1]
        if self.column_type:
            return self.column_type
        return "text" if longest is None or longest > LONGEST_VARCHAR else f"varchar({max(longest, 1)})"

    @property
    @override
    def phrase(self) -> str:
        shortest, longest = self.lengths
        if self.required and "" in self.missing:
            shortest = max(shortest, 1)
        size = f"{shortest} to {longest} characters" if longest is not None else "text"
        if longest is None and shortest:
            size = f"{shortest} characters or more"
        return size + self._form_phrase

    @property
    def _form_phrase(self) -> str:
        parts = []
        if self.form:
            parts.append(self.form[1])
        if self.pattern:
            parts.append(f"matching `{self.pattern.pattern}`")
        if self.allowed is not None:
            parts.append(f"one of {', '.join(sorted(map(repr, self.allowed)))}")
        return "".join(f", {part}" for part in parts)

    @override
    def logical(self, value: str) -> tuple[str, str]:
        return value, value

    @override
    def check(self, logical: str) -> None:
        # The length first: it bounds what a pattern may cost.
        super().check(logical)
        if self.form and not _compiled(self.form[0]).fullmatch(logical):
            raise ValueRefused(f"not {self.form[1]}")
        if self.pattern and not self.pattern.fullmatch(logical):
            raise ValueRefused("not of the form that the dataset's pattern demands")

    @override
    def doubtful(self, values: Sequence[str]) -> Collection[str]:
        if self.allowed is not None or self.pattern or not self.missing <= {""}:
            return set(values)
        present = list(filter(None, values)) if self.missing else values
        doubtful = set(self.doubtful_form(present))
        sizes = set(map(len, present))
        shortest, longest = self.lengths
        if sizes and (min(sizes) < shortest or (longest is not None and max(sizes) > longest)):
            lengths = range(shortest, sys.maxsize if longest is None else longest + 1)
            doubtful.update(value for value in present if len(value) not in lengths)
        if len(present) < len(values):
            doubtful.add("")
        return doubtful

    def doubtful_form(self, values: Sequence[str]) -> Iterable[str]:
        """Return those of some values that are not evidently of the format."""
        return filterfalse(_compiled(self.form[0]).fullmatch, values) if self.form else ()


class EmailField(StringField):
    """An address: exactly one @ with text on both sides. Whether mail arrives there, no form can tell."""

    @override
    def check(self, logical: str) -> None:
        super().check(logical)
        if logical.count("@") != 1 or logical[0] == "@" or logical[-1] == "@":
            raise ValueRefused("not an address: it needs exactly one @ with text on both sides")

    @property
    @override
    def _form_phrase(self) -> str:
        return ", exactly one @ with text on both sides" + super()._form_phrase

    @override
    def doubtful_form(self, values: Sequence[str]) -> Iterable[str]:
        # One search over all values costs a tenth of one call for each.
        joined = "\n".join(values)
        edges = joined.startswith("@") or joined.endswith("@") or "\n@" in joined or "@\n" in joined
        return values if edges or set(map(str.count, values, repeat("@"))) != {1} else ()


class UriField(StringField):
    """A URI as in RFC 3986, with a scheme."""

    _CHARACTER: ClassVar[str] = r"A-Za-z0-9\-._~!$&'()*+,;=:@"
    _ENCODED: ClassVar[str] = "%[0-9A-Fa-f]{2}"
    _IN_BRACKETS: ClassVar[str] = r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:%]*@)?\[[0-9A-Fa-f:.vV]+\](?::[0-9]*)?"
    form = (
        (
            rf"[A-Za-z][A-Za-z0-9+.\-]*+:(?://(?:(?:[{_CHARACTER}]++|{_ENCODED})*+|{_IN_BRACKETS})(?=[/?#]|\Z))?"
            rf"(?:[{_CHARACTER}/]++|{_ENCODED})*+"
            rf"(?:\?(?:[{_CHARACTER}/?]++|{_ENCODED})*+)?(?:\#(?:[{_CHARACTER}/?]++|{_ENCODED})*+)?"
        ),
        "a URI",
    )


class BinaryField(StringField):
    """Bytes, as the base64 text that they are written in (RFC 4648)."""

    form = (
        (r"(?:[A-Za-z0-9+/]{4})*+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"),
        "base64",
    )


class UuidField(StringField):
    """A UUID as in RFC 9562: 32 hexadecimal digits in five groups."""

    form = (r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", "a UUID")

    @property
    @override
    def sql_type(self) -> str:
        return self.column_type or "char(36)"


class AnyField(StringField):
    """Text of which nothing is known."""


@dataclass(frozen=True)
class _NumberField(BaseField):
    """What integers and decimals have in common.

    Attributes:
        group_char: What groups digits.
        bare: Whether nothing may surround the number.
    """

    _: KW_ONLY
    group_char: str = ""
    bare: bool = True

    def _number(self, value: str, number: str) -> str:
        """Take the number out of a value.

        Args:
            value: The value.
            number: A regular expression for it.

        Raises:
            ValueRefused: There is none, or more than one.
        """
        found = _compiled(number if self.bare else rf"[^0-9+\-]*?({number})[^0-9]*").fullmatch(value)
        if not found:
            raise ValueRefused(f"not {self.phrase}")
        text = found[0] if self.bare else found[1]
        return text.replace(self.group_char, "") if self.group_char else text

    @property
    def _digits(self) -> str:
        """A regular expression for digits, grouped where that is allowed."""
        return rf"[0-9]++(?:{re.escape(self.group_char)}[0-9]++)*+" if self.group_char else "[0-9]++"


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


@cache
def _numbers(lowest: int, highest: int) -> frozenset[str]:
    return frozenset(map(str, range(lowest, highest + 1)))


@dataclass(frozen=True)
class IntegerField(_NumberField):
    """A whole number.

    Attributes:
        column_type: One of INTEGER_TYPES.
        plain_digits: Whether only digits are allowed: no sign, no leading zero.
        lowest: The lowest value, by the bounds and the column's type.
        highest: The highest.
    """

    _: KW_ONLY
    column_type: str = "bigint"
    plain_digits: bool = False
    lowest: int = -(2**63)
    highest: int = 2**63 - 1

    @property
    @override
    def sql_type(self) -> str:
        return self.column_type

    @property
    @override
    def phrase(self) -> str:
        plain = " in plain digits" if self.plain_digits else ""
        if (self.lowest, self.highest) == INTEGER_TYPES[self.column_type]:
            return f"a whole number{plain}"
        return f"a whole number from {self.lowest} to {self.highest}{plain}"

    @override
    def logical(self, value: str) -> tuple[int, str]:
        text = self._number(value, "0|[1-9][0-9]*+" if self.plain_digits else rf"[+\-]?{self._digits}")
        # What has more digits is not converted.
        digits = text.lstrip("+-").lstrip("0") or "0"
        number = int(digits) if len(digits) <= 20 else 10**20
        if text.startswith("-"):
            number = -number
        if not self.lowest <= number <= self.highest:
            lowest, highest = INTEGER_TYPES[self.column_type]
            if self.plain_digits or lowest <= number <= highest:
                raise ValueRefused(f"not {self.phrase}")
            raise ValueRefused(f"beyond what {self.column_type} holds, {lowest} to {highest}")
        return number, text

    @cached_property
    @override
    def evident(self) -> Callable[[str], object]:
        if not self.unconstrained:
            return _never
        if self.highest - self.lowest <= _SMALL_RANGE:
            return _numbers(self.lowest, self.highest).__contains__
        if self.plain_digits or not self.lowest <= 0 <= self.highest:
            return _never
        # Fewer digits than a bound has: within it.
        digits = min(len(str(bound).lstrip("-")) for bound in (self.lowest, self.highest) if bound) - 1
        return re.compile(f"{'[+-]?' if self.lowest else '[+]?'}[0-9]{{1,{digits}}}").fullmatch if digits else _never


@dataclass(frozen=True)
class NumberField(_NumberField):
    """A decimal number, exactly.

    Attributes:
        decimal_char: What separates the decimals.
        digits: How many digits the column holds.
        decimals: How many of them are decimals.
    """

    _: KW_ONLY
    decimal_char: str = "."
    digits: int = MOST_DIGITS
    decimals: int = MOST_DECIMALS

    @property
    @override
    def sql_type(self) -> str:
        return f"decimal({self.digits},{self.decimals})"

    @property
    @override
    def phrase(self) -> str:
        return "a number"

    @override
    def logical(self, value: str) -> tuple[Decimal, str]:
        if value.upper().lstrip("+-") in ("NAN", "INF"):
            raise ValueRefused("MySQL holds neither NaN nor infinity")
        point = re.escape(self.decimal_char)
        form = rf"[+\-]?(?:{self._digits}(?:{point}[0-9]*+)?|{point}[0-9]++)(?:E[+\-]?[0-9]++)?"
        text = self._number(value, form).replace(self.decimal_char, ".")
        mantissa, _, exponent = text.partition("E")
        # What has more digits is not converted.
        if len(exponent.lstrip("+-").lstrip("0")) > 4:
            raise ValueRefused(self._beyond)
        number = Decimal(f"{mantissa}E{exponent or 0}")
        if abs(number.adjusted()) > 2 * MOST_DIGITS and number:
            raise ValueRefused(self._beyond)
        whole, _, decimals = format(number, "f").partition(".")
        decimals = decimals.rstrip("0")
        if len(whole.lstrip("+-0")) > self.digits - self.decimals or len(decimals) > self.decimals:
            raise ValueRefused(self._beyond)
        return number, f"{whole}.{decimals}" if decimals else whole

    @property
    def _beyond(self) -> str:
        return f"beyond what {self.sql_type} holds: {self.digits - self.decimals} digits and {self.decimals} decimals"

    @cached_property
    @override
    def evident(self) -> Callable[[str], object]:
        if not self.unlisted or self.decimal_char != ".":
            return _never
        whole, decimals = self.digits - self.decimals, self.decimals
        if not (whole and decimals):
            return _never
        form = re.compile(rf"[+-]?[0-9]{{1,{whole}}}(?:\.[0-9]{{0,{decimals}}})?").fullmatch
        bounds = [(within, bound) for within, bound, _ in self.bounds.bounds]
        if not bounds:
            return form
        return lambda value: form(value) and all(within(Decimal(value), bound) for within, bound in bounds)


@dataclass(frozen=True)
class BooleanField(BaseField):
    """True or false.

    Attributes:
        true_values: The values that stand for true.
        false_values: The values that stand for false.
    """

    _: KW_ONLY
    true_values: frozenset[str] = frozenset({"true", "True", "TRUE", "1"})
    false_values: frozenset[str] = frozenset({"false", "False", "FALSE", "0"})

    @property
    @override
    def sql_type(self) -> str:
        return "tinyint(1)"

    @property
    @override
    def phrase(self) -> str:
        return f"one of {', '.join([*sorted(self.true_values), *sorted(self.false_values)])}"

    @override
    def logical(self, value: str) -> tuple[bool, str]:
        if value in self.true_values:
            return True, "1"
        if value in self.false_values:
            return False, "0"
        raise ValueRefused(f"not {self.phrase}")

    @override
    def logical_of(self, entry: object) -> bool:
        return entry if isinstance(entry, bool) else self.logical(str(entry))[0]


_MONTH_AND_DAY = (
    "(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    "|02-(?:0[1-9]|1[0-9]|2[0-8]))"
)
_HOURS_TO_SECONDS = "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
_FIXED = {
    "Y": "[1-9][0-9]{3}",
    "m": "0[1-9]|1[0-2]",
    # Which months have more days, the calendar knows.
    "d": "0[1-9]|1[0-9]|2[0-8]",
    "H": "[01][0-9]|2[0-3]",
    "M": "[0-5][0-9]",
    "S": "[0-5][0-9]",
}
"""What strptime's directives match where they are written with all of their digits."""

_FOREIGN_DIGIT = r"(?![0-9])\d"


@dataclass(frozen=True)
class _MomentField(BaseField):
    """What dates and times have in common.

    Attributes:
        pattern: The format as strptime has it; None for the default.
    """

    _: KW_ONLY
    pattern: str | None = None

    @property
    @override
    def phrase(self) -> str:
        return f"{self.kind} written as {self.pattern or self.usual}"

    kind: ClassVar[str]
    usual: ClassVar[str]
    template: ClassVar[str]
    """How the text that is stored is put together of what strptime's directives have matched."""

    def in_order(self, form: str) -> Callable[[str], object]:
        """Return what tells that a value has a form, in which moments sort as text, and is within the bounds."""
        if self.pattern or not self.unlisted:
            return _never
        matching, bounded = re.compile(form).fullmatch, self._bounded
        return (lambda value: matching(value) and bounded(value)) if self.bounds.bounds else matching

    @cached_property
    def _bounded(self) -> Callable[[str], bool]:
        """What tells that a moment in ISO 8601 is within the bounds."""
        bounds = [(within, bound.isoformat()) for within, bound, _ in self.bounds.bounds]
        return lambda text: all(within(text, bound) for within, bound in bounds)

    @cached_property
    def _fixed(self) -> tuple[Callable[[str], re.Match[str] | None], str] | None:
        """For a format without names, fractions and zones, where each number has all of its digits.

        Returns:
            What matches it, and the template of the text that is stored.
        """
        parts = re.split("%(.)", self.pattern or "")
        found = parts[1::2]
        if not (self.pattern and self.unlisted and {*found} <= {*_FIXED, "%"} and len({*found}) == len(found)):
            return None
        forms = [f"(?P<{name}>{_FIXED[name]})" if name in _FIXED else "%" for name in found]
        form = "".join(map("".join, zip(map(re.escape, parts[::2]), [*forms, ""], strict=True)))
        template = self.template.format_map({name: rf"\g<{name}>" if name in found else "00" for name in _FIXED})
        return re.compile(form).fullmatch, template

    @override
    def quick(self, value: str) -> str | None:
        if not self._fixed:
            return None
        matching, template = self._fixed
        found = matching(value)
        if not found:
            return None
        text = found.expand(template)
        return text if not self.bounds.bounds or self._bounded(text.replace(" ", "T")) else None

    def _parsed(self, value: str, pattern: str) -> dt.datetime:
        if not _compiled(_FOREIGN_DIGIT).search(value):
            try:
                return dt.datetime.strptime(value, pattern)  # noqa: DTZ007 - a zone only where the format has one
            except ValueError:
                pass
        raise ValueRefused(f"not {self.phrase}")


def _check_year(year: int) -> None:
    """Check what DATE and DATETIME hold: https://dev.mysql.com/doc/refman/8.4/en/datetime.html.

    Raises:
        ValueRefused: They do not.
    """
    if not 1000 <= year <= 9999:
        raise ValueRefused("beyond what MySQL holds, the years 1000 to 9999")


class DateField(_MomentField):
    """A date."""

    kind = "a date"
    usual = "yyyy-mm-dd"
    template = "{Y}-{m}-{d}"

    @property
    @override
    def sql_type(self) -> str:
        return "date"

    @override
    def logical(self, value: str) -> tuple[dt.date, str]:
        date = self._parsed(value, self.pattern).date() if self.pattern else _date(value, self.phrase)
        _check_year(date.year)
        return date, date.isoformat()

    @cached_property
    @override
    def evident(self) -> Callable[[str], object]:
        return self.in_order(f"[1-9][0-9]{{3}}-{_MONTH_AND_DAY}")


def _date(text: str, phrase: str) -> dt.date:
    if not _compiled("[0-9]{4}-[0-9]{2}-[0-9]{2}").fullmatch(text):
        raise ValueRefused(f"not {phrase}")
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise ValueRefused("a date that the calendar does not have") from None


class TimeField(_MomentField):
    """A time of day."""

    kind = "a time"
    usual = "hh:mm:ss"
    template = "{H}:{M}:{S}"

    @property
    @override
    def sql_type(self) -> str:
        return "time(6)" if self.pattern and "%f" in self.pattern else "time"

    @override
    def logical(self, value: str) -> tuple[dt.time, str]:
        if self.pattern:
            time = self._parsed(value, self.pattern).time()
            return time, time.isoformat()
        if not _compiled(_HOURS_TO_SECONDS).fullmatch(value):
            raise ValueRefused(f"not {self.phrase}")
        return dt.time.fromisoformat(value), value

    @cached_property
    @override
    def evident(self) -> Callable[[str], object]:
        return self.in_order(_HOURS_TO_SECONDS)


_DATETIME = (
    r"(?P<date>-?[0-9]{4,}-[0-9]{2}-[0-9]{2})T(?P<time>[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.(?P<fraction>[0-9]++))?"
    r"(?P<zone>Z|[+-](?:0[0-9]|1[0-3]):[0-5][0-9]|[+-]14:00)?"
)

_USUAL_DATETIME = (
    rf"[1-9][0-9]{{3}}-{_MONTH_AND_DAY}T{_HOURS_TO_SECONDS}(?:\.[0-9]{{1,6}})?"
    r"(?:Z|[+-](?:0[0-9]|1[0-3]):[0-5][0-9]|[+-]14:00)?"
)


class DateTimeField(_MomentField):
    """A date with a time. One with a zone is stored in UTC, one without as it is written."""

    kind = "a date and time"
    usual = "yyyy-mm-ddThh:mm:ss, with a fraction and a zone where there are any"
    template = "{Y}-{m}-{d} {H}:{M}:{S}"

    @property
    @override
    def sql_type(self) -> str:
        return "datetime(6)"

    @override
    def logical(self, value: str) -> tuple[dt.datetime, str]:
        moment = self._parsed(value, self.pattern) if self.pattern else self._default(value)
        try:
            if moment.tzinfo:
                moment = moment.astimezone(dt.UTC).replace(tzinfo=None)
        except OverflowError:
            _check_year(0)
        _check_year(moment.year)
        return moment, moment.isoformat(" ")

    def _default(self, value: str) -> dt.datetime:
        if _compiled(_USUAL_DATETIME).fullmatch(value):
            return dt.datetime.fromisoformat(value)
        found = _compiled(_DATETIME).fullmatch(value)
        if not found:
            raise ValueRefused(f"not {self.phrase}")
        if len(found["date"]) != 10:
            _check_year(0)
        date = _date(found["date"], self.phrase)
        time, fraction, zone = found["time"], (found["fraction"] or "").rstrip("0"), found["zone"] or ""
        if len(fraction) > 6:
            raise ValueRefused("beyond what MySQL holds, six decimals of a second")
        # As XML Schema has it, the end of a day is the beginning of the next.
        ends = time == "24:00:00" and not fraction
        if not ends and not _compiled(_HOURS_TO_SECONDS).fullmatch(time):
            raise ValueRefused("a time that the day does not have")
        moment = dt.datetime.fromisoformat(f"{date}T{'00:00:00' if ends else time}.{fraction:0<6}{zone}")
        try:
            return moment + dt.timedelta(days=ends)
        except OverflowError:
            _check_year(0)
            raise

    @cached_property
    @override
    def evident(self) -> Callable[[str], object]:
        # As text a fraction does not sort by its value: .5 and .50 are one.
        fraction = "" if self.bounds.bounds else r"(?:\.[0-9]{1,6})?"
        return self.in_order(rf"[1-9][0-9]{{3}}-{_MONTH_AND_DAY}T{_HOURS_TO_SECONDS}{fraction}")

    @override
    def quick(self, value: str) -> str | None:
        if not self.pattern and value.endswith("Z") and self.evident(value[:-1]):
            return value[:-1].replace("T", " ")
        return super().quick(value)


class YearField(BaseField):
    """A year: gYear of XML Schema, without a zone."""

    @property
    @override
    def sql_type(self) -> str:
        return "smallint"

    @property
    @override
    def phrase(self) -> str:
        return "a year written as YYYY"

    @override
    def logical(self, value: str) -> tuple[int, str]:
        if not _compiled("-?(?:[0-9]{4}|[1-9][0-9]{4,})").fullmatch(value) or not value.strip("-0"):
            raise ValueRefused(f"not {self.phrase}")
        if len(value) > 6 or not -32768 <= int(value) <= 32767:
            raise ValueRefused("beyond what smallint holds, -32768 to 32767")
        return int(value), value

    @cached_property
    @override
    def evident(self) -> Callable[[str], object]:
        return re.compile("[1-9][0-9]{3}").fullmatch if self.unconstrained else _never


class YearMonthField(BaseField):
    """A month of a year: gYearMonth of XML Schema, without a zone and of four digits, so that text sorts as time."""

    @property
    @override
    def sql_type(self) -> str:
        return "char(7)"

    @property
    @override
    def phrase(self) -> str:
        return "a month written as YYYY-MM"

    @override
    def logical(self, value: str) -> tuple[tuple[int, int], str]:
        if not _compiled("[0-9]{4}-(?:0[1-9]|1[0-2])").fullmatch(value) or value.startswith("0000"):
            raise ValueRefused(f"not {self.phrase}")
        return (int(value[:4]), int(value[5:])), value

    @cached_property
    @override
    def evident(self) -> Callable[[str], object]:
        return re.compile("[1-9][0-9]{3}-(?:0[1-9]|1[0-2])").fullmatch if self.unconstrained else _never


class DurationField(BaseField):
    """A duration, as the text that it is written in.

    MySQL has no type for it, and P1M is no number of seconds: as text it stays what it is. Durations have no order
    (https://www.w3.org/TR/xmlschema-2/#duration), so that they can have no minimum and maximum here.
    """

    _LONGEST: ClassVar[int] = 255
    _FORM: ClassVar[str] = (
        r"-?P(?=[0-9T])(?:[0-9]++Y)?(?:[0-9]++M)?(?:[0-9]++D)?"
        r"(?:T(?=[0-9])(?:[0-9]++H)?(?:[0-9]++M)?(?:[0-9]++(?:\.[0-9]++)?S)?)?"
    )

    @property
    @override
    def sql_type(self) -> str:
        return f"varchar({self._LONGEST})"

    @property
    @override
    def phrase(self) -> str:
        return "a duration written as PnYnMnDTnHnMnS"

    @override
    def logical(self, value: str) -> tuple[str, str]:
        if len(value) > self._LONGEST:
            raise ValueRefused(f"longer than {self._LONGEST} characters")
        if not _compiled(self._FORM).fullmatch(value):
            raise ValueRefused(f"not {self.phrase}")
        return value, value


class _JsonField(BaseField):
    """What fields have in common that are stored as JSON. The logical value is JSON text in one spelling."""

    counted = "items"

    @property
    @override
    def sql_type(self) -> str:
        return "json"

    @override
    def logical_of(self, entry: object) -> Any:
        return self.logical(entry if isinstance(entry, str) else json.dumps(entry))[0]

    @override
    def size(self, logical: str) -> int:
        return len(json.loads(logical))


@dataclass(frozen=True)
class JsonField(_JsonField):
    """A JSON object or array.

    Attributes:
        kind: dict or list.
    """

    _: KW_ONLY
    kind: type[dict[str, Any]] | type[list[Any]] = dict

    @property
    @override
    def phrase(self) -> str:
        return "a JSON object" if self.kind is dict else "a JSON array"

    @override
    def logical(self, value: str) -> tuple[str, str]:
        try:
            document = _DECODER.decode(value)
            canonical = json.dumps(document, sort_keys=True, ensure_ascii=False)
            canonical.encode()
        except ValueRefused:
            raise
        except (ValueError, RecursionError):
            raise ValueRefused(f"not {self.phrase}") from None
        if not isinstance(document, self.kind):
            raise ValueRefused(f"not {self.phrase}")
        if _depth(document) > JSON_DEPTH:
            raise ValueRefused(f"beyond what MySQL holds, JSON of {JSON_DEPTH} levels")
        return canonical, value

    @override
    def quick(self, value: str) -> str | None:
        # Neither too deep, nor half of a character.
        if not self.unconstrained or value.count("[") + value.count("{") > JSON_DEPTH or "\\u" in value:
            return None
        try:
            document, end = _DECODER.raw_decode(value)
        except (ValueError, RecursionError):
            return None
        return value if end == len(value) and isinstance(document, self.kind) else None


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = dict(pairs)
    if len(names) != len(pairs):
        raise ValueRefused("a JSON object with a name twice, of which MySQL would keep one")
    return names


def _exact_integer(text: str) -> int:
    if len(text) > 20 or not -(2**63) <= int(text) < 2**64:
        raise ValueRefused("a number that MySQL's JSON does not hold exactly")
    return int(text)


def _exact_float(text: str) -> float:
    """Parse a number with a point or an exponent, which MySQL's JSON holds as DOUBLE."""
    number = float(text)
    if len(text) > 40 or Decimal(repr(number)) != Decimal(text):
        raise ValueRefused("a number that MySQL's JSON does not hold exactly")
    return number


def _no_constant(text: str) -> float:
    raise ValueRefused(f"{text} is no JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_int=_exact_integer, parse_float=_exact_float, parse_constant=_no_constant
)


def _depth(document: object) -> int:
    depth, level = 0, [document]
    while level:
        depth += 1
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return depth


_PLAIN_IN_JSON = re.compile(r'[^"\\\x00-\x1f]*+').fullmatch
"""What tells that each character of a text stands for itself in a JSON string: RFC 8259, section 7."""

_BETWEEN_ITEMS = '", "'


@dataclass(frozen=True)
class ListField(_JsonField):
    """Values with a delimiter between them, stored as a JSON array.

    Attributes:
        delimiter: The delimiter.
        item: The type of the items.
    """

    _: KW_ONLY
    delimiter: str = ","
    item: BaseField = field(default_factory=lambda: StringField("", missing=frozenset()))

    @property
    @override
    def phrase(self) -> str:
        return f"a list with {self.delimiter!r} between its items"

    @override
    def logical(self, value: str) -> tuple[str, str]:
        items = []
        for item in value.split(self.delimiter):
            try:
                items.append(self._json(item))
            except ValueRefused as refusal:
                raise ValueRefused(f"an item of the list is {refusal}") from None
        text = f"[{', '.join(items)}]"
        return text, text

    @override
    def quick(self, value: str) -> str | None:
        if not self.unconstrained or not isinstance(self.item, StringField) or not _PLAIN_IN_JSON(value):
            return None
        return f'["{value.replace(self.delimiter, _BETWEEN_ITEMS)}"]'

    def _json(self, item: str) -> str:
        logical, text = self.item.logical(item)
        if isinstance(logical, bool):
            return json.dumps(logical)
        if isinstance(logical, int):
            return json.dumps(_exact_integer(str(logical)))
        if isinstance(logical, Decimal):
            # Without a point or an exponent JSON has an integer.
            return str(_exact_integer(text)) if "." not in text else json.dumps(_exact_float(text))
        return json.dumps(text, ensure_ascii=False)


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Compile the pattern of a constraint, which the whole value has to match.

    Python and XML Schema (https://www.w3.org/TR/xmlschema-2/#regexs) share most of their syntax. What only one of them
    has is refused, as is what could take exponential time for some value.

    Raises:
        ValueError: It cannot be used.
    """
    text = pattern.replace("\\\\", "")
    for syntax in (r"\i", r"\c", r"\I", r"\C", r"\p", r"\P", "(?"):
        if syntax in text.replace("(?:", ""):
            raise ValueError(f"{syntax} is not supported")
    if re.search(r"\[[^\]]*-\[", text):
        raise ValueError("-[ is not supported")
    _check_tree(_parser.parse(pattern), repeated=False)
    return re.compile(pattern)


_FEW = 10
"""Repetitions that may hold others: what they cost is bounded by the length of a value."""


def _check_tree(tree: Any, *, repeated: bool) -> None:
    for operation, argument in tree:
        name = str(operation)
        if name.endswith("_REPEAT"):
            least, most, inner = argument
            if repeated and least != most:
                raise ValueError(f"a repetition within one of more than {_FEW} could take exponential time")
            _check_tree(inner, repeated=repeated or most > _FEW)
        elif name == "BRANCH":
            if repeated:
                raise ValueError(f"alternatives within a repetition of more than {_FEW} could take exponential time")
            for inner in argument[1]:
                _check_tree(inner, repeated=False)
        elif name == "SUBPATTERN":
            _check_tree(argument[-1], repeated=repeated)
        elif name.startswith(("GROUPREF", "ASSERT", "ATOMIC")) or "BOUNDARY" in str(argument):
            raise ValueError("references, boundaries and assertions are no part of XML Schema's patterns")
