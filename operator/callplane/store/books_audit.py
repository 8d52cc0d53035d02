"""The books, audited in the database itself: does every balance follow from its postings, and is
what was there at some earlier time still there?

Reads one consistent view, with plain SQL over all months at once, and shares nothing with what
writes the books. Called by `examining`, above all after a restore.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import psycopg

from callplane.billing import statements
from callplane.values.money import amount_text

#: Of each kind of finding; a broken ledger would otherwise print as many lines as it has months.
FINDINGS_MAX = 20

# In the order in which postings were made, which is that of their ids in one month of one account:
# its row is locked meanwhile.
_DIGEST = """md5(string_agg(concat_ws('|', id, at, debit, credit, unit, amount, purpose, attempt_id,
    presumed, reverses), '/' order by id))"""
# Months that `callplane database retain` has dropped, or the first hours of: they are older than
# what it keeps in any case, begin before the oldest partition, and nothing of them lies in the
# default one, where months from before the installation are.
_MONTHS = f"""
with oldest as (
    select min(to_date(right(relname, 7), 'YYYY_MM'))::timestamp at time zone 'UTC' as at
    from pg_inherits join pg_class on pg_class.oid = inhrelid
    where inhparent = 'books.postings'::regclass and relname ~ '_[0-9]{{4}}_[0-9]{{2}}$'
), posted as (
    select account, period_start, count(*) as postings, max(id) as last_id, {_DIGEST} as digest,
        sum(case when unit = 's' and debit = 'pool:' || account then amount
            when unit = 's' and credit = 'pool:' || account then -amount else 0 end) as pool,
        sum(case when debit = 'used:grace' then amount
            when credit = 'used:grace' then -amount else 0 end) as grace,
        sum(case when unit = 's' or purpose not in ('Call', 'AccessCharge', 'ServiceCharge') then 0
            when debit like 'receivable:%' then amount else -amount end) as owed,
        sum(case when not presumed or unit = 's' then 0
            when debit like 'receivable:%' then amount else -amount end) as presumed
    from books.postings group by account, period_start
), called as (
    select account, period_start, count(*) as calls, sum(charge_micros) as charged
    from books.cdrs group by account, period_start
), live as (
    select account, period_start, count(*) as calls, sum(pool_seconds) as seconds,
        sum(grace_seconds) as grace, sum(hold_micros) as micros
    from books.reservations where state in ('Held', 'Active') group by account, period_start
), brought as (
    select account, period_start, sum(seconds) as seconds from books.entitlements
    group by account, period_start
)
select a.account, a.period_start, a.period_end, a.currency,
    a.entitlement_seconds, a.used_seconds, a.grace_used_seconds, a.posted_micros,
    a.held_seconds, a.grace_held_seconds, a.held_micros, a.live_calls,
    coalesce(p.postings, 0), coalesce(p.last_id, 0), coalesce(p.pool, 0), coalesce(p.grace, 0),
    coalesce(p.owed, 0), coalesce(p.presumed, 0), coalesce(c.calls, 0), coalesce(c.charged, 0),
    coalesce(l.calls, 0), coalesce(l.seconds, 0), coalesce(l.grace, 0), coalesce(l.micros, 0),
    coalesce(b.seconds, 0), coalesce(p.digest, ''),
    a.period_start < now() - interval '400 days' and coalesce(a.period_start < oldest.at, false)
    and not exists (
        select from books.postings_other as o
        where o.account = a.account and o.period_start = a.period_start)
from books.account_periods as a cross join oldest
left join posted as p using (account, period_start)
left join called as c using (account, period_start)
left join live as l using (account, period_start)
left join brought as b using (account, period_start)
order by a.account, a.period_start
"""
_WITHOUT_MONTH = """
select distinct account, period_start from books.{table} as found where not exists (
    select from books.account_periods as a
    where a.account = found.account and a.period_start = found.period_start)
order by 1, 2
"""
_CALLS_WITHOUT_KEY = """
select source, attempt_id, leg from books.cdrs as c where not exists (
    select from books.leg_keys as k
    where k.attempt_id = c.attempt_id and k.source = c.source and k.leg = c.leg) limit %s
"""
_KEYS_WITHOUT_CALL = """
select source, attempt_id, leg from books.leg_keys as k where not exists (
    select from books.cdrs as c
    where c.attempt_id = k.attempt_id and c.source = k.source and c.leg = k.leg) limit %s
