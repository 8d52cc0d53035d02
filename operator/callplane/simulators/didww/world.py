"""DIDWW's accounts: orders that pend, numbers that lapse or are terminated."""

from __future__ import annotations

from callplane.simulators.carriers.portal import Portal
from callplane.simulators.carriers.rows import NumberRow, derive_guid
from callplane.simulators.carriers.world import PORTAL, CarrierWorld

STATUS = {"pending": "pending", "success": "completed", "failure": "canceled"}
"""An order's status on the wire, where it is not the same word."""


class DidwwWorld(CarrierWorld):
    """A terminated number stays visible as such to the account that had it."""

    name = "didww"

    def default_attributes(self, row: NumberRow) -> dict[str, object]:
        """Nothing is blocked and no registration is awaited."""
        return {"description": None, "source": "ordered"}

    def terminate(self, row: NumberRow, *, by: str) -> None:
        """Release a number and remember what it was."""
        account = self.account(row.owner)
        account.shelf("terminated")[row.id] = {"row": row}
        self.release(row.e164, by=by)

    def lapse_after(self, row: NumberRow, cycles: int, *, by: str) -> None:
        """Let a number go after so many billing cycles, unless that is changed meanwhile."""
        ownership = row.id

        def lapse(_: float) -> None:
            held = self.stock.get(row.e164)
            if held is None or held.id != ownership:
                return
            if held.attributes.get("billing_cycles_count") == cycles:
                self.terminate(held, by=by)

        self.later(self.now() + cycles * self.settings.month_seconds, lapse)


class DidwwPortal(Portal):
    """Papers are looked at for each number, which is the account's meanwhile and afterwards."""

    def approve_paperwork(self, order: str) -> None:
        """Accept the papers of the numbers of an order. By id or reference."""
        for row in self._ordered(order):
            self._world.set_attributes(row, {"awaiting_registration": None}, by=PORTAL)

    def reject_paperwork(
        self, order: str, reason: str = "The documents were not accepted."
    ) -> None:
        """Turn them down: the numbers go on waiting."""
        key = self._world.new_guid("verification")
        self._account.shelf("address_verifications")[key] = {
            "status": "rejected",
            "reject_reasons": [reason],
            "reject_comment": None,
            "created_at": self._world.timestamp(),
            "_dids": [row.id for row in self._ordered(order)],
        }

    def _ordered(self, order: str) -> list[NumberRow]:
        return [self._owned(number.e164) for number in self._order(order).numbers]


def group_id(row: NumberRow) -> str:
    """The group of numbers of one place and kind."""
    return derive_guid("did-group", row.country, row.place, row.kind)


def sku_id(row: NumberRow) -> str:
    """What is ordered of a group."""
    return derive_guid("sku", group_id(row))


def available_id(row: NumberRow) -> str:
    """A number on sale."""
    return derive_guid("available", row.e164)
