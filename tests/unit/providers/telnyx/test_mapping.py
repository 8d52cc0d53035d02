"""Telnyx's words and ours."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from callplane.providers.carrier_protocol import CarrierRefused
from callplane.providers.telnyx import mapping
from callplane.resources.carriers import (
    NOT_SHOWN,
    Obstacle,
    OrderRequest,
    OrderState,
    PortRequest,
    PortState,
    TrunkRoute,
)
from callplane.values import E164

NUMBER = E164("+442079460001")
REQUEST = OrderRequest("cp-1", NUMBER)


def order_row(status: str, papers: str = "approved") -> dict[str, Any]:
    number = {"phone_number": NUMBER.text, "status": status, "requirements_status": papers}
    return {"id": "o-1", "status": status, "phone_numbers": [number]}


@pytest.mark.parametrize(
    ("status", "papers", "state", "obstacle"),
    [
        ("pending", "approved", OrderState.PENDING, None),
        ("pending", "requirement-info-pending", OrderState.PENDING, Obstacle.PAPERWORK),
        ("pending", "requirement-info-exception", OrderState.PENDING, Obstacle.PAPERWORK),
        ("success", "approved", OrderState.ACCEPTED, None),
        ("success", "requirement-info-under-review", OrderState.ACCEPTED, None),
        ("failure", "approved", OrderState.REJECTED, Obstacle.OTHER),
        ("failure", "requirement-info-exception", OrderState.REJECTED, Obstacle.PAPERWORK),
        ("on-holiday", "approved", OrderState.PENDING, None),
    ],
)
def test_an_order_is_read_by_its_number(
    status: str, papers: str, state: OrderState, obstacle: Obstacle | None
) -> None:
    order = mapping.order(REQUEST, order_row(status, papers))
    assert (order.state, order.obstacle, order.order_id) == (state, obstacle, "o-1")
    assert ("on-holiday" in order.detail) == (status == "on-holiday")


def test_the_number_decides_where_the_order_says_otherwise() -> None:
    """An order of several succeeds as a whole when one of its numbers does."""
    row = order_row("failure") | {"status": "success"}
    assert mapping.order(REQUEST, row).state is OrderState.REJECTED


def test_what_the_staff_wrote_last_is_told_without_numbers() -> None:
    rows = [
        {"body": "Too old.", "commenter_type": "admin", "created_at": "2026-01-02"},
        {"body": "Wrong, for 442079460001.", "commenter_type": "admin", "created_at": "2026-01-03"},
        {"body": "Is this better?", "commenter_type": "user", "created_at": "2026-01-04"},
    ]
    comment = mapping.newest_comment(rows)
    order = mapping.order(REQUEST, order_row("failure", mapping.PAPERS_REFUSED), comment=comment)
    assert order.detail.startswith("Wrong")
    assert NUMBER.text[1:] not in order.detail
    assert mapping.newest_comment([]) == ""


@pytest.mark.parametrize(
    ("value", "state"),
    [
        ("draft", PortState.CORRECTABLE),
        ("in-process", PortState.PENDING),
        ("foc-date-confirmed", PortState.DATED),
        ("ported", PortState.DONE),
        ("cancelled", PortState.CANCELLED),
        ("adrift", PortState.PENDING),
    ],
)
def test_a_port_is_read_by_its_status(value: str, state: PortState) -> None:
    row = {
        "id": "p-1",
        "status": {"value": value, "details": []},
        "activation_settings": {"foc_datetime_requested": "2026-04-02T09:00:00Z"},
    }
    port = mapping.port(PortRequest("cp-1", NUMBER), row)
    assert (port.state, port.port_id, port.due_on) == (state, "p-1", datetime.date(2026, 4, 2))


def test_a_number_that_cannot_be_ported_is_told_from_wrong_details() -> None:
    details = [{"code": "PHONE_NUMBER_NOT_PORTABLE", "description": "No."}]
    row = {"id": "p-1", "status": {"value": "exception", "details": details}}
    assert mapping.port(PortRequest("cp-1", NUMBER), row).obstacle is Obstacle.NOT_PORTABLE


def test_what_a_row_does_not_show_is_not_guessed() -> None:
    row = mapping.listed({"phone_number": NUMBER.text, "status": "active"})
    assert (row.deletion_locked, row.route, row.marker) == (NOT_SHOWN, None, "")
    with_address = mapping.listed({"phone_number": NUMBER.text, "emergency_address_id": "1"})
    assert with_address.emergency_address is NOT_SHOWN


@pytest.mark.parametrize(
    "route", [TrunkRoute(), TrunkRoute(trunk="sbc"), TrunkRoute(endpoints=("sbc.example.com",))]
)
def test_a_route_without_a_connection_is_refused(route: TrunkRoute) -> None:
    with pytest.raises(CarrierRefused, match="connection"):
        mapping.canonical_route(route)
