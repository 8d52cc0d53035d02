"""Where help would be sent to for each number in use: `callplane numbers coverage`.

For every number that somebody has, what each system that handles it knows of their address, beside
what the manifests declare. Nothing is written; the answer stands on one observation. That a system
knows an address is no promise that the answering point gets it: some carriers pass on the
account's own address alone.
"""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from callplane.apis.carriers import Carrier, CarrierType
from callplane.apis.emergency_locations import EmergencyLocation
from callplane.apis.model import Resource
from callplane.apis.number_ranges import NumberRange
from callplane.apis.phone_numbers import PhoneNumber
from callplane.desired import references
from callplane.desired.declarations import (
    WORDS,
    LineObject,
    carrier_system,
    connection_key,
    is_line,
    is_person,
    is_platform,
    person_key,
    system_of,
)
from callplane.engine import emergency_at_carriers
from callplane.engine.emergency_at_carriers import CarrierEvidence, Check, Coverage, Stated
from callplane.engine.observations import ConnectionObservation, Observations
from callplane.engine.recorded_carrier import CarrierSkills
from callplane.numbering.lifecycle import HELD
from callplane.resources.platforms import NumberOnPlatform
from callplane.store.ports import NumberRow
from callplane.values import E164, ConnectionId, ObjectKey, Platform

_SEVERITY = {state: place for place, state in enumerate(Coverage)}


@dataclass(frozen=True, slots=True)
class CoveredNumber:
    """One number in use. `holder` is what its platform calls whoever has it; `location` the
    declared EmergencyLocation, None where none is.
    """

    number: E164
    holder: str
    declared_by: ObjectKey | None
    location: ObjectKey | None
    site: str
    connection: ObjectKey
    carrier: ObjectKey | None
    checks: tuple[Check, ...]

    @property
    def state(self) -> Coverage:
        """The worst of what the systems say."""
        return min((check.state for check in self.checks), key=_SEVERITY.__getitem__)


@dataclass(frozen=True, slots=True)
class Total:
    """Numbers in use of one location, site, connection or carrier, by state."""

    name: str
    states: Mapping[Coverage, int]

    @property
    def numbers(self) -> int:
        return sum(self.states.values())


@dataclass(frozen=True, slots=True)
class CoverageReport:
    """Rows sorted by number; totals sorted by name, those of nothing first."""

    observed_at: datetime
    observed_by: str
    has_register: bool
    numbers: tuple[CoveredNumber, ...]
    remarks: tuple[str, ...] = ()

    @property
    def states(self) -> Mapping[Coverage, int]:
        return _counted(self.numbers)

    @property
    def totals(self) -> Mapping[str, tuple[Total, ...]]:
        """By what they are totals of, in the order in which people ask."""
        return {
            "locations": self._totals(lambda each: _text(each.location)),
            "sites": self._totals(lambda each: each.site),
            "connections": self._totals(lambda each: str(each.connection)),
            "carriers": self._totals(lambda each: _text(each.carrier)),
        }

    def _totals(self, name_of: Callable[[CoveredNumber], str]) -> tuple[Total, ...]:
        groups: dict[str, list[CoveredNumber]] = {}
        for each in self.numbers:
            groups.setdefault(name_of(each), []).append(each)
        return tuple(Total(name, _counted(groups[name])) for name in sorted(groups))


def _counted(numbers: Iterable[CoveredNumber]) -> Mapping[Coverage, int]:
    counts = Counter(each.state for each in numbers)
    return {state: counts[state] for state in Coverage if counts[state]}


def _text(key: ObjectKey | None) -> str:
    return f"{key.namespace}/{key.name}" if key is not None else ""


@dataclass(slots=True)
class _Declared:
    """What the manifests say, ready to be looked up by number, holder and name."""

    by_key: dict[ObjectKey, Resource] = field(default_factory=dict)
    people: dict[tuple[ObjectKey, str], LineObject] = field(default_factory=dict)
    phones: dict[E164, PhoneNumber] = field(default_factory=dict)
    firsts: list[E164] = field(default_factory=list)
    spans: list[tuple[E164, E164, NumberRange]] = field(default_factory=list)

    @classmethod
    def of(cls, resources: Iterable[Resource]) -> _Declared:
        made = cls()
        for each in resources:
            made.by_key[ObjectKey(each.kind, each.namespace, each.name)] = each
            if is_person(each):
                place = connection_key(each, namespace=each.namespace)
                made.people[place, person_key(each)] = each
            elif isinstance(each, PhoneNumber):
                made.phones[E164(each.spec.e164)] = each
            elif isinstance(each, NumberRange):
                made.spans += [(span.first, span.last, each) for span in each.spec.spans]
        made.spans.sort(key=lambda entry: entry[0])
        made.firsts = [first for first, _, _ in made.spans]
        return made

    def source(self, number: E164) -> PhoneNumber | NumberRange | None:
        """What states the number; one that is stated by itself counts before its range."""
        if number in self.phones:
            return self.phones[number]
        place = bisect.bisect_right(self.firsts, number) - 1
        if place < 0:
            return None
        _, last, found = self.spans[place]
        return found if number <= last else None

    def location(
        self, person: LineObject | None, source: PhoneNumber | NumberRange | None
    ) -> ObjectKey | None:
        """The holder's own reference counts, else that of the number or range."""
        for each in (person, source):
            reference = each.spec.emergency_location_ref if each is not None else None
            if each is not None and reference is not None:
                return references.target("EmergencyLocation", reference, namespace=each.namespace)
        return None

    def is_same_place(self, one: ObjectKey | None, other: ObjectKey | None) -> bool:
        """Does help go to the same place by both? Two objects may have one address between them."""
        places = [
            (found.spec.address, found.spec.place)
            for key in (one, other)
            if key is not None and isinstance(found := self.by_key.get(key), EmergencyLocation)
        ]
        return one == other or (len(places) == 2 and places[0] == places[1])


