"""The way in for other processes: read what happened, act as the administrator, set faults.

The same as for the other worlds, so that one client steers them all; `tenant` is an account here.

    GET    /_simulator                      this list
    GET    /_simulator/counters             [?tenant=]  reads, writes, committed writes, by kind
    GET    /_simulator/requests             [?tenant=&kind=&since=&limit=]  oldest first
    DELETE /_simulator/requests             forget requests, writes and counters
    GET    /_simulator/writes               [?tenant=&kind=&since=]  every attempt to write
    GET    /_simulator/changes              [?since=]  what really changed, by whom
    GET    /_simulator/charges              [?tenant=]  money taken, in hundredths
    GET    /_simulator/state                [?tenant=]  owned numbers, orders, ports, balance
    GET    /_simulator/state/{number}       one number, whoever has it
    GET    /_simulator/settings
    PATCH  /_simulator/settings             {name: value}
    GET    /_simulator/faults               rules in force, how often each matched and struck
    POST   /_simulator/faults               one rule; answers {"id": …}
    DELETE /_simulator/faults[/{id}]        one, or all
    POST   /_simulator/portal/{action}      [?tenant=]  arguments as JSON; actions as in `Portal`
    POST   /_simulator/tenants              an account description, as in a seed file

No authentication: a simulator listens on loopback only. Mistakes are answered 400 with a reason.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Final
from urllib.parse import unquote

from callplane.simulators.carriers.rows import NumberRow
from callplane.simulators.carriers.seeding import account_seed_from
from callplane.simulators.carriers.surface import Surface, json_body
from callplane.simulators.carriers.world import Account, CarrierWorld
from callplane.simulators.exchange import Request, Response, json_response
from callplane.simulators.faults import Effect, rule_from

CONTROL_PREFIX: Final = "/_simulator"


class Control:
    """Answers control requests about one carrier."""

    def __init__(self, world: CarrierWorld, surface: Surface) -> None:
        self._world = world
        self._surface = surface
        self._handlers: dict[tuple[str, str], Callable[[Request, str], object]] = {
            ("GET", ""): self._help,
            ("GET", "counters"): self._counters,
            ("GET", "requests"): self._requests,
            ("DELETE", "requests"): self._forget,
            ("GET", "writes"): self._writes,
            ("GET", "changes"): self._changes,
            ("GET", "charges"): self._charges,
            ("GET", "state"): self._state,
            ("GET", "settings"): self._settings,
            ("PATCH", "settings"): self._change_settings,
            ("GET", "faults"): self._faults,
            ("POST", "faults"): self._add_fault,
            ("DELETE", "faults"): self._remove_faults,
            ("POST", "portal"): self._portal,
            ("POST", "tenants"): self._add_account,
        }

    def answer(self, request: Request) -> Response:
        """Do what a control request asks."""
        name, _, rest = request.path.removeprefix(CONTROL_PREFIX).strip("/").partition("/")
        handler = self._handlers.get((request.method, name))
        if handler is None:
            return json_response(
                {"error": f"no {request.method} {request.path}", "help": CONTROL_PREFIX},
                status=404,
            )
        try:
            self._world.advance()
            return json_response(handler(request, unquote(rest)))
        except (ValueError, KeyError, TypeError) as error:
            return json_response({"error": str(error)}, status=400)

    def _help(self, request: Request, rest: str) -> object:
        portal = type(self._surface.portal(self._world, next(iter(self._world.accounts.values()))))
        actions = {
            name: str(inspect.signature(method)).replace("(self, ", "(").partition(" ->")[0]
            for name, method in inspect.getmembers(portal, inspect.isfunction)
            if not name.startswith("_")
        }
        endpoints = [
            line.strip() for line in (__doc__ or "").splitlines() if CONTROL_PREFIX in line
        ]
        return {
            "endpoints": endpoints,
            "portal": actions,
            "fault_kinds": ["*", "reads", "writes", *sorted(self._surface.routes.kinds)],
            "fault_effects": [effect.value for effect in Effect],
            "tenants": list(self._world.accounts),
        }

    def _counters(self, request: Request, rest: str) -> object:
        return self._world.recorder.counters(request.query.get("tenant"))

    def _requests(self, request: Request, rest: str) -> object:
        entries = self._world.recorder.requests(
            since=_whole(request, "since", 0),
            kind=request.query.get("kind"),
            tenant=request.query.get("tenant"),
        )
        return {"requests": [each.document() for each in entries[: _whole(request, "limit", 1000)]]}

    def _forget(self, request: Request, rest: str) -> object:
        self._world.recorder.clear()
        return {}

    def _writes(self, request: Request, rest: str) -> object:
        entries = self._world.recorder.writes(
            since=_whole(request, "since", 0),
            kind=request.query.get("kind"),
            tenant=request.query.get("tenant"),
        )
        return {"writes": [entry.document() for entry in entries]}

    def _changes(self, request: Request, rest: str) -> object:
        changes = self._world.changes.changes[_whole(request, "since", 0) :]
        return {"changes": [_fields(change) for change in changes]}

    def _charges(self, request: Request, rest: str) -> object:
        return {"charges": [_fields(charge) for charge in self._account(request).charges]}

    def _state(self, request: Request, rest: str) -> object:
        if not rest:
            return state_of(self._world, self._account(request))
        row = self._world.stock.get(rest if rest.startswith("+") else f"+{rest.strip()}")
        if row is None:
            raise ValueError(f"no number {rest!r}")
        return number_state(row)

    def _settings(self, request: Request, rest: str) -> object:
        return self._world.settings.document()

    def _change_settings(self, request: Request, rest: str) -> object:
        self._world.settings.change(json_body(request))
        return self._settings(request, rest)

    def _faults(self, request: Request, rest: str) -> object:
        return {"faults": self._world.faults.documents()}

    def _add_fault(self, request: Request, rest: str) -> object:
        return {"id": self._world.faults.add(rule_from(json_body(request), "fault"))}

    def _remove_faults(self, request: Request, rest: str) -> object:
        if not rest:
            self._world.faults.clear()
        elif not rest.isdigit() or not self._world.faults.remove(int(rest)):
            raise ValueError(f"no fault {rest!r}")
        return {}

    def _portal(self, request: Request, rest: str) -> object:
        portal = self._surface.portal(self._world, self._account(request))
        if rest.startswith("_") or not inspect.ismethod(action := getattr(portal, rest, None)):
            raise ValueError(f"no portal action {rest!r}; GET {CONTROL_PREFIX} lists them")
        arguments = json_body(request)
        try:
            inspect.signature(action).bind(**arguments)
        except TypeError as error:
            raise ValueError(f"portal action {rest!r}: {error}") from None
        return {"result": action(**arguments)}

    def _add_account(self, request: Request, rest: str) -> object:
        return {"id": self._world.add_account(account_seed_from(json_body(request))).id}

    def _account(self, request: Request) -> Account:
        return self._world.account(request.query.get("tenant"))


def state_of(world: CarrierWorld, account: Account) -> dict[str, object]:
    """The truth about an account, without lags or faults: what an auditor compares with."""
    return {
        "balance_minor": account.balance_minor,
        "numbers": {row.e164: number_state(row) for row in world.owned(account)},
        "orders": [
            {
                "id": order.id,
                "reference": order.reference,
                "status": order.status,
                "numbers": [number.e164 for number in order.numbers],
            }
            for order in account.orders.values()
        ],
        "ports": [
            {"id": port.id, "status": port.status, "numbers": list(port.numbers)}
            for port in account.ports.values()
        ],
    }


def number_state(row: NumberRow) -> dict[str, object]:
    """One number as it is; `holder` is the account that owns it."""
    return {
        "holder": row.owner,
        "id": row.id,
        "state": row.state,
        "monthly_minor": row.monthly_minor,
        "attributes": dict(row.attributes),
    }


def _fields(row: object) -> dict[str, object]:
    return {
        each.name: getattr(row, each.name)
        for each in dataclasses.fields(row)  # type: ignore[arg-type]
    }


def _whole(request: Request, name: str, default: int) -> int:
    return int(request.query.get(name, default))
