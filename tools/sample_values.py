"""Generates rows of any dataset from its descriptor: plausible values by type and name, and rows that break its rules.

Each value is one that the importer's own field takes, and each bad one is one that it rejects. The rows are drawn from
prepared values, since a value that is generated takes a hundred times as long.
"""

from __future__ import annotations

import codecs
import datetime as dt
import json
import math
import random
import re
import string
import sys
import unicodedata
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import cache, cached_property
from itertools import chain, cycle, islice
from itertools import count as numbers_from
from pathlib import Path
from re import _parser  # type: ignore[attr-defined] # the only way to a pattern's tree
from typing import Any

from faker import Faker

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "files/lambda"))

from csv_importer import fields
from csv_importer.datasets import Dataset
from csv_importer.dialects import Dialect
from csv_importer.fields import BaseField

type Descriptor = Mapping[str, Any]

BLOCK_ROWS = 10_000

POOL = 400
"""Values that are prepared for a column."""

MISSING_SHARE = 0.05
"""Of the values, where they may be missing."""

LOCALES = ("en_US", "en_GB", "de_DE", "fr_FR", "es_ES", "pl_PL")

EPOCH = dt.date(2026, 1, 1)
"""Dates are of the three years before it: the same arguments give the same bytes on every day."""

EARLIEST = dt.date(1000, 1, 1)
"""The first one that MySQL holds."""

ZONES = ("com", "net", "org")
ITEM_TEXTS = ("blue", "green", "red", "small", "medium", "large", "new", "used")
STATUSES = ("new", "open", "paid", "sent", "closed", "cancelled")
LANGUAGES = ("de", "en", "es", "fr", "it", "nl", "pl", "pt")
CURRENCIES = ("EUR", "EUR", "EUR", "USD", "USD", "GBP", "CHF", "PLN", "SEK", "JPY")
KEYS_PER_SEED = 10_000_000
"""Numbers of keys begin somewhere else for each seed, so that two files can be loaded."""


class SampleRefused(Exception):
    """No rows can be generated for a dataset; the message names the field and why."""


@dataclass(frozen=True)
class Format:
    """How a file of the dataset is written.

    Attributes:
        dialect: Its dialect.
        codec: Its encoding.
        line_end: What ends a line.
    """

    dialect: Dialect
    codec: str
    line_end: str

    @classmethod
    def of(cls, dataset: Dataset, descriptor: Descriptor) -> Format:
        """Read the dialect and the encoding of a dataset.

        Raises:
            SampleRefused: Nothing is generated in such a dialect.
        """
        form = cls(dataset.dialect, dataset.encoding.codec, descriptor.get("dialect", {}).get("lineTerminator", "\n"))
        if len(form.dialect.header_rows) > 1 or any(row > form.lines_before for row in form.dialect.comment_rows):
            raise SampleRefused(
                "dialect: sample data has one headerRow at most, and no commentRows below it or among the rows"
            )
        return form

    @property
    def lines_before(self) -> int:
        """How many lines there are before the header, or before the rows where there is none."""
        if self.dialect.header_rows:
            return self.dialect.header_rows[0] - 1
        return next(line for line in numbers_from() if line + 1 not in self.dialect.comment_rows)

    @cached_property
    def special(self) -> re.Pattern[str]:
        """What a value needs quotes for, or an escape character before."""
        marks = self.dialect.delimiter + (self.dialect.quote or self.dialect.escape or "")
        begins = "".join(f"|^{re.escape(text)}" for text in (self.dialect.comment, " ") if text)
        return re.compile(f"[{re.escape(marks)}\\r\\n]{begins}")

    def written(self, text: str) -> str:
        """Return a value as it stands in a file."""
        if not self.special.search(text):
            return text
        quote = self.dialect.quote
        if quote:
            return quote + text.replace(quote, quote * 2) + quote
        return self.special.sub(lambda found: f"{self.dialect.escape}{found[0]}", text)

    def holds(self, text: str) -> bool:
        """Tell whether a file can hold a value."""
        quote = self.dialect.quote
        if not quote and ("\n" in text or "\r" in text or text.startswith(" ")):
            return False
        if quote and quote in text and not self.dialect.double_quote:
            return False
        try:
            text.encode(self.codec)
        except UnicodeEncodeError:
            return False
        return "\0" not in text


def _mail_part(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.lower()).encode("ascii", "ignore").decode()
    return re.sub("[^a-z]+", "-", plain).strip("-") or "someone"


@cache
def _fake(locale: str) -> Faker:
    return Faker(locale)


