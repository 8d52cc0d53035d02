"""Notices under one suite: over PostgreSQL, and over their twin; a guard taken out is missed."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from callplane.store import notices_postgres
from callplane.store.notices_memory import MemoryNotices
from callplane.store.notices_ports import DeliveryState, NoticeBook
from callplane.store.notices_postgres import PostgresNotices
from callplane.testing.books_builders import NOW, payer
from callplane.testing.notices_contract import CHECKS, EIGHTY, Check


@pytest.fixture(params=["memory", "postgres"])
async def notices(request: pytest.FixtureRequest) -> AsyncIterator[NoticeBook]:
    if request.param == "memory":
        yield MemoryNotices()
        return
    opened = PostgresNotices(request.getfixturevalue("migrated_dsn"))
    await opened.open()
    yield opened
    await opened.close()


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
async def test_notices(notices: NoticeBook, check: Check) -> None:
    await check(notices)


@pytest.mark.parametrize(
    ("statement", "old", "new", "misses"),
    [
        ("TAKE", "set state = 'Sending', ", "set ", "a_delivery_is_taken_once"),
        (
            "ABANDON",
            "state = 'Unknown'",
            "state = 'Waiting'",
            "what_was_being_sent_in_a_crash_is_unknown_and_not_sent_again",
        ),
        (
            "END",
            "and state = 'Sending'",
            "",
            "what_was_being_sent_in_a_crash_is_unknown_and_not_sent_again",
        ),
        (
            "TAKE",
            "and next_at <= %s",
            "and %s::timestamptz is not null",
            "what_was_refused_waits_for_its_time",
        ),
    ],
)
async def test_a_mutant_of_a_statement_is_caught(  # noqa: PLR0913 - a case has as many parts
    migrated_dsn: str,
    statement: str,
    old: str,
    new: str,
    misses: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = getattr(notices_postgres, statement)
    assert text.count(old) == 1
    monkeypatch.setattr(notices_postgres, statement, text.replace(old, new))
    opened = PostgresNotices(migrated_dsn)
    await opened.open()
    try:
        with pytest.raises((AssertionError, ValueError)):
            await CHECKS[misses](opened)
    finally:
        await opened.close()


SENDS_ONE = """
import asyncio, sys
from callplane.notify.webhooks import WebhookMessage, WebhookSender
from callplane.store.notices_postgres import PostgresNotices
from callplane.testing.books_builders import NOW

async def main():
    notices = PostgresNotices(sys.argv[1])
    await notices.open()
    (one,) = await notices.take(now=NOW)
    await WebhookSender().send(WebhookMessage(sys.argv[2], "id", {}, b"key"), at_seconds=1)

asyncio.run(main())
"""


async def test_a_process_that_is_killed_while_it_sends_has_sent_once(migrated_dsn: str) -> None:
    """SIGKILL at the moment at which the receiver has the whole request."""
    received: list[bytes] = []
    sent = asyncio.Event()

    async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.readuntil(b"{}"))
        sent.set()
        await reader.read()
        writer.close()

    notices = PostgresNotices(migrated_dsn)
    await notices.open()
    server = await asyncio.start_server(receive, "127.0.0.1", 0)
    try:
        assert await notices.cross(payer(), [EIGHTY], targets=["desk"], now=NOW)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", SENDS_ONE, migrated_dsn, url
        )
        await asyncio.wait_for(sent.wait(), 60)
        process.kill()
        await process.wait()
        # The next leader finds the mark, and sends nothing.
        assert await notices.abandon() == 1
        assert await notices.take(now=NOW + timedelta(days=9)) == ()
        assert await notices.states() == {DeliveryState.UNKNOWN: 1}
    finally:
        server.close()
        await server.wait_closed()
        await notices.close()
    assert len(received) == 1
