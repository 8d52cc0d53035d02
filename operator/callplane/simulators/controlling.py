"""The way in for other processes that every simulator shares: records, settings, faults, portal.

    GET    /_simulator                      this list
    GET    /_simulator/counters             [?tenant=]  reads, writes, committed writes, by kind
    GET    /_simulator/requests             [?tenant=&kind=&since=&limit=]  oldest first
    DELETE /_simulator/requests             forget requests, writes and counters
    GET    /_simulator/writes               [?tenant=&kind=&since=]  every attempt to write
    GET    /_simulator/changes              [?tenant=&since=]  what really changed, by whom
    GET    /_simulator/settings             [?tenant=]
    PATCH  /_simulator/settings             [?tenant=]  {name: value}
    GET    /_simulator/faults               rules in force, how often each matched and struck
    POST   /_simulator/faults               one rule; answers {"id": …}
    DELETE /_simulator/faults[/{id}]        one, or all
    POST   /_simulator/portal/{action}      [?tenant=]  arguments as JSON; actions as in `Portal`

A world adds its own endpoints (its state above all) in its module `control`. No authentication: a
simulator listens on loopback only. Mistakes are answered 400 with a reason.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
from collections.abc import Callable, Collection
from typing import Protocol

from callplane.simulators.exchange import Request, Response, json_response
from callplane.simulators.faults import Effect, FaultScript, rule_from
from callplane.simulators.recording import ChangeLog, Recorder

PREFIX = "/_simulator"

Handler = Callable[[Request, str], object]
"""Takes a request and what follows the endpoint's name in its path; answers with JSON."""


class Settings(Protocol):
    """What a world or realm is like."""

    def document(self) -> dict[str, object]:
        """As JSON."""


class Realm(Protocol):
    """A tenant, an organisation, an account: whatever a world has several of."""

    @property
    def id(self) -> str:
        """How records name it."""

    @property
    def settings(self) -> Settings:
        """What it is like."""

    @property
    def changes(self) -> ChangeLog:
        """What changed in it."""

    def advance(self) -> float:
        """Let everything happen that is due."""


class ControlledWorld(Protocol):
    """What the shared endpoints need of a world."""

    @property
    def settings(self) -> Settings:
        """What its realms are like unless they say otherwise."""

    @property
    def recorder(self) -> Recorder:
        """What it was asked."""

    @property
    def faults(self) -> FaultScript:
        """What goes wrong in it."""

    def realm(self, key: str | None = None) -> Realm:
        """One of its realms by id or name, or its only one. ValueError otherwise."""

    def realm_ids(self) -> list[str]:
        """The ids of all."""

    def portal(self, key: str | None = None) -> object:
        """The administrator of a realm; its public methods are the actions."""

    def change_settings(self, changes: dict[str, object], key: str | None = None) -> None:
        """Change settings of one realm, or of the world and all its realms."""


