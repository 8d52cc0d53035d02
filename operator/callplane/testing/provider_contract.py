"""What every provider promises, as tests: the definition of `providers.protocol`.

A test module subclasses `ProviderContract` and provides the fixture `stage`. Each test is one
promise; the engine relies on all of them.
"""

from __future__ import annotations

import pytest

from callplane.errors import OutcomeUnknown
from callplane.plan.change import Change
from callplane.providers.protocol import (
    Accepted,
    AuthenticationFailed,
    Done,
    Family,
    OperationState,
    Page,
    ProviderError,
    RefusalClass,
    Refused,
    Throttled,
    Unavailable,
)
from callplane.resources.lines import NumberType, PolicyOnLine, PolicyOrigin
from callplane.resources.platforms import (
    CallingConfiguration,
    LicenceState,
    NumberOnPlatform,
    Person,
)
from callplane.testing.provider_stage import (
    CALLING_PLAN_NUMBER,
    LOCATION,
    NUMBERS,
    ORDER_SECONDS,
    PEOPLE,
    POLICIES,
    POLICY_TYPE,
    RETRY_AFTER_SECONDS,
    UNKNOWN_ID,
    UNKNOWN_NUMBER,
    Changes,
    Misfortune,
    Stage,
    upn,
)
from callplane.values import E164

ONE, TWO = NUMBERS[0], NUMBERS[1]


async def pages_of(stage: Stage, family: Family) -> list[Page]:
    return [page async for page in stage.provider.list_pages(family)]


async def number_of(stage: Stage, number: E164) -> NumberOnPlatform:
    row = (await stage.provider.read_number(number)).row
    assert row is not None
    return row


async def configuration_of(stage: Stage, name: str) -> CallingConfiguration:
    row = (await stage.provider.read_configuration(stage.people[name])).row
    assert row is not None
    return row


async def carry_out(stage: Stage, change: Change) -> None:
    """Send one change and see it through."""
    answer = await stage.provider.send(change, request_id="request-1")
    if isinstance(answer, Accepted):
        status = await stage.provider.poll(answer.operation)
        assert status.state is OperationState.SUCCEEDED, status


async def refusal_of(stage: Stage, change: Change) -> Refused:
    """The refusal; nothing was tried twice."""
    before = stage.attempts()
    with pytest.raises(Refused) as caught:
        await stage.provider.send(change, request_id="request-1")
    assert stage.attempts() - before <= 1
    return caught.value


@pytest.fixture
def changes(stage: Stage) -> Changes:
    return Changes(stage)


