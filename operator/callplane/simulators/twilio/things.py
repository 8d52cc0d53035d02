"""Twilio's trunks, addresses and bundles."""

from __future__ import annotations

from typing import Any

from callplane.simulators.carriers.routing import Call
from callplane.simulators.carriers.rows import decimal_text
from callplane.simulators.exchange import Response, json_response
from callplane.simulators.faults import Effect
from callplane.simulators.twilio import inventory
from callplane.simulators.twilio.wire import (
    field,
    new_page,
    not_found,
    old_page,
    refused,
    required,
    whole,
)
from callplane.simulators.twilio.world import TwilioWorld

_TRUNK_FIELDS = {
    "FriendlyName": "friendly_name",
    "DomainName": "domain_name",
    "TransferMode": "transfer_mode",
    "DisasterRecoveryUrl": "disaster_recovery_url",
}
_TRUNK_DEFAULTS = {
    "friendly_name": "",
    "domain_name": None,
    "secure": False,
    "transfer_mode": "disable-all",
    "disaster_recovery_url": None,
}
_BUNDLE_STATES = ("draft", "pending-review")


def balance(call: Call) -> Response:
    """GET Balance.json."""
    account = call.account
    text = decimal_text(account.balance_minor)
    return json_response({"account_sid": account.id, "balance": text, "currency": account.currency})


# Trunks.


def list_trunks(call: Call) -> Response:
    """GET Trunks."""
    return new_page(call, "trunks", list(call.account.shelf("trunks").values()), lambda row: row)


def create_trunk(call: Call) -> Response:
    """POST Trunks."""
    world = _world(call)
    sid = world.new_sid("TK")
    stamp = world.timestamp()
    trunk: dict[str, Any] = {
        "sid": sid,
        "account_sid": call.account.id,
        **_TRUNK_DEFAULTS,
        "date_created": stamp,
        "date_updated": stamp,
        "url": f"{call.request.origin()}/v1/Trunks/{sid}",
    }
    call.account.shelf("trunks")[sid] = trunk | _trunk_changes(call)
    return json_response(call.account.shelf("trunks")[sid], status=201)


def get_trunk(call: Call) -> Response:
    """GET Trunks/{trunk}."""
    return json_response(_trunk(call))


def update_trunk(call: Call) -> Response:
    """POST Trunks/{trunk}."""
    changes = _trunk_changes(call)
    if partly := call.strike(Effect.APPLIED_IN_PART):
        changes = dict(list(changes.items())[: -partly.count])
    _trunk(call).update(changes)
    return json_response(_trunk(call))


def delete_trunk(call: Call) -> Response:
    """DELETE Trunks/{trunk}: its numbers stay, on no trunk."""
    _trunk(call)
    for row in call.world.owned(call.account):
        if row.attributes.get("trunk_sid") == call.names["trunk"]:
            call.world.set_attributes(row, {"trunk_sid": None}, by=call.who)
    del call.account.shelf("trunks")[call.names["trunk"]]
    return Response(204)


def list_trunk_numbers(call: Call) -> Response:
    """GET Trunks/{trunk}/PhoneNumbers."""
    _trunk(call)
    rows = [
        row
        for row in call.world.owned(call.account)
        if row.attributes.get("trunk_sid") == call.names["trunk"]
    ]
    return new_page(call, "phone_numbers", rows, lambda row: inventory.shown(call, row))


def add_trunk_number(call: Call) -> Response:
    """POST Trunks/{trunk}/PhoneNumbers."""
    _trunk(call)
    sid = required(call.body, "PhoneNumberSid")
    row = call.world.owned_by_id(call.account, sid)
    if row is None:
        raise not_found(f"PhoneNumber {sid}")
    row = call.world.set_attributes(row, {"trunk_sid": call.names["trunk"]}, by=call.who)
    return json_response(inventory.shown(call, row), status=201)


def remove_trunk_number(call: Call) -> Response:
    """DELETE Trunks/{trunk}/PhoneNumbers/{sid}: the number stays."""
    row = call.world.owned_by_id(call.account, call.names["sid"])
    if row is None or row.attributes.get("trunk_sid") != call.names["trunk"]:
        raise not_found(call.request.path)
    call.world.set_attributes(row, {"trunk_sid": None}, by=call.who)
    return Response(204)


def list_origins(call: Call) -> Response:
    """GET Trunks/{trunk}/OriginationUrls."""
    _trunk(call)
    origins = [
        origin
        for origin in call.account.shelf("origination_urls").values()
        if origin["trunk_sid"] == call.names["trunk"]
    ]
    return new_page(call, "origination_urls", origins, lambda row: row)


