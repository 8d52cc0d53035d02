"""Every path of Twilio's APIs that this world answers."""

from __future__ import annotations

import hmac
from typing import Any
from urllib.parse import parse_qsl

from callplane.simulators.carriers.portal import Portal
from callplane.simulators.carriers.refusals import Refusal
from callplane.simulators.carriers.routing import Call, Handler, Route, RouteTable
from callplane.simulators.carriers.rows import AccessKey
from callplane.simulators.carriers.surface import Surface, basic_credentials
from callplane.simulators.carriers.world import Account, CarrierWorld
from callplane.simulators.exchange import Request, Response
from callplane.simulators.twilio import calls, inventory, things, wire
from callplane.simulators.twilio.world import TwilioPortal

_ACCOUNT = "/2010-04-01/Accounts/{account}"
_NUMBERS = _ACCOUNT + "/IncomingPhoneNumbers"
_TRUNK = "/v1/Trunks/{trunk}"
_BUNDLES = "/v2/RegulatoryCompliance/Bundles"


def _read(kind: str, path: str, handler: Handler) -> Route:
    return Route(kind, "GET", path, handler)


def _listing(kind: str, path: str, handler: Handler) -> Route:
    return Route(kind, "GET", path, handler, is_listing=True)


def _write(kind: str, method: str, path: str, handler: Handler) -> Route:
    return Route(kind, method, path, handler, is_write=True)


_ROUTES = (
    _read("getBalance", _ACCOUNT + "/Balance.json", things.balance),
    _listing("listCalls", _ACCOUNT + "/Calls.json", calls.list_calls),
    _listing(
        "searchNumbers", _ACCOUNT + "/AvailablePhoneNumbers/{country}/{kind}.json", inventory.search
    ),
    _read("getPrices", "/v1/PhoneNumbers/Countries/{country}", inventory.prices),
    _listing("listNumbers", _NUMBERS + ".json", inventory.list_numbers),
    _write("buyNumber", "POST", _NUMBERS + ".json", inventory.buy),
    _read("getNumber", _NUMBERS + "/{sid}.json", inventory.get_number),
    _write("updateNumber", "POST", _NUMBERS + "/{sid}.json", inventory.update),
    _write("releaseNumber", "DELETE", _NUMBERS + "/{sid}.json", inventory.release),
    _listing("listAddresses", _ACCOUNT + "/Addresses.json", things.list_addresses),
    _write("createAddress", "POST", _ACCOUNT + "/Addresses.json", things.create_address),
    _read("getAddress", _ACCOUNT + "/Addresses/{sid}.json", things.get_address),
    _write("deleteAddress", "DELETE", _ACCOUNT + "/Addresses/{sid}.json", things.delete_address),
    _listing("listTrunks", "/v1/Trunks", things.list_trunks),
    _write("createTrunk", "POST", "/v1/Trunks", things.create_trunk),
    _read("getTrunk", _TRUNK, things.get_trunk),
    _write("updateTrunk", "POST", _TRUNK, things.update_trunk),
    _write("deleteTrunk", "DELETE", _TRUNK, things.delete_trunk),
    _listing("listTrunkNumbers", _TRUNK + "/PhoneNumbers", things.list_trunk_numbers),
    _write("addTrunkNumber", "POST", _TRUNK + "/PhoneNumbers", things.add_trunk_number),
    _write(
        "removeTrunkNumber", "DELETE", _TRUNK + "/PhoneNumbers/{sid}", things.remove_trunk_number
    ),
    _listing("listOriginationUrls", _TRUNK + "/OriginationUrls", things.list_origins),
    _write("createOriginationUrl", "POST", _TRUNK + "/OriginationUrls", things.create_origin),
    _write(
        "deleteOriginationUrl", "DELETE", _TRUNK + "/OriginationUrls/{sid}", things.delete_origin
    ),
    _listing("listBundles", _BUNDLES, things.list_bundles),
    _write("createBundle", "POST", _BUNDLES, things.create_bundle),
    _read("getBundle", _BUNDLES + "/{sid}", things.get_bundle),
    _write("updateBundle", "POST", _BUNDLES + "/{sid}", things.update_bundle),
)


class TwilioSurface(Surface):
    """HTTP Basic with the account's sid or a key's name; forms in, JSON out."""

    name = "twilio"
    api_path = ""
    routes = RouteTable(_ROUTES)

    def authenticate(self, world: CarrierWorld, request: Request) -> tuple[Account, AccessKey]:
        """The account of the sid, or of the key, and its token."""
        user, secret = basic_credentials(request) or ("", "")
        for account in world.accounts.values():
            for key in account.keys:
                good = hmac.compare_digest(key.secret.encode(), secret.encode())
                if good and not key.is_revoked and user in (account.id, key.name):
                    return account, key
        raise self.unauthorized()

    def unauthorized(self) -> Refusal:
        """Wrong sid or token."""
        return wire.refused(20003, "Authenticate", status=401)

    def forbidden(self) -> Refusal:
        """A key that may not, or another account's path."""
        return wire.refused(20403, "Forbidden", status=403)

    def unknown_path(self, path: str, *, is_known: bool) -> Refusal:
        """No such path."""
        if is_known:
            return wire.refused(20004, "Method not allowed", status=405)
        return wire.not_found(path)

    def throttled(self) -> Refusal:
        """Not processed, and safe to send again."""
        return wire.refused(20429, "Too Many Requests", status=429)

    def refused(self, world: CarrierWorld, refusal: Refusal) -> Response:
        """`{code, message, more_info, status}`."""
        return wire.error_response(refusal)

    def subject(self, call: Call, route: Route) -> str:
        """The number to buy, the number behind a sid, or the sid."""
        number = call.body.get("PhoneNumber")
        if isinstance(number, str):
            return number
        sid = call.names.get("sid") or call.body.get("PhoneNumberSid") or ""
        row = call.world.owned_by_id(call.account, str(sid))
        return row.e164 if row is not None else str(sid or call.names.get("trunk", ""))

    def body(self, request: Request) -> dict[str, Any]:
        """A form."""
        try:
            return dict(parse_qsl(request.body.decode("utf-8"), keep_blank_values=True))
        except ValueError:
            raise wire.refused(20001, "The request body is not a form") from None

    def portal(self, world: CarrierWorld, account: Account) -> Portal:
        """The console of an account."""
        return TwilioPortal(world, account)
