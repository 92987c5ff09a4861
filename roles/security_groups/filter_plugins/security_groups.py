"""Filters: the current state of security groups, and their rules in one comparable form, which the module takes too."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_network
from typing import Any

from ansible.errors import AnsibleFilterError

Gathered = Mapping[str, Any]
Rule = dict[str, Any]
State = dict[str, Any]

# Never open to the world: the ports of EC2.13, EC2.14 and EC2.19 of AWS Foundational Security Best Practices.
GUARDED_PORTS = (
    *(20, 21, 22, 23, 25, 110, 135, 143, 445, 1433, 1434, 3000, 3306, 3389, 4333, 5000),
    *(5432, 5500, 5601, 8080, 8088, 8888, 9200, 9300),
)
# Peers as the API names them: the list in a permission, the key in it, the module's option.
PEERS = (
    ("ip_ranges", "cidr_ip", "cidr_ip"),
    ("ipv6_ranges", "cidr_ipv6", "cidr_ipv6"),
    ("prefix_list_ids", "prefix_list_id", "ip_prefix"),
    ("user_id_group_pairs", "group_id", "group_name"),
)


def rule_of(protocol: str, ports: tuple[Any, Any], peer: tuple[str, str], description: str) -> Rule:
    """Return a rule as ec2_security_group takes it. Rules for every protocol have no ports."""
    rule: Rule = {"proto": str(protocol).lower(), peer[0]: peer[1], "rule_desc": description}
    if rule["proto"] in ("-1", "all"):
        return {**rule, "proto": "-1"}
    return {**rule, "from_port": int(ports[0]), "to_port": int(ports[1])}


def in_order(rules: Iterable[Rule]) -> list[Rule]:
    """Return the rules without repetition, in an order that depends on nothing but them."""
    by_text = {str(sorted(rule.items())): rule for rule in rules}
    return [by_text[text] for text in sorted(by_text)]


def security_groups_rules(entries: Sequence[Mapping[str, Any]]) -> list[Rule]:
    """Return rules that are written down as in Terraform, one for each peer.

    Args:
        entries: Mappings of from_port, to_port, protocol, description and either ``cidr`` (an
            IPv4 or IPv6 network, or a list of them) or ``group`` (a group's name).

    Raises:
        AnsibleFilterError: an entry lacks something, or its cidr is no network.
    """

    def expand() -> Iterator[Rule]:
        for entry in entries:
            missing = {"from_port", "to_port", "protocol", "description"} - set(entry)
            if missing or ("cidr" in entry) == ("group" in entry):
                raise AnsibleFilterError(
                    f"A rule needs from_port, to_port, protocol, description and cidr; "
                    f"{dict(entry)} does not have them."
                )
            ports = (entry["from_port"], entry["to_port"])
            if "group" in entry:
                peer = ("group_name", str(entry["group"]))
                yield rule_of(entry["protocol"], ports, peer, entry["description"])
                continue
            cidrs = [entry["cidr"]] if isinstance(entry["cidr"], str) else entry["cidr"]
            for cidr in cidrs:
                try:
                    network = ip_network(str(cidr))
                except ValueError as error:
                    raise AnsibleFilterError(
                        f"A rule's cidr has to be a network such as 203.0.113.7/32: {error}."
                    ) from error
                peer = ("cidr_ip" if network.version == 4 else "cidr_ipv6", str(network))
                yield rule_of(entry["protocol"], ports, peer, entry["description"])

    return in_order(expand())


def security_groups_permissions(permissions: Sequence[Mapping[str, Any]], group_names: Mapping[str, str]) -> list[Rule]:
    """Return the rules of a group as ec2_security_group_info returns them, one for each peer.

    Args:
        permissions: ip_permissions or ip_permissions_egress of the group.
        group_names: Names of groups by id; a group that is not in it is named by its id.
    """

    def expand() -> Iterator[Rule]:
        for permission in permissions:
            ports = (permission.get("from_port", -1), permission.get("to_port", -1))
            for list_key, key, option in PEERS:
                for peer in permission.get(list_key) or []:
                    value = group_names.get(peer[key], peer[key])
                    description = peer.get("description") or ""
                    yield rule_of(permission["ip_protocol"], ports, (option, value), description)

    return in_order(expand())


def security_groups_too_open(rules: Sequence[Rule]) -> list[str]:
    """Return the rules that open a guarded port to every address, human-readable."""
    worlds = ("0.0.0.0/0", "::/0")
    found = []
    for rule in rules:
        cidr = rule.get("cidr_ip") or rule.get("cidr_ipv6")
        if cidr not in worlds or rule["proto"] not in ("-1", "tcp", "udp", "6", "17"):
            continue
        low, high = rule.get("from_port", 0), rule.get("to_port", 65535)
        ports = [port for port in GUARDED_PORTS if low <= port <= high]
        if ports:
            found.append(f"{', '.join(map(str, ports))} from {cidr}")
    return found


def referenced_groups(group: Mapping[str, Any]) -> set[str]:
    """Return the ids of the groups that the rules of a group reference."""
    permissions = [*group["ip_permissions"], *group["ip_permissions_egress"]]
    return {pair["group_id"] for permission in permissions for pair in permission.get("user_id_group_pairs") or []}


def security_groups_current(gathered: Gathered, names: Sequence[str]) -> dict[str, State]:
    """Return the security groups with these names that exist, by name.

    ``referenced_by`` of a group are those after it in ``names`` whose rules reference it, each with name and
    description: while they do, it cannot be deleted.

    Args:
        gathered: ``groups``, the result of amazon.aws.ec2_security_group_info for a VPC; empty without a VPC.
        names: Names of groups.
    """
    groups = gathered["groups"].get("security_groups") or []
    group_names = {group["group_id"]: group["group_name"] for group in groups}
    found = {group["group_name"]: group for group in groups}
    existing = [found[name] for name in names if name in found]
    return {
        group["group_name"]: {
            "id": group["group_id"],
            "description": group["description"],
            "ingress": security_groups_permissions(group["ip_permissions"], group_names),
            "egress": security_groups_permissions(group["ip_permissions_egress"], group_names),
            "tags": group.get("tags") or {},
            "referenced_by": [
                {"name": other["group_name"], "description": other["description"]}
                for other in existing[position:]
                if group["group_id"] in referenced_groups(other)
            ],
        }
        for position, group in enumerate(existing, start=1)
    }


def security_groups_outputs(current: Mapping[str, State], prefix: str) -> dict[str, str | None]:
    """Return the outputs of the role; null for a group that does not exist.

    Args:
        current: What security_groups_current returns.
        prefix: What the groups' names begin with.
    """
    return {f"{part}_id": current.get(f"{prefix}-{part}", {}).get("id") for part in ("app", "function", "database")}


class FilterModule:
    """The filters of this file, as Ansible wants them."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {
            "security_groups_current": security_groups_current,
            "security_groups_outputs": security_groups_outputs,
            "security_groups_rules": security_groups_rules,
            "security_groups_too_open": security_groups_too_open,
        }
