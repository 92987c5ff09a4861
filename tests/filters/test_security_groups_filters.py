"""Rules of security groups in one form, whether they were written down or gathered, and the current state of groups."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

NAMES = ["shop-app", "shop-function", "shop-database"]


@pytest.fixture(scope="module")
def filters(load_filters: Callable[[str], ModuleType]) -> ModuleType:
    return load_filters("security_groups")


def entry(**changes: Any) -> dict[str, Any]:
    """A rule as people write it down."""
    return {"from_port": 443, "to_port": 443, "protocol": "tcp", "description": "HTTPS", **changes}


def permission(**changes: Any) -> dict[str, Any]:
    """A permission as amazon.aws.ec2_security_group_info returns it."""
    empty: dict[str, Any] = {"ip_ranges": [], "ipv6_ranges": [], "prefix_list_ids": [], "user_id_group_pairs": []}
    return {"ip_protocol": "tcp", "from_port": 443, "to_port": 443, **empty, **changes}


def group(name: str, ingress: list[Any] | None = None, egress: list[Any] | None = None) -> dict[str, Any]:
    """A group as amazon.aws.ec2_security_group_info returns it; its id is its name's."""
    return {
        "group_id": f"sg-{name}",
        "group_name": name,
        "description": f"Group {name}",
        "ip_permissions": ingress or [],
        "ip_permissions_egress": egress or [],
        "tags": {"Name": name},
    }


def naming(*names: str, description: str = "peers") -> dict[str, Any]:
    """A permission that names groups."""
    return permission(
        user_id_group_pairs=[
            {"group_id": f"sg-{name}", "user_id": "123456789012", "description": description} for name in names
        ]
    )


# Rules that are written down


def test_a_rule_for_several_networks_becomes_one_for_each(filters: ModuleType) -> None:
    rules = filters.security_groups_rules([entry(cidr=["10.0.0.0/16", "2001:db8::/32"])])
    assert rules == [
        {"proto": "tcp", "cidr_ip": "10.0.0.0/16", "rule_desc": "HTTPS", "from_port": 443, "to_port": 443},
        {"proto": "tcp", "cidr_ipv6": "2001:db8::/32", "rule_desc": "HTTPS", "from_port": 443, "to_port": 443},
    ]


@pytest.mark.parametrize(("written", "meant"), [("2001:0DB8::/32", "2001:db8::/32"), ("10.0.0.1", "10.0.0.1/32")])
def test_networks_are_in_the_form_of_the_api(filters: ModuleType, written: str, meant: str) -> None:
    rule = filters.security_groups_rules([entry(cidr=written)])[0]
    assert meant in rule.values()


def test_a_group_is_named_by_its_name(filters: ModuleType) -> None:
    rule = filters.security_groups_rules([entry(group="shop-database")])[0]
    assert rule["group_name"] == "shop-database"


@pytest.mark.parametrize("protocol", ["-1", "all", -1, "ALL"])
def test_rules_for_every_protocol_have_no_ports(filters: ModuleType, protocol: object) -> None:
    rule = filters.security_groups_rules([entry(protocol=protocol, cidr="10.0.0.0/8")])[0]
    assert rule == {"proto": "-1", "cidr_ip": "10.0.0.0/8", "rule_desc": "HTTPS"}


def test_neither_order_nor_repetition_nor_text_for_numbers_makes_a_difference(filters: ModuleType) -> None:
    one, two = entry(cidr="10.0.0.0/8"), entry(cidr="10.0.0.0/16", from_port="443", to_port="443")
    assert filters.security_groups_rules([one, two, one]) == filters.security_groups_rules([two, one])
    assert len(filters.security_groups_rules([one, two, one])) == 2


def test_no_networks_are_no_rule(filters: ModuleType) -> None:
    assert filters.security_groups_rules([entry(cidr=[])]) == []


@pytest.mark.parametrize("missing", ["from_port", "to_port", "protocol", "description", "cidr"])
def test_a_rule_that_lacks_something_is_refused(filters: ModuleType, missing: str) -> None:
    broken = entry(cidr="10.0.0.0/8")
    del broken[missing]
    with pytest.raises(AnsibleFilterError, match="A rule needs from_port"):
        filters.security_groups_rules([broken])


def test_a_rule_for_a_network_and_a_group_is_refused(filters: ModuleType) -> None:
    with pytest.raises(AnsibleFilterError, match="A rule needs from_port"):
        filters.security_groups_rules([entry(cidr="10.0.0.0/8", group="shop-app")])


@pytest.mark.parametrize("cidr", ["10.0.0.1/8", "10.0.0.0/33", "everywhere", ""])
def test_what_is_no_network_is_refused(filters: ModuleType, cidr: str) -> None:
    with pytest.raises(AnsibleFilterError, match=r"has to be a network such as 203\.0\.113\.7/32"):
        filters.security_groups_rules([entry(cidr=cidr)])


# Rules that were gathered


def test_a_gathered_permission_is_the_rule_that_was_written_down(filters: ModuleType) -> None:
    written = [
        entry(cidr=["10.0.0.0/16", "10.1.0.0/16", "2001:db8::/32"]),
        entry(group="shop-database"),
        entry(protocol="-1", cidr="10.2.0.0/16"),
    ]
    found = [
        permission(
            ip_ranges=[
                {"cidr_ip": "10.1.0.0/16", "description": "HTTPS"},
                {"cidr_ip": "10.0.0.0/16", "description": "HTTPS"},
            ],
            ipv6_ranges=[{"cidr_ipv6": "2001:db8::/32", "description": "HTTPS"}],
            user_id_group_pairs=[{"group_id": "sg-1", "user_id": "123456789012", "description": "HTTPS"}],
        ),
        {"ip_protocol": "-1", "ip_ranges": [{"cidr_ip": "10.2.0.0/16", "description": "HTTPS"}]},
    ]
    permissions = filters.security_groups_permissions(found, {"sg-1": "shop-database"})
    assert permissions == filters.security_groups_rules(written)


