"""DIDWW's way to a number: groups, numbers on sale, reservations, orders."""

from __future__ import annotations

from typing import Any

from callplane.simulators.carriers import ordering
from callplane.simulators.carriers.ordering import Terms
from callplane.simulators.carriers.routing import Call
from callplane.simulators.carriers.rows import NumberRow, Order, decimal_text, derive_guid
from callplane.simulators.didww.wire import (
    answer,
    attributes_of,
    not_found,
    paged,
    refused,
    related,
    resource,
)
from callplane.simulators.didww.world import STATUS, available_id, group_id, sku_id
from callplane.simulators.exchange import Response

_ORDER_ITEMS = "/data/attributes/items"


def balance(call: Call) -> Response:
    """GET balance."""
    text = decimal_text(call.account.balance_minor)
    attributes = {"total_balance": text, "balance": text, "credit": "0.00"}
    return answer(resource("balances", derive_guid(call.account.id), attributes))


def countries(call: Call) -> Response:
    """GET countries."""
    codes = sorted({row.country for row in call.world.on_sale()})
    return paged(call, codes, lambda code: resource("countries", derive_guid(code), {"iso": code}))


def groups(call: Call) -> Response:
    """GET did_groups, their SKUs included."""
    rows = {group_id(row): row for row in call.world.on_sale(call.account)}
    included = [_sku(row) for _, row in sorted(rows.items())]
    return answer(_groups(rows), included=included)


def group(call: Call) -> Response:
    """GET did_groups/{id}, its SKU included; a group stays when all of it is sold."""
    rows = {group_id(row): row for row in call.world.stock.rows()}
    row = rows.get(call.names["id"])
    if row is None:
        raise not_found()
    return answer(_groups({group_id(row): row})[0], included=[_sku(row)])


def _groups(rows: dict[str, NumberRow]) -> list[dict[str, object]]:
    shown = [
        resource(
            "did_groups",
            key,
            {
                "area_name": row.place,
                "prefix": row.e164[3:5],
                "features": ["voice"],
                "is_metered": False,
                "allow_additional_channels": True,
            },
            {
                "country": ("countries", derive_guid(row.country)),
                "stock_keeping_units": ("stock_keeping_units", sku_id(row)),
            },
        )
        for key, row in sorted(rows.items())
    ]
    for each in shown:
        # The only relationship to many of them.
        relationships = each["relationships"]
        assert isinstance(relationships, dict)
        only = relationships["stock_keeping_units"]["data"]
        relationships["stock_keeping_units"] = {"data": [only]}
    return shown


def available(call: Call) -> Response:
    """GET available_dids: neither paged nor sorted, and shut unless the account asked for it."""
    query = call.request.query
    if any(name.startswith("page[") or name == "sort" for name in query):
        raise refused("Paging and sorting are not allowed", status=400)
    if call.world.settings.search_is_shut:
        raise refused("Access to the resource is forbidden", status=403)
    rows = [
        row
        for row in call.world.on_sale(call.account)
        if query.get("filter[did_group.id]", group_id(row)) == group_id(row)
        and query.get("filter[number_contains]", "") in row.e164
    ]
    return answer([_available(row) for row in rows])


def reserve(call: Call) -> Response:
    """POST did_reservations."""
    link = related(call.body, "available_did")
    row = _on_sale(call).get(link["id"]) if isinstance(link, dict) else None
    if row is None:
        raise refused("available_did - can't be blank", "/data/relationships/available_did")
    world = call.world
    key = world.new_guid("reservation")
    call.account.shelf("reservations")[key] = {
        "e164": row.e164,
        "expires": world.now() + world.settings.reservation_seconds,
        "created_at": world.timestamp(),
        "expires_at": world.timestamp(world.settings.reservation_seconds),
        "description": attributes_of(call.body).get("description"),
    }
    return answer(_reservation(call, key), status=201)


def get_reservation(call: Call) -> Response:
    """GET did_reservations/{id}."""
    return answer(_reservation(call, call.names["id"]))


def delete_reservation(call: Call) -> Response:
    """DELETE did_reservations/{id}; a missing one is silently fine."""
    call.account.shelf("reservations").pop(call.names["id"], None)
    return Response(204)


def create(call: Call) -> Response:
    """POST orders. The same external reference twice is two orders."""
    attributes = attributes_of(call.body)
    items = attributes.get("items")
    if not isinstance(items, list) or not items:
        raise refused("items - can't be blank", _ORDER_ITEMS)
    on_sale = _on_sale(call)
    numbers: list[str] = []
    for item in items:
        terms = item.get("attributes", {}) if isinstance(item, dict) else {}
        numbers += _wanted(call, terms, on_sale, numbers)
    if len(set(numbers)) != len(numbers):
        raise refused("items - the same number twice", _ORDER_ITEMS)
    # Papers concern the number, which is sold all the same and awaits its registration.
    awaits = {"awaiting_registration": True} if call.world.settings.needs_paperwork else {}
    order = ordering.place(
        call.world,
        call.account,
        numbers,
        terms=Terms(str(attributes.get("external_reference_id") or ""), {}, awaits),
        strikes=call.strikes,
    )
    if order.waits_for_paperwork:
        ordering.finish(call.world, order, by=call.account.id)
    return answer(_order(call, order), status=201)


