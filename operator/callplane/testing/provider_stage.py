"""What the provider contract needs of a platform: people, numbers, and ways to disturb it.

Each implementation of `Stage` puts one provider in front of one world: the in-memory one, or a
simulator that is written without knowledge of our providers. Time stands still until a test moves
it.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Protocol

from callplane.plan.change import Change, Fields, Operation
from callplane.providers.protocol import Provider
from callplane.testing.manual_clock import ManualClock
from callplane.values import E164, ConnectionId, Platform

DOMAIN = "tenant.example"
# Licensed and ready: anna, ben. Without a licence: cara. Licensed, and unknown to Teams yet: dora.
PEOPLE = ("anna", "ben", "cara", "dora")
NUMBERS = tuple(E164(f"+44207946{last:04}") for last in range(10))
CALLING_PLAN_NUMBER = E164("+441614960000")
UNKNOWN_NUMBER = E164("+441134960000")
POLICY_TYPE = "TeamsCallingPolicy"
POLICIES = ("AllowCalling", "DisallowCalling")
LOCATION = "5ca1ab1e-0000-4000-8000-000000000001"
UNKNOWN_ID = "deadbeef-0000-4000-8000-000000000001"
ORDER_SECONDS = 20.0
RETRY_AFTER_SECONDS = 2.128


class Misfortune(enum.Enum):
    """What goes wrong, until `Stage.calm`; faults of writes strike once."""

    READS_CUT = "every read loses its answer"
    READS_THROTTLED = "every read is told to wait"
    LISTING_CUT = "a listing breaks after its first page"
    BAD_ROW = "a listing of numbers holds a row that nobody can read"
    REQUEST_LOST = "the next write is lost on its way"
    ANSWER_LOST = "the answer to the next write is lost"
    WRITE_THROTTLED = "the next write is told to wait"
    ORDER_FAILS = "the next order is accepted and fails later"
    ORDER_FORGOTTEN = "the next order is carried out, and its name forgotten"
    CREDENTIALS_WITHDRAWN = "the credentials are not accepted any more"


class Stage(Protocol):
    """One provider and the world behind it. Ids of `people` are by first name."""

    provider: Provider
    clock: ManualClock
    people: Mapping[str, str]

    def strike(self, misfortune: Misfortune) -> None: ...

    def calm(self) -> None:
        """End all misfortunes but withdrawn credentials."""
        ...

    def orders_take(self, seconds: float) -> None: ...

    def administrator_assigns(self, number: E164, name: str | None) -> None: ...

    def administrator_groups(self, name: str, policy: str) -> None:
        """The person inherits the policy (of `POLICY_TYPE`) from a group."""
        ...

    def administrator_deletes(self, name: str) -> None:
        """Softly: the person can be restored."""
        ...

    def add_numbers(self, count: int) -> None:
        """Further numbers, from +44 29 2018 0000 on."""
        ...

    def holder(self, number: E164) -> str | None:
        """The truth, whatever readers see."""
        ...

    def attempts(self) -> int:
        """Writes that were sent so far, lost and refused ones included."""
        ...


def upn(name: str) -> str:
    return f"{name}@{DOMAIN}"


class Changes:
    """Changes of one stage in one line each."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def assign(self, name: str, number: E164, **more: str) -> Change:
        after = {"number": number.text, "type": "directRouting", **more}
        return self._change(Operation.ASSIGN_NUMBER, name, None, after)

    def unassign(self, name: str, number: E164, **more: str) -> Change:
        before = {"number": number.text, "type": "directRouting", **more}
        return self._change(Operation.UNASSIGN_NUMBER, name, before, None)

    def locate(self, name: str, number: E164, location: str) -> Change:
        fields = {"number": number.text, "type": "directRouting"}
        return self._change(Operation.SET_LOCATION, name, fields, {**fields, "location": location})

    def policy(self, name: str, policy: str | None, *, policy_type: str = POLICY_TYPE) -> Change:
        before = {"type": policy_type} if policy is None else None
        after = None if policy is None else {"type": policy_type, "name": policy}
        return self._change(Operation.SET_POLICY, name, before, after)

    def _change(
        self, operation: Operation, name: str, before: Fields | None, after: Fields | None
    ) -> Change:
        subject = self._stage.people.get(name, name)
        connection: ConnectionId = self._stage.provider.connection
        return Change(connection, operation, Platform.TEAMS, subject, before, after)
