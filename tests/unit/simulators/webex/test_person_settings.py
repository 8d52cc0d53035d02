"""Alternate numbers, caller ID and whom an emergency call back reaches."""

from __future__ import annotations

from callplane.testing.webex_desk import CARDIFF, FIRST, HELD, LONDON_MAIN, SECOND, WebexDesk


async def test_alternate_numbers_come_and_go(desk: WebexDesk) -> None:
    key = desk.ids["cat"]
    path = f"telephony/config/people/{key}/numbers"
    entry = {"primary": False, "action": "ADD", "external": SECOND}
    added = await desk.send("PUT", path, {"phoneNumbers": [entry]})
    shown = (await desk.get(f"people/{key}/features/numbers")).document["phoneNumbers"]
    row = await desk.number(SECOND)
    removed = await desk.send("PUT", path, {"phoneNumbers": [{**entry, "action": "DELETE"}]})

    assert [added.status, removed.status] == [204, 204]
    assert [(each["primary"], each["directNumber"]) for each in shown] == [
        (True, HELD),
        (False, SECOND),
    ]
    assert (row["phoneNumberType"], row["owner"]["id"]) == ("ALTERNATE", key)
    assert "owner" not in await desk.number(SECOND)


async def test_the_primary_number_cannot_be_changed_there(desk: WebexDesk) -> None:
    path = f"telephony/config/people/{desk.ids['cat']}/numbers"
    for entry in (
        {"primary": True, "action": "ADD", "external": SECOND},
        {"action": "ADD", "external": HELD},
        {"action": "ADD", "external": CARDIFF},
        {"action": "DELETE", "external": SECOND},
        {"action": "SWAP", "external": SECOND},
    ):
        assert (await desk.send("PUT", path, {"phoneNumbers": [entry]})).status == 400
    assert "owner" not in await desk.number(SECOND)


async def test_caller_id_is_one_of_the_numbers_of_person_or_provider(desk: WebexDesk) -> None:
    path = f"people/{desk.ids['cat']}/features/callerId"
    before = (await desk.get(path)).document
    taken = await desk.send("PUT", path, {"selected": "CUSTOM", "customNumber": FIRST})
    after = (await desk.get(path)).document
    foreign = await desk.send("PUT", path, {"selected": "CUSTOM", "customNumber": CARDIFF})
    unknown = await desk.send("PUT", path, {"selected": "WITHHELD"})

    assert (before["selected"], before["directNumber"]) == ("DIRECT_LINE", HELD)
    assert before["locationNumber"] == LONDON_MAIN
    assert [taken.status, foreign.status, unknown.status] == [204, 400, 400]
    assert (after["selected"], after["customNumber"]) == ("CUSTOM", FIRST)


async def test_who_has_an_extension_only_has_no_direct_line(desk: WebexDesk) -> None:
    path = f"people/{desk.ids['eve']}/features/callerId"

    assert (await desk.get(path)).document["selected"] == "LOCATION_NUMBER"
    assert (await desk.send("PUT", path, {"selected": "DIRECT_LINE"})).status == 400


async def test_people_without_calling_have_no_such_settings(desk: WebexDesk) -> None:
    assert (await desk.get(f"people/{desk.ids['ada']}/features/callerId")).status == 404
    assert (await desk.get(f"people/{desk.ids['ada']}/features/numbers")).status == 404


async def test_an_emergency_call_back_falls_back_to_the_main_number(desk: WebexDesk) -> None:
    cat, eve = (f"telephony/config/people/{desk.ids[name]}" for name in ("cat", "eve"))
    direct = (await desk.get(f"{cat}/emergencyCallbackNumber")).document
    fallen = (await desk.get(f"{eve}/emergencyCallbackNumber")).document
    body = {"selected": "LOCATION_MEMBER_NUMBER", "locationMemberId": desk.ids["cat"]}
    chosen = await desk.send("PUT", f"{eve}/emergencyCallbackNumber", body)
    shown = (await desk.get(f"{eve}/emergencyCallbackNumber")).document
    body["locationMemberId"] = desk.ids["eve"]
    numberless = await desk.send("PUT", f"{cat}/emergencyCallbackNumber", body)

    assert direct["directLineInfo"]["effectiveValue"] == HELD
    assert fallen["defaultInfo"]["effectiveValue"] == LONDON_MAIN
    assert [chosen.status, numberless.status] == [204, 400]
    assert shown["locationMemberInfo"]["effectiveValue"] == HELD


async def test_the_call_back_of_a_location_cannot_be_switched_off(desk: WebexDesk) -> None:
    place = f"telephony/config/locations/{desk.ids['London']}"
    path = f"{place}/features/emergencyCallbackNumber"
    body = {"selected": "LOCATION_MEMBER_NUMBER", "locationMemberId": desk.ids["cat"]}

    assert (await desk.send("PUT", path, body)).status == 204
    assert (await desk.get(path)).document["locationMemberInfo"]["effectiveValue"] == HELD
    off = {"phoneNumbers": [LONDON_MAIN], "action": "DEACTIVATE"}
    assert (await desk.send("PUT", f"{place}/numbers", off)).status == 204
    assert (await desk.send("PUT", path, {"selected": "NOBODY"})).status == 400


async def test_emergency_addresses_of_locations_and_numbers(desk: WebexDesk) -> None:
    place = f"telephony/pstn/locations/{desk.ids['London']}"
    address = {"address1": "1 Example St", "city": "York", "postalCode": "AB1", "country": "GB"}
    incomplete = {"address1": "1 Example St"}
    looked = await desk.send("POST", f"{place}/emergencyAddress/lookup", incomplete)
    refused = await desk.send("POST", f"{place}/emergencyAddress", incomplete)
    added = await desk.send("POST", f"{place}/emergencyAddress", address)
    twice = await desk.send("POST", f"{place}/emergencyAddress", address)
    key = added.document["id"]
    changed = await desk.send("PUT", f"{place}/emergencyAddresses/{key}", address)
    number = f"telephony/pstn/numbers/{HELD}/emergencyAddress"
    given = await desk.send("PUT", number, {"emergencyAddress": address})

    assert len(looked.document["addresses"][0]["errors"]) == 3
    assert [refused.status, added.status, twice.status] == [400, 201, 409]
    assert [changed.status, given.status] == [204, 204]
    row = desk.organisation.numbers.get(HELD)
    assert row is not None
    assert row.emergency_address == address
    assert (await desk.send("PUT", number, {})).status == 204
    row = desk.organisation.numbers.get(HELD)
    assert row is not None
    assert row.emergency_address is None
