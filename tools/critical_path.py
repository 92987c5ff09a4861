#!/usr/bin/env python3
"""How long a run takes on AWS, against the longest chain of its steps that depend on each other.

    ANSIBLE_STDOUT_CALLBACK=ansible.posix.jsonl ansible-playbook playbooks/site.yml -i inventories/local > site.jsonl
    tools/critical_path.py site.jsonl

The run gives the order of the tasks and how many calls each made; the tables below give the time that AWS takes to
create or remove a resource, and the dependencies. A task takes the time of its calls, and where it waits for a resource
it also lasts until that is ready. The chain has only what no order of tasks can avoid: one call for each step, and the
waits.
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

import yaml

CALL_SECONDS = 0.5
"""A call of an AWS module in a warm process, with the response of AWS."""
LOCAL_SECONDS = 0.05
"""A task that only computes."""
REMOTE_SECONDS = 1.0
"""A task on the app host, over a connection that is open."""
MORE_SECONDS = {
    # Sleeps in the modules themselves: after a change of a route table, and after each new security group.
    "network: create route table": 5,
    "security_groups: create security group": 3,
    "security_groups: update security group": 2,
    # What apt has to download and unpack.
    "mysql_client: create packages": 20,
}
"""Seconds that a call of some steps takes in addition."""
AT_ONCE = 8
"""Calls of the action gather that run side by side."""
AWS = ("amazon.aws.", "community.aws.", "csv_to_aurora.aws.")
OWN = "csv_to_aurora.aws."
COMPUTES = frozenset(
    {
        "ansible.builtin.assert",
        "ansible.builtin.debug",
        "ansible.builtin.include_tasks",
        "ansible.builtin.set_fact",
        "ansible.builtin.validate_argument_spec",
    }
)
"""Modules that run on the controller, whatever the host."""


@dataclass(frozen=True)
class Slow:
    """What AWS does asynchronously after a call, and the steps that wait for it.

    Attributes:
        seconds: Its usual duration.
        poll: Seconds between two polls of the steps that wait; on average they notice it half of that late.
        source: The source of these numbers.
    """

    name: str
    started_by: str
    awaited_by: frozenset[str]
    seconds: int
    poll: int
    source: str


@dataclass(frozen=True)
class Step:
    """A task as it ran, or a part of it: the role and its action on a kind of resource, or its module.

    Calls that only read count too, and each item of a loop. No calls: it compared only, or was skipped.
    """

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
        "database: create DB instance",
        frozenset({"database: wait for DB instance"}),
        600,
        5,
        "10 to 20 minutes, https://oneuptime.com/blog/post/2026-02-23-terraform-resources-long-creation-time/view",
    ),
    Slow(
        "the NAT gateway",
        "network: create NAT gateway",
        frozenset({"network: wait for NAT gateway"}),
        105,
        10,
        "1 to 2 minutes, as users of Terraform report; until then AWS accepts no route to it",
    ),
    Slow(
        "the host",
        "app_host: create instance",
        frozenset({"app_host: wait for instance"}),
        30,
        5,
        "pending for half a minute",
    ),
    Slow(
        "the host's SSH",
        "app_host: create instance",
        frozenset({"wait_for_connection"}),
        75,
        2,
        "a minute and more from the call to sshd",
    ),
    Slow(
        "the new role",
        "importer: create IAM role",
        frozenset({"importer: create Lambda function"}),
        10,
        5,
        "5 to 15 seconds until an IAM role is known everywhere (eventual consistency)",
    ),
    Slow(
        "the function's network",
        "importer: create Lambda function",
        frozenset({"importer: wait for Lambda function"}),
        60,
        5,
        "about a minute: https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html",
    ),
    Slow(
        "the removal of the database",
        "database: delete DB cluster",
        frozenset({"database: wait for DB instance", "database: wait for DB cluster"}),
        770,
        5,
        "12 minutes 50: https://github.com/tungbq/aws-lab-with-terraform/issues/100",
    ),
    Slow(
        "the function's interfaces",
        "importer: delete Lambda function",
        frozenset({"importer: wait for network interface"}),
        300,
        15,
        "under 5 minutes after the function was detached from the VPC, up to 45 without that",
    ),
    Slow(
        "the removal of the host",
        "app_host: delete instance",
        frozenset({"security_groups: delete security group"}),
        60,
        10,
        "a minute until it is terminated",
    ),
    Slow(
        "the removal of the NAT gateway",
        "network: delete NAT gateway",
        frozenset({"network: wait for NAT gateway"}),
        60,
        10,
        "a minute",
    ),
)

NEEDS: dict[str, tuple[str, ...]] = {
    "network: create VPC": (),
    "network: create subnet": ("network: create VPC",),
    "network: create internet gateway": ("network: create VPC",),
    "network: create Elastic IP address": (),
    "network: create NAT gateway": (
        "network: create subnet",
        "network: create internet gateway",
        "network: create Elastic IP address",
    ),
    "network: create route table": ("the NAT gateway",),
    "security_groups: create security group": ("network: create VPC",),
    "database: create DB subnet group": ("network: create subnet",),
    "database: create secret": (),
    "database: create DB cluster": (
        "database: create DB subnet group",
        "database: create secret",
        "security_groups: create security group",
    ),
    "database: create DB instance": ("database: create DB cluster",),
    "database: wait for DB instance": ("the database",),
    # With the endpoint, which is known then.
    "database: create secret (2)": ("database: wait for DB instance",),
    "app_host: create launch template": ("network: create subnet", "security_groups: create security group"),
    "app_host: create instance": ("app_host: create launch template",),
    "app_host: wait for instance": ("the host",),
    "wait_for_connection": ("the host's SSH",),
    "importer: create IAM role": (),
    "importer: create Lambda function": (
        "the new role",
        "network: create subnet",
        "security_groups: create security group",
    ),
    "importer: wait for Lambda function": ("the function's network",),
    "importer: create Lambda permission": ("importer: create Lambda function",),
    "mysql_client: create packages": ("wait_for_connection",),
    "mysql_client: copy": ("mysql_client: create packages", "database: create secret (2)"),
    "schema: create table": ("mysql_client: create packages", "database: wait for DB instance"),
    "schema: create database user": ("schema: create table", "database: create secret (2)"),
    # Last, so that no file arrives before there is a table for it.
    "notification: create bucket notification": (
        "importer: create Lambda permission",
        "importer: wait for Lambda function",
        "schema: create database user",
    ),
    # Teardown.
    "notification: delete bucket notification": (),
    "database: delete DB instance": ("notification: delete bucket notification",),
    "database: delete DB cluster": ("database: delete DB instance",),
    "database: wait for DB cluster": ("the removal of the database",),
    "database: delete DB subnet group": ("database: wait for DB cluster",),
    "importer: delete Lambda function": ("notification: delete bucket notification",),
    "importer: wait for network interface": ("the function's interfaces",),
    "importer: delete IAM role": ("importer: wait for network interface",),
    "app_host: delete instance": (),
    "network: delete NAT gateway": (),
    "network: wait for NAT gateway": ("the removal of the NAT gateway",),
    "network: delete Elastic IP address": ("network: wait for NAT gateway",),
    "security_groups: delete security group": (
        "the removal of the host",
        "database: wait for DB cluster",
        "importer: wait for network interface",
    ),
    "network: delete subnet": (
        "database: delete DB subnet group",
        "security_groups: delete security group",
        "network: delete Elastic IP address",
    ),
    "network: delete VPC": ("network: delete subnet",),
}
"""What has to exist, or to be deleted, before a step. No step depends on one that is not in this table."""


def events(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Yield the results of tasks from the lines of a run, in their order."""
    for line in lines:
        if line.startswith("{"):
            event = json.loads(line)
            if event["_event"].startswith("v2_runner_on_") and not event["_event"].endswith("start"):
                yield event


