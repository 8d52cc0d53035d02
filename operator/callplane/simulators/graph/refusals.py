"""How Graph says no: status, code and text, and the classes of them this world uses.

The texts of number orders are those seen from the same backend through Teams PowerShell (community
reports); Graph's own codes for them are not documented, so all carry `BadRequest`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class Refusal(Exception):
    """An answer that is an error."""

    status: int
    code: str
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.status} {self.code}: {self.message}"


def bad_request(message: str) -> Refusal:
    """The request cannot be understood or a precondition does not hold."""
    return Refusal(400, "BadRequest", message)


def not_found(message: str, *, code: str = "NotFound") -> Refusal:
    """There is no such thing, or Teams does not know it yet."""
    return Refusal(404, code, message)


def resource_not_found(key: str) -> Refusal:
    """Entra ID's words for an object that does not exist."""
    return not_found(
        f"Resource '{key}' does not exist or one of its queried reference-property objects are not"
        " present.",
        code="Request_ResourceNotFound",
    )


def number_not_found(number: str, tenant_id: str) -> Refusal:
    """Also what a wrong number type gets."""
    return bad_request(f"Telephone Number '{number}' is not found from tenant '{tenant_id}'.")


def taken(number: str) -> Refusal:
    """Somebody else has the number, or an order for it is under way."""
    return bad_request(f"Telephone Number '{number}' has already been assigned to another user.")


def unlicensed(user_id: str, number_type: str) -> Refusal:
    """A licence is missing."""
    kind = number_type[:1].upper() + number_type[1:]
    return bad_request(f"User '{user_id}' lacks appropriate licenses to assign a '{kind}' number.")


def on_premises_number() -> Refusal:
    """The truth for numbers of the old telephone system; misleading when the plan is Deleted."""
    return bad_request(
        "The user already has a telephone number set in the on-premises Active Directory."
    )


def service_unavailable() -> Refusal:
    """Transient, and yet a 400."""
    return bad_request("Service is unavailable. Please try again.")


def throttled(retry_after_seconds: float) -> Refusal:
    """Too many calls; the wait may be a fraction of a second."""
    return Refusal(
        429,
        "TooManyRequests",
        "Too many requests. Please retry after some time.",
        {"Retry-After": f"{max(retry_after_seconds, 0.001):.3f}"},
    )
