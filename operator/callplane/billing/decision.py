"""Whether a call may be made, and at what price: the one function behind every answer.

    exempt → line → suspension → caller id → fraud → privilege → on-net → mode → money → concurrency

It reads counters from its context and changes nothing; `reserve` looks at the counters again under
the lock of the account's row.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import lru_cache

from callplane.billing.clip import shortage
from callplane.billing.counters import QUIET, UNUSED, Counters, LineCounters
from callplane.billing.prices import Price
from callplane.billing.quotes import Decision, Mode, Quote, Refusal, RefusalReason
from callplane.billing.tariff import Treatment
from callplane.billing.terms import (
    AccountTerms,
    Enforcement,
    Line,
    OnExhaustion,
    OnNet,
    PlanTerms,
    WhenPoolEmpty,
)
from callplane.numbering.destinations import class_of
from callplane.numbering.dialled_services import GB as SERVICES
from callplane.numbering.dialled_services import DialledMatch


class Direction(Enum):
    OUTBOUND = "Outbound"
    INBOUND = "Inbound"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call that somebody wants to make.

    `dialled` is the request as it came, `destination` what it means: `+` and E.164 digits, or a
    short code. `attempt_id` is minted at the first INVITE and goes with the call to the books.
    `setup` is an instant in UTC; it selects period, price and band.
    """

    attempt_id: str
    dialled: str
    destination: str
    caller_id: str
    ingress: str
    setup: datetime
    direction: Direction = Direction.OUTBOUND
    outside_line: str = ""


@dataclass(frozen=True, slots=True)
class CallContext:
    """What is known when the question comes. `line` is None for a caller whom nobody knows.

    `byoc` says that the customer pays the carrier by himself, `on_net` that the destination is a
    number of the register, `new_country` that the account has never called that country.
    """

    line: Line | None
    counters: Counters = UNUSED
    line_counters: LineCounters = QUIET
    byoc: bool = False
    on_net: bool = False
    new_country: bool = False


def decide(context: CallContext, attempt: Attempt) -> Decision:
    """The first refusal that applies, else a quote. Nothing refuses emergency and exempt calls."""
    service = service_dialled(attempt.dialled, attempt.outside_line)
    if service is not None:
        return _EMERGENCY if service.is_emergency else _EXEMPT
    if attempt.direction is Direction.INBOUND:
        return _INBOUND
    line = context.line
    if line is None:
        return Refusal(RefusalReason.UNKNOWN_LINE)
    account = line.account
    reason = _identity_refusal(line, account, attempt) or _habit_refusal(line, context, attempt)
    if reason is not None:
        return _refusal(reason, account)
    if context.on_net and account.on_net is OnNet.FREE:
        return _ON_NET
    found = _quote(context, line, attempt)
    if isinstance(found, RefusalReason):
        return _refusal(found, account)
    lacking = shortage(found, context.counters, context.line_counters)
    return found if lacking is None else _refusal(lacking, account)


@lru_cache(maxsize=65_536)
def service_dialled(dialled: str, outside_line: str = "") -> DialledMatch | None:
    """The emergency or exempt service that was dialled, which needs nothing else to be granted."""
    # What somebody dialled is the same service each time, and people dial the same again.
    return SERVICES.match(dialled, outside_line=outside_line)


def _identity_refusal(line: Line, account: AccountTerms, attempt: Attempt) -> RefusalReason | None:
    if line.suspended or account.suspended:
        return RefusalReason.LINE_SUSPENDED
    if attempt.ingress != line.ingress or attempt.caller_id not in line.caller_ids:
        return RefusalReason.CALLER_ID_NOT_ALLOWED
    return None


def _habit_refusal(line: Line, context: CallContext, attempt: Attempt) -> RefusalReason | None:
    rate = line.limits.line_calls_per_minute
    if rate is not None and context.line_counters.calls_last_minute >= rate:
        return RefusalReason.FRAUD_LIMIT
    if not line.privilege.allows(class_of(attempt.destination), attempt.setup):
        return RefusalReason.PRIVILEGE_DENIED
    return None


