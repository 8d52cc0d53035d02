"""What /readyz says while a process starts: just before its endpoint listens, and from then on."""

from __future__ import annotations

import asyncio
import http.client
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import pytest

LOOKS = 400
LOOK_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class ReadinessWatch:
    """Looks at the readiness of a process of this loop whose module serves by `serving`."""

    endpoint_port: int
    probe_port: int
    before: list[str] = field(default_factory=list)

    @classmethod
    def over(cls, module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> ReadinessWatch:
        """A watch with two free ports, before the process is started on them."""
        with (
            socket.create_server(("127.0.0.1", 0)) as endpoint,
            socket.create_server(("127.0.0.1", 0)) as probes,
        ):
            found = cls(endpoint.getsockname()[1], probes.getsockname()[1])
        serving = module.__dict__["serving"]

        @asynccontextmanager
        async def watched(
            application: Any, host: str, port: int, *more: Any
        ) -> AsyncGenerator[int]:
            if port == found.endpoint_port:
                found.before.append(await found.readiness())
            async with serving(application, host, port, *more) as served:
                yield served

        monkeypatch.setattr(module, "serving", watched)
        return found

    async def readiness(self) -> str:
        """What /readyz says. Raises ConnectionError when nobody does."""
        return await asyncio.to_thread(self._asked)

    async def until(self, wanted: str) -> None:
        """Wait for what /readyz shall say. Raises AssertionError when it does not."""
        said = "nothing"
        for _ in range(LOOKS):
            with suppress(ConnectionError):
                said = await self.readiness()
            if said == wanted:
                return
            await asyncio.sleep(LOOK_SECONDS)
        raise AssertionError(f"/readyz says {said!r}")

    def _asked(self) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self.probe_port, timeout=10)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().read().decode().strip()
        finally:
            connection.close()
