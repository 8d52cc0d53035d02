"""Answers other than the wanted one, as problem details (RFC 9457).

Texts are fixed: nothing of the request, of a token or of what lies behind the API stands in them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Final

from callplane.errors import CallplaneError

MEDIA_TYPE: Final = "application/problem+json"
RETRY_SECONDS: Final = 5


class Refusal(StrEnum):
    """Why somebody was turned away, for the audit trail and metrics."""

    NO_TOKEN = "NoToken"
    MALFORMED_TOKEN = "MalformedToken"
    UNKNOWN_TOKEN = "UnknownToken"
    TOO_MANY_ATTEMPTS = "TooManyAttempts"
    NOT_ALLOWED = "NotAllowed"
    NUMBERS_MASKED = "NumbersMasked"


class Problem(CallplaneError):
    """Ends a request. `code` is stable and what programs look at."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[Mapping[str, str]] = (),
    ) -> None:
        super().__init__(f"{status} {code}")
        self.answer = Answer(status, code, detail, dict(headers or {}), tuple(errors))


@dataclass(frozen=True, slots=True)
class Answer:
    """A problem as it is sent."""

    status: int
    code: str
    detail: str
    headers: Mapping[str, str] = field(default_factory=dict)
    errors: tuple[Mapping[str, str], ...] = ()

    def body(self, request_id: str) -> bytes:
        document: dict[str, Any] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            "requestId": request_id,
        }
        if self.errors:
            document["errors"] = [dict(each) for each in self.errors]
        return json.dumps(document, separators=(",", ":")).encode()


def unauthenticated(refusal: Refusal) -> Problem:
    """401. Why a token was not taken is for the audit trail alone."""
    challenge = 'Bearer realm="callplane"'
    if refusal is not Refusal.NO_TOKEN:
        challenge += ', error="invalid_token"'
    return Problem(
        401,
        "Unauthenticated",
        "A valid bearer token for this API is needed.",
        headers={"WWW-Authenticate": challenge},
    )


def forbidden() -> Problem:
    """403: the same whether there is something or not."""
    return Problem(403, "Forbidden", "This account has no right to that.")


def too_many_attempts(retry_after_seconds: int) -> Problem:
    return Problem(
        429,
        "TooManyAttempts",
        "Too many attempts to sign in came from there.",
        headers={"Retry-After": str(retry_after_seconds)},
    )


def not_found() -> Problem:
    return Problem(404, "NotFound", "There is nothing of that name here.")


def method_not_allowed() -> Problem:
    return Problem(
        405,
        "MethodNotAllowed",
        "This API is read only; changes go through git.",
        headers={"Allow": "GET"},
    )


def headers_too_large() -> Problem:
    return Problem(431, "HeadersTooLarge", "The headers of the request are too long.")


def bad_request(errors: Sequence[Mapping[str, str]], detail: str = "") -> Problem:
    """400; `errors` name the parameter and the rule, never the value."""
    return Problem(400, "BadRequest", detail or "The request cannot be read.", errors=errors)


def unavailable(code: str, detail: str) -> Problem:
    """503: nothing is decided or read, so nothing is said."""
    return Problem(503, code, detail, headers={"Retry-After": str(RETRY_SECONDS)})


def access_unavailable() -> Problem:
    return unavailable(
        "AccessUnavailable", "Nobody can say now who may see this; try again in a moment."
    )


def database_unavailable() -> Problem:
    return unavailable(
        "DatabaseUnavailable", "The database does not answer; try again in a moment."
    )


def failed() -> Problem:
    return Problem(500, "InternalError", "Something went wrong here; the log has it.")