class _Texts:
    """Plausible texts by the name of their field."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)  # noqa: S311 - sample data is not secret
        # Others seed them again: what one column needs is generated before that of the next.
        self._fakes = [_fake(locale) for locale in LOCALES]
        for locale, fake in zip(LOCALES, self._fakes, strict=True):
            fake.seed_instance(f"{seed} {locale}")

    def _any(self, method: str) -> str:
        return str(getattr(self._random.choice(self._fakes), method)())

    def _english(self, method: str, **options: Any) -> str:
        return str(getattr(self._fakes[0], method)(**options))

    def mail(self) -> str:
        """An address in a domain that is reserved for documentation."""
        name = f"{_mail_part(self._any('first_name'))}.{_mail_part(self._any('last_name'))}"
        return f"{name}@{_mail_part(self._english('domain_word'))}.example.{self._random.choice(ZONES)}"

    def uri(self) -> str:
        """A URI in such a domain."""
        zone = self._random.choice(ZONES)
        return f"https://www.example.{zone}/{'/'.join(self._fakes[0].words(self._random.randint(1, 3)))}"

    def phone(self) -> str:
        """A number of those that are reserved for films: of the United States, or of London."""
        if self._random.random() < 0.5:
            return f"+1 {self._random.choice((202, 303, 415, 617))}-555-01{self._random.randrange(100):02}"
        return f"+44 20 7946 0{self._random.randrange(1000):03}"

    def code(self) -> str:
        """Two letters and a number."""
        letters = "".join(self._random.choices("ABCDEFGHKLMNPRSTUVWXYZ", k=2))
        return f"{letters}-{self._random.randrange(10_000, 100_000)}"

    def sentence(self) -> str:
        """Some words with a full stop."""
        return self._english("sentence", nb_words=8)

    def words(self) -> str:
        """Two or three words."""
        return " ".join(self._fakes[0].words(self._random.randint(2, 3)))

    def uuid(self) -> str:
        """A UUID of version 4."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def address(self) -> str:
        """An IP address of those that are reserved for documentation."""
        return f"{self._random.choice(('192.0.2', '198.51.100', '203.0.113'))}.{self._random.randrange(1, 255)}"

    def _one_of(self, *texts: str) -> Callable[[], str]:
        return lambda: self._random.choice(texts)

    def of_type(self, kind: type[BaseField]) -> Callable[[], str] | None:
        """Return what generates texts for fields of some type, where that says what they are."""
        sources: Mapping[type[BaseField], Callable[[], str]] = {
            fields.EmailField: self.mail,
            fields.UriField: self.uri,
            fields.UuidField: self.uuid,
        }
        return sources.get(kind)

    def by_name(self, name: str) -> Callable[[], str]:
        """Return what generates texts for a field of some name."""
        for pattern, source in (
            ("e_?mail|^mail", self.mail),
            ("first_?name|given|forename|vorname|prenom", lambda: self._any("first_name")),
            ("last_?name|surname|family|nachname", lambda: self._any("last_name")),
            ("user_?name|login|nick", lambda: self._english("user_name")),
            ("company|firm|employer|organi[sz]ation|supplier|vendor|merchant", lambda: self._any("company")),
            ("(?:^|_)ip(?:_|$)|ip_?address", self.address),
            ("street|address|strasse", lambda: self._any("street_address").replace("\n", ", ")),
            ("city|town|municipality|^ort$", lambda: self._any("city")),
            ("country_?code|^iso|country_iso|_iso$", lambda: self._english("country_code")),
            ("country|nation", lambda: self._english("country")),
            ("province|region|county", lambda: self._english("state")),
            ("zip|post_?code|postal|plz", lambda: self._any("postcode")),
            ("currency", self._one_of(*CURRENCIES)),
            ("phone|(?:^|_)tel|fax|mobile", self.phone),
            ("url|uri|website|homepage|link", self.uri),
            ("uuid|guid", self.uuid),
            ("colou?r", lambda: self._english("color_name")),
            ("lang", self._one_of(*LANGUAGES)),
            ("gender|(?:^|_)sex$", self._one_of("female", "male", "other")),
            ("status|(?:^|_)state$", self._one_of(*STATUSES)),
            ("job|profession|occupation", lambda: self._english("job")),
            ("sku|code|number|(?:^|_)(?:no|nr|id|ref)$|reference", self.code),
            ("desc|note|comment|text|remark|message|body|summary|reason", self.sentence),
            ("author|contact|owner|person|customer|(?:^|_)full_?name|^name$", lambda: self._any("name")),
        ):
            if re.search(pattern, name, re.IGNORECASE):
                return source
        return self.words


