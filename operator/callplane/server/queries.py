"""Parameters of the routes, and what routes share: the question a request asks, the reach it gets
for it, and its pages.

A parameter that is not known is refused: a filter that was misspelt must not give everything.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Annotated, Any, TypeVar

from fastapi import Path, Request
from pydantic import BaseModel, ConfigDict, Field

from callplane.cluster.reviews import Question
from callplane.numbering.lifecycle import NumberState
from callplane.server import cursors, problems
from callplane.server.door import Door, Visitor
from callplane.server.responses import PageOf
from callplane.store.admin_ports import AdminReader, Page, PageRequest, Reach

Row = TypeVar("Row")
Item = TypeVar("Item")

PAGE_ROWS = 100
PAGE_ROWS_MAX = 500
NAMESPACE = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
ACCOUNT_NAME = r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$"
OBJECT = r"^[a-z0-9][-a-z0-9]{0,62}/[a-z0-9][-a-z0-9.]{0,252}$"
MONTH = r"^[0-9]{4}-(0[1-9]|1[0-2])$"

#: A number as E.164, its plus optional, since a plus in a URL is easily lost.
NumberName = Annotated[str, Path(pattern=r"^\+?[1-9][0-9]{6,14}$")]
Digest = Annotated[str, Path(pattern=r"^cp1:[0-9a-f]{64}$")]
StatementNumber = Annotated[int, Path(ge=1, le=2**63 - 1)]


class Shown(Enum):
    """How numbers are shown."""

    MASKED = "masked"
    FULL = "full"


class RouteQuery(BaseModel):
    """What every route takes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    numbers: Shown = Field(
        default=Shown.MASKED,
        description="`full` needs a setting of the API and the right to `numbers/digits`.",
    )


class PagedQuery(RouteQuery):
    """Of a list."""

    limit: int = Field(default=PAGE_ROWS, ge=1, le=PAGE_ROWS_MAX, description="Rows of a page.")
    cursor: str = Field(
        default="", max_length=cursors.LENGTH_MAX, description="`next` of the page before."
    )


class NumbersQuery(PagedQuery):
    state: NumberState | None = Field(default=None)
    range: str = Field(default="", max_length=400, pattern=f"{OBJECT}|^$")
    connection: str = Field(default="", max_length=400, description="PROVIDER/ID.")


class PoolsQuery(PagedQuery):
    account: str = Field(default="", max_length=400, pattern=f"{OBJECT}|^$")
    month: str = Field(default="", pattern=f"{MONTH}|^$")


class StatementQuery(RouteQuery):
    account: str = Field(default="", max_length=400, pattern=f"{OBJECT}|^$")


class StatementsQuery(PagedQuery):
    account: str = Field(default="", max_length=400, pattern=f"{OBJECT}|^$")


class PostingsQuery(PagedQuery):
    account: str = Field(max_length=400, pattern=OBJECT)
    month: str = Field(pattern=MONTH)


async def everywhere(request: Request) -> None:
    """A route about all namespaces: it takes a right in all of them."""
    request.state.namespace = ""


async def in_namespace(
    request: Request, namespace: Annotated[str, Path(pattern=NAMESPACE)]
) -> None:
    """A route about one namespace."""
    request.state.namespace = namespace


def reader(request: Request) -> AdminReader:
    found: AdminReader = request.app.state.reader
    return found


async def admitted(  # noqa: PLR0913 - a question in words
    request: Request,
    verb: str,
    resource: str,
    subresource: str = "",
    *,
    name: str = "",
    shown: Shown = Shown.MASKED,
) -> Reach:
    """The reach of this request, for which all it asks about is allowed. Raises Problem."""
    door: Door = request.app.state.door
    visitor: Visitor = request.state.visitor
    namespace: str = request.state.namespace
    questions = [Question(verb, resource, subresource, namespace, name)]
    if shown is Shown.FULL:
        digits = Question("get", "numbers", "digits", namespace)
        door.require_shown_numbers(visitor, digits)
        questions.append(digits)
    return await door.admit(visitor, *questions)


def account_name(request: Request, account: str) -> str:
    """The name within the namespace of a request about one account; empty for all of them.

    Raises Problem for an account elsewhere: to ask about it takes a request about its namespace.
    """
    namespace, _, name = account.partition("/")
    if account and request.state.namespace not in ("", namespace):
        raise problems.bad_request(
            [{"parameter": "account", "problem": "is not in the namespace of the request"}]
        )
    return name if request.state.namespace else ""


async def asked_page(request: Request, query: PagedQuery) -> PageRequest:
    """The page that a request wants. Raises Problem for a cursor that is not of this list."""
    if not query.cursor:
        return PageRequest(query.limit)
    try:
        key = await reader(request).cursor_key()
        return PageRequest(query.limit, cursors.opened(query.cursor, key, _list_of(request, query)))
    except ValueError as error:
        raise problems.bad_request([{"parameter": "cursor", "problem": str(error)}]) from None


async def page_of(
    request: Request, query: PagedQuery, page: Page[Row], made: Callable[[Row], Item]
) -> PageOf[Any]:
    """The response of a page."""
    end = None
    if page.next is not None:
        end = cursors.seal(page.next, await reader(request).cursor_key(), _list_of(request, query))
    return PageOf[Any](
        items=[made(row) for row in page.rows],
        next=end,
        masked=query.numbers is Shown.MASKED,
    )


def _list_of(request: Request, query: PagedQuery) -> str:
    """What tells one list from another: its path and filters, but not the size of its pages."""
    filters = query.model_dump_json(exclude={"cursor", "limit", "numbers"})
    return f"{request.url.path} {filters}"
