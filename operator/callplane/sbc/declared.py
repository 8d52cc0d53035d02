"""What manifests say of an SBC, put into its values: PBXes, numbers, SIP addresses, redirects.

The values hold what one machine needs (faces, carriers, Teams); which PBX is behind it and which
numbers it has is declared once, for the register and for the SBC alike. Digests of phones come from
Secrets, which no manifest holds: they are in the values, or where the operator has written them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from ipaddress import IPv4Network
from types import MappingProxyType

from callplane.apis.model import Resource
from callplane.apis.number_ranges import FOREIGN_ROUTES, NumberRange
from callplane.apis.pbx_trunks import PbxTrunk
from callplane.apis.phone_numbers import PhoneNumber
from callplane.apis.references import ObjectRef
from callplane.apis.service_lines import ServiceLine
from callplane.apis.session_border_controllers import SessionBorderController
from callplane.apis.sip_phones import SipPhone
from callplane.apis.teams_users import PhoneNumberSource, TeamsUser
from callplane.apis.webex_users import WebexUser
from callplane.rules import redirects
from callplane.sbc import checking, peers
from callplane.sbc.model import (
    Endpoint,
    NumberBlock,
    Phone,
    Phones,
    Redirect,
    Sbc,
    Trunk,
    TrunkType,
)
from callplane.sbc.problems import Problem
from callplane.values import E164, NumberSpan

Key = tuple[str, str]


def with_declared(
    sbc: Sbc,
    resources: Iterable[Resource],
    *,
    name: Key,
    now: datetime,
    digests: Mapping[str, str] = MappingProxyType({}),
) -> tuple[Sbc | None, tuple[Problem, ...]]:
    """The SBC with what objects declare on the SessionBorderController `name` (namespace, name),
    or every reason why that is none; never both. Redirects that have ended by `now` are left out.
    `digests` are those of phones, by `user@realm`; a phone of the values keeps the one it has.
    """
    world = _World(sbc, list(resources), name)
    trunks = tuple(_trunk(each) for each in world.trunks)
    blocks = tuple(world.blocks())
    found = replace(
        sbc,
        phones=world.phones(digests),
        trunks=(*sbc.trunks, *trunks),
        numbers=(*sbc.numbers, *blocks),
        redirects=(*sbc.redirects, *world.redirects(now)),
    )
    problems = (*world.problems, *checking.problems(found))
    return (None, problems) if problems else (found, ())


@dataclass
class _World:
    """The objects of one SBC, and the complaints about them."""

    sbc: Sbc
    resources: list[Resource]
    name: Key
    problems: list[Problem] = field(default_factory=list)

    def __post_init__(self) -> None:
        declared = (
            (one.namespace, one.name)
            for one in self.resources
            if isinstance(one, SessionBorderController)
        )
        if self.name not in declared:
            where = "/".join(self.name)
            self.problems.append(Problem(f"SessionBorderController {where}", "is not declared"))
        self.sources: dict[tuple[str, str, str], NumberRange | PhoneNumber] = {
            (one.kind, one.namespace, one.name): one
            for one in self.resources
            if isinstance(one, NumberRange | PhoneNumber)
        }

    def is_here(self, resource: Resource, reference: ObjectRef) -> bool:
        return (reference.namespace or resource.namespace, reference.name) == self.name

    @property
    def trunks(self) -> list[PbxTrunk]:
        found = [one for one in self.resources if isinstance(one, PbxTrunk)]
        here = [one for one in found if self.is_here(one, one.spec.sbc_ref)]
        return sorted(here, key=lambda one: one.spec.trunk)

    def phones(self, digests: Mapping[str, str]) -> Phones | None:
        """The face with the phones of the values, and those whose digest is known besides."""
        face = self.sbc.phones
        if face is None:
            return None
        known = {phone.user for phone in face.phones}
        added = [
            Phone(line.spec.username, digest, number)
            for line in self.resources
            if isinstance(line, SipPhone) and self.is_here(line, line.spec.sbc_ref)
            if line.spec.username not in known
            if (digest := digests.get(f"{line.spec.username}@{face.realm}")) is not None
            if (number := self._number(line, line.spec.phone_number)) is not None
        ]
        added.sort(key=lambda phone: phone.user)
        return replace(face, phones=(*face.phones, *added))

    # Numbers

    def blocks(self) -> Iterator[NumberBlock]:
        """One block for each run of numbers that go to the same place."""
        stated = self._stated()
        for number, (line, target) in sorted(stated.items()):
            yield from self._block(line, NumberSpan(number, number), target)
        for trunk in self.trunks:
            for index, reference in enumerate(trunk.spec.number_range_refs):
                key = ("NumberRange", reference.namespace or trunk.namespace, reference.name)
                source = self.sources.get(key)
                if not isinstance(source, NumberRange):
                    where = f"PbxTrunk {trunk.namespace}/{trunk.name}"
                    path = f"{where} numberRangeRefs[{index}]"
                    self.problems.append(Problem(path, f"names no range here: {reference.name}"))
                    continue
                for span in source.spec.spans:
                    for run in _without(span, stated):
                        yield from self._block(trunk, run, trunk.spec.trunk)

    def _stated(self) -> dict[E164, tuple[Resource, str]]:
        """Numbers that a line states: where they go. People count where a PBX has their range."""
        stated: dict[E164, tuple[Resource, str]] = {}
        for line in self.resources:
            for number, target in self._of_line(line):
                stated[number] = (line, target)
        return stated

    def _of_line(self, line: Resource) -> Iterator[tuple[E164, str]]:
        if isinstance(line, PbxTrunk) and self.is_here(line, line.spec.sbc_ref):
            yield from ((E164(text), line.spec.trunk) for text in line.spec.numbers)
        elif isinstance(line, SipPhone) and self.is_here(line, line.spec.sbc_ref):
            yield from self._named(line, f"phone:{line.spec.username}")
        elif isinstance(line, ServiceLine) and line.spec.sip is not None:
            if self.is_here(line, line.spec.sip.sbc_ref):
                yield from self._named(line, line.spec.sip.uri)
        elif isinstance(line, TeamsUser | WebexUser):
            number = self._number(line, line.spec.phone_number)
            if number is not None and self._is_behind_pbx(number):
                is_teams = isinstance(line, TeamsUser)
                yield number, peers.TEAMS_PEER if is_teams else self._webex(line)

    def _named(self, line: SipPhone | ServiceLine, target: str) -> Iterator[tuple[E164, str]]:
        source = line.spec.phone_number
        number = self._number(line, source)
        if number is not None:
            yield number, target
        elif source is not None and source.range_ref is not None:
            where = f"{line.kind} {line.namespace}/{line.name}"
            message = "draws its number from a range, which only the register knows: state it"
            self.problems.append(Problem(f"{where} phoneNumber", message))

    def _number(self, line: Resource, source: PhoneNumberSource | None) -> E164 | None:
        if source is None:
            return None
        if source.e164 is not None:
            return E164(source.e164)
        if source.phone_number_ref is None:
            return None
        reference = source.phone_number_ref
        key = ("PhoneNumber", reference.namespace or line.namespace, reference.name)
        found = self.sources.get(key)
        return E164(found.spec.e164) if isinstance(found, PhoneNumber) else None

    def _is_behind_pbx(self, number: E164) -> bool:
        return any(
            number in span
            for trunk in self.trunks
            for reference in trunk.spec.number_range_refs
            for source in [
                self.sources.get(
                    ("NumberRange", reference.namespace or trunk.namespace, reference.name)
                )
            ]
            if isinstance(source, NumberRange)
            for span in source.spec.spans
        )

    def _webex(self, line: Resource) -> str:
        for trunk in self.sbc.trunks:
            if trunk.type is TrunkType.WEBEX:
                return trunk.name
        where = f"{line.kind} {line.namespace}/{line.name}"
        self.problems.append(Problem(where, "has a number here, and the values no Webex trunk"))
        return ""

    def _block(self, line: Resource, span: NumberSpan, target: str) -> Iterator[NumberBlock]:
        """Who carries the numbers is said by their range or number, who pays by the line first."""
        owner = self._owner(span.first)
        where = f"{line.kind} {line.namespace}/{line.name}"
        if owner is None or owner.spec.carrier_ref is None:
            message = f"has {span.first.masked}, of which nothing here says the carrier"
            self.problems.append(Problem(where, message))
            return
        account = getattr(getattr(line, "spec", None), "account_ref", None)
        account = account or owner.spec.account_ref
        if account is None:
            self.problems.append(Problem(where, "names no account, and neither do its numbers"))
            return
        callback = line.spec.emergency_callback_number if isinstance(line, PbxTrunk) else None
        yield NumberBlock(
            span=span,
            carrier=owner.spec.carrier_ref.name,
            account=account.name,
            target=target,
            emergency_callback_number=E164(callback) if callback else None,
        )

    def _owner(self, number: E164) -> NumberRange | PhoneNumber | None:
        for source in self.sources.values():
            if isinstance(source, PhoneNumber):
                if source.spec.e164 == number.text:
                    return source
            elif any(number in span for span in source.spec.spans):
                return source
        return None

    def redirects(self, now: datetime) -> Iterator[Redirect]:
        """Those in force. The calls of a number that somebody states are theirs."""
        stated = redirects.stated(self.resources)
        for source in self.sources.values():
            if source.spec.route in FOREIGN_ROUTES:
                continue
            for number, (path, entry) in sorted(redirects.of(source).items()):
                if entry.until is not None and entry.until <= now:
                    continue
                if (line := stated.get(number)) is not None:
                    where = f"{source.kind} {source.namespace}/{source.name} {path}"
                    holder = f"{line.kind} {line.namespace}/{line.name}"
                    message = f"{number.masked} is redirected, and {holder} states it"
                    self.problems.append(Problem(where.replace(" spec.", " "), message))
                    continue
                yield Redirect(number, E164(entry.to))


def _trunk(declared: PbxTrunk) -> Trunk:
    spec = declared.spec
    callback = spec.emergency_callback_number
    return Trunk(
        name=spec.trunk,
        type=TrunkType.PBX,
        targets=tuple(_endpoint(target) for target in spec.targets),
        sources=tuple(IPv4Network(source, strict=False) for source in spec.sources),
        answers_options=spec.answers_options,
        outside_line=spec.outside_line,
        emergency_callback_number=E164(callback) if callback else None,
    )


def _endpoint(text: str) -> Endpoint:
    address, _, port = text.partition(":")
    return Endpoint(address, int(port))


def _without(span: NumberSpan, stated: Mapping[E164, object]) -> Iterator[NumberSpan]:
    """The runs of a span between the numbers that go elsewhere."""
    first: E164 | None = None
    last: E164 | None = None
    for number in span:
        if number in stated:
            if first is not None and last is not None:
                yield NumberSpan(first, last)
            first = None
            continue
        first, last = first or number, number
    if first is not None and last is not None:
        yield NumberSpan(first, last)
