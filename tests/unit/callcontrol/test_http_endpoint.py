"""The same conversation over HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest

from callplane.callcontrol.authorising import BooksAuthoriser
from callplane.callcontrol.conversation import Conversation
from callplane.callcontrol.directory import MemoryDirectory
from callplane.callcontrol.http_endpoint import BODY_LIMIT_BYTES, HttpEndpoint
from callplane.callcontrol.recording import Recorder
from callplane.clock import SystemClock
from callplane.store.books_memory import MemoryBooks
from callplane.testing.call_authorisers import MemoryBook, ScriptedAuthoriser

QUESTION = {
    "ev": "authorise",
    "i": 5,
    "l": 7,
    "attempt_id": "a-1",
    "boot_id": "b-1",
    "ingress": "Teams",
    "caller": "+442079460001",
    "dialled": "+441614960123",
}
RECORD = {
    "start_time": "1795391349.541",
    "end_time": "1795391351.1",
    "duration": "1.559",
    "attempt": "a-1",
    "class": "outbound",
    "account": "acme",
    "caller": "+442079460001",
    "dialled": "+441614960123",
    "ingress": "Teams",
    "reservation": "r-1",
}


class Desk:
    """An endpoint and what is behind it."""

    def __init__(self) -> None:
        self.authoriser = ScriptedAuthoriser()
        self.book = MemoryBook()
        self.endpoint = HttpEndpoint(Conversation(self.authoriser, Recorder(self.book)))

    async def ask(self, method: str, path: str, body: Any = b"") -> tuple[int, Any]:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        parts = [content[:20], content[20:]]
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            part = parts.pop(0)
            return {"type": "http.request", "body": part, "more_body": bool(parts)}

        async def send(message: Any) -> None:
            sent.append(message)

        await self.endpoint({"type": "http", "method": method, "path": path}, receive, send)
        answer = sent[1]["body"]
        return sent[0]["status"], json.loads(answer) if answer else None


async def test_a_question_and_its_verdict() -> None:
    status, verdict = await Desk().ask("POST", "/v1/authorise", QUESTION)
    assert status == 200
    assert (verdict["i"], verdict["l"], verdict["allow"], verdict["max_seconds"]) == (5, 7, 1, 60)


async def test_an_emergency_call_of_a_stranger_is_granted_without_books() -> None:
    desk = Desk()
    books = MemoryBooks()
    books.available = False
    authoriser = BooksAuthoriser(books, MemoryDirectory(), SystemClock())
    desk.endpoint = HttpEndpoint(Conversation(authoriser, Recorder(desk.book)))
    _, verdict = await desk.ask("POST", "/v1/authorise", {**QUESTION, "dialled": "999"})
    assert (verdict["allow"], verdict["dialled"]) == (1, "999")
    _, verdict = await desk.ask("POST", "/v1/authorise", QUESTION)
    assert verdict["allow"] == 0


async def test_a_record_is_acknowledged_when_it_was_taken() -> None:
    desk = Desk()
    body = {"ev": "cdr", "cdr": RECORD}
    assert await desk.ask("POST", "/v1/events", body) == (204, None)
    assert list(desk.book.posted) == ["a-1"]
    desk.book.broken = True
    status, answer = await desk.ask("POST", "/v1/events", body)
    assert (status, answer) == (503, {"error": "the record could not be taken"})


async def test_other_messages_are_noted() -> None:
    desk = Desk()
    body = {"ev": "failed", "attempt_id": "a-9"}
    assert await desk.ask("POST", "/v1/events", body) == (204, None)
    assert desk.authoriser.withdrawn == ["a-9"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/healthz", b"", 200),
        ("GET", "/v1/authorise", b"", 404),
        ("POST", "/elsewhere", QUESTION, 404),
        ("POST", "/v1/authorise", b"{", 400),
        ("POST", "/v1/authorise", {"ev": "ended", "attempt_id": "a"}, 400),
        ("POST", "/v1/authorise", {**QUESTION, "i": "5"}, 400),
        ("POST", "/v1/events", QUESTION, 400),
        ("POST", "/v1/authorise", b" " * (BODY_LIMIT_BYTES + 1), 413),
    ],
)
async def test_statuses(method: str, path: str, body: Any, status: int) -> None:
    desk = Desk()
    assert (await desk.ask(method, path, body))[0] == status
    assert desk.authoriser.asked == []


async def test_a_request_that_ends_early() -> None:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/v1/authorise"}
    await Desk().endpoint(scope, receive, send)
    assert sent[0]["status"] == 400
