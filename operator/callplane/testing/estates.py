"""A tenant of its own for a test, and the manifests that describe it as a platform team would.

Numbers are unique over all tenants of an installation, so each estate takes its own stretch of the
drama blocks; `live_world` hands the stretches out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from callplane.clock import SystemClock
from callplane.sandbox.control_plane import ADMINISTRATOR
from callplane.sandbox.simulator_control import SimulatorControl
from callplane.values import E164

API_VERSION = "callplane.dev/v1alpha1"
CLIENT_ID = "c11e0000-0000-4000-8000-000000000001"
SECRET = "simulated-secret"
TENANT = "main"
RANGE = "numbers"
Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a simulated Graph is, and the authority its token service is trusted by."""

    graph: str
    authority: str
    ca_bundle: str

    def spec(self) -> dict[str, str]:
        """`spec.endpoint` of a TeamsTenant."""
        return {"graph": self.graph, "authority": self.authority, "caBundle": self.ca_bundle}


@dataclass(frozen=True, slots=True)
class Estate:
    """One simulated tenant with `users` people (user00001@domain and on) and `numbers` numbers.

    `platform` is the namespace of its connection and range, `team` that of its people; neither
    exists until its manifest is applied.
    """

    tenant_id: str
    domain: str
    first: E164
    numbers: int
    users: int
    platform: str
    team: str
    endpoint: Endpoint
    control: SimulatorControl

    # What a platform team writes

    def namespaces(self) -> list[Manifest]:
        """Both namespaces; the team's carries the label that the range admits."""
        return [
            _manifest("v1", "Namespace", {"name": self.platform}),
            self.namespace(self.team),
        ]

    def namespace(self, name: str) -> Manifest:
        """A namespace for people, with the label that the range admits."""
        return _manifest("v1", "Namespace", {"name": name, "labels": {"team": self.team}})

    def secret(self, value: str = SECRET) -> Manifest:
        """The client secret."""
        metadata = {"name": "graph", "namespace": self.platform}
        return _manifest("v1", "Secret", metadata) | {"stringData": {"secret": value}}

    def tenant(self, name: str = TENANT, **spec: Any) -> Manifest:
        """The connection: quick, and settling at once, unless told otherwise."""
        whole = {
            "tenantId": self.tenant_id,
            "credentials": {
                "clientSecret": {
                    "clientId": CLIENT_ID,
                    "secretRef": {"name": "graph", "key": "secret"},
                }
            },
            "endpoint": self.endpoint.spec(),
            "writesPerSecond": 50,
            "readsPerSecond": 100,
            "driftReadsPerSecond": 50,
            "maxInFlight": 16,
            "driftInterval": "30s",
            "changeLimits": {"settle": "1s"},
            "allowedNamespaces": [{"name": self.team}],
        }
        metadata = {"name": name, "namespace": self.platform}
        return _manifest(API_VERSION, "TeamsTenant", metadata) | {"spec": whole | spec}

    def range(self, name: str = RANGE, **spec: Any) -> Manifest:
        """All numbers of the estate, for the team."""
        whole = {
            "first": self.number(0),
            "last": self.number(self.numbers - 1),
            "route": "DirectRouting",
            "allowedNamespaces": [{"selector": {"matchLabels": {"team": self.team}}}],
        }
        metadata = {"name": name, "namespace": self.platform}
        return _manifest(API_VERSION, "NumberRange", metadata) | {"spec": whole | spec}

    def user(self, index: int, *, name: str = "", namespace: str = "", **spec: Any) -> Manifest:
        """A TeamsUser for person `index` (from 1) with some number of the range.

        A field of `spec` that is None is left out.
        """
        whole: dict[str, Any] = {
            "tenantRef": {"name": TENANT, "namespace": self.platform},
            "userPrincipalName": self.principal(index),
            "phoneNumber": {"rangeRef": {"name": RANGE, "namespace": self.platform}},
        }
        whole |= spec
        metadata = {"name": name or f"user-{index}", "namespace": namespace or self.team}
        kept = {key: value for key, value in whole.items() if value is not None}
        return _manifest(API_VERSION, "TeamsUser", metadata) | {"spec": kept}

    def base(self, **tenant: Any) -> list[Manifest]:
        """Namespaces, Secret, connection and range."""
        return [*self.namespaces(), self.secret(), self.tenant(**tenant), self.range()]

    def people(self, count: int) -> list[Manifest]:
        """The first `count` people."""
        return [self.user(index) for index in range(1, count + 1)]

    def approval(self, name: str, *, decision: str, **about: Any) -> Manifest:
        """A ChangeApproval of an hour in the connection's namespace; `about` is digest= or
        changeIds=.
        """
        expires_at = SystemClock().now() + timedelta(hours=1)
        spec = {
            "connectionRef": {"kind": "TeamsTenant", "name": TENANT},
            "decision": decision,
            "approvedBy": ADMINISTRATOR,
            "expiresAt": expires_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "reason": "asked for by a test",
            **about,
        }
        metadata = {"name": name, "namespace": self.platform}
        return _manifest(API_VERSION, "ChangeApproval", metadata) | {"spec": spec}

    # Names

    def number(self, offset: int) -> str:
        """The number at an offset from the first."""
        return f"+{int(self.first.text[1:]) + offset}"

    def principal(self, index: int) -> str:
        """The user principal name of person `index`, from 1."""
        return f"user{index:05d}@{self.domain}"

    # What the tenant itself shows

    def number_of(self, index: int) -> str | None:
        """The number person `index` really has."""
        numbers: list[str] = self.control.user(self.principal(index))["numbers"]
        return numbers[0] if numbers else None

    def assigned(self) -> dict[str, str]:
        """Every number somebody has, and the id of who has it."""
        numbers: dict[str, dict[str, Any]] = self.control.state()["numbers"]
        return {number: row["holder"] for number, row in numbers.items() if row["holder"]}

    def writes(self) -> list[str]:
        """The kinds of all attempts to write so far, in order."""
        return [entry["kind"] for entry in self.control.writes()]

    def listings(self) -> int:
        """How many pages of its people's configurations the tenant has listed."""
        kinds: dict[str, dict[str, int]] = self.control.counters()["by_kind"]
        return sum(kinds.get("listUserConfigurations", {}).values())

    def mark(self) -> int:
        """Where the record of writes stands now; see `writes_since`."""
        seen = self.control.writes()
        return int(seen[-1]["sequence"]) if seen else 0

    def writes_since(self, mark: int) -> list[str]:
        """The kinds of attempts to write after a `mark`."""
        return [entry["kind"] for entry in self.control.writes(since=mark)]


def _manifest(api_version: str, kind: str, metadata: dict[str, Any]) -> Manifest:
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}
