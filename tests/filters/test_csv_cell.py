"""Foreign text in a CSV file that people open in a spreadsheet."""

from __future__ import annotations

import csv

import pytest

from ansible_collections.csv_to_aurora.importer.plugins.filter.csv_cell import csv_cell


@pytest.mark.parametrize("text", ["", "plain", 'a "quote"', "a,b", "two\nlines", "\\", "'already"])
def test_text_stays_as_it_is(text: str) -> None:
    assert next(csv.reader(csv_cell(text).splitlines(keepends=True))) == [text]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_what_could_be_a_formula_begins_with_an_apostrophe(text: str) -> None:
    assert next(csv.reader([csv_cell(text)])) == [f"'{text}"]
