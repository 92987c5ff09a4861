"""The programs that the role mysql_client installs for logins with IAM authentication tokens."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import jinja2
import pytest

TEMPLATES = Path(__file__).parents[2] / "roles/mysql_client/templates"


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """The folder of both, with a replacement for the client that prints its input."""
    client = tmp_path / "client"
    client.write_text('#!/bin/sh\necho "$@"\ncat "${1#*=}"\nenv\n')
    client.chmod(0o755)
    loader = jinja2.FileSystemLoader(TEMPLATES)
    for name in ("database-token", "mysql"):
        text = (
            jinja2.Environment(loader=loader, undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701 - programs
            .get_template(f"{name}.j2")
            .render(
                ansible_managed="managed",
                mysql_client_host="reader.example.com",
                mysql_client_port=3306,
                mysql_client_user="application",
                mysql_client_region="eu-west-1",
                mysql_client_token_program=tmp_path / "database-token",
            )
        )
        # The interpreter that has boto3 here, and the replacement.
        text = text.replace("/usr/bin/python3", sys.executable).replace("/usr/bin/mysql", str(client))
        (tmp_path / name).write_text(text + "\n")
        (tmp_path / name).chmod(0o755)
    return tmp_path


def run(*command: str | Path) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    role = {"AWS_ACCESS_KEY_ID": "role", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "s" * 1000}
    return subprocess.run(command, env=environment | role, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("host", [None, "writer.example.com"])
def test_a_token_is_for_one_user_of_one_server(programs: Path, host: str | None) -> None:
    token = urlsplit("https://" + run(programs / "database-token", *([host] if host else [])).strip())
    asked = {name: value for name, (value,) in parse_qs(token.query).items()}
    assert token.netloc == f"{host or 'reader.example.com'}:3306"
    assert (asked["Action"], asked["DBUser"], asked["X-Amz-Expires"]) == ("connect", "application", "900")
    assert asked["X-Amz-Credential"].endswith("/eu-west-1/rds-db/aws4_request")


def test_a_token_is_for_the_server_that_the_client_connects_to(programs: Path) -> None:
    _, _, password, *_ = run(programs / "mysql", "--host=writer.example.com", "--batch").splitlines()
    assert password.startswith('password = "writer.example.com:3306/?Action=connect')


def test_the_client_is_given_its_token_through_a_pipe_only(programs: Path) -> None:
    arguments, group, password, *environment = run(programs / "mysql", "--execute", "SELECT 'a b'").splitlines()
    assert arguments == "--defaults-extra-file=/dev/fd/3 --execute SELECT 'a b'"
    assert group == "[client]"
    assert password.startswith('password = "reader.example.com:3306/?Action=connect')
    assert password.endswith('"')
    assert [line for line in environment if "X-Amz" in line] == []


def test_without_a_token_the_client_is_not_started(programs: Path) -> None:
    (programs / "database-token").write_text("#!/bin/sh\nexit 3\n")
    with pytest.raises(subprocess.CalledProcessError) as caught:
        run(programs / "mysql")
    assert (caught.value.returncode, caught.value.output) == (3, "")
