"""The plan, the lock, and what a protected environment refuses."""

from __future__ import annotations

import json
import re
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.conftest import Stack

pytestmark = pytest.mark.e2e

LOCK = "/locks/csv-to-aurora-local"
HOLDER = "arn:aws:iam::123456789012:user/somebody"


@contextmanager
def locked(stack: Stack) -> Iterator[str]:
    """Hold the lock as another run for the block; give its id."""
    client = stack.client("ssm")
    value = {
        "id": "5f0c3a91",
        "owner": HOLDER,
        "host": "build-7",
        "process": 4711,
        "purpose": "Lock",
        "since": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    client.put_parameter(Name=LOCK, Value=json.dumps(value), Type="String")
    try:
        yield str(value["id"])
    finally:
        client.delete_parameters(Names=[LOCK])


def is_locked(stack: Stack) -> bool:
    """Whether anybody holds the lock."""
    return bool(stack.client("ssm").get_parameters(Names=[LOCK])["Parameters"])


def flat(output: str) -> str:
    """Return what was printed without its line breaks."""
    return " ".join(output.split())


def test_a_plan_names_what_was_changed_by_hand_and_keeps_secrets(complete: Stack, tmp_path: Path) -> None:
    client = complete.client("lambda")
    function = "csv-to-aurora-local-importer"
    memory = client.get_function_configuration(FunctionName=function)["MemorySize"]
    client.update_function_configuration(FunctionName=function, MemorySize=memory * 2)
    file = tmp_path / "plan.json"
    # A plan does not wait for the lock.
    with locked(complete):
        run = complete.playbook("plan.yml", "-e", f"plan_file={file}", check=False)
    assert run.returncode == 10, run.output
    plan = json.loads(file.read_text())
    assert [(c["role"], c["kind"], c["name"], c["action"], c["fields"]) for c in plan["changes"]] == [
        ("importer", "Lambda function", function, "update", ["memory_size"])
    ]
    importer, notified = plan["notes"]
    assert re.search(r"all imports together have up to [0-9]+ of the server's [0-9]+ connections", importer)
    assert "operators@example.com is not notified yet" in notified
    assert flat(importer) in flat(run.output)
    assert flat(notified) in flat(run.output)
    assert file.stat().st_mode & 0o777 == 0o600
    assert f"memory_size: {memory * 2} → {memory}" in run.output
    assert re.findall(r"^Plan: .*", run.output, re.MULTILINE) == [
        f"Plan: 0 to create, 1 to update, 0 to delete; {plan['totals']['unchanged']} unchanged."
    ]
    secrets = complete.secret_values()
    assert len(secrets) >= 3
    assert [name for name, value in secrets.items() if value in run.output + file.read_text()] == []
    assert client.get_function_configuration(FunctionName=function)["MemorySize"] == memory * 2

    run = complete.playbook("site.yml", "--tags", "importer")
    assert "Run: 0 created, 1 updated, 0 deleted;" in run.output
    assert not is_locked(complete)


def test_a_plan_that_cannot_be_made_is_an_error_that_says_why(complete: Stack) -> None:
    run = complete.playbook("plan.yml", "-e", "aws_account_id=123456789012", check=False)
    assert run.returncode not in (0, 10)
    assert "but local may only be in 123456789012" in flat(run.output)
    assert "Traceback" not in run.output


def test_a_second_run_names_the_holder_of_the_lock_and_how_to_break_it(complete: Stack) -> None:
    with locked(complete) as lock:
        run = complete.playbook("site.yml", check=False)
        assert run.returncode == 2
        assert run.changed == 0
        said = flat(run.output)
        assert f"Another run is changing csv-to-aurora-local: {HOLDER} on build-7, process 4711, since " in said
        command = re.search(r"ansible-playbook playbooks/(unlock.yml) -i inventories/local -e (\S+)", said)
        assert command is not None
        assert is_locked(complete)

        wrong = complete.playbook("unlock.yml", "-e", "lock_id=00000000", check=False)
        assert wrong.returncode == 2
        assert f"has the id {lock} and not 00000000" in flat(wrong.output)
        assert is_locked(complete)

        complete.playbook(command[1], "-e", command[2])
        assert not is_locked(complete)


def test_a_protected_environment_keeps_its_parts(complete: Stack) -> None:
    subnets = complete.outputs()["network"]["public_subnet_ids"]
    protected = ("-e", "environment_protected=true")
    run = complete.playbook("site.yml", "--tags", "network", "-e", "network_zone_count=1", *protected, check=False)
    assert run.returncode == 2
    assert run.changed == 0
    assert "environment_protected to false" in flat(run.output)
    # A run that fails releases its lock, too.
    assert not is_locked(complete)

    other_type = ("-e", "app_host_instance_type=t3.large", "-e", "app_host_replace=true")
    run = complete.playbook("site.yml", "--tags", "app_host", *other_type, *protected, check=False)
    assert run.returncode == 2
    assert run.changed == 0
    assert "environment_protected to false" in flat(run.output)

    run = complete.playbook("teardown.yml", *protected, check=False)
    assert run.returncode == 2
    assert "set environment_protected to false" in flat(run.output)
    outputs = complete.outputs()
    assert outputs["network"]["public_subnet_ids"] == subnets
    assert outputs["app_host"]["state"] == "running"
