"""Telnyx's number orders: no idempotency but the customer's own reference, which finds them."""

from __future__ import annotations

from callplane.simulators.carriers import ordering
from callplane.simulators.carriers.ordering import Terms
from callplane.simulators.carriers.routing import Call
from callplane.simulators.carriers.rows import NumberRow, Order, OrderedNumber, derive_guid
from callplane.simulators.exchange import Response
from callplane.simulators.telnyx import refusals
from callplane.simulators.telnyx.wire import data, paged, wanted
from callplane.simulators.telnyx.world import ENDINGS

_DEADLINE_SECONDS = 14 * 86_400.0


def create(call: Call) -> Response:
    """POST number_orders. The same reference twice is two orders."""
    body = call.body
    numbers = body.get("phone_numbers")
    if not isinstance(numbers, list) or not numbers:
        raise refusals.unprocessable("phone_numbers is required", "/phone_numbers")
    e164s = []
    on_sale = {row.e164 for row in call.world.on_sale(call.account)}
    for index, number in enumerate(numbers):
        e164 = number.get("phone_number") if isinstance(number, dict) else None
        if e164 not in on_sale:
            raise refusals.unprocessable(
                f"The number {e164} is not available.", f"/phone_numbers/{index}/phone_number"
            )
        e164s.append(str(e164))
    connection = body.get("connection_id")
    if connection is not None and not _has_connection(call, connection):
        raise refusals.unprocessable("connection_id is unknown", "/connection_id")
    rows = [_row(call, e164) for e164 in e164s]
    price = sum(row.setup_minor + row.monthly_minor for row in rows)
    if price > call.account.balance_minor:
        raise refusals.unprocessable(ordering.NO_MONEY)
    reference = str(body.get("customer_reference", ""))
    attributes = {"connection_id": connection, "customer_reference": reference or None}
    order = ordering.place(
        call.world,
        call.account,
        e164s,
        terms=Terms(reference, dict(body), {n: v for n, v in attributes.items() if v is not None}),
        strikes=call.strikes,
    )
    return data(_document(call, order))


def get(call: Call) -> Response:
    """GET number_orders/{id}: the truth about each number."""
    return data(_document(call, _order(call, call.names["id"])))


def find(call: Call) -> Response:
    """GET number_orders, by reference or status."""
    orders = [order for order in call.account.orders.values() if not order.is_lost]
    reference, status = wanted(call, "customer_reference"), wanted(call, "status")
    if reference is not None:
        orders = [order for order in orders if order.reference == reference]
    if status is not None:
        orders = [order for order in orders if _status(order) == status]
    return paged(call, orders, lambda order: _document(call, order, in_list=True))


def get_number(call: Call) -> Response:
    """GET number_order_phone_numbers/{id}, with its deadline."""
    for order in call.account.orders.values():
        for number in order.numbers:
            if number.id == call.names["id"]:
                return data(
                    _number(call, order, number)
                    | {
                        "country_code": "GB",
                        "locality": _row(call, number.e164).place,
                        "deadline": call.world.timestamp(_DEADLINE_SECONDS),
                        "is_block_number": False,
                        "order_request_id": order.id,
                        "sub_number_order_id": order.id,
                        "bundle_id": None,
                    }
                )
    raise refusals.not_found(call.names["id"])


def list_parts(call: Call) -> Response:
    """GET sub_number_orders."""
    orders = list(call.account.orders.values())
    return paged(call, orders, lambda order: _part(call, order))


def get_part(call: Call) -> Response:
    """GET sub_number_orders/{id}; each order has one part, of the same id."""
    return data(_part(call, _order(call, call.names["id"])))


def cancel(call: Call) -> Response:
    """PATCH sub_number_orders/{id}/cancel: pending only."""
    order = _order(call, call.names["id"])
    if not ordering.cancel(order):
        raise refusals.unprocessable("Only pending orders can be cancelled.")
    return data(_part(call, order))


