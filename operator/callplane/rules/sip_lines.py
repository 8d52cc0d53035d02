"""Rules on lines at the SBC: addresses that exist, peers told apart, names used once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network

from callplane.apis.model import Resource
from callplane.apis.pbx_trunks import PbxTrunk
from callplane.apis.references import ObjectRef
from callplane.apis.service_lines import ServiceLine
from callplane.apis.session_border_controllers import SessionBorderController
from callplane.apis.sip_phones import SipPhone
from callplane.rules.findings import Finding, Rule, label, precedence

ADDRESS_UNUSABLE = Rule(
    "sip-address-unusable",
    ("PbxTrunk", "ServiceLine"),
    "A port is at most 65535, and a network has no bits set behind its mask.",
)
PEERS_OVERLAP = Rule(
    "sip-peers-overlap",
    ("PbxTrunk",),
    "The SBC knows a peer by its address, so two peers cannot speak from the same one.",
)
SIP_NAME_TWICE = Rule(
    "sip-name-twice",
    ("SipPhone", "PbxTrunk"),
    "A phone or trunk may be declared once for each SBC, and no phone is called like a trunk.",
)
SBC_DECLARED_TWICE = Rule(
    "sbc-declared-twice",
    ("SessionBorderController",),
    "One domain has one SessionBorderController; two would work against each other.",
)

RULES = (ADDRESS_UNUSABLE, PEERS_OVERLAP, SIP_NAME_TWICE, SBC_DECLARED_TWICE)
PORT_MOST = 65535


def check_one(resource: PbxTrunk | ServiceLine) -> Iterator[Finding]:
    """What one object shows by itself, all of it."""
    if isinstance(resource, ServiceLine):
        sip = resource.spec.sip
        if sip is not None and _port(sip.uri.rpartition("@")[2]) > PORT_MOST:
            yield ADDRESS_UNUSABLE.finding(resource, "spec.sip.uri", _above(sip.uri))
        return
    for index, target in enumerate(resource.spec.targets):
        if _port(target) > PORT_MOST:
            yield ADDRESS_UNUSABLE.finding(resource, f"spec.targets[{index}]", _above(target))
    for index, source in enumerate(resource.spec.sources):
        try:
            IPv4Network(source)
        except ValueError:
            whole = IPv4Network(source, strict=False)
            message = f"{source} has bits set behind its mask; the network is {whole}"
            yield ADDRESS_UNUSABLE.finding(resource, f"spec.sources[{index}]", message)


def _port(socket: str) -> int:
    _, colon, port = socket.partition(":")
    return int(port) if colon else 0


def _above(socket: str) -> str:
    return f"{socket.rpartition(':')[2]} is no port: at most {PORT_MOST}"


def check(resources: Iterable[Resource]) -> Iterator[Finding]:
    """What several objects show together: the older one keeps what two claim."""
    everything = sorted(resources, key=precedence)
    domains: dict[str, Resource] = {}
    for resource in everything:
        if isinstance(resource, SessionBorderController):
            kept = domains.setdefault(resource.spec.domain, resource)
            if kept is not resource:
                message = f"declares the same domain as {label(kept)}"
                yield SBC_DECLARED_TWICE.finding(resource, "spec.domain", message)
    by_sbc: dict[tuple[str, str], list[SipPhone | PbxTrunk]] = defaultdict(list)
    for resource in everything:
        if isinstance(resource, SipPhone | PbxTrunk):
            by_sbc[_target(resource.spec.sbc_ref, resource)].append(resource)
    for lines in by_sbc.values():
        yield from _names(lines)
        yield from _peers([line for line in lines if isinstance(line, PbxTrunk)])


def _target(reference: ObjectRef, resource: Resource) -> tuple[str, str]:
    return reference.namespace or resource.namespace, reference.name


def _names(lines: Iterable[SipPhone | PbxTrunk]) -> Iterator[Finding]:
    first: dict[str, Resource] = {}
    for line in lines:
        is_phone = isinstance(line, SipPhone)
        name = line.spec.username if isinstance(line, SipPhone) else line.spec.trunk
        kept = first.setdefault(name, line)
        if kept is not line:
            path = "spec.username" if is_phone else "spec.trunk"
            yield SIP_NAME_TWICE.finding(line, path, f"has the same name as {label(kept)}")


def _peers(trunks: list[PbxTrunk]) -> Iterator[Finding]:
    seen: list[tuple[IPv4Network, PbxTrunk]] = []
    for trunk in trunks:
        for index, source in enumerate(trunk.spec.sources):
            ours = IPv4Network(source, strict=False)
            for theirs, other in seen:
                if other.spec.trunk != trunk.spec.trunk and ours.overlaps(theirs):
                    message = f"{source} overlaps with {theirs} of {label(other)}"
                    yield PEERS_OVERLAP.finding(trunk, f"spec.sources[{index}]", message)
            seen.append((ours, trunk))
