"""Secrets are only in Secrets Manager and in the host's option file, and people only in the database.

Stack.playbook searches what every playbook prints for secrets; here each is run at -vvv, and the host is searched.
"""

from __future__ import annotations

import json
from secrets import token_hex
from typing import TYPE_CHECKING

import pytest

from tests.e2e.conftest import FUNCTION, HEADER, ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Stack

pytestmark = pytest.mark.e2e

LOADED, REJECTED = (f"{word}{token_hex(8)}" for word in ("Loaded", "Rejected"))
KEY = "verbose.csv"

ELSEWHERE = {
    *("local_cloud.yml", "local_cloud_down.yml"),
    *("reconcile.yml", "rotate.yml", "status.yml", "teardown.yml", "undo.yml"),
}
"""Run at -vvv elsewhere: before and after the stack, and in test_rotate, test_teardown and test_imports."""
PARTS = {"gather.yml", "lock.yml"}
"""Imported by the others only."""


def test_no_playbook_shows_a_secret_at_the_highest_verbosity(complete: Stack, tmp_path: Path) -> None:
    secrets = complete.secret_values()
    assert len(secrets) > 3
    file = tmp_path / "verbose.csv"
    # Two people who are nowhere else: one is loaded, one rejected.
    file.write_text(f"{HEADER}Ms,{LOADED},Hopper,1,{LOADED}@example.com,85\nMr,{REJECTED},Nobody,1,{REJECTED},200\n")
    arguments = {
        "load.yml": ("-e", json.dumps({"csv": str(file), "key": KEY})),
        "permissions.yml": ("-e", f"permissions_directory={tmp_path}"),
    }
    playbooks = {path.name for path in (ROOT / "playbooks").glob("*.yml")} - ELSEWHERE - PARTS
    for name in sorted(playbooks - complete.verbose):
        run = complete.playbook(name, *arguments.get(name, ()), verbose=True)
        # The run was that verbose: otherwise the search would prove nothing.
        assert "task path: " in run.output
        assert [person for person in (LOADED, REJECTED) if person in run.output] == []
    assert playbooks <= complete.verbose


def test_people_are_in_the_database_only(complete: Stack, tmp_path: Path) -> None:
    """In no log of the function, and nowhere on the host."""
    file = tmp_path / "rejects.csv"
    (found,) = complete.query(
        "SELECT MAX(id) AS id FROM csv_import WHERE object_key = %s AND status = 'succeeded'", KEY
    )
    run = complete.playbook("imports.yml", "-e", f"rejects_of={found['id']} rejects_file={file}", verbose=True)
    assert REJECTED in file.read_text()
    assert REJECTED not in run.output
    assert [row["firstname"] for row in complete.query("SELECT firstname FROM customer WHERE firstname = %s", LOADED)]
    pages = complete.client("logs").get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{FUNCTION}")
    events = " ".join(event["message"] for page in pages for event in page["events"])
    assert KEY in events
    assert [person for person in (LOADED, REJECTED) if person in events] == []
    for person in (LOADED, REJECTED):
        assert files_with(complete, person) == []


def test_a_secret_that_is_shown_is_found(complete: Stack) -> None:
    password = complete.secret("application")["rds_password"]
    with pytest.raises(AssertionError, match=r"load\.yml shows the secrets of \['csv-to-aurora-local/application'\]"):
        complete.playbook("load.yml", "-e", json.dumps({"csv": f"/{password}"}), check=False)


def files_with(stack: Stack, value: str) -> list[str]:
    """The files of the host, its journal among them, that contain a text."""
    (host,) = stack.containers("ec2")
    search = "grep --recursive --files-with-matches --fixed-strings --devices=skip --exclude-dir=proc --exclude-dir=sys"
    done = host.exec_run(["sh", "-c", f'{search} -e "$VALUE" / 2>/dev/null'], environment={"VALUE": value})
    return list(done.output.decode().split())


def test_the_host_has_one_password_in_two_option_files(complete: Stack) -> None:
    found = {owner: files_with(complete, value) for owner, value in complete.secret_values().items()}
    files = found.pop("csv-to-aurora-local/application")
    assert sorted(files) == ["/etc/status-page/my.cnf", "/home/admin/.my.cnf"]
    assert {owner: files for owner, files in found.items() if files} == {}
