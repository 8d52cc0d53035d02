"""Accounts, plans, privileges, cards and sets: ready when they can be used as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from callplane.testing.engine_world import EngineWorld, Worlds

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
