"""Names for what an import writes: short where they are nobody else's, and always the same."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from callplane.apis.model import Resource

_NO_NAME = re.compile(r"[^a-z0-9]+")
_NAME_LENGTH_MAX = 200


def slug(text: str) -> str:
    """Lower-case letters and digits with dashes between them; empty where there are none."""
    return _NO_NAME.sub("-", text.lower())[:_NAME_LENGTH_MAX].strip("-")


class Names:
    """Names that are taken, by kind and namespace."""

    def __init__(self, known: Iterable[Resource]) -> None:
        self._taken: dict[tuple[str, str], set[str]] = defaultdict(set)
        for each in known:
            self._taken[each.kind, each.namespace].add(each.name)

    def is_taken(self, kind: str, namespace: str, name: str) -> bool:
        return name in self._taken[kind, namespace]

    def take(self, kind: str, namespace: str, wanted: str) -> str:
        """The wanted name, or with the first number behind it that makes it one of its own."""
        taken = self._taken[kind, namespace]
        name, count = wanted, 1
        while name in taken:
            count += 1
            name = f"{wanted}-{count}"
        taken.add(name)
        return name
