"""What traces tell of a pass: the event that asked for it, its wait, its steps, its calls, its end.

    watch TeamsUser
    ├─ queue
    └─ pass TeamsUser
       ├─ gather
       ├─ observe ── the provider's calls
       ├─ plan
       ├─ guard ─ gate
       ├─ apply ─ commit, write ── the provider's calls
       └─ report

A pass that nobody's edit asked for (a retry, a drift check, something it depends on) has a trace of
its own that names what did.
"""

from __future__ import annotations

from typing import Any

from callplane.engine.keyed_queue import Taken
from callplane.engine.object_cache import CONNECTION_KINDS
from callplane.errors import Failed, Stalled, Verdict
from callplane.providers.transport import CallRecord
from callplane.status.conditions import End
from callplane.tracing import NO_SPAN, NO_TRACES, Facts, Span, Traces, current
from callplane.values import ObjectKey

#: A call that a caller gave up is nobody's failure.
_NO_FAILURES = frozenset({"ok", "cancelled"})


def heard(traces: Traces, key: ObjectKey, body: dict[str, Any]) -> Span:
    """What the watch says of an object; nobody hears of it unless it asks for a pass."""
    if traces is NO_TRACES:
        return NO_SPAN
    return traces.begin(f"watch {key.kind}", if_followed=True, about=key, **_facts(key, body))


def begun(traces: Traces, taken: Taken, body: dict[str, Any]) -> Span:
    """The pass of a key, in the trace of what asked for it."""
    if traces is NO_TRACES:
        return NO_SPAN
    facts = _facts(taken.key, body)
    facts["priority"] = taken.priority.name.lower()
    return traces.queued(f"pass {taken.key.kind}", taken.triggers, taken.waited_seconds, **facts)


def called(call: CallRecord) -> None:
    """A provider has made a call within what runs."""
    span = current()
    if span is NO_SPAN:
        return
    span.past(
        f"{call.provider} {call.operation}",
        call.seconds,
        is_error=call.outcome not in _NO_FAILURES,
        provider=call.provider,
        operation=call.operation,
        outcome=call.outcome,
        status_code=call.status,
    )


def ended(end: End) -> None:
    """How the pass ended; what waits has not failed."""
    if isinstance(end, Verdict):
        is_error = isinstance(end, Stalled | Failed)
        current().note(is_error=is_error, verdict=type(end).__name__, reason=end.reason)
    else:
        current().note(verdict=type(end).__name__)


def _facts(key: ObjectKey, body: dict[str, Any]) -> Facts:
    """Names of objects are often names of people, so only connections are told by theirs."""
    facts = Facts(kind=key.kind, namespace=key.namespace)
    uid = body.get("metadata", {}).get("uid")
    if uid:
        facts["uid"] = uid
    if key.kind in CONNECTION_KINDS:
        facts["connection"] = f"{key.namespace}/{key.name}"
    return facts
