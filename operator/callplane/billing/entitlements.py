"""The minutes of a month: each holder's highest plan counts, whenever in the month it was held.

A plan that is added brings all its minutes at once; an upgrade brings the difference; adding the
same again brings nothing; taking one away lowers the next month only. So what was used can never
make a balance negative, and there is nothing to reset.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def to_post(
    posted_seconds: Mapping[str, int], held_seconds: Iterable[tuple[str, int]]
) -> dict[str, int]:
    """What has to be posted for each holder, given what already was in this period.

    `held_seconds` lists (holder, seconds of a plan), a holder of several plans several times.
    """
    highest: dict[str, int] = {}
    for holder, seconds in held_seconds:
        highest[holder] = max(highest.get(holder, 0), seconds)
    return {
        holder: seconds - posted_seconds.get(holder, 0)
        for holder, seconds in highest.items()
        if seconds > posted_seconds.get(holder, 0)
    }


def pool_seconds(posted_seconds: Mapping[str, int]) -> int:
    """One pool for an account, whatever plans filled it."""
    return sum(posted_seconds.values())
