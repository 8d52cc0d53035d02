"""Twilio's numbers: search without a price, buy with a bundle, change, release."""

from __future__ import annotations

import fnmatch
import re
from typing import Any

from callplane.simulators.carriers import listings
from callplane.simulators.carriers.refusals import Refusal
from callplane.simulators.carriers.routing import Call
from callplane.simulators.carriers.rows import NumberRow, decimal_text
from callplane.simulators.carriers.world import NotEnoughMoney, NotForSale, TooManyNumbers
from callplane.simulators.exchange import Response, json_response
from callplane.simulators.faults import Effect
from callplane.simulators.twilio.wire import field, not_found, old_page, refused
from callplane.simulators.twilio.world import TwilioWorld

_KINDS = {
    "Local": "local",
    "National": "national",
    "Mobile": "mobile",
    "TollFree": "toll_free",
}
_E164 = re.compile(r"\+[1-9]\d{6,14}")
_FIELDS = {
    "FriendlyName": "friendly_name",
    "TrunkSid": "trunk_sid",
    "AddressSid": "address_sid",
    "BundleSid": "bundle_sid",
    "IdentitySid": "identity_sid",
    "EmergencyAddressSid": "emergency_address_sid",
    "EmergencyStatus": "emergency_status",
    "VoiceUrl": "voice_url",
}


def search(call: Call) -> Response:
    """GET AvailablePhoneNumbers/{country}/{kind}.json."""
    kind = _KINDS.get(call.names["kind"])
    if kind is None:
        raise not_found(call.request.path)
    pattern = call.request.query.get("Contains", "*")
    pattern = pattern.lstrip("+") if "*" in pattern else f"*{pattern.lstrip('+')}*"
    rows = [
        row
        for row in call.world.on_sale(call.account)
        if row.kind == kind
        and row.country == call.names["country"]
        and fnmatch.fnmatchcase(row.e164[1:], pattern)
    ]
    if call.request.query.get("ExcludeAllAddressRequired") == "true":
        rows = []
    return old_page(call, "available_phone_numbers", rows, _available)


def prices(call: Call) -> Response:
    """GET PhoneNumbers/Countries/{country}: samples, a kind each."""
    kinds = {row.kind: row for row in call.world.on_sale() if row.country == call.names["country"]}
    return json_response(
        {
            "country": call.names["country"],
            "iso_country": call.names["country"],
            "price_unit": call.account.currency,
            "phone_number_prices": [
                {
                    "number_type": kind.replace("_", " "),
                    "base_price": decimal_text(row.monthly_minor),
                    "current_price": decimal_text(row.monthly_minor),
                }
                for kind, row in sorted(kinds.items())
            ],
            "url": f"{call.request.origin()}{call.request.path}",
        }
    )


def list_numbers(call: Call) -> Response:
    """GET IncomingPhoneNumbers.json."""
    rows = listings.owned(call.world, call.account)
    if wanted := call.request.query.get("PhoneNumber"):
        rows = [row for row in rows if wanted.lstrip("+") in row.e164]
    if name := call.request.query.get("FriendlyName"):
        rows = [row for row in rows if row.attributes.get("friendly_name") == name]
    return old_page(call, "incoming_phone_numbers", rows, lambda row: shown(call, row))


def buy(call: Call) -> Response:
    """POST IncomingPhoneNumbers.json. A number owned already acts as an update."""
    number = field(call.body, "PhoneNumber")
    if number is None:
        number = _first_in_area(call)
    if not _E164.fullmatch(number):
        raise refused(21421, f"PhoneNumber {number} is invalid")
    _check_papers(call)
    changes = _changes(call)
    row = call.world.stock.get(number)
    if row is not None and row.owner == call.account.id:
        if not call.world.settings.rebuying_succeeds:
            raise _gone(number)
        row = call.world.set_attributes(row, changes, by=call.who)
        return json_response(shown(call, row), status=201)
    try:
        row = call.world.acquire(number, call.account, by=call.who, attributes=changes)
    except (NotForSale, TooManyNumbers):
        raise _gone(number) from None
    except NotEnoughMoney:
        raise refused(20003, "Your account balance is not sufficient", status=403) from None
    return json_response(shown(call, row), status=201)


def get_number(call: Call) -> Response:
    """GET IncomingPhoneNumbers/{sid}.json."""
    seen = call.world.seen(_mine(call).e164)
    if seen is None or seen.owner != call.account.id:
        raise not_found(call.request.path)
    return json_response(shown(call, seen))


