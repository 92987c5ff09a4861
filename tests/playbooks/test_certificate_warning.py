"""The warning of server certificates that expire, as runs, plans and verify.yml give it."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest
from playbook_runner import PROJECT, run_playbook


@pytest.mark.parametrize(("days", "warned"), [(-1, True), (59, True), (62, False), (9000, False)])
def test_a_certificate_that_expires_is_warned_of(tmp_path: Path, days: int, warned: bool) -> None:
    today = dt.datetime.now(dt.UTC).date()
    until = str(today + dt.timedelta(days=days))
    outputs = {"certificates_valid_until": {"stage-1": "2061-05-25", "stage-2": until}}
    task = {"ansible.builtin.include_role": {"name": "database", "tasks_from": "certificates"}}
    play = {"hosts": "localhost", "gather_facts": False, "vars": {"database_outputs": outputs}, "tasks": [task]}
    playbook = tmp_path / "certificates.yml"
    playbook.write_text(json.dumps([play]))
    (tmp_path / "roles").symlink_to(PROJECT / "roles")
    run = run_playbook(playbook)
    said = " ".join((run.stdout + run.stderr).split())
    assert run.returncode == 0, said
    assert (f"The server certificate of stage-2 is valid until {until}" in said) is warned
    assert ("apply-pending-maintenance-action" in said) is warned
