"""The whole path on this machine, by the commands that a user types: the beginning of the stack's life cycle.

Each test needs the one before it, since all use the same stack. What comes next is in ORDER of conftest.py.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.e2e.conftest import ACCOUNT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Stack

pytestmark = pytest.mark.e2e

GOOD = "Ms,Grace,Hopper,1,grace@example.com,85"
BAD = "Ms,Grace,Hopper,1,nobody,85"


def test_the_plan_of_an_empty_account_names_every_kind_and_writes_nothing(stack: Stack) -> None:
    before = stack.outputs()
    plan = stack.playbook("site.yml", "--check")
    assert plan.changed > 20
    for name in ("VPC", "subnet", "bucket", "cluster", "function", "launch template"):
        assert re.search(name, plan.output, re.IGNORECASE), f"the plan does not name a {name}"
    assert stack.outputs() == before
    assert before["network"]["vpc_id"] is None
    assert before["bucket"]["name"] is None


def test_site_creates_the_stack(stack: Stack) -> None:
    run = stack.recorded("site.yml")
    assert run.changed > 20
    outputs = stack.outputs()
    assert outputs["network"]["vpc_id"].startswith("vpc-")
    assert outputs["bucket"]["name"] == f"csv-to-aurora-local-{ACCOUNT}"
    assert outputs["importer"]["function_arn"].endswith(":function:csv-to-aurora-local-importer")
    assert "MAX_USER_CONNECTIONS" in outputs["importer"]["capacity"]
    assert outputs["importer"]["sessions"] >= 1
    assert outputs["database"]["endpoint"]
    assert outputs["app_host"]["instance_id"].startswith("i-")


def test_a_second_run_changes_nothing_and_neither_does_the_plan(stack: Stack) -> None:
    assert stack.playbook("site.yml", verbose=True).changed == 0
    assert stack.playbook("site.yml", "--check").changed == 0


def test_load_reports_every_row(stack: Stack, tmp_path: Path) -> None:
    file = tmp_path / "März & Co +1%.csv"
    file.write_text(
        "title,firstname,lastname,status,email,age\n" + f"{GOOD}\n" * 3 + "\n" + f"{BAD}\n",
        encoding="utf-8",
    )
    report = tmp_path / "report.json"
    run = stack.playbook("load.yml", "-e", json.dumps({"csv": str(file), "load_report": str(report)}))
    # Rows are personal data: shown only where they are asked for.
    assert "grace@example.com" not in run.output
    shown = stack.playbook("load.yml", "-e", json.dumps({"csv": str(file), "key": "shown.csv", "load_show": 2}))
    assert shown.output.count("grace@example.com") == 2
    result = json.loads(report.read_text())
    assert result["key"] == file.name
    assert result["bucket"] == f"csv-to-aurora-local-{ACCOUNT}"
    assert result["status"] == "succeeded"
    assert [result[f"rows_{kind}"] for kind in ("read", "loaded", "rejected", "blank")] == [5, 3, 1, 1]
    assert result["version_id"]
    assert result["seconds"] >= 0


def test_load_fails_where_the_import_failed(stack: Stack, tmp_path: Path) -> None:
    file = tmp_path / "other.CSV"
    file.write_text("colour;shape\nred;round\n")
    run = stack.playbook("load.yml", "-e", json.dumps({"csv": str(file)}), check=False)
    assert run.returncode != 0
    assert "The import of other.CSV failed" in run.output


def test_verify_proves_the_path_and_cleans_up(stack: Stack) -> None:
    run = stack.playbook("verify.yml")
    assert "works: bucket, function, database and host" in run.output
