"""Digest credentials of a phone, as RFC 2617 computes them; for tests of the registrar."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Credentials:
    """A phone's user and password in a realm."""

    user: str
    realm: str
    password: str

    @property
    def digest(self) -> str:
        """What an SBC keeps in place of the password."""
        return _md5(f"{self.user}:{self.realm}:{self.password}")

    def answer(self, challenge: str, method: str, uri: str) -> str:
        """The value of an Authorization header for a challenge."""
        fields = dict(re.findall(r'(\w+)="?([^",]+)"?', challenge))
        nonce = fields["nonce"]
        asked = _md5(f"{method}:{uri}")
        response = _md5(f"{self.digest}:{nonce}:{asked}")
        return (
            f'Digest username="{self.user}", realm="{self.realm}", nonce="{nonce}", '
            f'uri="{uri}", response="{response}", algorithm=MD5'
        )


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
