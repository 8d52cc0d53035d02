"""One trace an edit, from the watch to the status, with its parents right and nobody named."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from types import FrameType
from typing import Any

import pytest

from callplane import tracing
from callplane.engine import pass_traces
from callplane.engine.keyed_queue import TRIGGERS_MAX, Priority
from callplane.providers.transport import CallRecord
from callplane.testing.engine_world import SECRET, EngineWorld
from callplane.testing.recorded_traces import RecordedTraces, SeenSpan, SeenSpans, telling_words
from callplane.values import ObjectKey

pytestmark = pytest.mark.looptime

#: What a trace must never tell: numbers of the range, the person, the secret of the tenant.
UNTOLD = ("+44207946", "44207946", "ann@", "ann", SECRET.decode())


def recorded(world: EngineWorld) -> RecordedTraces:
    return RecordedTraces(lambda: round(world.clock.now().timestamp() * 1e9))


async def make(
    people: tuple[str, ...] = ("ann", "ben", "cid"),
) -> tuple[EngineWorld, RecordedTraces]:
    """A world at rest, whose traces begin now."""
    world = EngineWorld()
    found = recorded(world)
    world.traces = found.traces
    world.seed_people(people)
    world.seed_inventory()
    await world.seed_tenant(changeLimits={"settle": "1s"})
    await world.seed_range()
    await world.start()
    await world.settle(10)
    found.clear()
    return world, found


def passes(seen: SeenSpans, kind: str = "TeamsUser") -> list[SeenSpan]:
    return seen.named(f"pass {kind}")


async def test_an_edit_is_one_trace_from_the_watch_to_the_status() -> None:
    world, found = await make()
    await world.declare("ann")
    await world.settle(10)
    seen = found.seen()
    first = passes(seen)[0]
    event = seen.parent_of(first)
    assert event is not None
    assert (event.name, event.parent) == ("watch TeamsUser", "")
    (queue,) = [s for s in seen.named("queue") if s.trace == event.trace]
    assert queue.parent == event.span
    # Everything of the pass is in the event's trace, in this order, below the pass.
    parts = [s.name for s in seen.spans if s.parent == first.span and s.name != "commit"]
    assert parts == ["gather", "observe", "plan", "guard", "apply"]
    # That a write is under way is not worth a status; that all is done is.
    last = passes(seen)[-1]
    assert last.span in {s.parent for s in seen.named("report", outcome="Written")}
    assert first.span not in {s.parent for s in seen.named("report")}
    write = seen.named("write", operation="AssignNumber")[0]
    assert seen.path_of(write) == ["watch TeamsUser", "pass TeamsUser", "apply", "write"]
    commit = next(s for s in seen.named("commit") if s.parent == write.span)
    assert commit.trace == event.trace
    assert not seen.orphans()
    await world.stop()


async def test_every_trace_has_one_beginning_and_every_event_one_trace() -> None:
    world, found = await make()
    for name in ("ann", "ben", "cid"):
        await world.declare(name)
        await world.settle(10)
    seen = found.seen()
    roots = Counter(span.trace for span in seen.spans if not span.parent)
    assert set(roots.values()) == {1}
    assert {span.trace for span in seen.spans} == roots.keys()
    # One event a declared person asked for a pass; our own writes coming back did not.
    events = [
        s for s in seen.named("watch TeamsUser") if any(p.parent == s.span for p in passes(seen))
    ]
    assert len(events) == 3
    await world.stop()


async def test_what_follows_a_pass_by_itself_has_a_trace_that_names_it() -> None:
    world, found = await make()
    await world.declare("ann")
    await world.settle(10)
    seen = found.seen()
    first, second = passes(seen)[:2]
    assert first.attributes["callplane.verdict"] == "Waiting"
    assert second.trace != first.trace
    assert first.span in second.links
    above = seen.parent_of(second)
    assert above is not None
    assert (above.name, above.parent) == ("retry pass TeamsUser", "")
    assert above.begin_nanoseconds <= second.begin_nanoseconds <= above.end_nanoseconds
    await world.stop()


async def test_edits_that_one_pass_answers_are_all_named_by_it() -> None:
    world, found = await make()
    key = ObjectKey("TeamsUser", "default", "ann")
    await world.declare("ann")
    await world.settle(10)
    found.clear()
    body = await world.body("TeamsUser", "ann")
    # Three edits before any worker has its turn.
    for generation in (11, 12, 13):
        edited = {
            **body,
            "metadata": {
                **body["metadata"],
                "generation": generation,
                "resourceVersion": str(10_000 + generation),
            },
        }
        world.running.heard(key, edited, is_gone=False)
    await world.settle(1)
    seen = found.seen()
    events = seen.named("watch TeamsUser")
    assert len(events) == 3
    assert len({event.trace for event in events}) == 3
    (answer,) = [p for p in passes(seen) if p.parent == events[0].span]
    assert set(answer.links) == {events[1].span, events[2].span}
    await world.stop()


async def test_what_an_edit_wakes_has_traces_of_its_own_that_name_the_edit() -> None:
    world, found = await make()
    await world.declare("ann")
    await world.settle(10)
    found.clear()
    await world.seed_range(quarantine={"days": 30})
    await world.settle(10)
    seen = found.seen()
    (event,) = seen.named("watch NumberRange")
    woken = passes(seen)[0]
    assert woken.trace != event.trace
    assert event.span in woken.links
    await world.stop()


async def test_a_stall_is_an_error_with_its_reason_and_without_its_text() -> None:
    world, found = await make()
    await world.declare("ann")
    await world.settle(10)
    await world.apply_tenant(changeLimits={"maxCount": 0, "settle": "1s"})
    await world.settle(10)
    found.clear()
    await world.declare("ann", phoneNumber={"none": {}})
    await world.settle(10)
    seen = found.seen()
    waiting, stalled = passes(seen)[0], passes(seen)[-1]
    assert waiting.attributes["callplane.reason"] == "Settling"
    assert not waiting.is_error
    assert stalled.is_error
    assert stalled.attributes["callplane.verdict"] == "Stalled"
    assert stalled.attributes["callplane.reason"] == "ApprovalRequired"
    guard = next(s for s in seen.named("guard") if s.parent == stalled.span)
    assert guard.is_error
    (gate,) = [s for s in seen.named("gate") if s.parent == guard.span]
    assert gate.attributes["callplane.outcome"] == "Held"
    assert not gate.is_error
    assert "ChangePlan" not in "".join(s.text for s in seen.spans if s.trace == stalled.trace)
    await world.stop()


async def test_waiting_is_no_error() -> None:
    world, found = await make()
    await world.declare("ann")
    await world.settle(10)
    for span in found.seen().spans:
        assert not span.is_error, span.text
    await world.stop()


async def test_a_defect_of_ours_is_an_error_without_its_text() -> None:
    world, found = await make()

    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("ann@example.com has +442079460000")

    world.running.labels_of = broken  # type: ignore[method-assign, assignment]
    await world.declare("ann", namespace="default", tenantRef={"name": "main"})
    world.running.namespace_labels.clear()
    await world.settle(1)
    (failed, *_) = [s for s in found.seen().spans if s.is_error and s.name == "pass TeamsUser"]
    assert failed.attributes["callplane.reason"] == "InternalError"
    assert telling_words([failed], UNTOLD) == []
    await world.stop()


async def test_nobody_is_named_and_no_number_told() -> None:
    world, found = await make()
    await world.declare("ann")
    await world.settle(10)
    await world.delete("TeamsUser", "ann")
    await world.settle(10)
    assert world.number_of("ann") is None
    seen = found.seen()
    assert len(seen.spans) > 20
    assert telling_words(seen.spans, UNTOLD) == []
    await world.stop()


async def test_loops_of_a_connection_are_in_no_pass() -> None:
    """They are started by a pass, and run on for days."""
    world, found = await make()
    await world.settle(300)
    seen = found.seen()
    for span in seen.spans:
        if span.name.startswith("teams "):
            assert not span.parent
    assert not seen.orphans()
    await world.stop()


async def test_a_call_to_a_provider_is_a_part_of_what_asked_for_it() -> None:
    world, found = await make()
    with found.traces.begin("whatever"), tracing.step("observe"):
        world.running.called(CallRecord("teams", "listUsers", "throttled", 1.5, 429))
    seen = found.seen()
    (call,) = seen.named("teams listUsers")
    assert seen.path_of(call) == ["whatever", "observe", "teams listUsers"]
    assert call.end_nanoseconds - call.begin_nanoseconds == 1_500_000_000
    assert call.is_error
    assert call.attributes["http.response.status_code"] == 429
    await world.stop()


async def test_a_call_after_its_pass_has_a_trace_that_names_the_pass() -> None:
    """A task that a pass has started may outlive it."""
    world, found = await make()
    with found.traces.begin("short"):
        task = asyncio.create_task(late(world))
    await task
    seen = found.seen()
    (short,) = seen.named("short")
    (call,) = seen.named("teams readUser")
    assert (call.parent, call.links) == ("", (short.span,))
    await world.stop()


async def late(world: EngineWorld) -> None:
    await asyncio.sleep(1)
    world.running.called(CallRecord("teams", "readUser", "ok", 0.1, 200))


async def test_what_asks_too_often_is_not_remembered_for_ever() -> None:
    world, found = await make()
    key = ObjectKey("TeamsUser", "default", "nobody")
    for _ in range(3 * TRIGGERS_MAX):
        with found.traces.begin("edit"):
            world.running.queue.add_later(key, Priority.RETRY, 3600.0)
    assert len(world.running.queue._triggers[key]) == TRIGGERS_MAX
    world.running.queue.forget(key)
    assert key not in world.running.queue._triggers
    await world.stop()


async def test_nothing_is_computed_when_nobody_listens() -> None:
    """Counted, not timed: a pass without a listener asks the port a handful of times, gets the one
    span that does nothing, and builds no facts.
    """
    world = EngineWorld()
    world.seed_people(("ann",))
    world.seed_inventory()
    await world.seed_tenant(changeLimits={"settle": "1s"})
    await world.seed_range()
    await world.start()
    await world.declare("ann")
    await world.settle(10)
    calls: Counter[str] = Counter()

    def profile(frame: FrameType, event: str, _: Any) -> None:
        name = frame.f_globals.get("__name__", "")
        if event == "call" and name in (tracing.__name__, pass_traces.__name__):
            calls[frame.f_code.co_qualname] += 1

    before = world.running.last_pass_at
    sys.setprofile(profile)
    try:
        await world.annotate("TeamsUser", "ann", {"callplane.dev/reconcile-requested-at": "1"})
        await world.settle(0.5)
    finally:
        sys.setprofile(None)
    assert world.running.last_pass_at > before
    assert calls["_facts"] == 0
    assert calls["ended"] >= 1
    # Three for each of the seven steps of the pass, and some for the event, the queue and the end.
    assert sum(calls.values()) / calls["ended"] <= 50, calls
    await world.stop()


async def test_no_listener_is_one_object() -> None:
    assert tracing.step("a") is tracing.step("b", kind="c") is tracing.NO_SPAN
    assert tracing.NO_TRACES.begin("a") is tracing.NO_SPAN
    assert tracing.trigger_of("a") is None


async def test_a_timer_names_what_set_it_and_not_what_set_the_alarm() -> None:
    """All timers of the queue share one alarm of the loop, which is set by whoever comes first."""
    world, found = await make()
    queue = world.running.queue
    first, second = (ObjectKey("TeamsUser", "default", name) for name in ("one", "two"))
    with found.traces.begin("first"):
        queue.add_later(first, Priority.RETRY, 1.0)
    with found.traces.begin("second"):
        queue.add_later(second, Priority.RETRY, 1.0)
    await world.settle(2)
    seen = found.seen()
    named = {
        span.name: [each.links for each in seen.named("pass TeamsUser") if span.span in each.links]
        for span in (*seen.named("first"), *seen.named("second"))
    }
    assert {name: len(links) for name, links in named.items()} == {"first": 1, "second": 1}
    await world.stop()
