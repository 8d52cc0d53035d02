"""The list of numbers holds extensions too, is filtered, counted, paged, and may lie."""

from __future__ import annotations

from typing import Any

import pytest

from callplane.testing.webex_desk import FIRST, HELD, LONDON_MAIN, SERVED, WebexDesk

PATH = "telephony/config/numbers"
ALL = 20
"""Ten numbers in London, five in Leeds, two each in Cardiff and Glasgow, one extension."""


async def listed(desk: WebexDesk, **query: str) -> list[Any]:
    answer = await desk.get(PATH, **query)
    assert answer.status == 200, answer.document
    rows: list[Any] = answer.document["phoneNumbers"]
    return rows


async def every_page(desk: WebexDesk, **query: str) -> list[Any]:
    """All rows, following links as a careful caller does: never the same one twice."""
    answer = await desk.get(PATH, **query)
    rows, seen = list(answer.document["phoneNumbers"]), set()
    while (link := answer.headers.get("link")) is not None and link not in seen:
        seen.add(link)
        answer = await desk.get(link.partition(">")[0].removeprefix("<"))
        rows += answer.document["phoneNumbers"]
    return rows


async def test_an_extension_alone_has_an_empty_number(desk: WebexDesk) -> None:
    rows = await listed(desk)
    alone = [row for row in rows if row["phoneNumber"] == ""]

    assert len(rows) == ALL
    assert [(row["extension"], row["owner"]["firstName"]) for row in alone] == [("1010", "Eve")]
    assert alone[0]["esn"] == "801010"


async def test_counts_are_given_with_details(desk: WebexDesk) -> None:
    counts = (await desk.get(PATH, details="true", max="1")).document["count"]

    assert (counts["total"], counts["extensionOnly"]) == (ALL, 1)
    assert (counts["assigned"], counts["unAssigned"]) == (2, ALL - 3)
    assert "count" not in (await desk.get(PATH)).document


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ({"phoneNumber": HELD}, [HELD]),
        ({"ownerName": "cat"}, [HELD]),
        ({"ownerType": "AUTO_ATTENDANT"}, [SERVED]),
        ({"assigned": "true"}, [HELD, SERVED]),
        ({"numberType": "EXTENSION"}, [""]),
        ({"extension": "1008"}, [HELD]),
        ({"reservedNumber": "true"}, []),
        ({"state": "INACTIVE"}, []),
        ({"tollFreeNumbers": "true"}, []),
        ({"order": "dn-desc", "max": "1"}, ["+442920180001"]),
        ({"order": "lastName-asc", "assigned": "true"}, [SERVED, HELD]),
    ],
)
async def test_filters_and_orders(
    desk: WebexDesk, query: dict[str, str], numbers: list[str]
) -> None:
    assert [row["phoneNumber"] for row in await listed(desk, **query)] == numbers


@pytest.mark.parametrize(
    "query",
    [
        {"numberType": "EXTENSION", "available": "true"},
        {"numberType": "EXTENSION", "state": "ACTIVE"},
        {"reservedNumber": "true", "assigned": "true"},
        {"available": "perhaps"},
        {"order": "length"},
        {"max": "2001"},
        {"max": "many"},
        {"colour": "red"},
    ],
)
async def test_impossible_questions_are_refused(desk: WebexDesk, query: dict[str, str]) -> None:
    assert (await desk.get(PATH, **query)).status == 400


async def test_the_main_number_is_marked(desk: WebexDesk) -> None:
    assert (await desk.number(LONDON_MAIN))["mainNumber"] is True
    assert (await desk.number(FIRST))["mainNumber"] is False
    assert "owner" not in await desk.number(FIRST)


async def test_an_unknown_kind_of_owner_is_shown(desk: WebexDesk) -> None:
    desk.portal.use_number_for(FIRST, "HOLOGRAM", "Lobby")
    assert (await desk.number(FIRST))["owner"]["type"] == "HOLOGRAM"


async def test_pages_follow_links_until_all_is_seen(desk: WebexDesk) -> None:
    rows = await every_page(desk, max="7", assigned="false")

    assert len(rows) == ALL
    assert len({row["phoneNumber"] for row in rows}) == ALL


@pytest.mark.parametrize(
    ("rule", "count"),
    [
        ({"effect": "listing-empty"}, 0),
        ({"effect": "listing-half"}, ALL // 2),
        ({"effect": "listing-skip", "times": 1, "count": 2}, ALL - 2),
        ({"effect": "listing-repeat", "times": 1, "count": 2}, ALL + 2),
        ({"effect": "listing-invalid-row", "times": 1}, ALL + 1),
        ({"effect": "listing-gap", "times": 1}, ALL),
        ({"effect": "listing-loop", "skip": 1}, 14),
    ],
)
async def test_listings_go_wrong_in_every_known_way(
    desk: WebexDesk, rule: dict[str, object], count: int
) -> None:
    desk.fault(kinds=["listNumbers"], **rule)
    rows = await every_page(desk, max="7")

    # A page whose link leads back to itself ends there for a caller who notices.
    assert len(rows) == count


async def test_lists_may_be_behind(desk: WebexDesk) -> None:
    desk.settings(listing_lag_seconds=10.0)
    await desk.give("ada", FIRST)
    early = await listed(desk, assigned="true")
    desk.clock.advance(10)

    assert len(early) == 2
    assert len(await listed(desk, assigned="true")) == 3
