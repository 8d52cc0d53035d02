"""Numbers that cannot be had: unknown, overlapping, wanted twice, kept back, used up."""

from __future__ import annotations

import pytest

from callplane.testing.engine_world import START, EngineWorld, Worlds, number, people

pytestmark = pytest.mark.looptime


async def test_unknown_country_is_an_invalid_spec(worlds: Worlds) -> None:
    world = await worlds.make()
    await world.seed_range("nowhere", country="ZZ", first=number(20), last=number(29))
    await world.settle()
    status, reason, message = await world.condition("NumberRange", "nowhere", "Stalled")
    assert (status, reason) == ("True", "InvalidSpec")
    assert "spec.country" in message
    await world.seed_range("nowhere", country="GB", first=number(20), last=number(29))
    await world.settle()
    assert await world.reason("nowhere", kind="NumberRange") == "Succeeded"


async def test_of_two_overlapping_ranges_the_younger_is_refused(worlds: Worlds) -> None:
    world = await worlds.make()
    await world.settle(2)
    await world.seed_range("paris", first=number(9), last=number(12))
    await world.settle()
    status, reason, message = await world.condition("NumberRange", "paris", "Stalled")
    assert (status, reason) == ("True", "InvalidSpec")
    assert "default/london" in message
    assert await world.reason("london", kind="NumberRange") == "Succeeded"
    await world.delete("NumberRange", "london")
    await world.settle()
    assert await world.reason("paris", kind="NumberRange") == "Succeeded"


@pytest.mark.parametrize("names", [("ann", "ben"), ("ben", "ann")])
async def test_one_number_wanted_by_two_objects(worlds: Worlds, names: tuple[str, str]) -> None:
    first, second = names
    world = await worlds.make()
    await world.declare(first, phoneNumber={"e164": number(3)})
    await world.settle()
    await world.declare(second, phoneNumber={"e164": number(3)})
    await world.settle()
    assert world.number_of(first) == number(3)
    assert await world.reason(first) == "Succeeded"
    status, reason, message = await world.condition("TeamsUser", second, "Stalled")
    assert (status, reason) == ("True", "NumberTaken")
    assert f"default/{first}" in message
    assert f"default/{second}" in message
    assert world.sent() == ["AssignNumber"]


async def test_one_number_wanted_by_two_objects_of_one_commit(worlds: Worlds) -> None:
    world = await worlds.make()
    await world.declare("ben", phoneNumber={"e164": number(3)})
    await world.declare("ann", phoneNumber={"e164": number(3)})
    await world.settle()
    ready = [name for name in ("ann", "ben") if await world.reason(name) == "Succeeded"]
    assert len(ready) == 1
    loser = "ann" if ready == ["ben"] else "ben"
    assert await world.reason(loser) == "False NumberTaken"
    assert world.sent() == ["AssignNumber"]


async def test_the_loser_of_a_number_gets_it_when_the_winner_lets_it_go(worlds: Worlds) -> None:
    world = await worlds.make()
    await world.declare("ann", phoneNumber={"e164": number(3)})
    await world.settle()
    await world.declare("ben", phoneNumber={"e164": number(3)})
    await world.settle()
    await world.declare("ann", phoneNumber={"e164": number(4)})
    await world.settle(120)
    assert (world.number_of("ann"), world.number_of("ben")) == (number(4), number(3))
    assert await world.all_ready()
    assert "Unassign" not in await world.causes(3)


async def test_a_resting_number_is_refused_until_its_rest_is_over(worlds: Worlds) -> None:
    world = await worlds.make(tenant={"driftInterval": "1h"})
    await world.seed_range(quarantine={"days": 1})
    await world.declare("ann", phoneNumber={"e164": number(3)})
    await world.settle()
    await world.delete("TeamsUser", "ann")
    await world.settle()
    await world.declare("ben", phoneNumber={"e164": number(3)})
    await world.settle()
    assert await world.reason("ben") == "False NumberQuarantined"
    await world.settle(24 * 3600 + 60)
    assert world.number_of("ben") == number(3)


async def test_a_reserved_number_is_for_whom_it_is_kept(worlds: Worlds) -> None:
    world = await worlds.make()
    await world.seed_range(
        reservations=[{"number": number(0), "holder": "cid@example.com", "reason": "the director"}]
    )
    await world.declare("ann", phoneNumber={"e164": number(0)})
    await world.declare("ben")
    await world.settle()
    status, reason, message = await world.condition("TeamsUser", "ann")
    assert (status, reason) == ("False", "NumberReserved")
    assert "the director" in message
    assert world.number_of("ben") == number(1)
    await world.declare("cid", phoneNumber={"e164": number(0)})
    await world.settle()
    assert world.number_of("cid") == number(0)


