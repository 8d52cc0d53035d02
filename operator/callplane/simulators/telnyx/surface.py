"""Every path of Telnyx's API that this world answers."""

from __future__ import annotations

from typing import Any

from callplane.simulators.call_log import LoggedCall, instant
from callplane.simulators.carriers.refusals import Refusal
from callplane.simulators.carriers.routing import Call, Handler, Route, RouteTable
from callplane.simulators.carriers.rows import AccessKey, decimal_text
from callplane.simulators.carriers.surface import Surface, json_body, key_with_secret
from callplane.simulators.carriers.world import Account, CarrierWorld
from callplane.simulators.exchange import Request, Response
from callplane.simulators.telnyx import orders, owned, ports, refusals, searching, things
from callplane.simulators.telnyx.wire import data, paged, wanted, whole


def balance(call: Call) -> Response:
    """GET balance: texts."""
    text = decimal_text(call.account.balance_minor)
    return data(
        {
            "record_type": "balance",
            "balance": text,
            "credit_limit": "0.00",
            "available_credit": text,
            "pending": "0.00",
            "currency": call.account.currency,
        }
    )


_RECORDS_PAGE_MAX = 50


def detail_records(call: Call) -> Response:
    """GET detail_records: legs of SIP trunks by the time they were made."""
    kind = wanted(call, "record_type")
    if kind is None:
        raise Refusal(400, "10015", "filter[record_type] is required")
    whole(call, "page[size]", 20, largest=_RECORDS_PAGE_MAX)
    now = call.world.clock.now()
    try:
        start = instant(wanted(call, "created_at", "gte") or "2000-01-01T00:00:00Z")
        end = instant(wanted(call, "created_at", "lt") or now.isoformat())
    except ValueError:
        raise Refusal(400, "10015", "filter[created_at] is not a time") from None
    rows = call.account.calls.ended_within(start, end, now=now) if kind == "sip-trunking" else []
    return paged(call, rows, _detail_record)


