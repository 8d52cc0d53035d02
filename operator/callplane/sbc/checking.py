"""What must hold between the parts of an SBC's values: references, sources that overlap, numbers
that are declared twice, and that an emergency call can leave.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from ipaddress import IPv4Address
from itertools import combinations, pairwise

from callplane.sbc import peers
from callplane.sbc.model import Sbc, TrunkType
from callplane.sbc.problems import Problem

#: Each number is a line of the configuration, which is read at every start.
NUMBERS_MAX = 100_000
PORT_MOST = 65535


def problems(sbc: Sbc) -> Iterator[Problem]:
    """Why these values, each fine by itself, describe no SBC that keeps its promises."""
    yield from _emergency(sbc)
    yield from _names(sbc)
    yield from _faces(sbc)
    yield from _sources(sbc)
    yield from _numbers(sbc)
    yield from _redirects(sbc)


def _emergency(sbc: Sbc) -> Iterator[Problem]:
    if not sbc.carriers:
        yield Problem("carriers", "must not be empty: no call could leave")
    elif not sbc.emergency_carriers:
        yield Problem("carriers", "has none that takes emergency calls: set takesEmergency on one")


def _names(sbc: Sbc) -> Iterator[Problem]:
    names = [trunk.name for trunk in (*sbc.carriers, *sbc.trunks)]
    for name, times in Counter(names).items():
        if times > 1:
            yield Problem("trunks", f"has the name {name} {times} times, carriers counted")
        if name == peers.TEAMS_PEER:
            yield Problem("trunks", f"must not be called {name}, which is Microsoft's peer")
    users = Counter(phone.user for phone in sbc.phones.phones) if sbc.phones else Counter[str]()
    for user, times in users.items():
        if times > 1:
            yield Problem("phones.users", f"has the user {user} {times} times")
        if user in names or user == peers.TEAMS_PEER:
            yield Problem("phones.users", f"has the user {user}, which is the name of a trunk")


def _faces(sbc: Sbc) -> Iterator[Problem]:
    if sbc.teams and not sbc.public:
        yield Problem("public", "is required with teams: Microsoft speaks over TLS")
    for index, trunk in enumerate(sbc.trunks):
        if trunk.type is TrunkType.WEBEX and not sbc.public:
            yield Problem("public", f"is required with trunks[{index}]: Webex speaks over TLS")
    if sbc.public and not sbc.folders.certificates:
        yield Problem("folders.certificates", "is required with public")
    faces = {"core": sbc.core, "public": sbc.public}
    if sbc.phones:
        faces["phones.listen"] = sbc.phones.listen
    ports = Counter(face.port for face in faces.values() if face)
    for name, face in faces.items():
        # The routes tell faces apart by their ports.
        if face and ports[face.port] > 1 and name != "core":
            yield Problem(name, f"has port {face.port}, which another face has")


def _sources(sbc: Sbc) -> Iterator[Problem]:
    sources = [
        (f"{kind}[{index}].sources", network)
        for kind, trunks in (("carriers", sbc.carriers), ("trunks", sbc.trunks))
        for index, trunk in enumerate(trunks)
        for network in trunk.sources
    ]
    sources += [("teams.sources", network) for network in (sbc.teams.sources if sbc.teams else ())]
    for (earlier, ours), (later, theirs) in combinations(sources, 2):
        if earlier != later and ours.overlaps(theirs):
            yield Problem(later, f"has {theirs}, which overlaps with {ours} of {earlier}")


def _address(field: str, target: str) -> Iterator[Problem]:
    host, _, port = target.partition("@")[2].partition(":")
    try:
        IPv4Address(host)
    except ValueError:
        yield Problem(field, f"has no IPv4 address: {host}")
    if port and int(port) > PORT_MOST:
        yield Problem(field, f"has a port above {PORT_MOST}: {port}")


def _redirects(sbc: Sbc) -> Iterator[Problem]:
    """Each goes from a number of ours to another one that is not itself redirected."""
    times = Counter(redirect.number for redirect in sbc.redirects)
    for index, redirect in enumerate(sbc.redirects):
        if times[redirect.number] > 1:
            yield Problem(f"redirects[{index}].number", "is redirected twice")
        if redirect.to in times:
            yield Problem(f"redirects[{index}].to", "is redirected itself")
        for field, number in (("number", redirect.number), ("to", redirect.to)):
            if not any(number in block.span for block in sbc.numbers):
                yield Problem(f"redirects[{index}].{field}", f"is none of numbers: {number.masked}")


def _numbers(sbc: Sbc) -> Iterator[Problem]:
    carriers = {trunk.name for trunk in sbc.carriers}
    targets = {trunk.name for trunk in sbc.trunks}
    if sbc.teams:
        targets.add(peers.TEAMS_PEER)
    if sbc.phones:
        targets.update(f"phone:{phone.user}" for phone in sbc.phones.phones)
    for index, block in enumerate(sbc.numbers):
        if block.carrier not in carriers:
            yield Problem(f"numbers[{index}].carrier", f"names no carrier: {block.carrier}")
        if block.target.startswith("sip:"):
            yield from _address(f"numbers[{index}].target", block.target)
        elif block.target not in targets:
            yield Problem(f"numbers[{index}].target", f"names nothing here: {block.target}")
    ordered = sorted(enumerate(sbc.numbers), key=lambda entry: entry[1].span)
    for (_, before), (index, block) in pairwise(ordered):
        if before.span.overlaps(block.span):
            yield Problem(f"numbers[{index}]", f"overlaps with {before.span.first.masked} and on")
    total = sum(len(block.span) for block in sbc.numbers)
    if total > NUMBERS_MAX:
        yield Problem("numbers", f"has {total:,} numbers; at most {NUMBERS_MAX:,} fit one SBC")
