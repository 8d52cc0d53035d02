"""What the Webex provider writes, and how it reads Webex's half-truths, over HTTP."""

from __future__ import annotations

import pytest

from callplane.errors import OutcomeUnknown
from callplane.plan.change import Change, Operation
from callplane.providers.protocol import (
    Accepted,
    AuthenticationFailed,
    Done,
    OperationState,
    ProviderError,
    RefusalClass,
    Refused,
    Throttled,
    Unavailable,
)
from callplane.simulators.faults import Effect
from callplane.testing.webex_desk import CARDIFF, FIRST, HELD, LEEDS, LONDON_MAIN, SECOND, SERVED
from callplane.testing.webex_stage import WebexStage
from callplane.values import E164, Platform

NEW = "+442079460777"
BASIC = "no-such-licence"


async def send(stage: WebexStage, change: Change) -> Done | Accepted:
    return await stage.provider.send(change, request_id="request-1")


async def refusal(stage: WebexStage, change: Change) -> Refused:
    with pytest.raises(Refused) as caught:
        await send(stage, change)
    return caught.value


# Giving a number


async def test_somebody_without_calling_gets_licence_and_number_at_once(stage: WebexStage) -> None:
    change = stage.assign("ada", FIRST, licence="Standard", extension="1001")
    assert await send(stage, change) == Done()
    assert stage.owner(FIRST) == "ada"
    assert stage.licences_of("ada") == {"standard"}
    row = (await stage.provider.read_configuration(stage.person("ada"))).row
    assert row is not None
    assert {name: policy.name for name, policy in row.policies} == {
        "CallingLicence": "Standard",
        "Extension": "1001",
        "CallerId": "DIRECT_LINE",
    }
    assert stage.writes() == ["assignLicences"]


async def test_somebody_with_calling_is_put_back_whole(stage: WebexStage) -> None:
    before = stage.organisation.people.get(stage.person("eve"))
    assert before is not None
    assert await send(stage, stage.assign("eve", FIRST)) == Done()
    after = stage.organisation.people.get(stage.person("eve"))
    assert after is not None
    assert (after.number, after.extension, after.licences) == (FIRST, "1010", before.licences)
    assert (after.display_name, after.email) == (before.display_name, before.email)
    assert stage.writes() == ["updatePerson"]


async def test_a_number_that_is_not_there_is_added_active_and_listed(stage: WebexStage) -> None:
    assert await send(stage, stage.assign("eve", NEW)) == Done()
    assert stage.owner(NEW) == "eve"
    row = stage.organisation.numbers.get(NEW)
    assert row is not None
    assert row.state == "ACTIVE"
    assert stage.writes() == ["addNumbers", "updatePerson"]


@pytest.mark.parametrize("as_list", [True, False], ids=["list", "object"])
async def test_a_refused_addition_is_never_taken_for_success(
    stage: WebexStage, as_list: bool
) -> None:
    stage.world.change_settings({"number_errors_as_list": as_list})
    stage.portal.add_number(NEW, "Leeds")
    stage.fault(Effect.LISTING_EMPTY, "listNumbers")
    refused = await refusal(stage, stage.assign("eve", NEW))
    assert refused.refusal is RefusalClass.CONFLICT
    assert stage.owner(NEW) is None
    assert stage.writes() == ["addNumbers"]


async def test_an_addition_that_the_list_does_not_show_is_not_believed(stage: WebexStage) -> None:
    stage.fault(Effect.LISTING_EMPTY, "listNumbers")
    refused = await refusal(stage, stage.assign("eve", NEW))
    assert refused.reason == "NumberNotInInventory"
    assert stage.owner(NEW) is None


async def test_an_inactive_number_is_activated_first(stage: WebexStage) -> None:
    stage.portal.set_number_state(FIRST, "INACTIVE")
    await send(stage, stage.assign("eve", FIRST))
    row = stage.organisation.numbers.get(FIRST)
    assert row is not None
    assert row.state == "ACTIVE"


async def test_a_number_of_somebody_else_is_never_taken_over(stage: WebexStage) -> None:
    for number in (HELD, SERVED):
        refused = await refusal(stage, stage.assign("eve", number))
        assert refused.refusal is RefusalClass.CONFLICT
    assert (stage.owner(HELD), stage.owner(SERVED)) == ("cat", "AUTO_ATTENDANT")
    assert stage.writes() == []


async def test_a_second_number_is_a_conflict(stage: WebexStage) -> None:
    refused = await refusal(stage, stage.assign("cat", FIRST))
    assert refused.refusal is RefusalClass.CONFLICT
    assert (stage.owner(HELD), stage.owner(FIRST)) == ("cat", None)