@cache
def written(path: str) -> dict[str, Any]:
    """Return the options of the task that begins at a place, ``file:line``; none where there is no such task.

    The result of a task that was skipped, or that has no_log, does not name the resource.
    """
    file, _, line = path.rpartition(":")
    if not Path(file).is_file():
        return {}
    waiting = [yaml.compose(Path(file).read_text(encoding="utf-8"), Loader=yaml.SafeLoader)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, yaml.MappingNode) and node.start_mark.line + 1 == int(line):
            task = yaml.SafeLoader("").construct_mapping(node, deep=True)
            if "block" not in task:
                return next((value for key, value in task.items() if str(key).startswith(OWN)), {})
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
        elif isinstance(node, yaml.MappingNode):
            waiting += [value for key, value in node.value if key.value in ("block", "rescue", "always")]
    return {}


def done(result: dict[str, Any], options: dict[str, Any]) -> str:
    """Return what a task with the action resource did: create, update, replace, delete or none.

    Outside of a loop, ansible.posix.jsonl puts the name of the module where the result has that. With no_log there is
    only whether it changed something; ``options`` say then what it was meant to do.
    """
    if result.get("action") in ("create", "update", "replace", "delete", "none"):
        return str(result["action"])
    if diff := result.get("diff"):
        return "create" if not diff["before"] else "update" if diff["after"] else "delete"
    if not result.get("changed"):
        return "none"
    return "delete" if options.get("desired") == {} else "create"


