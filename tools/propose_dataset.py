#!/usr/bin/env python3
"""Propose the descriptor of a dataset from the first part of a CSV file, for a person to read and edit.

    tools/propose_dataset.py --name orders orders.csv     # writes datasets/orders.yaml

Nothing but that file is written. It says of each field what it was inferred from, and holds no value of a row: a
descriptor is committed. The importer's own parser reads the head under the proposal before that is written.
"""

from __future__ import annotations

import argparse
import io
import json
import re
import sys
import tempfile
import textwrap
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "files/lambda"))

import field_types
from csv_head import HEAD_BYTES, HEAD_ROWS, Head, HeadRefused, read_head
from descriptors import DescriptorInvalid, load
from field_types import Guess

from csv_importer.datasets import Dataset
from csv_importer.errors import FileRefused
from csv_importer.fields import LONGEST_VARCHAR
from csv_importer.headers import read_header
from csv_importer.parsing import Reject, read_blocks

DATASETS = Path(__file__).resolve().parent.parent / "datasets"

RESERVED = ("id", "import_file", "import_id", "created_at")
"""Columns that tables may have of their own."""

ROW_BYTES = 60_000
"""Of the 65,535 that the columns of a table may have: https://dev.mysql.com/doc/refman/8.4/en/column-count-limit.html."""

_NAME = re.compile("[a-z_][a-z0-9_]{0,63}")
_KEY = re.compile(r"(?:^|_)(?:id|no|code|key|uuid|guid|sku|ean|isbn)$|nr$|nummer$|number$")
_LETTERS = str.maketrans({"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"})


@dataclass(frozen=True)
class Field:
    """A proposed field.

    Attributes:
        name: The column's name.
        header: The name in the header.
        title: The same, where it is another one.
        guess: What it seems to hold.
    """

    name: str
    header: str
    title: str | None
    guess: Guess


@dataclass
class Proposal:
    """The lines of a descriptor.

    Attributes:
        lines: The lines.
        doubts: What a person has to decide, with the number of the line, from 1.
    """

    lines: list[str] = field(default_factory=list)
    doubts: list[tuple[int, str]] = field(default_factory=list)

    def comment(self, text: str, indent: int = 0) -> None:
        """Add a comment."""
        lead = " " * indent + "# "
        self.lines += textwrap.wrap(text, 120, initial_indent=lead, subsequent_indent=lead)

    def doubt(self, text: str, indent: int = 0) -> None:
        """Add a comment about what a person has to decide."""
        self.doubts.append((len(self.lines) + 1, text))
        self.comment(f"Check: {text}.", indent)

    @property
    def text(self) -> str:
        """The descriptor."""
        return "".join(f"{line}\n" for line in self.lines)


def valid_name(title: str, place: int, table: str) -> str:
    """Return a name for a column that MySQL and the importer take.

    Args:
        title: Its name in the header.
        place: Its place in the file, from 1.
        table: The table's name.
    """
    plain = unicodedata.normalize("NFKD", title.strip().lower().translate(_LETTERS)).encode("ascii", "ignore").decode()
    name = re.sub("[^a-z0-9]+", "_", plain).strip("_")[:60].rstrip("_")
    if not re.search("[a-z]", name):
        name = f"column_{name}" if name else f"f{place}"
    elif name[0].isdigit():
        name = f"column_{name}"
    return f"{table}_{name}"[:64] if name in RESERVED else name


def fields_of(head: Head, table: str) -> list[Field]:
    """Guess the fields of a file."""
    titles: Sequence[str] = head.header.fields if head.header else head.names
    width = len(titles or (head.rows[0].fields if head.rows else ()))
    lines = [row.line for row in head.rows]
    columns = list(zip(*(row.fields for row in head.rows), strict=True)) or [()] * width
    names = _names(titles, table) if titles else [f"f{place}" for place in range(1, width + 1)]
    found: list[Field] = []
    for place, (name, values) in enumerate(zip(names, columns, strict=True)):
        title = titles[place].strip() if titles else name
        same = title.lower() == name or title.casefold() in (each.strip().casefold() for each in titles[:place])
        found.append(Field(name, title, None if same else title, field_types.guess(name, values, lines)))
    return found


