"""Filters: the layout of a network, the current state of its resources, and which of them are orphaned."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from ipaddress import IPv4Network
from typing import Any, TypedDict

from ansible_collections.csv_to_aurora.aws.plugins.plugin_utils.kinds import iam_role_current, log_groups_current

Gathered = Mapping[str, Any]
State = dict[str, Any]
Tags = Mapping[str, str]

IDENTITY_TAGS = ("Project", "Environment")
LOOPED = ("endpoints", "nat_gateways", "addresses", "route_tables", "subnets")
"""The kinds of which a network has several."""
PEERS = (
    # The list in a permission, the key in it, the option of ec2_security_group.
    ("ip_ranges", "cidr_ip", "cidr_ip"),
    ("ipv6_ranges", "cidr_ipv6", "cidr_ipv6"),
    ("prefix_list_ids", "prefix_list_id", "ip_prefix"),
    ("user_id_group_pairs", "group_id", "group_id"),
)


class Subnet(TypedDict):
    """A desired subnet: ``tier`` is public or private, ``cidr`` identifies the subnet."""

    name: str
    cidr: str
    zone: str
    tier: str


class NatGateway(TypedDict):
    """A desired NAT gateway, in the public subnet of the name ``subnet``."""

    name: str
    subnet: str


class RouteTable(TypedDict):
    """A desired route table: ``target`` is the name of the gateway of its default route, null without one."""

    name: str
    tier: str
    subnets: list[str]
    target: str | None


class Layout(TypedDict):
    """All parts of a network that depend on its zones."""

    name: str
    cidr: str
    zones: list[str]
    subnets: list[Subnet]
    nat_gateways: list[NatGateway]
    route_tables: list[RouteTable]


# What is desired


def network_mistake(inputs: Mapping[str, Any]) -> str:
    """Return what is wrong with the inputs and how to correct it; empty where nothing is.

    Args:
        inputs: The role's variables by their names without network_: tags, cidr, subnet_newbits, zones, zone_count and
            account_id.
    """
    cidr, newbits, zones = inputs["cidr"], int(inputs["subnet_newbits"]), inputs["zones"]
    zone_count = len(zones) or int(inputs["zone_count"])
    set_it = "Set it in the inventory's group_vars."
    if not all(inputs["tags"].get(key) for key in IDENTITY_TAGS):
        return (
            "network_tags has to have Project and Environment, or nothing could tell this network's resources from "
            "foreign ones. The playbook hands over stack_tags, which group_vars/all defines."
        )
    try:
        prefix = IPv4Network(cidr).prefixlen + newbits
    except ValueError as error:
        return f"network_cidr has to be an IPv4 network such as 10.20.0.0/16: {error}. {set_it}"
    if not 16 <= prefix <= 28:
        return (
            f"network_cidr {cidr} with network_subnet_newbits {newbits} makes subnets of /{prefix}; AWS takes "
            "/16 to /28. Change one of the two."
        )
    if zone_count < 1:
        return f"network_zone_count is {zone_count}; it has to be 1 or more. {set_it}"
    if len(set(zones)) < len(zones):
        return f"network_zones lists a zone twice ({', '.join(zones)}). {set_it}"
    if 2 * zone_count > 2**newbits:
        return (
            f"{zone_count} zones need {2 * zone_count} subnets, and network_cidr {cidr} with network_subnet_newbits "
            f"{newbits} has {2**newbits}. Raise network_subnet_newbits."
        )
    if not re.fullmatch(r"(?:[0-9]{12})?", str(inputs["account_id"])):
        return f"network_account_id is '{inputs['account_id']}'; it has to be 12 digits in quotes, or empty."
    return ""


def network_layout(cidr: str, name: str, zones: Sequence[str], nat: str, newbits: int) -> Layout:
    """Return the layout of the network ``cidr`` over ``zones``.

    The lower half of the network is for public subnets, the upper half for private ones, a zone's subnets being the
    n-th of each half. So a zone that is added later moves no other.

    Args:
        cidr: IPv4 network of the VPC, such as 10.20.0.0/16.
        name: Name of the network, and of its internet gateway; all other names begin with it.
        zones: Names of the availability zones.
        nat: single (one NAT gateway, in the first zone), per_zone or none.
        newbits: By how many bits the prefix of a subnet is longer than that of the network.
    """
    cidrs = [str(subnet) for subnet in IPv4Network(cidr).subnets(newbits)]
    half = len(cidrs) // 2

    def subnet_name(tier: str, zone: str) -> str:
        return f"{name}-{tier}-{zone}"

    def table(suffix: str, tier: str, of: Sequence[str], target: str | None) -> RouteTable:
        subnets = sorted(subnet_name(tier, zone) for zone in of)
        return {"name": f"{name}-{suffix}", "tier": tier, "subnets": subnets, "target": target}

    nat_zones = {"single": zones[:1], "per_zone": zones, "none": []}[nat]
    nat_names = {zone: f"{name}-nat-{zone}" for zone in nat_zones}
    if nat == "per_zone":
        private = [table(f"private-{zone}", "private", [zone], nat_names[zone]) for zone in zones]
    else:
        private = [table("private", "private", zones, next(iter(nat_names.values()), None))]
    return {
        "name": name,
        "cidr": cidr,
        "zones": list(zones),
        "subnets": [
            {"name": subnet_name(tier, zone), "cidr": subnet, "zone": zone, "tier": tier}
            for tier, subnets in (("public", cidrs[:half]), ("private", cidrs[half:]))
            for zone, subnet in zip(zones, subnets, strict=False)
        ],
        "nat_gateways": [{"name": nat_names[zone], "subnet": subnet_name("public", zone)} for zone in nat_zones],
        "route_tables": [table("public", "public", zones, name), *private],
    }


# What exists


def network_owned(resources: Iterable[Mapping[str, Any]], owner: Tags) -> list[Mapping[str, Any]]:
    """Return the resources that carry the Project and the Environment of ``owner``."""
    return [one for one in resources if all((one.get("tags") or {}).get(key) == owner[key] for key in IDENTITY_TAGS)]


def network_vpcs(info: Mapping[str, Any], name: str, owner: Tags) -> list[str]:
    """Return the ids of the VPCs that can be meant: those of the name or, where there are none, the owner's.

    Args:
        info: Result of amazon.aws.ec2_vpc_net_info.
        name: Name of the network.
        owner: Tags of the stack that manages the network.
    """
    vpcs = info.get("vpcs") or []
    named = [vpc for vpc in vpcs if (vpc.get("tags") or {}).get("Name") == name]
    return [str(vpc["id"]) for vpc in named or network_owned(vpcs, owner)]


def _tags(found: Any) -> dict[str, str]:
    """Return tags, which ec2_vpc_endpoint_info reports as a list of key and value."""
    return {tag["key"]: tag["value"] for tag in found} if isinstance(found, list) else dict(found or {})


def _resource(found: Mapping[str, Any], id_: str, name: str = "", **fields: Any) -> State:
    """Return a resource under the fields that all have.

    Args:
        found: The resource as an info module returns it.
        id_: Key of its id.
        name: Key of what stands for a Name that is missing; empty for the id.
        **fields: Its other fields.
    """
    tags = _tags(found.get("tags"))
    return {"id": found[id_], "name": tags.get("Name") or found.get(name) or found[id_], **fields, "tags": tags}


def _vpc(found: Mapping[str, Any]) -> State:
    return _resource(
        found,
        "id",
        cidr=found["cidr_block"],
        dns_support=found.get("enable_dns_support"),
        dns_hostnames=found.get("enable_dns_hostnames"),
    )


def _internet_gateway(gateways: Iterable[Mapping[str, Any]], vpc_id: str | None, name: str) -> State:
    """Return the internet gateway that is attached to the VPC or, without one, an unattached one of that name."""
    found = [
        _resource(one, "internet_gateway_id", vpc=next((at.get("vpc_id") for at in one.get("attachments") or []), None))
        for one in gateways
    ]
    attached = [one for one in found if vpc_id and one["vpc"] == vpc_id]
    unattached = [one for one in found if not one["vpc"] and one["tags"].get("Name") == name]
    return next(iter(attached + unattached), {})


def _subnet(found: Mapping[str, Any]) -> State:
    return _resource(
        found,
        "id",
        cidr=found["cidr_block"],
        zone=found["availability_zone"],
        automatic_public_address=found.get("map_public_ip_on_launch"),
    )


def _address(found: Mapping[str, Any]) -> State:
    return _resource(found, "allocation_id", "public_ip", public_ip=found["public_ip"])


def _nat_gateway(found: Mapping[str, Any]) -> State:
    addresses = [one.get("allocation_id") for one in found.get("nat_gateway_addresses") or []]
    return _resource(
        found, "nat_gateway_id", subnet_id=found.get("subnet_id"), addresses=addresses, state=found["state"]
    )


def _routes(routes: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the targets of routes by destination, without the routes of AWS: the VPC's own, and those of endpoints."""
    return {
        str(route["destination_cidr_block"]): next(
            (str(value) for key, value in sorted(route.items()) if key.endswith("_id") and value), "unknown"
        )
        for route in routes
        if route.get("origin") == "CreateRoute" and route.get("destination_cidr_block")
    }


