"""Limits with which an import could not end are refused."""

import re
from typing import Any

import pytest

from csv_importer.limits import BYTES_AROUND_A_RECORD, Limits


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"batch_rows": 0}, "batch_rows is 0: it has to be 1 or more"),
        ({"insert_rows": -5}, "insert_rows is -5: it has to be 1 or more"),
        ({"retry_timeout": -0.1}, "retry_timeout is -0.1: it has to be 0 or more"),
        ({"row_lock_timeout": 0}, "row_lock_timeout is 0: it has to be 1 or more"),
        ({"block_bytes": 103, "max_record_bytes": 100}, "block_bytes is 103: it has to exceed max_record_bytes (100)"),
        ({"block_lines": 1000}, "block_lines is 1000: it has to exceed max_record_lines (1000)"),
        ({"max_record_bytes": 200_000}, "max_record_bytes is 200000: the csv module reads fields of 131072 characters"),
        ({"batch_pause": -1}, "batch_pause is -1: it has to be 0 or more"),
        ({"max_record_bytes": 1 << 20}, "block_bytes is 262144: it has to exceed max_record_bytes (1048576)"),
    ],
)
def test_limits_that_are_too_small_are_refused_by_name(values: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        Limits(**values)


def test_the_smallest_limits_are_accepted() -> None:
    assert Limits(lock_timeout=0, retry_timeout=0).lock_timeout == 0
    assert Limits(block_bytes=100 + BYTES_AROUND_A_RECORD, max_record_bytes=100).block_bytes == 104
