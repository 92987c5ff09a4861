"""A strict AWS in front of the emulator: what AWS refuses is refused, what takes AWS time takes time.

The emulator accepts much that AWS refuses, and has everything ready at once. Each rule here is one thing that AWS does
and the emulator does not, with its source. `layer.Strict` reads each call, asks the rules, and changes the answers of
the emulator; the request itself is left as it is, so that its signature stays valid.

Calls are read, and answers are written, by moto's parsers and serializers, which follow botocore's model of
each service.
"""

from __future__ import annotations

from pathlib import Path


def install(record: Path, *, pace: float = 1.0, seed: int = 0, throttled: float = 0.0, cut: float = 0.0) -> None:
    """Put the layer in front of ministack, which this process is going to run.

    Args:
        record: File for what was refused, one line of JSON each: rule, call, code and message.
        pace: By how much longer than the rules say everything takes.
        seed: Where the generator of random faults starts.
        throttled: The share of calls that are refused for their rate.
        cut: The share of calls whose connection ends without an answer.
    """
    from ministack import app  # noqa: PLC0415 - reads its settings when it is imported

    from strict.layer import Faults, Strict  # noqa: PLC0415
    from strict.rules import new_rules  # noqa: PLC0415

    app.app = Strict(app.app, new_rules(pace), Faults(seed, throttled, cut), record)
