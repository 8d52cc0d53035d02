"""What the engine asks of a provider, and how a provider answers.

A provider reads and writes one connection. It computes no differences, keeps no state that
matters, never retries a write, and says honestly what it cannot do. The contract suite in
`tests/contract` is the full definition; `docs/providers` tells how to write one.

Reads return *when the request that read it began* (`observed_at`, monotonic seconds of the
injected clock), because a listing that began before a write must not undo what is known of that
write.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Generic, Protocol, TypeVar, runtime_checkable

from callplane.errors import CallplaneError
from callplane.plan.change import Change
from callplane.resources.platforms import CallingConfiguration, NumberOnPlatform, Person
from callplane.values import E164, ConnectionId

Row = TypeVar("Row")


class Family(Enum):
    """What can be listed in bulk."""

    PEOPLE = "people"
    NUMBERS = "numbers"
    CONFIGURATIONS = "configurations"


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a listing. `bad_rows` are rows that could not be read: counted and reported,
    never guessed.

    `last` is the end marker: a listing whose pages stop without it is suspect.
    """

    family: Family
    rows: tuple[Person | NumberOnPlatform | CallingConfiguration, ...]
    observed_at: float
    last: bool
    bad_rows: int = 0


@dataclass(frozen=True, slots=True)
class Observed(Generic[Row]):
    """The answer to one targeted read; `row` is None when the system said that there is no such
    thing.
    """

    row: Row | None
    observed_at: float


@dataclass(frozen=True, slots=True)
class Unsupported:
    """What a provider cannot do, why, and what an administrator has to do by hand instead."""

    reason: str
    manual_step: str


@dataclass(frozen=True, slots=True)
class Done:
    """The system says that the change has taken effect; it is still read back. `requests` is how
    many writes it took, each of which the system counts.
    """

    requests: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class Accepted:
    """An asynchronous order; `operation` is an opaque token for `poll`, `requests` as above."""

    operation: str
    requests: int = field(default=1, compare=False)


class OperationState(Enum):
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class OperationStatus:
    """State of an order; `detail` is scrubbed text of the provider when it failed."""

    state: OperationState
    detail: str = ""


class RefusalClass(Enum):
    """Why a system refused a write (facts of the Teams back end; the safe default is
    UNCLASSIFIED).
    """

    TRANSIENT = "transient"
    NOT_READY = "notReady"
    CONFLICT = "conflict"
    PRECONDITION = "precondition"
    PERMISSION = "permission"
    NOT_FOUND = "notFound"
    UNCLASSIFIED = "unclassified"


class ProviderError(CallplaneError):
    """Base of what a provider raises; `str()` is scrubbed and capped."""


class Throttled(ProviderError):
    """The system asks for patience: nothing has been done."""

    def __init__(self, retry_after_seconds: float) -> None:
        super().__init__(f"throttled, retry after {retry_after_seconds:g} s")
        self.retry_after_seconds = retry_after_seconds


class Unavailable(ProviderError):
    """No usable answer to a *read*, or a connection that never carried a request: nothing has been
    done.
    """


class AuthenticationFailed(ProviderError):
    """The credentials are wrong, expired or withdrawn: a matter of the whole connection."""


class PermissionMissing(AuthenticationFailed):
    """Signed in, but the application may not do this: an administrator has to grant something."""


class Refused(ProviderError):
    """The system answered a write with no.

    `reason` is the constant of `apis.reasons` where the answer leaves no doubt, else empty.
    """

    def __init__(self, refusal: RefusalClass, message: str, *, reason: str = "") -> None:
        super().__init__(message)
        self.refusal = refusal
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a provider does. `unsupported` judges a single change: None means that it can be
    done.
    """

    read_after_write_lag_seconds: float
    policy_types: frozenset[str] = frozenset()
    limits: Mapping[str, float] = field(default_factory=dict)


class Provider(Protocol):
    """One connection to one system. A write raises OutcomeUnknown when it may or may not have
    happened.
    """

    connection: ConnectionId
    capabilities: Capabilities
    credentials_end_at: datetime | None
    """When the credentials end unless a person renews them; None: nobody has to."""

    def unsupported(self, change: Change) -> Unsupported | None:
        """Pure: the reason and the manual step when this change cannot be carried out here."""
        ...

    def list_pages(self, family: Family) -> AsyncIterator[Page]:
        """All rows of a family, page by page. Raises ProviderError; a broken listing has no `last`
        page.
        """
        ...

    async def read_person(self, key: str) -> Observed[Person]:
        """One person by user id or user principal name; a soft-deleted one is found with
        `deleted=True`.
        """
        ...

    async def read_number(self, number: E164) -> Observed[NumberOnPlatform]: ...

    async def read_configuration(self, user_id: str) -> Observed[CallingConfiguration]: ...

    async def send(self, change: Change, *, request_id: str) -> Done | Accepted:
        """Carry out one change, once. Raises OutcomeUnknown when it may have been done; Throttled,
        Unavailable, AuthenticationFailed or Refused when it was not.
        """
        ...

    async def poll(self, operation: str) -> OperationStatus: ...

    async def close(self) -> None: ...


@runtime_checkable
class ListsServices(Protocol):
    """A platform on which services with numbers are in no directory of people."""

    def list_services(self) -> AsyncIterator[Page]:
        """Services as rows of `Family.PEOPLE`: their id, and in place of a name what a ServiceLine
        calls them. As `list_pages` otherwise.
        """
        ...
