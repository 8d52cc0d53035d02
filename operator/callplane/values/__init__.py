"""Small frozen types with total parsing, shared by every layer: numbers, spans, identities, money,
call time and periods.
"""

from __future__ import annotations

from callplane.values.e164 import E164
from callplane.values.identities import (
    ConnectionId,
    DeclaringObject,
    HolderId,
    ObjectKey,
    Platform,
)
from callplane.values.money import Money
from callplane.values.number_span import NumberSpan
from callplane.values.period import Period
from callplane.values.seconds import Seconds

__all__ = [
    "E164",
    "ConnectionId",
    "DeclaringObject",
    "HolderId",
    "Money",
    "NumberSpan",
    "ObjectKey",
    "Period",
    "Platform",
    "Seconds",
]
