"""Peers as Kamailio reads them: who is known by which address, and which sets of targets exist.

Sets of targets by number. Those that OPTIONS look after have a twin that nothing takes away from:
when every target seems down, a call is tried rather than refused.

    1           Teams
    2           all carriers, in order of preference
    10, 11, …   trunks, in the order of the values
    1000, …     emergency: 1000 without a holder, 1000 + n when the n-th carrier holds the number
    2000, …     exempt services, likewise, by all carriers
    +5000       the twin of any of the first three
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address

from callplane.sbc.model import Endpoint, Sbc, Trunk, TrunkType

TEAMS_SET = 1
CARRIER_SET = 2
FIRST_TRUNK_SET = 10
EMERGENCY_SET = 1000
EXEMPT_SET = 2000
UNPROBED = 5000

#: Groups of source addresses, which the request route tells apart.
GROUPS = {TrunkType.CARRIER: 2, TrunkType.PBX: 3, TrunkType.WEBEX: 4}
TEAMS_GROUP = 1
TEAMS_PEER = "Teams"

_PROBE = 8
_ANYTIME = 0
#: An attribute of whoever OPTIONS look after: it alone may be taken away, for it comes back.
_PROBED = ";probed=yes"


def holder_index(sbc: Sbc, carrier: str) -> int:
    """The n of the n-th carrier, from 1; what is added to the emergency and exempt sets."""
    return [trunk.name for trunk in sbc.carriers].index(carrier) + 1


def set_of(sbc: Sbc, target: str) -> str:
    """What a number's target is called in the table of inbound numbers."""
    if target == TEAMS_PEER:
        return str(TEAMS_SET)
    if target.startswith(("phone:", "sip:")):
        return target
    return str(FIRST_TRUNK_SET + [trunk.name for trunk in sbc.trunks].index(target))


def address_list(sbc: Sbc) -> str:
    """`address.list`: group, address, mask, port (0 = any), name."""
    lines = ["# group address mask port peer"]
    if sbc.teams:
        lines += [
            f"{TEAMS_GROUP} {source.network_address} {source.prefixlen} 0 {TEAMS_PEER}"
            for source in sbc.teams.sources
        ]
    for trunk in (*sbc.carriers, *sbc.trunks):
        lines += [
            f"{GROUPS[trunk.type]} {source.network_address} {source.prefixlen} 0 {trunk.name}"
            for source in trunk.sources
        ]
    known = [source for trunk in (*sbc.carriers, *sbc.trunks) for source in trunk.sources]
    # Whoever is called at a SIP address ends the call from there. It makes none of its own: call
    # control knows no line of it; an emergency service it may call like everybody we know.
    lines += [
        f"{GROUPS[TrunkType.PBX]} {address} 32 0 at-{address}"
        for address in sbc.addresses
        if not any(IPv4Address(address) in source for source in known)
    ]
    return "\n".join(lines) + "\n"


def dispatcher_list(sbc: Sbc) -> str:
    """`dispatcher.list`: set, address, flags, priority, attributes. Highest priority first."""
    lines = ["# set uri flags priority attributes"]
    if sbc.teams and sbc.public:
        lines += _teams(sbc, sbc.public)
    lines += _set(CARRIER_SET, sbc.carriers, probed=True)
    lines += _set(CARRIER_SET + UNPROBED, sbc.carriers)
    for index, trunk in enumerate(sbc.trunks):
        lines += _set(FIRST_TRUNK_SET + index, [trunk], probed=True, public=sbc.public, sbc=sbc)
        lines += _set(FIRST_TRUNK_SET + index + UNPROBED, [trunk], public=sbc.public, sbc=sbc)
    for first, capable in ((EMERGENCY_SET, sbc.emergency_carriers), (EXEMPT_SET, sbc.carriers)):
        lines += _set(first, capable)
        for carrier in sbc.carriers:
            ordered = [
                *(other for other in capable if other is carrier),
                *(other for other in capable if other is not carrier),
            ]
            lines += _set(first + holder_index(sbc, carrier.name), ordered)
    return "\n".join(lines) + "\n"


def _teams(sbc: Sbc, public: Endpoint) -> Iterator[str]:
    assert sbc.teams is not None
    for number, flags in ((TEAMS_SET, _PROBE), (TEAMS_SET + UNPROBED, _ANYTIME)):
        for index, host in enumerate(sbc.teams.hosts):
            yield (
                f"{number} sip:{host.endpoint};transport=tls {flags} {100 - index} "
                f"socket=tls:{public};host={host.name};face=public;ping_from=sip:{sbc.fqdn}"
                f"{_PROBED if flags else ''}"
            )


def _set(
    number: int,
    trunks: Sequence[Trunk],
    *,
    probed: bool = False,
    public: Endpoint | None = None,
    sbc: Sbc | None = None,
) -> Iterator[str]:
    priority = 1000
    for trunk in trunks:
        for target in trunk.targets:
            flags = _PROBE if probed and trunk.answers_options else _ANYTIME
            attributes = f"peer={trunk.name}{_PROBED if flags else ''}"
            transport = ""
            if trunk.type is TrunkType.WEBEX and public and sbc:
                transport = ";transport=tls"
                attributes += f";socket=tls:{public};face=public;ping_from=sip:{sbc.fqdn}"
            yield f"{number} sip:{target}{transport} {flags} {priority} {attributes}"
            priority -= 1
