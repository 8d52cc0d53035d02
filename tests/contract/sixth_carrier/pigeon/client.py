"""Pigeon Post's HTTP ways: a key in a header, JSON in and out, `{"no": code, "words": …}`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from callplane.errors import scrub
from callplane.providers.protocol import AuthenticationFailed, PermissionMissing, Unavailable
from callplane.providers.transport import Answer, Request, Transport

PUBLIC_URL: Final = "https://api.pigeon.example"


@dataclass(frozen=True, slots=True)
class Said:
    """An answer that is understood; `code` and `words` when it is a no."""

    document: Mapping[str, Any]
    code: str = ""
    words: str = ""


class PigeonClient:
    """Requests of one account."""

    def __init__(self, url: str, *, transport: Transport, key: str) -> None:
        self._root = url
        self.transport = transport
        self._headers = {"X-Pigeon-Key": key, "Content-Type": "application/json"}

    async def read(self, name: str, path: str, query: Mapping[str, str] | None = None) -> Said:
        url = f"{self._root}/{path}" + (f"?{urlencode(query)}" if query else "")
        return _judged(name, await self.transport.call(Request(name, "GET", url, self._headers)))

    async def write(
        self, name: str, method: str, path: str, body: Mapping[str, object] | None = None
    ) -> Said:
        content = json.dumps(body).encode() if body is not None else None
        url = f"{self._root}/{path}"
        request = Request(name, method, url, self._headers, content, writes=True)
        return _judged(name, await self.transport.call(request))


def _judged(name: str, answer: Answer) -> Said:
    content = answer.json()
    document: Mapping[str, Any] = content if isinstance(content, Mapping) else {}
    if answer.ok:
        return Said(document)
    words = scrub(str(document.get("words") or f"status {answer.status}"))
    if answer.status == 401:
        raise AuthenticationFailed(f"{name}: {words}")
    if answer.status == 403:
        raise PermissionMissing(f"{name}: {words}")
    code = document.get("no")
    if not isinstance(code, str):
        raise Unavailable(f"{name}: the answer is not understood ({words})")
    return Said(document, code, words)