def _detail_record(row: LoggedCall) -> dict[str, object]:
    return {
        "record_type": "sip-trunking",
        "id": row.id,
        "session_id": row.id,
        "direction": "inbound" if row.inbound else "outbound",
        "cli": row.caller,
        "cld": row.called,
        "call_sec": row.seconds,
        "billed_sec": -(-row.seconds // 60) * 60,
        "finished_at": row.ended.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "currency": "GBP",
        "cost": "0.00",
        "rate": "0.00",
    }


def _read(kind: str, path: str, handler: Handler) -> Route:
    return Route(kind, "GET", f"/v2/{path}", handler, subject="id")


def _listing(kind: str, path: str, handler: Handler) -> Route:
    return Route(kind, "GET", f"/v2/{path}", handler, is_listing=True)


def _write(kind: str, method: str, path: str, handler: Handler) -> Route:
    return Route(kind, method, f"/v2/{path}", handler, is_write=True, subject="id")


_JOBS = "phone_numbers/jobs"
_RESERVATION = "number_reservations/{id}"
_ROUTES = (
    _read("getBalance", "balance", balance),
    _listing("searchNumbers", "available_phone_numbers", searching.search),
    _listing("listReservations", "number_reservations", searching.list_reservations),
    _write("reserveNumbers", "POST", "number_reservations", searching.reserve),
    _read("getReservation", _RESERVATION, searching.get_reservation),
    _write(
        "extendReservation", "POST", _RESERVATION + "/actions/extend", searching.extend_reservation
    ),
    _listing("listOrders", "number_orders", orders.find),
    _write("createOrder", "POST", "number_orders", orders.create),
    _read("getOrder", "number_orders/{id}", orders.get),
    _read("getOrderedNumber", "number_order_phone_numbers/{id}", orders.get_number),
    _listing("listSubOrders", "sub_number_orders", orders.list_parts),
    _read("getSubOrder", "sub_number_orders/{id}", orders.get_part),
    _write("cancelSubOrder", "PATCH", "sub_number_orders/{id}/cancel", orders.cancel),
    _listing("listComments", "comments", orders.comments),
    _listing("listNumbers", "phone_numbers", owned.list_numbers),
    _listing("listNumbersSlim", "phone_numbers/slim", owned.list_slim),
    _listing("listJobs", _JOBS, owned.list_jobs),
    _write("deleteNumbers", "POST", f"{_JOBS}/delete_phone_numbers", owned.delete_many),
    _write("updateNumbers", "POST", f"{_JOBS}/update_phone_numbers", owned.update_many),
    _read("getJob", _JOBS + "/{id}", owned.get_job),
    _read("getNumber", "phone_numbers/{id}", owned.get_number),
    _write("updateNumber", "PATCH", "phone_numbers/{id}", owned.update),
    _write("releaseNumber", "DELETE", "phone_numbers/{id}", owned.release),
    _read("getVoice", "phone_numbers/{id}/voice", owned.get_voice),
    _write("updateVoice", "PATCH", "phone_numbers/{id}/voice", owned.update_voice),
    _write(
        "putEmergency",
        "POST",
        "phone_numbers/{id}/actions/enable_emergency",
        owned.enable_emergency,
    ),
    # A look at what can be ported changes nothing, although it is a POST.
    Route("checkPortability", "POST", "/v2/portability_checks", ports.check),
    _listing("listPorts", "porting_orders", ports.find),
    _write("openPort", "POST", "porting_orders", ports.create),
    _read("getPort", "porting_orders/{id}", ports.get),
    _write("updatePort", "PATCH", "porting_orders/{id}", ports.update),
    _write("deletePort", "DELETE", "porting_orders/{id}", ports.delete),
    _write("confirmPort", "POST", "porting_orders/{id}/actions/confirm", ports.confirm),
    _write("cancelPort", "POST", "porting_orders/{id}/actions/cancel", ports.cancel),
    _listing("listLosingCarriers", "porting/uk_carriers", ports.list_carriers),
    _listing("listDetailRecords", "detail_records", detail_records),
    _write(
        "submitRequirementGroup",
        "POST",
        "requirement_groups/{id}/submit_for_approval",
        things.submit_group,
    ),
    *(route for thing in things.THINGS for route in thing.routes()),
)


class TelnyxSurface(Surface):
    """A bearer key; JSON."""

    name = "telnyx"
    api_path = "/v2"
    routes = RouteTable(_ROUTES)

    def authenticate(self, world: CarrierWorld, request: Request) -> tuple[Account, AccessKey]:
        """The account of the key."""
        scheme, _, secret = request.header("authorization").partition(" ")
        found = key_with_secret(world, secret) if scheme == "Bearer" else None
        if found is None:
            raise self.unauthorized()
        return found

    def unauthorized(self) -> Refusal:
        """No key, or one that is worth nothing."""
        return Refusal(401, "10009", "The API key looks malformed or has been revoked.")

    def forbidden(self) -> Refusal:
        """A key that may not."""
        return Refusal(403, "10010", "You do not have permission to perform this action.")

    def unknown_path(self, path: str, *, is_known: bool) -> Refusal:
        """No such path."""
        return Refusal(405 if is_known else 404, "10005", f"{path} could not be found.")

    def throttled(self) -> Refusal:
        """Too many calls."""
        return Refusal(429, "10011", "You have exceeded the maximum number of allowed requests.")

    def refused(self, world: CarrierWorld, refusal: Refusal) -> Response:
        """`{"errors": [...]}`."""
        return refusals.response(refusal)

    def subject(self, call: Call, route: Route) -> str:
        """The first number of an order, or the number behind the id in the path."""
        numbers = call.body.get("phone_numbers")
        if isinstance(numbers, list) and numbers:
            first = numbers[0]
            return str(first.get("phone_number", "")) if isinstance(first, dict) else str(first)
        key = call.names.get("id", "")
        row = call.world.owned_by_id(call.account, key)
        return row.e164 if row is not None else key

    def body(self, request: Request) -> dict[str, Any]:
        """A JSON object."""
        try:
            return json_body(request)
        except ValueError:
            raise Refusal(400, "10015", "The request body is not valid JSON.") from None
