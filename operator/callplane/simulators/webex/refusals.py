"""How Webex says no: status, code and text, and the classes of them this world uses.

The shape (`message`, `errors[]`, `trackingId`) and the codes of licences are published; texts and
codes of numbers are those of the vendor's own example of a validation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_HEADLINES = {
    400: "The request was invalid or cannot be otherwise served.",
    401: "The request requires a valid access token set in the Authorization request header.",
    403: "The server understood the request, but refused to fulfill it because the access token is"
    " missing required scopes or the user is missing required roles or licenses.",
    404: "The requested resource could not be found.",
    405: "The specified HTTP method is not allowed for the requested resource.",
    409: "The request could not be processed because it conflicts with some established rule of the"
    " system.",
    423: "The requested resource is temporarily unavailable. A Retry-After header may be present.",
    429: "The server has received too many requests. Please try again later.",
}


@dataclass(slots=True, eq=False)
class Refusal(Exception):
    """An answer that is an error. `codes` are of numbers refused one by one; `page` is HTML that a
    gateway answers in place of Webex.
    """

    status: int
    descriptions: Sequence[str]
    code: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    page: str = ""
    numbers: Sequence[str] = ()
    batch_code: str = ""

    def __str__(self) -> str:
        return f"{self.status}: {'; '.join(self.descriptions)}"

    def document(self, tracking_id: str, *, as_list: bool = False) -> object:
        """The body; jobs have a shape of their own, additions of numbers may have another."""
        if self.batch_code:
            texts = [{"description": t, "code": self.batch_code} for t in self.descriptions]
            return {
                "error": {"key": str(self.status), "message": texts},
                "trackingId": tracking_id,
            }
        if as_list and self.numbers:
            return [{"errors": [self._number_error(number) for number in self.numbers]}]
        errors: list[dict[str, object]] = [{"description": text} for text in self.descriptions]
        if self.code is not None:
            for error in errors:
                error["errorCode"] = self.code
        headline = _HEADLINES.get(self.status, "Something went wrong on the server.")
        message = self.descriptions[0] if self.code is not None else headline
        return {"message": message, "errors": errors, "trackingId": tracking_id}

    def _number_error(self, number: str) -> dict[str, str]:
        return {
            "number": number,
            "errorType": "ERROR",
            "errorCode": f"ERR.V.TRM.{self.code or 8361}",
            "errorMessage": self.descriptions[0],
            "errorTitle": "Number refused",
        }


def bad_request(*texts: str, code: int | None = None) -> Refusal:
    """The request cannot be understood or a precondition does not hold."""
    return Refusal(400, texts, code)


def forbidden(text: str) -> Refusal:
    """The token is good, but not for this."""
    return Refusal(403, (text,))


def not_found(text: str) -> Refusal:
    """There is no such thing, or not yet."""
    return Refusal(404, (text,))


def conflict(text: str) -> Refusal:
    """It is there already, or something else is under way."""
    return Refusal(409, (text,))


def unauthorized(text: str) -> Refusal:
    """The access token is missing, unknown or expired."""
    return Refusal(401, (text,), headers={"WWW-Authenticate": 'Bearer realm="Webex"'})


def unavailable(*numbers: str) -> Refusal:
    """Numbers that are in nobody's inventory here, or that somebody has."""
    texts = [f"[Error 8361] DN is unavailable : {number}" for number in numbers]
    return Refusal(400, texts, 8361, numbers=numbers)


def invalid_number(*numbers: str) -> Refusal:
    """Texts that are no E.164 numbers."""
    texts = [f"[Error 8362] DN is invalid : {number}" for number in numbers]
    return Refusal(400, texts, 8362, numbers=numbers)


def managed_elsewhere(pstn_type: str) -> Refusal:
    """The PSTN of the location is somebody else's."""
    return bad_request(
        f"Numbers of a location with PSTN connection type {pstn_type} are not managed through this"
        " API."
    )


def throttled(retry_after_seconds: int | None) -> Refusal:
    """Too many calls; without a wait the caller has to guess."""
    headers = {} if retry_after_seconds is None else {"Retry-After": str(retry_after_seconds)}
    return Refusal(429, ("Too many requests.",), headers=headers)


def job_refused(code: str, text: str, *, status: int = 400) -> Refusal:
    """A job that cannot start, in the shape jobs have."""
    return Refusal(status, (text,), batch_code=code)
