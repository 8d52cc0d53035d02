"""May this person be given this number now? Asked before any write, from what was read.

Teams answers a premature assignment with texts that name the wrong cause, so each precondition is
looked at here first and has a reason of its own. The engine calls `preflight` before it sends an
assignment, and the CLI before it shows one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from callplane.apis.reasons import Reason
from callplane.resources.lines import LineNumber, NumberType
from callplane.resources.platforms import (
    AccountType,
    CallingConfiguration,
    LicenceState,
    NumberOnPlatform,
    Person,
)
from callplane.values import E164

# Countries in which a Calling Plan number is assigned together with an emergency location.
LOCATION_WITH_ASSIGNMENT = frozenset({"CA", "PR", "US"})


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What stands in the way. `waits`: it may pass by itself. `warns`: it is worth saying, and the
    assignment is tried nevertheless.
    """

    reason: Reason
    message: str
    waits: bool = False
    warns: bool = False


@dataclass(frozen=True, slots=True)
class Candidate:
    """A person and a number for them, with all that was read of both; None means "known to be
    absent".

    `held` are the inventory rows that the person holds already and keeps, `given_up` the numbers
    that are taken away first. `countries` are the usage
    locations that fit the number; empty means that nobody knows, and then nothing is checked.
    `location_id` is the emergency location that would be sent along.
    """

    person: Person | None
    configuration: CallingConfiguration | None
    wanted: LineNumber
    row: NumberOnPlatform | None
    held: tuple[NumberOnPlatform, ...] = ()
    given_up: frozenset[E164] = frozenset()
    location_id: str | None = None
    countries: frozenset[str] = frozenset()


def preflight(candidate: Candidate) -> tuple[Obstacle, ...]:
    """All obstacles, the most telling one first; none for somebody who holds the number already."""
    person, row = candidate.person, candidate.row
    missing = tuple(identity_obstacles(person))
    if person is None or missing:
        return missing
    if row is not None and row.holder_id == person.user_id:
        return ()
    return (
        *_account_obstacles(candidate, person),
        *_on_premises_obstacles(candidate),
        *_number_obstacles(candidate),
    )


def blocking(obstacles: tuple[Obstacle, ...]) -> Obstacle | None:
    """The obstacle to report: one that a human must clear goes before one that passes by itself."""
    serious = [obstacle for obstacle in obstacles if not obstacle.warns]
    return min(serious, key=lambda obstacle: obstacle.waits, default=None)


def identity_obstacles(person: Person | None) -> Iterator[Obstacle]:
    """Is there such a person at all? Asked before anything is claimed for them."""
    if person is None:
        yield Obstacle(Reason.USER_NOT_FOUND, "the tenant's directory has no such user")
    elif person.deleted:
        yield Obstacle(
            Reason.USER_DELETED,
            f"{person.user_principal_name} is deleted and can still be restored in Entra ID",
        )


def _account_obstacles(candidate: Candidate, person: Person) -> Iterator[Obstacle]:
    name = person.user_principal_name
    kind = candidate.configuration.account_type if candidate.configuration else AccountType.USER
    if kind not in (AccountType.USER, AccountType.INELIGIBLE):
        yield Obstacle(
            Reason.USER_NOT_ELIGIBLE,
            f"{name} is {_KINDS.get(kind, 'no ordinary user')} and cannot have a user's number",
        )
        return
    if not person.account_enabled:
        yield Obstacle(Reason.USER_DISABLED, f"the account of {name} is disabled")
    if person.licence is LicenceState.ABSENT:
        yield Obstacle(
            Reason.USER_NOT_LICENSED,
            f"{name} has no licence with Teams Phone (service plan MCOEV)",
        )
    elif person.licence is LicenceState.WARNING:
        yield Obstacle(
            Reason.LICENCE_IN_GRACE,
            f"the Teams Phone licence of {name} is about to end; nothing new is assigned",
        )
    elif not _is_ready(candidate.configuration):
        yield Obstacle(
            Reason.LICENCE_PENDING,
            f"{name} is licensed, and Teams has not taken the licence in yet; "
            "this takes from minutes to a day",
            waits=True,
        )
    if candidate.countries and person.usage_location not in candidate.countries:
        shown = person.usage_location or "not set"
        wanted = " or ".join(sorted(candidate.countries))
        yield Obstacle(
            Reason.USAGE_LOCATION_MISMATCH,
            f"the usage location of {name} is {shown}, and the number is one of {wanted}",
        )


_KINDS = {AccountType.RESOURCE_ACCOUNT: "a resource account", AccountType.GUEST: "a guest"}


def _is_ready(configuration: CallingConfiguration | None) -> bool:
    return (
        configuration is not None
        and configuration.phone_system_ready
        and configuration.account_type is AccountType.USER
    )


def _on_premises_obstacles(candidate: Candidate) -> Iterator[Obstacle]:
    for row in candidate.held:
        if row.on_premises:
            yield Obstacle(
                Reason.NUMBER_ON_PREMISES,
                f"the user has {row.number.masked} from the on-premises directory; "
                "it has to be cleared there first",
            )
    known = {row.number for row in candidate.held} | {candidate.wanted.number}
    known |= candidate.given_up
    shown = candidate.configuration.numbers if candidate.configuration else ()
    for number in shown:
        if number not in known:
            # Right after a number was taken away Teams shows it for a while, so this one waits.
            yield Obstacle(
                Reason.NUMBER_ON_PREMISES,
                f"Teams shows {number.masked} for the user, and the inventory does not: it comes "
                "from the on-premises directory, or was taken away a moment ago",
                waits=True,
            )


def _number_obstacles(candidate: Candidate) -> Iterator[Obstacle]:
    row, wanted = candidate.row, candidate.wanted
    masked = wanted.number.masked
    if row is None:
        # Whether Direct Routing numbers must be uploaded first is not documented: one try tells.
        yield Obstacle(
            Reason.NUMBER_NOT_IN_INVENTORY,
            f"{masked} is not in the tenant's inventory",
            warns=wanted.number_type is NumberType.DIRECT_ROUTING,
        )
        return
    if row.number_type is not wanted.number_type:
        yield Obstacle(
            Reason.NUMBER_NOT_IN_INVENTORY,
            f"{masked} is in the tenant's inventory as {row.number_type.value}, "
            f"not as {wanted.number_type.value}",
        )
    if row.holder_id is not None:
        holder = "another user" if row.held_by_user else "a service or a policy"
        yield Obstacle(Reason.FOREIGN, f"{masked} is held by {holder} ({row.holder_id})")
    if row.on_premises:
        yield Obstacle(
            Reason.NUMBER_ON_PREMISES,
            f"{masked} is managed in the on-premises directory; it has to be cleared there first",
        )
    if not row.assignable_to_users:
        yield Obstacle(
            Reason.NUMBER_USE_MISMATCH, f"{masked} is for services and cannot be given to users"
        )
    if not row.settled:
        yield Obstacle(
            Reason.OPERATION_RUNNING, f"another change of {masked} is under way", waits=True
        )
    if _lacks_location(candidate, row):
        yield Obstacle(
            Reason.EMERGENCY_LOCATION_MISSING,
            f"{masked} is a Calling Plan number and needs an emergency location",
        )


def _lacks_location(candidate: Candidate, row: NumberOnPlatform) -> bool:
    return (
        candidate.wanted.number_type is NumberType.CALLING_PLAN
        and candidate.location_id is None
        and row.location_id is None
        and bool(candidate.countries & LOCATION_WITH_ASSIGNMENT)
    )
