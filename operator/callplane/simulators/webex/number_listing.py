"""`GET /telephony/config/numbers`: the inventory and the extensions beside it, filtered, counted.

People and services without a number of their own appear with an empty one: an extension alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from callplane.simulators.exchange import Response
from callplane.simulators.webex import calls, refusals
from callplane.simulators.webex.calls import Call
from callplane.simulators.webex.organisation import Organisation
from callplane.simulators.webex.rows import NumberRow, PersonRow, ServiceRow

Test = Callable[[NumberRow], bool]

_FLAGS: Mapping[str, Test] = {
    "available": lambda row: row.owner is None and not row.is_reserved,
    # Of numbers: the vendor refuses to combine it with a search for extensions.
    "assigned": lambda row: bool(row.number) and row.owner is not None,
    "tollFreeNumbers": lambda row: row.is_toll_free,
    "serviceNumber": lambda row: row.is_service,
    "reservedNumber": lambda row: row.is_reserved,
    "elinEnabled": lambda row: row.elin_enabled,
}
_TEXTS: Mapping[str, Callable[[NumberRow], str | None]] = {
    "locationId": lambda row: row.location_id,
    "phoneNumber": lambda row: row.number,
    "extension": lambda row: row.extension,
    "ownerId": lambda row: row.owner.id if row.owner is not None else None,
    "ownerType": lambda row: row.owner.type if row.owner is not None else None,
    "phoneNumberType": lambda row: row.category,
    "state": lambda row: row.state,
    "includedTelephonyTypes": lambda row: telephony_type(row),
    "numberType": lambda row: "NUMBER" if row.number else "EXTENSION",
}
_OTHER = ("order", "ownerName", "details", "restrictedNonGeoNumbers", "orgId", "max", "start")
_ORDERS: Mapping[str, Callable[[NumberRow], str]] = {
    "dn": lambda row: row.number,
    "extension": lambda row: row.extension or "",
    "lastName": lambda row: row.owner.last_name.lower() if row.owner is not None else "",
}


def list_numbers(call: Call) -> Response:
    """GET telephony/config/numbers."""
    organisation = call.organisation
    _check(call)
    rows = _rows(call)
    for test in _tests(call):
        rows = [row for row in rows if test(row)]
    rows = _ordered(call, rows)
    largest = organisation.settings.numbers_page_size
    size = call.whole("max", default=largest, largest=largest)
    shown, headers = calls.page(call, rows, size=size)
    more = {"count": counts(rows)} if call.flag("details") else {}
    documents = [document_of(organisation, row) for row in shown]
    return calls.listing(call, "phoneNumbers", documents, headers, **more)


def counts(rows: Sequence[NumberRow]) -> dict[str, int]:
    """Totals of a filtered inventory, in the vendor's words."""
    numbers = [row for row in rows if row.number]
    return {
        "assigned": sum(row.owner is not None for row in numbers),
        "unAssigned": sum(row.owner is None for row in numbers),
        "inActive": sum(row.state == "INACTIVE" for row in numbers),
        "extensionOnly": len(rows) - len(numbers),
        "tollFreeNumbers": sum(row.is_toll_free for row in numbers),
        "total": len(rows),
        "mobileNumber": sum(row.is_mobile for row in numbers),
        "serviceNumber": sum(row.is_service for row in numbers),
        "reservedNumber": sum(row.is_reserved for row in numbers),
        "elin": sum(row.elin_enabled for row in numbers),
    }


def telephony_type(row: NumberRow) -> str:
    """PSTN or mobile."""
    return "MOBILE_NUMBER" if row.is_mobile else "PSTN_NUMBER"


def document_of(organisation: Organisation, row: NumberRow) -> dict[str, object]:
    """A number as the list shows it; without `owner` when nobody has it."""
    location = organisation.locations.get(row.location_id)
    name = location.name if location is not None else ""
    document: dict[str, object] = {
        "phoneNumber": row.number,
        "state": row.state,
        "phoneNumberType": row.category,
        "mainNumber": bool(row.number)
        and location is not None
        and location.main_number == row.number,
        "tollFreeNumber": row.is_toll_free,
        "includedTelephonyTypes": telephony_type(row),
        "isServiceNumber": row.is_service,
        "elinEnabled": row.elin_enabled,
        "isReservedNumber": row.is_reserved,
        "location": {"id": row.location_id, "name": name},
    }
    if row.extension is not None:
        prefix = (location.routing_prefix or "") if location is not None else ""
        document["extension"] = row.extension
        document["esn"] = prefix + row.extension
        if prefix:
            document["routingPrefix"] = prefix
    if row.owner is not None:
        document["owner"] = row.owner.document()
    return document


def _rows(call: Call) -> list[NumberRow]:
    organisation = call.organisation
    if (number := call.query("phoneNumber")) is not None:
        row = organisation.read(organisation.numbers, number)
        return [row] if row is not None else []
    rows = organisation.listing(organisation.numbers)
    holders: list[PersonRow | ServiceRow] = [
        *organisation.listing(organisation.people),
        *organisation.listing(organisation.services),
    ]
    rows.extend(
        NumberRow("", each.location_id, owner=each.owner(), extension=each.extension)
        for each in holders
        if each.number is None and each.extension is not None and each.location_id is not None
    )
    return rows


def _check(call: Call) -> None:
    known = {*_FLAGS, *_TEXTS, *_OTHER}
    for name in call.request.query:
        if name not in known:
            raise refusals.bad_request(f"Unrecognized parameter '{name}'")
    asked = {name for name in ("available", "assigned", "state") if call.query(name) is not None}
    if call.query("numberType") == "EXTENSION" and asked:
        raise refusals.bad_request("numberType EXTENSION cannot be combined with a state.")
    if call.query("reservedNumber") is not None and asked & {"available", "assigned"}:
        raise refusals.bad_request("reservedNumber cannot be combined with available or assigned.")


def _tests(call: Call) -> list[Test]:
    tests: list[Test] = []
    for name, holds in _FLAGS.items():
        wanted = call.flag(name)
        # The documents speak of true only, so false asks for nothing here.
        if wanted:
            tests.append(holds)
    for name, value_of in _TEXTS.items():
        text = call.query(name)
        if text is not None and text != "Default":
            tests.append(_equals(value_of, text))
    if (owner := call.query("ownerName")) is not None:
        tests.append(_named(owner.lower()))
    return tests


def _equals(value_of: Callable[[NumberRow], str | None], text: str) -> Test:
    return lambda row: value_of(row) == text


def _named(text: str) -> Test:
    return lambda row: (
        row.owner is not None and text in f"{row.owner.first_name} {row.owner.last_name}".lower()
    )


def _ordered(call: Call, rows: list[NumberRow]) -> list[NumberRow]:
    order = call.query("order")
    if order is None:
        return rows
    name, _, direction = order.partition("-")
    if name not in _ORDERS or direction not in ("", "asc", "desc"):
        raise refusals.bad_request(f"order: unknown order {order!r}")
    return sorted(rows, key=_ORDERS[name], reverse=direction == "desc")
