"""The control plane on moto_server: what converges on two emulators leans on neither's habits."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from tests.e2e.conftest import Stack

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.e2e

URL = "http://127.0.0.1:4799"
START_SECONDS = 60
VARIABLES = ("-e", "@tests/e2e/moto.yml")
HOSTS = "inventories/local/hosts.yml"


@pytest.fixture(scope="module")
def moto() -> Iterator[None]:
    """A moto_server of the tests' own, on the port that moto.yml names."""
    server = subprocess.Popen(
        [Path(sys.executable).parent / "moto_server", "-H", "127.0.0.1", "-p", URL.rpartition(":")[2]],
        env={**os.environ, "MOTO_IAM_LOAD_MANAGED_POLICIES": "true"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(START_SECONDS):
            try:
                urlopen(f"{URL}/moto-api/", timeout=5).close()
                break
            except (URLError, ConnectionError):
                time.sleep(1)
        yield
    finally:
        server.terminate()
        server.wait()


@pytest.mark.usefixtures("moto")
def test_what_moto_can_do_is_created_and_removed_again(tmp_path: Path) -> None:
    stack = Stack(tmp_path)
    created = stack.playbook("provision.yml", *VARIABLES, inventory=HOSTS)
    for role, resources in {
        "network": 16,
        "security_groups": 3,
        "database": 7,
        "app_host": 6,
        "bucket": 2,
        "importer": 10,
    }.items():
        assert re.search(rf"^  {role} +{resources} ", created.output, re.MULTILINE), created.output[-2000:]
    assert stack.playbook("teardown.yml", *VARIABLES, inventory=HOSTS).changed > 20
    assert stack.playbook("teardown.yml", *VARIABLES, inventory=HOSTS).changed == 0
