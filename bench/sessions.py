"""One import with several sessions: against its limit and a client that only sends, and over a network."""

from contextlib import ExitStack
from typing import Any

from bench.loading import BAD_SHARE, Bench, Options, medians_of, ratio_of, run_rounds

METHODS = ("limit", "local", "importer", "checked")

NETWORK_SESSIONS = (1, 2, 4, 8)
"""Numbers of sessions over a network, whatever the number of cores: a session that waits needs none."""


def compare_sessions(bench: Bench, options: Options) -> dict[str, Any]:
    """Run k sessions of the server, of a client that only sends and of the importer, in turn.

    The limit is k sessions of LOAD DATA INFILE, each with its part of one file; k sessions of LOAD DATA LOCAL stand
    for importTable of MySQL Shell. The importer has the file in one piece, and rows that it has to reject; checked, it
    counts them before it loads anything.
    """
    # Long enough with all sessions, too.
    rows = options.rows * max(1, options.sessions[-1] // 2)
    bench.write("parts.csv", rows, 0)
    size = bench.write("whole.csv", rows, BAD_SHARE).stat().st_size
    jobs: dict[str, dict[str, Any]] = {}
    for sessions in options.sessions:
        bench.split("parts.csv", sessions)
        jobs |= {
            f"{method} {sessions}": {"method": method, "name": name, "sessions": sessions}
            for method, name in zip(METHODS, ("parts.csv", "parts.csv", "whole.csv", "whole.csv"), strict=True)
        }
    rounds = run_rounds(bench, options, jobs)
    bench.remove("parts.csv")
    bench.remove("whole.csv")
    return {
        "sessions": list(options.sessions),
        "file_bytes": size,
        "rows": rows,
        "medians": medians_of(rounds),
        "share_of_one": {k: ratio_of(rounds, f"importer {k}", "importer 1") for k in options.sessions},
        "share_of_limit": {k: ratio_of(rounds, f"importer {k}", f"limit {k}") for k in options.sessions},
        "checked_share": {k: ratio_of(rounds, f"checked {k}", f"importer {k}") for k in options.sessions},
        "share_of_local": {k: ratio_of(rounds, f"importer {k}", f"local {k}") for k in options.sessions},
    }


def compare_networks(bench: Bench, options: Options) -> dict[str, Any]:
    """Run the importer over networks of some latencies, with several sessions, in turn."""
    # Connecting takes many round trips: of a small file it would be most of the time.
    bench.write("network.csv", options.rows, BAD_SHARE)
    jobs: dict[str, dict[str, Any]] = {}
    with ExitStack() as links:
        for round_trip in (0.0, *options.round_trips):
            port = links.enter_context(bench.link(round_trip)).port if round_trip else None
            for sessions in NETWORK_SESSIONS:
                job = {"method": "importer", "name": "network.csv", "sessions": sessions, "port": port}
                jobs[f"{round_trip:g} ms, {sessions}"] = job
        rounds = run_rounds(bench, options, jobs)
    bench.remove("network.csv")
    return {
        "round_trips": [0.0, *options.round_trips],
        "sessions": list(NETWORK_SESSIONS),
        "rows": options.rows,
        "medians": medians_of(rounds),
    }