def report(
    observations: Observations,
    resources: Iterable[Resource],
    skills: Mapping[ObjectKey, CarrierSkills],
) -> CoverageReport:
    """Every number that somebody has, by what platforms and carriers show and what the register
    says. `skills` are those of the Carriers, by their object.
    """
    declared = _Declared.of(resources)
    carriers = emergency_at_carriers.CarrierEvidence(observations.carriers, skills)
    rows: list[CoveredNumber] = []
    for observation in observations.connections:
        rows += _of_connection(observation, declared, carriers)
    return CoverageReport(
        observed_at=observations.taken_at,
        observed_by=observations.taken_by,
        has_register=observations.has_register,
        numbers=tuple(sorted(rows, key=lambda each: (each.number, each.connection))),
        remarks=tuple(_remarks(observations, declared)),
    )


def _remarks(observations: Observations, declared: _Declared) -> Iterable[str]:
    observed = {each.connection for each in observations.connections}
    asked = {each.connection for each in observations.carriers}
    for key, each in sorted(declared.by_key.items()):
        if isinstance(each, Carrier) and not _is_among(carrier_system(each), asked):
            if each.spec.type is CarrierType.BRING_YOUR_OWN:
                continue
            yield f"{key} was not observed: what it has for its numbers is not known"
        if is_platform(each) and not _is_among(system_of(each), observed):
            yield f"{key} was not observed: its numbers are not in this report"
    if observations.connections and not observations.has_register:
        yield (
            "the number register was not read, so numbers that a platform does not show are not "
            "missed; name the database with --database-url"
        )


def _is_among(system: ConnectionId, observed: Iterable[ConnectionId]) -> bool:
    wanted = (system.provider, system.external_id.lower())
    return any((each.provider, each.external_id.lower()) == wanted for each in observed)


