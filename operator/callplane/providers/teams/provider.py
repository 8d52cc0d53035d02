"""Microsoft Teams through Graph v1.0: the protocol of `providers.protocol` for one tenant.

Numbers are assigned and taken by asynchronous orders, everything else at once. Nothing here decides
what ought to be: the engine asks, this module words the request and reads the answer.
"""

from __future__ import annotations

import asyncio
import urllib.parse
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from callplane.clock import Clock
from callplane.errors import scrub
from callplane.plan.change import Change
from callplane.providers.orders import (
    AssignNumber,
    Order,
    SetLocation,
    SetPolicy,
    UnassignNumber,
    order_of,
)
from callplane.providers.protocol import (
    Accepted,
    Capabilities,
    Done,
    Family,
    Observed,
    OperationState,
    OperationStatus,
    Page,
    RefusalClass,
    Refused,
    Unavailable,
    Unsupported,
)
from callplane.providers.teams import manual_steps, mapping
from callplane.providers.teams.call_reports import TeamsCallReports
from callplane.providers.teams.graph_client import GraphClient, Write
from callplane.providers.teams.policy_book import CALLING_POLICY_TYPES, PolicyBook
from callplane.providers.transport import describe
from callplane.resources.platforms import CallingConfiguration, NumberOnPlatform, Person
from callplane.values import E164, ConnectionId

NUMBERS = "/admin/teams/telephoneNumberManagement/numberAssignments"
CONFIGURATIONS = "/admin/teams/userConfigurations"
POLICY_ASSIGNMENTS = "/admin/teams/policy/userAssignments"
DELETED_USERS = "/directory/deletedItems/microsoft.graph.user"
POLICY_ELEMENT = "#microsoft.graph.teamsAdministration.teamsPolicyUserAssignment"

# Without it Graph hides account types that were added later behind one word.
ALL_ENUM_MEMBERS = {"Prefer": "include-unknown-enum-members"}
ADVANCED_QUERY = {"ConsistencyLevel": "eventual"}

WRITE_SECONDS = 8.0
# How far Teams lags is not documented; what has not appeared by then is looked for again.
READ_AFTER_WRITE_LAG_SECONDS = 5.0

AnyRow = Person | NumberOnPlatform | CallingConfiguration


@dataclass(frozen=True, slots=True)
class _Listing:
    """How a family is listed: the name of the call, its first page, how a row is read.

    `rows` is the page size to ask for; where the largest one is not documented, a service that
    refuses it is asked for its own.
    """

    name: str
    path: str
    read: Callable[[mapping.Json], AnyRow | None]
    headers: Mapping[str, str]
    rows: int
    rows_documented: bool = True


_LISTINGS = {
    Family.PEOPLE: _Listing(
        "listPeople", f"/users?$select={mapping.PERSON_FIELDS}", mapping.person, {}, 999
    ),
    Family.NUMBERS: _Listing("listNumbers", f"{NUMBERS}?$skip=0", mapping.number, {}, 1000),
    Family.CONFIGURATIONS: _Listing(
        "listConfigurations",
        f"{CONFIGURATIONS}?$select={mapping.CONFIGURATION_FIELDS}",
        mapping.configuration,
        ALL_ENUM_MEMBERS,
        999,
        rows_documented=False,
    ),
}


