"""The digest by which a phone proves itself (RFC 3261, section 22.4; RFC 2617, section 3.2.2.2)."""

from __future__ import annotations

import hashlib


def digest_of(user: str, realm: str, password: str) -> str:
    """MD5 of `user:realm:password` in hexadecimal, as the registrar keeps it. SIP's digest is MD5;
    what it makes up for a weak password is nothing.

    >>> digest_of("bob", "sip.callplane.example", "a sample password")
    'a96dea48586f46debe214ffd1e95bec0'
    """
    content = f"{user}:{realm}:{password}".encode()
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
