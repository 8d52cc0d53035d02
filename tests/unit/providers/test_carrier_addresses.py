"""An address in one street line: nothing lost, nothing cut, all that is wrong named at once."""

from __future__ import annotations

import dataclasses

import pytest

from callplane.providers.carrier_addresses import one_street_line
from callplane.providers.carrier_protocol import CarrierRefused
from callplane.resources.carriers import EmergencyAddress, Obstacle

FULL = EmergencyAddress(
    organisation="Example Ltd",
    place="Floor 3",
    building="12",
    street="Sample Street",
    locality="Soho",
    town="London",
    postcode="sw1a1aa",
)


def test_place_building_and_street_are_one_line() -> None:
    joined = one_street_line(FULL)
    assert (joined.street, joined.postcode) == ("Floor 3, 12 Sample Street", "SW1A 1AA")
    assert (joined.place, joined.building, joined.locality) == ("", "", "Soho")
    assert one_street_line(joined) == joined


def test_all_that_is_wrong_is_named_at_once() -> None:
    wrong = dataclasses.replace(FULL, organisation="", town="L" * 101, postcode="12345")
    with pytest.raises(CarrierRefused) as caught:
        one_street_line(wrong)
    assert caught.value.obstacle is Obstacle.ADDRESS_REFUSED
    for reason in ("organisation is missing", "town is longer", "postcode is none of the UK"):
        assert reason in str(caught.value)


def test_a_postcode_of_another_country_is_left_as_it_is() -> None:
    abroad = dataclasses.replace(FULL, country="IE", postcode="D02 AF30")
    assert one_street_line(abroad).postcode == "D02 AF30"
