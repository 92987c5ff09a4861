"""playbooks/undo.yml on a real server: everything but what finds the stack and opens the tunnel."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from playbook_runner import PROJECT, run_playbook

from .conftest import PASSWORD, Database
from .files import GOOD, MemoryStore, lines_of, version_of
from .test_ledger_readers import play, shown

ARN = "arn:aws:sts::123456789012:assumed-role/deployer/ada"
ELSEWHERE = ("tasks/find_host.yml", "tasks/open_tunnel.yml")


def played(database: Database, folder: Path, *arguments: str, caller: str = ARN) -> tuple[int, str]:
    """Run the playbook's own plays, with the variables that the stack gives; return its code and output."""
    plays = yaml.safe_load((PROJECT / "playbooks/undo.yml").read_text(encoding="utf-8"))
    server = database.server
    variables: dict[str, Any] = {
        "stack_name": "the-stack",
        "stack_administrator": {"username": server.user, "password": server.password},
        "database_outputs": {"endpoint": server.host, "schema_name": database.name},
        "preflight_outputs": {"caller_arn": caller, "datasets": [{"name": "customer", "table": "customer"}]},
        "inventory_dir": "inventories/stage",
        "tunnel_login": {"login_host": server.host, "login_port": server.port, "ca_cert": str(server.ca_file)},
    }  # fmt: skip
    own = [
        {
            **play,
            "hosts": "localhost",
            "vars": variables,
            "tasks": [task for task in play["tasks"] if task.get("ansible.builtin.import_tasks") not in ELSEWHERE],
        }
        for play in plays
        if "tasks" in play
    ]
    playbook = folder / "playbook.yml"
    playbook.write_text(json.dumps(own))
    inventory = folder / "hosts.yml"
    inventory.write_text("app_hosts: {hosts: {host: {}}}\n")
    run = run_playbook(playbook, f"--inventory={inventory}", "-vvv", *arguments)
    assert server.password not in run.stdout + run.stderr
    return run.returncode, " ".join((run.stdout + run.stderr).split())


def loaded(database: Database, key: str = "a.csv") -> int:
    return database.importer(MemoryStore(lines_of(*[GOOD] * 1_200))).run(version_of(key)).entry.import_id


def rows(database: Database) -> int:
    ((count,),) = database.query("SELECT COUNT(*) FROM customer")
    return int(count)


@pytest.mark.parametrize("given", ["", "x", "0", "7 OR 1=1"])
def test_an_import_is_named_by_its_id(database: Database, tmp_path: Path, given: str) -> None:
    code, output = played(database, tmp_path, "-e", json.dumps({"import": given}))
    assert code != 0
    assert f"import is '{given}'; give the id of one import" in output


def test_a_plan_says_how_many_rows_would_be_removed_and_asks_nothing(database: Database, tmp_path: Path) -> None:
    number = loaded(database)
    code, output = played(database, tmp_path, "-e", f"import={number}", "--check")
    assert code == 0, output
    assert f"Would remove 1,200 rows of import {number} from the table customer; the file is a.csv" in output
    assert rows(database) == 1_200


@pytest.mark.parametrize("confirmation", [[], ["-e", "undo_confirm=99"]])
def test_without_the_id_again_nothing_is_removed(database: Database, tmp_path: Path, confirmation: list[str]) -> None:
    number = loaded(database)
    code, output = played(database, tmp_path, "-e", f"import={number}", *confirmation)
    assert code != 0
    assert f"Nothing was removed: the answer was not {number}." in output
    assert f"-e import={number} -e undo_confirm={number}" in output
    assert rows(database) == 1_200
    assert database.ledger()[0]["undone_by"] is None


def test_it_is_undone_once_and_the_ledger_shows_it(database: Database, tmp_path: Path) -> None:
    number = loaded(database)
    chosen = ["-e", f"import={number}", "-e", f"undo_confirm={number}"]
    code, output = played(database, tmp_path, *chosen)
    assert code == 0, output
    assert f"1,200 rows of import {number} were removed from the table customer, by {ARN}." in output
    assert "changed=1" in output
    assert rows(database) == 0
    code, output = played(database, tmp_path, *chosen, caller="another")
    assert code == 0, output
    assert f"Import {number} has been undone already, by {ARN} at 20" in output
    assert "changed=0" in output
    ledger = " ".join(play(database, tmp_path, [shown("TRUE")], password=PASSWORD).split())
    assert f"undone, 1200 rows, by {ARN}: 20" in ledger
    assert "dataset file" in ledger


def test_what_cannot_be_undone_is_said(database: Database, tmp_path: Path) -> None:
    loaded(database)
    number = database.importer(MemoryStore(lines_of(GOOD))).run(version_of("a.csv", "v2")).entry.import_id
    code, output = played(database, tmp_path, "-e", f"import={number}")
    assert code != 0
    assert "rows are known by import_file only" in output
    assert "Nothing was removed." in output
    assert rows(database) == 1_201
