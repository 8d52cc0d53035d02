"""A running Webex simulator: world, application and addresses in one hand.

async with running_webex(WebexWorld(seed=...)) as webex:
    webex.base_url, webex.token_url
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from callplane.simulators.serving import Served, serving
from callplane.simulators.webex.app import Sleep, WebexApp
from callplane.simulators.webex.world import WebexWorld


@dataclass(frozen=True, slots=True)
class RunningWebex:
    """Addresses for callers; all plain HTTP, which the vendor's SDK accepts as its base."""

    world: WebexWorld
    served: Served

    @property
    def base_url(self) -> str:
        """Root of the API, version included: what the SDK calls BASE."""
        return f"{self.served.url}/v1"

    @property
    def token_url(self) -> str:
        """Where refresh tokens become access tokens."""
        return f"{self.base_url}/access_token"

    @property
    def control_url(self) -> str:
        """Root of the control endpoints."""
        return f"{self.served.url}/_simulator"

    def document(self) -> dict[str, object]:
        """What a process that started us needs to know, as JSON."""
        return {
            "simulator": "webex",
            "base_url": self.base_url,
            "token_url": self.token_url,
            "control_url": self.control_url,
            "tenants": self.world.realm_ids(),
        }


@contextlib.asynccontextmanager
async def running_webex(
    world: WebexWorld, *, port: int = 0, sleep: Sleep = asyncio.sleep
) -> AsyncIterator[RunningWebex]:
    """Serve a world in the running loop until the block ends; port 0 is any free one."""
    async with serving(WebexApp(world, sleep=sleep), port=port) as served:
        yield RunningWebex(world, served)
