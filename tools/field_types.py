"""Guesses the type of a column from its values, as a field of Table Schema.

A type is proposed only where the importer's own field takes each of the values, so that no row of which the values are
from is rejected. What is said about values are counts, lengths and forms: they may be personal data.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import islice, product
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "files/lambda"))

from csv_importer.datasets import Dataset
from csv_importer.fields import LONGEST_VARCHAR, MOST_DECIMALS, MOST_DIGITS, BaseField

type Properties = Mapping[str, Any]

MARKERS = ("NA", "N/A", "n/a", "#N/A", "NULL", "Null", "null", "NaN", "nan", "None", "none", "\\N", "-", "--", "?", ".")
"""What programs write where a value is missing."""

FLAGS = (("true", "false"), ("yes", "no"), ("y", "n"), ("t", "f"), ("on", "off"), ("ja", "nein"), ("j", "n"),
         ("oui", "non"), ("o", "n"), ("si", "no"), ("sí", "no"), ("sim", "não"), ("s", "n"))  # fmt: skip
"""How true and false are written."""

LONGEST_NUMBER = 100

LENGTHS = (10, 20, 50, 100, 255, 500, 1000, 2000, 4000, 8000, LONGEST_VARCHAR)

DATES = ("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y.%m.%d", "%Y-%m-%d",
         "%d/%m/%y", "%m/%d/%y", "%d.%m.%y", "%d-%m-%y", "%m-%d-%y", "%y-%m-%d", "%y/%m/%d",
         "%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y")  # fmt: skip
TIMES = ("%H:%M:%S", "%H:%M:%S.%f", "%H:%M", "%I:%M %p", "%I:%M:%S %p", "%I:%M%p", "%I:%M:%S%p")
ZONES = ("", "%z", " %z", " UTC")
BETWEEN = (" ", "T", ", ")
_DIRECTIVES = {**dict.fromkeys("mdHMSI", "[0-9]{1,2}"), "Y": "[0-9]{4}", "y": "[0-9]{2}", "f": "[0-9]{1,6}",
               "b": "[A-Za-z]{3}", "B": "[A-Za-z]{3,9}", "p": "[AaPp][Mm]", "z": "(?:Z|[+-][0-9:]{4,})"}  # fmt: skip

_DATED = re.compile(r"date|datum|fecha|day|_(?:on|at)$|^(?:am|dt)_", re.IGNORECASE)
_YEAR = re.compile(r"year|jahr|ann[eé]e|a[nñ]o|(?:^|_)yr(?:_|$)", re.IGNORECASE)
_FLAG = re.compile(r"^(?:is|has|was|can)_|flag$|active|enabled|deleted|optin|opt_in", re.IGNORECASE)
_IDENTIFIER = re.compile(
    r"phone|(?:^|_)(?:tel|telefon|fax|mobile|cell|zip|plz|iban|bic|swift|isbn|issn|ean|gtin|upc|ssn|vat|card)(?:_|$)"
    r"|zip_?code|post(?:al)?_?(?:code|al)|postleitzahl|card_?(?:no|number)",
    re.IGNORECASE,
)
"""Digits under such a name are no number that one adds to another, and may begin with zeros."""

_EMAIL = re.compile(r"[^@\s,;]+@[^@\s,;]+\.[^@\s,;.]+")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://\S+")
_PADDED = re.compile(r"[+-]?0[0-9]+")
_PHONE = re.compile(r"\+[0-9]{7,}")
_SURROUNDED = re.compile(
    r"(?P<before>[$€£¥₹\s]*|[A-Z]{3}\s)[+-]?[0-9][0-9.,' \u00a0\u202f]*(?P<after>[%$€£¥₹\s]*|\s[A-Z]{3})"
)
_BARE = re.compile(r"[+-]?[0-9.,'’](?:[0-9.,' \u00a0\u202f’]*[0-9.,])?(?:E[+-]?[0-9]+)?")
_SMALL_E = re.compile(r"[+-]?[0-9]*[.,]?[0-9]*(?:e[+-]?[0-9]+)?")
_FEW = 30


@dataclass(frozen=True)
class Guess:
    """What a column seems to hold.

    Attributes:
        properties: Of the field: type, format and others, constraints included.
        seen: What that was inferred from, without a value.
        doubts: What the person who reads the proposal has to decide.
        missing: How many values are missing.
        distinct: Whether all values are there and differ.
    """

    properties: Properties
    seen: str
    doubts: tuple[str, ...] = ()
    missing: int = 0
    distinct: bool = False


@dataclass(frozen=True)
class _Found:
    properties: Properties
    what: str
    doubts: tuple[str, ...] = field(default=())


def column_of(described: Properties) -> BaseField:
    """Return the importer's own field.

    Args:
        described: A field of Table Schema without its name.
    """
    column = Dataset.of({"name": "table", "schema": {"fields": [{"name": "value", **described}]}}).columns[0]
    assert isinstance(column, BaseField)  # noqa: S101 - all of them are
    return column


@cache
def _simple(kind: str, form: str | None = None) -> BaseField:
    return column_of({"type": kind, "missingValues": [], **({"format": form} if form else {})})


def _takes(column: BaseField, values: Collection[str]) -> bool:
    """Tell whether a field takes all values; most are told by the first few."""
    few = list(islice(values, _FEW))
    return not column.judge(few).errors and (len(few) == len(values) or not column.judge(list(values)).errors)


def is_typed(values: Iterable[str]) -> bool:
    """Tell whether values are those of a type that is narrower than text.

    Args:
        values: Values of one column.
    """
    present = dict.fromkeys(value for value in values if value and value not in MARKERS)
    return bool(present) and _narrow("", present).properties["type"] != "string"


def guess(name: str, values: Sequence[str], lines: Sequence[int]) -> Guess:
    """Guess what a column holds.

    Args:
        name: The column's name, which decides where the values leave open what they are.
        values: Its values, one a row.
        lines: The physical line of each.

    Returns:
        The proposal. The importer's field of these properties takes each of the values.
    """
    counts = Counter(values)
    empty = counts.pop("", 0)
    if not counts:
        what = "All of the values are missing." if empty else "There are no values in the head."
        return Guess({"type": "string", "constraints": {"maxLength": 255}}, what, ("its type is open",), empty)
    found, markers = _narrow(name, counts), dict[str, int]()
    if found.properties["type"] == "string":
        markers = {marker: counts[marker] for marker in MARKERS if marker in counts}
        rest = {value: count for value, count in counts.items() if value not in markers}
        narrow = _narrow(name, rest) if markers and rest else found
        if narrow.properties["type"] == "string" and "format" not in narrow.properties:
            markers = {}
        else:
            found, counts = narrow, Counter(rest)
    missing = empty + sum(markers.values())
    properties = dict(found.properties)
    doubts = found.doubts
    if markers:
        properties["missingValues"] = ["", *markers]
    if properties == {"type": "string"}:
        doubts += tuple(_nearly(counts, values, lines))
    constraints: dict[str, Any] = {} if missing else {"required": True}
    longest = max(map(len, counts))
    if properties["type"] == "string" and properties.get("format") != "uuid":
        constraints |= _length(longest, least=255 if "format" in properties else 0)
    if constraints:
        properties["constraints"] = constraints
    seen = f"{counts.total():,} of {len(values):,} values are {found.what}; longest {longest}."
    if missing:
        spelled = [*(["empty"] if empty else []), *markers]
        seen += f" {missing:,} missing ({', '.join(spelled)})."
    return Guess(properties, seen, doubts, missing, not missing and len(counts) == len(values) > 1)


def _length(longest: int, least: int) -> dict[str, int]:
    """Return a maxLength with room: twice the longest, rounded up. What is longer than a VARCHAR has none."""
    return next(({"maxLength": length} for length in LENGTHS if length >= max(2 * longest, least)), {})


def _nearly(counts: Counter[str], values: Sequence[str], lines: Sequence[int]) -> Iterator[str]:
    """Say of which type nearly all values are, where the others are faults, may be."""
    for what, column in (
        ("whole numbers", _simple("integer")),
        ("numbers", _simple("number")),
        ("dates", _simple("date")),
        ("dates with a time", _simple("datetime")),
    ):
        bad = {value for value in counts if column.judge([value]).errors}
        odd = sum(counts[value] for value in bad)
        if bad and odd * 10 <= counts.total():
            first = next(line for value, line in zip(values, lines, strict=True) if value in bad)
            yield f"text, since {odd:,} of the values are not {what}, the first one on line {first:,}"
            return


def _narrow(name: str, values: Collection[str]) -> _Found:
    """Return the narrowest type that takes all values, which are distinct and none of which is missing."""
    # No number and no date is as long, and a pattern may take long to tell.
    short = all(len(value) <= LONGEST_NUMBER for value in values)
    for kind in (_identifier, _boolean, _integer, _number, _moment, _text) if short else (_text,):
        found = kind(name, values)
        if found:
            return found
    return _Found({"type": "string"}, "text")


def _identifier(name: str, values: Collection[str]) -> _Found | None:
    if not all(value.lstrip("+").isdecimal() for value in values):
        return None
    if any(map(_PADDED.fullmatch, values)):
        return _Found({"type": "string"}, "digits, some with leading zeros, which a number would lose")
    if any(map(_PHONE.fullmatch, values)):
        return _Found({"type": "string"}, "digits after a +, which a number would lose")
    if _IDENTIFIER.search(name):
        return _Found(
            {"type": "string"}, "digits; by its name, this is no number: leading zeros and other characters may follow"
        )
    return None


def _boolean(name: str, values: Collection[str]) -> _Found | None:
    folded = {value.lower() for value in values}
    if folded == {"0", "1"} and _FLAG.search(name):
        return _Found(
            {"type": "boolean", "trueValues": ["1"], "falseValues": ["0"]}, "0 or 1, and the name is a flag's"
        )
    for true, false in FLAGS:
        # One spelling alone is proof of nothing, but for true and false.
        if folded == {true, false} or (true == "true" and folded <= {true, false}):
            trues, falses = ([value for value in sorted(values) if value.lower() == one] for one in (true, false))
            what = " or ".join([*trues, *falses])
            if true == "true" and all(value in ("true", "false", "True", "False", "TRUE", "FALSE") for value in values):
                return _Found({"type": "boolean"}, what)
            if trues and falses:
                return _Found({"type": "boolean", "trueValues": trues, "falseValues": falses}, what)
    return None


def _integer(name: str, values: Collection[str]) -> _Found | None:
    if not _takes(_simple("integer"), values):
        beyond = {"type": "integer", "csvToAurora:columnType": "bigint unsigned", "missingValues": []}
        if _takes(column_of(beyond), values):
            del beyond["missingValues"]
            return _Found(beyond, "whole numbers, some beyond bigint")
        if all(value.lstrip("+-").isdecimal() and value.isascii() for value in values):
            return _Found({"type": "string"}, "digits, too many for bigint")
        return None
    if _YEAR.search(name) and all(re.fullmatch("1[5-9][0-9]{2}|20[0-9]{2}|2100", value) for value in values):
        return _Found({"type": "year"}, "whole numbers, and both they and the name are a year's")
    if (
        _DATED.search(name)
        and all(re.fullmatch("(?:19|20)[0-9]{6}", value) for value in values)
        and _takes(_simple("date", "%Y%m%d"), values)
    ):
        return _Found({"type": "date", "format": "%Y%m%d"}, "dates written as %Y%m%d, and the name is a date's")
    only = " (0 and 1 only: boolean fits, too)" if {*values} == {"0", "1"} else ""
    return _Found({"type": "integer"}, f"whole numbers{only}")


_SEPARATORS = (("", ""), (".", ""), (",", ""), (".", ","), (",", "."), (".", " "), (",", " "), (".", "\u00a0"),
               (",", "\u00a0"), (".", "\u202f"), (",", "\u202f"), (".", "'"), (",", "'"), (".", "’"))  # fmt: skip
"""decimalChar and groupChar; the first pair is for whole numbers with something around them."""


def _number(_name: str, values: Collection[str]) -> _Found | None:
    if all(map(_SMALL_E.fullmatch, values)) and any("e" in value for value in values):
        return _Found({"type": "string"}, "numbers", ("text, since the standard writes exponents as E, and not as e",))
    if any("0" <= value[:1] <= "9" and _PADDED.fullmatch(re.split("[.,]", value)[0]) for value in values):
        # 00.5 is the value of a program that pads, and 01,02,03 no number at all.
        return None
    bare = all(map(_BARE.fullmatch, values))
    if not bare:
        surrounded = [around for value in values if (around := _SURROUNDED.fullmatch(value))]
        if len(surrounded) < len(values) or len({tuple(map(str.strip, one.groups())) for one in surrounded}) > 1:
            return None
    fitting = [found for pair in _SEPARATORS if (found := _separated(*pair, values, bare=bare))]
    if not fitting:
        return None
    first = fitting[0]
    if len(fitting) == 1 or first.properties["type"] == "integer":
        return first
    open_question = "nothing shows whether {} is that of decimals or of thousands"
    if first.properties.get("decimalChar") == ",":
        return _Found({"type": "string"}, "numbers", (f"text, since {open_question.format('the comma')}",))
    return replace(first, doubts=(*first.doubts, open_question.format("the point")))


def _separated(point: str, group: str, values: Collection[str], *, bare: bool) -> _Found | None:
    """Return a number with such separators, if all values are one, and all groups have three digits."""
    whole = rf"(?:[1-9][0-9]{{0,2}}(?:{re.escape(group)}[0-9]{{3}})+|[0-9]+)" if group else "[0-9]+"
    decimals = rf"(?:{re.escape(point)}[0-9]*)?" if point else ""
    form = re.compile(rf"\D*?[+-]?(?:{whole}{decimals}|{re.escape(point or '.')}[0-9]+)(?:E[+-]?[0-9]+)?\D*")
    grouped = re.compile(f"[0-9]{re.escape(group)}[0-9]")
    if not all(map(form.fullmatch, values)) or (group and not any(map(grouped.search, values))):
        return None
    fractions = bool(point) and any(point in value or "E" in value for value in values)
    properties: dict[str, Any] = {"type": "number" if fractions else "integer"}
    if fractions and point != ".":
        properties["decimalChar"] = point
    if not fractions and point not in ("", ".") and not group:
        return None
    if group:
        properties["groupChar"] = group
    if not bare:
        properties["bareNumber"] = False
    column = column_of({**properties, "missingValues": []})
    if not _takes(column, values):
        return None
    what = "numbers" if fractions else "whole numbers"
    marks = [f"decimals after {point!r}"] if fractions and point != "." else []
    marks += [f"groups of digits with {group!r} between them"] if group else []
    if fractions:
        properties |= _precision(column, point, values)
    doubts = () if bare else ("what is around the number, such as a currency, is not stored",)
    return _Found(properties, what + (f" ({', '.join(marks)})" if marks else ""), doubts)


def _precision(column: BaseField, point: str, values: Collection[str]) -> dict[str, str]:
    """Return a DECIMAL with room: as many decimals where all values have the same number of them, else two more."""
    wholes, decimals = set[int](), set[int]()
    for value in values:
        whole, _, fraction = column.logical(value)[1].lstrip("+-").partition(".")
        # 2.50 has two decimals, of which 2.5 is stored.
        written = re.search(rf"{re.escape(point)}([0-9]+)\D*\Z", value)
        wholes.add(len(whole.lstrip("0")))
        decimals.add(len(written[1]) if written else len(fraction))
    places = max(2, *decimals) + (2 if len(decimals) > 1 and max(decimals) > 2 else 0)
    digits = max(max(wholes) + 3, 10)
    if places > MOST_DECIMALS or digits + places > MOST_DIGITS:
        return {}
    return {"csvToAurora:columnType": f"decimal({digits + places},{places})"}


def _moment(_name: str, values: Collection[str]) -> _Found | None:
    for kind, what in (
        ("date", "dates"),
        ("yearmonth", "months"),
        ("time", "times"),
        ("datetime", "dates with a time"),
        ("duration", "durations"),
    ):
        if _takes(_simple(kind), values):
            return _Found({"type": kind}, what)
        fitting = [form for form in _forms(kind, next(iter(values))) if _takes(_simple(kind, form), values)]
        if len(fitting) > 1:
            doubt = f"text, since nothing shows which of these formats the {what} have: {', '.join(fitting)}"
            return _Found({"type": "string"}, what, (doubt,))
        if fitting:
            (form,) = fitting
            century = ("years of two digits: 69 to 99 are read as 1969 to 1999, the others as 2000 to 2068",)
            return _Found({"type": kind, "format": form}, f"{what} written as {form}", century if "%y" in form else ())
    return None


@cache
def _shape(form: str) -> re.Pattern[str]:
    return re.compile(re.sub("%(.)", lambda found: _DIRECTIVES[found[1]], re.escape(form)))


def _forms(kind: str, value: str) -> Iterator[str]:
    """Find the formats that a value may have: strptime, which decides, is slow."""
    if kind == "date":
        yield from (form for form in DATES if _shape(form).fullmatch(value))
    elif kind == "time":
        yield from (form for form in TIMES if _shape(form).fullmatch(value))
    elif kind == "datetime":
        for date, between in product(DATES, BETWEEN):
            begin = _shape(date + between).match(value)
            if begin:
                ends = (f"{time}{zone}" for time, zone in product(TIMES, ZONES))
                yield from (date + between + end for end in ends if _shape(end).fullmatch(value, begin.end()))


def _text(_name: str, values: Collection[str]) -> _Found | None:
    forms: tuple[tuple[dict[str, str], str, Callable[[str], object]], ...] = (
        ({"type": "object"}, "JSON objects", lambda value: value.lstrip().startswith("{")),
        ({"type": "array"}, "JSON arrays", lambda value: value.lstrip().startswith("[")),
        ({"type": "string", "format": "uuid"}, "UUIDs", lambda value: len(value) == 36),
        ({"type": "string", "format": "email"}, "mail addresses", _EMAIL.fullmatch),
        ({"type": "string", "format": "uri"}, "URIs", _URL.fullmatch),
    )
    for properties, what, form in forms:
        if all(map(form, values)) and _takes(_simple(properties["type"], properties.get("format")), values):
            return _Found(properties, what)
    return None
