"""Every path of DIDWW's API that this world answers."""

from __future__ import annotations

from typing import Any

from callplane.simulators.carriers.portal import Portal
from callplane.simulators.carriers.refusals import Refusal
from callplane.simulators.carriers.routing import Call, Handler, Route, RouteTable
from callplane.simulators.carriers.rows import AccessKey
from callplane.simulators.carriers.surface import Surface, json_body, key_with_secret
from callplane.simulators.carriers.world import Account, CarrierWorld
from callplane.simulators.didww import dids, orders, wire
from callplane.simulators.didww.world import DidwwPortal
from callplane.simulators.exchange import Request, Response


def _read(kind: str, path: str, handler: Handler) -> Route:
    return Route(kind, "GET", f"/v3/{path}", handler)


def _listing(kind: str, path: str, handler: Handler) -> Route:
    return Route(kind, "GET", f"/v3/{path}", handler, is_listing=True)


def _write(kind: str, method: str, path: str, handler: Handler) -> Route:
    return Route(kind, method, f"/v3/{path}", handler, is_write=True)


_TRUNKS = "voice_in_trunks"
_EMERGENCY = "emergency_calling_services"
_ROUTES = (
    _read("getBalance", "balance", orders.balance),
    _listing("listCountries", "countries", orders.countries),
    _listing("listGroups", "did_groups", orders.groups),
    _read("getGroup", "did_groups/{id}", orders.group),
    _listing("listVerifications", "address_verifications", dids.list_verifications),
    _listing("searchNumbers", "available_dids", orders.available),
    _write("reserveNumbers", "POST", "did_reservations", orders.reserve),
    _read("getReservation", "did_reservations/{id}", orders.get_reservation),
    _write("deleteReservation", "DELETE", "did_reservations/{id}", orders.delete_reservation),
    _listing("listOrders", "orders", orders.find),
    _write("createOrder", "POST", "orders", orders.create),
    _read("getOrder", "orders/{id}", orders.get),
    _write("cancelOrder", "DELETE", "orders/{id}", orders.cancel),
    _listing("listNumbers", "dids", dids.list_dids),
    _read("getNumber", "dids/{id}", dids.get_did),
    _write("updateNumber", "PATCH", "dids/{id}", dids.update_did),
    _listing("listTrunks", _TRUNKS, dids.list_trunks),
    _write("createTrunk", "POST", _TRUNKS, dids.create_trunk),
    _read("getTrunk", _TRUNKS + "/{id}", dids.get_trunk),
    _write("updateTrunk", "PATCH", _TRUNKS + "/{id}", dids.update_trunk),
    _write("deleteTrunk", "DELETE", _TRUNKS + "/{id}", dids.delete_trunk),
    _listing("listEmergencyServices", _EMERGENCY, dids.list_emergency),
    _write("createEmergencyService", "POST", _EMERGENCY, dids.create_emergency),
    _read("getEmergencyService", _EMERGENCY + "/{id}", dids.get_emergency),
    _write("cancelEmergencyService", "DELETE", _EMERGENCY + "/{id}", dids.cancel_emergency),
)


class DidwwSurface(Surface):
    """A key in the header Api-Key; JSON:API."""

    name = "didww"
    api_path = "/v3"
    routes = RouteTable(_ROUTES)

    def authenticate(self, world: CarrierWorld, request: Request) -> tuple[Account, AccessKey]:
        """The account of the key."""
        found = key_with_secret(world, request.header("api-key"))
        if found is None:
            raise self.unauthorized()
        return found

    def unauthorized(self) -> Refusal:
        """No key, or one that is worth nothing."""
        return Refusal(401, "401", "Unauthorized")

    def forbidden(self) -> Refusal:
        """A key that may not."""
        return Refusal(403, "403", "Access to the resource is forbidden")

    def unknown_path(self, path: str, *, is_known: bool) -> Refusal:
        """No such path."""
        return Refusal(405 if is_known else 404, "404", f"{path} not found")

    def throttled(self) -> Refusal:
        """Limits are not documented, and still to be expected."""
        return Refusal(429, "429", "Too many requests")

    def refused(self, world: CarrierWorld, refusal: Refusal) -> Response:
        """`{"errors": [...]}`."""
        return wire.error_response(refusal)

    def subject(self, call: Call, route: Route) -> str:
        """The first number an order asks for, the number behind an id, or the id."""
        key = call.names.get("id", "")
        row = call.world.owned_by_id(call.account, key)
        if row is not None:
            return row.e164
        if route.kind == "createOrder":
            return orders.first_number(call)
        return key

    def portal(self, world: CarrierWorld, account: Account) -> Portal:
        """The account's administrator, and those who look at papers."""
        return DidwwPortal(world, account)

    def body(self, request: Request) -> dict[str, Any]:
        """A JSON object."""
        try:
            return json_body(request)
        except ValueError:
            raise wire.refused("The request body is not valid JSON", status=400) from None
