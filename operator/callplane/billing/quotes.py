"""The answer to "may this call be made": a refusal with a stable reason, or a quote.

A quote says what a reservation shall try to get and under which limits; it carries no tariff beyond
the one price of this call.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from callplane.billing.increments import Increment
from callplane.billing.prices import Price
from callplane.billing.terms import NO_LIMITS, Limits


class RefusalReason(StrEnum):
    """Why a call is refused. In order of precedence; names are part of the interface."""

    UNKNOWN_LINE = "UnknownLine"
    LINE_SUSPENDED = "LineSuspended"
    CALLER_ID_NOT_ALLOWED = "CallerIdNotAllowed"
    FRAUD_LIMIT = "FraudLimit"
    PRIVILEGE_DENIED = "PrivilegeDenied"
    NO_PLAN = "NoPlan"
    RATE_CARD_DISABLED = "RateCardDisabled"
    POOL_EXHAUSTED = "PoolExhausted"
    POOL_HELD = "PoolHeld"
    NO_RATE = "NoRate"
    PRICE_LIMIT = "PriceLimit"
    CEILING_REACHED = "CeilingReached"
    DAILY_CAP_REACHED = "DailyCapReached"
    CONCURRENCY_LIMIT = "ConcurrencyLimit"
    #: Of the books and not of the decision: an attempt of that name has ended already.
    ATTEMPT_OVER = "AttemptOver"


@dataclass(frozen=True, slots=True)
class Refusal:
    """The call is not made; where the account only observes, it is made and this written down."""

    reason: RefusalReason
    enforced: bool = True


class Mode(StrEnum):
    """Why a call is allowed, and with that how it is charged."""

    EMERGENCY = "Emergency"
    EXEMPT = "Exempt"
    INBOUND = "Inbound"
    ON_NET = "OnNet"
    BYOC = "Byoc"
    FREE = "Free"
    PLAN = "Plan"
    CARD = "Card"
    PAYG = "Payg"


#: Calls that nothing counts, holds or charges: they need no reservation.
UNMETERED = frozenset({Mode.EMERGENCY, Mode.EXEMPT, Mode.INBOUND, Mode.ON_NET})


@dataclass(frozen=True, slots=True)
class Quote:
    """What to reserve.

    `pool` is the increment of the plan where the call draws from the pool, else None. `price` is
    what the time beyond the pool costs; None: such time cannot be had. `first_slice_seconds` bounds
    the first reservation and `slice_seconds` the later ones, `call_seconds` the call as a whole (0:
    no bound). `grace_seconds` may follow when the pool runs dry, up to `grace_percent` of the
    entitlement for all calls of a period.
    """

    mode: Mode
    pool: Increment | None = None
    price: Price | None = None
    limits: Limits = NO_LIMITS
    first_slice_seconds: int = 0
    slice_seconds: int = 0
    call_seconds: int = 0
    grace_seconds: int = 0
    grace_percent: int = 0

    @property
    def is_metered(self) -> bool:
        return self.mode not in UNMETERED


Decision = Quote | Refusal
