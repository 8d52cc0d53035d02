"""What happens to a call while the books or call control are away, by what kind of call it is.

Emergency, exempt and inbound calls know no outage. Money fails closed: without a hold nothing that
costs is begun, and what is up ends at its grant. Bundled calls may go on for a while where the
account allows it, since they can cost minutes at most.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from callplane.billing.quotes import UNMETERED, Mode

UNSECURED_SECONDS_MAX = 600


class Outage(Enum):
    """Who is away."""

    DATABASE = "Database"
    CALL_CONTROL = "CallControl"


class Exposure(Enum):
    """What a call can cost while nobody counts."""

    NOTHING = "Nothing"
    OWN_NUMBERS = "OwnNumbers"
    MINUTES = "Minutes"
    MONEY = "Money"


class AtGrant(Enum):
    """What becomes of a call that is up when its grant ends during an outage."""

    NO_TIMER = "NoTimer"
    RUNS_ON = "RunsOn"
    ONE_EXTENSION = "OneExtension"
    ENDS = "Ends"


@dataclass(frozen=True, slots=True)
class NewCall:
    """Whether a call may begin: for `seconds` at most, None for no bound, 0 for 503.

    `by_local_map` says that the SBC finds the way by what it has itself.
    """

    seconds: int | None
    by_local_map: bool = False


ROUTE = NewCall(None)
REFUSE = NewCall(0)
_NEW: Mapping[tuple[Exposure, Outage], NewCall] = {
    (Exposure.NOTHING, Outage.DATABASE): ROUTE,
    (Exposure.NOTHING, Outage.CALL_CONTROL): ROUTE,
    (Exposure.OWN_NUMBERS, Outage.DATABASE): ROUTE,
    (Exposure.OWN_NUMBERS, Outage.CALL_CONTROL): NewCall(None, by_local_map=True),
    (Exposure.MINUTES, Outage.DATABASE): NewCall(UNSECURED_SECONDS_MAX),
    (Exposure.MINUTES, Outage.CALL_CONTROL): NewCall(UNSECURED_SECONDS_MAX, by_local_map=True),
    (Exposure.MONEY, Outage.DATABASE): REFUSE,
    (Exposure.MONEY, Outage.CALL_CONTROL): REFUSE,
}
_AT_GRANT: Mapping[Exposure, AtGrant] = {
    Exposure.NOTHING: AtGrant.NO_TIMER,
    Exposure.OWN_NUMBERS: AtGrant.RUNS_ON,
    Exposure.MINUTES: AtGrant.ONE_EXTENSION,
    Exposure.MONEY: AtGrant.ENDS,
}


def exposure(mode: Mode | None) -> Exposure:
    """What a call of that mode can cost; of a call whose mode nobody could decide, money."""
    if mode is Mode.ON_NET:
        return Exposure.OWN_NUMBERS
    if mode in UNMETERED:
        return Exposure.NOTHING
    return Exposure.MINUTES if mode is Mode.PLAN else Exposure.MONEY


def new_call(mode: Mode | None, outage: Outage, *, allows_bundled: bool) -> NewCall:
    """Whether a call may begin. `allows_bundled` is the account's `onOutage`."""
    found = exposure(mode)
    if found is Exposure.MINUTES and not allows_bundled:
        return REFUSE
    return _NEW[(found, outage)]


def at_grant(mode: Mode | None) -> AtGrant:
    """What becomes of a live call when its grant ends and nobody answers."""
    return _AT_GRANT[exposure(mode)]
