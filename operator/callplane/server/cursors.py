"""Places where pages end, sealed: a page of masked numbers ends with a number.

AES-SIV (RFC 5297) makes the same cursor of the same place and finds every change. A cursor belongs
to its question: path and filters are sealed in, so that it opens nothing else.
"""

from __future__ import annotations

import base64
import binascii
import json

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from callplane.store.admin_ports import Place

LENGTH_MAX = 1024


def seal(place: Place | None, key: bytes, question: str) -> str | None:
    """The cursor of a place, fit for a URL; None where there is no further page."""
    if place is None:
        return None
    content = json.dumps(place, separators=(",", ":")).encode()
    # A place of another length would show: SIV hides content, not its size.
    padded = content.ljust(-(-len(content) // 64) * 64)
    sealed = AESSIV(key).encrypt(padded, [question.encode()])
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")


def opened(cursor: str, key: bytes, question: str) -> Place:
    """The place behind a cursor. Raises ValueError for one that was not made for this question."""
    if len(cursor) > LENGTH_MAX:
        raise ValueError("a cursor is not that long")
    try:
        sealed = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        content = AESSIV(key).decrypt(sealed, [question.encode()])
    except (InvalidTag, binascii.Error, ValueError):
        raise ValueError("the cursor is not one of this list") from None
    return tuple(json.loads(content))
