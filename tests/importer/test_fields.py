"""What values each type of Table Schema may have, and what is stored of them, before any database."""

import datetime as dt
import json
import re
import string
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csv_importer.datasets import Dataset
from csv_importer.fields import NO_ERRORS, BaseField, Column, ValueRefused, compile_pattern

NO_NUMBER = ["", " ", "x", "1_0", "٣", "³", "１", "1 ", " 1", "--1", "+", "-", "0x1", "1e5", "1,000", "1 000"]
SAME = ...
UUID = "123e4567-e89b-12d3-a456-426614174000"
KINDS = ["string", "integer", "number", "boolean", "date", "time", "datetime", "year", "yearmonth", "duration"]
KINDS += ["list", "object", "array", "any"]


def column_of(**described: Any) -> Column:
    """Return the only column of a dataset."""
    described = {name.replace("csvToAurora_", "csvToAurora:"): value for name, value in described.items()}
    fields = [{"name": "value", "missingValues": [], **described}]
    (column,) = Dataset.of({"name": "things", "schema": {"fields": fields}}).columns
    return column


def to_database(column: Column, values: Sequence[str]) -> list[str | None]:
    """Return what the database gets."""
    texts = column.judge(values).texts
    return [texts.get(value, value) for value in values]


def check(column: Column, stored: dict[str, Any], refused: list[str]) -> None:
    """Check values one by one, and all together in one block."""
    expected = {value: value if text is SAME else text for value, text in stored.items()}
    for value, text in expected.items():
        assert column.judge([value]).errors == NO_ERRORS, value
        assert to_database(column, [value]) == [text]
    for value in refused:
        assert list(column.judge([value]).errors) == [0], value
    block = [*expected, *refused]
    assert list(column.judge(block).errors) == list(range(len(expected), len(block)))
    assert to_database(column, list(expected)) == list(expected.values())


def reason(column: Column, value: str) -> str:
    return column.judge([value]).errors[0]


# Text


def test_text_is_any_text_and_kept() -> None:
    values = ["", " ", "a\nb", "😀", "'; DROP TABLE customer; --", "\\N", "NULL", "x" * 30_000]
    check(column_of(type="string"), dict.fromkeys(values, SAME), [])
    check(column_of(), dict.fromkeys(values, SAME), [])
    assert column_of(type="string").sql_type == column_of().sql_type == "text"


def test_lengths_are_in_characters() -> None:
    column = column_of(type="string", constraints={"minLength": 2, "maxLength": 3})
    check(column, {"ab": SAME, "😀😀😀": SAME}, ["", "a", "abcd"])
    assert column.sql_type == "varchar(3)"
    assert reason(column, "a") == "shorter than 2 characters"
    assert reason(column, "abcd") == "longer than 3 characters"


def test_a_pattern_has_to_match_the_whole_value() -> None:
    column = column_of(type="string", constraints={"pattern": "[a-c]+[0-9]{2}", "maxLength": 10})
    check(column, {"abc12": SAME}, ["xabc12", "abc123", "abc12\n", "", "abc١٢"])
    check(column_of(type="string", constraints={"pattern": "^a.*$"}), {"apple": SAME}, ["banana", "a\n"])


@pytest.mark.parametrize(
    "pattern", [r"\p{L}+", "[a-z-[aeiou]]", "(?=a)b", r"(a)\1", r"\bword\b", "(a+)+b", "(ab|cd)*", "((a{1,9})*x)+", "("]
)
def test_a_pattern_that_only_one_syntax_has_or_that_may_be_slow_is_refused(pattern: str) -> None:
    with pytest.raises((ValueError, re.error)):
        compile_pattern(pattern)


@pytest.mark.parametrize(
    "pattern", [r"([0-9]{1,3}\.){3}[0-9]{1,3}", "[A-Z]{2}|x-[0-9]+", r"\d{4}-\d\d", "(ab)+", "a*b*"]
)
def test_usual_patterns_are_taken(pattern: str) -> None:
    assert compile_pattern(pattern).pattern == pattern


