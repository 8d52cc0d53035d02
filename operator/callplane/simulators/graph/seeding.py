"""A world from a small description: so many people, these ranges, these policies.

The description is the content of a YAML or JSON file (`--seed-file`), or the same built in code.
Ids follow from the seed and from names, so the same description always makes the same tenant.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from callplane.simulators import descriptions
from callplane.simulators.graph.identity import (
    ALL_PERMISSIONS,
    Application,
    FederatedCredential,
    Secret,
)
from callplane.simulators.graph.operations import encoded_id
from callplane.simulators.graph.rows import (
    MCOEV_PLAN_ID,
    NUMBER_TYPES,
    TEAMS_PLAN_ID,
    AssignedPlan,
    NumberRow,
    PolicyGrant,
    TeamsRow,
    UserRow,
)
from callplane.simulators.graph.tenant import Tenant, normalise_number
from callplane.simulators.invented import DRAMA_BLOCKS as DRAMA_BLOCKS
from callplane.simulators.invented import derive_guid

DEFAULT_TENANT_ID = "7e5a1d00-0000-4000-8000-000000000001"
DEFAULT_CLIENT_ID = "c11e0000-0000-4000-8000-000000000001"
DEFAULT_SECRET = "simulated-secret"

DEFAULT_POLICIES: Mapping[str, tuple[str, ...]] = {
    "OnlineVoiceRoutingPolicy": ("UK-Domestic", "UK-International"),
    "TeamsCallingPolicy": ("AllowCalling", "DisallowCalling"),
    "TenantDialPlan": ("UK-DialPlan",),
    "CallingLineIdentity": ("Main-Number",),
    "TeamsCallParkPolicy": ("CallPark",),
    "TeamsEmergencyCallingPolicy": ("UK-Emergency",),
    "TeamsEmergencyCallRoutingPolicy": ("UK-Emergency-Routing",),
    "TeamsMeetingPolicy": ("AllOn",),
}

_PHONE_PLANS = (
    AssignedPlan(TEAMS_PLAN_ID, service="TeamspaceAPI"),
    AssignedPlan(MCOEV_PLAN_ID),
)
_LONG_AGO = float("-inf")


@dataclass(frozen=True, slots=True)
class RangeSeed:
    """`count` numbers from `first` on, all of one kind."""

    first: str
    count: int = 1
    number_type: str = "directRouting"
    country: str = "GB"
    city: str | None = None
    location_id: str | None = None
    capabilities: tuple[str, ...] = ("userAssignment", "voiceApplicationAssignment")


@dataclass(frozen=True, slots=True)
class PersonSeed:
    """One person with a name of their own; `number` must lie in a range."""

    user_principal_name: str
    display_name: str = ""
    usage_location: str = "GB"
    licensed: bool = True
    account_type: str = "user"
    number: str | None = None
    policies: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ApplicationSeed:
    """An app registration; `secrets` are texts or `{value, expires_at}`, certificates PEM."""

    client_id: str = DEFAULT_CLIENT_ID
    secrets: tuple[Any, ...] = (DEFAULT_SECRET,)
    certificates: tuple[str, ...] = ()
    federated: tuple[Mapping[str, str], ...] = ()
    permissions: tuple[str, ...] = tuple(sorted(ALL_PERMISSIONS))

    def application(self) -> Application:
        """The registration it describes."""
        return Application(
            client_id=self.client_id,
            secrets=[_secret(secret) for secret in self.secrets],
            certificates=list(self.certificates),
            federated=[
                descriptions.build(FederatedCredential, federated, f"federated[{index}]", {})
                for index, federated in enumerate(self.federated)
            ],
            permissions=frozenset(self.permissions),
        )


@dataclass(frozen=True, slots=True)
class TenantSeed:
    """A tenant. `users` people are named `user00001@domain` and on; `holders` of them have numbers.

    Without `ranges` and with `users`, drama blocks are added until there are numbers enough.
    """

    id: str = DEFAULT_TENANT_ID
    domain: str = "tenant.example"
    users: int = 0
    holders: int = 0
    people: tuple[PersonSeed, ...] = ()
    ranges: tuple[RangeSeed, ...] = ()
    policies: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: dict(DEFAULT_POLICIES))
    locations: tuple[str, ...] = ()
    applications: tuple[ApplicationSeed, ...] = (ApplicationSeed(),)
    settings: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WorldSeed:
    """A whole world: seed of its chance, settings, tenants, fault rules.

    `misfortune` is the weight of ready-made bad days (see `misfortunes`); 0 has none.
    """

    seed: int = 0
    settings: Mapping[str, object] = field(default_factory=dict)
    tenants: tuple[TenantSeed, ...] = (TenantSeed(),)
    faults: tuple[Mapping[str, object], ...] = ()
    misfortune: float = 0.0


def world_seed_from(document: object, place: str = "seed") -> WorldSeed:
    """A description from YAML or JSON. ValueError says where it is wrong and why."""
    return descriptions.build(WorldSeed, document, place, {"tenants": tenant_seed_from})


def tenant_seed_from(document: object, place: str = "tenant") -> TenantSeed:
    """One tenant from YAML or JSON. ValueError says where it is wrong and why."""
    parts: dict[str, Callable[[object, str], object]] = {
        "people": lambda value, at: descriptions.build(PersonSeed, value, at, {}),
        "ranges": lambda value, at: descriptions.build(RangeSeed, value, at, {}),
        "applications": lambda value, at: descriptions.build(ApplicationSeed, value, at, {}),
    }
    return descriptions.build(TenantSeed, document, place, parts)


def application_seed_from(document: object, place: str = "application") -> ApplicationSeed:
    """One app registration from YAML or JSON. ValueError says where it is wrong and why."""
    return descriptions.build(ApplicationSeed, document, place, {})


def populate(tenant: Tenant, seed: TenantSeed) -> None:
    """Fill an empty tenant. ValueError when the description contradicts itself."""
    for policy_type, names in seed.policies.items():
        descriptions.check_shape(f"tenant {tenant.id}.policies.{policy_type}", "tuple", names)
    tenant.add_policies(seed.policies.items())
    tenant.locations.update(seed.locations)
    ranges = seed.ranges or _drama_ranges(max(seed.users, len(seed.people)))
    inventory = [number for numbers in ranges for number in _add_range(tenant, numbers)]
    for index in range(1, seed.users + 1):
        _add_person(
            tenant,
            PersonSeed(f"user{index:05d}@{seed.domain}", display_name=f"User {index:05d}"),
        )
    for person in seed.people:
        _add_person(tenant, person)
    _give_numbers(tenant, seed, inventory)


def _drama_ranges(people: int) -> Sequence[RangeSeed]:
    blocks = -(-people // 1000)
    if blocks > len(DRAMA_BLOCKS):
        raise ValueError(f"tenant: {people} people need ranges of their own; see `ranges`")
    return [RangeSeed(first, 1000) for first in DRAMA_BLOCKS[:blocks]]


def _add_range(tenant: Tenant, numbers: RangeSeed) -> list[str]:
    """Returns the numbers of the range, in order."""
    if numbers.number_type not in NUMBER_TYPES:
        raise ValueError(f"range {numbers.first}: number_type is one of {NUMBER_TYPES}")
    start = int(normalise_number(numbers.first)[1:])
    inventory = [f"+{value}" for value in range(start, start + numbers.count)]
    for e164 in inventory:
        row = NumberRow(
            id=encoded_id("", e164),
            telephone_number=e164,
            number_type=numbers.number_type,
            iso_country_code=numbers.country,
            city=numbers.city,
            location_id=numbers.location_id,
            capabilities=tuple(numbers.capabilities),
        )
        tenant.put_number(row, _LONG_AGO)
    return inventory


def _add_person(tenant: Tenant, person: PersonSeed) -> None:
    name = person.user_principal_name
    if tenant.user_id(name) is not None:
        raise ValueError(f"tenant {tenant.id}: user {name!r} is described twice")
    user_id = derive_guid(tenant.seed, tenant.id, name)
    is_user = person.account_type == "user"
    ready = person.licensed
    tenant.put_user(
        UserRow(
            id=user_id,
            user_principal_name=name,
            display_name=person.display_name or name.partition("@")[0],
            mail=name,
            usage_location=person.usage_location,
            assigned_plans=_PHONE_PLANS if ready else (),
        ),
        _LONG_AGO,
    )
    for policy_type, policy in person.policies.items():
        if policy not in tenant.policy_ids.get(policy_type, {}):
            raise ValueError(f"user {name!r}: no policy {policy!r} of type {policy_type!r}")
    grants: tuple[PolicyGrant, ...] = tuple(
        tenant.grant(policy_type, policy) for policy_type, policy in person.policies.items()
    )
    row = TeamsRow(
        id=user_id,
        user_principal_name=name,
        tenant_id=tenant.id,
        account_type=person.account_type if ready or not is_user else "ineligibleUser",
        grants=grants,
    )
    if not ready:
        row = dataclasses.replace(row, feature_types=())
    elif person.account_type == "resourceAccount":
        row = dataclasses.replace(row, feature_types=("Teams", "VoiceApp"))
    tenant.teams.put(user_id, row, _LONG_AGO)


def _give_numbers(tenant: Tenant, seed: TenantSeed, inventory: Sequence[str]) -> None:
    """Numbers go to holders in the order of the ranges as they are described."""
    wanted = {
        person.user_principal_name: normalise_number(person.number)
        for person in seed.people
        if person.number is not None
    }
    taken = set(wanted.values())
    rows = (tenant.numbers.get(number) for number in inventory)
    free = (
        row.telephone_number
        for row in rows
        if row is not None
        and row.telephone_number not in taken
        and row.number_type == "directRouting"
    )
    for index in range(1, min(seed.holders, seed.users) + 1):
        number = next(free, None)
        if number is None:
            raise ValueError(f"tenant {tenant.id}: fewer numbers than {seed.holders} holders")
        wanted[f"user{index:05d}@{seed.domain}"] = number
    for name, number in wanted.items():
        row = tenant.numbers.get(number)
        user_id = tenant.user_id(name) or ""
        teams = tenant.teams.get(user_id)
        if row is None or teams is None:
            raise ValueError(f"user {name!r}: number {number} lies in no range")
        if row.assignment_target_id is not None:
            raise ValueError(f"user {name!r}: number {number} is given twice")
        held = dataclasses.replace(
            row,
            assignment_target_id=user_id,
            assignment_category="primary",
            assignment_status="userAssigned",
        )
        tenant.put_number(held, _LONG_AGO)
        holder = dataclasses.replace(
            teams, telephone_numbers=((number, "primary"),), is_enterprise_voice_enabled=True
        )
        tenant.teams.put(user_id, holder, _LONG_AGO)


def _secret(document: object) -> Secret:
    if isinstance(document, str):
        return Secret(document)
    if not isinstance(document, Mapping) or not isinstance(document.get("value"), str):
        raise ValueError("a secret is a text or {value, expires_at}")
    expires_at = document.get("expires_at")
    if isinstance(expires_at, str):
        expires_at = datetime.datetime.fromisoformat(expires_at)
    if expires_at is not None and (
        not isinstance(expires_at, datetime.datetime) or expires_at.tzinfo is None
    ):
        raise ValueError(f"expires_at {expires_at!r} is no time with a zone")
    return Secret(document["value"], expires_at)
