"""The token of one connection: fetched once for all who wait, kept until shortly before it ends.

A refusal is remembered for a while, so that a wrong secret costs one request and not one for each
of ten thousand objects. A new Secret is a new `TokenSource`, so recovery does not wait for that
memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from callplane.clock import Clock
from callplane.providers.protocol import (
    AuthenticationFailed,
    ProviderError,
    Throttled,
    Unavailable,
)

RENEW_BEFORE_SECONDS = 300.0
REFUSAL_MEMORY_SECONDS = 30.0
PERMISSIONS_AGE_SECONDS = 120.0
OUTAGE_MEMORY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Grant:
    """A token and how long it is good for."""

    token: str
    lifetime_seconds: float

    def __repr__(self) -> str:
        return f"Grant(lifetime_seconds={self.lifetime_seconds:g})"


Acquire = Callable[[], Awaitable[Grant]]


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    fetched_at: float
    renew_at: float
    expires_at: float


@dataclass(frozen=True, slots=True)
class _Failure:
    again: Callable[[], ProviderError]
    until: float


class TokenSource:
    """Give out the token of one account. All methods belong to one event loop."""

    def __init__(self, acquire: Acquire, *, clock: Clock) -> None:
        self._acquire = acquire
        self._clock = clock
        self._token: _Token | None = None
        self._failure: _Failure | None = None
        self._fetching: asyncio.Task[None] | None = None

    async def token(self) -> str:
        """A token that is good now. Raises AuthenticationFailed, Throttled or Unavailable."""
        now = self._clock.monotonic()
        if self._token is not None and now < self._token.renew_at:
            return self._token.text
        if self._failure is None or now >= self._failure.until:
            if self._fetching is None:
                self._fetching = asyncio.create_task(self._fetch())
            # Shielded: one waiter that gives up must not take the token from the others.
            await asyncio.shield(self._fetching)
        return self._known()

    def drop(self, token: str) -> None:
        """The system does not accept this token: the next caller gets a new one."""
        if self._token is not None and self._token.text == token:
            self._token = None

    def drop_old(self, token: str) -> None:
        """A permission is missing: one that was granted since shows in a new token only. A token
        that is young already tells the truth, so that refusals do not become token requests.
        """
        if (
            self._token is not None
            and self._token.text == token
            and self._clock.monotonic() - self._token.fetched_at > PERMISSIONS_AGE_SECONDS
        ):
            self._token = None

    def refuse(self, message: str) -> AuthenticationFailed:
        """A fresh token was not accepted either: say no to everybody for a while."""
        self._token = None
        self._remember(lambda: AuthenticationFailed(message), REFUSAL_MEMORY_SECONDS)
        return AuthenticationFailed(message)

    async def close(self) -> None:
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)

    def _known(self) -> str:
        """The token while it lasts, also when renewing it fails; else the reason why there is
        none.
        """
        if self._token is not None and self._clock.monotonic() < self._token.expires_at:
            return self._token.text
        if self._failure is not None:
            raise self._failure.again()
        raise Unavailable("there is no token")

    async def _fetch(self) -> None:
        started = self._clock.monotonic()
        try:
            grant = await self._acquire()
        except Throttled as error:
            seconds = error.retry_after_seconds
            self._remember(lambda: Throttled(seconds), seconds)
        except AuthenticationFailed as error:
            message = str(error)
            self._remember(lambda: AuthenticationFailed(message), REFUSAL_MEMORY_SECONDS)
        except ProviderError as error:
            message = str(error)
            self._remember(lambda: Unavailable(message), OUTAGE_MEMORY_SECONDS)
        else:
            lifetime = grant.lifetime_seconds
            early = min(RENEW_BEFORE_SECONDS, 0.2 * lifetime)
            ends = started + lifetime
            self._token = _Token(grant.token, started, ends - early, ends)
            self._failure = None
        finally:
            self._fetching = None

    def _remember(self, again: Callable[[], ProviderError], seconds: float) -> None:
        self._failure = _Failure(again, self._clock.monotonic() + seconds)
