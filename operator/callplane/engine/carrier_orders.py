"""Acquisition Order: one number is bought, once, however often answers are lost.

The order is committed before it is sent, with a reference of its own, and the number is Ordering
from then on. Until the carrier says accepted or rejected, the order is looked for by that reference
and never sent again. A number that was sold meanwhile is said with what else the search found; the
name of the object is its number, so another one is another object.
"""

from __future__ import annotations

from datetime import timedelta

from callplane.apis.carriers import Carrier
from callplane.apis.number_ranges import FOREIGN_ROUTES, NumberRange
from callplane.apis.phone_numbers import PhoneNumber
from callplane.apis.reasons import Reason
from callplane.engine import (
    carrier_changes,
    carrier_drift,
    carrier_memory,
    carrier_moves,
    carrier_writing,
)
from callplane.engine.carrier_gathering import CarrierSide, check_incident, require
from callplane.engine.scope import Scope
from callplane.errors import Failed, Stalled, Verdict, Waiting
from callplane.numbering.lifecycle import Cause, NumberState
from callplane.plan.change import Change
from callplane.providers.carrier_protocol import CarrierAction, CarrierRefused
from callplane.providers.protocol import ProviderError
from callplane.resources.carriers import (
    NumberOffer,
    NumberOrder,
    NumberSearch,
    Obstacle,
    OrderRequest,
    OrderState,
    Price,
    TrunkRoute,
)
from callplane.status.conditions import Succeeded
from callplane.store.ports import Intent, IntentState, NumberRow
from callplane.values import E164

REFERENCE_PREFIX = "cp-"
ORDER_LOOK_SECONDS = 600.0
FIRST_LOOKS_SECONDS = 60.0
FIRST_LOOK_SECONDS = 2.0
CANDIDATES = 10
# Of what is sold in place of a number, its neighbours are the most use.
NEIGHBOUR_DIGITS = 3
PURCHASE_WAIT_SECONDS = 120.0

_REASONS = {
    Obstacle.NUMBER_TAKEN: Reason.NUMBER_SOLD,
    Obstacle.BALANCE_TOO_LOW: Reason.BALANCE_TOO_LOW,
    Obstacle.ACCOUNT_LIMIT: Reason.ACCOUNT_LIMIT_REACHED,
    Obstacle.PAPERWORK: Reason.PAPERWORK_REJECTED,
    Obstacle.NOT_PORTABLE: Reason.NOT_PORTABLE,
    Obstacle.PORT_DETAILS_WRONG: Reason.PORT_REJECTED,
    Obstacle.ADDRESS_REFUSED: Reason.ADDRESS_REFUSED,
    Obstacle.TRUNK_UNKNOWN: Reason.TRUNK_UNKNOWN,
}


def reference_of(intent: Intent) -> str:
    """Our reference at the carrier: unique, and in the register before anything is sent."""
    return REFERENCE_PREFIX + intent.request_id


def reason_of(obstacle: Obstacle | None, otherwise: Reason = Reason.ORDER_REJECTED) -> Reason:
    return _REASONS.get(obstacle, otherwise) if obstacle is not None else otherwise


async def advance(
    scope: Scope, side: CarrierSide, phone: PhoneNumber, row: NumberRow | None
) -> Succeeded:
    """The number is not ours, and nothing of its order is under way: order it."""
    number = E164(phone.spec.e164)
    require(side, CarrierAction.ORDER)
    check_not_lost(side, number)
    refuse_again(scope, side, number, row)
    check_buys(side, number)
    if not side.writable:
        carrier_drift.show_life(scope, observed="not owned", desired="ordered")
        return Succeeded("not ordered", differences=(f"{number.masked} would be ordered",))
    check_incident(side, takes_away=False)
    check_money(side)
    offer = await _offer_of(scope, side, number)
    side.runtime.buying.add(number)
    try:
        change = carrier_changes.order(
            side.runtime.connection,
            number,
            is_above_limit=is_above_limit(side, offer),
            dear=_dear(side, offer),
        )
        await carrier_writing.pass_gate(scope, side, [change])
        await _buy(scope, side, (phone, row), offer, change)
    finally:
        side.runtime.buying.discard(number)
    raise Waiting(Reason.PROGRESSING, "ordered; looking at the number", after_seconds=0.0)


async def _buy(
    scope: Scope,
    side: CarrierSide,
    wanted: tuple[PhoneNumber, NumberRow | None],
    offer: NumberOffer,
    change: Change,
) -> None:
    (phone, row), number = wanted, offer.number
    write = carrier_writing.Write(
        change,
        move=carrier_moves.begin(scope, row, number, NumberState.ORDERING, Cause.ORDER),
        undo=None
        if carrier_moves.keeps_its_state(row)
        else carrier_moves.cancel(scope, number, NumberState.ORDERING, "the order was not placed"),
    )

    async def call(intent: Intent) -> NumberOrder:
        request = OrderRequest(
            reference_of(intent), number, offer.offer, route=wanted_route(side.carrier, phone)
        )
        return await side.runtime.provider.order(request)

    try:
        intent, order = await carrier_writing.send(scope, side, write, call)
    except CarrierRefused as refused:
        raise await _refused(scope, side, number, refused) from refused
    show(side, order)
    await _take(scope, side, intent, order)


