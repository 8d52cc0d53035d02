"""Simwood's HTTP ways: addresses, credentials, and what a yes and a no look like.

`{"success": true, "data": …}` is a yes; `{"success": false, "errors": […]}` is a no, under whatever
status. Errors are sentences without codes, so nothing but the yes or no is read from them. Some
older endpoints answer with a bare array.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

from callplane.errors import scrub
from callplane.providers.protocol import AuthenticationFailed, PermissionMissing, Unavailable
from callplane.providers.transport import Answer, Request, Transport

PUBLIC_URL: Final = "https://api.simwood.com/v3"
_MASKED_SENTENCES = 3


@dataclass(frozen=True, slots=True)
class Login:
    """User and password of the interface; they are not those of the portal."""

    account: str
    user: str
    password: str

    def header(self) -> str:
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


@dataclass(frozen=True, slots=True)
class Said:
    """An answer that is understood. `said` are the carrier's sentences, scrubbed, when it is a
    no.
    """

    status: int
    is_yes: bool
    data: Any
    said: str = ""


class SimwoodClient:
    """Requests below one account's paths."""

    def __init__(self, url: str, *, transport: Transport, login: Login) -> None:
        self._root = url.rstrip("/")
        self._transport = transport
        self._headers = {"Authorization": login.header(), "Accept": "application/json"}
        self.account = quote(login.account, safe="")

    async def read(self, name: str, path: str, *, query: Mapping[str, str] | None = None) -> Said:
        """GET. Raises Throttled, Unavailable, AuthenticationFailed."""
        url = self._url(path) + (f"?{urlencode(query)}" if query else "")
        return self._judge(
            name, await self._transport.call(Request(name, "GET", url, self._headers))
        )

    async def ask(self, name: str, path: str, body: Mapping[str, object]) -> Said:
        """A POST that changes nothing at the carrier: a report is asked for."""
        request = Request(name, "POST", self._url(path), self._json_headers(), _json(body))
        return self._judge(name, await self._transport.call(request))

    async def write(
        self, name: str, method: str, path: str, body: Mapping[str, object] | None = None
    ) -> Said:
        """Send once. Raises OutcomeUnknown, Throttled, Unavailable, AuthenticationFailed."""
        headers = self._json_headers() if body is not None else self._headers
        content = _json(body) if body is not None else None
        request = Request(name, method, self._url(path), headers, content, writes=True)
        return self._judge(name, await self._transport.call(request))

    def _url(self, path: str) -> str:
        return f"{self._root}/{path}"

    def _json_headers(self) -> dict[str, str]:
        return {**self._headers, "Content-Type": "application/json"}

    def _judge(self, name: str, answer: Answer) -> Said:
        content = answer.json()
        said = _sentences(content) or f"status {answer.status}"
        if answer.status == 401:
            raise AuthenticationFailed(f"{name}: {said}")
        if answer.status == 403:
            raise PermissionMissing(f"{name}: {said}")
        if answer.status == 204:
            return Said(204, True, None)
        if isinstance(content, list):
            return Said(answer.status, answer.ok, content, "" if answer.ok else said)
        if not isinstance(content, Mapping) or not isinstance(content.get("success"), bool):
            if answer.ok and isinstance(content, Mapping):
                return Said(answer.status, True, content)
            if answer.status in (404, 400, 402, 409, 422):
                return Said(answer.status, False, None, said)
            raise Unavailable(f"{name}: the answer is not understood ({said})")
        is_yes = content["success"] and answer.ok
        # Some endpoints have no `data`; what they say stands beside `success`.
        data = content.get("data", content)
        return Said(answer.status, is_yes, data, "" if is_yes else said)


def _json(body: Mapping[str, object]) -> bytes:
    return json.dumps(body).encode()


def _sentences(content: object) -> str:
    """What the carrier says, in its own words, without numbers and secrets."""
    errors = content.get("errors") if isinstance(content, Mapping) else None
    if not isinstance(errors, list):
        return ""
    return scrub("; ".join(str(error) for error in errors[:_MASKED_SENTENCES]))
