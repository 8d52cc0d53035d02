"""The carrier contract's stage over a simulator that is served on loopback: the same for all."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

from callplane.providers.carrier_protocol import CarrierProvider
from callplane.resources.carriers import TrunkRoute
from callplane.simulators.carriers.portal import Portal
from callplane.simulators.carriers.running import RunningCarrier
from callplane.simulators.carriers.seeding import DEFAULT_ACCOUNT, RangeSeed, WorldSeed
from callplane.simulators.faults import Effect, FaultRule
from callplane.testing.carrier_stage import (
    ON_SALE,
    OWNED,
    RETRY_AFTER_SECONDS,
    CarrierMisfortune,
)
from callplane.testing.manual_clock import ManualClock
from callplane.values import E164

SEED = WorldSeed(
    seed=5,
    ranges=(
        RangeSeed(ON_SALE[0].text, len(ON_SALE)),
        RangeSeed(OWNED[0].text, len(OWNED), place="Manchester", owner=DEFAULT_ACCOUNT),
    ),
)
"""What a simulated carrier begins with."""

# Reads fail for good, because a client library may repeat one by itself; a write fails once, and
# must not be seen twice.
RULES: Mapping[CarrierMisfortune, FaultRule] = {
    CarrierMisfortune.READS_CUT: FaultRule(Effect.DROP_BEFORE, ("reads",)),
    CarrierMisfortune.READS_THROTTLED: FaultRule(
        Effect.STATUS, ("reads",), status=429, retry_after_seconds=RETRY_AFTER_SECONDS
    ),
    CarrierMisfortune.REQUEST_LOST: FaultRule(Effect.DROP_BEFORE, ("writes",), times=1),
    CarrierMisfortune.ANSWER_LOST: FaultRule(Effect.DROP_AFTER, ("writes",), times=1),
    CarrierMisfortune.FAILED_AFTER: FaultRule(
        Effect.FAILED_AFTER, ("writes",), times=1, status=500, message="Internal error."
    ),
    CarrierMisfortune.WRITE_THROTTLED: FaultRule(
        Effect.STATUS, ("writes",), times=1, status=429, retry_after_seconds=RETRY_AFTER_SECONDS
    ),
}


class SimulatedCarrierStage:
    """A provider over a running simulator of one account.

    `correctable` and `done` are the simulator's words for a port that was refused for a detail and
    for one that is complete; `correctable_closes` says whether the first ends it (a correction is
    then a new port). A carrier whose ways differ overrides a method.
    """

    correctable = "rejected"
    correctable_closes = True
    done = "complete"

    def __init__(
        self,
        running: RunningCarrier,
        clock: ManualClock,
        provider: CarrierProvider,
        route: TrunkRoute,
    ) -> None:
        self.running = running
        self.world = running.world
        self.account = running.world.account()
        self.clock = clock
        self.provider = provider
        self.route = route

    @property
    def portal(self) -> Portal:
        """The account's administrator and the carrier's staff."""
        return self.running.surface.portal(self.world, self.account)

    def strike(self, misfortune: CarrierMisfortune) -> None:
        if misfortune is CarrierMisfortune.CREDENTIALS_WITHDRAWN:
            for key in self.account.keys:
                self.portal.revoke_key(key.name)
            return
        self.world.faults.add(RULES[misfortune])

    def calm(self) -> None:
        self.world.faults.clear()

    def add_numbers(self, count: int) -> None:
        self.world.add_range(RangeSeed("+442920180000", count, owner=self.account.id))

    def owns(self, number: E164) -> bool:
        row = self.world.stock.get(number.text)
        return row is not None and row.owner == self.account.id

    def purchases(self, number: E164) -> int:
        charges = self.account.charges
        return sum((c.what, c.subject) == ("setup", number.text) for c in charges)

    def attempts(self) -> int:
        return len(self.world.recorder.writes())

    def sell(self, number: E164) -> None:
        self.portal.sell(number.text)

    def empty_the_balance(self) -> None:
        self.portal.set_balance(0)

    def orders_take(self, seconds: float) -> None:
        self.world.settings.change({"order_seconds": seconds})

    def orders_need_paperwork(self) -> None:
        self.world.settings.change({"needs_paperwork": True})

    def approve(self, reference: str) -> None:
        self.portal.approve_paperwork(reference)

    def reject(self, reference: str, reason: str) -> None:
        self.portal.reject_paperwork(reference, reason)

    def port_is_refused(self, port_id: str, text: str) -> None:
        self.portal.reject_port(port_id, self.correctable, text, closes=self.correctable_closes)

    def port_is_dated(self, port_id: str, day: datetime.date) -> None:
        self.portal.move_port_date(port_id, day.isoformat())

    def port_is_done(self, port_id: str) -> None:
        self.portal.finish_port(port_id, self.done)