def _names(titles: Sequence[str], table: str) -> list[str]:
    """Return names for columns, of which no two are the same, nor one the title of another column."""
    wanted = [valid_name(title, place, table) for place, title in enumerate(titles, 1)]
    taken = {title.strip().casefold() for title in titles}
    names: list[str] = []
    for place, (name, title) in enumerate(zip(wanted, titles, strict=True), 1):
        own = title.strip().casefold() == name and name not in names
        names.append(name if own or name not in {*taken, *names} else f"{name[:58]}_{place}")
    return names


def propose(head: Head, table: str, title: str) -> Proposal:
    """Write the descriptor of a file.

    Args:
        head: The head of the file.
        table: The dataset's name, and the table's.
        title: What the file is called.
    """
    out = Proposal()
    fields = fields_of(head, table)
    rows = len(head.rows)
    seen = f"{'all of its' if head.whole else 'its first'} {_counted(rows, 'row')}"
    out.lines.append("---")
    out.comment(
        f"Proposed from a CSV file, {seen}: edit it. What a comment says was seen may be otherwise in other files."
        " Lengths and digits have room for about twice what was seen; what was never missing is required."
    )
    out.comment("The form: https://datapackage.org/standard/data-resource/")
    out.lines += [
        "$schema: https://datapackage.org/profiles/2.0/dataresource.json",
        "# The table.",
        f"name: {_scalar(table)}",
        f"title: {_scalar(title)}",
        "type: table",
        f"path: {table}.csv{'.gz' if head.packed else ''}",
        "format: csv",
        "mediatype: text/csv",
    ]
    if head.guessed:
        out.doubt(f"{head.encoding} is a guess: look at letters beyond ASCII in the file")
    out.lines.append(f"encoding: {head.encoding}")
    out.lines += _dialect(head)
    out.lines.append("schema:")
    if head.header_doubt:
        out.doubt(head.header_doubt, 2)
    unnamed = [place for place, one in enumerate(fields, 1) if head.header and not one.header]
    if unnamed:
        places = ", ".join(map(str, unnamed))
        out.doubt(f"column {places} has no name in the header, and is left out: fieldsMatch subset ignores it", 2)
    elif head.header:
        out.comment("Every field, in any order.", 2)
    if head.header:
        out.lines.append(f"  fieldsMatch: {'subset' if unnamed else 'equal'}")
        fields = [one for one in fields if one.header]
    out.lines.append('  missingValues: [""]')
    keys = [one.name for one in fields if one.guess.distinct and _KEY.search(one.name) and _is_key(one.guess)]
    if keys:
        out.comment("The values in the head are all distinct. If a second row of such a value is a fault:", 2)
        out.lines.append(f"  # primaryKey: [{_scalar(keys[0])}]")
    for what, count in head.faults.items():
        out.doubt(f"{_counted(count, 'record')} of the head would be rejected, for {what}", 2)
    out.lines.append("  fields:")
    wide = _wide(fields)
    headers = [one.header.casefold() for one in fields]
    for one in fields:
        _add(out, one, headers, long_text=one.name in wide)
    return out


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _is_key(guess: Guess) -> bool:
    return guess.properties["type"] in ("integer", "string")


def _wide(fields: Sequence[Field]) -> set[str]:
    """Choose the fields that are stored as TEXT since VARCHARs, of four bytes a character, would not fit into a row."""
    sizes = {
        one.name: length for one in fields if (length := one.guess.properties.get("constraints", {}).get("maxLength"))
    }
    wide = {name for name, length in sizes.items() if length > 4000}
    for name in sorted(sizes, key=lambda name: sizes[name], reverse=True):
        if sum(4 * size + 2 for other, size in sizes.items() if other not in wide) <= ROW_BYTES:
            break
        wide.add(name)
    return wide