class ReadingContract:
    """Listings and targeted reads."""

    async def test_a_listing_holds_every_row_and_an_end(self, stage: Stage) -> None:
        for family in Family:
            pages = await pages_of(stage, family)
            assert [page.last for page in pages] == [False] * (len(pages) - 1) + [True]
            assert all(page.family is family and page.bad_rows == 0 for page in pages)
        people = [row for page in await pages_of(stage, Family.PEOPLE) for row in page.rows]
        assert {row.user_id for row in people if isinstance(row, Person)} == {
            stage.people[name] for name in PEOPLE
        }
        numbers = [row for page in await pages_of(stage, Family.NUMBERS) for row in page.rows]
        assert {row.number for row in numbers if isinstance(row, NumberOnPlatform)} == {
            *NUMBERS,
            CALLING_PLAN_NUMBER,
        }

    async def test_a_listing_of_many_pages_is_complete(self, stage: Stage) -> None:
        stage.add_numbers(2000 - len(NUMBERS) - 1)
        pages = await pages_of(stage, Family.NUMBERS)
        rows = [row for page in pages for row in page.rows]
        assert len(rows) == len(set(rows)) == 2000
        assert len(pages) > 1
        assert [page.last for page in pages] == [False] * (len(pages) - 1) + [True]

    async def test_a_read_says_when_its_request_began(self, stage: Stage) -> None:
        stage.clock.advance(7.0)
        began = stage.clock.monotonic()
        async for page in stage.provider.list_pages(Family.NUMBERS):
            assert page.observed_at == began
        assert (await stage.provider.read_number(ONE)).observed_at == began
        assert (await stage.provider.read_person(UNKNOWN_ID)).observed_at == began
        assert (await stage.provider.read_configuration(UNKNOWN_ID)).observed_at == began

    async def test_a_page_says_when_its_own_request_began(self, stage: Stage) -> None:
        stage.add_numbers(2000)
        seen = []
        async for page in stage.provider.list_pages(Family.NUMBERS):
            seen.append(page.observed_at)
            stage.clock.advance(5.0)
        assert seen == sorted(set(seen))
        assert len(seen) > 1

    async def test_a_person_is_found_by_id_and_by_name(self, stage: Stage) -> None:
        anna = stage.people["anna"]
        wanted = Person(anna, upn("anna"), usage_location="GB")
        assert (await stage.provider.read_person(anna)).row == wanted
        assert (await stage.provider.read_person(upn("anna"))).row == wanted
        assert (await stage.provider.read_person(upn("Anna").upper())).row == wanted

    async def test_a_licence_is_told_from_none(self, stage: Stage) -> None:
        cara = (await stage.provider.read_person(upn("cara"))).row
        dora = (await stage.provider.read_person(upn("dora"))).row
        assert cara is not None
        assert cara.licence is LicenceState.ABSENT
        assert dora is not None
        assert dora.licence is LicenceState.ENABLED

    async def test_what_is_not_there_is_none_and_no_error(self, stage: Stage) -> None:
        assert (await stage.provider.read_person(UNKNOWN_ID)).row is None
        assert (await stage.provider.read_person(upn("nobody"))).row is None
        assert (await stage.provider.read_number(UNKNOWN_NUMBER)).row is None
        assert (await stage.provider.read_configuration(UNKNOWN_ID)).row is None

    async def test_a_soft_deleted_person_is_found_as_deleted(self, stage: Stage) -> None:
        stage.administrator_deletes("ben")
        row = (await stage.provider.read_person(stage.people["ben"])).row
        assert row is not None
        assert row.deleted
        assert row.user_id == stage.people["ben"]
        pages = await pages_of(stage, Family.PEOPLE)
        assert row.user_id not in {
            person.user_id for page in pages for person in page.rows if isinstance(person, Person)
        }

    async def test_a_free_number_reads_as_free(self, stage: Stage) -> None:
        assert await number_of(stage, ONE) == NumberOnPlatform(ONE, NumberType.DIRECT_ROUTING)

    async def test_readiness_is_what_the_platform_itself_says(self, stage: Stage) -> None:
        assert (await configuration_of(stage, "anna")).phone_system_ready
        dora = (await stage.provider.read_configuration(stage.people["dora"])).row
        assert dora is None or not dora.phone_system_ready

    async def test_the_administrator_is_seen(self, stage: Stage) -> None:
        stage.administrator_assigns(ONE, "anna")
        assert (await number_of(stage, ONE)).holder_id == stage.people["anna"]
        stage.administrator_assigns(ONE, None)
        assert (await number_of(stage, ONE)).holder_id is None

    async def test_a_policy_of_a_group_shows_its_origin(self, stage: Stage) -> None:
        stage.administrator_groups("anna", POLICIES[0])
        policies = dict((await configuration_of(stage, "anna")).policies)
        assert policies[POLICY_TYPE] == PolicyOnLine(POLICIES[0], PolicyOrigin.GROUP)

    async def test_a_cut_read_is_unknown_and_not_absent(self, stage: Stage) -> None:
        stage.strike(Misfortune.READS_CUT)
        with pytest.raises(Unavailable):
            await stage.provider.read_number(ONE)
        with pytest.raises(Unavailable):
            await stage.provider.read_person(stage.people["anna"])
        with pytest.raises(Unavailable):
            await stage.provider.read_configuration(stage.people["anna"])
        with pytest.raises(Unavailable):
            await pages_of(stage, Family.PEOPLE)
        stage.calm()
        assert (await number_of(stage, ONE)).number == ONE

    async def test_a_throttled_read_tells_how_long_to_wait(self, stage: Stage) -> None:
        stage.strike(Misfortune.READS_THROTTLED)
        with pytest.raises(Throttled) as caught:
            await stage.provider.read_number(ONE)
        assert caught.value.retry_after_seconds == RETRY_AFTER_SECONDS
        with pytest.raises(Throttled):
            await pages_of(stage, Family.NUMBERS)

    async def test_a_broken_listing_has_no_end(self, stage: Stage) -> None:
        stage.add_numbers(2000)
        stage.strike(Misfortune.LISTING_CUT)
        pages = aiter(stage.provider.list_pages(Family.NUMBERS))
        first = await anext(pages)
        assert not first.last
        with pytest.raises(Unavailable):
            await anext(pages)

    async def test_a_row_that_cannot_be_read_is_counted(self, stage: Stage) -> None:
        stage.strike(Misfortune.BAD_ROW)
        pages = await pages_of(stage, Family.NUMBERS)
        assert sum(page.bad_rows for page in pages) == 1
        assert sum(len(page.rows) for page in pages) == len(NUMBERS) + 1


