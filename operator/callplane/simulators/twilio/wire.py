"""Twilio's common forms: errors with a number, two styles of pages, fields of a form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

from callplane.simulators.carriers import listings
from callplane.simulators.carriers.refusals import Refusal
from callplane.simulators.carriers.routing import Call
from callplane.simulators.exchange import Response, json_response

Row = TypeVar("Row")

_PAGE_SIZE = 50
_PAGE_SIZE_MAX = 1000


def refused(code: int, message: str, *, status: int = 400) -> Refusal:
    """An error with one of the vendor's numbers."""
    return Refusal(status, str(code), message)


def not_found(path: str) -> Refusal:
    """There is no such thing in this account."""
    return refused(20404, f"The requested resource {path} was not found", status=404)


def error_response(refusal: Refusal) -> Response:
    """`{code, message, more_info, status}`. A code that is no number becomes the general one."""
    code = int(refusal.code) if refusal.code.isdigit() else 20500
    document = {
        "code": code,
        "message": refusal.message,
        "more_info": f"https://www.twilio.example/docs/errors/{code}",
        "status": refusal.status,
    }
    return json_response(document, status=refusal.status, headers=refusal.headers)


def old_page(
    call: Call, name: str, rows: Sequence[Row], shown: Callable[[Row], object]
) -> Response:
    """A page in the style of the oldest API: addresses without an origin, beside the rows."""
    number, size = _window(call)
    page = listings.page(rows, call.strikes, offset=number * size, size=size)
    path = call.request.path

    def address(of: int) -> str:
        query = {n: v for n, v in call.request.query.items() if n not in ("Page", "PageSize")}
        return f"{path}?{urlencode({**query, 'PageSize': size, 'Page': of})}"

    return json_response(
        {
            name: [shown(row) for row in page.rows],
            "page": number,
            "page_size": size,
            "start": number * size,
            "end": number * size + max(len(page.rows) - 1, 0),
            "uri": address(number),
            "first_page_uri": address(0),
            "next_page_uri": address(number + 1) if page.has_more else None,
            "previous_page_uri": address(number - 1) if number else None,
        }
    )


def new_page(
    call: Call, name: str, rows: Sequence[Row], shown: Callable[[Row], object]
) -> Response:
    """A page in the newer style: whole addresses, in `meta`."""
    number, size = _window(call)
    page = listings.page(rows, call.strikes, offset=number * size, size=size)
    base = f"{call.request.origin()}{call.request.path}"

    def address(of: int) -> str:
        return f"{base}?PageSize={size}&Page={of}"

    return json_response(
        {
            name: [shown(row) for row in page.rows],
            "meta": {
                "key": name,
                "page": number,
                "page_size": size,
                "url": address(number),
                "first_page_url": address(0),
                "next_page_url": address(number + 1) if page.has_more else None,
                "previous_page_url": address(number - 1) if number else None,
            },
        }
    )


def field(body: dict[str, Any], name: str) -> str | None:
    """A field of a form; an empty one clears what it names, and is told apart from none."""
    value = body.get(name)
    return value if isinstance(value, str) else None


def required(body: dict[str, Any], name: str) -> str:
    """A field that must not be empty. Raises Refusal."""
    value = field(body, name)
    if not value:
        raise refused(20001, f"Missing required parameter {name} in the post body")
    return value


def whole(body: dict[str, Any], name: str) -> int:
    """A whole number of a form. Raises Refusal."""
    text = required(body, name)
    if not text.isdigit():
        raise refused(20001, f"{name} must be a whole number")
    return int(text)


def _window(call: Call) -> tuple[int, int]:
    number = call.request.query.get("Page", "0")
    size = call.request.query.get("PageSize", str(_PAGE_SIZE))
    if not number.isdigit() or not size.isdigit() or not 1 <= int(size) <= _PAGE_SIZE_MAX:
        raise refused(20006, "Page or PageSize is invalid")
    return int(number), int(size)
