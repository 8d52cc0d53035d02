-- The books: pools, ceilings and live calls of accounts, reservations, call records, and a ledger that
-- is only added to. Seconds are whole; money is micro-units (a millionth of a currency's main unit).

create schema books;

-- What has been used and is held, of one account in one month. This row is the one lock: pool,
-- ceiling, cap of the day and live calls move together under it. Made by first use; nothing resets
-- it. The checks say what is true at every commit.
create table books.account_periods (
    account text collate "C" not null,
    period_start timestamptz not null,
    period_end timestamptz not null,
    currency text not null,
    entitlement_seconds bigint not null default 0,
    used_seconds bigint not null default 0,
    held_seconds bigint not null default 0,
    grace_used_seconds bigint not null default 0,
    grace_held_seconds bigint not null default 0,
    posted_micros bigint not null default 0,
    held_micros bigint not null default 0,
    unsecured_micros bigint not null default 0,
    day date,
    day_micros bigint not null default 0,
    day_held_micros bigint not null default 0,
    live_calls bigint not null default 0,
    primary key (account, period_start),
    check (period_start < period_end),
    check (least(used_seconds, held_seconds, grace_used_seconds, grace_held_seconds) >= 0),
    check (used_seconds + held_seconds <= entitlement_seconds),
    check (held_micros >= 0 and day_held_micros >= 0 and live_calls >= 0)
) with (fillfactor = 50);

-- Who holds which plan now: what a month that is opened begins with.
create table books.plan_holders (
    account text collate "C" not null,
    holder text collate "C" not null,
    plan text not null,
    seconds bigint not null check (seconds > 0),
    primary key (account, holder, plan)
);

-- What each holder has brought into a month: its highest plan, counted once.
create table books.entitlements (
    account text collate "C" not null,
    period_start timestamptz not null,
    holder text collate "C" not null,
    seconds bigint not null check (seconds > 0),
    primary key (account, period_start, holder)
);

-- The price of a call and what it may use are pinned here at its set-up.
create table books.reservations (
    attempt_id text collate "C" primary key,
    account text collate "C" not null,
    period_start timestamptz not null,
    day date,
    line text collate "C" not null,
    mode text not null,
    state text not null check (state in ('Held', 'Active', 'Posted', 'Voided', 'Expired')),
    reserved_at timestamptz not null,
    seen_at timestamptz not null,
    expires_at timestamptz not null,
    answered_at timestamptz,
    -- Null: the call does not draw from the pool; without a price; without a bound.
    pool_first bigint,
    pool_next bigint,
    price_first bigint,
    price_next bigint,
    minute_micros bigint,
    call_micros bigint,
    parts bigint,
    slice_seconds bigint not null,
    call_seconds bigint not null,
    grace_seconds_max bigint not null,
    grace_percent bigint not null,
    pool_seconds bigint not null check (pool_seconds >= 0),
    priced_seconds bigint not null check (priced_seconds >= 0),
    grace_seconds bigint not null check (grace_seconds >= 0),
    free_seconds bigint not null check (free_seconds >= 0),
    hold_micros bigint not null check (hold_micros >= 0),
    is_final boolean not null,
    -- What was posted in place of a record that had not come: taken back when it comes.
    presumed_pool_seconds bigint not null default 0,
    presumed_grace_seconds bigint not null default 0,
    presumed_micros bigint not null default 0,
    price jsonb
) with (fillfactor = 70);
create index reservations_live on books.reservations (account, line)
    where state in ('Held', 'Active');
create index reservations_recent on books.reservations (account, line, reserved_at);
create index reservations_due on books.reservations (expires_at) where state in ('Held', 'Active');

-- One row for each leg that was ever accounted for. A table of its own, since a key that holds for
-- all months cannot be a key of monthly partitions.
create table books.leg_keys (
    source text collate "C" not null,
    attempt_id text collate "C" not null,
    leg text collate "C" not null,
    primary key (attempt_id, source, leg)
);

-- Digits of people are here and not in the ledger, so that they can be taken out.
create table books.cdrs (
    source text not null,
    attempt_id text not null,
    leg text not null,
    account text collate "C" not null,
    period_start timestamptz not null,
    line text not null,
    caller text not null,
    destination text not null,
    setup_at timestamptz not null,
    answered_at timestamptz,
    released_at timestamptz not null,
    duration_seconds bigint not null check (duration_seconds >= 0),
    mode text not null,
    pool_seconds bigint not null,
    grace_seconds bigint not null,
    uncharged_seconds bigint not null,
    charge_micros bigint not null,
    was_reserved boolean not null,
    price jsonb
) partition by range (setup_at);
create table books.cdrs_other partition of books.cdrs default;
create index cdrs_of_period on books.cdrs (account, period_start);

-- Debit and credit in one row, so that the ledger balances whatever is in it.
create table books.postings (
    id bigint generated always as identity,
    at timestamptz not null,
    account text collate "C" not null,
    period_start timestamptz not null,
    debit text collate "C" not null,
    credit text collate "C" not null,
    unit text not null,
    amount bigint not null check (amount > 0),
    purpose text not null,
    attempt_id text collate "C" not null,
    presumed boolean not null default false,
    reverses bigint,
    check (debit <> credit)
) partition by range (at);
create table books.postings_other partition of books.postings default;
create index postings_of_period on books.postings (account, period_start);
create index postings_of_attempt on books.postings (attempt_id);

-- Records that can be read and not be rated yet, with their reason.
create table books.suspense (
    source text collate "C" not null,
    attempt_id text collate "C" not null,
    leg text collate "C" not null,
    reason text not null,
    record jsonb not null,
    at timestamptz not null,
    primary key (source, attempt_id, leg)
);

create function books.make_months(p_from date, p_count int) returns void
language plpgsql as $$
declare
    v_month date;
    v_table text;
    v_column text;
    v_name text;
begin
    for n in 0..p_count - 1 loop
        v_month := date_trunc('month', p_from)::date + make_interval(months => n);
        foreach v_table in array array['cdrs', 'postings'] loop
            v_column := case v_table when 'cdrs' then 'setup_at' else 'at' end;
            v_name := v_table || to_char(v_month, '_YYYY_MM');
            continue when to_regclass('books.' || v_name) is not null;
            execute format('create table books.%I (like books.%I including constraints)',
                v_name, v_table || '_other');
            -- What came before its month was made has waited in the table of the others.
            execute format(
                'with gone as (delete from books.%I where %I >= %L and %I < %L returning *) '
                'insert into books.%I select * from gone',
                v_table || '_other', v_column, v_month::timestamp at time zone 'UTC', v_column,
                (v_month + interval '1 month') at time zone 'UTC', v_name);
            execute format('alter table books.%I attach partition books.%I for values from (%L) to (%L)',
                v_table, v_name, v_month::timestamp at time zone 'UTC',
                (v_month + interval '1 month') at time zone 'UTC');
        end loop;
    end loop;
end $$;

create function books.post(
    p_at timestamptz, p_account text, p_start timestamptz, p_debit text, p_credit text, p_unit text,
    p_amount bigint, p_purpose text, p_attempt text, p_presumed boolean default false
) returns void language sql as $$
    insert into books.postings (at, account, period_start, debit, credit, unit, amount, purpose,
        attempt_id, presumed)
    values (p_at, p_account, p_start, p_debit, p_credit, p_unit, p_amount, p_purpose, p_attempt,
        p_presumed)
$$;

-- Post what the present holders have not brought into this month yet. The month's row is locked.
create function books.entitle(p_account text, p_start timestamptz, p_now timestamptz)
returns void language plpgsql as $$
declare
    v record;
begin
    for v in
        select holder, max(seconds) - coalesce((
            select seconds from books.entitlements as brought
            where brought.account = p_account and brought.period_start = p_start
            and brought.holder = held.holder), 0) as missing
        from books.plan_holders as held where account = p_account group by holder order by holder
    loop
        continue when v.missing <= 0;
        insert into books.entitlements values (p_account, p_start, v.holder, v.missing)
        on conflict (account, period_start, holder)
        do update set seconds = entitlements.seconds + excluded.seconds;
        perform books.post(p_now, p_account, p_start, 'pool:' || p_account, 'issued:minutes', 's',
            v.missing, 'Entitlement', v.holder);
        update books.account_periods set entitlement_seconds = entitlement_seconds + v.missing
        where account = p_account and period_start = p_start;
    end loop;
end $$;

-- The row of a month, locked; made when it is the first to ask.
create function books.lock_period(
    p_account text, p_start timestamptz, p_end timestamptz, p_currency text, p_now timestamptz
) returns books.account_periods language plpgsql as $$
declare
    v books.account_periods;
begin
    select * into v from books.account_periods
    where account = p_account and period_start = p_start for update;
    if found then
        return v;
    end if;
    -- Whoever comes second waits here for the first.
    insert into books.account_periods (account, period_start, period_end, currency)
    values (p_account, p_start, p_end, p_currency) on conflict do nothing;
    if found then
        perform books.entitle(p_account, p_start, p_now);
    end if;
    select * into v from books.account_periods
    where account = p_account and period_start = p_start for update;
    return v;
end $$;

create function books.set_plans(
    p_account text, p_start timestamptz, p_end timestamptz, p_currency text, p_now timestamptz,
    p_holders text[], p_plans text[], p_seconds bigint[]
) returns void language plpgsql as $$
begin
    perform books.lock_period(p_account, p_start, p_end, p_currency, p_now);
    delete from books.plan_holders where account = p_account;
    insert into books.plan_holders
    select p_account, holder, plan, seconds
    from unnest(p_holders, p_plans, p_seconds) as given (holder, plan, seconds);
    perform books.entitle(p_account, p_start, p_now);
end $$;

create type books.granted as (
    refusal text, pool_seconds bigint, priced_seconds bigint, grace_seconds bigint,
    free_seconds bigint, hold_micros bigint, is_final boolean
);

create function books.whole(p_seconds bigint, p_first bigint, p_next bigint) returns bigint
language sql immutable as $$
    select case when p_seconds < p_first then 0
        else p_first + (p_seconds - p_first) / p_next * p_next end
$$;

-- Billable seconds whose hold fits into so much money. `p_base` is what a hold has besides the time.
create function books.buys(p_room bigint, p_base bigint, p_minute_micros bigint) returns bigint
language sql immutable strict as $$
    select case when p_room < p_base then 0
        when p_minute_micros = 0 then 2147483647
        else least(60 * least(p_room - p_base, 1000000000000000) / p_minute_micros, 2147483647) end
$$;

-- The twin of `_grant` in callplane.billing.clip: `r` says what is wanted and what is held already,
-- `a` what is used, `p_room` how much money nobody has.
create function books.grant_of(
    r books.reservations, a books.account_periods, p_room bigint, p_slice bigint, p_is_new boolean
) returns books.granted language plpgsql immutable as $$
declare
    v books.granted;
    v_held bigint := r.pool_seconds + r.priced_seconds + r.grace_seconds + r.free_seconds;
    v_limit bigint := case when r.call_seconds = 0 then 2147483647 else r.call_seconds end;
    v_free bigint := 0;
    v_within bigint;
    v_wanted bigint;
    v_target bigint;
    v_base bigint;
begin
    v := (null, 0, 0, 0, 0, 0, false);
    if r.pool_first is null and r.minute_micros is null then
        v.free_seconds := least(v_held + p_slice, v_limit);
        v.is_final := v.free_seconds = r.call_seconds;
        return v;
    end if;
    if r.pool_first is not null then
        v_free := greatest(0, a.entitlement_seconds - a.used_seconds - a.held_seconds);
    end if;
    v_within := v_free + coalesce(books.buys(p_room, r.parts - 1, r.minute_micros), 0);
    v_wanted := least(v_held + greatest(60, least(p_slice, v_within / 8)), v_limit);
    v_target := v_wanted;
    if r.pool_first is not null then
        v_target := books.whole(greatest(v_wanted, r.pool_first), r.pool_first, r.pool_next);
        v.pool_seconds := books.whole(
            least(v_target, v_free + r.pool_seconds), r.pool_first, r.pool_next);
    end if;
    if r.minute_micros is not null and v.pool_seconds < v_target then
        v_target := books.whole(greatest(v_wanted, r.price_first), r.price_first, r.price_next);
        v_base := r.parts - 1 + case when v.pool_seconds = 0 then r.call_micros else 0 end;
        v.priced_seconds := greatest(0, books.whole(
            least(v_target, v.pool_seconds
                + books.buys(p_room + r.hold_micros, v_base, r.minute_micros)),
            r.price_first, r.price_next) - v.pool_seconds);
        if v.priced_seconds > 0 then
            v.hold_micros := (v.priced_seconds * r.minute_micros + 59) / 60 + v_base;
        end if;
    elsif not p_is_new and v.pool_seconds < v_target then
        v.grace_seconds := greatest(0, least(
            v_target - v.pool_seconds, r.grace_seconds_max,
            a.entitlement_seconds * r.grace_percent / 100
                - a.grace_used_seconds - a.grace_held_seconds + r.grace_seconds));
    end if;
    v.is_final := v.pool_seconds + v.priced_seconds + v.grace_seconds < v_target
        or v_wanted = r.call_seconds;
    return v;
end $$;

-- Why a new call cannot even have its first block: the twin of `shortage`. Null: it can.
create function books.shortage(
    r books.reservations, a books.account_periods, p_ceiling bigint, p_day_cap bigint,
    p_account_calls bigint, p_line_calls bigint, p_line_rate bigint
) returns text language plpgsql stable as $$
declare
    v_least bigint;
begin
    if p_line_rate is not null and (
        select count(*) from books.reservations as other
        where other.account = r.account and other.line = r.line
        and other.reserved_at > r.reserved_at - interval '1 minute') >= p_line_rate
    then
        return 'FraudLimit';
    end if;
    if r.pool_first is null
        or a.entitlement_seconds - a.used_seconds - a.held_seconds < r.pool_first
    then
        if r.minute_micros is not null then
            v_least := (r.price_first * r.minute_micros + 59) / 60 + r.call_micros + r.parts - 1;
            if p_ceiling - a.posted_micros - a.held_micros < v_least then
                return 'CeilingReached';
            end if;
            if p_day_cap - a.day_micros - a.day_held_micros < v_least then
                return 'DailyCapReached';
            end if;
        elsif r.pool_first is not null then
            return case when a.entitlement_seconds - a.used_seconds >= r.pool_first
                then 'PoolHeld' else 'PoolExhausted' end;
        end if;
    end if;
    if p_account_calls is not null and a.live_calls + coalesce((
        select sum(other.live_calls) from books.account_periods as other
        where other.account = a.account and other.period_start <> a.period_start), 0)
        >= p_account_calls
    then
        return 'ConcurrencyLimit';
    end if;
    if p_line_calls is not null and (
        select count(*) from books.reservations as other
        where other.account = r.account and other.line = r.line
        and other.state in ('Held', 'Active')) >= p_line_calls
    then
        return 'ConcurrencyLimit';
    end if;
    return null;
end $$;

create function books.reserve(
    p_attempt text, p_account text, p_start timestamptz, p_end timestamptz, p_currency text,
    p_day date, p_line text, p_mode text, p_now timestamptz, p_expires timestamptz,
    p_pool_first bigint, p_pool_next bigint, p_price_first bigint, p_price_next bigint,
    p_minute_micros bigint, p_call_micros bigint, p_parts bigint, p_first_slice bigint,
    p_slice bigint, p_call_seconds bigint, p_grace_seconds bigint, p_grace_percent bigint,
    p_ceiling bigint, p_day_cap bigint, p_account_calls bigint, p_line_calls bigint,
    p_line_rate bigint, p_price jsonb
) returns books.granted language plpgsql as $$
declare
    a books.account_periods;
    r books.reservations;
    v books.granted;
    v_room bigint;
begin
    a := books.lock_period(p_account, p_start, p_end, p_currency, p_now);
    select * into r from books.reservations where attempt_id = p_attempt;
    if found then
        -- Asked again: the same answer.
        v := (null, r.pool_seconds, r.priced_seconds, r.grace_seconds, r.free_seconds,
            r.hold_micros, r.is_final);
        return v;
    end if;
    if a.day is null or p_day > a.day then
        a.day := p_day;
        a.day_micros := 0;
        a.day_held_micros := 0;
    end if;
    r.attempt_id := p_attempt; r.account := p_account; r.period_start := p_start;
    r.day := a.day; r.line := p_line; r.mode := p_mode; r.state := 'Held';
    r.reserved_at := p_now; r.seen_at := p_now; r.expires_at := p_expires;
    r.pool_first := p_pool_first; r.pool_next := p_pool_next;
    r.price_first := p_price_first; r.price_next := p_price_next;
    r.minute_micros := p_minute_micros; r.call_micros := p_call_micros; r.parts := p_parts;
    r.slice_seconds := p_slice; r.call_seconds := p_call_seconds;
    r.grace_seconds_max := p_grace_seconds; r.grace_percent := p_grace_percent;
    r.pool_seconds := 0; r.priced_seconds := 0; r.grace_seconds := 0; r.free_seconds := 0;
    r.hold_micros := 0; r.price := p_price;
    r.presumed_pool_seconds := 0; r.presumed_grace_seconds := 0; r.presumed_micros := 0;
    v.refusal := books.shortage(
        r, a, p_ceiling, p_day_cap, p_account_calls, p_line_calls, p_line_rate);
    if v.refusal is not null then
        return v;
    end if;
    v_room := least(p_ceiling - a.posted_micros - a.held_micros,
        p_day_cap - a.day_micros - a.day_held_micros);
    v := books.grant_of(r, a, v_room, p_first_slice, true);
    r.pool_seconds := v.pool_seconds; r.priced_seconds := v.priced_seconds;
    r.free_seconds := v.free_seconds; r.hold_micros := v.hold_micros; r.is_final := v.is_final;
    insert into books.reservations values (r.*);
    update books.account_periods set
        held_seconds = held_seconds + v.pool_seconds,
        held_micros = held_micros + v.hold_micros,
        day = a.day, day_micros = a.day_micros,
        day_held_micros = a.day_held_micros + v.hold_micros,
        live_calls = live_calls + 1
    where account = p_account and period_start = p_start;
    return v;
end $$;

-- A live call asks for more. Its own hold counts as free for it, and it never loses what it has.
create function books.extend(
    p_attempt text, p_ceiling bigint, p_day_cap bigint, p_now timestamptz, p_expires timestamptz
) returns books.granted language plpgsql as $$
declare
    a books.account_periods;
    r books.reservations;
    v books.granted;
begin
    select * into r from books.reservations where attempt_id = p_attempt;
    if not found then
        return null;
    end if;
    select * into a from books.account_periods
    where account = r.account and period_start = r.period_start for update;
    select * into r from books.reservations
    where attempt_id = p_attempt and state in ('Held', 'Active');
    if not found then
        return null;
    end if;
    v := books.grant_of(r, a, least(p_ceiling - a.posted_micros - a.held_micros,
        p_day_cap - a.day_micros - a.day_held_micros), r.slice_seconds, false);
    if v.pool_seconds + v.priced_seconds + v.grace_seconds + v.free_seconds
        <= r.pool_seconds + r.priced_seconds + r.grace_seconds + r.free_seconds
    then
        v := (null, r.pool_seconds, r.priced_seconds, r.grace_seconds, r.free_seconds,
            r.hold_micros, true);
    end if;
    update books.account_periods set
        held_seconds = held_seconds + v.pool_seconds - r.pool_seconds,
        grace_held_seconds = grace_held_seconds + v.grace_seconds - r.grace_seconds,
        held_micros = held_micros + v.hold_micros - r.hold_micros,
        day_held_micros = day_held_micros
            + case when day = r.day then v.hold_micros - r.hold_micros else 0 end
    where account = r.account and period_start = r.period_start;
    update books.reservations set
        pool_seconds = v.pool_seconds, priced_seconds = v.priced_seconds,
        grace_seconds = v.grace_seconds, free_seconds = v.free_seconds,
        hold_micros = v.hold_micros, is_final = v.is_final, seen_at = p_now, expires_at = p_expires
    where attempt_id = p_attempt;
    return v;
end $$;

-- Take a live reservation out of what is held. The month's row is locked.
create function books.let_go(r books.reservations, p_state text) returns void
language sql as $$
    update books.account_periods set
        held_seconds = held_seconds - r.pool_seconds,
        grace_held_seconds = grace_held_seconds - r.grace_seconds,
        held_micros = held_micros - r.hold_micros,
        day_held_micros = day_held_micros - case when day = r.day then r.hold_micros else 0 end,
        live_calls = live_calls - 1
    where account = r.account and period_start = r.period_start;
    update books.reservations set state = p_state where attempt_id = r.attempt_id;
$$;

-- The call never came about: everything it held is free again.
create function books.void(p_attempt text) returns boolean language plpgsql as $$
declare
    r books.reservations;
begin
    select * into r from books.reservations where attempt_id = p_attempt;
    perform from books.account_periods
    where account = r.account and period_start = r.period_start for update;
    select * into r from books.reservations
    where attempt_id = p_attempt and state in ('Held', 'Active');
    if not found then
        return false;
    end if;
    perform books.let_go(r, 'Voided');
    return true;
end $$;

-- Account for one call. Answers 'settled', 'duplicate' (its leg was before), 'changed' (the grant is
-- another one than the caller had read: read again), or 'gone' (presumed, and nothing to presume).
create function books.settle(p jsonb, p_now timestamptz) returns text language plpgsql as $$
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
    v_line jsonb;
begin
    a := books.lock_period(v_account, v_start, (p ->> 'end')::timestamptz, p ->> 'currency', p_now);
    select * into r from books.reservations
    where attempt_id = v_attempt and account = v_account and period_start = v_start;
    v_secured := coalesce(r.state in ('Held', 'Active'), false);
    if v_presumed and not v_secured then
        return 'gone';
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
            purpose, attempt_id, presumed, reverses)
        select p_now, account, period_start, credit, debit, unit, amount, purpose, attempt_id,
            true, id
        from books.postings as first where attempt_id = v_attempt and presumed and reverses is null;
        update books.account_periods set
            used_seconds = used_seconds - r.presumed_pool_seconds,
            grace_used_seconds = grace_used_seconds - r.presumed_grace_seconds,
            posted_micros = posted_micros - r.presumed_micros,
            day_micros = day_micros - case when day = r.day then r.presumed_micros else 0 end
        where account = v_account and period_start = v_start;
        update books.reservations set state = 'Posted' where attempt_id = v_attempt;
    end if;
    if not v_secured then
        -- Nothing was kept for this call: it takes what is there, and never more.
        select least(v_pool, greatest(0, entitlement_seconds - used_seconds - held_seconds))
        into v_pool from books.account_periods
        where account = v_account and period_start = v_start;
    end if;
    update books.account_periods set
        used_seconds = used_seconds + v_pool,
        grace_used_seconds = grace_used_seconds + v_grace,
        posted_micros = posted_micros + v_charge,
        unsecured_micros = unsecured_micros + case when v_secured then 0 else v_charge end,
        day_micros = day_micros
            + case when day = coalesce(r.day, (p ->> 'day')::date) then v_charge else 0 end
    where account = v_account and period_start = v_start;
    if v_presumed then
        update books.reservations set presumed_pool_seconds = v_pool,
            presumed_grace_seconds = v_grace, presumed_micros = v_charge
        where attempt_id = v_attempt;
    else
        insert into books.cdrs values (p ->> 'source', v_attempt, p ->> 'leg', v_account, v_start,
            p ->> 'line', p ->> 'caller', p ->> 'destination', (p ->> 'setup')::timestamptz,
            (p ->> 'answered')::timestamptz, (p ->> 'released')::timestamptz,
            (p ->> 'duration')::bigint, p ->> 'mode', v_pool, v_grace,
            (p ->> 'uncharged')::bigint + (p ->> 'pool')::bigint - v_pool, v_charge, v_secured,
            p -> 'price');
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
        perform books.post(p_now, v_account, v_start, 'receivable:' || v_account, 'revenue:calls',
            p ->> 'currency', (v_line ->> 'amount')::bigint, v_line ->> 'purpose', v_attempt,
            v_presumed);
    end loop;
    return 'settled';
end $$;