async def test_range_exhausted_and_freed_numbers_wake_waiters_in_order(worlds: Worlds) -> None:
    names = people(6)
    world = await worlds.make(names, numbers=2, tenant={"driftInterval": "1h"})
    await world.seed_range(size=2, quarantine={"days": 1})
    for name in names[:2]:
        await world.declare(name)
        await world.settle(10)
    for name in reversed(names[2:5]):
        await world.declare(name)
        await world.settle(2)
    status, reason, message = await world.condition("TeamsUser", names[4], "Stalled")
    assert (status, reason) == ("True", "RangeExhausted")
    assert "default/london" in message
    await world.delete("TeamsUser", names[0])
    await world.settle()
    assert await world.reason(names[4]) == "False RangeExhausted"
    await world.settle(24 * 3600 + 60)
    # The oldest object waited longest, whatever its name.
    assert world.number_of(names[4]) == number(0)
    assert world.number_of(names[3]) is None
    await world.delete("TeamsUser", names[1])
    await world.settle(24 * 3600 + 60)
    assert world.number_of(names[3]) == number(1)
    assert world.number_of(names[2]) is None


async def test_waiters_of_one_range_are_not_passed_over_for_those_of_another(
    worlds: Worlds,
) -> None:
    names = people(4)
    world = await worlds.make(names, numbers=2)
    world.seed_inventory(12)
    await world.seed_range(size=1, quarantine={"days": 0})
    await world.seed_range("paris", first=number(10), last=number(10), quarantine={"days": 0})
    elsewhere = {"rangeRef": {"name": "paris", "namespace": "default"}}
    await world.declare(names[0])
    await world.declare(names[1], phoneNumber=elsewhere)
    await world.settle()
    await world.declare(names[2])
    await world.settle(2)
    await world.declare(names[3], phoneNumber=elsewhere)
    await world.settle()
    await world.delete("TeamsUser", names[1])
    await world.settle(60)
    assert world.number_of(names[2]) is None
    assert world.number_of(names[3]) == number(10)


async def test_a_range_that_grows_serves_those_who_wait(worlds: Worlds) -> None:
    world = await worlds.make(numbers=10)
    await world.seed_range(size=1)
    await world.declare("ann")
    await world.declare("ben")
    await world.settle()
    await world.seed_range(size=5)
    await world.settle()
    assert await world.all_ready()


async def test_a_range_below_its_claims_says_so(worlds: Worlds) -> None:
    world = await worlds.make()
    await world.declare("ann", phoneNumber={"e164": number(7)})
    await world.settle()
    await world.seed_range(size=5)
    await world.settle()
    assert await world.reason("london", kind="NumberRange") == "False ShrunkBelowClaims"
    assert world.number_of("ann") == number(7)


async def test_a_range_and_a_number_of_one_name_are_two_things(worlds: Worlds) -> None:
    world = await worlds.make()
    single = {"e164": "+442079460999", "route": "DirectRouting"}
    await world.apply("PhoneNumber", "london", single)
    await world.declare("ann", phoneNumber={"phoneNumberRef": {"name": "london"}})
    await world.settle(60)
    await world.seed_range(size=5)
    await world.settle(60)
    assert await world.reason("london", kind="NumberRange") == "Succeeded"
    await world.declare("ben")
    await world.settle(60)
    assert world.number_of("ben") == number(0)


async def test_a_number_rests_as_its_own_object_says(worlds: Worlds) -> None:
    """Also where a range has the same name."""
    world = await worlds.make()
    single = {"e164": number(9), "route": "DirectRouting", "quarantine": {"days": 2}}
    await world.seed_range(size=5, quarantine={"days": 30})
    await world.apply("PhoneNumber", "london", single)
    for name, source in (("ann", {"phoneNumberRef": {"name": "london"}}), ("ben", None)):
        await world.declare(name, **({"phoneNumber": source} if source else {}))
    await world.settle(60)
    rests = {}
    for name, which in (("ann", number(9)), ("ben", number(0))):
        await world.delete("TeamsUser", name)
        await world.settle(60)
        row = await world.row(which)
        assert row is not None
        assert row.quarantined_until is not None
        rests[name] = (row.quarantined_until.date() - START.date()).days
    assert rests == {"ann": 2, "ben": 30}


async def two_namespaces(worlds: Worlds) -> EngineWorld:
    world = await worlds.make()
    world.seed_namespace("team-a")
    return world