def _route_tables(tables: Iterable[Mapping[str, Any]]) -> list[State]:
    """Return the route tables but the VPC's main one, which AWS creates and nothing here uses."""
    return [
        _resource(
            table,
            "id",
            subnet_ids=[one["subnet_id"] for one in table.get("associations") or [] if one.get("subnet_id")],
            routes=_routes(table.get("routes") or []),
        )
        for table in tables
        if not any(one.get("main") for one in table.get("associations") or [])
    ]


def _policy(document: Mapping[str, Any]) -> State:
    """Return a policy document in one of its equivalent forms: lists sorted, and a single item without the list."""

    def form(value: Any) -> Any:
        if value == {"AWS": "*"}:
            return "*"
        return (sorted(value) if len(value) > 1 else value[0]) if isinstance(value, list) and value else value

    statements = document.get("Statement") or []
    listed = statements if isinstance(statements, list) else [statements]
    return {**document, "Statement": [{key: form(value) for key, value in one.items()} for one in listed]}


def _endpoint(found: Mapping[str, Any]) -> State:
    """Return a VPC endpoint; not every API reports its security groups and its policy."""
    groups: dict[str, Any] = (
        {"groups": sorted(group["group_id"] for group in found["groups"])} if "groups" in found else {}
    )
    return _resource(
        found,
        "vpc_endpoint_id",
        service=re.sub(r"^com\.amazonaws\.[^.]+\.", "", found["service_name"]),
        type=found["vpc_endpoint_type"],
        route_tables=sorted(found.get("route_table_ids") or []),
        subnets=sorted(found.get("subnet_ids") or []),
        **groups,
        **({"policy": _policy(json.loads(found["policy_document"]))} if found.get("policy_document") else {}),
    )


