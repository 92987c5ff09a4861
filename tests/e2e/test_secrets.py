"""Secrets are only in Secrets Manager and in the host's option file.

Stack.playbook searches what every playbook prints; here each is run at -vvv, and the host is searched.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.e2e.conftest import GOOD, HEADER, ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Stack

pytestmark = pytest.mark.e2e

ELSEWHERE = {"local_cloud.yml", "local_cloud_down.yml", "rotate.yml", "teardown.yml"}
"""Run at -vvv elsewhere: before and after the stack, and in test_rotate and test_teardown."""
PARTS = {"gather.yml", "lock.yml"}
"""Imported by the others only."""


def test_no_playbook_shows_a_secret_at_the_highest_verbosity(complete: Stack, tmp_path: Path) -> None:
    secrets = complete.secret_values()
    assert len(secrets) > 3
    file = tmp_path / "verbose.csv"
    file.write_text(HEADER + GOOD)
    arguments = {
        "load.yml": ("-e", json.dumps({"csv": str(file)})),
        "permissions.yml": ("-e", f"permissions_directory={tmp_path}"),
    }
    playbooks = {path.name for path in (ROOT / "playbooks").glob("*.yml")} - ELSEWHERE - PARTS
    for name in sorted(playbooks - complete.verbose):
        run = complete.playbook(name, *arguments.get(name, ()), verbose=True)
        # The run was that verbose: otherwise the search would prove nothing.
        assert "task path: " in run.output
    assert playbooks <= complete.verbose


def test_a_secret_that_is_shown_is_found(complete: Stack) -> None:
    password = complete.secret("application")["rds_password"]
    with pytest.raises(AssertionError, match=r"load\.yml shows the secrets of \['csv-to-aurora-local/application'\]"):
        complete.playbook("load.yml", "-e", json.dumps({"csv": f"/{password}"}), check=False)


def test_the_host_has_one_password_in_one_file(complete: Stack) -> None:
    (host,) = complete.containers("ec2")
    search = "grep --recursive --files-with-matches --fixed-strings --devices=skip --exclude-dir=proc --exclude-dir=sys"
    found = {}
    for owner, value in complete.secret_values().items():
        done = host.exec_run(["sh", "-c", f'{search} -e "$VALUE" / 2>/dev/null'], environment={"VALUE": value})
        found[owner] = done.output.decode().split()
    assert found.pop("csv-to-aurora-local/application") == ["/home/admin/.my.cnf"]
    assert {owner: files for owner, files in found.items() if files} == {}
