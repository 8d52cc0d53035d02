"""What a call costs that no reservation speaks for, and why: files, outages, re-rating, what-ifs.

It splits the call as an unlimited grant would and settles it by the function that settles live
calls: the same split gives the same charge.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from callplane.billing.clip import Grant
from callplane.billing.increments import Increment
from callplane.billing.prices import Price
from callplane.billing.quotes import Mode, RefusalReason
from callplane.billing.settlement import ChargeLine, Settlement, settle
from callplane.billing.tariff import Treatment
from callplane.billing.terms import AccountTerms, OnNet, PlanTerms
from callplane.numbering.dialled_services import GB as SERVICES
from callplane.values.money import amount_text


@dataclass(frozen=True, slots=True)
class Call:
    """One answered leg. `destination` is `+` and E.164 digits, or a short code."""

    destination: str
    setup: datetime
    duration_seconds: int
    inbound: bool = False
    byoc: bool = False
    on_net: bool = False


@dataclass(frozen=True, slots=True)
class Rated:
    """What a call cost. `pool` and `price` are what the settlement was made by."""

    mode: Mode
    settlement: Settlement
    pool: Increment | None = None
    price: Price | None = None


def rate(
    call: Call, *, account: AccountTerms, plan: PlanTerms | None, free_seconds: int
) -> Rated | RefusalReason:
    """Rate one call of a line with that plan, while so much of the pool is free.

    A call that cannot be rated gives the reason, and goes to suspense. Minutes that the pool does
    not have and nobody may charge (overspend is off) are an overrun: reported, not charged.
    """
    mode = _mode(call, account, plan)
    if isinstance(mode, RefusalReason):
        return mode
    pool = plan.increment if mode is Mode.PLAN and plan is not None else None
    price = None
    if mode in (Mode.CARD, Mode.PAYG) or (mode is Mode.PLAN and account.overspend):
        price = _price(call, account)
        if price is None and (pool is None or pool.billable(call.duration_seconds) > free_seconds):
            return RefusalReason.NO_RATE
    granted = unlimited(call.duration_seconds, pool=pool, price=price, free_seconds=free_seconds)
    return Rated(mode, settle(call.duration_seconds, granted, pool=pool, price=price), pool, price)


def unlimited(
    duration_seconds: int, *, pool: Increment | None, price: Price | None, free_seconds: int
) -> Grant:
    """The grant of a call of so many seconds that only the pool limits."""
    if pool is None and price is None:
        return Grant(free_seconds=duration_seconds)
    pooled = 0
    if pool is not None:
        pooled = pool.whole(min(pool.billable(duration_seconds), max(0, free_seconds)))
    priced = 0
    if price is not None and pooled < duration_seconds:
        priced = max(0, price.increment.billable(duration_seconds) - pooled)
    return Grant(pool_seconds=pooled, priced_seconds=priced)


def _mode(call: Call, account: AccountTerms, plan: PlanTerms | None) -> Mode | RefusalReason:
    service = SERVICES.match(call.destination)
    if service is not None:
        return Mode.EMERGENCY if service.is_emergency else Mode.EXEMPT
    if call.inbound:
        return Mode.INBOUND
    if call.on_net and account.on_net is OnNet.FREE:
        return Mode.ON_NET
    if call.byoc:
        return Mode.BYOC
    if plan is None:
        return Mode.PAYG if account.pay_as_you_go else RefusalReason.NO_PLAN
    # Whether it was allowed was somebody else's question; a call that took place has a price.
    return _MODES[plan.destinations.treatment(call.destination)]


_MODES = {
    Treatment.BUNDLED: Mode.PLAN,
    Treatment.FREE: Mode.FREE,
    Treatment.OUTSIDE: Mode.CARD,
}


def _price(call: Call, account: AccountTerms) -> Price | None:
    return None if account.card is None else account.card.price_at(call.destination, call.setup)


def explain(rated: Rated, *, currency: str, plan_name: str = "") -> Iterator[str]:
    """Why a call costs what it costs, as sentences: which rate made which line."""
    done, price = rated.settlement, rated.price
    yield f"mode {rated.mode.value}, {done.duration_seconds} s"
    if rated.pool is not None:
        named = f" of plan {plan_name}" if plan_name else ""
        yield f"pool: {done.pool_seconds} s, counted {rated.pool}{named}"
    if price is not None and done.lines:
        band = f", band {price.band}" if price.band else ""
        since = price.effective_from.date().isoformat()
        yield (
            f"rate: prefix {price.prefix} ({price.name}) of card {price.card}, in force since "
            f"{since}{band}, counted {price.increment}"
        )
        counted = price.increment.billable(done.duration_seconds)
        yield f"counted {counted} s, {done.pool_seconds} s of them from the pool"
    for line in done.lines:
        yield _line_sentence(line, currency)
    if done.grace_seconds:
        yield f"grace after the pool ran dry: {done.grace_seconds} s, not charged"
    if done.slack_seconds:
        yield f"slack of the switch: {done.slack_seconds} s, not charged"
    if done.overrun_seconds:
        yield f"overrun: {done.overrun_seconds} s, not charged"
    yield f"charge: {amount_text(done.charge_micros)} {currency}"


def _line_sentence(line: ChargeLine, currency: str) -> str:
    fee = f" and {amount_text(line.fee_micros)} once" if line.fee_micros else ""
    return (
        f"{line.kind.value}: {line.seconds} s at {amount_text(line.per_minute_micros)} a minute"
        f"{fee} = {amount_text(line.amount_micros)} {currency}"
    )