def test_only_listed_values_are_taken() -> None:
    column = column_of(type="string", constraints={"enum": ["new", "old"]})
    check(column, {"new": SAME, "old": SAME}, ["New", "new ", ""])
    labelled = [{"value": "a", "label": "Apple"}, {"value": "b"}, "c"]
    check(column_of(type="string", categories=labelled), dict.fromkeys("abc", SAME), ["Apple", "d"])
    both = column_of(type="string", categories=["a", "b"], constraints={"enum": ["b"]})
    check(both, {"b": SAME}, ["a"])
    check(column_of(type="integer", categories=[0, 1]), {"0": SAME, "+1": SAME}, ["2"])
    check(column_of(type="number", constraints={"enum": [1.5, "2"]}), {"1.50": "1.5", "2.0": "2"}, ["3"])


@pytest.mark.parametrize(
    ("form", "good", "bad"),
    [
        ("email", ["a@b", "a b@c", "é@ü"], ["", "a", "@b", "a@", "a@b@c"]),
        (
            "uri",
            ["http://example.org", "mailto:a@b.c", "urn:isbn:1", "http://[::1]:80/a?b#c", "a:", "file:///x%20y"],
            ["", "example.org", "//x", "http://a b", "http://é", "http://x/%2", "a:#b#c", "1a:b", "http://[x]y"],
        ),
        ("binary", ["", "YQ==", "YWI=", "YWJj", "+/+/"], ["YQ", "YQ=", "YWJj\n", "YW Jj", "YWJj=", "é"]),
        (
            "uuid",
            [UUID, "123E4567-E89B-12D3-A456-426614174000"],
            ["", UUID.replace("-", ""), "{123e4567-e89b-12d3-a456-426614174000}", "urn:uuid:1", "g" * 36],
        ),
    ],
)
def test_formats_of_text(form: str, good: list[str], bad: list[str]) -> None:
    check(column_of(type="string", format=form), dict.fromkeys(good, SAME), bad)


# Numbers


def test_integers() -> None:
    column = column_of(type="integer")
    good = ["0", "-0", "+5", "007", "-12", "9223372036854775807", "-9223372036854775808", "0" * 40 + "7"]
    check(column, dict.fromkeys(good, SAME), [*NO_NUMBER, "1.0", "9223372036854775808", "9" * 5000])
    assert column.sql_type == "bigint"
    assert "beyond what bigint holds" in reason(column, "9223372036854775808")


@pytest.mark.parametrize(
    ("column_type", "lowest", "highest"),
    [
        ("tinyint", -128, 127),
        ("tinyint unsigned", 0, 255),
        ("smallint", -32768, 32767),
        ("int", -(2**31), 2**31 - 1),
        ("int unsigned", 0, 2**32 - 1),
        ("bigint unsigned", 0, 2**64 - 1),
    ],
)
def test_integers_are_what_their_column_holds(column_type: str, lowest: int, highest: int) -> None:
    column = column_of(type="integer", csvToAurora_columnType=column_type)
    assert column.sql_type == column_type
    check(column, {str(lowest): SAME, str(highest): SAME}, [str(lowest - 1), str(highest + 1)])


def test_bounds_of_integers() -> None:
    column = column_of(type="integer", constraints={"minimum": "-5", "exclusiveMaximum": 2000})
    check(column, {"-5": SAME, "1999": SAME, "+07": SAME}, ["-6", "2000"])
    assert reason(column, "2000") == "not a whole number from -5 to 1999"
    check(
        column_of(type="integer", constraints={"exclusiveMinimum": 0, "maximum": 3}),
        {"1": SAME, "03": SAME},
        ["0", "4"],
    )


def test_plain_digits_have_neither_sign_nor_leading_zero() -> None:
    column = column_of(type="integer", csvToAurora_plainDigits=True)
    check(column, {"0": SAME, "10": SAME}, ["+1", "-1", "01", "00", *NO_NUMBER])


def test_groups_and_surroundings_of_integers() -> None:
    column = column_of(type="integer", groupChar=",")
    check(column, {"1,000": "1000", "12,34,567": "1234567", "5": SAME, "-1,0": "-10"}, ["1,,0", ",1", "1,", "1.000"])
    column = column_of(type="integer", bareNumber=False)
    check(column, {"95%": "95", "EUR -7": "-7", "€95": "95", "5": SAME}, ["", "%", "1 2", "5-5", "٣%"])


