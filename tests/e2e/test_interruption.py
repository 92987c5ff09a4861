"""Runs that are killed: the next one converges, nothing exists twice, and the teardown leaves nothing.

The whole process group is killed at once, after a call to AWS has been answered or before a task begins. Runs are
killed in a chain: each starts from what the one before left. `make test` takes a sample of points, `make test-all`
every call.
"""

from __future__ import annotations

import json
import random
import re
import signal
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from tests import servers
from tests.boundary import create_boundary
from tests.e2e.account_inventory import account_inventory, left
from tests.e2e.conftest import ROOT, Run, Stack
from tests.e2e.drift_scenarios import Operator, client_removed, table_dropped, user_dropped
from tests.e2e.seeds import seed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e

HOSTS = "inventories/local/hosts.yml"
CALLBACKS = ROOT / "tests/e2e/callback_plugins"
LOCK = "/locks/csv-to-aurora-local"
SAMPLE = 3
UNTAGGED = re.compile(r"The bucket (\S+) exists but does not carry the tag")
"""amazon.aws.s3_bucket creates a bucket with one call and tags it with the next. Killed between the two, a run leaves a
bucket without tags, which the next run refuses with its cause and fix. No other kind has such a gap."""
TAGS = {"Project": "csv-to-aurora", "Environment": "local"}
SEED = seed("KILL_SEED")
"""Of the sample of points; a failure names it, and KILL_SEED repeats it."""


def callbacks() -> str:
    """The callbacks of the project's configuration, and the one that kills."""
    line = next(x for x in (ROOT / "ansible.cfg").read_text().splitlines() if x.startswith("callbacks_enabled"))
    return f"{line.partition('=')[2]}, kill_run"


@dataclass(frozen=True)
class Ended:
    """How a run ended: killed, or by itself after a number of tasks and calls."""

    killed: bool
    run: Run
    tasks: int = 0
    writes: int = 0


@dataclass(frozen=True)
class Account:
    """An account of a local cloud, and how playbooks are run on it."""

    stack: Stack
    arguments: tuple[str, ...]
    inventory: str
    url: str
    root: tuple[str, str] = ("test", servers.SECRET)

    def client(self, service: str) -> Any:
        """Return a boto3 client."""
        return boto3.client(  # type: ignore[call-overload] # the stubs want a literal
            service,
            region_name=servers.REGION,
            endpoint_url=self.url,
            aws_access_key_id=self.root[0],
            aws_secret_access_key=self.root[1],
        )

    def play(self, name: str, **kill: int | str) -> Ended:
        """Run a playbook and kill it where ``kill`` says: after_task, at_task or after_write.

        Raises:
            AssertionError: The run failed before.
        """
        counts = self.stack.folder / "counts.json"
        counts.unlink(missing_ok=True)
        run = self.stack.playbook(
            name,
            *self.arguments,
            inventory=self.inventory,
            check=False,
            environment={
                "ANSIBLE_CALLBACK_PLUGINS": str(CALLBACKS),
                "ANSIBLE_CALLBACKS_ENABLED": callbacks(),
                "KILL_RUN_COUNTS": str(counts),
                **{f"KILL_RUN_{key.upper()}": str(value) for key, value in kill.items()},
            },
        )
        if run.returncode == -signal.SIGKILL:
            self.unlock()
            return Ended(killed=True, run=run)
        untagged = UNTAGGED.search(run.words)
        if untagged:
            self.claim(untagged[1])
            return self.play(name, **kill)
        assert run.returncode == 0, run.output[-6000:]
        return Ended(killed=False, run=run, **json.loads(counts.read_text()))

    def claim(self, bucket: str) -> None:
        """Give an empty bucket the stack's tags, as the refused run says."""
        client = self.client("s3")
        assert client.list_object_versions(Bucket=bucket).get("Versions", []) == []
        tags = [{"Key": key, "Value": value} for key, value in TAGS.items()]
        client.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})

    def unlock(self) -> None:
        """Break the lock that a killed run leaves, with one call, which is faster than unlock.yml."""
        client = self.client("ssm")
        with suppress(client.exceptions.ParameterNotFound):
            client.delete_parameter(Name=LOCK)

    def resources(self) -> dict[str, set[str]]:
        """Everything in the account except volumes: the emulator keeps those of terminated instances."""
        return {kind: found for kind, found in account_inventory(self.client).items() if kind != "volume"}


