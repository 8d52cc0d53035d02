"""The HTTP surface of a world as an ASGI application: token endpoint, Graph v1.0, control
endpoints.

One request runs through: admit (token, route, permission), budget, misfortune, the world itself,
the record, the delay, the answer. Everything but the delay is synchronous, so that a request
changes the world in one step.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from callplane.simulators import controlling, exchange
from callplane.simulators.exchange import Receive, Request, Response, Scope, Send, json_response
from callplane.simulators.faults import Effect, FaultRule
from callplane.simulators.graph import batch, identity, odata, refusals, routing, token_endpoint
from callplane.simulators.graph.control import Control
from callplane.simulators.graph.refusals import Refusal
from callplane.simulators.graph.routing import Route
from callplane.simulators.graph.service import Call, parsed_body
from callplane.simulators.graph.tenant import Tenant, normalise_number
from callplane.simulators.graph.world import GraphWorld
from callplane.simulators.recording import Entry, Outcome
from callplane.simulators.throttling import TokenBucket

CONTROL_PREFIX = controlling.PREFIX
_SEEN_PATH_CHARACTERS = 300

Sleep = Callable[[float], Awaitable[None]]


@dataclass(slots=True)
class Turn:
    """One request on its way through: what is known of it so far."""

    request: Request
    sequence: int
    arrived: float
    """Seconds since the epoch."""
    route: Route | None = None
    call: Call | None = None
    subject: str = ""
    strikes: list[FaultRule] = field(default_factory=list)
    response: Response | None = None
    outcome: Outcome = Outcome.ANSWERED

    @property
    def request_id(self) -> str:
        """The id of the request in answers and records."""
        return f"00000000-0000-4000-8000-{self.sequence:012x}"

    def strike(self, effect: Effect) -> FaultRule | None:
        """The rule with this effect that hits this request."""
        if not self.strikes:
            return None
        return next((rule for rule in self.strikes if rule.effect is effect), None)

    @property
    def is_write(self) -> bool:
        """True for requests that would change something."""
        return self.route is not None and self.route.is_write


class GraphApp:
    """ASGI application over a world. `sleep` is how it waits (seconds)."""

    def __init__(self, world: GraphWorld, *, sleep: Sleep = asyncio.sleep) -> None:
        self.world = world
        self._control = Control(world)
        self._sleep = sleep
        self._buckets: dict[tuple[str, bool], TokenBucket] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            raise RuntimeError(f"no {scope['type']!r} here")
        request = await exchange.receive_request(scope, receive)
        if request.path.startswith(CONTROL_PREFIX):
            await exchange.send_response(send, self._control.answer(request))
            return
        if not request.path.startswith("/v1.0/"):
            await exchange.send_response(send, token_endpoint.answer(self.world, request))
            return
        turn = self.begin(request)
        if late := turn.strike(Effect.LATE_COMMIT):
            await self._sleep(late.seconds)
        self.perform(turn)
        if turn.outcome in (Outcome.DROPPED_BEFORE, Outcome.DROPPED_AFTER):
            await exchange.drop_connection(scope, receive)
            return
        delay = self._delay(turn)
        if delay > 0:
            await self._sleep(delay)
        if turn.response is not None:
            await exchange.send_response(send, turn.response)

    def begin(self, request: Request) -> Turn:
        """Admit a request: token, route, permission, budget, and what will go wrong with it."""
        turn = Turn(
            request, self.world.recorder.next_sequence(), self.world.clock.now().timestamp()
        )
        try:
            self._admit(turn)
        except Refusal as refusal:
            throttled = refusal.status == 429
            turn.outcome = Outcome.THROTTLED if throttled else Outcome.REFUSED
            turn.response = self._refused(turn, refusal)
        return turn

    def perform(self, turn: Turn) -> Response:
        """Do what an admitted request asks, write the record, and give the answer."""
        if turn.response is None:
            self._do(turn)
        response = turn.response if turn.response is not None else Response(500)
        response.headers.append((b"request-id", turn.request_id.encode("ascii")))
        if client_id := turn.request.headers.get(b"client-request-id"):
            response.headers.append((b"client-request-id", client_id))
        self._record(turn, response)
        return response

    def _admit(self, turn: Turn) -> None:
        request = turn.request
        now = self.world.clock.monotonic()
        token = self.world.tokens.authenticate(request.headers.get(b"authorization", b""), now)
        tenant = self.world.tenant(token.tenant_id)
        call = Call(request, tenant, token.application.client_id, "")
        turn.call = call
        if request.path == batch.PATH:
            turn.route = batch.ROUTE
            call.body = parsed_body(request)
            return
        turn.route, call.key = routing.route_of(
            request.method, request.path, request.query.get("$filter", "")
        )
        if not turn.route.permissions & token.application.permissions:
            raise Refusal(403, "Forbidden", "Access Denied.")
        if request.method == "POST":
            call.body = parsed_body(request)
        turn.subject = subject_of(call)
        self._take_budget(tenant, now, is_write=turn.route.is_write)
        turn.strikes = call.strikes = self.world.faults.strikes(
            turn.route.kind,
            is_write=turn.route.is_write,
            tenant=tenant.id,
            subject=turn.subject,
        )

    def _do(self, turn: Turn) -> None:
        route, call = turn.route, turn.call
        assert route is not None
        assert call is not None
        if turn.strike(Effect.DROP_BEFORE):
            turn.outcome = Outcome.DROPPED_BEFORE
            turn.response = Response(0)
            return
        try:
            _refuse_struck(turn.strikes)
            call.tenant.advance()
            if route is batch.ROUTE:
                turn.response = batch.answer(call, self._part)
            else:
                turn.response = route.handler(call)
        except Refusal as refusal:
            turn.outcome = Outcome.REFUSED
            turn.response = self._refused(turn, refusal)
        if turn.strike(Effect.DROP_AFTER):
            turn.outcome = Outcome.DROPPED_AFTER

    def _part(self, request: Request) -> Response:
        """One part of a batch: a request of its own in every respect but the connection."""
        turn = self.begin(request)
        response = self.perform(turn)
        dropped = turn.outcome in (Outcome.DROPPED_BEFORE, Outcome.DROPPED_AFTER)
        return Response(504) if dropped else response

    def _take_budget(self, tenant: Tenant, now: float, *, is_write: bool) -> None:
        settings = tenant.settings
        rate = settings.writes_per_second if is_write else settings.reads_per_second
        if rate is None:
            return
        burst = settings.write_burst if is_write else settings.read_burst
        key = (tenant.id, is_write)
        bucket = self._buckets.get(key)
        if bucket is None or bucket.rate != rate or (burst is not None and bucket.burst != burst):
            bucket = self._buckets[key] = TokenBucket(rate, burst=burst)
        wait = bucket.take(now, refused_cost=settings.refused_call_cost)
        if wait > 0:
            raise refusals.throttled(wait)

    def _delay(self, turn: Turn) -> float:
        if turn.call is None or turn.route is None:
            return 0.0
        settings = turn.call.tenant.settings
        listing = turn.route.is_listing
        delay = settings.page_delay_seconds if listing else settings.answer_delay_seconds
        struck = turn.strike(Effect.DELAY)
        return delay + (struck.seconds if struck is not None else 0.0)

    def _refused(self, turn: Turn, refusal: Refusal) -> Response:
        moment = self.world.clock.now().strftime("%Y-%m-%dT%H:%M:%S")
        inner = {
            "date": moment,
            "request-id": turn.request_id,
            "client-request-id": turn.request.header("client-request-id") or turn.request_id,
        }
        error = {"code": refusal.code, "message": refusal.message, "innerError": inner}
        return json_response({"error": error}, status=refusal.status, headers=refusal.headers)

    def _record(self, turn: Turn, response: Response) -> None:
        call, request = turn.call, turn.request
        done = turn.outcome is Outcome.ANSWERED or (
            turn.outcome is Outcome.DROPPED_AFTER and response.status < 400
        )
        self.world.recorder.add(
            Entry(
                sequence=turn.sequence,
                at=turn.arrived,
                answered_at=self.world.clock.now().timestamp() + self._delay(turn),
                tenant=call.tenant.id if call is not None else "",
                who=call.who if call is not None else "",
                kind=turn.route.kind if turn.route is not None else "unknown",
                method=request.method,
                path=request.path[:_SEEN_PATH_CHARACTERS],
                status=response.status,
                outcome=turn.outcome,
                is_write=turn.is_write,
                committed=turn.is_write and done,
                subject=turn.subject,
                request_id=turn.request_id,
            )
        )


def subject_of(call: Call) -> str:
    """Whom or what a request is about: a number, a user id, or the key in its path."""
    body = call.body
    number = body.get("telephoneNumber")
    if isinstance(number, str):
        return normalise_number(number)
    elements = body.get("value")
    if isinstance(elements, list) and elements and isinstance(elements[0], dict):
        return str(elements[0].get("userId", ""))
    if call.key:
        return call.key
    expression = call.request.query.get("$filter", "")
    for name in ("telephoneNumber", "userPrincipalName", "id"):
        if (value := odata.single_equality(expression, name)) is not None:
            return value
    return ""


def _refuse_struck(strikes: list[FaultRule]) -> None:
    for rule in strikes:
        if rule.effect is Effect.STATUS:
            headers = (
                {"Retry-After": f"{rule.retry_after_seconds:g}"}
                if rule.retry_after_seconds is not None
                else {}
            )
            raise Refusal(rule.status, rule.code, rule.message, headers)
        if rule.effect is Effect.TRY_AGAIN:
            raise refusals.service_unavailable()
        if rule.effect is Effect.TOKEN_REJECTED:
            raise identity.unauthorized("Lifetime validation failed, the token is expired.")
