"""What an account, a line, a plan and a privilege say about calls: the inputs of a decision.

These are values that the Kubernetes objects are translated into. Money is micro-units of the
account's currency, time is whole seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from callplane.billing.increments import PER_SECOND, Increment
from callplane.billing.tariff import DestinationSet, RateCard, TimeBand
from callplane.numbering.destinations import DOMESTIC, DestinationClass
from callplane.values.period import zone_named


class Enforcement(StrEnum):
    """Whether a refusal keeps a call from happening, or is only written down."""

    OBSERVE = "Observe"
    ENFORCE = "Enforce"


class WhenPoolEmpty(StrEnum):
    """Which calls of plan holders an empty pool stops, where overspend is off."""

    BLOCK_ALL = "BlockAll"
    BLOCK_BUNDLED = "BlockBundled"


class OnExhaustion(StrEnum):
    """What happens to a call during which the pool runs dry, where overspend is off."""

    FINISH = "Finish"
    CUT = "Cut"


class OnNet(StrEnum):
    """How calls to numbers of our own register are charged."""

    FREE = "Free"
    RATE = "Rate"


class CapScope(StrEnum):
    """Whether a cap stops new calls only, or also ends those that are up."""

    NEW = "New"
    NEW_AND_LIVE = "NewAndLive"


@dataclass(frozen=True, slots=True)
class Grace:
    """Uncharged time after the pool ran dry: so long a call, so much of the entitlement a month."""

    per_call_seconds: int = 3600
    per_period_percent: int = 5


@dataclass(frozen=True, slots=True)
class Slices:
    """How long one reservation lasts at most, by class, and a call as a whole."""

    bundled_seconds: int = 1800
    priced_seconds: int = 300
    new_country_seconds: int = 120
    call_seconds: int = 14_400


GRACE = Grace()
SLICES = Slices()


@dataclass(frozen=True, slots=True)
class Limits:
    """What is counted in the transaction of a reservation. None: no such limit.

    An account without a ceiling has one of 0 here: nothing is charged without a ceiling.
    """

    ceiling_micros: int = 0
    day_cap_micros: int | None = 50_000_000
    day_cap_scope: CapScope = CapScope.NEW
    account_calls: int | None = None
    line_calls: int | None = 2
    line_calls_per_minute: int | None = 10


NO_LIMITS = Limits(day_cap_micros=None, line_calls=None, line_calls_per_minute=None)


@dataclass(frozen=True, slots=True)
class AccountTerms:
    """Who pays, and under which switches.

    `day_cap_micros` and `max_per_minute_micros` guard against fraud; None switches them off.
    """

    name: str
    currency: str = "GBP"
    zone: str = "Europe/London"
    enforcement: Enforcement = Enforcement.ENFORCE
    suspended: bool = False
    overspend: bool = False
    rate_card_billing: bool = False
    pay_as_you_go: bool = False
    card: RateCard | None = None
    ceiling_micros: int | None = None
    day_cap_micros: int | None = 50_000_000
    day_cap_scope: CapScope = CapScope.NEW
    concurrent_calls: int | None = None
    line_calls: int | None = 2
    line_calls_per_minute: int | None = 10
    max_per_minute_micros: int | None = 200_000
    when_pool_empty: WhenPoolEmpty = WhenPoolEmpty.BLOCK_ALL
    on_exhaustion: OnExhaustion = OnExhaustion.FINISH
    grace: Grace = GRACE
    on_net: OnNet = OnNet.FREE
    bundled_on_outage: bool = True
    slices: Slices = SLICES


@dataclass(frozen=True, slots=True)
class PlanTerms:
    """A calling plan: the minutes a holder brings into the pool, and what they cover."""

    name: str
    seconds: int
    destinations: DestinationSet
    increment: Increment = PER_SECOND
    price_micros: int = 0


@dataclass(frozen=True, slots=True)
class Privilege:
    """What a person may dial. Windows are local times at which calls are allowed; none: always."""

    classes: frozenset[DestinationClass] = DOMESTIC
    max_per_minute_micros: int | None = None
    concurrent_calls: int | None = None
    windows: tuple[TimeBand, ...] = ()
    zone: str = "Europe/London"

    def allows(self, destination_class: DestinationClass, setup: datetime) -> bool:
        if destination_class not in self.classes:
            return False
        if not self.windows:
            return True
        local = setup.astimezone(zone_named(self.zone))
        minute = local.hour * 60 + local.minute
        return any(window.holds(local.weekday(), minute) for window in self.windows)


#: What a line has to which nobody gave a privilege.
DOMESTIC_ONLY = Privilege()
#: What a service line has: it receives calls and makes none.
NO_CALLS = Privilege(classes=frozenset())


@dataclass(frozen=True, slots=True)
class Line:
    """A caller identity that call control knows, on the connection its calls come in by.

    `caller_ids` are the numbers it may show. `channels` are the calls that a PBX may have at once:
    it stands for as many users, in place of the account's limits a user. `byoc`: the customer pays
    the carrier of its number by himself. `limits` is made of the account's terms and the privilege
    once, so that a decision only passes it on.
    """

    name: str
    account: AccountTerms
    ingress: str
    caller_ids: frozenset[str]
    plan: PlanTerms | None = None
    privilege: Privilege = DOMESTIC_ONLY
    suspended: bool = False
    channels: int | None = None
    byoc: bool = False
    limits: Limits = field(init=False)
    max_per_minute_micros: int | None = field(init=False)

    def __post_init__(self) -> None:
        account, privilege = self.account, self.privilege
        calls, a_minute = account.line_calls, account.line_calls_per_minute
        if self.channels is not None:
            calls = self.channels
            a_minute = None if a_minute is None else a_minute * self.channels
        limits = Limits(
            ceiling_micros=account.ceiling_micros or 0,
            day_cap_micros=account.day_cap_micros,
            day_cap_scope=account.day_cap_scope,
            account_calls=account.concurrent_calls,
            line_calls=_lower(calls, privilege.concurrent_calls),
            line_calls_per_minute=a_minute,
        )
        object.__setattr__(self, "limits", limits)
        named = privilege.max_per_minute_micros
        # Whoever names a price limit for a person means it, above the account's default too.
        limit = account.max_per_minute_micros if named is None else named
        object.__setattr__(self, "max_per_minute_micros", limit)


def _lower(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)