class WritingContract:
    """Changes, their answers, and what is there afterwards."""

    async def test_an_order_runs_and_takes_effect(self, stage: Stage, changes: Changes) -> None:
        stage.orders_take(ORDER_SECONDS)
        answer = await stage.provider.send(changes.assign("anna", ONE), request_id="r")
        assert isinstance(answer, Accepted)
        assert (await stage.provider.poll(answer.operation)).state is OperationState.RUNNING
        stage.clock.advance(ORDER_SECONDS)
        assert (await stage.provider.poll(answer.operation)).state is OperationState.SUCCEEDED
        row = await number_of(stage, ONE)
        assert (row.holder_id, row.held_by_user) == (stage.people["anna"], True)
        configuration = await configuration_of(stage, "anna")
        assert (configuration.numbers, configuration.enterprise_voice) == ((ONE,), True)

    async def test_a_number_is_taken_away(self, stage: Stage, changes: Changes) -> None:
        await carry_out(stage, changes.assign("anna", ONE))
        await carry_out(stage, changes.unassign("anna", ONE))
        assert (await number_of(stage, ONE)).holder_id is None
        configuration = await configuration_of(stage, "anna")
        assert (configuration.numbers, configuration.enterprise_voice) == ((), False)

    async def test_one_change_is_one_attempt(self, stage: Stage, changes: Changes) -> None:
        await carry_out(stage, changes.assign("anna", ONE))
        await carry_out(stage, changes.policy("anna", POLICIES[0]))
        assert stage.attempts() == 2

    async def test_a_number_comes_with_its_location(self, stage: Stage, changes: Changes) -> None:
        await carry_out(stage, changes.assign("anna", ONE, location=LOCATION))
        assert (await number_of(stage, ONE)).location_id == LOCATION

    async def test_a_location_is_set_and_cleared(self, stage: Stage, changes: Changes) -> None:
        await carry_out(stage, changes.assign("anna", ONE))
        await carry_out(stage, changes.locate("anna", ONE, LOCATION))
        assert (await number_of(stage, ONE)).location_id == LOCATION
        await carry_out(stage, changes.locate("anna", ONE, ""))
        row = await number_of(stage, ONE)
        assert (row.location_id, row.holder_id) == (None, stage.people["anna"])

    async def test_a_policy_is_set_changed_and_removed(
        self, stage: Stage, changes: Changes
    ) -> None:
        for policy in POLICIES:
            answer = await stage.provider.send(changes.policy("anna", policy), request_id="r")
            assert answer == Done()
            policies = dict((await configuration_of(stage, "anna")).policies)
            assert policies[POLICY_TYPE] == PolicyOnLine(policy)
        await carry_out(stage, changes.policy("anna", None))
        assert POLICY_TYPE not in dict((await configuration_of(stage, "anna")).policies)

    async def test_under_a_direct_policy_lies_the_one_of_the_group(
        self, stage: Stage, changes: Changes
    ) -> None:
        stage.administrator_groups("anna", POLICIES[0])
        await carry_out(stage, changes.policy("anna", POLICIES[1]))
        policies = dict((await configuration_of(stage, "anna")).policies)
        assert policies[POLICY_TYPE] == PolicyOnLine(POLICIES[1])
        await carry_out(stage, changes.policy("anna", None))
        policies = dict((await configuration_of(stage, "anna")).policies)
        assert policies[POLICY_TYPE] == PolicyOnLine(POLICIES[0], PolicyOrigin.GROUP)

    async def test_a_policy_that_does_not_exist_is_not_tried(
        self, stage: Stage, changes: Changes
    ) -> None:
        refused = await refusal_of(stage, changes.policy("anna", "No Such Policy"))
        assert refused.refusal is RefusalClass.PRECONDITION
        assert refused.reason == "PolicyNotFound"
        unknown = changes.policy("anna", POLICIES[0], policy_type="NoSuchPolicyType")
        assert (await refusal_of(stage, unknown)).reason == "PolicyNotFound"

    async def test_a_number_of_another_user_is_never_taken_over(
        self, stage: Stage, changes: Changes
    ) -> None:
        await carry_out(stage, changes.assign("anna", ONE))
        refused = await refusal_of(stage, changes.assign("ben", ONE))
        assert refused.refusal is RefusalClass.CONFLICT
        assert stage.holder(ONE) == stage.people["anna"]

    async def test_a_second_number_is_a_conflict(self, stage: Stage, changes: Changes) -> None:
        await carry_out(stage, changes.assign("anna", ONE))
        refused = await refusal_of(stage, changes.assign("anna", TWO))
        assert refused.refusal is RefusalClass.CONFLICT
        assert stage.holder(TWO) is None

    async def test_a_number_nobody_has_is_not_found(self, stage: Stage, changes: Changes) -> None:
        refused = await refusal_of(stage, changes.assign("anna", UNKNOWN_NUMBER))
        assert refused.refusal is RefusalClass.NOT_FOUND

    async def test_a_wrong_number_type_is_not_found(self, stage: Stage, changes: Changes) -> None:
        refused = await refusal_of(stage, changes.assign("anna", ONE, type="operatorConnect"))
        assert refused.refusal is RefusalClass.NOT_FOUND
        assert stage.holder(ONE) is None

    async def test_a_missing_licence_is_a_precondition(
        self, stage: Stage, changes: Changes
    ) -> None:
        refused = await refusal_of(stage, changes.assign("cara", ONE))
        assert refused.refusal is RefusalClass.PRECONDITION

    async def test_a_user_the_platform_does_not_know_yet_is_not_ready(
        self, stage: Stage, changes: Changes
    ) -> None:
        refused = await refusal_of(stage, changes.assign("dora", ONE))
        assert refused.refusal is RefusalClass.NOT_READY

    async def test_an_operation_nobody_knows_is_lost(self, stage: Stage) -> None:
        for operation in ("", "operation-77", "https://elsewhere.example/v1.0/operations('1')"):
            assert (await stage.provider.poll(operation)).state is OperationState.LOST


