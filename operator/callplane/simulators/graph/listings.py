"""Pages: `$top`, `$skip`, next links, and the ways a listing can go wrong."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import quote

from callplane.simulators.exchange import Request, Response
from callplane.simulators.faults import Effect, FaultRule
from callplane.simulators.graph import refusals

Row = TypeVar("Row")

INVALID_ROW = b'{"id":null,"telephoneNumber":"tel:not-a-number","userPrincipalName":7}'
"""A row that breaks every schema of this world."""


@dataclass(frozen=True, slots=True)
class Window:
    """Which rows a request wants."""

    offset: int
    size: int


def number_window(request: Request) -> Window:
    """`$top` (default 500, at most 1000) and `$skip`."""
    top = _whole(request, "$top", default=500, smallest=1)
    if top > 1000:
        raise refusals.bad_request("The limit of '1000' for Top query has been exceeded.")
    return Window(_whole(request, "$skip", default=0, smallest=0), top)


def token_window(request: Request, *, default: int, largest: int) -> Window:
    """`$top`, and the place a next link of ours points to."""
    top = _whole(request, "$top", default=min(default, largest), smallest=1)
    if top > largest:
        raise refusals.bad_request(f"The limit of '{largest}' for Top query has been exceeded.")
    return Window(_whole(request, "$skiptoken", default=0, smallest=0), top)


def page(
    rows: Sequence[Row], window: Window, strikes: Iterable[FaultRule]
) -> tuple[list[Row], bool]:
    """The rows of one page and whether more follow, after the misfortunes of this request."""
    offset = window.offset
    repeated = 0
    for rule in strikes:
        if rule.effect is Effect.LISTING_EMPTY:
            rows = rows[:0]
        elif rule.effect is Effect.LISTING_HALF:
            rows = rows[: int(len(rows) * rule.fraction)]
        elif rule.effect is Effect.LISTING_SKIP:
            offset += rule.count
        elif rule.effect is Effect.LISTING_REPEAT:
            repeated += rule.count
    end = offset + window.size
    shown = list(rows[offset:end])
    if repeated:
        shown += shown[-repeated:]
    return shown, end < len(rows)


def page_response(
    documents: Iterable[bytes],
    *,
    context: str,
    next_link: str | None = None,
    count: int | None = None,
    strikes: Iterable[FaultRule] = (),
) -> Response:
    """A collection from rendered rows."""
    rendered = list(documents)
    if any(rule.effect is Effect.LISTING_INVALID_ROW for rule in strikes):
        rendered.insert(len(rendered) // 2, INVALID_ROW)
    head = b'{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#%s"' % context.encode()
    if count is not None:
        head += b',"@odata.count":%d' % count
    if next_link is not None:
        head += b',"@odata.nextLink":"%s"' % next_link.encode()
    return Response(200, head + b',"value":[' + b",".join(rendered) + b"]}")


def next_link(request: Request, place: str, value: int) -> str:
    """The address of the next page: this request with `place` ($skip or $skiptoken) moved on."""
    query = {**request.query, place: str(value)}
    text = "&".join(f"{name}={quote(each, safe='')}" for name, each in query.items())
    return f"{request.origin()}{request.path}?{text}"


def _whole(request: Request, name: str, *, default: int, smallest: int) -> int:
    text = request.query.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or int(text) < smallest:
        raise refusals.bad_request(f"Invalid value '{text}' for {name} query option found.")
    return int(text)
