"""A webhook is signed, sent once, and what becomes of it is never guessed. Receivers are ours."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from callplane.notify import webhooks
from callplane.notify.webhooks import SendOutcome, WebhookMessage, WebhookSender

SECRET = b"for-this-test"


class Receiver:
    """Takes whole requests and gives one answer: bytes, or None to hang up without a word."""

    def __init__(self, answer: bytes | None) -> None:
        self.answer = answer
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.hangs = False
        self.tasks: list[asyncio.Task[object]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.tasks.append(asyncio.current_task())  # type: ignore[arg-type]
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if ": " in line)
        body = await reader.readexactly(int(headers["content-length"]))
        self.requests.append((headers, body))
        if self.hangs:
            await reader.read()
        elif self.answer is not None:
            writer.write(self.answer)
            await writer.drain()
        writer.close()


@asynccontextmanager
async def receiving(receiver: Receiver) -> AsyncIterator[str]:
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
        await asyncio.gather(*receiver.tasks)


def answer(status: str, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", "Content-Length: 0", "Connection: close", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def send(url: str) -> SendOutcome:
    sender = WebhookSender()
    try:
        message = WebhookMessage(url, "id-1", {"percent": 80}, SECRET)
        return await sender.send(message, at_seconds=1_700_000_000)
    finally:
        await sender.close()


async def test_what_arrives_is_signed_over_time_and_body() -> None:
    receiver = Receiver(answer("204 No Content"))
    async with receiving(receiver) as url:
        assert await send(url) is SendOutcome.DELIVERED
    ((headers, body),) = receiver.requests
    assert json.loads(body) == {"percent": 80}
    signed = hmac.new(SECRET, b"1700000000." + body, hashlib.sha256).hexdigest()
    assert headers["callplane-signature"] == f"t=1700000000, v1={signed}"
    assert headers["callplane-delivery"] == "id-1"
    other = webhooks.signature(b"another", body, at_seconds=1_700_000_000)
    assert other != headers["callplane-signature"]


def test_while_a_key_changes_either_is_served() -> None:
    first, second = (
        webhooks.signature(key, b"{}", at_seconds=1_700_000_000) for key in (b"newer", b"older")
    )
    both = webhooks.signature(b"newer\nolder\n", b"{}", at_seconds=1_700_000_000)
    assert both == f"{first}, {second.partition(', ')[2]}"


@pytest.mark.parametrize(
    "status", ["500 Oops", "429 Slow Down", "404 Not Found", "302 Found"], ids=lambda s: s[:3]
)
async def test_a_receiver_that_says_no_has_refused(status: str) -> None:
    receiver = Receiver(answer(status, "Location: http://127.0.0.1:9/elsewhere"))
    async with receiving(receiver) as url:
        assert await send(url) is SendOutcome.REFUSED
    assert len(receiver.requests) == 1


async def test_nobody_there_means_that_nothing_was_sent() -> None:
    async with receiving(Receiver(None)) as url:
        pass
    assert await send(url) is SendOutcome.REFUSED


async def test_no_answer_means_that_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiving(Receiver(None)) as url:
        assert await send(url) is SendOutcome.UNKNOWN
    monkeypatch.setattr(webhooks, "TIMEOUT_SECONDS", 0.05)
    hanging = Receiver(None)
    hanging.hangs = True
    async with receiving(hanging) as url:
        assert await send(url) is SendOutcome.UNKNOWN
    assert len(hanging.requests) == 1
