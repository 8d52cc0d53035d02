"""May this service, or line at the SBC, be given this number now? A person in the place of a
resource account is refused.
"""

from __future__ import annotations

from collections.abc import Iterator

from callplane.apis.reasons import Reason
from callplane.desired.teams_readiness import Candidate, Obstacle
from callplane.resources.lines import NumberType
from callplane.resources.platforms import AccountType


def preflight(candidate: Candidate) -> tuple[Obstacle, ...]:
    """All obstacles; none for a service that holds the number already."""
    service, row = candidate.person, candidate.row
    if service is None:
        return (Obstacle(Reason.USER_NOT_FOUND, "there is no such service"),)
    if row is not None and row.holder_id == service.user_id:
        return ()
    return tuple(_obstacles(candidate))


def _obstacles(candidate: Candidate) -> Iterator[Obstacle]:
    row, configuration = candidate.row, candidate.configuration
    if row is not None and row.holder_id is not None:
        yield Obstacle(Reason.FOREIGN, f"{row.number.masked} is held by {row.holder_id}")
    if candidate.wanted.number_type in (NumberType.WEBEX, NumberType.SIP):
        return
    if configuration is None:
        yield Obstacle(
            Reason.LICENCE_PENDING, "Teams does not know the resource account yet", waits=True
        )
    elif configuration.account_type is not AccountType.RESOURCE_ACCOUNT:
        yield Obstacle(
            Reason.USER_NOT_ELIGIBLE, "the account is no resource account; declare a TeamsUser"
        )
