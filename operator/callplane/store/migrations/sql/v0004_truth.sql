-- The truth about a month: who reported a call beside the feed that charges it, who was active, which
-- notices were given, and the statement as it was closed. Calls in batches.

alter table books.cdrs
    add column inbound boolean not null default false,
    -- The month that a call belongs to, where the statement was closed before its record came.
    add column adjusts timestamptz;
-- Evidence finds a call by whose line it was and by its time.
create index cdrs_of_holder on books.cdrs
    ((case when inbound then destination else caller end), setup_at);
alter table books.postings add column adjusts timestamptz;
alter table books.entitlements add column plan text not null default '';

-- A month as it was closed. `document` is what the paper says; it and its number never change.
create table books.statements (
    account text collate "C" not null,
    period_start timestamptz not null,
    number bigint not null unique check (number > 0),
    digest text not null,
    document jsonb not null,
    closed_at timestamptz not null,
    primary key (account, period_start)
);

-- Who was active in a month, with what first showed it. Rows are added and stay for the month.
create table books.active_users (
    account text collate "C" not null,
    period_start timestamptz not null,
    platform text not null check (platform in ('Teams', 'Webex', 'Sip', 'Pbx')),
    identity text collate "C" not null,
    users bigint not null default 1 check (users >= 0),
    first_seen_at timestamptz not null,
    evidence text not null,
    primary key (account, period_start, platform, identity)
);

-- Which feed charges the calls of an ingress; every other feed about it is evidence.
create table books.charging_sources (
    ingress text collate "C" primary key,
    source text collate "C" not null,
    since timestamptz not null
);

-- What a feed that does not charge says about a call. It confirms one leg, or a record is missing.
create table books.evidence (
    source text collate "C" not null,
    external_id text collate "C" not null,
    ingress text collate "C" not null,
    inbound boolean not null,
    holder text not null,
    other text not null,
    setup_at timestamptz not null,
    duration_seconds bigint not null check (duration_seconds >= 0),
    state text not null check (state in ('Open', 'Confirmed', 'MissingCdr')),
    seen_at timestamptz not null,
    cdr_source text collate "C",
    attempt_id text collate "C",
    leg text collate "C",
    primary key (source, external_id),
    check ((state = 'Confirmed') = (attempt_id is not null))
);
create index evidence_unmatched on books.evidence (state, setup_at) where state <> 'Confirmed';
create index evidence_of_time on books.evidence (setup_at);
create unique index evidence_of_leg on books.evidence (attempt_id, cdr_source, leg, source)
    where attempt_id is not null;

-- How far each feed was read.
create table books.feed_positions (
    feed text collate "C" primary key,
    position text not null,
    at timestamptz not null
);

-- A threshold that was crossed, once a limit and month; and what became of it at each target.
create table books.notices (
    account text collate "C" not null,
    period_start timestamptz not null,
    what text not null,
    percent bigint not null,
    limit_amount bigint not null,
    used_amount bigint not null,
    crossed_at timestamptz not null,
    primary key (account, period_start, what, percent, limit_amount)
);
create table books.notice_deliveries (
    account text collate "C" not null,
    period_start timestamptz not null,
    what text not null,
    percent bigint not null,
    limit_amount bigint not null,
    target text collate "C" not null,
    state text not null check (state in ('Waiting', 'Sending', 'Delivered', 'Unknown', 'GivenUp')),
    attempts bigint not null default 0,
    next_at timestamptz not null,
    primary key (account, period_start, what, percent, limit_amount, target),
    foreign key (account, period_start, what, percent, limit_amount) references books.notices
);
create index notice_deliveries_waiting on books.notice_deliveries (next_at)
    where state in ('Waiting', 'Sending');

-- As before, and remembers which plan it was: that is what a holder pays for in this month.
create or replace function books.entitle(p_account text, p_start timestamptz, p_now timestamptz)
returns void language plpgsql as $$
declare
    v record;
