"""What happens at a carrier behind our back: other customers, its staff, an administrator's portal.

Tests call the methods, other processes name them through the control endpoint. Numbers are written
with plus. Every method raises ValueError with a plain reason when its subject does not exist.
"""

from __future__ import annotations

import dataclasses

from callplane.simulators.carriers import ordering, porting
from callplane.simulators.carriers.rows import SOMEBODY_ELSE, AccessKey, NumberRow, Order, Port
from callplane.simulators.carriers.world import PORTAL, Account, CarrierWorld


class Portal:
    """Staff of the carrier and an administrator of one account."""

    def __init__(self, world: CarrierWorld, account: Account) -> None:
        self._world = world
        self._account = account
        world.advance()

    # Numbers.

    def sell(self, number: str) -> None:
        """Another customer buys a number between our search and our order."""
        if self._number(number).owner is not None:
            raise ValueError(f"{number} is sold already")
        ordering.sell_to_somebody_else(self._world, number)

    def give(self, number: str) -> None:
        """The account buys a number by hand: owned by us, unknown to the operator."""
        row = self._number(number)
        if row.owner is not None:
            raise ValueError(f"{number} is sold already")
        self._world.hand_over(row, self._account, by=PORTAL)

    def take(self, number: str) -> None:
        """The account loses a number: ported out, withdrawn by the carrier."""
        row = self._number(number)
        taken = dataclasses.replace(row, owner=SOMEBODY_ELSE, id="", state="", attributes={})
        self._world.put(taken, by=PORTAL)

    def restock(self, number: str) -> None:
        """Put a number somebody else had back on sale."""
        row = self._number(number)
        self._world.put(dataclasses.replace(row, owner=None, is_on_sale=True), by=PORTAL)

    def change_attribute(self, number: str, name: str, value: object = None) -> None:
        """Change what is set on a number, by the carrier's own name; None takes it away."""
        self._world.set_attributes(self._owned(number), {name: value}, by=PORTAL)

    def set_state(self, number: str, state: str) -> None:
        """Put a number into a state, one nobody has heard of included."""
        self._world.put(dataclasses.replace(self._owned(number), state=state), by=PORTAL)

    # Money and access.

    def set_balance(self, minor: int) -> None:
        """Set the balance, in hundredths of the currency."""
        self._account.balance_minor = minor

    def revoke_key(self, name: str) -> None:
        """Make a key worthless."""
        self._key(name).is_revoked = True

    def restore_key(self, name: str, may_write: bool = True) -> None:
        """Make a key good again, for reading only if wanted."""
        key = self._key(name)
        key.is_revoked, key.may_write = False, may_write

    # Orders and ports.

    def approve_paperwork(self, order: str) -> None:
        """Accept the documents of a waiting order: it ends now. By id or reference."""
        ordering.finish(self._world, self._order(order), by=PORTAL)

    def reject_paperwork(
        self, order: str, reason: str = "The documents were not accepted."
    ) -> None:
        """Turn a waiting order down."""
        ordering.reject(self._order(order), reason)

    def reject_port(self, port: str, status: str, text: str, closes: bool = True) -> None:
        """The losing carrier refuses, in the carrier's word for it (`status`)."""
        porting.halt(self._world, self._port(port), status=status, text=text, closes=closes)

    def move_port_date(self, port: str, date: str) -> None:
        """The losing carrier names another date."""
        found = self._port(port)
        found.date = date
        found.events.append(
            {"at": self._world.timestamp(), "status": found.status, "text": f"date {date}"}
        )

    def finish_port(self, port: str, status: str) -> None:
        """The port is done now; `status` is the carrier's word for it."""
        found = self._port(port)
        if not found.is_open:
            raise ValueError(f"port {port} is {found.status}")
        porting.enter(self._world, found, states=(status,))

    def _number(self, number: str) -> NumberRow:
        row = self._world.stock.get(number)
        if row is None:
            raise ValueError(f"no number {number!r} at this carrier")
        return row

    def _owned(self, number: str) -> NumberRow:
        row = self._number(number)
        if row.owner != self._account.id:
            raise ValueError(f"{number} is not owned by account {self._account.id}")
        return row

    def _key(self, name: str) -> AccessKey:
        for key in self._account.keys:
            if key.name == name:
                return key
        raise ValueError(f"no key {name!r} in account {self._account.id}")

    def _order(self, key: str) -> Order:
        for order in self._account.orders.values():
            if key in (order.id, order.reference):
                return order
        raise ValueError(f"no order {key!r} in account {self._account.id}")

    def _port(self, key: str) -> Port:
        if key not in self._account.ports:
            raise ValueError(f"no port {key!r} in account {self._account.id}")
        return self._account.ports[key]
