"""Whoever states a number is let ask for it before it is given up: found by `BENCH=move`."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any

import pytest

from callplane.engine import transfers
from callplane.engine.keyed_queue import KeyedQueue, Priority
from callplane.engine.object_cache import ObjectCache
from callplane.errors import Waiting
from callplane.numbering.lifecycle import NumberState
from callplane.plan.change import Change, Operation
from callplane.values import E164, ConnectionId, ObjectKey, Platform

NUMBER = E164("+442079460001")
GIVER = ObjectKey("TeamsUser", "sales", "ann")
RECEIVER = ObjectKey("WebexUser", "sales", "ann")
CONNECTION = ConnectionId("teams", "00000000-0000-4000-8000-00000000aaaa")
UNASSIGN = Change(
    CONNECTION,
    Operation.UNASSIGN_NUMBER,
    Platform.TEAMS,
    "somebody",
    {"number": NUMBER.text, "type": "directRouting"},
    None,
)


class Stage:
    """A cache in which the receiver states the number, and a queue."""

    def __init__(self) -> None:
        self.queue = KeyedQueue(lambda: 0.0, random.Random(1))
        self.cache = ObjectCache()
        self.put({"e164": NUMBER.text})

    def put(self, number: dict[str, Any]) -> None:
        """The receiver's object with this number; each is newer than the last."""
        before = self.cache.get(RECEIVER)
        version = int(before.metadata["resourceVersion"]) + 1 if before is not None else 1
        self.cache.put(
            RECEIVER,
            {
                "apiVersion": "callplane.dev/v1alpha1",
                "kind": "WebexUser",
                "metadata": {
                    "name": RECEIVER.name,
                    "namespace": RECEIVER.namespace,
                    "uid": "1",
                    "resourceVersion": str(version),
                    "generation": version,
                },
                "spec": {
                    "organizationRef": {"name": "org"},
                    "email": "ann@example.com",
                    "phoneNumber": number,
                },
            },
        )

    def ask(self, *, state: NumberState = NumberState.ASSIGNED, is_deleting: bool = False) -> None:
        """What the giver's pass asks before it takes the number away."""
        rows = {NUMBER: SimpleNamespace(state=state)}
        scope: Any = SimpleNamespace(
            key=GIVER,
            cached=SimpleNamespace(is_deleting=is_deleting),
            engine=SimpleNamespace(cache=self.cache, queue=self.queue),
        )
        gathered: Any = SimpleNamespace(
            runtime=SimpleNamespace(mirror=SimpleNamespace(numbers=rows))
        )
        transfers.let_receivers_ask(scope, gathered, [UNASSIGN])


async def test_a_receiver_that_stands_in_line_goes_first() -> None:
    stage = Stage()
    stage.queue.add(RECEIVER, Priority.DEPENDENCY)
    with pytest.raises(Waiting, match="has not asked for it yet"):
        stage.ask()
    taken = await stage.queue.take()
    assert (taken.key, taken.priority) == (RECEIVER, Priority.USER)
    # It has had its turn: whatever it made of it, the giver goes on.
    stage.queue.done(RECEIVER)
    stage.ask()


def test_nobody_waits_for_a_receiver_that_has_looked() -> None:
    Stage().ask()


def test_a_number_that_is_kept_for_somebody_already_goes() -> None:
    stage = Stage()
    stage.queue.add(RECEIVER, Priority.DEPENDENCY)
    stage.ask(state=NumberState.TRANSFERRING)


def test_a_leaver_hands_nothing_over() -> None:
    stage = Stage()
    stage.queue.add(RECEIVER, Priority.DEPENDENCY)
    stage.ask(is_deleting=True)


def test_a_receiver_that_states_another_number_now_is_not_waited_for() -> None:
    stage = Stage()
    stage.queue.add(RECEIVER, Priority.DEPENDENCY)
    stage.put({"none": {}})
    stage.ask()
    assert stage.cache.stating_numbers() == ()
