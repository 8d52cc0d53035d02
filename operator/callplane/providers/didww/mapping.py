"""Between our nouns and DIDWW's documents. Pure.

A number has no field for a mark of ours but its description, which people use too: it is ours when
it begins as ours do, and free for us when it is empty. Source: DIDWW's public documentation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from callplane.errors import scrub
from callplane.providers.carrier_protocol import CarrierRefused
from callplane.resources.carriers import (
    NOT_SHOWN,
    CarrierNumberState,
    NotShown,
    NumberOffer,
    NumberOnCarrier,
    NumberOrder,
    Obstacle,
    OrderRequest,
    OrderState,
    Price,
    TrunkRoute,
)
from callplane.values import E164

CURRENCY: Final = "USD"
MARKS: Final = "cp-"
GROUP: Final = "group:"
INCLUDED: Final = {"include": "voice_in_trunk,voice_in_trunk_group"}
"""What a read of numbers must ask for: without it their trunks are links and no ids."""

_TRUNK = re.compile(r"(group:)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ORDERS: Mapping[str, OrderState] = {
    "pending": OrderState.PENDING,
    "completed": OrderState.ACCEPTED,
    "canceled": OrderState.REJECTED,
}
_PLAIN_DESCRIPTION: Final = "DID"


def attributes(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The attributes of a resource."""
    found = row.get("attributes")
    return found if isinstance(found, Mapping) else {}


def link(row: Mapping[str, Any], name: str) -> Mapping[str, Any] | NotShown | None:
    """What a relationship to one thing says; NOT_SHOWN where it holds no data."""
    relationships = row.get("relationships")
    found = relationships.get(name) if isinstance(relationships, Mapping) else None
    if not isinstance(found, Mapping) or "data" not in found:
        return NOT_SHOWN
    data = found["data"]
    return data if isinstance(data, Mapping) else None


def linked_ids(row: Mapping[str, Any], name: str) -> frozenset[str]:
    """The ids in a relationship to many things."""
    relationships = row.get("relationships")
    found = relationships.get(name) if isinstance(relationships, Mapping) else None
    data = found.get("data") if isinstance(found, Mapping) else None
    rows = data if isinstance(data, list) else []
    return frozenset(str(each.get("id")) for each in rows if isinstance(each, Mapping))


# Numbers


def number_of(row: Mapping[str, Any]) -> E164:
    """Raises ValueError or KeyError."""
    return E164.from_provider(str(attributes(row)["number"]))


def is_ours(row: Mapping[str, Any]) -> bool:
    """A terminated number stays visible to the account that had it."""
    return attributes(row).get("terminated") is not True


def listed(row: Mapping[str, Any]) -> NumberOnCarrier:
    """An owned number. Raises ValueError or KeyError."""
    shown = attributes(row)
    state, text = _state(shown)
    address: NotShown | None = NOT_SHOWN if shown.get("emergency_enabled") else None
    return NumberOnCarrier(
        number_of(row),
        state,
        state_text=text,
        route=_route_of(row),
        emergency_address=address,
        deletion_locked=False,
        marker=_marker(str(shown.get("description") or "")),
    )


def _state(shown: Mapping[str, Any]) -> tuple[CarrierNumberState, str]:
    if shown.get("blocked"):
        return CarrierNumberState.BLOCKED, "blocked"
    if shown.get("awaiting_registration"):
        return CarrierNumberState.PENDING, "awaiting registration"
    if isinstance(shown.get("billing_cycles_count"), int):
        return CarrierNumberState.LEAVING, "ends with its billing cycles"
    return CarrierNumberState.ACTIVE, ""


def _marker(description: str) -> str | NotShown:
    return description if may_describe(description) else NOT_SHOWN


def may_describe(description: str) -> bool:
    """Whether a description is nobody's: empty or ours."""
    return not description or description.startswith(MARKS)


