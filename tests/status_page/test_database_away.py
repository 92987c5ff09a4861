"""A database that is away, slow, or refuses: the page says so, in plain words, and recovers by itself."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from status_page.cache import FAILURE_KEPT
from status_page.web import private_app, public_app
from tests.importer.mysql_server import CertificateAuthority
from tests.importer.test_faults import impostor
from tests.servers import free_port
from tests.status_page.page_ledger import PASSWORD, Ledger

PATHS = ("/", "/imports", "/imports/1", "/api/overview", "/api/imports", "/healthz")


def cause(client: FlaskClient) -> str:
    """Return what is said, after a check that every page says it."""
    said = set()
    for path in PATHS:
        answer = client.get(path)
        assert answer.status_code == 503, path
        assert answer.headers["Retry-After"] == "10"
        assert answer.headers["Cache-Control"] == "no-store"
        for hidden in ("Traceback", "127.0.0.1", "application_", PASSWORD, "pymysql"):
            assert hidden not in answer.text
        if answer.is_json:
            said.add(answer.get_json()["cause"])
        else:
            assert "Not available" in answer.text
    (text,) = said
    assert "status_page_database_up 0" in client.get("/metrics").text
    return str(text)


def kill(ledger: Ledger) -> None:
    """End all connections of the page."""
    rows = ledger.query("SELECT id FROM information_schema.processlist WHERE user = %s", ledger.user)
    assert rows
    for (connection,) in rows:
        ledger.query("KILL %s", connection)


@pytest.fixture
def client(ledger: Ledger) -> FlaskClient:
    ledger.add()
    return private_app(ledger.settings()).test_client()


def test_away_and_back(ledger: Ledger, client: FlaskClient) -> None:
    assert client.get("/imports").status_code == 200
    ledger.write_option_file(port=free_port())
    kill(ledger)
    assert cause(client) == "The database cannot be reached."
    ledger.write_option_file()
    assert client.get("/imports").status_code == 200
    time.sleep(FAILURE_KEPT)
    for path in ("/", "/healthz"):
        assert client.get(path).status_code == 200


def test_connections_that_were_lost_while_idle_are_not_seen(ledger: Ledger, client: FlaskClient) -> None:
    for _ in range(2):
        assert client.get("/imports").status_code == 200
        kill(ledger)
    assert client.get("/imports").status_code == 200


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_silent(ledger: Ledger, silent: int) -> None:
    ledger.write_option_file(port=silent)
    client = private_app(ledger.settings()).test_client()
    answer = client.get("/imports")
    assert answer.status_code == 503
    assert "The database does not answer." in answer.text


def test_slow(ledger: Ledger, client: FlaskClient) -> None:
    other = ledger.server.connect(ledger.name)
    with other, other.cursor() as cursor:
        cursor.execute("LOCK TABLES csv_import WRITE")
        answer = client.get("/imports")
    assert answer.status_code == 503
    assert "The database is slow: a query was ended after 2 seconds." in answer.text
    assert client.get("/imports").status_code == 200


def _take_the_only_connection(ledger: Ledger) -> None:
    ledger.query(f"ALTER USER {ledger.user} WITH MAX_USER_CONNECTIONS 1")
    ledger.others.append(ledger.server.connect(ledger.name, user=ledger.user, password=PASSWORD))


REFUSALS: dict[str, tuple[Callable[[Ledger], object], str]] = {
    "password": (
        lambda ledger: ledger.query(f"ALTER USER {ledger.user} IDENTIFIED BY 'another'"),
        "The database refuses the login of this page.",
    ),
    "locked": (
        lambda ledger: ledger.query(f"ALTER USER {ledger.user} ACCOUNT LOCK"),
        "The database refuses the login of this page.",
    ),
    "grants": (
        lambda ledger: ledger.query(f"REVOKE ALL ON csv_import FROM {ledger.user}"),
        "This page may not read what it needs",
    ),
    "table": (lambda ledger: ledger.query("DROP TABLE csv_import_range, csv_import_reject, csv_import"), "complete"),
    "connections": (_take_the_only_connection, "The database has no connection free."),
    "file": (lambda ledger: ledger.option_file.unlink(), "The log of the service says why."),
    "CA": (lambda ledger: ledger.write_option_file(**{"ssl-ca": "/no/such"}), "The log of the service says why."),
    "option": (lambda ledger: ledger.write_option_file(password=""), "The log of the service says why."),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refused(ledger: Ledger, client: FlaskClient, name: str, caplog: pytest.LogCaptureFixture) -> None:
    refuse, said = REFUSALS[name]
    refuse(ledger)
    assert said in cause(client)
    assert caplog.messages
    assert PASSWORD not in caplog.text


def test_a_certificate_of_another_ca_is_refused(ledger: Ledger, tmp_path: Path) -> None:
    ledger.write_option_file(**{"ssl-ca": CertificateAuthority.create("another").write(tmp_path / "another.pem")})
    assert "certificate of the database cannot be verified" in cause(private_app(ledger.settings()).test_client())


def test_a_server_without_tls_is_sent_nothing(ledger: Ledger) -> None:
    heard: list[bytes] = []
    with impostor(None, heard) as port:
        ledger.write_option_file(port=port)
        answer = private_app(ledger.settings()).test_client().get("/imports")
    assert answer.status_code == 503
    assert "certificate of the database cannot be verified" in answer.text
    assert heard == [b""]


def test_a_token_is_the_password_and_is_asked_for_once(ledger: Ledger, tmp_path: Path) -> None:
    token, calls = "token-of-the-database", tmp_path / "calls"
    program = tmp_path / "database-token"
    program.write_text(f'#!/bin/sh\necho "$1" >> {calls}\necho {token}\n')
    program.chmod(0o755)
    ledger.query(f"ALTER USER {ledger.user} IDENTIFIED BY %s", token)
    # As where there is no password: the option is missing.
    ledger.option_file.write_text(re.sub("password = .*", "", ledger.option_file.read_text()))
    settings = ledger.settings(STATUS_PAGE_LOGIN="iam", STATUS_PAGE_TOKEN_PROGRAM=str(program))
    client = private_app(settings).test_client()
    for _ in range(2):
        assert client.get("/imports").status_code == 200
        kill(ledger)
    assert calls.read_text() == "127.0.0.1\n"


def test_a_token_program_that_fails_is_said(ledger: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    settings = ledger.settings(STATUS_PAGE_LOGIN="iam", STATUS_PAGE_TOKEN_PROGRAM="/bin/false")
    assert "The log of the service says why." in cause(private_app(settings).test_client())
    assert "/bin/false gives no IAM authentication token" in caplog.text


def test_everybody_is_told_that_the_database_is_away_and_not_why(ledger: Ledger) -> None:
    ledger.write_option_file(port=free_port())
    client = public_app(ledger.settings()).test_client()
    for path in ("/", "/api/overview", "/healthz"):
        answer = client.get(path)
        assert answer.status_code == 503
        assert "The database cannot be reached." in answer.text
    assert client.get("/static/style.css").status_code == 200
