"""Between our nouns and Twilio's documents. Pure.

Twilio has no field for a mark of ours but the friendly name, which people use too. It is ours when
it begins as ours do, and free for us when it is empty or just the number again; any other name is
somebody's and stays. Source: Twilio's public documentation.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from callplane.providers import carrier_addresses
from callplane.providers.carrier_protocol import CarrierRefused
from callplane.resources.carriers import (
    NOT_SHOWN,
    CarrierNumberState,
    EmergencyAddress,
    NotShown,
    NumberKind,
    NumberOffer,
    NumberOnCarrier,
    Obstacle,
    Price,
    TrunkRoute,
)
from callplane.values import E164

MARKS: Final = "cp-"
PREFERRED: Final = "callplane"

KINDS: Mapping[NumberKind, str] = {
    NumberKind.LOCAL: "Local",
    NumberKind.NATIONAL: "National",
    NumberKind.MOBILE: "Mobile",
    NumberKind.TOLL_FREE: "TollFree",
}
_PRICED_AS: Mapping[NumberKind, str] = {
    NumberKind.LOCAL: "local",
    NumberKind.NATIONAL: "national",
    NumberKind.MOBILE: "mobile",
    NumberKind.TOLL_FREE: "toll free",
}
BUNDLE_KINDS: Mapping[NumberKind, str] = {
    NumberKind.LOCAL: "local",
    NumberKind.NATIONAL: "national",
    NumberKind.MOBILE: "mobile",
    NumberKind.TOLL_FREE: "toll-free",
}
OBSTACLES: Mapping[str, Obstacle] = {
    "21422": Obstacle.NUMBER_TAKEN,
    "21631": Obstacle.PAPERWORK,
    "21649": Obstacle.PAPERWORK,
}
_TRUNK_SID = re.compile(r"TK[0-9a-f]{32}")


def offer(row: Mapping[str, Any], monthly: Price | None) -> NumberOffer:
    """A number on sale. Raises ValueError or KeyError."""
    return NumberOffer(E164.from_provider(str(row["phone_number"])), monthly=monthly)


def monthly_price(document: Mapping[str, Any], kind: NumberKind) -> Price | None:
    """What a number of this kind costs a month, by the price list; None where it is not told."""
    rows = document.get("phone_number_prices")
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, Mapping) and row.get("number_type") == _PRICED_AS.get(kind):
            try:
                unit = str(document["price_unit"])
                return Price.from_decimal(str(row["current_price"]), unit)
            except (KeyError, ValueError):
                return None
    return None


def listed(row: Mapping[str, Any]) -> NumberOnCarrier:
    """An owned number. The address itself is another read. Raises ValueError or KeyError."""
    number = E164.from_provider(str(row["phone_number"]))
    status = str(row.get("status") or "")
    state = CarrierNumberState.UNKNOWN
    if status == "in-use":
        state = CarrierNumberState.ACTIVE
    elif status.startswith("pending"):
        state = CarrierNumberState.PENDING
    address: NotShown | None = NOT_SHOWN if row.get("emergency_address_sid") else None
    return NumberOnCarrier(
        number,
        state,
        state_text=status,
        route=route_of(row),
        emergency_address=address,
        deletion_locked=False,
        marker=_marker(number, str(row.get("friendly_name") or "")),
    )


def with_address(row: NumberOnCarrier, address: Mapping[str, Any] | None) -> NumberOnCarrier:
    """A number with the address that it has."""
    held = address_of(address) if address is not None else NOT_SHOWN
    return dataclasses.replace(row, emergency_address=held)


def _marker(number: E164, name: str) -> str | NotShown:
    if name.startswith(MARKS):
        return name
    return "" if may_rename(number, name) else NOT_SHOWN


def may_rename(number: E164, name: str) -> bool:
    """Whether a friendly name is nobody's: ours, empty, or the number in some form."""
    if not name or name.startswith(MARKS):
        return True
    digits = re.sub(r"\D", "", name).lstrip("0")
    is_number = re.fullmatch(r"[\d\s()+.-]+", name) is not None
    return is_number and len(digits) >= 6 and number.text.endswith(digits)


# Routes


def canonical_route(route: TrunkRoute) -> TrunkRoute:
    """A number rings on a trunk, by its SID; addresses belong to the trunk. Raises
    CarrierRefused.
    """
    if route.foreign or not _TRUNK_SID.fullmatch(route.trunk):
        raise CarrierRefused(
            Obstacle.TRUNK_UNKNOWN,
            "Twilio rings a number on a trunk: state trunk.name as the trunk's SID (TK…)",
        )
    return TrunkRoute(trunk=route.trunk)


def route_of(row: Mapping[str, Any]) -> TrunkRoute | None:
    """A trunk makes Twilio ignore everything else that is set about voice."""
    if trunk := row.get("trunk_sid"):
        return TrunkRoute(trunk=str(trunk))
    if row.get("voice_application_sid"):
        return TrunkRoute(foreign="to an application")
    # The address itself may hold a secret.
    return TrunkRoute(foreign="to a web address") if row.get("voice_url") else None


# Addresses and papers


def canonical_address(address: EmergencyAddress) -> EmergencyAddress:
    """The address with its street in one line. Raises CarrierRefused."""
    joined = carrier_addresses.one_street_line(address)
    is_twice = joined.locality == joined.town
    return dataclasses.replace(joined, locality="") if is_twice else joined


def address_form(address: EmergencyAddress) -> dict[str, str]:
    """What makes an address at Twilio. A region is wanted where the UK has none: the town's name
    stands in for it.
    """
    return {
        "CustomerName": address.organisation,
        "Street": address.street,
        "City": address.town,
        "Region": address.locality or address.town,
        "PostalCode": address.postcode,
        "IsoCountry": address.country,
        "FriendlyName": f"{PREFERRED} emergency",
        "EmergencyEnabled": "true",
    }


def address_of(row: Mapping[str, Any]) -> EmergencyAddress:
    """An address as Twilio shows it."""
    town, region = str(row.get("city") or ""), str(row.get("region") or "")
    second = str(row.get("street_secondary") or "")
    street = str(row.get("street") or "")
    return EmergencyAddress(
        organisation=str(row.get("customer_name") or ""),
        street=", ".join(part for part in (second, street) if part),
        locality="" if region == town else region,
        town=town,
        postcode=str(row.get("postal_code") or ""),
        country=str(row.get("iso_country") or ""),
    )


def preferred(rows: Sequence[Mapping[str, Any]]) -> str:
    """The SID of the bundle or address to buy with: one that is named for us goes before others,
    then the lowest SID, so that the choice is the same each time. Empty where there is none.
    """

    def order(row: Mapping[str, Any]) -> tuple[bool, str]:
        name = str(row.get("friendly_name") or "").lower()
        return not name.startswith(PREFERRED), str(row.get("sid"))

    return str(min(rows, key=order).get("sid") or "") if rows else ""
