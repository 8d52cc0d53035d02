"""Keys wait once, run once, have one timer; each new key wakes one worker."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest

from callplane.engine.keyed_queue import DRIFT_TURN, KeyedQueue, Priority
from callplane.values import ObjectKey

pytestmark = pytest.mark.looptime


def key(name: str) -> ObjectKey:
    return ObjectKey("TeamsUser", "sales", name)


def queue_of(*names: str) -> KeyedQueue:
    queue = KeyedQueue(asyncio.get_running_loop().time, random.Random(1))
    for name in names:
        queue.add(key(name), Priority.INITIAL)
    return queue


async def taken(queue: KeyedQueue) -> str:
    found = await queue.take()
    queue.done(found.key)
    return found.key.name


async def test_keys_come_by_priority_then_in_order_and_once() -> None:
    queue = queue_of("a", "b", "c")
    queue.add(key("c"), Priority.USER)
    queue.add(key("a"), Priority.DRIFT)
    assert queue.depth() == {**dict.fromkeys(Priority, 0), Priority.USER: 1, Priority.INITIAL: 2}
    assert [await taken(queue) for _ in range(3)] == ["c", "a", "b"]
    assert queue.is_idle
    assert set(queue.depth().values()) == {0}


async def test_a_forgotten_key_waits_no_more() -> None:
    queue = queue_of("a", "b")
    queue.forget(key("a"))
    assert queue.waiting(Priority.INITIAL) == 1
    assert await taken(queue) == "b"
    assert queue.is_idle


async def test_a_key_that_runs_is_not_taken_twice_and_runs_again_afterwards() -> None:
    queue = queue_of("a")
    first = await queue.take()
    queue.add(first.key, Priority.USER)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await queue.take()
    queue.done(first.key)
    assert (await queue.take()).priority is Priority.USER


async def test_a_timer_brings_its_key_when_it_is_due() -> None:
    queue = queue_of()
    time = asyncio.get_running_loop().time
    queue.add_later(key("late"), Priority.RETRY, 20.0)
    queue.add_later(key("soon"), Priority.RETRY, 5.0)
    began = time()
    assert await taken(queue) == "soon"
    assert time() - began == pytest.approx(5.0, abs=0.01)
    assert await taken(queue) == "late"
    assert time() - began == pytest.approx(20.0, abs=0.01)


async def test_a_sooner_timer_wakes_who_sleeps_for_a_later_one() -> None:
    queue = queue_of()
    time = asyncio.get_running_loop().time
    began = time()
    queue.add_later(key("a"), Priority.RETRY, 100.0)
    sleeping = asyncio.create_task(queue.take())
    await asyncio.sleep(1.0)
    queue.add_later(key("b"), Priority.RETRY, 2.0)
    assert (await sleeping).key == key("b")
    assert time() - began == pytest.approx(3.0, abs=0.01)


async def test_a_pass_makes_the_older_timer_of_its_key_moot() -> None:
    queue = queue_of()
    queue.add_later(key("a"), Priority.RETRY, 10.0)
    queue.add(key("a"), Priority.USER)
    assert await taken(queue) == "a"
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(60):
            await queue.take()


async def test_a_new_key_wakes_one_worker() -> None:
    queue = queue_of()
    woken: Counter[str] = Counter()

    async def work(name: str) -> None:
        while True:
            found = await queue.take()
            woken[name] += 1
            queue.done(found.key)

    workers = [asyncio.create_task(work(str(nth))) for nth in range(8)]
    await asyncio.sleep(1)
    for nth in range(800):
        queue.add(key(f"n{nth}"), Priority.USER)
        await asyncio.sleep(0)
    await asyncio.sleep(1)
    assert sum(woken.values()) == 800
    assert queue.is_idle
    for worker in workers:
        worker.cancel()
    await asyncio.gather(*workers, return_exceptions=True)


async def test_a_worker_that_is_cancelled_as_it_is_woken_leaves_the_key_to_another() -> None:
    queue = queue_of()
    first, second = asyncio.create_task(queue.take()), asyncio.create_task(queue.take())
    await asyncio.sleep(1)
    queue.add(key("a"), Priority.USER)
    first.cancel()
    async with asyncio.timeout(5):
        assert (await second).key == key("a")
    assert first.cancelled()


async def test_a_cancelled_sleeper_is_forgotten() -> None:
    queue = queue_of()
    first = asyncio.create_task(queue.take())
    await asyncio.sleep(1)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    second = asyncio.create_task(queue.take())
    await asyncio.sleep(1)
    queue.add(key("a"), Priority.USER)
    async with asyncio.timeout(5):
        assert (await second).key == key("a")


async def test_a_flood_of_edits_does_not_starve_drift_checks() -> None:
    queue = queue_of()
    queue.add(key("drift"), Priority.DRIFT)
    for nth in range(2 * DRIFT_TURN):
        queue.add(key(f"n{nth}"), Priority.USER)
    names = [await taken(queue) for _ in range(DRIFT_TURN)]
    assert "drift" in names


async def test_twenty_workers_lose_nothing_and_never_share_a_key() -> None:
    queue = queue_of()
    chance = random.Random(7)
    running: set[ObjectKey] = set()
    asked, seen = Counter[str](), Counter[str]()

    async def work() -> None:
        while True:
            found = await queue.take()
            assert found.key not in running
            running.add(found.key)
            at = asked[found.key.name]
            await asyncio.sleep(chance.random() / 100)
            seen[found.key.name] = max(seen[found.key.name], at)
            running.discard(found.key)
            queue.done(found.key)

    workers = [asyncio.create_task(work()) for _ in range(20)]
    for _ in range(5000):
        name = f"n{chance.randrange(100)}"
        asked[name] += 1
        if chance.random() < 0.2:
            queue.add_later(key(name), Priority.RETRY, chance.random())
        else:
            queue.add(key(name), Priority(chance.randrange(5)))
        if chance.random() < 0.3:
            await asyncio.sleep(chance.random() / 100)
    await asyncio.sleep(30)
    assert queue.is_idle
    assert seen == asked
    for worker in workers:
        worker.cancel()
    await asyncio.gather(*workers, return_exceptions=True)
