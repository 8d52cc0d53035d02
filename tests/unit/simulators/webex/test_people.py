"""People are created, replaced whole and deleted, sometimes although the answer says otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from callplane.testing.webex_desk import CARDIFF, FIRST, HELD, SECOND, WebexDesk

NEW = "new@organisation.example"


def caller(desk: WebexDesk, **more: object) -> dict[str, Any]:
    return {
        "emails": [NEW],
        "firstName": "New",
        "lastName": "Example",
        "locationId": desk.ids["London"],
        "licenses": [desk.ids["professional"]],
        "phoneNumbers": [{"type": "work", "value": FIRST}],
        "extension": "1001",
        **more,
    }


async def test_a_calling_user_is_created_in_one_request(desk: WebexDesk) -> None:
    answer = await desk.send("POST", "people", caller(desk), callingData="true")

    assert answer.status == 200
    assert answer.document["displayName"] == "New Example"
    assert answer.document["extension"] == "1001"
    work, extension = answer.document["phoneNumbers"]
    assert (work["value"], extension["value"]) == (FIRST, "801001")
    row = await desk.number(FIRST)
    assert row["owner"]["id"] == answer.document["id"]
    assert row["owner"]["type"] == "PEOPLE"


@pytest.mark.parametrize("number", [HELD, "12", CARDIFF, "+441614960000"])
async def test_a_number_that_cannot_be_had_is_refused_and_the_person_created_all_the_same(
    desk: WebexDesk, number: str
) -> None:
    phones = [{"type": "work", "value": number}]
    body = caller(desk, phoneNumbers=phones)
    answer = await desk.send("POST", "people", body, callingData="true")
    found = (await desk.get("people", email=NEW)).document["items"]

    assert answer.status == 400
    assert number in answer.document["errors"][0]["description"]
    assert len(found) == 1
    assert "phoneNumbers" not in found[0]
    assert (await desk.send("POST", "people", caller(desk), callingData="true")).status == 409


async def test_a_world_may_refuse_without_creating(desk: WebexDesk) -> None:
    desk.settings(creates_people_it_refuses=False)
    body = caller(desk, phoneNumbers=[{"type": "work", "value": HELD}])

    assert (await desk.send("POST", "people", body, callingData="true")).status == 400
    assert (await desk.get("people", email=NEW)).document["items"] == []


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"emails": [NEW, "other@organisation.example"]}, "exactly one address"),
        ({"emails": []}, "exactly one address"),
        ({"licenses": ["unknown"]}, "not recognised"),
        ({"locationId": "nowhere"}, "Unable to find location."),
        ({"phoneNumbers": [], "extension": None}, "phoneNumbers or extension"),
        ({"extension": "1008"}, "Extension is in use"),
        ({"surname": "X"}, "Unrecognized field 'surname'"),
    ],
)
async def test_what_makes_no_sense_is_refused(
    desk: WebexDesk, change: dict[str, object], text: str
) -> None:
    answer = await desk.send("POST", "people", caller(desk, **change), callingData="true")

    assert answer.status == 400
    assert text in answer.document["errors"][0]["description"]


async def test_what_a_put_leaves_out_is_gone(desk: WebexDesk) -> None:
    whole = await desk.person("cat")
    short = {**whole, "phoneNumbers": []}
    answer = await desk.send("PUT", f"people/{desk.ids['cat']}", short, callingData="true")

    assert answer.status == 200
    assert "owner" not in await desk.number(HELD)
    assert (await desk.person("cat"))["extension"] == "1008"
    assert await desk.send("PUT", f"people/{desk.ids['cat']}", {"emails": []}) is not None


async def test_a_put_moves_a_person_to_another_number(desk: WebexDesk) -> None:
    whole = await desk.person("cat")
    whole["phoneNumbers"] = [{"type": "work", "value": SECOND}]
    answer = await desk.send("PUT", f"people/{desk.ids['cat']}", whole, callingData="true")

    assert answer.status == 200
    assert "owner" not in await desk.number(HELD)
    assert (await desk.number(SECOND))["owner"]["firstName"] == "Cat"


async def test_the_location_of_a_calling_user_stays(desk: WebexDesk) -> None:
    whole = {**await desk.person("cat"), "locationId": desk.ids["Leeds"]}
    answer = await desk.send("PUT", f"people/{desk.ids['cat']}", whole, callingData="true")

    assert answer.status == 400
    assert (await desk.person("cat"))["locationId"] == desk.ids["London"]


async def test_without_the_calling_licence_the_line_goes(desk: WebexDesk) -> None:
    whole = {**await desk.person("cat"), "licenses": [desk.ids["messaging"]]}
    del whole["phoneNumbers"], whole["extension"]
    answer = await desk.send("PUT", f"people/{desk.ids['cat']}", whole, callingData="true")

    assert answer.status == 200
    assert "owner" not in await desk.number(HELD)
    assert "locationId" not in await desk.person("cat")


async def test_a_put_that_fails_may_have_changed_something(desk: WebexDesk) -> None:
    desk.fault(effect="half-done", kinds=["updatePerson"], status=400, times=1)
    whole = {**await desk.person("cat"), "displayName": "Catherine", "phoneNumbers": []}
    answer = await desk.send("PUT", f"people/{desk.ids['cat']}", whole, callingData="true")

    assert answer.status == 400
    assert (await desk.person("cat"))["displayName"] == "Catherine"
    assert (await desk.number(HELD))["owner"]["id"] == desk.ids["cat"]


@pytest.mark.parametrize("is_fault", [True, False])
async def test_licences_are_passed_over_without_a_word(desk: WebexDesk, is_fault: bool) -> None:
    if is_fault:
        desk.fault(effect="licence-skipped", kinds=["createPerson"])
    else:
        desk.portal.set_units("professional", 2)
    answer = await desk.send("POST", "people", caller(desk), callingData="true")

    assert answer.status == 200
    assert answer.document["licenses"] == []
    assert "owner" not in await desk.number(FIRST)


async def test_deleting_a_person_frees_the_number(desk: WebexDesk) -> None:
    assert (await desk.send("DELETE", f"people/{desk.ids['cat']}")).status == 204
    assert "owner" not in await desk.number(HELD)
    assert (await desk.get(f"people/{desk.ids['cat']}")).status == 404
    assert (await desk.send("DELETE", f"people/{desk.ids['cat']}")).status == 404


async def test_lists_are_paged_by_link_and_leave_details_out(desk: WebexDesk) -> None:
    first = await desk.get("people", max="3")
    link = first.headers["link"]
    second = await desk.get(link.partition(">")[0].removeprefix("<"))

    assert link.startswith("<http://webex.test/v1/people?")
    assert link.endswith('; rel="next"')
    assert len(first.document["items"]) == 3
    assert len(second.document["items"]) == 1
    assert "link" not in second.headers
    assert "licenses" not in first.document["items"][0]
    desk.settings(listing_omits_details=False)
    assert "licenses" in (await desk.get("people")).document["items"][0]


async def test_people_are_found_by_id_and_name(desk: WebexDesk) -> None:
    by_id = (await desk.get("people", id=f"{desk.ids['ada']},nobody")).document
    by_name = (await desk.get("people", displayName="bob")).document

    assert [each["displayName"] for each in by_id["items"]] == ["Ada Example"]
    assert by_id["notFoundIds"] == ["nobody"]
    assert [each["displayName"] for each in by_name["items"]] == ["Bob Example"]
    assert (await desk.get("people", id=",".join("x" * 86))).status == 400


async def test_addresses_for_sip_appear_later(desk: WebexDesk) -> None:
    answer = await desk.send("POST", "people", caller(desk), callingData="true")

    assert "sipAddresses" not in answer.document
    assert (await desk.person(answer.document["id"]))["sipAddresses"]


async def test_a_reader_may_be_behind(desk: WebexDesk) -> None:
    desk.settings(read_lag_seconds=5.0)
    answer = await desk.send("POST", "people", caller(desk), callingData="true")
    early = await desk.get(f"people/{answer.document['id']}")
    desk.clock.advance(5)
    late = await desk.get(f"people/{answer.document['id']}")

    assert (early.status, late.status) == (404, 200)
