"""Every path of Simwood's API that this world answers."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl

from callplane.simulators.carriers.portal import Portal
from callplane.simulators.carriers.refusals import Refusal
from callplane.simulators.carriers.routing import Call, Handler, Route, RouteTable
from callplane.simulators.carriers.rows import AccessKey
from callplane.simulators.carriers.surface import Surface, json_body
from callplane.simulators.carriers.world import Account, CarrierWorld
from callplane.simulators.exchange import Request, Response
from callplane.simulators.simwood import (
    account_pages,
    configurations,
    inventory,
    ports,
    refusals,
    trunks,
)
from callplane.simulators.simwood.world import SimwoodPortal

_NUMBERS = "/v3/numbers/{account}"
_OWNED = _NUMBERS + "/allocated/{number}"
_VOICE = "/v3/voice/{account}"
_TRUNK = _VOICE + "/trunks/{trunk}"
_PORTING = "/v3/porting/{account}"
_BALANCE = "/v3/accounts/{account}/prepay/balance"


def _read(kind: str, path: str, handler: Handler) -> Route:
    return Route(kind, "GET", path, handler, subject="number")


def _write(kind: str, method: str, path: str, handler: Handler) -> Route:
    return Route(kind, method, path, handler, is_write=True, subject="number")


def _listing(kind: str, method: str, path: str, handler: Handler) -> Route:
    return Route(kind, method, path, handler, is_listing=True)


_ROUTES = (
    Route("time", "GET", "/v3/tools/time", account_pages.tool_time, is_open=True),
    Route("myIp", "GET", "/v3/tools/myip", account_pages.tool_my_ip, is_open=True),
    _read("getBalance", _BALANCE, account_pages.balance),
    _read("getFence", _BALANCE + "/{fence}", account_pages.get_fence),
    _write("putFence", "PUT", _BALANCE + "/{fence}", account_pages.put_fence),
    _read("getAccountType", "/v3/accounts/{account}/type", account_pages.account_type),
    _read("getLimits", _VOICE + "/limits", account_pages.limits),
    _listing("listCalls", "GET", _VOICE + "/cdr", account_pages.call_records),
    _read("getInProgress", _VOICE + "/inprogress/current", account_pages.in_progress),
    _listing("listRanges", "GET", _NUMBERS + "/ranges", inventory.ranges),
    _listing(
        "searchConsecutive",
        "POST",
        _NUMBERS + "/available/consecutive/{count}",
        inventory.search_consecutive,
    ),
    _listing("searchNumbers", "GET", _NUMBERS + "/available/{tier}/{count}", inventory.search),
    # Asking for a report changes nothing at the carrier, although it is a POST.
    _listing("requestReport", "POST", _NUMBERS + "/allocated/{extent}", inventory.request_report),
    _listing("listReports", "GET", "/v3/files/{account}", inventory.list_files),
    _listing("fetchReport", "GET", "/v3/files/{account}/{hash}", inventory.fetch_file),
    _read("getNumber", _OWNED, inventory.get_number),
    _write("buyNumber", "PUT", _OWNED, inventory.buy),
    _write("releaseNumber", "DELETE", _OWNED, inventory.release),
    _read("getConfig", _OWNED + "/config", configurations.get_config),
    _write("putConfig", "PUT", _OWNED + "/config", configurations.put_config),
    _write("deleteConfig", "DELETE", _OWNED + "/config", configurations.delete_config),
    _read("getNumberTrunk", _OWNED + "/trunk", inventory.get_trunk),
    _write("putNumberTrunk", "PUT", _OWNED + "/trunk", inventory.put_trunk),
    _write("deleteNumberTrunk", "DELETE", _OWNED + "/trunk", inventory.delete_trunk),
    _read("getEmergency", _OWNED + "/999", inventory.get_emergency),
    _write("putEmergency", "PUT", _OWNED + "/999", inventory.put_emergency),
    _read("getLastCall", _OWNED + "/lastcall", inventory.last_call),
    _read("getDefaultConfig", _NUMBERS + "/default/config", configurations.get_default),
    _write("putDefaultConfig", "PUT", _NUMBERS + "/default/config", configurations.put_default),
    _write(
        "deleteDefaultConfig", "DELETE", _NUMBERS + "/default/config", configurations.delete_default
    ),
    _read("validateNumber", _NUMBERS + "/validate/{number}", inventory.validate),
    _read("lookUpNumber", _NUMBERS + "/lookup/{number}", inventory.look_up),
    _listing("listTrunks", "GET", _VOICE + "/trunks", trunks.list_trunks),
    _read("getTrunk", _TRUNK, trunks.get_trunk),
    _write("putTrunk", "PUT", _TRUNK, trunks.put_trunk),
    _write("deleteTrunk", "DELETE", _TRUNK, trunks.delete_trunk),
    _write("resetPassword", "POST", _TRUNK + "/password_reset", trunks.reset_password),
    _read("getTrunkAcl", _TRUNK + "/acl", trunks.get_acl),
    _write("putTrunkAcl", "PUT", _TRUNK + "/acl/{address}", trunks.put_acl),
    _write("deleteTrunkAcl", "DELETE", _TRUNK + "/acl/{address}", trunks.delete_acl),
    _read("getDestinations", _TRUNK + "/destinationacl", trunks.get_destinations),
    _write("putDestinations", "PUT", _TRUNK + "/destinationacl", trunks.put_destinations),
    _write("deleteDestinations", "DELETE", _TRUNK + "/destinationacl", trunks.delete_destinations),
    _read("getTrunkBalance", _TRUNK + "/balance", trunks.get_balance),
    _write("putTrunkBalance", "PUT", _TRUNK + "/balance", trunks.put_balance),
    _read("getTrunkConfig", _TRUNK + "/config", trunks.get_config),
    _write("putTrunkConfig", "PUT", _TRUNK + "/config", trunks.put_config),
    _listing("listTrunkNumbers", "GET", _TRUNK + "/numbers", trunks.list_numbers),
    _write("addTrunkNumbers", "PUT", _TRUNK + "/numbers", trunks.add_numbers),
    _write("replaceTrunkNumbers", "POST", _TRUNK + "/numbers", trunks.replace_numbers),
    _write("openPort", "POST", _PORTING + "/gnp", ports.open_gnp),
    _listing("listPorts", "GET", _PORTING + "/gnp", ports.list_gnp),
    _read("getPort", _PORTING + "/gnp/{ref}", ports.get_gnp),
    _write("openMobilePort", "POST", _PORTING + "/mnp", ports.open_mnp),
    _read("getMobilePort", _PORTING + "/mnp/{pac}", ports.get_mnp),
    _listing("listLosingCarriers", "GET", _PORTING + "/lcps", ports.list_carriers),
)


class SimwoodSurface(Surface):
    """HTTP Basic; JSON, or a form whose field `payload` is JSON."""

    name = "simwood"
    api_path = "/v3"
    routes = RouteTable(_ROUTES)

    def authenticate(self, world: CarrierWorld, request: Request) -> tuple[Account, AccessKey]:
        """The account of the user and password."""
        return refusals.who_asks(world, request)

    def unauthorized(self) -> Refusal:
        """Wrong user or password."""
        return refusals.unauthorized()

    def forbidden(self) -> Refusal:
        """Somebody else's account, or a key that may not."""
        return refusals.failed("Permission denied", status=403)

    def unknown_path(self, path: str, *, is_known: bool) -> Refusal:
        """No such endpoint."""
        status = 405 if is_known else 404
        return refusals.failed(f"Endpoint {path} not found", status=status)

    def throttled(self) -> Refusal:
        """Undocumented at this carrier, and still to be expected."""
        return refusals.failed("Too many requests", status=429)

    def refused(self, world: CarrierWorld, refusal: Refusal) -> Response:
        """`{"success": false, "errors": [...]}`."""
        return refusals.response(world, refusal)

    def subject(self, call: Call, route: Route) -> str:
        """The number in the path, or the first name in it."""
        number = call.names.get("number", "")
        if number.isdigit():
            return f"+{number}"
        return next((text for name, text in call.names.items() if name != "account"), "")

    def body(self, request: Request) -> dict[str, Any]:
        """JSON, or JSON in the form field `payload`."""
        try:
            if request.header("content-type").startswith("application/x-www-form-urlencoded"):
                form = dict(parse_qsl(request.body.decode("utf-8")))
                payload = json.loads(form["payload"]) if "payload" in form else form
                return payload if isinstance(payload, dict) else {}
            return json_body(request)
        except ValueError:
            raise refusals.failed("Invalid JSON in request body") from None

    def portal(self, world: CarrierWorld, account: Account) -> Portal:
        """The portal of an account."""
        return SimwoodPortal(world, account)
