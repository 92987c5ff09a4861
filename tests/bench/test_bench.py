"""What the benchmark computes, and where it writes it."""

from __future__ import annotations

import math
import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.__main__ import SECTIONS
from bench.large_files import START_SECONDS, TIMEOUT_SECONDS, duration, loading
from bench.parts import split
from csv_importer.handler import RESERVE_SECONDS

PROJECT = Path(__file__).parents[2]


@given(st.lists(st.binary(max_size=40).filter(lambda line: b"\n" not in line), max_size=60), st.integers(1, 8))
def test_parts_have_the_lines_of_the_file_in_their_order(lines: list[bytes], parts: int) -> None:
    rows = [line + b"\n" for line in lines]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "whole.csv"
        file.write_bytes(b"".join([b"the header\n", *rows]))
        contents = [part.read_bytes() for part in split(file, parts)]
    assert len(contents) == parts
    assert all(content.startswith(b"the header\n") for content in contents)
    assert b"".join(content.removeprefix(b"the header\n") for content in contents) == b"".join(rows)


def test_parts_are_of_about_the_same_size(tmp_path: Path) -> None:
    file = tmp_path / "whole.csv"
    file.write_bytes(b"the header\n" + b"0123456789\n" * 100_000)
    sizes = [part.stat().st_size for part in split(file, 7)]
    assert max(sizes) - min(sizes) <= 2 * len(b"0123456789\n")


@pytest.mark.parametrize("gigabytes", [1, 10, 100])
@pytest.mark.parametrize("rate", [1e6, 7.7e6, 50e6])
def test_a_large_file_takes_as_many_invocations_as_if_one_followed_another(gigabytes: int, rate: float) -> None:
    left, seconds, invocations = gigabytes * 1e9, 0.0, 0
    while left > 0:
        invocations += 1
        at_work = min(TIMEOUT_SECONDS - RESERVE_SECONDS - START_SECONDS, left / rate)
        seconds += START_SECONDS + at_work
        left = max(0.0, left - at_work * rate) if left - at_work * rate > 1 else 0.0
    computed = loading(gigabytes, rate)
    assert computed.invocations == invocations
    assert math.isclose(computed.seconds, seconds, rel_tol=1e-6)


def test_durations_have_the_unit_that_matters() -> None:
    assert [duration(seconds) for seconds in (12, 600, 9000)] == ["12 s", "10 min", "2.5 h"]


def test_the_page_has_a_place_for_each_section() -> None:
    page = (PROJECT / "docs" / "speed.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"<!-- bench: (\w+) -->", page)) == sorted([*SECTIONS, "large_files"])
