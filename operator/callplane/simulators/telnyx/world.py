"""Telnyx's accounts: numbers with a numeric id, a lock against deletion, and jobs over many."""

from __future__ import annotations

from callplane.simulators.carriers.rows import NumberRow
from callplane.simulators.carriers.world import CarrierWorld

ENDINGS = {"success": "success", "failure": "failure", "canceled": "failure"}
"""An order's status on the wire: the documented ones have no word for cancelled."""


class TelnyxWorld(CarrierWorld):
    """Orders pend, then each number of them succeeds or fails by itself."""

    name = "telnyx"
    owned_state = "active"

    def new_id(self, e164: str) -> str:
        """A decimal number of 19 digits, as text."""
        return str(1_293_384_261_075_731_000 + self.new_number())

    def default_attributes(self, row: NumberRow) -> dict[str, object]:
        """No lock, no tags."""
        return {"deletion_lock_enabled": False, "tags": [], "source": "purchased"}
