"""The connection to one SBC's evapi: netstrings of JSON over a TCP connection that we dial.

Kamailio's socket delays small packets until the last one was acknowledged, and Linux delays the
acknowledgement: 35 ms a call, unless we ask for quick ones before each read. One task a message,
for a slow answer must not hold the next question. The connection is dialled again for ever; calls
that are up run on without it.

The SBC stops sending to whoever does not say that it reads, for a connection that fills up would
hold its workers. So we say so: after some messages, and when it is quiet.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from callplane.callcontrol import messages
from callplane.callcontrol.messages import Alive, Event, MalformedMessage, Order
from callplane.callcontrol.ports import Send

#: Takes one message and may send orders to the same SBC, at once or later.
Handler = Callable[[Event, Send], Awaitable[None]]

RECONNECT_SECONDS = 0.2
FRAME_LIMIT_BYTES = 64 * 1024
#: Far below what the SBC lets pile up; see `sbc.rendering.PENDING_MAX`.
FRAMES_BETWEEN_SIGNS = 16
SIGN_SECONDS = 0.5
# Not in Python's socket module on every system; the number is Linux's.
_TCP_QUICKACK = getattr(socket, "TCP_QUICKACK", None)

log = logging.getLogger(__name__)


@dataclass(eq=False)
class _Way:
    """Sends orders to one SBC by the connection that is up when they are sent. A call outlives the
    connection that announced it; what an order means is safe by the boot id that it carries.
    """

    writer: asyncio.StreamWriter | None = None

    def __call__(self, order: Order) -> None:
        if self.writer is None or self.writer.is_closing():
            raise ConnectionError("the SBC is not connected")
        self.writer.write(frame(messages.to_json(order)))


def is_up(send: Send) -> bool:
    """Has this way to an SBC a connection now? One that is none of ours always has."""
    return not isinstance(send, _Way) or send.writer is not None


async def serve(
    host: str,
    port: int,
    handler: Handler,
    *,
    connected: Callable[[Send], None] = lambda _: None,
    reconnect_seconds: float = RECONNECT_SECONDS,
) -> None:
    """Speak with one SBC until cancelled. Whatever a message does to its handler stays its own.
    `connected` is called with each new connection: the SBC may be another process by then.
    """
    way = _Way()
    while True:
        try:
            reader, writer = await asyncio.open_connection(host, port, limit=FRAME_LIMIT_BYTES)
        except OSError:
            await asyncio.sleep(reconnect_seconds)
            continue
        way.writer = writer
        connected(way)
        try:
            await _converse(reader, writer, handler, way)
        finally:
            way.writer = None
            writer.close()
        await asyncio.sleep(reconnect_seconds)


async def _converse(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handler: Handler, send: Send
) -> None:
    async def give_signs() -> None:
        while True:
            send(Alive())
            await asyncio.sleep(SIGN_SECONDS)

    tasks: set[asyncio.Task[None]] = {asyncio.create_task(give_signs())}
    connection = writer.get_extra_info("socket")
    try:
        for number in itertools.count(1):
            if number % FRAMES_BETWEEN_SIGNS == 0:
                send(Alive())
            if _TCP_QUICKACK is not None:
                connection.setsockopt(socket.IPPROTO_TCP, _TCP_QUICKACK, 1)
            body = await read_frame(reader)
            task = asyncio.create_task(_handle(body, handler, send))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError, ValueError):
        log.warning("an SBC's connection was lost")
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _handle(body: bytes, handler: Handler, send: Send) -> None:
    try:
        await handler(messages.parse_event(body), send)
    except MalformedMessage as error:
        log.warning("a message of an SBC was passed over: %s", error)
    except Exception:
        log.exception("a message of an SBC could not be handled")


def frame(body: bytes) -> bytes:
    """A netstring.

    >>> frame(b"{}")
    b'2:{},'
    """
    return b"%d:%s," % (len(body), body)


async def read_frame(reader: asyncio.StreamReader) -> bytes:
    """The next netstring's body. Raises ValueError for what is none or too long,
    IncompleteReadError at the end.
    """
    head = await reader.readuntil(b":")
    if not head[:-1].isdigit() or int(head[:-1]) > FRAME_LIMIT_BYTES:
        raise ValueError("no netstring")
    body = await reader.readexactly(int(head[:-1]) + 1)
    if body[-1:] != b",":
        raise ValueError("no netstring")
    return body[:-1]