async def test_a_number_at_another_location_is_a_conflict(stage: WebexStage) -> None:
    refused = await refusal(stage, stage.assign("eve", LEEDS))
    assert refused.refusal is RefusalClass.CONFLICT
    assert "Leeds" in str(refused)


async def test_a_person_cannot_change_the_location(stage: WebexStage) -> None:
    refused = await refusal(stage, stage.assign("eve", LEEDS, location="Leeds"))
    assert refused.reason == "Unsupported"
    assert "Control Hub" in str(refused)
    cannot = stage.provider.unsupported(stage.move("cat", HELD, "Leeds"))
    assert cannot is not None
    assert "Control Hub" in cannot.manual_step


@pytest.mark.parametrize("name", ["Cardiff", "Glasgow"])
async def test_a_location_of_somebody_else_is_never_written(stage: WebexStage, name: str) -> None:
    number = NEW if name == "Glasgow" else CARDIFF
    refused = await refusal(stage, stage.assign("ada", number, location=name))
    assert refused.reason == "Unsupported"
    owner = "INTEGRATED_CCP" if name == "Glasgow" else "CISCO_PSTN"
    assert owner in str(refused)
    assert "by hand" in str(refused)
    assert stage.writes() == []
    assert stage.organisation.damage == []


async def test_a_provider_that_manages_numbers_by_itself_says_so_in_its_refusal(
    stage: WebexStage,
) -> None:
    stage.portal.set_pstn("Leeds", externally_managed=True)
    refused = await refusal(stage, stage.assign("ada", NEW, location="Leeds"))
    assert refused.reason == "Unsupported"
    assert stage.owner(NEW) is None


async def test_a_location_that_changed_hands_meanwhile_is_not_written(stage: WebexStage) -> None:
    await stage.provider.read_number(E164(FIRST))
    stage.portal.set_pstn("London", "CISCO_PSTN")
    refused = await refusal(stage, stage.unassign("cat", HELD))
    assert refused.reason == "Unsupported"
    assert stage.writes() == []


async def test_an_unknown_location_is_said(stage: WebexStage) -> None:
    refused = await refusal(stage, stage.assign("ada", FIRST, location="Atlantis"))
    assert refused.reason == "LocationMissing"


async def test_an_unknown_licence_is_said(stage: WebexStage) -> None:
    refused = await refusal(stage, stage.assign("ada", FIRST, licence=BASIC))
    assert refused.reason == "UserNotLicensed"


# Licences that were left out


async def test_a_206_without_the_licence_is_seen(stage: WebexStage) -> None:
    stage.fault(Effect.LICENCE_SKIPPED, "assignLicences", times=1)
    refused = await refusal(stage, stage.assign("ada", FIRST))
    assert refused.reason == "UserNotLicensed"
    assert "206" in str(refused)
    assert await send(stage, stage.assign("ada", FIRST)) == Done()
    assert stage.owner(FIRST) == "ada"


async def test_no_licence_left_is_seen(stage: WebexStage) -> None:
    stage.portal.set_units("professional", 0)
    refused = await refusal(stage, stage.assign("ada", FIRST))
    assert refused.reason == "UserNotLicensed"
    assert stage.owner(FIRST) is None


async def test_a_licence_on_its_way_is_waited_for(stage: WebexStage) -> None:
    stage.world.change_settings({"licence_lag_seconds": 60.0})
    answer = await send(stage, stage.assign("ada", FIRST))
    assert isinstance(answer, Accepted)
    assert (await stage.provider.poll(answer.operation)).state is OperationState.RUNNING
    stage.clock.advance(61.0)
    assert (await stage.provider.poll(answer.operation)).state is OperationState.SUCCEEDED
    assert stage.owner(FIRST) == "ada"


@pytest.mark.parametrize("operation", ["", "licence", "licence nobody x", "https://elsewhere/x"])
async def test_an_operation_nobody_knows_is_lost(stage: WebexStage, operation: str) -> None:
    assert (await stage.provider.poll(operation)).state is OperationState.LOST


# Taking a number away


async def test_a_number_is_taken_and_leaves_the_inventory(stage: WebexStage) -> None:
    assert await send(stage, stage.unassign("cat", HELD)) == Done()
    assert stage.organisation.numbers.get(HELD) is None
    row = stage.organisation.people.get(stage.person("cat"))
    assert row is not None
    # With an extension the person stays in Calling.
    assert (row.number, row.extension) == (None, "1008")
    assert "professional" in stage.licences_of("cat")
    assert await stage.holder(HELD) is None
    assert stage.writes() == ["updatePerson", "removeNumbers"]


async def test_without_an_extension_the_licence_goes_with_the_number(stage: WebexStage) -> None:
    await send(stage, stage.assign("ada", FIRST))
    await send(stage, stage.unassign("ada", FIRST))
    assert stage.licences_of("ada") == set()
    assert stage.organisation.numbers.get(FIRST) is None


