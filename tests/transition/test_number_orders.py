"""Numbers that are bought: once, found again after lost answers, refused in plain words."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pytest

from callplane.providers.carrier_protocol import CarrierRefused
from callplane.providers.inmemory import carrier_world
from callplane.providers.inmemory.carrier_provider import InMemoryCarrier
from callplane.providers.inmemory.carrier_world import CarrierWorld
from callplane.resources.carriers import (
    CarrierNumberState,
    NumberOffer,
    NumberOrder,
    NumberSearch,
    Obstacle,
    OrderRequest,
    OrderState,
    Price,
    TrunkRoute,
)
from callplane.store.memory import MemoryRegister
from callplane.store.ports import ConnectionRow, HolderRow
from callplane.testing.carrier_estate import TRUNK, declare_number, seed_carrier
from callplane.testing.carrier_stage import ON_SALE, OWNED
from callplane.testing.engine_world import EngineWorld, Worlds
from callplane.testing.tripwire import Tripwire

pytestmark = pytest.mark.looptime

WANTED = ON_SALE[3]
BUYS = {"enabled": True, "limit": {"numbers": 10}}
ROUTE = TrunkRoute("sbc", tuple(TRUNK["endpoints"]))
WEEKS = 2 * 86_400.0


async def estate(worlds: Worlds, *, start: bool = True, **spec: Any) -> EngineWorld:
    world = worlds.add(EngineWorld())
    world.carrier.offer(ON_SALE)
    world.carrier.give(OWNED)
    await seed_carrier(world, **{"purchasing": BUYS, "deletionLock": False, **spec})
    if start:
        await world.start()
        await world.settle(5)
    return world


async def order(world: EngineWorld, name: str = "front", **spec: Any) -> None:
    await declare_number(world, name, WANTED, **{"acquisition": "Order", **spec})


async def ready(world: EngineWorld, name: str = "front") -> str:
    return await world.reason(name, kind="PhoneNumber")


async def message(world: EngineWorld, name: str = "front") -> str:
    return (await world.condition("PhoneNumber", name))[2]


def bought(world: EngineWorld) -> int:
    return world.carrier.purchases.count(WANTED)


async def test_a_number_is_bought_and_set_up(worlds: Worlds) -> None:
    world = await estate(worlds)
    await order(world)
    await world.settle()
    assert await ready(world) == "Succeeded"
    assert bought(world) == 1
    assert world.carrier.owned[WANTED].route == ROUTE
    assert await world.causes(WANTED.text) == ["Order", "Activate"]
    assert await world.state(WANTED.text) == "Free"
    status = await world.status("PhoneNumber", "front")
    assert status["order"]["state"] == "Accepted"
    assert status["order"]["reference"].startswith("cp-")
    assert status["order"]["carrierId"] == "order-1"


async def test_r35_a_number_that_others_take_calls_of_is_bought_without_our_route(
    worlds: Worlds,
) -> None:
    world = await estate(worlds)
    await order(world, route="OperatorConnect")
    await world.settle()
    assert await ready(world) == "Succeeded"
    assert bought(world) == 1
    assert world.carrier.owned[WANTED].route is None


async def test_nothing_is_bought_unless_the_carrier_says_so(worlds: Worlds) -> None:
    world = await estate(worlds, purchasing=None)
    await order(world)
    await world.settle()
    assert await ready(world) == "False PurchasingDisabled"
    assert bought(world) == 0
    await seed_carrier(world, purchasing=BUYS, deletionLock=False)
    await world.settle()
    assert await ready(world) == "Succeeded"
    assert bought(world) == 1


async def test_an_observed_carrier_shows_what_would_be_bought(worlds: Worlds) -> None:
    world = await estate(worlds, managementPolicy="Observe")
    await order(world)
    await world.settle()
    assert (await world.condition("PhoneNumber", "front", "Drifted"))[0] == "True"
    assert bought(world) == 0


@pytest.mark.parametrize("committed", [True, False], ids=["taken", "lost"])
async def test_an_order_without_an_answer_buys_once(worlds: Worlds, committed: bool) -> None:
    """Exactly one number owned, one order in the audit trail that came to something."""
    world = await estate(worlds)
    strike = carrier_world.answer_lost if committed else carrier_world.request_lost
    world.carrier.strike(strike("order"))
    await order(world)
    await world.settle(300)
    assert await ready(world) == "Succeeded"
    assert bought(world) == 1
    sent = [call.name for call in world.carrier.journal if call.name == "order"]
    assert len(sent) == (1 if committed else 2)
    causes = await world.causes(WANTED.text)
    assert causes == (["Order", "Activate"] if committed else ["Order", "Cancel", *causes[2:]])
    assert causes[-1] == "Activate"


@pytest.mark.parametrize("keeps_references", [True, False])
@pytest.mark.parametrize("point", range(3))
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_process_that_dies_at_any_write_of_an_order_buys_once(
    worlds: Worlds, keeps_references: bool, point: int, after: bool
) -> None:
    world = await estate(worlds, start=False, trunk=None)
    world.carrier.keeps_references = keeps_references
    await world.start()
    await world.settle(5)
    await world.stop()
    await order(world)
    names = ("commit", "order", "commit")
    seen = 0
    wire = Tripwire()
    carry_out = wire.carry_out

    async def dying(name: str, action: Any) -> Any:
        nonlocal seen
        if seen < len(names) and name == names[seen]:
            if seen == point:
                wire.at, wire.after = len(wire.points), after
            seen += 1
        return await carry_out(name, action)

    wire.carry_out = dying  # type: ignore[method-assign]
    await world.start(wire)
    await world.settle(20)
    if wire.is_dead:
        await world.kill()
        await world.start()
    await world.settle(400)
    assert await ready(world) == "Succeeded"
    assert bought(world) == 1
    assert WANTED in world.carrier.owned


async def test_an_order_that_pends_for_weeks_is_waiting(worlds: Worlds) -> None:
    world = await estate(worlds)
    world.carrier.order_seconds = WEEKS
    await order(world)
    await world.settle(1800)
    assert await ready(world) == "False OrderPending"
    assert (await world.condition("PhoneNumber", "front", "Reconciling"))[0] == "True"
    assert await world.state(WANTED.text) == "Ordering"
    await world.restart()
    await world.settle(3600)
    assert await ready(world) == "False OrderPending"
    await world.settle(WEEKS)
    assert await ready(world) == "Succeeded"
    assert bought(world) == 1


async def test_paperwork_is_waited_for_in_the_carriers_words(worlds: Worlds) -> None:
    world = await estate(worlds)
    world.carrier.needs_paperwork = True
    await order(world)
    await world.settle(600)
    assert await ready(world) == "False PaperworkPending"
    assert "waits for documents" in await message(world)
    world.carrier.approve(world.carrier.orders[0].reference)
    await world.settle(700)
    assert await ready(world) == "Succeeded"


async def test_rejected_paperwork_stalls_and_is_not_ordered_again(worlds: Worlds) -> None:
    world = await estate(worlds)
    world.carrier.needs_paperwork = True
    await order(world)
    await world.settle(60)
    reference = world.carrier.orders[0].reference
    world.carrier.reject(reference, "The proof of address is too old.", "R17")
    await world.settle(3600)
    assert await ready(world) == "False PaperworkRejected"
    assert "proof of address is too old" in await message(world)
    assert "R17" in await message(world)
    await world.restart()
    await world.settle(3600)
    assert await ready(world) == "False PaperworkRejected"
    assert len(world.carrier.orders) == 1
    assert await world.state(WANTED.text) == "Released"
    world.carrier.needs_paperwork = False
    world.carrier.offer([WANTED])
    await order(world, description="documents renewed")
    await world.settle()
    assert await ready(world) == "Succeeded"


@pytest.mark.parametrize("restarts", [False, True])
async def test_a_refused_order_is_placed_again_only_when_its_object_changes(
    worlds: Worlds, restarts: bool
) -> None:
    world = await estate(worlds)
    refusal = CarrierRefused(Obstacle.ACCOUNT_LIMIT, "no more numbers for this account")
    world.carrier.strike(carrier_world.Strike("order", refusal))
    await order(world)
    await world.settle(600)
    if restarts:
        await world.restart()
        await world.settle(600)
    assert await ready(world) == "False AccountLimitReached"
    assert "no more numbers for this account" in await message(world)
    assert [call.name for call in world.carrier.journal].count("order") == 1
    assert bought(world) == 0
    await order(world, description="asked for again")
    await world.settle(600)
    assert await ready(world) == "Succeeded"
    assert bought(world) == 1
    # Nothing speaks of the refusal once the number is there.
    assert not any("refused" in row.applied for row in await remembered(world))


async def remembered(world: EngineWorld) -> list[HolderRow]:
    found = await connections(world)
    return [
        row
        for connection in found
        for row in (await world.register.load(connection.connection)).holders
    ]


async def test_a_number_that_was_ours_and_has_gone_is_not_bought_again(worlds: Worlds) -> None:
    """Nobody has asked for that: only a new wish buys it once more."""
    world = await estate(worlds)
    await order(world)
    await world.settle(600)
    assert await ready(world) == "Succeeded"
    del world.carrier.owned[WANTED]
    world.carrier.offer([WANTED])
    await world.settle(3600)
    assert await ready(world) == "False NumberNotOwned"
    assert "not bought or ported again by itself" in await message(world)
    await order(world, description="something else about it")
    await world.restart()
    await world.settle(3600)
    assert await ready(world) == "False NumberNotOwned"
    assert bought(world) == 1
    # Somebody looked, and wants it again.
    await order(world, acquisition="Owned")
    await world.settle(60)
    await order(world)
    await world.settle(600)
    assert await ready(world) == "Succeeded"
    assert bought(world) == 2


async def test_a_number_that_has_gone_is_not_bought_again_for_a_new_object_either(
    worlds: Worlds,
) -> None:
    """What git says is applied again in another namespace or cluster: it is no new wish."""
    world = await estate(worlds)
    await order(world)
    await world.settle(600)
    assert await ready(world) == "Succeeded"
    del world.carrier.owned[WANTED]
    world.carrier.offer([WANTED])
    await world.delete("PhoneNumber", "front")
    await world.settle(60)
    await order(world)
    await world.settle(3600)
    assert await ready(world) == "False NumberNotOwned"
    assert bought(world) == 1


@pytest.mark.parametrize("how", ["deleted", "edited", "switched off"])
async def test_nothing_is_bought_that_is_not_wanted_any_more(
    worlds: Worlds, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """The object changes while the carrier is asked what is on sale."""
    world = await estate(worlds)
    search = InMemoryCarrier.search

    async def slowly(provider: InMemoryCarrier, wanted: NumberSearch) -> tuple[NumberOffer, ...]:
        offers = await search(provider, wanted)
        await asyncio.sleep(20.0)
        return offers

    monkeypatch.setattr(InMemoryCarrier, "search", slowly)
    await order(world)
    await world.until(lambda: "search" in [call.name for call in world.carrier.journal])
    if how == "deleted":
        await world.delete("PhoneNumber", "front")
    elif how == "edited":
        await order(world, acquisition="Owned")
    else:
        await seed_carrier(world, purchasing={"enabled": False})
    await world.settle(300)
    assert bought(world) == 0


async def test_a_number_that_was_sold_shows_what_else_there_is(worlds: Worlds) -> None:
    world = await estate(worlds)
    world.carrier.sell(WANTED)
    await order(world)
    await world.settle()
    assert await ready(world) == "False NumberSold"
    status = await world.status("PhoneNumber", "front")
    assert status["candidates"] == [number.text for number in ON_SALE if number != WANTED]
    assert bought(world) == 0
    world.carrier.offer([WANTED])
    await world.annotate("PhoneNumber", "front", {"callplane.dev/reconcile-requested-at": "again"})
    await world.settle()
    assert await ready(world) == "Succeeded"
    assert not (await world.status("PhoneNumber", "front")).get("candidates")


class SellsMeanwhile(CarrierWorld):
    """Somebody else is always quicker."""

    def order(self, request: OrderRequest, now: float) -> NumberOrder:
        self.on_sale.pop(request.number, None)
        return CarrierWorld.order(self, request, now)


async def test_a_number_sold_between_search_and_order_buys_nothing(worlds: Worlds) -> None:
    world = await estate(worlds, start=False)
    world.carrier = SellsMeanwhile(on_sale=world.carrier.on_sale, owned=world.carrier.owned)
    await world.start()
    await world.settle(5)
    await order(world)
    await world.settle()
    assert await ready(world) == "False NumberSold"
    assert (await world.status("PhoneNumber", "front"))["candidates"]
    assert bought(world) == 0
    assert await world.causes(WANTED.text) == ["Order", "Cancel"]


async def test_an_empty_balance_is_said_and_ends_by_itself(worlds: Worlds) -> None:
    world = await estate(worlds)
    world.carrier.balance_micros = 0
    await order(world)
    await world.settle(120)
    assert await ready(world) == "False BalanceTooLow"
    sent = [call for call in world.carrier.journal if call.name == "order"]
    assert len(sent) <= 1
    world.carrier.balance_micros = 100_000_000
    await world.settle(180)
    assert await ready(world) == "Succeeded"
    assert bought(world) == 1


@pytest.mark.parametrize(
    "limit", [{"numbers": 3}, {"numbers": 10, "setup": "0.50"}, {"numbers": 10, "monthly": "1.00"}]
)
async def test_a_purchase_above_the_limit_waits_for_a_person(
    worlds: Worlds, limit: dict[str, Any]
) -> None:
    world = await estate(worlds, purchasing={"enabled": True, "limit": limit})
    await order(world)
    await world.settle(120)
    assert await ready(world) == "False ApprovalRequired"
    assert bought(world) == 0
    await world.answer()
    await world.settle(120)
    assert await ready(world) == "Succeeded"
    assert bought(world) == 1


async def test_a_yes_to_one_price_is_no_yes_to_another(worlds: Worlds) -> None:
    world = await estate(
        worlds, purchasing={"enabled": True, "limit": {"numbers": 10, "setup": "0.50"}}
    )
    await order(world)
    await world.settle(120)
    (first,) = world.held_digests()
    offer = world.carrier.on_sale[WANTED]
    dear = Price.from_decimal("900", "GBP")
    world.carrier.on_sale[WANTED] = dataclasses.replace(offer, setup=dear)
    await world.answer(name="first")
    await world.settle(120)
    assert bought(world) == 0
    assert await ready(world) == "False ApprovalRequired"
    (second,) = world.held_digests()
    assert second != first
    (plan,) = [
        body["spec"]
        for name in await world.names("ChangePlan")
        if (body := await world.body("ChangePlan", name))["spec"]["digest"] == second
    ]
    (change,) = plan["changes"]
    assert change["to"] == {"number": WANTED.text, "setup": "900.00 GBP"}
    assert "setup 900.00 GBP" in change["summary"]
    await world.answer(name="second")
    await world.settle(120)
    assert await ready(world) == "Succeeded"
    assert bought(world) == 1


async def test_several_orders_at_once_stay_within_the_limit(worlds: Worlds) -> None:
    world = await estate(worlds, purchasing={"enabled": True, "limit": {"numbers": 5}})
    for index, number in enumerate(ON_SALE[:5]):
        await declare_number(world, f"line-{index}", number, acquisition="Order")
    await world.settle(120)
    assert len(world.carrier.purchases) == 2
    reasons = [await ready(world, f"line-{index}") for index in range(5)]
    assert reasons.count("Succeeded") == 2
    assert reasons.count("False ApprovalRequired") == 3


async def test_a_number_that_is_owned_already_is_adopted_and_not_bought(worlds: Worlds) -> None:
    world = await estate(worlds)
    world.carrier.give([WANTED])
    await order(world)
    await world.settle()
    assert await ready(world) == "Succeeded"
    assert bought(world) == 0


async def test_a_throttled_order_is_sent_when_the_carrier_likes(worlds: Worlds) -> None:
    world = await estate(worlds)
    world.carrier.strike(carrier_world.throttled("order", 30.0, times=2))
    await order(world)
    await world.settle(200)
    assert await ready(world) == "Succeeded"
    assert bought(world) == 1
    assert len([call for call in world.carrier.journal if call.name == "order"]) == 3


async def test_an_unknown_state_is_not_ready(worlds: Worlds) -> None:
    world = await estate(worlds)
    await order(world)
    await world.settle()
    world.carrier.change(WANTED, state=CarrierNumberState.UNKNOWN, state_text="sparkling")
    await world.settle(120)
    assert await ready(world) == "False OrderPending"
    assert "sparkling" in await message(world)


async def test_an_order_under_way_keeps_the_carrier(worlds: Worlds) -> None:
    world = await estate(worlds)
    world.carrier.order_seconds = WEEKS
    await order(world)
    await world.settle(60)
    await world.delete("PhoneNumber", "front")
    await world.delete("Carrier", "main")
    await world.settle(120)
    assert await world.reason("main", kind="Carrier") == "False InUse"
    assert world.carrier.orders[0].state is OrderState.PENDING


async def test_an_order_whose_object_is_deleted_is_seen_to_its_end(worlds: Worlds) -> None:
    world = await estate(worlds)
    world.carrier.order_seconds = 1200.0
    await order(world)
    await world.settle(60)
    await world.delete("PhoneNumber", "front")
    await world.settle(600)
    assert await world.state(WANTED.text) == "Ordering"
    await world.settle(1200)
    assert await world.state(WANTED.text) == "Free"
    assert (await world.status("Carrier", "main"))["ordering"] == 0
    await order(world)
    await world.settle(60)
    assert await ready(world) == "Succeeded"
    assert bought(world) == 1


async def test_whoever_names_a_number_waits_until_it_is_ours(worlds: Worlds) -> None:
    world = await worlds.make(start=False)
    world.carrier.offer([WANTED])
    world.carrier.order_seconds = 1200.0
    await seed_carrier(world, purchasing=BUYS, deletionLock=False)
    await world.apply(
        "NumberRange", "london", {"numbers": [OWNED[0].text], "route": "DirectRouting"}
    )
    await order(world)
    await world.declare("ann", phoneNumber={"phoneNumberRef": {"name": "front"}})
    await world.start()
    await world.settle(600)
    assert await world.reason("ann") == "False DependencyNotReady"
    assert world.number_of("ann") is None
    await world.settle(1800)
    assert await ready(world) == "Succeeded"
    assert await world.reason("ann") == "Succeeded"
    assert world.number_of("ann") == WANTED.text


async def test_nothing_is_bought_on_a_register_that_has_gone_back_in_time(worlds: Worlds) -> None:
    world = await estate(worlds)
    await order(world)
    await world.settle(200)
    assert (await world.status("Carrier", "main"))["registerSequence"] > 0
    await world.kill()
    world.register = MemoryRegister()
    await world.start()
    await declare_number(world, "second", ON_SALE[4], acquisition="Order")
    await world.settle(60)
    assert await world.reason("main", kind="Carrier") == "False RegisterRestored"
    assert world.carrier.purchases == [WANTED]
    _, _, text = await world.condition("Carrier", "main")
    name, _, value = text.rpartition("annotation ")[2].partition(": ")
    await world.annotate("Carrier", "main", {name: value})
    await world.settle(120)
    assert await world.reason("main", kind="Carrier") == "Succeeded"
    assert await ready(world, "second") == "Succeeded"
    assert world.carrier.purchases == [WANTED, ON_SALE[4]]


async def test_a_number_just_bought_waits_for_the_reads_of_its_carrier(worlds: Worlds) -> None:
    """Reads that lag show nothing of what the carrier has just sold us."""
    world = await estate(worlds, start=False)
    world.carrier.read_lag_seconds = 5.0
    await world.start()
    await world.settle(10)
    await order(world)
    said = set()
    for _ in range(80):
        await world.settle(0.1)
        said.add(await ready(world))
    assert "False OrderPending" in said
    assert "False NumberSold" not in said
    await world.settle(30)
    assert await ready(world) == "Succeeded"
    assert len([call for call in world.carrier.journal if call.name == "order"]) == 1


async def test_a_range_leaves_an_order_inside_it_to_its_object(worlds: Worlds) -> None:
    world = await estate(worlds)
    world.carrier.needs_paperwork = True
    block = {"numbers": [WANTED.text], "route": "DirectRouting", "carrierRef": {"name": "main"}}
    await world.apply("NumberRange", "block", block)
    await world.settle(60)
    await order(world)
    await world.settle(10)
    # The account does not show a number before its papers are in order.
    world.carrier.take(WANTED)
    for _ in range(20):
        await world.annotate("NumberRange", "block", {"example.com/look": str(world.clock.now())})
        await world.settle(60)
    assert await ready(world) == "False PaperworkPending"
    assert await world.state(WANTED.text) == "Ordering"
    assert len(world.carrier.orders) == 1


async def test_an_order_under_way_keeps_the_carrier_over_a_restart(worlds: Worlds) -> None:
    world = await estate(worlds)
    world.carrier.order_seconds = 7200.0
    await order(world)
    await world.settle(60)
    await world.delete("PhoneNumber", "front")
    await world.settle(10)
    await world.stop()
    await world.delete("Carrier", "main")
    await world.start()
    await world.settle(600)
    assert await world.reason("main", kind="Carrier") == "False InUse"
    assert await world.state(WANTED.text) == "Ordering"
    await world.settle(7800)
    assert await world.state(WANTED.text) == "Free"
    assert not await world.exists("Carrier", "main")
    assert not any(row.connection.provider == "simwood" for row in await connections(world))


async def test_a_carrier_that_goes_after_a_restart_lets_its_account_go(worlds: Worlds) -> None:
    world = await estate(worlds)
    assert len(await connections(world)) == 1
    await world.stop()
    await world.delete("Carrier", "main")
    await world.start()
    await world.settle(60)
    assert not await world.exists("Carrier", "main")
    assert await connections(world) == ()


async def connections(world: EngineWorld) -> tuple[ConnectionRow, ...]:
    return await world.register.connections()