def create_origin(call: Call) -> Response:
    """POST Trunks/{trunk}/OriginationUrls: where the trunk sends inbound calls."""
    _trunk(call)
    body = call.body
    sip_url = required(body, "SipUrl")
    if not sip_url.startswith(("sip:", "sips:")):
        raise refused(20001, "SipUrl must begin with sip:")
    sid = _world(call).new_sid("OU")
    origin: dict[str, object] = {
        "sid": sid,
        "account_sid": call.account.id,
        "trunk_sid": call.names["trunk"],
        "sip_url": sip_url,
        "friendly_name": required(body, "FriendlyName"),
        "priority": whole(body, "Priority"),
        "weight": whole(body, "Weight"),
        "enabled": required(body, "Enabled").lower() == "true",
        "url": f"{call.request.origin()}{call.request.path}/{sid}",
    }
    call.account.shelf("origination_urls")[sid] = origin
    return json_response(origin, status=201)


def delete_origin(call: Call) -> Response:
    """DELETE Trunks/{trunk}/OriginationUrls/{sid}."""
    if call.account.shelf("origination_urls").pop(call.names["sid"], None) is None:
        raise not_found(call.request.path)
    return Response(204)


# Addresses and bundles.


def list_addresses(call: Call) -> Response:
    """GET Addresses.json."""
    rows = list(call.account.shelf("addresses").values())
    return old_page(call, "addresses", rows, lambda row: row)


def create_address(call: Call) -> Response:
    """POST Addresses.json."""
    names = {
        "CustomerName": "customer_name",
        "Street": "street",
        "City": "city",
        "Region": "region",
        "PostalCode": "postal_code",
        "IsoCountry": "iso_country",
    }
    sid = _world(call).new_sid("AD")
    address: dict[str, object] = {
        "sid": sid,
        "account_sid": call.account.id,
        **{name: required(call.body, wire) for wire, name in names.items()},
        "friendly_name": field(call.body, "FriendlyName") or "",
        "emergency_enabled": field(call.body, "EmergencyEnabled") == "true",
        "validated": False,
        "verified": False,
    }
    call.account.shelf("addresses")[sid] = address
    return json_response(address, status=201)


def get_address(call: Call) -> Response:
    """GET Addresses/{sid}.json."""
    return json_response(_one(call, "addresses"))


def delete_address(call: Call) -> Response:
    """DELETE Addresses/{sid}.json; not while a number uses it."""
    _one(call, "addresses")
    for row in call.world.owned(call.account):
        if call.names["sid"] in row.attributes.values():
            raise refused(20409, "The address is in use by a phone number", status=409)
    del call.account.shelf("addresses")[call.names["sid"]]
    return Response(204)


def list_bundles(call: Call) -> Response:
    """GET RegulatoryCompliance/Bundles."""
    bundles = list(call.account.shelf("bundles").values())
    if status := call.request.query.get("Status"):
        bundles = [bundle for bundle in bundles if bundle["status"] == status]
    return new_page(call, "results", bundles, lambda row: row)


def create_bundle(call: Call) -> Response:
    """POST RegulatoryCompliance/Bundles: a draft."""
    sid = _world(call).new_sid("BU")
    bundle: dict[str, object] = {
        "sid": sid,
        "account_sid": call.account.id,
        "friendly_name": required(call.body, "FriendlyName"),
        "email": required(call.body, "Email"),
        "regulation_sid": field(call.body, "RegulationSid"),
        "status": "draft",
        "valid_until": None,
        "url": f"{call.request.origin()}{call.request.path}/{sid}",
    }
    call.account.shelf("bundles")[sid] = bundle
    return json_response(bundle, status=201)


def get_bundle(call: Call) -> Response:
    """GET RegulatoryCompliance/Bundles/{sid}."""
    return json_response(_one(call, "bundles"))


def update_bundle(call: Call) -> Response:
    """POST RegulatoryCompliance/Bundles/{sid}: submitted, or a draft again."""
    bundle, status = _one(call, "bundles"), field(call.body, "Status")
    if status is not None:
        if status not in _BUNDLE_STATES:
            raise refused(20001, f"Status {status} cannot be set")
        bundle["status"] = status
    return json_response(bundle)


def _world(call: Call) -> TwilioWorld:
    assert isinstance(call.world, TwilioWorld)
    return call.world


def _one(call: Call, shelf: str) -> dict[str, Any]:
    found = call.account.shelf(shelf).get(call.names["sid"])
    if found is None:
        raise not_found(call.request.path)
    return found


def _trunk(call: Call) -> dict[str, Any]:
    trunk = call.account.shelf("trunks").get(call.names["trunk"])
    if trunk is None:
        raise not_found(call.request.path)
    return trunk


def _trunk_changes(call: Call) -> dict[str, Any]:
    changes: dict[str, Any] = {
        name: call.body[wire] for wire, name in _TRUNK_FIELDS.items() if wire in call.body
    }
    if "Secure" in call.body:
        changes["secure"] = str(call.body["Secure"]).lower() == "true"
    return changes
