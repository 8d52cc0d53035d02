"""Pools, statements and postings of accounts. Each route first asks, then reads.

They are asked about as subresources of the CallingAccount, so that a role may name single accounts.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request

from callplane.server import problems, queries, rendering, responses
from callplane.server.queries import (
    PoolsQuery,
    PostingsQuery,
    Shown,
    StatementNumber,
    StatementQuery,
    StatementsQuery,
)

ACCOUNTS = "callingaccounts"
BOOKS = "books"

router = APIRouter()


@router.get("/pools", response_model=responses.PageOf[responses.Pool], tags=[BOOKS])
async def list_pools(
    request: Request, query: Annotated[PoolsQuery, Query()]
) -> responses.PageOf[responses.Pool]:
    """What accounts have used, hold and have left, month by month."""
    name = queries.account_name(request, query.account)
    verb = "get" if name else "list"
    reach = await queries.admitted(request, verb, ACCOUNTS, "pools", name=name, shown=query.numbers)
    page = await queries.reader(request).pools(
        reach,
        await queries.asked_page(request, query),
        account=query.account,
        month=query.month,
    )
    return await queries.page_of(request, query, page, rendering.pool)


@router.get("/statements", response_model=responses.PageOf[responses.StatementHead], tags=[BOOKS])
async def list_statements(
    request: Request, query: Annotated[StatementsQuery, Query()]
) -> responses.PageOf[responses.StatementHead]:
    """Closed statements in the order of their numbers."""
    name = queries.account_name(request, query.account)
    verb = "get" if name else "list"
    reach = await queries.admitted(
        request, verb, ACCOUNTS, "statements", name=name, shown=query.numbers
    )
    page = await queries.reader(request).statements(
        reach, await queries.asked_page(request, query), account=query.account
    )
    return await queries.page_of(request, query, page, rendering.statement_head)


@router.get("/statements/{number}", response_model=responses.Statement, tags=[BOOKS])
async def get_statement(
    request: Request, number: StatementNumber, query: Annotated[StatementQuery, Query()]
) -> responses.Statement:
    """A closed statement as it was closed. Whoever has a right to one account's names it."""
    name = queries.account_name(request, query.account)
    reach = await queries.admitted(
        request, "get", ACCOUNTS, "statements", name=name, shown=query.numbers
    )
    found = await queries.reader(request).statement(reach, number, account=query.account)
    if found is None:
        raise problems.not_found()
    return rendering.statement(found, full=query.numbers is Shown.FULL)


@router.get("/postings", response_model=responses.PageOf[responses.Posting], tags=[BOOKS])
async def list_postings(
    request: Request, query: Annotated[PostingsQuery, Query()]
) -> responses.PageOf[responses.Posting]:
    """The ledger of an account's month, in the order in which it was written."""
    name = queries.account_name(request, query.account)
    reach = await queries.admitted(
        request, "get", ACCOUNTS, "postings", name=name, shown=query.numbers
    )
    page = await queries.reader(request).postings(
        reach,
        await queries.asked_page(request, query),
        account=query.account,
        month=query.month,
    )
    full = query.numbers is Shown.FULL
    return await queries.page_of(
        request, query, page, lambda row: rendering.posting(row, full=full)
    )