def _rules(permissions: Iterable[Mapping[str, Any]]) -> list[State]:
    """Return the rules of a security group as ec2_security_group takes them, one a protocol and range of ports."""
    rules: dict[str, State] = {}
    for permission in permissions:
        to = {
            "proto": permission["ip_protocol"],
            "from_port": permission.get("from_port"),
            "to_port": permission.get("to_port"),
        }
        rule = rules.setdefault(str(to), to)
        for peers, key, option in PEERS:
            found = {peer[key] for peer in permission.get(peers) or []}
            if found:
                rule[option] = sorted({*rule.get(option, []), *found})
    return [rules[key] for key in sorted(rules)]


def _security_group(groups: Iterable[Mapping[str, Any]], name: str) -> State:
    """Return the security group of that name; empty where there is none."""
    return next(
        (
            _resource(
                group,
                "group_id",
                ingress=_rules(group.get("ip_permissions") or []),
                egress=_rules(group.get("ip_permissions_egress") or []),
            )
            for group in groups
            if group["group_name"] == name
        ),
        {},
    )


def _flow_log(found: Sequence[Mapping[str, Any]]) -> State:
    """Return the flow log; its IAM role by name, since a role that is yet to be created has no ARN."""
    if not found:
        return {}
    fields = {key: value for key, value in found[0].items() if key not in ("flow_log_id", "iam_role_arn", "tags")}
    role = {"role": found[0]["iam_role_arn"].split("/")[-1]} if found[0].get("iam_role_arn") else {}
    return _resource(found[0], "flow_log_id", **fields, **role)


