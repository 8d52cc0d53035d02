"""What there is to see in tests of the admin API, and who may see it.

Two teams, their numbers, plans and books, another cluster in the same database, and people with and
without rights.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from callplane.cluster.reviews import Question, Subject
from callplane.store import admin_ports
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
)

NOW = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
HERE, ELSEWHERE = "this-cluster", "another-cluster"
TEAM_A, TEAM_B = "team-a", "team-b"
#: The first three are team A's, the next two team B's, the last of team A in the other cluster.
NUMBERS = tuple(f"+442079460{index:03}" for index in range(101, 107))
OF_A, OF_B, FOREIGN = NUMBERS[:3], NUMBERS[3:5], NUMBERS[5]
ACCOUNT_A, ACCOUNT_B, ACCOUNT_B2 = "team-a/desk", "team-b/sales", "team-b/support"
MONTH = "2026-10"
DIGEST = "cp1:" + "ab" * 32
#: Nobody may see these in an answer that refuses.
SECRETS = (
    *(number.removeprefix("+") for number in NUMBERS),
    "ann.archer",
    "bob.baker",
    "desk",
    "sales",
    "support",
    "tenant-of-tests",
    "12.34",
)


@dataclass(frozen=True, slots=True)
class Who:
    """One caller. `admitted` are his rights: (verb, resource or resource/subresource, namespace or
    * for all, name or * for any). `token` is what he shows; None: nothing.
    """

    name: str
    admitted: tuple[tuple[str, str, str, str], ...] = ()
    token: str | None = ""
    is_known: bool = True


def _of(namespace: str, *what: str, name: str = "*") -> tuple[tuple[str, str, str, str], ...]:
    return tuple((verb, each, namespace, name) for each in what for verb in ("get", "list"))


REGISTER = ("numbers", "numbers/history", "changeplans")
BOOKS = tuple(f"callingaccounts/{each}" for each in ("pools", "statements", "postings"))
PEOPLE = {
    who.name: who
    for who in (
        Who("register-of-a", _of(TEAM_A, *REGISTER)),
        Who("books-of-b", _of(TEAM_B, *BOOKS)),
        Who("one-account-of-b", _of(TEAM_B, *BOOKS, name="sales")),
        Who("register-everywhere", _of("*", *REGISTER)),
        Who("everything", _of("*", *REGISTER, *BOOKS, "numbers/digits")),
        Who("digits-of-b", (*_of(TEAM_B, "numbers/digits"), *_of("*", *REGISTER))),
        Who("no-rights"),
    )
}
STRANGERS = {
    who.name: who
    for who in (
        Who("no-token", token=None, is_known=False),
        Who("garbage", token="garbage", is_known=False),
        Who("almost-a-token", token="eyJhbGciOiJub25lIn0.e30.", is_known=False),
        Who("another-audience", is_known=False),
        Who("expired", is_known=False),
    )
}


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer of the API, from wherever. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


class Api(Protocol):
    """The API under test, with everybody's tokens in it."""

    async def get(
        self, path: str, who: str, *, method: str = "GET", **headers: str
    ) -> Answered: ...

    def token_of(self, who: str) -> str:
        """What he shows; empty for nothing."""
        ...

    async def trail(self) -> list[dict[str, Any]]:
        """Every line of the audit trail so far, as its fields."""
        ...


def number_record(number: str, namespace: str, who: str) -> NumberRecord:
    return NumberRecord(
        number=number,
        state="Assigned",
        namespace=namespace,
        connection="teams/tenant-of-tests",
        range_name=f"{namespace}/main",
        number_type="directRouting",
        holder=f"teams/tenant-of-tests/id-of-{who}",
        user_name=f"{who}@contoso.example",
        declared_kind="TeamsUser",
        declared_name=who.replace(".", "-"),
        quarantined_until=None,
        reason="",
        updated_at=NOW,
    )


