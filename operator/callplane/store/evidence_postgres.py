"""Evidence over PostgreSQL; its twin is `evidence_memory`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from callplane.billing.active_users import SeatPlatform
from callplane.billing.fees import HostedNumber, Hosting
from callplane.billing.matching import PATIENCE, TOLERANCE, Candidate, Sighting, assign
from callplane.store.books_ports import Payer
from callplane.store.evidence_ports import ActiveUser, EvidenceState, StoredSighting
from callplane.store.sessions import SessionLimits, Sessions

CLAIM = """
with made as (
    insert into books.charging_sources (ingress, source, since)
    select distinct ingress, %s, %s::timestamptz from unnest(%s::text[]) as asked (ingress)
    order by ingress on conflict do nothing returning ingress, source)
select ingress, source from made
union select ingress, source from books.charging_sources where ingress = any(%s)
"""
APPOINT = """
insert into books.charging_sources (ingress, source, since) values (%s, %s, %s)
on conflict (ingress) do update set source = excluded.source, since = excluded.since
"""
CHARGING_SOURCES = "select ingress, source from books.charging_sources order by ingress"
KEEP = """
insert into books.evidence (source, external_id, ingress, inbound, holder, other, setup_at,
    duration_seconds, state, seen_at)
select given.*, 'Open', %s
from unnest(%s::text[], %s::text[], %s::text[], %s::boolean[], %s::text[], %s::text[],
    %s::timestamptz[], %s::bigint[]) as given
on conflict do nothing
"""
# Of two that match at once, one waits here and then finds nothing left to do.
MATCH_LOCK = "select pg_advisory_xact_lock(7091, 3)"
CANDIDATES = """
select e.source, e.external_id, c.source, c.attempt_id, c.leg,
    case when c.inbound then c.caller else c.destination end = e.other,
    abs(extract(epoch from c.setup_at - e.setup_at))::float8,
    abs(c.duration_seconds - e.duration_seconds)
from books.evidence as e join books.cdrs as c
    on (case when c.inbound then c.destination else c.caller end) = e.holder
    and c.inbound = e.inbound and c.setup_at between e.setup_at - %s and e.setup_at + %s
where e.state <> 'Confirmed' and e.holder <> '' and c.source <> e.source and not exists (
    select from books.evidence as before
    where before.attempt_id = c.attempt_id and before.cdr_source = c.source
    and before.leg = c.leg and before.source = e.source)
"""
CONFIRM = """
update books.evidence as e
set state = 'Confirmed', cdr_source = done.cdr_source, attempt_id = done.attempt_id, leg = done.leg
from unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[])
    as done (source, external_id, cdr_source, attempt_id, leg)
where e.source = done.source and e.external_id = done.external_id and e.state <> 'Confirmed'
"""
MISS = "update books.evidence set state = 'MissingCdr' where state = 'Open' and setup_at < %s"
SIGHTINGS = """
select source, external_id, ingress, inbound, holder, other, setup_at, duration_seconds, state,
    cdr_source, attempt_id, leg
from books.evidence where %s::text is null or state = %s
order by setup_at, source, external_id limit %s
"""
NOTE_ACTIVE = """
insert into books.active_users (account, period_start, platform, identity, users, first_seen_at,
    evidence)
select %s, %s, platform, identity, users, %s, evidence
from unnest(%s::text[], %s::text[], %s::bigint[], %s::text[])
    as given (platform, identity, users, evidence)
order by platform, identity
on conflict (account, period_start, platform, identity) do update
set users = greatest(active_users.users, excluded.users)
where active_users.users < excluded.users
"""
ACTIVE_USERS = """
select platform, identity, evidence, users from books.active_users
where account = %s and period_start = %s order by platform, identity
"""
LOOKED_AT = """
insert into books.hosting_looks values (%s, %s, %s, %s)
on conflict (account, period_start) do update set bolt_on = true
where excluded.bolt_on and not hosting_looks.bolt_on
"""
NOTE_HOSTED = """
insert into books.hosted_numbers (account, period_start, first_seen_at, number, byoc, each_micros)
select %s, %s, %s, number, byoc, each_micros
from unnest(%s::text[], %s::boolean[], %s::bigint[]) as given (number, byoc, each_micros)
order by number
on conflict (account, period_start, number) do update
set byoc = hosted_numbers.byoc and excluded.byoc, each_micros = excluded.each_micros
where hosted_numbers.each_micros is distinct from excluded.each_micros
    or (hosted_numbers.byoc and not excluded.byoc)
