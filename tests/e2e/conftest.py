"""A local cloud of the tests' own, beside a developer's, and playbooks run as a user runs them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from configparser import ConfigParser
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import docker
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PORT = 4666
ACCOUNT = f"{PORT - 4566:012d}"
PLAYBOOK_SECONDS = 900


@dataclass(frozen=True)
class Run:
    """What a playbook printed and how it ended."""

    returncode: int
    output: str

    @property
    def changed(self) -> int:
        """The sum of changed= over the hosts of the recap."""
        return sum(int(n) for n in re.findall(r"changed=(\d+)", self.output))


class Stack:
    """The environment ``local``, on a local cloud with a folder and a port of its own."""

    def __init__(self, folder: Path) -> None:
        """Keep the cloud's state in ``folder``."""
        self.folder = folder
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "ANSIBLE_"))},
            "LOCAL_CLOUD_DIR": str(folder),
            "LOCAL_CLOUD_PORT": str(PORT),
        }

    def playbook(self, name: str, *arguments: str, inventory: str = "inventories/local", check: bool = True) -> Run:
        """Run a playbook; with ``check`` an exit code other than 0 fails the test."""
        done = subprocess.run(
            [
                Path(sys.executable).parent / "ansible-playbook",
                f"playbooks/{name}",
                "-i",
                inventory,
                *arguments,
            ],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PLAYBOOK_SECONDS,
            check=False,
        )
        output = done.stdout + done.stderr
        assert not check or done.returncode == 0, f"{name} failed:\n{output[-6000:]}"
        return Run(done.returncode, output)

    def outputs(self) -> dict[str, Any]:
        """Everything that outputs.yml writes."""
        file = self.folder / "outputs.json"
        self.playbook("outputs.yml", "-e", f"outputs_file={file}")
        return dict(json.loads(file.read_text()))

    def client(self, service: str) -> Any:
        """A boto3 client of the local cloud, as the deployer."""
        config, credentials = ConfigParser(), ConfigParser()
        config.read(self.folder / "aws/config")
        credentials.read(self.folder / "aws/credentials")
        return boto3.client(  # type: ignore[call-overload] # the stubs want a literal
            service,
            region_name="eu-west-1",
            endpoint_url=config["profile local"]["endpoint_url"],
            aws_access_key_id=credentials["local"]["aws_access_key_id"],
            aws_secret_access_key=credentials["local"]["aws_secret_access_key"],
        )

    def secret_values(self) -> dict[str, str]:
        """The passwords of the stack, by the name of their secret, and the deployer's key."""
        client = self.client("secretsmanager")
        values = {}
        for secret in client.list_secrets()["SecretList"]:
            content = json.loads(client.get_secret_value(SecretId=secret["Name"])["SecretString"])
            values[secret["Name"]] = content.get("rds_password") or content["password"]
        credentials = ConfigParser()
        credentials.read(self.folder / "aws/credentials")
        return {**values, "deployer": credentials["local"]["aws_secret_access_key"]}

    def tagged(self) -> list[str]:
        """The ARNs of all that carries the environment's tag."""
        pages = self.client("resourcegroupstaggingapi").get_paginator("get_resources")
        return [
            resource["ResourceARN"]
            for page in pages.paginate(TagFilters=[{"Key": "Environment", "Values": ["local"]}])
            for resource in page["ResourceTagMappingList"]
        ]

    def containers(self) -> list[str]:
        """The names of the containers that this local cloud runs."""
        settings = json.loads((self.folder / "ministack.json").read_text())
        client = docker.DockerClient(base_url=settings["environment"]["DOCKER_HOST"])
        label = f"ministack.instance=local-cloud:{PORT}"
        return [c.name for c in client.containers.list(all=True, filters={"label": label})]


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running local cloud with nothing in it; stopped with all it started afterwards."""
    made = Stack(tmp_path_factory.mktemp("local-cloud"))
    hosts = "inventories/local/hosts.yml"
    try:
        made.playbook("local_cloud.yml", inventory=hosts)
        yield made
    finally:
        made.playbook("local_cloud_down.yml", inventory=hosts)
