"""Who has which number at the SBC.

Nothing is written to an SBC from here: it is rendered its peers, and asks call control about calls.
What its lines have is what the register says, so this provider begins with the numbers that the
register holds as assigned, and what is sent to it is true at once. After a crash it begins anew
from the register, in which a write that was not recorded has not happened.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime

from callplane.apis.session_border_controllers import SessionBorderControllerSpec
from callplane.clock import Clock
from callplane.plan.change import Change, Operation
from callplane.providers.protocol import (
    Capabilities,
    Done,
    Family,
    Observed,
    OperationState,
    OperationStatus,
    Page,
    RefusalClass,
    Refused,
    Unsupported,
)
from callplane.providers.registry import Ingredients
from callplane.resources.lines import NumberType
from callplane.resources.platforms import CallingConfiguration, NumberOnPlatform, Person
from callplane.values import E164, ConnectionId, Platform


def create(ingredients: Ingredients) -> SipProvider:
    """The lines of one SBC, from its spec and what the register says of them."""
    spec = ingredients.spec
    if not isinstance(spec, SessionBorderControllerSpec):
        raise TypeError("the provider of lines at an SBC needs a SessionBorderControllerSpec")
    return SipProvider(spec.domain, ingredients.clock, dict(ingredients.assigned))


def judge(change: Change) -> Unsupported | None:
    """Numbers come and go; everything else about a line is told to call control."""
    if change.platform is not Platform.SIP:
        return Unsupported(f"a {change.platform.value} line is not at the SBC", "")
    if change.operation in (Operation.ASSIGN_NUMBER, Operation.UNASSIGN_NUMBER):
        return None
    return Unsupported("a line at the SBC has a number and no other setting", "take the field out")


class SipProvider:
    """`assigned` are holders by number, as the register has them."""

    def __init__(self, domain: str, clock: Clock, assigned: dict[E164, str]) -> None:
        self.connection = ConnectionId(Platform.SIP.value, domain)
        self.capabilities = Capabilities(read_after_write_lag_seconds=0.0)
        self.credentials_end_at: datetime | None = None
        self._monotonic = clock.monotonic
        self._assigned = assigned
        # Whoever is declared exists: a phone is nothing but its declaration.
        self._asked = set(assigned.values())

    def unsupported(self, change: Change) -> Unsupported | None:
        return judge(change)

    async def list_pages(self, family: Family) -> AsyncIterator[Page]:
        rows: tuple[Person | NumberOnPlatform | CallingConfiguration, ...]
        began = self._monotonic()
        match family:
            case Family.PEOPLE:
                rows = tuple(Person(key, key) for key in sorted(self._asked))
            case Family.NUMBERS:
                rows = tuple(_row(*held) for held in sorted(self._assigned.items()))
            case Family.CONFIGURATIONS:
                rows = tuple(CallingConfiguration(key) for key in sorted(self._asked))
        yield Page(family, rows, observed_at=began, last=True)

    async def read_person(self, key: str) -> Observed[Person]:
        self._asked.add(key)
        return Observed(Person(key, key), self._monotonic())

    async def read_number(self, number: E164) -> Observed[NumberOnPlatform]:
        holder = self._assigned.get(number)
        row = _row(number, holder) if holder is not None else None
        return Observed(row, self._monotonic())

    async def read_configuration(self, user_id: str) -> Observed[CallingConfiguration]:
        return Observed(CallingConfiguration(user_id), self._monotonic())

    async def send(self, change: Change, *, request_id: str) -> Done:
        """True at once. Raises Refused when the number is another line's."""
        number = E164(change.number or "")
        holder = self._assigned.get(number)
        if holder not in (None, change.subject):
            raise Refused(RefusalClass.CONFLICT, f"{number.masked} is another line's")
        if change.operation is Operation.ASSIGN_NUMBER:
            self._assigned[number] = change.subject
        else:
            self._assigned.pop(number, None)
        return Done()

    async def poll(self, operation: str) -> OperationStatus:
        return OperationStatus(OperationState.LOST, "nothing at the SBC takes time")

    async def close(self) -> None:
        """Nothing is open."""


def _row(number: E164, holder: str) -> NumberOnPlatform:
    return NumberOnPlatform(number, NumberType.SIP, holder_id=holder)
