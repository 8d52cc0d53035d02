"""Between our nouns and Simwood's documents. Pure.

Numbers travel without plus; configurations are routing, rules, options and meta; a 999 record has
fields of fixed lengths. Source: Simwood's public documentation of its interface version 3.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any, Final

from callplane.providers import carrier_rows
from callplane.providers.carrier_protocol import CarrierRefused
from callplane.resources.carriers import (
    NOT_SHOWN,
    CarrierNumberState,
    EmergencyAddress,
    NotShown,
    NumberOffer,
    NumberOnCarrier,
    Obstacle,
    PortIn,
    PortRequest,
    PortState,
    Price,
    TrunkRoute,
)
from callplane.values import E164

CURRENCY: Final = "GBP"
ENDPOINT_SECONDS: Final = 30
BRITISH: Final = "44"

_LONGEST: Mapping[str, tuple[str, int]] = {
    "organisation": ("name", 50),
    "building": ("premises", 60),
    "street": ("thoroughfare", 55),
    "town": ("locality", 30),
    "postcode": ("postcode", 12),
}
_MANDATORY = ("building", "street", "town", "postcode")
_POSTCODE = re.compile(r"[A-Z]{1,2}[0-9][A-Z0-9]?[0-9][A-Z]{2}")

# Cannot be ported at all, and cannot be ported by the interface.
_NEVER_PORTED = ("4470", "449")
_PORTED_BY_TICKET = ("443", "4484", "4487")

_PORT_STATES: Mapping[str, PortState] = {
    "rcvd": PortState.PENDING,
    "submitted": PortState.PENDING,
    "submitted_lcp": PortState.PENDING,
    "submitted_rh": PortState.PENDING,
    "accepted": PortState.DATED,
    "complete": PortState.DONE,
    "rejected": PortState.CORRECTABLE,
    "cancelled": PortState.CANCELLED,
}


def wire_number(number: E164) -> str:
    """`442079460123`, as paths and bodies have it."""
    return number.text[1:]


def national_number(number: E164) -> str:
    """`02079460123`, as ports of geographic numbers have it. Raises CarrierRefused."""
    if not number.text.startswith("+44"):
        raise CarrierRefused(Obstacle.NOT_PORTABLE, "only British numbers can be ported")
    return "0" + number.text[3:]


# Numbers


def offer(row: Mapping[str, Any]) -> NumberOffer:
    """A number on sale; it is written without country code. Raises ValueError or KeyError."""
    number = E164(f"+{row['country_code']}{row['number']}")
    premium = row.get("wholesale_gold_premium")
    setup = Price.from_decimal(str(premium), CURRENCY) if premium is not None else None
    return NumberOffer(number, setup=setup)


def listed(row: Mapping[str, Any]) -> NumberOnCarrier:
    """A row of a report; what it does not hold is not shown. Raises ValueError or KeyError."""
    number = E164.from_provider(str(row["number"]))
    route: TrunkRoute | NotShown | None = NOT_SHOWN
    marker: str | NotShown = NOT_SHOWN
    if "config" in row:
        route, marker = route_of(row["config"]), marker_of(row["config"])
    return NumberOnCarrier(
        number,
        CarrierNumberState.ACTIVE,
        route=route,
        emergency_address=NOT_SHOWN,
        deletion_locked=NOT_SHOWN,
        marker=marker,
    )


def with_details(row: NumberOnCarrier, config: object, record: object) -> NumberOnCarrier:
    """A number with its configuration and its 999 record, None where there is none."""
    return dataclasses.replace(
        row,
        route=route_of(config),
        marker=marker_of(config),
        emergency_address=address_of(record),
    )


# Routes


def route_of(config: object) -> TrunkRoute | None:
    """Where calls go, as far as it is a list of SIP addresses; anything else is foreign."""
    if not isinstance(config, Mapping):
        return None
    routing, options = config.get("routing"), config.get("options")
    trunk = options.get("trunk") if isinstance(options, Mapping) else None
    groups = routing.get("default") if isinstance(routing, Mapping) else None
    if config.get("rules") or not isinstance(groups, list) or set(routing or ()) != {"default"}:
        return TrunkRoute(foreign="routing by rules")
    endpoints = []
    for group in groups:
        if not isinstance(group, list) or len(group) != 1 or not isinstance(group[0], Mapping):
            return TrunkRoute(foreign="several destinations at once")
        block = group[0]
        if block.get("type") != "sip" or not isinstance(block.get("endpoint"), str):
            return TrunkRoute(foreign=f"to {block.get('type')}")
        endpoints.append(block["endpoint"])
    if isinstance(options, Mapping) and options.get("enabled") is False:
        return TrunkRoute(foreign="switched off")
    return TrunkRoute(trunk=str(trunk or ""), endpoints=tuple(endpoints))


def marker_of(config: object) -> str:
    """The searchable key of a configuration's meta data, empty where there is none."""
    meta = config.get("meta") if isinstance(config, Mapping) else None
    key = meta.get("key") if isinstance(meta, Mapping) else None
    return key if isinstance(key, str) else ""