def _dialect(head: Head) -> Iterator[str]:
    dialect = head.dialect
    yield "dialect:"
    yield f"  delimiter: {_quoted(dialect.delimiter)}"
    if dialect.escape:
        yield f"  escapeChar: {_quoted(dialect.escape)}"
    else:
        yield f"  quoteChar: {_quoted(dialect.quote) if dialect.quote != '"' else "'\"'"}"
        yield "  doubleQuote: true"
    if dialect.skip_space:
        yield "  skipInitialSpace: true"
    if dialect.comment:
        yield f"  commentChar: {_quoted(dialect.comment)}"
    yield f"  header: {_quoted(head.header is not None)}"
    if head.header and head.headed:
        yield f"  headerRows: [{head.header.line}]"


def _add(out: Proposal, one: Field, headers: Sequence[str], *, long_text: bool) -> None:
    guess = one.guess
    out.comment(guess.seen, 4)
    for doubt in guess.doubts:
        out.doubt(f"{one.name}: {doubt}", 4)
    if headers.count(one.header.casefold()) > 1:
        out.doubt(f"{one.name}: the header has this name twice, and such a file is refused", 4)
    out.lines.append(f"    - name: {_scalar(one.name)}")
    if one.title is not None:
        out.lines.append(f"      title: {_scalar(one.title)}")
    properties = dict(guess.properties)
    if long_text:
        properties["csvToAurora:columnType"] = (
            "text" if properties["constraints"]["maxLength"] <= LONGEST_VARCHAR else "mediumtext"
        )
    for name, value in properties.items():
        out.lines.append(f"      {name}: {_scalar(value)}")


def _scalar(value: object) -> str:
    """Return a value as YAML, where nothing follows on the line."""
    return value if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS else _flow(value)


def _flow(value: object) -> str:
    """Return a value as YAML, where more may follow on the line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_flow(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return _quoted(value)


_PLAIN = re.compile(r"[A-Za-z](?:[A-Za-z0-9_(), ]*[A-Za-z0-9_)])?")
_WORDS = ("true", "false", "null", "yes", "no", "on", "off", "y", "n")


def _quoted(value: object) -> str:
    """Return a value as JSON, which is YAML."""
    text = json.dumps(value, ensure_ascii=False)
    return text if text.isprintable() else json.dumps(value)


@dataclass(frozen=True)
class Reading:
    """What the importer makes of a head under a proposal.

    Attributes:
        refused: Why it refuses the file as a whole, where it does.
        loaded: How many rows it loads.
        rejects: The rows that it rejects.
    """

    refused: str | None
    loaded: int = 0
    rejects: Sequence[Reject] = ()


def check(text: str, target: str, head: Head) -> Reading:
    """Check a proposal as the importer does, and read the head with it.

    Args:
        text: The descriptor.
        target: Where it is going to be written, for messages.
        head: The head.

    Raises:
        DescriptorInvalid: The importer does not take the descriptor.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "proposal.yaml"
        file.write_text(text, encoding="utf-8")
        try:
            dataset = Dataset.of(load(file))
        except DescriptorInvalid as error:
            raise DescriptorInvalid(str(error).replace(str(file), target)) from None
    read = io.BytesIO(head.content).read
    try:
        header, rest = read_header(read, dataset)
    except FileRefused as error:
        return Reading(str(error))
    loaded, rejects = 0, list[Reject]()
    for block in read_blocks(read, header.layout, header.end, rest):
        loaded += len(block)
        rejects += block.rejects
    return Reading(None, loaded, rejects)