class ControlDesk:
    """Answers control requests about one world. `fault_kinds` are the names of its requests."""

    def __init__(
        self, world: ControlledWorld, *, fault_kinds: Collection[str], endpoints: str
    ) -> None:
        self._world = world
        self._fault_kinds = fault_kinds
        self._endpoints = endpoints
        self._handlers: dict[tuple[str, str], Handler] = {
            ("GET", ""): self._help,
            ("GET", "counters"): self._counters,
            ("GET", "requests"): self._requests,
            ("DELETE", "requests"): self._forget,
            ("GET", "writes"): self._writes,
            ("GET", "changes"): self._changes,
            ("GET", "settings"): self._settings,
            ("PATCH", "settings"): self._change_settings,
            ("GET", "faults"): self._faults,
            ("POST", "faults"): self._add_fault,
            ("DELETE", "faults"): self._remove_faults,
            ("POST", "portal"): self._portal,
        }

    def add(self, method: str, name: str, handler: Handler) -> None:
        """Answer `/_simulator/{name}` with a handler of the world's own."""
        self._handlers[method, name] = handler

    def answer(self, request: Request) -> Response:
        """Do what a control request asks."""
        name, _, rest = request.path.removeprefix(PREFIX).strip("/").partition("/")
        handler = self._handlers.get((request.method, name))
        if handler is None:
            return json_response(
                {"error": f"no {request.method} {request.path}", "help": PREFIX}, status=404
            )
        try:
            return json_response(handler(request, rest))
        except (ValueError, KeyError, TypeError) as error:
            return json_response({"error": str(error)}, status=400)

    def realm_id(self, request: Request) -> str | None:
        """The id of the realm a request names, None when it names none."""
        key = request.query.get("tenant")
        return self._world.realm(key).id if key is not None else None

    def _help(self, request: Request, rest: str) -> object:
        portal = type(self._world.portal(self._world.realm_ids()[0])) if self._any() else None
        actions = {
            name: str(inspect.signature(method)).replace("(self, ", "(").partition(" ->")[0]
            for name, method in inspect.getmembers(portal, inspect.isfunction)
            if not name.startswith("_")
        }
        lines = f"{__doc__ or ''}\n{self._endpoints}".splitlines()
        return {
            "endpoints": [line.strip() for line in lines if line.startswith("    ")],
            "portal": actions,
            "fault_kinds": ["*", "reads", "writes", "token", *sorted(self._fault_kinds)],
            "fault_effects": [effect.value for effect in Effect],
            "tenants": self._world.realm_ids(),
        }

    def _any(self) -> bool:
        return bool(self._world.realm_ids())

    def _counters(self, request: Request, rest: str) -> object:
        return self._world.recorder.counters(self.realm_id(request))

    def _requests(self, request: Request, rest: str) -> object:
        entries = self._world.recorder.requests(
            since=_whole(request, "since", 0),
            kind=request.query.get("kind"),
            tenant=self.realm_id(request),
        )
        limit = _whole(request, "limit", 1000)
        return {"requests": [entry.document() for entry in entries[:limit]]}

    def _forget(self, request: Request, rest: str) -> object:
        self._world.recorder.clear()
        return {}

    def _writes(self, request: Request, rest: str) -> object:
        entries = self._world.recorder.writes(
            since=_whole(request, "since", 0),
            kind=request.query.get("kind"),
            tenant=self.realm_id(request),
        )
        return {"writes": [entry.document() for entry in entries]}

    def _changes(self, request: Request, rest: str) -> object:
        realm = self._world.realm(request.query.get("tenant"))
        realm.advance()
        since = _whole(request, "since", 0)
        return {"changes": [dataclasses.asdict(each) for each in realm.changes.changes[since:]]}

    def _settings(self, request: Request, rest: str) -> object:
        key = request.query.get("tenant")
        settings = self._world.settings if key is None else self._world.realm(key).settings
        return settings.document()

    def _change_settings(self, request: Request, rest: str) -> object:
        self._world.change_settings(body_of(request), request.query.get("tenant"))
        return self._settings(request, rest)

    def _faults(self, request: Request, rest: str) -> object:
        return {"faults": self._world.faults.documents()}

    def _add_fault(self, request: Request, rest: str) -> object:
        return {"id": self._world.faults.add(rule_from(body_of(request), "fault"))}

    def _remove_faults(self, request: Request, rest: str) -> object:
        if not rest:
            self._world.faults.clear()
        elif not rest.isdigit() or not self._world.faults.remove(int(rest)):
            raise ValueError(f"no fault {rest!r}")
        return {}

    def _portal(self, request: Request, rest: str) -> object:
        portal = self._world.portal(request.query.get("tenant"))
        if rest.startswith("_") or not inspect.ismethod(action := getattr(portal, rest, None)):
            raise ValueError(f"no portal action {rest!r}; GET {PREFIX} lists them")
        arguments = body_of(request)
        try:
            inspect.signature(action).bind(**arguments)
        except TypeError as error:
            raise ValueError(f"portal action {rest!r}: {error}") from None
        return {"result": action(**arguments)}


def body_of(request: Request) -> dict[str, object]:
    """The JSON object of a control request, empty when there is none."""
    if not request.body:
        return {}
    body = json.loads(request.body)
    if not isinstance(body, dict):
        raise ValueError("a JSON object is wanted")
    return body


def _whole(request: Request, name: str, default: int) -> int:
    return int(request.query.get(name, default))
