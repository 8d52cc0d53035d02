"""A world from a small description: so many people, these locations, these numbers.

The description is the content of a YAML or JSON file (`--seed-file`), or the same built in code.
Ids follow from the seed and from names, so the same description always makes the same organisation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from callplane.simulators import descriptions
from callplane.simulators.invented import DRAMA_BLOCKS, derive_guid
from callplane.simulators.webex import holdings
from callplane.simulators.webex.identity import ALL_SCOPES, ServiceApp
from callplane.simulators.webex.organisation import Organisation
from callplane.simulators.webex.rows import (
    CISCO_PSTN,
    INTEGRATED,
    LOCAL_GATEWAY,
    NON_INTEGRATED,
    PSTN_TYPES,
    SERVICE_KINDS,
    LicenceRow,
    LocationRow,
    NumberRow,
    Permissions,
    PersonRow,
    PstnOption,
    ServiceRow,
    TrunkRow,
    webex_id,
)

DEFAULT_ORGANISATION_ID = "0e6a0000-0000-4000-8000-000000000001"
DEFAULT_CLIENT_ID = "C1e57000000000000000000000000001"
DEFAULT_SECRET = "simulated-secret"
DEFAULT_REFRESH_TOKEN = "simulated-refresh-token"
DEFAULT_LOCATION = "London"

_BY = "seed"
_LONG_AGO = float("-inf")
_PROVIDERS = {
    NON_INTEGRATED: "Example Non-integrated",
    INTEGRATED: "Example Integrated",
    CISCO_PSTN: "Cloud PSTN",
}


@dataclass(frozen=True, slots=True)
class LocationSeed:
    """A Calling location; its numbers come from ranges that name it."""

    name: str = DEFAULT_LOCATION
    pstn_type: str | None = LOCAL_GATEWAY
    country: str = "GB"
    main_number: str | None = None
    routing_prefix: str | None = None
    externally_managed: bool = False
    calling: bool = True
    e911_setup_required: bool = False
    restricted_call_types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RangeSeed:
    """`count` numbers from `first` on, all of one location."""

    first: str
    count: int = 1
    location: str = DEFAULT_LOCATION
    state: str = "ACTIVE"
    toll_free: bool = False
    mobile: bool = False
    service: bool = False
    reserved: bool = False


@dataclass(frozen=True, slots=True)
class PersonSeed:
    """One person; `licences` are kinds (professional, standard, …), `number` lies in a range."""

    email: str
    first_name: str = ""
    last_name: str = ""
    location: str | None = None
    number: str | None = None
    alternates: tuple[str, ...] = ()
    extension: str | None = None
    licences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ServiceSeed:
    """An auto attendant, queue or hunt group."""

    name: str
    collection: str = "autoAttendants"
    location: str = DEFAULT_LOCATION
    number: str | None = None
    extension: str | None = None


@dataclass(frozen=True, slots=True)
class LicenceSeed:
    """A licence of the subscription; see `LicenceRow` for kinds."""

    name: str
    kind: str
    units: int = 1_000_000
    implicit: bool = False


@dataclass(frozen=True, slots=True)
class ServiceAppSeed:
    """A service app that an administrator has authorised."""

    client_id: str = DEFAULT_CLIENT_ID
    client_secret: str = DEFAULT_SECRET
    refresh_token: str = DEFAULT_REFRESH_TOKEN
    scopes: tuple[str, ...] = tuple(sorted(ALL_SCOPES))

    def app(self, organisation_id: str) -> ServiceApp:
        """The registration it describes."""
        return ServiceApp(
            organisation_id,
            self.client_id,
            self.client_secret,
            self.refresh_token,
            frozenset(self.scopes),
        )


DEFAULT_LICENCES = (
    LicenceSeed("Webex Calling - Professional", "professional"),
    LicenceSeed("Webex Calling - Standard", "standard"),
    LicenceSeed("Webex Calling - Workspaces", "workspaces"),
    LicenceSeed("Attendant Console", "attendant"),
    LicenceSeed("Messaging", "messaging"),
    LicenceSeed("Screen Share", "messaging", implicit=True),
)


@dataclass(frozen=True, slots=True)
class OrganisationSeed:
    """An organisation. `users` people are named `user00001@domain` and on, all licensed for
    Calling at the first location with an extension; `holders` of them have numbers.

    Without `ranges` and with `users`, drama blocks are added until there are numbers enough.
    """

    id: str = DEFAULT_ORGANISATION_ID
    name: str = "Example Organisation"
    domain: str = "organisation.example"
    users: int = 0
    holders: int = 0
    locations: tuple[LocationSeed, ...] = (LocationSeed(),)
    ranges: tuple[RangeSeed, ...] = ()
    people: tuple[PersonSeed, ...] = ()
    services: tuple[ServiceSeed, ...] = ()
    licences: tuple[LicenceSeed, ...] = DEFAULT_LICENCES
    service_apps: tuple[ServiceAppSeed, ...] = (ServiceAppSeed(),)
    settings: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WorldSeed:
    """A whole world: seed of its chance, settings, organisations, fault rules.

    `misfortune` is the weight of ready-made bad days (see `misfortunes`); 0 has none.
    """

    seed: int = 0
    settings: Mapping[str, object] = field(default_factory=dict)
    organisations: tuple[OrganisationSeed, ...] = (OrganisationSeed(),)
    faults: tuple[Mapping[str, object], ...] = ()
    misfortune: float = 0.0


def world_seed_from(document: object, place: str = "seed") -> WorldSeed:
    """A description from YAML or JSON. ValueError says where it is wrong and why."""
    parts = {"organisations": organisation_seed_from}
    return descriptions.build(WorldSeed, document, place, parts)


def organisation_seed_from(document: object, place: str = "organisation") -> OrganisationSeed:
    """One organisation from YAML or JSON. ValueError says where it is wrong and why."""
    parts: dict[str, descriptions.Part] = {
        "locations": lambda value, at: descriptions.build(LocationSeed, value, at, {}),
        "ranges": lambda value, at: descriptions.build(RangeSeed, value, at, {}),
        "people": lambda value, at: descriptions.build(PersonSeed, value, at, {}),
        "services": lambda value, at: descriptions.build(ServiceSeed, value, at, {}),
        "licences": lambda value, at: descriptions.build(LicenceSeed, value, at, {}),
        "service_apps": lambda value, at: descriptions.build(ServiceAppSeed, value, at, {}),
    }
    return descriptions.build(OrganisationSeed, document, place, parts)


def populate(organisation: Organisation, seed: OrganisationSeed) -> None:
    """Fill an empty organisation. ValueError when the description contradicts itself."""
    for licence in seed.licences:
        key = _id(organisation, "LICENSE", licence.name)
        organisation.licences[key] = LicenceRow(
            key, licence.name, licence.kind, licence.units, is_implicit=licence.implicit
        )
    for pstn_type, name in _PROVIDERS.items():
        key = _id(organisation, "PSTN_CONNECTION", name)
        organisation.pstn_options[key] = PstnOption(key, name, pstn_type)
    for location in seed.locations:
        _add_location(organisation, location)
    for numbers in seed.ranges or _drama_ranges(seed):
        _add_range(organisation, numbers)
    for location in seed.locations:
        main = location.main_number
        if main is not None and organisation.numbers.get(main) is None:
            raise ValueError(f"location {location.name!r}: main number {main} lies in no range")
    for person in (*_anonymous(organisation, seed), *seed.people):
        _add_person(organisation, person)
    for service in seed.services:
        _add_service(organisation, service)


def _id(organisation: Organisation, kind: str, name: str) -> str:
    return webex_id(kind, derive_guid(organisation.seed, organisation.id, kind, name))


def location_id(organisation: Organisation, name: str) -> str:
    """The id of a location by name. ValueError when there is none."""
    for row in organisation.locations.rows():
        if name in (row.name, row.id):
            return row.id
    raise ValueError(f"no location {name!r} in organisation {organisation.id}")


def _add_location(organisation: Organisation, seed: LocationSeed) -> None:
    if seed.pstn_type is not None and seed.pstn_type not in PSTN_TYPES:
        raise ValueError(f"location {seed.name!r}: pstn_type is one of {PSTN_TYPES}")
    key = _id(organisation, "LOCATION", seed.name)
    if organisation.locations.get(key) is not None:
        raise ValueError(f"location {seed.name!r} is described twice")
    row = LocationRow(
        id=key,
        name=seed.name,
        address={
            "address1": "1 Example Street",
            "city": seed.name,
            "postalCode": "AB1 2CD",
            "country": seed.country,
        },
        is_calling=seed.calling,
        pstn_type=seed.pstn_type,
        is_externally_managed=seed.externally_managed,
        main_number=seed.main_number,
        routing_prefix=seed.routing_prefix,
        e911_setup_required=seed.e911_setup_required,
        permissions=Permissions(restricted=frozenset(seed.restricted_call_types)),
    )
    if seed.pstn_type == LOCAL_GATEWAY:
        trunk = TrunkRow(_id(organisation, "TRUNK", seed.name), f"Trunk {seed.name}", key)
        organisation.trunks[trunk.id] = trunk
        row = replace(row, route_type="TRUNK", route_id=trunk.id)
    elif seed.pstn_type is not None:
        name = _PROVIDERS[seed.pstn_type]
        provider = _id(organisation, "PSTN_CONNECTION", name)
        row = replace(row, pstn_id=provider, pstn_name=name)
    organisation.locations.put(key, row, _LONG_AGO)


def _drama_ranges(seed: OrganisationSeed) -> list[RangeSeed]:
    blocks = -(-max(seed.users, len(seed.people)) // 1000)
    if blocks > len(DRAMA_BLOCKS):
        raise ValueError(f"organisation {seed.id}: {seed.users} users need `ranges` of their own")
    place = seed.locations[0].name if seed.locations else DEFAULT_LOCATION
    return [RangeSeed(first, 1000, place) for first in DRAMA_BLOCKS[:blocks]]


def _add_range(organisation: Organisation, seed: RangeSeed) -> None:
    place = location_id(organisation, seed.location)
    if holdings.E164.fullmatch(seed.first) is None:
        raise ValueError(f"range {seed.first!r}: an E.164 number is wanted")
    for value in range(int(seed.first[1:]), int(seed.first[1:]) + seed.count):
        row = NumberRow(
            f"+{value}",
            place,
            state=seed.state,
            is_toll_free=seed.toll_free,
            is_mobile=seed.mobile,
            is_service=seed.service,
            is_reserved=seed.reserved,
        )
        organisation.numbers.put(row.number, row, _LONG_AGO)


def _anonymous(organisation: Organisation, seed: OrganisationSeed) -> list[PersonSeed]:
    if seed.users and not seed.locations:
        raise ValueError(f"organisation {seed.id}: users need a location")
    wanted = {person.number for person in seed.people}
    mains = {location.main_number for location in seed.locations}
    free = (
        row.number
        for row in organisation.numbers.rows()
        if row.number not in wanted | mains and not row.is_reserved and not row.is_toll_free
    )
    people = []
    for index in range(1, seed.users + 1):
        number = next(free, None) if index <= seed.holders else None
        if number is None and index <= seed.holders:
            raise ValueError(f"organisation {seed.id}: fewer numbers than {seed.holders} holders")
        held = organisation.numbers.get(number) if number is not None else None
        people.append(
            PersonSeed(
                f"user{index:05d}@{seed.domain}",
                first_name="User",
                last_name=f"{index:05d}",
                location=held.location_id if held is not None else seed.locations[0].name,
                number=number,
                extension=str(10_000 + index),
                licences=("professional",),
            )
        )
    return people


def _add_person(organisation: Organisation, seed: PersonSeed) -> None:
    if organisation.person_id(seed.email) is not None:
        raise ValueError(f"person {seed.email!r} is described twice")
    licences = tuple(_licence(organisation, seed.email, kind) for kind in seed.licences)
    place = location_id(organisation, seed.location) if seed.location is not None else None
    name = f"{seed.first_name} {seed.last_name}".strip()
    row = PersonRow(
        id=_id(organisation, "PEOPLE", seed.email),
        email=seed.email,
        display_name=name or seed.email.partition("@")[0],
        first_name=seed.first_name,
        last_name=seed.last_name,
        licences=licences,
        location_id=place,
        extension=seed.extension,
        created="2025-01-01T00:00:00.000Z",
        last_modified="2025-01-01T00:00:00.000Z",
    )
    for number in (seed.number, *seed.alternates):
        if number is not None:
            _check_free(organisation, number, f"person {seed.email!r}")
    row = holdings.give_person(organisation, row, seed.number, at=_LONG_AGO, by=_BY)
    for number in seed.alternates:
        row = holdings.give_alternate(organisation, row, number, at=_LONG_AGO, by=_BY)
    organisation.changes.changes.clear()


def _add_service(organisation: Organisation, seed: ServiceSeed) -> None:
    if seed.collection not in SERVICE_KINDS:
        raise ValueError(f"service {seed.name!r}: collection is one of {list(SERVICE_KINDS)}")
    if seed.number is not None:
        _check_free(organisation, seed.number, f"service {seed.name!r}")
    row = ServiceRow(
        id=_id(organisation, SERVICE_KINDS[seed.collection], seed.name),
        collection=seed.collection,
        name=seed.name,
        location_id=location_id(organisation, seed.location),
        number=seed.number,
        extension=seed.extension,
    )
    holdings.put_service(organisation, row, service_id=row.id, at=_LONG_AGO, by=_BY)
    organisation.changes.changes.clear()


def _licence(organisation: Organisation, email: str, kind: str) -> str:
    for key, row in organisation.licences.items():
        if kind in (row.kind, row.name):
            return key
    raise ValueError(f"person {email!r}: no licence of kind {kind!r}")


def _check_free(organisation: Organisation, number: str, who: str) -> None:
    row = organisation.numbers.get(number)
    if row is None:
        raise ValueError(f"{who}: number {number} lies in no range")
    if row.owner is not None:
        raise ValueError(f"{who}: number {number} is given twice")
