"""A real MySQL server and an S3 that answers over HTTP, for the tests of the importer."""

import itertools
import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import boto3
import pymysql
import pytest
import yaml
from moto.server import ThreadedMotoServer
from mypy_boto3_s3 import S3Client
from pymysql.cursors import Cursor

from ansible_collections.csv_to_aurora.importer.plugins.filter.table_grants import table_grants
from csv_importer import handler
from csv_importer.afterwards import Publisher, Tagger
from csv_importer.aws import SelfInvocation
from csv_importer.datasets import Dataset, Datasets
from csv_importer.events import Source
from csv_importer.feed import FeedConnection
from csv_importer.handler import Handler, make_handler
from csv_importer.importer import Importer
from csv_importer.limits import DEFAULTS, Limits
from csv_importer.mysql import MySqlDatabase
from csv_importer.ports import After, Continuation, Credentials, ObjectStore, Tags, Topic

from .files import CUSTOMER, DESCRIPTOR
from .mysql_server import MySqlServer, NoServerError
from .schema_tables import TABLES as DEFINITIONS
from .schema_tables import migrate
from .topic import Subscribed

SCHEMA = Path(__file__).parents[2] / "files" / "schema"
TABLES = tuple(str(definition["name"]) for definition in DEFINITIONS)
BUCKET = "importer-tests"
SOURCE = Source("csv-to-aurora-stage", "stage")
PASSWORD = "a password, with 'quotes'"

_numbers = itertools.count(1)


