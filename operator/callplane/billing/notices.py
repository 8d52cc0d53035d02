"""Thresholds of an account's month: when somebody is told that minutes or money run out.

A notice is given once for each threshold, limit and month. Raising a limit, or a new month, arms
it again by itself, since the limit is part of what it is about.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from callplane.billing.counters import Counters
from callplane.billing.statements import FairUse
from callplane.values.money import amount_text


class NoticeKind(StrEnum):
    """What runs out. A pool is counted in seconds, a ceiling in micro-units, fair use in people."""

    POOL = "Pool"
    CEILING = "Ceiling"
    FAIR_USE = "FairUse"


@dataclass(frozen=True, slots=True)
class Threshold:
    """So many per cent of a limit, reached by what was used."""

    kind: NoticeKind
    percent: int
    limit_amount: int
    used_amount: int
    #: Of fair use, whose: the trunk.
    about: str = ""

    @property
    def what(self) -> str:
        """The kind, and whose; with percentage and limit it is the key of a notice in a month."""
        return f"{self.kind.value} {self.about}".strip()

    def sentence(self, account: str, month: str, currency: str) -> str:
        """What is told, without anybody's number."""
        if self.kind is NoticeKind.POOL:
            minutes = f"{self.used_amount / 60:,.0f} of {self.limit_amount / 60:,.0f}"
            return f"{account} has used {minutes} minutes of {month}: {self.percent} %"
        if self.kind is NoticeKind.FAIR_USE:
            return (
                f"{self.about} declares {self.limit_amount:,} users, and {self.used_amount:,} "
                f"have called through it in {month}"
            )
        spent, ceiling = amount_text(self.used_amount), amount_text(self.limit_amount)
        return (
            f"calls of {account} have cost {spent} of at most {ceiling} {currency} in {month}: "
            f"{self.percent} %"
        )


def crossed(
    counters: Counters,
    *,
    pool_percents: Iterable[int],
    ceiling_percents: Iterable[int],
    ceiling_micros: int | None,
) -> tuple[Threshold, ...]:
    """Every threshold that has been reached, the lowest first; what is held is not used yet."""
    pool = _reached(
        NoticeKind.POOL, pool_percents, counters.entitlement_seconds, counters.used_seconds
    )
    money = _reached(
        NoticeKind.CEILING, ceiling_percents, ceiling_micros or 0, counters.posted_micros
    )
    return (*pool, *money)


def _reached(
    kind: NoticeKind, percents: Iterable[int], limit: int, used: int
) -> Iterable[Threshold]:
    for percent in sorted(set(percents)):
        if limit > 0 and used * 100 >= percent * limit:
            yield Threshold(kind, percent, limit, used)


def of_fair_use(found: Iterable[FairUse]) -> tuple[Threshold, ...]:
    """One notice a trunk and declared count."""
    return tuple(
        Threshold(
            NoticeKind.FAIR_USE, 100, one.declared_users, one.observed_callers, about=one.trunk
        )
        for one in found
    )
