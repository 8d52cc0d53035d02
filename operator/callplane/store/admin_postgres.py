"""The admin API's reads over PostgreSQL: views of `admin_api`, in sessions that cannot write.

Every statement begins with the reach. Accounts of the books are NAMESPACE/NAME whatever the
cluster, so that clusters which share a database share their accounts too.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from callplane.store.admin_ports import (
    HeldChangeRecord,
    HeldPlanRecord,
    NumberEventRecord,
    NumberFilter,
    NumberRecord,
    Page,
    PageRequest,
    Place,
    PoolRecord,
    PostingRecord,
    Reach,
    StatementRecord,
    cut,
)
from callplane.store.sessions import SessionLimits, Sessions

Row = TypeVar("Row")
Columns = Sequence[Any]

_NAMESPACE: Final = "(%(namespace)s::text is null or namespace = %(namespace)s)"
_HERE: Final = f"installation = %(installation)s and {_NAMESPACE}"


def _names(row: type[Any]) -> str:
    return ", ".join(each.name for each in dataclasses.fields(row))


_NUMBERS: Final = f"""
select {_names(NumberRecord)} from admin_api.numbers where {_HERE}
and (%(state)s = '' or state = %(state)s)
and (%(range_name)s = '' or range_name = %(range_name)s)
and (%(connection)s = '' or connection = %(connection)s)
and (%(after_0)s::text is null or number > %(after_0)s collate "C")
order by number limit %(limit)s
"""
_NUMBER: Final = f"""
select {_names(NumberRecord)} from admin_api.numbers where {_HERE} and number = %(number)s
"""
_NUMBER_EVENTS: Final = f"""
select {_names(NumberEventRecord)} from admin_api.number_events
where {_HERE} and number = %(number)s
and (%(after_0)s::text is null or sequence > %(after_0)s::bigint)
order by sequence limit %(limit)s
"""
_HELD_PLANS: Final = f"""
with plans as (
    select digest, namespace, connection_kind, connection_name, connection, count(*) as total,
        count(*) filter (where (change ->> 'irreversible')::boolean) as irreversible,
        min(proposed_at) as proposed_at
    from admin_api.held_changes where {_HERE} and (%(digest)s = '' or digest = %(digest)s)
    group by digest, namespace, connection_kind, connection_name, connection
), counts as (
    select digest, jsonb_object_agg(operation, number) as operations from (
        select digest, change ->> 'op' as operation, count(*) as number
        from admin_api.held_changes where {_HERE} and (%(digest)s = '' or digest = %(digest)s)
        group by 1, 2) as each
    group by digest
)
select {_names(HeldPlanRecord)} from plans join counts using (digest)
where %(after_0)s::text is null or digest > %(after_0)s collate "C"
order by digest collate "C" limit %(limit)s
"""
_HELD_CHANGES: Final = f"""
select {_names(HeldChangeRecord)} from admin_api.held_changes
where {_HERE} and digest = %(digest)s
and (%(after_0)s::text is null or change_id > %(after_0)s collate "C")
order by change_id collate "C" limit %(limit)s
"""
_POOLS: Final = f"""
select {_names(PoolRecord)} from admin_api.pools where {_NAMESPACE}
and (%(account)s = '' or account = %(account)s) and (%(month)s = '' or month = %(month)s)
and (%(after_0)s::text is null
    or (account, period_start) > (%(after_0)s collate "C", %(after_1)s::timestamptz))
