"""Requests to Webex through the session of the vendor's SDK, with the answers left whole.

The SDK's own calls hide what has to be seen: that a 206 is not a 200, what a header says, that an
addition of numbers was refused, that a page was the last (facts: its traps 1, 3, 4, 7, 11). So its
REST session is driven one layer below those calls. Headers, address and serialising are the SDK's;
time-outs, the meaning of silence and of Retry-After are our transport's, as for every provider.

The SDK waits and sends again by itself after a 429, and stumbles over a Retry-After that is a date:
that is switched off.
"""

from __future__ import annotations

import json
import warnings
from typing import Any, cast

import aiohttp

from callplane.clock import Clock
from callplane.providers.transport import Answer, CallObserver, Request, Transport, observe_nothing

# More than the engine ever has in flight: waiting is its budget's business, never the SDK's.
CONCURRENT_REQUESTS = 1024

with warnings.catch_warnings():
    # aiohttp warns of every class that inherits its session, the SDK's as well as ours.
    warnings.filterwarnings("ignore", "Inheritance class", DeprecationWarning)
    from wxc_sdk.as_rest import AsRestError, AsRestSession
    from wxc_sdk.tokens import Tokens

    class SdkSession(AsRestSession):
        """The SDK's session, which also gives status and headers of an answer."""

        def send_once(self) -> None:
            """aiohttp sends a PUT or DELETE a second time when a kept connection breaks."""
            self._retry_connection = False

        def carry(self, access_token: str) -> None:
            """The token of the requests that follow; the SDK reads it anew for each of them."""
            self._tokens.access_token = access_token

        async def exchange(
            self, request: Request, timeout: aiohttp.ClientTimeout
        ) -> tuple[int, Any, Any]:
            """Status, headers and document (JSON or text) of one request, sent once."""
            body = json.loads(request.body) if request.body else None
            try:
                # Its decorator hides from type checkers that this is a coroutine.
                sending: Any = self._request_w_response(
                    request.method,
                    url=request.url,
                    json=body,
                    allow_redirects=False,
                    timeout=timeout,
                )
                response, document = await sending
            except AsRestError as error:
                detail: Any = error.detail
                if hasattr(detail, "model_dump"):
                    detail = detail.model_dump(mode="json", by_alias=True, exclude_none=True)
                return error.status, error.headers or {}, detail
            return response.status, response.headers, document


class SdkTransport(Transport):
    """Our transport over the SDK's session. `access_token` is carried by every request."""

    def __init__(
        self,
        *,
        clock: Clock,
        ca_bundle: str | None = None,
        observer: CallObserver = observe_nothing,
    ) -> None:
        super().__init__("webex", clock=clock, ca_bundle=ca_bundle, observer=observer)
        self.access_token = ""

    def _new_session(self, **arguments: Any) -> aiohttp.ClientSession:
        session = SdkSession(
            tokens=Tokens(access_token=""),
            concurrent_requests=CONCURRENT_REQUESTS,
            retry_429=False,
            **arguments,
        )
        session.send_once()
        return session

    async def _exchange(self, session: aiohttp.ClientSession, request: Request) -> Answer:
        sdk = cast("SdkSession", session)
        sdk.carry(self.access_token)
        status, headers, document = await sdk.exchange(request, self._timeout(request))
        body = document if isinstance(document, str) else json.dumps(document)
        lower = {name.lower(): value for name, value in headers.items()}
        return Answer(status, lower, body.encode())
