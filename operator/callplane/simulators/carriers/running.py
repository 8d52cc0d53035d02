"""A running carrier: world, application and addresses in one hand.

async with running_carrier(SimwoodWorld(), SimwoodSurface()) as carrier:
    carrier.api_url, carrier.control_url
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from callplane.simulators.carriers.rest_app import RestApp, Sleep
from callplane.simulators.carriers.surface import Surface
from callplane.simulators.carriers.world import CarrierWorld
from callplane.simulators.serving import Served, serving


@dataclass(frozen=True, slots=True)
class RunningCarrier:
    """Addresses for callers."""

    world: CarrierWorld
    surface: Surface
    served: Served

    @property
    def base_url(self) -> str:
        """Origin, without the API's path."""
        return self.served.url

    @property
    def api_url(self) -> str:
        """Where the API begins, without a slash at the end."""
        return f"{self.served.url}{self.surface.api_path}"

    @property
    def control_url(self) -> str:
        """Root of the control endpoints."""
        return f"{self.served.url}/_simulator"

    def document(self) -> dict[str, object]:
        """What a process that started us needs to know, as JSON."""
        return {
            "simulator": self.surface.name,
            "base_url": self.base_url,
            "api_url": self.api_url,
            "control_url": self.control_url,
            "accounts": list(self.world.accounts),
        }


@contextlib.asynccontextmanager
async def running_carrier(
    world: CarrierWorld, surface: Surface, *, port: int = 0, sleep: Sleep = asyncio.sleep
) -> AsyncIterator[RunningCarrier]:
    """Serve a carrier in the running loop until the block ends; port 0 is any free one."""
    async with serving(RestApp(world, surface, sleep=sleep), port=port) as served:
        yield RunningCarrier(world, surface, served)