class _Pattern:
    """Generates texts that match a pattern, from its tree."""

    PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))
    CATEGORIES: Mapping[str, str] = {
        "CATEGORY_DIGIT": string.digits,
        "CATEGORY_WORD": string.ascii_lowercase + string.digits + "_",
        "CATEGORY_SPACE": " ",
    }

    def __init__(self, pattern: str, source: random.Random) -> None:
        self._tree = _parser.parse(pattern)
        self._random = source

    def text(self, more: int) -> str:
        """Generate a text.

        Args:
            more: By how much a repetition may exceed its minimum.
        """
        return self._of(self._tree, more)

    def _of(self, tree: Any, more: int) -> str:
        return "".join(self._part(str(operation), argument, more) for operation, argument in tree)

    def _part(self, name: str, argument: Any, more: int) -> str:
        if name == "LITERAL":
            return chr(argument)
        if name == "ANY":
            return self._random.choice(self.PRINTABLE)
        if name == "NOT_LITERAL":
            return self._random.choice(self.PRINTABLE.replace(chr(argument), ""))
        if name == "IN":
            return self._random.choice(self._characters(argument) or " ")
        if name == "BRANCH":
            return self._of(self._random.choice(argument[1]), more)
        if name == "SUBPATTERN":
            return self._of(argument[-1], more)
        if name.endswith("_REPEAT"):
            least, most, inner = argument
            times = self._random.randint(least, min(int(most), least + more))
            return "".join(self._of(inner, more) for _ in range(times))
        # What is left are the ends of a text, which is matched as a whole anyway.
        return ""

    def _characters(self, members: Any) -> str:
        """Return characters of a set; of a large one, some."""
        negated = bool(members) and str(members[0][0]) == "NEGATE"
        found: list[str] = []
        for operation, argument in members[negated:]:
            match str(operation):
                case "LITERAL":
                    found.append(chr(argument))
                case "RANGE":
                    found += map(chr, islice(range(argument[0], argument[1] + 1), 100))
                case "CATEGORY":
                    name = str(argument)
                    of = self.CATEGORIES.get(name.replace("_NOT_", "_"), "")
                    found += of if "_NOT_" not in name else self.PRINTABLE.translate(dict.fromkeys(map(ord, of)))
        return (
            "".join(character for character in self.PRINTABLE if character not in found) if negated else "".join(found)
        )


@dataclass(frozen=True)
class _Span:
    """Numbers from lowest to highest, of so many decimals."""

    lowest: int
    highest: int
    decimals: int = 0

    def draw(self, source: random.Random) -> Decimal:
        return Decimal(source.randint(self.lowest, self.highest)).scaleb(-self.decimals)


