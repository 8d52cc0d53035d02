"""Pigeon Post's paths, key and refusals. It knows nothing of the provider."""

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
    TooManyNumbers,
)
from callplane.simulators.exchange import Request, Response, json_response

_PAGE_ROWS = 200


class PigeonWorld(CarrierWorld):
    """An account's numbers are perched."""

    name = "pigeon"
    owned_state = "perched"


def numbers(call: Call) -> Response:
    rows = listings.owned(call.world, call.account)
    after = call.request.query.get("after", "")
    rest = [row for row in rows if row.e164[1:] > after]
    page = listings.page(rest, call.strikes, offset=0, size=_PAGE_ROWS)
    following = page.rows[-1].e164[1:] if page.has_more else None
    return json_response({"numbers": [_shown(row) for row in page.rows], "next": following})


def number(call: Call) -> Response:
    return json_response(_shown(_mine(call)))


def update(call: Call) -> Response:
    changes = {name: call.body[name] for name in ("flies_to", "ring") if name in call.body}
    return json_response(_shown(call.world.set_attributes(_mine(call), changes, by=call.who)))


def release(call: Call) -> Response:
    call.world.release(_mine(call).e164, by=call.who)
    return Response(204)


def market(call: Call) -> Response:
    prefix, count = call.request.query.get("prefix", ""), int(call.request.query["count"])
    found = [row.e164[1:] for row in call.world.on_sale(call.account)]
    return json_response({"numbers": [each for each in found if each.startswith(prefix)][:count]})


def buy(call: Call) -> Response:
    orders = call.account.shelf("pigeon_orders")
    reference = call.names["reference"]
    if reference not in orders:
        try:
            call.world.acquire(f"+{call.body.get('number')}", call.account, by=call.who)
        except NotForSale:
            raise Refusal(409, "flown", "That pigeon has flown.") from None
        except TooManyNumbers:
            raise Refusal(409, "loft", "The loft is full.") from None
        except NotEnoughMoney:
            raise Refusal(402, "purse", "The purse is empty.") from None
        orders[reference] = {"number": call.body.get("number")}
    return json_response(orders[reference], status=201)


def order(call: Call) -> Response:
    found = call.account.shelf("pigeon_orders").get(call.names["reference"])
    if found is None:
        raise Refusal(404, "order", "There is no such order.")
    return json_response(found)


def purse(call: Call) -> Response:
    left = decimal_text(call.account.balance_minor)
    return json_response({"left": left, "coin": call.account.currency})


class PigeonSurface(Surface):
    name = "pigeon"
    api_path = ""
    routes = RouteTable(
        (
            Route("listNumbers", "GET", "/numbers", numbers, is_listing=True),
            Route("getNumber", "GET", "/numbers/{number}", number),
            Route("updateNumber", "PATCH", "/numbers/{number}", update, is_write=True),
            Route("releaseNumber", "DELETE", "/numbers/{number}", release, is_write=True),
            Route("searchNumbers", "GET", "/market", market, is_listing=True),
            Route("getOrder", "GET", "/orders/{reference}", order),
            Route("buyNumber", "PUT", "/orders/{reference}", buy, is_write=True),
            Route("getBalance", "GET", "/purse", purse),
        )
    )

    def authenticate(self, world: CarrierWorld, request: Request) -> tuple[Account, AccessKey]:
        found = key_with_secret(world, request.header("x-pigeon-key"))
        if found is None:
            raise self.unauthorized()
        return found

    def unauthorized(self) -> Refusal:
        return Refusal(401, "key", "Whose pigeon is this?")

    def forbidden(self) -> Refusal:
        return Refusal(403, "ring", "This key may look only.")

    def unknown_path(self, path: str, *, is_known: bool) -> Refusal:
        return Refusal(405 if is_known else 404, "path", "No pigeon flies there.")

    def throttled(self) -> Refusal:
        return Refusal(429, "tired", "The pigeons are tired.")

    def refused(self, world: CarrierWorld, refusal: Refusal) -> Response:
        document = {"no": refusal.code, "words": refusal.message}
        return json_response(document, status=refusal.status, headers=refusal.headers)

    def subject(self, call: Call, route: Route) -> str:
        name = call.names.get("number") or call.body.get("number")
        return f"+{name}" if name else ""


def _mine(call: Call) -> NumberRow:
    row = call.world.seen(f"+{call.names['number']}")
    if row is None or row.owner != call.account.id:
        raise Refusal(404, "nest", "That pigeon does not nest here.")
    return row


def _shown(row: NumberRow) -> dict[str, object]:
    return {"number": row.e164[1:], "state": row.state, **row.attributes}
