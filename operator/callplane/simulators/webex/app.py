"""The HTTP surface of a world as an ASGI application: access tokens, the API, control endpoints.

One request runs through: admit (token, route, scope), budget, misfortune, the world itself, the
record, the delay, the answer. Everything but the delay is synchronous, so that a request changes
the world in one step.
"""

from __future__ import annotations

import asyncio
import datetime
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from email.utils import format_datetime

from callplane.simulators import controlling, exchange
from callplane.simulators.exchange import Receive, Request, Response, Scope, Send, json_response
from callplane.simulators.faults import Effect, FaultRule
from callplane.simulators.recording import Entry, Outcome
from callplane.simulators.throttling import TokenBucket
from callplane.simulators.webex import identity, refusals, routing, token_endpoint
from callplane.simulators.webex.calls import Call, parsed_body
from callplane.simulators.webex.control import control_desk
from callplane.simulators.webex.organisation import Organisation
from callplane.simulators.webex.refusals import Refusal
from callplane.simulators.webex.routing import Route
from callplane.simulators.webex.world import WebexWorld

_SEEN_PATH_CHARACTERS = 300
_PAGE = "<html><head><title>{status}</title></head><body><h1>{text}</h1></body></html>"

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
    committed: bool = False

    @property
    def tracking_id(self) -> str:
        """The id of the request in answers and records."""
        return f"ROUTER_{self.sequence:08X}-0000-4000-8000-000000000000"

    def strike(self, effect: Effect) -> FaultRule | None:
        """The rule with this effect that hits this request."""
        return next((rule for rule in self.strikes if rule.effect is effect), None)

    @property
    def is_write(self) -> bool:
        """True for requests that would change something."""
        return self.route is not None and self.route.is_write


