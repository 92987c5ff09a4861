"""The control plane on moto_server: what converges on two emulators does not depend on the peculiarities of one."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from tests import servers
from tests.boundary import create_boundary
from tests.e2e.account_inventory import account_inventory, left
from tests.e2e.conftest import Stack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

HOSTS = "inventories/local/hosts.yml"
CREATED = {
    "network": 15,
    "security_groups": 3,
    "database": 10,
    "app_host": 5,
    "bucket": 2,
    "topic": 4,
    "importer": 18,
    "monitoring": 7,
}


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a moto_server for these tests."""
    with servers.moto(tmp_path_factory.mktemp("moto"), MOTO_IAM_LOAD_MANAGED_POLICIES="true") as url:
        yield url


def test_what_moto_can_do_is_created_kept_and_removed_again(moto: str, tmp_path: Path) -> None:
    stack = Stack(tmp_path)
    variables = ("-e", "@tests/e2e/moto.yml", "-e", f"emulator_url={moto}")

    def client(service: str) -> Any:
        return boto3.client(  # type: ignore[call-overload] # the stubs want a literal
            service, region_name="eu-west-1", endpoint_url=moto, aws_access_key_id="test", aws_secret_access_key="test"
        )

    create_boundary(client("iam"), "csv-to-aurora-local", "123456789012")
    before = account_inventory(client)
    summary = tmp_path / "summary.json"
    environment = {"ANSIBLE_RUN_SUMMARY_PLAN_FILE": str(summary)}
    stack.playbook("provision.yml", *variables, inventory=HOSTS, environment=environment)
    made = [change["role"] for change in json.loads(summary.read_text())["changes"] if change["action"] == "create"]
    assert dict(Counter(made)) == CREATED
    again = stack.playbook("provision.yml", *variables, inventory=HOSTS)
    assert again.changed == 0, again.output[-6000:]
    assert stack.playbook("teardown.yml", *variables, inventory=HOSTS).changed > 20
    # moto keeps the network interfaces of terminated instances and deleted NAT gateways.
    assert [one for one in left(before, account_inventory(client)) if not one.startswith("network interface ")] == []
    assert stack.playbook("teardown.yml", *variables, inventory=HOSTS).changed == 0
