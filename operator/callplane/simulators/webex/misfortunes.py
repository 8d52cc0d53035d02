"""Bad days, ready made: all the service is known to do wrong, each with its own small chance.

For seeded simulations. A test that is about one misfortune writes its own rule instead.
"""

from __future__ import annotations

from callplane.simulators.faults import Effect, FaultRule

_LISTINGS = ("listNumbers", "listPeople", "listServices")
_PEOPLE = ("createPerson", "updatePerson")
_LICENSED = (*_PEOPLE, "assignLicences")
_JOBS = ("startNumberJob",)


def bad_days(weight: float = 1.0) -> tuple[FaultRule, ...]:
    """Rules whose chances add up to about one request in ten at weight 1."""

    def rule(effect: Effect, chance: float, **fields: object) -> FaultRule:
        probability = min(1.0, chance * weight)
        return FaultRule(effect, probability=probability, **fields)  # type: ignore[arg-type]

    many = {"status": 429, "message": "Too many requests."}
    refused = {"status": 400, "message": "Something in the request was invalid."}
    return (
        rule(Effect.DROP_AFTER, 0.02, kinds=("writes",)),
        rule(Effect.DROP_BEFORE, 0.01, kinds=("writes",)),
        rule(Effect.DROP_BEFORE, 0.01, kinds=("reads",)),
        rule(Effect.STATUS, 0.01),
        rule(Effect.STATUS, 0.01, retry_after_seconds=2.0, **many),
        rule(Effect.STATUS, 0.005, **many),
        rule(Effect.STATUS, 0.005, retry_after_seconds=5.0, retry_after_is_date=True, **many),
        rule(Effect.TRY_AGAIN, 0.005, kinds=("writes",), retry_after_seconds=2.0),
        rule(Effect.GATEWAY_PAGE, 0.01, status=502, message="Bad Gateway"),
        rule(Effect.TOKEN_REJECTED, 0.002),
        rule(Effect.DELAY, 0.01, seconds=12.0),
        rule(Effect.LATE_COMMIT, 0.005, kinds=("writes",), seconds=12.0),
        rule(Effect.REFUSED_AFTER, 0.01, kinds=("writes",), **refused),
        rule(Effect.HALF_DONE, 0.01, kinds=("updatePerson", "addNumbers"), **refused),
        rule(Effect.LICENCE_SKIPPED, 0.02, kinds=_LICENSED),
        rule(Effect.ORDER_FAILS, 0.01, kinds=_JOBS, message="Internal failure."),
        rule(Effect.ORDER_PARTIAL, 0.02, kinds=_JOBS, message="Internal failure."),
        rule(Effect.ORDER_SLOW, 0.02, kinds=_JOBS, seconds=300.0),
        rule(Effect.LISTING_EMPTY, 0.01, kinds=_LISTINGS),
        rule(Effect.LISTING_HALF, 0.02, kinds=_LISTINGS),
        rule(Effect.LISTING_SKIP, 0.02, kinds=_LISTINGS),
        rule(Effect.LISTING_REPEAT, 0.02, kinds=_LISTINGS),
        rule(Effect.LISTING_GAP, 0.01, kinds=_LISTINGS),
        rule(Effect.LISTING_LOOP, 0.005, kinds=_LISTINGS),
        rule(Effect.LISTING_INVALID_ROW, 0.02, kinds=_LISTINGS),
    )
