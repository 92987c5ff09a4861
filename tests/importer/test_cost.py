"""What an input may cost: steps, rejects and memory for each of its bytes, whatever it holds."""

import csv
import io
import sys
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import count

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from csv_importer.dialects import RFC4180, Dialect
from csv_importer.headers import read_header
from csv_importer.limits import DEFAULTS, Limits
from csv_importer.parsing import Block, Position, read_blocks
from csv_importer.records import BROKEN_QUOTES, too_long

from .files import CUSTOMER, GOOD, HEADER

TOOL = 4
"""The number of this file's tool for sys.monitoring: one that no other has."""

STEPS_PER_BYTE = 60
"""Lines, calls and jumps of Python for each byte: the shortest lines need a third of that."""

ALPHABET = ["a", ",", '"', "\n", "\r", "\ufeff", "\0", "é", "1", "\x1f"]
ATTACKS = [
    'a","\n',
    '"\n',
    'a,"\n',
    '""\n"',
    'a"b,"\n\n',
    '"a\r',
    "\n",
    "\r",
    "x\n",
    ",",
    '"',
    ",,,,,\n",
    'é,"""\n',
    "\0\n",
]
OTHERS = {
    "escape": Dialect(header=False, quote=None, escape="\\"),
    "single quotes": Dialect(header=False, delimiter=";", quote="'", double_quote=False, skip_initial_space=True),
    "comments": Dialect(header=False, comment="#", comment_rows=frozenset(range(1, 500, 2)), skip_initial_space=True),
}
OTHER_ATTACKS = {
    "escape": ["\\\n", "a\\\r\n", "\\\\\n", "\\", ",\\,", "\\\r"],
    "single quotes": ["a;'\n", "';'\n", "''\n'", " ;' '", " ", "\n ", "';'; \r"],
    "comments": ['#"\n', '"\n#"', "#", "#\n", 'a, "\n#', " #\n", '#a\r"'],
}
SMALL = Limits(block_bytes=300, block_lines=7, max_record_bytes=100, max_record_lines=4, raw_length=25, sample_bytes=1)


def blocks_of(
    body: bytes, limits: Limits = DEFAULTS, keep_rejects: int = sys.maxsize, dialect: Dialect = RFC4180
) -> Iterator[Block]:
    """Read what follows the usual header, where the dialect has one."""
    source = io.BytesIO((HEADER.encode() + b"\n" if dialect.header else b"") + body)
    header, buffer = read_header(source.read, replace(CUSTOMER, dialect=dialect), limits=limits)
    return read_blocks(source.read, header.layout, header.end, buffer, limits=limits, keep_rejects=keep_rejects)


def steps_of(work: Callable[[], object]) -> int:
    """Count the lines, calls and jumps that some work needs: unlike its time, the same on every machine."""
    steps = count()
    monitoring = sys.monitoring
    counted = (monitoring.events.LINE, monitoring.events.CALL, monitoring.events.JUMP, monitoring.events.PY_START)
    monitoring.use_tool_id(TOOL, __name__)
    try:
        for event in counted:
            monitoring.register_callback(TOOL, event, lambda *_: next(steps))
        monitoring.set_events(TOOL, sum(counted))
        work()
    finally:
        monitoring.set_events(TOOL, 0)
        for event in counted:
            monitoring.register_callback(TOOL, event, None)
        monitoring.free_tool_id(TOOL)
    return next(steps)


