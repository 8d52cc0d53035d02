-- The number register: who may have which number, what was applied to whom, what is about to be
-- written, what waits in the gate, and the history of every number.

create schema register;

-- Feeds the column "version" of what changes, so that readers can ask for what is new.
create sequence register.version;

-- A database made anew has another identity; one that was restored has the same.
create table register.identity (
    id uuid not null default gen_random_uuid(),
    only_row boolean primary key default true check (only_row)
);
insert into register.identity default values;

-- Who works a connection. Rows are never deleted: an epoch must not come back.
create table register.connections (
    provider text not null,
    external_id text not null,
    installation text not null,
    declared_by jsonb not null,
    epoch bigint not null,
    heartbeat_at timestamptz not null,
    released boolean not null default false,
    -- The highest sequence that the declaring object is known to have stored in its status.
    mirrored bigint not null default 0,
    primary key (provider, external_id)
);

-- Numbers in use, reserved or resting. Free numbers have no row. Only the key is indexed beside the
-- connection, and pages have room, so that a change of state touches no index.
create table register.numbers (
    number text collate "C" primary key check (number ~ '^\+[1-9][0-9]{6,14}$'),
    provider text not null,
    external_id text not null,
    state text not null check (state in (
        'Reserved', 'Claimed', 'Assigned', 'Transferring', 'Quarantined',
        'Ordering', 'PortingIn', 'ReleasePending', 'Released')),
    holder text,
    declared_by jsonb,
    range_name text not null,
    number_type text not null,
    transfer_to text,
    quarantined_until timestamptz,
    reason text not null,
    updated_at timestamptz not null,
    version bigint not null,
    check (holder is not null or state not in ('Claimed', 'Assigned', 'Transferring')),
    check ((transfer_to is not null) = (state = 'Transferring'))
) with (fillfactor = 80);
create index numbers_of_connection on register.numbers (provider, external_id);

create table register.holders (
    provider text not null,
    external_id text not null,
    holder text not null,
    declared_by jsonb,
    user_name text not null,
    applied jsonb not null,
    undone jsonb not null,
    version bigint not null,
    primary key (provider, external_id, holder)
) with (fillfactor = 80);

-- What was deleted from numbers ('number') and holders ('holder'), for readers by version.
create table register.removed (
    provider text not null,
    external_id text not null,
    kind text not null check (kind in ('number', 'holder')),
    key text not null,
    version bigint not null,
    primary key (provider, external_id, kind, key)
);

create table register.intents (
    provider text not null,
    external_id text not null,
    request_id text not null,
    change_id text not null,
    epoch bigint not null,
    holder text not null,
    change jsonb not null,
    sent_at timestamptz not null,
    state text not null check (state in ('open', 'confirmed', 'refused', 'abandoned')),
    operation text not null,
    detail text not null,
    primary key (provider, external_id, request_id)
);
create index open_intents on register.intents (provider, external_id) where state = 'open';

create table register.gate_rows (
    provider text not null,
    external_id text not null,
    change_id text not null,
    change jsonb not null,
    cause text not null,
    proposer jsonb not null,
    range_name text not null,
    status text not null check (status in ('open', 'granted', 'held', 'approved', 'consumed')),
    proposed_at timestamptz not null,
    digest text not null,
    approval text not null,
    expires_at timestamptz,
    consumed_at timestamptz,
    used_approvals jsonb not null,
    earlier_runs jsonb not null,
    primary key (provider, external_id, change_id)
);

-- The highest version of each connection. One row a slot, and a session always writes the same
-- slot, so that commits of one connection do not queue for one row.
create table register.marks (
    provider text not null,
    external_id text not null,
    slot integer not null,
    version bigint not null,
    primary key (provider, external_id, slot)
) with (fillfactor = 50);

-- History. Personal fields are kept beside it, with the salt of their hashes, until redacted.
create table register.number_events (
    sequence bigint generated always as identity primary key,
    number text collate "C" not null,
    at timestamptz not null,
    cause text not null,
    from_state text not null,
    to_state text not null,
    provider text not null,
    external_id text not null,
    installation text not null,
    reason text not null,
    holder_hash bytea not null,
    user_name_hash bytea not null,
    declared_by_hash bytea not null
);
create index number_events_of_number on register.number_events (number);

