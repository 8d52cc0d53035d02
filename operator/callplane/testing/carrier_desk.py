"""A small simulated carrier on a clock that stands still, called without a socket."""

from __future__ import annotations

from dataclasses import dataclass

from callplane.simulators.carriers.portal import Portal
from callplane.simulators.carriers.rest_app import RestApp
from callplane.simulators.carriers.surface import Surface
from callplane.simulators.carriers.world import Account, CarrierWorld
from callplane.simulators.faults import rule_from
from callplane.testing.asgi_calls import Answer, AsgiCaller
from callplane.testing.manual_clock import ManualClock


@dataclass(slots=True)
class CarrierDesk:
    """A carrier, a way to call it, and its administrator."""

    clock: ManualClock
    world: CarrierWorld
    surface: Surface
    calls: AsgiCaller

    @property
    def account(self) -> Account:
        """The only account."""
        return self.world.account()

    @property
    def portal(self) -> Portal:
        """Its administrator."""
        return self.surface.portal(self.world, self.account)

    @property
    def owned(self) -> list[str]:
        """What the account owns, in order."""
        return [row.e164 for row in self.world.owned(self.account)]

    @property
    def spent_minor(self) -> dict[str, int]:
        """Money taken so far, by what it was for."""
        spent: dict[str, int] = {}
        for charge in self.account.charges:
            spent[charge.what] = spent.get(charge.what, 0) + charge.minor
        return spent

    def settings(self, **changes: object) -> None:
        """Change settings."""
        self.world.settings.change(changes)

    def fault(self, **rule: object) -> int:
        """Put a fault rule in force. Returns its id."""
        return self.world.faults.add(rule_from(rule, "rule"))

    async def request(self, method: str, path: str, body: object = None, **query: str) -> Answer:
        """Any request below the API's path."""
        full = f"{self.surface.api_path}{path}"
        return await self.calls.request(method, full, query=query or None, body=body)


def open_carrier(
    world: CarrierWorld, surface: Surface, *, clock: ManualClock, headers: dict[str, str]
) -> CarrierDesk:
    """A desk over a carrier that was made with the same clock."""
    app = RestApp(world, surface, sleep=clock.sleep)
    calls = AsgiCaller(app, host=f"{surface.name}.test")
    calls.headers.update(headers)
    return CarrierDesk(clock, world, surface, calls)
