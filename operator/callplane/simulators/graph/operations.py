"""Orders for numbers: what was asked, how far it has come, and what fate has in store for it."""

from __future__ import annotations

import base64
import enum
from dataclasses import dataclass, field


class Fate(enum.Enum):
    """How an order will end, settled when it is accepted."""

    SUCCEEDS = "succeeds"
    FAILS = "fails"
    PARTIAL = "partial"
    """The order succeeds although its only number failed."""
    SKIPPED = "skipped"


@dataclass(slots=True)
class Operation:
    """A `telephoneNumberLongRunningOperation`. `status` and `number_status` are Graph's words."""

    id: str
    action: str
    number: str
    by: str
    created_date_time: str
    target_id: str | None = None
    category: str = "primary"
    location_id: str | None = None
    fate: Fate = Fate.SUCCEEDS
    detail: str | None = None
    is_lost: bool = False
    status: str = "notStarted"
    number_status: str = "notStarted"
    resource_location: str = field(default="")

    @property
    def is_open(self) -> bool:
        """True until the order has ended, one way or another."""
        return self.status in ("notStarted", "running")

    def document(self) -> dict[str, object]:
        """As Graph shows it."""
        return {
            "id": self.id,
            "createdDateTime": self.created_date_time,
            "status": self.status,
            "numbers": [
                {
                    "resourceLocation": self.resource_location,
                    "status": self.number_status,
                    "statusDetail": self.detail,
                }
            ],
        }


def encoded_id(*parts: str) -> str:
    """An opaque id in the style of the documentation samples: base64url without padding."""
    return base64.urlsafe_b64encode("|".join(parts).encode("utf-8")).rstrip(b"=").decode("ascii")
