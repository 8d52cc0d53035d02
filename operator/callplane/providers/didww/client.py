"""DIDWW's HTTP ways: a key in a header, JSON:API in and out, and what a no looks like.

Not the vendor's SDK. It is synchronous, so each call would hold a thread; it sets no time-out; it
speaks to the sandbox unless told otherwise; and it cannot say whether a request that failed was
sent. What we need of DIDWW is nine requests, which `providers.transport` sends as it should.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from callplane.errors import scrub
from callplane.providers.protocol import AuthenticationFailed, PermissionMissing, Unavailable
from callplane.providers.transport import Answer, Request, Transport

PUBLIC_URL: Final = "https://api.didww.com/v3"
API_VERSION: Final = "2026-04-16"
_MEDIA: Final = "application/vnd.api+json"


@dataclass(frozen=True, slots=True)
class Said:
    """An answer that is understood. `pointers` are the parts of the request that a no is about."""

    status: int
    is_yes: bool
    document: Mapping[str, Any]
    code: str = ""
    said: str = ""
    pointers: tuple[str, ...] = ()


class DidwwClient:
    """Requests of one account, known by its key."""

    def __init__(self, url: str, *, transport: Transport, key: str) -> None:
        self._root = url
        self._transport = transport
        self._headers = {"Api-Key": key, "X-DIDWW-API-Version": API_VERSION, "Accept": _MEDIA}

    async def read(self, name: str, path: str, query: Mapping[str, str] | None = None) -> Said:
        """GET. Raises Throttled, Unavailable, AuthenticationFailed, PermissionMissing."""
        url = f"{self._root}/{path}" + (f"?{urlencode(query)}" if query else "")
        return _judged(name, await self._transport.call(Request(name, "GET", url, self._headers)))

    async def page(
        self, name: str, path: str, query: Mapping[str, str], *, number: int, size: int
    ) -> tuple[list[Mapping[str, Any]], int]:
        """The rows of one page, from 1 on, and how many rows there are on all pages."""
        paged = {**query, "page[number]": str(number), "page[size]": str(size)}
        said = await self.read(name, path, paged)
        if not said.is_yes:
            raise Unavailable(f"{name}: {said.said}")
        rows, meta = said.document.get("data"), said.document.get("meta")
        total = meta.get("total_records") if isinstance(meta, Mapping) else None
        if not isinstance(rows, list) or type(total) is not int:
            raise Unavailable(f"{name}: the answer is not understood")
        return [row for row in rows if isinstance(row, Mapping)], total

    async def write(self, name: str, method: str, path: str, resource: Mapping[str, Any]) -> Said:
        """Send once. Raises OutcomeUnknown beside what `read` raises."""
        headers = {**self._headers, "Content-Type": _MEDIA}
        body = json.dumps({"data": resource}).encode()
        request = Request(name, method, f"{self._root}/{path}", headers, body, writes=True)
        return _judged(name, await self._transport.call(request))

    async def close(self) -> None:
        await self._transport.close()


def _judged(name: str, answer: Answer) -> Said:
    content = answer.json()
    document: Mapping[str, Any] = content if isinstance(content, Mapping) else {}
    if answer.ok:
        return Said(answer.status, True, document)
    errors = document.get("errors")
    rows = [row for row in errors if isinstance(row, Mapping)] if isinstance(errors, list) else []
    words = "; ".join(str(row.get("detail") or row.get("title") or "") for row in rows[:3])
    said = scrub(words) or f"status {answer.status}"
    if answer.status == 401:
        raise AuthenticationFailed(f"{name}: {said}")
    if answer.status == 403:
        raise PermissionMissing(f"{name}: {said}")
    sources = [row.get("source") for row in rows]
    pointers = tuple(str(each.get("pointer", "")) for each in sources if isinstance(each, Mapping))
    code = str(rows[0].get("code") or "") if rows else ""
    return Said(answer.status, False, document, code, said, pointers)
