"""What really happened, as plain JSON for the auditor, in the order in which it happened.

Times are ISO instants in UTC. Nothing is summed up here, so that a mistake of ours cannot make a
mistake of the books look right.
"""

from __future__ import annotations

import dataclasses
import json
from contextvars import ContextVar
from datetime import date, datetime
from enum import Enum
from pathlib import Path
from typing import Any

Fact = dict[str, Any]

#: The call on whose behalf something is asked, where it is one.
attempt_in_hand: ContextVar[str] = ContextVar("attempt_in_hand", default="")


class Journal:
    """`facts` in their order; each has a kind and a place in that order."""

    def __init__(self, head: Fact) -> None:
        self.head = head
        self.facts: list[Fact] = []

    def note(self, kind: str, at: datetime, **values: Any) -> None:
        """Write a fact down as it is now; what is changed later does not change it."""
        plain_values = {name: plain(value) for name, value in values.items()}
        self.facts.append({"kind": kind, "at": plain(at), **plain_values})

    def save(self, path: Path) -> None:
        with path.open("w", encoding="ascii") as file:
            file.write(json.dumps(self.head) + "\n")
            file.writelines(json.dumps(fact) + "\n" for fact in self.facts)


def plain(value: Any) -> Any:
    """A value as JSON has it: dataclasses as objects, instants and days as text."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime | date):
        return value.isoformat()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(one) for one in value]
    return value
