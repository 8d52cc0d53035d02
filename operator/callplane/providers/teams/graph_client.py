"""Microsoft Graph as one tenant sees it: addresses, tokens, request ids, and the meaning of a no.

Reads come back as JSON objects or as None for "there is no such thing"; writes as plain answers.
Used by the provider and by the policy book only.
"""

from __future__ import annotations

import json
import urllib.parse
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from callplane.clock import Clock
from callplane.plan.change import Operation
from callplane.providers.own_addresses import OwnRoot
from callplane.providers.protocol import AuthenticationFailed, PermissionMissing, Unavailable
from callplane.providers.teams.refusals import refusal_of
from callplane.providers.tokens import TokenSource
from callplane.providers.transport import Answer, Request, Transport, describe

VERSION_PATH = "/v1.0"


@dataclass(frozen=True, slots=True)
class Write:
    """One write. `operation` says how a refusal is to be read; `deadline` is on the monotonic
    clock.
    """

    name: str
    operation: Operation
    path: str
    body: Mapping[str, Any]
    request_id: str
    deadline: float


def new_request_id() -> str:
    return str(uuid.uuid4())


class GraphClient:
    """Requests to the Graph of one tenant. Addresses from answers are followed on our own host
    only, because the token goes with them.
    """

    def __init__(
        self,
        graph_url: str,
        *,
        transport: Transport,
        tokens: TokenSource,
        clock: Clock,
        request_ids: Callable[[], str] = new_request_id,
    ) -> None:
        # Addresses of Graph are often written with the version; both forms are one to us.
        self._root = graph_url.rstrip("/").removesuffix(VERSION_PATH) + VERSION_PATH
        self._own = OwnRoot(self._root)
        self._transport = transport
        self._tokens = tokens
        self._clock = clock
        self._request_ids = request_ids

    def url(self, path: str) -> str:
        """An address of ours; `path` begins with a slash and is already encoded."""
        return self._root + path

    def is_own(self, url: str) -> bool:
        """May the token be sent there?"""
        return self._own.holds(url)

    def followable(self, location: str) -> str:
        """The absolute address that a `Location` header means, or empty where there is none or it
        leads away from us.
        """
        try:
            absolute = urllib.parse.urljoin(self._root, location) if location else ""
        except ValueError:
            return ""
        return absolute if self.is_own(absolute) else ""

    async def read(
        self, name: str, url: str, *, headers: Mapping[str, str] | None = None
    ) -> Mapping[str, Any] | None:
        """One JSON object, or None where the answer is 404. Raises ProviderError."""
        answer = await self.read_answer(name, url, headers=headers)
        if answer.status == 404:
            return None
        if not answer.ok:
            raise Unavailable(f"{name}: {describe(answer)}")
        content = answer.json()
        if not isinstance(content, dict):
            raise Unavailable(f"{name}: the answer is not a JSON object")
        return content

    async def read_answer(
        self, name: str, url: str, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """The answer to a read, also when it is a no other than 401 and 403."""
        if not self.is_own(url):
            raise Unavailable(f"{name}: the address leads away from this tenant's host")
        for attempt in (1, 2):
            token = await self._tokens.token()
            request_id = self._request_ids()
            answer = await self._transport.call(
                Request(name, "GET", url, {**self._headers(token, request_id), **(headers or {})})
            )
            if answer.status == 403:
                self._tokens.drop_old(token)
                raise PermissionMissing(f"{name}: {describe(answer)}")
            if answer.status != 401:
                return answer
            self._tokens.drop(token)
            if attempt == 2:
                raise self._tokens.refuse(f"{name}: {describe(answer)}")
        raise AuthenticationFailed(name)

    async def prepare(self) -> None:
        """Have a token at hand, so that a write that follows uses its time for itself."""
        await self._tokens.token()

    async def write(self, write: Write) -> Answer:
        """Send once. Raises Refused, Throttled, AuthenticationFailed, Unavailable (nothing was
        done) or OutcomeUnknown.
        """
        token = await self._tokens.token()
        left = write.deadline - self._clock.monotonic()
        if left <= 0:
            raise Unavailable(f"{write.name}: there was no time left to send it")
        request = Request(
            operation=write.name,
            method="POST",
            url=self.url(write.path),
            headers={
                **self._headers(token, write.request_id),
                "Content-Type": "application/json",
            },
            body=json.dumps(write.body).encode(),
            writes=True,
            seconds=left,
        )
        answer = await self._transport.call(request)
        if answer.ok:
            return answer
        if answer.status == 401:
            # Nothing was done. The token may simply have been withdrawn: the next write gets a new
            # one, and when that is not accepted either, the read-back says so for the connection.
            self._tokens.drop(token)
            raise Unavailable(f"{write.name}: {describe(answer)}")
        if answer.status == 403:
            self._tokens.drop_old(token)
        raise refusal_of(write.operation, answer)

    def _headers(self, token: str, request_id: str) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {token}",
            "Accept": "application/json",
            "client-request-id": request_id,
        }
