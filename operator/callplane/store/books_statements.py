"""Every SQL statement the books send; what they call is made by `migrations/sql/v0002_books.sql`.

Columns are listed in the order in which `books_rows` reads them.
"""

from __future__ import annotations

RESERVE = f"select * from books.reserve({', '.join(['%s'] * 28)})"
EXTEND = "select * from books.extend(%s, %s, %s, %s, %s)"
VOID = "select books.void(%s)"
SET_PLANS = "select books.set_plans(%s, %s, %s, %s, %s, %s, %s, %s)"
OPEN_MONTH = "select from books.lock_period(%s, %s, %s, %s, %s)"
SETTLE = "select books.settle(value, %s) from jsonb_array_elements(%s)"
ANSWERED = """
update books.reservations set state = 'Active', answered_at = coalesce(answered_at, %s),
    seen_at = %s, expires_at = %s
where attempt_id = %s and state in ('Held', 'Active')
"""

_COUNTERS = """entitlement_seconds, used_seconds, held_seconds, grace_used_seconds,
    grace_held_seconds, posted_micros, held_micros, unsecured_micros, day, day_micros,
    day_held_micros, live_calls"""
COUNTERS = f"""
select {_COUNTERS} from books.account_periods where account = %s and period_start = %s
"""
MONTHS = f"""
select account, period_start, period_end, currency, {_COUNTERS} from books.account_periods
where %s::text is null or account = %s order by account, period_start
"""
LINE_COUNTERS = """
select count(*) filter (where state in ('Held', 'Active')),
    count(*) filter (where reserved_at > %s::timestamptz - interval '1 minute')
from books.reservations
where account = %s and line = %s
and (state in ('Held', 'Active') or reserved_at > %s::timestamptz - interval '1 minute')
"""
_RESERVATION = """attempt_id, account, period_start, day, line, mode, state, pool_first, pool_next,
    pool_seconds, priced_seconds, grace_seconds, free_seconds, hold_micros, is_final, price,
    answered_at, seen_at, expires_at"""
RESERVATIONS = f"""
select {_RESERVATION} from books.reservations where attempt_id = any(%s) order by attempt_id
"""
DUE = f"""
select {_RESERVATION} from books.reservations
where state in ('Held', 'Active') and expires_at <= %s order by expires_at, attempt_id limit %s
"""
POSTINGS = """
select id, at, debit, credit, unit, amount, purpose, attempt_id, presumed, reverses
from books.postings where account = %s and period_start = %s order by id
"""
CALLS = """
select source, attempt_id, leg, line, caller, destination, setup_at, duration_seconds, mode,
    pool_seconds, grace_seconds, uncharged_seconds, charge_micros, was_reserved, price
from books.cdrs where account = %s and period_start = %s
order by setup_at, attempt_id collate "C", leg collate "C"
"""
SUSPEND = """
insert into books.suspense (source, attempt_id, leg, reason, record, at)
values (%s, %s, %s, %s, %s, %s)
on conflict (source, attempt_id, leg)
do update set reason = excluded.reason, record = excluded.record
"""
SUSPENDED = """
select source, attempt_id, leg, reason, record from books.suspense
order by source, attempt_id, leg
"""
RESUME = "delete from books.suspense where source = %s and attempt_id = %s and leg = %s"
REDACT = """
update books.cdrs set caller = '', destination = ''
where account = %s and setup_at < %s and (caller <> '' or destination <> '')
"""
