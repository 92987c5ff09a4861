"""How many database sessions one import may have, and how much all imports may do at once."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from playbook_runner import PROJECT
from strict import values

from ansible_collections.csv_to_aurora.importer.plugins.filter.capacity import capacity
from ansible_collections.csv_to_aurora.importer.plugins.filter.sessions import sessions, vcpus_of
from ansible_collections.csv_to_aurora.importer.plugins.plugin_utils.connection_limit import ConnectionLimit


@pytest.mark.parametrize(
    ("instance_class", "vcpus"),
    [
        ("db.t3.small", 2),
        ("db.t4g.medium", 2),
        ("db.r6g.large", 2),
        ("db.r6g.xlarge", 4),
        ("db.r7g.2xlarge", 8),
        ("db.r6i.32xlarge", 128),
        ("db.unheard-of.large", 0),
        ("db.r6g.huge", 0),
        ("", 0),
    ],
)
def test_a_class_has_its_vcpus_by_its_size(instance_class: str, vcpus: int) -> None:
    assert vcpus_of(instance_class, 64) == vcpus


@pytest.mark.parametrize("region", ["eu-west-1", "us-east-1"])
def test_every_class_that_aws_offers_for_aurora_mysql_is_known(region: str) -> None:
    classes = values.instance_classes(region)
    assert {"db.serverless", "db.t4g.medium", "db.r6g.large"} <= classes
    assert [one for one in sorted(classes) if vcpus_of(one, 4) < 1] == []


@pytest.mark.parametrize(
    ("instance_class", "memory", "given", "expected"),
    [
        # The database.
        ("db.t4g.medium", 10240, {}, 2),
        ("db.r6g.xlarge", 10240, {}, 4),
        ("db.serverless", 10240, {"max_capacity": 0.5}, 1),
        ("db.serverless", 10240, {"max_capacity": 4}, 1),
        ("db.serverless", 10240, {"max_capacity": 11.5}, 2),
        ("db.serverless", 10240, {"max_capacity": 12}, 3),
        ("db.unknown", 10240, {}, 1),
        # The function.
        ("db.r6g.16xlarge", 128, {}, 1),
        ("db.r6g.16xlarge", 512, {}, 1),
        ("db.r6g.16xlarge", 884, {}, 1),
        ("db.r6g.16xlarge", 885, {}, 2),
        ("db.r6g.16xlarge", 1769, {}, 4),
        ("db.r6g.16xlarge", 3008, {}, 6),
        # One process.
        ("db.r6g.16xlarge", 10240, {}, 8),
        # The connections of all imports.
        ("db.r6g.16xlarge", 10240, {"max_connections": 20}, 5),
        ("db.r6g.16xlarge", 10240, {"max_connections": "20"}, 5),
        ("db.r6g.16xlarge", 10240, {"max_connections": 3}, 1),
        ("db.r6g.16xlarge", 10240, {"max_connections": 0}, 8),
        ("db.r6g.16xlarge", 10240, {"max_connections": "67%"}, 8),
    ],
)
def test_the_smallest_of_all_says_how_many_sessions(
    instance_class: str, memory: int, given: dict[str, Any], expected: int
) -> None:
    assert sessions(instance_class, memory, **given) == expected
    # Variables of Ansible may be text.
    texts = {name: str(value) for name, value in given.items()}
    assert sessions(instance_class, str(memory), **texts) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["", "many", "-1", "1.5", "007", "0%", "101%", "67 %", "%", "100000", None])
def test_a_limit_that_is_none_is_refused(text: Any) -> None:
    with pytest.raises(ValueError, match="neither a number of connections, such as 60, nor a share"):
        ConnectionLimit.of(text)
    with pytest.raises(AnsibleFilterError, match="neither a number"):
        sessions("db.t4g.medium", 512, max_connections=text)
    with pytest.raises(AnsibleFilterError, match="neither a number"):
        capacity(1, text)


@pytest.mark.parametrize(
    ("text", "server", "least", "expected"),
    [
        ("67%", 90, 3, 60),
        ("67%", 151, 3, 101),
        ("100%", 90, 3, 90),
        # One import has what it needs, however small the share is.
        ("10%", 45, 9, 9),
        ("1%", 45, 0, 1),
        # A number is what it says.
        (60, 45, 3, 60),
        ("2", 90, 3, 2),
        (0, 90, 3, 0),
    ],
)
def test_a_share_is_of_the_server_s_connections(text: Any, server: int, least: int, expected: int) -> None:
    assert ConnectionLimit.of(text).on(server, least) == expected


WAIT = "Concurrency is not reserved: imports beyond that wait for a connection."
QUEUED = "Reserved concurrency lets {} run at once: others wait in Lambda's queue"
SLOW = ", and those that run may have to wait for a connection."


@pytest.mark.parametrize(
    ("each", "limit", "given", "together", "beyond"),
    [
        (1, "67%", {}, "up to 67% of the server's connections (MAX_USER_CONNECTIONS)", WAIT),
        (2, "67%", {"server": 90}, "up to 60 of the server's 90 connections (MAX_USER_CONNECTIONS)", WAIT),
        # What one import needs.
        (2, "1%", {"server": 90}, "up to 3 of the server's 90 connections (MAX_USER_CONNECTIONS)", WAIT),
        (2, 60, {"concurrency": 20}, "up to 60 connections (MAX_USER_CONNECTIONS)", QUEUED.format(20) + "."),
        (2, 60, {"concurrency": 21}, "up to 60 connections (MAX_USER_CONNECTIONS)", QUEUED.format(21) + SLOW),
        (
            2,
            "67%",
            {"server": 90, "concurrency": 21},
            "up to 60 of the server's 90 connections (MAX_USER_CONNECTIONS)",
            QUEUED.format(21) + SLOW,
        ),
        (
            2,
            0,
            {"server": 90, "concurrency": 0},
            "as many connections as the server allows, those of the application included",
            "The function is stopped: its reserved concurrency is 0.",
        ),
    ],
)
def test_what_holds_is_said(each: int, limit: Any, given: dict[str, int], together: str, beyond: str) -> None:
    one = "1 session" if each == 1 else f"{each} sessions"
    expected = f"One import has up to {one}, all imports together have {together}. {beyond}"
    assert capacity(each, limit, **given) == expected


def test_the_sizes_in_the_documentation_are_those_that_are_computed() -> None:
    """A row of the table: class, vCPUs, memory, sessions, connections."""
    text = (PROJECT / "docs/environments.md").read_text()
    rows = re.findall(r"^\| `(db\.[^`]+)`(.*?)\| (\d+) \| (\d+)[^|]* \| (\d+) \| (.*) \|$", text, re.MULTILINE)
    assert len(rows) == 7
    for instance_class, more, vcpus, memory, expected, connections in rows:
        capacity_of = re.search(r"(\d+) ACUs", more)
        capacity_units = float(capacity_of[1]) if capacity_of else 0
        assert vcpus_of(instance_class, capacity_units) == int(vcpus)
        assert sessions(instance_class, int(memory), capacity_units, "67%") == int(expected)
        # What AWS documents as the default of each class; see the link there.
        found = re.fullmatch(r"([\d,]+) of ([\d,]+)", connections)
        assert bool(found) == (instance_class != "db.serverless")
        if found:
            limit, server = (int(number.replace(",", "")) for number in found.groups())
            assert ConnectionLimit.of("67%").on(server) == limit
