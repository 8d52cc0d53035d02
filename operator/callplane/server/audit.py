"""The trail of those who were turned away: a line of the log for each, a count, and an Event in the
API's own namespace that folds repeats.

No line holds a token or a number: of a request it says what was asked for by kind and namespace,
never by its path.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final

from callplane.cluster.events import EventSubject, ObjectEvent
from callplane.cluster.ports import EventSink
from callplane.cluster.reviews import Question, Subject
from callplane.errors import scrub
from callplane.server.metrics import ApiMetrics
from callplane.server.problems import Refusal

log = logging.getLogger("callplane.audit")

EVENT_REASON: Final = "AccessRefused"
NAME_LIMIT_CHARACTERS: Final = 200


@dataclass(frozen=True, slots=True)
class Refused:
    """One request that was turned away. `subject` is None where nobody is known."""

    reason: Refusal
    request_id: str
    source: str
    subject: Subject | None = None
    question: Question | None = None

    @property
    def who(self) -> str:
        if self.subject is None:
            return "somebody unknown"
        return scrub(self.subject.user, limit_characters=NAME_LIMIT_CHARACTERS)

    @property
    def what(self) -> str:
        return "see anything" if self.question is None else str(self.question)


class AuditTrail:
    """Takes refusals. `pod` is what Events are about; None where this is no pod."""

    def __init__(
        self, metrics: ApiMetrics, *, events: EventSink | None, pod: EventSubject | None
    ) -> None:
        self._metrics = metrics
        self._events = events
        self._pod = pod

    def refused(self, one: Refused) -> None:
        """Write it down; never fails a request."""
        self._metrics.refusals.labels(one.reason.value).inc()
        fields = {
            "event": EVENT_REASON,
            "reason": one.reason.value,
            "requestId": one.request_id,
            "source": one.source,
            "user": one.who if one.subject is not None else None,
            "verb": one.question.verb if one.question is not None else None,
            "resource": _resource(one.question),
            "namespace": one.question.namespace if one.question is not None else None,
        }
        log.warning(
            "refused %s: %s may not %s",
            one.reason.value,
            one.who,
            one.what,
            extra={"fields": fields},
        )
        if self._events is None or self._pod is None:
            return
        self._events.emit(
            ObjectEvent(
                self._pod,
                EVENT_REASON,
                # Without the request's id and the source, so that repeats are one Event.
                f"{one.reason.value}: {one.who} may not {one.what}",
                action="Review",
                type="Warning",
            )
        )


def _resource(question: Question | None) -> str | None:
    if question is None:
        return None
    if question.subresource:
        return f"{question.resource}/{question.subresource}"
    return question.resource
