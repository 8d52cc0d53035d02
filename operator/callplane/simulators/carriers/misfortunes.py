"""Bad days of a carrier, ready made, each with its own small chance: for seeded simulations."""

from __future__ import annotations

from callplane.simulators.faults import Effect, FaultRule

_LISTINGS = ("listNumbers", "fetchReport")


def bad_days(weight: float = 1.0) -> tuple[FaultRule, ...]:
    """Rules whose chances add up to about one request in ten at weight 1."""

    def rule(effect: Effect, chance: float, **fields: object) -> FaultRule:
        probability = min(1.0, chance * weight)
        return FaultRule(effect, probability=probability, **fields)  # type: ignore[arg-type]

    return (
        rule(Effect.DROP_AFTER, 0.02, kinds=("writes",)),
        rule(Effect.DROP_BEFORE, 0.01),
        rule(Effect.FAILED_AFTER, 0.01, kinds=("writes",)),
        rule(Effect.STATUS, 0.01),
        rule(Effect.STATUS, 0.01, status=500, message="Internal error."),
        rule(Effect.STATUS, 0.01, status=429, retry_after_seconds=2.0, message="Slow down."),
        rule(Effect.DELAY, 0.01, seconds=12.0),
        rule(Effect.LATE_COMMIT, 0.005, kinds=("writes",), seconds=12.0),
        rule(Effect.NUMBER_TAKEN, 0.02, kinds=("buyNumber", "createOrder")),
        rule(Effect.ORDER_FAILS, 0.02, kinds=("createOrder",), message="Inventory unavailable."),
        rule(Effect.ORDER_PARTIAL, 0.02, kinds=("createOrder",), message="Inventory unavailable."),
        rule(Effect.ORDER_LOST, 0.01, kinds=("createOrder", "requestReport")),
        rule(Effect.ORDER_SLOW, 0.02, kinds=("createOrder", "requestReport"), seconds=300.0),
        rule(Effect.LISTING_EMPTY, 0.01, kinds=_LISTINGS),
        rule(Effect.LISTING_HALF, 0.02, kinds=_LISTINGS),
        rule(Effect.LISTING_SKIP, 0.02, kinds=_LISTINGS),
        rule(Effect.LISTING_REPEAT, 0.02, kinds=_LISTINGS),
    )