def offer(row: Mapping[str, Any], sku: Mapping[str, Any] | None) -> NumberOffer:
    """A number on sale, with the handle that buys it. Raises ValueError or KeyError."""
    number = number_of(row)
    if sku is None:
        return NumberOffer(number)
    prices = attributes(sku)
    return NumberOffer(
        number,
        setup=_price(prices.get("setup_price")),
        monthly=_price(prices.get("monthly_price")),
        offer=f"{row['id']}/{sku['id']}",
    )


def _price(text: object) -> Price | None:
    return Price.from_decimal(str(text), CURRENCY) if text is not None else None


def cheapest(document: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Of the ways to buy that a group includes, the one with the lowest monthly price."""
    included = document.get("included")
    rows = included if isinstance(included, list) else []
    skus = [row for row in rows if row.get("type") == "stock_keeping_units"]

    def monthly(row: Mapping[str, Any]) -> tuple[int, str]:
        price = _price(attributes(row).get("monthly_price"))
        return (price.amount_micros if price is not None else 0, str(row.get("id")))

    return min(skus, key=monthly, default=None)


# Routes


def canonical_route(route: TrunkRoute) -> TrunkRoute:
    """A number rings on a trunk or a group of trunks, by id; addresses belong to the trunk. Raises
    CarrierRefused.
    """
    if route.foreign or not _TRUNK.fullmatch(route.trunk):
        raise CarrierRefused(
            Obstacle.TRUNK_UNKNOWN,
            "DIDWW rings a number on a trunk: state trunk.name as the id of an inbound trunk, or "
            "as group: and the id of a group of them",
        )
    return TrunkRoute(trunk=route.trunk)


def _route_of(row: Mapping[str, Any]) -> TrunkRoute | NotShown | None:
    trunk, group = link(row, "voice_in_trunk"), link(row, "voice_in_trunk_group")
    if isinstance(trunk, Mapping):
        return TrunkRoute(trunk=str(trunk.get("id")))
    if isinstance(group, Mapping):
        return TrunkRoute(trunk=f"{GROUP}{group.get('id')}")
    return NOT_SHOWN if NOT_SHOWN in (trunk, group) else None


def route_links(route: TrunkRoute) -> dict[str, Any]:
    """The relationship to set; setting one ends the other."""
    if route.trunk.startswith(GROUP):
        key = route.trunk.removeprefix(GROUP)
        return {"voice_in_trunk_group": {"data": {"type": "voice_in_trunk_groups", "id": key}}}
    return {"voice_in_trunk": {"data": {"type": "voice_in_trunks", "id": route.trunk}}}


# Orders


def order_resource(request: OrderRequest, available: str, sku: str) -> dict[str, Any]:
    """An order for one number that is on sale."""
    terms = {"sku_id": sku, "available_did_id": available}
    return {
        "type": "orders",
        "attributes": {
            "allow_back_ordering": False,
            "external_reference_id": request.reference,
            "items": [{"type": "did_order_items", "attributes": terms}],
        },
    }


def order(request: OrderRequest, row: Mapping[str, Any]) -> NumberOrder:
    """An order by its own status. A status that we do not know is pending."""
    shown = attributes(row)
    status = str(shown.get("status") or "")
    state = _ORDERS.get(status, OrderState.PENDING)
    detail = "" if status in _ORDERS else status
    if state is OrderState.REJECTED:
        description = str(shown.get("description") or "")
        detail = "" if description == _PLAIN_DESCRIPTION else description
    return NumberOrder(
        request.reference,
        request.number,
        state,
        order_id=str(row.get("id") or ""),
        detail=scrub(detail),
        obstacle=Obstacle.OTHER if state is OrderState.REJECTED else None,
    )


def why_rejected(rows: Sequence[Mapping[str, Any]], did: str) -> str:
    """What was wrong with the papers of a number, as the newest refusal says."""
    concerned = [row for row in rows if did in linked_ids(row, "dids")]
    newest = max(concerned, key=lambda row: str(attributes(row).get("created_at")), default={})
    shown = attributes(newest)
    reasons = shown.get("reject_reasons")
    said = reasons if isinstance(reasons, list) else [reasons]
    return "; ".join(str(each) for each in (*said, shown.get("reject_comment")) if each)