def test_numbers_are_decimals_exactly() -> None:
    column = column_of(type="number")
    assert column.sql_type == "decimal(65,30)"
    good: dict[str, Any] = dict.fromkeys(["-1.23", "12678967.543233", "+100000.00", "210", "1.", "0.1", "9" * 35], SAME)
    good |= {".5": "0.5", "1E3": "1000", "1.5E-3": "0.0015", "-2E+2": "-200", "0E99": "0", "1." + "0" * 40: "1"}
    check(column, good, [*NO_NUMBER, ".", "1.2.3", "1E", "1E1.5", "E5", "9" * 36, "1E35", "1E-31", "1E99999999999999"])
    for value in ("NaN", "nan", "INF", "-INF", "inf"):
        assert reason(column, value) == "MySQL holds neither NaN nor infinity"
    assert "beyond what decimal(65,30) holds" in reason(column, "1E35")


def test_numbers_are_never_rounded_to_their_column() -> None:
    column = column_of(type="number", csvToAurora_columnType="decimal(5,2)")
    check(column, {"999.99": SAME, "-1.5": SAME, "1.500": "1.5", "0001": "1"}, ["1000", "0.001", "1.999"])
    whole = column_of(type="number", csvToAurora_columnType="decimal(3,0)")
    check(whole, {"999": SAME, "5.0": "5"}, ["1000", "0.5"])


def test_marks_groups_and_surroundings_of_numbers() -> None:
    column = column_of(type="number", decimalChar=",", groupChar=".")
    check(column, {"1.234,5": "1234.5", "0,10": "0.1", "7": SAME}, ["1.5.", "1,2,3", "1..0", ",", "1,5.0"])
    check(column_of(type="number", bareNumber=False), {"95%": "95", "EUR -7.5": "-7.5", "$.5": "0.5"}, ["%", "1 2"])
    check(column_of(type="number", decimalChar=",", bareNumber=False), {"€ 9,5": "9.5"}, ["€"])


def test_bounds_of_numbers_are_exact() -> None:
    column = column_of(type="number", constraints={"minimum": 0.1, "exclusiveMaximum": "0.3"})
    check(column, {"0.1": SAME, "0.29999999999999999": SAME}, ["0.09999999999999999", "0.3", "0.30"])
    assert reason(column, "0.3") == "not less than 0.3"


def test_booleans() -> None:
    check(
        column_of(type="boolean"),
        {"true": "1", "True": "1", "TRUE": "1", "1": SAME, "false": "0", "False": "0", "FALSE": "0", "0": SAME},
        ["", "yes", "tRUE", "on", " 1"],
    )
    column = column_of(type="boolean", trueValues=["ja", "1"], falseValues=["nein"])
    check(column, {"ja": "1", "nein": "0", "1": SAME}, ["true", "0"])
    assert column.sql_type == "tinyint(1)"


# Dates and times


def test_dates() -> None:
    column = column_of(type="date")
    good = dict.fromkeys(["2024-02-29", "2000-02-29", "1000-01-01", "9999-12-31", "2023-04-30"], SAME)
    bad = ["", "2024-2-9", "2023-02-29", "1900-02-29", "2024-04-31", "2024-13-01", "24-01-01", "٢٠٢٤-01-01"]
    check(
        column, good, [*bad, "2024-01-01T00:00:00", "2024-01-01 ", "20240101", "2024-W01-1", "0999-12-31", "0000-00-00"]
    )
    assert column.sql_type == "date"
    assert reason(column, "2023-02-29") == "a date that the calendar does not have"
    assert reason(column, "0999-12-31") == "beyond what MySQL holds, the years 1000 to 9999"


def test_times() -> None:
    check(
        column_of(type="time"),
        dict.fromkeys(["00:00:00", "23:59:59"], SAME),
        ["", "24:00:00", "1:00:00", "10:00", "10:60:00", "10:00:60", "10:00:00.5", "10:00:00Z", "１0:00:00"],
    )


