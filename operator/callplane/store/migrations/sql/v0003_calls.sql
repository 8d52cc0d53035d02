-- What call control decides by: the lines, accounts, plans, cards, sets, privileges and numbers of the
-- cluster, as the operator has written them last. A projection: all of it can be written again.

create schema calls;

-- Grows with every write and is locked by it, so that versions come in the order of commits.
create table calls.state (
    only_row boolean primary key default true check (only_row),
    version bigint not null default 0
);
insert into calls.state default values;

-- One row an object, a line or a number. What is gone stays as a row without content, for readers
-- who ask for what is new.
create table calls.entries (
    kind text collate "C" not null check (kind in (
        'CallingAccount', 'CallingPlan', 'RateCard', 'DestinationSet', 'CallPrivilege', 'Line',
        'Number', 'Phone')),
    name text collate "C" not null,
    installation text not null,
    owner text not null,
    content jsonb,
    version bigint not null,
    primary key (kind, name)
);
create index entries_new on calls.entries (version);

-- Countries that an account has called before: the first call to another is held shorter.
create table calls.countries (
    account text collate "C" not null,
    country text collate "C" not null,
    since timestamptz not null,
    primary key (account, country)
);

-- How a live call is addressed at its SBC, so that another process can extend it.
create table calls.dialogs (
    attempt_id text collate "C" primary key,
    boot_id text not null,
    he bigint not null,
    hi bigint not null
);

-- One version for all that is written together.
create function calls.write(
    p_installation text, p_kinds text[], p_names text[], p_owners text[], p_contents text[]
) returns bigint language plpgsql as $$
declare
    v_version bigint;
begin
    update calls.state set version = version + 1 returning version into v_version;
    insert into calls.entries
    select kind, name, p_installation, owner, content::jsonb, v_version
    from unnest(p_kinds, p_names, p_owners, p_contents) as given (kind, name, owner, content)
    on conflict (kind, name) do update set installation = excluded.installation,
        owner = excluded.owner, content = excluded.content, version = excluded.version;
    perform pg_notify('callplane_calls', v_version::text);
    return v_version;
end $$;
