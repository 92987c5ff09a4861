"""Runs killed in their middle: the next one converges, nothing is doubled, and the teardown leaves nothing.

What is killed is the whole process group, at once, after a call to AWS has been answered or before a task begins. Each
run of a chain is killed a little further on: it starts from what the one before left, and leaves that to the next one.
`make test` takes a few chosen points, `make test-all` every call and every task there is.
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
from tests.e2e.account_inventory import account_inventory, left
from tests.e2e.conftest import ACCOUNT, ROOT, Run, Stack
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
"""amazon.aws.s3_bucket makes a bucket with one call and tags it with the next. Killed between the two, a run leaves a
bucket of which nobody can tell whose it is; the next one says so, and what to do. No other kind has such a gap."""
TAGS = {"Project": "csv-to-aurora", "Environment": "local"}
SEED = seed("KILL_SEED")
"""Where the chosen points come from; a failure names it, and KILL_SEED repeats it."""


def callbacks() -> str:
    """The callbacks of the project's configuration, and the one that kills."""
    line = next(x for x in (ROOT / "ansible.cfg").read_text().splitlines() if x.startswith("callbacks_enabled"))
    return f"{line.partition('=')[2]}, kill_run"


@dataclass(frozen=True)
class Ended:
    """How a run ended: killed, or by itself with so many tasks begun and calls made."""

    killed: bool
    run: Run
    tasks: int = 0
    writes: int = 0


@dataclass(frozen=True)
class Account:
    """An account of a local cloud, and the playbooks that work on it."""

    stack: Stack
    arguments: tuple[str, ...]
    inventory: str
    url: str
    root: str = "test"

    def client(self, service: str) -> Any:
        """Return a boto3 client."""
        return boto3.client(  # type: ignore[call-overload] # the stubs want a literal
            service,
            region_name=servers.REGION,
            endpoint_url=self.url,
            aws_access_key_id=self.root,
            aws_secret_access_key="of-root",
        )

    def play(self, name: str, **kill: int | str) -> Ended:
        """Run a playbook and kill it where ``kill`` says: after_task, at_task or after_write.

        Raises:
            AssertionError: it failed before.
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
        untagged = UNTAGGED.search(" ".join(run.output.split()))
        if untagged:
            self.claim(untagged[1])
            return Ended(killed=True, run=run)
        assert run.returncode == 0, run.output[-6000:]
        return Ended(killed=False, run=run, **json.loads(counts.read_text()))

    def claim(self, bucket: str) -> None:
        """Give an empty bucket the stack's tags, as the run that found it without says."""
        client = self.client("s3")
        assert client.list_object_versions(Bucket=bucket).get("Versions", []) == []
        tags = [{"Key": key, "Value": value} for key, value in TAGS.items()]
        client.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})

    def unlock(self) -> None:
        """Break the lock that a killed run leaves, with one call: unlock.yml would cost a playbook's start."""
        client = self.client("ssm")
        with suppress(client.exceptions.ParameterNotFound):
            client.delete_parameter(Name=LOCK)

    def resources(self) -> dict[str, set[str]]:
        """Everything in the account, but for volumes: the emulator keeps those of instances that are gone."""
        return {kind: found for kind, found in account_inventory(self.client).items() if kind != "volume"}


@contextmanager
def containerless(folder: Path) -> Iterator[Account]:
    """An account of a local cloud that makes records only, which takes seconds."""
    with servers.ministack(folder) as url:
        arguments = ("-e", "@tests/e2e/containerless.yml", "-e", f"emulator_url={url}")
        yield Account(Stack(folder), arguments, HOSTS, url)


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    """A new account."""
    with containerless(tmp_path) as made:
        yield made


def points(total: int, chosen: int) -> list[int]:
    """Return a few numbers of calls after which to kill one run after another, so that all of ``total`` are crossed."""
    rng = random.Random(chosen)  # noqa: S311 # to be repeated
    cuts = sorted(rng.sample(range(1, total), k=SAMPLE))
    return [cut - before for before, cut in zip([0, *cuts], cuts, strict=False)]


PROVISION_WRITES = 65
"""About how many calls a whole provision.yml needs: where in it a sample is taken."""
TEARDOWN_WRITES = 45


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


@pytest.mark.slow
@pytest.mark.parametrize("task", ["present | Create the table", "packages | Install the packages"])
def test_killed_while_it_configures_the_host_the_next_run_converges(complete: Stack, task: str) -> None:
    url = complete.client("sts").meta.endpoint_url
    account = Account(complete, (), "inventories/local", url, root=ACCOUNT)
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
            raise AssertionError(f"{playbook} makes no headway when it is killed after each call")
        assert account.play(playbook).run.changed == 0
    assert left(before, account.resources()) == []
