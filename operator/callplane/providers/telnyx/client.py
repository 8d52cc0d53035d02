"""Telnyx's SDK on our own transport.

The SDK is good at what is tedious: paths, parameters in brackets, forms of answers. It is not to be
trusted with what costs money: by itself it sends an order three times when the first is answered
500, with no key that would make them one. So its retries are off, and what it sends goes through
`providers.transport`, which sends a write once, knows when an outcome is unknown, and counts and
caps answers. Of the SDK's headers only media types go out, beside the key of this account.

Answers leave this module as plain mappings, refusals as `No`.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import telnyx
from telnyx import AsyncTelnyx

from callplane.errors import CallplaneError, OutcomeUnknown, scrub
from callplane.providers.protocol import AuthenticationFailed, PermissionMissing, Unavailable
from callplane.providers.transport import Request, Transport

PUBLIC_URL: Final = "https://api.telnyx.com/v2"
_OPERATION: Final = "x-callplane-operation"
_SENT_HEADERS = ("accept", "content-type")

Call = Callable[[AsyncTelnyx, Mapping[str, str]], Awaitable[Any]]


class No(Exception):
    """The carrier understood and refused. `pointers` are the fields of the request that it names,
    `said` its own words, scrubbed.
    """

    def __init__(self, status: int, code: str, said: str, pointers: tuple[str, ...]) -> None:
        super().__init__(said)
        self.status = status
        self.code = code
        self.said = said
        self.pointers = pointers


class TelnyxClient:
    """One account, known by its key."""

    def __init__(self, url: str, *, transport: Transport, key: str) -> None:
        for chatty in ("httpx", "telnyx"):
            # They log addresses, and the filters in them are full numbers.
            logging.getLogger(chatty).setLevel(logging.WARNING)
        self._sdk = AsyncTelnyx(
            api_key=key,
            # Left out, these would be taken from the environment.
            client_id="",
            client_secret="",
            public_key="",
            base_url=url,
            max_retries=0,
            http_client=httpx.AsyncClient(
                transport=_OurTransport(transport, key), follow_redirects=False, trust_env=False
            ),
        )
        self._transport = transport

    async def read(self, operation: str, call: Call) -> Mapping[str, Any]:
        """Raises Throttled, Unavailable, AuthenticationFailed, PermissionMissing, No."""
        try:
            return _document(await self._judged(operation, call))
        except _NotUnderstood as error:
            raise Unavailable(f"{operation}: the answer is not understood") from error

    async def write(self, operation: str, call: Call) -> Mapping[str, Any]:
        """Send once. Raises OutcomeUnknown beside what `read` raises."""
        try:
            return _document(await self._judged(operation, call))
        except _NotUnderstood as error:
            raise OutcomeUnknown(f"{operation}: the answer is not understood") from error

    async def close(self) -> None:
        # The SDK holds no connection of its own, and says nothing plain once it is closed.
        await self._transport.close()

    async def _judged(self, operation: str, call: Call) -> Any:
        try:
            return await call(self._sdk, {_OPERATION: operation})
        except telnyx.APIConnectionError as error:
            if isinstance(error.__cause__, CallplaneError):
                raise error.__cause__ from None
            raise
        except telnyx.APIStatusError as error:
            no = _no(error.response)
            if no.status == 401:
                raise AuthenticationFailed(f"{operation}: {no.said}") from None
            if no.status == 403:
                raise PermissionMissing(f"{operation}: {no.said}") from None
            raise no from None
        except (telnyx.APIResponseValidationError, ValueError) as error:
            raise _NotUnderstood from error


class _NotUnderstood(Exception):
    """A good status over a body that is no document."""


@dataclass(frozen=True, slots=True)
class _OurTransport(httpx.AsyncBaseTransport):
    """What httpx would send, sent by `providers.transport`; its errors pass through the SDK as
    causes.
    """

    transport: Transport
    key: str = field(repr=False)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        sent = {name: request.headers[name] for name in _SENT_HEADERS if name in request.headers}
        sent["authorization"] = f"Bearer {self.key}"
        answer = await self.transport.call(
            Request(
                request.headers[_OPERATION],
                request.method,
                str(request.url),
                sent,
                await request.aread() or None,
                writes=request.method != "GET",
            )
        )
        # The body is unpacked already, so headers that speak of its packing are left behind.
        kept = {"content-type": answer.headers.get("content-type", "application/json")}
        return httpx.Response(answer.status, headers=kept, content=answer.body, request=request)


def _document(answer: object) -> Mapping[str, Any]:
    """A model of the SDK as a mapping by the API's own names; a bare list as its `data`."""
    if isinstance(answer, list):
        return {"data": [_document(each) for each in answer]}
    if not isinstance(answer, telnyx.BaseModel):
        raise _NotUnderstood
    return answer.to_dict(mode="json")


def _no(response: httpx.Response) -> No:
    """`{"errors": [{"code", "title", "detail", "source": {"pointer"}}]}`; anything else is told by
    its status.
    """
    try:
        content = response.json()
    except ValueError:
        content = None
    errors = content.get("errors") if isinstance(content, Mapping) else None
    rows = [row for row in errors if isinstance(row, Mapping)] if isinstance(errors, list) else []
    said = "; ".join(str(row.get("detail") or row.get("title") or "") for row in rows[:3])
    sources = [row.get("source") for row in rows]
    pointers = tuple(str(s.get("pointer", "")) for s in sources if isinstance(s, Mapping))
    code = str(rows[0].get("code", "")) if rows else ""
    return No(response.status_code, code, scrub(said) or f"status {response.status_code}", pointers)