def test_moments_with_a_zone_are_stored_in_utc_and_others_as_written() -> None:
    column = column_of(type="datetime")
    good: dict[str, Any] = dict.fromkeys(
        ["2024-01-26T15:00:00", "2024-01-26T15:00:00.3", "2024-01-26T15:00:00.123456"], SAME
    )
    good |= {
        "2024-01-26T15:00:00.300-05:00": "2024-01-26 20:00:00.300000",
        "2024-01-01T00:30:00+01:00": "2023-12-31 23:30:00",
        "2024-01-26T15:00:00Z": "2024-01-26 15:00:00",
        "2024-02-29T12:00:00": "2024-02-29 12:00:00",
        "2024-12-31T24:00:00": "2025-01-01 00:00:00",
        "2024-01-26T15:00:00.1234560000": "2024-01-26 15:00:00.123456",
    }
    bad = ["", "2024-01-26", "2024-01-26 15:00:00", "2024-1-26T15:00:00", "2024-01-26T15:00", "2024-01-26T25:00:00"]
    bad += ["2023-02-29T00:00:00", "2024-01-26T15:00:00+15:00", "2024-01-26T15:00:00+0100", "2024-01-26T15:00:00z"]
    bad += ["9999-12-31T23:59:59-01:00", "1000-01-01T00:00:00+01:00", "0001-01-01T00:00:00+14:00"]
    bad += ["9999-12-31T24:00:00", "10000-01-01T00:00:00", "-2024-01-01T00:00:00", "2024-01-26T24:00:01"]
    check(column, good, [*bad, "2024-01-26T15:00:00.1234567", "2024-01-26T15:00:00.", "2024-01-26T15:00:0٣"])
    assert reason(column, "2024-01-26T15:00:00.1234567") == "beyond what MySQL holds, six decimals of a second"


def test_formats_of_strptime() -> None:
    date = column_of(type="date", format="%d/%m/%Y")
    check(date, {"09/02/2024": "2024-02-09", "9/2/2024": "2024-02-09"}, ["2024-02-09", "31/02/2024", "٩/2/2024", ""])
    moment = column_of(type="datetime", format="%d.%m.%Y %H:%M%z")
    check(moment, {"12.11.2018 09:15+0100": "2018-11-12 08:15:00"}, ["12.11.2018 09:15", "12.11.2018"])
    check(column_of(type="time", format="%I:%M %p"), {"01:30 PM": "13:30:00"}, ["13:30 PM", "01:30"])
    check(column_of(type="date", format="fmt:%d %B %Y"), {"29 February 2024": "2024-02-29"}, ["29 February 2023"])


def test_bounds_of_moments() -> None:
    column = column_of(type="date", constraints={"minimum": "2024-01-01", "exclusiveMaximum": "2025-01-01"})
    check(column, {"2024-01-01": SAME, "2024-12-31": SAME}, ["2023-12-31", "2025-01-01"])
    assert reason(column, "2023-12-31") == "less than the minimum 2024-01-01"
    moment = column_of(type="datetime", constraints={"maximum": "2024-01-01T00:00:00Z"})
    check(moment, {"2024-01-01T01:00:00+01:00": "2024-01-01 00:00:00"}, ["2024-01-01T00:00:00-01:00"])
    check(column_of(type="time", constraints={"minimum": "08:00:00"}), {"08:00:00": SAME}, ["07:59:59"])
    check(column_of(type="year", constraints={"minimum": 1900}), {"1900": SAME}, ["1899", "-2000"])
    check(column_of(type="yearmonth", constraints={"maximum": "2024-06"}), {"2024-06": SAME}, ["2024-07"])


def test_years_and_months() -> None:
    year = column_of(type="year")
    bad = ["", "24", "02024", "0000", "+2024", "2024Z", "32768", "-32769", "٢٠٢٤"]
    check(year, dict.fromkeys(["2024", "0044", "-0044", "12024", "9999"], SAME), bad)
    month = column_of(type="yearmonth")
    check(
        month, dict.fromkeys(["2024-01", "0044-12"], SAME), ["", "2024-1", "2024-13", "2024-00", "0000-01", "12024-01"]
    )


def test_durations_stay_the_text_that_they_are() -> None:
    good = ["P1Y", "P1Y2M3DT4H5M6.789S", "-P1D", "PT0S", "P0Y", "PT36H"]
    bad = ["", "P", "PT", "P1DT", "P1S", "PT1D", "1D", "P-1D", "P1.5D", "PT1.S", "P1W", "+P1D", "P٣D", f"P{'1' * 300}D"]
    check(column_of(type="duration"), dict.fromkeys(good, SAME), bad)