async def test_the_main_number_of_a_location_stays_in_it(stage: WebexStage) -> None:
    await send(stage, stage.assign("eve", LONDON_MAIN))
    await send(stage, stage.unassign("eve", LONDON_MAIN))
    assert stage.organisation.numbers.get(LONDON_MAIN) is not None
    assert stage.owner(LONDON_MAIN) is None
    assert "removeNumbers" not in stage.writes()


async def test_a_number_that_cannot_be_removed_is_unassigned_all_the_same(
    stage: WebexStage,
) -> None:
    stage.fault(Effect.STATUS, "removeNumbers", status=409)
    assert await send(stage, stage.unassign("cat", HELD)) == Done()
    assert stage.owner(HELD) is None


async def test_a_number_of_nobody_needs_nothing(stage: WebexStage) -> None:
    assert await send(stage, stage.unassign("cat", SECOND)) == Done()
    assert stage.writes() == []


# Settings


async def test_an_extension_is_changed(stage: WebexStage) -> None:
    await send(stage, stage.set("cat", "Extension", "1099"))
    row = stage.organisation.people.get(stage.person("cat"))
    assert row is not None
    assert (row.extension, row.number) == ("1099", HELD)


async def test_an_extension_in_use_is_a_conflict(stage: WebexStage) -> None:
    refused = await refusal(stage, stage.set("cat", "Extension", "1010"))
    assert refused.refusal is RefusalClass.CONFLICT


async def test_an_extension_alone_brings_calling(stage: WebexStage) -> None:
    change = stage.set("ada", "Extension", "1050", licence="Professional", location="London")
    await send(stage, change)
    assert stage.licences_of("ada") == {"professional"}


async def test_a_licence_that_webex_does_not_allow_is_refused_with_its_code(
    stage: WebexStage,
) -> None:
    refused = await refusal(stage, stage.set("cat", "CallingLicence", "Standard"))
    assert refused.reason == "UserNotLicensed"
    assert "400112" in str(refused)
    assert stage.owner(HELD) == "cat"


async def test_a_standard_licence_is_raised_with_the_line_kept(stage: WebexStage) -> None:
    await send(stage, stage.assign("ada", FIRST, licence="Standard"))
    await send(stage, stage.set("ada", "CallingLicence", "Professional"))
    assert stage.licences_of("ada") == {"professional"}
    assert stage.owner(FIRST) == "ada"


async def test_the_caller_id_is_set(stage: WebexStage) -> None:
    await send(stage, stage.set("cat", "CallerId", "LOCATION_NUMBER"))
    row = (await stage.provider.read_configuration(stage.person("cat"))).row
    assert row is not None
    assert dict(row.policies)["CallerId"].name == "LOCATION_NUMBER"


async def test_a_setting_nobody_knows_is_refused(stage: WebexStage) -> None:
    refused = await refusal(stage, stage.set("cat", "TeamsCallingPolicy", "x"))
    assert refused.reason == "PolicyNotFound"


# Bad days


async def test_an_error_that_did_it_all_the_same_counts_as_done(stage: WebexStage) -> None:
    stage.fault(Effect.REFUSED_AFTER, "updatePerson", times=1, status=400)
    assert await send(stage, stage.assign("eve", FIRST)) == Done()
    assert stage.owner(FIRST) == "eve"
    assert stage.writes() == ["updatePerson"]


async def test_an_error_that_did_half_of_it_stays_an_error(stage: WebexStage) -> None:
    stage.fault(Effect.HALF_DONE, "updatePerson", times=1, status=400, message="Invalid.")
    refused = await refusal(stage, stage.assign("eve", FIRST))
    assert refused.refusal is RefusalClass.UNCLASSIFIED
    assert stage.owner(FIRST) is None


@pytest.mark.parametrize("effect", [Effect.DROP_AFTER, Effect.DROP_BEFORE])
async def test_a_write_without_an_answer_is_unknown_and_sent_once(
    stage: WebexStage, effect: Effect
) -> None:
    await stage.provider.read_number(E164(FIRST))
    stage.fault(effect, "updatePerson")
    with pytest.raises(OutcomeUnknown):
        await send(stage, stage.assign("eve", FIRST))
    assert stage.writes() == ["updatePerson"]
    assert stage.owner(FIRST) == ("eve" if effect is Effect.DROP_AFTER else None)


async def test_a_gateway_page_to_a_write_is_unknown(stage: WebexStage) -> None:
    stage.fault(Effect.GATEWAY_PAGE, "updatePerson", status=502)
    with pytest.raises(OutcomeUnknown):
        await send(stage, stage.assign("eve", FIRST))
    assert stage.writes() == ["updatePerson"]


