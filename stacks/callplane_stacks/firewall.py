"""Who may speak to an SBC: one table of peers, from which every target's rules are made.

Network policies do not hold for pods on the host's network, so on a cluster the rules are loaded
into the node by nftables; on a cloud they become security groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from importlib import resources
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

import yaml

from callplane.sbc.model import Sbc

Network = IPv4Network | IPv6Network
TABLE = "callplane"
#: The comment of rules that let the world in, because phones are declared; a policy looks for it.
PHONES = "declared phones"
ANYWHERE = ip_network("0.0.0.0/0")


@dataclass(frozen=True, slots=True)
class PeerNetwork:
    """One peer's networks and ports; ports are first and last, both included."""

    name: str
    signalling: tuple[Network, ...]
    media: tuple[Network, ...]
    signalling_ports: tuple[int, ...]
    transport: str
    media_ports: tuple[tuple[int, int], ...]
    source: str
    as_of: date


@dataclass(frozen=True, slots=True)
class Rule:
    """Packets of a network to ports of the SBC that are let in."""

    peer: str
    network: Network
    protocol: str
    first_port: int
    last_port: int


def peer(document: dict[str, Any]) -> PeerNetwork:
    """A peer as it is written in YAML. Raises ValueError or KeyError."""
    return PeerNetwork(
        name=str(document["name"]),
        signalling=tuple(ip_network(each) for each in document["signalling"]),
        media=tuple(ip_network(each) for each in document["media"]),
        signalling_ports=tuple(document["signalling_ports"]),
        transport=str(document["transport"]),
        media_ports=tuple((first, last) for first, last in document["media_ports"]),
        source=str(document["source"]),
        as_of=document["as_of"],
    )


def shipped_peers() -> tuple[PeerNetwork, ...]:
    """The peers of `peer_networks.yaml`."""
    text = (resources.files(__package__) / "peer_networks.yaml").read_text(encoding="utf-8")
    return tuple(peer(document) for document in yaml.safe_load(text))


def rules(sbc: Sbc, peers: Sequence[PeerNetwork], *, rtp: tuple[int, int]) -> tuple[Rule, ...]:
    """What is let in to one SBC.

    Signalling comes from the sources its values name, to the ports it listens on; media also from
    the wider networks of the peers. Phones register from anywhere, where phones are declared.
    """
    sources = [("Teams", network) for network in (sbc.teams.sources if sbc.teams else ())]
    sources += [
        (trunk.name, network) for trunk in (*sbc.carriers, *sbc.trunks) for network in trunk.sources
    ]
    media = [*sources, *((peer.name, network) for peer in peers for network in peer.media)]
    made = [
        Rule(name, network, protocol, port, port)
        for name, network in sources
        for port in ports(sbc)
        for protocol in ("tcp", "udp")
    ]
    if sbc.phones is not None:
        port = sbc.phones.listen.port
        made += [Rule(PHONES, ANYWHERE, protocol, port, port) for protocol in ("tcp", "udp")]
        media.append((PHONES, ANYWHERE))
    made += [Rule(name, network, "udp", *rtp) for name, network in media]
    return tuple(dict.fromkeys(made))


def ports(sbc: Sbc) -> tuple[int, ...]:
    """The ports on which an SBC listens for SIP."""
    found = [sbc.core, sbc.public, sbc.phones.listen if sbc.phones else None]
    return tuple(sorted({endpoint.port for endpoint in found if endpoint is not None}))


def nftables(admitted: Sequence[Rule], *, guarded: Sequence[int], rtp: tuple[int, int]) -> str:
    """A ruleset that guards these ports of a node and touches nothing else of it.

    Loading it again replaces it in one step, so no moment is unguarded and none is closed.
    """
    signalling = ", ".join(str(port) for port in sorted(guarded))
    lines = [
        f"table inet {TABLE}",
        f"delete table inet {TABLE}",
        f"table inet {TABLE} {{",
        "  chain input {",
        "    type filter hook input priority 0; policy accept;",
        "    ct state established,related accept",
        '    iifname "lo" accept',
    ]
    for rule in admitted:
        family = "ip6" if rule.network.version == 6 else "ip"
        span = str(rule.first_port)
        if rule.last_port != rule.first_port:
            span += f"-{rule.last_port}"
        lines.append(
            f"    {family} saddr {rule.network} {rule.protocol} dport {span} accept "
            f'comment "{rule.peer}"'
        )
    lines += [
        f"    meta l4proto {{ tcp, udp }} th dport {{ {signalling} }} drop",
        f"    udp dport {rtp[0]}-{rtp[1]} drop",
        "  }",
        "}",
    ]
    return "\n".join(lines) + "\n"