@contextmanager
def containerless(folder: Path) -> Iterator[Account]:
    """An account of an emulator without containers, which stores records only and starts within seconds."""
    with servers.ministack(folder) as url:
        arguments = (
            "-e",
            "@tests/e2e/containerless.yml",
            "-e",
            f"emulator_url={url}",
            "-e",
            f"emulator_secret={servers.SECRET}",
        )
        made = Account(Stack(folder), arguments, HOSTS, url)
        create_boundary(made.client("iam"), "csv-to-aurora-local")
        yield made


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    """A new account."""
    with containerless(tmp_path) as made:
        yield made


def points(total: int, chosen: int) -> list[int]:
    """Return after how many calls to kill each run of a chain; together they are at most ``total``."""
    rng = random.Random(chosen)  # noqa: S311 # to be repeated
    cuts = sorted(rng.sample(range(1, total), k=SAMPLE))
    return [cut - before for before, cut in zip([0, *cuts], cuts, strict=False)]


PROVISION_WRITES = 65
"""About how many calls that write a whole provision.yml makes: the sample is taken from these."""
TEARDOWN_WRITES = 45
CONFIGURE_TASKS = ("present | Create or update the table", "packages | Install the packages")
"""Tasks of configure.yml after which it is killed."""


@pytest.mark.parametrize("chosen", [SEED])
def test_killed_at_some_calls_the_next_run_converges_and_teardown_leaves_nothing(account: Account, chosen: int) -> None:
    before = account.resources()
    for writes in points(PROVISION_WRITES, chosen):
        assert account.play("provision.yml", after_write=writes).killed
    account.play("provision.yml")
    assert account.play("provision.yml").run.changed == 0
    for writes in points(TEARDOWN_WRITES, chosen):
        assert account.play("teardown.yml", after_write=writes).killed
    account.play("teardown.yml")
    assert left(before, account.resources()) == []
    assert account.play("teardown.yml").run.changed == 0


def test_the_tasks_after_which_a_run_is_killed_exist() -> None:
    texts = [path.read_text(encoding="utf-8") for path in ROOT.glob("roles/*/tasks/*.yml")]
    assert [task for task in CONFIGURE_TASKS if not any(f"name: {task}\n" in text for text in texts)] == []


@pytest.mark.slow
@pytest.mark.parametrize("task", CONFIGURE_TASKS)
def test_killed_while_it_configures_the_host_the_next_run_converges(complete: Stack, task: str) -> None:
    url = complete.client("sts").meta.endpoint_url
    account = Account(complete, (), "inventories/local", url, root=complete.root)
    operator = Operator(complete)
    client_removed(operator)
    table_dropped(operator)
    user_dropped(operator)
    assert account.play("configure.yml", after_task=task).killed
    account.play("configure.yml")
    assert account.play("configure.yml").run.changed == 0


@pytest.mark.slow
def test_killed_at_every_call_the_next_run_converges_and_teardown_leaves_nothing(account: Account) -> None:
    before = account.resources()
    for playbook, most in (("provision.yml", 3 * PROVISION_WRITES), ("teardown.yml", 3 * TEARDOWN_WRITES)):
        for _ in range(most):
            if not account.play(playbook, after_write=1).killed:
                break
        else:
            raise AssertionError(f"{playbook} makes no progress when it is killed after each call")
        assert account.play(playbook).run.changed == 0
    assert left(before, account.resources()) == []
