"""Numbers and money at carriers as rows of a snapshot file, and back, for `snapshot_files`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from callplane.resources.carriers import (
    NOT_SHOWN,
    Balance,
    CarrierNumberState,
    EmergencyAddress,
    NotShown,
    NumberOnCarrier,
    Price,
    TrunkRoute,
)
from callplane.values import E164

Row = Sequence[Any]

#: A field that no read showed, as against null, which is a field that is empty.
_NOT_SHOWN: Final = -1
_STATES = {state.value: state for state in CarrierNumberState}


def number_row(row: NumberOnCarrier) -> Row:
    route, address, fee = row.route, row.emergency_address, row.monthly_fee
    return (
        row.number.text,
        row.state.value,
        row.state_text,
        [route.trunk, list(route.endpoints), route.foreign]
        if isinstance(route, TrunkRoute)
        else _shown(route),
        _address_row(address) if isinstance(address, EmergencyAddress) else _shown(address),
        _shown(row.deletion_locked),
        _shown(row.marker),
        [fee.amount_micros, fee.currency] if isinstance(fee, Price) else _shown(fee),
    )


def number(row: Row) -> NumberOnCarrier:
    text, state, state_text, route, address, locked, marker, fee = row
    return NumberOnCarrier(
        E164(text),
        _STATES[state],
        state_text,
        route=TrunkRoute(route[0], tuple(route[1]), route[2])
        if isinstance(route, list)
        else _read(route),
        emergency_address=EmergencyAddress(*address)
        if isinstance(address, list)
        else _read(address),
        deletion_locked=_read(locked),
        marker=_read(marker),
        monthly_fee=Price(*fee) if isinstance(fee, list) else _read(fee),
    )


def balance_row(balance: Balance | None) -> Row | None:
    if balance is None:
        return None
    return (balance.spendable.amount_micros, balance.spendable.currency)


def balance(row: Row | None) -> Balance | None:
    return None if row is None else Balance(Price(*row))


def _address_row(address: EmergencyAddress) -> Row:
    return (
        address.street,
        address.town,
        address.postcode,
        address.country,
        address.organisation,
        address.building,
        address.locality,
        address.place,
    )


def _shown(value: Any) -> Any:
    return _NOT_SHOWN if isinstance(value, NotShown) else value


def _read(value: Any) -> Any:
    return NOT_SHOWN if value == _NOT_SHOWN else value