def _number(number: str) -> tuple[str, NumberRecord]:
    where = HERE if number != FOREIGN else ELSEWHERE
    of_b = number in OF_B
    who = "bob.baker" if of_b else "ann.archer"
    return where, number_record(number, TEAM_B if of_b else TEAM_A, who)


def held_changes() -> tuple[HeldChangeRecord, ...]:
    """Two changes of team A's connection, one of which cannot be taken back."""
    return tuple(
        HeldChangeRecord(
            change_id=f"{index:064x}",
            change={
                "v": 1,
                "connection": ["teams", "tenant-of-tests"],
                "op": "UnassignNumber",
                "subject": ["teams", "id-of-ann.archer"],
                "from": {"number": number, "type": "directRouting"},
                "to": None,
                "irreversible": index == 1,
            },
            cause="declared",
            proposer={"kind": "TeamsUser", "namespace": TEAM_A, "name": "ann-archer"},
            range_name=f"{TEAM_A}/main",
            proposed_at=NOW,
        )
        for index, number in enumerate(OF_A[:2], start=1)
    )


def statement_document(account: str) -> dict[str, Any]:
    """What a statement says, as far as the API looks at it."""
    return {
        "account": account,
        "month": MONTH,
        "currency": "GBP",
        "net": "12.34",
        "total": "14.81",
        "lines": [{"description": f"calls of {OF_B[0]}", "amount": "12.34"}],
    }


class MemoryAdminReader:
    """`AdminReader` over the rows of this module, written apart from any SQL."""

    def __init__(self) -> None:
        self._numbers = [_number(number) for number in NUMBERS]
        accounts = (ACCOUNT_A, ACCOUNT_B, ACCOUNT_B2)
        self._pools = [pool_record(account) for account in accounts]
        self._statements = [
            StatementRecord(
                account, MONTH, number, "sha256:" + "cd" * 32, statement_document(account), NOW
            )
            for number, account in enumerate(accounts, start=1)
        ]
        self._postings = [
            posting_record(number, account) for number, account in enumerate(accounts, start=1)
        ]

    async def cursor_key(self) -> bytes:
        return bytes(range(64))

    async def numbers(
        self, reach: Reach, wanted: NumberFilter, page: PageRequest
    ) -> Page[NumberRecord]:
        rows = [
            row
            for row in self._numbers_in(reach)
            if wanted.state in ("", row.state)
            and wanted.range_name in ("", row.range_name)
            and wanted.connection in ("", row.connection)
        ]
        return _page(rows, page, lambda row: (row.number,))

    async def number(self, reach: Reach, number: str) -> NumberRecord | None:
        return next((row for row in self._numbers_in(reach) if row.number == number), None)

    async def number_events(
        self, reach: Reach, number: str, page: PageRequest
    ) -> Page[NumberEventRecord]:
        rows = [
            NumberEventRecord(
                *(1, row.number, NOW, "Allocate", "Free", "Claimed", row.connection, row.holder),
                *(row.user_name, f"TeamsUser {row.namespace}/{row.declared_name}", "", True),
            )
            for row in self._numbers_in(reach)
            if row.number == number
        ]
        return _page(rows, page, lambda row: (str(row.sequence),))

    async def held_plans(self, reach: Reach, page: PageRequest) -> Page[HeldPlanRecord]:
        plan = await self.held_plan(reach, DIGEST)
        return _page([] if plan is None else [plan], page, lambda row: (row.digest,))

    async def held_plan(self, reach: Reach, digest: str) -> HeldPlanRecord | None:
        if not _within(reach, HERE, TEAM_A) or digest != DIGEST:
            return None
        return HeldPlanRecord(
            *(DIGEST, TEAM_A, "TeamsTenant", "contoso", "teams/tenant-of-tests", 2, 1),
            *({"UnassignNumber": 2}, NOW),
        )

    async def held_changes(
        self, reach: Reach, digest: str, page: PageRequest
    ) -> Page[HeldChangeRecord]:
        rows = held_changes() if await self.held_plan(reach, digest) is not None else ()
        return _page(list(rows), page, lambda row: (row.change_id,))

    async def pools(
        self, reach: Reach, page: PageRequest, *, account: str = "", month: str = ""
    ) -> Page[PoolRecord]:
        rows = [
            row
            for row in self._pools
            if _owns(reach, row.account)
            and account in ("", row.account)
            and month in ("", row.month)
        ]
        return _page(rows, page, lambda row: (row.account, row.period_start.isoformat()))

    async def statements(
        self, reach: Reach, page: PageRequest, *, account: str = ""
    ) -> Page[StatementRecord]:
        rows = [
            row
            for row in self._statements
            if _owns(reach, row.account) and account in ("", row.account)
        ]
        return _page(rows, page, lambda row: (str(row.number),))

    async def statement(
        self, reach: Reach, number: int, *, account: str = ""
    ) -> StatementRecord | None:
        page = await self.statements(reach, PageRequest(100), account=account)
        return next((row for row in page.rows if row.number == number), None)

    async def postings(
        self, reach: Reach, page: PageRequest, *, account: str, month: str
    ) -> Page[PostingRecord]:
        rows = [
            row
            for row in self._postings
            if _owns(reach, row.account) and (row.account, row.month) == (account, month)
        ]
        return _page(rows, page, lambda row: (str(row.id),))

    def _numbers_in(self, reach: Reach) -> list[NumberRecord]:
        return [row for where, row in self._numbers if _within(reach, where, row.namespace or "")]


