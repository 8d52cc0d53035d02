"""Serves an ASGI application in the running loop until the block ends, over TLS where there is a
certificate. Signals stay with the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from callplane import asgi
from callplane.errors import CallplaneError
from callplane.server.front_door import HEAD_LIMIT_BYTES

STOP_SECONDS: Final = 10
CONNECTIONS: Final = 200
RELOAD_SECONDS: Final = 30.0

log = logging.getLogger(__name__)


class CertificateProblem(CallplaneError):
    """Certificate and key cannot be read, or do not belong together."""


@dataclass(slots=True)
class Certificate:
    """A certificate in files that are renewed; connections after that use the new one. `told` hears
    which one that is.
    """

    chain: Path
    key: Path
    told: Callable[[bytes], None] = lambda _: None
    context: ssl.SSLContext = field(init=False)
    _read: tuple[float, float] = field(init=False, default=(0.0, 0.0))

    def __post_init__(self) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.refresh()

    def refresh(self) -> bool:
        """Read the files when they have changed; whether they had. Raises CertificateProblem."""
        try:
            seen = (self.chain.stat().st_mtime, self.key.stat().st_mtime)
            if seen == self._read:
                return False
            # Tried apart first: a chain with another's key would break what is in use.
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.chain, self.key)
            self.context.load_cert_chain(self.chain, self.key)
            self.told(self.chain.read_bytes())
        except OSError as error:
            raise CertificateProblem(
                f"{self.chain}, {self.key}: {error.strerror or 'unusable'}"
            ) from None
        self._read = seen
        return True

    async def keep_fresh(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Look at the files for ever; a new pair that cannot be used leaves the old one."""
        while True:
            await sleep(RELOAD_SECONDS)
            try:
                if self.refresh():
                    log.info("the certificate was renewed")
            except CertificateProblem as error:
                log.error("the certificate is not renewed: %s", error)


class ImpatientProtocol(H11Protocol):
    """HTTP/1.1 for those who say what they want: a connection on which no whole head of a request
    comes in time is closed, or a few hundred of them would keep everybody else out.
    """

    head_seconds = 10.0
    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        # There is none before the first request, whatever its annotation says.
        cycle = cast("RequestResponseCycle | None", self.cycle)
        if cycle is None or cycle.response_complete:
            self._wait()
        else:
            self._wait_no_more()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_no_more()
        super().connection_lost(exc)

    def _wait(self) -> None:
        if self._waiting is None:
            self._waiting = self.loop.call_later(self.head_seconds, self.transport.close)

    def _wait_no_more(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None


@contextlib.asynccontextmanager
async def serving(
    application: Any, host: str, port: int, certificate: Certificate | None = None
) -> AsyncGenerator[int]:
    """Yields the port, which is a free one for 0. Raises OSError for one that is taken."""
    with socket.create_server((host, port), family=_family(host)) as listener:
        config = uvicorn.Config(
            application,
            lifespan="off",
            ws="none",
            http=ImpatientProtocol,
            h11_max_incomplete_event_size=HEAD_LIMIT_BYTES,
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=CONNECTIONS,
            timeout_graceful_shutdown=STOP_SECONDS,
            ssl_context_factory=(
                None if certificate is None else lambda config, default: certificate.context
            ),
        )
        async with asgi.running(config, listener) as found:
            yield found


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
