"""NAT gateways that are late, fail, or hold an address, as AWS does it and no emulator: the role network."""

from __future__ import annotations

import json
import re
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import parse_qs
from uuid import uuid4

import boto3
import pytest
from playbook_runner import PROJECT, run_playbook

from tests import servers

WORD = "of-a-test"
"""What the emulator takes for a secret."""

NO_ROUTE = (
    "<Response><Errors><Error><Code>InvalidNatGatewayID.NotFound</Code><Message>The natGateway ID does not exist"
    "</Message></Error></Errors><RequestID>1</RequestID></Response>"
)
FAILED = (
    "<state>failed</state><failureCode>Gateway.NotAttached</failureCode>"
    "<failureMessage>Network vpc-1 has no Internet gateway attached</failureMessage>"
)


@dataclass
class Ec2:
    """EC2 with NAT gateways that take their time: what is in front of the emulator.

    Attributes:
        url: Of the emulator.
        fails: Whether a gateway fails, as one does for which an internet gateway is missing.
        answers: How often a gateway is said to be pending, or to be deleting, before it has become what it becomes.
        delete: Deletes the gateway that is said to be deleting; None where a gateway is created.
    """

    url: str
    fails: bool = False
    answers: int = 0
    delete: Callable[[], Any] | None = None
    asked: list[str] = field(default_factory=list)

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        """Answer a request, as the emulator or as AWS."""
        asked = {key: value[0] for key, value in parse_qs(body.decode(errors="replace")).items()}
        action = asked.get("Action", "")
        self.asked.append(action)
        pending = self.asked.count("DescribeNatGateways") <= self.answers
        if self.delete and not pending:
            self.delete()
            self.delete = None
        if action == "CreateRoute" and "NatGatewayId" in asked and (pending or self.fails):
            return 400, NO_ROUTE.encode()
        request = urllib.request.Request(f"{self.url}{path}", data=body, headers=headers)
        try:
            with urllib.request.urlopen(request) as response:
                status, said = response.status, response.read()
        except HTTPError as error:
            status, said = error.code, error.read()
        if action == "DescribeNatGateways" and (pending or self.fails):
            state = FAILED if not pending else f"<state>{'deleting' if self.delete else 'pending'}</state>"
            said = said.replace(b"<state>available</state>", state.encode())
        return status, said


@contextmanager
def in_front(ec2: Ec2) -> Iterator[str]:
    """Serve what is in front of the emulator, and give its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            """Answer a request of the query API."""
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            headers = {key: value for key, value in self.headers.items() if key.lower() != "host"}
            status, said = ec2.answer(self.path, headers, body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a moto_server for these tests."""
    with servers.moto(tmp_path_factory.mktemp("moto")) as url:
        yield url


@pytest.fixture
def ec2(moto: str) -> Ec2:
    return Ec2(moto)


@pytest.fixture
def client(moto: str) -> Any:
    """What is really there."""
    return boto3.client(
        "ec2",
        region_name=servers.REGION,
        endpoint_url=moto,
        aws_access_key_id="test",
        aws_secret_access_key=WORD,
    )


@dataclass(frozen=True)
class Network:
    """A network of its own, and the role that makes it."""

    name: str
    folder: Path

    def play(self, url: str, **variables: object) -> tuple[int, str]:
        """Run the role and return the exit code and the output."""
        playbook, roles = self.folder / "network.yml", self.folder / "roles"
        if not roles.exists():
            roles.symlink_to(PROJECT / "roles")
        connection = {"region": servers.REGION, "endpoint_url": url, "access_key": "test", "secret_key": WORD}
        play = {
            "hosts": "localhost",
            "gather_facts": False,
            "module_defaults": {"group/csv_to_aurora.aws.playbooks": connection},
            "vars": {
                "network_name": self.name,
                "network_tags": {"Project": self.name, "Environment": "test"},
                "network_cidr": "10.9.0.0/16",
                "network_zones": ["eu-west-1a"],
                "network_flow_logs": False,
                "network_subnet_wait": False,
                "network_wait_timeout": 6,
                "network_wait_delay": 1,
                **variables,
            },
            "roles": ["network"],
        }
        playbook.write_text(json.dumps([play]))
        run = run_playbook(playbook)
        return run.returncode, " ".join((run.stdout + run.stderr).split())


@pytest.fixture
def network(tmp_path: Path) -> Network:
    return Network(f"shop-{uuid4().hex[:6]}", tmp_path)


def test_a_gateway_that_is_late_has_its_route_as_soon_as_it_is_available(ec2: Ec2, network: Network) -> None:
    ec2.answers = 3
    with in_front(ec2) as url:
        code, output = network.play(url)
    assert code == 0, output
    # Nothing was refused: the routes are created after it is available.
    assert ec2.asked.count("CreateRoute") == 2


def test_a_gateway_that_failed_is_said_with_the_reason(ec2: Ec2, network: Network) -> None:
    ec2.fails = True
    with in_front(ec2) as url:
        code, output = network.play(url)
    assert code != 0
    assert re.search(
        rf"The NAT gateway {network.name}-nat-eu-west-1a is failed \(nat-\w+: Gateway.NotAttached: "
        r"Network vpc-1 has no Internet gateway attached\)",
        output,
    ), output
    assert "a failed one is recreated" in output


def test_an_address_is_free_before_it_is_given_to_another_gateway(ec2: Ec2, network: Network, client: Any) -> None:
    def gateways() -> list[dict[str, Any]]:
        available = [{"Name": "state", "Values": ["available"]}]
        listed: list[dict[str, Any]] = client.describe_nat_gateways(Filters=available)["NatGateways"]
        return [one for one in listed if {"Key": "Project", "Value": network.name} in one["Tags"]]

    def delete() -> None:
        client.delete_nat_gateway(NatGatewayId=before["NatGatewayId"])
        # Which AWS does by itself, and the emulator does not.
        held = client.describe_addresses(AllocationIds=[address])["Addresses"][0]
        client.disassociate_address(AssociationId=held["AssociationId"])

    with in_front(ec2) as url:
        code, output = network.play(url)
        assert code == 0, output
        (before,) = gateways()
        address = before["NatGatewayAddresses"][0]["AllocationId"]
        ec2.asked.clear()
        ec2.answers, ec2.delete = 3, delete
        code, output = network.play(url)
    assert code == 0, output
    assert ec2.asked[: ec2.asked.index("CreateNatGateway")].count("DescribeNatGateways") > ec2.answers
    (after,) = gateways()
    assert after["NatGatewayId"] != before["NatGatewayId"]
    assert after["NatGatewayAddresses"][0]["AllocationId"] == address
