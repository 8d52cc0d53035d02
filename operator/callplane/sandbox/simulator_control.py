"""Steer a simulator from another process: read what happened, act as an administrator, set faults.

For the demo, end-to-end tests and benchmarks. Blocking, and made of the standard library alone, so
that it can be used from anywhere. The endpoints are described in
`callplane.simulators.controlling` and in the module `control` of each simulator.

    control = SimulatorControl("http://127.0.0.1:4010/_simulator")
    control.portal("unassign", number="+442079460001")
    control.add_fault(effect="drop-after", kinds=["assignNumber"], times=1)
    assert control.writes() == []
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

_TIMEOUT_SECONDS = 30.0


class SimulatorRefused(Exception):
    """The simulator answered that the control request makes no sense; the text says why."""


class SimulatorControl:
    """One simulator, by the `control_url` of its ready line; `tenant` may be left out when it has
    only one.
    """

    def __init__(self, control_url: str, *, tenant: str | None = None) -> None:
        self._url = control_url.rstrip("/")
        self._tenant = tenant
        # Loopback is never reached through a proxy, whatever the environment says.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def describe(self) -> dict[str, Any]:
        """Endpoints, portal actions with their arguments, tenants."""
        return self._call("GET", "")

    def counters(self) -> dict[str, Any]:
        """`{reads, writes, committed_writes, by_kind: {kind: {outcome: count}}}`."""
        return self._call("GET", "counters")

    def requests(self, *, kind: str | None = None, since: int = 0) -> list[dict[str, Any]]:
        """At most 1,000 requests after sequence number `since`, oldest first."""
        found: list[dict[str, Any]] = self._call(
            "GET", "requests", query={"kind": kind, "since": since}
        )["requests"]
        return found

    def writes(self, *, kind: str | None = None, since: int = 0) -> list[dict[str, Any]]:
        """Every attempt to write after sequence number `since`, refused and lost ones included."""
        found: list[dict[str, Any]] = self._call(
            "GET", "writes", query={"kind": kind, "since": since}
        )["writes"]
        return found

    def changes(self, *, since: int = 0) -> list[dict[str, Any]]:
        """What really changed, by whom, oldest first."""
        found: list[dict[str, Any]] = self._call("GET", "changes", query={"since": since})[
            "changes"
        ]
        return found

    def state(self) -> dict[str, Any]:
        """The truth without lags or faults: numbers, users, deleted users, ghosts."""
        return self._call("GET", "state")

    def holder(self, number: str) -> str | None:
        """The id of whoever holds a number, None when nobody does."""
        holder: str | None = self._call("GET", f"state/{urllib.parse.quote(number)}")["holder"]
        return holder

    def user(self, name: str) -> dict[str, Any]:
        """One user by id or user principal name: `{id, numbers, policies, …}`."""
        return self._call("GET", f"state/{urllib.parse.quote(name)}")

    def forget(self) -> None:
        """Forget requests, writes and counters: the start of a measurement."""
        self._call("DELETE", "requests")

    def settings(self) -> dict[str, Any]:
        """The settings in force."""
        return self._call("GET", "settings")

    def change_settings(self, **changes: object) -> dict[str, Any]:
        """Change settings by name, such as `writes_per_second=30`. Returns all of them."""
        return self._call("PATCH", "settings", body=changes)

    def add_fault(self, **rule: object) -> int:
        """Put a fault rule in force; fields as in `callplane.simulators.faults`. Returns its id."""
        added: int = self._call("POST", "faults", body=rule)["id"]
        return added

    def faults(self) -> list[dict[str, Any]]:
        """Rules in force, with how often each matched and struck."""
        rules: list[dict[str, Any]] = self._call("GET", "faults")["faults"]
        return rules

    def clear_faults(self) -> None:
        """Take all fault rules out of force."""
        self._call("DELETE", "faults")

    def portal(self, action: str, **arguments: object) -> Any:
        """Act as the administrator; actions and arguments as in `describe()["portal"]`."""
        return self._call("POST", f"portal/{action}", body=arguments)["result"]

    def add_tenant(self, **description: object) -> str:
        """Add a tenant, described as in a seed file. Returns its id."""
        added: str = self._call("POST", "tenants", body=description)["id"]
        return added

    def set_application(self, **description: object) -> None:
        """Register an application, or put other credentials in the place of its old ones."""
        self._call("POST", "applications", body=description)

    def revoke_tokens(self) -> int:
        """Make all access tokens worthless. Returns how many there were."""
        revoked: int = self._call("POST", "tokens/revoke")["revoked"]
        return revoked

    def projected_token(self, subject: str) -> str:
        """A token for a federated credential with this subject."""
        token: str = self._call("POST", "projected-token", body={"subject": subject})["token"]
        return token

    def wait_until_ready(self, *, seconds: float = 10.0) -> None:
        """Return when the simulator answers. TimeoutError when it does not within `seconds`."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                self.describe()
            except (urllib.error.URLError, ConnectionError) as error:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{self._url} does not answer: {error}") from error
                time.sleep(0.05)
            else:
                return

    def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, object] | None = None,
        body: Mapping[str, object] | None = None,
    ) -> dict[str, Any]:
        pairs = {"tenant": self._tenant, **(query or {})}
        text = urllib.parse.urlencode({n: v for n, v in pairs.items() if v is not None})
        request = urllib.request.Request(
            f"{self._url}/{path}?{text}",
            method=method,
            data=None if body is None else json.dumps(body).encode("utf-8"),
            headers={"Content-Type": "application/json"},
        )
        try:
            with self._opener.open(request, timeout=_TIMEOUT_SECONDS) as response:
                document: dict[str, Any] = json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                raise SimulatorRefused(json.load(error)["error"]) from None
        return document