class WebexApp:
    """ASGI application over a world. `sleep` is how it waits (seconds)."""

    def __init__(self, world: WebexWorld, *, sleep: Sleep = asyncio.sleep) -> None:
        self.world = world
        self._control = control_desk(world, fault_kinds=routing.KINDS)
        self._sleep = sleep
        self._buckets: dict[tuple[str, bool], TokenBucket] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            raise RuntimeError(f"no {scope['type']!r} here")
        request = await exchange.receive_request(scope, receive)
        if request.path.startswith(controlling.PREFIX):
            await exchange.send_response(send, self._control.answer(request))
            return
        if request.path == token_endpoint.PATH:
            await exchange.send_response(send, token_endpoint.answer(self.world, request))
            return
        turn = self.begin(request)
        if late := turn.strike(Effect.LATE_COMMIT):
            await self._sleep(late.seconds)
        response = self.perform(turn)
        if turn.outcome in (Outcome.DROPPED_BEFORE, Outcome.DROPPED_AFTER):
            await exchange.drop_connection(scope, receive)
            return
        delay = self._delay(turn)
        if delay > 0:
            await self._sleep(delay)
        await exchange.send_response(send, response)

    def begin(self, request: Request) -> Turn:
        """Admit a request: token, route, scope, budget, and what will go wrong with it."""
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
        response.headers.append((b"trackingid", turn.tracking_id.encode("ascii")))
        self._record(turn, response)
        return response

    def _admit(self, turn: Turn) -> None:
        request = turn.request
        now = self.world.clock.monotonic()
        token = self.world.tokens.authenticate(request.headers.get(b"authorization", b""), now)
        organisation = self.world.organisation(token.app.organisation_id)
        call = turn.call = Call(request, organisation, token.app.client_id)
        turn.route, call.keys = routing.route_of(request.method, request.path)
        if not turn.route.scopes & token.app.scopes:
            raise refusals.forbidden("The access token is missing required scopes.")
        if request.query.get("orgId") not in (None, organisation.webex_id):
            raise refusals.forbidden("The token is not for this organization.")
        if request.method != "GET":
            call.body = parsed_body(request)
        turn.subject = subject_of(call)
        self._take_budget(organisation, now, is_write=turn.route.is_write)
        turn.strikes = call.strikes = self.world.faults.strikes(
            turn.route.kind,
            is_write=turn.route.is_write,
            tenant=organisation.id,
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
            self._refuse_struck(turn.strikes)
            call.organisation.advance()
            turn.response = route.handler(call)
            turn.committed = route.is_write
            if (after := turn.strike(Effect.REFUSED_AFTER)) is not None:
                raise Refusal(after.status, (after.message,))
        except Refusal as refusal:
            turn.outcome = Outcome.REFUSED
            turn.response = self._refused(turn, refusal)
        if turn.strike(Effect.DROP_AFTER):
            turn.outcome = Outcome.DROPPED_AFTER

    def _refuse_struck(self, strikes: list[FaultRule]) -> None:
        for rule in strikes:
            if rule.effect is Effect.STATUS:
                raise Refusal(rule.status, (rule.message,), headers=self._retry_after(rule))
            if rule.effect is Effect.TRY_AGAIN:
                raise Refusal(423, ("The resource is locked.",), headers=self._retry_after(rule))
            if rule.effect is Effect.GATEWAY_PAGE:
                page = _PAGE.format(status=rule.status, text=rule.message)
                raise Refusal(rule.status, (rule.message,), page=page)
            if rule.effect is Effect.TOKEN_REJECTED:
                raise identity.expired()

    def _retry_after(self, rule: FaultRule) -> dict[str, str]:
        if rule.retry_after_seconds is None:
            return {}
        if not rule.retry_after_is_date:
            return {"Retry-After": f"{rule.retry_after_seconds:g}"}
        moment = self.world.clock.now() + datetime.timedelta(seconds=rule.retry_after_seconds)
        return {"Retry-After": format_datetime(moment, usegmt=True)}

    def _take_budget(self, organisation: Organisation, now: float, *, is_write: bool) -> None:
        settings = organisation.settings
        rate = settings.writes_per_second if is_write else settings.reads_per_second
        if rate is None:
            return
        burst = settings.write_burst if is_write else settings.read_burst
        key = (organisation.id, is_write)
        bucket = self._buckets.get(key)
        if bucket is None or bucket.rate != rate or (burst is not None and bucket.burst != burst):
            bucket = self._buckets[key] = TokenBucket(rate, burst=burst)
        wait = bucket.take(now, refused_cost=settings.refused_call_cost)
        if wait > 0:
            whole = max(1, math.ceil(wait))
            raise refusals.throttled(whole if settings.throttling_names_wait else None)

    def _delay(self, turn: Turn) -> float:
        if turn.call is None or turn.route is None:
            return 0.0
        settings = turn.call.organisation.settings
        listing = turn.route.is_listing
        delay = settings.page_delay_seconds if listing else settings.answer_delay_seconds
        struck = turn.strike(Effect.DELAY)
        return delay + (struck.seconds if struck is not None else 0.0)

    def _refused(self, turn: Turn, refusal: Refusal) -> Response:
        if refusal.page:
            html = [(b"content-type", b"text/html")]
            return Response(refusal.status, refusal.page.encode("utf-8"), html)
        as_list = (
            turn.call is not None
            and turn.route is not None
            and turn.route.kind == "addNumbers"
            and turn.call.organisation.settings.number_errors_as_list
        )
        document = refusal.document(turn.tracking_id, as_list=as_list)
        return json_response(document, status=refusal.status, headers=refusal.headers)

    def _record(self, turn: Turn, response: Response) -> None:
        call, request = turn.call, turn.request
        self.world.recorder.add(
            Entry(
                sequence=turn.sequence,
                at=turn.arrived,
                answered_at=self.world.clock.now().timestamp() + self._delay(turn),
                tenant=call.organisation.id if call is not None else "",
                who=call.who if call is not None else "",
                kind=turn.route.kind if turn.route is not None else "unknown",
                method=request.method,
                path=request.path[:_SEEN_PATH_CHARACTERS],
                status=response.status,
                outcome=turn.outcome,
                is_write=turn.is_write,
                committed=turn.committed,
                subject=turn.subject,
                request_id=turn.tracking_id,
            )
        )


def subject_of(call: Call) -> str:
    """Whom or what a request is about: a number, a person (by id or address), a key of its path."""
    body = call.body
    numbers = body.get("phoneNumbers")
    if isinstance(numbers, list) and numbers and isinstance(numbers[0], str):
        return numbers[0]
    emails = body.get("emails")
    if "person" not in call.keys and isinstance(emails, list) and emails:
        return str(emails[0])
    for name in ("personId", "email"):
        if isinstance(value := body.get(name), str):
            return value
    for name in ("person", "number", "service", "job", "location", "licence", "trunk"):
        if name in call.keys:
            return call.keys[name]
    return call.query("email") or call.query("phoneNumber") or ""
