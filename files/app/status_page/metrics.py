"""Metrics in the text format of Prometheus."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from status_page.ledger import Counts, Overview

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class _Sample(NamedTuple):
    labels: Mapping[str, str]
    value: float


def metrics(counts: Counts | None, overview: Overview | None) -> str:
    """Return the metrics; where the database cannot be read, only that."""
    lines = _metric(
        "status_page_database_up",
        "Whether the ledger can be read.",
        [_Sample({}, counts is not None and overview is not None)],
    )
    if counts is not None and overview is not None:
        for name, text, of in (
            ("imports", "Imports in the ledger", "imports"),
            ("rows_loaded", "Rows that they have loaded", "rows_loaded"),
            ("rows_rejected", "Rows that they have rejected", "rows_rejected"),
        ):
            lines += _metric(
                f"csv_import_{name}",
                f"{text}, by dataset and status.",
                [
                    _Sample({"dataset": total.dataset, "status": total.status}, getattr(total, of))
                    for total in counts.totals
                ],
            )
        lines += _metric(
            "csv_import_newest_success_timestamp_seconds",
            "When the newest successful import of a dataset ended.",
            [_Sample({"dataset": n.dataset}, n.finished_at.timestamp()) for n in overview.newest if n.finished_at],
        )
        lines += _metric(
            "csv_import_without_progress",
            "Imports at work on which no invocation works.",
            [_Sample({}, overview.without_progress)],
        )
    return "\n".join(lines) + "\n"


def _metric(name: str, text: str, samples: Iterable[_Sample]) -> list[str]:
    return [
        f"# HELP {name} {text}",
        f"# TYPE {name} gauge",
        *(f"{name}{_labels(sample.labels)} {sample.value:.15g}" for sample in samples),
    ]


def _labels(labels: Mapping[str, str]) -> str:
    quoted = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{quoted}}}" if quoted else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
