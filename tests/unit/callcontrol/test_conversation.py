"""An answer in time whatever deciding does, and nothing held for a call that was given up."""

from __future__ import annotations

import asyncio
import gc

import pytest

from callplane.callcontrol import messages
from callplane.callcontrol.conversation import ANSWER_SECONDS, Conversation
from callplane.callcontrol.messages import (
    Authorise,
    EmergencyAlert,
    Ended,
    Event,
    NotConnected,
    Order,
    Started,
    Verdict,
)
from callplane.callcontrol.ports import Granted, Refused, Send
from callplane.callcontrol.recording import Recorder
from callplane.testing.call_authorisers import Answer, MemoryBook, ScriptedAuthoriser, granting

QUESTION = Authorise(5, 7, "a-1", "b-1", "Teams", "+442079460001", "+441614960123")


def after(seconds: float, answer: Answer) -> Answer:
    async def late(question: Authorise) -> Granted | Refused:
        await asyncio.sleep(seconds)
        return await answer(question)

    return late


async def failing(_: Authorise) -> Granted | Refused:
    raise ConnectionError("the database is away")


async def refusing(_: Authorise) -> Granted | Refused:
    return Refused("PoolExhausted")


async def verdict(authoriser: ScriptedAuthoriser) -> Verdict:
    sent: list[Order] = []
    conversation = Conversation(authoriser, Recorder(MemoryBook()))
    await conversation.handle(QUESTION, sent.append)
    await conversation.close()
    (found,) = sent
    assert isinstance(found, Verdict)
    assert (found.i, found.l) == (QUESTION.i, QUESTION.l)
    return found


async def test_a_grant_and_a_refusal() -> None:
    granted = await verdict(ScriptedAuthoriser(granting(90)))
    assert (granted.allow, granted.max_seconds, granted.reservation_id) == (True, 90, "r-a-1")
    refused = await verdict(ScriptedAuthoriser(refusing))
    assert (refused.allow, refused.reason) == (False, "PoolExhausted")


async def test_a_failure_is_an_outage_and_no_refusal(caplog: pytest.LogCaptureFixture) -> None:
    found = await verdict(ScriptedAuthoriser(failing))
    assert (found.allow, found.reason) == (False, messages.OUTAGE)
    assert "deciding failed" in caplog.text


@pytest.mark.looptime
async def test_what_comes_too_late_is_withdrawn(caplog: pytest.LogCaptureFixture) -> None:
    authoriser = ScriptedAuthoriser(after(3, granting()))
    started = asyncio.get_running_loop().time()
    sent: list[Order] = []
    conversation = Conversation(authoriser, Recorder(MemoryBook()))
    await conversation.handle(QUESTION, sent.append)
    assert asyncio.get_running_loop().time() - started == pytest.approx(ANSWER_SECONDS)
    assert isinstance(sent[0], Verdict)
    assert sent[0].reason == messages.OUTAGE
    assert authoriser.withdrawn == []
    await conversation.close()
    assert authoriser.withdrawn == ["a-1"]
    assert len(sent) == 1


@pytest.mark.looptime
@pytest.mark.parametrize("wait_seconds", [0.1, 0.5])
async def test_what_is_decided_after_its_connection_was_lost_is_withdrawn(
    wait_seconds: float,
) -> None:
    """Lost while deciding, or in the very moment in which it was decided."""
    authoriser = ScriptedAuthoriser(after(0.5, granting()))
    conversation = Conversation(authoriser, Recorder(MemoryBook()))
    sent: list[Order] = []
    handling = asyncio.create_task(conversation.handle(QUESTION, sent.append))
    await asyncio.sleep(wait_seconds)
    handling.cancel()
    gc.collect()
    with pytest.raises(asyncio.CancelledError):
        await handling
    await asyncio.sleep(1)
    gc.collect()
    await conversation.close()
    assert sent == []
    assert authoriser.withdrawn == ["a-1"]


@pytest.mark.looptime
@pytest.mark.parametrize("event", [Started("a-1", "b-1", 1, 2), NotConnected("a-1")])
async def test_what_was_said_is_so_when_the_connection_is_lost_meanwhile(event: Event) -> None:
    class Slow(ScriptedAuthoriser):
        async def answered(self, started: Started, send: Send) -> None:
            await asyncio.sleep(0.5)
            await super().answered(started, send)

        async def withdraw(self, attempt_id: str) -> None:
            await asyncio.sleep(0.5)
            await super().withdraw(attempt_id)

    authoriser = Slow()
    conversation = Conversation(authoriser, Recorder(MemoryBook()))
    handling = asyncio.create_task(conversation.handle(event, [].append))
    await asyncio.sleep(0.1)
    handling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await handling
    await conversation.close()
    assert [one.attempt_id for one in authoriser.started] + authoriser.withdrawn == ["a-1"]


async def test_a_verdict_that_cannot_be_sent_is_withdrawn() -> None:
    def send(_: Order) -> None:
        raise ConnectionError

    for answer, withdrawn in ((granting(), ["a-1"]), (refusing, [])):
        authoriser = ScriptedAuthoriser(answer)
        conversation = Conversation(authoriser, Recorder(MemoryBook()))
        with pytest.raises(ConnectionError):
            await conversation.handle(QUESTION, send)
        assert authoriser.withdrawn == withdrawn


@pytest.mark.looptime
@pytest.mark.parametrize("answer", [failing, refusing])
async def test_where_nothing_was_held_nothing_is_withdrawn(answer: Answer) -> None:
    authoriser = ScriptedAuthoriser(after(3, answer))
    assert (await verdict(authoriser)).reason == messages.OUTAGE
    assert authoriser.withdrawn == []


async def test_what_wants_no_answer() -> None:
    authoriser = ScriptedAuthoriser()
    conversation = Conversation(authoriser, Recorder(MemoryBook()))
    sent: list[Order] = []
    alert = EmergencyAlert("a-2", "Teams", "+442079460001", "999")
    for event in (Started("a-1", "b-1", 1, 2), Ended("a-1"), NotConnected("a-3"), alert):
        await conversation.handle(event, sent.append)
    assert sent == []
    assert [one.attempt_id for one in authoriser.started] == ["a-1"]
    assert authoriser.withdrawn == ["a-3"]
    assert authoriser.alerts == [alert]
    assert authoriser.asked == []
