"""Runs the function's handler in a process that Lambda could have started, and says where the time goes.

It is run by itself, with the function's zip on PYTHONPATH: nothing of this project but what is in the zip is imported.
In standard input there is a JSON list of the events in turn; the first one is handled cold. Into the file that is named
it writes a list with one object for each: seconds by part, and moments in seconds of the system's monotonic clock. The
standard output is the function's, for its log.
"""

import time

BEGAN = time.monotonic()

import json  # noqa: E402 - the start of the interpreter is measured before anything is imported
import sys  # noqa: E402
import threading  # noqa: E402
from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

# The driver uses it where it is there, and in Lambda it is not.
sys.modules["cryptography"] = None  # type: ignore[assignment]

IMPORTING = time.monotonic()

import boto3  # noqa: E402
import botocore.client  # noqa: E402
from pymysql.connections import Connection  # noqa: E402

from csv_importer.handler import handle  # noqa: E402

IMPORTED = time.monotonic()


class Trace:
    """Where the time of one invocation goes. Of calls within calls, the outer one counts."""

    def __init__(self) -> None:
        """Begin."""
        self.parts: dict[str, float] = {}
        self.calls: dict[str, int] = {}
        self.rows_committed = 0.0
        self._loaded = False
        self._inside = threading.local()

    def timed(self, part: str, call: Callable[[], Any]) -> Any:
        """Make a call, and add its time to a part."""
        if getattr(self._inside, "part", None):
            return call()
        self._inside.part = part
        began = time.monotonic()
        try:
            return call()
        finally:
            self._inside.part = None
            now = time.monotonic()
            self.parts[part] = self.parts.get(part, 0.0) + now - began
            self.calls[part] = self.calls.get(part, 0) + 1
            self._loaded = self._loaded or part == "load"
            # The first commit after rows were sent: a small file has no other.
            if part == "commit" and self._loaded and not self.rows_committed:
                self.rows_committed = now


current = Trace()


def watch(owner: Any, name: str, part_of: Callable[..., str]) -> None:
    """Have each call of a function or method timed."""
    original = getattr(owner, name)

    def timed(*arguments: Any, **named: Any) -> Any:
        return current.timed(part_of(*arguments), lambda: original(*arguments, **named))

    setattr(owner, name, timed)


def _part_of_operation(client: Any, operation: str, *_: Any) -> str:
    return f"{client.meta.service_model.service_id}: {operation}"


def _part_of_statement(connection: Any, statement: str | bytes, *_: Any) -> str:
    del connection
    text = statement if isinstance(statement, str) else statement.decode(errors="replace")
    return "load" if "LOAD DATA" in text[:200] else "statements"


class Context:
    """What Lambda passes to a handler in addition to the event."""

    function_name = "importer"
    function_version = "$LATEST"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:importer"

    def __init__(self, number: int) -> None:
        """Name the invocation."""
        self.aws_request_id = f"00000000-0000-0000-0000-{number:012}"
        self._until = time.monotonic() + 900

    def get_remaining_time_in_millis(self) -> int:
        """Return the time that is left."""
        return int((self._until - time.monotonic()) * 1000)


def peak_memory() -> float:
    """Return this process's peak of resident memory in MiB."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def main() -> None:
    """Handle the events."""
    global current  # noqa: PLW0603 - what is watched is watched for the whole process
    events = json.load(sys.stdin)
    watch(boto3, "client", lambda *_: "clients")
    watch(botocore.client.BaseClient, "_make_api_call", _part_of_operation)
    watch(Connection, "connect", lambda *_: "connect with TLS, log in")
    watch(Connection, "query", _part_of_statement)
    watch(Connection, "begin", lambda *_: "statements")
    watch(Connection, "commit", lambda *_: "commit")
    traces = []
    for number, event in enumerate(events):
        current = Trace()
        began = time.monotonic()
        answer = handle(event, Context(number))  # type: ignore[arg-type]
        ended = time.monotonic()
        (done,) = answer["imports"]
        if done["status"] != "succeeded":
            raise SystemExit(f"the import is {done['status']}: {done['reason']}")
        traces.append(
            {
                "process": {"began": BEGAN, "importing": IMPORTING, "imported": IMPORTED},
                "began": began,
                "rows_committed": current.rows_committed,
                "ended": ended,
                "parts": current.parts,
                "calls": current.calls,
                "peak_memory_mib": peak_memory(),
            }
        )
    Path(sys.argv[1]).write_text(json.dumps(traces), encoding="utf-8")


if __name__ == "__main__":
    main()