order by account, period_start limit %(limit)s
"""
_STATEMENTS: Final = f"""
select {_names(StatementRecord)} from admin_api.statements where {_NAMESPACE}
and (%(account)s = '' or account = %(account)s)
and (%(number)s::bigint is null or number = %(number)s)
and (%(after_0)s::text is null or number > %(after_0)s::bigint)
order by number limit %(limit)s
"""
_POSTINGS: Final = f"""
select {_names(PostingRecord)} from admin_api.postings
where {_NAMESPACE} and account = %(account)s and month = %(month)s
and (%(after_0)s::text is null or id > %(after_0)s::bigint)
order by id limit %(limit)s
"""
_CURSOR_KEY: Final = "select key from admin_api.cursor_key"


class PostgresAdminReader:
    """`AdminReader` over the database at `dsn`, a `postgresql://` URI. `open` needs no database."""

    def __init__(self, dsn: str, *, limits: SessionLimits | None = None) -> None:
        chosen = limits or SessionLimits()
        self._sessions = Sessions(dsn, dataclasses.replace(chosen, read_only=True))
        self._cursor_key: bytes | None = None

    async def open(self) -> None:
        await self._sessions.open()

    async def close(self) -> None:
        await self._sessions.close()

    async def cursor_key(self) -> bytes:
        if self._cursor_key is None:
            async with self._sessions.session() as session:
                cursor = await session.execute(_CURSOR_KEY)
                ((self._cursor_key,),) = await cursor.fetchall()
        return self._cursor_key

    async def numbers(
        self, reach: Reach, wanted: NumberFilter, page: PageRequest
    ) -> Page[NumberRecord]:
        return await self._page(
            NumberRecord, _NUMBERS, reach, page, lambda row: (row.number,), **_fields(wanted)
        )

    async def number(self, reach: Reach, number: str) -> NumberRecord | None:
        rows = await self._rows(_NUMBER, reach, PageRequest(1), number=number)
        return NumberRecord(*rows[0]) if rows else None

    async def number_events(
        self, reach: Reach, number: str, page: PageRequest
    ) -> Page[NumberEventRecord]:
        return await self._page(
            *(NumberEventRecord, _NUMBER_EVENTS, reach, page, lambda row: (str(row.sequence),)),
            number=number,
        )

    async def held_plans(self, reach: Reach, page: PageRequest) -> Page[HeldPlanRecord]:
        return await self._page(
            HeldPlanRecord, _HELD_PLANS, reach, page, lambda row: (row.digest,), digest=""
        )

    async def held_plan(self, reach: Reach, digest: str) -> HeldPlanRecord | None:
        rows = await self._rows(_HELD_PLANS, reach, PageRequest(1), digest=digest)
        return HeldPlanRecord(*rows[0]) if rows else None

    async def held_changes(
        self, reach: Reach, digest: str, page: PageRequest
    ) -> Page[HeldChangeRecord]:
        return await self._page(
            *(HeldChangeRecord, _HELD_CHANGES, reach, page, lambda row: (row.change_id,)),
            digest=digest,
        )

    async def pools(
        self, reach: Reach, page: PageRequest, *, account: str = "", month: str = ""
    ) -> Page[PoolRecord]:
        return await self._page(
            *(PoolRecord, _POOLS, reach, page, _place_of_pool), account=account, month=month
        )

    async def statements(
        self, reach: Reach, page: PageRequest, *, account: str = ""
    ) -> Page[StatementRecord]:
        return await self._page(
            *(StatementRecord, _STATEMENTS, reach, page, lambda row: (str(row.number),)),
            account=account,
            number=None,
        )

    async def statement(
        self, reach: Reach, number: int, *, account: str = ""
    ) -> StatementRecord | None:
        rows = await self._rows(_STATEMENTS, reach, PageRequest(1), account=account, number=number)
        return StatementRecord(*rows[0]) if rows else None

    async def postings(
        self, reach: Reach, page: PageRequest, *, account: str, month: str
    ) -> Page[PostingRecord]:
        return await self._page(
            *(PostingRecord, _POSTINGS, reach, page, lambda row: (str(row.id),)),
            account=account,
            month=month,
        )

    async def _page(
        self,
        kind: Callable[..., Row],
        statement: str,
        reach: Reach,
        page: PageRequest,
        place: Callable[[Row], Place],
        **values: object,
    ) -> Page[Row]:
        found = await self._rows(
            statement, reach, dataclasses.replace(page, limit=page.limit + 1), **values
        )
        rows = [kind(*columns) for columns in found]
        return cut([(place(row), row) for row in rows], page.limit)

    async def _rows(
        self, statement: str, reach: Reach, page: PageRequest, **values: object
    ) -> list[Columns]:
        after = page.after or ()
        parameters = {
            "installation": reach.installation,
            "namespace": reach.namespace,
            "limit": page.limit,
            "after_0": after[0] if after else None,
            "after_1": after[1] if len(after) > 1 else None,
            **values,
        }
        async with self._sessions.session() as session:
            cursor = await session.execute(statement, parameters)
            return list(await cursor.fetchall())


def _fields(wanted: NumberFilter) -> dict[str, str]:
    return dataclasses.asdict(wanted)


def _place_of_pool(row: PoolRecord) -> Place:
    return (row.account, row.period_start.isoformat())
