"""What the documentation leaves open: forms, refusals and delays that a tenant may have or not."""

from __future__ import annotations

import pytest

from callplane.plan.change import Change
from callplane.providers.protocol import (
    Accepted,
    Family,
    OperationState,
    RefusalClass,
    Refused,
    Unavailable,
)
from callplane.providers.transport import CallRecord
from callplane.resources.platforms import AccountType, LicenceState, NumberOnPlatform
from callplane.simulators.faults import Effect, FaultRule
from callplane.simulators.graph.portal import Portal
from callplane.simulators.graph.world import GraphWorld
from callplane.testing.provider_stage import (
    CALLING_PLAN_NUMBER,
    LOCATION,
    NUMBERS,
    UNKNOWN_NUMBER,
    Changes,
    Stage,
    upn,
)

ONE = NUMBERS[0]


async def refused(stage: Stage, change: Change) -> Refused:
    with pytest.raises(Refused) as caught:
        await stage.provider.send(change, request_id="r")
    return caught.value


@pytest.mark.parametrize("wraps", [False, True])
@pytest.mark.parametrize(
    ("effect", "state"),
    [
        (Effect.ORDER_FAILS, OperationState.FAILED),
        (Effect.ORDER_PARTIAL, OperationState.FAILED),
        (Effect.ORDER_SKIPPED, OperationState.RUNNING),
        (Effect.ORDER_SLOW, OperationState.RUNNING),
        (Effect.ORDER_LOST, OperationState.LOST),
    ],
)
async def test_how_an_order_can_end(
    stage: Stage, world: GraphWorld, wraps: bool, effect: Effect, state: OperationState
) -> None:
    world.change_settings({"wraps_operations": wraps})
    world.faults.add(FaultRule(effect, ("assignNumber",), times=1))
    change = Changes(stage).assign("anna", ONE)
    answer = await stage.provider.send(change, request_id="r")
    assert isinstance(answer, Accepted)
    assert (await stage.provider.poll(answer.operation)).state is state


async def test_an_answer_about_an_order_may_be_wrapped(
    stage: Stage, changes: Changes, world: GraphWorld
) -> None:
    world.change_settings({"wraps_operations": True})
    answer = await stage.provider.send(changes.assign("anna", ONE), request_id="r")
    assert isinstance(answer, Accepted)
    assert (await stage.provider.poll(answer.operation)).state is OperationState.SUCCEEDED


async def test_an_order_can_be_refused_when_it_runs(
    stage: Stage, changes: Changes, world: GraphWorld
) -> None:
    world.change_settings({"refusals_in_operation": True})
    answer = await stage.provider.send(changes.assign("cara", ONE), request_id="r")
    assert isinstance(answer, Accepted)
    status = await stage.provider.poll(answer.operation)
    assert status.state is OperationState.FAILED
    assert "licenses" in status.detail


@pytest.mark.parametrize("linked", [False, True])
async def test_numbers_page_by_link_or_by_offset(
    stage: Stage, linked: bool, world: GraphWorld
) -> None:
    world.change_settings({"numbers_have_next_link": linked})
    stage.add_numbers(2500)
    pages = [page async for page in stage.provider.list_pages(Family.NUMBERS)]
    rows = {row.number for page in pages for row in page.rows if isinstance(row, NumberOnPlatform)}
    assert len(rows) == 2500 + len(NUMBERS) + 1
    assert [page.last for page in pages] == [False, False, True]


async def test_a_400_can_mean_try_again(stage: Stage, changes: Changes, world: GraphWorld) -> None:
    world.faults.add(FaultRule(Effect.TRY_AGAIN, ("writes",), times=1))
    assert (await refused(stage, changes.assign("anna", ONE))).refusal is RefusalClass.TRANSIENT


async def test_a_400_can_mean_try_again_when_a_policy_is_looked_up(
    stage: Stage, changes: Changes, world: GraphWorld
) -> None:
    world.faults.add(FaultRule(Effect.TRY_AGAIN, ("getPolicyId",), times=1))
    with pytest.raises(Unavailable):
        await stage.provider.send(changes.policy("anna", "AllowCalling"), request_id="r")
    await stage.provider.send(changes.policy("anna", "AllowCalling"), request_id="r")


