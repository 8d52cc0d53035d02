"""A wire to the database of another process, to be cut while a test that blocks goes on.

`TcpRelay` needs an event loop that turns; here it has one on a thread of its own.
"""

from __future__ import annotations

import asyncio
import threading
import urllib.parse
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self

from callplane.testing.tcp_relay import TcpRelay

TIMEOUT_SECONDS = 10.0


class Wire:
    """A relay to the server of a connection URI; `url` leads through it."""

    def __init__(self, url: str) -> None:
        self._parts = urllib.parse.urlsplit(url)
        self._relay = TcpRelay(self._parts.hostname or "", self._parts.port or 0)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @classmethod
    def to(cls, url: str) -> Self:
        """A wire to a server; use it as a context manager."""
        return cls(url)

    @property
    def url(self) -> str:
        """The connection URI through the wire."""
        userinfo = self._parts.netloc.rpartition("@")[0]
        return self._parts._replace(netloc=f"{userinfo}@127.0.0.1:{self._relay.port}").geturl()

    def cut(self) -> None:
        """End all connections and refuse new ones."""
        self._run(self._relay.cut())

    def mend(self) -> None:
        """Take connections again."""
        self._run(self._relay.mend())

    def __enter__(self) -> Self:
        self._thread.start()
        self.mend()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(TIMEOUT_SECONDS)