def config_with(before: object, route: TrunkRoute, marker: str) -> dict[str, Any]:
    """The whole configuration to put: our routing and our mark, other options and meta kept."""
    known = before if isinstance(before, Mapping) else {}
    options = known.get("options")
    meta = known.get("meta")
    kept_options = dict(options) if isinstance(options, Mapping) else {}
    kept_options.pop("trunk", None)
    trunk = {"trunk": route.trunk} if route.trunk else {}
    blocks = [
        [{"type": "sip", "endpoint": endpoint, "timeout": ENDPOINT_SECONDS}]
        for endpoint in route.endpoints
    ]
    return {
        "routing": {"default": blocks},
        "options": {**kept_options, "enabled": True, **trunk},
        "meta": {**(dict(meta) if isinstance(meta, Mapping) else {}), "key": marker},
    }


def canonical_route(route: TrunkRoute) -> TrunkRoute:
    """Raises CarrierRefused for a route without an address: Simwood routes numbers by address."""
    if route.foreign or not route.endpoints:
        raise CarrierRefused(
            Obstacle.TRUNK_UNKNOWN, "Simwood routes a number to SIP addresses: state endpoints"
        )
    return route


# Emergency addresses


def canonical_address(address: EmergencyAddress) -> EmergencyAddress:
    """The address with its parts joined to the fields that Simwood has. Raises CarrierRefused."""
    if address.country != "GB":
        raise CarrierRefused(Obstacle.ADDRESS_REFUSED, "the address must be in the UK")
    squeezed = re.sub(r"\s+", "", address.postcode.upper())
    postcode = f"{squeezed[:-3]} {squeezed[-3:]}" if _POSTCODE.fullmatch(squeezed) else squeezed
    joined = EmergencyAddress(
        organisation=address.organisation,
        building=", ".join(part for part in (address.place, address.building) if part),
        street=", ".join(part for part in (address.street, address.locality) if part),
        town=address.town,
        postcode=postcode,
    )
    problems = []
    for field, (name, longest) in _LONGEST.items():
        value: str = getattr(joined, field)
        if field in _MANDATORY and not value:
            problems.append(f"{field} is missing")
        elif len(value) > longest:
            problems.append(f"{field} is longer than {longest} characters ({name})")
    if postcode and " " not in postcode:
        problems.append("postcode is none of the UK")
    if problems:
        raise CarrierRefused(Obstacle.ADDRESS_REFUSED, "; ".join(problems))
    return joined


def record_of(address: EmergencyAddress) -> dict[str, str]:
    """A 999 record of a canonical address."""
    fields = {name: str(getattr(address, field)) for field, (name, _) in _LONGEST.items()}
    return {name: value for name, value in fields.items() if value}


def address_of(record: object) -> EmergencyAddress | None:
    """A 999 record as an address; fields that we never set are left out."""
    if not isinstance(record, Mapping):
        return None
    fields = {field: str(record.get(name) or "") for field, (name, _) in _LONGEST.items()}
    return EmergencyAddress(**fields)


# Ports


def check_portable(number: E164) -> None:
    """What the documentation rules out. Raises CarrierRefused."""
    digits = wire_number(number)
    if digits.startswith(_NEVER_PORTED):
        raise CarrierRefused(Obstacle.NOT_PORTABLE, "070 and 09 numbers cannot be ported")
    if digits.startswith(_PORTED_BY_TICKET):
        raise CarrierRefused(
            Obstacle.NOT_PORTABLE, "03, 084 and 087 numbers are ported by a ticket at Simwood only"
        )


def is_mobile(number: E164) -> bool:
    return wire_number(number).startswith("447")


def geographic_port(request: PortRequest) -> dict[str, Any]:
    """The body of a port of one geographic number."""
    body: dict[str, Any] = {
        "mbn": national_number(request.number),
        "lcp": request.losing_carrier_name,
        "lcp_cupid": request.losing_carrier,
        "contact_email": request.contact_email,
        "account_number": request.account,
        "billing_postcode": request.postcode,
        "type": "single",
        "lines": 1,
        "channels": 1,
    }
    if request.wanted_on is not None:
        body["port_date"] = request.wanted_on.isoformat()
    if request.resubmits:
        body["orig_ref"] = request.resubmits
    return body


def port(request: PortRequest, row: Mapping[str, Any]) -> PortIn:
    """A row of the ports. A status that we do not know is pending, in the carrier's word."""
    code = str(row.get("status_code") or "")
    state = _PORT_STATES.get(code, PortState.PENDING)
    text = str(row.get("status") or "")
    detail = text if text and text != code else ("" if code in _PORT_STATES else code)
    wrong = Obstacle.PORT_DETAILS_WRONG if state is PortState.CORRECTABLE else None
    return PortIn(
        request.reference,
        request.number,
        state,
        port_id=str(row.get("ref") or ""),
        due_on=carrier_rows.day(row.get("port_date")),
        detail=detail,
        code=code,
        obstacle=wrong,
    )