begin
    for v in
        select holder, (array_agg(plan order by seconds desc, plan))[1] as plan,
            max(seconds) - coalesce((
            select seconds from books.entitlements as brought
            where brought.account = p_account and brought.period_start = p_start
            and brought.holder = held.holder), 0) as missing
        from books.plan_holders as held where account = p_account group by holder order by holder
    loop
        continue when v.missing <= 0;
        insert into books.entitlements (account, period_start, holder, seconds, plan)
        values (p_account, p_start, v.holder, v.missing, v.plan)
        on conflict (account, period_start, holder)
        do update set seconds = entitlements.seconds + excluded.seconds, plan = excluded.plan;
        perform books.post(p_now, p_account, p_start, 'pool:' || p_account, 'issued:minutes', 's',
            v.missing, 'Entitlement', v.holder);
        update books.account_periods set entitlement_seconds = entitlement_seconds + v.missing
        where account = p_account and period_start = p_start;
    end loop;
end $$;

-- The month that bears what is charged for a month: itself, or, once its statement is closed, the first
-- that is open. Closing makes the month that follows, so there is one.
create function books.bearing_month(p_account text, p_start timestamptz) returns timestamptz
language sql stable as $$
    select case when not exists (
        select from books.statements where account = p_account and period_start = p_start)
    then p_start else (
        select min(period_start) from books.account_periods as later
        where later.account = p_account and later.period_start > p_start and not exists (
            select from books.statements as closed
            where closed.account = p_account and closed.period_start = later.period_start)) end
$$;

-- Minutes count in the month of a call, money in the month that bears it; mostly that is one row.
create function books.use(
    p_account text, p_start timestamptz, p_bears timestamptz, p_pool bigint, p_grace bigint,
    p_charge bigint, p_unsecured bigint, p_day date
) returns void language sql as $$
    update books.account_periods set
        used_seconds = used_seconds + case period_start when p_start then p_pool else 0 end,
        grace_used_seconds = grace_used_seconds
            + case period_start when p_start then p_grace else 0 end,
        posted_micros = posted_micros + case period_start when p_bears then p_charge else 0 end,
        unsecured_micros = unsecured_micros
            + case period_start when p_bears then p_unsecured else 0 end,
        day_micros = day_micros
            + case when period_start = p_bears and day = p_day then p_charge else 0 end
    where account = p_account and period_start in (p_start, p_bears)
$$;

-- Account for one call, as before, but for a month whose statement is closed: what is charged is charged in
-- the first month that is open, and names the month it belongs to; minutes stay in their own. Answers
-- 'settled', 'duplicate' (its leg was before), 'changed' (the grant is another one than the caller had
-- read: read again), or 'gone' (presumed, and nothing to presume).
create or replace function books.settle(p jsonb, p_now timestamptz) returns text language plpgsql as $$
declare
    a books.account_periods;
    r books.reservations;
    v_account text := p ->> 'account';
    v_start timestamptz := (p ->> 'start')::timestamptz;
    v_attempt text := p ->> 'attempt';
    v_presumed boolean := (p ->> 'presumed')::boolean;
    v_pool bigint := (p ->> 'pool')::bigint;
    v_grace bigint := (p ->> 'grace')::bigint;
    v_charge bigint := (p ->> 'charge')::bigint;
    v_secured boolean := false;
    v_bears timestamptz := v_start;
    v_adjusts timestamptz;
    v_line jsonb;
