"""Whatever is asked of both registers, in whatever order, both answer the same."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from callplane.errors import CallplaneError
from callplane.numbering import lifecycle
from callplane.numbering.lifecycle import NumberState
from callplane.plan.gate import GateStatus
from callplane.store import schema
from callplane.store.memory import MemoryRegister
from callplane.store.ports import (
    Commit,
    Committed,
    ConnectionRow,
    IntentState,
    Move,
    MoveRefused,
    NumberEvent,
    NumberRow,
    ObservedNumber,
    Register,
    RegisterState,
)
from callplane.store.postgres import PostgresRegister
from callplane.testing.control_plane import ThrowAwayPostgres
from callplane.testing.register_builders import (
    NOW,
    OTHER_TENANT,
    STALE_AFTER_SECONDS,
    TENANT,
    gate_row,
    holder_row,
    intent,
    number,
    person,
    tenant_object,
    user_object,
)
from callplane.values import ConnectionId, DeclaringObject

EXAMPLES = 25
STEPS = 25

TRANSITIONS = sorted(
    lifecycle.TRANSITIONS, key=lambda each: (each[0].value, each[1].value, each[2].value)
)
connections = st.sampled_from([TENANT, OTHER_TENANT])
numbers = st.integers(0, 4)
names = st.sampled_from(["ann", "bob", "eve"])
days = st.integers(0, 3)


@st.composite
def rows_beside(draw: st.DrawFn) -> dict[str, Any]:
    """Everything of a commit but its moves; at times with a mistake in it."""
    return {
        "holders": [
            replace(
                holder_row(name, applied={"turn": draw(st.integers(0, 9))}),
                user_name=draw(st.sampled_from([f"{name}@contoso.example", "renamed"])),
            )
            for name in draw(st.lists(names, max_size=2, unique=True))
        ],
        "dropped_holders": [person(name) for name in draw(st.lists(names, max_size=1))],
        "intents": [
            intent(f"request-{name}", name, state=draw(st.sampled_from(IntentState)))
            for name in draw(st.lists(names, max_size=2, unique=True))
        ],
        "gate_rows": [
            gate_row(index, status=draw(st.sampled_from(GateStatus)))
            for index in draw(st.lists(numbers, max_size=2, unique=True))
        ],
        "gate_dropped": [
            gate_row(index).change_id for index in draw(st.lists(numbers, max_size=1))
        ],
    }


@st.composite
def wishes(draw: st.DrawFn) -> dict[str, Any]:
    """A move without its expected state, which is mostly taken from the row there is."""
    return {
        "index": draw(numbers),
        "choice": draw(st.integers(0, 99)),
        "fits": draw(st.sampled_from([True, True, True, False])),
        "holder": draw(st.one_of(st.none(), names)),
        "keeps_holder": draw(st.booleans()),
        "expects_holder": draw(st.booleans()),
        "receiver": draw(names),
        "declared": draw(st.booleans()),
        "rests_days": draw(st.one_of(st.none(), days)),
    }


Question = Callable[[Register], Awaitable[Any]]


class Twins(RuleBasedStateMachine):
    """The same questions to both; `epochs` is what a leader would remember."""

    server: ThrowAwayPostgres

    @initialize()
    def begin(self) -> None:
        self.runner = asyncio.Runner()
        self.dsn = self.server.create_database(template="migrated")
        self.memory = MemoryRegister()
        self.postgres = PostgresRegister(self.dsn)
        self.runner.run(self.postgres.open())
        self.now: datetime = NOW
        self.epochs: dict[ConnectionId, int] = {}
        self.seen: dict[tuple[int, ConnectionId], int] = {}
        for connection in (TENANT, OTHER_TENANT):
            self.epochs[connection] = self.hold(connection).epoch

    def teardown(self) -> None:
        self.runner.run(self.postgres.close())
        self.runner.close()
        self.server.drop_database(self.dsn)

    def same(self, question: Question) -> Any:
        """Ask both; return the twin's answer, as values or the error."""
        answers = [
            self.runner.run(_answer(question, register))
            for register in (self.memory, self.postgres)
        ]
        assert answers[0] == answers[1]
        return answers[0]

    @rule(seconds=st.sampled_from([0, 1, STALE_AFTER_SECONDS, 86_400]))
    def time_passes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(
        connection=connections,
        declared_by=st.sampled_from(
            [
                tenant_object(),
                replace(tenant_object(), uid="uid-of-the-next"),
                tenant_object("fabrikam"),
                tenant_object(installation="cluster-2"),
            ]
        ),
        new_epoch=st.booleans(),
        force=st.booleans(),
    )
    def somebody_holds(
        self,
        connection: ConnectionId,
        *,
        declared_by: DeclaringObject,
        new_epoch: bool,
        force: bool,
    ) -> None:
        answer = self.hold(connection, declared_by, new_epoch=new_epoch, force=force)
        if isinstance(answer, ConnectionRow):
            self.epochs[connection] = answer.epoch

    def hold(
        self,
        connection: ConnectionId,
        declared_by: DeclaringObject | None = None,
        *,
        new_epoch: bool = False,
        force: bool = False,
    ) -> Any:
        return self.same(
            lambda register: register.hold_connection(
                connection,
                declared_by=declared_by or tenant_object(),
                now=self.now,
                stale_after_seconds=STALE_AFTER_SECONDS,
                new_epoch=new_epoch,
                force=force,
            )
        )

    @rule(connection=connections, behind=st.sampled_from([0, 0, 1]), mirrored=st.integers(0, 9))
    def a_heart_beats(self, connection: ConnectionId, behind: int, mirrored: int) -> None:
        epoch = self.epochs[connection] - behind
        self.same(
            lambda register: register.heartbeat(
                connection, epoch=epoch, now=self.now, mirrored=mirrored
            )
        )

    @rule(connection=connections, comes_back=st.sampled_from([True, True, True, False]))
    def a_connection_is_released(self, connection: ConnectionId, comes_back: bool) -> None:
        epoch = self.epochs[connection]
        self.same(lambda register: register.release_connection(connection, epoch=epoch))
        if comes_back:
            self.epochs[connection] = self.hold(connection).epoch

    @rule(
        connection=connections,
        moves=st.lists(wishes(), max_size=3),
        beside=st.one_of(st.just({}), rows_beside()),
        behind=st.sampled_from([0] * 9 + [1]),
        repeats=st.integers(1, 3),
    )
    def somebody_commits(
        self,
        connection: ConnectionId,
        moves: list[dict[str, Any]],
        *,
        beside: dict[str, Any],
        behind: int,
        repeats: int,
    ) -> None:
        """The same wishes are other moves each time, since the rows have moved on."""
        epoch = self.epochs[connection] - behind
        for _ in range(repeats):
            commit = Commit(moves=[self.move(**wish) for wish in moves], **beside)
            self.same(
                lambda register, commit=commit: register.commit(
                    connection, commit, epoch=epoch, now=self.now
                )
            )

    def move(self, index: int, choice: int, *, fits: bool, **wish: Any) -> Move:
        row = self.memory._numbers.get(number(index))
        state = row.state if row else NumberState.FREE
        possible = [each for each in TRANSITIONS if each[0] is state] if fits else TRANSITIONS
        before, after, cause = possible[choice % len(possible)]
        holder = person(wish["holder"]) if wish["holder"] else None
        if wish["keeps_holder"] and row is not None:
            holder = row.holder
        if holder is None and after in lifecycle.HELD:
            holder = person("ann")
        expected_holder = row.holder if wish["expects_holder"] and row else None
        return Move(
            number(index),
            expected=before,
            to=after,
            cause=cause,
            expected_holder=expected_holder,
            holder=holder,
            declared_by=user_object("ann") if wish["declared"] else None,
            range_name="voice/london",
            transfer_to=person(wish["receiver"]) if after is NumberState.TRANSFERRING else None,
            quarantined_until=(
                None
                if wish["rests_days"] is None
                else self.now + timedelta(days=wish["rests_days"])
            ),
            reason=f"because {choice}",
        )

    @rule(
        connection=connections,
        seen=st.dictionaries(numbers, st.one_of(st.none(), names), max_size=4),
    )
    def an_administrator_rebuilds(self, connection: ConnectionId, seen: dict[int, Any]) -> None:
        observed = [
            ObservedNumber(number(index), person(name) if name else None)
            for index, name in seen.items()
        ]
        answer = self.same(
            lambda register: register.replace_from_observation(
                connection, observed, now=self.now, quarantined_until=self.now + timedelta(days=2)
            )
        )
        if isinstance(answer, Committed):
            self.epochs[connection] += 1

    @rule(subject=st.one_of(numbers.map(number), names.map(person)))
    def somebody_is_forgotten(self, subject: Any) -> None:
        self.same(lambda register: register.redact(subject))

    @rule(limit=st.integers(1, 5))
    def a_linker_links(self, limit: int) -> None:
        self.same(lambda register: register.link_events(limit=limit))

    @rule(connection=connections)
    def a_reader_refreshes(self, connection: ConnectionId) -> None:
        """Each from the sequence it was given last time."""
        states = []
        for place, register in enumerate((self.memory, self.postgres)):
            since = self.seen.get((place, connection), 0)
            state = self.runner.run(register.load(connection, since=since))
            assert state.sequence >= since
            self.seen[place, connection] = state.sequence
            states.append(_plain(state))
        assert states[0] == states[1]

    @invariant()
    def everything_is_the_same(self) -> None:
        for connection in (TENANT, OTHER_TENANT):
            self.same(lambda register, connection=connection: register.load(connection))
        self.same(lambda register: register.connections())
        self.same(lambda register: register.numbers_in(number(0), number(999)))
        for index in range(5):
            self.same(lambda register, index=index: register.history(number(index)))
        self.same(_chain_counts)