# Collections


def test_objects_and_arrays() -> None:
    column = column_of(type="object")
    good = ["{}", '{"a": [1, 2.5, null, true, "é"]}', ' {"a": {}} ', '{"a": 18446744073709551615}', '{"a": 1e3}']
    bad = ["", "[]", "1", "null", "{'a': 1}", '{"a": 1,}', '{"a": NaN}', '{"a": 1, "a": 2}', '{"a": "\\ud800"}']
    bad += ['{"a": 18446744073709551616}', '{"a": 0.12345678901234567890}', '{"a":' * 101 + "1" + "}" * 101]
    check(column, dict.fromkeys(good, SAME), [*bad, '{"a":' * 5000, '{"a": ٣}'])
    assert column.sql_type == "json"
    assert reason(column, '{"a": 1, "a": 2}') == "a JSON object with a name twice, of which MySQL would keep one"
    sized = column_of(type="array", constraints={"minLength": 1, "maxLength": 2})
    check(sized, {"[1]": SAME, '[{"a": 1}, 2]': SAME}, ["[]", "[1,2,3]", "{}"])
    check(column_of(type="array", constraints={"enum": [[1, 2]]}), {"[1,2]": SAME, "[1, 2]": SAME}, ["[2,1]"])


def test_lists() -> None:
    check(
        column_of(type="list"),
        {"a,b": '["a", "b"]', "": '[""]', "a": '["a"]', 'é, "x"': '["é", " \\"x\\""]', ",": '["", ""]'},
        [],
    )
    numbers = column_of(type="list", itemType="number", delimiter=";")
    check(numbers, {"1;2.50": "[1, 2.5]", "-3": "[-3]"}, ["1;", "", "1,2", "x", "0.12345678901234567890"])
    check(column_of(type="list", itemType="integer"), {"1,+2": "[1, 2]"}, ["1,2.5", "1, 2"])
    check(column_of(type="list", itemType="boolean"), {"true,0": "[true, false]"}, ["yes"])
    check(column_of(type="list", itemType="date"), {"2024-01-01": '["2024-01-01"]'}, ["2024-1-1"])
    assert reason(numbers, "1;x") == "an item of the list is not a number"


# Missing values


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_value_is_null_its_default_or_rejected(kind: str) -> None:
    null = column_of(type=kind, missingValues=["", "-"])
    assert (null.judge(["", "-"]).errors, to_database(null, ["", "-"]), null.nullable) == (
        NO_ERRORS,
        [None, None],
        True,
    )
    required = column_of(type=kind, missingValues=["", "-"], constraints={"required": True})
    assert required.judge(["", "-"]).errors == {0: "empty", 1: "a missing value"}
    assert not required.nullable


def test_missing_values_of_a_field_replace_those_of_the_schema() -> None:
    fields = [{"name": "one"}, {"name": "two", "missingValues": [{"value": "-", "label": "not known"}]}]
    one, two = Dataset.of({"name": "things", "schema": {"fields": fields, "missingValues": ["", "NA"]}}).columns
    assert (to_database(one, ["", "NA", "-"]), to_database(two, ["", "NA", "-"])) == (
        [None, None, "-"],
        ["", "NA", None],
    )


def test_a_default_takes_the_place_of_a_missing_value() -> None:
    column = column_of(type="boolean", missingValues=["", "?"], csvToAurora_columnDefault="false")
    assert (column.default, column.nullable) == ("0", False)
    assert to_database(column, ["true", "", "?"]) == ["1", "0", "0"]
    assert column.rule.endswith(", or empty or '?' for 0")


# All types


DESCRIBED: list[dict[str, Any]] = [
    *({"type": kind} for kind in KINDS),
    {"type": "string", "format": "email", "constraints": {"maxLength": 5}},
    {"type": "string", "format": "uri", "constraints": {"pattern": "[ab:]*"}},
    {"type": "integer", "constraints": {"minimum": 0, "maximum": 50}, "missingValues": ["", "1"]},
    {"type": "number", "decimalChar": ",", "groupChar": ".", "bareNumber": False},
    {"type": "datetime", "format": "%Y-%m-%dT%H:%M:%S%z"},
]
VALUES = st.text(st.sampled_from('0123456789+-.,:TZPDE%@[]{}" ab\n' + "é٣"), max_size=12) | st.sampled_from(
    [
        "1",
        "2024-02-29",
        "2024-02-29T10:00:00",
        "2024-02-29T10:00:00+01:00",
        "10:00:00",
        "true",
        "P1D",
        "{}",
        "a:b",
        "1.5",
    ]
)