async def test_reasons_of_a_refused_assignment(
    stage: Stage, changes: Changes, portal: Portal
) -> None:
    portal.mark_on_premises(NUMBERS[1].text)
    portal.change_user(upn("ben"), usage_location="DE")
    stage.administrator_assigns(NUMBERS[2], "cara")
    portal.add_location(LOCATION)
    cases = [
        (changes.assign("anna", NUMBERS[1]), "NumberOnPremises"),
        (changes.assign("ben", ONE), "UsageLocationMismatch"),
        (changes.assign("anna", NUMBERS[2]), "NumberTaken"),
        (changes.assign("cara", ONE), "UserNotLicensed"),
        (changes.assign("anna", UNKNOWN_NUMBER), "NumberNotInInventory"),
        (changes.assign("anna", ONE, location="no-such-place"), "EmergencyLocationUnknown"),
        (changes.locate("anna", ONE, "no-such-place"), "EmergencyLocationUnknown"),
    ]
    assert [(await refused(stage, change)).reason for change, _ in cases] == [
        reason for _, reason in cases
    ]


async def test_what_the_preflight_reads(stage: Stage, portal: Portal) -> None:
    portal.set_plan_status(upn("ben"), "Warning")
    portal.change_user(upn("ben"), account_enabled=False, usage_location="")
    portal.unlicense_user(upn("anna"))
    ben = (await stage.provider.read_person(upn("ben"))).row
    anna = (await stage.provider.read_person(upn("anna"))).row
    assert ben is not None
    assert anna is not None
    assert (ben.licence, ben.account_enabled, ben.usage_location) == (
        LicenceState.WARNING,
        False,
        "",
    )
    assert anna.licence is LicenceState.ABSENT
    configuration = (await stage.provider.read_configuration(stage.people["anna"])).row
    assert configuration is not None
    assert configuration.account_type is AccountType.INELIGIBLE
    assert not configuration.phone_system_ready


async def test_a_number_of_a_service_is_not_free(stage: Stage, portal: Portal) -> None:
    portal.use_number_for(ONE.text, "policyAssigned", "shared-calling-1")
    row = (await stage.provider.read_number(ONE)).row
    assert row is not None
    assert (row.holder_id, row.held_by_user) == ("shared-calling-1", False)


async def test_a_number_is_unsettled_while_it_is_changed(
    stage: Stage, changes: Changes, world: GraphWorld
) -> None:
    world.change_settings({"update_seconds": 30.0})
    await stage.provider.send(changes.locate("anna", ONE, LOCATION), request_id="r")
    row = (await stage.provider.read_number(ONE)).row
    assert row is not None
    assert not row.settled
    stage.clock.advance(30.0)
    row = (await stage.provider.read_number(ONE)).row
    assert row is not None
    assert (row.settled, row.location_id) == (True, LOCATION)


async def test_what_is_unsupported_is_refused_by_the_tenant_too(
    stage: Stage, changes: Changes, portal: Portal
) -> None:
    """The judgement made beforehand is the one the service would make."""
    portal.set_location(CALLING_PLAN_NUMBER.text, LOCATION)
    change = changes.locate("anna", CALLING_PLAN_NUMBER, "")
    assert (await refused(stage, change)).refusal is RefusalClass.UNCLASSIFIED


async def test_a_person_is_found_again_after_being_restored(stage: Stage, portal: Portal) -> None:
    stage.administrator_deletes("ben")
    by_name = (await stage.provider.read_person(upn("ben"))).row
    assert by_name is not None
    assert by_name.deleted
    assert by_name.user_principal_name == upn("ben")
    portal.restore_user(stage.people["ben"])
    row = (await stage.provider.read_person(upn("ben"))).row
    assert row is not None
    assert not row.deleted


async def test_a_reused_name_is_another_person(stage: Stage, portal: Portal) -> None:
    new_id = portal.reuse_name(upn("ben"))
    row = (await stage.provider.read_person(upn("ben"))).row
    assert row is not None
    assert row.user_id == new_id != stage.people["ben"]


async def test_reads_are_measured_by_name(
    stage: Stage, changes: Changes, records: list[CallRecord]
) -> None:
    await stage.provider.read_number(ONE)
    await stage.provider.send(changes.policy("anna", "AllowCalling"), request_id="r")
    assert [record.operation for record in records] == [
        "discoverTokenService",
        "getToken",
        "readNumber",
        "getPolicyId",
        "assignPolicy",
    ]


async def test_a_refusal_names_our_request_and_theirs(stage: Stage, changes: Changes) -> None:
    request_id = "0f1e2d3c-0000-4000-8000-000000000001"
    with pytest.raises(Refused, match=f"request-id .*client-request-id {request_id}"):
        await stage.provider.send(changes.assign("cara", ONE), request_id=request_id)
