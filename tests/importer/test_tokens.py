"""Tokens of IAM in place of a password: made for each connection, told over verified TLS only, shown nowhere."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from botocore.exceptions import NoCredentialsError
from playbook_runner import PROJECT, run_playbook

from csv_importer import importer as importing
from csv_importer.aws import TokenSecrets
from csv_importer.errors import Misconfigured, TransientFault
from csv_importer.handler import EventFailed
from csv_importer.importer import Result
from csv_importer.mysql import MySqlDatabase, MySqlSession
from csv_importer.ports import Credentials
from csv_importer.settings import Settings

from .conftest import Cloud, Database, Invoke, secret_of
from .files import GOOD, MemoryStore, lines_of, version_of
from .mysql_server import Authority
from .test_faults import impostor, kill, once_before
from .token_server import TokenServer, token_server

CONTENT = lines_of(*[GOOD] * 1_000)


@pytest.fixture
def server(database: Database, tmp_path: Path) -> Iterator[TokenServer]:
    with token_server(database, tmp_path) as server:
        yield server


class Secret:
    """The importer's secret, at another port and without a password."""

    def __init__(self, database: Database, port: int) -> None:
        self._known = replace(database.credentials(), port=port, password="")
        self.asked: list[bool] = []

    def credentials(self, *, fresh: bool = False) -> Credentials:
        self.asked.append(fresh)
        return self._known


