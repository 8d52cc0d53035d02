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
_POLL_SECONDS = 0.005
_TICK_SECONDS = 0.1
_KEEP_ALIVE_SECONDS = 75


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

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._stop = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def main_loop(self) -> None:
        """Tick as uvicorn does, but stop at once when told."""
        counter = 0
        while not await self.on_tick(counter):
            counter += 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), _TICK_SECONDS)

    def stop(self) -> None:
        """Ask the server to end."""
        self.should_exit = True
        self._stop.set()


@contextlib.asynccontextmanager
async def serving(
    app: Any, *, port: int = 0, tls_port: int = 0, tls: TlsFiles | None = None
) -> AsyncIterator[Served]:
    """Serve an ASGI application in the running loop until the block ends; port 0: any free."""
    wanted = [(port, None)] if tls is None else [(port, None), (tls_port, tls)]
    running: list[tuple[_QuietServer, asyncio.Task[None]]] = []
    with contextlib.ExitStack() as stack:
        try:
            ports = []
            for each, files in wanted:
                listener = stack.enter_context(_listener(each))
                ports.append(listener.getsockname()[1])
                server = _QuietServer(_config(app, files))
                running.append((server, asyncio.create_task(server.serve(sockets=[listener]))))
            for server, task in running:
                await _started(server, task)
            yield Served(ports[0], ports[1] if tls is not None else None)
        finally:
            for server, _ in running:
                server.stop()
            await asyncio.gather(*(task for _, task in running))


def _listener(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Inherited by what is accepted. asyncio sets it only for sockets whose protocol number it
    # knows, and an accepted one has none: each answer on a kept connection would wait 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind((LOOPBACK, port))
    except OSError as error:
        listener.close()
        message = f"cannot listen on {LOOPBACK}:{port}: {error.strerror}"
        raise OSError(error.errno, message) from error
    return listener


def _config(app: Any, tls: TlsFiles | None) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=_AbortableProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=1,
        ssl_certfile=str(tls.server_file) if tls is not None else None,
    )


async def _started(server: _QuietServer, task: asyncio.Task[None]) -> None:
    async with asyncio.timeout(_START_SECONDS):
        while not server.started:
            if task.done():
                await task
                raise RuntimeError("the simulator's server stopped while it was starting")
            await asyncio.sleep(_POLL_SECONDS)