begin
    a := books.lock_period(v_account, v_start, (p ->> 'end')::timestamptz, p ->> 'currency', p_now);
    select * into r from books.reservations
    where attempt_id = v_attempt and account = v_account and period_start = v_start;
    v_secured := coalesce(r.state in ('Held', 'Active'), false);
    if v_presumed and not v_secured then
        return 'gone';
    end if;
    v_bears := books.bearing_month(v_account, v_start);
    if v_bears <> v_start then
        v_adjusts := v_start;
        perform from books.account_periods
        where account = v_account and period_start = v_bears for update;
    end if;
    if v_secured and r.pool_seconds + r.priced_seconds + r.grace_seconds + r.free_seconds
        is distinct from (p ->> 'granted')::bigint
    then
        return 'changed';
    end if;
    if v_presumed and exists (select from books.leg_keys where attempt_id = v_attempt) then
        -- Its record was here before its reservation: nothing has to stand in for it.
        perform books.let_go(r, 'Voided');
        return 'gone';
    end if;
    if not v_presumed then
        delete from books.suspense
        where source = p ->> 'source' and attempt_id = v_attempt and leg = p ->> 'leg';
        insert into books.leg_keys values (p ->> 'source', v_attempt, p ->> 'leg')
        on conflict do nothing;
        if not found then
            return 'duplicate';
        end if;
    end if;
    if v_secured then
        perform books.let_go(r, case when v_presumed then 'Expired' else 'Posted' end);
    elsif r.state = 'Expired' then
        -- The record has come after all: what stood in for it is taken back.
        insert into books.postings (at, account, period_start, debit, credit, unit, amount,
            purpose, attempt_id, presumed, reverses, adjusts)
        select p_now, account, case unit when 's' then period_start else v_bears end, credit, debit,
            unit, amount, purpose, attempt_id, true, id, case unit when 's' then null else v_adjusts end
        from books.postings as first where attempt_id = v_attempt and presumed and reverses is null;
        perform books.use(v_account, v_start, v_bears, -r.presumed_pool_seconds,
            -r.presumed_grace_seconds, -r.presumed_micros, 0, r.day);
        update books.reservations set state = 'Posted' where attempt_id = v_attempt;
    end if;
    if not v_secured then
        -- Nothing was kept for this call: it takes what is there, and never more.
        select least(v_pool, greatest(0, entitlement_seconds - used_seconds - held_seconds))
        into v_pool from books.account_periods
        where account = v_account and period_start = v_start;
    end if;
    perform books.use(v_account, v_start, v_bears, v_pool, v_grace, v_charge,
        case when v_secured then 0 else v_charge end, coalesce(r.day, (p ->> 'day')::date));
    if v_presumed then
        update books.reservations set presumed_pool_seconds = v_pool,
            presumed_grace_seconds = v_grace, presumed_micros = v_charge
        where attempt_id = v_attempt;
    else
        insert into books.cdrs (source, attempt_id, leg, account, period_start, line, caller,
            destination, setup_at, answered_at, released_at, duration_seconds, mode, pool_seconds,
            grace_seconds, uncharged_seconds, charge_micros, was_reserved, price, inbound, adjusts)
        values (p ->> 'source', v_attempt, p ->> 'leg', v_account, v_bears, p ->> 'line',
            p ->> 'caller', p ->> 'destination', (p ->> 'setup')::timestamptz,
            (p ->> 'answered')::timestamptz, (p ->> 'released')::timestamptz,
            (p ->> 'duration')::bigint, p ->> 'mode', v_pool, v_grace,
            (p ->> 'uncharged')::bigint + (p ->> 'pool')::bigint - v_pool, v_charge, v_secured,
            p -> 'price', (p ->> 'inbound')::boolean, v_adjusts);
    end if;
    if v_pool > 0 then
        perform books.post(p_now, v_account, v_start, 'used:minutes', 'pool:' || v_account, 's',
            v_pool, 'Pool', v_attempt, v_presumed);
    end if;
    if v_grace > 0 then
        perform books.post(p_now, v_account, v_start, 'used:grace', 'issued:grace', 's', v_grace,
            'Grace', v_attempt, v_presumed);
    end if;
    for v_line in select * from jsonb_array_elements(p -> 'lines') loop
        insert into books.postings (at, account, period_start, debit, credit, unit, amount, purpose,
            attempt_id, presumed, adjusts)
        values (p_now, v_account, v_bears, 'receivable:' || v_account, 'revenue:calls',
            p ->> 'currency', (v_line ->> 'amount')::bigint, v_line ->> 'purpose', v_attempt,
            v_presumed, v_adjusts);
    end loop;
    return 'settled';
end $$;

