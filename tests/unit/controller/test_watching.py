"""What the watch tells of our own writes never gets as far as a handler; everything else does."""

from __future__ import annotations

from typing import Any

import pytest

from callplane.controller import watching
from callplane.testing.engine_world import EngineWorld, Worlds
from callplane.values import ObjectKey

pytestmark = pytest.mark.looptime
ANN = ObjectKey("TeamsUser", "default", "ann")


async def declared() -> tuple[EngineWorld, dict[str, Any]]:
    world = await Worlds().make()
    await world.declare("ann")
    await world.settle()
    return world, await world.body("TeamsUser", "ann")


def is_news(world: EngineWorld, body: dict[str, Any], event: str = "MODIFIED") -> bool:
    return watching.is_news(world.running, ANN, {"type": event, "object": body})


async def test_an_object_that_nobody_has_seen_is_news() -> None:
    world, body = await declared()
    other = ObjectKey("TeamsUser", "default", "ben")
    assert watching.is_news(world.running, other, {"type": "ADDED", "object": body})
    await world.kill()


async def test_our_own_write_is_no_news_when_the_watch_tells_of_it() -> None:
    world, body = await declared()
    assert not is_news(world, body)
    older = {**body, "metadata": {**body["metadata"], "resourceVersion": "1"}}
    assert not is_news(world, older)
    # What a listing gives has no type of event.
    assert not watching.is_news(world.running, ANN, {"type": None, "object": body})
    await world.kill()


async def test_what_somebody_else_has_written_since_is_news() -> None:
    world, _ = await declared()
    engine = world.running
    heard = engine.cache.get(ANN)
    assert heard is not None
    version = int(heard.metadata["resourceVersion"]) + 1
    edited = {**heard.body, "metadata": {**heard.metadata, "resourceVersion": str(version)}}
    assert is_news(world, edited)
    await world.kill()


async def test_another_object_of_the_same_name_is_news_whatever_its_version() -> None:
    world, body = await declared()
    assert is_news(world, {**body, "metadata": {**body["metadata"], "uid": "another"}})
    await world.kill()


async def test_that_an_object_is_gone_is_news_although_its_last_body_is_known() -> None:
    world, body = await declared()
    assert is_news(world, body, "DELETED")
    assert world.running.cache.get(ANN) is not None
    await world.kill()