async def settle(scope: Scope, side: CarrierSide, intent: Intent) -> None:
    """An order under way: look for it, and never send it again on a guess."""
    number = E164(intent.change["subject"][1])
    request = OrderRequest(reference_of(intent), number)
    try:
        found = await side.runtime.guarded(side.runtime.provider.find_order(request))
    except ProviderError as error:
        raise Failed(Reason.PROVIDER_UNAVAILABLE, f"looking for the order: {error}") from error
    if found.row is not None:
        show(side, found.row)
        await _take(scope, side, intent, found.row)
        return
    if may_still_appear(scope, side, intent):
        raise Waiting(
            Reason.OPERATION_RUNNING,
            f"the order of {number.masked} was sent and is not seen yet",
            after_seconds=FIRST_LOOK_SECONDS,
        )
    undo = carrier_moves.undone(
        scope, side, number, NumberState.ORDERING, "the order was never seen"
    )
    await carrier_writing.close(scope, side, intent, undo=undo, detail="never seen")


async def _take(scope: Scope, side: CarrierSide, intent: Intent, order: NumberOrder) -> None:
    """What an order's state means. Raises Waiting while it pends, Stalled when it is rejected."""
    number = order.number
    if order.state is OrderState.ACCEPTED:
        move = carrier_moves.arrived(scope, side, number, NumberState.ORDERING)
        await carrier_writing.confirm(scope, side, intent, move=move)
        side.runtime.touch(number)
        return
    if order.state is OrderState.REJECTED:
        reason = reason_of(order.obstacle)
        detail = words(order.detail, order.code)
        text = rejection(scope, reason, detail)
        undo = carrier_moves.undone(scope, side, number, NumberState.ORDERING, text)
        await carrier_writing.close(
            scope, side, intent, IntentState.REFUSED, undo=undo, detail=detail
        )
        await remember_refusal(scope, side, number, text)
        raise Stalled(reason, f"the carrier rejected the order of {number.masked}: {detail}")
    paper = order.obstacle is Obstacle.PAPERWORK
    said = words(order.detail, order.code)
    raise Waiting(
        Reason.PAPERWORK_PENDING if paper else Reason.ORDER_PENDING,
        f"the order of {number.masked} is with the carrier" + (f": {said}" if said else ""),
        after_seconds=look_seconds(scope, intent),
    )


async def _refused(
    scope: Scope, side: CarrierSide, number: E164, refused: CarrierRefused
) -> Verdict:
    """A plain no: nothing was bought."""
    if refused.obstacle is Obstacle.NUMBER_TAKEN:
        return await _sold(scope, side, number, words(str(refused), refused.code))
    reason = reason_of(refused.obstacle)
    detail = words(str(refused), refused.code)
    if refused.obstacle is Obstacle.BALANCE_TOO_LOW:
        side.runtime.request_listing()
        return Stalled(reason, f"{number.masked} was not bought: {detail}; top the account up")
    # So that the same order is not placed again and again: only another spec asks again.
    await remember_refusal(scope, side, number, rejection(scope, reason, detail))
    return Stalled(reason, f"the carrier refused the order of {number.masked}: {detail}")


async def remember_refusal(scope: Scope, side: CarrierSide, number: E164, text: str) -> None:
    """`text` as `rejection` makes it."""
    side.runtime.refusals[number] = text
    await carrier_memory.remember_refusal(
        side.runtime.mirror, number, text, now=scope.engine.clock.now()
    )


def check_not_lost(side: CarrierSide, number: E164) -> None:
    """Raises Stalled where the number was ours and has gone: whoever took it, or ported it away,
    had a reason, and nobody has asked for it to be bought once more.
    """
    if carrier_memory.was_had(side.runtime.mirror, number):
        raise Stalled(
            Reason.NUMBER_NOT_OWNED,
            f"Carrier {side.carrier.namespace}/{side.carrier.name} had {number.masked} for us and "
            "does not show it any more; it is not bought or ported again by itself: find out why, "
            "then state acquisition Owned and, once that is reported, what is to be done",
        )


def refuse_again(scope: Scope, side: CarrierSide, number: E164, row: NumberRow | None) -> None:
    """Raises Stalled while what was rejected has not been changed by anybody."""
    texts = (row.reason if row is not None else "", side.runtime.refusals.get(number, ""))
    for text in texts:
        key, _, rest = text.partition(" ")
        if key == _attempt(scope):
            reason, _, detail = rest.partition(": ")
            raise Stalled(
                reason,
                f"the carrier said no: {detail}. It is asked again when this object changes",
            )


def _attempt(scope: Scope) -> str:
    return f"rejected/{scope.cached.uid[:8]}/{scope.cached.generation}"


def rejection(scope: Scope, reason: Reason, detail: str) -> str:
    """A rejection as the register keeps it: which spec of which object, why, in whose words."""
    return f"{_attempt(scope)} {reason.value}: {detail}"


