"""What call control does with each message of an SBC, whichever way it came.

An answer is owed within the SBC's verdict timer. Where deciding fails or takes longer, the SBC is
told so while it still listens, and follows its fail policy; a reservation that was made too late,
or whose SBC can no longer be told, is withdrawn. Records go to the book through a queue that keeps
them until they were taken.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, Final

from callplane.callcontrol import messages
from callplane.callcontrol.messages import (
    Authorise,
    CallRecord,
    EmergencyAlert,
    Ended,
    Event,
    NotConnected,
    Registered,
    Started,
    Verdict,
)
from callplane.callcontrol.ports import Authoriser, Granted, Refused, Send
from callplane.callcontrol.recording import Recorder
from callplane.tracing import NO_TRACES, Span, Traces

#: Below the SBC's verdict timer of 800 ms by what the way there and back may take.
ANSWER_SECONDS: Final = 0.7

log = logging.getLogger(__name__)


@dataclass
class Conversation:
    """One handler for all connections. It holds nothing but deciding that is under way."""

    authoriser: Authoriser
    recorder: Recorder
    answer_seconds: float = ANSWER_SECONDS
    traces: Traces = NO_TRACES
    _late: set[asyncio.Task[None]] = field(default_factory=set)

    async def handle(self, event: Event, send: Send) -> None:
        """Handle a message that came over evapi; answers go back by `send`."""
        match event:
            case Authorise():
                await self._answer_by(event, send)
            case CallRecord():
                self.recorder.take(event)
            case _:
                await self.note(event, send)

    async def _answer_by(self, question: Authorise, send: Send) -> None:
        with self.asked(question, way="evapi") as span:
            verdict = await self.answer(question)
            tell(span, verdict)
            try:
                with span.step("answer"):
                    send(verdict)
            except ConnectionError:
                if verdict.allow:
                    await self.authoriser.withdraw(question.attempt_id)
                raise

    def asked(self, question: Authorise, *, way: str) -> Span:
        """What becomes of a question, for traces; `way` is how it came."""
        return self.traces.begin("authorise", attempt=question.attempt_id, way=way)

    async def answer(self, question: Authorise) -> Verdict:
        """The verdict in time, whatever deciding does. Whoever gives up waiting holds nothing."""
        deciding = asyncio.create_task(self._decide(question))
        try:
            # Not `wait_for`, which returns an answer instead of being cancelled when both happen.
            await asyncio.wait((deciding,), timeout=self.answer_seconds)
        except asyncio.CancelledError:
            self._withdraw_later(question, deciding)
            raise
        if deciding.done():
            return _verdict(question, deciding.result())
        log.error("no decision in time attempt=%s", question.attempt_id)
        self._withdraw_later(question, deciding)
        return _verdict(question, None)

    async def note(self, event: Event, send: Send) -> None:
        """Take in a message that wants no answer."""
        match event:
            case Started():
                await self._to_its_end(self.authoriser.answered(event, send))
            case NotConnected():
                await self._to_its_end(self.authoriser.withdraw(event.attempt_id))
            case EmergencyAlert():
                await self.authoriser.alert(event)
            case Registered():
                await self._to_its_end(self.authoriser.registered(event))
            case Ended() | Authorise() | CallRecord():
                # A hint only: the record decides.
                return

    async def close(self) -> None:
        """Wait for what is still being decided and withdrawn."""
        await asyncio.gather(*self._late, return_exceptions=True)

    async def _decide(self, question: Authorise) -> Granted | Refused | None:
        try:
            return await self.authoriser.authorise(question)
        except Exception:
            log.exception("deciding failed attempt=%s", question.attempt_id)
            return None

    def _withdraw_later(
        self, question: Authorise, deciding: asyncio.Task[Granted | Refused | None]
    ) -> None:
        async def withdraw() -> None:
            if isinstance(await deciding, Granted):
                await self.authoriser.withdraw(question.attempt_id)

        self._start(withdraw())

    async def _to_its_end(self, doing: Coroutine[Any, Any, None]) -> None:
        """What an SBC has said is so, also when its connection is lost meanwhile."""
        await asyncio.shield(self._start(doing))

    def _start(self, doing: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        # The loop holds tasks weakly: the set holds this one, and it what it waits for.
        task = asyncio.create_task(doing)
        self._late.add(task)
        task.add_done_callback(self._late.discard)
        return task


def tell(span: Span, verdict: Verdict) -> None:
    """The outcome in a trace; a refusal is an answer, only an outage is a failure."""
    outcome = "Allowed" if verdict.allow else verdict.reason
    span.note(is_error=outcome == messages.OUTAGE, outcome=outcome)


def _verdict(question: Authorise, answer: Granted | Refused | None) -> Verdict:
    match answer:
        case Granted():
            return Verdict(
                question.i,
                question.l,
                allow=True,
                max_seconds=answer.max_seconds,
                account=answer.account,
                reservation_id=answer.reservation_id,
                dialled=answer.dialled,
                caller=answer.caller,
                on_net=answer.on_net,
                attempt_id=question.attempt_id,
            )
        case Refused():
            return Verdict(question.i, question.l, allow=False, reason=answer.reason)
        case None:
            return Verdict(question.i, question.l, allow=False, reason=messages.OUTAGE)
