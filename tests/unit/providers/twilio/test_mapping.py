"""Twilio's words and ours."""

from __future__ import annotations

from typing import Any

import pytest

from callplane.providers.carrier_protocol import CarrierRefused
from callplane.providers.twilio import mapping
from callplane.resources.carriers import (
    NOT_SHOWN,
    CarrierNumberState,
    NumberKind,
    Price,
    TrunkRoute,
)
from callplane.values import E164

NUMBER = E164("+442079460001")
TRUNK = "TK" + "a" * 32


def row(**fields: Any) -> dict[str, Any]:
    return {"phone_number": NUMBER.text, "status": "in-use", **fields}


@pytest.mark.parametrize(
    ("name", "is_free"),
    [
        ("", True),
        ("+442079460001", True),
        ("(020) 7946 0001", True),
        ("+44 20 7946 0001", True),
        ("cp-6f1c2a9b7d3e", True),
        ("Reception", False),
        ("0001", False),
        ("Floor 2079460001", False),
        ("020 7946 0002", False),
    ],
)
def test_only_a_name_that_is_nobodys_is_changed(name: str, is_free: bool) -> None:
    assert mapping.may_rename(NUMBER, name) is is_free


@pytest.mark.parametrize(
    ("name", "marker"), [("cp-1", "cp-1"), ("+442079460001", ""), ("Reception", NOT_SHOWN)]
)
def test_a_mark_is_read_from_the_name(name: str, marker: object) -> None:
    assert mapping.listed(row(friendly_name=name)).marker == marker


@pytest.mark.parametrize(
    ("fields", "route"),
    [
        ({}, None),
        ({"trunk_sid": TRUNK, "voice_url": "https://example.com"}, TrunkRoute(trunk=TRUNK)),
        ({"voice_url": "https://example.com/?key=s3cret"}, TrunkRoute(foreign="to a web address")),
        ({"voice_application_sid": "AP1"}, TrunkRoute(foreign="to an application")),
    ],
)
def test_a_route_is_read_and_no_address_shown(
    fields: dict[str, Any], route: TrunkRoute | None
) -> None:
    assert mapping.listed(row(**fields)).route == route


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("in-use", CarrierNumberState.ACTIVE),
        ("pending-registration", CarrierNumberState.PENDING),
        ("frobnicated", CarrierNumberState.UNKNOWN),
    ],
)
def test_a_state_that_is_not_known_is_not_ready(status: str, state: CarrierNumberState) -> None:
    shown = mapping.listed(row(status=status))
    assert (shown.state, shown.state_text) == (state, status)


def test_papers_that_are_named_for_us_go_first() -> None:
    rows = [{"sid": "1", "friendly_name": "Old"}, {"sid": "3", "friendly_name": "Callplane GB"}]
    assert mapping.preferred([*rows, {"sid": "2"}]) == "3"
    assert mapping.preferred([{"sid": "2"}, {"sid": "1"}]) == "1"
    assert mapping.preferred([]) == ""


def test_a_price_is_that_of_the_kind() -> None:
    rows = [
        {"number_type": "local", "current_price": "1.15"},
        {"number_type": "toll free", "current_price": "?"},
    ]
    document = {"price_unit": "gbp", "phone_number_prices": rows}
    assert mapping.monthly_price(document, NumberKind.LOCAL) == Price(1_150_000, "GBP")
    assert mapping.monthly_price(document, NumberKind.TOLL_FREE) is None
    assert mapping.monthly_price(document, NumberKind.MOBILE) is None
    assert mapping.monthly_price({}, NumberKind.LOCAL) is None


@pytest.mark.parametrize("trunk", ["", "sbc", "TK1", TRUNK.upper()])
def test_a_route_without_a_trunk_is_refused(trunk: str) -> None:
    with pytest.raises(CarrierRefused, match="TK"):
        mapping.canonical_route(TrunkRoute(trunk=trunk))