async def test_reference_missing_or_without_consent(worlds: Worlds) -> None:
    world = await two_namespaces(worlds)
    await world.seed_range("closed", first=number(20), last=number(29), allowedNamespaces=[])
    closed = {"rangeRef": {"name": "closed", "namespace": "default"}}
    absent = {"rangeRef": {"name": "absent", "namespace": "default"}}
    await world.declare("ann", namespace="team-a", phoneNumber=closed)
    await world.declare("ben", namespace="team-a", phoneNumber=absent)
    await world.settle()
    forbidden = await world.condition("TeamsUser", "ann", namespace="team-a")
    missing = await world.condition("TeamsUser", "ben", namespace="team-a")
    assert forbidden[:2] == missing[:2] == ("False", "DependencyNotReady")
    # One and the same sentence, so that nobody learns what exists where they cannot look.
    assert forbidden[2].replace("closed", "absent") == missing[2]
    assert world.sent() == []
    world.seed_inventory(40)
    await world.seed_range("closed", first=number(20), last=number(29))
    await world.seed_range("absent", first=number(30), last=number(39))
    await world.settle()
    assert await world.all_ready()
    assert (world.number_of("ann"), world.number_of("ben")) == (number(20), number(30))


async def test_a_tenant_that_is_missing_or_does_not_admit_the_namespace(worlds: Worlds) -> None:
    world = await two_namespaces(worlds)
    await world.apply_tenant(allowedNamespaces=[])
    await world.declare("ann", namespace="team-a")
    await world.declare("ben", namespace="team-a", tenantRef={"name": "x", "namespace": "default"})
    await world.settle()
    forbidden = await world.condition("TeamsUser", "ann", namespace="team-a")
    missing = await world.condition("TeamsUser", "ben", namespace="team-a")
    assert forbidden[:2] == missing[:2] == ("False", "DependencyNotReady")
    assert forbidden[2].replace("main", "x") == missing[2]
    await world.apply_tenant(allowedNamespaces=[{"name": "team-a"}])
    await world.settle()
    assert await world.reason("ann", namespace="team-a") == "Succeeded"


async def test_a_stated_number_needs_something_that_holds_it_and_consents(worlds: Worlds) -> None:
    world = await two_namespaces(worlds)
    await world.declare("ann", namespace="team-a", phoneNumber={"e164": number(55)})
    await world.settle()
    assert await world.reason("ann", namespace="team-a") == "False DependencyNotReady"
    world.seed_inventory(60)
    await world.seed_range("more", first=number(50), last=number(59))
    await world.settle()
    assert world.number_of("ann") == number(55)


async def test_the_tenant_admits_only_some_people_of_a_namespace(worlds: Worlds) -> None:
    world = await two_namespaces(worlds)
    consent = {"name": "team-a", "users": {"upnSuffixes": ["sales.example.com"]}}
    await world.apply_tenant(allowedNamespaces=[consent])
    await world.declare("ann", namespace="team-a")
    await world.settle()
    assert await world.reason("ann", namespace="team-a") == "False UserNotAllowed"
    assert world.sent() == []
    consent = {"name": "team-a", "users": {"upnSuffixes": ["example.com"]}}
    await world.apply_tenant(allowedNamespaces=[consent])
    await world.settle()
    assert world.number_of("ann") == number(0)


async def test_consent_withdrawn_while_numbers_are_held(worlds: Worlds) -> None:
    world = await two_namespaces(worlds)
    await world.declare("ann", namespace="team-a")
    await world.settle()
    mark = await world.written()
    await world.apply_tenant(allowedNamespaces=[])
    await world.settle(300)
    assert await world.reason("ann", namespace="team-a") == "False DependencyNotReady"
    assert world.number_of("ann") == number(0)
    assert await world.state(0) == "Assigned"
    assert (await world.written_since(mark)).provider == 0
    await world.apply_tenant()
    await world.settle()
    assert await world.reason("ann", namespace="team-a") == "Succeeded"
    assert (await world.written_since(mark)).provider == 0


async def test_a_person_declared_twice(worlds: Worlds) -> None:
    world = await worlds.make()
    await world.declare("ann")
    await world.settle()
    await world.declare("ann", as_object="ann-again")
    await world.settle()
    status, reason, message = await world.condition("TeamsUser", "ann-again", "Stalled")
    assert (status, reason) == ("True", "DeclaredTwice")
    assert "default/ann " in message
    assert await world.reason("ann") == "Succeeded"
    assert world.sent() == ["AssignNumber"]
    # It deletes nothing of the other when it goes.
    await world.delete("TeamsUser", "ann-again")
    await world.settle()
    assert world.number_of("ann") == number(0)
    assert world.sent() == ["AssignNumber"]


