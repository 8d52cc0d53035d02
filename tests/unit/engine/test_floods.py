"""A thousand new people at once do not stand in the way of somebody's edit."""

from __future__ import annotations

from typing import Any

import pytest

from callplane.engine.keyed_queue import Priority
from callplane.engine.operator_engine import FLOOD
from callplane.testing.engine_world import EngineWorld
from callplane.values import ObjectKey

pytestmark = pytest.mark.looptime


def user(name: str, *, version: int = 1, generation: int = 1) -> dict[str, Any]:
    return {
        "apiVersion": "callplane.dev/v1alpha1",
        "kind": "TeamsUser",
        "metadata": {
            "name": name,
            "namespace": "sales",
            "uid": f"uid-{name}",
            "resourceVersion": str(version),
            "generation": generation,
        },
        "spec": {"tenantRef": {"name": "main"}, "userPrincipalName": f"{name}@example.com"},
        "status": {"observedGeneration": -1},
    }


async def test_new_objects_beyond_a_flood_wait_behind_edits() -> None:
    world = EngineWorld()
    await world.seed_tenant()
    await world.start()
    await world.settle(10)
    engine = world.running
    before = engine.queue.depth()
    keys = [ObjectKey("TeamsUser", "sales", f"p{nth:03d}") for nth in range(4 * FLOOD)]
    for key in keys:
        engine.offer(key, user(key.name))
    waiting = engine.queue.depth()
    assert waiting[Priority.USER] == FLOOD
    assert waiting[Priority.INITIAL] - before[Priority.INITIAL] == 3 * FLOOD
    engine.offer(keys[-1], user(keys[-1].name, version=2, generation=2))
    assert engine.queue.waiting(Priority.USER) == FLOOD + 1
    await world.kill()
