"""The HTTP surface of a carrier's world as an ASGI application.

One request runs through: admit (credentials, route, permission), budget, misfortune, the world
itself, the record, the delay, the answer. Everything but the delay is synchronous, so that a
request changes the world in one step.
"""

from __future__ import annotations

import asyncio
import email.utils
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from callplane.simulators import exchange
from callplane.simulators.carriers import ordering
from callplane.simulators.carriers.control import CONTROL_PREFIX, Control
from callplane.simulators.carriers.refusals import Refusal
from callplane.simulators.carriers.routing import Call, Route
from callplane.simulators.carriers.surface import Surface
from callplane.simulators.carriers.world import Account, CarrierWorld
from callplane.simulators.exchange import Receive, Request, Response, Scope, Send
from callplane.simulators.faults import Effect, FaultRule
from callplane.simulators.recording import Entry, Outcome
from callplane.simulators.throttling import TokenBucket

_SEEN_PATH_CHARACTERS = 300
_DROPPED = (Outcome.DROPPED_BEFORE, Outcome.DROPPED_AFTER)

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
    def request_id(self) -> str:
        """The id of the request in answers and records."""
        return f"00000000-0000-4000-8000-{self.sequence:012x}"

    def strike(self, effect: Effect) -> FaultRule | None:
        """The rule with this effect that hits this request."""
        return next((rule for rule in self.strikes if rule.effect is effect), None)


class RestApp:
    """ASGI application over a carrier's world. `sleep` is how it waits (seconds)."""

    def __init__(
        self, world: CarrierWorld, surface: Surface, *, sleep: Sleep = asyncio.sleep
    ) -> None:
        self.world = world
        self.surface = surface
        self._control = Control(world, surface)
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
        turn = self._begin(request)
        if late := turn.strike(Effect.LATE_COMMIT):
            await self._sleep(late.seconds)
        response = self._perform(turn)
        if turn.outcome in _DROPPED:
            await exchange.drop_connection(scope, receive)
            return
        delay = self._delay(turn)
        if delay > 0:
            await self._sleep(delay)
        await exchange.send_response(send, response)

    def _begin(self, request: Request) -> Turn:
        now = self.world.clock.now().timestamp()
        turn = Turn(request, self.world.recorder.next_sequence(), now)
        try:
            self._admit(turn)
        except Refusal as refusal:
            throttled = refusal.status == 429
            turn.outcome = Outcome.THROTTLED if throttled else Outcome.REFUSED
            turn.response = self.surface.refused(self.world, refusal)
        return turn

    def _admit(self, turn: Turn) -> None:
        request, surface = turn.request, self.surface
        self.world.advance()
        found = surface.routes.find(request.method, request.path)
        if isinstance(found, bool):
            surface.authenticate(self.world, request)
            raise surface.unknown_path(request.path, is_known=found)
        turn.route, names = found
        if turn.route.is_open:
            account = next(iter(self.world.accounts.values()))
            turn.call = Call(request, self.world, account, account.keys[0], names)
            return
        account, key = surface.authenticate(self.world, request)
        turn.call = call = Call(request, self.world, account, key, names)
        if names.get("account", account.id) != account.id:
            raise surface.forbidden()
        if turn.route.is_write and not key.may_write:
            raise surface.forbidden()
        call.body = surface.body(request)
        turn.subject = surface.subject(call, turn.route)
        self._take_budget(account, is_write=turn.route.is_write)
        turn.strikes = call.strikes = self.world.faults.strikes(
            turn.route.kind,
            is_write=turn.route.is_write,
            tenant=account.id,
            subject=turn.subject,
        )

    def _perform(self, turn: Turn) -> Response:
        """Do what an admitted request asks, write the record, and give the answer."""
        if turn.response is None:
            self._do(turn)
        response = turn.response if turn.response is not None else Response(500)
        response.headers.append((b"x-request-id", turn.request_id.encode("ascii")))
        self._record(turn, response)
        return response

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
            self.world.advance()
            if turn.strike(Effect.NUMBER_TAKEN):
                ordering.sell_to_somebody_else(self.world, turn.subject)
            turn.response = route.handler(call)
            turn.committed = route.is_write
        except Refusal as refusal:
            turn.outcome = Outcome.REFUSED
            turn.response = self.surface.refused(self.world, refusal)
        if failed := turn.strike(Effect.FAILED_AFTER):
            turn.outcome = Outcome.REFUSED
            words = Refusal(failed.status, failed.code, failed.message)
            turn.response = self.surface.refused(self.world, words)
        if turn.strike(Effect.DROP_AFTER):
            turn.outcome = Outcome.DROPPED_AFTER

    def _refuse_struck(self, strikes: list[FaultRule]) -> None:
        for rule in strikes:
            if rule.effect is Effect.TOKEN_REJECTED:
                raise self.surface.unauthorized()
            if rule.effect is Effect.STATUS:
                if rule.status == 429:
                    refusal = self.surface.throttled()
                else:
                    refusal = Refusal(rule.status, rule.code, rule.message)
                if rule.retry_after_seconds is not None:
                    refusal.headers = self._retry_after(rule.retry_after_seconds)
                raise refusal

    def _take_budget(self, account: Account, *, is_write: bool) -> None:
        settings = self.world.settings
        rate = settings.writes_per_second if is_write else settings.reads_per_second
        if rate is None:
            return
        burst = settings.write_burst if is_write else settings.read_burst
        key = (account.id, is_write)
        bucket = self._buckets.get(key)
        if bucket is None or bucket.rate != rate or (burst is not None and bucket.burst != burst):
            bucket = self._buckets[key] = TokenBucket(rate, burst=burst)
        wait = bucket.take(self.world.clock.monotonic(), refused_cost=settings.refused_call_cost)
        if wait > 0:
            refusal = self.surface.throttled()
            refusal.headers = self._retry_after(wait)
            raise refusal

    def _retry_after(self, seconds: float) -> dict[str, str]:
        """Retry-After: whole seconds rounded up, an HTTP date, or nothing at all."""
        settings = self.world.settings
        if settings.omits_retry_after:
            return {}
        whole = math.ceil(seconds)
        if settings.retry_after_is_date:
            moment = self.world.moment(whole)
            return {"Retry-After": email.utils.format_datetime(moment, usegmt=True)}
        return {"Retry-After": str(whole)}

    def _delay(self, turn: Turn) -> float:
        if turn.route is None:
            return 0.0
        settings = self.world.settings
        listing = turn.route.is_listing
        delay = settings.page_delay_seconds if listing else settings.answer_delay_seconds
        struck = turn.strike(Effect.DELAY)
        return delay + (struck.seconds if struck is not None else 0.0)

    def _record(self, turn: Turn, response: Response) -> None:
        call, request, route = turn.call, turn.request, turn.route
        self.world.recorder.add(
            Entry(
                sequence=turn.sequence,
                at=turn.arrived,
                answered_at=self.world.clock.now().timestamp() + self._delay(turn),
                tenant=call.account.id if call is not None else "",
                who=call.key.name if call is not None else "",
                kind=route.kind if route is not None else "unknown",
                method=request.method,
                path=request.path[:_SEEN_PATH_CHARACTERS],
                status=response.status,
                outcome=turn.outcome,
                is_write=route is not None and route.is_write,
                committed=turn.committed,
                subject=turn.subject,
                request_id=turn.request_id,
            )
        )
