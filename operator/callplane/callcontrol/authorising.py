"""The authoriser over the books: decide, reserve, extend, give back.

Deciding is `billing.decision.decide`, which knows no database; holding what it quotes is one round
trip to the books. A live call asks for more when four fifths of its grant are over, and the SBC
ends it by itself when nobody extends it.

While the books are away, or do not answer in time, what a call could cost decides: see
`billing.fail_policy`.

Emergency and exempt services are granted before anything else is looked at: to callers whom nobody
knows, and while the books are away. Who may use an SBC at all is decided there: Kamailio refuses
sources that it does not know before it asks, and passes emergency calls on without asking; any
other SBC that asks over HTTP answers for its own sources.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from callplane.billing import fail_policy
from callplane.billing.clip import Grant
from callplane.billing.counters import Counters
from callplane.billing.decision import Attempt, CallContext, decide, service_dialled
from callplane.billing.fail_policy import AtGrant, Outage
from callplane.billing.quotes import Mode, Quote, Refusal, RefusalReason
from callplane.billing.terms import OnNet
from callplane.callcontrol.directory import Caller, Directory, caller_of
from callplane.callcontrol.messages import Authorise, EmergencyAlert, Extend, Registered, Started
from callplane.callcontrol.ports import Granted, Refused, Send
from callplane.clock import Clock
from callplane.desired.sip_lines import phone_key
from callplane.numbering.countries import foreign_country
from callplane.numbering.destinations import destination_of
from callplane.numbering.dialled_services import GB as SERVICES
from callplane.numbering.dialled_services import OUTSIDE_LINE, DialledMatch
from callplane.store.books_ports import Books, Payer, Reserve
from callplane.store.ports import StoreUnavailable
from callplane.tracing import step
from callplane.values import HolderId, Platform

#: How long a call may ring, as the SBC does, and a little more: one that is answered later than its
#: hold ends is counted by nobody until its record comes.
RING: Final = timedelta(seconds=190)
#: A live reservation outlasts its grant by this, for its record to come.
OVERTIME: Final = timedelta(seconds=120)
#: The part of a grant after which more is asked for.
EXTEND_AT: Final = 0.8
#: Of a call that nothing counts: the SBC has a limit of its own.
UNCOUNTED_SECONDS: Final = 14_400
#: Of a call to an emergency or exempt service, which nobody ends: a year is for ever.
SERVICE_SECONDS: Final = 31_536_000
RETRY_SECONDS: Final = 1.0
#: So long before its end a call goes on without the books, if it may.
LAST_MOMENT_SECONDS: Final = 3.0
#: How long the books may take for one question: less than the SBC waits, so that the fail policy
#: can still be its answer.
BOOKS_SECONDS: Final = 0.5
#: What a pool is taken to have while nobody can say: the mode of a call does not hang on it.
_AMPLE: Final = Counters(entitlement_seconds=2**31 - 1)

log = logging.getLogger(__name__)


@dataclass
class _Held:
    caller: Caller
    quote: Quote
    grant: Grant
    expires_at: datetime
    country: str = ""


class CallNotes(Protocol):
    """Keeps outside this process what others need to know of calls."""

    async def first_call(self, account: str, country: str) -> None:
        """The account has called that country."""

    async def live(self, started: Started) -> None:
        """The call can be addressed from now on, by whoever lives longer than this process."""

    async def registered(self, line: str) -> None:
        """The phone of that line has registered."""


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
    notes: CallNotes | None = None
    books_seconds: float = BOOKS_SECONDS
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _held: dict[str, _Held] = field(default_factory=dict)
    _giving_back: set[str] = field(default_factory=set)
    _tending: set[asyncio.Task[None]] = field(default_factory=set)
    _are_away: bool = False

    def __post_init__(self) -> None:
        for prefix in (*self.outside_lines.values(), self.phones_outside_line):
            if not OUTSIDE_LINE.fullmatch(prefix):
                # Found here, for it would be an emergency call that finds it otherwise.
                raise ValueError(f"{prefix!r} is no outside line: at most three digits")

    async def authorise(self, question: Authorise) -> Granted | Refused:
        """Decide and reserve. Raises StoreUnavailable, which is an outage and no refusal, for what
        may cost money while the books are away, and before any line is known; never for emergency
        and exempt services.
        """
        service = service_dialled(question.dialled, self._outside_line(question))
        if service is not None:
            return _to_service(service)
        if not self.directory.is_known:
            raise StoreUnavailable("the tables were not read yet")
        now = self.clock.now()
        caller = caller_of(question, self.directory)
        if caller is None:
            return Refused(RefusalReason.UNKNOWN_LINE.value)
        destination = destination_of(question.dialled)
        attempt = Attempt(
            attempt_id=question.attempt_id,
            dialled=question.dialled,
            destination=destination,
            caller_id=caller.number,
            ingress=question.ingress,
            setup=now,
            outside_line=self._outside_line(question),
        )
        country = foreign_country(destination)
        account = caller.line.account
        context = CallContext(
            line=caller.line,
            byoc=caller.line.byoc,
            on_net=self.directory.is_ours(destination),
            new_country=bool(country) and not self.directory.has_called(account.name, country),
        )
        if question.attempt_id in self._giving_back:
            # Asked again before what came too late is gone: it would be taken from this answer.
            return self._without_books(caller, attempt, context, None)
        asking = asyncio.create_task(self._ask_books(caller, attempt, context))
        # What was asked of the books and came too late is given back, whoever waits for it.
        await asyncio.wait((asking,), timeout=self.books_seconds)
        if not asking.done():
            self._giving_back.add(question.attempt_id)
            self._start(self._give_back(question.attempt_id, asking))
            return self._without_books(caller, attempt, context, None)
        try:
            answer = asking.result()
        except StoreUnavailable as error:
            return self._without_books(caller, attempt, context, error)
        if not isinstance(answer, _Held):
            return answer
        self._forget_expired(now)
        self._held.pop(question.attempt_id, None)
        self._held[question.attempt_id] = replace(answer, country=country)
        return Granted(
            max_seconds=answer.grant.seconds,
            account=account.name,
            reservation_id=question.attempt_id,
            dialled=_sent(attempt),
            caller=caller.number,
        )

    async def _ask_books(
        self, caller: Caller, attempt: Attempt, context: CallContext
    ) -> _Held | Granted | Refused:
        """Decide by what the books say, and reserve."""
        line, now = caller.line, attempt.setup
        account = line.account
        payer = Payer.at(account.name, account.currency, account.zone, now)
        with step("count"):
            context = replace(
                context,
                counters=await self.books.counters(payer),
                line_counters=await self.books.line_counters(account.name, line.name, now=now),
            )
        with step("decide"):
            decision = decide(context, attempt)
        if isinstance(decision, Refusal):
            return self._refused(decision, caller, attempt)
        if not decision.is_metered:
            return _unmetered(decision, caller, attempt)
        expires_at = now + RING
        reserve = Reserve(attempt.attempt_id, payer, line.name, decision, now, expires_at)
        with step("reserve"):
            grant = await self.books.reserve(reserve)
        if grant is RefusalReason.ATTEMPT_OVER:
            # Whoever only observes allows no second call under the name of one that is charged.
            return Refused(grant.value)
        if isinstance(grant, RefusalReason):
            enforced = account.enforcement is account.enforcement.ENFORCE
            return self._refused(Refusal(grant, enforced), caller, attempt)
        return _Held(caller, decision, grant, expires_at)

    def _without_books(
        self,
        caller: Caller,
        attempt: Attempt,
        context: CallContext,
        error: StoreUnavailable | None,
    ) -> Granted | Refused:
        """What the fail policy says. Who may not call at all is refused as ever."""
        decision = decide(replace(context, counters=_AMPLE), attempt)
        if isinstance(decision, Refusal):
            return self._refused(decision, caller, attempt)
        account = caller.line.account
        allowed = fail_policy.new_call(
            decision.mode, Outage.DATABASE, allows_bundled=account.bundled_on_outage
        )
        if allowed.seconds is None:
            return _unmetered(decision, caller, attempt)
        if allowed.seconds == 0:
            raise error or StoreUnavailable("the books do not answer in time")
        log.warning("allowed while the books are away attempt=%s", attempt.attempt_id)
        return replace(_unmetered(decision, caller, attempt), max_seconds=allowed.seconds)

    async def _give_back(
        self, attempt_id: str, asking: asyncio.Task[_Held | Granted | Refused]
    ) -> None:
        """Nobody was told of what is reserved too late."""
        try:
            with suppress(StoreUnavailable):
                if isinstance(await asking, _Held):
                    await self.books.void(attempt_id)
        finally:
            self._giving_back.discard(attempt_id)

    async def withdraw(self, attempt_id: str) -> None:
        self._held.pop(attempt_id, None)
        await self.books.void(attempt_id)

    async def answered(self, started: Started, send: Send) -> None:
        held = self._held.pop(started.attempt_id, None)
        now, answered = self.clock.now(), self.clock.monotonic()
        seconds = held.grant.seconds if held else await self._granted_elsewhere(started.attempt_id)
        expires_at = now + timedelta(seconds=seconds) + OVERTIME
        try:
            is_held = await self.books.answered(started.attempt_id, at=now, expires_at=expires_at)
        except Exception:
            if held is None:
                raise
            # It is up whatever the books know of it, and must not end by what they missed.
            log.exception(
                "an answer will be told to the books later attempt=%s", started.attempt_id
            )
            self._start(self._tend(started, held, send, answered))
            self._start(self._tell_books(started, held, now, answered))
            return
        if not is_held:
            return
        if held is not None:
            self._start(self._tend(started, held, send, answered))
        # Nobody tends a call that another process granted: it is rescued when its grant ends.
        await self._note(started, held)

    async def _granted_elsewhere(self, attempt_id: str) -> int:
        """The seconds of a call that this process was not asked about: it rang while the one that
        was asked went away.
        """
        found = await self.books.reservations([attempt_id])
        return found[0].granted.seconds if found else 0

    async def _tell_books(
        self, started: Started, held: _Held, at: datetime, answered: float
    ) -> None:
        """Tell the books of an answer `at` that time until they take it, or the grant is over."""
        while self.clock.monotonic() - answered < held.grant.seconds:
            await asyncio.sleep(RETRY_SECONDS)
            # As long as an extension would make it, for there may have been one by now.
            longest = timedelta(seconds=held.grant.seconds + held.quote.slice_seconds)
            expires_at = self.clock.now() + longest + OVERTIME
            try:
                is_held = await self.books.answered(
                    started.attempt_id, at=at, expires_at=expires_at
                )
            except Exception as error:  # noqa: BLE001 - whatever it is, there is another try
                log.warning("an answer cannot be told to the books yet: %s", error)
                continue
            if is_held:
                await self._note(started, held)
            return

    async def _note(self, started: Started, held: _Held | None) -> None:
        if self.notes is None:
            return
        await self.notes.live(started)
        if held is not None and held.country:
            await self.notes.first_call(held.caller.line.account.name, held.country)

    def changed(self) -> None:
        """Lines or accounts are others by now: calls that got all there was may get more."""
        self._news.set()
        self._news = asyncio.Event()

    def _start(self, doing: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(doing)
        self._tending.add(task)
        task.add_done_callback(self._tending.discard)

    async def alert(self, alert: EmergencyAlert) -> None:
        log.critical("emergency call attempt=%s ingress=%s", alert.attempt_id, alert.ingress)

    async def registered(self, registered: Registered) -> None:
        """Who is billed as a user is the operator's to say: here it is only written down."""
        if self.notes is not None:
            holder = HolderId(Platform.SIP, registered.realm, phone_key(registered.user))
            await self.notes.registered(str(holder))

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
        stated = self.outside_lines.get(question.ingress)
        return self.directory.outside_line(question.ingress) if stated is None else stated

    async def _tend(self, started: Started, held: _Held, send: Send, answered: float) -> None:
        """Extend a call as long as it holds something and more can be had. Nothing more is held
        before the SBC has heard of what is. `answered` is a time of the monotonic clock.
        """
        grant = held.grant
        told_seconds = grant.seconds
        may_go_unsecured = _goes_on_unsecured(held)
        while True:
            elapsed = self.clock.monotonic() - answered
            if grant.is_final and told_seconds >= grant.seconds:
                # It got all there was. Only when something changes is there more to be had.
                if not await self._news_within(told_seconds - elapsed):
                    return
            else:
                await asyncio.sleep(max(RETRY_SECONDS, told_seconds * EXTEND_AT - elapsed))
            if told_seconds >= grant.seconds:
                more = await self._more(started.attempt_id, held, grant)
                if more is None:
                    return
                held.grant = grant = more
            elapsed = self.clock.monotonic() - answered
            wanted_seconds = grant.seconds
            is_last_moment = elapsed >= told_seconds - LAST_MOMENT_SECONDS
            if self._are_away and is_last_moment and may_go_unsecured:
                # One slice that nothing holds; what it used is settled with the record.
                unsecured = min(held.quote.slice_seconds, fail_policy.UNSECURED_SECONDS_MAX)
                wanted_seconds = told_seconds + unsecured
                may_go_unsecured = False
            # The SBC counts from the moment it hears of it.
            seconds = max(1, round(wanted_seconds - elapsed))
            if wanted_seconds > told_seconds and _tell(started, seconds, send):
                told_seconds = wanted_seconds
            elif elapsed > told_seconds:
                return

    async def _news_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._news.wait()
        except TimeoutError:
            return False
        return True

    async def _more(self, attempt_id: str, held: _Held, grant: Grant) -> Grant | None:
        now = self.clock.now()
        longest = timedelta(seconds=grant.seconds + held.quote.slice_seconds)
        line = held.caller.line
        known = self.directory.line(line.ingress, held.caller.number)
        limits = held.quote.limits if known is None or known.name != line.name else known.limits
        try:
            more = await self.books.extend(
                attempt_id, limits, now=now, expires_at=now + longest + OVERTIME
            )
        except Exception:
            # The call ends at its grant unless the books come back before.
            log.exception("a live call could not be extended attempt=%s", attempt_id)
            self._are_away = True
            return grant
        self._are_away = False
        return more

    def _refused(self, refusal: Refusal, caller: Caller, attempt: Attempt) -> Granted | Refused:
        if refusal.enforced:
            return Refused(refusal.reason.value)
        log.warning("would be refused: %s attempt=%s", refusal.reason.value, attempt.attempt_id)
        # What costs nothing between our own numbers costs nothing here either.
        is_free = caller.line.account.on_net is OnNet.FREE
        on_net = is_free and self.directory.is_ours(attempt.destination)
        return _unmetered(Quote(Mode.ON_NET if on_net else Mode.FREE), caller, attempt)


def _goes_on_unsecured(held: _Held) -> bool:
    """May the call have one slice without a reservation when the books are away?"""
    at_grant = fail_policy.at_grant(held.quote.mode)
    account = held.caller.line.account
    return at_grant is AtGrant.ONE_EXTENSION and account.bundled_on_outage


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
    return Granted(SERVICE_SECONDS, account="", reservation_id="", dialled=service.number)


def _sent(attempt: Attempt) -> str:
    """What the next peer is sent; empty for what was dialled. A text relay works in the network, so
    that its prefix goes there.
    """
    return "" if SERVICES.relayed(attempt.dialled) else attempt.destination


def _unmetered(quote: Quote, caller: Caller, attempt: Attempt) -> Granted:
    return Granted(
        max_seconds=quote.call_seconds or UNCOUNTED_SECONDS,
        account=caller.line.account.name,
        reservation_id="",
        dialled=_sent(attempt),
        caller=caller.number,
        on_net=quote.mode is Mode.ON_NET,
    )
