"""Statements of months: made of what the books hold and what is declared, and closed in time.

A month is open while it runs, closing for 72 hours after, and then closed: numbered, with a digest,
and never made again. The ledger then owes exactly what the paper says.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from callplane.billing import fees, reading, statements
from callplane.billing.active_users import PbxTrust, SeatPlatform
from callplane.billing.fees import Hosting
from callplane.billing.statements import FairUse, Section, Statement, StatementLine, Usage
from callplane.billing.tariff import RateCard
from callplane.billing.taxes import TaxTreatment, rate_on
from callplane.desired.account_months import AccountFacts, NumbersOnTheirWay
from callplane.errors import CallplaneError
from callplane.store.books_ports import (
    AccountMonth,
    Books,
    CallRow,
    ClosedStatement,
    Closing,
    Payer,
    PlanHolder,
)
from callplane.store.evidence_ports import ActiveUser, EvidenceBook
from callplane.values import Period

log = logging.getLogger(__name__)

ON_THEIR_WAY = NumbersOnTheirWay()
#: The card that minutes from the pool are compared with, ready for the calls of a month. Whatever
#: it raises beside StoreUnavailable keeps that month open, and no other.
CardOf = Callable[[AccountFacts, Sequence[CallRow]], Awaitable[RateCard | None]]


class CannotBeMade(CallplaneError):
    """Something that the month is billed by is not declared any more."""


@dataclass(frozen=True, slots=True)
class MonthRecords:
    """What the books hold of a month."""

    month: AccountMonth
    calls: Sequence[CallRow]
    plans: Sequence[PlanHolder]
    users: Sequence[ActiveUser]
    #: None: nobody looked at what was hosted while the month ran.
    hosting: Hosting | None = None


async def records(books: Books, evidence: EvidenceBook, month: AccountMonth) -> MonthRecords:
    """Read a month. Its counters were read before, so that a change meanwhile is noticed."""
    key = (month.account, month.period_start)
    return MonthRecords(
        month,
        await books.calls(*key),
        await books.plans(*key),
        await evidence.active_users(*key),
        await evidence.hosting(*key),
    )


def made(
    facts: AccountFacts,
    found: MonthRecords,
    *,
    card: RateCard | None,
    on_their_way: NumbersOnTheirWay = ON_THEIR_WAY,
    runs: bool = False,
) -> Statement:
    """The statement of a month as it is now; `runs`: it is not over yet, so that what is declared
    now is hosted in it. Raises CannotBeMade.
    """
    declared, zone = facts.account, facts.account.spec.time_zone
    period = Period.of(found.month.period_start, zone)
    treatment = TaxTreatment(declared.spec.tax.treatment.value)
    last_day = period.local_day(period.end - timedelta(seconds=1))
    package = fees.package_on(reading.packages(declared), last_day)
    plan_prices = _plan_prices(facts, found.plans)
    lines: list[StatementLine] = []
    hosting = _hosting(facts, found, package, on_their_way, runs=runs)
    has_own_fees = any(one.each_micros for one in hosting.numbers)
    if package is not None or plan_prices or has_own_fees:
        package = package or fees.Package(last_day)
        month = fees.Month(
            numbers=hosting.numbers,
            seats=_seats(found.users),
            plans=plan_prices,
            has_bolt_on=hosting.has_bolt_on,
            # A bundle is sold over a hosted carrier alone.
            is_hosted=_is_hosted(facts, found, hosting, runs=runs) or bool(plan_prices),
        )
        lines += statements.fee_lines(fees.fees(package, month), treatment)
    lines += _call_lines(found, zone, treatment)
    counters = found.month.counters
    return statements.statement(
        found.month.account,
        period,
        currency=found.month.currency,
        lines=lines,
        tax=rate_on(reading.tax_rates(declared), last_day),
        usage=Usage(
            entitlement_seconds=counters.entitlement_seconds,
            pool_seconds=counters.used_seconds,
            grace_seconds=counters.grace_used_seconds,
            uncharged_seconds=sum(call.uncharged_seconds for call in found.calls),
            standard_micros=sum(_standard_micros(call, card) for call in found.calls),
            plan_fee_micros=sum(price for _, price in plan_prices),
        ),
        sample_prices=card is not None and card.sample,
        fair_use=fair_use(found.users, found.calls),
    )


def hosting_now(
    facts: AccountFacts, package: fees.Package | None, on_their_way: NumbersOnTheirWay
) -> Hosting:
    """What is hosted now: what is declared, and has come as far as the package says."""
    starts = package.hosting_starts if package is not None else fees.HostingStarts.ACCEPTANCE
    numbers = tuple(one for one in facts.numbers if on_their_way.begun(one.number, starts))
    return Hosting(numbers, facts.has_bolt_on)


def _hosting(
    facts: AccountFacts,
    found: MonthRecords,
    package: fees.Package | None,
    on_their_way: NumbersOnTheirWay,
    *,
    runs: bool,
) -> Hosting:
    """What was hosted in a month: what was noted while it ran. What came after it is none of it,
    and a number that has gone since is.
    """
    noted = found.hosting
    if noted is not None and not runs:
        return noted
    now = hosting_now(facts, package, on_their_way)
    if noted is None:
        return now
    numbers = {one.number: one for one in (*noted.numbers, *now.numbers)}
    return Hosting(
        tuple(numbers[number] for number in sorted(numbers)),
        noted.has_bolt_on or now.has_bolt_on,
    )


def _is_hosted(facts: AccountFacts, found: MonthRecords, hosting: Hosting, *, runs: bool) -> bool:
    """Was any carrier of the account one that we pay?"""
    was = any(not one.byoc for one in hosting.numbers)
    return was or ((runs or found.hosting is None) and facts.is_hosted)


def _plan_prices(facts: AccountFacts, plans: Iterable[PlanHolder]) -> list[tuple[str, int]]:
    missing = sorted({one.plan for one in plans} - set(facts.plan_prices))
    if missing:
        raise CannotBeMade(
            f"{facts.label}: its users held {', '.join(missing)}, and no such CallingPlan is "
            "declared: nobody knows its price"
        )
    return [(one.plan, facts.plan_prices[one.plan]) for one in plans]


def _seats(users: Iterable[ActiveUser]) -> Mapping[SeatPlatform, int]:
    """Users by platform: one on two platforms is a user of each."""
    seats: Counter[SeatPlatform] = Counter()
    for one in users:
        seats[one.platform] += one.users
    return seats


def _call_lines(found: MonthRecords, zone: str, treatment: TaxTreatment) -> Iterable[StatementLine]:
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for call in found.calls:
        if call.charge_micros:
            name = "unnamed destinations" if call.price is None else call.price.name
            groups[("" if call.adjusts is None else _label(call.adjusts, zone), name)].append(
                call.charge_micros
            )
    for (adjusts, name), charges in sorted(groups.items()):
        text = f"Calls to {name}" + (f", late for {adjusts}" if adjusts else "")
        section = Section.ADJUSTMENTS if adjusts else Section.CALLS
        yield StatementLine(text, len(charges), sum(charges), treatment, section, adjusts)
    charged = sum(call.charge_micros for call in found.calls)
    presumed = found.month.counters.posted_micros - charged
    if presumed:
        # What stands in for records that have not come, or is taken back of a closed month.
        yield StatementLine(
            "Calls without a record, presumed", 1, presumed, treatment, Section.ADJUSTMENTS
        )


def _label(start: datetime, zone: str) -> str:
    return Period.of(start, zone).label


def _standard_micros(call: CallRow, card: RateCard | None) -> int:
    """What minutes from the pool would have cost at the standard rate."""
    if card is None or not call.pool_seconds or not call.destination:
        return 0
    price = card.price_at(call.destination, call.setup)
    if price is None:
        return 0
    seconds = price.increment.billable(call.duration_seconds - call.uncharged_seconds)
    whole = sum(price.charge(part, seconds, with_fee=True) for part in price.parts)
    return max(0, whole - call.charge_micros)


def fair_use(users: Iterable[ActiveUser], calls: Iterable[CallRow]) -> list[FairUse]:
    """Trunks from which more people called than are declared; each PBX is a line by its name."""
    callers: dict[str, set[str]] = defaultdict(set)
    for call in calls:
        if not call.inbound and call.caller:
            callers[call.line].add(call.caller)
    found = []
    for one in users:
        if one.platform is SeatPlatform.PBX:
            observed = len(callers[one.identity])
            if PbxTrust(one.users, observed).exceeds_fair_use:
                found.append(FairUse(one.identity, one.users, observed))
    return found


async def close(
    books: Books, made_of: AccountMonth, statement: Statement, *, now: datetime
) -> ClosedStatement | None:
    """Close a month by this statement. None: it changed meanwhile, or it is too early."""
    content = statements.document(statement)
    payer = Payer(statement.account, statement.currency, statement.period, now.date())
    closing = Closing(
        payer=payer,
        counters=made_of.counters,
        document=content,
        digest=statements.digest(content),
        postings=tuple(statements.closing_postings(statement)),
    )
    return await books.close_month(closing, now=now)


async def close_due(  # noqa: PLR0913 - what closing depends on, all named
    books: Books,
    evidence: EvidenceBook,
    accounts: Mapping[str, AccountFacts],
    *,
    card_of: CardOf,
    now: datetime,
    on_their_way: NumbersOnTheirWay = ON_THEIR_WAY,
    before: Callable[[AccountMonth], Awaitable[None]] | None = None,
    waits: Callable[[str, str], None] = lambda account, reason: None,
) -> int:
    """Close every month that is over for 72 hours, the oldest first; how many were closed?

    A month that cannot be closed now is passed over with a line in the log, told to `waits` and
    tried again; other accounts are closed all the same. `before` is run ahead of reading a month
    that is due, to write down what belongs to it.
    """
    closed = 0
    done = {(one.account, one.period_start) for one in await books.statements()}
    for month in await books.months():
        facts = accounts.get(month.account)
        if facts is None or (month.account, month.period_start) in done:
            continue
        if not statements.may_close(
            Period.of(month.period_start, facts.account.spec.time_zone), now
        ):
            continue
        try:
            if before is not None:
                await before(month)
            found = await records(books, evidence, month)
            card = await card_of(facts, found.calls)
            statement = made(facts, found, card=card, on_their_way=on_their_way)
        except (CannotBeMade, ValueError) as error:
            log.warning("a statement of %s cannot be closed: %s", month.account, error)
            waits(month.account, str(error))
            continue
        closed += await close(books, month, statement, now=now) is not None
    return closed
