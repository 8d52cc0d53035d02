"""What no type says of a configuration: rules that give their reasons and bear broken documents."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Any

from callplane_stacks import firewall
from callplane_stacks.configuration import Document

LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
#: Where no peer could reach an SBC.
UNREACHABLE = tuple(
    ip_network(each)
    for each in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "198.18.0.0/15",
        # Groups of receivers, and what was never given out.
        "224.0.0.0/3",
    )
)

#: By version of IP; wider ones hold most of the world.
WIDEST = {4: 8, 6: 16}
#: Endings that no public name has, so no authority issues a certificate.
PRIVATE_ENDINGS = ("internal", "local", "localhost")


def overlaps(document: Document, own: Iterable[tuple[str, object]]) -> Iterator[str]:
    """Networks that share addresses, with one another or with a chosen peer: packets would go the
    wrong way, or past the firewall. `own` are places of the document and what stands there.
    """
    known = [(place, found) for place, text in own if (found := network(text)) is not None]
    wanted = set(texts(part(document, "sbc").get("peers", ("teams",))))
    peers = [
        (f"peer {peer.name}", found)
        for peer in firewall.shipped_peers()
        if peer.name in wanted
        for found in dict.fromkeys((*peer.signalling, *peer.media))
    ]
    for index, (place, mine) in enumerate(known):
        if mine.prefixlen < WIDEST[mine.version]:
            yield f"{place}: {mine} is wider than /{WIDEST[mine.version]}, so it is not one's own"
        for other_place, other in [*known[index + 1 :], *peers]:
            if mine.version == other.version and mine.overlaps(other):
                yield f"{place}: {mine} overlaps {other_place} {other}"


def host_names(document: Document) -> Iterator[str]:
    """Names that Teams would not take for an SBC (Microsoft, Plan Direct Routing)."""
    seen: set[str] = set()
    for place, instance in instances(document):
        name = instance.get("host_name")
        if not isinstance(name, str):
            continue
        if (reason := refused_by_teams(name)) is not None:
            yield f"{place}.host_name: {name!r} {reason}"
        if name.lower() in seen:
            yield f"{place}.host_name: {name!r} is another instance's too"
        seen.add(name.lower())


def refused_by_teams(name: str) -> str | None:
    """Why Teams would not take this name; None where it would."""
    if name != name.lower():
        return "has capital letters; write it as the certificate does"
    if name.endswith((".onmicrosoft.com", ".onmicrosoft.com.")):
        return "is under onmicrosoft.com, where nobody can prove to own a name"
    if "*" in name:
        return "is a wildcard; an SBC has a name of its own"
    if address(name) is not None:
        return "is an address and not a name"
    labels = name.split(".")
    if len(name) > 253 or not all(LABEL.fullmatch(label) for label in labels):
        return "is no host name"
    if labels[-1].isdigit() or labels[-1] in PRIVATE_ENDINGS:
        return f"ends in .{labels[-1]}, for which nobody issues a certificate that Teams trusts"
    if len(labels) < 3:
        return "has to lie within a verified domain, such as sbc1.example.com"
    return None


def enough_instances(document: Document, *, own: Iterable[str]) -> Iterator[str]:
    """One SBC is none: it cannot be upgraded, and its node cannot be lost. `own` are the fields
    that no two may share.
    """
    found = list(instances(document))
    if len(found) < 2:
        yield f"sbc.instances: {len(found)} of them; two at least, so that one may go"
    for field in own:
        seen: set[str] = set()
        for place, instance in found:
            value = str(instance.get(field, place))
            if value in seen:
                yield f"{place}.{field}: {value!r} is another instance's too"
            seen.add(value)


def reachable(document: Document) -> Iterator[str]:
    """Addresses of SBCs that nobody outside could reach."""
    for place, instance in instances(document):
        found = address(instance.get("address"))
        if found is not None and any(
            found.version == each.version and found in each for each in UNREACHABLE
        ):
            yield f"{place}.address: {found} cannot be reached from outside"


def peers(document: Document) -> Iterator[str]:
    """Peers that the table of networks does not have."""
    known = {peer.name for peer in firewall.shipped_peers()}
    for name in texts(part(document, "sbc").get("peers", ())):
        if name not in known:
            yield f"sbc.peers: {name!r} is none of {', '.join(sorted(known))}"


def part(document: Document, name: str) -> Mapping[str, Any]:
    """A part of a document; empty where there is none."""
    found = document.get(name)
    return found if isinstance(found, Mapping) else {}


def listed(holder: Mapping[str, Any], name: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The mappings in a list, with their positions."""
    found = holder.get(name)
    for index, each in enumerate(found if isinstance(found, (list, tuple)) else ()):
        if isinstance(each, Mapping):
            yield index, each


def instances(document: Document) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The SBCs, each with its place."""
    for index, instance in listed(part(document, "sbc"), "instances"):
        yield f"sbc.instances.{index}", instance


def texts(value: object) -> tuple[str, ...]:
    """The texts of a list; none where there is no list."""
    return tuple(map(str, value)) if isinstance(value, (list, tuple)) else ()


def network(text: object) -> IPv4Network | IPv6Network | None:
    """A network; None where the text is none."""
    try:
        return ip_network(str(text))
    except ValueError:
        return None


def address(text: object) -> IPv4Address | IPv6Address | None:
    """An address; None where the text is none."""
    try:
        return ip_address(str(text))
    except ValueError:
        return None
