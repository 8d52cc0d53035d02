"""Rules of configurations whose SBCs run on machines; see `configuration_rules`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Network

from callplane_stacks import configuration_rules
from callplane_stacks.configuration import ConfigurationRefused, Document
from callplane_stacks.firewall import Rule
from callplane_stacks.machines import RESERVED_FIRST

#: Networks from which no machine may be signed in to.
WIDEST_ADMINISTRATORS = 16


def one_drained_at_a_time(document: Document) -> Iterator[str]:
    """While one machine is out of service to be replaced, the others carry its calls."""
    out = [
        str(instance.get("name"))
        for _, instance in configuration_rules.instances(document)
        if instance.get("drained")
    ]
    if len(out) > 1:
        yield f"sbc.instances: {', '.join(out)} are drained; one at a time, the others carry calls"


def addresses_lie_in(document: Document, networks: Mapping[str, object]) -> Iterator[str]:
    """Each SBC's address is one that its subnet gives away; `networks` by zone."""
    for place, instance in configuration_rules.instances(document):
        zone = str(instance.get("zone"))
        found = configuration_rules.address(instance.get("address"))
        if zone not in networks:
            yield f"{place}.zone: {zone!r} is none of {', '.join(sorted(networks)) or 'no zones'}"
            continue
        network = configuration_rules.network(networks[zone])
        if found is None or not isinstance(network, IPv4Network):
            continue
        if found not in network:
            yield f"{place}.address: {found} is not in the network of SBCs, {network}"
        elif int(found) - int(network[0]) < RESERVED_FIRST or found == network[-1]:
            yield f"{place}.address: {found} is one that the cloud keeps for itself"


def two_zones(document: Document) -> Iterator[str]:
    """A zone may be lost, so not all SBCs are in one."""
    zones = {str(each.get("zone")) for _, each in configuration_rules.instances(document)}
    if len(zones) == 1:
        yield f"sbc.instances: all are in zone {zones.pop()}, which may be lost"


def administrators(document: Document) -> Iterator[str]:
    """Who may sign in to machines is a network of one's own and not the world."""
    listed = configuration_rules.part(document, "network").get("administrators", ())
    for index, text in enumerate(configuration_rules.texts(listed)):
        network = configuration_rules.network(text)
        if network is not None and network.prefixlen < WIDEST_ADMINISTRATORS:
            yield f"network.administrators.{index}: {network} is wider than /16"


def within_quota(rules: Mapping[str, Sequence[Rule]], quota: int, what: str) -> None:
    """A cloud takes so many rules for one machine. Raises ConfigurationRefused."""
    reasons = [
        f"values of {name}: {len(found)} rules of the firewall, and {what} takes {quota}"
        for name, found in rules.items()
        if len(found) > quota
    ]
    if reasons:
        raise ConfigurationRefused(sorted(reasons))