class _Column:
    """Generates the values of one field, as texts before they are quoted."""

    def __init__(self, column: BaseField, described: Descriptor, seed: str, form: Format, size: int) -> None:
        self.name = column.name
        self.column = column
        self._described = described
        self._constraints: Descriptor = described.get("constraints", {})
        self._seed = seed
        self._random = random.Random(f"{seed} {column.name}")  # noqa: S311 - sample data is not secret
        self._form = form
        self._size = size

    @cached_property
    def _texts(self) -> _Texts:
        return _Texts(f"{self._seed} {self.name}")

    def good(self, texts: Iterable[str]) -> list[str]:
        """Return those of some texts that the importer stores, and the file can hold."""
        distinct = [text for text in dict.fromkeys(texts) if text not in self.column.missing]
        # With quotes, a file holds all values whose characters it holds.
        if not (self._form.dialect.quote and self._form.holds("".join(distinct))):
            distinct = list(filter(self._form.holds, distinct))
        errors = self.column.judge(distinct).errors
        return [text for index, text in enumerate(distinct) if index not in errors]

    @cached_property
    def values(self) -> Sequence[str]:
        """Values of which each is one that the importer stores; there may be none."""
        found = self.good(islice(self._plausible(), self._size))
        if len(found) < 10 and isinstance(self.column, fields.StringField) and self.column.allowed is None:
            found = self.good([*found, *self._fitted()])[: self._size]
        return found

    def pool(self) -> list[str]:
        """Return values to draw from, missing ones included where there may be any.

        Raises:
            SampleRefused: None can be generated.
        """
        if not self.values:
            raise SampleRefused(f"{self.name}: no value could be generated that its constraints allow")
        if (self.column.required and self.column.default is None) or not self.column.missing:
            return [*self.values]
        share = max(1, round(len(self.values) * MISSING_SHARE))
        return [*self.values, *self._random.choices(sorted(self.column.missing), k=share)]

    def distinct(self, first: int) -> Iterator[str]:
        """Generate values of which no two are the same, as long as there are any.

        Args:
            first: The number that a key begins with.
        """
        source = iter(self._numbered(first))
        seen: set[str] = set()
        in_vain = 0
        while in_vain < 20 and (chunk := list(islice(source, 1000))):
            found = self.good(chunk)
            if not self._differs:
                found = [text for text in found if text not in seen]
                seen.update(found)
            in_vain = 0 if found else in_vain + 1
            yield from found

    def bad(self) -> list[str]:
        """Return values that the importer rejects, and the file can hold."""
        lengths = self.column.lengths
        texts = ["", *sorted(self.column.missing)]
        texts += next((bad for kinds, bad in _BAD_TEXTS if isinstance(self.column, kinds)), ())
        if lengths[1] is not None:
            good = next(iter(self.values), "x")
            texts += ["x" * (lengths[1] + more) for more in (1, 7, 40)]
            texts.append("x" * (lengths[1] + 1 - len(good)) + good)
        if lengths[0] > 1:
            texts.append("x" * (lengths[0] - 1))
        for bound, step in (("minimum", -1), ("maximum", 1), ("exclusiveMinimum", 0), ("exclusiveMaximum", 0)):
            texts += self._beyond(bound, step)
        if isinstance(self.column, fields.IntegerField):
            texts += [str(self.column.lowest - 1), str(self.column.highest + 1)]
        texts = [text for text in dict.fromkeys(texts) if self._form.holds(text) and len(text) < 20_000]
        errors = self.column.judge(texts).errors
        return [text for index, text in enumerate(texts) if index in errors]

    def _beyond(self, bound: str, step: int) -> Iterator[str]:
        if bound not in self._constraints or isinstance(self.column, fields.IntegerField):
            return
        logical = self.column.logical_of(self._constraints[bound])
        if isinstance(logical, int | Decimal):
            yield self._number(Decimal(logical + step))
        elif isinstance(logical, dt.date):
            yield self._moment(logical + dt.timedelta(days=step))

    def _plausible(self) -> Iterator[str]:
        """Generate values; some of them may not meet the constraints."""
        column = self.column
        if column.allowed is not None:
            return iter(self._enumerated())
        if isinstance(column, fields.BooleanField):
            return iter(self._booleans())
        if isinstance(column, fields.IntegerField | fields.NumberField):
            span = self._span()
            return iter(lambda: self._number(span.draw(self._random)), None)
        source = self._sources().get(type(column))
        if source:
            return iter(source, None)
        shortest, longest = column.lengths
        text = self._texts.of_type(type(column)) or self._texts.by_name(self.name)
        return iter(lambda: self._cut(text(), shortest, longest), None)

    def _sources(self) -> Mapping[type[BaseField], Callable[[], str]]:
        draw = self._random.randint
        return {
            fields.BinaryField: lambda: codecs.encode(self._random.randbytes(draw(3, 24)), "base64").decode().strip(),
            fields.DateField: lambda: self._moment(self._date()),
            fields.DateTimeField: lambda: self._moment(self._datetime()),
            fields.TimeField: lambda: self._moment(self._datetime().time()),
            fields.YearField: lambda: str(draw(*self._years())),
            fields.YearMonthField: lambda: f"{draw(*self._years()):04}-{draw(1, 12):02}",
            fields.DurationField: lambda: self._random.choice(("P{}D", "PT{}H", "PT{}M", "P{}M")).format(draw(1, 60)),
            fields.ListField: self._list,
            fields.JsonField: self._json,
        }

    def _enumerated(self) -> Iterator[str]:
        entries = [*self._constraints.get("enum", []), *self._described.get("categories", [])]
        for each in entries:
            entry = each.get("value") if isinstance(each, Mapping) and "value" in each else each
            if isinstance(entry, bool) and isinstance(self.column, fields.BooleanField):
                yield from sorted(self.column.true_values if entry else self.column.false_values)
            elif isinstance(entry, str):
                yield entry
            else:
                yield json.dumps(entry)

    def _booleans(self) -> list[str]:
        default = {"trueValues": ["true"], "falseValues": ["false"]}
        return [text for name, texts in default.items() for text in self._described.get(name, texts)]

    def _cut(self, text: str, shortest: int, longest: int | None) -> str:
        while len(text) < shortest:
            text = f"{text} {self._texts.words()}"
        return text if longest is None or len(text) <= longest else text[:longest].rstrip() or "x" * longest

    def _fitted(self) -> Iterator[str]:
        """Generate texts for constraints that plausible ones do not meet."""
        shortest, longest = self.column.lengths
        yield from islice(self._matching(), 4 * self._size)
        for letter in "abcdefghijklmnopqrstuvwxyz":
            yield from (f"{letter}@example.org", f"{letter}:{letter}", f"{letter * 4}")
            yield letter * max(shortest, 1) if longest is None else letter * longest

    def _matching(self) -> Iterator[str]:
        """Generate texts that match the pattern, if there is one, of all lengths."""
        column = self.column
        if isinstance(column, fields.StringField) and column.pattern:
            pattern = _Pattern(column.pattern.pattern, self._random)
            for more in cycle((0, 1, 3, 12, column.lengths[0], 40)):
                yield pattern.text(more)

    def _span(self) -> _Span:
        """Choose the numbers to draw from: those that the name suggests, within the bounds."""
        column = self.column
        assert isinstance(column, fields.IntegerField | fields.NumberField)  # noqa: S101 - for the type checker
        if isinstance(column, fields.IntegerField):
            decimals, lowest, highest = 0, Decimal(column.lowest), Decimal(column.highest)
        else:
            decimals = column.decimals
            highest = Decimal(10) ** (column.digits - column.decimals) - Decimal(10) ** -decimals
            lowest = -highest
            lower, upper = self._limits()
            lowest, highest = max([lowest, *lower]), min([highest, *upper])
        low, high, wanted = next(
            (found for pattern, *found in _NUMBERS if re.search(pattern, self.name, re.IGNORECASE)), (1, 10_000, 2)
        )
        decimals = min(decimals, wanted)
        first, last = max(Decimal(low), lowest), min(Decimal(high), highest)
        if first > last:
            # The bounds exclude what the name suggests.
            first, last = (
                (lowest, min(highest, lowest + 10_000)) if lowest > high else (max(lowest, highest - 10_000), highest)
            )
        scaled = [
            int(bound.scaleb(decimals).to_integral_value(rounding))
            for bound, rounding in ((first, ROUND_CEILING), (last, ROUND_FLOOR))
        ]
        if scaled[0] > scaled[1] and isinstance(column, fields.NumberField) and decimals < column.decimals:
            decimals = column.decimals
            scaled = [int(bound.scaleb(decimals).to_integral_value(ROUND_FLOOR)) for bound in (first, last)]
        return _Span(scaled[0], max(scaled), decimals)

    def _number(self, number: Decimal | int) -> str:
        column = self.column
        text = str(number) if isinstance(number, int) else format(number, "f")
        point = column.decimal_char if isinstance(column, fields.NumberField) else "."
        group = column.group_char if isinstance(column, fields.IntegerField | fields.NumberField) else ""
        whole, dot, decimals = text.partition(".")
        if group:
            sign = "-" if whole.startswith("-") else ""
            whole = sign + f"{int(whole.lstrip('-')):,}".replace(",", group)
        return f"{whole}{point}{decimals}" if dot else whole

    def _days(self) -> tuple[dt.date, dt.date]:
        """Return the first and the last day to draw from."""
        first, last = EPOCH - dt.timedelta(days=3 * 365), EPOCH - dt.timedelta(days=1)
        if re.search("birth|born|geb", self.name, re.IGNORECASE):
            first, last = dt.date(1940, 1, 1), dt.date(2007, 12, 31)
        lower, upper = ([_day(bound) for bound in bounds] for bounds in self._limits())
        low, high = max(lower, default=EARLIEST), min(upper, default=dt.date.max)
        if low > last:
            first, last = low, _days_after(low, 1000)
        elif high < first:
            first, last = _days_after(high, -1000), high
        return max(first, low), min(last, high)

    def _date(self) -> dt.date:
        first, last = self._days()
        return first + dt.timedelta(days=self._random.randint(0, max((last - first).days, 0)))

    def _datetime(self) -> dt.datetime:
        first, last = (
            self._days() if isinstance(self.column, fields.DateTimeField) else (EPOCH - dt.timedelta(days=1), EPOCH)
        )
        day = first + dt.timedelta(days=self._random.randint(0, max((last - first).days, 0)))
        seconds = self._random.randrange(86_400)
        return dt.datetime.combine(day, dt.time(), dt.UTC) + dt.timedelta(seconds=seconds)

    def _moment(self, moment: dt.date | dt.time) -> str:
        pattern = getattr(self.column, "pattern", None)
        if isinstance(pattern, str):
            return moment.strftime(pattern)
        if isinstance(moment, dt.datetime):
            return moment.replace(tzinfo=None).isoformat()
        return moment.isoformat()

    def _years(self) -> tuple[int, int]:
        # The logical value of a yearmonth is a pair.
        lows, highs = (
            [bound[0] if isinstance(bound, tuple) else bound for bound in bounds] for bounds in self._limits()
        )
        low, high = max(lows, default=None), min(highs, default=None)
        if low is None:
            low = EPOCH.year - 20 if high is None else min(high, EPOCH.year) - 20
        return low, max(low, low + 20 if high is None else high)

    def _limits(self) -> tuple[list[Any], list[Any]]:
        """Return the bounds, lower and upper, as logical values."""
        lower, upper = (
            [self.column.logical_of(self._constraints[name]) for name in names if name in self._constraints]
            for names in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum"))
        )
        return lower, upper

    def _list(self) -> str:
        column = self.column
        assert isinstance(column, fields.ListField)  # noqa: S101 - for the type checker
        least, most = column.lengths
        items: Callable[[], str] = lambda: self._random.choice(ITEM_TEXTS)  # noqa: E731
        if not isinstance(column.item, fields.StringField):
            inner = _Column(column.item, {}, f"{self._seed} item", self._form, 40)
            pool = [text for text in inner.values if column.delimiter not in text]
            items = lambda: self._random.choice(pool)  # noqa: E731
        size = self._random.randint(max(least, 1), max(least, 1) + 2 if most is None else max(most, 1))
        return column.delimiter.join(items() for _ in range(size))

    def _json(self) -> str:
        column = self.column
        assert isinstance(column, fields.JsonField)  # noqa: S101 - for the type checker
        least, most = column.lengths
        size = self._random.randint(least, least + 2 if most is None else min(most, least + 3))
        if column.kind is list:
            return json.dumps([self._random.randint(1, 100) for _ in range(size)])
        return json.dumps({name: self._random.randint(1, 100) for name in _names(size)})

    @property
    def _differs(self) -> bool:
        """Whether no two of the numbered values are the same."""
        column = self.column
        if column.allowed is not None:
            return False
        if isinstance(column, fields.StringField):
            return not column.pattern and not isinstance(column, fields.UuidField)
        if isinstance(column, fields.DateField):
            return not column.pattern or "%Y" in column.pattern
        return isinstance(column, fields.IntegerField)

    def _numbered(self, first: int) -> Iterator[str]:
        """Generate values of which each is another one, or may be."""
        column = self.column
        if isinstance(column, fields.IntegerField) and column.allowed is None:
            lowest, highest = max(column.lowest, 1) if column.highest >= 1 else column.lowest, column.highest
            begin = lowest + first if lowest + first + KEYS_PER_SEED <= highest else lowest
            written = self._number if column.group_char else str
            yield from map(written, chain(range(begin, highest + 1), range(column.lowest, begin)))
        elif isinstance(column, fields.DateField) and column.allowed is None:
            day, last = self._days()
            after, before = range((last - day).days + 1), range(-1, (EARLIEST - day).days - 1, -1)
            yield from (self._moment(day + dt.timedelta(days=days)) for days in (*after, *before))
        elif isinstance(column, fields.StringField) and self._differs:
            yield from self._numbered_texts(first)
        elif isinstance(column, fields.StringField) and column.pattern and column.allowed is None:
            yield from self._matching()
        else:
            yield from self._plausible()

    def _numbered_texts(self, first: int) -> Iterator[str]:
        """Generate texts with a number in each; none of them ends in another digit before that."""
        longest = self.column.lengths[1] or 255
        short = "x@example.org" if isinstance(self.column, fields.EmailField) else "x"
        stems = [text.rstrip("0123456789") for text in self.values]
        if longest < 40 or not stems:
            stems.append(short)
        room = 3 * len(str(first + KEYS_PER_SEED)) <= longest
        for number in numbers_from(first + 1 if room else 1):
            stem = stems[number % len(stems)]
            if isinstance(self.column, fields.EmailField):
                local, _, domain = stem.partition("@")
                yield f"{local.rstrip('0123456789')}{number}@{domain}"
            elif len(str(number)) > longest:
                return
            else:
                yield stem[: longest - len(str(number))].rstrip("0123456789") + str(number)


