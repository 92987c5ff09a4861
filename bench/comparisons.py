"""The importer with one session: against its limit and a reference, other datasets, gzip, modes, growing files."""

from typing import Any

from bench.loading import BAD_SHARE, KEYED, TYPED, Bench, Numbers, Options, medians_of, ratio_of, run_rounds, say


def compare(bench: Bench, options: Options) -> dict[str, Any]:
    """Run limit, importer and reference in turn, so that a machine that slows down slows all of them.

    Also with a network: one commit for each row costs one round trip each, which one machine does not have.
    """
    bench.write("clean.csv", options.rows, 0)
    bench.write("mixed.csv", options.rows, BAD_SHARE)
    bench.write("reference.csv", options.reference_rows, 0)
    jobs: dict[str, dict[str, Any]] = {
        "limit": {"method": "limit", "name": "clean.csv"},
        "importer": {"method": "importer", "name": "mixed.csv"},
        "reference": {"method": "reference", "name": "reference.csv"},
    }
    with bench.link(options.round_trip) as link:
        remote = {f"{title}, remote": {**jobs[title], "port": link.port} for title in ("importer", "reference")}
        rounds = run_rounds(bench, options, jobs | remote)
    return {
        "medians": medians_of(rounds),
        "share_of_limit": ratio_of(rounds, "importer", "limit"),
        "times_reference": ratio_of(rounds, "importer", "reference"),
        "times_reference_remote": ratio_of(rounds, "importer, remote", "reference, remote"),
    }


def compare_datasets(bench: Bench, options: Options) -> dict[str, Any]:
    """Run other datasets, gzip and the modes in turn, each with what it is compared with."""
    bench.write("plain.csv", options.other_rows, BAD_SHARE)
    bench.compress("plain.csv")
    bench.sample(TYPED, "typed.csv", options.other_rows)
    bench.stored(TYPED, "typed.csv", "typed-limit.csv")
    bench.sample(KEYED, "keyed.csv", options.other_rows)
    keyed: dict[str, Any] = {"method": "importer", "name": "keyed.csv", "descriptor": KEYED}
    jobs: dict[str, dict[str, Any]] = {
        "20 columns, limit": {"method": "limit", "name": "typed-limit.csv", "descriptor": TYPED},
        "20 columns": {"method": "importer", "name": "typed.csv", "descriptor": TYPED},
        "plain": {"method": "importer", "name": "plain.csv"},
        "gzip": {"method": "importer", "name": "plain.csv.gz"},
        "append, with a key": keyed,
        "upsert, new rows": {**keyed, "mode": "upsert"},
        "upsert, known rows": {**keyed, "mode": "upsert", "before": 1},
        "replace, first": {**keyed, "mode": "replace"},
        "replace, newer": {**keyed, "mode": "replace", "before": 1},
    }
    rounds = run_rounds(bench, options, jobs)
    pairs = {"20 columns": "20 columns, limit", "gzip": "plain"} | {
        title: "append, with a key" for title in jobs if title.startswith(("upsert", "replace"))
    }
    ratios = {title: ratio_of(rounds, title, other) for title, other in pairs.items()}
    return {"medians": medians_of(rounds), "ratios": ratios, "compared_with": pairs}


def scale(bench: Bench, options: Options) -> list[Numbers]:
    """Run the importer over files of growing size, with one session and with the most; small files take fewer."""
    results = []
    for rows in options.sizes:
        path = bench.write("size.csv", rows, BAD_SHARE)
        for sessions in dict.fromkeys((1, options.sessions[-1])):
            last = bench.run("importer", path.name, sessions=sessions, all_sessions=False)
            results.append({**last, "file_rows": rows, "sessions": sessions})
            say(
                f"{rows:,} rows, sessions: {sessions}: {last['rows_per_second']:,.0f} a second,"
                f" peak memory {last['peak_memory_mib']:.1f} MiB"
            )
        bench.remove(path.name)
    return results