def network_current(gathered: Gathered, name: str, owner: Tags) -> dict[str, Any]:
    """Return the resources of a network: mappings that are empty, and lists, where there is nothing.

    Args:
        gathered: The results of tasks/gather.yml by their keys; those of the VPC are missing where it is.
        name: Name of the network.
        owner: Tags of the stack that manages the network.
    """

    def found(key: str, *path: str) -> list[Mapping[str, Any]]:
        return next((gathered[key][one] for one in path if (gathered.get(key) or {}).get(one)), [])

    vpc_id = next(iter(network_vpcs(gathered["vpcs"], name, owner)), None)
    nat_gateways = [_nat_gateway(one) for one in found("nat_gateways", "result")]
    role = iam_role_current(gathered["log_role"], gathered["log_role_policies"])
    return {
        "vpc": next((_vpc(vpc) for vpc in found("vpcs", "vpcs") if vpc["id"] == vpc_id), {}),
        "default_group": _security_group(found("security_groups", "security_groups"), "default"),
        "endpoint_group": _security_group(found("security_groups", "security_groups"), f"{name}-endpoints"),
        "internet_gateway": _internet_gateway(found("internet_gateways", "internet_gateways"), vpc_id, name),
        "subnets": [_subnet(one) for one in found("subnets", "subnets")],
        # Owned ones, again: not every API honours the filter.
        "addresses": network_owned((_address(one) for one in found("addresses", "addresses")), owner),
        "nat_gateways": [one for one in nat_gateways if one["state"] != "deleting"],
        "deleting_nat_gateways": [one for one in nat_gateways if one["state"] == "deleting"],
        "route_tables": _route_tables(found("route_tables", "route_tables")),
        "endpoints": [_endpoint(one) for one in found("endpoints", "vpc_endpoints") if one["vpc_id"] == vpc_id],
        "log_group": log_groups_current(gathered["log_group"]).get(f"/{name}/flow-logs", {}),
        "log_role": {**role, "id": role["arn"]} if role else {},
        "flow_log": _flow_log(found("flow_logs", "current")),
    }


def network_outputs(gathered: Gathered, name: str, owner: Tags) -> dict[str, Any]:
    """Return the outputs of the role: null, or empty lists and mappings, for what does not exist.

    Args:
        gathered: As for network_current.
        name: Name of the network.
        owner: Tags of the stack that manages the network.
    """
    current = network_current(gathered, name, owner)
    vpc, endpoints = current["vpc"], current["endpoints"]
    tables = {table["tags"].get("Name", ""): table["id"] for table in network_owned(current["route_tables"], owner)}
    subnets = sorted(network_owned(current["subnets"], owner), key=lambda subnet: str(subnet["zone"]))
    public, private = IPv4Network(vpc["cidr"]).subnets(1) if vpc else (None, None)

    def ids_in(half: IPv4Network | None) -> list[str]:
        return [subnet["id"] for subnet in subnets if half and IPv4Network(subnet["cidr"]).subnet_of(half)]

    return {
        "vpc_id": vpc.get("id"),
        "vpc_cidr": vpc.get("cidr"),
        "zones": sorted({subnet["zone"] for subnet in subnets}),
        "public_subnet_ids": ids_in(public),
        "private_subnet_ids": ids_in(private),
        "internet_gateway_id": current["internet_gateway"].get("id"),
        "nat_gateway_ids": sorted(gateway["id"] for gateway in current["nat_gateways"]),
        "nat_public_ips": sorted(address["public_ip"] for address in current["addresses"]),
        "public_route_table_id": tables.get(f"{name}-public"),
        "private_route_table_ids": [tables[key] for key in sorted(tables) if key.startswith(f"{name}-private")],
        "s3_endpoint_id": next((one["id"] for one in endpoints if one["service"] == "s3"), None),
        "interface_endpoint_ids": {one["service"]: one["id"] for one in endpoints if one["type"] == "Interface"},
        "flow_log_id": current["flow_log"].get("id"),
        "default_security_group_id": current["default_group"].get("id"),
    }


