"""The same conversation over HTTP, for other SBCs and for tests: same JSON, a request a message.

    POST /v1/authorise   a question; the answer is a verdict
    POST /v1/events      any other message; 204
    GET  /healthz        200 while the process turns

An ASGI application without a framework, since it has three paths. It knows no passwords, as evapi
does not: serve it on loopback only.
"""

from __future__ import annotations

import json
import logging
from typing import Final

from callplane.asgi import Receive, Scope, SendMessage
from callplane.callcontrol import messages
from callplane.callcontrol.conversation import Conversation, tell
from callplane.callcontrol.messages import (
    Authorise,
    CallRecord,
    Event,
    MalformedMessage,
    Order,
    Verdict,
)

BODY_LIMIT_BYTES: Final = 64 * 1024

log = logging.getLogger(__name__)


class _Unanswerable(Exception):
    """A request that gets a status and a reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class HttpEndpoint:
    """The ASGI application."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation

    async def __call__(self, scope: Scope, receive: Receive, send: SendMessage) -> None:
        if scope["type"] != "http":
            raise ValueError("only HTTP is spoken here")
        try:
            status, body = await self._answer(scope["method"], scope["path"], receive)
        except _Unanswerable as error:
            status, body = error.status, json.dumps({"error": error.reason}).encode()
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, method: str, path: str, receive: Receive) -> tuple[int, bytes]:
        match (method, path):
            case ("GET", "/healthz"):
                return 200, b"{}"
            case ("POST", "/v1/authorise"):
                question = await _message(receive)
                if not isinstance(question, Authorise):
                    raise _Unanswerable(400, "ev: is no question")
                return 200, messages.to_json(await self._verdict(question))
            case ("POST", "/v1/events"):
                return await self._note(await _message(receive))
            case _:
                raise _Unanswerable(404, "nothing is here")

    async def _verdict(self, question: Authorise) -> Verdict:
        with self._conversation.asked(question, way="http") as span:
            verdict = await self._conversation.answer(question)
            tell(span, verdict)
            return verdict

    async def _note(self, event: Event) -> tuple[int, bytes]:
        if isinstance(event, Authorise):
            raise _Unanswerable(400, "ev: is a question, which goes to /v1/authorise")
        if isinstance(event, CallRecord):
            # Taken for good before it is acknowledged: over HTTP nobody has a second copy.
            try:
                await self._conversation.recorder.book.post([event])
            except Exception:
                log.exception("a record could not be taken")
                raise _Unanswerable(503, "the record could not be taken") from None
        else:
            await self._conversation.note(event, _unreachable)
        return 204, b""


def _unreachable(order: Order) -> None:
    """An SBC that speaks HTTP cannot be told anything: its calls end with their first grant."""
    raise ConnectionError(f"an order has no way to its SBC: {type(order).__name__}")


async def _message(receive: Receive) -> Event:
    body = bytearray()
    while True:
        part = await receive()
        if part["type"] == "http.disconnect":
            raise _Unanswerable(400, "the request ended early")
        body += part.get("body", b"")
        if len(body) > BODY_LIMIT_BYTES:
            raise _Unanswerable(413, "the message is too long")
        if not part.get("more_body"):
            break
    try:
        return messages.parse_event(bytes(body))
    except MalformedMessage as error:
        raise _Unanswerable(400, str(error)) from None