def _quote(context: CallContext, line: Line, attempt: Attempt) -> Quote | RefusalReason:
    """The mode by the carrier, else by the line's plan, else by its account; no mode, no call."""
    account = line.account
    if context.byoc:
        return _unpriced(Mode.BYOC, line)
    if line.plan is not None:
        return _plan_quote(context, line, line.plan, attempt)
    if account.pay_as_you_go:
        return _card_quote(Mode.PAYG, context, line, attempt)
    return RefusalReason.NO_PLAN


def _plan_quote(
    context: CallContext, line: Line, plan: PlanTerms, attempt: Attempt
) -> Quote | RefusalReason:
    account = line.account
    treatment = plan.destinations.treatment(attempt.destination)
    if treatment is Treatment.BUNDLED:
        return _bundled_quote(context, line, plan, attempt)
    if treatment is Treatment.OUTSIDE and not account.rate_card_billing:
        return RefusalReason.RATE_CARD_DISABLED
    blocks_all = account.when_pool_empty is WhenPoolEmpty.BLOCK_ALL and not account.overspend
    # Minutes that live calls hold are not used yet: they block nothing but bundled calls.
    if blocks_all and context.counters.left_seconds <= 0:
        return RefusalReason.POOL_EXHAUSTED
    if treatment is Treatment.FREE:
        return _unpriced(Mode.FREE, line)
    return _card_quote(Mode.CARD, context, line, attempt)


def _bundled_quote(
    context: CallContext, line: Line, plan: PlanTerms, attempt: Attempt
) -> Quote | RefusalReason:
    account, counters = line.account, context.counters
    slices = account.slices
    price: Price | RefusalReason | None = None
    if account.overspend:
        price = _price(line, attempt)
    if counters.free_seconds < plan.increment.first:
        if isinstance(price, RefusalReason):
            return price
        if price is None:
            is_held = counters.left_seconds >= plan.increment.first
            return RefusalReason.POOL_HELD if is_held else RefusalReason.POOL_EXHAUSTED
    has_grace = not account.overspend and account.on_exhaustion is OnExhaustion.FINISH
    return Quote(
        mode=Mode.PLAN,
        pool=plan.increment,
        # A price that may not be had leaves the minutes that are there.
        price=price if isinstance(price, Price) else None,
        limits=line.limits,
        first_slice_seconds=slices.bundled_seconds,
        slice_seconds=slices.bundled_seconds,
        call_seconds=slices.call_seconds,
        grace_seconds=account.grace.per_call_seconds if has_grace else 0,
        grace_percent=account.grace.per_period_percent if has_grace else 0,
    )


def _card_quote(
    mode: Mode, context: CallContext, line: Line, attempt: Attempt
) -> Quote | RefusalReason:
    price = _price(line, attempt)
    if isinstance(price, RefusalReason):
        return price
    slices = line.account.slices
    first = slices.new_country_seconds if context.new_country else slices.priced_seconds
    return Quote(
        mode=mode,
        price=price,
        limits=line.limits,
        first_slice_seconds=min(first, slices.priced_seconds),
        slice_seconds=slices.priced_seconds,
        call_seconds=slices.call_seconds,
    )


def _price(line: Line, attempt: Attempt) -> Price | RefusalReason:
    card = line.account.card
    price = None if card is None else card.price_at(attempt.destination, attempt.setup)
    if price is None:
        return RefusalReason.NO_RATE
    limit = line.max_per_minute_micros
    if limit is not None and price.steepest_micros > limit:
        return RefusalReason.PRICE_LIMIT
    return price


def _unpriced(mode: Mode, line: Line) -> Quote:
    """No minutes and no money; the call counts where calls are counted."""
    slices = line.account.slices
    return Quote(
        mode=mode,
        limits=line.limits,
        first_slice_seconds=slices.bundled_seconds,
        slice_seconds=slices.bundled_seconds,
        call_seconds=slices.call_seconds,
    )


def _refusal(reason: RefusalReason, account: AccountTerms) -> Refusal:
    return Refusal(reason, enforced=account.enforcement is Enforcement.ENFORCE)


_EMERGENCY = Quote(Mode.EMERGENCY)
_EXEMPT = Quote(Mode.EXEMPT)
_INBOUND = Quote(Mode.INBOUND)
_ON_NET = Quote(Mode.ON_NET)
