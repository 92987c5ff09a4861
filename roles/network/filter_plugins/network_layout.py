"""Filters: what a network consists of, and which of the parts that were found are whose."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Network
from typing import Any, TypedDict

from ansible.errors import AnsibleFilterError


class Subnet(TypedDict):
    """A subnet as it should be: ``tier`` is public or private, ``cidr`` says which subnet it is."""

    name: str
    cidr: str
    zone: str
    tier: str


class Gateway(TypedDict):
    """A NAT gateway as it should be, in the public subnet with the CIDR ``subnet``."""

    name: str
    subnet: str


class RouteTable(TypedDict):
    """A route table as it should be; ``gateway`` is the NAT gateway of its default route, if any."""

    name: str
    tier: str
    subnets: list[str]
    gateway: str | None


class Layout(TypedDict):
    """All parts of a network that depend on its zones."""

    subnets: list[Subnet]
    gateways: list[Gateway]
    route_tables: list[RouteTable]


def network_layout(cidr: str, name: str, zones: Sequence[str], nat: str, newbits: int) -> Layout:
    """Return the layout of the network ``cidr`` over ``zones``.

    The lower half of the network is for public subnets, the upper half for private ones, a
    zone's subnets being the n-th of each half. So a zone that is added later moves no other.

    Args:
        cidr: IPv4 network of the VPC, such as 10.20.0.0/16.
        name: Name of the network; all other names begin with it.
        zones: Names of the availability zones.
        nat: single (one NAT gateway, in the first zone), per_zone or none.
        newbits: By how many bits the prefix of a subnet is longer than that of the network.

    Raises:
        AnsibleFilterError: ``cidr`` is no network, its subnets would not be /16 to /28, or there
            are more zones than subnets in half of it.
    """
    try:
        network = IPv4Network(cidr)
    except ValueError as error:
        raise AnsibleFilterError(f"network_cidr has to be an IPv4 network such as 10.20.0.0/16: {error}.") from error
    prefix = network.prefixlen + newbits
    if not 16 <= prefix <= 28:
        raise AnsibleFilterError(
            f"network_cidr {cidr} with network_subnet_newbits {newbits} makes subnets of /{prefix}; "
            f"AWS takes /16 to /28. Change one of the two."
        )
    cidrs = [str(subnet) for subnet in network.subnets(newbits)]
    half = len(cidrs) // 2
    if len(zones) > half:
        raise AnsibleFilterError(
            f"{len(zones)} zones need {2 * len(zones)} subnets, and network_cidr {cidr} with "
            f"network_subnet_newbits {newbits} has {len(cidrs)}. Raise network_subnet_newbits."
        )
    public = dict(zip(zones, cidrs[:half], strict=False))
    private = dict(zip(zones, cidrs[half:], strict=False))

    nat_zones = {"single": zones[:1], "per_zone": zones, "none": []}[nat]
    gateway_names = {zone: f"{name}-nat-{zone}" for zone in nat_zones}
    if nat == "per_zone":
        private_tables: list[RouteTable] = [
            {
                "name": f"{name}-private-{zone}",
                "tier": "private",
                "subnets": [private[zone]],
                "gateway": gateway_names[zone],
            }
            for zone in zones
        ]
    else:
        private_tables = [
            {
                "name": f"{name}-private",
                "tier": "private",
                "subnets": [private[zone] for zone in zones],
                "gateway": next(iter(gateway_names.values()), None),
            }
        ]
    return {
        "subnets": [
            {"name": f"{name}-{tier}-{zone}", "cidr": subnet, "zone": zone, "tier": tier}
            for tier, by_zone in (("public", public), ("private", private))
            for zone, subnet in by_zone.items()
        ],
        "gateways": [{"name": gateway, "subnet": public[zone]} for zone, gateway in gateway_names.items()],
        "route_tables": [
            {
                "name": f"{name}-public",
                "tier": "public",
                "subnets": [public[zone] for zone in zones],
                "gateway": None,
            },
            *private_tables,
        ],
    }


def network_tier(subnets: Sequence[Mapping[str, Any]], cidr: str, tier: str) -> list[Mapping[str, Any]]:
    """Return those of the subnets found that are of the tier, public or private, zone by zone.

    Args:
        subnets: Subnets as ec2_vpc_subnet_info returns them.
        cidr: IPv4 network of the VPC.
        tier: public or private.
    """
    half = list(IPv4Network(cidr).subnets(1))[0 if tier == "public" else 1]
    return sorted(
        (subnet for subnet in subnets if IPv4Network(subnet["cidr_block"]).subnet_of(half)),
        key=lambda subnet: str(subnet["availability_zone"]),
    )


def network_owned(resources: Sequence[Mapping[str, Any]], owner: Mapping[str, str]) -> list[Mapping[str, Any]]:
    """Return the resources whose ``tags`` contain all of ``owner``.

    Tags may be a mapping or, as ec2_vpc_endpoint_info returns them, a list of key and value.
    """

    def tags(resource: Mapping[str, Any]) -> dict[str, str]:
        found = resource.get("tags") or {}
        if isinstance(found, Mapping):
            return dict(found)
        return {tag["key"]: tag["value"] for tag in found}

    return [resource for resource in resources if all(tags(resource).get(key) == value for key, value in owner.items())]


def network_routes(routes: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the targets of the routes that somebody made, by destination.

    Left out are what AWS adds: the VPC's own network, and the prefix lists of endpoints.

    Args:
        routes: Routes of a table as ec2_vpc_route_table_info returns them.
    """
    return {
        str(route["destination_cidr_block"]): next(
            (str(value) for key, value in sorted(route.items()) if key.endswith("_id") and value),
            "unknown",
        )
        for route in routes
        if route.get("origin") == "CreateRoute" and route.get("destination_cidr_block")
    }