def comments(call: Call) -> Response:
    """GET comments of one part of an order: why its documents were turned down.

    The cut of the vendor's description that tests use has no comments; their form is that of the
    vendor's SDK.
    """
    order = call.account.orders.get(wanted(call, "comment_record_id") or "")
    rows = [order] if order is not None and _failed_for_papers(order) else []
    return paged(call, rows, lambda order: _comment(call, order))


def _comment(call: Call, order: Order) -> dict[str, object]:
    return {
        "id": derive_guid("comment", order.id),
        "body": order.reason,
        "commenter": "Number provisioning",
        "commenter_type": "admin",
        "comment_record_type": "sub_number_order",
        "comment_record_id": order.id,
        "created_at": call.world.timestamp(),
        "updated_at": call.world.timestamp(),
        "read_at": None,
    }


def _order(call: Call, key: str) -> Order:
    order = call.account.orders.get(key)
    if order is None or order.is_lost:
        raise refusals.not_found(key)
    return order


def _has_connection(call: Call, key: object) -> bool:
    shelves = ("fqdn_connections", "ip_connections")
    return any(key in call.account.shelf(shelf) for shelf in shelves)


def _row(call: Call, e164: str) -> NumberRow:
    row = call.world.stock.get(e164)
    assert row is not None
    return row


def _status(status_of: Order | OrderedNumber) -> str:
    return ENDINGS.get(status_of.status, status_of.status)


def _requirements(order: Order) -> str:
    if order.waits_for_paperwork:
        return "requirement-info-under-review"
    if order.status == "canceled":
        return "cancelled"
    if _failed_for_papers(order):
        return "requirement-info-exception"
    return "approved"


def _failed_for_papers(order: Order) -> bool:
    """True when an order failed for its documents, not for a number that was gone."""
    return order.status == "failure" and order.fails_with is None and order.reason not in (
        "", ordering.TAKEN, ordering.NO_MONEY, ordering.TOO_MANY
    )  # fmt: skip


def _number(call: Call, order: Order, number: OrderedNumber) -> dict[str, object]:
    row = _row(call, number.e164)
    return {
        "id": number.id,
        "record_type": "number_order_phone_number",
        "phone_number": number.e164,
        "phone_number_type": row.kind,
        "country_code": row.country,
        "status": _status(number),
        "requirements_met": not order.waits_for_paperwork,
        "requirements_status": _requirements(order),
        "regulatory_requirements": [],
    }


def _document(call: Call, order: Order, *, in_list: bool = False) -> dict[str, object]:
    numbers: list[dict[str, object]] = [
        {"id": number.id, "phone_number": number.e164}
        if in_list
        else _number(call, order, number) | {"country_iso_alpha2": "GB"}
        for number in order.numbers
    ]
    terms = {
        name: order.terms[name]
        for name in ("connection_id", "billing_group_id", "messaging_profile_id")
        if order.terms.get(name) is not None
    }
    return {
        "id": order.id,
        "record_type": "number_order",
        "status": _status(order),
        "requirements_met": not order.waits_for_paperwork,
        "customer_reference": order.reference,
        "phone_numbers": numbers,
        "phone_numbers_count": len(numbers),
        "sub_number_orders_ids": [order.id],
        "created_at": order.created_at,
        "updated_at": order.created_at,
        **terms,
    }


def _part(call: Call, order: Order) -> dict[str, object]:
    return {
        "id": order.id,
        "record_type": "sub_number_order",
        "order_request_id": order.id,
        "country_code": "GB",
        "phone_number_type": _row(call, order.numbers[0].e164).kind,
        "phone_numbers_count": len(order.numbers),
        "requirements_met": not order.waits_for_paperwork,
        "regulatory_requirements": [],
        "is_block_sub_number_order": False,
        "status": _status(order),
        "customer_reference": order.reference,
        "created_at": order.created_at,
        "updated_at": order.created_at,
    }