def _days_after(day: dt.date, days: int) -> dt.date:
    return dt.date.fromordinal(min(max(day.toordinal() + days, EARLIEST.toordinal()), dt.date.max.toordinal()))


def _day(moment: dt.date) -> dt.date:
    return moment.date() if isinstance(moment, dt.datetime) else moment


def _names(size: int) -> list[str]:
    return [ITEM_TEXTS[index] if index < len(ITEM_TEXTS) else f"key{index}" for index in range(size)]


_NUMBERS: tuple[tuple[str, int, int, int], ...] = (
    (r"(?:^|_)age$|alter$", 18, 95, 0),
    ("year|jahr", EPOCH.year - 20, EPOCH.year, 0),
    ("month", 1, 12, 0),
    ("day", 1, 28, 0),
    ("(?:^|_)(?:quantity|qty|count|items|pieces|menge)", 1, 20, 0),
    ("salary|wage|income", 20_000, 120_000, 2),
    ("rating|stars|score|priority|level", 1, 5, 1),
    ("percent|pct|share|rate|discount", 0, 100, 2),
    ("lat(?:itude)?$", -90, 90, 6),
    ("lon(?:gitude)?$|lng$", -180, 180, 6),
    ("price|cost|fee|betrag|amount|total|sum|tax|payment|balance|revenue", 1, 2000, 2),
    ("temp", -20, 40, 1),
    ("weight|height|length|width|size", 1, 500, 2),
)
"""What numbers of such a name are: lowest, highest, decimals."""

