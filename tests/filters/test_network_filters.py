"""The layout of a network, what is read of its resources, which of them are orphaned, and what AWS cannot change."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

NAME = "csv-to-aurora-dev"
OWNER = {"Project": "csv-to-aurora", "Environment": "dev"}
TAGS = OWNER | {"ManagedBy": "ansible"}
CIDR = "10.20.0.0/16"
ZONES = ["eu-west-1a", "eu-west-1b"]
INPUTS: dict[str, Any] = {
    "tags": TAGS,
    "cidr": CIDR,
    "subnet_newbits": "4",
    "zones": [],
    "zone_count": "3",
    "account_id": "123456789012",
}
Resource = dict[str, Any]


@pytest.fixture(scope="session")
def network(load_filters: Callable[[str], ModuleType]) -> ModuleType:
    return load_filters("network")


def tagged(name: str, /, **fields: Any) -> Resource:
    return {**fields, "tags": {**TAGS, "Name": name}}


def gathered(**changed: Any) -> Resource:
    """Return what the modules of tasks/gather.yml answer for a whole network in one zone."""
    answers: Resource = {
        "vpcs": {
            "vpcs": [
                {"id": "vpc-default", "cidr_block": "172.31.0.0/16", "tags": {}},
                tagged(NAME, id="vpc-1", cidr_block=CIDR, enable_dns_support=True, enable_dns_hostnames=True),
            ]
        },
        "internet_gateways": {
            "internet_gateways": [
                {"internet_gateway_id": "igw-0", "attachments": [{"vpc_id": "vpc-default"}], "tags": {}},
                tagged(NAME, internet_gateway_id="igw-2", attachments=[]),
                tagged(NAME, internet_gateway_id="igw-1", attachments=[{"vpc_id": "vpc-1"}]),
            ]
        },
        "addresses": {
            "addresses": [
                tagged(f"{NAME}-nat-eu-west-1a", allocation_id="eipalloc-1", public_ip="192.0.2.1"),
                {"allocation_id": "eipalloc-2", "public_ip": "192.0.2.2", "tags": {"Project": "other"}},
            ]
        },
        "log_group": {
            "log_groups": [
                {"log_group_name": f"/{NAME}/flow-logs", "retention_in_days": 30, "tags": TAGS, "arn": "arn:group"},
                {"log_group_name": f"/{NAME}/flow-logs-of-another", "tags": {}, "arn": "arn:another"},
            ]
        },
        "log_role": {
            "iam_roles": [
                {
                    "arn": f"arn:aws:iam::123456789012:role/{NAME}-flow-logs",
                    "assume_role_policy_document": {"Version": "2012-10-17"},
                    "managed_policies": [],
                    "tags": TAGS,
                }
            ]
        },
        "log_role_policies": {"policies": [{"policy_name": "write-flow-logs", "policy_document": {"Statement": []}}]},
        "subnets": {
            "subnets": [
                tagged(
                    f"{NAME}-private-eu-west-1a",
                    id="subnet-2",
                    cidr_block="10.20.128.0/20",
                    availability_zone="eu-west-1a",
                    map_public_ip_on_launch=False,
                ),
                tagged(
                    f"{NAME}-public-eu-west-1a",
                    id="subnet-1",
                    cidr_block="10.20.0.0/20",
                    availability_zone="eu-west-1a",
                    map_public_ip_on_launch=False,
                ),
            ]
        },
        "nat_gateways": {
            "result": [
                tagged(
                    f"{NAME}-nat-eu-west-1a",
                    nat_gateway_id="nat-1",
                    subnet_id="subnet-1",
                    state="available",
                    nat_gateway_addresses=[{"allocation_id": "eipalloc-1"}],
                ),
                tagged("gone", nat_gateway_id="nat-0", subnet_id="subnet-1", state="deleting"),
            ]
        },
        "route_tables": {
            "route_tables": [
                {"id": "rtb-0", "associations": [{"main": True, "route_table_id": "rtb-0"}], "routes": [], "tags": {}},
                tagged(
                    f"{NAME}-public",
                    id="rtb-1",
                    associations=[{"main": False, "subnet_id": "subnet-1"}],
                    routes=[
                        {"destination_cidr_block": CIDR, "gateway_id": "local", "origin": "CreateRouteTable"},
                        {"destination_cidr_block": "0.0.0.0/0", "gateway_id": "igw-1", "origin": "CreateRoute"},
                    ],
                ),
                tagged(
                    f"{NAME}-private",
                    id="rtb-2",
                    associations=[{"main": False, "subnet_id": "subnet-2"}],
                    routes=[
                        {"destination_prefix_list_id": "pl-1", "gateway_id": "vpce-1", "origin": "CreateRoute"},
                        {
                            "destination_cidr_block": "0.0.0.0/0",
                            "gateway_id": None,
                            "nat_gateway_id": "nat-1",
                            "origin": "CreateRoute",
                        },
                    ],
                ),
            ]
        },
        "endpoints": {
            "vpc_endpoints": [
                {
                    "vpc_endpoint_id": "vpce-1",
                    "vpc_id": "vpc-1",
                    "service_name": "com.amazonaws.eu-west-1.s3",
                    "vpc_endpoint_type": "Gateway",
                    "route_table_ids": ["rtb-2"],
                    "tags": [{"key": key, "value": value} for key, value in {**TAGS, "Name": f"{NAME}-s3"}.items()],
                },
                {
                    "vpc_endpoint_id": "vpce-2",
                    "vpc_id": "vpc-1",
                    "service_name": "com.amazonaws.eu-west-1.ecr.api",
                    "vpc_endpoint_type": "Interface",
                    "subnet_ids": ["subnet-2"],
                    "groups": [{"group_id": "sg-2", "group_name": f"{NAME}-endpoints"}],
                    "tags": None,
                },
                {
                    "vpc_endpoint_id": "vpce-3",
                    "vpc_id": "vpc-of-another",
                    "service_name": "com.amazonaws.eu-west-1.sqs",
                    "vpc_endpoint_type": "Interface",
                },
            ]
        },
        "security_groups": {
            "security_groups": [
                {"group_id": "sg-1", "group_name": "default", "ip_permissions": [], "ip_permissions_egress": []},
                tagged(
                    f"{NAME}-endpoints",
                    group_id="sg-2",
                    group_name=f"{NAME}-endpoints",
                    ip_permissions=[
                        {
                            "ip_protocol": "tcp",
                            "from_port": 443,
                            "to_port": 443,
                            "ip_ranges": [{"cidr_ip": "10.20.144.0/20"}],
                        },
                        {
                            "ip_protocol": "tcp",
                            "from_port": 443,
                            "to_port": 443,
                            "ip_ranges": [{"cidr_ip": "10.20.128.0/20"}],
                            "user_id_group_pairs": [],
                        },
                    ],
                    ip_permissions_egress=[{"ip_protocol": "-1", "ipv6_ranges": [{"cidr_ipv6": "::/0"}]}],
                ),
            ]
        },
        "flow_logs": {
            "current": [
                tagged(
                    NAME,
                    flow_log_id="fl-1",
                    resource_id="vpc-1",
                    traffic_type="ALL",
                    destination=f"/{NAME}/flow-logs",
                    iam_role_arn=f"arn:aws:iam::123456789012:role/{NAME}-flow-logs",
                )
            ]
        },
    }
    return answers | changed


NOTHING: Resource = {
    "vpcs": {"vpcs": []},
    "internet_gateways": {"internet_gateways": []},
    "addresses": {"addresses": []},
    "log_group": {"log_groups": []},
    "log_role": {"iam_roles": []},
    "log_role_policies": {"msg": "The role cannot be found."},
    # The gathering of what is in the VPC was skipped.
    "skipped": True,
}


# Inputs and layout


def test_inputs_are_right(network: ModuleType) -> None:
    assert network.network_mistake(INPUTS) == ""
    assert network.network_mistake(INPUTS | {"account_id": ""}) == ""


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"tags": {"Project": "csv-to-aurora"}}, "network_tags has to have Project and Environment"),
        ({"tags": TAGS | {"Environment": ""}}, "network_tags has to have Project and Environment"),
        (
            {"cidr": "10.20.0.1/16"},
            "network_cidr has to be an IPv4 network such as 10.20.0.0/16: 10.20.0.1/16 has host",
        ),
        ({"subnet_newbits": "13"}, "makes subnets of /29; AWS takes /16 to /28"),
        ({"cidr": "10.0.0.0/8"}, "makes subnets of /12; AWS takes /16 to /28"),
        ({"zone_count": "0"}, "network_zone_count is 0; it has to be 1 or more"),
        ({"zones": ["eu-west-1a", "eu-west-1a"]}, "network_zones lists a zone twice (eu-west-1a, eu-west-1a)"),
        ({"zone_count": "3", "subnet_newbits": "2"}, "3 zones need 6 subnets"),
        ({"account_id": "1234"}, "network_account_id is '1234'; it has to be 12 digits"),
    ],
)
def test_mistakes_in_inputs(network: ModuleType, wrong: Resource, said: str) -> None:
    assert said in network.network_mistake(INPUTS | wrong)


def test_layout_with_one_nat_gateway(network: ModuleType) -> None:
    layout = network.network_layout(CIDR, NAME, ZONES, "single", 4)
    assert {subnet["name"]: (subnet["cidr"], subnet["zone"]) for subnet in layout["subnets"]} == {
        f"{NAME}-public-eu-west-1a": ("10.20.0.0/20", "eu-west-1a"),
        f"{NAME}-public-eu-west-1b": ("10.20.16.0/20", "eu-west-1b"),
        f"{NAME}-private-eu-west-1a": ("10.20.128.0/20", "eu-west-1a"),
        f"{NAME}-private-eu-west-1b": ("10.20.144.0/20", "eu-west-1b"),
    }
    assert layout["nat_gateways"] == [{"name": f"{NAME}-nat-eu-west-1a", "subnet": f"{NAME}-public-eu-west-1a"}]
    assert layout["route_tables"] == [
        {
            "name": f"{NAME}-public",
            "tier": "public",
            "subnets": [f"{NAME}-public-eu-west-1a", f"{NAME}-public-eu-west-1b"],
            "target": NAME,
        },
        {
            "name": f"{NAME}-private",
            "tier": "private",
            "subnets": [f"{NAME}-private-eu-west-1a", f"{NAME}-private-eu-west-1b"],
            "target": f"{NAME}-nat-eu-west-1a",
        },
    ]


def test_layout_with_a_nat_gateway_in_each_zone(network: ModuleType) -> None:
    layout = network.network_layout(CIDR, NAME, ZONES, "per_zone", 4)
    assert [gateway["subnet"] for gateway in layout["nat_gateways"]] == [f"{NAME}-public-{zone}" for zone in ZONES]
    assert [(table["name"], table["subnets"], table["target"]) for table in layout["route_tables"][1:]] == [
        (f"{NAME}-private-{zone}", [f"{NAME}-private-{zone}"], f"{NAME}-nat-{zone}") for zone in ZONES
    ]


def test_layout_without_nat_gateways(network: ModuleType) -> None:
    layout = network.network_layout(CIDR, NAME, ZONES, "none", 4)
    assert layout["nat_gateways"] == []
    assert [table["target"] for table in layout["route_tables"]] == [NAME, None]


def test_another_zone_moves_nothing(network: ModuleType) -> None:
    before = network.network_layout(CIDR, NAME, ZONES, "per_zone", 4)["subnets"]
    after = network.network_layout(CIDR, NAME, [*ZONES, "eu-west-1c"], "per_zone", 4)["subnets"]
    assert len(after) == len(before) + 2
    assert all(subnet in after for subnet in before)


# What exists


def test_vpc_by_name_and_else_by_owner(network: ModuleType) -> None:
    named, renamed = tagged(NAME, id="vpc-1") | {"tags": {"Name": NAME}}, tagged("by hand", id="vpc-2")
    foreign = {"id": "vpc-3", "tags": {"Project": "csv-to-aurora", "Environment": "stage"}}
    found = network.network_vpcs({"vpcs": [named, renamed, foreign]}, NAME, OWNER)
    assert found == ["vpc-1"]
    assert network.network_vpcs({"vpcs": [renamed, foreign]}, NAME, OWNER) == ["vpc-2"]
    assert network.network_vpcs({"vpcs": [foreign, {"id": "vpc-4"}]}, NAME, OWNER) == []


def test_current_of_a_whole_network(network: ModuleType) -> None:
    current = network.network_current(gathered(), NAME, OWNER)
    assert current["vpc"] == tagged(NAME, id="vpc-1", name=NAME, cidr=CIDR, dns_support=True, dns_hostnames=True)
    assert current["internet_gateway"]["id"] == "igw-1"
    assert current["internet_gateway"]["vpc"] == "vpc-1"
    assert [(one["id"], one["zone"], one["automatic_public_address"]) for one in current["subnets"]] == [
        ("subnet-2", "eu-west-1a", False),
        ("subnet-1", "eu-west-1a", False),
    ]
    # The filter of the API is not relied on: a foreign address is left out.
    assert [(one["id"], one["public_ip"]) for one in current["addresses"]] == [("eipalloc-1", "192.0.2.1")]
    assert [(one["id"], one["addresses"]) for one in current["nat_gateways"]] == [("nat-1", ["eipalloc-1"])]
    assert [one["id"] for one in current["deleting_nat_gateways"]] == ["nat-0"]
    assert current["log_group"] == {"arn": "arn:group", "retention": 30, "tags": TAGS}
    assert current["log_role"]["id"] == f"arn:aws:iam::123456789012:role/{NAME}-flow-logs"
    assert current["log_role"]["policies"] == {"write-flow-logs": {"Statement": []}}


def test_current_route_tables_without_what_aws_adds(network: ModuleType) -> None:
    tables = network.network_current(gathered(), NAME, OWNER)["route_tables"]
    assert [(one["id"], one["subnet_ids"], one["routes"]) for one in tables] == [
        ("rtb-1", ["subnet-1"], {"0.0.0.0/0": "igw-1"}),
        ("rtb-2", ["subnet-2"], {"0.0.0.0/0": "nat-1"}),
    ]


def test_current_endpoints_of_this_vpc(network: ModuleType) -> None:
    s3, ecr = network.network_current(gathered(), NAME, OWNER)["endpoints"]
    assert (s3["service"], s3["type"], s3["route_tables"], s3["subnets"]) == ("s3", "Gateway", ["rtb-2"], [])
    assert s3["tags"] == {**TAGS, "Name": f"{NAME}-s3"}
    # Not reported, and so not there to be compared.
    assert "groups" not in s3
    assert (ecr["service"], ecr["groups"], ecr["tags"], ecr["name"]) == ("ecr.api", ["sg-2"], {}, "vpce-2")


def test_current_rules_one_for_each_protocol_and_ports(network: ModuleType) -> None:
    current = network.network_current(gathered(), NAME, OWNER)
    assert current["default_group"] == {
        "id": "sg-1",
        "name": "sg-1",
        "ingress": [],
        "egress": [],
        "tags": {},
    }
    assert current["endpoint_group"]["ingress"] == [
        {"proto": "tcp", "from_port": 443, "to_port": 443, "cidr_ip": ["10.20.128.0/20", "10.20.144.0/20"]}
    ]
    assert current["endpoint_group"]["egress"] == [
        {"proto": "-1", "from_port": None, "to_port": None, "cidr_ipv6": ["::/0"]}
    ]


def test_current_flow_log_names_its_role(network: ModuleType) -> None:
    current = network.network_current(gathered(), NAME, OWNER)
    assert current["flow_log"] == tagged(
        NAME,
        id="fl-1",
        name=NAME,
        resource_id="vpc-1",
        traffic_type="ALL",
        destination=f"/{NAME}/flow-logs",
        role=f"{NAME}-flow-logs",
    )
    reported_less = {"current": [{"flow_log_id": "fl-2", "destination": "a", "tags": {}}]}
    assert network.network_current(gathered(flow_logs=reported_less), NAME, OWNER)["flow_log"] == {
        "id": "fl-2",
        "name": "fl-2",
        "destination": "a",
        "tags": {},
    }


def test_an_internet_gateway_that_is_not_attached_is_found_by_its_name(network: ModuleType) -> None:
    gateways = gathered()["internet_gateways"]["internet_gateways"][:2]
    current = network.network_current(gathered(internet_gateways={"internet_gateways": gateways}), NAME, OWNER)
    assert (current["internet_gateway"]["id"], current["internet_gateway"]["vpc"]) == ("igw-2", None)


def test_current_of_nothing(network: ModuleType) -> None:
    assert network.network_current(NOTHING, NAME, OWNER) == {
        **{kind: {} for kind in ("vpc", "default_group", "endpoint_group", "internet_gateway")},
        **{kind: {} for kind in ("log_group", "log_role", "flow_log")},
        **{kind: [] for kind in ("subnets", "addresses", "nat_gateways", "deleting_nat_gateways")},
        **{kind: [] for kind in ("route_tables", "endpoints")},
    }


def test_outputs(network: ModuleType) -> None:
    assert network.network_outputs(gathered(), NAME, OWNER) == {
        "vpc_id": "vpc-1",
        "vpc_cidr": CIDR,
        "zones": ["eu-west-1a"],
        "public_subnet_ids": ["subnet-1"],
        "private_subnet_ids": ["subnet-2"],
        "internet_gateway_id": "igw-1",
        "nat_gateway_ids": ["nat-1"],
        "nat_public_ips": ["192.0.2.1"],
        "public_route_table_id": "rtb-1",
        "private_route_table_ids": ["rtb-2"],
        "s3_endpoint_id": "vpce-1",
        "interface_endpoint_ids": {"ecr.api": "vpce-2"},
        "flow_log_id": "fl-1",
        "default_security_group_id": "sg-1",
    }


def test_outputs_of_nothing_have_the_same_keys(network: ModuleType) -> None:
    outputs = network.network_outputs(NOTHING, NAME, OWNER)
    assert outputs.keys() == network.network_outputs(gathered(), NAME, OWNER).keys()
    assert not any(outputs.values())


# What is desired beside what exists


def parts_of(
    network: ModuleType, found: Resource, nat: str = "single", services: tuple[str, ...] = ("s3",), zones: int = 1
) -> dict[str, dict[str, Resource]]:
    """Return the parts of a network by kind and name."""
    layout = network.network_layout(CIDR, NAME, ZONES[:zones], nat, 4)
    parts = network.network_parts(network.network_current(found, NAME, OWNER), layout, TAGS, list(services))
    return {kind: {part["name"]: part for part in of_kind} for kind, of_kind in parts.items()}


def current_id(part: Resource) -> str | None:
    found: str | None = part["current"].get("id")
    return found


def test_parts_of_a_whole_network(network: ModuleType) -> None:
    parts = parts_of(network, gathered())
    assert {name: current_id(part) for of_kind in parts.values() for name, part in of_kind.items()} == {
        f"{NAME}-public-eu-west-1a": "subnet-1",
        f"{NAME}-private-eu-west-1a": "subnet-2",
        # Address and NAT gateway have the same name.
        f"{NAME}-nat-eu-west-1a": "eipalloc-1",
        f"{NAME}-public": "rtb-1",
        f"{NAME}-private": "rtb-2",
        f"{NAME}-s3": "vpce-1",
    }
    assert current_id(parts["nat_gateways"][f"{NAME}-nat-eu-west-1a"]) == "nat-1"
    table = parts["route_tables"][f"{NAME}-private"]
    assert table["current"]["subnets"] == table["subnets"] == [f"{NAME}-private-eu-west-1a"]
    assert table["tags"] == {**TAGS, "Name": f"{NAME}-private"}
    assert not table["moves"]


def test_parts_of_nothing_are_all_to_be_created(network: ModuleType) -> None:
    parts = parts_of(network, NOTHING, services=("s3", "secretsmanager"))
    assert [part["current"] for of_kind in parts.values() for part in of_kind.values()] == [{}] * 8
    assert parts["endpoints"][f"{NAME}-secretsmanager"]["type"] == "Interface"


def test_renamed_address_is_found_by_its_use(network: ModuleType) -> None:
    address = tagged("by hand", allocation_id="eipalloc-1", public_ip="192.0.2.1")
    parts = parts_of(network, gathered(addresses={"addresses": [address]}))
    assert current_id(parts["addresses"][f"{NAME}-nat-eu-west-1a"]) == "eipalloc-1"


def test_renamed_subnet_keeps_its_place(network: ModuleType) -> None:
    found = gathered()
    found["subnets"]["subnets"][0]["tags"] = {**TAGS, "Name": "by hand"}
    parts = parts_of(network, found)
    assert current_id(parts["subnets"][f"{NAME}-private-eu-west-1a"]) == "subnet-2"
    assert parts["route_tables"][f"{NAME}-private"]["current"]["subnets"] == [f"{NAME}-private-eu-west-1a"]


def test_renamed_route_table_is_found_by_its_use_where_it_is_owned(network: ModuleType) -> None:
    found = gathered()
    table = found["route_tables"]["route_tables"][2]
    table["tags"] = {**TAGS, "Name": "by hand"}
    assert current_id(parts_of(network, found)["route_tables"][f"{NAME}-private"]) == "rtb-2"
    table["tags"] = {"Name": "foreign"}
    part = parts_of(network, found)["route_tables"][f"{NAME}-private"]
    assert part["current"] == {}
    # Its subnet has to leave the foreign table first.
    assert part["moves"]


def test_foreign_route_table_of_that_name_is_found_and_so_refused(network: ModuleType) -> None:
    found = gathered()
    found["route_tables"]["route_tables"][2]["tags"] = {"Name": f"{NAME}-private"}
    assert current_id(parts_of(network, found)["route_tables"][f"{NAME}-private"]) == "rtb-2"


def test_one_route_table_becomes_that_of_one_zone_only(network: ModuleType) -> None:
    found = gathered()
    found["subnets"]["subnets"].append(
        tagged("b", id="subnet-4", cidr_block="10.20.144.0/20", availability_zone="eu-west-1b")
    )
    found["route_tables"]["route_tables"][2]["associations"].append({"main": False, "subnet_id": "subnet-4"})
    tables = parts_of(network, found, nat="per_zone", zones=2)["route_tables"]
    a, b = tables[f"{NAME}-private-eu-west-1a"], tables[f"{NAME}-private-eu-west-1b"]
    assert (current_id(a), current_id(b)) == ("rtb-2", None)
    assert (a["moves"], b["moves"]) == (False, True)


def test_subnet_outside_the_layout_in_a_route_table_differs(network: ModuleType) -> None:
    found = gathered()
    found["subnets"]["subnets"].append(
        {"id": "subnet-9", "cidr_block": "10.20.64.0/20", "availability_zone": "eu-west-1a", "tags": {"Name": "hand"}}
    )
    found["route_tables"]["route_tables"][1]["associations"].append({"main": False, "subnet_id": "subnet-9"})
    table = parts_of(network, found)["route_tables"][f"{NAME}-public"]
    assert table["current"]["subnets"] == [f"{NAME}-public-eu-west-1a", "hand"]


def test_the_policy_of_an_endpoint_is_read_where_it_is_reported(network: ModuleType) -> None:
    found = gathered()
    # As it was written, and the same in other forms that AWS may answer with.
    wanted = {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/*"]}
    other = {
        **wanted,
        "Principal": {"AWS": "*"},
        "Action": ["s3:*"],
        "Resource": ["arn:aws:s3:::b/*", "arn:aws:s3:::b"],
    }
    for answered in ([wanted], [other], other):
        document = {"Version": "2012-10-17", "Statement": answered}
        found["endpoints"]["vpc_endpoints"][0]["policy_document"] = json.dumps(document)
        s3, ecr = network.network_current(found, NAME, OWNER)["endpoints"]
        assert "policy" not in ecr
        assert s3["policy"] == {"Version": "2012-10-17", "Statement": [wanted]}


def test_owned_endpoint_goes_before_a_foreign_one_of_the_same_service(network: ModuleType) -> None:
    found = gathered()
    own = found["endpoints"]["vpc_endpoints"][0]
    foreign = own | {"vpc_endpoint_id": "vpce-9", "tags": []}
    found["endpoints"]["vpc_endpoints"] = [foreign, own]
    assert current_id(parts_of(network, found)["endpoints"][f"{NAME}-s3"]) == "vpce-1"
    found["endpoints"]["vpc_endpoints"] = [foreign]
    assert current_id(parts_of(network, found)["endpoints"][f"{NAME}-s3"]) == "vpce-9"


def test_a_new_gateway_waits_for_the_one_that_holds_its_address_and_for_no_other(network: ModuleType) -> None:
    found = gathered()
    held, foreign = found["nat_gateways"]["result"]
    held["state"] = "deleting"
    foreign["nat_gateway_addresses"] = [{"allocation_id": "eipalloc-9"}]

    def holding(nat: str) -> list[str]:
        current = network.network_current(found, NAME, OWNER)
        layout = network.network_layout(CIDR, NAME, ZONES[:1], nat, 4)
        parts = network.network_parts(current, layout, TAGS, ["s3"])
        return [one["id"] for one in network.network_holding(current, parts)]

    assert holding("single") == ["nat-1"]
    assert holding("none") == []
    held["state"] = "available"
    assert holding("single") == []
    assert network.network_holding(network.network_current(found, NAME, OWNER), {}) == []


# What is orphaned


def orphaned_of(network: ModuleType, found: Resource, nat: str, *, desired: bool = True) -> dict[str, list[str]]:
    current = network.network_current(found, NAME, OWNER)
    layout = network.network_layout(CIDR, NAME, ZONES[:1], nat, 4)
    parts = network.network_parts(current, layout, TAGS, ["s3"]) if desired else {}
    orphaned = network.network_orphaned(current, parts, OWNER)
    return {kind: [current_id(one) for one in found] for kind, found in orphaned.items()}  # type: ignore[misc]


def test_nothing_of_a_whole_network_is_orphaned_but_what_is_not_desired(network: ModuleType) -> None:
    found = gathered()
    # The endpoint that carries no tags is foreign, and left as it is.
    nothing: dict[str, list[str]] = {
        kind: [] for kind in ("endpoints", "nat_gateways", "addresses", "route_tables", "subnets")
    }
    assert orphaned_of(network, found, "single") == nothing
    without_nat = {**nothing, "nat_gateways": ["nat-1"], "addresses": ["eipalloc-1"]}
    assert orphaned_of(network, found, "none") == without_nat
    zone = tagged("b", id="subnet-4", cidr_block="10.20.144.0/20", availability_zone="eu-west-1b")
    hand = {"id": "subnet-9", "cidr_block": "10.20.64.0/20", "availability_zone": "eu-west-1b", "tags": {}}
    found["subnets"]["subnets"] += [zone, hand]
    assert orphaned_of(network, found, "single") == {**nothing, "subnets": ["subnet-4"]}


def test_everything_is_to_be_removed_foreign_resources_included_so_that_they_are_refused(network: ModuleType) -> None:
    assert orphaned_of(network, gathered(), "single", desired=False) == {
        "endpoints": ["vpce-1", "vpce-2"],
        "nat_gateways": ["nat-1"],
        "addresses": ["eipalloc-1"],
        "route_tables": ["rtb-1", "rtb-2"],
        "subnets": ["subnet-2", "subnet-1"],
    }


# What AWS cannot change


@pytest.mark.parametrize(
    ("cidr", "zones", "newbits", "zone_count", "said"),
    [
        (CIDR, ZONES[:1], 4, 1, ""),
        # A zone more, or another one, is no conflict.
        (CIDR, ZONES, 4, 2, ""),
        (CIDR, ZONES, 4, 3, "network_zone_count is 3, and the region has 2 zones: eu-west-1a, eu-west-1b. Lower"),
        ("10.30.0.0/16", ZONES[:1], 4, 1, f"VPC {NAME} has the network 10.20.0.0/16 and network_cidr is 10.30.0.0/16."),
        (CIDR, ZONES[:1], 5, 1, "Subnets 10.20.128.0/20, 10.20.0.0/20 of VPC"),
        (CIDR, ZONES[1:], 4, 1, "(the zones in use are eu-west-1a), or tear the stack down first"),
    ],
)
def test_conflicts(  # noqa: PLR0917
    network: ModuleType, cidr: str, zones: list[str], newbits: int, zone_count: int, said: str
) -> None:
    current = network.network_current(gathered(), NAME, OWNER)
    layout = network.network_layout(cidr, NAME, zones, "single", newbits)
    conflict = network.network_conflict(current, layout, OWNER, zone_count)
    assert said in conflict
    assert bool(conflict) == bool(said)


def test_foreign_subnets_are_no_conflict_and_neither_is_nothing(network: ModuleType) -> None:
    layout = network.network_layout(CIDR, NAME, ZONES[:1], "single", 4)
    assert network.network_conflict(network.network_current(NOTHING, NAME, OWNER), layout, OWNER, 1) == ""
    hand = {"id": "subnet-9", "cidr_block": "10.20.64.0/24", "availability_zone": "eu-west-1b", "tags": {}}
    current = network.network_current(gathered(subnets={"subnets": [hand]}), NAME, OWNER)
    assert network.network_conflict(current, layout, OWNER, 1) == ""


def test_a_foreign_vpc_is_no_conflict_since_it_is_refused_as_foreign(network: ModuleType) -> None:
    found = gathered()
    found["vpcs"]["vpcs"][1]["tags"] = {"Name": NAME}
    layout = network.network_layout("10.30.0.0/16", NAME, ZONES[:1], "single", 4)
    current = network.network_current(found | {"subnets": {"subnets": []}}, NAME, OWNER)
    assert current["vpc"]["id"] == "vpc-1"
    assert network.network_conflict(current, layout, OWNER, 1) == ""
