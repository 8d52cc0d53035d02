"""Numbers come and go through the API only where nobody else manages them."""

from __future__ import annotations

from typing import Any

import pytest

from callplane.testing.webex_desk import (
    CARDIFF,
    FIRST,
    GLASGOW,
    HELD,
    LEEDS,
    LONDON_MAIN,
    SECOND,
    WebexDesk,
)

FRESH = "+441614960001"


async def numbers(desk: WebexDesk, method: str, wanted: list[str], **more: object) -> Any:
    place = desk.ids[str(more.pop("location", "London"))]
    body = {"phoneNumbers": wanted, **more}
    return await desk.send(method, f"telephony/config/locations/{place}/numbers", body)


async def test_added_numbers_are_active_unless_asked_otherwise(desk: WebexDesk) -> None:
    answer = await numbers(desk, "POST", [FRESH])
    quiet = await numbers(desk, "POST", ["+441614960002"], state="INACTIVE")

    assert (answer.status, answer.body) == (201, b"")
    assert quiet.status == 201
    assert (await desk.number(FRESH))["state"] == "ACTIVE"
    assert (await desk.number("+441614960002"))["state"] == "INACTIVE"


async def test_what_is_there_already_is_passed_over(desk: WebexDesk) -> None:
    assert (await numbers(desk, "POST", [FIRST, FRESH])).status == 201
    assert (await numbers(desk, "POST", [LEEDS])).status == 400


@pytest.mark.parametrize("number", ["12", "02079460001", "+44 20 7946 0001"])
async def test_what_is_no_number_is_refused(desk: WebexDesk, number: str) -> None:
    answer = await numbers(desk, "POST", [FRESH, number])

    assert answer.status == 400
    assert answer.document["errors"][0]["errorCode"] == 8362
    assert await desk.number(FRESH) is None


async def test_refusals_may_be_a_list(desk: WebexDesk) -> None:
    desk.settings(number_errors_as_list=True)
    answer = await numbers(desk, "POST", ["12"])

    assert answer.document[0]["errors"][0]["number"] == "12"


@pytest.mark.parametrize("place", ["Cardiff", "Glasgow"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_numbers_of_others_are_not_written(desk: WebexDesk, place: str, method: str) -> None:
    number = {"Cardiff": CARDIFF, "Glasgow": GLASGOW}[place]
    wanted = [FRESH] if method == "POST" else [number]
    before = await desk.number(wanted[0])
    answer = await numbers(desk, method, wanted, location=place)

    assert answer.status == 400
    assert await desk.number(wanted[0]) == before
    assert desk.organisation.damage == []


async def test_a_world_may_take_the_write_and_break(desk: WebexDesk) -> None:
    desk.settings(refuses_managed_locations=False)
    answer = await numbers(desk, "POST", [FRESH], location="Cardiff")

    assert answer.status == 201
    assert len(desk.organisation.damage) == 1


async def test_mobile_numbers_go_anywhere_and_wake_when_given(desk: WebexDesk) -> None:
    mobile = "+447700900001"
    answer = await numbers(desk, "POST", [mobile], location="Cardiff", numberType="MOBILE")
    many = [f"+4477009001{index:02}" for index in range(21)]
    assert answer.status == 201
    assert (await numbers(desk, "POST", many, numberType="MOBILE")).status == 400
    assert (await desk.number(mobile))["state"] == "INACTIVE"
    assert (await desk.give("ada", mobile)).status == 200
    assert (await desk.number(mobile))["state"] == "ACTIVE"


async def test_external_management_counts_like_an_integrated_provider(desk: WebexDesk) -> None:
    desk.portal.set_pstn("Leeds", externally_managed=True)
    assert (await numbers(desk, "POST", [FRESH], location="Leeds")).status == 400


@pytest.mark.parametrize(
    ("wanted", "status"),
    [
        ([FIRST], 204),
        ([FIRST, SECOND], 204),
        ([LONDON_MAIN], 400),
        ([HELD], 400),
        ([LEEDS], 400),
        ([], 400),
        ([f"+44207946000{index}" for index in range(1, 7)], 400),
    ],
)
async def test_five_at_most_and_never_the_main_number_are_removed(
    desk: WebexDesk, wanted: list[str], status: int
) -> None:
    answer = await numbers(desk, "DELETE", wanted)

    assert answer.status == status
    for number in wanted:
        assert (await desk.number(number) is None) == (status == 204)


async def test_a_world_may_remove_what_somebody_has(desk: WebexDesk) -> None:
    desk.settings(removes_assigned_numbers=True)
    assert (await numbers(desk, "DELETE", [HELD])).status == 204
    assert "phoneNumbers" in await desk.person("cat")
    assert (await desk.person("cat"))["phoneNumbers"][0]["type"] == "work_extension"


async def test_states_are_switched_for_numbers_nobody_uses(desk: WebexDesk) -> None:
    assert (await numbers(desk, "PUT", [FIRST], action="DEACTIVATE")).status == 204
    assert (await desk.number(FIRST))["state"] == "INACTIVE"
    assert (await numbers(desk, "PUT", [FIRST])).status == 204
    assert (await desk.number(FIRST))["state"] == "ACTIVE"
    assert (await numbers(desk, "PUT", [HELD], action="DEACTIVATE")).status == 400
    # The main number is what an emergency call back rings.
    assert (await numbers(desk, "PUT", [LONDON_MAIN], action="DEACTIVATE")).status == 400


async def test_half_of_an_addition_may_be_done(desk: WebexDesk) -> None:
    desk.fault(effect="half-done", kinds=["addNumbers"], status=400)
    answer = await numbers(desk, "POST", [FRESH, "+441614960002"])

    assert answer.status == 400
    assert await desk.number(FRESH) is not None
    assert await desk.number("+441614960002") is None


async def test_validation_errors_come_inside_a_200(desk: WebexDesk) -> None:
    wanted = [HELD, FIRST, FRESH, FRESH, "12"]
    path = "telephony/config/actions/validateNumbers/invoke"
    answer = await desk.send("POST", path, {"phoneNumbers": wanted})

    assert (answer.status, answer.document["status"]) == (200, "ERRORS")
    assert [each["state"] for each in answer.document["numbers"]] == [
        "Unavailable",
        "Duplicate",
        "Available",
        "Duplicate In List",
        "Invalid",
    ]
    fine = await desk.send("POST", path, {"phoneNumbers": [FRESH]})
    assert fine.document["status"] == "OK"
    assert desk.world.recorder.writes() == []
