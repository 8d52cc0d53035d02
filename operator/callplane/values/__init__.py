"""Small frozen types with total parsing, shared by every layer: numbers, spans, identities."""

from __future__ import annotations

from callplane.values.e164 import E164
from callplane.values.identities import (
    ConnectionId,
    DeclaringObject,
    HolderId,
    ObjectKey,
    Platform,
)
from callplane.values.number_span import NumberSpan

__all__ = [
    "E164",
    "ConnectionId",
    "DeclaringObject",
    "HolderId",
    "NumberSpan",
    "ObjectKey",
    "Platform",
]
