"""A platform in memory that signs its callers in; an `EngineWorld` says with which secret."""

from __future__ import annotations

from typing import Protocol

from callplane.clock import Clock
from callplane.providers.inmemory import Call, Fault, InMemoryProvider, World
from callplane.providers.protocol import AuthenticationFailed
from callplane.values import ConnectionId


class Accepting(Protocol):
    """Who knows the secret that is accepted, and counts the others."""

    @property
    def clock(self) -> Clock: ...

    accepted_secret: bytes
    refused_sign_ins: int


class SignedInProvider(InMemoryProvider):
    """Every call carries the secret, and another one than the accepted is refused."""

    def __init__(
        self, owner: Accepting, secret: bytes, connection: ConnectionId, platform: World
    ) -> None:
        super().__init__(connection, platform, clock=owner.clock, page_rows=1000)
        self._owner = owner
        self._secret = secret

    async def _arrive(self, call: Call) -> Fault | None:
        if self._secret != self._owner.accepted_secret:
            self._owner.refused_sign_ins += 1
            raise AuthenticationFailed("the client secret is not accepted")
        return await super()._arrive(call)