"""
HOSTED = """
select number, byoc, each_micros from books.hosted_numbers
where account = %s and period_start = %s order by number
"""
LOOKED = "select bolt_on from books.hosting_looks where account = %s and period_start = %s"
POSITION = "select position from books.feed_positions where feed = %s"
REMEMBER = """
insert into books.feed_positions (feed, position, at) values (%s, %s, %s)
on conflict (feed) do update set position = excluded.position, at = excluded.at
"""
REDACT = """
update books.evidence set holder = '', other = ''
where setup_at < %s and (holder <> '' or other <> '')
"""


class PostgresEvidence:
    """`EvidenceBook` over the database at `dsn`. `open` needs no database."""

    def __init__(self, dsn: str, *, limits: SessionLimits | None = None) -> None:
        self._sessions = Sessions(dsn, limits or SessionLimits(sessions=2, answer_seconds=30))

    async def open(self) -> None:
        await self._sessions.open()

    async def close(self) -> None:
        await self._sessions.close()

    async def claim(
        self, ingresses: Sequence[str], source: str, *, now: datetime
    ) -> Mapping[str, str]:
        asked = list(ingresses)
        async with self._sessions.session() as session:
            cursor = await session.execute(CLAIM, (source, now, asked, asked))
            found = dict(await cursor.fetchall())
            if len(found) < len(set(asked)):
                # Somebody else was first meanwhile; his row is there now.
                cursor = await session.execute(CLAIM, (source, now, asked, asked))
                found = dict(await cursor.fetchall())
        return found

    async def appoint(self, ingress: str, source: str, *, now: datetime) -> None:
        async with self._sessions.session() as session:
            await session.execute(APPOINT, (ingress, source, now))

    async def charging_sources(self) -> Mapping[str, str]:
        async with self._sessions.session() as session:
            cursor = await session.execute(CHARGING_SOURCES)
            return dict(await cursor.fetchall())

    async def keep(self, sightings: Sequence[Sighting], *, now: datetime) -> int:
        columns = (
            [one.source for one in sightings],
            [one.external_id for one in sightings],
            [one.ingress for one in sightings],
            [one.inbound for one in sightings],
            [one.holder for one in sightings],
            [one.other for one in sightings],
            [one.setup for one in sightings],
            [one.duration_seconds for one in sightings],
        )
        async with self._sessions.session() as session:
            cursor = await session.execute(KEEP, (now, *columns))
        return cursor.rowcount

    async def match(self, *, now: datetime) -> int:
        async with self._sessions.session() as session, session.transaction():
            await session.execute(MATCH_LOCK)
            cursor = await session.execute(CANDIDATES, (TOLERANCE, TOLERANCE))
            pairs = [
                Candidate((row[0], row[1]), (row[2], row[3], row[4]), *row[5:])
                for row in await cursor.fetchall()
            ]
            found = assign(pairs)
            if found:
                rows = [(*sighting, *leg) for sighting, leg in found.items()]
                await session.execute(CONFIRM, [list(one) for one in zip(*rows, strict=True)])
            await session.execute(MISS, (now - PATIENCE,))
        return len(found)

    async def sightings(
        self, state: EvidenceState | None = None, *, limit: int = 1_000
    ) -> tuple[StoredSighting, ...]:
        wanted = None if state is None else state.value
        async with self._sessions.session() as session:
            cursor = await session.execute(SIGHTINGS, (wanted, wanted, limit))
            rows = await cursor.fetchall()
        return tuple(
            StoredSighting(
                Sighting(*facts),
                EvidenceState(found),
                None if attempt_id is None else (cdr_source, attempt_id, leg),
            )
            for *facts, found, cdr_source, attempt_id, leg in rows
        )

    async def note_active(
        self, payer: Payer, users: Sequence[ActiveUser], *, now: datetime
    ) -> None:
        once = {(one.platform, one.identity): one for one in users}
        columns = (
            [one.platform.value for one in once.values()],
            [one.identity for one in once.values()],
            [one.users for one in once.values()],
            [one.evidence for one in once.values()],
        )
        key = (payer.account, payer.period.start, now)
        async with self._sessions.session() as session:
            await session.execute(NOTE_ACTIVE, (*key, *columns))

    async def active_users(self, account: str, period_start: datetime) -> tuple[ActiveUser, ...]:
        async with self._sessions.session() as session:
            cursor = await session.execute(ACTIVE_USERS, (account, period_start))
            rows = await cursor.fetchall()
        return tuple(ActiveUser(SeatPlatform(platform), *rest) for platform, *rest in rows)

    async def note_hosting(self, payer: Payer, hosting: Hosting, *, now: datetime) -> None:
        month = (payer.account, payer.period.start)
        once = {one.number: one for one in hosting.numbers}
        columns = (
            [*once],
            [one.byoc for one in once.values()],
            [one.each_micros for one in once.values()],
        )
        async with self._sessions.session() as session, session.transaction():
            await session.execute(LOOKED_AT, (*month, hosting.has_bolt_on, now))
            if once:
                await session.execute(NOTE_HOSTED, (*month, now, *columns))

    async def hosting(self, account: str, period_start: datetime) -> Hosting | None:
        async with self._sessions.session() as session:
            cursor = await session.execute(LOOKED, (account, period_start))
            looked = await cursor.fetchone()
            if looked is None:
                return None
            cursor = await session.execute(HOSTED, (account, period_start))
            rows = await cursor.fetchall()
        return Hosting(tuple(HostedNumber(*row) for row in rows), bool(looked[0]))

    async def position(self, feed: str) -> str | None:
        async with self._sessions.session() as session:
            cursor = await session.execute(POSITION, (feed,))
            row = await cursor.fetchone()
        return None if row is None else str(row[0])

    async def remember(self, feed: str, position: str, *, now: datetime) -> None:
        async with self._sessions.session() as session:
            await session.execute(REMEMBER, (feed, position, now))

    async def redact(self, *, before: datetime) -> int:
        async with self._sessions.session() as session:
            cursor = await session.execute(REDACT, (before,))
        return cursor.rowcount