"""
_STATEMENTS = "select number, account, digest, document from books.statements"
_DIGEST_UP_TO = f"""
select {_DIGEST} from books.postings where account = %s and period_start = %s and id <= %s
"""


@dataclass(frozen=True, slots=True)
class MonthRecord:
    """One month of one account. `digest` is over its postings up to `last_id`."""

    account: str
    start: datetime
    currency: str
    calls: int
    used_seconds: int
    grace_seconds: int
    posted_micros: int
    postings: int
    last_id: int
    digest: str

    @property
    def key(self) -> tuple[str, datetime]:
        return self.account, self.start

    @property
    def sums(self) -> tuple[int, ...]:
        return self.calls, self.used_seconds, self.grace_seconds, self.posted_micros


@dataclass(frozen=True, slots=True)
class BooksAudit:
    """What was found. `dropped` months are older than what is kept and were not looked at;
    `statements` are digests by number.
    """

    months: tuple[MonthRecord, ...]
    statements: Mapping[int, str]
    findings: tuple[str, ...]
    dropped: int


class Standing(Enum):
    """How a month of an earlier record stands now."""

    UNCHANGED = "unchanged"
    SAME_SUMS = "the same calls, minutes and money, posted anew"
    MISSING = "missing"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A month then and now; `now` is None for one that is not there any more."""

    then: MonthRecord
    now: MonthRecord | None
    standing: Standing

    @property
    def text(self) -> str:
        then, now = self.then, self.now
        what = f"{then.account} {then.start.astimezone(UTC):%Y-%m-%d}"
        if self.standing is Standing.CHANGED:
            return f"{what}: postings are not those of the record any more"
        if self.standing is not Standing.MISSING:
            return f"{what}: {self.standing.value}"
        calls, used, grace, posted = (
            before - after
            for before, after in zip(then.sums, now.sums if now else (0,) * 4, strict=True)
        )
        return (
            f"{what}: {calls:,} calls, {used + grace:,} s and {amount_text(posted)} "
            f"{then.currency} are not there"
        )


def audit(session: psycopg.Connection) -> BooksAudit:
    """Audit every month. The session shows one view throughout: repeatable read."""
    months: list[MonthRecord] = []
    findings: list[str] = []
    dropped = 0
    for row in session.execute(_MONTHS).fetchall():
        account, start, _, currency, _, used, grace_used, posted, *_ = row
        postings, last_id, calls, digest, is_dropped = row[12], row[13], row[18], row[25], row[26]
        if is_dropped:
            dropped += 1
            continue
        findings += _of_month(row)
        months.append(
            MonthRecord(
                account=account,
                start=start,
                currency=currency,
                calls=calls,
                used_seconds=used,
                grace_seconds=grace_used,
                posted_micros=posted,
                postings=postings,
                last_id=last_id,
                digest=digest,
            )
        )
    numbers: dict[int, str] = {}
    for number, account, digest_kept, document in session.execute(_STATEMENTS).fetchall():
        numbers[number] = digest_kept
        # The digest of a statement that a person may hold in their hands.
        if statements.digest(document) != digest_kept:
            findings.append(f"statement {number} of {account} is not what its digest says")
    if missing := sorted(set(range(1, max(numbers, default=0) + 1)) - set(numbers)):
        findings.append(f"statements are missing: {', '.join(map(str, missing[:FINDINGS_MAX]))}")
    findings += _of_records(session)
    return BooksAudit(tuple(months), numbers, tuple(findings), dropped)


def _of_month(row: Sequence[Any]) -> Iterator[str]:
    account, start = row[0], row[1]
    entitled, used, grace, posted, held, grace_held, held_micros, live = row[4:12]
    _, _, pool, posted_grace, owed, presumed, _, charged, calls, seconds, held_grace, micros = row[
        12:24
    ]
    comparisons = (
        ("minutes left by the postings", pool, entitled - used),
        ("grace used by the postings", posted_grace, grace),
        ("money owed by the postings", owed, posted),
        ("money of the calls, and presumed", charged + presumed, posted),
        ("minutes that holders have brought", row[24], entitled),
        ("live calls", calls, live),
        ("minutes held by live calls", seconds, held),
        ("grace held by live calls", held_grace, grace_held),
        ("money held by live calls", micros, held_micros),
    )
    for what, found, said in comparisons:
        if found != said:
            yield f"{account} {start:%Y-%m-%d}: {what}: {found}, and the month says {said}"


def _of_records(session: psycopg.Connection) -> Iterator[str]:
    for table in ("postings", "cdrs"):
        found = session.execute(_WITHOUT_MONTH.format(table=table)).fetchall()
        for account, start in found[:FINDINGS_MAX]:
            yield f"{account} {start:%Y-%m-%d}: {table} of a month that is not there"
    for query, what in (
        (_CALLS_WITHOUT_KEY, "is a call that could be charged again: its key is missing"),
        (_KEYS_WITHOUT_CALL, "was accounted for and its call is missing"),
    ):
        for source, attempt, leg in session.execute(query, (FINDINGS_MAX,)).fetchall():
            yield f"{source} {attempt}/{leg} {what}"


def compare(
    session: psycopg.Connection, then: Sequence[MonthRecord], now: BooksAudit
) -> tuple[Comparison, ...]:
    """How the months of an earlier record stand, in its order. Later postings change nothing."""
    known = {month.key: month for month in now.months}
    return tuple(_compared(session, month, known.get(month.key)) for month in then)


def _compared(
    session: psycopg.Connection, then: MonthRecord, now: MonthRecord | None
) -> Comparison:
    if now is None:
        return Comparison(then, None, Standing.MISSING)
    key = (then.account, then.start, then.last_id)
    [digest] = session.execute(_DIGEST_UP_TO, key).fetchone() or (None,)
    if (digest or "") == then.digest:
        return Comparison(then, now, Standing.UNCHANGED)
    if now.sums == then.sums:
        return Comparison(then, now, Standing.SAME_SUMS)
    is_less = all(after <= before for before, after in zip(then.sums, now.sums, strict=True))
    return Comparison(then, now, Standing.MISSING if is_less else Standing.CHANGED)
