"""Between our nouns and Telnyx's documents. Pure.

Source: the vendor's OpenAPI description of July 2026 and its documentation.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from typing import Any, Final

from callplane.errors import scrub
from callplane.providers import carrier_addresses, carrier_rows
from callplane.providers.carrier_kinds import british_kind
from callplane.providers.carrier_protocol import CarrierRefused
from callplane.resources.carriers import (
    NOT_SHOWN,
    CarrierNumberState,
    EmergencyAddress,
    NotShown,
    NumberKind,
    NumberOffer,
    NumberOnCarrier,
    NumberOrder,
    Obstacle,
    OrderRequest,
    OrderState,
    PortIn,
    PortRequest,
    PortState,
    Price,
    TrunkRoute,
)
from callplane.values import E164

MARKER_TAG: Final = "callplane:"
PREFERRED: Final = "callplane"

KINDS: Mapping[NumberKind, str] = {
    NumberKind.LOCAL: "local",
    NumberKind.NATIONAL: "national",
    NumberKind.MOBILE: "mobile",
    NumberKind.TOLL_FREE: "toll_free",
}

_STATES: Mapping[str, CarrierNumberState] = {
    "active": CarrierNumberState.ACTIVE,
    "emergency-only": CarrierNumberState.BLOCKED,
    "port-out-pending": CarrierNumberState.LEAVING,
    "purchase-pending": CarrierNumberState.PENDING,
    "port-pending": CarrierNumberState.PENDING,
    "provision-pending": CarrierNumberState.PENDING,
    "requirement-info-pending": CarrierNumberState.PENDING,
    "requirement-info-under-review": CarrierNumberState.PENDING,
    "requirement-info-exception": CarrierNumberState.PENDING,
}
_NOT_OURS = frozenset({"deleted", "ported-out", "purchase-failed", "port-failed"})

_ORDERS: Mapping[str, OrderState] = {
    "pending": OrderState.PENDING,
    "success": OrderState.ACCEPTED,
    "failure": OrderState.REJECTED,
}
PAPERS_AWAITED: Final = frozenset({"requirement-info-pending", "requirement-info-under-review"})
PAPERS_REFUSED: Final = "requirement-info-exception"
_PAPERS: Mapping[str, str] = {
    "requirement-info-pending": "documents are missing: fill in the order's requirements",
    "requirement-info-under-review": "the documents are under review",
    PAPERS_REFUSED: "the documents were not accepted",
}

_DRAFT: Final = "a draft that was never confirmed; the losing carrier was not asked"
_PORTS: Mapping[str, PortState] = {
    # Nobody was asked yet. It does not go on by itself, so it must not read as under way.
    "draft": PortState.CORRECTABLE,
    "in-process": PortState.PENDING,
    "submitted": PortState.PENDING,
    "exception": PortState.CORRECTABLE,
    "foc-date-confirmed": PortState.DATED,
    "ported": PortState.DONE,
    "cancel-pending": PortState.PENDING,
    "cancelled": PortState.CANCELLED,
}


# Numbers


def papers_for(rows: Sequence[Mapping[str, Any]], number: E164) -> str:
    """The id of the approved group of documents to order a British number with, empty where there
    is none: one that is named for us goes before others, then the lowest id.
    """
    kind = KINDS.get(british_kind(number))
    wanted = {"status": "approved", "action": "ordering", "country_code": "GB"}
    fitting = [
        row
        for row in rows
        if kind is not None
        and row.get("phone_number_type") == kind
        and all(row.get(name) == value for name, value in wanted.items())
    ]

    def preference(row: Mapping[str, Any]) -> tuple[bool, str]:
        name = str(row.get("customer_reference") or "").lower()
        return not name.startswith(PREFERRED), str(row.get("id"))

    return str(min(fitting, key=preference).get("id") or "") if fitting else ""


def offer(row: Mapping[str, Any]) -> NumberOffer:
    """A number on sale with what it costs. Raises ValueError or KeyError."""
    cost = row.get("cost_information") or {}
    currency = str(cost.get("currency") or "")
    setup, monthly = cost.get("upfront_cost"), cost.get("monthly_cost")
    return NumberOffer(
        E164.from_provider(str(row["phone_number"])),
        setup=Price.from_decimal(str(setup), currency) if setup and currency else None,
        monthly=Price.from_decimal(str(monthly), currency) if monthly and currency else None,
    )


def is_ours(row: Mapping[str, Any]) -> bool:
    """Whether a listed number is the account's: gone ones and failed ones stay listed for a
    while.
    """
    return row.get("status") not in _NOT_OURS


def listed(row: Mapping[str, Any]) -> NumberOnCarrier:
    """A row of the listing. The address itself is another read. Raises ValueError or KeyError."""
    status = str(row.get("status") or "")
    connection = row.get("connection_id")
    has_address = bool(row.get("emergency_address_id"))
    lock = row.get("deletion_lock_enabled")
    address: NotShown | None = NOT_SHOWN if has_address else None
    return NumberOnCarrier(
        E164.from_provider(str(row["phone_number"])),
        _STATES.get(status, CarrierNumberState.UNKNOWN),
        state_text=status,
        route=TrunkRoute(trunk=str(connection)) if connection else None,
        emergency_address=address,
        deletion_locked=lock if isinstance(lock, bool) else NOT_SHOWN,
        marker=_marker(row),
    )


def with_address(row: NumberOnCarrier, address: Mapping[str, Any] | None) -> NumberOnCarrier:
    """A number with the address that it has."""
    held = address_of(address) if address is not None else NOT_SHOWN
    return dataclasses.replace(row, emergency_address=held)


def tags_with(row: Mapping[str, Any], marker: str) -> list[str]:
    """The tags to set: all that are there but an earlier marker, and ours."""
    return [tag for tag in _tags(row) if not tag.startswith(MARKER_TAG)] + [MARKER_TAG + marker]


def _marker(row: Mapping[str, Any]) -> str:
    marked = (tag for tag in _tags(row) if tag.startswith(MARKER_TAG))
    return next(marked, MARKER_TAG).removeprefix(MARKER_TAG)


def _tags(row: Mapping[str, Any]) -> Sequence[str]:
    tags = row.get("tags")
    return [str(tag) for tag in tags] if isinstance(tags, list) else []


def canonical_route(route: TrunkRoute) -> TrunkRoute:
    """A number points at a connection, by its id; addresses belong to the connection. Raises
    CarrierRefused.
    """
    if route.foreign or not route.trunk.isdigit():
        raise CarrierRefused(
            Obstacle.TRUNK_UNKNOWN,
            "Telnyx points a number at a connection: state trunk.name as the connection's id",
        )
    return TrunkRoute(trunk=route.trunk)


# Addresses


def canonical_address(address: EmergencyAddress) -> EmergencyAddress:
    """The address with its street in one line. Raises CarrierRefused."""
    return carrier_addresses.one_street_line(address)


def address_fields(address: EmergencyAddress) -> dict[str, str]:
    """What makes an address at Telnyx. It wants a person's names as well as a business; the
    business stands for both.
    """
    fields = {
        "business_name": address.organisation,
        "first_name": address.organisation,
        "last_name": address.organisation,
        "street_address": address.street,
        "neighborhood": address.locality,
        "locality": address.town,
        "postal_code": address.postcode,
        "country_code": address.country,
    }
    return {name: value for name, value in fields.items() if value}


def address_of(row: Mapping[str, Any]) -> EmergencyAddress:
    """An address as Telnyx shows it."""
    extended = str(row.get("extended_address") or "")
    street = str(row.get("street_address") or "")
    return EmergencyAddress(
        organisation=str(row.get("business_name") or ""),
        street=", ".join(part for part in (extended, street) if part),
        locality=str(row.get("neighborhood") or ""),
        town=str(row.get("locality") or ""),
        postcode=str(row.get("postal_code") or ""),
        country=str(row.get("country_code") or ""),
    )


# Orders


def order(request: OrderRequest, row: Mapping[str, Any], *, comment: str = "") -> NumberOrder:
    """An order by the truth about its one number. A status that we do not know is pending.

    `comment` is what the carrier's staff wrote about it.
    """
    number = ordered_number(row, request.number)
    status = str(number.get("status") or row.get("status") or "")
    papers = str(number.get("requirements_status") or "")
    state = _ORDERS.get(status, OrderState.PENDING)
    obstacle = None
    if state is not OrderState.ACCEPTED and (papers in PAPERS_AWAITED or papers == PAPERS_REFUSED):
        obstacle = Obstacle.PAPERWORK
    elif state is OrderState.REJECTED:
        obstacle = Obstacle.OTHER
    known = "" if status in _ORDERS else status
    detail = comment or (_PAPERS.get(papers, "") if obstacle is Obstacle.PAPERWORK else known)
    return NumberOrder(
        request.reference,
        request.number,
        state,
        order_id=str(row.get("id") or ""),
        detail=scrub(detail),
        code=papers if obstacle is Obstacle.PAPERWORK else "",
        obstacle=obstacle,
    )


def ordered_number(row: Mapping[str, Any], number: E164) -> Mapping[str, Any]:
    """What an order says of one number, empty where it does not name it."""
    numbers = row.get("phone_numbers")
    for each in numbers if isinstance(numbers, list) else ():
        if isinstance(each, Mapping) and each.get("phone_number") == number.text:
            return each
    return {}


def newest_comment(rows: Sequence[Mapping[str, Any]]) -> str:
    """What the carrier's staff wrote last."""
    theirs = [row for row in rows if row.get("commenter_type") == "admin"]
    newest = max(theirs, key=lambda row: str(row.get("created_at")), default={})
    return str(newest.get("body") or "")


