"""DIDWW's words and ours."""

from __future__ import annotations

from typing import Any

import pytest

from callplane.providers.carrier_protocol import CarrierRefused
from callplane.providers.didww import mapping
from callplane.resources.carriers import (
    NOT_SHOWN,
    CarrierNumberState,
    OrderRequest,
    OrderState,
    Price,
    TrunkRoute,
)
from callplane.values import E164

NUMBER = E164("+442079460001")
TRUNK = "0f1e2d3c-0000-4000-8000-000000000001"


def did(relationships: dict[str, Any] | None = None, **attributes: Any) -> dict[str, Any]:
    shown = {"number": NUMBER.text[1:], **attributes}
    return {"id": "d-1", "attributes": shown, "relationships": relationships or {}}


@pytest.mark.parametrize(
    ("attributes", "state"),
    [
        ({}, CarrierNumberState.ACTIVE),
        ({"blocked": True, "awaiting_registration": True}, CarrierNumberState.BLOCKED),
        ({"awaiting_registration": True}, CarrierNumberState.PENDING),
        ({"billing_cycles_count": 1}, CarrierNumberState.LEAVING),
        ({"billing_cycles_count": None}, CarrierNumberState.ACTIVE),
    ],
)
def test_a_state_is_put_together(attributes: dict[str, Any], state: CarrierNumberState) -> None:
    assert mapping.listed(did(**attributes)).state is state


def test_a_trunk_that_was_not_included_is_not_shown() -> None:
    """Without its data a relationship is a link, which is no sign that there is no trunk."""
    links = {"voice_in_trunk": {"links": {}}, "voice_in_trunk_group": {"links": {}}}
    assert mapping.listed(did(links)).route is NOT_SHOWN
    none = {"voice_in_trunk": {"data": None}, "voice_in_trunk_group": {"data": None}}
    assert mapping.listed(did(none)).route is None
    one = none | {"voice_in_trunk": {"data": {"type": "voice_in_trunks", "id": TRUNK}}}
    assert mapping.listed(did(one)).route == TrunkRoute(trunk=TRUNK)


@pytest.mark.parametrize(
    ("description", "marker"), [(None, ""), ("cp-1", "cp-1"), ("Reception", NOT_SHOWN)]
)
def test_a_mark_is_read_from_the_description(description: str | None, marker: object) -> None:
    assert mapping.listed(did(description=description)).marker == marker


@pytest.mark.parametrize(
    ("status", "description", "state", "detail"),
    [
        ("pending", "DID", OrderState.PENDING, ""),
        ("completed", "DID", OrderState.ACCEPTED, ""),
        ("canceled", "DID", OrderState.REJECTED, ""),
        ("canceled", "Out of stock", OrderState.REJECTED, "Out of stock"),
        ("asleep", "DID", OrderState.PENDING, "asleep"),
    ],
)
def test_an_order_is_read_by_its_status(
    status: str, description: str, state: OrderState, detail: str
) -> None:
    row = {"id": "o-1", "attributes": {"status": status, "description": description}}
    order = mapping.order(OrderRequest("cp-1", NUMBER), row)
    assert (order.state, order.detail) == (state, detail)


def test_the_cheapest_way_to_buy_is_offered() -> None:
    def sku(key: str, monthly: str) -> dict[str, Any]:
        prices = {"setup_price": "1.0", "monthly_price": monthly}
        return {"id": key, "type": "stock_keeping_units", "attributes": prices}

    included = [sku("dear", "9.0"), sku("cheap", "2.5"), {"id": "c", "type": "countries"}]
    chosen = mapping.cheapest({"included": included})
    assert mapping.cheapest({}) is None
    offer = mapping.offer(did() | {"id": "a-1"}, chosen)
    assert offer.offer == "a-1/cheap"
    assert (offer.setup, offer.monthly) == (Price(1_000_000, "USD"), Price(2_500_000, "USD"))


def test_only_refusals_of_this_number_are_told() -> None:
    def refusal(day: str, reason: object, key: str) -> dict[str, Any]:
        shown = {"created_at": day, "reject_reasons": reason, "reject_comment": None}
        return {"attributes": shown, "relationships": {"dids": {"data": [{"id": key}]}}}

    rows = [
        refusal("2026-01-01", ["Too old"], "d-1"),
        refusal("2026-01-02", ["Unreadable", "Cut off"], "d-1"),
        refusal("2026-01-03", ["Somebody else's"], "d-2"),
    ]
    assert mapping.why_rejected(rows, "d-1") == "Unreadable; Cut off"
    assert mapping.why_rejected([refusal("2026-01-01", "One sentence", "d-1")], "d-1") == (
        "One sentence"
    )
    assert mapping.why_rejected(rows, "d-3") == ""


@pytest.mark.parametrize("trunk", ["", "sbc", f"trunk:{TRUNK}", TRUNK[:-1]])
def test_a_route_without_a_trunk_is_refused(trunk: str) -> None:
    with pytest.raises(CarrierRefused, match="inbound trunk"):
        mapping.canonical_route(TrunkRoute(trunk=trunk))