# What is desired beside what exists


def _address_of(
    gateway: NatGateway, nat: Mapping[str, Any], addresses: Iterable[Mapping[str, Any]]
) -> Mapping[str, Any]:
    """Return the Elastic IP address of a NAT gateway: the one of its name or, if that was changed, the one in use."""
    named = [one for one in addresses if one["tags"].get("Name") == gateway["name"]]
    used = [one for one in addresses if one["id"] in nat.get("addresses", [])]
    return next(iter(named + used), {})


def _route_tables_by_name(
    wanted: Iterable[RouteTable], tables: Iterable[State], subnets: Mapping[str, str], owner: Tags
) -> dict[str, State]:
    """Return the current route tables for those of a layout, by the latter's names.

    It is the one of that name, whoever manages it, or else an owned one of a name that is not in the layout and that a
    subnet of the layout's table uses: its name was changed by hand, or other zones or NAT gateways are desired now.

    Args:
        wanted: The route tables of the layout.
        tables: The current route tables.
        subnets: Names of the current subnets, those of the layout as the layout has them, by id.
        owner: Tags of the stack that manages the network.
    """
    named = [{**one, "subnets": sorted(subnets[id_] for id_ in one["subnet_ids"] if id_ in subnets)} for one in tables]
    by_name = {one["tags"].get("Name"): one for one in named}
    found = {table["name"]: by_name.pop(table["name"]) for table in wanted if table["name"] in by_name}
    left = [one for one in network_owned(named, owner) if one["tags"].get("Name") not in found]
    for table in wanted:
        used = [one for one in left if set(one["subnets"]) & set(table["subnets"])]
        if table["name"] not in found and used:
            found[table["name"]] = dict(used[0])
            left.remove(used[0])
    return found


def network_parts(
    current: Mapping[str, Any], layout: Layout, tags: Tags, services: Sequence[str]
) -> dict[str, list[State]]:
    """Return the desired resources of the kinds of which a network has several, each with its ``current`` and ``tags``.

    Args:
        current: As network_current returns it.
        layout: As network_layout returns it.
        tags: Tags of every resource, in addition to its Name.
        services: Services with an endpoint, by the last part of their names.
    """

    def part(wanted: Mapping[str, Any], found: Mapping[str, Any], **more: Any) -> State:
        return {**wanted, **more, "current": dict(found), "tags": {**tags, "Name": wanted["name"]}}

    by_cidr = {subnet["cidr"]: subnet for subnet in current["subnets"]}
    subnets = [part(subnet, by_cidr.get(subnet["cidr"], {})) for subnet in layout["subnets"]]
    ids = {subnet["name"]: subnet["current"].get("id") for subnet in subnets}
    names = {subnet["id"]: subnet["name"] for subnet in current["subnets"]}
    names.update({id_: subnet for subnet, id_ in ids.items() if id_})
    by_subnet = {nat["subnet_id"]: nat for nat in current["nat_gateways"]}
    nat_gateways = [part(gateway, by_subnet.get(ids[gateway["subnet"]], {})) for gateway in layout["nat_gateways"]]
    tables = _route_tables_by_name(layout["route_tables"], current["route_tables"], names, tags)
    table_of = {id_: table["id"] for table in current["route_tables"] for id_ in table["subnet_ids"]}

    def table(wanted: RouteTable) -> State:
        found = tables.get(wanted["name"], {})
        others = [table_of[id_] for subnet in wanted["subnets"] if (id_ := ids[subnet]) in table_of]
        return part(wanted, found, moves=any(other != found.get("id") for other in others))

    def endpoint(service: str) -> State:
        found = [one for one in current["endpoints"] if one["service"] == service]
        wanted = {"name": f"{layout['name']}-{service}", "type": "Gateway" if service == "s3" else "Interface"}
        return part(wanted, next(iter([*network_owned(found, tags), *found]), {}), service=service)

    return {
        "subnets": subnets,
        "nat_gateways": nat_gateways,
        "addresses": [
            part({"name": nat["name"]}, _address_of(gateway, nat["current"], current["addresses"]))
            for gateway, nat in zip(layout["nat_gateways"], nat_gateways, strict=True)
        ],
        "route_tables": [table(wanted) for wanted in layout["route_tables"]],
        "endpoints": [endpoint(service) for service in services],
    }


