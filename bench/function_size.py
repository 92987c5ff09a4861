"""What the function's memory, by which Lambda gives it processor time, means for the rate and the cost of an import."""

from contextlib import ExitStack
from typing import Any

from bench.loading import BAD_SHARE, Bench, Numbers, Options, medians_of, run_rounds, say
from bench.share import NoShareError, Share

MEGABYTES_PER_PROCESSOR = 1769
"""Memory at which a function has one vCPU: https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html"""

DOLLARS_PER_GIGABYTE_SECOND = 0.0000133334
"""Of arm64, in us-east-1 and eu-west-1: https://aws.amazon.com/lambda/pricing/"""

SESSIONS = (1, 2, 4)


def compare_function_sizes(bench: Bench, options: Options) -> dict[str, Any]:
    """Run the importer with the processor time of some sizes of the function, in turn; the server has all of it.

    Where no process can be limited, the rates are computed from the processor time for each row and the rate without a
    limit.
    """
    bench.write("function.csv", options.other_rows, BAD_SHARE)
    sizes = options.function_sizes
    jobs: dict[tuple[int, int], dict[str, Any]] = {
        (size, sessions): {"method": "importer", "name": "function.csv", "sessions": sessions}
        for size in sizes
        for sessions in SESSIONS
    }
    try:
        with ExitStack() as stack:
            shares = {size: stack.enter_context(Share(processors_of(size))) for size in sizes}
            rounds = run_rounds(
                bench, options, {_title(*key): {**job, "share": shares[key[0]]} for key, job in jobs.items()}
            )
        medians, measured = medians_of(rounds), True
    except NoShareError as error:
        say(f"{error}: the rates of the function's sizes are computed")
        unlimited = {sessions: bench.run(**jobs[sizes[0], sessions]) for sessions in SESSIONS}
        medians, measured = {_title(*key): _computed(key[0], unlimited[key[1]]) for key in jobs}, False
    bench.remove("function.csv")
    return {
        "measured": measured,
        "rows": options.other_rows,
        "sizes": [
            {
                "megabytes": size,
                "processors": processors_of(size),
                "sessions": sessions,
                "rows_per_second": medians[_title(size, sessions)]["rows_per_second"],
                "dollars": dollars_of(size, 1e6 / medians[_title(size, sessions)]["rows_per_second"]),
            }
            for size, sessions in jobs
        ],
    }


def processors_of(megabytes: int) -> float:
    """Return how many vCPUs a function of some memory has."""
    return megabytes / MEGABYTES_PER_PROCESSOR


def dollars_of(megabytes: int, seconds: float) -> float:
    """Return what a function of some memory costs for some seconds."""
    return megabytes / 1024 * seconds * DOLLARS_PER_GIGABYTE_SECOND


def _title(megabytes: int, sessions: int) -> str:
    return f"{megabytes} MB, {sessions}"


def _computed(megabytes: int, unlimited: Numbers) -> Numbers:
    """Return the rate with a function's processor time: what that suffices for, at most the one without a limit."""
    enough_for = processors_of(megabytes) / unlimited["cpu_microseconds_per_row"] * 1e6
    return {"rows_per_second": min(enough_for, unlimited["rows_per_second"])}
