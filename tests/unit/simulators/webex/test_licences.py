"""PATCH /licenses/users gives lines with licences, and says 206 when it gave less."""

from __future__ import annotations

from typing import Any

import pytest

from callplane.testing.webex_desk import FIRST, HELD, LEEDS, WebexDesk


async def patch(desk: WebexDesk, name: str, *licences: dict[str, Any]) -> Any:
    body = {"personId": desk.ids[name], "licenses": list(licences)}
    return await desk.send("PATCH", "licenses/users", body)


async def test_a_licence_comes_with_its_number(desk: WebexDesk) -> None:
    answer = await desk.give("ada", FIRST)
    person = await desk.person("ada")

    assert answer.status == 200
    assert answer.document["licenses"] == [desk.ids["professional"]]
    assert person["locationId"] == desk.ids["London"]
    assert (await desk.number(FIRST))["owner"]["id"] == desk.ids["ada"]


async def test_a_line_is_exchanged_by_giving_another(desk: WebexDesk) -> None:
    assert (await desk.give("cat", FIRST)).status == 200
    assert "owner" not in await desk.number(HELD)
    assert (await desk.person("cat"))["extension"] == "1008"


async def test_taking_the_licence_takes_the_line(desk: WebexDesk) -> None:
    removal = {"id": desk.ids["professional"], "operation": "remove"}
    answer = await patch(desk, "cat", removal)

    assert answer.document["licenses"] == [desk.ids["messaging"]]
    assert "owner" not in await desk.number(HELD)
    assert "extension" not in await desk.person("cat")


async def test_206_when_there_are_not_enough_units(desk: WebexDesk) -> None:
    desk.portal.set_units("professional", 2)
    answer = await desk.give("ada", FIRST)

    assert (answer.status, answer.document["licenses"]) == (206, [])
    assert "owner" not in await desk.number(FIRST)


async def test_206_when_one_of_two_is_skipped(desk: WebexDesk) -> None:
    desk.fault(effect="licence-skipped", kinds=["assignLicences"], times=1)
    line = {"phoneNumber": FIRST}
    answer = await patch(
        desk,
        "ada",
        {"id": desk.ids["professional"], "properties": line},
        {"id": desk.ids["messaging"]},
    )

    assert answer.status == 206
    assert answer.document["licenses"] == [desk.ids["professional"]]


async def test_a_licence_may_be_pending_for_a_while(desk: WebexDesk) -> None:
    desk.settings(licence_lag_seconds=30.0)
    answer = await desk.give("ada", FIRST)
    early = await desk.person("ada")
    desk.clock.advance(30)
    late = await desk.person("ada")

    assert (answer.status, answer.document["licenses"]) == (200, [])
    assert answer.document["pendingLicenses"] == [desk.ids["professional"]]
    assert early["licenses"] == []
    assert late["licenses"] == [desk.ids["professional"]]
    assert (await desk.number(FIRST))["owner"]["id"] == desk.ids["ada"]


@pytest.mark.parametrize(
    ("licence", "properties", "code"),
    [
        ("unknown", None, 400000),
        ("professional", None, 400411),
        ("professional", {}, 400411),
        ("professional", {"extension": "1001"}, 400),
        ("professional", {"phoneNumber": HELD}, 8361),
        ("professional", {"phoneNumber": "+441614960000"}, 8361),
        ("standard", {"phoneNumber": FIRST}, None),
        ("attendant", None, 400408),
    ],
)
async def test_refusals_carry_their_code(
    desk: WebexDesk, licence: str, properties: dict[str, str] | None, code: int | None
) -> None:
    wanted: dict[str, Any] = {"id": desk.ids.get(licence, licence)}
    if properties is not None:
        wanted["properties"] = properties
    answer = await patch(desk, "ada", wanted)

    if code is None:
        assert answer.status == 200
        return
    assert answer.status == 400
    assert answer.document["errors"][0]["errorCode"] == code


@pytest.mark.parametrize(("removes", "code"), [(False, 400404), (True, 400112)])
async def test_professional_and_standard_exclude_each_other(
    desk: WebexDesk, removes: bool, code: int
) -> None:
    wanted = [{"id": desk.ids["standard"], "properties": {"phoneNumber": HELD}}]
    if removes:
        wanted.append({"id": desk.ids["professional"], "operation": "remove"})
    answer = await patch(desk, "cat", *wanted)

    assert answer.document["errors"][0]["errorCode"] == code


async def test_a_calling_user_does_not_change_location(desk: WebexDesk) -> None:
    assert (await desk.give("cat", LEEDS)).status == 400
    assert (await desk.number(HELD))["owner"]["id"] == desk.ids["cat"]


async def test_holders_of_a_licence_are_paged(desk: WebexDesk) -> None:
    path = f"licenses/{desk.ids['professional']}"
    first = await desk.get(path, includeAssignedTo="user", limit="1")
    second = await desk.get(first.headers["link"].partition(">")[0].removeprefix("<"))

    assert first.document["consumedUnits"] == 2
    assert [each["email"] for each in first.document["users"]] == ["cat@organisation.example"]
    assert [each["email"] for each in second.document["users"]] == ["eve@organisation.example"]
    assert "link" not in second.headers


async def test_nobody_is_not_licensed(desk: WebexDesk) -> None:
    body = {"email": "nobody@organisation.example", "licenses": []}
    assert (await desk.send("PATCH", "licenses/users", body)).status == 404
