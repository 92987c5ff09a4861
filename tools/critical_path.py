#!/usr/bin/env python3
"""How long a run takes on AWS, against the longest chain of things in it that have to wait for each other.

    ANSIBLE_STDOUT_CALLBACK=ansible.posix.jsonl ansible-playbook playbooks/site.yml -i inventories/local > site.jsonl
    tools/critical_path.py site.jsonl

The run gives the order of the tasks and how many calls each made; the tables below give what AWS takes to create or
remove things, and what has to be there before what. A task costs its calls, and where it waits for a thing it also
lasts until that is ready. The chain has only what no order of tasks can avoid: one call for each step, and the waits.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

CALL_SECONDS = 0.5
"""A call of an AWS module in a warm process, the answer of AWS included."""
LOCAL_SECONDS = 0.05
"""A task that only computes."""
REMOTE_SECONDS = 1.0
"""A task on the app host, over a connection that is open."""
MORE_SECONDS = {
    # Sleeps in the modules themselves: after a change of a route table, and after each new security group.
    "network: Create or mend the route tables": 5,
    "security_groups: Create the database's group without rules": 3,
    "security_groups: Create or mend the groups and their rules": 2,
    # What apt has to fetch and unpack.
    "mysql_client: Install the packages": 20,
}
"""What a call of some steps takes longer. Two of three groups are new: the third was there without rules."""
AWS = ("amazon.aws.", "community.aws.", "csv_to_aurora.aws.")
COMPUTES = frozenset(
    {
        "ansible.builtin.assert",
        "ansible.builtin.debug",
        "ansible.builtin.include_tasks",
        "ansible.builtin.set_fact",
        "ansible.builtin.validate_argument_spec",
        "csv_to_aurora.aws.resource_plan",
    }
)
"""What runs on the controller, whatever host it is for."""


@dataclass(frozen=True)
class Slow:
    """What AWS does by itself after a call, and the steps that wait for it.

    Attributes:
        seconds: how long it takes, as a rule.
        poll: seconds between two looks of those that wait, who see it half of that late, on average.
        source: where that is known from.
    """

    name: str
    started_by: str
    awaited_by: frozenset[str]
    seconds: int
    poll: int
    source: str


@dataclass(frozen=True)
class Step:
    """A task as it ran: calls that only looked count too, the items of a loop each. No calls: it was skipped."""

    name: str
    module: str
    calls: int
    remote: bool

    @property
    def once(self) -> float:
        """Seconds of one call."""
        more = MORE_SECONDS.get(self.name, 0)
        if self.module in COMPUTES:
            return LOCAL_SECONDS
        if self.remote:
            return REMOTE_SECONDS + more
        return CALL_SECONDS + more if self.module.startswith(AWS) else LOCAL_SECONDS

    @property
    def seconds(self) -> float:
        """Seconds of all calls, one after another."""
        return self.once * self.calls or LOCAL_SECONDS


SLOW = (
    Slow(
        "the database",
        "database: Start creating or mending the instances",
        frozenset({"database: Wait until the instances are available"}),
        600,
        5,
        "10 to 20 minutes, https://oneuptime.com/blog/post/2026-02-23-terraform-resources-long-creation-time/view",
    ),
    Slow(
        "the NAT gateway",
        "network: Create the NAT gateways",
        frozenset({"network: Wait until the NAT gateways are available"}),
        105,
        10,
        "1 to 2 minutes, as Terraform's users see",
    ),
    Slow(
        "the host",
        "app_host: Start the host",
        frozenset({"app_host: Wait until the host runs"}),
        30,
        5,
        "pending for half a minute",
    ),
    Slow(
        "the host's SSH",
        "app_host: Start the host",
        frozenset({"Wait for SSH"}),
        75,
        2,
        "a minute and more from the call to sshd",
    ),
    Slow(
        "the new role",
        "importer: Create or mend the role",
        frozenset({"importer: Create or mend the function"}),
        10,
        5,
        "5 to 15 seconds until every part of AWS knows a role",
    ),
    Slow(
        "the function's network",
        "importer: Create or mend the function",
        frozenset({"importer: Wait until the function is ready"}),
        60,
        5,
        "about a minute: https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html",
    ),
    Slow(
        "the removal of the database",
        "database: Start removing the cluster",
        frozenset({"database: Wait until the instances are gone", "database: Wait until the cluster is gone"}),
        770,
        5,
        "12 minutes 50: https://github.com/tungbq/aws-lab-with-terraform/issues/100",
    ),
    Slow(
        "the function's way out of the network",
        "importer: Take the function out of the network",
        frozenset({"importer: Wait until it is out of the network"}),
        30,
        5,
        "seconds to a minute",
    ),
    Slow(
        "the function's interfaces",
        "importer: Remove the function",
        frozenset({"importer: Wait until Lambda has given its network interfaces back"}),
        300,
        15,
        "under 5 minutes after the way out, up to 45 without it",
    ),
    Slow(
        "the removal of the host",
        "app_host: Remove the instance",
        frozenset({"security_groups: Remove the groups"}),
        60,
        10,
        "a minute until it is terminated",
    ),
    Slow(
        "the removal of the NAT gateway",
        "network: Remove the surplus NAT gateways",
        frozenset({"network: Wait until the NAT gateways are gone"}),
        60,
        10,
        "a minute",
    ),
)

NEEDS: dict[str, tuple[str, ...]] = {
    "network: Create or mend the VPC": (),
    "network: Create or mend the subnets": ("network: Create or mend the VPC",),
    "network: Create or mend the internet gateway": ("network: Create or mend the VPC",),
    "network: Allocate the NAT gateways' addresses": (),
    "network: Create the NAT gateways": (
        "network: Create or mend the subnets",
        "network: Create or mend the internet gateway",
        "network: Allocate the NAT gateways' addresses",
    ),
    "network: Create or mend the route tables": ("network: Create the NAT gateways",),
    "network: Wait until the NAT gateways are available": ("the NAT gateway",),
    "security_groups: Create the database's group without rules": ("network: Create or mend the VPC",),
    "security_groups: Create or mend the groups and their rules": (
        "security_groups: Create the database's group without rules",
    ),
    "database: Create or mend the subnet group": ("network: Create or mend the subnets",),
    "database: Write the secrets": (),
    "database: Start creating the cluster": (
        "database: Create or mend the subnet group",
        "database: Write the secrets",
        "security_groups: Create or mend the groups and their rules",
    ),
    "database: Start creating or mending the instances": ("database: Start creating the cluster",),
    "database: Wait until the instances are available": ("the database",),
    # Now that the endpoint is known.
    "database: Write the secrets (2)": ("database: Wait until the instances are available",),
    "app_host: Create the launch template, or a new version of it": (
        "network: Create or mend the subnets",
        "security_groups: Create or mend the groups and their rules",
    ),
    "app_host: Start the host": ("app_host: Create the launch template, or a new version of it",),
    "app_host: Wait until the host runs": ("the host",),
    "Wait for SSH": ("the host's SSH",),
    "importer: Create or mend the role": (),
    "importer: Create or mend the function": (
        "the new role",
        "network: Create or mend the subnets",
        "security_groups: Create or mend the groups and their rules",
    ),
    "importer: Wait until the function is ready": ("the function's network",),
    "importer: Let the bucket invoke the function": ("importer: Create or mend the function",),
    "mysql_client: Install the packages": ("Wait for SSH",),
    "mysql_client: Configure the client": ("mysql_client: Install the packages", "database: Write the secrets (2)"),
    "schema: Create the database": (
        "mysql_client: Install the packages",
        "database: Wait until the instances are available",
    ),
    "schema: Create the table": ("schema: Create the database",),
    "schema: Create the user or mend its password and privileges": (
        "schema: Create the table",
        "database: Write the secrets (2)",
    ),
    # Last, so that no file arrives before there is a table for it.
    "notification: Send uploads to the function": (
        "importer: Let the bucket invoke the function",
        "importer: Wait until the function is ready",
        "schema: Create the user or mend its password and privileges",
    ),
    # And for removing it all.
    "notification: Remove the notifications": (),
    "database: Start removing the instances": ("notification: Remove the notifications",),
    "database: Start removing the cluster": ("database: Start removing the instances",),
    "database: Wait until the cluster is gone": ("the removal of the database",),
    "database: Remove the subnet group": ("database: Wait until the cluster is gone",),
    "importer: Take the function out of the network": ("notification: Remove the notifications",),
    "importer: Wait until it is out of the network": ("the function's way out of the network",),
    "importer: Remove the function": ("importer: Wait until it is out of the network",),
    "importer: Wait until Lambda has given its network interfaces back": ("the function's interfaces",),
    "importer: Remove the role": ("importer: Wait until Lambda has given its network interfaces back",),
    "app_host: Remove the instance": (),
    "network: Remove the surplus NAT gateways": (),
    "network: Wait until the NAT gateways are gone": ("the removal of the NAT gateway",),
    "network: Release the surplus addresses": ("network: Wait until the NAT gateways are gone",),
    "security_groups: Remove the groups": (
        "the removal of the host",
        "database: Wait until the cluster is gone",
        "importer: Wait until Lambda has given its network interfaces back",
    ),
    "network: Remove the surplus subnets": (
        "database: Remove the subnet group",
        "security_groups: Remove the groups",
        "network: Release the surplus addresses",
    ),
    "network: Remove the VPC": ("network: Remove the surplus subnets",),
}
"""What has to be there, or gone, before a step. A step that is not here holds up nothing."""


def events(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Yield the results of tasks from the lines of a run, in their order."""
    for line in lines:
        if line.startswith("{"):
            event = json.loads(line)
            if event["_event"].startswith("v2_runner_on_") and not event["_event"].endswith("start"):
                yield event


