"""What the Kubernetes API can answer instead of what was asked for, as one tree.

`from_status` is the only place where a status code becomes a type. Text of the server is kept only
when it is a `Status` object, and cut: nobody knows what a raw dump may carry.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from callplane import errors

MESSAGE_LIMIT_CHARACTERS = 256
DEFAULT_RETRY_AFTER_SECONDS = 1.0


class ClusterError(errors.CallplaneError):
    """The Kubernetes API did not do what was asked.

    `status` is the HTTP status, 0 where no answer came. `reason` is the server's own word for it
    (`NotFound`, `Conflict`, …), empty where it gave none.
    """

    def __init__(self, message: str, *, status: int = 0, reason: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.reason = reason


class BadRequest(ClusterError):
    """400, and every other 4xx without a type of its own: the request itself is wrong."""


class Unauthorized(ClusterError):
    """401: the credentials are missing, expired or unknown."""


class Forbidden(ClusterError):
    """403: RBAC, an admission policy, or a namespace that is being terminated."""


class NotFound(ClusterError):
    """404: no such object, namespace or kind."""


class Conflict(ClusterError):
    """409: the object changed since it was read, or a precondition on its UID does not hold."""


class AlreadyExists(Conflict):
    """409 on create: the name is taken."""


class Gone(ClusterError):
    """410: a `continue` token or a resourceVersion is too old."""


class Invalid(ClusterError):
    """422: refused by validation, or a `test` of a JSON patch did not hold."""


class Throttled(ClusterError):
    """429: the server asks for patience. Nothing was carried out."""

    def __init__(self, message: str, *, retry_after_seconds: float) -> None:
        super().__init__(message, status=429, reason="TooManyRequests")
        self.retry_after_seconds = retry_after_seconds


class Unavailable(ClusterError):
    """No usable answer: refused, timed out, cut, or 5xx. A write may have taken effect."""


_BY_STATUS: dict[int, type[ClusterError]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    422: Invalid,
}


def from_status(
    status: int, body: object, *, request: str, retry_after: str | None = None
) -> ClusterError:
    """The error for one HTTP answer of 300 or more.

    `body` is the decoded JSON or None, `request` names verb and path, `retry_after` is the header.
    """
    known: Mapping[str, Any] = {}
    if isinstance(body, Mapping) and body.get("kind") == "Status":
        known = body
    reason = str(known.get("reason") or "")
    text = str(known.get("message") or "no further explanation")
    message = _cut(f"{request} answered {status}: {text}")
    if status == 429:
        return Throttled(message, retry_after_seconds=_retry_after_seconds(retry_after, known))
    if status == 409 and reason == "AlreadyExists":
        return AlreadyExists(message, status=status, reason=reason)
    kind = _BY_STATUS.get(status)
    if kind is None:
        kind = Unavailable if status >= 500 or status == 408 else BadRequest
    return kind(message, status=status, reason=reason)


def _retry_after_seconds(header: str | None, known: Mapping[str, Any]) -> float:
    """The header in seconds, else the Status object's own field, else one second."""
    details = known.get("details")
    stated = details.get("retryAfterSeconds") if isinstance(details, Mapping) else None
    for candidate in (header, stated):
        try:
            seconds = float(candidate) if candidate is not None else -1.0
        except (TypeError, ValueError):
            continue
        if 0.0 <= seconds < float("inf"):
            return seconds
    return DEFAULT_RETRY_AFTER_SECONDS


def _cut(text: str) -> str:
    text = " ".join(text.split())
    if len(text) <= MESSAGE_LIMIT_CHARACTERS:
        return text
    return text[: MESSAGE_LIMIT_CHARACTERS - 1] + "…"
