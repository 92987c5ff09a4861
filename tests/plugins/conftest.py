"""Two emulated clouds and a way to run the collection's modules against them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError

import pytest
from emulated_cloud import REGION, Cloud


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _server(command: list[str], environment: dict[str, str], health: str, log: Path) -> Iterator[None]:
    """Start a server, wait until it answers, and end it with the block."""
    with log.open("wb") as output:
        server = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=os.environ | environment)
        try:
            for _ in range(300):
                if server.poll() is not None:
                    break
                try:
                    with urllib.request.urlopen(health, timeout=2):
                        break
                except (URLError, OSError):
                    time.sleep(0.1)
            else:
                raise AssertionError(f"{command[0]} did not answer: {log.read_text()}")
            assert server.poll() is None, f"{command[0]} ended: {log.read_text()}"
            yield
        finally:
            server.terminate()
            server.wait(timeout=30)


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """The emulator of the local cloud, on a port of its own and without containers."""
    folder = tmp_path_factory.mktemp("ministack")
    port = _free_port()
    environment = {
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_REGION": REGION,
        # No container engine: what the tests need has none, and another cloud's containers stay untouched.
        "DOCKER_HOST": f"unix://{folder}/none.sock",
        "TMPDIR": str(folder),
        "LOG_LEVEL": "WARNING",
    }
    endpoint = f"http://127.0.0.1:{port}"
    program = str(Path(sys.executable).with_name("ministack"))
    with _server([program], environment, f"{endpoint}/_ministack/health", folder / "log"):
        yield Cloud("ministack", endpoint)


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """The second emulator, so that what converges leans on no single emulator's habits."""
    folder = tmp_path_factory.mktemp("moto")
    port = _free_port()
    endpoint = f"http://127.0.0.1:{port}"
    program = str(Path(sys.executable).with_name("moto_server"))
    with _server([program, "-H", "127.0.0.1", "-p", str(port)], {}, f"{endpoint}/moto-api/", folder / "log"):
        yield Cloud("moto", endpoint)


@pytest.fixture(params=["ministack", "moto"])
def cloud(request: pytest.FixtureRequest) -> Cloud:
    """Each emulator in turn."""
    found: Cloud = request.getfixturevalue(request.param)
    return found