def update(call: Call) -> Response:
    """POST IncomingPhoneNumbers/{sid}.json. An empty field clears."""
    row, changes = _mine(call), _changes(call)
    if partly := call.strike(Effect.APPLIED_IN_PART):
        changes = dict(list(changes.items())[: -partly.count])
    return json_response(shown(call, call.world.set_attributes(row, changes, by=call.who)))


def release(call: Call) -> Response:
    """DELETE IncomingPhoneNumbers/{sid}.json; not with an emergency address attached.

    That refusal is a community report; its number is not documented, and this one is general.
    """
    row = _mine(call)
    if row.attributes.get("emergency_address_sid"):
        raise refused(
            20409, "The phone number has an emergency address; remove it first", status=409
        )
    call.world.release(row.e164, by=call.who)
    return Response(204)


def shown(call: Call, row: NumberRow) -> dict[str, Any]:
    """An owned number."""
    attributes, account = row.attributes, row.owner
    trunk, emergency = attributes.get("trunk_sid"), attributes.get("emergency_address_sid")
    voice_url = attributes.get("voice_url", "")
    world = call.world
    assert isinstance(world, TwilioWorld)
    return {
        "sid": row.id,
        "account_sid": account,
        "friendly_name": attributes.get("friendly_name"),
        "phone_number": row.e164,
        "origin": "twilio",
        "status": row.state,
        "address_requirements": "none",
        "beta": False,
        "capabilities": {"voice": True, "sms": False, "mms": False, "fax": False},
        # A trunk makes the vendor ignore what is said about voice.
        "voice_url": "" if trunk else voice_url,
        "voice_receive_mode": "voice",
        "trunk_sid": trunk,
        "address_sid": attributes.get("address_sid"),
        "bundle_sid": attributes.get("bundle_sid"),
        "identity_sid": attributes.get("identity_sid"),
        "emergency_address_sid": emergency,
        "emergency_status": attributes.get("emergency_status", "Inactive"),
        "emergency_address_status": "registered" if emergency else "unregistered",
        "date_created": world.date(),
        "date_updated": world.date(),
        "api_version": "2010-04-01",
        "uri": f"/2010-04-01/Accounts/{account}/IncomingPhoneNumbers/{row.id}.json",
    }


def _first_in_area(call: Call) -> str:
    area = (field(call.body, "AreaCode") or "").lstrip("0")
    for row in call.world.on_sale(call.account):
        if area and row.e164.startswith(f"+44{area}"):
            return row.e164
    raise refused(21452, f"No phone numbers found in area code {area or '(none)'}")


def _check_papers(call: Call) -> None:
    if not call.world.settings.needs_paperwork:
        return
    bundle = call.account.shelf("bundles").get(field(call.body, "BundleSid") or "")
    if bundle is None or bundle["status"] != "twilio-approved":
        raise refused(21649, "Phone number requires an approved Bundle of its country and type")
    if not field(call.body, "AddressSid"):
        raise refused(21631, "Phone number requires an Address")


def _changes(call: Call) -> dict[str, object]:
    changes: dict[str, object] = {}
    for wire, name in _FIELDS.items():
        value = field(call.body, wire)
        if value is not None:
            changes[name] = value or None
    known = {"trunk_sid": "trunks", "address_sid": "addresses", "bundle_sid": "bundles"}
    known["emergency_address_sid"] = "addresses"
    for name, shelf in known.items():
        if changes.get(name) and changes[name] not in call.account.shelf(shelf):
            raise refused(20001, f"{name} {changes[name]} does not exist")
    return changes


def _mine(call: Call) -> NumberRow:
    row = call.world.owned_by_id(call.account, call.names["sid"])
    if row is None:
        raise not_found(call.request.path)
    return row


def _gone(number: str) -> Refusal:
    return refused(21422, f"Invalid PhoneNumber: {number} is not available")


def _available(row: NumberRow) -> dict[str, object]:
    return {
        "friendly_name": row.e164,
        "phone_number": row.e164,
        "lata": None,
        "locality": row.place,
        "region": None,
        "postal_code": None,
        "iso_country": row.country,
        "address_requirements": "any",
        "beta": False,
        "capabilities": {"voice": True, "SMS": False, "MMS": False, "fax": False},
    }
