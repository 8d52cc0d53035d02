"""The example carrier's interface as its (made-up) documentation has it.

Bearer key; JSON; numbers with plus. `GET numbers?page=N` and `GET offers?prefix=` list, `GET|DELETE
numbers/{number}` read and give back, `PUT numbers/{number}/trunk` routes, `POST orders` buys at
once and keeps `reference`, `GET orders/{reference}` finds it again. Errors are `{"error": code,
"text": sentence}`.
"""

from __future__ import annotations

from callplane.simulators.carriers import listings
from callplane.simulators.carriers.refusals import Refusal
from callplane.simulators.carriers.routing import Call, Route, RouteTable
from callplane.simulators.carriers.rows import AccessKey, NumberRow, decimal_text
from callplane.simulators.carriers.surface import Surface, key_with_secret
from callplane.simulators.carriers.world import (
    Account,
    CarrierWorld,
    NotEnoughMoney,
    NotForSale,
)
from callplane.simulators.exchange import Request, Response, json_response

PAGE_ROWS = 100


class ExampleWorld(CarrierWorld):
    """Nothing but what every carrier has."""

    name = "example"
    owned_state = "live"


def list_numbers(call: Call) -> Response:
    """GET numbers, a page of them."""
    offset = int(call.request.query.get("page", "0")) * PAGE_ROWS
    rows = listings.owned(call.world, call.account)
    page = listings.page(rows, call.strikes, offset=offset, size=PAGE_ROWS)
    numbers = [_document(row) for row in page.rows]
    return json_response({"numbers": numbers, "more": page.has_more, "count": page.total})


def list_offers(call: Call) -> Response:
    """GET offers."""
    prefix = call.request.query.get("prefix", "")
    rows = [row for row in call.world.on_sale(call.account) if row.e164.startswith(f"+{prefix}")]
    return json_response({"offers": [{"number": row.e164} for row in rows[:PAGE_ROWS]]})


def get_number(call: Call) -> Response:
    """GET numbers/{number}."""
    return json_response(_document(_mine(call)))


def put_trunk(call: Call) -> Response:
    """PUT numbers/{number}/trunk, with a note of ours."""
    attributes = {"trunk": call.body.get("trunk"), "note": call.body.get("note")}
    row = call.world.set_attributes(_mine(call), attributes, by=call.who)
    return json_response(_document(row))


def release(call: Call) -> Response:
    """DELETE numbers/{number}."""
    call.world.release(_mine(call).e164, by=call.who)
    return Response(204)


def order(call: Call) -> Response:
    """POST orders: bought when it is answered."""
    number, reference = str(call.body.get("number")), str(call.body.get("reference"))
    try:
        call.world.acquire(number, call.account, by=call.who)
    except NotForSale:
        raise Refusal(409, "gone", "The number is not on sale any more.") from None
    except NotEnoughMoney:
        raise Refusal(402, "money", "The account has not enough money.") from None
    call.account.shelf("example_orders")[reference] = {"number": number}
    return json_response({"reference": reference, "number": number}, status=201)


def get_order(call: Call) -> Response:
    """GET orders/{reference}."""
    found = call.account.shelf("example_orders").get(call.names["reference"])
    if found is None:
        raise Refusal(404, "unknown", "There is no such order.")
    return json_response({"reference": call.names["reference"], **found})


def balance(call: Call) -> Response:
    """GET balance."""
    account = call.account
    amount = decimal_text(account.balance_minor)
    return json_response({"amount": amount, "currency": account.currency})


def _document(row: NumberRow) -> dict[str, object]:
    shown = {name: row.attributes.get(name) for name in ("trunk", "note")}
    return {"number": row.e164, "state": row.state, **shown}


def _mine(call: Call) -> NumberRow:
    row = call.world.stock.get(call.names["number"])
    if row is None or row.owner != call.account.id:
        raise Refusal(404, "unknown", "The account has no such number.")
    return row


class ExampleSurface(Surface):
    """Paths, key and errors."""

    name = "example"
    api_path = "/v1"
    routes = RouteTable(
        (
            Route("listNumbers", "GET", "/v1/numbers", list_numbers, is_listing=True),
            Route("searchNumbers", "GET", "/v1/offers", list_offers, is_listing=True),
            Route("getBalance", "GET", "/v1/balance", balance),
            Route("getNumber", "GET", "/v1/numbers/{number}", get_number),
            Route("putTrunk", "PUT", "/v1/numbers/{number}/trunk", put_trunk, is_write=True),
            Route("releaseNumber", "DELETE", "/v1/numbers/{number}", release, is_write=True),
            Route("createOrder", "POST", "/v1/orders", order, is_write=True),
            Route("getOrder", "GET", "/v1/orders/{reference}", get_order),
        )
    )

    def authenticate(self, world: CarrierWorld, request: Request) -> tuple[Account, AccessKey]:
        """The account of the key."""
        found = key_with_secret(world, request.header("authorization").removeprefix("Bearer "))
        if found is None:
            raise self.unauthorized()
        return found

    def unauthorized(self) -> Refusal:
        """A key that is worth nothing."""
        return Refusal(401, "key", "The key is not valid.")

    def forbidden(self) -> Refusal:
        """A key that may read only."""
        return Refusal(403, "key", "The key may not do this.")

    def unknown_path(self, path: str, *, is_known: bool) -> Refusal:
        """No such path."""
        return Refusal(405 if is_known else 404, "path", "There is nothing here.")

    def throttled(self) -> Refusal:
        """Too many calls."""
        return Refusal(429, "slow", "Slow down.")

    def refused(self, world: CarrierWorld, refusal: Refusal) -> Response:
        """In the carrier's own shape."""
        document = {"error": refusal.code, "text": refusal.message}
        return json_response(document, status=refusal.status, headers=refusal.headers)

    def subject(self, call: Call, route: Route) -> str:
        """The number a request is about."""
        return call.names.get("number", "") or str(call.body.get("number", ""))
