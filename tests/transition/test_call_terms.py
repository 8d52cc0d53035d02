"""Accounts, plans, privileges, cards and sets: ready when they can be used as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from callplane.billing.decks import DeckRow, digest_of
from callplane.store.deck_ports import DeckHeader
from callplane.testing.billing_builders import BEGIN, row
from callplane.testing.engine_world import EngineWorld, Worlds, number

pytestmark = pytest.mark.looptime

SAMPLES = Path(__file__).parents[2] / "manifests" / "samples"


async def apply(world: EngineWorld, sample: str, **changes: Any) -> None:
    manifest = yaml.safe_load((SAMPLES / f"{sample}.yaml").read_text(encoding="utf-8"))
    spec = {**manifest["spec"], **changes}
    await world.apply(manifest["kind"], manifest["metadata"]["name"], spec)


async def test_each_kind_turns_ready(worlds: Worlds) -> None:
    world = await worlds.make()
    for sample in ("callingaccount", "callingplan"):
        await apply(world, sample)
    await world.settle()
    assert await world.reason("example", kind="CallingAccount") == "False DependencyNotReady"
    assert await world.reason("domestic-300", kind="CallingPlan") == "False DependencyNotReady"
    for sample in ("ratecard", "destinationset", "callprivilege"):
        await apply(world, sample)
    await world.settle()
    for kind, name, message in (
        ("CallingAccount", "example", "can be charged"),
        ("CallingPlan", "domestic-300", "brings 300 minutes a month"),
        (
            "CallPrivilege",
            "domestic-and-international",
            "5 kinds of destinations beside emergency and exempt numbers",
        ),
        ("RateCard", "standard", "sample prices"),
        ("DestinationSet", "uk-domestic", "as declared"),
    ):
        assert await world.condition(kind, name) == ("True", "Succeeded", message)
    status = await world.status("RateCard", "standard")
    assert status["rows"] == 5
    assert len(status["version"]) == 64


async def test_a_card_waits_for_its_deck(worlds: Worlds) -> None:
    world = await worlds.make()
    rates = [row("44", 15_000)]
    digest = digest_of(rates, "GBP")
    await apply(world, "ratecard", rows=None, deck={"digest": digest})
    await apply(world, "callingaccount")
    await world.settle()
    assert await world.reason("standard", kind="RateCard") == "False DependencyNotReady"
    with world.decks.staging() as staging:
        staging.add([DeckRow(2, rate) for rate in rates])
        staging.keep(DeckHeader(digest, "GBP", 1, 1, BEGIN, BEGIN, BEGIN))
    await world.settle(700)
    assert await world.reason("standard", kind="RateCard") == "Succeeded"
    assert (await world.status("RateCard", "standard"))["rows"] == 1
    assert await world.condition("CallingAccount", "example") == (
        "True",
        "Succeeded",
        "can be charged",
    )


async def test_what_contradicts_itself_is_stalled_until_it_is_corrected(worlds: Worlds) -> None:
    world = await worlds.make()
    await apply(world, "ratecard", accessCharges=[])
    await apply(world, "callingaccount")
    await world.settle()
    status, reason, message = await world.condition("RateCard", "standard")
    assert (status, reason) == ("False", "InvalidSpec")
    assert "spec.rows[3].service" in message
    await apply(world, "ratecard", currency="EUR")
    await world.settle()
    assert await world.reason("standard", kind="RateCard") == "Succeeded"
    status, reason, message = await world.condition("CallingAccount", "example")
    assert (status, reason) == ("False", "InvalidSpec")
    assert "is in EUR, the account in GBP" in message


TERMS: dict[str, Any] = {
    "accountRef": {"name": "example"},
    "callingPlanRef": {"name": "domestic-300"},
    "callPrivilegeRef": {"name": "domestic-and-international"},
}
KINDS = {
    "CallingAccount": "callingaccount",
    "CallingPlan": "callingplan",
    "CallPrivilege": "callprivilege",
}


async def ready_terms(world: EngineWorld) -> None:
    for sample in (*KINDS.values(), "ratecard", "destinationset"):
        await apply(world, sample)
    await world.settle()


async def test_a_person_waits_until_all_that_they_name_is_there(worlds: Worlds) -> None:
    world = await worlds.make(("ann",))
    await world.declare("ann", **TERMS)
    for kind, sample in KINDS.items():
        await world.settle()
        _, reason, message = await world.condition("TeamsUser", "ann")
        assert (reason, kind in message) == ("DependencyNotReady", True)
        assert world.number_of("ann") is None
        await apply(world, sample)
    await world.settle(60)
    assert await world.reason("ann") == "Succeeded"
    assert (await world.status("CallPrivilege", TERMS["callPrivilegeRef"]["name"]))["users"] == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_what_goes_away_leaves_people_what_they_have(worlds: Worlds, kind: str) -> None:
    world = await worlds.make(("ann",))
    await ready_terms(world)
    await world.declare("ann", **TERMS)
    await world.settle(60)
    had = world.number_of("ann")
    assert had is not None
    name = next(
        reference["name"]
        for field, reference in TERMS.items()
        if field.lower() == f"{kind.lower()}ref".replace("callingaccount", "account")
    )
    await world.delete(kind, name)
    await world.settle(60)
    assert not await world.exists(kind, name)
    assert await world.reason("ann") == "False DependencyNotReady"
    assert world.number_of("ann") == had
    assert world.sent() == ["AssignNumber"]
    await apply(world, KINDS[kind])
    await world.settle(60)
    assert await world.reason("ann") == "Succeeded"


async def test_an_account_of_another_namespace_must_consent(worlds: Worlds) -> None:
    world = await worlds.make(("ann",))
    world.seed_namespace("finance")
    manifest = yaml.safe_load((SAMPLES / "callingaccount.yaml").read_text(encoding="utf-8"))
    spec = {**manifest["spec"], "rateCardRef": None, "payAsYouGo": False, "rateCardBilling": False}
    spec = {key: value for key, value in spec.items() if value is not None}
    spec["overspend"] = "Block"
    await world.apply("CallingAccount", "theirs", spec, namespace="finance")
    account = {"name": "theirs", "namespace": "finance"}
    await world.declare("ann", accountRef=account)
    await world.settle()
    assert await world.reason("ann") == "False DependencyNotReady"
    spec["allowedNamespaces"] = [{"name": "default"}]
    await world.apply("CallingAccount", "theirs", spec, namespace="finance")
    await world.settle()
    assert await world.reason("ann") == "Succeeded"


async def test_numbers_say_that_their_account_is_missing_and_are_given_out_all_the_same(
    worlds: Worlds,
) -> None:
    world = await worlds.make(("ann",))
    await world.seed_range(accountRef={"name": "example"})
    await world.declare("ann")
    await world.settle()
    assert await world.reason("london", kind="NumberRange") == "False DependencyNotReady"
    assert world.number_of("ann") == number(0)
    await ready_terms(world)
    await world.settle()
    assert await world.reason("london", kind="NumberRange") == "Succeeded"
