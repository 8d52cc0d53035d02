"""The same description makes the same organisation, and mistakes are told with their place."""

from __future__ import annotations

from typing import Any

import pytest

from callplane.simulators.webex.seeding import (
    OrganisationSeed,
    WorldSeed,
    world_seed_from,
)
from callplane.simulators.webex.world import WebexWorld
from callplane.testing.manual_clock import ManualClock


def world_of(document: dict[str, Any]) -> WebexWorld:
    return WebexWorld(clock=ManualClock(), seed=world_seed_from(document))


def test_people_and_holders_are_made_by_the_thousand() -> None:
    seed = WorldSeed(organisations=(OrganisationSeed(users=1500, holders=1200),))
    organisation = WebexWorld(clock=ManualClock(), seed=seed).organisation()
    people = organisation.people.rows()

    assert len(people) == 1500
    assert sum(row.number is not None for row in people) == 1200
    assert all(row.extension for row in people)
    assert organisation.changes.changes == []
    assert len(organisation.numbers.rows()) == 2000


def test_ids_follow_from_the_description() -> None:
    first, second = (world_of({"organisations": [{"users": 2}]}) for _ in range(2))
    other = world_of({"seed": 1, "organisations": [{"users": 2}]})

    ids = [
        [row.id for row in world.organisation().people.rows()] for world in (first, second, other)
    ]
    assert ids[0] == ids[1]
    assert ids[0] != ids[2]


@pytest.mark.parametrize(
    ("organisation", "text"),
    [
        ({"colour": 1}, r"organisations\[0\].colour: unknown field"),
        ({"people": [{"mail": "x"}]}, r"people\[0\].mail: unknown field"),
        ({"locations": [{"name": 7}]}, r"locations\[0\].name: a text"),
        ({"locations": [{"name": "A", "pstn_type": "X"}]}, "pstn_type is one of"),
        ({"locations": [{"name": "A"}, {"name": "A"}]}, "described twice"),
        ({"locations": [{"main_number": "+442079460001"}]}, "lies in no range"),
        ({"ranges": [{"first": "020"}]}, "an E.164 number is wanted"),
        ({"ranges": [{"first": "+442079460001", "location": "Mars"}]}, "no location 'Mars'"),
        ({"people": [{"email": "a@b.example", "licences": ["gold"]}]}, "no licence of kind"),
        ({"people": [{"email": "a@b.example", "number": "+441614960001"}]}, "lies in no range"),
        ({"people": [{"email": "a@b.example"}, {"email": "A@b.example"}]}, "described twice"),
        ({"services": [{"name": "A", "collection": "x"}]}, "collection is one of"),
        ({"users": 20_000}, "need `ranges` of their own"),
        (
            {"users": 2, "holders": 2, "ranges": [{"first": "+442079460001"}]},
            "fewer numbers than 2 holders",
        ),
        ({"settings": {"speed": 1}}, "speed: unknown setting"),
    ],
)
def test_mistakes_are_told_with_their_place(organisation: dict[str, object], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        world_of({"organisations": [organisation]})


def test_a_number_is_given_once() -> None:
    people = [{"email": f"{name}@b.example", "number": "+442079460001"} for name in "ab"]
    with pytest.raises(ValueError, match="is given twice"):
        world_of({"organisations": [{"people": people}]})


def test_organisations_are_found_by_id_and_name() -> None:
    world = world_of({"organisations": [{"id": "a", "name": "A"}, {"id": "b", "name": "B"}]})

    assert world.organisation("B").id == "b"
    assert world.organisation(world.organisation("a").webex_id).id == "a"
    with pytest.raises(ValueError, match="there are 2"):
        world.organisation()
    with pytest.raises(ValueError, match="no organisation 'c'"):
        world.organisation("c")
    with pytest.raises(ValueError, match="exists already"):
        world.add_organisation(OrganisationSeed(id="a"))
