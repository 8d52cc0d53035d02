"""Bad days for the in-memory provider, as data: what goes wrong, at which call, how often.

    faults.add(lost_after_commit(), verb=Verb.SEND, operation=Operation.ASSIGN_NUMBER)
    faults.add(throttle(3.0), verb=Verb.READ, times=2)

The first fault that matches a call is used once and then gone, unless `times` says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TypedDict, Unpack

from callplane.errors import OutcomeUnknown
from callplane.plan.change import Change, Operation
from callplane.providers.protocol import (
    AuthenticationFailed,
    Family,
    OperationState,
    RefusalClass,
    Refused,
    Throttled,
    Unavailable,
)


class Verb(Enum):
    LIST = "list"
    READ = "read"
    SEND = "send"
    POLL = "poll"


@dataclass(frozen=True, slots=True)
class Call:
    """One call as it arrived. `key` is the user id, the number, the operation or empty."""

    verb: Verb
    family: Family | None = None
    key: str = ""
    change: Change | None = None
    request_id: str = ""


class Listing(Enum):
    """How a listing can lie."""

    EMPTY = "empty"
    HALF = "half"
    TWICE = "twice"
    WITHOUT_END = "withoutEnd"


@dataclass(frozen=True, slots=True)
class Fault:
    """`error` is raised, after the change took effect if `committed`. `order` is what the order
    turns out as.

    `bad_rows` are added to the first page of a listing, `listing` says how the listing lies;
    the error of a listing is raised after `after_pages` pages.
    """

    error: BaseException | None = None
    committed: bool = False
    order: OperationState | None = None
    detail: str = ""
    listing: Listing | None = None
    bad_rows: int = 0
    after_pages: int = 0


def throttle(retry_after_seconds: float = 1.0) -> Fault:
    return Fault(Throttled(retry_after_seconds))


def unavailable() -> Fault:
    return Fault(Unavailable("the system cannot be reached"))


def authentication_failed() -> Fault:
    return Fault(AuthenticationFailed("the credentials are not accepted"))


def refuse(refusal: RefusalClass, message: str = "refused by a fault script") -> Fault:
    return Fault(Refused(refusal, message))


def lost_before_commit() -> Fault:
    """The request is lost on its way: nothing was done, and nobody knows."""
    return Fault(OutcomeUnknown("no answer"))


def lost_after_commit() -> Fault:
    """The answer is lost on its way back: it was done, and nobody knows."""
    return Fault(OutcomeUnknown("no answer"), committed=True)


def order_fails(detail: str = "the order failed") -> Fault:
    """The order is accepted and then fails: nothing was done."""
    return Fault(order=OperationState.FAILED, detail=detail)


def order_is_lost() -> Fault:
    """The order is carried out, but the system forgets its name."""
    return Fault(order=OperationState.LOST)


def listing_lies(listing: Listing) -> Fault:
    return Fault(listing=listing)


class Match(TypedDict, total=False):
    """Which calls a fault is for; a name left out matches everything, but `verb` is SEND by
    default.
    """

    verb: Verb
    operation: Operation
    family: Family
    key: str


@dataclass(slots=True)
class _Rule:
    fault: Fault
    match: Match
    times: int
    skip: int

    def matches(self, call: Call) -> bool:
        seen = {
            "verb": call.verb,
            "operation": call.change.operation if call.change is not None else None,
            "family": call.family,
            "key": call.key,
        }
        return all(seen[name] == wanted for name, wanted in self.match.items())


@dataclass(slots=True)
class FaultScript:
    """Faults still to come, in the order in which they were added."""

    _rules: list[_Rule] = field(default_factory=list)

    def add(self, fault: Fault, *, times: int = 1, skip: int = 0, **match: Unpack[Match]) -> None:
        """Let the next `times` matching calls fail, after `skip` matching calls that do not."""
        match.setdefault("verb", Verb.SEND)
        self._rules.append(_Rule(fault, match, times, skip))

    def take(self, call: Call) -> Fault | None:
        for rule in self._rules:
            if not rule.matches(call):
                continue
            if rule.skip > 0:
                rule.skip -= 1
                continue
            rule.times -= 1
            if rule.times <= 0:
                self._rules.remove(rule)
            return rule.fault
        return None

    def clear(self) -> None:
        self._rules.clear()

    @property
    def pending(self) -> int:
        """How many faults have not been used up."""
        return sum(rule.times for rule in self._rules)
