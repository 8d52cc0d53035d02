"""Where the time of a pass or a call goes, told to whoever listens; nobody does unless `wiring`
says so. This is the port: it knows no exporter, and pure code knows not even this.

Whoever begins a piece of work asks a `Traces` for a span and enters it; whatever runs inside finds
that span by `current` and divides it into steps. When nobody listens, both are `NO_SPAN`, whose
methods do nothing.

    with traces.begin("authorise"):
        with tracing.step("decide"):
            ...

A span carries only the facts that are listed here. None of them is a telephone number, a name of a
person or text of a provider, and whoever sends them away scrubs them besides.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self, TypedDict, Unpack


class Facts(TypedDict, total=False):
    """What may be said of a span. Objects are told by their UID, because names are people's."""

    kind: str
    namespace: str
    uid: str
    connection: str
    priority: str
    reason: str
    verdict: str
    provider: str
    operation: str
    outcome: str
    status_code: int
    changes: int
    attempt: str
    way: str
    rows: int


@dataclass(frozen=True, slots=True)
class Trigger:
    """What asked for a pass. `span` is known to the listener alone; `is_own`: it was about the
    very object, so that the pass belongs to its trace.
    """

    span: Any
    is_own: bool


class Span(Protocol):
    """A stretch of time with a name. Entering it makes it the current one; leaving it ends it."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def step(self, name: str, **facts: Unpack[Facts]) -> Span:
        """A part of this one that begins now."""

    def past(
        self, name: str, seconds: float, *, is_error: bool = False, **facts: Unpack[Facts]
    ) -> None:
        """A part of this one that ends now and took that long: a call to somebody else."""

    def note(self, *, is_error: bool = False, **facts: Unpack[Facts]) -> None:
        """Facts that were not known when it began."""

    def trigger(self, about: Hashable) -> Trigger | None:
        """This span as the trigger of a later pass over something; None when nobody listens."""

    @property
    def ids(self) -> tuple[str, str] | None:
        """Trace and span as a log line names them, in hexadecimal digits."""


class Traces(Protocol):
    """Begins traces."""

    def begin(
        self,
        name: str,
        *,
        if_followed: bool = False,
        about: Hashable = None,
        **facts: Unpack[Facts],
    ) -> Span:
        """A span with a trace of its own. `if_followed`: nobody hears of it unless it has parts or
        triggers something. `about`: what it is about, see `Trigger`.
        """

    def queued(
        self,
        name: str,
        triggers: Sequence[Trigger],
        waited_seconds: float,
        **facts: Unpack[Facts],
    ) -> Span:
        """Work that was asked for by `triggers` and has waited: in the trace of the first that was
        about the very thing, else in one of its own. It names all the others.
        """

    def close(self, seconds: float) -> None:
        """Send what is left; gives up after that time."""


class _NoSpan:
    """Nobody listens."""

    __slots__ = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def step(self, name: str, **facts: Unpack[Facts]) -> Span:
        return self

    def past(
        self, name: str, seconds: float, *, is_error: bool = False, **facts: Unpack[Facts]
    ) -> None:
        return

    def note(self, *, is_error: bool = False, **facts: Unpack[Facts]) -> None:
        return

    def trigger(self, about: Hashable) -> Trigger | None:
        return None

    @property
    def ids(self) -> tuple[str, str] | None:
        return None


class _NoTraces:
    """Begins nothing."""

    __slots__ = ()

    def begin(
        self,
        name: str,
        *,
        if_followed: bool = False,
        about: Hashable = None,
        **facts: Unpack[Facts],
    ) -> Span:
        return NO_SPAN

    def queued(
        self,
        name: str,
        triggers: Sequence[Trigger],
        waited_seconds: float,
        **facts: Unpack[Facts],
    ) -> Span:
        return NO_SPAN

    def close(self, seconds: float) -> None:
        return


NO_SPAN: Span = _NoSpan()
NO_TRACES: Traces = _NoTraces()
#: The span in which something runs; tasks inherit it from who started them.
ACTIVE: ContextVar[Span] = ContextVar("span", default=NO_SPAN)


def current() -> Span:
    """The span in which this runs."""
    return ACTIVE.get()


def step(name: str, **facts: Unpack[Facts]) -> Span:
    """A part of the current span that begins now."""
    return ACTIVE.get().step(name, **facts)


def trigger_of(about: Hashable) -> Trigger | None:
    """The current span as the trigger of a later pass over something."""
    return ACTIVE.get().trigger(about)