async def test_silence_after_a_first_step_is_unknown(stage: WebexStage) -> None:
    stage.fault(Effect.DROP_BEFORE, "listNumbers", skip=1)
    with pytest.raises(OutcomeUnknown):
        await send(stage, stage.assign("eve", NEW))
    assert stage.writes() == ["addNumbers"]


@pytest.mark.parametrize("is_date", [True, False], ids=["date", "seconds"])
async def test_a_throttled_write_was_not_done_and_is_not_repeated(
    stage: WebexStage, is_date: bool
) -> None:
    stage.fault(
        Effect.STATUS,
        "updatePerson",
        times=1,
        status=429,
        retry_after_seconds=30.0,
        retry_after_is_date=is_date,
    )
    with pytest.raises(Throttled) as caught:
        await send(stage, stage.assign("eve", FIRST))
    assert caught.value.retry_after_seconds == pytest.approx(30.0, abs=1.0)
    assert stage.owner(FIRST) is None
    assert stage.writes() == ["updatePerson"]


async def test_a_locked_resource_passes(stage: WebexStage) -> None:
    stage.fault(Effect.TRY_AGAIN, "updatePerson", times=1, retry_after_seconds=2.0)
    refused = await refusal(stage, stage.assign("eve", FIRST))
    assert refused.refusal is RefusalClass.TRANSIENT


async def test_withdrawn_credentials_are_a_matter_of_the_connection(stage: WebexStage) -> None:
    await stage.provider.read_number(E164(FIRST))
    stage.portal.withdraw_authorisation()
    with pytest.raises(AuthenticationFailed):
        await send(stage, stage.assign("eve", FIRST))
    assert stage.owner(FIRST) is None


async def test_a_person_who_is_gone_is_said(stage: WebexStage) -> None:
    change = stage.assign("eve", FIRST)
    stage.portal.delete_user("eve@organisation.example")
    assert (await refusal(stage, change)).reason == "UserNotFound"


async def test_no_number_shows_in_what_is_said(stage: WebexStage) -> None:
    for change in (stage.assign("eve", HELD), stage.assign("cat", FIRST)):
        text = str(await refusal(stage, change))
        assert HELD[1:] not in text
        assert FIRST[1:] not in text


async def test_a_closed_provider_sends_nothing(stage: WebexStage) -> None:
    await stage.provider.close()
    with pytest.raises(ProviderError):
        await send(stage, stage.assign("eve", FIRST))
    assert stage.writes() == []


# People


def creation(stage: WebexStage, address: str) -> Change:
    return Change(
        stage.provider.connection,
        Operation.CREATE_PERSON,
        Platform.WEBEX,
        address,
        None,
        {"firstName": "Dan", "lastName": "Example"},
    )


async def test_a_person_is_created_and_found(stage: WebexStage) -> None:
    address = "dan@organisation.example"
    assert await send(stage, creation(stage, address)) == Done()
    person = (await stage.provider.read_person(address)).row
    assert person is not None
    assert await send(stage, stage.assign("dan", FIRST)) == Done()
    assert stage.owner(FIRST) == "dan"


async def test_a_400_that_created_the_person_counts_as_done(stage: WebexStage) -> None:
    address = "dan@organisation.example"
    stage.fault(Effect.REFUSED_AFTER, "createPerson", times=1, status=400)
    assert await send(stage, creation(stage, address)) == Done()
    assert stage.writes() == ["createPerson"]
    assert (await stage.provider.read_person(address)).row is not None


async def test_a_400_that_created_nobody_is_a_refusal(stage: WebexStage) -> None:
    stage.fault(Effect.STATUS, "createPerson", times=1, status=400, message="Invalid.")
    await refusal(stage, creation(stage, "dan@organisation.example"))


async def test_somebody_who_is_there_already_is_not_created_twice(stage: WebexStage) -> None:
    assert await send(stage, creation(stage, "cat@organisation.example")) == Done()
    people = [row.email for row in stage.organisation.people.rows()]
    assert people.count("cat@organisation.example") == 1


async def test_a_list_without_the_number_is_no_proof_that_nobody_has_it(stage: WebexStage) -> None:
    await send(stage, stage.assign("ada", FIRST))
    stage.fault(Effect.LISTING_EMPTY, "listNumbers")
    with pytest.raises(Unavailable, match="which is in use"):
        await send(stage, stage.unassign("ada", FIRST))
    assert stage.owner(FIRST) == "ada"
    stage.world.faults.clear()
    assert await send(stage, stage.unassign("ada", FIRST)) == Done()
    assert stage.owner(FIRST) is None
    assert await send(stage, stage.unassign("ada", FIRST)) == Done()