-- Account for calls that nothing was reserved for, which the caller has copied into the temporary table
-- callplane_entries: all of them by a handful of statements. Answers an outcome for each; 'single' says
-- that `settle` must do it, since there is a reservation, or the month's statement is closed.
create function books.settle_copied(p_now timestamptz) returns table (place bigint, outcome text)
language plpgsql as $$
declare
    v record;
begin
    -- Months are made and locked in one order, whether they are there or not, so that two batches cannot
    -- wait for one another. Later months are locked as well: they may have to bear an adjustment.
    for v in
        select account, period_start, min(period_end) as period_end, min(currency) as currency
        from (
            select account, period_start, period_end, currency from pg_temp.callplane_entries
            union all
            select a.account, a.period_start, a.period_end, a.currency from books.account_periods as a
            join (select account, min(period_start) as first
                from pg_temp.callplane_entries group by account) as e
                on a.account = e.account and a.period_start >= e.first
        ) as months
        group by account, period_start order by account, period_start
    loop
        perform books.lock_period(v.account, v.period_start, v.period_end, v.currency, p_now);
    end loop;
    delete from books.suspense as s using pg_temp.callplane_entries as e
    where s.source = e.source and s.attempt_id = e.attempt_id and s.leg = e.leg and not e.is_single;
    return query
    with given as materialized (
        select e.*, e.is_single
            or exists (select from books.reservations as r where r.attempt_id = e.attempt_id)
            or exists (select from books.statements as s
                where s.account = e.account and s.period_start = e.period_start) as alone
        from pg_temp.callplane_entries as e
    ), fresh as (
        insert into books.leg_keys (source, attempt_id, leg)
        select source, attempt_id, leg from given where not alone order by attempt_id, source, leg
        on conflict do nothing returning source, attempt_id, leg
    ), kept as materialized (
        select distinct on (g.attempt_id, g.source, g.leg) g.*
        from given as g join fresh using (attempt_id, source, leg)
        where not g.alone order by g.attempt_id, g.source, g.leg, g.nth
    ), drawn as materialized (
        select k.*, a.day as today,
            greatest(0, least(k.pool::numeric,
                greatest(0, a.entitlement_seconds - a.used_seconds - a.held_seconds) + k.pool
                - sum(k.pool) over (partition by k.account, k.period_start order by k.nth)
            ))::bigint as taken
        from kept as k join books.account_periods as a using (account, period_start)
    ), counted as (
        update books.account_periods as a set
            used_seconds = a.used_seconds + s.taken,
            grace_used_seconds = a.grace_used_seconds + s.grace,
            posted_micros = a.posted_micros + s.charge,
            unsecured_micros = a.unsecured_micros + s.charge,
            day_micros = a.day_micros + s.of_day
        from (
            select account, period_start, sum(taken)::bigint as taken, sum(grace)::bigint as grace,
                sum(charge)::bigint as charge,
                coalesce(sum(charge) filter (where day = today), 0)::bigint as of_day
            from drawn group by account, period_start) as s
        where a.account = s.account and a.period_start = s.period_start
    ), written as (
        insert into books.cdrs (source, attempt_id, leg, account, period_start, line, caller,
            destination, setup_at, answered_at, released_at, duration_seconds, mode, pool_seconds,
            grace_seconds, uncharged_seconds, charge_micros, was_reserved, price, inbound)
        select source, attempt_id, leg, account, period_start, line, caller, destination, setup_at,
            answered_at, released_at, duration, mode, taken, grace, uncharged + pool - taken, charge,
            false, price, inbound
        from drawn order by nth
    ), posted as (
        insert into books.postings (at, account, period_start, debit, credit, unit, amount, purpose,
            attempt_id)
        select p_now, account, period_start, moved.*, attempt_id
        from drawn cross join lateral (values
            ('used:minutes', 'pool:' || account, 's', taken, 'Pool'),
            ('used:grace', 'issued:grace', 's', grace, 'Grace'),
            ('receivable:' || account, 'revenue:calls', currency, amount_1, purpose_1),
            ('receivable:' || account, 'revenue:calls', currency, amount_2, purpose_2)
        ) as moved (debit, credit, unit, amount, purpose)
        where moved.amount > 0
        order by nth
    )
    select g.nth, case when g.alone then 'single' when k.nth is null then 'duplicate' else 'settled' end
    from given as g left join kept as k using (nth) order by g.nth;
