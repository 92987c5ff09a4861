#!/usr/bin/env python3
"""Write the table of the strict layer's rules in docs/fidelity.md from the rules themselves.

Called with --check it writes nothing, and fails where the page is not up to date.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/fidelity.md"
BEGIN, END = "<!-- rules -->", "<!-- /rules -->"
sys.path.insert(0, str(ROOT / "roles/local_cloud/files"))


def rows() -> Iterator[str]:
    """Yield the lines of the table: one for each rule, with what AWS does, the source, and the rule's name."""
    from strict.rules import RULES  # noqa: PLC0415 - only now it is found

    yield "| AWS | source | rule |"
    yield "| --- | --- | --- |"
    for rule in RULES:
        sentence = " ".join((rule.__doc__ or "").split("\n\n")[0].split())
        host = rule.source.split("/")[2]
        module = rule.__module__.rpartition(".")[2]
        code = f"[{rule.__name__}](../roles/local_cloud/files/strict/{module}.py)"
        yield f"| {sentence} | [{host}]({rule.source}) | {code} |"


def written(page: str) -> str:
    """Return the page with the table between its markers.

    Raises:
        ValueError: A marker is missing.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE} lacks the lines {BEGIN} and {END}")
    table = "\n".join(rows())
    return f"{before}{BEGIN}\n{table}\n{END}{after}"


def main(arguments: Sequence[str]) -> int:
    """Write or check the page; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing")
    check = parser.parse_args(arguments).check
    found = PAGE.read_text(encoding="utf-8")
    wanted = written(found)
    if check and found != wanted:
        print(f"{PAGE} is not up to date: run tools/fidelity.py", file=sys.stderr)
        return 1
    if not check:
        PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