async def _chain_counts(register: Register) -> Any:
    """Salts make the links differ; what they say must not."""
    report = await register.verify()
    assert report.first_broken is None
    return (report.events, report.unlinked, report.redacted)


async def _answer(question: Question, register: Register) -> Any:
    try:
        answer = await question(register)
    except MoveRefused as refused:
        return ("refused", refused.number, _plain(refused.row))
    except CallplaneError as error:
        return (type(error), str(error))
    return _plain(answer)


def _plain(answer: Any) -> Any:
    """Without versions, sequences and links, which the two number in their own way."""
    if isinstance(answer, tuple):
        return tuple(_plain(each) for each in answer)
    if isinstance(answer, NumberRow):
        return replace(answer, version=0)
    if isinstance(answer, NumberEvent):
        return replace(answer, sequence=0, link="linked" if answer.link else None)
    if isinstance(answer, Committed):
        holders = tuple(replace(row, version=0) for row in answer.holders)
        return Committed(_plain(answer.numbers), holders, 0, 0)
    if isinstance(answer, RegisterState):
        holders = tuple(replace(row, version=0) for row in answer.holders)
        return replace(answer, numbers=_plain(answer.numbers), holders=holders, sequence=0)
    return answer


def test_both_registers_are_the_same(throw_away_postgres: ThrowAwayPostgres) -> None:
    throw_away_postgres.prepare_template("migrated", schema.upgrade)
    machine = type("TwinsOnServer", (Twins,), {"server": throw_away_postgres})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