def pool_record(account: str) -> PoolRecord:
    start = datetime(2026, 9, 30, 23, tzinfo=UTC)
    return PoolRecord(
        *(account, MONTH, start, datetime(2026, 11, 1, tzinfo=UTC), "GBP"),
        *(18_000, 600, 60, 0, 12_340_000, 1_000_000, 0, 1),
    )


def posting_record(number: int, account: str) -> PostingRecord:
    return PostingRecord(
        *(number, NOW, account, MONTH, f"receivable:{account}", "revenue:calls", "GBP"),
        *(12_340_000, "Call", f"attempt-{number}", False, None, None),
    )


def may(who: Who, question: Question) -> bool:
    """What roles would say."""
    resource = question.resource
    if question.subresource:
        resource = f"{resource}/{question.subresource}"
    return any(
        verb == question.verb
        and what == resource
        # A role for one namespace is none for all of them, and one for a name none for a list.
        and where in ("*", question.namespace)
        and name in ("*", question.name)
        for verb, what, where, name in who.admitted
    )


@dataclass(slots=True)
class MemoryAccess:
    """`TokenReader` and `AccessReviewer` for the people above; a token is its owner's name."""

    is_down: bool = False
    asked: int = 0

    async def subject_of(self, token: str) -> Subject | None:
        self._answer()
        who = PEOPLE.get(token.removeprefix("token-of-"))
        return None if who is None else Subject(who.name, ("system:authenticated",))

    async def is_allowed(self, subject: Subject, question: Question) -> bool:
        self._answer()
        return may(PEOPLE[subject.user], question)

    def _answer(self) -> None:
        from callplane.server.ports import AccessUnavailable

        self.asked += 1
        if self.is_down:
            raise AccessUnavailable("down in this test")


def _owns(reach: Reach, account: str) -> bool:
    return reach.namespace in (None, account.partition("/")[0])


def _within(reach: Reach, installation: str, namespace: str) -> bool:
    return reach.installation == installation and reach.namespace in (None, namespace)


def _page(rows: list[Any], page: PageRequest, place: Callable[[Any], Place]) -> Page[Any]:
    left = [row for row in rows if page.after is None or place(row) > tuple(page.after)]
    return admin_ports.cut([(place(row), row) for row in left[: page.limit + 1]], page.limit)


Check = Callable[[Api], Awaitable[None]]
