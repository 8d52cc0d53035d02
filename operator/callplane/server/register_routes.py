"""Numbers, their history, and plans that are held. Each route first asks, then reads."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request

from callplane.plan.change import plan_name
from callplane.server import problems, queries, rendering, responses
from callplane.server.queries import Digest, NumberName, NumbersQuery, PagedQuery, Shown
from callplane.store.admin_ports import NumberFilter

NUMBERS = "numbers"
PLANS = "changeplans"

router = APIRouter()


@router.get("/numbers", response_model=responses.PageOf[responses.Number], tags=[NUMBERS])
async def list_numbers(
    request: Request, query: Annotated[NumbersQuery, Query()]
) -> responses.PageOf[responses.Number]:
    """Numbers in use, reserved or resting, in order."""
    reach = await queries.admitted(request, "list", NUMBERS, shown=query.numbers)
    wanted = NumberFilter(
        query.state.value if query.state is not None else "", query.range, query.connection
    )
    page = await queries.reader(request).numbers(
        reach, wanted, await queries.asked_page(request, query)
    )
    full = query.numbers is Shown.FULL
    return await queries.page_of(request, query, page, lambda row: rendering.number(row, full=full))


@router.get("/numbers/{number}", response_model=responses.Number, tags=[NUMBERS])
async def get_number(
    request: Request, number: NumberName, query: Annotated[queries.RouteQuery, Query()]
) -> responses.Number:
    """One number. The right is asked about without it, so that no log of the cluster has it."""
    reach = await queries.admitted(request, "get", NUMBERS, shown=query.numbers)
    found = await queries.reader(request).number(reach, f"+{number.removeprefix('+')}")
    if found is None:
        raise problems.not_found()
    return rendering.number(found, full=query.numbers is Shown.FULL)


@router.get(
    "/numbers/{number}/history",
    response_model=responses.PageOf[responses.NumberEvent],
    tags=[NUMBERS],
)
async def get_history(
    request: Request, number: NumberName, query: Annotated[PagedQuery, Query()]
) -> responses.PageOf[responses.NumberEvent]:
    """The life of a number, as far as it was spent in the namespace."""
    reach = await queries.admitted(request, "get", NUMBERS, "history", shown=query.numbers)
    page = await queries.reader(request).number_events(
        reach, f"+{number.removeprefix('+')}", await queries.asked_page(request, query)
    )
    full = query.numbers is Shown.FULL
    return await queries.page_of(
        request, query, page, lambda row: rendering.number_event(row, full=full)
    )


@router.get("/changeplans", response_model=responses.PageOf[responses.HeldPlan], tags=[PLANS])
async def list_held_plans(
    request: Request, query: Annotated[PagedQuery, Query()]
) -> responses.PageOf[responses.HeldPlan]:
    """Batches that wait for an approval, by digest."""
    reach = await queries.admitted(request, "list", PLANS, shown=query.numbers)
    page = await queries.reader(request).held_plans(reach, await queries.asked_page(request, query))
    return await queries.page_of(request, query, page, rendering.held_plan)


@router.get("/changeplans/{digest}", response_model=responses.HeldPlan, tags=[PLANS])
async def get_held_plan(
    request: Request, digest: Digest, query: Annotated[queries.RouteQuery, Query()]
) -> responses.HeldPlan:
    """One batch that waits."""
    reach = await queries.admitted(
        request, "get", PLANS, name=plan_name(digest), shown=query.numbers
    )
    found = await queries.reader(request).held_plan(reach, digest)
    if found is None:
        raise problems.not_found()
    return rendering.held_plan(found)


@router.get(
    "/changeplans/{digest}/changes",
    response_model=responses.PageOf[responses.HeldChange],
    tags=[PLANS],
)
async def list_held_changes(
    request: Request, digest: Digest, query: Annotated[PagedQuery, Query()]
) -> responses.PageOf[responses.HeldChange]:
    """All changes of a batch; a ChangePlan shows the first two hundred."""
    reach = await queries.admitted(
        request, "get", PLANS, name=plan_name(digest), shown=query.numbers
    )
    found = queries.reader(request)
    if await found.held_plan(reach, digest) is None:
        raise problems.not_found()
    page = await found.held_changes(reach, digest, await queries.asked_page(request, query))
    full = query.numbers is Shown.FULL
    return await queries.page_of(
        request, query, page, lambda row: rendering.held_change(row, full=full)
    )