def _of_connection(
    observation: ConnectionObservation, declared: _Declared, carriers: CarrierEvidence
) -> Iterable[CoveredNumber]:
    everybody = (*observation.people, *observation.services)
    names = {person.user_id: person.user_principal_name for person in everybody}
    shown = {row.number: row for row in observation.numbers if row.holder_id is not None}
    held: dict[E164, NumberRow] = {}
    register = observation.register
    if register is not None:
        held = {row.number: row for row in register.numbers if row.state in HELD}
        names.update((row.holder.user_id, row.user_name) for row in register.holders)
    for number in sorted(shown.keys() | held.keys()):
        row, claim = shown.get(number), held.get(number)
        found = _number(observation, declared, names, _Evidence(number, row, claim))
        yield _with_carrier(found, declared, carriers)


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What shows that a number is in use: the platform's row, the register's, or both."""

    number: E164
    row: NumberOnPlatform | None
    claim: NumberRow | None

    @property
    def holder_id(self) -> str:
        if self.row is not None and self.row.holder_id is not None:
            return self.row.holder_id
        holder = self.claim.holder if self.claim is not None else None
        return holder.user_id if holder is not None else ""


def _number(
    observation: ConnectionObservation,
    declared: _Declared,
    names: Mapping[str, str],
    evidence: _Evidence,
) -> CoveredNumber:
    name = names.get(evidence.holder_id, "")
    person = _person(observation, declared, evidence, name)
    source = declared.source(evidence.number)
    location = declared.location(person, source)
    carrier = None
    if source is not None and source.spec.carrier_ref is not None:
        carrier = references.target("Carrier", source.spec.carrier_ref, namespace=source.namespace)
    return CoveredNumber(
        number=evidence.number,
        holder=name or evidence.holder_id,
        declared_by=ObjectKey(person.kind, person.namespace, person.name) if person else None,
        location=location,
        site=_site(source),
        connection=observation.key,
        carrier=carrier,
        checks=(_at_platform(observation, declared, evidence, location),),
    )


def _with_carrier(
    found: CoveredNumber, declared: _Declared, carriers: CarrierEvidence
) -> CoveredNumber:
    """What the carrier of the number says beside its platform. For a line at our SBC it is told
    where the holder is. For any other the address goes with the number and not with its holder:
    where the holder is declared to be somewhere else, help goes to the wrong place.
    """
    if found.carrier is None:
        return found
    key = declared.location(None, declared.source(found.number))
    if found.connection.kind == "SessionBorderController":
        key = found.location
    location = declared.by_key.get(key) if key is not None else None
    stated = Stated(key, location if isinstance(location, EmergencyLocation) else None)
    check = carriers.check(found.carrier, found.number, stated)
    if check.state is Coverage.ACCEPTED and not declared.is_same_place(key, found.location):
        text = f"the carrier has {key} of the number; {found.location} is declared for its holder"
        check = replace(check, state=Coverage.DIFFERENT, reason=text)
    return replace(found, checks=(*found.checks, check))


def _site(source: PhoneNumber | NumberRange | None) -> str:
    site = getattr(source.spec, "site", None) if source is not None else None
    return f"{source.namespace}/{site}" if source is not None and site else ""


def _person(
    observation: ConnectionObservation, declared: _Declared, evidence: _Evidence, name: str
) -> LineObject | None:
    """The object that declares the holder: by the register, else by what their spec calls them."""
    by = evidence.claim.declared_by if evidence.claim is not None else None
    found = declared.by_key.get(by.key) if by is not None else None
    if is_line(found):
        return found
    for called in (evidence.holder_id, evidence.holder_id.lower(), name.lower()):
        person = declared.people.get((observation.key, called))
        if person is not None:
            return person
    return None


def _at_platform(
    observation: ConnectionObservation,
    declared: _Declared,
    evidence: _Evidence,
    location: ObjectKey | None,
) -> Check:
    system, platform = observation.key, Platform(observation.connection.provider)
    if platform is Platform.SIP:
        return _at_sbc(system, declared, evidence, location)
    name = WORDS[platform].name
    if evidence.row is None:
        text = f"{name} does not show the number, which the register says is in use"
        return Check(system, Coverage.UNSEEN, text)
    shown = evidence.row.location_id
    if location is None:
        if shown:
            text = f"{name} has {shown}, which no manifest states"
            return Check(system, Coverage.UNDECLARED, text)
        text = (
            f"no emergencyLocationRef on the holder, the number or its range, and {name} has none"
        )
        return Check(system, Coverage.MISSING, text)
    wanted = _id_at(platform, declared.by_key.get(location))
    if isinstance(wanted, _NotThere):
        return Check(system, Coverage.MISSING, f"{location} {wanted.why}")
    if not shown:
        text = f"{name} has no emergency location for the number; {location} is declared"
        return Check(system, Coverage.MISSING, text)
    if shown.lower() != wanted.lower():
        text = f"{name} has {shown} instead of {wanted}"
        return Check(system, Coverage.DIFFERENT, text)
    return Check(system, Coverage.ACCEPTED)


def _at_sbc(
    system: ObjectKey, declared: _Declared, evidence: _Evidence, location: ObjectKey | None
) -> Check:
    """An SBC keeps no addresses: an emergency call leaves by the carrier that has the caller's
    number, and that carrier's own check tells what it knows.
    """
    if location is None:
        text = "no emergencyLocationRef on the line, the number or its range"
        return Check(system, Coverage.MISSING, text)
    if not isinstance(declared.by_key.get(location), EmergencyLocation):
        return Check(system, Coverage.MISSING, f"{location} is declared and does not exist")
    source = declared.source(evidence.number)
    if source is None or source.spec.carrier_ref is None:
        text = (
            "no carrierRef on the number or its range, so that nobody is told the address; by "
            "hand: give it to the carrier that takes its emergency calls"
        )
        return Check(system, Coverage.BY_HAND, text)
    return Check(system, Coverage.ACCEPTED)


@dataclass(frozen=True, slots=True)
class _NotThere:
    """Why a declared location cannot be accepted by a platform."""

    why: str


def _id_at(platform: Platform, location: Resource | None) -> str | _NotThere:
    """What the platform calls the location."""
    if not isinstance(location, EmergencyLocation):
        return _NotThere("is declared and does not exist")
    if platform is Platform.TEAMS:
        return location.spec.teams_location_id or _NotThere(
            "has no teamsLocationId: create the location in Teams (New-CsOnlineLisLocation) and "
            "state its id"
        )
    return location.spec.webex_location or _NotThere(
        "has no webexLocation: state the name of the Webex location with this address"
    )
