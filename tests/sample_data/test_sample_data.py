"""The sample files, validated by docs/behaviour.md with code that the generator does not share."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sample_data
from hypothesis import given, settings
from hypothesis import strategies as st

LIMITS = {"title": 50, "firstname": 255, "lastname": 255, "email": 255}
COLUMNS = ["title", "firstname", "lastname", "status", "email", "age"]
TOOL = Path(sample_data.__file__)


def error(raw: bytes) -> str | None:
    """Return why the importer has to reject the line, or None where it has to load it."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return "not UTF-8"
    if "\x00" in text:
        return "NUL"
    fields = next(csv.reader([text], strict=True))
    if len(fields) != len(COLUMNS):
        return "field count"
    row = dict(zip(COLUMNS, fields, strict=True))
    for column, limit in LIMITS.items():
        if not row[column]:
            return f"{column} empty"
        if len(row[column]) > limit:
            return f"{column} too long"
    name, _, domain = row["email"].partition("@")
    if not name or not domain or "@" in domain:
        return "email"
    for column in ("age", "status"):
        if row[column] == "" and column == "status":
            continue
        if not (row[column].isascii() and row[column].isdigit() and int(row[column]) <= 127):
            return column
    return None


def rows_of(content: bytes) -> list[bytes]:
    """Return the lines below the header of a file in which no field spans lines."""
    header, *rows = content.split(b"\n")
    assert header.decode().split(",") == COLUMNS
    assert rows.pop() == b"", "the file has to end with a newline"
    return rows


def content(rows: int, seed: int = 1, bad: int = 0) -> bytes:
    return b"".join(sample_data.blocks(rows, seed, bad))


@pytest.fixture(scope="module")
def good_rows() -> list[bytes]:
    return rows_of(content(20_000))


def test_no_rows_is_a_header() -> None:
    assert content(0) == b"title,firstname,lastname,status,email,age\n"


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 300), st.sampled_from([-5, 0, 10**9]), st.data())
def test_exactly_the_bad_rows_are_bad(rows: int, seed: int, data: st.DataObject) -> None:
    bad = data.draw(st.integers(0, rows))
    found = rows_of(content(rows, seed, bad))
    assert len(found) == rows
    assert sum(error(row) is not None for row in found) == bad


@pytest.mark.parametrize("bad", [0, 1, 2_499, 25_000, 25_001])
def test_counts_hold_over_several_blocks(bad: int) -> None:
    found = rows_of(content(2 * sample_data.BLOCK_ROWS + 5_001, seed=3, bad=bad))
    assert len(found) == 25_001
    assert sum(error(row) is not None for row in found) == bad


def test_bad_rows_are_all_over_the_file() -> None:
    found = rows_of(content(50_000, bad=500))
    tenths = [sum(error(row) is not None for row in found[start : start + 5_000]) for start in range(0, 50_000, 5_000)]
    assert all(20 <= count <= 80 for count in tenths), tenths


@pytest.mark.parametrize("kind", sample_data.BAD_KINDS)
def test_every_kind_of_bad_row_is_rejected(kind: str) -> None:
    kinds = {kind: sample_data.BAD_KINDS[kind]}
    found = rows_of(b"".join(sample_data.blocks(200, 5, 200, kinds)))
    assert [row for row in found if error(row) is None] == []


def test_all_kinds_are_there_when_there_are_enough_bad_rows() -> None:
    kinds = len(sample_data.BAD_KINDS)
    reasons = {error(row) for row in rows_of(content(kinds, bad=kinds))}
    assert {"not UTF-8", "NUL", "field count", "email", "age", "status"} < reasons
    assert {f"{column} {what}" for column in LIMITS for what in ("empty", "too long")} < reasons


def test_same_seed_same_bytes_other_seed_other_bytes() -> None:
    assert content(3_000, seed=8, bad=30) == content(3_000, seed=8, bad=30)
    assert content(3_000, seed=8, bad=30) != content(3_000, seed=9, bad=30)


def test_good_rows_are_varied(good_rows: list[bytes]) -> None:
    text = b"\n".join(good_rows).decode()
    parsed = list(csv.reader(io.StringIO(text), strict=True))
    assert any("," in row[2] for row in parsed), "no quoted comma"
    assert any('"' in row[2] for row in parsed), "no doubled quote"
    assert any(max(map(ord, row[2])) > 0xFFFF for row in parsed), "no character of four bytes"
    assert {row[3] for row in parsed} == {"0", "1", "2", ""}
    assert len({row[1] for row in parsed}) > 1_000
    assert len({row[2] for row in parsed}) > 1_000
    assert len({row[5] for row in parsed}) > 60


def test_addresses_are_in_reserved_domains(good_rows: list[bytes]) -> None:
    domains = {row.decode().rsplit(",", 2)[1].partition("@")[2] for row in good_rows}
    assert len(domains) > 300
    assert all(domain.endswith((".example.com", ".example.net", ".example.org")) for domain in domains)
    assert all(domain.isascii() for domain in domains)


@pytest.mark.parametrize(("rows", "bad"), [(-1, 0), (1, 2), (1, -1)])
def test_impossible_counts_are_refused(rows: int, bad: int) -> None:
    with pytest.raises(ValueError, match="impossible"):
        content(rows, bad=bad)


def run(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, str(TOOL), *arguments], capture_output=True, check=False)


def test_command_writes_the_same_to_a_file_and_to_standard_output(tmp_path: Path) -> None:
    to_file = run("--rows", "200", "--seed", "4", "--bad-ratio", "0.1", "--output", str(tmp_path / "a b.csv"))
    to_stdout = run("--rows", "200", "--seed", "4", "--bad-ratio", "0.1")
    assert (to_file.returncode, to_stdout.returncode) == (0, 0)
    assert to_file.stdout == b""
    assert to_stdout.stdout == (tmp_path / "a b.csv").read_bytes() == content(200, 4, 20)
    assert to_stdout.stderr == b"200 rows, 20 of them bad, in standard output\n"
    assert to_file.stderr.decode() == f"200 rows, 20 of them bad, in {tmp_path / 'a b.csv'}\n"


@pytest.mark.parametrize(
    "arguments",
    [("--rows", "-1"), ("--rows", "many"), ("--bad-ratio", "1.1"), ("--bad-ratio", "nan"), ("--seed", "x")],
)
def test_wrong_arguments_are_named(arguments: tuple[str, str]) -> None:
    result = run(*arguments)
    assert result.returncode == 2
    assert arguments[0] in result.stderr.decode()
    assert "Traceback" not in result.stderr.decode()


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    result = run("--output", str(tmp_path / "missing" / "a.csv"))
    assert result.returncode == 1
    assert result.stderr.decode() == f"Cannot write {tmp_path / 'missing' / 'a.csv'}: No such file or directory\n"


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [sys.executable, str(TOOL), "--rows", "200000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        yield running
        running.kill()


def test_a_closed_pipe_ends_it_without_a_message(process: subprocess.Popen[bytes]) -> None:
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == b"title,firstname,lastname,status,email,age\n"
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == 1
