"""Servers that live for one test session: emulators of AWS, each on a port of its own."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

REGION = "eu-west-1"
LOCAL_CLOUD = Path(__file__).resolve().parents[1] / "roles/local_cloud/files"
"""The folder of the program that runs the local cloud's emulator."""
SECRET = secrets.token_urlsafe(30)
"""The secret access key of the root user on the emulators of these tests, for whatever access key."""


def free_port() -> int:
    """Return a port of this machine on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def server(command: list[str], environment: dict[str, str], health: str, log: Path) -> Iterator[None]:
    """Start a server, wait until it answers, and end it with the block.

    Raises:
        AssertionError: it did not answer within half a minute, or ended; with its log.
    """
    with log.open("wb") as output:
        started = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=os.environ | environment)
        try:
            for _ in range(300):
                if started.poll() is not None:
                    break
                try:
                    with urllib.request.urlopen(health, timeout=2):
                        break
                except (URLError, OSError):
                    time.sleep(0.1)
            else:
                raise AssertionError(f"{command[0]} did not answer: {log.read_text()}")
            assert started.poll() is None, f"{command[0]} ended: {log.read_text()}"
            yield
        finally:
            started.terminate()
            started.wait(timeout=30)


def settings_of(folder: Path, port: int) -> dict[str, str]:
    """Return the settings of a ministack that keeps its files in ``folder``."""
    return {
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_REGION": REGION,
        # No container engine: what the tests need has none, and another cloud's containers stay untouched.
        "DOCKER_HOST": f"unix://{folder}/none.sock",
        "HOME": os.environ["HOME"],
        "LOG_LEVEL": "WARNING",
        "PATH": os.environ["PATH"],
        "TMPDIR": str(folder),
    }


@contextmanager
def _launched(folder: Path, **settings: object) -> Iterator[str]:
    """Run ministack as the role does, by its launcher, with the secret ``SECRET``, and give its URL."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    root, file = folder / "root", folder / "ministack.json"
    for path in (root, file):
        path.touch(mode=0o600)
    root.write_text(f"[root]\naws_access_key_id = test\naws_secret_access_key = {SECRET}\n")
    content = {
        "authorizations": None,
        "environment": settings_of(folder, port),
        "publish_on": ["127.0.0.1"],
        "root": str(root),
        "strict": None,
    }
    file.write_text(json.dumps(content | settings))
    command = [sys.executable, str(LOCAL_CLOUD / "launcher.py"), str(file)]
    with server(command, {}, f"{url}/_ministack/health", folder / "ministack.log"):
        yield url


def ministack(folder: Path) -> AbstractContextManager[str]:
    """Run the local cloud's emulator without containers and without IAM enforcement, and give its URL."""
    return _launched(folder)


def strict_ministack(folder: Path, **settings: float) -> AbstractContextManager[str]:
    """Run the same behind the strict layer, with these settings of it; what it refuses is in ``strict.jsonl``."""
    return _launched(folder, strict=settings)


def authorizing_ministack(folder: Path) -> AbstractContextManager[str]:
    """Run the same with IAM enforcement as on the local cloud; the authorizations are in ``authorizations.jsonl``."""
    return _launched(folder, authorizations=str(folder / "authorizations.jsonl"))


@contextmanager
def moto(folder: Path, **environment: str) -> Iterator[str]:
    """Run the second emulator and give its URL."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    program = str(Path(sys.executable).with_name("moto_server"))
    with server([program, "-H", "127.0.0.1", "-p", str(port)], environment, f"{url}/moto-api/", folder / "moto.log"):
        yield url
