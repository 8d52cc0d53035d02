"""Orders that take their time: accepted, pending, waiting for paperwork, ended well or badly.

For the carriers whose orders pend (Telnyx, DIDWW).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from callplane.simulators.carriers.rows import SOMEBODY_ELSE, Order, OrderedNumber
from callplane.simulators.carriers.world import (
    PORTAL,
    Account,
    CarrierWorld,
    NotEnoughMoney,
    NotForSale,
    TooManyNumbers,
)
from callplane.simulators.faults import Effect, FaultRule

TAKEN = "The number is no longer available."
NO_MONEY = "The account balance is not sufficient."
TOO_MANY = "The account may not own more numbers."


@dataclass(frozen=True, slots=True)
class Terms:
    """What an order says besides its numbers: the customer's reference, and what to set on them."""

    reference: str
    terms: Mapping[str, object]
    attributes: Mapping[str, object]


def place(
    world: CarrierWorld,
    account: Account,
    numbers: Sequence[str],
    *,
    terms: Terms,
    strikes: Sequence[FaultRule],
) -> Order:
    """Accept an order; what will become of it is settled by the strikes on the request."""
    order = Order(
        id=world.new_guid("order"),
        account=account.id,
        numbers=[OrderedNumber(world.new_guid("ordered"), e164) for e164 in numbers],
        reference=terms.reference,
        created_at=world.timestamp(),
        terms={**terms.terms, "attributes": dict(terms.attributes)},
        waits_for_paperwork=world.settings.needs_paperwork,
    )
    seconds = world.settings.order_seconds
    for rule in strikes:
        if rule.effect is Effect.ORDER_FAILS:
            order.fails_with = rule.message
        elif rule.effect is Effect.ORDER_PARTIAL:
            order.numbers[-1].reason = rule.message
        elif rule.effect is Effect.ORDER_LOST:
            order.is_lost = True
        elif rule.effect is Effect.ORDER_SLOW:
            seconds = rule.seconds
    account.orders[order.id] = order
    if order.waits_for_paperwork:
        return order
    if seconds <= 0:
        finish(world, order, by=account.id)
    else:
        world.later(world.now() + seconds, lambda _: finish(world, order, by=account.id))
    return order


def finish(world: CarrierWorld, order: Order, *, by: str) -> None:
    """End a pending order: each number is sold, or fails with a reason of its own."""
    if order.status != "pending":
        return
    account = world.account(order.account)
    attributes = order.terms["attributes"]
    assert isinstance(attributes, Mapping)
    for number in order.numbers:
        reason = order.fails_with or number.reason
        if not reason:
            try:
                world.acquire(number.e164, account, by=by, attributes=attributes, for_order=True)
            except NotForSale:
                reason = TAKEN
            except NotEnoughMoney:
                reason = NO_MONEY
            except TooManyNumbers:
                reason = TOO_MANY
        number.status = "failure" if reason else "success"
        number.reason = reason
    ended = {number.status for number in order.numbers}
    order.status = "failure" if ended == {"failure"} else "success"
    order.reason = order.fails_with or next((n.reason for n in order.numbers if n.reason), "")
    order.waits_for_paperwork = False


def reject(order: Order, reason: str) -> None:
    """Turn an order's paperwork down."""
    if order.status != "pending":
        raise ValueError(f"order {order.id} is {order.status}")
    order.status, order.reason, order.waits_for_paperwork = "failure", reason, False
    for number in order.numbers:
        number.status, number.reason = "failure", reason


def cancel(order: Order) -> bool:
    """Withdraw a pending order. False when it has ended."""
    if order.status != "pending":
        return False
    order.status = "canceled"
    for number in order.numbers:
        number.status = "canceled"
    return True


def sell_to_somebody_else(world: CarrierWorld, e164: str) -> None:
    """Another customer buys the number."""
    row = world.stock.get(e164)
    if row is not None and row.owner is None:
        world.put(dataclasses.replace(row, owner=SOMEBODY_ELSE), by=PORTAL)
