"""Put a world on loopback ports: plain HTTP, and TLS beside it for callers who insist on it.

Used in-process by tests (`async with serving(app) as served:`) and by `python -m
callplane.simulators`.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Generator
from dataclasses import dataclass
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from callplane.simulators.exchange import ABORT_EXTENSION
from callplane.simulators.loopback_certificates import TlsFiles

LOOPBACK = "127.0.0.1"
_START_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Served:
    """Where a world listens. `tls_port` is None when it was served without TLS files."""

    port: int
    tls_port: int | None

    @property
    def url(self) -> str:
        """Origin of the plain port, without a slash at the end."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def tls_url(self) -> str:
        """Origin of the TLS port, without a slash at the end."""
        if self.tls_port is None:
            raise ValueError("this simulator was started without TLS")
        return f"https://{LOOPBACK}:{self.tls_port}"


class _AbortableProtocol(HttpToolsProtocol):
    """Offers the application a way to cut the connection, which ASGI itself has no word for."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        # The type of extensions allows dictionaries only; ASGI itself allows anything.
        extensions: dict[str, Any] = {ABORT_EXTENSION: self.transport.abort}
        self.scope["extensions"] = extensions


class _QuietServer(uvicorn.Server):
    """Leaves the signals of the process alone: whoever owns the loop decides when to stop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


@contextlib.asynccontextmanager
async def serving(
    app: Any, *, port: int = 0, tls_port: int = 0, tls: TlsFiles | None = None
) -> AsyncIterator[Served]:
    """Serve an ASGI application in the running loop until the block ends; port 0: any free."""
    async with contextlib.AsyncExitStack() as stack:
        plain = await stack.enter_async_context(_listening(app, port, None))
        secure = (
            await stack.enter_async_context(_listening(app, tls_port, tls))
            if tls is not None
            else None
        )
        yield Served(plain, secure)


@contextlib.asynccontextmanager
async def _listening(app: Any, port: int, tls: TlsFiles | None) -> AsyncIterator[int]:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
    except OSError as error:
        listener.close()
        raise OSError(
            error.errno, f"cannot listen on {LOOPBACK}:{port}: {error.strerror}"
        ) from error
    server = _QuietServer(
        uvicorn.Config(
            app,
            http=_AbortableProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=1,
            ssl_certfile=str(tls.server_file) if tls is not None else None,
        )
    )
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        async with asyncio.timeout(_START_SECONDS):
            while not server.started:
                if task.done():
                    await task
                    raise RuntimeError("the simulator's server stopped while it was starting")
                await asyncio.sleep(0.005)
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await task
        listener.close()