@dataclass
class Database:
    """An empty database with the project's tables and users."""

    server: MySqlServer
    name: str
    admin: "pymysql.Connection[Cursor]"
    limits: Limits = DEFAULTS
    # They grow with each example: Hypothesis would report that, in place of the failure.
    sleeps: list[float] = field(default_factory=list, repr=False)
    errors: list[str] = field(default_factory=list, repr=False)
    messages: list[str] = field(default_factory=list, repr=False)

    @property
    def user(self) -> str:
        """The importer's user: a different one in each database, so that tests may lock it out."""
        return f"importer_{self.name}"

    def query(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Run a statement as the administrator."""
        with self.admin.cursor() as cursor:
            cursor.execute(statement, parameters)
            return list(cursor.fetchall())

    def grant(self) -> None:
        """Grant the importer's user its privileges."""
        for table, privileges in grants_of("importer").items():
            self.query(f"GRANT {', '.join(privileges)} ON {table} TO {self.user}")

    def credentials(self, *, fresh: bool = False) -> Credentials:
        """Return the importer's credentials, as a secret would."""
        del fresh
        return Credentials(self.server.host, self.server.port, self.user, PASSWORD, self.name, PASSWORD)

    def importer(
        self,
        store: ObjectStore,
        *,
        request_id: str = "request-1",
        connect: Callable[..., FeedConnection] = FeedConnection,
        **options: Any,
    ) -> Importer:
        """Make an importer that does not sleep."""
        limits = options.get("limits", self.limits)
        topic: Topic | None = options.pop("topic", None)
        tags: Tags | None = options.pop("tags", None)
        publisher = Publisher(topic, SOURCE, self._log) if topic else None
        tagger = Tagger(tags, self._log) if tags else None
        # Under any key: which dataset an object belongs to is a matter of other tests.
        datasets = Datasets((replace(options.pop("dataset", CUSTOMER), key_prefix=""),))
        settings: dict[str, Any] = {
            "database": MySqlDatabase(
                self,
                self.server.ca_file,
                request_id,
                limits=limits,
                after=After(publish=topic is not None, tag=tags is not None),
                connect=connect,
            ),
            "after": [each for each in (publisher, tagger) if each],
            "time_left": lambda: 60.0,
            "log": self._log,
            "limits": limits,
            "sleep": self.sleeps.append,
        }
        return Importer(store=store, **settings | {"datasets": datasets} | options)

    def _log(self, message: str, **values: Any) -> None:
        self.messages.append(message)
        if message == "Transient error: retrying":
            self.errors.append(values["reason"])

    def customers(self) -> list[tuple[Any, ...]]:
        """Read what was loaded, in no particular order: sorted."""
        return sorted(
            self.query("SELECT title, firstname, lastname, status, email, age, import_file FROM customer ORDER BY id")
        )

    def rejects(self) -> list[tuple[Any, ...]]:
        """Read what was rejected: file, line, column, reason, text."""
        return self.query(
            "SELECT object_key, r.line_number, column_name, r.reason, raw_text FROM csv_import_reject r"
            " JOIN csv_import i ON i.id = import_id ORDER BY object_key, version_id, r.line_number"
        )

    def ledger(self) -> list[dict[str, Any]]:
        """Read the ledger."""
        with self.admin.cursor(pymysql.cursors.DictCursor) as cursor:
            cursor.execute("SELECT * FROM csv_import ORDER BY id")
            return list(cursor.fetchall())

    def pending(self) -> list[int]:
        """Return the imports whose events are not published yet, oldest first."""
        return [import_id for (import_id,) in self.query("SELECT import_id FROM csv_import_event ORDER BY id")]

    @contextmanager
    def bulk_loading(self, *, allowed: bool) -> Iterator[None]:
        """Allow LOAD DATA LOCAL on the server, or forbid it; allow it again at the end."""
        self.query("SET GLOBAL local_infile = %s", allowed)
        try:
            yield
        finally:
            self.query("SET GLOBAL local_infile = ON")

    def empty(self) -> None:
        """Delete all rows."""
        for table in reversed(TABLES):
            self.query(f"DELETE FROM {table}")  # noqa: S608 - names from TABLES


@pytest.fixture(scope="session")
def mysql() -> Iterator[MySqlServer]:
    try:
        with MySqlServer() as server:
            yield server
    except NoServerError as error:
        pytest.fail(str(error), pytrace=False)


def grants_of(user: str, dataset: Dataset = CUSTOMER) -> dict[str, list[str]]:
    """Return the privileges of a database user, by table, in an environment with one dataset."""
    stated = yaml.safe_load((SCHEMA / "grants.yml").read_text(encoding="utf-8"))
    described = {"table": dataset.table, "mode": dataset.mode.value, "keys": dataset.keys}
    return table_grants(stated, [{**described, "columns": [column.name for column in dataset.columns]}])[user]


def make_database(server: MySqlServer, limits: Limits = DEFAULTS) -> Database:
    """Create a database with the project's tables, and the importer's user with its grants."""
    name = f"t{next(_numbers)}"
    admin = server.connect()
    database = Database(server, name, admin, limits)
    database.query(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    admin.select_db(name)
    migrate(admin, name, DEFINITIONS)
    database.query(f"CREATE USER {database.user} IDENTIFIED BY %s REQUIRE SSL", PASSWORD)
    database.grant()
    return database


@pytest.fixture
def limits() -> Limits:
    """The limits of a test: a module may have its own."""
    return DEFAULTS


@pytest.fixture
def database(mysql: MySqlServer, limits: Limits) -> Iterator[Database]:
    database = make_database(mysql, limits)
    yield database
    database.admin.close()


@pytest.fixture(scope="module")
def shared_database(mysql: MySqlServer) -> Iterator[Database]:
    """One database for all examples of a property: each of them empties it first."""
    database = make_database(mysql)
    yield database
    database.admin.close()


@dataclass
class Cloud:
    """S3 and Secrets Manager over HTTP."""

    endpoint: str
    s3: S3Client

    def put(self, key: str, content: bytes) -> dict[str, Any]:
        """Upload an object; return the record of S3's event."""
        answer = self.s3.put_object(Bucket=BUCKET, Key=key, Body=content)
        return record_for(key, answer["VersionId"], answer["ETag"])


def record_for(key: str, version_id: str, etag: str, bucket: str = BUCKET) -> dict[str, Any]:
    """Make a record as S3 writes it: the key is encoded as in a form."""
    return {
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "s3": {
            "bucket": {"name": bucket},
            "object": {"key": quote_plus(key, safe="/"), "versionId": version_id, "eTag": etag.strip('"')},
        },
    }


@pytest.fixture(scope="session")
def cloud() -> Iterator[Cloud]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    with pytest.MonkeyPatch.context() as patch:
        for name, value in _environment(endpoint).items():
            patch.setenv(name, value)
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        yield Cloud(endpoint, s3)
    server.stop()


def _environment(endpoint: str) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


class Context:
    """What Lambda passes to a handler in addition to the event."""

    function_name = "importer"
    function_version = "$LATEST"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:importer"
    aws_request_id = "00000000-0000-0000-0000-000000000001"

    def __init__(self, milliseconds: int = 60_000) -> None:
        self._milliseconds = milliseconds

    def get_remaining_time_in_millis(self) -> int:
        """The time left: it never passes."""
        return self._milliseconds


class Invoke:
    """Calls a handler as Lambda does.

    Attributes:
        continuation: What the handler resumes its work with.
    """

    def __init__(self, limits: Limits) -> None:
        self.continuation: Callable[[str], Continuation] = SelfInvocation
        self._handle: Handler = make_handler(limits, self._continue)

    def __call__(self, *records: dict[str, Any], milliseconds: int = 60_000, **more: Any) -> dict[str, Any]:
        return self._handle({"Records": list(records), **more}, Context(milliseconds))  # type: ignore[arg-type]

    def check(self) -> dict[str, Any]:
        """Call it as the schedule does; return what it has found."""
        answer = self._handle({"check": True}, Context())  # type: ignore[arg-type]
        found: dict[str, Any] = answer["check"]
        return found

    def _continue(self, function: str) -> Continuation:
        return self.continuation(function)


@pytest.fixture
def invoke(
    cloud: Cloud, database: Database, limits: Limits, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Invoke]:
    """The handler, with the database's secret in place."""
    secrets = boto3.client("secretsmanager", endpoint_url=cloud.endpoint)
    secret = secrets.create_secret(Name=f"importer/{database.name}", SecretString=json.dumps(secret_of(database)))
    monkeypatch.setenv("SECRET_ID", secret["ARN"])
    monkeypatch.setenv("BUCKET_NAME", BUCKET)
    monkeypatch.setenv("DATABASE_CA_FILE", str(database.server.ca_file))
    datasets_file = tmp_path / "datasets.json"
    datasets_file.write_text(json.dumps([DESCRIPTOR]), encoding="utf-8")
    monkeypatch.setenv("DATASETS_FILE", str(datasets_file))
    yield Invoke(limits)
    secrets.delete_secret(SecretId=secret["ARN"], ForceDeleteWithoutRecovery=True)


@pytest.fixture
def topic(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Subscribed]:
    """A topic with a queue, which the function publishes to."""
    sns, sqs = boto3.client("sns"), boto3.client("sqs")
    del cloud
    arn = sns.create_topic(Name="csv-to-aurora-stage-events")["TopicArn"]
    queue = sqs.create_queue(QueueName="events")["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue_arn)
    monkeypatch.setenv("EVENTS_TOPIC_ARN", arn)
    monkeypatch.setenv("STACK_NAME", SOURCE.stack)
    monkeypatch.setenv("ENVIRONMENT_NAME", SOURCE.environment)
    yield Subscribed(arn, queue)
    sns.delete_topic(TopicArn=arn)
    sqs.delete_queue(QueueUrl=queue)


@pytest.fixture
def lines() -> Iterator[list[dict[str, Any]]]:
    """The lines of the log, parsed."""
    found: list[dict[str, Any]] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(json.loads(formatter.format(record)))

    formatter = handler.logger.registered_formatter
    collect = Collect()
    handler.logger._logger.addHandler(collect)
    yield found
    handler.logger._logger.removeHandler(collect)


def secret_of(database: Database) -> dict[str, Any]:
    """The importer's secret, as the playbooks write it."""
    return {
        "rds_writer_endpoint": database.server.host,
        "rds_port": database.server.port,
        "rds_username": database.user,
        "rds_password": PASSWORD,
        "rds_db": database.name,
    }


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need the server, so that the others can be run without it."""
    here = os.fspath(Path(__file__).parent)
    for item in items:
        if os.fspath(item.path).startswith(here) and "mysql" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.mysql)
