"""Events: few, folded, limited, and never in the way."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from callplane.cluster import api_errors, ports
from callplane.cluster.events import (
    EventRecorder,
    EventSettings,
    EventSubject,
    ObjectEvent,
    cut_note,
)
from callplane.cluster.resource_kinds import EVENTS
from callplane.testing.fake_cluster import FakeCluster, Fault

ANN = EventSubject("callplane.dev/v1alpha1", "TeamsUser", "default", "ann", "uid-ann")
ASSIGNED = ObjectEvent(ANN, "NumberAssigned", "+44…0001 is assigned", action="Assign")


class ManualClock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def recorder(cluster: FakeCluster, clock: ManualClock) -> EventRecorder:
    return EventRecorder(cluster, clock=clock, instance="pod-1")


async def events_of(cluster: FakeCluster) -> list[ports.Body]:
    return (await cluster.as_manager("test").list_all(EVENTS, namespace="default")).items


async def test_an_event_names_object_reason_and_reporter(
    cluster: FakeCluster, recorder: EventRecorder
) -> None:
    recorder.emit(ASSIGNED)
    await recorder.flush()
    [event] = await events_of(cluster)
    assert event["reason"] == "NumberAssigned"
    assert event["action"] == "Assign"
    assert event["note"] == "+44…0001 is assigned"
    assert event["type"] == "Normal"
    assert event["eventTime"] == "2026-01-01T00:00:00.000000Z"
    assert event["reportingController"] == "callplane.dev/operator"
    assert event["reportingInstance"] == "pod-1"
    assert event["regarding"] == {
        "apiVersion": "callplane.dev/v1alpha1",
        "kind": "TeamsUser",
        "namespace": "default",
        "name": "ann",
        "uid": "uid-ann",
    }
    assert "series" not in event


async def test_the_same_news_is_one_event_with_a_count(
    cluster: FakeCluster, recorder: EventRecorder, clock: ManualClock
) -> None:
    for _ in range(3):
        recorder.emit(ASSIGNED)
        await recorder.flush()
        clock.seconds += 60
    [event] = await events_of(cluster)
    assert event["series"] == {"count": 3, "lastObservedTime": "2026-01-01T00:02:00.000000Z"}
    assert [request.verb for request in cluster.requests] == [
        "create",
        "merge_patch",
        "merge_patch",
    ]


async def test_repeats_before_the_first_was_sent_cost_no_request(
    cluster: FakeCluster, recorder: EventRecorder
) -> None:
    for _ in range(4):
        recorder.emit(ASSIGNED)
    await recorder.flush()
    [event] = await events_of(cluster)
    assert event["series"]["count"] == 4
    assert len(cluster.requests) == 1


@pytest.mark.parametrize(
    "other",
    [
        replace(ASSIGNED, reason="NumberKept"),
        replace(ASSIGNED, message="+44…0002 is assigned"),
        replace(ASSIGNED, subject=replace(ANN, uid="uid-bob", name="bob")),
        replace(ASSIGNED, type="Warning"),
    ],
)
async def test_other_news_is_another_event(
    cluster: FakeCluster, recorder: EventRecorder, other: ObjectEvent
) -> None:
    recorder.emit(ASSIGNED)
    recorder.emit(other)
    await recorder.flush()
    assert len(await events_of(cluster)) == 2


async def test_a_long_pause_begins_a_new_event(
    cluster: FakeCluster, recorder: EventRecorder, clock: ManualClock
) -> None:
    recorder.emit(ASSIGNED)
    await recorder.flush()
    clock.seconds += 601
    recorder.emit(ASSIGNED)
    await recorder.flush()
    assert len(await events_of(cluster)) == 2


async def test_a_noisy_object_is_limited_and_a_quiet_one_is_not(
    cluster: FakeCluster, recorder: EventRecorder, clock: ManualClock
) -> None:
    for number in range(40):
        recorder.emit(replace(ASSIGNED, message=f"try {number}"))
    recorder.emit(replace(ASSIGNED, subject=replace(ANN, uid="uid-bob", name="bob")))
    await recorder.flush()
    assert len(await events_of(cluster)) == 26
    assert recorder.counts.dropped == 15
    clock.seconds += 299
    recorder.emit(replace(ASSIGNED, message="still too early"))
    clock.seconds += 1
    recorder.emit(replace(ASSIGNED, message="one in five minutes"))
    recorder.emit(replace(ASSIGNED, message="and not two"))
    await recorder.flush()
    notes = {event["note"] for event in await events_of(cluster)}
    assert "one in five minutes" in notes
    assert not {"still too early", "and not two"} & notes


async def test_what_the_limiter_held_back_is_counted_in_the_next_patch(
    cluster: FakeCluster, clock: ManualClock
) -> None:
    settings = EventSettings(burst=1, refill_seconds=60)
    recorder = EventRecorder(cluster, clock=clock, instance="pod-1", settings=settings)
    for _ in range(7):
        recorder.emit(ASSIGNED)
        await recorder.flush()
        clock.seconds += 10
    [event] = await events_of(cluster)
    assert event["series"]["count"] == 7
    assert len(cluster.requests) == 2


async def test_an_event_that_expired_on_the_server_is_told_anew(
    cluster: FakeCluster, recorder: EventRecorder
) -> None:
    recorder.emit(ASSIGNED)
    await recorder.flush()
    [event] = await events_of(cluster)
    await cluster.as_manager("test").delete(
        EVENTS, namespace="default", name=event["metadata"]["name"]
    )
    recorder.emit(ASSIGNED)
    await recorder.flush()
    [event] = await events_of(cluster)
    assert event["series"]["count"] == 2


async def test_a_failing_server_is_counted_and_hurts_nobody(
    cluster: FakeCluster, recorder: EventRecorder, caplog: pytest.LogCaptureFixture
) -> None:
    cluster.faults.append(Fault(api_errors.Forbidden("namespace is being terminated")))
    recorder.emit(ASSIGNED)
    await recorder.flush()
    assert recorder.counts.failed == 1
    assert "NumberAssigned" in caplog.text
    recorder.emit(ASSIGNED)
    await recorder.flush()
    [event] = await events_of(cluster)
    assert event["series"]["count"] == 2


async def test_a_lost_answer_makes_no_second_event(
    cluster: FakeCluster, recorder: EventRecorder
) -> None:
    cluster.faults.append(Fault(api_errors.Unavailable("lost"), verb="create", after=True))
    for _ in range(3):
        recorder.emit(ASSIGNED)
        await recorder.flush()
    [event] = await events_of(cluster)
    assert event["series"]["count"] == 3


async def test_a_full_queue_drops_and_does_not_wait(
    cluster: FakeCluster, clock: ManualClock
) -> None:
    settings = EventSettings(queue_length=2)
    recorder = EventRecorder(cluster, clock=clock, instance="pod-1", settings=settings)
    for number in range(5):
        recorder.emit(replace(ASSIGNED, message=str(number)))
    assert recorder.counts.dropped == 3
    await recorder.flush()
    assert recorder.counts.sent == 2


async def test_memory_is_bounded(cluster: FakeCluster, clock: ManualClock) -> None:
    settings = EventSettings(remembered_objects=10, queue_length=1000)
    recorder = EventRecorder(cluster, clock=clock, instance="pod-1", settings=settings)
    for number in range(100):
        recorder.emit(replace(ASSIGNED, subject=replace(ANN, uid=f"u{number}", name=f"n{number}")))
    await recorder.flush()
    assert len(await events_of(cluster)) == 100
    assert recorder.remembered() == 10


async def test_run_sends_until_cancelled(cluster: FakeCluster, recorder: EventRecorder) -> None:
    task = asyncio.create_task(recorder.run())
    recorder.emit(ASSIGNED)
    for _ in range(5):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(await events_of(cluster)) == 1


def test_a_note_fits_the_servers_limit_in_bytes() -> None:
    assert cut_note("short") == "short"
    for long in ("x" * 2000, "…" * 500, "é" * 513, "x" * 1023 + "é"):
        note = cut_note(long)
        assert len(note.encode()) <= 1024
        assert note.endswith("…")
    assert cut_note("x" * 1024) == "x" * 1024


def test_the_subject_of_a_body() -> None:
    body = {
        "apiVersion": "callplane.dev/v1alpha1",
        "kind": "TeamsUser",
        "metadata": {"namespace": "default", "name": "ann", "uid": "uid-ann"},
    }
    assert EventSubject.of(body) == ANN