_NO_NUMBERS = (
    "n/a",
    "unknown",
    "forty-two",
    "-",
    "1.2.3",
    "3e1x",
    "0x1f",
    "１２",
    "12,5,0",
    "30.5",
    "-1",
    "9" * 40,
    "1E99",
)
_NO_MOMENTS = ("2025-02-30", "31.13.2025", "2025-13-01T00:00:00", "25:61:00", "yesterday", "10 o'clock", "0000", "n/a")
_BAD_TEXTS: tuple[tuple[tuple[type[BaseField], ...], tuple[str, ...]], ...] = (
    ((fields.EmailField,), ("someone.example.org", "someone@@example.org", "@example.org", "someone@", "n/a")),
    ((fields.UriField,), ("not a uri", "www.example.org/a b", "http//example.org")),
    ((fields.UuidField,), ("1-2-3-4", "f" * 32, "none")),
    ((fields.BinaryField,), ("%%%", "YQ", "=")),
    ((fields.StringField,), ("none of these", "?", "x", "12,5", " ", "%%%")),
    ((fields.IntegerField, fields.NumberField), _NO_NUMBERS),
    ((fields.BooleanField,), ("maybe", "2", "unknown", "n/a")),
    ((fields.YearField, fields.YearMonthField), ("20255", "25", "2025-13", *_NO_MOMENTS)),
    ((fields.DateField, fields.DateTimeField, fields.TimeField), _NO_MOMENTS),
    ((fields.DurationField,), ("P", "1 day", "PT", "n/a")),
    ((fields.JsonField,), ("{", "[1,", "none", '{"a": NaN}', "1")),
    ((fields.ListField,), _NO_NUMBERS),
)
"""Values that are wrong for fields of a type, or may be."""