class TeamsProvider:
    """One tenant. Build it with `factory.create`; close it on the event loop that used it."""

    def __init__(
        self,
        tenant_id: str,
        *,
        client: GraphClient,
        clock: Clock,
        judge: Callable[[Change], Unsupported | None],
        on_close: Callable[[], Any],
    ) -> None:
        self.connection = ConnectionId("teams", tenant_id)
        self.capabilities = Capabilities(
            read_after_write_lag_seconds=READ_AFTER_WRITE_LAG_SECONDS,
            policy_types=CALLING_POLICY_TYPES,
        )
        self.credentials_end_at: datetime | None = None
        self._client = client
        self._clock = clock
        self._judge = judge
        self._on_close = on_close
        self._policies = PolicyBook(client, clock=clock)
        self.call_reports = TeamsCallReports(client)

    def unsupported(self, change: Change) -> Unsupported | None:
        return self._judge(change)

    # --- listings ---

    async def list_pages(self, family: Family) -> AsyncIterator[Page]:
        listing = _LISTINGS[family]
        next_url: str | None = self._client.url(f"{listing.path}&$top={listing.rows}")
        plain_url = None if listing.rows_documented else self._client.url(listing.path)
        offset = 0
        while next_url is not None:
            observed_at = self._clock.monotonic()
            objects, link = await self._page(listing, next_url, instead=plain_url)
            offset += len(objects)
            if link == next_url:
                raise Unavailable(f"{listing.name}: a page names itself as its next")
            next_url, plain_url = link, None
            if link is None and family is Family.NUMBERS and len(objects) >= listing.rows:
                # Numbers are paged by offset where no link is given; the last page is not full.
                next_url = self._client.url(f"{NUMBERS}?$skip={offset}&$top={listing.rows}")
            good: list[AnyRow]
            good, bad = mapping.rows(objects, listing.read)
            yield Page(family, tuple(good), observed_at, last=next_url is None, bad_rows=bad)

    async def _page(
        self, listing: _Listing, url: str, *, instead: str | None
    ) -> tuple[Sequence[Any], str | None]:
        answer = await self._client.read_answer(listing.name, url, headers=listing.headers)
        if answer.status == 400 and instead is not None:
            answer = await self._client.read_answer(listing.name, instead, headers=listing.headers)
        if not answer.ok:
            raise Unavailable(f"{listing.name}: {describe(answer)}")
        content = answer.json()
        link = content.get("@odata.nextLink") if isinstance(content, dict) else None
        return _list_of(listing.name, content), link if isinstance(link, str) and link else None

    # --- targeted reads ---

    async def read_person(self, key: str) -> Observed[Person]:
        observed_at = self._clock.monotonic()
        selected = f"$select={mapping.PERSON_FIELDS}"
        url = self._client.url(f"/users/{urllib.parse.quote(key, safe='')}?{selected}")
        item = await self._client.read("readPerson", url)
        if item is not None:
            return Observed(_readable("readPerson", mapping.person(item)), observed_at)
        item = await self._deleted_person(key, selected)
        if item is None:
            return Observed(None, observed_at)
        person = mapping.person(item, deleted=True)
        return Observed(_readable("readDeletedPerson", person), observed_at)

    async def _deleted_person(self, key: str, selected: str) -> Mapping[str, Any] | None:
        literal = urllib.parse.quote(key.replace("'", "''"), safe="")
        if "@" in key:
            # The name of a deleted user is prefixed with the id, so only its end can be looked for.
            condition = f"endsWith(userPrincipalName,'{literal}')"
        else:
            condition = f"id%20eq%20'{literal}'"
        answer = await self._client.read_answer(
            "readDeletedPerson",
            self._client.url(f"{DELETED_USERS}?$count=true&$filter={condition}&{selected}"),
            headers=ADVANCED_QUERY,
        )
        # That the directory has no such user is known already; a search that it does not offer
        # takes nothing from that.
        content = answer.json() if answer.ok else None
        found = content.get("value") if isinstance(content, dict) else None
        listed: list[Any] = found if isinstance(found, list) else []
        for item in (item for item in listed if isinstance(item, dict)):
            person = mapping.person(item, deleted=True)
            names = (person.user_id, person.user_principal_name) if person else ()
            if key.lower() in names:
                return cast("mapping.Json", item)
        return None

    async def read_number(self, number: E164) -> Observed[NumberOnPlatform]:
        observed_at = self._clock.monotonic()
        literal = urllib.parse.quote(number.text, safe="")
        url = self._client.url(f"{NUMBERS}?$filter=telephoneNumber%20eq%20'{literal}'")
        content = await self._client.read("readNumber", url)
        good, bad = mapping.rows(_list_of("readNumber", content), mapping.number)
        for row in good:
            if row.number == number:
                return Observed(row, observed_at)
        if bad:
            raise Unavailable("readNumber: the number's row cannot be read")
        return Observed(None, observed_at)

    async def read_configuration(self, user_id: str) -> Observed[CallingConfiguration]:
        observed_at = self._clock.monotonic()
        key = urllib.parse.quote(user_id, safe="")
        url = self._client.url(f"{CONFIGURATIONS}/{key}?$select={mapping.CONFIGURATION_FIELDS}")
        item = await self._client.read("readConfiguration", url, headers=ALL_ENUM_MEMBERS)
        if item is None:
            return Observed(None, observed_at)
        row = mapping.configuration(item)
        return Observed(_readable("readConfiguration", row), observed_at)

    # --- writes ---

    async def send(self, change: Change, *, request_id: str) -> Done | Accepted:
        """All of it, token and policy lookup included, ends within `WRITE_SECONDS`."""
        order = order_of(change)
        deadline = self._clock.monotonic() + WRITE_SECONDS
        try:
            async with asyncio.timeout(WRITE_SECONDS / 2):
                await self._client.prepare()
                name, path, body = await self._request_of(order)
        except TimeoutError as error:
            raise Unavailable("there was no time left to send the change") from error
        write = Write(name, change.operation, path, body, request_id, deadline)
        try:
            answer = await self._client.write(write)
        except Refused as refused:
            if isinstance(order, SetPolicy) and order.name is not None:
                self._policies.forget(order.policy_type, order.name)
            if isinstance(order, AssignNumber) and order.for_service:
                raise _by_hand(refused, order) from refused
            raise
        if answer.status != 202:
            return Done()
        # An order whose address cannot be followed is still an order: polling it says LOST, and the
        # engine judges by what it reads.
        return Accepted(self._client.followable(answer.headers.get("location", "")))

    async def _request_of(self, order: Order) -> tuple[str, str, dict[str, Any]]:
        """Name, path and body."""
        match order:
            case AssignNumber():
                body = {
                    "telephoneNumber": order.number.text,
                    "assignmentTargetId": order.user_id,
                    "numberType": order.number_type.value,
                    "assignmentCategory": "primary",
                }
                if order.location_id is not None:
                    body["locationId"] = order.location_id
                return "assignNumber", f"{NUMBERS}/assignNumber", body
            case UnassignNumber():
                body = {
                    "telephoneNumber": order.number.text,
                    "numberType": order.number_type.value,
                }
                return "unassignNumber", f"{NUMBERS}/unassignNumber", body
            case SetLocation():
                # The empty string clears; leaving it out would keep.
                body = {
                    "telephoneNumber": order.number.text,
                    "locationId": order.location_id or "",
                }
                return "updateNumber", f"{NUMBERS}/updateNumber", body
            case SetPolicy():
                return await self._policy_request(order)

    async def _policy_request(self, order: SetPolicy) -> tuple[str, str, dict[str, Any]]:
        element = {
            "@odata.type": POLICY_ELEMENT,
            "userId": order.user_id,
            "policyType": order.policy_type,
        }
        if order.name is None:
            return "unassignPolicy", f"{POLICY_ASSIGNMENTS}/unassign", {"value": [element]}
        element["policyId"] = await self._policies.policy_id(order.policy_type, order.name)
        return "assignPolicy", f"{POLICY_ASSIGNMENTS}/assign", {"value": [element]}

    async def poll(self, operation: str) -> OperationStatus:
        # A token of the register is checked like any other address: it may be older than the spec.
        if not self._client.is_own(operation):
            return OperationStatus(OperationState.LOST)
        content = await self._client.read("pollOperation", operation)
        if content is None:
            return OperationStatus(OperationState.LOST)
        return operation_status(content)

    async def close(self) -> None:
        await self._on_close()


