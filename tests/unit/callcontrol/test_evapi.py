"""The connection to an SBC: frames, signs of life, one task a message, dialled again for ever."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from callplane.callcontrol import evapi
from callplane.callcontrol.messages import Ended, Event, OutageFlag
from callplane.callcontrol.ports import Send
from callplane.testing import polling


class FakeSbc:
    """The other end: what it was sent, and what it sends."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.writers: list[asyncio.StreamWriter] = []
        self.arrived = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        self.arrived.set()
        try:
            while True:
                self.sent.append(json.loads(await evapi.read_frame(reader)))
        except (asyncio.IncompleteReadError, OSError):
            writer.close()

    def say(self, body: bytes) -> None:
        self.writers[-1].write(body)

    def signs(self) -> int:
        return sum(body == {"op": "alive"} for body in self.sent)


@asynccontextmanager
async def conversation(handler: evapi.Handler) -> AsyncGenerator[FakeSbc]:
    sbc = FakeSbc()
    server = await asyncio.start_server(sbc.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    task = asyncio.create_task(evapi.serve("127.0.0.1", port, handler, reconnect_seconds=0.01))
    await asyncio.wait_for(sbc.arrived.wait(), 30)
    try:
        yield sbc
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        for writer in sbc.writers:
            writer.close()
        server.close()
        await server.wait_closed()


async def until(check: Any) -> None:
    await asyncio.to_thread(polling.until, check, "what was expected", seconds=30)


def ended(number: int) -> bytes:
    return evapi.frame(json.dumps({"ev": "ended", "attempt_id": f"a-{number}"}).encode())


async def test_a_slow_answer_holds_nothing_else() -> None:
    heard: list[str] = []
    gate = asyncio.Event()

    async def handle(event: Event, send: Send) -> None:
        assert isinstance(event, Ended)
        if event.attempt_id == "a-0":
            await gate.wait()
        heard.append(event.attempt_id)
        send(OutageFlag("pbx", event.attempt_id, 1))

    async with conversation(handle) as sbc:
        sbc.say(ended(0) + ended(1) + ended(2))
        await until(lambda: len(heard) == 2)
        gate.set()
        await until(lambda: sum(body["op"] == "outage" for body in sbc.sent) == 3)
        assert heard == ["a-1", "a-2", "a-0"]


async def test_orders_go_by_the_connection_that_is_up() -> None:
    """A call outlives the connection that announced it."""
    ways: list[Send] = []

    async def handle(_: Event, send: Send) -> None:
        ways.append(send)

    async with conversation(handle) as sbc:
        sbc.say(ended(0))
        await until(lambda: len(ways) == 1)
        sbc.writers[0].close()
        await until(lambda: len(sbc.writers) == 2)
        # A sign by the new connection: the old one may have given several.
        sbc.sent.clear()
        await until(lambda: sbc.signs() >= 1)
        ways[0](OutageFlag("pbx", "a-0", 1))
        await until(lambda: any(body["op"] == "outage" for body in sbc.sent))
    with pytest.raises(ConnectionError):
        ways[0](OutageFlag("pbx", "a-0", 1))


async def test_signs_of_life_while_deciding_hangs() -> None:
    """It reads, so the SBC may go on sending; whether it decides is another matter."""

    async def hang(_: Event, __: Send) -> None:
        await asyncio.Event().wait()

    async with conversation(hang) as sbc:
        sbc.say(b"".join(ended(number) for number in range(160)))
        await until(lambda: sbc.signs() >= 10)


async def test_odd_messages_and_failures_stay_their_own(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[Event] = []

    async def handle(event: Event, _: Send) -> None:
        if event == Ended("a-1"):
            raise RuntimeError("out of order")
        heard.append(event)

    async with conversation(handle) as sbc:
        sbc.say(evapi.frame(b"{}") + evapi.frame(b"\xff") + ended(1) + ended(2))
        await until(lambda: heard == [Ended("a-2")])
        assert len(sbc.writers) == 1
    assert "passed over" in caplog.text
    assert "could not be handled" in caplog.text


@pytest.mark.parametrize("nonsense", [b"hello", b"5:{}{}{}", b"999999999:", b"-1:,", b":,"])
async def test_what_is_no_frame_ends_the_connection_and_it_is_dialled_again(
    nonsense: bytes,
) -> None:
    async def ignore(_: Event, __: Send) -> None:
        return

    async with conversation(ignore) as sbc:
        sbc.say(nonsense)
        if nonsense == b"hello":
            sbc.writers[0].close()
        await until(lambda: len(sbc.writers) == 2)
