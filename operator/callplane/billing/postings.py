"""The ledger's rows: a debit, a credit, a unit and a positive amount, balanced by construction.

Nothing is changed or taken out. A correction is a new row with debit and credit exchanged that
names the row it takes back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from callplane.billing.prices import LineKind
from callplane.billing.settlement import Settlement

SECONDS = "s"


class Purpose(StrEnum):
    """What a posting is about."""

    ENTITLEMENT = "Entitlement"
    POOL = "Pool"
    GRACE = "Grace"
    CALL = "Call"
    ACCESS_CHARGE = "AccessCharge"
    SERVICE_CHARGE = "ServiceCharge"
    FEE = "Fee"
    TAX = "Tax"
    ROUNDING = "Rounding"


_LINES = {
    LineKind.CALL: Purpose.CALL,
    LineKind.ACCESS_CHARGE: Purpose.ACCESS_CHARGE,
    LineKind.SERVICE_CHARGE: Purpose.SERVICE_CHARGE,
}


@dataclass(frozen=True, slots=True)
class Posting:
    """`unit` is a currency, with the amount in micro-units, or `s`, with the amount in seconds.

    `attempt_id` names the call, or the holder of an entitlement. `reverses` is the id of the row
    that this one takes back; `presumed` marks what stands in for a CDR that has not come.
    """

    debit: str
    credit: str
    unit: str
    amount: int
    purpose: Purpose
    attempt_id: str = ""
    presumed: bool = False
    reverses: int | None = None

    def __post_init__(self) -> None:
        if self.amount <= 0:
            raise ValueError("a posting has a positive amount; a correction is one the other way")
        if self.debit == self.credit:
            raise ValueError("a posting moves something from one account to another")

    def reversal(self, posting_id: int) -> Posting:
        """The row that takes this one back, which was stored under that id."""
        return replace(self, debit=self.credit, credit=self.debit, reverses=posting_id)


def pool_of(account: str) -> str:
    """The ledger account that holds the minutes of an account."""
    return f"pool:{account}"


def receivable_of(account: str) -> str:
    """The ledger account that holds what an account owes."""
    return f"receivable:{account}"


def entitlement(account: str, holder: str, seconds: int) -> Posting:
    """Minutes that a plan of a holder brings into the pool."""
    return Posting(
        pool_of(account), "issued:minutes", SECONDS, seconds, Purpose.ENTITLEMENT, holder
    )


def of_call(
    account: str, attempt_id: str, settlement: Settlement, *, currency: str, presumed: bool = False
) -> Iterator[Posting]:
    """What a call moves; nothing for a call that used nothing."""
    pool, owed = pool_of(account), receivable_of(account)
    if settlement.pool_seconds:
        yield Posting(
            "used:minutes",
            pool,
            SECONDS,
            settlement.pool_seconds,
            Purpose.POOL,
            attempt_id,
            presumed,
        )
    if settlement.grace_seconds:
        yield Posting(
            "used:grace",
            "issued:grace",
            SECONDS,
            settlement.grace_seconds,
            Purpose.GRACE,
            attempt_id,
            presumed,
        )
    for line in settlement.lines:
        if line.amount_micros:
            yield Posting(
                owed,
                "revenue:calls",
                currency,
                line.amount_micros,
                _LINES[line.kind],
                attempt_id,
                presumed,
            )


def balances(postings: Iterable[Posting]) -> dict[tuple[str, str], int]:
    """Debits less credits of every (ledger account, unit); they add up to 0 in each unit."""
    sums: Counter[tuple[str, str]] = Counter()
    for posting in postings:
        sums[(posting.debit, posting.unit)] += posting.amount
        sums[(posting.credit, posting.unit)] -= posting.amount
    return dict(sums)