def test_what_has_no_name_or_description_is_kept(filters: ModuleType) -> None:
    found = [
        permission(user_id_group_pairs=[{"group_id": "sg-elsewhere"}]),
        permission(prefix_list_ids=[{"prefix_list_id": "pl-1"}]),
    ]
    rules = filters.security_groups_permissions(found, {})
    assert [rule["rule_desc"] for rule in rules] == ["", ""]
    assert [rule.get("group_name") or rule.get("ip_prefix") for rule in rules] == ["sg-elsewhere", "pl-1"]


# Rules that open too much


@pytest.mark.parametrize("port", [22, 3306, 3389, 5432])
@pytest.mark.parametrize("world", ["0.0.0.0/0", "::/0"])
def test_a_guarded_port_for_every_address_is_too_open(filters: ModuleType, port: int, world: str) -> None:
    rules = filters.security_groups_rules([entry(from_port=port, to_port=port, cidr=world)])
    assert filters.security_groups_too_open(rules) == [f"{port} from {world}"]


def test_a_range_that_contains_guarded_ports_is_too_open(filters: ModuleType) -> None:
    rules = filters.security_groups_rules([entry(from_port=20, to_port=30, protocol="udp", cidr="0.0.0.0/0")])
    assert filters.security_groups_too_open(rules) == ["20, 21, 22, 23, 25 from 0.0.0.0/0"]


@pytest.mark.parametrize("protocol", ["-1", "6", "17"])
def test_protocols_by_number_and_all_of_them_are_too_open(filters: ModuleType, protocol: str) -> None:
    rules = filters.security_groups_rules([entry(from_port=0, to_port=65535, protocol=protocol, cidr="::/0")])
    assert len(filters.security_groups_too_open(rules)) == 1


@pytest.mark.parametrize(
    "harmless",
    [
        {"cidr": "0.0.0.0/0"},
        {"from_port": 22, "to_port": 22, "cidr": "203.0.113.7/32"},
        {"from_port": 8, "to_port": 22, "protocol": "icmp", "cidr": "0.0.0.0/0"},
        {"from_port": 3306, "to_port": 3306, "group": "shop-app"},
    ],
)
def test_other_rules_are_not_too_open(filters: ModuleType, harmless: dict[str, Any]) -> None:
    assert filters.security_groups_too_open(filters.security_groups_rules([entry(**harmless)])) == []


# The current state


def test_the_current_state_has_the_groups_of_the_role_alone(filters: ModuleType) -> None:
    database = group("shop-database", ingress=[naming("shop-app", description="Application host")])
    foreign = group("default", ingress=[naming("shop-app")])
    app = group("shop-app", egress=[naming("shop-database", "elsewhere", description="The database")])
    current = filters.security_groups_current({"groups": {"security_groups": [database, foreign, app]}}, NAMES)
    assert list(current) == ["shop-app", "shop-database"]
    assert current["shop-database"] == {
        "id": "sg-shop-database",
        "description": "Group shop-database",
        "ingress": filters.security_groups_rules([entry(group="shop-app", description="Application host")]),
        "egress": [],
        "tags": {"Name": "shop-database"},
        "referenced_by": [],
    }
    assert {rule["group_name"] for rule in current["shop-app"]["egress"]} == {"shop-database", "sg-elsewhere"}


def test_a_group_is_referenced_by_those_that_are_deleted_after_it(filters: ModuleType) -> None:
    groups = [
        group("shop-app", egress=[naming("shop-database", "shop-app")]),
        group("shop-function", ingress=[naming("shop-app")], egress=[naming("shop-database")]),
        group("shop-database", ingress=[naming("shop-app", "shop-function")]),
        group("foreign", ingress=[naming("shop-app")]),
    ]
    current = filters.security_groups_current({"groups": {"security_groups": groups}}, NAMES)
    referenced_by = {name: [other["name"] for other in found["referenced_by"]] for name, found in current.items()}
    # A group that is deleted before cannot be revoked any rules: the module would create it again.
    assert referenced_by == {
        "shop-app": ["shop-function", "shop-database"],
        "shop-function": ["shop-database"],
        "shop-database": [],
    }
    assert current["shop-function"]["referenced_by"] == [
        {"name": "shop-database", "description": "Group shop-database"}
    ]


@pytest.mark.parametrize("groups", [{}, {"security_groups": []}, {"security_groups": [group("default")]}])
def test_no_groups_are_an_empty_state_and_outputs_of_null(filters: ModuleType, groups: dict[str, Any]) -> None:
    current = filters.security_groups_current({"groups": groups}, NAMES)
    assert current == {}
    assert filters.security_groups_outputs(current, "shop") == {
        "app_id": None,
        "function_id": None,
        "database_id": None,
    }


def test_outputs(filters: ModuleType) -> None:
    found = {"groups": {"security_groups": [group(name) for name in NAMES]}}
    assert filters.security_groups_outputs(filters.security_groups_current(found, NAMES), "shop") == {
        "app_id": "sg-shop-app",
        "function_id": "sg-shop-function",
        "database_id": "sg-shop-database",
    }
