"""An admitted request, and what its handler may ask of it: parameters, checked fields, pages."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import quote

from callplane.simulators.exchange import Request, Response, json_response
from callplane.simulators.faults import Effect, FaultRule
from callplane.simulators.webex import refusals
from callplane.simulators.webex.organisation import Organisation

Row = TypeVar("Row")


@dataclass(slots=True)
class Call:
    """Whose organisation, who asks, the keys in the path, what will go wrong."""

    request: Request
    organisation: Organisation
    who: str
    keys: dict[str, str] = field(default_factory=dict)
    body: dict[str, object] = field(default_factory=dict)
    strikes: list[FaultRule] = field(default_factory=list)

    def strike(self, effect: Effect) -> FaultRule | None:
        """The rule with this effect that hits this request."""
        return next((rule for rule in self.strikes if rule.effect is effect), None)

    def query(self, name: str) -> str | None:
        """A parameter of the query."""
        return self.request.query.get(name)

    def flag(self, name: str) -> bool | None:
        """A parameter that is true or false. Raises Refusal."""
        text = self.query(name)
        if text is None:
            return None
        if text.lower() not in ("true", "false"):
            raise refusals.bad_request(f"{name}: true or false is wanted")
        return text.lower() == "true"

    def whole(self, name: str, *, default: int, largest: int | None = None) -> int:
        """A parameter that is a whole number. Raises Refusal."""
        text = self.query(name)
        if text is None:
            return default
        if not text.isascii() or not text.isdigit():
            raise refusals.bad_request(f"{name}: a whole number is wanted")
        value = int(text)
        if largest is not None and not 1 <= value <= largest:
            raise refusals.bad_request(f"{name}: between 1 and {largest}")
        return value

    # The body.

    def allow(self, *names: str) -> None:
        """Refuse fields nobody knows."""
        for name in self.body:
            if name not in names:
                raise refusals.bad_request(f"Unrecognized field '{name}'")

    def text(self, name: str) -> str | None:
        """A text of the body, None when absent, null or empty. Raises Refusal."""
        return text_of(self.body, name)

    def needed(self, name: str) -> str:
        """A text of the body that must be there. Raises Refusal."""
        value = self.text(name)
        if value is None:
            raise refusals.bad_request(f"{name} is required")
        return value

    def texts(self, name: str) -> list[str] | None:
        """A list of texts of the body. Raises Refusal."""
        value = self.body.get(name)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise refusals.bad_request(f"{name}: a list of texts is wanted")
        return value

    def mappings(self, name: str) -> list[Mapping[str, object]] | None:
        """A list of objects of the body. Raises Refusal."""
        value = self.body.get(name)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            raise refusals.bad_request(f"{name}: a list of objects is wanted")
        return value


def text_of(body: Mapping[str, object], name: str) -> str | None:
    """A text of an object, None when absent, null or empty. Raises Refusal."""
    value = body.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise refusals.bad_request(f"{name}: a text is wanted")
    return value


def parsed_body(request: Request) -> dict[str, object]:
    """The JSON object of a request, empty when there is none. Raises Refusal."""
    if not request.body:
        return {}
    try:
        body = json.loads(request.body)
    except ValueError:
        raise refusals.bad_request("The request body is not valid JSON.") from None
    if not isinstance(body, dict):
        raise refusals.bad_request("The request body is not a JSON object.")
    return body


def page(
    call: Call, rows: Sequence[Row], *, size: int, place: str = "start"
) -> tuple[list[Row], dict[str, str]]:
    """The rows of one page and the headers that lead to the next, after this request's misfortunes.

    `place` is the parameter that says where a page begins.
    """
    offset = begin = call.whole(place, default=0)
    repeated, gap, loop = 0, False, False
    for rule in call.strikes:
        if rule.effect is Effect.LISTING_EMPTY:
            rows = rows[:0]
        elif rule.effect is Effect.LISTING_HALF:
            rows = rows[: int(len(rows) * rule.fraction)]
        elif rule.effect is Effect.LISTING_SKIP:
            begin += rule.count
        elif rule.effect is Effect.LISTING_REPEAT:
            repeated += rule.count
        gap = gap or rule.effect is Effect.LISTING_GAP
        loop = loop or rule.effect is Effect.LISTING_LOOP
    end = begin + size
    shown = list(rows[begin:end])
    if repeated:
        shown += shown[-repeated:]
    if loop:
        return shown, _link(call, place, offset)
    if gap:
        # The rows of this page are not lost: the next link asks for them again.
        return [], _link(call, place, offset)
    return shown, _link(call, place, end) if end < len(rows) else {}


def listing(
    call: Call, name: str, documents: Sequence[object], headers: Mapping[str, str], **more: object
) -> Response:
    """A collection called `name`, with whatever stands beside it."""
    shown = list(documents)
    if call.strike(Effect.LISTING_INVALID_ROW) is not None:
        shown.insert(len(shown) // 2, {"id": None, "phoneNumber": 7, "mainNumber": "perhaps"})
    return json_response({name: shown, **more}, headers=headers)


def _link(call: Call, place: str, value: int) -> dict[str, str]:
    query = {**call.request.query, place: str(value)}
    text = "&".join(f"{name}={quote(each, safe='')}" for name, each in query.items())
    return {"Link": f'<{call.request.origin()}{call.request.path}?{text}>; rel="next"'}
