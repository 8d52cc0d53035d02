"""What the admin API needs of others to know who asks and whether they may."""

from __future__ import annotations

from typing import Protocol

from callplane.cluster.reviews import Question, Subject
from callplane.errors import CallplaneError


class AccessUnavailable(CallplaneError):
    """Nobody could say who this is, or what they may do. Never taken for yes."""


class TokenReader(Protocol):
    """Reads tokens. Raises AccessUnavailable."""

    async def subject_of(self, token: str) -> Subject | None:
        """Whose token this is; None: nobody's, or not for us."""
        ...


class AccessReviewer(Protocol):
    """Knows rights. Raises AccessUnavailable."""

    async def is_allowed(self, subject: Subject, question: Question) -> bool: ...