@dataclass(frozen=True)
class Row:
    """A good row.

    Attributes:
        values: Its values as they are written.
        form: How the file is written.
    """

    values: Sequence[str]
    form: Format

    def with_value(self, place: int, value: str) -> bytes:
        """Return the line with another value."""
        return self.line([*self.values[:place], self.form.written(value), *self.values[place + 1 :]])

    def line(self, values: Sequence[str]) -> bytes:
        """Return a line of values as they are written."""
        return self.form.dialect.delimiter.join(values).encode(self.form.codec)


type Spoiler = Callable[[Row, random.Random], bytes]


class Generator:
    """Generates the rows of a dataset."""

    def __init__(self, descriptor: Descriptor, seed: int, size: int = POOL) -> None:
        """Prepare values.

        Args:
            descriptor: The dataset's descriptor.
            seed: Any whole number; the same one gives the same rows.
            size: How many values to prepare for each column.

        Raises:
            SampleRefused: No rows can be generated.
        """
        dataset = Dataset.of(descriptor)
        self.form = Format.of(dataset, descriptor)
        self.random = random.Random(f"{seed} {dataset.name}")  # noqa: S311 - sample data is not secret
        self._names = [column.name for column in dataset.columns]
        self._columns = [
            _Column(column, described, f"{seed} {dataset.name}", self.form, size)
            for column, described in zip(dataset.columns, descriptor["schema"]["fields"], strict=True)
            if isinstance(column, BaseField)
        ]
        first = max(seed - 1, 0) * KEYS_PER_SEED
        keys = self._keys(dataset)
        self._sources = [
            self._distinct(column, first) if column.name in keys else self._drawn(column) for column in self._columns
        ]

    @property
    def header(self) -> bytes:
        """The lines before the rows."""
        form = self.form
        names = form.dialect.delimiter.join(map(form.written, self._names)) + form.line_end
        return (form.lines_before * form.line_end + (names if form.dialect.header else "")).encode(form.codec)

    def _keys(self, dataset: Dataset) -> set[str]:
        """Choose the columns whose values differ, one of each key: that which can have most values."""
        kinds = (fields.IntegerField, fields.UuidField, fields.EmailField, fields.StringField, fields.DateTimeField)
        by_name = {column.name: column.column for column in self._columns}

        def variety(name: str) -> tuple[bool, int]:
            column = by_name[name]
            rank = next((len(kinds) - index for index, kind in enumerate(kinds) if isinstance(column, kind)), 0)
            return column.allowed is None, rank

        return {max(key, key=variety) for key in dataset.keys}

    def _drawn(self, column: _Column) -> Callable[[int], Sequence[str]]:
        pool = [self.form.written(text) for text in column.pool()]
        if len(self._columns) == 1:
            # An empty value alone is a blank line.
            pool = [text for text in pool if text]
        source = random.Random(f"rows {self.random.random()} {column.name}")  # noqa: S311 - sample data is not secret
        return lambda count: source.choices(pool, k=count)

    def _distinct(self, column: _Column, first: int) -> Callable[[int], Sequence[str]]:
        # Here, and not with the first row.
        _ = column.values
        values = column.distinct(first)

        def take(count: int) -> Sequence[str]:
            taken = list(map(self.form.written, islice(values, count)))
            if len(taken) < count:
                raise SampleRefused(f"{column.name}: there are not as many different values as rows")
            return taken

        return take

    def rows(self, count: int) -> list[tuple[str, ...]]:
        """Generate the next rows.

        Args:
            count: How many.

        Returns:
            Their values as they are written.

        Raises:
            SampleRefused: A key has no more values.
        """
        return list(zip(*(source(count) for source in self._sources), strict=True))

    def spoilers(self) -> dict[str, Spoiler]:
        """The kinds of errors of one row for which the importer rejects that row and no other.

        Bytes that are not of the encoding are none of them: where few lines have other characters than ASCII, the file
        would be refused as a whole.
        """
        several = len(self._columns) > 1
        kinds: dict[str, Spoiler] = {
            "field too many": lambda row, _source: row.line([*row.values, "extra"]),
            "NUL byte": lambda row, source: row.with_value(source.randrange(len(row.values)), "x\0"),
        }
        if several:
            kinds["field missing"] = lambda row, _source: row.line(["x", *row.values[1:-1]])
        for place, column in enumerate(self._columns):
            values = [value for value in column.bad() if value or several]
            for index in range(min(4, len(values))):
                kinds[f"{column.name} {index + 1}"] = _with_one_of(place, values[index::4])
        return kinds


