"""Which addresses belong to a system that we sign in to. What its answers name is followed there
and nowhere else, because the token goes with it.
"""

from __future__ import annotations

import yarl


class OwnRoot:
    """The base address of an interface, and what is below it."""

    def __init__(self, url: str) -> None:
        root = yarl.URL(url)
        self._origin = root.origin()
        self._path = root.path

    def holds(self, url: str) -> bool:
        """May the token be sent there?

        >>> OwnRoot("https://api.example.com/v1").holds("https://api.example.com/v1/people")
        True
        >>> OwnRoot("https://api.example.com/v1").holds("https://example.net/v1/people")
        False
        """
        try:
            parsed = yarl.URL(url)
            return (
                parsed.absolute
                and parsed.user is None
                and parsed.origin() == self._origin
                and parsed.raw_path.startswith(self._path + "/")
                and ".." not in parsed.raw_path.split("/")
            )
        except ValueError:
            return False
