"""The gate under any order of events, and reloaded from its rows at any moment.

Two gates live side by side: one that is never restarted, and one whose rows go through their stored
form after every step. They must answer alike; and whatever happens, no more runs unapproved within
the window than the limits allow, and nothing runs twice on one answer.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from callplane.plan import gate
from callplane.plan.change import Cause, Change, Operation, approval_digest
from callplane.plan.gate import ChangeLimits, GateRow, GateStatus
from callplane.values import ConnectionId, ObjectKey, Platform

LIMITS = ChangeLimits(
    max_count=4,
    max_percent=50,
    floor=2,
    window_seconds=3600,
    settle_seconds=5,
    settle_max_seconds=20,
)
PEOPLE = 8
people = st.integers(0, PEOPLE - 1)


def change_of(person: int, *, irreversible: bool = False) -> Change:
    return Change(
        connection=ConnectionId("teams", "tenant"),
        operation=Operation.UNASSIGN_NUMBER,
        platform=Platform.TEAMS,
        subject=f"person-{person}",
        before={"number": f"+44207946{person:04d}", "type": "directRouting"},
        after=None,
        irreversible=irreversible,
    )


def key_of(person: int) -> ObjectKey:
    return ObjectKey("TeamsUser", "default", f"person-{person}")


def stored(row: GateRow) -> dict[str, Any]:
    """The row as the store writes it: plain values only."""
    return {
        "change": row.change.to_json(),
        "cause": row.change.cause.value,
        "proposer": [row.proposer.kind, row.proposer.namespace, row.proposer.name],
        "range_name": row.range_name,
        "status": row.status.value,
        "proposed_at": row.proposed_at.isoformat(),
        "digest": row.digest,
        "approval": row.approval,
        "expires_at": row.expires_at.isoformat() if row.expires_at else None,
        "consumed_at": row.consumed_at.isoformat() if row.consumed_at else None,
        "used_approvals": list(row.used_approvals),
        "earlier_runs": [at.isoformat() for at in row.earlier_runs],
    }


def loaded(content: dict[str, Any]) -> GateRow:
    def at(name: str) -> datetime | None:
        return datetime.fromisoformat(content[name]) if content[name] else None

    change = Change.from_json(content["change"])
    proposed_at = at("proposed_at")
    assert proposed_at is not None
    assert Cause(content["cause"]) is change.cause
    return GateRow(
        change=change,
        proposer=ObjectKey(*content["proposer"]),
        range_name=content["range_name"],
        status=GateStatus(content["status"]),
        proposed_at=proposed_at,
        digest=content["digest"],
        approval=content["approval"],
        expires_at=at("expires_at"),
        consumed_at=at("consumed_at"),
        used_approvals=tuple(content["used_approvals"]),
        earlier_runs=tuple(datetime.fromisoformat(at) for at in content["earlier_runs"]),
    )


class GateMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
        self.rows: dict[str, GateRow] = {}
        self.runs: list[tuple[datetime, str, str]] = []
        self.answers = 0

    def store(self, rows: tuple[GateRow, ...], dropped: tuple[str, ...] = ()) -> None:
        for row in rows:
            self.rows[row.change_id] = row
        for change_id in dropped:
            del self.rows[change_id]
        # The process dies and another one reads the rows.
        again = {change_id: loaded(stored(row)) for change_id, row in self.rows.items()}
        assert again == self.rows
        self.rows = dict(sorted(again.items(), reverse=bool(len(self.runs) % 2)))

    @rule(person=people, irreversible=st.booleans())
    def propose(self, person: int, irreversible: bool) -> None:
        change = change_of(person, irreversible=irreversible and person == 0)
        added = gate.propose(
            self.rows, [change], proposer=key_of(person), range_names={}, now=self.now
        )
        dropped = gate.left(
            self.rows, key_of(person), [change.change_id], now=self.now, limits=LIMITS
        )
        self.store(added, dropped)

    @rule(person=people)
    def withdraw(self, person: int) -> None:
        self.store((), gate.left(self.rows, key_of(person), (), now=self.now, limits=LIMITS))

    @rule(seconds=st.sampled_from([0.5, 6.0, 21.0, 1800.0, 3700.0]))
    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        closes_at = gate.batch_closes_at(self.rows, LIMITS)
        if closes_at is not None and closes_at <= self.now:
            before = {i for i, row in self.rows.items() if row.status is GateStatus.OPEN}
            changed = gate.close(
                self.rows, now=self.now, limits=LIMITS, claims=PEOPLE, claims_by_range={}
            )
            assert {row.change_id for row in changed} == before
            held = [row for row in changed if row.status is GateStatus.HELD]
            if held:
                digest = approval_digest(row.change_id for row in held)
                assert {row.digest for row in held} == {digest}
            self.store(changed)

    @rule(persons=st.sets(people), seconds=st.sampled_from([30.0, 7200.0]))
    def approve(self, persons: set[int], seconds: float) -> None:
        self.answers += 1
        ids = [change_of(person).change_id for person in persons]
        self.store(
            gate.approve(
                self.rows,
                ids,
                approval=f"answer-{self.answers}",
                expires_at=self.now + timedelta(seconds=seconds),
                now=self.now,
            )
        )

    @rule(persons=st.sets(people))
    def approve_with_the_first_answer_again(self, persons: set[int]) -> None:
        ids = [change_of(person).change_id for person in persons]
        self.store(
            gate.approve(
                self.rows,
                ids,
                approval="answer-1",
                expires_at=self.now + timedelta(seconds=60),
                now=self.now,
            )
        )

    @rule(answer=st.integers(1, 3))
    def revoke(self, answer: int) -> None:
        self.store(gate.revoke(self.rows, f"answer-{answer}"))

    @rule(person=people, irreversible=st.booleans())
    def run(self, person: int, irreversible: bool) -> None:
        change = change_of(person, irreversible=irreversible and person == 0)
        answer = gate.answer(self.rows, [change.change_id], now=self.now, limits=LIMITS)
        row = gate.consume(self.rows, change, now=self.now)
        if row is None:
            return
        assert isinstance(answer, gate.Granted)
        assert not (change.irreversible and not row.approval)
        self.runs.append((self.now, change.change_id, row.approval))
        self.store((row,))

    @invariant()
    def no_more_runs_unapproved_than_the_limits_allow(self) -> None:
        since = self.now - timedelta(seconds=LIMITS.window_seconds)
        # One that is undone and done again is one change, however often.
        unapproved = {change for at, change, approval in self.runs if not approval and at > since}
        assert len(unapproved) <= LIMITS.max_count

    @invariant()
    def an_answer_lets_each_change_run_once(self) -> None:
        counts = Counter((change_id, approval) for _, change_id, approval in self.runs if approval)
        assert all(count == 1 for count in counts.values())

    @invariant()
    def what_is_held_has_a_digest(self) -> None:
        for row in self.rows.values():
            assert (row.status is not GateStatus.HELD) or row.digest


TestGate = GateMachine.TestCase
TestGate.settings = settings(max_examples=60, stateful_step_count=40)
