"""May this person be given this number in Webex now? Asked before any write, from what was read."""

from __future__ import annotations

from collections.abc import Iterator

from callplane.apis.reasons import Reason
from callplane.desired.teams_readiness import Candidate, Obstacle
from callplane.resources.platforms import AccountType, Person


def preflight(candidate: Candidate) -> tuple[Obstacle, ...]:
    """All obstacles, the most telling one first; none for somebody who holds the number already.

    A number that the organisation does not have is no obstacle: it is added to the location.
    """
    person, row = candidate.person, candidate.row
    if person is None:
        return (Obstacle(Reason.USER_NOT_FOUND, "the organisation has no such person"),)
    if row is not None and row.holder_id == person.user_id:
        return ()
    return (*_account_obstacles(candidate, person), *_number_obstacles(candidate))


def _account_obstacles(candidate: Candidate, person: Person) -> Iterator[Obstacle]:
    name = person.user_principal_name
    configuration = candidate.configuration
    kind = configuration.account_type if configuration is not None else AccountType.USER
    if kind is not AccountType.USER:
        yield Obstacle(
            Reason.USER_NOT_ELIGIBLE, f"{name} is no person and cannot have a person's number"
        )
    has_calling = configuration is not None and configuration.phone_system_ready
    if not has_calling and candidate.location_id is None:
        yield Obstacle(
            Reason.LOCATION_MISSING,
            f"{name} has no Webex Calling yet; state spec.location, the name of the location "
            "that they call from",
        )


def _number_obstacles(candidate: Candidate) -> Iterator[Obstacle]:
    row = candidate.row
    if row is None:
        return
    masked = row.number.masked
    if row.holder_id is not None:
        holder = "another person" if row.held_by_user else "a service or a place"
        yield Obstacle(Reason.FOREIGN, f"{masked} is held by {holder} ({row.holder_id})")
    if not row.assignable_to_users:
        yield Obstacle(
            Reason.NUMBER_USE_MISMATCH,
            f"{masked} is reserved or for services in Webex and cannot be given to people",
        )
    wanted = candidate.location_id
    if wanted is not None and row.location_id not in (None, wanted):
        yield Obstacle(
            Reason.CONFLICT,
            f"{masked} is at the Webex location {row.location_id}, and the person calls from "
            f"{wanted}; move the number in Control Hub, or take it out there",
        )
