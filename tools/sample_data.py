#!/usr/bin/env python3
"""Write sample CSV files for the importer, from a few rows to millions.

    tools/sample_data.py --rows 1000000 --seed 7 --bad-ratio 0.005 --output customers.csv
    tools/sample_data.py --rows 1000 --dataset datasets/orders.yaml --output orders.csv

The same arguments and the same version of Faker give the same bytes. Faker generates some hundred names
of each locale; the rows are drawn from those, since Faker takes a hundred times as long for a row. All mail
addresses are in example.com, example.net and example.org, which are reserved for documentation.

Customers, whose addresses are made of their names, have a generator of their own; the rows of all other datasets
follow from their descriptors (sample_values.py).
"""

from __future__ import annotations

import argparse
import csv
import gzip
import os
import random
import sys
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import sample_values
from descriptors import DescriptorInvalid, load
from faker import Faker
from sample_values import SampleRefused, share

DATASET = Path(__file__).resolve().parent.parent / "datasets/customer.yaml"
HEADER = b"title,firstname,lastname,status,email,age\n"
BLOCK_ROWS = sample_values.BLOCK_ROWS
NAMES_PER_LOCALE = 250
DOMAINS_PER_LOCALE = 60

# Forms of address of men and of women; Faker's prefixes are parts of the name in some locales.
TITLES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "cs_CZ": (("Pan", "Ing.", "Mgr."), ("Paní", "Ing.", "Mgr.")),
    "de_DE": (("Herr", "Herr Dr.", "Prof. Dr."), ("Frau", "Frau Dr.", "Prof. Dr.")),
    "el_GR": (("Κύριος", "Δρ."), ("Κυρία", "Δρ.")),
    "en_GB": (("Mr", "Mr", "Dr", "Prof", "Revd"), ("Ms", "Mrs", "Miss", "Dr", "Prof")),
    "en_US": (("Mr.", "Mr.", "Dr.", "Mr., Esq."), ("Ms.", "Mrs.", "Dr.", "Ms., Esq.")),
    "es_ES": (("Sr.", "D.", "Dr."), ("Sra.", "D.ª", "Dra.")),
    "fr_FR": (("M.", "Dr", "Me"), ("Mme", "Dr", "Me")),
    "hi_IN": (("श्री", "डॉ."), ("श्रीमती", "सुश्री", "डॉ.")),
    "is_IS": (("Herra", "Dr."), ("Frú", "Dr.")),
    "ja_JP": (("様", "先生"), ("様", "先生")),
    "pl_PL": (("Pan", "dr", "mgr inż."), ("Pani", "dr", "mgr inż.")),
    "vi_VN": (("Ông", "Anh"), ("Bà", "Cô")),
}
# Surnames that Faker does not generate: a comma, quotation marks, and a character of four bytes in UTF-8.
UNUSUAL_LASTNAMES: dict[str, tuple[str, ...]] = {
    "en_GB": ("St John-Smythe, OBE", "O'Brien"),
    "en_US": ("Washington, Jr.", 'Kowalski "Ko" Brandt', "van der Berg, III"),
    "ja_JP": ("𠮷田", "𠮷野"),
}
# Most customers are active (1), some are not (0), some have left (2); empty is stored as 0.
STATUSES = ("1",) * 14 + ("0",) * 4 + ("2", "")
AGES = tuple(str(age) for age in range(18, 96) for _ in range(1 + (95 - age) // 8))


@dataclass(frozen=True, slots=True)
class Name:
    """A first or last name.

    Attributes:
        field: The name as a field of a CSV file, quoted where it has to be.
        mail: The name in the characters of a mail address.
    """

    field: str
    mail: str


@dataclass(frozen=True, slots=True)
class People:
    """The values from which rows of one gender in one locale are combined."""

    titles: tuple[str, ...]
    firstnames: tuple[Name, ...]
    lastnames: tuple[Name, ...]
    domains: tuple[str, ...]


def quoted(text: str) -> str:
    """Return the text as one CSV field, in quotation marks only where the field needs them."""
    if any(character in text for character in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text


def mail_part(text: str, fallback: str) -> str:
    """Return the text in lower-case ASCII letters and hyphens, or the fallback where no letter is left."""
    plain = unicodedata.normalize("NFKD", text.split(",", maxsplit=1)[0]).encode("ascii", "ignore").decode()
    part = "".join(
        character for character in plain.lower().replace(" ", "-") if character.isalpha() or character == "-"
    )
    return part.strip("-") or fallback


@cache
def people(seed: int) -> tuple[People, ...]:
    """Draw the names of all locales.

    Args:
        seed: Any whole number; the same one draws the same names.

    Returns:
        One entry for each gender of each locale, every field of it within the table's columns.
    """
    drawn = []
    for locale, genders in TITLES.items():
        fake = Faker(locale)
        fake.seed_instance(f"{seed} {locale}")

        def names(source: Callable[[], str], more: tuple[str, ...], fake: Faker = fake) -> tuple[Name, ...]:
            texts = dict.fromkeys([source() for _ in range(NAMES_PER_LOCALE)] + list(more))
            return tuple(Name(quoted(text), mail_part(text, fake.user_name().strip("0123456789"))) for text in texts)

        domains = tuple(
            f"{fake.domain_word()}.example.{zone}"
            for _ in range(DOMAINS_PER_LOCALE // 3)
            for zone in ("com", "net", "org")
        )
        unusual = UNUSUAL_LASTNAMES.get(locale, ())
        for titles, first, last in (
            (genders[0], fake.first_name_male, fake.last_name_male),
            (genders[1], fake.first_name_female, fake.last_name_female),
        ):
            drawn.append(People(tuple(map(quoted, titles)), names(first, ()), names(last, unusual), domains))
    return tuple(drawn)


Fields = list[str]
Spoiler = Callable[[Fields, random.Random], bytes]


def line(fields: Sequence[str]) -> bytes:
    """Return the fields as one line of a CSV file, without its newline."""
    return ",".join(map(quoted, fields)).encode()


def _with_value(column: int, values: Sequence[str]) -> Spoiler:
    def spoil(fields: Fields, source: random.Random) -> bytes:
        fields[column] = source.choice(values)
        return line(fields)

    return spoil


def _longer_than(column: int, limit: int) -> Spoiler:
    def spoil(fields: Fields, source: random.Random) -> bytes:
        missing = limit + source.randint(1, 40) - len(fields[column])
        # In front, so that an address keeps its domain.
        fields[column] = "x" * missing + fields[column]
        return line(fields)

    return spoil


def _mail(change: Callable[[str], str]) -> Spoiler:
    def spoil(fields: Fields, _source: random.Random) -> bytes:
        fields[4] = change(fields[4])
        return line(fields)

    return spoil


def _bytes(column: int, change: Callable[[bytes], bytes]) -> Spoiler:
    def spoil(fields: Fields, _source: random.Random) -> bytes:
        encoded = [quoted(field).encode() for field in fields]
        encoded[column] = change(fields[column].replace('"', "").replace(",", "").encode())
        return b",".join(encoded)

    return spoil


# The kinds of errors of one row for which the importer rejects that row and no other.
BAD_KINDS: dict[str, Spoiler] = {
    "age out of range": _with_value(5, ("128", "200", "999", "4294967296")),
    "age negative": _with_value(5, ("-1", "-30")),
    "age not a plain integer": _with_value(5, ("forty", "n/a", "30.5", "3e1", "+30", "0x1f", "NULL")),
    "age in other digits": _with_value(5, ("٣٠", "३०", "３０")),
    "age empty": _with_value(5, ("",)),
    "status out of range": _with_value(3, ("128", "-1", "256")),
    "status not an integer": _with_value(3, ("active", "true", "1.0")),
    "title empty": _with_value(0, ("",)),
    "firstname empty": _with_value(1, ("",)),
    "lastname empty": _with_value(2, ("",)),
    "email empty": _with_value(4, ("",)),
    "title too long": _longer_than(0, 50),
    "firstname too long": _longer_than(1, 255),
    "lastname too long": _longer_than(2, 255),
    "email too long": _longer_than(4, 255),
    "email without @": _mail(lambda mail: mail.replace("@", ".")),
    "email with two @": _mail(lambda mail: mail.replace("@", "@@")),
    "email without name": _mail(lambda mail: mail[mail.index("@") :]),
    "email without domain": _mail(lambda mail: mail[: mail.index("@") + 1]),
    "field too many": lambda fields, _source: line([*fields, "extra"]),
    "field missing": lambda fields, _source: line(fields[:5]),
    "not UTF-8": _bytes(2, lambda name: name + b"\xe9"),
    "UTF-8 cut short": _bytes(1, lambda name: name + b"\xf0\x9f\x98"),
    "NUL byte": _bytes(2, lambda name: name + b"\x00"),
}


def _good(groups: tuple[People, ...], source: random.Random) -> bytes:
    """Return one good line without its newline."""
    group = source.choice(groups)
    first, last = source.choice(group.firstnames), source.choice(group.lastnames)
    return (
        f"{source.choice(group.titles)},{first.field},{last.field},{source.choice(STATUSES)},"
        f"{first.mail}.{last.mail}@{source.choice(group.domains)},{source.choice(AGES)}"
    ).encode()


def blocks(rows: int, seed: int, bad: int, kinds: Mapping[str, Spoiler] = BAD_KINDS) -> Iterator[bytes]:
    """Yield a sample file in pieces: the header, then the rows.

    Args:
        rows: Rows below the header, 0 or more.
        seed: Any whole number; the same one gives the same bytes.
        bad: How many of the rows the importer has to reject, 0 to ``rows``. They are at random places all
            over the file; their kinds take turns, so that each occurs where ``bad`` is large enough.
        kinds: The kinds of bad rows.

    Raises:
        ValueError: ``rows`` is negative or ``bad`` is not between 0 and ``rows``.
    """
    if rows < 0 or not 0 <= bad <= rows:
        raise ValueError(f"{bad} bad rows of {rows} are impossible.")
    yield HEADER
    groups = people(seed) if rows else ()
    source = random.Random(seed)  # noqa: S311  # sample data is not secret
    spoilers = list(kinds.values())
    source.shuffle(spoilers)
    spoiled = 0
    for start in range(0, rows, BLOCK_ROWS):
        count = min(BLOCK_ROWS, rows - start)
        lines = [_good(groups, source) for _ in range(count)]
        for position in sorted(source.sample(range(count), share(bad - spoiled, rows - start, count, source))):
            fields = next(csv.reader([lines[position].decode()]))
            lines[position] = spoilers[spoiled % len(spoilers)](fields, source)
            spoiled += 1
        yield b"\n".join(lines) + b"\n"


def _natural(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError
    return number


def _ratio(text: str) -> float:
    number = float(text)
    if not 0 <= number <= 1:
        raise ValueError
    return number


_natural.__name__ = "whole number from 0"
_ratio.__name__ = "number from 0 to 1"


def _content(dataset: Path, rows: int, seed: int, bad: int) -> Iterator[bytes]:
    """Choose the generator for a dataset.

    Raises:
        DescriptorInvalid: The descriptor cannot be used.
        SampleRefused: No rows can be generated for it.
    """
    descriptor = load(dataset)
    names = [field["name"] for field in descriptor["schema"]["fields"]]
    if descriptor["name"] == "customer" and names == HEADER.decode().strip().split(","):
        return blocks(rows, seed, bad)
    return sample_values.blocks(descriptor, rows, seed, bad)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the file that the command line asks for and, to standard error, one line about it.

    Args:
        arguments: The words after the command's name; those of the process when None.

    Returns:
        The exit code: 0, or 1 when the file cannot be generated or written.

    Raises:
        SystemExit: the arguments are wrong (code 2), or help was asked for.
    """
    parser = argparse.ArgumentParser(description="Write a sample CSV file for the importer.")
    parser.add_argument("--rows", type=_natural, default=1000, help="rows below the header (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="same seed, same bytes (default: %(default)s)")
    parser.add_argument(
        "--bad-ratio",
        type=_ratio,
        default=0.0,
        help="share of the rows that the importer has to reject, 0 to 1, rounded to whole rows (default: 0)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="where to write, compressed if it ends in .gz (default: standard output)",
    )
    parser.add_argument(
        "--dataset", type=Path, metavar="FILE", default=DATASET, help="its descriptor (default: datasets/customer.yaml)"
    )
    options = parser.parse_args(arguments)
    bad = round(options.rows * options.bad_ratio)
    try:
        content = _content(options.dataset, options.rows, options.seed, bad)
        with options.output.open("wb") if options.output else nullcontext(sys.stdout.buffer) as output:
            if options.output and options.output.suffix == ".gz":
                # Without the time, so that the same arguments give the same bytes.
                with gzip.GzipFile("", "wb", fileobj=output, mtime=0) as packed:
                    packed.writelines(content)
            else:
                output.writelines(content)
            # Here, where an error of the last write is still handled.
            output.flush()
    except (DescriptorInvalid, SampleRefused) as error:
        print(error, file=sys.stderr)
        return 1
    except BrokenPipeError:
        # The reader, such as head, has closed the pipe. Python would report that again when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        print(f"Cannot write {options.output or 'standard output'}: {error.strerror}", file=sys.stderr)
        return 1
    print(f"{options.rows} rows, {bad} of them bad, in {options.output or 'standard output'}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
