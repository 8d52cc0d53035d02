"""The real Teams provider on a line to the simulated Graph that needs no socket.

Only two things differ from production: requests are handed to the simulator in this process, and
the token is asked for without msal, which would need a thread. Requests, answers, time-outs and
their meaning are the provider's own.
"""

from __future__ import annotations

import asyncio
import functools
import json
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from callplane.apis.teams_tenants import TeamsTenantSpec
from callplane.clock import Clock
from callplane.providers.protocol import Unavailable
from callplane.providers.registry import Ingredients
from callplane.providers.teams import manual_steps, sign_in
from callplane.providers.teams.graph_client import GraphClient
from callplane.providers.teams.provider import TeamsProvider
from callplane.providers.tokens import Grant, TokenSource
from callplane.providers.transport import Answer, Request, Transport, TransportLimits
from callplane.simulators.graph.identity import GRAPH_SCOPE
from callplane.testing.asgi_calls import Application, AsgiCaller

HOST = "graph.test"
URL = f"https://{HOST}"
LIMITS = TransportLimits()


@dataclass(frozen=True, slots=True)
class SentWrite:
    """One write as it left the provider. `status` is None until an answer came, 0 when it got
    lost. `at` and `answered_at` are seconds of the loop's time.
    """

    at: float
    process: str
    path: str
    body: dict[str, Any]
    request_id: str


WriteLog = Callable[[SentWrite, int, float], None]
"""Called when an answer has arrived, or with status 0 when none will; and when that was."""


class Line(Transport):
    """A transport whose other end is an application in this process.

    The service carries a request out whether or not its caller still listens, as a server does.
    """

    def __init__(
        self, application: Application, *, clock: Clock, process: str, written: WriteLog
    ) -> None:
        super().__init__("teams", clock=clock, limits=LIMITS)
        self._calls = AsgiCaller(application, host=HOST)
        self._time = clock
        self._process = process
        self._written = written
        self._served: set[asyncio.Task[Any]] = set()

    async def _send(self, request: Request) -> Answer:
        limit = LIMITS.write_seconds if request.writes else LIMITS.read_seconds
        if request.seconds is not None:
            limit = min(limit, request.seconds)
        sent = self._noted(request)
        status = 0
        try:
            async with asyncio.timeout(limit):
                answer = await asyncio.shield(self._serve(request))
            status = answer.status
        except TimeoutError as error:
            raise self._no_answer(request, "timed out") from error
        finally:
            if sent is not None:
                self._written(sent, status, self._time.monotonic())
        if status == 0:
            raise self._no_answer(request, "the connection was dropped")
        return answer

    def _noted(self, request: Request) -> SentWrite | None:
        if not request.writes or request.body is None:
            return None
        return SentWrite(
            at=self._time.monotonic(),
            process=self._process,
            path=urllib.parse.urlsplit(request.url).path.rpartition("/")[2],
            body=json.loads(request.body),
            request_id=request.headers["client-request-id"],
        )

    def _serve(self, request: Request) -> asyncio.Task[Answer]:
        task = asyncio.create_task(self._answer(request), name="graph")
        self._served.add(task)
        task.add_done_callback(self._served.discard)
        return task

    async def _answer(self, request: Request) -> Answer:
        answer = await self._calls.request(
            request.method,
            request.url.removeprefix(URL),
            body=request.body,
            # Links in answers begin as the caller's own address does.
            headers={**request.headers, "x-forwarded-proto": "https"},
        )
        return Answer(answer.status, answer.headers, answer.body)


def create(
    ingredients: Ingredients, *, application: Application, process: str, written: WriteLog
) -> TeamsProvider:
    """The provider of a TeamsTenant with a client secret, as its own factory would make it."""
    spec = ingredients.spec
    assert isinstance(spec, TeamsTenantSpec)
    clock = ingredients.clock
    line = Line(application, clock=clock, process=process, written=written)
    tokens = TokenSource(
        functools.partial(_sign_in, spec, next(iter(ingredients.secrets.values())), line),
        clock=clock,
    )

    async def close() -> None:
        await tokens.close()
        await line.close()

    return TeamsProvider(
        spec.tenant_id,
        client=GraphClient(URL, transport=line, tokens=tokens, clock=clock),
        clock=clock,
        judge=functools.partial(manual_steps.judge, other_cloud=False, show_numbers=False),
        on_close=close,
    )


async def _sign_in(spec: TeamsTenantSpec, secret: bytes, line: Transport) -> Grant:
    """What msal does for a client secret."""
    assert spec.credentials.client_secret is not None
    form = {
        "grant_type": "client_credentials",
        "client_id": spec.credentials.client_secret.client_id,
        "client_secret": secret.decode(),
        "scope": GRAPH_SCOPE,
    }
    answer = await line.call(
        Request(
            "token",
            "POST",
            f"{URL}/{spec.tenant_id}/oauth2/v2.0/token",
            {"content-type": "application/x-www-form-urlencoded"},
            body=urllib.parse.urlencode(form).encode(),
        )
    )
    content = answer.json()
    if not isinstance(content, dict):
        raise Unavailable("the token service gave no usable answer")
    if not answer.ok:
        raise sign_in.refusal(content)
    return Grant(content["access_token"], float(content["expires_in"]))