def check_buys(side: CarrierSide, number: E164) -> None:
    """Raises Stalled where the carrier's manifest does not allow to buy."""
    if not side.carrier.spec.purchasing.enabled:
        raise Stalled(
            Reason.PURCHASING_DISABLED,
            f"{number.masked} would cost money, and Carrier "
            f"{side.carrier.namespace}/{side.carrier.name} does not buy: spec.purchasing.enabled",
        )


def check_money(side: CarrierSide) -> None:
    """Raises Stalled where the account has nothing left to spend."""
    balance = side.runtime.balance
    if balance is not None and balance.spendable.amount_micros <= 0:
        raise Stalled(
            Reason.BALANCE_TOO_LOW,
            f"the account has {balance.spendable}; top it up, and the order follows",
        )


async def _offer_of(scope: Scope, side: CarrierSide, number: E164) -> NumberOffer:
    """Is the number on sale? Raises Stalled with what else is, when it is not."""
    offers = await _search(side, NumberSearch(prefix=number.text[1:], count=1))
    for offer in offers:
        if offer.number == number:
            return offer
    raise await _sold(scope, side, number, "")


async def _sold(scope: Scope, side: CarrierSide, number: E164, said: str) -> Stalled:
    prefix = number.text[1:-NEIGHBOUR_DIGITS]
    offers = await _search(side, NumberSearch(prefix=prefix, count=CANDIDATES))
    scope.status["candidates"] = [offer.number.text for offer in offers]
    others = f"{len(offers)} numbers near it are (status.candidates)" if offers else "nothing near"
    return Stalled(
        Reason.NUMBER_SOLD,
        f"{number.masked} is not on sale{': ' + said if said else ''}; {others}; declare another "
        "number",
    )


async def _search(side: CarrierSide, search: NumberSearch) -> tuple[NumberOffer, ...]:
    try:
        async with side.runtime.in_flight:
            return await side.runtime.guarded(side.runtime.provider.search(search))
    except CarrierRefused as refused:
        raise Stalled(Reason.UNSUPPORTED, str(refused)) from refused
    except ProviderError as error:
        raise Failed(Reason.PROVIDER_UNAVAILABLE, f"searching numbers: {error}") from error


def is_above_limit(side: CarrierSide, offer: NumberOffer, *, more: int = 0) -> bool:
    """Would this purchase, which counts among those on their way, go beyond what may be bought
    without asking? `more` are purchases that are not under way yet.
    """
    limit = side.carrier.spec.purchasing.limit
    if side.runtime.owned + side.runtime.on_its_way + more > limit.numbers:
        return True
    return bool(_dear(side, offer))


def _dear(side: CarrierSide, offer: NumberOffer) -> dict[str, str]:
    """The prices of an offer that are above what may be paid without asking."""
    limit = side.carrier.spec.purchasing.limit
    prices = {"setup": (offer.setup, limit.setup), "monthly": (offer.monthly, limit.monthly)}
    return {name: str(price) for name, (price, most) in prices.items() if _is_dearer(price, most)}


def _is_dearer(price: Price | None, most: str | None) -> bool:
    if price is None or most is None:
        return False
    return price.amount_micros > Price.from_decimal(most, price.currency).amount_micros


def wanted_route(carrier: Carrier, owner: NumberRange | PhoneNumber) -> TrunkRoute | None:
    """Where the carrier is to send calls of the owner's numbers; None: that is not ours to say,
    because no trunk is named or because somebody else than our SBC takes them.
    """
    if owner.spec.route in FOREIGN_ROUTES:
        return None
    trunk = carrier.spec.trunk
    return TrunkRoute(trunk.name, trunk.endpoints) if trunk is not None else None


def may_still_appear(scope: Scope, side: CarrierSide, intent: Intent) -> bool:
    """A purchase without an answer may still be carried out, or not be shown yet. Purchases get
    more time than other writes: waiting costs minutes, and a second one costs money.
    """
    settings = scope.engine.settings
    lag = side.runtime.provider.capabilities.read_after_write_lag_seconds
    seconds = max(settings.unknown_outcome_seconds, PURCHASE_WAIT_SECONDS, lag)
    if intent.epoch < side.runtime.mirror.epoch:
        seconds = max(seconds, settings.lease_seconds + settings.write_timeout_seconds)
    return scope.engine.clock.now() < intent.sent_at + timedelta(seconds=seconds)


def look_seconds(scope: Scope, intent: Intent) -> float:
    """Often at first, because many orders end within seconds; then for weeks, if need be."""
    age = (scope.engine.clock.now() - intent.sent_at).total_seconds()
    return FIRST_LOOK_SECONDS if age < FIRST_LOOKS_SECONDS else ORDER_LOOK_SECONDS


def words(detail: str, code: str) -> str:
    """The carrier's own words, with its code."""
    return f"{detail} ({code})" if code and code not in detail else detail or code


def show(side: CarrierSide, order: NumberOrder) -> None:
    """How far it has come: this pass, or the next one that reports, says so."""
    side.runtime.progress[order.number] = {
        "order": {
            "reference": order.reference,
            "state": order.state.value.capitalize(),
            "carrierId": order.order_id,
            "detail": order.detail,
            "code": order.code,
        }
    }
