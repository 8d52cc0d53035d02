"""Bad days, ready made: all the service is known to do wrong, each with its own small chance.

For seeded simulations. A test that is about one misfortune writes its own rule instead.
"""

from __future__ import annotations

from callplane.simulators.faults import Effect, FaultRule

_NUMBER_ORDERS = ("assignNumber", "unassignNumber")
_LISTINGS = ("listNumberAssignments", "listUserConfigurations", "listUsers")


def bad_days(weight: float = 1.0) -> tuple[FaultRule, ...]:
    """Rules whose chances add up to about one request in ten at weight 1."""

    def rule(effect: Effect, chance: float, **fields: object) -> FaultRule:
        probability = min(1.0, chance * weight)
        return FaultRule(effect, probability=probability, **fields)  # type: ignore[arg-type]

    return (
        rule(Effect.DROP_AFTER, 0.02, kinds=("writes",)),
        rule(Effect.DROP_BEFORE, 0.01, kinds=("writes",)),
        rule(Effect.DROP_BEFORE, 0.01, kinds=("reads",)),
        rule(Effect.STATUS, 0.01),
        rule(Effect.STATUS, 0.01, status=500, code="generalException", message="Internal error."),
        rule(
            Effect.STATUS,
            0.01,
            status=429,
            code="TooManyRequests",
            message="Too many requests.",
            retry_after_seconds=2.128,
        ),
        rule(Effect.TRY_AGAIN, 0.01, kinds=("writes",)),
        rule(Effect.TOKEN_REJECTED, 0.002),
        rule(Effect.DELAY, 0.01, seconds=12.0),
        rule(Effect.LATE_COMMIT, 0.005, kinds=("writes",), seconds=12.0),
        rule(Effect.ORDER_FAILS, 0.01, kinds=_NUMBER_ORDERS, message="Internal failure."),
        rule(Effect.ORDER_PARTIAL, 0.005, kinds=_NUMBER_ORDERS, message="Internal failure."),
        rule(Effect.ORDER_SKIPPED, 0.005, kinds=_NUMBER_ORDERS),
        rule(Effect.ORDER_LOST, 0.01, kinds=_NUMBER_ORDERS),
        rule(Effect.ORDER_SLOW, 0.02, kinds=_NUMBER_ORDERS, seconds=300.0),
        rule(Effect.LISTING_EMPTY, 0.01, kinds=_LISTINGS),
        rule(Effect.LISTING_HALF, 0.02, kinds=_LISTINGS),
        rule(Effect.LISTING_SKIP, 0.02, kinds=_LISTINGS),
        rule(Effect.LISTING_REPEAT, 0.02, kinds=_LISTINGS),
        rule(Effect.LISTING_INVALID_ROW, 0.02, kinds=_LISTINGS),
    )
