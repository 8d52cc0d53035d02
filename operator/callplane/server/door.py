"""Who comes in, and where they may go: the only place that makes a `Reach`.

Nothing is allowed that was not asked about and answered with yes. Whoever cannot be asked about is
told to come again, never let in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

from callplane.cluster.reviews import Question, Subject
from callplane.server import problems
from callplane.server.attempts import FailedAttempts
from callplane.server.audit import AuditTrail, Refused
from callplane.server.metrics import ApiMetrics
from callplane.server.ports import AccessReviewer, AccessUnavailable
from callplane.server.problems import Refusal
from callplane.server.remembering import RememberingReader
from callplane.store.admin_ports import Reach

TOKEN_LIMIT_CHARACTERS: Final = 12_288
_BEARER: Final = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9._~+/=-]+) *\Z")


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who was let in, for one request."""

    subject: Subject
    request_id: str
    source: str


@dataclass(frozen=True, slots=True)
class Door:
    """Everything that decides about access.

    `installation` gives the id of the cluster that rights are asked of; it raises
    AccessUnavailable while that is not known.
    """

    tokens: RememberingReader
    reviewer: AccessReviewer
    attempts: FailedAttempts
    trail: AuditTrail
    metrics: ApiMetrics
    installation: Callable[[], str]
    show_numbers: bool = False

    async def enter(self, authorization: Sequence[str], *, request_id: str, source: str) -> Visitor:
        """Let somebody in by the values of their Authorization headers. Raises Problem."""
        token = self._token(authorization, request_id, source)
        subject = self.tokens.remembered(token)
        if subject is None:
            wait = self.attempts.wait_seconds(source)
            if wait:
                self._turn_away(Refused(Refusal.TOO_MANY_ATTEMPTS, request_id, source))
                raise problems.too_many_attempts(wait)
            try:
                subject = await self.tokens.subject_of(token)
            except AccessUnavailable:
                self._unreviewed()
        if subject is None:
            self._unknown(Refusal.UNKNOWN_TOKEN, request_id, source)
        return Visitor(subject, request_id, source)

    async def admit(self, visitor: Visitor, *questions: Question) -> Reach:
        """The reach of a request whose every question is answered with yes, about one and the
        same namespace. Raises Problem.
        """
        (namespace,) = {question.namespace for question in questions}
        for question in questions:
            try:
                allowed = await self.reviewer.is_allowed(visitor.subject, question)
            except AccessUnavailable:
                self._unreviewed()
            if not allowed:
                self._forbid(Refusal.NOT_ALLOWED, visitor, question)
        try:
            return Reach(self.installation(), namespace or None)
        except AccessUnavailable:
            self._unreviewed()

    def require_shown_numbers(self, visitor: Visitor, question: Question) -> None:
        """Full numbers take a setting besides the right. Raises Problem."""
        if not self.show_numbers:
            self._forbid(Refusal.NUMBERS_MASKED, visitor, question)

    def _token(self, authorization: Sequence[str], request_id: str, source: str) -> str:
        if not authorization:
            self._turn_away(Refused(Refusal.NO_TOKEN, request_id, source))
            raise problems.unauthenticated(Refusal.NO_TOKEN)
        found = _BEARER.match(authorization[0]) if len(authorization) == 1 else None
        if found is None or len(found[1]) > TOKEN_LIMIT_CHARACTERS:
            self._unknown(Refusal.MALFORMED_TOKEN, request_id, source)
        return found[1]

    def _unknown(self, reason: Refusal, request_id: str, source: str) -> NoReturn:
        self.attempts.failed(source)
        self._turn_away(Refused(reason, request_id, source))
        raise problems.unauthenticated(reason)

    def _forbid(self, reason: Refusal, visitor: Visitor, question: Question) -> NoReturn:
        self._turn_away(
            Refused(reason, visitor.request_id, visitor.source, visitor.subject, question)
        )
        raise problems.forbidden()

    def _turn_away(self, refused: Refused) -> None:
        self.trail.refused(refused)

    def _unreviewed(self) -> NoReturn:
        self.metrics.unreviewed.inc()
        raise problems.access_unavailable() from None
