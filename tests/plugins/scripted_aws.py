"""An AWS whose answers a test writes, for what no emulator answers: the modules call it over HTTP as they call AWS."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from emulated_cloud import Cloud
from strict.calls import Call, Refusal, read_call, write_answer

type Answer = Mapping[str, Any] | Refusal


@dataclass
class ScriptedCloud(Cloud):
    """Its endpoint, a runner for modules, and the calls that it got."""

    calls: list[Call] = field(default_factory=list)

    def called(self, operation: str) -> list[Mapping[str, Any]]:
        """Return the parameters of each call of an operation."""
        return [call.parameters for call in self.calls if call.operation == operation]


@contextmanager
def scripted_aws(answer: Callable[[Call], Answer]) -> Iterator[ScriptedCloud]:
    """Serve an AWS that answers as a function of the call says."""
    cloud = ScriptedCloud("scripted", "")

    class Handler(BaseHTTPRequestHandler):
        """Answers one request."""

        def respond(self) -> None:
            """Answer, whatever the method."""
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {key.lower(): value for key, value in self.headers.items()}
            call = read_call(self.command, f"{cloud.endpoint}{self.path}", headers, body)
            assert call is not None
            cloud.calls.append(call)
            status, answered, data = write_answer(call, answer(call))
            self.send_response(status)
            for key, value in answered.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_DELETE = respond  # noqa: N815 - the names that http.server looks for

        def log_message(self, *_: Any) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        cloud.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield cloud
        finally:
            server.shutdown()
            thread.join()
