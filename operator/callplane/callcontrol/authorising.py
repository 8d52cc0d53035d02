"""The authoriser over the books: decide, reserve, extend, give back.

Deciding is `billing.decision.decide`, which knows no database; holding what it quotes is one round
trip to the books. A live call asks for more when four fifths of its grant are over, and the SBC
ends it by itself when nobody extends it.

Emergency and exempt services are granted before anything else is looked at: to callers whom nobody
knows, and while the books are away. Who may use an SBC at all is decided there: Kamailio refuses
sources that it does not know before it asks, and passes emergency calls on without asking; any
other SBC that asks over HTTP answers for its own sources.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from callplane.billing.clip import Grant
from callplane.billing.decision import Attempt, CallContext, decide, service_dialled
from callplane.billing.quotes import Mode, Quote, Refusal, RefusalReason
from callplane.callcontrol.directory import Caller, Directory, caller_of
from callplane.callcontrol.messages import Authorise, EmergencyAlert, Extend, Started
from callplane.callcontrol.ports import Granted, Refused, Send
from callplane.clock import Clock
from callplane.numbering.destinations import destination_of
from callplane.numbering.dialled_services import OUTSIDE_LINE, DialledMatch
from callplane.store.books_ports import Books, Payer, Reserve

#: How long a call may ring, as the SBC does, and a little more.
RING: Final = timedelta(seconds=130)
#: A live reservation outlasts its grant by this, for its record to come.
OVERTIME: Final = timedelta(seconds=120)
#: The part of a grant after which more is asked for.
EXTEND_AT: Final = 0.8
#: Of a call that nothing counts: the SBC has a limit of its own.
UNCOUNTED_SECONDS: Final = 14_400
RETRY_SECONDS: Final = 1.0

log = logging.getLogger(__name__)


@dataclass
class _Held:
    caller: Caller
    quote: Quote
    grant: Grant
    expires_at: datetime


@dataclass
class BooksAuthoriser:
    """Calls that were granted are remembered here only until they are answered or given up; what is
    held for them stands in the books.

    `outside_lines` has what callers of a peer dial to get out, by the name of their ingress, and
    `phones_outside_line` that of phones: services are recognised behind it. Other numbers come
    without it. Raises ValueError for what is no such prefix.
    """

    books: Books
    directory: Directory
    clock: Clock
    outside_lines: Mapping[str, str] = field(default_factory=dict)
    phones_outside_line: str = ""
    _held: dict[str, _Held] = field(default_factory=dict)
    _tending: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        for prefix in (*self.outside_lines.values(), self.phones_outside_line):
            if not OUTSIDE_LINE.fullmatch(prefix):
                # Found here, for it would be an emergency call that finds it otherwise.
                raise ValueError(f"{prefix!r} is no outside line: at most three digits")

    async def authorise(self, question: Authorise) -> Granted | Refused:
        """Decide and reserve. Raises StoreUnavailable, which is an outage and no refusal; never for
        emergency and exempt services.
        """
        service = service_dialled(question.dialled, self._outside_line(question))
        if service is not None:
            return _to_service(service)
        now = self.clock.now()
        caller = caller_of(question, self.directory)
        if caller is None:
            return Refused(RefusalReason.UNKNOWN_LINE.value)
        account = caller.line.account
        destination = destination_of(question.dialled)
        payer = Payer.at(account.name, account.currency, account.zone, now)
        context = CallContext(
            line=caller.line,
            counters=await self.books.counters(payer),
            line_counters=await self.books.line_counters(account.name, caller.line.name, now=now),
            on_net=self.directory.is_ours(destination),
        )
        attempt = Attempt(
            attempt_id=question.attempt_id,
            dialled=question.dialled,
            destination=destination,
            caller_id=caller.number,
            ingress=question.ingress,
            setup=now,
            outside_line=self._outside_line(question),
        )
        decision = decide(context, attempt)
        if isinstance(decision, Refusal):
            return self._refused(decision, caller, attempt)
        if not decision.is_metered:
            return _unmetered(decision, caller, attempt)
        reserve = Reserve(
            question.attempt_id, payer, caller.line.name, decision, now, expires_at=now + RING
        )
        grant = await self.books.reserve(reserve)
        if isinstance(grant, RefusalReason):
            enforced = account.enforcement is account.enforcement.ENFORCE
            return self._refused(Refusal(grant, enforced), caller, attempt)
        self._forget_expired(now)
        self._held.pop(question.attempt_id, None)
        self._held[question.attempt_id] = _Held(caller, decision, grant, reserve.expires_at)
        return Granted(
            max_seconds=grant.seconds,
            account=account.name,
            reservation_id=question.attempt_id,
            dialled=destination,
            caller=caller.number,
        )

    async def withdraw(self, attempt_id: str) -> None:
        self._held.pop(attempt_id, None)
        await self.books.void(attempt_id)

    async def answered(self, started: Started, send: Send) -> None:
        held = self._held.pop(started.attempt_id, None)
        now = self.clock.now()
        seconds = held.grant.seconds if held else 0
        expires_at = now + timedelta(seconds=seconds) + OVERTIME
        is_held = await self.books.answered(started.attempt_id, at=now, expires_at=expires_at)
        if held is None or not is_held:
            return
        task = asyncio.create_task(self._tend(started, held, send))
        self._tending.add(task)
        task.add_done_callback(self._tending.discard)

    async def alert(self, alert: EmergencyAlert) -> None:
        log.critical("emergency call attempt=%s ingress=%s", alert.attempt_id, alert.ingress)

    async def close(self) -> None:
        """Stop extending; calls run on to the end of their grants."""
        for task in self._tending:
            task.cancel()
        await asyncio.gather(*self._tending, return_exceptions=True)

    def _forget_expired(self, now: datetime) -> None:
        """Calls of which nothing was heard again. The oldest stands first."""
        while self._held:
            attempt_id, oldest = next(iter(self._held.items()))
            if oldest.expires_at > now:
                return
            del self._held[attempt_id]

    def _outside_line(self, question: Authorise) -> str:
        if question.digest_user:
            return self.phones_outside_line
        return self.outside_lines.get(question.ingress, "")

    async def _tend(self, started: Started, held: _Held, send: Send) -> None:
        """Extend a call as long as it holds something and more can be had. Nothing more is held
        before the SBC has heard of what is.
        """
        answered = self.clock.monotonic()
        grant = held.grant
        told_seconds = grant.seconds
        while not (grant.is_final and told_seconds == grant.seconds):
            elapsed = self.clock.monotonic() - answered
            await asyncio.sleep(max(RETRY_SECONDS, told_seconds * EXTEND_AT - elapsed))
            if told_seconds == grant.seconds:
                more = await self._more(started.attempt_id, held, grant)
                if more is None:
                    return
                grant = more
            elapsed = self.clock.monotonic() - answered
            # The SBC counts from the moment it hears of it.
            seconds = max(1, round(grant.seconds - elapsed))
            if grant.seconds > told_seconds and _tell(started, seconds, send):
                told_seconds = grant.seconds
            elif elapsed > told_seconds:
                return

    async def _more(self, attempt_id: str, held: _Held, grant: Grant) -> Grant | None:
        now = self.clock.now()
        longest = timedelta(seconds=grant.seconds + held.quote.slice_seconds)
        try:
            return await self.books.extend(
                attempt_id, held.quote.limits, now=now, expires_at=now + longest + OVERTIME
            )
        except Exception:
            # The call ends at its grant unless the books come back before.
            log.exception("a live call could not be extended attempt=%s", attempt_id)
            return grant

    def _refused(self, refusal: Refusal, caller: Caller, attempt: Attempt) -> Granted | Refused:
        if refusal.enforced:
            return Refused(refusal.reason.value)
        log.warning("would be refused: %s attempt=%s", refusal.reason.value, attempt.attempt_id)
        return _unmetered(Quote(Mode.FREE), caller, attempt)


def _tell(started: Started, seconds: int, send: Send) -> bool:
    """Let a call run on; could its SBC be told?"""
    try:
        send(Extend(started.boot_id, started.he, started.hi, seconds))
    except ConnectionError:
        log.warning("an SBC cannot be told to extend a call attempt=%s", started.attempt_id)
        return False
    return True


def _to_service(service: DialledMatch) -> Granted:
    """Nobody pays, and the caller is shown as the SBC has it."""
    return Granted(UNCOUNTED_SECONDS, account="", reservation_id="", dialled=service.number)


def _unmetered(quote: Quote, caller: Caller, attempt: Attempt) -> Granted:
    return Granted(
        max_seconds=quote.call_seconds or UNCOUNTED_SECONDS,
        account=caller.line.account.name,
        reservation_id="",
        dialled=attempt.destination,
        caller=caller.number,
        on_net=quote.mode is Mode.ON_NET,
    )
