"""The importer's log as people read it."""

from __future__ import annotations

import json

import pytest

from ansible_collections.csv_to_aurora.importer.plugins.filter.log_lines import log_lines

ENDED = {
    "level": "INFO",
    "message": "Import succeeded",
    "key": "a b.csv",
    "rows_read": 3,
    "rows_loaded": 2,
    "rows_rejected": 1,
    "rows_blank": 0,
    "reason": None,
}


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (json.dumps(ENDED) + "\n", "INFO Import succeeded (a b.csv; read 3, loaded 2, rejected 1, blank 0)"),
        (
            json.dumps({"level": "ERROR", "message": "Import failed", "reason": "no header"}),
            "ERROR Import failed (no header)",
        ),
        (json.dumps({"message": "Cold start"}), "Cold start"),
        ("Traceback (most recent call last):\n  File", "Traceback (most recent call last): File"),
        ('["a list"]', '["a list"]'),
    ],
)
def test_an_event_is_one_line(message: str, line: str) -> None:
    assert log_lines([{"message": message}]) == [line]


@pytest.mark.parametrize(
    "message",
    ['{"_aws": {"Timestamp": 1}}', "REPORT RequestId: 1\tDuration: 2 ms\n", "START RequestId: 1", "END RequestId: 1"],
)
def test_what_is_no_message_is_left_out(message: str) -> None:
    assert log_lines([{"message": message}, {"message": json.dumps(ENDED)}]) == [
        "INFO Import succeeded (a b.csv; read 3, loaded 2, rejected 1, blank 0)"
    ]
