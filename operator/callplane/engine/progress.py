"""Progress that is over before anybody could read of it is not written to the API server.

An assignment takes a second or two. Saying in between that it is under way would double the status
writes of every change; until then `observedGeneration` says that the object is not up to date. What
lasts longer is reported. Called by `engine.reconcile`.
"""

from __future__ import annotations

from collections.abc import Callable

from callplane.apis.reasons import Reason
from callplane.errors import Waiting
from callplane.status.conditions import End
from callplane.values import ObjectKey

BRIEF_SECONDS = 5.0
_STEPS_OF_OURS = frozenset({Reason.OPERATION_RUNNING, Reason.PROGRESSING})


class UnreportedProgress:
    """Since when each object is at work without having said so."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._since: dict[ObjectKey, float] = {}

    def look_seconds(self, key: ObjectKey, end: End) -> float | None:
        """Seconds until the next look at an object that is to say nothing yet; None: report this
        end.
        """
        if not isinstance(end, Waiting) or end.reason not in _STEPS_OF_OURS:
            self.forget(key)
            return None
        now = self._monotonic()
        left = self._since.setdefault(key, now) + BRIEF_SECONDS - now
        return min(end.after_seconds, left) if left > 0 else None

    def forget(self, key: ObjectKey) -> None:
        """The object has come to an end of another kind, or is gone."""
        self._since.pop(key, None)
