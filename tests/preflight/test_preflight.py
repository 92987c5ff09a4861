"""Wrong input stops a run within seconds, and the message has cause and fix."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
UNREACHABLE = "http://127.0.0.1:1"
CONNECTION = {
    "region": "eu-west-1",
    "endpoint_url": UNREACHABLE,
    "access_key": "nobody",
    "secret_key": "nothing",
}


def preflight(folder: Path, inventory: str = "dev", **variables: Any) -> str:
    """Run gather.yml, whose first role is preflight, with these variables, and return its output.

    A key and an account are given; everything else is as in the repository. AWS is not reached.
    """
    key = folder / "key.pub"
    key.write_text("ssh-ed25519 AAAA nobody@example.com\n")
    given = {
        "aws_account_id": "123456789012",
        "ssh_public_key_file": str(key),
        "aws_connection": CONNECTION,
        **variables,
    }
    done = subprocess.run(
        [
            Path(sys.executable).parent / "ansible-playbook",
            "playbooks/gather.yml",
            "-i",
            f"inventories/{inventory}/hosts.yml",
            "-e",
            json.dumps(given),
        ],
        cwd=ROOT,
        env={k: v for k, v in os.environ.items() if not k.startswith("AWS_")} | {"AWS_EC2_METADATA_DISABLED": "true"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0, done.stdout
    # The output wraps messages.
    return " ".join((done.stdout + done.stderr).split())


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"environment_name": "Dev_1"}, ["environment_name (Dev_1)", "lower case", "group_vars/all/main.yml"]),
        ({"project": "x" * 40}, ["at most 31 characters"]),
        ({"aws_account_id": ""}, ["aws_account_id ('')", "12 digits", "inventories/dev/group_vars/all/main.yml"]),
        ({"aws_account_id": "12345"}, ["aws_account_id ('12345')", "aws sts get-caller-identity"]),
        ({"aws_region": "Ireland"}, ["aws_region (Ireland)", "such as eu-west-1"]),
        ({"ssh_allowed_cidrs": ["0.0.0.0/0"]}, ["ssh_allowed_cidrs holds '0.0.0.0/0'", "never the whole internet"]),
        ({"ssh_allowed_cidrs": ["my office"]}, ["ssh_allowed_cidrs holds 'my office'", "203.0.113.7/32"]),
        ({"stack_database_login": "kerberos"}, ["stack_database_login (kerberos)", "password or iam", "main.yml"]),
        (
            {"stack_database_login": "iam", "database_iam_authentication": False},
            ["stack_database_login cannot be iam here: database_iam_authentication is false", "main.yml"],
        ),
        (
            {"stack_permissions_boundary": "csv-to-aurora-dev-boundary"},
            ["stack_permissions_boundary (csv-to-aurora-dev-boundary)", "policy/NAME", "group_vars/all/main.yml"],
        ),
        ({"stack_permissions_boundary": ""}, ["AWS does not answer"]),
        ({"stack_database_login": "iam"}, ["AWS does not answer"]),
        (
            {"stack_notify": ["operators"]},
            ["stack_notify holds 'operators'", "an e-mail address", "group_vars/all/main.yml"],
        ),
        ({"stack_notify": ["http://example.com"]}, ["AWS does not answer"]),
        (
            {"stack_processed_files": {"expire_days": 90}},
            ["stack_processed_files: expire_days needs tag: true", "group_vars/all/main.yml", "docs/imports.md"],
        ),
        ({"stack_processed_files": None}, ["stack_processed_files (None) has to be {}", "group_vars/all/main.yml"]),
        ({"stack_importer_sessions": "many"}, ["stack_importer_sessions (many)", "1 to 16", "group_vars/all/main.yml"]),
        (
            {"stack_importer_sessions": 8, "stack_importer_max_connections": 8},
            ["stack_importer_max_connections (8) is less than the 9 connections", "stack_importer_sessions"],
        ),
        (
            {"stack_importer_max_connections": "two thirds"},
            ["stack_importer_max_connections is wrong: 'two thirds' is neither", "such as 67%"],
        ),
        (
            {"stack_importer_max_connections": 60, "importer_concurrency": 61},
            ["importer_concurrency (61) lets more imports run"],
        ),
        ({"importer_sessions": 17}, ["importer_sessions", "roles/importer/README.md"]),
        ({"ssh_public_key_file": "/nowhere/key.pub"}, ["/nowhere/key.pub", "ssh-keygen -t ed25519"]),
        ({"bucket_noncurent_days": 3}, ["The role bucket has no variable bucket_noncurent_days"]),
        ({"bucket_noncurrent_days": "soon"}, ["bucket_noncurrent_days", "roles/bucket/README.md"]),
        ({"network_nat": "several"}, ["network_nat", "roles/network/README.md"]),
        ({}, ["AWS does not answer", "eu-west-1"]),
        (
            {"aws_connection": {"region": "eu-west-1", "profile": "nobody"}},
            ["no AWS profile of that name", "list-profiles"],
        ),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
def test_wrong_input_stops_with_cause_and_fix(variables: dict[str, Any], message: list[str], tmp_path: Path) -> None:
    output = preflight(tmp_path, **variables)
    assert [text for text in message if text not in output] == [], output[-2500:]
    assert "Traceback" not in output


def test_the_local_cloud_refuses_iam_authentication(tmp_path: Path) -> None:
    output = preflight(tmp_path, "local", stack_database_login="iam", aws_account_id="000000000000")
    assert "stack_database_login cannot be iam here: the local cloud's MySQL lacks AWSAuthenticationPlugin" in output
    assert "inventories/local/group_vars/all/main.yml" in output
