"""Which request is which: paths with names in braces, and what is known of each request."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from callplane.simulators.carriers.rows import AccessKey
from callplane.simulators.carriers.world import Account, CarrierWorld
from callplane.simulators.exchange import Request, Response
from callplane.simulators.faults import Effect, FaultRule


@dataclass(slots=True)
class Call:
    """An admitted request: whose account, with which key, the path's names, what goes wrong."""

    request: Request
    world: CarrierWorld
    account: Account
    key: AccessKey
    names: Mapping[str, str]
    body: dict[str, Any] = field(default_factory=dict)
    strikes: list[FaultRule] = field(default_factory=list)

    def strike(self, effect: Effect) -> FaultRule | None:
        """The rule with this effect that hits this request."""
        return next((rule for rule in self.strikes if rule.effect is effect), None)

    @property
    def who(self) -> str:
        """Author of what this request changes."""
        return self.account.id


Handler = Callable[[Call], Response]


@dataclass(frozen=True, slots=True)
class Route:
    """One request: its name in records and fault rules, its path, and what does it.

    `subject` is the name in the path that says what the request is about.
    """

    kind: str
    method: str
    path: str
    handler: Handler
    is_write: bool = False
    is_listing: bool = False
    is_open: bool = False
    """Answered without credentials."""
    subject: str = ""


class RouteTable:
    """Routes by method and path; the first that fits counts."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = tuple(routes)
        self._patterns = [(_pattern(route.path), route) for route in self.routes]

    @property
    def kinds(self) -> frozenset[str]:
        """The names of all requests."""
        return frozenset(route.kind for route in self.routes)

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]] | bool:
        """The route and the names in the path; else whether the path is known by other methods."""
        is_known = False
        for pattern, route in self._patterns:
            found = pattern.fullmatch(path)
            if found is None:
                continue
            if route.method == method:
                return route, {name: unquote(text) for name, text in found.groupdict().items()}
            is_known = True
        return is_known


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(path)))
