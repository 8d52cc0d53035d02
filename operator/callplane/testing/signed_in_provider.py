"""A platform in memory that asks for a secret; `engine_world` makes one for each connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callplane.providers.inmemory import Call, Fault, InMemoryProvider, World
from callplane.providers.protocol import AuthenticationFailed
from callplane.values import ConnectionId

if TYPE_CHECKING:
    from callplane.testing.engine_world import EngineWorld


class SignedInProvider(InMemoryProvider):
    """Every call carries the secret, and another one than the accepted is refused."""

    def __init__(
        self, world: EngineWorld, secret: bytes, connection: ConnectionId, platform: World
    ) -> None:
        super().__init__(connection, platform, clock=world.clock, page_rows=1000)
        self._owner = world
        self._secret = secret

    async def _arrive(self, call: Call) -> Fault | None:
        if self._secret != self._owner.accepted_secret:
            self._owner.refused_sign_ins += 1
            raise AuthenticationFailed("the client secret is not accepted")
        return await super()._arrive(call)