def network_addresses(
    addresses: Sequence[Mapping[str, Any]],
    gateways: Sequence[Gateway],
    nat_gateways: Sequence[Mapping[str, Any]],
    subnet_ids: Mapping[str, str],
) -> dict[str, Mapping[str, Any]]:
    """Return the elastic IP address found for each NAT gateway of the layout, by the gateway's name.

    It is the one of that name or, should somebody have changed the name, the one in use.

    Args:
        addresses: Addresses as ec2_eip_info returns them.
        gateways: NAT gateways of the layout.
        nat_gateways: NAT gateways as ec2_vpc_nat_gateway_info returns them.
        subnet_ids: Ids of the subnets that exist, by CIDR.
    """
    by_name = {address.get("tags", {}).get("Name"): address for address in addresses}
    by_id = {address["allocation_id"]: address for address in addresses}
    used = {
        nat["subnet_id"]: by_id.get(part.get("allocation_id"))
        for nat in nat_gateways
        for part in nat.get("nat_gateway_addresses", [])
    }
    found = {
        gateway["name"]: by_name.get(gateway["name"]) or used.get(subnet_ids.get(gateway["subnet"], ""))
        for gateway in gateways
    }
    return {name: address for name, address in found.items() if address}


def network_route_tables(
    tables: Sequence[Mapping[str, Any]],
    wanted: Sequence[RouteTable],
    subnet_ids: Mapping[str, str],
    owner: Mapping[str, str],
) -> dict[str, Mapping[str, Any]]:
    """Return the route table found for each route table of the layout, by the latter's name.

    It is the one of that name, whoever's it is, or, should somebody have changed the name, the owner's that is in use.

    Args:
        tables: Tables as ec2_vpc_route_table_info returns them.
        wanted: Route tables of the layout.
        subnet_ids: Ids of the subnets that exist, by CIDR.
        owner: Tags that say whose a table is.
    """
    by_name = {table.get("tags", {}).get("Name"): table for table in tables}
    names = {table["name"] for table in wanted}
    used = {
        association.get("subnet_id"): table
        for table in network_owned(tables, owner)
        if table["tags"].get("Name") not in names
        for association in table.get("associations", [])
    }
    found = {
        table["name"]: by_name.get(table["name"])
        or next((used[id_] for cidr in table["subnets"] if (id_ := subnet_ids.get(cidr)) in used), None)
        for table in wanted
    }
    return {name: table for name, table in found.items() if table}


class FilterModule:
    """The filters of this file, as Ansible wants them."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {
            "network_addresses": network_addresses,
            "network_layout": network_layout,
            "network_owned": network_owned,
            "network_route_tables": network_route_tables,
            "network_routes": network_routes,
            "network_tier": network_tier,
        }