def main(arguments: Sequence[str] | None = None) -> int:
    """Propose a descriptor.

    Args:
        arguments: The words after the command's name; those of the process when None.

    Returns:
        The exit code: 0, or 1 where nothing could be proposed.

    Raises:
        SystemExit: the arguments are wrong (code 2), or help was asked for.
    """
    options = _options(arguments)
    target: Path = options.output or DATASETS / f"{options.name}.yaml"
    to_stdout = str(target) == "-"
    shown = "standard output" if to_stdout else _shown(target)
    if not to_stdout and target.exists():
        return _failed(f"{shown} exists, and is not overwritten. Remove it, or choose another place with --output.")
    try:
        head = read_head(
            options.csv,
            encoding=options.encoding,
            delimiter=options.delimiter,
            header=None if options.header is None else options.header == "yes",
        )
        title = re.sub("[_ -]+", " ", options.name).strip().capitalize()
        proposal = propose(head, options.name, title)
        reading = check(proposal.text, shown, head)
        if to_stdout:
            sys.stdout.write(proposal.text)
        else:
            with target.open("x", encoding="utf-8") as file:
                file.write(proposal.text)
    except HeadRefused as error:
        return _failed(f"Nothing is proposed for {options.csv}: {error}.")
    except DescriptorInvalid as error:
        return _failed(f"Nothing is proposed for {options.csv}: its descriptor would be refused.\n{error}")
    except OSError as error:
        return _failed(f"{error.filename}: {error.strerror}.")
    _report(proposal, shown, head, reading)
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Propose the descriptor of a dataset from the head of a CSV file.")
    parser.add_argument("csv", type=Path, metavar="FILE", help="a CSV file, as it is or compressed with gzip")
    parser.add_argument("--name", required=True, help="the dataset's name, and the table's: a-z, 0-9 and _")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="PATH", help="where to write, - for standard output (default: datasets/)"
    )
    parser.add_argument("--encoding", help="the file's encoding, where the guess is wrong: cp1252, say")
    parser.add_argument(
        "--delimiter", type=_character, metavar="CHARACTER", help="its delimiter, where that is not found"
    )
    parser.add_argument("--header", choices=("yes", "no"), help="whether the first record names the columns")
    options = parser.parse_args(arguments)
    if not _NAME.fullmatch(options.name):
        parser.error(
            f"--name is {options.name!r}: it is the table's name, lower-case letters, digits and _, at most 64:"
            " make dataset name=orders csv=FILE"
        )
    if not options.csv.is_file():
        parser.error(f"{str(options.csv)!r} is no file: make dataset name=orders csv=FILE")
    return options


def _character(text: str) -> str:
    one = {"tab": "\t", "\\t": "\t"}.get(text, text)
    if len(one) != 1:
        raise ValueError
    return one


_character.__name__ = "single character, or tab"


def _shown(path: Path) -> str:
    """Return a path as a person in this folder writes it."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _failed(message: str) -> int:
    print(message, file=sys.stderr)
    return 1


def _report(proposal: Proposal, shown: str, head: Head, reading: Reading) -> None:
    """Say what was proposed and what comes next, without a value of a row."""
    part = "the file" if head.whole else f"its head ({HEAD_BYTES >> 20} MiB, {HEAD_ROWS:,} rows at most)"
    loaded, rejected = reading.loaded, len(reading.rejects)
    if reading.refused:
        says = f"the importer refuses {part}: {reading.refused}"
    else:
        says = f"the importer takes {loaded:,} of {_counted(loaded + rejected, 'row')} of {part}"
    print(f"{shown}: proposed. Under it, {says}.", file=sys.stderr)
    for reject in reading.rejects[:5]:
        where = f", {reject.column}" if reject.column else ""
        print(f"  line {reject.line:,}{where}: {reject.reason}", file=sys.stderr)
    if proposal.doubts:
        print("To be decided by you:", file=sys.stderr)
        for line, text in proposal.doubts:
            print(f"  {shown}:{line}: {text}", file=sys.stderr)
    print(
        "Next: read and edit it, add its name to stack_datasets in inventories/<environment>/group_vars/all/main.yml,"
        " run playbooks/site.yml.",
        file=sys.stderr,
    )


if __name__ == "__main__":
    sys.exit(main())
