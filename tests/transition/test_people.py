"""People who cannot have a number now: each case has a reason of its own, and nothing is written.

What was wrong is then put right behind our back, and the user turns Ready without a touch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from callplane.providers.inmemory import World
from callplane.resources.lines import NumberType
from callplane.resources.platforms import (
    AccountType,
    CallingConfiguration,
    LicenceState,
    NumberOnPlatform,
    Person,
)
from callplane.testing.engine_world import Worlds, number, user_id
from callplane.values import E164

pytestmark = pytest.mark.looptime

ANN = user_id("ann")
Break = Callable[[World], None]


def person(platform: World, **fields: Any) -> None:
    platform.put_people([replace(platform.true.people[ANN], **fields)])


def configuration(platform: World, **fields: Any) -> None:
    platform.put_configurations([replace(platform.true.configurations[ANN], **fields)])


OBSTACLES: dict[str, tuple[Break, str, Break]] = {
    "unlicensed": (
        lambda p: person(p, licence=LicenceState.ABSENT),
        "False UserNotLicensed",
        lambda p: person(p, licence=LicenceState.ENABLED),
    ),
    "licence in grace": (
        lambda p: person(p, licence=LicenceState.WARNING),
        "False LicenceInGrace",
        lambda p: person(p, licence=LicenceState.ENABLED),
    ),
    "licence not taken in": (
        lambda p: configuration(p, phone_system_ready=False),
        "False LicencePending",
        lambda p: configuration(p, phone_system_ready=True),
    ),
    "disabled": (
        lambda p: person(p, account_enabled=False),
        "False UserDisabled",
        lambda p: person(p, account_enabled=True),
    ),
    "wrong usage location": (
        lambda p: person(p, usage_location="FR"),
        "False UsageLocationMismatch",
        lambda p: person(p, usage_location="GB"),
    ),
    "no usage location": (
        lambda p: person(p, usage_location=""),
        "False UsageLocationMismatch",
        lambda p: person(p, usage_location="GB"),
    ),
    "a resource account": (
        lambda p: configuration(p, account_type=AccountType.RESOURCE_ACCOUNT),
        "False UserNotEligible",
        lambda p: configuration(p, account_type=AccountType.USER),
    ),
    "soft-deleted": (
        lambda p: p.administrator_deletes(ANN),
        "False UserDeleted",
        lambda p: person(p, deleted=False),
    ),
    "number synchronised from on-premises": (
        lambda p: configuration(p, numbers=(E164("+441614960000"),)),
        "False NumberOnPremises",
        lambda p: configuration(p, numbers=()),
    ),
}


@pytest.mark.parametrize("case", OBSTACLES)
async def test_own_reason_each_before_any_write(worlds: Worlds, case: str) -> None:
    break_it, reason, mend_it = OBSTACLES[case]
    world = await worlds.make(start=False)
    break_it(world.platform)
    await world.start()
    await world.declare("ann")
    await world.settle(200)
    assert await world.reason("ann") == reason
    assert world.sent() == []
    mend_it(world.platform)
    await world.settle(400)
    assert await world.reason("ann") == "Succeeded"
    assert world.number_of("ann") == number(0)


async def test_user_unknown(worlds: Worlds) -> None:
    world = await worlds.make()
    await world.declare("zoe")
    await world.settle()
    status, reason, message = await world.condition("TeamsUser", "zoe", "Stalled")
    assert (status, reason) == ("True", "UserNotFound")
    assert "zoe@example.com" in message
    assert world.sent() == []
    # Nothing is claimed for somebody who is not there.
    assert await world.state(0) == "Free"
    world.seed_people(["zoe"])
    await world.settle(120)
    assert world.number_of("zoe") == number(0)


async def test_user_declared_by_object_id(worlds: Worlds) -> None:
    world = await worlds.make()
    await world.declare("ann", userPrincipalName=None, userId=ANN)
    await world.settle()
    assert world.number_of("ann") == number(0)


async def test_a_number_managed_on_premises_is_not_assigned(worlds: Worlds) -> None:
    world = await worlds.make()
    world.platform.put_numbers(
        [NumberOnPlatform(E164(number(0)), NumberType.DIRECT_ROUTING, on_premises=True)]
    )
    await world.settle(90)
    await world.declare("ann", phoneNumber={"e164": number(0)})
    await world.settle()
    assert await world.reason("ann") == "False NumberOnPremises"
    assert world.sent() == []
    # Allocation passes over it.
    await world.declare("ben")
    await world.settle()
    assert world.number_of("ben") == number(1)


async def test_a_person_who_loses_the_licence_keeps_the_number(worlds: Worlds) -> None:
    world = await worlds.make()
    await world.declare("ann")
    await world.settle()
    person(world.platform, licence=LicenceState.ABSENT)
    await world.settle(200)
    assert world.number_of("ann") == number(0)
    assert world.sent() == ["AssignNumber"]


async def test_a_person_who_is_soft_deleted_keeps_the_number_until_somebody_decides(
    worlds: Worlds,
) -> None:
    world = await worlds.make()
    await world.declare("ann")
    await world.settle()
    world.platform.administrator_deletes(ANN)
    await world.settle(300)
    assert await world.reason("ann") == "False UserDeleted"
    assert world.sent() == ["AssignNumber"]
    await world.delete("TeamsUser", "ann")
    await world.settle(60)
    assert await world.state(0) == "Quarantined"
    assert not await world.exists("TeamsUser", "ann")


async def test_a_claim_that_was_never_sent_goes_with_its_object(worlds: Worlds) -> None:
    world = await worlds.make(start=False)
    person(world.platform, licence=LicenceState.ABSENT)
    await world.start()
    await world.declare("ann")
    await world.settle()
    assert await world.state(0) == "Claimed"
    await world.delete("TeamsUser", "ann")
    await world.settle()
    assert not await world.exists("TeamsUser", "ann")
    assert await world.state(0) == "Free"
    assert world.sent() == []


async def test_leavers_user_name_reused_by_a_new_person(worlds: Worlds) -> None:
    world = await worlds.make()
    await world.declare("ann")
    await world.settle()
    await world.delete("TeamsUser", "ann")
    await world.settle()
    world.platform.remove_person(ANN)
    new = Person(user_id("another ann"), "ann@example.com", usage_location="GB")
    world.platform.put_people([new])
    world.platform.put_configurations([CallingConfiguration(new.user_id)])
    # At once, while the last listing still knows the name as the leaver's.
    await world.declare("ann")
    await world.settle(200)
    assert await world.reason("ann") == "Succeeded"
    assert world.number_of("another ann") == number(1)
    row = await world.row(0)
    assert row is not None
    assert (row.state.value, row.holder.user_id if row.holder else "") == ("Quarantined", ANN)


async def test_a_user_name_that_comes_to_mean_somebody_else_is_not_followed(
    worlds: Worlds,
) -> None:
    world = await worlds.make()
    await world.declare("ann")
    await world.settle()
    person(world.platform, user_principal_name="ann.old@example.com")
    new = Person(user_id("another ann"), "ann@example.com", usage_location="GB")
    world.platform.put_people([new])
    world.platform.put_configurations([CallingConfiguration(new.user_id)])
    await world.settle(300)
    assert await world.reason("ann") == "False IdentityChanged"
    assert world.sent() == ["AssignNumber"]
    assert world.number_of("ann") == number(0)
    # Naming the person as they are called now is an edit like any other.
    await world.declare("ann", userPrincipalName="ann.old@example.com")
    await world.settle()
    assert await world.reason("ann") == "Succeeded"
    assert world.sent() == ["AssignNumber"]


async def test_a_person_who_is_renamed_in_the_directory_and_in_git(worlds: Worlds) -> None:
    world = await worlds.make()
    await world.declare("ann")
    await world.settle()
    person(world.platform, user_principal_name="ann.married@example.com")
    await world.declare("ann", userPrincipalName="ann.married@example.com")
    await world.settle(120)
    assert await world.reason("ann") == "Succeeded"
    assert world.sent() == ["AssignNumber"]
