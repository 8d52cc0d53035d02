-- What the admin API may see: views over register and books, and nothing else. A view reads with its
-- owner's rights, so the API's role has none of its own on the tables behind them.

create schema admin_api;

-- Seals the places where pages end: a page of masked numbers must not end with a full one. Every
-- process reads the same key, so that any replica goes on where another stopped.
create table admin_api.cursor_key (
    key bytea not null check (length(key) = 64),
    only_row boolean primary key default true check (only_row)
);
insert into admin_api.cursor_key (key) values (
    sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
    || sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())));

-- A number belongs to the namespace of the object that declares its holder; without one to that of its
-- range, else of its connection. A namespace means something in one cluster only: its installation.
create view admin_api.numbers as
select n.number, n.state,
    coalesce(n.declared_by ->> 'installation', c.installation) as installation,
    coalesce(n.declared_by ->> 'namespace',
        case when n.range_name like '%/%' then split_part(n.range_name, '/', 1) end,
        c.declared_by ->> 'namespace') as namespace,
    n.provider || '/' || n.external_id as connection,
    n.range_name, n.number_type, n.holder, h.user_name,
    n.declared_by ->> 'kind' as declared_kind, n.declared_by ->> 'name' as declared_name,
    n.quarantined_until, n.reason, n.updated_at
from register.numbers as n
left join register.connections as c using (provider, external_id)
left join register.holders as h using (provider, external_id, holder);

-- An event belongs to the namespace of the object that declared the holder then; one without such an
-- object, or whose people were redacted, to none.
create view admin_api.number_events as
select e.sequence, e.number, e.at, e.cause, e.from_state, e.to_state, e.installation,
    case when p.declared_by like '% %/%'
        then split_part(split_part(p.declared_by, ' ', 2), '/', 1) end as namespace,
    e.provider || '/' || e.external_id as connection,
    p.holder, p.user_name, p.declared_by, e.reason, l.link is not null as is_linked
from register.number_events as e
left join register.number_event_people as p on p.event = e.sequence
left join register.number_links as l on l.event = e.sequence;

-- Changes that wait for a person. They belong to their connection, as its ChangePlan does.
create view admin_api.held_changes as
select g.digest, g.change_id, g.change, g.cause, g.proposer, g.range_name, g.proposed_at,
    c.installation, c.declared_by ->> 'namespace' as namespace,
    c.declared_by ->> 'kind' as connection_kind, c.declared_by ->> 'name' as connection_name,
    g.provider || '/' || g.external_id as connection
from register.gate_rows as g
join register.connections as c using (provider, external_id)
where g.status = 'held' and g.digest <> '';

-- An account is NAMESPACE/NAME. The middle of its month lies in it in every time zone.
create view admin_api.pools as
select account, split_part(account, '/', 1) as namespace,
    to_char((period_start + (period_end - period_start) / 2) at time zone 'UTC', 'YYYY-MM') as month,
    period_start, period_end, currency, entitlement_seconds, used_seconds, held_seconds,
    grace_used_seconds, posted_micros, held_micros, unsecured_micros, live_calls
from books.account_periods;

create view admin_api.statements as
select s.account, split_part(s.account, '/', 1) as namespace, p.month, s.number, s.digest,
    s.document, s.closed_at
from books.statements as s
join admin_api.pools as p using (account, period_start);

create view admin_api.postings as
select t.id, t.at, t.account, split_part(t.account, '/', 1) as namespace, p.month, t.debit, t.credit,
    t.unit, t.amount, t.purpose, t.attempt_id, t.presumed, t.reverses, t.adjusts
from books.postings as t
join admin_api.pools as p using (account, period_start);
