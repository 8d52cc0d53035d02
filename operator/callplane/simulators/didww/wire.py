"""JSON:API: resources, pages, errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from callplane.simulators.carriers import listings
from callplane.simulators.carriers.refusals import Refusal
from callplane.simulators.carriers.routing import Call
from callplane.simulators.exchange import Response, json_response

Row = TypeVar("Row")

_MEDIA = {"content-type": "application/vnd.api+json"}
_PAGE_SIZE = 50
_PAGE_SIZE_MAX = 100


def refused(detail: str, pointer: str = "", *, status: int = 422) -> Refusal:
    """A request that cannot be done; 100 is the vendor's code for whatever fails validation."""
    return Refusal(status, "100", detail, field=pointer)


def not_found() -> Refusal:
    """There is no such thing in this account."""
    return Refusal(404, "404", "Record not found")


def error_response(refusal: Refusal) -> Response:
    """`{"errors": [...]}`; the status is in there as text too."""
    error: dict[str, object] = {
        "title": refusal.message,
        "detail": refusal.message,
        "code": refusal.code,
        "status": str(refusal.status),
    }
    if refusal.field:
        error["source"] = {"pointer": refusal.field}
    headers = {**refusal.headers, **_MEDIA}
    return json_response({"errors": [error]}, status=refusal.status, headers=headers)


def resource(
    kind: str,
    key: str,
    attributes: Mapping[str, object],
    related: Mapping[str, tuple[str, str] | None] | None = None,
) -> dict[str, object]:
    """One resource; `related` names its relationships as (type, id)."""
    relationships = {
        name: {"data": None if link is None else {"type": link[0], "id": link[1]}}
        for name, link in (related or {}).items()
    }
    found: dict[str, object] = {"id": key, "type": kind, "attributes": dict(attributes)}
    return found | {"relationships": relationships} if relationships else found


def answer(document: object, *, status: int = 200, included: Sequence[object] = ()) -> Response:
    """One resource or a list of them."""
    body: dict[str, object] = {"data": document}
    if included:
        body["included"] = list(included)
    return json_response(body, status=status, headers=_MEDIA)


def paged(call: Call, rows: Sequence[Row], shown: Callable[[Row], object]) -> Response:
    """A page, by `page[number]` and `page[size]`."""
    number = call.request.query.get("page[number]", "1")
    size = call.request.query.get("page[size]", str(_PAGE_SIZE))
    if not (number.isdigit() and size.isdigit() and 1 <= int(size) <= _PAGE_SIZE_MAX):
        raise refused("page is invalid", status=400)
    offset = (max(int(number), 1) - 1) * int(size)
    page = listings.page(rows, call.strikes, offset=offset, size=int(size))
    return json_response(
        {
            "data": [shown(row) for row in page.rows],
            "meta": {"total_records": page.total, "api_version": "2026-04-16"},
        },
        headers=_MEDIA,
    )


def attributes_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of the resource in a body. Raises Refusal."""
    data = body.get("data")
    if not isinstance(data, dict):
        raise refused("data is required", "/data", status=400)
    attributes = data.get("attributes", {})
    return attributes if isinstance(attributes, dict) else {}


def related(body: Mapping[str, Any], name: str) -> Any:
    """The `data` of a relationship in a body; None when it is not said, False when it is nulled."""
    document = body.get("data")
    relationships = document.get("relationships") if isinstance(document, dict) else None
    if not isinstance(relationships, dict) or not isinstance(relationships.get(name), dict):
        return None
    data = relationships[name].get("data")
    return False if data is None else data