def _by_hand(refused: Refused, order: AssignNumber) -> Refused:
    """Whether Graph gives numbers to resource accounts is not documented: one try tells, and then
    it is a person's work.
    """
    if refused.refusal in (RefusalClass.TRANSIENT, RefusalClass.CONFLICT):
        return refused
    command = manual_steps.command(order, show_numbers=False)
    return Refused(
        RefusalClass.PRECONDITION, f"{refused}; by hand: {command}", reason="Unsupported"
    )


def operation_status(content: Mapping[str, Any]) -> OperationStatus:
    """Success needs the order's and every number's; states that are not known count as running."""
    wrapped = content.get("value")
    if isinstance(wrapped, dict):
        content = wrapped
    numbers = content.get("numbers")
    listed = numbers if isinstance(numbers, list) else []
    parts = [part for part in listed if isinstance(part, dict)]
    states = [part.get("status") for part in parts]
    if content.get("status") == "failed" or "failed" in states:
        details = (str(part["statusDetail"]) for part in parts if part.get("statusDetail"))
        return OperationStatus(OperationState.FAILED, scrub("; ".join(details)))
    if content.get("status") == "succeeded" and all(state == "succeeded" for state in states):
        return OperationStatus(OperationState.SUCCEEDED)
    return OperationStatus(OperationState.RUNNING)


def _list_of(name: str, content: Any) -> Sequence[Any]:
    objects = content.get("value") if isinstance(content, dict) else None
    if not isinstance(objects, list):
        raise Unavailable(f"{name}: the answer holds no list")
    return objects


def _readable(name: str, row: Any) -> Any:
    if row is None:
        raise Unavailable(f"{name}: the row cannot be read")
    return row