def network_holding(current: Mapping[str, Any], parts: Mapping[str, Sequence[State]]) -> list[State]:
    """Return the NAT gateways that are being deleted and hold the address of one that is to be created.

    Args:
        current: As network_current returns it.
        parts: As network_parts returns it; empty where nothing is to be created.
    """
    new = {gateway["name"] for gateway in parts.get("nat_gateways", []) if not gateway["current"]}
    needed = {address["current"].get("id") for address in parts.get("addresses", []) if address["name"] in new}
    return [one for one in current["deleting_nat_gateways"] if needed & set(one["addresses"])]


def network_orphaned(
    current: Mapping[str, Any], parts: Mapping[str, Sequence[State]], owner: Tags
) -> dict[str, list[State]]:
    """Return the resources to be removed, each as ``name`` and ``current``.

    Args:
        current: As network_current returns it.
        parts: As network_parts returns it: what the owner has beyond it is orphaned. Empty where everything is to
            be removed.
        owner: Tags of the stack that manages the network.
    """

    def orphaned(kind: str) -> Iterable[Mapping[str, Any]]:
        kept = {part["current"].get("id") for part in parts[kind]}
        return (one for one in network_owned(current[kind], owner) if one["id"] not in kept)

    return {
        kind: [{"name": one["name"], "current": one} for one in (orphaned(kind) if parts else current[kind])]
        for kind in LOOPED
    }


def network_conflict(current: Mapping[str, Any], layout: Layout, owner: Tags, zone_count: int) -> str:
    """Return why AWS cannot change a network into what is desired and what to do; empty where it can.

    Args:
        current: As network_current returns it.
        layout: As network_layout returns it.
        owner: Tags of the stack that manages the network.
        zone_count: How many zones the layout should have.
    """
    teardown = "or tear the stack down first (playbooks/teardown.yml)"
    name, cidr, zones = layout["name"], layout["cidr"], layout["zones"]
    if len(zones) != zone_count:
        return (
            f"network_zone_count is {zone_count}, and the region has {len(zones)} zones: {', '.join(zones)}. "
            "Lower network_zone_count in the inventory's group_vars."
        )
    # A foreign VPC is refused as such, when it is compared.
    found = next((vpc["cidr"] for vpc in network_owned([current["vpc"]], owner)), cidr)
    if found != cidr:
        return (
            f"VPC {name} has the network {found} and network_cidr is {cidr}. AWS cannot change that: "
            f"set network_cidr back, {teardown}."
        )
    prefix = layout["subnets"][0]["cidr"].partition("/")[2]
    wanted = {subnet["cidr"]: subnet["zone"] for subnet in layout["subnets"]}
    subnets = network_owned(current["subnets"], owner)
    fixed = [
        subnet["cidr"]
        for subnet in subnets
        if subnet["cidr"].partition("/")[2] != prefix or wanted.get(subnet["cidr"], subnet["zone"]) != subnet["zone"]
    ]
    if fixed:
        in_use = ", ".join(sorted({subnet["zone"] for subnet in subnets}))
        return (
            f"Subnets {', '.join(fixed)} of VPC {name} are of another size or in another zone than "
            "network_subnet_newbits and network_zones say. AWS cannot change that: set the variables back "
            f"(the zones in use are {in_use}), {teardown}."
        )
    return ""


class FilterModule:
    """The filters of this file, as Ansible wants them."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {
            "network_conflict": network_conflict,
            "network_current": network_current,
            "network_holding": network_holding,
            "network_layout": network_layout,
            "network_mistake": network_mistake,
            "network_orphaned": network_orphaned,
            "network_outputs": network_outputs,
            "network_parts": network_parts,
            "network_vpcs": network_vpcs,
        }
