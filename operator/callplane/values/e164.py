"""A telephone number in the form every system of ours compares by: ITU-T E.164 with a leading
plus.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from callplane.errors import mask_number

# Not \d, which takes the digits of every script.
_FORM = re.compile(r"\+[1-9][0-9]{6,14}\Z")


@dataclass(frozen=True, slots=True, order=True)
class E164:
    """`+` and 7 to 15 digits (ITU-T E.164). `str()` gives the full number, `masked` one fit for
    logs.
    """

    text: str

    def __post_init__(self) -> None:
        if not _FORM.match(self.text):
            raise ValueError(
                f"{self.text!r} is not an E.164 number: a plus and 7 to 15 digits, "
                "as in +442079460001"
            )

    def __hash__(self) -> int:
        """What a dataclass makes for itself hashes a tuple made for the purpose, and a listing of
        numbers hashes each of them again and again.
        """
        return hash(self.text)

    @classmethod
    def from_provider(cls, text: str) -> E164:
        """Read what systems send: with or without the plus, `tel:` prefix, spaces. Raises
        ValueError.
        """
        return _from_provider(text)

    @property
    def digits(self) -> int:
        """The number without its plus, as an integer, for arithmetic within a span."""
        return int(self.text[1:])

    @property
    def masked(self) -> str:
        return mask_number(self.text)

    def __str__(self) -> str:
        return self.text


@functools.lru_cache(maxsize=100_000)
def _from_provider(text: str) -> E164:
    """Listings name the same numbers again and again."""
    digits = text.removeprefix("tel:").replace(" ", "").removeprefix("+")
    return E164("+" + digits)
