"""Notices reach Events, metrics and receivers, each at most once, whatever dies in between."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from callplane.engine import account_notices
from callplane.errors import CallplaneError
from callplane.notify.webhooks import SendOutcome
from callplane.store.notices_ports import DeliveryState
from callplane.testing.account_desk import KEY, Desk, body, rounds
from callplane.testing.books_builders import NOW


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_r24_a_threshold_is_told_once_a_month(desk: Desk) -> None:
    await desk.spend(1)
    assert await desk.round() == 0
    await desk.spend(1, "more")
    assert [await desk.round() for _ in range(3)] == [1, 0, 0]
    (event,) = desk.events.seen
    assert (event.reason, event.type) == ("CeilingNotice", "Warning")
    assert "have cost 0.02 of at most 0.02 GBP in 2026-11: 80 %" in event.message
    (sent,) = desk.receiver.seen
    assert (sent.url, sent.secret) == ("https://hooks.example/acme", b"secret")
    assert sent.content["kind"] == "Ceiling"
    assert sent.content["month"] == "2026-11"
    value = desk.telemetry.registry.get_sample_value
    assert value("callplane_notices_total", {"kind": "Ceiling"}) == 1
    assert value("callplane_notice_deliveries_total", {"state": "Delivered"}) == 1


async def test_what_accounts_have_used_is_shown_with_every_look_at_the_books(desk: Desk) -> None:
    value = desk.telemetry.registry.get_sample_value
    money = {"account": "sales/acme", "currency": "GBP"}
    await desk.round()
    assert value("callplane_account_micros", {**money, "part": "posted"}) == 0
    await desk.spend(2)
    await desk.round()
    assert value("callplane_account_micros", {**money, "part": "posted"}) == 20_000
    assert value("callplane_account_micros", {**money, "part": "ceiling"}) == 20_000


async def test_a_changed_key_signs_the_next_notice(desk: Desk) -> None:
    await desk.spend(2)
    await desk.round()
    desk.secrets.value = b"newer\nsecret\n"
    desk.cache.put(KEY, body("0.03"))
    await desk.spend(1, "more")
    await desk.round()
    assert [one.secret for one in desk.receiver.seen] == [b"secret", b"newer\nsecret"]


async def test_a_raise_arms_the_notice_again(desk: Desk) -> None:
    await desk.spend(2)
    assert await desk.round() == 1
    desk.cache.put(KEY, body("0.03"))
    assert await desk.round() == 0
    await desk.spend(1, "more")
    assert await desk.round() == 1
    assert len({one.delivery_id for one in desk.receiver.seen}) == 2


async def test_what_a_receiver_refuses_is_sent_again_later(desk: Desk) -> None:
    desk.receiver.outcomes = [SendOutcome.REFUSED, SendOutcome.REFUSED]
    await desk.spend(2)
    await desk.round()
    await desk.round()
    assert len(desk.receiver.seen) == 1
    for pause in account_notices.RETRY_SECONDS[:2]:
        desk.clock.advance(pause)
        await desk.round()
    assert len(desk.receiver.seen) == 3
    assert len({one.delivery_id for one in desk.receiver.seen}) == 1
    assert await desk.notices.states() == {DeliveryState.DELIVERED: 1}


async def test_a_receiver_that_never_takes_it_is_given_up(desk: Desk) -> None:
    desk.receiver.outcomes = [SendOutcome.REFUSED] * 99
    await desk.spend(2)
    for _ in range(20):
        await desk.round()
        desk.clock.advance(max(account_notices.RETRY_SECONDS))
    assert len(desk.receiver.seen) == len(account_notices.RETRY_SECONDS) + 1
    assert await desk.notices.states() == {DeliveryState.GIVEN_UP: 1}


async def test_an_answer_that_does_not_come_is_not_waited_for_twice(desk: Desk) -> None:
    desk.receiver.outcomes = [SendOutcome.UNKNOWN]
    await desk.spend(2)
    for _ in range(3):
        await desk.round()
        desk.clock.advance(90_000)
    assert len(desk.receiver.seen) == 1


async def test_a_leader_that_dies_while_sending_sends_at_most_once(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.receiver.killed = True
    await desk.spend(2)
    await desk.keeping.notices.give()
    with pytest.raises(asyncio.CancelledError):
        await desk.keeping.notices.deliver()
    desk.receiver.killed = False
    task = asyncio.create_task(desk.begin(notice_seconds=0).run())
    await rounds()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await desk.notices.states() == {DeliveryState.UNKNOWN: 1}
    assert len(desk.receiver.seen) == 1
    assert len(desk.events.seen) == 1
    assert "1 notices were being sent" in caplog.text


@pytest.mark.parametrize("error", [None, CallplaneError("forbidden")])
async def test_without_its_secret_nothing_is_sent_unsigned(
    desk: Desk, error: Exception | None
) -> None:
    desk.secrets.is_there, desk.secrets.error = False, error
    await desk.spend(2)
    await desk.round()
    assert desk.receiver.seen == []
    desk.secrets.is_there, desk.secrets.error = True, None
    desk.clock.advance(account_notices.RETRY_SECONDS[0])
    await desk.round()
    assert len(desk.receiver.seen) == 1


async def test_a_target_that_is_gone_is_given_up(desk: Desk) -> None:
    await desk.spend(2)
    await desk.keeping.notices.give()
    desk.cache.put(KEY, body(notificationTargets=[]))
    await desk.keeping.notices.deliver()
    assert await desk.notices.states() == {DeliveryState.GIVEN_UP: 1}


async def test_a_round_that_fails_is_tried_again(desk: Desk) -> None:
    desk.books.available = False
    task = asyncio.create_task(desk.begin(notice_seconds=0).run())
    await rounds()
    desk.books.available = True
    await desk.spend(2)
    await rounds()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert len(desk.receiver.seen) == 1
    assert desk.clock.now() - NOW < timedelta(seconds=1)
