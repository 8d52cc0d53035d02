"""Every SQL statement the books send; what they call is made by `migrations/sql`.

Columns are listed in the order in which `books_rows` reads them.
"""

from __future__ import annotations

#: With what the attempt was before, which is nothing for a new one.
RESERVE = f"""
select granted.*, (select state from books.reservations where attempt_id = %s)
from books.reserve({", ".join(["%s"] * 28)}) as granted
"""
EXTEND = "select * from books.extend(%s, %s, %s, %s, %s)"
VOID = "select books.void(%s)"
SET_PLANS = "select books.set_plans(%s, %s, %s, %s, %s, %s, %s, %s)"
OPEN_MONTH = "select from books.lock_period(%s, %s, %s, %s, %s)"
#: Months that ended before anybody used them. `lock_period` would give them the plans of today.
OPEN_PAST = """
insert into books.account_periods (account, period_start, period_end, currency)
select distinct account, period_start, period_end, currency
from unnest(%s::text[], %s::timestamptz[], %s::timestamptz[], %s::text[])
    as asked (account, period_start, period_end, currency)
where period_end <= %s and not exists (
    select from books.account_periods as earlier
    where earlier.account = asked.account and earlier.period_start < asked.period_start
    and earlier.entitlement_seconds > 0)
on conflict do nothing
"""
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
FREE_SECONDS = """
select nth, entitlement_seconds - used_seconds - held_seconds from books.account_periods
join unnest(%s::text[], %s::timestamptz[]) with ordinality as asked (account, period_start, nth)
using (account, period_start)
"""
MONTHS = f"""
select account, period_start, period_end, currency, {_COUNTERS} from books.account_periods
where %s::text is null or account = %s order by account, period_start
"""
PLANS = """
select holder, plan, seconds from books.entitlements where account = %s and period_start = %s
order by holder
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
select id, at, debit, credit, unit, amount, purpose, attempt_id, presumed, reverses,
    adjusts
from books.postings where account = %s and period_start = %s order by id
"""
CALLS = """
select source, attempt_id, leg, line, caller, destination, setup_at, duration_seconds, mode,
    pool_seconds, grace_seconds, uncharged_seconds, charge_micros, was_reserved, price, inbound,
    adjusts
from books.cdrs where account = %s and period_start = %s
order by setup_at, attempt_id collate "C", leg collate "C"
"""
KNOWN = """
select distinct source, attempt_id, leg from books.leg_keys
join unnest(%s::text[], %s::text[], %s::text[]) as asked (source, attempt_id, leg)
using (source, attempt_id, leg)
"""
SUSPEND = """
insert into books.suspense (source, attempt_id, leg, reason, record, at)
select distinct on (source, attempt_id, leg) source, attempt_id, leg, reason, record, %s
from unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::jsonb[]) with ordinality
    as given (source, attempt_id, leg, reason, record, nth)
where not exists (
    select from books.leg_keys as known where known.source = given.source
    and known.attempt_id = given.attempt_id and known.leg = given.leg
)
order by source, attempt_id, leg, nth desc
on conflict (source, attempt_id, leg)
do update set reason = excluded.reason, record = excluded.record
"""
SUSPENDED = """
select source, attempt_id, leg, reason, record from books.suspense
order by source, attempt_id, leg
"""
RESUME = """
delete from books.suspense using unnest(%s::text[], %s::text[], %s::text[]) as done (s, a, l)
where source = s and attempt_id = a and leg = l
"""
REDACT = """
update books.cdrs set caller = '', destination = ''
where account = %s and setup_at < %s and (caller <> '' or destination <> '')
"""
REDACT_SUSPENSE = """
update books.suspense as s set record = s.record || (
    select jsonb_object_agg(name, '') from jsonb_object_keys(s.record) as name where name = any(%s))
where s.at < %s and exists (
    select from jsonb_each_text(s.record) as shown where shown.key = any(%s) and shown.value <> '')
"""

#: Calls that nothing was reserved for, on their way into `settle_copied`.
COPY_TABLE = """
create temporary table if not exists callplane_entries (
    nth bigint, is_single boolean, source text collate "C", attempt_id text collate "C",
    leg text collate "C", account text collate "C", period_start timestamptz,
    period_end timestamptz, currency text, day date, line text, mode text, caller text,
    destination text, inbound boolean, setup_at timestamptz, answered_at timestamptz,
    released_at timestamptz, duration bigint, pool bigint, grace bigint, uncharged bigint,
    charge bigint, purpose_1 text, amount_1 bigint, purpose_2 text, amount_2 bigint, price jsonb
) on commit delete rows
"""
COPY = "copy pg_temp.callplane_entries from stdin"
SETTLE_COPIED = "select outcome from books.settle_copied(%s) order by place"

CLOSE_MONTH = """
select account, period_start, number, digest, closed_at, document
from books.close_statement(%s, %s) where account is not null
"""
STATEMENTS = """
select account, period_start, number, digest, closed_at, document from books.statements
where %s::text is null or account = %s order by number
"""