def read(lines: Iterable[str]) -> list[Step]:
    """Return the steps of a run as ansible.posix.jsonl wrote it; a step that ran before ends in (2)."""
    steps: list[Step] = []
    seen: Counter[str] = Counter()
    for event in events(lines):
        role, _, sentence = event["task"]["name"].rpartition(" : ")
        name = ": ".join(filter(None, (role, sentence.rpartition(" | ")[2])))
        for host, result in event["hosts"].items():
            results = result.get("results") or [result]
            calls = sum(1 for one in results if not (one.get("skipped") or result.get("skipped")))
            seen[name] += calls > 0
            number = f" ({seen[name]})" if calls and seen[name] > 1 else ""
            steps.append(Step(f"{name}{number}", result["action"], calls, host != "controller"))
    return steps


def waits(steps: list[Step]) -> dict[str, int]:
    """Return at which step each slow thing is waited for: where a wait ran, else where it was skipped last.

    What is slow on AWS is ready at once where runs are recorded, and a wait is skipped then. It is skipped too where it
    is left to a later one.
    """
    found: dict[str, int] = {}
    for slow in SLOW:
        places = [n for n, step in enumerate(steps) if step.name in slow.awaited_by]
        ran = [n for n in places if steps[n].calls]
        if places:
            found[slow.name] = ran[0] if ran else places[-1]
    return found


