"""What a real Kamailio says of itself, as metrics."""

from __future__ import annotations

import asyncio

from prometheus_client import CollectorRegistry

from callplane.callcontrol import draining
from callplane.callcontrol.kamailio_rpc import KamailioRpc
from callplane.callcontrol.sbc_watching import SbcWatcher, look
from callplane.testing import polling
from callplane.testing.sbc_world import SbcWorld

NAME = "127.0.0.1:8448"


async def test_a_quiet_sbc_then_a_draining_one(world: SbcWorld) -> None:
    rpc = world.kamailio.control
    seen = await asyncio.to_thread(look, rpc)
    assert (seen.calls, seen.records, seen.is_draining) == (0, 0, False)
    assert {"alpha", "bravo", "pbx"} <= seen.peers.keys()
    assert 0 < seen.memory_used < 1
    await asyncio.to_thread(draining.set_draining, rpc, wanted=True)
    assert (await asyncio.to_thread(look, rpc)).is_draining
    await asyncio.to_thread(draining.set_draining, rpc, wanted=False)
    assert not (await asyncio.to_thread(look, rpc)).is_draining


async def test_a_scrape_shows_it_and_a_dead_one_is_silent(world: SbcWorld) -> None:
    watcher = SbcWatcher({NAME: world.kamailio.control}, pause_seconds=0.05)
    registry = CollectorRegistry()
    registry.register(watcher)

    def value(metric: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"callplane_sbc_{metric}", {"sbc": NAME, **labels})

    running = asyncio.create_task(watcher.run())
    try:
        await asyncio.to_thread(polling.until, lambda: value("up") == 1, "it is seen")
        assert value("calls") == 0
        assert value("peer_up", peer="alpha") in (0, 1)
        assert value("requests_total", method="INVITE") is not None
        watcher.sbcs = {NAME: KamailioRpc(world.kamailio.control.path.with_name("gone.sock"))}
        await asyncio.to_thread(polling.until, lambda: value("up") == 0, "it is silent")
        assert value("calls") is None
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