# Ports


def port_details(request: PortRequest) -> dict[str, Any]:
    """What the losing carrier knows its customer by, and the wanted day."""
    admin = {
        "account_number": request.account,
        "pin_passcode": request.authorisation_code,
        "billing_phone_number": request.number.text,
    }
    location = {"postal_code": request.postcode, "country_code": "GB"}
    end_user = {
        "admin": {name: value for name, value in admin.items() if value},
        "location": {name: value for name, value in location.items() if value},
    }
    details: dict[str, Any] = {"end_user": end_user}
    if request.wanted_on is not None:
        moment = datetime.datetime.combine(request.wanted_on, datetime.time(9), datetime.UTC)
        details["activation_settings"] = {"foc_datetime_requested": moment.isoformat()}
    return details


def port(request: PortRequest, row: Mapping[str, Any]) -> PortIn:
    """A porting order. A status that we do not know is pending, in the carrier's word."""
    status = row.get("status")
    value = str(status.get("value") or "") if isinstance(status, Mapping) else ""
    reasons = status.get("details") if isinstance(status, Mapping) else None
    said = [row for row in reasons if isinstance(row, Mapping)] if isinstance(reasons, list) else []
    words = "; ".join(str(reason.get("description") or reason.get("code")) for reason in said)
    code = str(said[0].get("code") or "") if said else ""
    settings = row.get("activation_settings")
    dates = settings if isinstance(settings, Mapping) else {}
    state = _PORTS.get(value, PortState.PENDING)
    obstacle = Obstacle.PORT_DETAILS_WRONG if value == "exception" else None
    if value == "draft":
        words = _DRAFT
    if code == "PHONE_NUMBER_NOT_PORTABLE":
        obstacle = Obstacle.NOT_PORTABLE
    return PortIn(
        request.reference,
        request.number,
        state,
        port_id=str(row.get("id") or ""),
        due_on=carrier_rows.day(
            dates.get("foc_datetime_actual") or dates.get("foc_datetime_requested")
        ),
        detail=scrub(words or ("" if value in _PORTS else value)),
        code=code,
        obstacle=obstacle,
    )
