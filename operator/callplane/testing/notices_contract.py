"""What notices do, over PostgreSQL and its in-memory twin: one list of checks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from callplane.billing.notices import NoticeKind, Threshold
from callplane.store.notices_ports import DeliveryState, Notice, NoticeBook
from callplane.testing.billing_builders import ACCOUNT
from callplane.testing.books_builders import NOW, payer

Check = Callable[[NoticeBook], Awaitable[None]]
CHECKS: dict[str, Check] = {}
EIGHTY = Threshold(NoticeKind.CEILING, 80, 100_000_000, 81_000_000)
PBX = Threshold(NoticeKind.FAIR_USE, 100, 50, 80, about="sales/pbx")


def check(function: Check) -> Check:
    CHECKS[function.__name__] = function
    return function


async def cross(
    notices: NoticeBook, *thresholds: Threshold, account: str = ACCOUNT
) -> tuple[Notice, ...]:
    whose = payer(account)
    return await notices.cross(whose, thresholds, targets=["desk", "pager"], now=NOW)


@check
async def a_threshold_is_crossed_once_a_limit_and_month(notices: NoticeBook) -> None:
    (first,) = await cross(notices, EIGHTY)
    assert (first.threshold, first.at) == (EIGHTY, NOW)
    assert await cross(notices, EIGHTY) == ()
    raised = Threshold(NoticeKind.CEILING, 80, 200_000_000, 161_000_000)
    assert [one.threshold for one in await cross(notices, EIGHTY, raised, PBX)] == [raised, PBX]
    following = payer(setup=NOW + timedelta(days=30))
    assert await notices.cross(following, [EIGHTY], targets=[], now=NOW)
    assert await cross(notices, EIGHTY, account="sales/other")


@check
async def many_at_once_cross_it_once(notices: NoticeBook) -> None:
    found = await asyncio.gather(*(cross(notices, EIGHTY) for _ in range(5)))
    assert sum(map(len, found)) == 1
    assert len(await notices.take(now=NOW)) == 2


@check
async def a_delivery_is_taken_once(notices: NoticeBook) -> None:
    await cross(notices, PBX)
    taken = await asyncio.gather(*(notices.take(now=NOW) for _ in range(5)))
    found = sorted((one for batch in taken for one in batch), key=lambda one: one.target)
    first, second = found
    assert (first.target, first.attempts, second.target) == ("desk", 1, "pager")
    assert first.notice.threshold == PBX
    await notices.end(first, DeliveryState.DELIVERED)
    await notices.end(second, DeliveryState.UNKNOWN)
    assert await notices.take(now=NOW + timedelta(days=9)) == ()
    assert await notices.states() == {DeliveryState.DELIVERED: 1, DeliveryState.UNKNOWN: 1}


@check
async def what_was_refused_waits_for_its_time(notices: NoticeBook) -> None:
    await notices.cross(payer(), [EIGHTY], targets=["desk"], now=NOW)
    (one,) = await notices.take(now=NOW)
    again = NOW + timedelta(seconds=60)
    await notices.end(one, DeliveryState.WAITING, next_at=again)
    assert await notices.take(now=again - timedelta(seconds=1)) == ()
    (two,) = await notices.take(now=again)
    assert (two.notice, two.attempts) == (one.notice, 2)


@check
async def what_was_being_sent_in_a_crash_is_unknown_and_not_sent_again(
    notices: NoticeBook,
) -> None:
    await notices.cross(payer(), [EIGHTY], targets=["desk"], now=NOW)
    (lost,) = await notices.take(now=NOW)
    assert await notices.abandon() == 1
    assert await notices.abandon() == 0
    assert await notices.take(now=NOW + timedelta(days=9)) == ()
    # Whoever comes back from the dead changes nothing any more.
    await notices.end(lost, DeliveryState.WAITING, next_at=NOW)
    assert await notices.states() == {DeliveryState.UNKNOWN: 1}
