"""The end of a pass: one status patch when something differs, none otherwise, and the rare
event.
"""

from __future__ import annotations

from callplane.apis.reasons import Reason
from callplane.cluster.events import EventSubject, ObjectEvent
from callplane.cluster.status_writes import TRANSITION_KEYS, StatusOutcome, write_status
from callplane.engine.keyed_queue import Priority
from callplane.engine.object_cache import RECONCILE_REQUEST
from callplane.engine.scope import Gone, Scope
from callplane.errors import Stalled, scrub
from callplane.status.conditions import End, conditions
from callplane.tracing import step


async def report(scope: Scope, end: End) -> None:
    """Write the status that this end means. Raises Gone when the object has disappeared."""
    cached = scope.cached
    status = dict(cached.status)
    status.update(scope.status)
    status["observedGeneration"] = cached.generation
    status["conditions"] = conditions(
        cached.status.get("conditions") or (),
        end,
        scope.circumstances,
        generation=cached.generation,
        now=scope.engine.clock.now(),
    )
    requested = cached.annotations.get(RECONCILE_REQUEST)
    if requested is not None:
        status["lastHandledReconcileAt"] = requested
    with step("report") as span:
        written = await write_status(
            scope.engine.objects,
            scope.engine.kind(cached.key.kind),
            body=cached.body,
            status=status,
            ignoring=TRANSITION_KEYS,
        )
        span.note(outcome=written.outcome.value)
    if written.outcome is StatusOutcome.GONE:
        raise Gone
    if written.outcome is StatusOutcome.OVERTAKEN:
        scope.engine.offer(cached.key, written.body)
        scope.engine.queue.add(cached.key, Priority.RETRY)
        return
    if written.outcome is StatusOutcome.WRITTEN:
        scope.engine.telemetry.status_written(cached.key.kind)
        scope.engine.offer(cached.key, written.body)
        _tell(scope, end)


def _tell(scope: Scope, end: End) -> None:
    """Events are news for people: a stall when it begins. Status is the truth."""
    if not isinstance(end, Stalled) or scope.cached.is_deleting:
        # A namespace that is going takes no events; the ChangePlan has its own.
        return
    known = scope.cached.status.get("conditions") or ()
    if any(entry.get("type") == "Stalled" and entry.get("reason") == end.reason for entry in known):
        return
    scope.engine.events.emit(
        ObjectEvent(
            EventSubject.of(scope.cached.body),
            reason=str(Reason(end.reason)),
            message=scrub(end.message),
            type="Warning",
        )
    )
