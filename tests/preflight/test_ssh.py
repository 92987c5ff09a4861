"""Where no network may log in to the app host, a run stops and offers the public address of the controller."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest
from playbook_runner import PROJECT, ansible_command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UNREACHABLE = "http://127.0.0.1:1"


@contextmanager
def answering(text: str) -> Iterator[str]:
    """Serve a text at a URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def stops(folder: Path, cidrs: list[str], url: str, *arguments: str) -> tuple[int, str]:
    """Run the role; return the exit code and the output."""
    playbook = folder / "ssh.yml"
    role = {"name": str(PROJECT / "roles/preflight"), "tasks_from": "ssh"}
    variables = {"preflight_ssh_allowed_cidrs": cidrs, "preflight_address_url": url, "preflight_connect_timeout": 2}
    task = {"name": "Check SSH", "ansible.builtin.import_role": role, "vars": variables}
    playbook.write_text(json.dumps([{"hosts": "controller", "gather_facts": False, "tasks": [task]}]))
    run = ansible_command("ansible-playbook", "--inventory=inventories/dev/hosts.yml", str(playbook), *arguments)
    return run.returncode, " ".join((run.stdout + run.stderr).split())


def test_the_address_of_this_machine_is_offered(tmp_path: Path) -> None:
    with answering("198.51.100.4\n") as url:
        code, output = stops(tmp_path, [], url)
    assert code != 0
    assert "address of this machine is 198.51.100.4: set ssh_allowed_cidrs: [198.51.100.4/32] in inventories/" in output


@pytest.mark.parametrize("text", ["<html>Log in to the hotel's network</html>", None], ids=["other", "nothing"])
def test_anything_but_an_address_is_not_offered(tmp_path: Path, text: str | None) -> None:
    if text is None:
        code, output = stops(tmp_path, [], UNREACHABLE)
    else:
        with answering(text) as url:
            code, output = stops(tmp_path, [], url)
    assert code != 0
    assert "List the networks that may log in, such as [203.0.113.7/32], in inventories/" in output
    assert "hotel" not in output


def test_a_plan_reports_it_and_continues(tmp_path: Path) -> None:
    code, output = stops(tmp_path, [], UNREACHABLE, "--check")
    assert code == 0
    assert "ssh_allowed_cidrs is empty" in output


@pytest.mark.parametrize(("cidrs", "url"), [(["203.0.113.7/32"], UNREACHABLE), ([], "")], ids=["listed", "local"])
def test_with_a_network_or_without_ssh_nothing_is_requested(tmp_path: Path, cidrs: list[str], url: str) -> None:
    assert stops(tmp_path, cidrs, url)[0] == 0