end $$;

-- Close a month: number its statement and post what closing adds. Null when the month is another one than
-- the statement was made of, or is not over for long enough. Closed before: the statement of then.
create function books.close_statement(p jsonb, p_now timestamptz) returns books.statements
language plpgsql as $$
declare
    a books.account_periods;
    v books.statements;
    v_account text := p ->> 'account';
    v_start timestamptz := (p ->> 'start')::timestamptz;
begin
    a := books.lock_period(v_account, v_start, (p ->> 'end')::timestamptz, p ->> 'currency', p_now);
    select * into v from books.statements where account = v_account and period_start = v_start;
    if found then
        return v;
    end if;
    if p_now < a.period_end + interval '72 hours'
        or (a.used_seconds, a.grace_used_seconds, a.posted_micros, a.entitlement_seconds) is distinct
        from ((p ->> 'used')::bigint, (p ->> 'grace')::bigint, (p ->> 'posted')::bigint,
            (p ->> 'entitlement')::bigint)
    then
        return null;
    end if;
    -- What comes late is charged there.
    perform books.lock_period(v_account, a.period_end, (p ->> 'next_end')::timestamptz,
        p ->> 'currency', p_now);
    -- Numbers have no gaps: whoever closes another month waits here.
    perform pg_advisory_xact_lock(7091, 2);
    insert into books.statements (account, period_start, number, digest, document, closed_at)
    select v_account, v_start, coalesce(max(number), 0) + 1, p ->> 'digest', p -> 'document', p_now
    from books.statements returning * into v;
    insert into books.postings (at, account, period_start, debit, credit, unit, amount, purpose,
        attempt_id)
    select p_now, v_account, v_start, one.debit, one.credit, one.unit, one.amount, one.purpose,
        one.attempt
    from jsonb_to_recordset(p -> 'postings') as one (
        debit text, credit text, unit text, amount bigint, purpose text, attempt text);
    return v;
end $$;

-- Drop months of calls and postings that ended before a day, with the keys of their legs; what an account
-- has used and owed stays in its months and statements. For the owner of the tables alone.
create function books.drop_months(p_before date) returns table (dropped text)
language plpgsql as $$
declare
    v record;
begin
    if p_before > (now() - interval '400 days')::date then
        raise exception 'calls of the last 400 days are kept: a record of them may still come';
    end if;
    for v in
        select child.relname as name, child.relname like 'cdrs%' as has_legs
        from pg_inherits join pg_class as child on child.oid = inhrelid
        where inhparent in ('books.cdrs'::regclass, 'books.postings'::regclass)
        and child.relname ~ '_[0-9]{4}_[0-9]{2}$'
        and to_date(right(child.relname, 7), 'YYYY_MM') + interval '1 month' <= p_before
        order by child.relname
    loop
        if v.has_legs then
            execute format('delete from books.leg_keys as k using books.%I as c where '
                'k.attempt_id = c.attempt_id and k.source = c.source and k.leg = c.leg', v.name);
        end if;
        execute format('drop table books.%I', v.name);
        dropped := v.name;
        return next;
    end loop;
    -- What had no month of its own.
    with gone as (delete from books.cdrs_other where setup_at < p_before returning attempt_id, source, leg)
    delete from books.leg_keys as k using gone
    where k.attempt_id = gone.attempt_id and k.source = gone.source and k.leg = gone.leg;
    delete from books.postings_other as p where p.at < p_before;
    delete from books.reservations
    where expires_at < p_before and state not in ('Held', 'Active');
    delete from books.evidence where setup_at < p_before;
    delete from books.suspense where at < p_before;
end $$;
-- Only whoever owns the tables may drop them, whoever may call this.
revoke all on function books.drop_months(date) from public;