@settings(max_examples=150, deadline=None)
@given(described=st.sampled_from(DESCRIBED), values=st.lists(VALUES, max_size=12))
def test_a_block_is_judged_as_its_values_are_one_by_one(described: dict[str, Any], values: list[str]) -> None:
    """What is evident for a block has to be what a look at each value says."""
    column = column_of(**described)
    alone = {index: found[0] for index, value in enumerate(values) if (found := column.judge([value]).errors)}
    assert column.judge(values).errors == alone
    good = [value for index, value in enumerate(values) if index not in alone]
    assert to_database(column, good) == [to_database(column, [value])[0] for value in good]


@settings(max_examples=200, deadline=None)
@given(number=st.decimals(allow_nan=False, allow_infinity=False, places=10, min_value=-(10**20), max_value=10**20))
def test_a_number_is_stored_with_its_value(number: Decimal) -> None:
    column = column_of(type="number")
    for spelling in {str(number), f"{number:f}", f"{number:+.12f}", f"{number:E}"}:
        (stored,) = to_database(column, [spelling])
        assert not column.judge([spelling]).errors
        assert stored is not None
        assert Decimal(stored) == number
        assert set(stored) <= set(string.digits + "+-.")


BOUNDED: list[dict[str, Any]] = [
    {"type": "number", "csvToAurora_columnType": "decimal(6,2)", "constraints": {"minimum": "-1.5", "maximum": "20"}},
    {"type": "number", "constraints": {"exclusiveMinimum": "0", "exclusiveMaximum": "1.50"}},
    {"type": "date", "constraints": {"minimum": "2020-02-03", "maximum": "2020-03-01"}},
    {"type": "date", "format": "%d.%m.%Y"},
    {"type": "date", "format": "%m/%d/%Y", "constraints": {"exclusiveMaximum": "03/01/2020"}},
    {"type": "time", "constraints": {"minimum": "01:00:00"}},
    {"type": "time", "format": "%H%%%M"},
    {"type": "datetime", "constraints": {"exclusiveMinimum": "2020-02-28T00:00:00.5"}},
    {"type": "datetime", "format": "%Y%m%d %H:%M", "constraints": {"maximum": "20200229 00:00"}},
    {"type": "datetime"},
    {"type": "object"},
]
MOMENTS = st.datetimes(dt.datetime(2020, 2, 1), dt.datetime(2020, 3, 5))  # noqa: DTZ001
FORMS = ["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%H:%M:%S", "%H%%%M", "%Y%m%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%-d.%-m.%Y"]
FORMS += ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S+01:00", "%Y-%m-%dT%H:%M:%S.5", "%Y-%m-%dT%H:%M:%S.50Z"]
NUMBERS = st.decimals(-2, 25, places=3).map(str) | st.sampled_from(
    ["20.00", "+1.5", "1.50", "1.500", "0.0", "-0", ".5"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=300, deadline=None)
@given(
    described=st.sampled_from(BOUNDED),
    value=st.builds(dt.datetime.strftime, MOMENTS, st.sampled_from(FORMS)) | NUMBERS | JSON.map(json.dumps),
)
def test_what_is_quickly_told_is_what_parsing_tells(described: dict[str, Any], value: str) -> None:
    column = column_of(**described)
    assert isinstance(column, BaseField)
    refused, logical, text = None, None, ""
    try:
        logical, text = column.logical(value)
        column.check(logical)
    except ValueRefused as refusal:
        refused = str(refusal)
    assert column.judge([value]).errors == ({0: refused} if refused else NO_ERRORS)
    if refused:
        return
    (stored,) = to_database(column, [value])
    assert stored is not None
    if described["type"] == "datetime":
        assert dt.datetime.fromisoformat(stored) == logical
    elif described["type"] == "number":
        assert Decimal(stored) == logical
    else:
        assert stored == text
