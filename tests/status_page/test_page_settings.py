"""Environment variables and the option file: what is missing or not possible is named."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import jinja2
import pytest
import yaml

from status_page.settings import ConfigurationError, Settings, settings_from

PROJECT = Path(__file__).resolve().parents[2]
TEMPLATE = PROJECT / "roles/mysql_client/templates/my.cnf.j2"
GIVEN = {"STATUS_PAGE_ENVIRONMENT": "stage", "STATUS_PAGE_OPTION_FILE": "my.cnf"}
VALUES = {
    "ansible_managed": "Ansible managed",
    "mysql_client_host": "reader.example.org",
    "mysql_client_port": 3307,
    "mysql_client_user": "application",
    "mysql_client_password": "a b#c;d%e",
    "mysql_client_ca_file": "/etc/mysql/ca.pem",
    "mysql_client_database": "shop",
    "mysql_client_login": "password",
    "__mysql_client_mariadb": True,
}


def written(folder: Path, **values: object) -> Path:
    """Write the option file as the role does."""
    file = folder / "my.cnf"
    file.write_text(jinja2.Template(TEMPLATE.read_text(), trim_blocks=True).render(VALUES | values))
    return file


@pytest.mark.parametrize("mariadb", [True, False])
def test_the_option_file_is_that_of_the_role(tmp_path: Path, mariadb: bool) -> None:
    login = Settings("stage", written(tmp_path, __mysql_client_mariadb=mariadb)).login()
    assert (login.host, login.port, login.user) == ("reader.example.org", 3307, "application")
    assert (login.password, login.database, login.ca_file) == ("a b#c;d%e", "shop", "/etc/mysql/ca.pem")
    assert "a b#c" not in repr(login)


def test_another_host_takes_the_place_of_that_of_the_file(tmp_path: Path) -> None:
    assert Settings("stage", written(tmp_path), host="another.example.org").login().host == "another.example.org"


def test_with_tokens_there_is_no_password(tmp_path: Path) -> None:
    file = written(tmp_path, mysql_client_login="iam")
    assert Settings("stage", file, token_program="/usr/local/bin/database-token").login().password == ""
    with pytest.raises(ConfigurationError, match=r"lacks password in \[client\]"):
        Settings("stage", file).login()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r"lacks port|lacks host"),
        ("[client]\nhost = a\nuser = b\npassword = c\n[mysql]\ndatabase = d\n", r"lacks ssl-ca in \[client\]"),
        ("[client]\nhost = a\nuser = b\npassword = c\nssl-ca = e\n", r"lacks database in \[mysql\]"),
        ("[client]\nport = x\n", "no number as port"),
        ("password = secret\n", "cannot be read"),
        ("\udcff", "cannot be read"),
    ],
)
def test_an_option_file_that_is_not_complete_is_named_and_not_shown(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "my.cnf"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigurationError, match=said) as raised:
        Settings("stage", file).login()
    assert str(file) in str(raised.value)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"STATUS_PAGE_ENVIRONMENT": ""}, "STATUS_PAGE_ENVIRONMENT is not set"),
        ({"STATUS_PAGE_OPTION_FILE": ""}, "STATUS_PAGE_OPTION_FILE is not set"),
        ({"STATUS_PAGE_ENVIRONMENT": "a; rm"}, "no name of an environment"),
        ({"STATUS_PAGE_LOGIN": "kerberos"}, "one of password and iam"),
        ({"STATUS_PAGE_LOGIN": "iam"}, "STATUS_PAGE_TOKEN_PROGRAM is not set"),
        ({"STATUS_PAGE_LOGIN": "iam", "STATUS_PAGE_TOKEN_PROGRAM": "/no/such"}, "which is no program"),
    ],
)
def test_a_setting_that_is_not_possible_is_named(variables: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        settings_from(GIVEN | variables)


def test_gunicorn_finds_both_applications_without_a_database(tmp_path: Path) -> None:
    code = (
        "from status_page.wsgi import private, public\n"
        "print(*(len(list(app.url_map.iter_rules())) for app in (private, public)))"
    )
    environment = {**os.environ, **GIVEN, "PYTHONPATH": str(PROJECT / "files/app")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    private, public = map(int, done.stdout.split())
    assert private > public > 2


def test_the_page_gets_columns_of_rejects_and_not_their_text() -> None:
    grants = yaml.safe_load((PROJECT / "files/schema/grants.yml").read_text(encoding="utf-8"))["application"]
    assert grants["csv_import_reject"] == ["SELECT (import_id, line_number, column_name, reason)"]