def parts(event: dict[str, Any], result: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """Yield what a task, or an item of its loop, did, and with how many calls."""
    module, path = str(result["action"]), str(event["task"].get("path", ""))
    short = module.removeprefix(OWN) if module.startswith(OWN) else module.rpartition(".")[2]
    for one in result.get("results") or [result]:
        ran = not (one.get("skipped") or result.get("skipped") or one.get("planned"))
        kind = one.get("kind") or written(path).get("kind", "")
        if short == "resource":
            action = done(one, written(path))
            yield f"{action} {kind}", int(ran and action != "none")
        elif short == "wait_for" and module.startswith(OWN):
            if not one.get("planned"):
                yield f"wait for {kind}", int(ran)
        elif short == "gather":
            reads = sum(isinstance(value, dict) for value in one.values())
            yield short, -(-reads // AT_ONCE)
        else:
            yield short, int(ran)


def read(lines: Iterable[str]) -> list[Step]:
    """Return the steps of a run as ansible.posix.jsonl wrote it; a step that ran before ends in (2)."""
    steps: list[Step] = []
    seen: Counter[str] = Counter()
    for event in events(lines):
        role = event["task"]["name"].rpartition(" : ")[0]
        for host, result in event["hosts"].items():
            calls: Counter[str] = Counter()
            for what, number in parts(event, result):
                calls[": ".join(filter(None, (role, what)))] += number
            for name, number in calls.items():
                seen[name] += number > 0
                again = f" ({seen[name]})" if number and seen[name] > 1 else ""
                steps.append(Step(f"{name}{again}", result["action"], number, host != "controller"))
    return steps


def waits(steps: list[Step]) -> dict[str, int]:
    """Return at which step each slow operation is waited for: where a wait ran, else where it was skipped last.

    What is slow on AWS is ready at once on the emulator where runs are recorded, and the wait is skipped then. It is
    also skipped where a later step waits.
    """
    found: dict[str, int] = {}
    for slow in SLOW:
        places = [n for n, step in enumerate(steps) if step.name in slow.awaited_by]
        ran = [n for n in places if steps[n].calls]
        if places:
            found[slow.name] = ran[0] if ran else places[-1]
    return found


def run_seconds(steps: list[Step]) -> float:
    """Return how long the steps take one after another, with their waits."""
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
    """Return the seconds and the links of the longest chain of steps and slow operations that depend on each other."""
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
    """Return the names in the tables that no step of these runs has, such as a kind that was renamed."""
    named = {*NEEDS, *(slow.started_by for slow in SLOW), *(name for slow in SLOW for name in slow.awaited_by)}
    named |= {need for needs in NEEDS.values() for need in needs} - {slow.name for slow in SLOW}
    return named - {step.name for step in steps}


def main(file: str) -> None:
    """Print the chain, the length of the run, and their ratio."""
    steps = read(Path(file).read_text().splitlines())
    shortest, names = chain(steps)
    seconds = run_seconds(steps)
    print("The longest chain:")
    for name in names:
        print(f"  {name}")
    print(f"{shortest:.0f} s at least, {seconds:.0f} s as the tasks are: {seconds / shortest:.3f} times as long.")


if __name__ == "__main__":
    main(*sys.argv[1:])
