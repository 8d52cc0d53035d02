"""What listings of carriers have in common."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from callplane.clock import SystemClock
from callplane.providers import carrier_rows
from callplane.providers.carrier_protocol import NumberPage
from callplane.providers.protocol import Unavailable
from callplane.resources.carriers import NumberOnCarrier
from callplane.values import E164

Pages = list[list[dict[str, Any]]]


def row(index: int, **more: Any) -> dict[str, Any]:
    return {"number": f"+442079460{index:03}", **more}


def listed(found: Mapping[str, Any]) -> NumberOnCarrier:
    return NumberOnCarrier(E164(found["number"]))


def pages_of(pages: Pages, total: int) -> list[NumberPage]:
    async def fetch(page: int) -> tuple[Sequence[Mapping[str, Any]], int]:
        return pages[page - 1] if page <= len(pages) else [], total

    async def everything() -> list[NumberPage]:
        found = carrier_rows.counted_pages(
            fetch, is_ours=lambda each: not each.get("gone"), listed=listed, clock=SystemClock()
        )
        return [page async for page in found]

    return asyncio.run(everything())


def test_pages_are_read_until_all_that_were_counted_have_come() -> None:
    first, second = pages_of([[row(1), row(2)], [row(3)]], total=3)
    assert (len(first.rows), first.last, first.total) == (2, False, None)
    assert (len(second.rows), second.last, second.total) == (1, True, 3)


def test_an_account_without_numbers_is_one_empty_page() -> None:
    (page,) = pages_of([], total=0)
    assert (page.rows, page.last, page.total) == ((), True, 0)


def test_numbers_that_are_ours_no_more_count_for_the_end_and_not_for_the_total() -> None:
    (page,) = pages_of([[row(1), row(2, gone=True)]], total=2)
    assert (len(page.rows), page.total) == (1, 1)


def test_a_listing_that_ends_too_early_is_no_listing() -> None:
    with pytest.raises(Unavailable, match="1 of 2 numbers are missing"):
        pages_of([[row(1)]], total=2)


def test_rows_that_cannot_be_read_are_counted() -> None:
    (page,) = pages_of([[row(1), {"number": "none"}, {}]], total=3)
    assert (len(page.rows), page.bad_rows) == (1, 2)
