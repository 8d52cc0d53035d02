"""What is done to a number at a carrier, as changes: built, told apart and put in words.

The subject of such a change is the number itself; a carrier has no people.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from callplane.plan.change import Change, Operation
from callplane.resources.carriers import (
    NOT_SHOWN,
    EmergencyAddress,
    NotShown,
    NumberOnCarrier,
    TrunkRoute,
)
from callplane.values import E164, ConnectionId, HolderId, Platform

_WORDS = {
    Operation.ORDER_NUMBER: "ordering {number}",
    Operation.PORT_NUMBER_IN: "porting {number} in",
    Operation.SET_ROUTE: "routing {number}",
    Operation.SET_EMERGENCY_ADDRESS: "setting the emergency address of {number}",
    Operation.SET_DELETION_LOCK: "locking {number} against deletion",
    Operation.RELEASE_NUMBER: "giving {number} back to the carrier",
}


_WORDS_OF_REMOVAL = {
    Operation.SET_EMERGENCY_ADDRESS: "taking the emergency address off {number}",
    Operation.SET_DELETION_LOCK: "unlocking {number}",
}


def describe(change: Change) -> str:
    """A change in words for status, with the number masked."""
    words = _WORDS[change.operation]
    if change.after is None:
        words = _WORDS_OF_REMOVAL.get(change.operation, words)
    said = words.format(number=E164(change.subject).masked)
    if change.operation is Operation.ORDER_NUMBER:
        after = change.after or {}
        said += "".join(f", {name} {after[name]}" for name in ("setup", "monthly") if name in after)
    return said


#: Settings of a number at a carrier, as register and statuses name them.
EMERGENCY_ADDRESS = "emergencyAddress"
_SETTINGS = {
    Operation.SET_ROUTE: "route",
    Operation.SET_EMERGENCY_ADDRESS: EMERGENCY_ADDRESS,
    Operation.SET_DELETION_LOCK: "deletionLock",
}


def setting_name(change: Change) -> str:
    """The setting a change is about, as the register names it; empty for what is none."""
    return _SETTINGS.get(change.operation, "")


def subject(connection: ConnectionId, number: E164) -> HolderId:
    """Whose intents these are: at a carrier, the number's own."""
    return HolderId(Platform.CARRIER, connection.external_id, number.text)


def order(
    connection: ConnectionId,
    number: E164,
    *,
    is_above_limit: bool,
    dear: Mapping[str, str] | None = None,
) -> Change:
    """A purchase; above the limit it is irreversible, so that a person is asked. `dear` are the
    prices above theirs: a person's yes is to these, and to no other.
    """
    after = {"number": number.text, **(dear or {})}
    return _change(connection, Operation.ORDER_NUMBER, number, None, after, is_above_limit)


def port_in(connection: ConnectionId, number: E164, *, losing_carrier: str) -> Change:
    after = {"number": number.text, "losingCarrier": losing_carrier}
    return _change(connection, Operation.PORT_NUMBER_IN, number, None, after)


def release(connection: ConnectionId, number: E164) -> Change:
    """Always irreversible."""
    before = {"number": number.text}
    return _change(connection, Operation.RELEASE_NUMBER, number, before, None, True)


def route(connection: ConnectionId, row: NumberOnCarrier, wanted: TrunkRoute) -> Change:
    before = row.route
    known = before is not None and before is not NOT_SHOWN
    fields = _route_fields(row.number, before) if known else None
    return _change(
        connection, Operation.SET_ROUTE, row.number, fields, _route_fields(row.number, wanted)
    )


def emergency_address(
    connection: ConnectionId, row: NumberOnCarrier, wanted: EmergencyAddress
) -> Change:
    before = row.emergency_address
    fields = address_fields(row.number, before) if isinstance(before, EmergencyAddress) else None
    after = address_fields(row.number, wanted)
    return _change(connection, Operation.SET_EMERGENCY_ADDRESS, row.number, fields, after)


def deletion_lock(connection: ConnectionId, row: NumberOnCarrier) -> Change:
    after = {"number": row.number.text, "locked": "true"}
    return _change(connection, Operation.SET_DELETION_LOCK, row.number, None, after)


def without_address(connection: ConnectionId, row: NumberOnCarrier) -> Change:
    """A step of a release: the emergency address comes off."""
    before = address_fields(row.number, row.emergency_address)
    return _change(connection, Operation.SET_EMERGENCY_ADDRESS, row.number, before, None)


def without_lock(connection: ConnectionId, row: NumberOnCarrier) -> Change:
    """A step of a release: the lock against deletion comes off."""
    before = {"number": row.number.text, "locked": "true"}
    return _change(connection, Operation.SET_DELETION_LOCK, row.number, before, None)


def shows(row: NumberOnCarrier | None, change: Change) -> bool:
    """Does a read show what a change of settings was to bring about?"""
    if row is None:
        return False
    if change.after is not None:
        return _side(row, change) == dict(change.after)
    # What a read does not show may still be there.
    is_address = change.operation is Operation.SET_EMERGENCY_ADDRESS
    shown = row.emergency_address if is_address else row.deletion_locked
    return shown is not NOT_SHOWN and _side(row, change) is None


def still_from(row: NumberOnCarrier | None, change: Change) -> bool:
    """Compare before write: is what the change replaces still what it was planned on?"""
    return row is not None and (change.before is None or _side(row, change) == dict(change.before))


def _side(row: NumberOnCarrier, change: Change) -> dict[str, str] | None:
    match change.operation:
        case Operation.SET_ROUTE:
            has_route = row.route is not None and row.route is not NOT_SHOWN
            return _route_fields(row.number, row.route) if has_route else None
        case Operation.SET_EMERGENCY_ADDRESS:
            address = row.emergency_address
            is_set = isinstance(address, EmergencyAddress)
            return address_fields(row.number, address) if is_set else None
        case Operation.SET_DELETION_LOCK:
            locked = row.deletion_locked is True
            return {"number": row.number.text, "locked": "true"} if locked else None
        case _:
            return {"number": row.number.text}


def _route_fields(number: E164, route: TrunkRoute | NotShown | None) -> dict[str, str]:
    fields = {"number": number.text}
    if isinstance(route, TrunkRoute):
        parts = {"trunk": route.trunk, "foreign": route.foreign}
        fields |= {name: text for name, text in parts.items() if text}
        if route.endpoints:
            fields["endpoints"] = " ".join(route.endpoints)
    return fields


def address_fields(number: E164, address: object) -> dict[str, str]:
    """An emergency address as the flat fields of a change."""
    assert isinstance(address, EmergencyAddress)
    fields: Mapping[str, str] = asdict(address)
    return {"number": number.text, **{name: text for name, text in fields.items() if text}}


def _change(  # noqa: PLR0913 - the parts of one value
    connection: ConnectionId,
    operation: Operation,
    number: E164,
    before: Mapping[str, str] | None,
    after: Mapping[str, str] | None,
    irreversible: bool = False,
) -> Change:
    return Change(connection, operation, Platform.CARRIER, number.text, before, after, irreversible)