async def test_a_phone_number_object(worlds: Worlds) -> None:
    world = await worlds.make()
    await world.seed_range(size=5)
    spec = {"e164": number(7), "route": "DirectRouting", "acquisition": "Owned"}
    await world.apply("PhoneNumber", "reception", spec)
    await world.declare("ann", phoneNumber={"phoneNumberRef": {"name": "reception"}})
    await world.settle()
    assert world.number_of("ann") == number(7)
    status = await world.status("PhoneNumber", "reception")
    assert status["state"] == "Assigned"
    assert status["heldBy"]["name"] == "ann"
    await world.delete("PhoneNumber", "reception")
    await world.settle()
    assert await world.reason("ann") == "False DependencyNotReady"
    assert world.number_of("ann") == number(7)
    assert world.sent() == ["AssignNumber"]


async def test_a_range_for_services_gives_no_number_to_people(worlds: Worlds) -> None:
    world = await worlds.make()
    await world.seed_range(use="Service")
    await world.declare("ann")
    await world.settle()
    assert await world.reason("ann") == "False NumberUseMismatch"
    assert world.sent() == []


@pytest.mark.parametrize("route", ["CallingPlan", "OperatorConnect", "ForeignDirectRouting"])
async def test_r35_a_bolt_on_route_needs_the_entitlement(worlds: Worlds, route: str) -> None:
    world = await worlds.make()
    await world.seed_range(route=route)
    await world.declare("ann")
    await world.settle()
    assert await world.reason("ann") == "False EntitlementMissing"
    assert world.sent() == []


async def test_a_reserved_number_is_found_by_its_person_and_ends(worlds: Worlds) -> None:
    world = await worlds.make(numbers=3)
    await world.seed_range(
        size=3,
        reservations=[
            {"number": number(0), "holder": "cid@example.com"},
            {"number": number(1), "until": "2026-11-02T10:00:00Z"},
        ],
    )
    await world.declare("ann")
    await world.settle()
    assert world.number_of("ann") == number(2)
    status = await world.status("NumberRange", "london")
    assert (status["free"], status["reserved"], status["claimed"]) == (0, 2, 1)
    await world.declare("cid")
    await world.settle()
    assert world.number_of("cid") == number(0)
    await world.declare("ben")
    await world.settle()
    assert await world.reason("ben") == "False RangeExhausted"
    await world.settle(3600)
    assert world.number_of("ben") == number(1)


async def test_a_single_number_that_is_reserved(worlds: Worlds) -> None:
    world = await worlds.make()
    await world.seed_range(size=5)
    spec = {
        "e164": number(7),
        "route": "DirectRouting",
        "acquisition": "Owned",
        "reservation": {"holder": "cid@example.com", "reason": "for the director"},
    }
    await world.apply("PhoneNumber", "director", spec)
    await world.declare("ann", phoneNumber={"phoneNumberRef": {"name": "director"}})
    await world.settle()
    assert await world.reason("ann") == "False NumberReserved"
    await world.declare("cid", phoneNumber={"phoneNumberRef": {"name": "director"}})
    await world.settle()
    assert world.number_of("cid") == number(7)


async def test_a_range_that_runs_low_says_so_and_how_long_it_lasts(worlds: Worlds) -> None:
    world = await worlds.make()
    await world.seed_range(size=10, lowStock={"minFree": 9})
    await world.settle()
    assert await world.condition("NumberRange", "london", "LowStock") == ("", "", "")
    assert "daysToEmpty" not in await world.status("NumberRange", "london")
    await world.declare("ann")
    await world.declare("ben")
    await world.settle(700)
    await world.annotate("NumberRange", "london", {"callplane.dev/reconcile-requested-at": "again"})
    await world.settle()
    status, reason, message = await world.condition("NumberRange", "london", "LowStock")
    assert (status, reason) == ("True", "LowStock")
    assert "8 of 10 numbers are free" in message
    assert (await world.status("NumberRange", "london"))["daysToEmpty"] == 8 * 30 // 2
    assert await world.reason("london", kind="NumberRange") == "Succeeded"
    await world.seed_range(size=10, lowStock={"minFree": 2})
    await world.settle()
    assert await world.condition("NumberRange", "london", "LowStock") == ("", "", "")


async def test_a_tenant_that_cannot_be_read_holds_up_nobody_elsewhere(worlds: Worlds) -> None:
    world = await worlds.make()
    world.seed_namespace("customer")
    await world.seed_range()
    secret = {"secretRef": {"name": "nowhere", "key": "secret"}}
    client = {"clientId": "00000000-0000-4000-8000-00000000cccc", **secret}
    await world.apply_tenant(
        namespace="customer",
        name="broken",
        tenantId="00000000-0000-4000-8000-00000000dddd",
        credentials={"clientSecret": client},
    )
    await world.settle(30)
    await world.declare("ann")
    await world.settle(60)
    assert await world.reason("ann") == "Succeeded"
