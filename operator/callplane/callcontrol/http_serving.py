"""Serves an ASGI application in the running loop, until the block ends. Signals stay with the
process.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, Generator
from typing import Any, Final

import uvicorn

START_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.005


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


@contextlib.asynccontextmanager
async def serving(application: Any, host: str, port: int) -> AsyncGenerator[int]:
    """Yields the port, which is a free one for 0. Raises OSError for one that is taken."""
    with _listener(host, port) as listener:
        config = uvicorn.Config(
            application,
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=1,
        )
        server = _Server(config)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            async with asyncio.timeout(START_SECONDS):
                while not server.started:
                    if task.done():
                        await task
                        raise RuntimeError("the server stopped while it was starting")
                    await asyncio.sleep(_POLL_SECONDS)
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            await task


def _listener(host: str, port: int) -> socket.socket:
    listener = socket.create_server((host, port))
    # Inherited by what is accepted: each answer on a kept connection would wait 40 ms otherwise.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