def _with_one_of(place: int, values: Sequence[str]) -> Spoiler:
    return lambda row, source: row.with_value(place, source.choice(values))


def share(bad: int, rows: int, count: int, source: random.Random) -> int:
    """Return how many of the ``bad`` rows among the last ``rows`` fall into the next ``count`` of them."""
    if count == rows:
        return bad
    expected = bad * count / rows
    part = math.floor(expected) + (source.random() < expected % 1)
    return min(bad, count, max(part, bad - (rows - count)))


def blocks(descriptor: Descriptor, rows: int, seed: int, bad: int) -> Iterator[bytes]:
    """Yield a file of a dataset in pieces: the header, then the rows.

    Args:
        descriptor: The dataset's descriptor.
        rows: Rows below the header, 0 or more.
        seed: Any whole number; the same one gives the same bytes.
        bad: How many of the rows the importer has to reject, 0 to ``rows``. They are at random places all over the
            file; their kinds take turns, so that each occurs where ``bad`` is large enough.

    Raises:
        ValueError: ``rows`` is negative or ``bad`` is not between 0 and ``rows``.
        SampleRefused: No rows can be generated.
    """
    if rows < 0 or not 0 <= bad <= rows:
        raise ValueError(f"{bad} bad rows of {rows} are impossible.")
    generator = Generator(descriptor, seed, min(POOL, rows + 40))
    form = generator.form
    yield generator.header
    source = generator.random
    spoilers = list(generator.spoilers().values()) if bad else []
    source.shuffle(spoilers)
    line_end = form.line_end.encode(form.codec)
    spoiled = 0
    for start in range(0, rows, BLOCK_ROWS):
        count = min(BLOCK_ROWS, rows - start)
        found = generator.rows(count)
        lines = list(map(form.dialect.delimiter.join, found))
        places = source.sample(range(count), share(bad - spoiled, rows - start, count, source))
        if not places:
            yield (form.line_end.join(lines) + form.line_end).encode(form.codec)
            continue
        encoded = [line.encode(form.codec) for line in lines]
        for place in sorted(places):
            encoded[place] = spoilers[spoiled % len(spoilers)](Row(found[place], form), source)
            spoiled += 1
        yield line_end.join(encoded) + line_end
