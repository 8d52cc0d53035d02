"""Webex Calling: the protocol of `providers.protocol` for one organisation.

Nothing here decides what ought to be: the engine asks, `line_writing` words the requests, `mapping`
reads the answers. Numbers and people come in lists; what a person may dial and shows to others is
read one by one, because no list tells it.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any

from callplane.clock import Clock
from callplane.plan.change import Change, Operation
from callplane.providers.orders import order_of
from callplane.providers.protocol import (
    Accepted,
    AuthenticationFailed,
    Capabilities,
    Done,
    Family,
    Observed,
    OperationState,
    OperationStatus,
    Page,
    Refused,
    Unavailable,
    Unsupported,
)
from callplane.providers.webex import manual_steps, mapping, paths
from callplane.providers.webex.call_reports import WebexCallReports
from callplane.providers.webex.client import WebexClient
from callplane.providers.webex.directory import Directory
from callplane.providers.webex.line_writing import LICENCE_OPERATION, LineWriting
from callplane.providers.webex.refusals import describe
from callplane.resources.platforms import CallingConfiguration, NumberOnPlatform, Person
from callplane.resources.webex import SERVICE_COLLECTIONS, service_of
from callplane.values import E164, ConnectionId

# How far Webex lags is not documented; what has not appeared by then is looked for again.
READ_AFTER_WRITE_LAG_SECONDS = 5.0
WRITE_SECONDS = 8.0
# What the vendor documents: with Calling data a page of people is shorter.
PEOPLE_A_PAGE = "1000"
PEOPLE_A_PAGE_WITH_CALLING = "100"
NUMBERS_A_PAGE = "2000"
SERVICES_A_PAGE = "1000"


class WebexProvider:
    """One organisation. Build it with `factory.create`; close it on the event loop that used it."""

    def __init__(  # noqa: PLR0913 - what a provider is made of, all named
        self,
        org_id: str,
        *,
        client: WebexClient,
        clock: Clock,
        ends_at: Callable[[], datetime | None],
        on_close: Callable[[], Any],
        call_reports: WebexCallReports,
    ) -> None:
        self.connection = ConnectionId("webex", org_id)
        self.capabilities = Capabilities(
            read_after_write_lag_seconds=READ_AFTER_WRITE_LAG_SECONDS,
            limits={"numbersInOneRemoval": 5, "numbersAPage": 2000, "peopleAPage": 100},
        )
        self._client = client
        self._clock = clock
        self._ends_at = ends_at
        self._on_close = on_close
        self._directory = Directory(client)
        self._is_verified = False
        self.call_reports = call_reports

    @property
    def credentials_end_at(self) -> datetime | None:
        """When the refresh token ends unless it is used before."""
        return self._ends_at()

    def unsupported(self, change: Change) -> Unsupported | None:
        return manual_steps.judge(change)

    # --- listings ---

    async def list_pages(self, family: Family) -> AsyncIterator[Page]:
        await self._verify()
        listing = {
            Family.PEOPLE: self._people,
            Family.NUMBERS: self._numbers,
            Family.CONFIGURATIONS: self._configurations,
        }[family]
        async for page in listing():
            yield page

    async def _people(self) -> AsyncIterator[Page]:
        async for page in self._client.pages("listPeople", paths.PEOPLE, max=PEOPLE_A_PAGE):
            rows, bad = _rows(page.content, "items", mapping.person)
            yield Page(Family.PEOPLE, rows, page.observed_at, last=page.last, bad_rows=bad)

    async def _numbers(self) -> AsyncIterator[Page]:
        """The inventory; its own counts tell whether pages were missing."""
        locations = await self._directory.locations(anew=True)
        promised = found = 0
        pages = self._client.pages("listNumbers", paths.NUMBERS, max=NUMBERS_A_PAGE, details="true")
        async for page in pages:
            promised = max(promised, _promised(page.content))
            rows, bad = _rows(
                page.content,
                "phoneNumbers",
                lambda item: mapping.number(item, locations),
                leave_out=mapping.is_extension_only,
            )
            found += len(rows) + bad
            is_end = page.last and found >= promised
            yield Page(Family.NUMBERS, rows, page.observed_at, last=is_end, bad_rows=bad)

    async def _configurations(self) -> AsyncIterator[Page]:
        began_at = self._clock.monotonic()
        holders = await self._directory.holders()
        pages = self._client.pages(
            "listPeople", paths.PEOPLE, callingData="true", max=PEOPLE_A_PAGE_WITH_CALLING
        )
        async for page in pages:
            rows, bad = _rows(
                page.content,
                "items",
                lambda item: mapping.configuration(item, licence=holders.get(str(item.get("id")))),
            )
            # Half of each row was read with the licences, before the first page.
            yield Page(Family.CONFIGURATIONS, rows, began_at, last=page.last, bad_rows=bad)

    async def list_services(self) -> AsyncIterator[Page]:
        """Auto attendants, queues and hunt groups: one listing after the other."""
        await self._verify()
        kinds = sorted(SERVICE_COLLECTIONS.items())
        for position, (kind, collection) in enumerate(kinds, start=1):
            pages = self._client.pages(
                "listServices", paths.services(collection), max=SERVICES_A_PAGE
            )
            async for page in pages:
                rows, bad = _rows(
                    page.content, collection, functools.partial(mapping.service, kind=kind)
                )
                is_end = page.last and position == len(kinds)
                yield Page(Family.PEOPLE, rows, page.observed_at, last=is_end, bad_rows=bad)

    async def _verify(self) -> None:
        """Is the service app authorised in this very organisation? A refresh token of another one
        must never make its people ours.
        """
        if self._is_verified:
            return
        me = await self._client.read("getMe", paths.ME)
        if me is None:
            raise Unavailable("getMe: the service app is not shown")
        found = mapping.organisation_guid(me.get("orgId"))
        if found != self.connection.external_id.lower():
            raise AuthenticationFailed(
                "the service app is authorised in another organisation than spec.orgId names"
            )
        self._is_verified = True

    # --- targeted reads ---

    async def read_person(self, key: str) -> Observed[Person]:
        await self._verify()
        observed_at = self._clock.monotonic()
        named = service_of(key)
        if named is not None:
            return Observed(await self._service(key, *named), observed_at)
        if "@" in key:
            content = await self._client.read("listPeople", paths.PEOPLE, email=key)
            found = [mapping.person(item) for item in (content or {}).get("items") or ()]
            wanted = key.lower()
            for person in found:
                if person is not None and person.user_principal_name == wanted:
                    return Observed(person, observed_at)
            return Observed(None, observed_at)
        answer = await self._client.read_answer("getPerson", self._client.url(paths.person(key)))
        if answer.status in (400, 404):
            # An id that is none is refused as such; nobody has it either way.
            return Observed(None, observed_at)
        content = answer.json()
        person = mapping.person(content) if answer.ok and isinstance(content, dict) else None
        if person is None:
            raise Unavailable(f"getPerson: {describe(answer)}")
        return Observed(person, observed_at)

    async def _service(self, key: str, collection: str, name: str) -> Person | None:
        """A service by name. Raises Unavailable where several have it: none may be guessed."""
        content = await self._client.read("listServices", paths.services(collection), name=name)
        found = [
            key_of
            for item in (content or {}).get(collection) or ()
            if isinstance(item, dict) and item.get("name") == name
            if (key_of := mapping.text_of(item, "id")) is not None
        ]
        if len(found) > 1:
            raise Unavailable(f"listServices: {len(found)} services are called {name}")
        return Person(found[0], key) if found else None

    async def read_number(self, number: E164) -> Observed[NumberOnPlatform]:
        locations = await self._directory.locations()
        observed_at = self._clock.monotonic()
        content = await self._client.read("listNumbers", paths.NUMBERS, phoneNumber=number.text)
        for item in (content or {}).get("phoneNumbers") or ():
            if not isinstance(item, dict) or item.get("phoneNumber") != number.text:
                continue
            row = mapping.number(item, locations)
            if row is None:
                raise Unavailable("listNumbers: the number's row cannot be read")
            return Observed(row, observed_at)
        return Observed(None, observed_at)

    async def read_configuration(self, user_id: str) -> Observed[CallingConfiguration]:
        """All of it, also what lists leave out."""
        observed_at = self._clock.monotonic()
        answer = await self._client.read_answer(
            "getPerson", self._client.url(paths.person(user_id), callingData="true")
        )
        if answer.status in (400, 404):
            return Observed(None, observed_at)
        item = answer.json()
        if not answer.ok or not isinstance(item, dict):
            raise Unavailable(f"getPerson: {describe(answer)}")
        held = await self._directory.licence_of(mapping.licence_ids(item))
        licence = (await self._directory.licences())[held] if held is not None else None
        row = mapping.configuration(item, licence=licence)
        if row is None:
            raise Unavailable("getPerson: the row cannot be read")
        return Observed(await self._completed(row), observed_at)

    async def _completed(self, row: CallingConfiguration) -> CallingConfiguration:
        if not row.unlisted:
            return row
        policies = []
        caller_id = await self._client.read("getCallerId", paths.caller_id(row.user_id))
        shown = mapping.caller_id(caller_id) if caller_id is not None else None
        if shown is not None:
            policies.append(shown)
        permissions = await self._client.read_first(
            "getPermissions", paths.outgoing_permissions(row.user_id)
        )
        dialled = mapping.outgoing(permissions[1]) if permissions is not None else None
        if dialled is not None:
            policies.append(dialled)
        known = CallingConfiguration(row.user_id, policies=tuple(policies))
        return row.completed_by(known)

    # --- writes ---

    async def send(self, change: Change, *, request_id: str) -> Done | Accepted:
        """All of it, token and look-ups included, ends within `WRITE_SECONDS`. Webex takes no
        request id of ours; its own tracking id is in every refusal.
        """
        creates = change.operation is Operation.CREATE_PERSON
        order = None if creates else order_of(change)
        deadline = self._clock.monotonic() + WRITE_SECONDS
        try:
            async with asyncio.timeout(WRITE_SECONDS / 2):
                await self._client.prepare()
                await self._verify()
        except TimeoutError as error:
            raise Unavailable("there was no time left to send the change") from error
        if order is None:
            return await self._create(change, deadline)
        return await LineWriting(self._client, self._directory, deadline=deadline).carry_out(order)

    async def _create(self, change: Change, deadline: float) -> Done:
        """A person without Calling, which comes with the number. A refusal may have created them
        all the same, so they are looked for before it is believed.
        """
        names = dict(change.after or {})
        body = {
            "emails": [change.subject],
            "displayName": f"{names.get('firstName', '')} {names.get('lastName', '')}".strip(),
            **names,
        }
        url = self._client.url(paths.PEOPLE, callingData="false")
        try:
            await self._client.write("createPerson", "POST", url, body, deadline=deadline)
        except Refused:
            if (await self.read_person(change.subject)).row is None:
                raise
        return Done()

    async def poll(self, operation: str) -> OperationStatus:
        """A licence that is on its way: it has arrived when the person shows it."""
        kind, _, rest = operation.partition(" ")
        person_id, _, licence = rest.partition(" ")
        if kind != LICENCE_OPERATION or not person_id or not licence:
            return OperationStatus(OperationState.LOST)
        item = await self._client.read("getPerson", paths.person(person_id), callingData="true")
        if item is None:
            return OperationStatus(OperationState.LOST)
        has_it = licence in mapping.licence_ids(item)
        return OperationStatus(OperationState.SUCCEEDED if has_it else OperationState.RUNNING)

    async def close(self) -> None:
        await self._on_close()


def _promised(content: mapping.Json) -> int:
    """How many numbers the organisation says that it has; 0 where it does not say."""
    counts = content.get("count")
    if not isinstance(counts, dict):
        return 0
    parts = (counts.get("assigned"), counts.get("unAssigned"))
    return sum(part for part in parts if isinstance(part, int))


def _rows(
    content: mapping.Json,
    name: str,
    read: Callable[[mapping.Json], Any],
    *,
    leave_out: Callable[[object], bool] = lambda _: False,
) -> tuple[tuple[Any, ...], int]:
    """The readable rows of a page, and how many could not be read."""
    items = content.get(name)
    if not isinstance(items, list):
        raise Unavailable(f"the answer holds no list {name}")
    rows, bad = [], 0
    for item in items:
        if leave_out(item):
            continue
        row = read(item) if isinstance(item, dict) else None
        if row is None:
            bad += 1
        else:
            rows.append(row)
    return tuple(rows), bad
