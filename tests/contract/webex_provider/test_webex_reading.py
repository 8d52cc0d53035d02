"""What the Webex provider reads, and what it makes of bad days, over HTTP."""

from __future__ import annotations

import pytest

from callplane.providers.protocol import (
    AuthenticationFailed,
    Family,
    Page,
    PermissionMissing,
    ProviderError,
    Throttled,
    Unavailable,
)
from callplane.resources.lines import NumberType, PolicyOnLine
from callplane.resources.platforms import NumberOnPlatform, Person
from callplane.simulators.faults import Effect
from callplane.testing.webex_desk import (
    CARDIFF,
    FIRST,
    GLASGOW,
    HELD,
    LEEDS,
    READER_ID,
    SERVED,
)
from callplane.testing.webex_stage import WebexStage
from callplane.values import E164

UNKNOWN = "Y2lzY29zcGFyazovL3VzL1BFT1BMRS9ub2JvZHk"


async def pages(stage: WebexStage, family: Family) -> list[Page]:
    return [page async for page in stage.provider.list_pages(family)]


async def rows(stage: WebexStage, family: Family) -> list[object]:
    return [row for page in await pages(stage, family) for row in page.rows]


async def number(stage: WebexStage, text: str) -> NumberOnPlatform:
    row = (await stage.provider.read_number(E164(text))).row
    assert row is not None
    return row


async def test_people_are_listed(stage: WebexStage) -> None:
    found = await pages(stage, Family.PEOPLE)
    assert [page.last for page in found] == [True]
    assert set(found[0].rows) == {
        Person(stage.person(name), f"{name}@organisation.example")
        for name in ("ada", "bob", "cat", "eve")
    }


async def test_numbers_are_listed_without_extensions(stage: WebexStage) -> None:
    found = {row.number.text: row for row in await rows(stage, Family.NUMBERS)}  # type: ignore[attr-defined]
    # Eve's extension alone is no number, and no bad row either.
    assert len(found) == 19
    assert found[FIRST] == NumberOnPlatform(E164(FIRST), NumberType.WEBEX, location_id="London")
    assert found[HELD].holder_id == stage.person("cat")
    assert (found[SERVED].held_by_user, found[SERVED].holder_id is None) == (False, False)
    assert sum(page.bad_rows for page in await pages(stage, Family.NUMBERS)) == 0


async def test_who_else_manages_a_number_is_named(stage: WebexStage) -> None:
    found = {row.number.text: row for row in await rows(stage, Family.NUMBERS)}  # type: ignore[attr-defined]
    assert (found[FIRST].managed_by, found[LEEDS].managed_by) == ("", "")
    assert "CISCO_PSTN" in found[CARDIFF].managed_by
    assert found[GLASGOW].managed_by == "Example Integrated (INTEGRATED_CCP)"


async def test_configurations_tell_licence_and_extension(stage: WebexStage) -> None:
    found = {row.user_id: row for row in await rows(stage, Family.CONFIGURATIONS)}  # type: ignore[attr-defined]
    cat = found[stage.person("cat")]
    assert (cat.phone_system_ready, cat.numbers) == (True, (E164(HELD),))
    assert dict(cat.policies) == {
        "CallingLicence": PolicyOnLine("Professional"),
        "Extension": PolicyOnLine("1008"),
    }
    # The list says nothing of what a person shows and may dial.
    assert "CallerId" in cat.unlisted
    ada = found[stage.person("ada")]
    assert (ada.phone_system_ready, ada.policies) == (False, ())


async def test_a_targeted_read_tells_the_rest(stage: WebexStage) -> None:
    row = (await stage.provider.read_configuration(stage.person("cat"))).row
    assert row is not None
    assert dict(row.policies)["CallerId"] == PolicyOnLine("DIRECT_LINE")
    assert "CallerId" not in row.unlisted


async def test_a_person_is_found_by_id_and_by_address(stage: WebexStage) -> None:
    cat = Person(stage.person("cat"), "cat@organisation.example")
    assert (await stage.provider.read_person(cat.user_id)).row == cat
    assert (await stage.provider.read_person("Cat@Organisation.example")).row == cat


async def test_what_is_not_there_is_none(stage: WebexStage) -> None:
    assert (await stage.provider.read_person("nobody@organisation.example")).row is None
    assert (await stage.provider.read_person(UNKNOWN)).row is None
    assert (await stage.provider.read_number(E164("+441134960999"))).row is None
    assert (await stage.provider.read_configuration(UNKNOWN)).row is None


async def test_a_listing_of_many_pages_is_complete(stage: WebexStage) -> None:
    stage.world.change_settings({"numbers_page_size": 2000})
    for index in range(2100):
        stage.portal.add_number(f"+44289649{6000 + index:04d}", "London")
    found = await pages(stage, Family.NUMBERS)
    assert [page.last for page in found] == [False, True]
    assert sum(len(page.rows) for page in found) == 2119


async def test_a_read_says_when_its_request_began(stage: WebexStage) -> None:
    await stage.provider.read_number(E164(FIRST))
    stage.clock.advance(7.0)
    began = stage.clock.monotonic()
    assert (await stage.provider.read_number(E164(FIRST))).observed_at == began
    assert (await stage.provider.read_person(UNKNOWN)).observed_at == began
    assert [page.observed_at for page in await pages(stage, Family.NUMBERS)] == [began]


