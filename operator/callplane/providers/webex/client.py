"""The Webex API as one organisation sees it: addresses, tokens, pages, and the meaning of a no."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from callplane.clock import Clock
from callplane.providers.own_addresses import OwnRoot
from callplane.providers.protocol import AuthenticationFailed, PermissionMissing, Unavailable
from callplane.providers.tokens import TokenSource
from callplane.providers.transport import Answer, Request
from callplane.providers.webex.refusals import describe, refusal_of
from callplane.providers.webex.sdk_transport import SdkTransport

_NEXT = re.compile(r'<([^>]*)>\s*;[^,]*rel="?next"?')


@dataclass(frozen=True, slots=True)
class ApiPage:
    """One page as it came: the whole document, when its request began, whether it is the last."""

    content: Mapping[str, Any]
    observed_at: float
    last: bool


class InAnotherRegion(Unavailable):
    """The organisation's records are kept elsewhere; `text` is the answer, which says where."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(f"{name}: the organisation's records are in another region")
        self.text = text


class WebexClient:
    """Requests to one organisation. Addresses from answers are followed on our own host only,
    because the token goes with them.
    """

    def __init__(
        self, api_url: str, *, transport: SdkTransport, tokens: TokenSource, clock: Clock
    ) -> None:
        self._root = api_url.rstrip("/")
        self._own = OwnRoot(self._root)
        self._transport = transport
        self._tokens = tokens
        self._clock = clock

    def url(self, path: str, /, **query: str) -> str:
        """An address of ours; `path` begins with a slash and is already encoded."""
        return f"{self._root}{path}?{urlencode(query)}" if query else self._root + path

    async def prepare(self) -> None:
        """Have a token at hand, so that a write that follows uses its time for itself."""
        await self._tokens.token()

    async def read(self, name: str, path: str, /, **query: str) -> Mapping[str, Any] | None:
        """One JSON object, or None where the answer is 404. Raises ProviderError."""
        answer = await self.read_answer(name, self.url(path, **query))
        if answer.status == 404:
            return None
        return _object(name, answer)

    async def read_first(
        self, name: str, candidates: Sequence[str]
    ) -> tuple[str, Mapping[str, Any]] | None:
        """The first of several paths that the system knows, with what is there."""
        for path in candidates:
            content = await self.read(name, path)
            if content is not None:
                return path, content
        return None

    async def pages(self, name: str, path: str, /, **query: str) -> AsyncIterator[ApiPage]:
        """All pages of a listing, by their links. An empty page ends nothing; a page that names
        itself as its next does, with Unavailable.
        """
        url: str | None = self.url(path, **query)
        while url is not None:
            observed_at = self._clock.monotonic()
            answer = await self.read_answer(name, url)
            content = _object(name, answer)
            following = self._next(name, answer)
            if following == url:
                raise Unavailable(f"{name}: a page names itself as its next")
            yield ApiPage(content, observed_at, last=following is None)
            url = following

    def _next(self, name: str, answer: Answer) -> str | None:
        found = _NEXT.search(answer.headers.get("link", ""))
        if found is None:
            return None
        if not self._own.holds(found[1]):
            raise Unavailable(f"{name}: the next page leads away from this organisation's host")
        return found[1]

    async def read_answer(self, name: str, url: str) -> Answer:
        """The answer to a read, also when it is a no other than 401 and 403."""
        for attempt in (1, 2):
            token = await self._tokens.token()
            self._transport.access_token = token
            answer = await self._transport.call(Request(name, "GET", url, {}))
            if answer.status == 403:
                self._tokens.drop_old(token)
                raise PermissionMissing(f"{name}: {describe(answer)}")
            if answer.status != 401:
                return answer
            self._tokens.drop(token)
            if attempt == 2:
                raise self._tokens.refuse(f"{name}: {describe(answer)}")
        raise AuthenticationFailed(name)

    async def write(
        self, name: str, method: str, url: str, body: Mapping[str, Any], *, deadline: float
    ) -> Answer:
        """Send once. Raises Refused, Throttled, AuthenticationFailed, Unavailable (nothing was
        done) or OutcomeUnknown.
        """
        token = await self._tokens.token()
        self._transport.access_token = token
        left = deadline - self._clock.monotonic()
        if left <= 0:
            raise Unavailable(f"{name}: there was no time left to send it")
        content = json.dumps(body).encode()
        answer = await self._transport.call(
            Request(name, method, url, {}, body=content, writes=True, seconds=left)
        )
        if answer.ok:
            return answer
        if answer.status == 401:
            # Nothing was done. The token may simply have been withdrawn: the next write gets a new
            # one, and when that is not accepted either, the read-back says so for the connection.
            self._tokens.drop(token)
            raise Unavailable(f"{name}: {describe(answer)}")
        if answer.status == 403:
            self._tokens.drop_old(token)
        raise refusal_of(answer)


def _object(name: str, answer: Answer) -> Mapping[str, Any]:
    if answer.status == 451:
        raise InAnotherRegion(name, answer.body.decode("utf-8", "replace"))
    if not answer.ok:
        raise Unavailable(f"{name}: {describe(answer)}")
    content = answer.json()
    if not isinstance(content, dict):
        raise Unavailable(f"{name}: the answer is not a JSON object")
    return content
