"""Bearer tokens that may change while the process runs: a fixed one, a file, a credential plugin.

Made by `credentials`, asked by `client` before every request and told when the server refused one.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from callplane import errors
from callplane.clock import Clock

EXPIRY_MARGIN = timedelta(seconds=60)


class CredentialsError(errors.CallplaneError):
    """Credentials cannot be read. The message names the place, never a value."""


class TokenSource(Protocol):
    """Where the `Authorization` header comes from."""

    async def authorization(self) -> str | None:
        """The header's value now, or None where the client certificate speaks for us."""
        ...

    def refused(self) -> None:
        """The server answered 401: what is cached is not to be used again."""
        ...


@dataclass(frozen=True, slots=True)
class FixedToken:
    """A token that never changes, or none."""

    token: str | None = field(default=None, repr=False)

    async def authorization(self) -> str | None:
        """See `TokenSource`."""
        return f"Bearer {self.token}" if self.token else None

    def refused(self) -> None:
        """See `TokenSource`; there is no other token to try."""


class TokenFile:
    """A projected service-account token: the kubelet replaces the file about hourly.

    A look at the file costs microseconds, so every request looks and reads only what has changed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._header: str | None = None

    async def authorization(self) -> str | None:
        """See `TokenSource`. Raises CredentialsError where there never was a readable token."""
        try:
            found = os.stat(self._path)
            seen = (found.st_mtime_ns, found.st_ino, found.st_size)
            if seen != self._seen:
                token = self._path.read_text(encoding="utf-8").strip()
                if not token:
                    raise CredentialsError(f"{self._path}: the token file is empty")
                self._header, self._seen = f"Bearer {token}", seen
        except OSError as error:
            # The file is away for a moment while it is replaced; the old token is still good then.
            if self._header is None:
                raise CredentialsError(f"{self._path}: {error.strerror}") from error
        return self._header

    def refused(self) -> None:
        """See `TokenSource`."""
        self._seen = None


class PluginToken:
    """A token of a credential plugin (`exec` in a kubeconfig), asked for again when it expires."""

    def __init__(
        self,
        run: Callable[[], Mapping[str, Any]],
        *,
        clock: Clock,
        first: Mapping[str, Any] | None = None,
    ) -> None:
        """`run` calls the plugin and returns its status; `first` is one it already gave."""
        self._run = run
        self._clock = clock
        self._status = first
        self._running = asyncio.Lock()

    async def authorization(self) -> str | None:
        """See `TokenSource`. Raises CredentialsError when the plugin gives no token."""
        async with self._running:
            if self._status is None or self._expired(self._status):
                self._status = await asyncio.to_thread(self._run)
            if not self._status.get("token"):
                self._status = None
                raise CredentialsError("the credential plugin answered without a token")
            return f"Bearer {self._status['token']}"

    def refused(self) -> None:
        """See `TokenSource`."""
        self._status = None

    def _expired(self, status: Mapping[str, Any]) -> bool:
        expires = parse_expiry(status.get("expirationTimestamp"))
        return expires is not None and self._clock.now() >= expires - EXPIRY_MARGIN


def parse_expiry(text: object) -> datetime | None:
    """An RFC 3339 moment, or None where none is stated."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        raise CredentialsError("the credential plugin's expirationTimestamp is no time") from None
    if moment.tzinfo is None:
        raise CredentialsError("the credential plugin's expirationTimestamp has no time zone")
    return moment
