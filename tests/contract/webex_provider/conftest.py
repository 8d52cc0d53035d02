"""The Webex provider in front of the simulated organisation, on one clock that stands still."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from callplane.clock import SystemClock
from callplane.simulators.webex.running import running_webex
from callplane.simulators.webex.world import WebexWorld
from callplane.testing.manual_clock import ManualClock
from callplane.testing.webex_desk import SMALL_WORLD
from callplane.testing.webex_stage import WebexStage


@pytest.fixture
async def stage() -> AsyncIterator[WebexStage]:
    clock = ManualClock(SystemClock().now())
    world = WebexWorld(clock=clock, seed=SMALL_WORLD)
    async with running_webex(world, sleep=clock.sleep) as webex:
        stage = WebexStage(webex, clock)
        yield stage
        await stage.provider.close()
