"""`$batch`: up to 20 requests in one, each with its own fate. Written from the JSON batching
article.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl

from callplane.simulators.exchange import Request, Response, json_response
from callplane.simulators.graph import refusals
from callplane.simulators.graph.routing import Route
from callplane.simulators.graph.service import Call

PATH = "/v1.0/$batch"
MAXIMUM_PARTS = 20


def _never(call: Call) -> Response:
    raise RuntimeError("a batch is answered by `answer`")


ROUTE = Route("batch", _never, frozenset())

_PART_FIELDS = frozenset({"id", "method", "url", "headers", "body", "dependsOn"})


def answer(call: Call, perform: Callable[[Request], Response]) -> Response:
    """Do the parts in order; a part whose `dependsOn` failed is answered 424."""
    parts = call.body.get("requests")
    if set(call.body) != {"requests"} or not isinstance(parts, list) or not parts:
        raise refusals.bad_request("Invalid batch payload format.")
    if len(parts) > MAXIMUM_PARTS:
        raise refusals.bad_request("Number of batch request steps exceeds the maximum value of 20.")
    statuses: dict[str, int] = {}
    documents: list[dict[str, object]] = []
    for index, part in enumerate(parts):
        part_id, request, needs = _part(call.request, part, f"requests[{index}]")
        if part_id.lower() in statuses:
            raise refusals.bad_request(f"Duplicate id '{part_id}' in batch.")
        failed = any(statuses.get(each.lower(), 424) >= 400 for each in needs)
        response = Response(424) if failed else perform(request)
        statuses[part_id.lower()] = response.status
        documents.append(_document(part_id, response))
    return json_response({"responses": documents})


def _part(outer: Request, part: object, place: str) -> tuple[str, Request, list[str]]:
    if not isinstance(part, dict) or not _PART_FIELDS.issuperset(part):
        raise refusals.bad_request(f"{place}: invalid batch payload format.")
    part_id, method, url = part.get("id"), part.get("method"), part.get("url")
    if not (isinstance(part_id, str) and isinstance(method, str) and isinstance(url, str)):
        raise refusals.bad_request(f"{place}: id, method and url are needed.")
    own: object = part.get("headers") or {}
    if not isinstance(own, Mapping):
        raise refusals.bad_request(f"{place}: headers must be an object.")
    inherited = (b"authorization", b"host")
    headers: dict[bytes, bytes] = {
        name: value for name, value in outer.headers.items() if name in inherited
    }
    headers |= {str(n).lower().encode("ascii"): str(v).encode("latin-1") for n, v in own.items()}
    if "body" in part and b"content-type" not in headers:
        raise refusals.bad_request(f"{place}: a body needs the header Content-Type.")
    path, _, query = url.partition("?")
    request = Request(
        method=method.upper(),
        path=f"/v1.0/{path.lstrip('/')}",
        query=dict(parse_qsl(query, keep_blank_values=True)),
        headers=headers,
        body=json.dumps(part["body"]).encode("utf-8") if "body" in part else b"",
        scheme=outer.scheme,
    )
    needs: object = part.get("dependsOn") or []
    if not isinstance(needs, list):
        raise refusals.bad_request(f"{place}: dependsOn must be a list.")
    return part_id, request, [str(each) for each in needs]


def _document(part_id: str, response: Response) -> dict[str, object]:
    names = {b"location": "Location", b"retry-after": "Retry-After"}
    headers = {
        names.get(name, name.decode("ascii")): value.decode("latin-1")
        for name, value in response.headers
    }
    document: dict[str, object] = {"id": part_id, "status": response.status, "headers": headers}
    if response.body:
        document["body"] = json.loads(response.body)
    return document