create table register.number_event_people (
    event bigint primary key,
    salt bytea not null,
    holder text not null,
    user_name text not null,
    declared_by text not null
);

-- The linker's work list: a sequence has gaps and is not in order of commit, so "after the last
-- linked one" would pass over events.
create table register.unlinked_events (event bigint primary key) with (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

create table register.number_links (
    position bigint primary key,
    event bigint not null unique,
    link bytea not null check (length(link) = 32)
);

create table register.chain_checkpoints (
    position bigint primary key,
    link bytea not null,
    at timestamptz not null default now()
);

create function register.refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'history is only ever added to: % on % is refused', tg_op, tg_table_name
        using errcode = 'CP003';
end
$$;

create trigger number_events_are_kept
    before update or delete or truncate on register.number_events
    for each statement execute function register.refuse_change();
create trigger number_links_are_kept
    before update or delete or truncate on register.number_links
    for each statement execute function register.refuse_change();
create trigger chain_checkpoints_are_kept
    before update or delete or truncate on register.chain_checkpoints
    for each statement execute function register.refuse_change();

-- Commits of a connection hold its lock shared; whoever changes its epoch, or wants to know the
-- version below which nothing is under way, holds it alone. A lock of its own, because a share lock
-- on the row would write to it and let a queue of readers starve the one who wants to change it.
create function register.connection_lock(p_provider text, p_external_id text) returns bigint
language sql immutable parallel safe
return hashtextextended(p_provider || '/' || p_external_id, 7091);

create function register.settled(p_provider text, p_external_id text) returns bigint
language plpgsql as $$
begin
    perform pg_advisory_xact_lock(register.connection_lock(p_provider, p_external_id));
    return coalesce((
        select max(version) from register.marks
        where provider = p_provider and external_id = p_external_id), 0);
end
$$;

create function register.salted(p_salt bytea, p_field text, p_value text) returns bytea
language sql immutable parallel safe
return sha256(p_salt || convert_to(p_field || ':' || p_value, 'UTF8'));

create function register.add_event(
    p_provider text, p_external_id text, p_installation text, p_now timestamptz,
    p_number text, p_cause text, p_from text, p_to text, p_reason text,
    p_holder text, p_user_name text, p_declared_by jsonb
) returns void language plpgsql as $$
declare
    v_salt bytea := uuid_send(gen_random_uuid());
    v_holder text := coalesce(p_holder, '');
    v_declared_by text := coalesce(
        (p_declared_by ->> 'kind') || ' ' || (p_declared_by ->> 'namespace')
            || '/' || (p_declared_by ->> 'name'), '');
    v_user_name text := coalesce(p_user_name, '');
    v_sequence bigint;
begin
    if p_user_name is null and p_holder is not null then
        v_user_name := coalesce((
            select user_name from register.holders
            where provider = p_provider and external_id = p_external_id and holder = p_holder), '');
    end if;
    insert into register.number_events (
        number, at, cause, from_state, to_state, provider, external_id, installation, reason,
        holder_hash, user_name_hash, declared_by_hash
    ) values (
        p_number, p_now, p_cause, p_from, p_to, p_provider, p_external_id, p_installation, p_reason,
        register.salted(v_salt, 'holder', v_holder),
        register.salted(v_salt, 'user_name', v_user_name),
        register.salted(v_salt, 'declared_by', v_declared_by)
    ) returning sequence into v_sequence;
    insert into register.number_event_people
        values (v_sequence, v_salt, v_holder, v_user_name, v_declared_by);
    insert into register.unlinked_events values (v_sequence);
end
$$;

-- One transaction in one round trip. p_epoch null: an administrator, who holds the lock alone.
-- p_commit names its parts as store/rows.py writes them, each sorted by key. Table after table, and
-- key after key in each, is what keeps two commits from waiting for each other; so upserts and
-- deletions of one table are one pass. Returns the version of everything it wrote.
--   CP001  the epoch is another one
--   CP002  a move is refused; the detail is its place in p_commit -> 'moves', counted from 1,
--          because a number must not stand in the server's log
create function register.commit(
    p_provider text, p_external_id text, p_epoch bigint, p_now timestamptz, p_commit jsonb
) returns bigint language plpgsql as $$
declare
    v_epoch bigint;
    v_installation text;
    v_version bigint;
    v_place integer := 0;
    v_move record;
    v_row register.numbers%rowtype;
    v_holder record;
    v_gate_row record;
begin
    perform pg_advisory_xact_lock_shared(register.connection_lock(p_provider, p_external_id));
    select epoch, installation into v_epoch, v_installation from register.connections
        where provider = p_provider and external_id = p_external_id and not released;
    if p_epoch is not null and v_epoch is distinct from p_epoch then
        raise exception 'the epoch is another one' using errcode = 'CP001';
    end if;
    if p_commit = '{}'::jsonb then
        return coalesce((
            select max(version) from register.marks
            where provider = p_provider and external_id = p_external_id), 0);
    end if;
    v_version := nextval('register.version');

    if p_commit ? 'moves' then
        for v_move in
            select * from jsonb_to_recordset(p_commit -> 'moves') as given(
                number text, expected text, state text, cause text, required_holder text,
                required_receiver text, must_have_rested boolean, holder text, user_name text,
                declared_by jsonb, range_name text, number_type text, transfer_to text,
                quarantined_until timestamptz, reason text)
        loop
            v_place := v_place + 1;
            v_row := null;
            if v_move.expected <> 'Free' then
                select * into v_row from register.numbers
                    where number = v_move.number for update;
                if not found
                    or v_row.provider <> p_provider or v_row.external_id <> p_external_id
                    or v_row.state <> v_move.expected
                    or v_move.required_holder <> coalesce(v_row.holder, '')
                    or v_move.required_receiver <> coalesce(v_row.transfer_to, '')
                    or (v_move.must_have_rested
                        and coalesce(v_row.quarantined_until > p_now, true))
                then
                    raise exception 'a move is refused'
                        using errcode = 'CP002', detail = v_place::text;
                end if;
            end if;
            if v_move.state = 'Free' then
                delete from register.numbers where number = v_move.number;
                insert into register.removed values (
                    p_provider, p_external_id, 'number', v_move.number, v_version)
                on conflict (provider, external_id, kind, key)
                    do update set version = excluded.version;
            elsif v_move.expected = 'Free' then
                insert into register.numbers values (
                    v_move.number, p_provider, p_external_id, v_move.state, v_move.holder,
                    v_move.declared_by, v_move.range_name, v_move.number_type, v_move.transfer_to,
                    v_move.quarantined_until, v_move.reason, p_now, v_version)
                on conflict (number) do nothing;
                if not found then
                    raise exception 'a move is refused'
                        using errcode = 'CP002', detail = v_place::text;
                end if;
            else
                update register.numbers set
                    state = v_move.state, holder = v_move.holder,
                    declared_by = v_move.declared_by, range_name = v_move.range_name,
                    number_type = v_move.number_type, transfer_to = v_move.transfer_to,
                    quarantined_until = v_move.quarantined_until, reason = v_move.reason,
                    updated_at = p_now, version = v_version
                where number = v_move.number;
            end if;
            perform register.add_event(
                p_provider, p_external_id, coalesce(v_installation, ''), p_now,
                v_move.number, v_move.cause, v_move.expected, v_move.state, v_move.reason,
                coalesce(v_move.holder, v_row.holder), v_move.user_name,
                coalesce(v_move.declared_by, v_row.declared_by));
        end loop;
    end if;

    if p_commit ? 'holders' then
        for v_holder in
            select * from jsonb_to_recordset(p_commit -> 'holders') as given(
                holder text, is_dropped boolean, declared_by jsonb, user_name text, applied jsonb,
                undone jsonb)
        loop
            if v_holder.is_dropped then
                delete from register.holders
                    where provider = p_provider and external_id = p_external_id
                    and holder = v_holder.holder;
                insert into register.removed values (
                    p_provider, p_external_id, 'holder', v_holder.holder, v_version)
                on conflict (provider, external_id, kind, key)
                    do update set version = excluded.version;
            else
                insert into register.holders values (
                    p_provider, p_external_id, v_holder.holder, v_holder.declared_by,
                    v_holder.user_name, v_holder.applied, v_holder.undone, v_version)
                on conflict (provider, external_id, holder) do update set
                    declared_by = excluded.declared_by, user_name = excluded.user_name,
                    applied = excluded.applied, undone = excluded.undone,
                    version = excluded.version;
            end if;
        end loop;
    end if;

    if p_commit ? 'intents' then
        insert into register.intents
            select p_provider, p_external_id, given.*
            from jsonb_to_recordset(p_commit -> 'intents') as given(
                request_id text, change_id text, epoch bigint, holder text, change jsonb,
                sent_at timestamptz, state text, operation text, detail text)
        on conflict (provider, external_id, request_id) do update set
            change_id = excluded.change_id, epoch = excluded.epoch, holder = excluded.holder,
            change = excluded.change, sent_at = excluded.sent_at, state = excluded.state,
            operation = excluded.operation, detail = excluded.detail;
    end if;

    if p_commit ? 'gate_rows' then
        for v_gate_row in
            select * from jsonb_to_recordset(p_commit -> 'gate_rows') as given(
                change_id text, is_dropped boolean, change jsonb, cause text, proposer jsonb,
                range_name text, status text, proposed_at timestamptz, digest text, approval text,
                expires_at timestamptz, consumed_at timestamptz, used_approvals jsonb,
                earlier_runs jsonb)
        loop
            if v_gate_row.is_dropped then
                delete from register.gate_rows
                    where provider = p_provider and external_id = p_external_id
                    and change_id = v_gate_row.change_id;
            else
                insert into register.gate_rows values (
                    p_provider, p_external_id, v_gate_row.change_id, v_gate_row.change,
                    v_gate_row.cause, v_gate_row.proposer, v_gate_row.range_name,
                    v_gate_row.status, v_gate_row.proposed_at, v_gate_row.digest,
                    v_gate_row.approval, v_gate_row.expires_at, v_gate_row.consumed_at,
                    v_gate_row.used_approvals, v_gate_row.earlier_runs)
                on conflict (provider, external_id, change_id) do update set
                    change = excluded.change, cause = excluded.cause,
                    proposer = excluded.proposer, range_name = excluded.range_name,
                    status = excluded.status, proposed_at = excluded.proposed_at,
                    digest = excluded.digest, approval = excluded.approval,
                    expires_at = excluded.expires_at, consumed_at = excluded.consumed_at,
                    used_approvals = excluded.used_approvals,
                    earlier_runs = excluded.earlier_runs;
            end if;
        end loop;
    end if;

    insert into register.marks
        values (p_provider, p_external_id, pg_backend_pid() % 64, v_version)
    on conflict (provider, external_id, slot) do update
        set version = greatest(marks.version, excluded.version);
    return v_version;
end
$$;

-- A number that is received goes over to its receiver's connection, in the transaction that gives
-- it: whoever gave it sees it go, whoever receives it sees it come. The version is drawn anew under
-- the receiver's lock, so that no reader there can have passed it by already.
create function register.hand_over() returns trigger language plpgsql as $$
begin
    perform pg_advisory_xact_lock_shared(
        register.connection_lock(
            split_part(new.holder, '/', 1), split_part(new.holder, '/', 2)));
    new.provider := split_part(new.holder, '/', 1);
    new.external_id := split_part(new.holder, '/', 2);
    insert into register.removed values (
        old.provider, old.external_id, 'number', old.number, new.version)
    on conflict (provider, external_id, kind, key) do update set version = excluded.version;
    new.version := nextval('register.version');
    insert into register.marks
        values (new.provider, new.external_id, pg_backend_pid() % 64, new.version)
    on conflict (provider, external_id, slot) do update
        set version = greatest(marks.version, excluded.version);
    return new;
end
$$;

create trigger hand_over before update on register.numbers
    for each row when (
        old.state = 'Transferring' and new.state = 'Claimed'
        and not starts_with(new.holder, old.provider || '/' || old.external_id || '/'))
    execute function register.hand_over();
