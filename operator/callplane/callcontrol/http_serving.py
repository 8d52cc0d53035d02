"""Serves an ASGI application in the running loop, until the block ends. Signals stay with the
process.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncGenerator
from typing import Any

import uvicorn

from callplane import asgi


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
        async with asgi.running(config, listener) as found:
            yield found


def _listener(host: str, port: int) -> socket.socket:
    listener = socket.create_server((host, port))
    # Inherited by what is accepted: each answer on a kept connection would wait 40 ms otherwise.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
