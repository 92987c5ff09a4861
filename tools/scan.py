#!/usr/bin/env python3
"""Compare the findings of prowler with the exceptions in files/policies/exceptions.yml: scan.py FINDINGS.csv.

Prints the findings without a reason; the exit code is 1 where there are any.
"""

from __future__ import annotations

import csv
import fnmatch
import sys
from pathlib import Path
from typing import NamedTuple

import yaml

EXCEPTIONS = Path(__file__).parents[1] / "files/policies/exceptions.yml"


class Finding(NamedTuple):
    """One control that does not hold for one resource."""

    check: str
    severity: str
    resource: str


def failed(path: Path) -> list[Finding]:
    """Read the findings of a file in prowler's CSV format.

    Raises:
        SystemExit: No control passed: the scanner did not reach the local cloud.
    """
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter=";"))
    if not any(row["STATUS"] == "PASS" for row in rows):
        raise SystemExit(
            f"{path} has no control that holds: did the scanner reach the local cloud? Start it: make local"
        )
    return [Finding(row["CHECK_ID"], row["SEVERITY"], row["RESOURCE_UID"]) for row in rows if row["STATUS"] == "FAIL"]


def main(arguments: list[str]) -> int:
    """Print the findings without a reason; return the exit code."""
    findings = failed(Path(arguments[0]))
    patterns = [
        pattern
        for one in yaml.safe_load(EXCEPTIONS.read_text(encoding="utf-8"))["scanner"]
        for pattern in one["checks"]
    ]
    left = [one for one in findings if not any(fnmatch.fnmatch(one.check, pattern) for pattern in patterns)]
    for one in left:
        print(f"{one.severity:9} {one.check}  {one.resource}")
    for pattern in patterns:
        if not fnmatch.filter([one.check for one in findings], pattern):
            print(f"not needed any more: {pattern}")
    print(f"{len(findings)} findings, {len(left)} without a reason in {EXCEPTIONS.relative_to(EXCEPTIONS.parents[2])}.")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