class BadDayContract:
    """What is known after something went wrong, and that nothing is ever tried twice."""

    @pytest.mark.parametrize(
        ("misfortune", "holder"),
        [(Misfortune.REQUEST_LOST, None), (Misfortune.ANSWER_LOST, "anna")],
    )
    async def test_a_write_without_an_answer_is_unknown(
        self, stage: Stage, changes: Changes, misfortune: Misfortune, holder: str | None
    ) -> None:
        stage.strike(misfortune)
        with pytest.raises(OutcomeUnknown):
            await stage.provider.send(changes.assign("anna", ONE), request_id="r")
        assert stage.attempts() == 1
        assert stage.holder(ONE) == stage.people.get(holder or "")

    async def test_a_synchronous_write_without_an_answer_is_unknown_too(
        self, stage: Stage, changes: Changes
    ) -> None:
        await carry_out(stage, changes.policy("ben", POLICIES[0]))
        before = stage.attempts()
        stage.strike(Misfortune.ANSWER_LOST)
        with pytest.raises(OutcomeUnknown):
            await stage.provider.send(changes.policy("anna", POLICIES[0]), request_id="r")
        assert stage.attempts() - before == 1
        policies = dict((await configuration_of(stage, "anna")).policies)
        assert policies[POLICY_TYPE] == PolicyOnLine(POLICIES[0])

    async def test_a_throttled_write_was_not_done(self, stage: Stage, changes: Changes) -> None:
        stage.strike(Misfortune.WRITE_THROTTLED)
        with pytest.raises(Throttled) as caught:
            await stage.provider.send(changes.assign("anna", ONE), request_id="r")
        assert caught.value.retry_after_seconds == RETRY_AFTER_SECONDS
        assert stage.attempts() == 1
        assert stage.holder(ONE) is None

    async def test_an_order_that_fails_says_why(self, stage: Stage, changes: Changes) -> None:
        stage.strike(Misfortune.ORDER_FAILS)
        answer = await stage.provider.send(changes.assign("anna", ONE), request_id="r")
        assert isinstance(answer, Accepted)
        status = await stage.provider.poll(answer.operation)
        assert status.state is OperationState.FAILED
        assert status.detail
        assert stage.holder(ONE) is None

    async def test_an_order_that_is_forgotten_is_lost_and_not_failed(
        self, stage: Stage, changes: Changes
    ) -> None:
        stage.strike(Misfortune.ORDER_FORGOTTEN)
        answer = await stage.provider.send(changes.assign("anna", ONE), request_id="r")
        assert isinstance(answer, Accepted)
        assert (await stage.provider.poll(answer.operation)).state is OperationState.LOST
        assert stage.holder(ONE) == stage.people["anna"]

    async def test_withdrawn_credentials_are_a_matter_of_the_connection(
        self, stage: Stage, changes: Changes
    ) -> None:
        await stage.provider.read_number(ONE)
        stage.strike(Misfortune.CREDENTIALS_WITHDRAWN)
        with pytest.raises(AuthenticationFailed):
            await stage.provider.read_number(ONE)
        with pytest.raises(AuthenticationFailed):
            await stage.provider.send(changes.assign("anna", ONE), request_id="r")
        assert stage.holder(ONE) is None

    async def test_no_number_shows_in_what_is_said(self, stage: Stage, changes: Changes) -> None:
        await carry_out(stage, changes.assign("anna", ONE))
        for change in (changes.assign("ben", ONE), changes.assign("anna", UNKNOWN_NUMBER)):
            text = str(await refusal_of(stage, change))
            assert ONE.text[1:] not in text
            assert UNKNOWN_NUMBER.text[1:] not in text

    async def test_a_closed_provider_sends_nothing(self, stage: Stage, changes: Changes) -> None:
        await stage.provider.read_number(ONE)
        await stage.provider.close()
        await stage.provider.close()
        with pytest.raises(ProviderError):
            await stage.provider.read_number(ONE)
        with pytest.raises(ProviderError):
            await stage.provider.send(changes.assign("anna", ONE), request_id="r")
        assert stage.attempts() == 0


class ProviderContract(ReadingContract, WritingContract, BadDayContract):
    """All promises."""