class Signer:
    """Makes tokens that can be told apart."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def __call__(self, **parameters: object) -> str:
        self.made.append(f"token-{len(self.made)}-{'&'.join(f'{name}={value}' for name, value in parameters.items())}")
        return self.made[-1]


def connecting(database: Database, secret: Secret, sign: Signer, ca_file: Path | None = None) -> MySqlDatabase:
    return MySqlDatabase(TokenSecrets(secret, sign), ca_file or database.server.ca_file, "request-1")


def test_each_connection_has_a_token_of_its_own(
    database: Database, server: TokenServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "BATCH_ROWS", 100)
    monkeypatch.setattr("csv_importer.parsing.BLOCK_BYTES", 4096)
    monkeypatch.setattr("csv_importer.parsing.MAX_RECORD_BYTES", 2048)
    sign = Signer()
    importer = database.importer(
        MemoryStore(CONTENT), database=connecting(database, Secret(database, server.port), sign)
    )
    with once_before(MySqlSession, "advance", lambda: kill(database), call=3):
        assert importer.run(version_of()).result is Result.SUCCEEDED
    assert len(database.customers()) == 1_000
    assert len(set(server.told)) == len(server.told) >= 2
    assert server.told == sign.made
    assert sign.made[0] == f"token-0-DBHostname=127.0.0.1&Port={server.port}&DBUsername={database.user}"


def test_a_refused_token_is_made_again_once_with_a_secret_read_anew(database: Database, server: TokenServer) -> None:
    server.accepts = lambda token: not token.startswith("token-0")
    secret, sign = Secret(database, server.port), Signer()
    importer = database.importer(MemoryStore(CONTENT), database=connecting(database, secret, sign))
    assert importer.run(version_of()).result is Result.SUCCEEDED
    assert secret.asked == [False, True]
    assert len(server.told) == 2


def test_a_token_that_is_refused_twice_is_an_error_that_does_not_show_it(
    database: Database, server: TokenServer
) -> None:
    server.accepts = lambda _: False
    sign = Signer()
    importer = database.importer(
        MemoryStore(CONTENT), database=connecting(database, Secret(database, server.port), sign)
    )
    with pytest.raises(Misconfigured, match="Access denied") as caught:
        importer.run(version_of())
    assert server.told == sign.made
    assert len(sign.made) == 2
    assert "token-" not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_without_tls_no_token_is_told(database: Database) -> None:
    heard: list[bytes] = []
    with impostor(None, heard) as port:
        importer = database.importer(
            MemoryStore(CONTENT), database=connecting(database, Secret(database, port), Signer())
        )
        with pytest.raises(Misconfigured, match="SSL is required"):
            importer.run(version_of())
    assert heard == [b""]


def test_a_server_that_cannot_prove_its_name_is_told_no_token(
    database: Database, server: TokenServer, tmp_path: Path
) -> None:
    other = Authority.create("somebody else").write(tmp_path / "ca.pem")
    importer = database.importer(
        MemoryStore(CONTENT), database=connecting(database, Secret(database, server.port), Signer(), other)
    )
    with pytest.raises(Misconfigured, match="certificate is refused"):
        importer.run(version_of())
    assert server.told == []


def test_a_role_without_credentials_is_waited_for(database: Database) -> None:
    def sign(**_: object) -> str:
        raise NoCredentialsError

    with pytest.raises(TransientFault, match=r"no token for the database can be made \(NoCredentialsError\)"):
        TokenSecrets(Secret(database, 1), sign).credentials()


# The playbooks


def test_playbooks_read_the_ledger_with_a_token_for_each_look(
    database: Database, server: TokenServer, tmp_path: Path
) -> None:
    database.importer(MemoryStore(CONTENT)).run(version_of())
    (row,) = database.ledger()
    counter = tmp_path / "looks"
    option_file = tmp_path / "my.cnf"
    option_file.write_text(f"[client]\nuser = {database.user}\n")
    variables = {
        "stack_login": {
            "login_host": "127.0.0.1",
            "login_port": server.port,
            "login_db": database.name,
            "config_file": str(option_file),
            "ca_cert": str(database.server.ca_file),
            "check_hostname": True,
        },
        "stack_login_password_command": ["sh", "-c", f"echo >> {counter}; echo token-$(wc -l < {counter})"],
        "ledger_title": "Imports",
        "ledger_where": "TRUE",
        "ledger_values": {},
        "ledger_limit": 1,
    }
    # The first look is at an attempt too early: another one follows.
    wait = {
        "bucket": row["bucket"],
        "key": row["object_key"],
        "version_id": row["version_id"],
        "after_attempt": 1,
        "interval": 0.1,
        "timeout": 3,
        "login": "{{ stack_login }}",
        "password_command": "{{ stack_login_password_command }}",
    }
    tasks = [
        {"ansible.builtin.import_tasks": str(PROJECT / "playbooks/tasks/imports_ledger.yml")},
        {"csv_to_aurora.aws.csv_import_wait": wait, "register": "waited", "ignore_errors": True},
        {"csv_to_aurora.aws.csv_import_wait": {**wait, "after_attempt": 0}},
        {"ansible.builtin.assert": {"that": ["'No progress' in waited.msg", "ledger_rows | length == 1"]}},
    ]
    playbook = tmp_path / "playbook.yml"
    playbook.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "vars": variables, "tasks": tasks}]))
    done = run_playbook(playbook, "-vvvv")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(server.told) >= 4
    assert server.told == [f"token-{number + 1}" for number in range(len(server.told))]
    assert not re.search(r"token-[0-9]", done.stdout + done.stderr)


# The function


def test_the_function_logs_in_with_tokens_and_needs_no_password(
    *,
    cloud: Cloud,
    database: Database,
    server: TokenServer,
    invoke: Invoke,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    secret = {**secret_of(database), "rds_port": server.port}
    del secret["rds_password"]
    boto3.client("secretsmanager").put_secret_value(
        SecretId=f"importer/{database.name}", SecretString=json.dumps(secret)
    )
    monkeypatch.setenv("DATABASE_LOGIN", "iam")
    answers = [invoke(cloud.put("tokens.csv", lines_of(GOOD)))]
    server.accepts = lambda _: False
    with pytest.raises(EventFailed, match="Access denied") as caught:
        invoke(cloud.put("denied.csv", lines_of(GOOD)))
    assert [each["result"] for each in answers[0]["imports"]] == ["succeeded"]
    assert len(server.told) == 3
    token = urlsplit("https://" + server.told[0])
    asked = {name: value for name, (value,) in parse_qs(token.query).items()}
    assert token.netloc == f"127.0.0.1:{server.port}"
    assert (asked["Action"], asked["DBUser"], asked["X-Amz-Expires"]) == ("connect", database.user, "900")
    assert asked["X-Amz-Credential"].endswith("/eu-west-1/rds-db/aws4_request")
    shown = capsys.readouterr()
    assert "X-Amz-Signature" in token.query
    assert "X-Amz" not in f"{answers} {caught.value!r} {shown.out} {shown.err}"


def test_with_a_password_nothing_that_makes_tokens_is_loaded(
    cloud: Cloud, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    original = boto3.client

    def client(service: str, **options: Any) -> Any:
        made.append(service)
        return original(service, **options)  # type: ignore[call-overload] # the stubs want a literal

    monkeypatch.setattr("csv_importer.aws.boto3.client", client)
    invoke(cloud.put("password.csv", lines_of(GOOD)))
    assert sorted(made) == ["s3", "secretsmanager"]


def test_another_way_of_logging_in_is_refused() -> None:
    environment = {"SECRET_ID": "s", "BUCKET_NAME": "b"}
    with pytest.raises(Misconfigured, match="DATABASE_LOGIN is 'IAM': it has to be password or iam"):
        Settings.of({**environment, "DATABASE_LOGIN": "IAM"})
    assert Settings.of({**environment, "DATABASE_LOGIN": "iam"}).iam_login
    assert not Settings.of(environment).iam_login
    assert not Settings.of({**environment, "DATABASE_LOGIN": "password"}).iam_login
