"""What the cases of the carrier contract share: what they need, and short ways to ask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import pytest

from callplane.providers.carrier_protocol import (
    CarrierAction,
    CarrierCapabilities,
    CarrierRefused,
    NumberPage,
    OrderLookup,
)
from callplane.resources.carriers import (
    NumberOnCarrier,
    NumberSearch,
    OrderRequest,
)
from callplane.testing.carrier_stage import (
    ON_SALE,
    OWNED,
    CarrierStage,
)
from callplane.values import E164

FIRST = OWNED[0]
WANTED = ON_SALE[3]
REFERENCE = "cp-order-0001"
SEVERAL_PAGES = 600
A_MONTH_SECONDS = 30 * 86_400.0

Case = TypeVar("Case", bound=Callable[..., object])


@dataclass(frozen=True, slots=True)
class Needs:
    """What a carrier must be able to do for a case to mean anything."""

    actions: tuple[CarrierAction, ...] = ()
    condition: str = ""
    """Name of a flag of the capabilities."""

    def missing(self, capabilities: CarrierCapabilities) -> str:
        """What the carrier lacks, in words; empty where the case applies."""
        for action in self.actions:
            if not capabilities.supports(action):
                return f"{action.value}: {capabilities.unsupported[action].reason}"
        if self.condition == "by_reference":
            kept = capabilities.order_lookup is OrderLookup.BY_REFERENCE
            return "" if kept else "the carrier keeps no reference of ours"
        if self.condition and not getattr(capabilities, self.condition):
            return f"not {self.condition.replace('_', ' ')}"
        return ""


def needs(*actions: CarrierAction, condition: str = "") -> Callable[[Case], Case]:
    """Mark a case with what it needs."""

    def mark(case: Case) -> Case:
        case.needs = Needs(actions, condition)  # type: ignore[attr-defined]
        return case

    return mark


_left_out: dict[str, list[tuple[str, str]]] = {}


def note_left_out(suite: str, case: str, reason: str) -> None:
    """Remember a case that does not apply."""
    _left_out.setdefault(suite, []).append((case, reason))


def left_out_lines() -> list[str]:
    """What does not apply to whom and why, for the suites that were loaded."""
    return [
        f"{suite}: {case.removeprefix('test_').replace('_', ' ')} ({reason})"
        for suite, cases in sorted(_left_out.items())
        for case, reason in sorted(cases)
    ]


def request_for(number: E164, stage: CarrierStage, reference: str = REFERENCE) -> OrderRequest:
    return OrderRequest(reference, number, route=stage.route)


async def offered(stage: CarrierStage, number: E164 = WANTED) -> OrderRequest:
    """An order for a number that a search has just offered."""
    search = NumberSearch(prefix=number.text[1:], count=1)
    offers = await stage.provider.search(search)
    assert [offer.number for offer in offers] == [number]
    return OrderRequest(REFERENCE, number, offer=offers[0].offer, route=stage.route)


async def pages_of(stage: CarrierStage) -> list[NumberPage]:
    return [page async for page in stage.provider.list_pages()]


async def row_of(stage: CarrierStage, number: E164) -> NumberOnCarrier:
    row = (await stage.provider.read_number(number)).row
    assert row is not None
    return row


async def refusal(stage: CarrierStage, request: OrderRequest) -> CarrierRefused:
    """An order that is refused; it was sent at most once."""
    before = stage.attempts()
    with pytest.raises(CarrierRefused) as caught:
        await stage.provider.order(request)
    assert stage.attempts() - before <= 1
    return caught.value


def settle(stage: CarrierStage) -> None:
    """Let the carrier's own readers catch up."""
    stage.clock.advance(stage.provider.capabilities.read_after_write_lag_seconds)
