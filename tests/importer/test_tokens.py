"""IAM authentication tokens: signed for each connection, sent over verified TLS only, never shown."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from botocore.exceptions import NoCredentialsError

from csv_importer.aws import TokenSecrets
from csv_importer.errors import ConfigurationError, TransientError
from csv_importer.handler import EventFailed
from csv_importer.importer import Result
from csv_importer.limits import Limits
from csv_importer.mysql import MySqlDatabase, MySqlSession
from csv_importer.ports import Credentials
from csv_importer.settings import Settings

from .conftest import Cloud, Database, Invoke, secret_of
from .files import GOOD, MemoryStore, lines_of, version_of
from .mysql_server import CertificateAuthority
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
    """Signs distinct tokens."""

    def __init__(self) -> None:
        self.signed: list[str] = []

    def __call__(self, **parameters: object) -> str:
        self.signed.append(
            f"token-{len(self.signed)}-{'&'.join(f'{name}={value}' for name, value in parameters.items())}"
        )
        return self.signed[-1]


def connecting(database: Database, secret: Secret, sign: Signer, ca_file: Path | None = None) -> MySqlDatabase:
    return MySqlDatabase(TokenSecrets(secret, sign), ca_file or database.server.ca_file, "request-1")


def test_each_connection_has_a_token_of_its_own(database: Database, server: TokenServer) -> None:
    sign = Signer()
    importer = database.importer(
        MemoryStore(CONTENT),
        database=connecting(database, Secret(database, server.port), sign),
        limits=Limits(batch_rows=100, block_bytes=4096, max_record_bytes=2048),
    )
    with once_before(MySqlSession, "advance", lambda: kill(database), call=3):
        assert importer.run(version_of()).result is Result.SUCCEEDED
    assert len(database.customers()) == 1_000
    assert len(set(server.tokens)) == len(server.tokens) >= 2
    assert server.tokens == sign.signed
    assert sign.signed[0] == f"token-0-DBHostname=127.0.0.1&Port={server.port}&DBUsername={database.user}"


def test_a_refused_token_is_signed_again_once_with_the_secret_read_again(
    database: Database, server: TokenServer
) -> None:
    server.accepts = lambda token: not token.startswith("token-0")
    secret, sign = Secret(database, server.port), Signer()
    importer = database.importer(MemoryStore(CONTENT), database=connecting(database, secret, sign))
    assert importer.run(version_of()).result is Result.SUCCEEDED
    assert secret.asked == [False, True]
    assert len(server.tokens) == 2


def test_a_token_that_is_refused_twice_is_an_error_that_does_not_show_it(
    database: Database, server: TokenServer
) -> None:
    server.accepts = lambda _: False
    sign = Signer()
    importer = database.importer(
        MemoryStore(CONTENT), database=connecting(database, Secret(database, server.port), sign)
    )
    with pytest.raises(ConfigurationError, match="Access denied") as caught:
        importer.run(version_of())
    assert server.tokens == sign.signed
    assert len(sign.signed) == 2
    assert "token-" not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_without_tls_no_token_is_sent(database: Database) -> None:
    heard: list[bytes] = []
    with impostor(None, heard) as port:
        importer = database.importer(
            MemoryStore(CONTENT), database=connecting(database, Secret(database, port), Signer())
        )
        with pytest.raises(ConfigurationError, match="SSL is required"):
            importer.run(version_of())
    assert heard == [b""]


def test_a_server_without_a_valid_certificate_gets_no_token(
    database: Database, server: TokenServer, tmp_path: Path
) -> None:
    other = CertificateAuthority.create("another CA").write(tmp_path / "ca.pem")
    importer = database.importer(
        MemoryStore(CONTENT), database=connecting(database, Secret(database, server.port), Signer(), other)
    )
    with pytest.raises(ConfigurationError, match="certificate is refused"):
        importer.run(version_of())
    assert server.tokens == []


def test_a_role_without_credentials_is_transient(database: Database) -> None:
    def sign(**_: object) -> str:
        raise NoCredentialsError

    with pytest.raises(TransientError, match=r"no IAM authentication token can be signed \(NoCredentialsError\)"):
        TokenSecrets(Secret(database, 1), sign).credentials()


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
    assert len(server.tokens) == 3
    token = urlsplit("https://" + server.tokens[0])
    asked = {name: value for name, (value,) in parse_qs(token.query).items()}
    assert token.netloc == f"127.0.0.1:{server.port}"
    assert (asked["Action"], asked["DBUser"], asked["X-Amz-Expires"]) == ("connect", database.user, "900")
    assert asked["X-Amz-Credential"].endswith("/eu-west-1/rds-db/aws4_request")
    shown = capsys.readouterr()
    assert "X-Amz-Signature" in token.query
    assert "X-Amz" not in f"{answers} {caught.value!r} {shown.out} {shown.err}"


def test_with_a_password_the_client_that_signs_tokens_is_not_loaded(
    cloud: Cloud, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients: list[str] = []
    original = boto3.client

    def client(service: str, **options: Any) -> Any:
        clients.append(service)
        return original(service, **options)  # type: ignore[call-overload] # the stubs want a literal

    monkeypatch.setattr("csv_importer.aws.boto3.client", client)
    invoke(cloud.put("password.csv", lines_of(GOOD)))
    assert sorted(clients) == ["s3", "secretsmanager"]


def test_another_kind_of_login_is_refused() -> None:
    environment = {"SECRET_ID": "s", "BUCKET_NAME": "b"}
    with pytest.raises(ConfigurationError, match="DATABASE_LOGIN is 'IAM': it has to be password or iam"):
        Settings.of({**environment, "DATABASE_LOGIN": "IAM"})
    assert Settings.of({**environment, "DATABASE_LOGIN": "iam"}).iam_login
    assert not Settings.of(environment).iam_login
    assert not Settings.of({**environment, "DATABASE_LOGIN": "password"}).iam_login