def get(call: Call) -> Response:
    """GET orders/{id}."""
    return answer(_order(call, _found(call)))


def find(call: Call) -> Response:
    """GET orders, by external reference or status."""
    orders = [order for order in call.account.orders.values() if not order.is_lost]
    query = call.request.query
    if (reference := query.get("filter[external_reference_id]")) is not None:
        orders = [order for order in orders if order.reference == reference]
    if (status := query.get("filter[status]")) is not None:
        orders = [order for order in orders if STATUS.get(order.status, order.status) == status]
    return paged(call, orders, lambda order: _order(call, order))


def cancel(call: Call) -> Response:
    """DELETE orders/{id}: pending only."""
    if not ordering.cancel(_found(call)):
        raise refused("Only pending orders can be canceled")
    return Response(204)


def _wanted(
    call: Call, terms: dict[str, Any], on_sale: dict[str, NumberRow], before: list[str]
) -> list[str]:
    """The numbers one item of an order asks for."""
    sku, qty = terms.get("sku_id"), terms.get("qty")
    if sku not in {sku_id(row) for row in call.world.stock.rows()}:
        raise refused("sku_id - is invalid", f"{_ORDER_ITEMS}/sku_id")
    if (key := terms.get("available_did_id")) is not None:
        if key not in on_sale:
            raise refused("available_did - is not available", f"{_ORDER_ITEMS}/available_did_id")
        return [on_sale[key].e164]
    if (key := terms.get("did_reservation_id")) is not None:
        reservation = call.account.shelf("reservations").get(key)
        expires = reservation["expires"] if reservation is not None else 0.0
        assert isinstance(expires, float)
        if reservation is None or expires <= call.world.now():
            raise refused("did_reservation - has expired", f"{_ORDER_ITEMS}/did_reservation_id")
        return [str(reservation["e164"])]
    free = [row.e164 for row in on_sale.values() if sku_id(row) == sku and row.e164 not in before]
    if type(qty) is not int or not 1 <= qty <= len(free):
        raise refused("qty - is invalid", f"{_ORDER_ITEMS}/qty")
    return free[:qty]


def _on_sale(call: Call) -> dict[str, NumberRow]:
    return {available_id(row): row for row in call.world.on_sale(call.account)}


def _found(call: Call) -> Order:
    order = call.account.orders.get(call.names["id"])
    if order is None or order.is_lost:
        raise not_found()
    return order


def _sku(row: NumberRow) -> dict[str, object]:
    prices = {
        "setup_price": decimal_text(row.setup_minor),
        "monthly_price": decimal_text(row.monthly_minor),
        "channels_included_count": 2,
    }
    return resource("stock_keeping_units", sku_id(row), prices)


def _available(row: NumberRow) -> dict[str, object]:
    return resource(
        "available_dids",
        available_id(row),
        {"number": row.e164[1:]},
        {"did_group": ("did_groups", group_id(row))},
    )


def _reservation(call: Call, key: str) -> dict[str, object]:
    reservation = call.account.shelf("reservations").get(key)
    if reservation is None:
        raise not_found()
    row = call.world.stock.get(str(reservation["e164"]))
    assert row is not None
    shown = {name: reservation[name] for name in ("description", "created_at", "expires_at")}
    link = ("available_dids", available_id(row))
    return resource("did_reservations", key, shown, {"available_did": link})


def _order(call: Call, order: Order) -> dict[str, object]:
    items = []
    total = 0
    for number in order.numbers:
        row = call.world.stock.get(number.e164)
        assert row is not None
        total += row.setup_minor + row.monthly_minor
        prices = {
            "qty": 1,
            "nrc": decimal_text(row.setup_minor),
            "mrc": decimal_text(row.monthly_minor),
            "prorated_mrc": False,
            "sku_id": sku_id(row),
            "did_group_id": group_id(row),
        }
        items.append({"type": "did_order_items", "attributes": prices})
    return resource(
        "orders",
        order.id,
        {
            "reference": order.id[:8].upper(),
            "external_reference_id": order.reference or None,
            "amount": decimal_text(total),
            "status": STATUS.get(order.status, order.status),
            "description": order.reason or "DID",
            "created_at": order.created_at,
            "items": items,
        },
    )


def first_number(call: Call) -> str:
    """The number on sale that an order names first, empty when it names none."""
    data = call.body.get("data")
    items = data.get("attributes", {}).get("items") if isinstance(data, dict) else None
    first = items[0] if isinstance(items, list) and items else None
    terms = first.get("attributes", {}) if isinstance(first, dict) else {}
    row = _on_sale(call).get(str(terms.get("available_did_id")))
    return row.e164 if row is not None else ""
