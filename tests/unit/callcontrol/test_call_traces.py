"""A question of an SBC is one trace down to the books, and says nothing of who calls whom."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from callplane.billing.terms import AccountTerms, Line
from callplane.callcontrol.authorising import BooksAuthoriser
from callplane.callcontrol.conversation import Conversation
from callplane.callcontrol.directory import MemoryDirectory
from callplane.callcontrol.http_endpoint import HttpEndpoint
from callplane.callcontrol.messages import Authorise, Order, Verdict
from callplane.callcontrol.recording import Recorder
from callplane.store.books_memory import MemoryBooks
from callplane.store.books_ports import Payer, PlanHolder
from callplane.testing import billing_builders as build
from callplane.testing.asgi_calls import AsgiCaller
from callplane.testing.call_authorisers import MemoryBook, ScriptedAuthoriser, granting
from callplane.testing.loop_clock import LoopClock
from callplane.testing.recorded_traces import RecordedTraces, SeenSpans, telling_words

ATTEMPT = "5b0ad9a4-59c7-4c1c-9a3e-8e6c4d2f7a10"
QUESTION = Authorise(
    i=1,
    l=2,
    attempt_id=ATTEMPT,
    boot_id="b-1",
    ingress=build.INGRESS,
    caller=build.CALLER,
    dialled=build.LANDLINE,
)
UNTOLD = (build.CALLER.lstrip("+"), build.LANDLINE.lstrip("+0"))


class Desk:
    """A conversation over books in memory, for one line with a plan of ten minutes."""

    def __init__(self) -> None:
        terms = build.account()
        line = build.line(terms, plan=build.plan(10))
        other = Line("sales/other", AccountTerms("sales/other"), build.INGRESS, frozenset())
        directory = MemoryDirectory(
            {(build.INGRESS, build.CALLER): line, (build.INGRESS, "+442079460002"): other},
            frozenset(),
        )
        self.clock = LoopClock(build.SETUP)
        self.payer = Payer.at(terms.name, "GBP", terms.zone, self.clock.now())
        self.books = MemoryBooks()
        self.found = RecordedTraces(time.time_ns)
        self.conversation = Conversation(
            BooksAuthoriser(self.books, directory, self.clock),
            Recorder(MemoryBook()),
            traces=self.found.traces,
        )

    async def ask(self, question: Authorise = QUESTION) -> SeenSpans:
        await self.books.set_plans(
            self.payer, [PlanHolder("anna", "plan", 600)], now=self.clock.now()
        )
        sent: list[Order] = []
        await self.conversation.handle(question, sent.append)
        (verdict,) = sent
        assert isinstance(verdict, Verdict)
        await self.conversation.close()
        return self.found.seen()


@pytest.mark.looptime
async def test_a_call_is_counted_decided_reserved_and_answered_in_one_trace() -> None:
    seen = await Desk().ask()
    (question,) = seen.named("authorise", attempt_id=ATTEMPT, way="evapi", outcome="Allowed")
    assert not question.parent
    parts = [span.name for span in seen.spans if span.parent == question.span]
    assert parts == ["count", "decide", "reserve", "answer"]
    assert len(seen.spans) == 5
    assert telling_words(seen.spans, UNTOLD) == []


@pytest.mark.looptime
async def test_a_refusal_is_an_answer_and_no_error() -> None:
    seen = await Desk().ask(replace(QUESTION, dialled=build.ABROAD))
    (question,) = seen.named("authorise", outcome="PrivilegeDenied")
    assert not question.is_error
    assert "reserve" not in {span.name for span in seen.spans}


@pytest.mark.looptime
async def test_an_emergency_call_is_answered_before_anything_else_is_looked_at() -> None:
    seen = await Desk().ask(replace(QUESTION, dialled="999", caller="+442079460777"))
    (question,) = seen.named("authorise", outcome="Allowed")
    assert [span.name for span in seen.spans if span.parent == question.span] == ["answer"]


@pytest.mark.looptime
async def test_an_outage_is_an_error() -> None:
    async def failing(_: Authorise) -> None:
        raise ConnectionError(f"no database for {build.CALLER}")

    found = RecordedTraces(time.time_ns)
    conversation = Conversation(
        ScriptedAuthoriser(failing),  # type: ignore[arg-type]
        Recorder(MemoryBook()),
        traces=found.traces,
    )
    await conversation.handle(QUESTION, lambda _: None)
    (question,) = found.seen().named("authorise", outcome="Outage")
    assert question.is_error
    assert telling_words([question], UNTOLD) == []


async def test_a_question_over_http_has_a_trace_too() -> None:
    found = RecordedTraces(time.time_ns)
    conversation = Conversation(
        ScriptedAuthoriser(granting()), Recorder(MemoryBook()), traces=found.traces
    )
    question = {
        "ev": "authorise",
        "i": 1,
        "l": 2,
        "attempt_id": ATTEMPT,
        "boot_id": "b-1",
        "ingress": build.INGRESS,
        "caller": build.CALLER,
        "dialled": build.LANDLINE,
    }
    answer = await AsgiCaller(HttpEndpoint(conversation)).post("/v1/authorise", question)
    assert answer.status == 200
    (seen,) = found.seen().named("authorise", way="http", outcome="Allowed")
    assert seen.attributes["callplane.attempt_id"] == ATTEMPT
