"""Ids and numbers that belong to nobody: the same for the same parts, and free for drama."""

from __future__ import annotations

import hashlib

DRAMA_BLOCKS = (
    "+442079460000", "+441614960000", "+441134960000", "+441144960000", "+441164960000",
    "+441174960000", "+441184960000", "+441214960000", "+441314960000", "+441414960000",
    "+441514960000", "+441914980000", "+442896496000", "+442920180000",
)  # fmt: skip
"""Blocks of 1,000 geographic numbers that Ofcom keeps free for drama."""


def derive_guid(*parts: object) -> str:
    """A version 4 GUID that is always the same for the same parts."""
    digest = hashlib.blake2b("/".join(map(str, parts)).encode("utf-8"), digest_size=16).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-8{digest[17:20]}-{digest[20:]}"
