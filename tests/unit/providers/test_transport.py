"""Every way in which a request can end, sorted by whether it may have been carried out."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from callplane.clock import Clock
from callplane.errors import OutcomeUnknown
from callplane.providers.protocol import Throttled, Unavailable
from callplane.providers.transport import (
    Answer,
    CallRecord,
    Request,
    Transport,
    TransportLimits,
    describe,
    ssl_context,
)
from callplane.testing.manual_clock import ManualClock

LIMITS = TransportLimits(connect_seconds=0.2, read_seconds=0.5, write_seconds=0.5, answer_bytes=999)
NO_RETRY_HEADER = 5.0
READ, WRITE = False, True

Behaviour = Callable[["Server", asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Server:
    """A server that behaves as told, and remembers the requests that reached it."""

    behaviour: Behaviour
    scheme: str = "http"
    port: int = 0
    heads: list[str] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    connections: dict[asyncio.Task[None], asyncio.StreamWriter] = field(default_factory=dict)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections[asyncio.create_task(self.serve(reader, writer))] = writer

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                self.heads.append(head)
                self.asked.set()
                await self.behaviour(self, writer)

    async def stop(self) -> None:
        for task, writer in self.connections.items():
            writer.close()
            await asyncio.gather(task, writer.wait_closed(), return_exceptions=True)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/v1.0/things?x=%2B44"


@contextlib.asynccontextmanager
async def serving(behaviour: Behaviour, *, scheme: str = "http") -> AsyncIterator[Server]:
    server = Server(behaviour, scheme)
    async with await asyncio.start_server(server.accept, "127.0.0.1", 0) as listener:
        server.port = listener.sockets[0].getsockname()[1]
        yield server
        await server.stop()


def answering(status: int, *headers: str, body: bytes = b"{}") -> Behaviour:
    async def answer(_: Server, writer: asyncio.StreamWriter) -> None:
        lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", *headers, "", ""]
        writer.write("\r\n".join(lines).encode() + body)

    return answer


async def hang_up(_: Server, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def say_nothing(_: Server, writer: asyncio.StreamWriter) -> None:
    """Keep the connection and stay silent."""


async def stop_in_the_middle(_: Server, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
    writer.close()


async def never_end(_: Server, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _unused in range(20):
        writer.write(b"64\r\n" + b"x" * 100 + b"\r\n")


@contextlib.asynccontextmanager
async def transport_with(
    *, clock: Clock | None = None, records: list[CallRecord] | None = None
) -> AsyncIterator[Transport]:
    transport = Transport(
        "test",
        clock=clock or ManualClock(),
        limits=LIMITS,
        observer=(records if records is not None else []).append,
    )
    yield transport
    await transport.close()


def request_to(url: str, writes: bool, *, seconds: float | None = None) -> Request:
    method, body = ("POST", b"{}") if writes else ("GET", None)
    return Request("doThing", method, url, {"X-Test": "1"}, body, writes=writes, seconds=seconds)


async def call(behaviour: Behaviour, *, writes: bool, scheme: str = "http") -> Answer:
    async with serving(behaviour, scheme=scheme) as server, transport_with() as transport:
        try:
            return await transport.call(request_to(server.url, writes))
        finally:
            assert not writes or len(server.heads) <= 1
            await transport.close()
            await server.stop()


@pytest.mark.parametrize("behaviour", [hang_up, say_nothing, stop_in_the_middle, never_end])
async def test_an_answer_that_does_not_come_whole(behaviour: Behaviour) -> None:
    with pytest.raises(Unavailable):
        await call(behaviour, writes=READ)
    with pytest.raises(OutcomeUnknown):
        await call(behaviour, writes=WRITE)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST"])
@pytest.mark.parametrize("kept", [False, True])
async def test_a_write_is_sent_once_when_its_connection_breaks(method: str, kept: bool) -> None:
    """The client library would send a PUT or DELETE again, and at a carrier a PUT buys."""

    async def behave(server: Server, writer: asyncio.StreamWriter) -> None:
        if server.heads[-1].startswith("GET"):
            await answering(200)(server, writer)
        else:
            await hang_up(server, writer)

    async with serving(behave) as server, transport_with() as transport:
        if kept:
            await transport.call(request_to(server.url, READ))
        request = Request("buy", method, server.url, {}, b"{}", writes=True)
        with pytest.raises(OutcomeUnknown):
            await transport.call(request)
        assert [head.split()[0] for head in server.heads if not head.startswith("GET")] == [method]


@pytest.mark.parametrize("writes", [READ, WRITE])
async def test_nobody_listens(writes: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    async with transport_with() as transport:
        with pytest.raises(Unavailable, match="no connection"):
            await transport.call(request_to(f"http://127.0.0.1:{port}/", writes))


@pytest.mark.parametrize("writes", [READ, WRITE])
async def test_a_handshake_that_never_ends_carried_no_request(writes: bool) -> None:
    with pytest.raises(Unavailable, match="no connection"):
        await call(say_nothing, writes=writes, scheme="https")


@pytest.mark.parametrize("writes", [READ, WRITE])
async def test_a_closed_transport_sends_nothing(writes: bool) -> None:
    async with serving(answering(200)) as server, transport_with() as transport:
        await transport.close()
        with pytest.raises(Unavailable):
            await transport.call(request_to(server.url, writes))
        assert server.heads == []


async def test_the_callers_own_limit_counts() -> None:
    loop = asyncio.get_running_loop()
    async with serving(say_nothing) as server, transport_with() as transport:
        began = loop.time()
        with pytest.raises(OutcomeUnknown):
            await transport.call(request_to(server.url, WRITE, seconds=0.1))
        assert loop.time() - began < LIMITS.write_seconds


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("Retry-After: 2.128", 2.128),
        ("Retry-After: 30", 30.0),
        ("Retry-After: -1", 0.0),
        ("Retry-After: 999999", 3600.0),
        ("Retry-After: nan", NO_RETRY_HEADER),
        ("Retry-After: soon", NO_RETRY_HEADER),
        ("Retry-After: Mon, 02 Mar 2026 09:00:45 GMT", 45.0),
        ("X-Other: 1", NO_RETRY_HEADER),
    ],
)
@pytest.mark.parametrize("writes", [READ, WRITE])
async def test_429_means_wait(header: str, seconds: float, writes: bool) -> None:
    with pytest.raises(Throttled) as caught:
        await call(answering(429, header), writes=writes)
    assert caught.value.retry_after_seconds == seconds


@pytest.mark.parametrize("writes", [READ, WRITE])
async def test_503_with_a_time_means_wait(writes: bool) -> None:
    with pytest.raises(Throttled) as caught:
        await call(answering(503, "Retry-After: 1.5"), writes=writes)
    assert caught.value.retry_after_seconds == 1.5


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 599])
async def test_other_server_errors_leave_a_write_unknown(status: int) -> None:
    with pytest.raises(Unavailable, match=str(status)):
        await call(answering(status), writes=READ)
    with pytest.raises(OutcomeUnknown, match=str(status)):
        await call(answering(status), writes=WRITE)


@pytest.mark.parametrize("status", [501, 505])
async def test_a_server_error_that_says_that_nothing_was_done(status: int) -> None:
    assert (await call(answering(status), writes=WRITE)).status == status


async def test_redirects_are_not_followed() -> None:
    elsewhere = answering(302, "Location: http://127.0.0.1:1/")
    with pytest.raises(Unavailable, match="redirect"):
        await call(elsewhere, writes=READ)
    assert (await call(elsewhere, writes=WRITE)).status == 302


@pytest.mark.parametrize("status", [200, 202, 204, 400, 401, 403, 404, 409])
async def test_other_answers_are_for_the_provider(status: int) -> None:
    body = b"" if status == 204 else b'{"value": []}'
    answer = await call(answering(status, "X-Thing: Yes", body=body), writes=WRITE)
    assert (answer.status, answer.ok) == (status, status < 300)
    assert answer.headers["x-thing"] == "Yes"
    assert answer.json() == (None if status == 204 else {"value": []})


@pytest.mark.parametrize("body", [b"<html>", b"\xff\xfe", b"[" * 500])
async def test_what_is_not_json_is_none(body: bytes) -> None:
    assert (await call(answering(400, body=body), writes=READ)).json() is None


@pytest.mark.parametrize("writes", [READ, WRITE])
async def test_an_answer_may_not_be_too_large(writes: bool) -> None:
    packed = gzip.compress(b"x" * 5000)
    for behaviour in (
        answering(200, body=b"x" * 1000),
        answering(200, "Content-Encoding: gzip", body=packed),
    ):
        with pytest.raises(OutcomeUnknown if writes else Unavailable, match="larger than 999"):
            await call(behaviour, writes=writes)


async def test_the_environment_names_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert (await call(answering(200), writes=READ)).ok


async def test_the_address_is_sent_as_it_was_encoded() -> None:
    async with serving(answering(200)) as server, transport_with() as transport:
        await transport.call(request_to(server.url, READ))
        assert server.heads[0].startswith("GET /v1.0/things?x=%2B44 HTTP/1.1\r\n")
        assert "X-Test: 1" in server.heads[0]
        assert "Cookie" not in server.heads[0]


@pytest.mark.parametrize(
    ("behaviour", "outcome", "status"),
    [
        (answering(200), "ok", 200),
        (answering(404), "refused", 404),
        (answering(403), "authentication", 403),
        (answering(429), "throttled", 429),
        (answering(500), "unknown", 500),
        (hang_up, "unknown", 0),
    ],
)
async def test_every_call_is_measured(behaviour: Behaviour, outcome: str, status: int) -> None:
    clock, records = ManualClock(), list[CallRecord]()

    async def slowly(server: Server, writer: asyncio.StreamWriter) -> None:
        clock.advance(3.0)
        await behaviour(server, writer)

    async with (
        serving(slowly) as server,
        transport_with(clock=clock, records=records) as transport,
    ):
        with contextlib.suppress(Throttled, OutcomeUnknown):
            await transport.call(request_to(server.url, WRITE))
    assert records == [CallRecord("test", "doThing", outcome, 3.0, status)]


async def test_a_call_that_is_given_up_is_measured() -> None:
    records: list[CallRecord] = []
    async with serving(say_nothing) as server, transport_with(records=records) as transport:
        task = asyncio.create_task(transport.call(request_to(server.url, WRITE)))
        await server.asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert [record.outcome for record in records] == ["cancelled"]


def test_an_error_is_described_with_its_ids_and_without_numbers() -> None:
    body = {
        "error": {
            "code": "BadRequest",
            "message": "Telephone Number '+442079460001' is not found",
            "innerError": {"request-id": "r-1", "client-request-id": "c-1"},
        }
    }
    text = describe(Answer(400, {}, json.dumps(body).encode()))
    assert text == (
        "400, BadRequest, Telephone Number '+44…0001' is not found, request-id r-1, "
        "client-request-id c-1"
    )


def test_an_id_is_kept_whole_and_nothing_else_passes_for_one() -> None:
    whole = "0f1e2d3c-0000-4000-8000-000000000001"
    headers = {"request-id": whole, "client-request-id": "Bearer abc"}
    assert describe(Answer(500, headers, b"")) == f"500, request-id {whole}"


def test_a_long_message_leaves_room_for_the_ids() -> None:
    body = json.dumps({"error": {"message": "x" * 9999}}).encode()
    text = describe(Answer(400, {"request-id": "r" * 64, "client-request-id": "c" * 64}, body))
    assert text.endswith("c" * 64)
    assert len(text) <= 512


def test_request_ids_of_headers_go_first() -> None:
    assert describe(Answer(500, {"request-id": "h-1"}, b"<html>")) == "500, request-id h-1"


def test_a_ca_bundle_that_is_none_is_said() -> None:
    with pytest.raises(Unavailable, match="CA bundle"):
        ssl_context("-----BEGIN CERTIFICATE-----\nnothing\n-----END CERTIFICATE-----\n")


def test_connecting_must_be_shorter_than_the_whole() -> None:
    with pytest.raises(ValueError, match="connect_seconds"):
        TransportLimits(connect_seconds=9.0)