@pytest.mark.parametrize("effect", [Effect.LISTING_HALF, Effect.LISTING_EMPTY, Effect.LISTING_SKIP])
async def test_a_listing_that_lost_rows_has_no_end(stage: WebexStage, effect: Effect) -> None:
    stage.fault(effect, "listNumbers", count=3)
    found = await pages(stage, Family.NUMBERS)
    assert not found[-1].last


async def test_an_empty_page_ends_nothing(stage: WebexStage) -> None:
    stage.fault(Effect.LISTING_GAP, "listPeople", times=1)
    found = await pages(stage, Family.PEOPLE)
    assert [len(page.rows) for page in found] == [0, 4]
    assert found[-1].last


async def test_a_page_that_leads_to_itself_breaks_the_listing_off(stage: WebexStage) -> None:
    stage.fault(Effect.LISTING_LOOP, "listPeople")
    with pytest.raises(Unavailable):
        await pages(stage, Family.PEOPLE)


async def test_a_row_that_cannot_be_read_is_counted(stage: WebexStage) -> None:
    stage.fault(Effect.LISTING_INVALID_ROW, "listNumbers", times=1)
    found = await pages(stage, Family.NUMBERS)
    assert sum(page.bad_rows for page in found) == 1
    assert sum(len(page.rows) for page in found) == 19


async def test_a_cut_read_is_unknown_and_not_absent(stage: WebexStage) -> None:
    stage.fault(Effect.DROP_BEFORE, "reads")
    for reading in (
        stage.provider.read_number(E164(FIRST)),
        stage.provider.read_person(stage.person("cat")),
        stage.provider.read_configuration(stage.person("cat")),
    ):
        with pytest.raises(Unavailable):
            await reading
    with pytest.raises(Unavailable):
        await pages(stage, Family.NUMBERS)


async def test_a_gateway_page_is_no_answer(stage: WebexStage) -> None:
    stage.fault(Effect.GATEWAY_PAGE, "listNumbers", status=502)
    with pytest.raises(Unavailable):
        await stage.provider.read_number(E164(FIRST))


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ({"retry_after_seconds": 7.0}, 7.0),
        ({"retry_after_seconds": 90.0, "retry_after_is_date": True}, 90.0),
        ({}, 5.0),
    ],
    ids=["seconds", "date", "absent"],
)
async def test_a_throttled_read_waits_as_long_as_it_is_told(
    stage: WebexStage, fields: dict[str, object], seconds: float
) -> None:
    await stage.provider.read_number(E164(FIRST))
    stage.fault(Effect.STATUS, "listNumbers", status=429, **fields)
    before = len(stage.records)
    with pytest.raises(Throttled) as caught:
        await stage.provider.read_number(E164(FIRST))
    assert caught.value.retry_after_seconds == pytest.approx(seconds, abs=1.0)
    # The SDK would have waited and sent again by itself.
    assert len(stage.records) == before + 1


async def test_an_access_token_that_ended_is_fetched_anew(stage: WebexStage) -> None:
    await stage.provider.read_number(E164(FIRST))
    stage.world.tokens.revoke_all()
    assert await stage.holder(HELD) == stage.person("cat")


async def test_a_missing_scope_says_so(stage: WebexStage) -> None:
    app = stage.world.tokens.app(stage.webex.world.tokens.apps(stage.organisation.id)[0].client_id)
    app.scopes = stage.world.tokens.app(READER_ID).scopes
    with pytest.raises(PermissionMissing):
        await stage.provider.read_number(E164(FIRST))


async def test_credentials_of_another_organisation_are_refused(stage: WebexStage) -> None:
    other = stage.make(org_id="00000000-0000-4000-8000-00000000dddd")
    with pytest.raises(AuthenticationFailed, match="another organisation"):
        await anext(aiter(other.list_pages(Family.PEOPLE)))
    await other.close()


async def test_the_end_of_the_credentials_is_known(stage: WebexStage) -> None:
    assert stage.provider.credentials_end_at is None
    await stage.provider.read_number(E164(FIRST))
    ends_at = stage.provider.credentials_end_at
    assert ends_at is not None
    assert (ends_at - stage.clock.now()).days == 90


async def test_a_refused_refresh_is_a_matter_of_the_connection(stage: WebexStage) -> None:
    stage.portal.withdraw_authorisation()
    with pytest.raises(AuthenticationFailed, match="authorise it anew"):
        await stage.provider.read_number(E164(FIRST))
    stage.portal.authorise("fresh-token")
    renewed = stage.make(refresh_token="fresh-token")
    assert (await renewed.read_number(E164(FIRST))).row is not None
    await renewed.close()


async def test_another_refresh_token_is_used_from_then_on(
    stage: WebexStage, caplog: pytest.LogCaptureFixture
) -> None:
    stage.world.change_settings({"refresh_rotates": True})
    await stage.provider.read_number(E164(FIRST))
    assert "store it in the Secret" in caplog.text
    stage.world.tokens.revoke_all()
    assert await stage.holder(HELD) == stage.person("cat")


async def test_a_closed_provider_reads_nothing(stage: WebexStage) -> None:
    await stage.provider.close()
    await stage.provider.close()
    with pytest.raises(ProviderError):
        await stage.provider.read_number(E164(FIRST))
