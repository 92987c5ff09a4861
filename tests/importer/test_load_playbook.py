"""playbooks/load.yml with a real server: what follows the upload, but for what opens the tunnel."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from playbook_runner import PROJECT, run_playbook

from .conftest import PASSWORD, Database
from .files import GOOD, MemoryStore, lines_of, version_of
from .test_ledger_readers import CLIENT

WRONG_AGE = GOOD.rsplit(",", 1)[0] + ",old"
WRONG_STATUS = GOOD.replace(",1,", ",later,")


def followed(database: Database, folder: Path, *, key: str = "a.csv", tunnel: bool = True) -> tuple[int, str]:
    """Run the plays that follow an upload; return exit code and output.

    Args:
        database: Where the file has been imported to.
        folder: Where the playbook is written.
        key: The key of the object.
        tunnel: Whether the administrator's secret can be read.
    """
    server = database.server
    login = {"host": server.host, "port": server.port, "user": server.user, "password": server.password,
             "database": database.name, "charset": "utf8mb4", "ssl_ca": str(server.ca_file)}  # fmt: skip
    client = folder / "mysql"
    client.write_text(f"#!/bin/sh\nexec {shlex.join([sys.executable, '-c', CLIENT, json.dumps(login)])}\n")
    client.chmod(0o755)
    version = version_of(key)
    given: dict[str, Any] = {
        "stack_mysql": [str(client)],
        "bucket_outputs": {"name": version.bucket},
        "database_outputs": {"endpoint": server.host, "schema_name": database.name},
        "stack_status_page": {"url": None},
        "load_key": key,
        "load_dataset": {"name": "customer", "table": "customer", "columns": []},
        "load_object": {"object_info": [{"object_data": {"version_id": version.version_id}}]},
        "tunnel_login": {"login_host": server.host, "login_port": server.port, "ca_cert": str(server.ca_file)},
    }
    if tunnel:
        given["stack_administrator"] = {"username": server.user, "password": server.password}
    plays = yaml.safe_load((PROJECT / "playbooks/load.yml").read_text(encoding="utf-8"))
    following = plays[[play["name"] for play in plays].index("Follow the import") :]
    for play in following:
        for task in play["tasks"]:
            if "block" in task:
                task["block"] = [one for one in task["block"] if "ansible.builtin.import_tasks" not in one]
    playbook = folder / "playbook.yml"
    playbook.write_text(json.dumps(following))
    inventory = folder / "stage" / "hosts.yml"
    inventory.parent.mkdir(exist_ok=True)
    groups = {"all": {"hosts": {"controller": {}}, "vars": given}, "app_hosts": {"hosts": {"i-1": {}}}}
    inventory.write_text(yaml.safe_dump(groups))
    run = run_playbook(playbook, f"--inventory={inventory}", "-e", f"load_report={folder / 'report.json'}")
    output = " ".join((run.stdout + run.stderr).split())
    assert [secret for secret in (PASSWORD, server.password, "grace@example.com") if secret in output] == []
    return run.returncode, output


def test_an_import_that_loads_nothing_ends_with_its_own_code_and_says_why(database: Database, tmp_path: Path) -> None:
    rows = [WRONG_AGE, WRONG_STATUS, WRONG_AGE, WRONG_AGE]
    outcome = database.importer(MemoryStore(lines_of(*rows))).run(version_of("a.csv"))
    code, output = followed(database, tmp_path)
    assert code == 10, output
    assert "a.csv: no row was loaded, 4 were rejected" in output
    (age, status) = database.query(
        "SELECT column_name, reason FROM csv_import_reject GROUP BY column_name, reason ORDER BY column_name"
    )
    assert f"3 age: {age[1]}, first in line 2 1 status: {status[1]}, first in line 3 Correct the file" in output
    command = "ansible-playbook playbooks/imports.yml -i inventories/stage"
    assert f"{command} -e rejects_of={outcome.entry.import_id} -e rejects_file=rejects.csv" in output
    assert json.loads((tmp_path / "report.json").read_text())["rows_rejected"] == 4


def test_whoever_may_not_read_the_administrators_secret_learns_the_rest(database: Database, tmp_path: Path) -> None:
    database.importer(MemoryStore(lines_of(WRONG_AGE))).run(version_of("a.csv"))
    code, output = followed(database, tmp_path, tunnel=False)
    assert code == 10, output
    assert "a.csv: no row was loaded, 1 were rejected Correct the file and load it again." in output


@pytest.mark.parametrize("rows", [(), (GOOD,), (GOOD, WRONG_AGE)])
def test_where_rows_were_loaded_or_none_rejected_the_code_is_0(
    database: Database, tmp_path: Path, rows: tuple[str, ...]
) -> None:
    database.importer(MemoryStore(lines_of(*rows))).run(version_of("a.csv"))
    code, output = followed(database, tmp_path)
    assert code == 0, output
    assert "no row was loaded" not in output


def test_a_failed_import_is_a_failure(database: Database, tmp_path: Path) -> None:
    database.importer(MemoryStore(b"colour\nred\n")).run(version_of("a.csv"))
    code, output = followed(database, tmp_path)
    assert code == 2, output
    assert "The import of a.csv failed" in output
    assert "no row was loaded" not in output
