"""Simwood's documents and our nouns, in both directions."""

from __future__ import annotations

import dataclasses
import datetime

import pytest

from callplane.providers.carrier_protocol import CarrierRefused
from callplane.providers.simwood import mapping
from callplane.resources.carriers import (
    NOT_SHOWN,
    EmergencyAddress,
    Obstacle,
    PortRequest,
    PortState,
    Price,
    TrunkRoute,
)
from callplane.values import E164

NUMBER = E164("+442079460123")
ROUTE = TrunkRoute("930000-L001", ("%e164@sbc1.example.com", "%e164@sbc2.example.com"))
ADDRESS = EmergencyAddress(
    organisation="Example Ltd",
    place="2nd floor",
    building="12",
    street="Sample Street",
    locality="Soho",
    town="London",
    postcode="sw1a1aa",
)


def test_a_number_on_sale_is_written_without_its_country() -> None:
    row = {"country_code": "44", "number": "2079460123", "wholesale_gold_premium": "25.00"}
    offer = mapping.offer(row)
    assert (offer.number, offer.setup, offer.monthly) == (NUMBER, Price(25_000_000, "GBP"), None)


def test_a_report_without_configurations_shows_no_route() -> None:
    row = mapping.listed({"number": "442079460123"})
    assert (row.number, row.route, row.marker) == (NUMBER, NOT_SHOWN, NOT_SHOWN)
    assert row.emergency_address is NOT_SHOWN


def test_a_route_survives_the_way_there_and_back() -> None:
    config = mapping.config_with(None, ROUTE, "cp-1")
    assert mapping.route_of(config) == ROUTE
    assert mapping.marker_of(config) == "cp-1"


def test_other_options_and_meta_data_are_kept_and_rules_are_not() -> None:
    before = {
        "routing": {"default": [], "night": []},
        "rules": {"night": [{"time": ["1800", "0800"]}]},
        "options": {"acr": True, "enabled": False, "trunk": "930000-OLD"},
        "meta": {"key": "theirs", "cost": "4711"},
    }
    config = mapping.config_with(before, TrunkRoute(endpoints=ROUTE.endpoints), "cp-1")
    assert config["options"] == {"acr": True, "enabled": True}
    assert config["meta"] == {"key": "cp-1", "cost": "4711"}
    assert set(config["routing"]) == {"default"}
    assert "rules" not in config


@pytest.mark.parametrize(
    "config",
    [
        {"routing": {"default": [[{"type": "pstn", "number": "447700900123"}]]}},
        {"routing": {"default": [[{"type": "sip", "endpoint": "a"}, {"type": "busy"}]]}},
        {"routing": {"default": [], "night": []}},
        {"routing": {"default": [[{"type": "sip", "endpoint": "a"}]]}, "rules": {"night": []}}
        | {"rules": {"night": [{"dow": [1]}]}},
        {"routing": {"default": []}, "options": {"enabled": False}},
        {"routing": "nonsense"},
    ],
)
def test_a_route_that_we_would_never_set_equals_none_of_ours(config: dict[str, object]) -> None:
    found = mapping.route_of(config)
    assert found is not None
    assert found.foreign
    assert found not in (ROUTE, TrunkRoute())


def test_no_configuration_is_no_route() -> None:
    assert mapping.route_of(None) is None
    assert mapping.marker_of(None) == ""


@pytest.mark.parametrize("route", [TrunkRoute("930000-L001"), TrunkRoute(foreign="to pstn")])
def test_a_route_needs_an_address(route: TrunkRoute) -> None:
    with pytest.raises(CarrierRefused) as caught:
        mapping.canonical_route(route)
    assert caught.value.obstacle is Obstacle.TRUNK_UNKNOWN


def test_an_address_is_joined_to_the_fields_there_are() -> None:
    joined = mapping.canonical_address(ADDRESS)
    assert joined == EmergencyAddress(
        organisation="Example Ltd",
        building="2nd floor, 12",
        street="Sample Street, Soho",
        town="London",
        postcode="SW1A 1AA",
    )
    assert mapping.address_of(mapping.record_of(joined)) == joined
    assert mapping.canonical_address(joined) == joined


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"building": "", "place": ""}, "building is missing"),
        ({"street": "x" * 56}, "street is longer than 55 characters"),
        ({"town": "x" * 31}, "town is longer than 30 characters"),
        ({"postcode": "12345"}, "postcode is none of the UK"),
        ({"country": "IE"}, "in the UK"),
    ],
)
def test_an_address_that_does_not_fit_is_refused(change: dict[str, str], said: str) -> None:
    with pytest.raises(CarrierRefused, match=said) as caught:
        mapping.canonical_address(dataclasses.replace(ADDRESS, **{"locality": "", **change}))
    assert caught.value.obstacle is Obstacle.ADDRESS_REFUSED


@pytest.mark.parametrize("number", ["+4470" + "0" * 8, "+449098790123", "+443069990123"])
def test_what_cannot_be_ported_is_known_before_it_is_asked(number: str) -> None:
    with pytest.raises(CarrierRefused) as caught:
        mapping.check_portable(E164(number))
    assert caught.value.obstacle is Obstacle.NOT_PORTABLE


def test_geographic_and_mobile_numbers_may_be_ported() -> None:
    mapping.check_portable(NUMBER)
    mapping.check_portable(E164("+447700900123"))
    assert mapping.national_number(NUMBER) == "02079460123"


@pytest.mark.parametrize(
    ("code", "state", "detail"),
    [
        ("submitted_lcp", PortState.PENDING, ""),
        ("accepted", PortState.DATED, ""),
        ("complete", PortState.DONE, ""),
        ("rejected", PortState.CORRECTABLE, ""),
        ("sparkling", PortState.PENDING, "sparkling"),
    ],
)
def test_a_state_of_a_port_that_nobody_knows_is_pending(
    code: str, state: PortState, detail: str
) -> None:
    row = {"ref": "P1", "status_code": code, "status": code, "port_date": "2026-04-02"}
    port = mapping.port(PortRequest("cp-1", NUMBER), row)
    assert (port.state, port.detail) == (state, detail)
    assert port.due_on == datetime.date(2026, 4, 2)
