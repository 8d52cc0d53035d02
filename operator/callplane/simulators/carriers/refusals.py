"""How a carrier says no, before it is put into the carrier's own words and shape."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class Refusal(Exception):
    """An answer that is an error. `code` is the carrier's own, `field` what it is about."""

    status: int
    code: str
    message: str
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    field: str = ""

    def __str__(self) -> str:
        return f"{self.status} {self.code}: {self.message}"