def repeated(pattern: str, size: int) -> bytes:
    """Repeat a pattern up to so many bytes."""
    return (pattern.encode() * (size // len(pattern.encode()) + 1))[:size]


def consume(body: bytes, dialect: Dialect = RFC4180) -> None:
    for block in blocks_of(body, dialect=dialect):
        block.delimited()


# Steps


@settings(max_examples=60, deadline=None)
@given(pattern=st.text(st.sampled_from(ALPHABET), min_size=1, max_size=7), prefix=st.sampled_from(["", '"', "a\n"]))
@example(pattern='a","\n', prefix="")
@example(pattern='a","\r', prefix="")
@example(pattern='"\n', prefix="")
@example(pattern='a"\n', prefix='"')
def test_the_steps_for_each_byte_are_bounded_whatever_the_bytes(pattern: str, prefix: str) -> None:
    size = 24_000
    body = prefix.encode() + repeated(pattern, size)
    assert steps_of(lambda: consume(body)) < STEPS_PER_BYTE * size


@pytest.mark.parametrize("pattern", ATTACKS)
def test_twice_the_bytes_are_twice_the_steps(pattern: str) -> None:
    once, twice = repeated(pattern, 60_000), repeated(pattern, 120_000)
    assert steps_of(lambda: consume(twice)) < 2.2 * steps_of(lambda: consume(once)) + 1000


in_other_dialects = pytest.mark.parametrize(
    ("dialect", "pattern"), [(OTHERS[name], pattern) for name in OTHERS for pattern in OTHER_ATTACKS[name]]
)


@in_other_dialects
def test_in_any_dialect_twice_the_bytes_are_twice_the_steps(dialect: Dialect, pattern: str) -> None:
    once, twice = repeated(pattern, 24_000), repeated(pattern, 48_000)
    steps = steps_of(lambda: consume(once, dialect))
    assert steps < STEPS_PER_BYTE * len(once)
    assert steps_of(lambda: consume(twice, dialect)) < 2.2 * steps + 1000


@in_other_dialects
def test_in_any_dialect_a_block_holds_a_bounded_number_of_rejects(dialect: Dialect, pattern: str) -> None:
    for block in blocks_of(repeated(pattern, 200_000), dialect=dialect):
        # One more where the last line of the file has no end.
        assert block.rejected == len(block.rejects) <= DEFAULTS.block_lines + 1


def test_an_open_quote_on_every_line_is_a_reject_for_every_line() -> None:
    """Each of the lines begins a record that never ends: all that follow belong to it, up to the longest record."""
    body = 'a","\n' * 20_000
    rejects = [reject for block in blocks_of(body.encode()) for reject in block.rejects]
    assert [reject.line for reject in rejects] == list(range(2, 20_002))
    assert {reject.reason for reject in rejects[:-1000]} == {too_long(DEFAULTS)}
    assert {reject.reason for reject in rejects[-1000:]} == {BROKEN_QUOTES}


# Memory and rejects


def peak_of(work: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("pattern", ['a","\n', "\n", "x\n", '"\n', ",,,,,\n"])
def test_memory_does_not_grow_with_the_file(pattern: str) -> None:
    def read(size: int) -> None:
        left = [repeated(pattern, 100_000)] * (size // 100_000)
        source = iter([HEADER.encode() + b"\n", *left])
        header, buffer = read_header(lambda _: next(source, b""), CUSTOMER)
        for block in read_blocks(lambda _: next(source, b""), header.layout, header.end, buffer, keep_rejects=100):
            block.delimited()

    assert peak_of(lambda: read(600_000)) < 16 * 2**20


@pytest.mark.parametrize("pattern", ATTACKS)
def test_a_block_holds_a_bounded_number_of_rejects(pattern: str) -> None:
    for block in blocks_of(repeated(pattern, 500_000)):
        assert block.rejected == len(block.rejects) <= DEFAULTS.block_lines


body_of_tokens = st.lists(
    st.sampled_from([f"{GOOD}\n", f"{GOOD}\r\n", 'Mr,"a\nb",c,1,x@y,2\n', 'a","\n', *ALPHABET]), max_size=60
).map("".join)


@settings(max_examples=200, deadline=None)
@given(body=body_of_tokens, keep=st.integers(0, 12))
def test_the_first_rejects_are_kept_and_the_others_counted(body: str, keep: int) -> None:
    everything = list(blocks_of(body.encode(), SMALL))
    some = list(blocks_of(body.encode(), SMALL, keep))
    rejects = [reject for block in everything for reject in block.rejects]
    assert rejects == sorted(rejects, key=lambda reject: reject.line)
    assert [reject for block in some for reject in block.rejects] == rejects[:keep]
    assert sum(block.rejected for block in some) == len(rejects)
    assert [block.end for block in some] == [block.end for block in everything]


# The oracle


def by_the_csv_module(lines: Sequence[str], limits: Limits) -> tuple[list[list[str]], dict[int, str]]:
    """Read lines as documented, one record after another and each by the csv module alone.

    Returns:
        The records, without blank lines; the reasons of refused lines by their numbers.
    """
    records: list[list[str]] = []
    refused: dict[int, str] = {}
    first = 0
    while first < len(lines):
        after, rows, reason = record_by_the_csv_module(lines, first, limits)
        if rows:
            records += [row for row in rows if row]
            first = after
        else:
            refused[first] = reason
            first += 1
    return records, refused


def record_by_the_csv_module(lines: Sequence[str], first: int, limits: Limits) -> tuple[int, list[list[str]], str]:
    """Return where the record that begins on a line ends, and the record, or why there is none."""
    after = first
    while after < len(lines):
        after += 1
        size = sum(len(line.encode()) for line in lines[first:after])
        if after - first > 1 and (size > limits.max_record_bytes or after - first > limits.max_record_lines):
            return after, [], too_long(limits)
        try:
            return after, list(csv.reader(lines[first:after], strict=True)), ""
        except csv.Error as error:
            if str(error) != "unexpected end of data":
                break
    return after, [], BROKEN_QUOTES


@settings(max_examples=300, deadline=None)
@given(body=body_of_tokens)
@example(body='a","\n' * 6)
@example(body='"a\nb"c\n1,"\n')
def test_records_are_those_of_the_csv_module_wherever_quotes_are_broken(body: str) -> None:
    lines = list(io.StringIO(body, newline=""))
    records, refused = by_the_csv_module(lines, SMALL)
    blocks = list(blocks_of(body.encode(), SMALL))
    rows = [row for block in blocks for row in block.rows]
    rejects = [reject for block in blocks for reject in block.rejects]
    quotes = {reject.line - 2: reject.reason for reject in rejects if reject.reason in (BROKEN_QUOTES, too_long(SMALL))}
    # A record on one line is too long only if there is something else wrong with it.
    assert {line: reason for line, reason in quotes.items() if line in refused} == refused
    assert all(len(lines[line].encode()) > SMALL.max_record_bytes for line in quotes.keys() - refused.keys())
    assert len(rows) + len(rejects) == len(records) + len(refused)
    assert all(row in records for row in rows)
    assert blocks[-1].end == Position(len(HEADER) + 1 + len(body.encode()), len(lines) + 1) if blocks else not body
