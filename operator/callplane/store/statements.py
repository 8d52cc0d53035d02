"""Every SQL statement the register sends; what they work on is made by `migrations/sql`.

Columns are listed in the order in which `rows` reads them.
"""

from __future__ import annotations

# The second column is what the connection's sequence was before: a statement does not see what a
# function that it calls writes.
COMMIT = """
select register.commit(%s, %s, %s, %s, %s), (
    select coalesce(max(version), 0) from register.marks where provider = %s and external_id = %s)
"""
SETTLED = "select register.settled(%s, %s)"
NOTIFY = "select pg_notify('callplane_register', %s)"
LISTEN = "listen callplane_register"
IDENTITY = """
select id::text, case when is_called then last_value else 0 end
from register.identity, register.version
"""

_CONNECTION = "provider, external_id, installation, declared_by, epoch, heartbeat_at, mirrored"
CONNECTIONS = f"""
select {_CONNECTION} from register.connections
where not released order by provider, external_id
"""
CONNECTION = f"""
select {_CONNECTION}, released from register.connections
where provider = %s and external_id = %s
"""
HOLD = """
insert into register.connections (
    provider, external_id, installation, declared_by, epoch, heartbeat_at, mirrored)
values (%s, %s, %s, %s, %s, %s, %s)
on conflict (provider, external_id) do update set
    installation = excluded.installation, declared_by = excluded.declared_by,
    epoch = excluded.epoch, heartbeat_at = excluded.heartbeat_at, released = false,
    mirrored = excluded.mirrored
"""
FORGET_INTENTS = "delete from register.intents where state <> 'open' and sent_at < %s"
HEARTBEAT = """
update register.connections set heartbeat_at = %s, mirrored = greatest(mirrored, %s)
where provider = %s and external_id = %s and epoch = %s and not released
"""
RELEASE = """
update register.connections set released = true
where provider = %s and external_id = %s and epoch = %s and not released
"""
RAISE_EPOCH = """
update register.connections set epoch = epoch + 1 where provider = %s and external_id = %s
"""

_NUMBER = """number, provider, external_id, state, holder, declared_by, range_name, number_type,
    transfer_to, quarantined_until, reason, updated_at, version"""
NUMBER = f"select {_NUMBER} from register.numbers where number = %s"
NUMBERS = f"select {_NUMBER} from register.numbers where number = any(%s) order by number"
NUMBERS_IN = f"""
select {_NUMBER} from register.numbers
where number between %s and %s and length(number) = %s order by number
"""

SNAPSHOT = "set transaction isolation level repeatable read, read only"
LOAD_NUMBERS = f"""
select {_NUMBER} from register.numbers
where provider = %s and external_id = %s and version > %s order by number
"""
LOAD_HOLDERS = """
select holder, declared_by, user_name, applied, undone, version from register.holders
where provider = %s and external_id = %s and version > %s order by holder collate "C"
"""
LOAD_INTENTS = """
select request_id, change_id, epoch, holder, change, sent_at, state, operation, detail
from register.intents
where provider = %s and external_id = %s and state = 'open'
order by sent_at, request_id collate "C"
"""
LOAD_GATE_ROWS = """
select change, cause, proposer, range_name, status, proposed_at, digest, approval, expires_at,
    consumed_at, used_approvals, earlier_runs
from register.gate_rows where provider = %s and external_id = %s order by change_id collate "C"
"""
LOAD_REMOVED = """
select kind, key from register.removed as gone
where provider = %s and external_id = %s and version > %s
and not exists (
    select from register.numbers as kept
    where gone.kind = 'number' and kept.number = gone.key
    and kept.provider = gone.provider and kept.external_id = gone.external_id)
and not exists (
    select from register.holders as kept
    where gone.kind = 'holder' and kept.holder = gone.key
    and kept.provider = gone.provider and kept.external_id = gone.external_id)
order by key collate "C"
"""

_EVENT = """sequence, number, at, cause, from_state, to_state, event.provider, event.external_id,
    installation, reason, holder_hash, user_name_hash, declared_by_hash"""
_PERSONAL = "salt, person.holder, person.user_name, person.declared_by"
DRAINED_SINCE = """
select count(*) filter (where from_state = 'Free' and to_state in ('Claimed', 'Assigned'))
    - count(*) filter (where to_state = 'Free' and from_state in ('Claimed', 'Quarantined'))
from register.number_events
where number between %s and %s and length(number) = %s and at >= %s
"""

HISTORY = f"""
select link, {_PERSONAL}, {_EVENT} from register.number_events as event
left join register.number_event_people as person on person.event = sequence
left join register.number_links as chained on chained.event = sequence
where number = %s order by sequence
"""

TRY_LINKER_LOCK = "select pg_try_advisory_xact_lock(7091, 1)"
HAS_UNLINKED = "select exists (select from register.unlinked_events)"
TAKE_UNLINKED = f"""
with taken as (
    delete from register.unlinked_events where event in (
        select event from register.unlinked_events order by event limit %s)
    returning event
)
select {_EVENT} from taken
join register.number_events as event on sequence = taken.event order by sequence
"""
CHAIN_HEAD = "select position, link from register.number_links order by position desc limit 1"
ADD_LINKS = """
insert into register.number_links (position, event, link)
select * from unnest(%s::bigint[], %s::bigint[], %s::bytea[])
"""
# A checkpoint an hour is enough to show that somebody has cut the end of the chain off.
ADD_CHECKPOINT = """
insert into register.chain_checkpoints (position, link)
select %s, %s where not exists (
    select from register.chain_checkpoints where at > now() - interval '1 hour')
"""
CHECKPOINTS = "select position, link from register.chain_checkpoints order by position"
LINKED = f"""
select chained.position, chained.event, link, {_PERSONAL}, {_EVENT}
from register.number_links as chained
left join register.number_events as event on sequence = chained.event
left join register.number_event_people as person on person.event = chained.event
where chained.position > %s order by chained.position limit %s
"""
COUNT_EVENTS = """
select count(*), count(*) filter (where chained.event is null),
    min(sequence) filter (where chained.event is null and waiting.event is null)
from register.number_events
left join register.number_links as chained on chained.event = sequence
left join register.unlinked_events as waiting on waiting.event = sequence
"""
REDACT_NUMBER = """
delete from register.number_event_people
where event in (select sequence from register.number_events where number = %s)
"""
REDACT_HOLDER = "delete from register.number_event_people where holder = %s"
