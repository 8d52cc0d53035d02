"""DIDWW's accounts: orders that pend, numbers that lapse or are terminated."""

from __future__ import annotations

from callplane.simulators.carriers.rows import NumberRow, derive_guid
from callplane.simulators.carriers.world import CarrierWorld

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


def group_id(row: NumberRow) -> str:
    """The group of numbers of one place and kind."""
    return derive_guid("did-group", row.country, row.place, row.kind)


def sku_id(row: NumberRow) -> str:
    """What is ordered of a group."""
    return derive_guid("sku", group_id(row))


def available_id(row: NumberRow) -> str:
    """A number on sale."""
    return derive_guid("available", row.e164)
