"""Telnyx's common forms: data with or without paging, filters, checks of a body."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from callplane.simulators.carriers import listings
from callplane.simulators.carriers.routing import Call
from callplane.simulators.exchange import Response, json_response
from callplane.simulators.telnyx import refusals

Row = TypeVar("Row")

_PAGE_SIZE = 20
_PAGE_SIZE_MAX = 250


def data(document: object, *, status: int = 200) -> Response:
    """One thing, or a list that is not paged."""
    return json_response({"data": document}, status=status)


def paged(call: Call, rows: Sequence[Row], shown: Callable[[Row], object]) -> Response:
    """A page of rows, by `page[number]` and `page[size]`."""
    number = whole(call, "page[number]", 1, largest=1_000_000)
    size = whole(call, "page[size]", _PAGE_SIZE, largest=_PAGE_SIZE_MAX)
    page = listings.page(rows, call.strikes, offset=(number - 1) * size, size=size)
    return json_response(
        {
            "data": [shown(row) for row in page.rows],
            "meta": {
                "total_pages": -(-page.total // size),
                "total_results": page.total,
                "page_number": number,
                "page_size": size,
            },
        }
    )


def whole(call: Call, name: str, default: int, *, largest: int) -> int:
    """A whole number of the query from 1 to `largest`. Raises Refusal."""
    text = call.request.query.get(name, str(default))
    if not text.isdigit() or not 1 <= int(text) <= largest:
        raise refusals.unprocessable(f"{name} must be between 1 and {largest}")
    return int(text)


def wanted(call: Call, *path: str) -> str | None:
    """A filter such as `filter[phone_number][contains]`, None when it was not sent."""
    return call.request.query.get("filter" + "".join(f"[{part}]" for part in path))


def text_list(body: dict[str, Any], name: str) -> list[str]:
    """A list of texts in a body. Raises Refusal."""
    value = body.get(name)
    if not isinstance(value, list) or not value or not all(isinstance(v, str) for v in value):
        raise refusals.unprocessable(f"{name} must be a list of texts", f"/{name}")
    return value
