"""What carriers know of where help is to be sent to, number by number. Part of
`emergency_coverage`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from callplane.apis.emergency_locations import EmergencyLocation
from callplane.engine import carrier_changes, carrier_settings
from callplane.engine.observations import CarrierObservation
from callplane.engine.recorded_carrier import CarrierSkills
from callplane.providers.carrier_protocol import CarrierAction, CarrierRefused
from callplane.resources.carriers import NOT_SHOWN, EmergencyAddress, NumberOnCarrier
from callplane.values import E164, ObjectKey


class Coverage(Enum):
    """What a system knows of where the holder is; the worst comes first.

    MISSING: it knows no address, or the declared one does not exist there. DIFFERENT: it has
    another one than declared. UNSEEN: it could not be asked, or does not show. BY_HAND: it takes no
    address from us. UNDECLARED: it has one that no manifest states. ACCEPTED: it has the declared
    one.
    """

    MISSING = "Missing"
    DIFFERENT = "Different"
    UNSEEN = "Unseen"
    BY_HAND = "ByHand"
    UNDECLARED = "Undeclared"
    ACCEPTED = "Accepted"


@dataclass(frozen=True, slots=True)
class Check:
    """One system's answer for one number. `reason` says what is missing and what would mend it;
    empty where nothing is.
    """

    system: ObjectKey
    state: Coverage
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Stated:
    """The location that manifests name, and what it is; None: nobody names one, or it is gone."""

    key: ObjectKey | None
    location: EmergencyLocation | None


class CarrierEvidence:
    """What was observed at every carrier."""

    def __init__(
        self, carriers: Iterable[CarrierObservation], skills: Mapping[ObjectKey, CarrierSkills]
    ) -> None:
        self._skills = skills
        self._rows: dict[ObjectKey, dict[E164, NumberOnCarrier]] = {}
        self._set_by_us: dict[ObjectKey, dict[E164, Any]] = {}
        for each in carriers:
            self._rows[each.key] = {row.number: row for row in each.numbers}
            holders = each.register.holders if each.register is not None else ()
            self._set_by_us[each.key] = {
                E164(row.holder.user_id): row.applied[carrier_changes.EMERGENCY_ADDRESS]
                for row in holders
                if carrier_changes.EMERGENCY_ADDRESS in row.applied
            }

    def check(self, carrier: ObjectKey, number: E164, stated: Stated) -> Check:
        """What this carrier knows of this number."""
        skills = self._skills.get(carrier)
        if skills is None:
            return Check(carrier, Coverage.UNSEEN, f"{carrier} is not declared, or cannot be used")
        unsupported = skills.capabilities.unsupported.get(CarrierAction.EMERGENCY_ADDRESS)
        if unsupported is not None:
            text = f"{unsupported.reason}; by hand: {unsupported.manual_step}"
            return Check(carrier, Coverage.BY_HAND, text)
        if carrier not in self._rows:
            return Check(carrier, Coverage.UNSEEN, "the carrier was not observed")
        row = self._rows[carrier].get(number)
        if row is None:
            return Check(carrier, Coverage.UNSEEN, "the carrier does not show the number as ours")
        if stated.key is None:
            return _undeclared(carrier, row)
        if stated.location is None:
            text = f"{stated.key} is declared and does not exist"
            return Check(carrier, Coverage.MISSING, text)
        spec = stated.location.spec
        try:
            wanted = skills.canonical_address(
                carrier_settings.address_of(spec.address, spec.place or "")
            )
        except CarrierRefused as refused:
            text = f"the carrier would refuse {stated.key}: {refused}"
            return Check(carrier, Coverage.MISSING, text)
        return self._compared(carrier, row, wanted)

    def _compared(
        self, carrier: ObjectKey, row: NumberOnCarrier, wanted: EmergencyAddress
    ) -> Check:
        shown = row.emergency_address
        if shown is None:
            return Check(carrier, Coverage.MISSING, "the carrier has no address for the number")
        if shown == wanted:
            return Check(carrier, Coverage.ACCEPTED)
        if shown is not NOT_SHOWN:
            return Check(carrier, Coverage.DIFFERENT, "the carrier has another address")
        known = self._set_by_us[carrier].get(row.number)
        if known == carrier_changes.address_fields(row.number, wanted):
            # It was read back when it was set, and drift of it would have been written over.
            return Check(carrier, Coverage.ACCEPTED)
        text = (
            "no listing of the carrier shows it, and it was not set from here; "
            "status.carrier.emergencyAddress of its PhoneNumber tells"
        )
        return Check(carrier, Coverage.UNSEEN, text)


def _undeclared(carrier: ObjectKey, row: NumberOnCarrier) -> Check:
    shown = row.emergency_address
    if isinstance(shown, EmergencyAddress):
        text = "the carrier has an address, which no manifest states"
        return Check(carrier, Coverage.UNDECLARED, text)
    if shown is NOT_SHOWN:
        text = "no emergencyLocationRef on the number or its range, and no listing shows an address"
        return Check(carrier, Coverage.UNSEEN, text)
    text = "no emergencyLocationRef on the number or its range, and the carrier has no address"
    return Check(carrier, Coverage.MISSING, text)