def run_seconds(steps: list[Step]) -> float:
    """Return how long the steps take one after another, waiting where they wait."""
    clock = 0.0
    ready: dict[str, float] = {}
    awaited = waits(steps)
    for number, step in enumerate(steps):
        for slow in SLOW:
            if awaited.get(slow.name) == number and slow.name in ready:
                late = max(ready[slow.name] - clock, 0.0)
                clock += late and late + slow.poll / 2
        clock += step.seconds
        for slow in SLOW:
            if slow.started_by == step.name and step.calls:
                ready[slow.name] = clock + slow.seconds
    return clock


def chain(steps: list[Step]) -> tuple[float, list[str]]:
    """Return the longest chain of steps and slow things that need each other, in seconds, and what it consists of."""
    by_name = {step.name: step for step in steps if step.calls}
    slow_by_name = {slow.name: slow for slow in SLOW}

    @cache
    def longest(name: str) -> tuple[float, tuple[str, ...]]:
        if name in slow_by_name:
            slow = slow_by_name[name]
            if slow.started_by not in by_name:
                return 0.0, ()
            seconds, before = longest(slow.started_by)
            return seconds + slow.seconds, (*before, f"{name}: {slow.seconds} s ({slow.source})")
        seconds, before = max((longest(need) for need in NEEDS.get(name, ())), default=(0.0, ()))
        if name not in by_name:
            return seconds, before
        return seconds + by_name[name].once, (*before, f"{name}: {by_name[name].once} s")

    seconds, names = max((longest(name) for name in NEEDS), default=(0.0, ()))
    return seconds, list(names)


def unknown(steps: list[Step]) -> set[str]:
    """Return the names in the tables that no step of these runs has: a task that was renamed."""
    named = {*NEEDS, *(slow.started_by for slow in SLOW), *(name for slow in SLOW for name in slow.awaited_by)}
    named |= {need for needs in NEEDS.values() for need in needs} - {slow.name for slow in SLOW}
    return named - {step.name for step in steps}


def main(file: str) -> None:
    """Print the chain, the run and how the one compares with the other."""
    steps = read(Path(file).read_text().splitlines())
    shortest, names = chain(steps)
    seconds = run_seconds(steps)
    print("The longest chain:")
    for name in names:
        print(f"  {name}")
    print(f"{shortest:.0f} s at least, {seconds:.0f} s as the tasks are: {seconds / shortest:.3f} times as long.")


if __name__ == "__main__":
    main(*sys.argv[1:])
