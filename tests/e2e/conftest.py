"""A local cloud for the tests alone, beside a developer's, and playbooks run as a user runs them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from configparser import ConfigParser
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import docker
import pymysql
import pytest
from botocore.exceptions import EndpointConnectionError
from pymysql.cursors import DictCursor

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PORT = int(os.environ.get("E2E_PORT", "4666"))
ACCOUNT = f"{PORT - 4566:012d}"
PLAYBOOK_SECONDS = 900
TIMEOUT = 300
"""Seconds after which an expected event counts as missing."""
STRICT = {"local_cloud_strict": True, "local_cloud_strict_settings": {"pace": 0.2}}
"""As strict as AWS, and faster than the rules say."""
FUNCTION = "csv-to-aurora-local-importer"
HEADER = "title,firstname,lastname,status,email,age\n"
GOOD = "Ms,Grace,Hopper,1,grace@example.com,85\n"
ORDER = (
    "test_whole_stack",
    "test_importer_in_the_cloud",
    "test_imports",
    "...",
    "test_teardown",
    "test_run_length",
)
"""The files that share the one stack, in the order of its life cycle; all others come where the dots are."""


@dataclass(frozen=True)
class Run:
    """What a playbook printed and how it ended."""

    returncode: int
    output: str

    @property
    def words(self) -> str:
        """The output without its line breaks."""
        return " ".join(self.output.split())

    @property
    def changed(self) -> int:
        """How many resources the run changed, or would change, by its totals; a run that manages none has none."""
        totals = re.search(r"^(?:Run|Plan): (.*); \d+ unchanged", self.output, re.MULTILINE)
        assert totals is not None or self.returncode == 0, self.output[-3000:]
        return sum(int(number) for number in re.findall(r"\d+", totals[1])) if totals else 0


class Stack:
    """The environment ``local``, on a local cloud with a folder and a port of its own."""

    def __init__(self, folder: Path, port: int = PORT) -> None:
        """Keep the cloud's state in ``folder``; ``port`` is that of its API."""
        self.folder = folder
        self.account = f"{port - 4566:012d}"
        self._login: dict[str, Any] | None = None
        self._secrets: dict[str, set[str]] = {}
        self.verbose: set[str] = set()
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "ANSIBLE_"))},
            "LOCAL_CLOUD_DIR": str(folder),
            "LOCAL_CLOUD_PORT": str(port),
        }

    def playbook(
        self,
        name: str,
        *arguments: str,
        inventory: str = "inventories/local",
        check: bool = True,
        verbose: bool = False,
        environment: dict[str, str] | None = None,
    ) -> Run:
        """Run a playbook; with ``check`` an exit code other than 0 fails the test, with ``verbose`` it runs at -vvv.

        Raises:
            AssertionError: A secret that the account had before or has now is in what the playbook printed.
        """
        self._learn_secrets()
        done = subprocess.run(
            [
                Path(sys.executable).parent / "ansible-playbook",
                f"playbooks/{name}",
                "-i",
                inventory,
                *arguments,
                *(["-vvv"] if verbose else []),
            ],
            cwd=ROOT,
            env=self.environment | (environment or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PLAYBOOK_SECONDS,
            check=False,
        )
        output = done.stdout + done.stderr
        self._learn_secrets()
        shown = sorted(owner for owner, values in self._secrets.items() if any(value in output for value in values))
        assert shown == [], f"{name} shows the secrets of {shown}"
        if verbose:
            self.verbose.add(name)
        assert not check or done.returncode == 0, f"{name} failed:\n{output[-6000:]}"
        return Run(done.returncode, output)

    def recorded(self, name: str) -> Run:
        """Run a playbook at -vvv and keep what it did, task by task, as JSON in the folder."""
        run = self.playbook(name, verbose=True, environment={"ANSIBLE_STDOUT_CALLBACK": "ansible.posix.jsonl"})
        (self.folder / f"{name}.jsonl").write_text(run.output)
        return run

    def outputs(self, *arguments: str) -> dict[str, Any]:
        """All outputs, as outputs.yml writes them."""
        file = self.folder / "outputs.json"
        self.playbook("outputs.yml", "-e", f"outputs_file={file}", *arguments)
        return dict(json.loads(file.read_text()))

    def client(self, service: str) -> Any:
        """A boto3 client of the local cloud as the root user: tests read more than the deployer may."""
        config = ConfigParser()
        config.read(self.folder / "aws/config")
        return boto3.client(  # type: ignore[call-overload] # the stubs want a literal
            service,
            region_name="eu-west-1",
            endpoint_url=config["profile local"]["endpoint_url"],
            aws_access_key_id=self.root[0],
            aws_secret_access_key=self.root[1],
        )

    @property
    def root(self) -> tuple[str, str]:
        """The access key of the root user, and its secret."""
        key = ConfigParser(interpolation=None)
        key.read(self.folder / "aws/root")
        return key["root"]["aws_access_key_id"], key["root"]["aws_secret_access_key"]

    def secret_values(self) -> dict[str, str]:
        """The passwords of the stack, by the name of their secret, and the deployer's and root's secret access keys."""
        client = self.client("secretsmanager")
        values = {}
        for secret in client.list_secrets()["SecretList"]:
            content = json.loads(client.get_secret_value(SecretId=secret["Name"])["SecretString"])
            values[secret["Name"]] = content.get("rds_password") or content["password"]
        credentials = ConfigParser()
        credentials.read(self.folder / "aws/credentials")
        return {**values, "root": self.root[1], "deployer": credentials["local"]["aws_secret_access_key"]}

    def _learn_secrets(self) -> None:
        """Add the current secrets to those seen before; there are none while no local cloud answers."""
        if not (self.folder / "aws/credentials").exists():
            return
        with suppress(EndpointConnectionError):
            for owner, value in self.secret_values().items():
                self._secrets.setdefault(owner, set()).add(value)

    def tagged(self) -> list[str]:
        """The ARNs of all that carries the environment's tag."""
        pages = self.client("resourcegroupstaggingapi").get_paginator("get_resources")
        return [
            resource["ResourceARN"]
            for page in pages.paginate(TagFilters=[{"Key": "Environment", "Values": ["local"]}])
            for resource in page["ResourceTagMappingList"]
        ]

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        return f"csv-to-aurora-local-{self.account}"

    def secret(self, name: str) -> dict[str, Any]:
        """The content of one of the stack's secrets."""
        answer = self.client("secretsmanager").get_secret_value(SecretId=f"csv-to-aurora-local/{name}")
        return dict(json.loads(answer["SecretString"]))

    def query(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        """What the database answers the administrator."""
        known = self._login is not None
        if self._login is None:
            administrator, importer = self.secret("administrator"), self.secret("importer")
            self._login = {
                "host": importer["rds_writer_endpoint"],
                "port": int(importer["rds_port"]),
                "user": administrator["username"],
                "password": administrator["password"],
                "database": importer["rds_db"],
            }
        try:
            connection = pymysql.connect(
                **self._login,
                ssl_ca=str(self.folder / "ca.pem"),
                ssl_verify_cert=True,
                ssl_verify_identity=True,
                cursorclass=DictCursor,
                autocommit=True,
            )
        except pymysql.OperationalError:
            # The password or the cluster may be another one by now.
            self._login = None
            if known:
                return self.query(statement, *values)
            raise
        with connection, connection.cursor() as cursor:
            # Without values a % is no placeholder.
            cursor.execute(statement, values or None)
            return list(cursor.fetchall())

    @contextmanager
    def configured(self, environment: dict[str, str] | None = None, **changes: Any) -> Iterator[None]:
        """Run the function with another configuration, or other environment variables, for a while."""
        client = self.client("lambda")
        found = client.get_function_configuration(FunctionName=FUNCTION)
        if environment:
            changes["Environment"] = {"Variables": {**found["Environment"]["Variables"], **environment}}
        try:
            client.update_function_configuration(FunctionName=FUNCTION, **changes)
            client.get_waiter("function_updated_v2").wait(FunctionName=FUNCTION)
            yield
        finally:
            client.update_function_configuration(FunctionName=FUNCTION, **{key: found[key] for key in changes})
            client.get_waiter("function_updated_v2").wait(FunctionName=FUNCTION)

    def writes(self, since: float) -> list[str]:
        """The calls since a time that could have changed something, by the local cloud's own record."""
        program = [sys.executable, str(ROOT / "molecule/shared/files/writes.py")]
        endpoint = self.client("sts").meta.endpoint_url
        done = subprocess.run(
            [*program, endpoint, "eu-west-1", str(since)],
            env=os.environ | dict(zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), self.root, strict=True)),
            capture_output=True,
            text=True,
            check=True,
        )
        return list(json.loads(done.stdout))

    def containers(self, kind: str = "") -> list[Any]:
        """The containers that this local cloud runs; ``kind`` rds or ec2 for only those."""
        settings = json.loads((self.folder / "ministack.json").read_text())
        client = docker.DockerClient(base_url=settings["environment"]["DOCKER_HOST"])
        label = f"ministack.instance=local-cloud:{PORT}"
        found = client.containers.list(all=True, filters={"label": label})
        return [container for container in found if kind in container.name]


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running local cloud with an empty account; stopped afterwards.

    Where E2E_CLOUD_DIR and E2E_PORT name a local cloud, that one is used, and kept.
    """
    if "E2E_CLOUD_DIR" in os.environ:
        yield Stack(Path(os.environ["E2E_CLOUD_DIR"]))
        return
    made = Stack(tmp_path_factory.mktemp("local-cloud"))
    hosts = "inventories/local/hosts.yml"
    try:
        made.playbook("local_cloud.yml", "-e", json.dumps(STRICT), inventory=hosts, verbose=True)
        yield made
    finally:
        made.playbook("local_cloud_down.yml", inventory=hosts, verbose=True)


@pytest.fixture(scope="session")
def complete(stack: Stack) -> Stack:
    """The complete stack, also where the tests that create it were not selected."""
    client = stack.client("s3")
    try:
        # The last resource that site.yml creates.
        connected = "LambdaFunctionConfigurations" in client.get_bucket_notification_configuration(Bucket=stack.bucket)
    except client.exceptions.ClientError:
        connected = False
    if not connected:
        stack.playbook("site.yml")
    return stack


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the files by ORDER."""

    def place(item: pytest.Item) -> int:
        name = item.path.stem
        return ORDER.index(name if name in ORDER else "...")

    mine = [item for item in items if item.path.parent == Path(__file__).parent]
    ordered = iter(sorted(mine, key=place))
    items[:] = [next(ordered) if item in mine else item for item in items]
