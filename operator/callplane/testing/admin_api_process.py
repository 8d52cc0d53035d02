"""The real admin API process over real servers, and requests to it as they are."""

from __future__ import annotations

import http.client
import json
import urllib.parse
from dataclasses import dataclass
from typing import Any

from callplane.sandbox import components
from callplane.testing.control_plane import ThrowAwayCluster
from callplane.testing.live_world import LiveWorld, OperatorProcess


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """What the admin API answered. Names of headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class AdminApiProcess(OperatorProcess):
    """An admin API that was started. `endpoint` is its address."""

    endpoint: str = ""

    def get(
        self, path: str, token: str | None = None, *, method: str = "GET", **headers: str
    ) -> ApiAnswer:
        """Send one request as it is: nothing of the path is made plain first."""
        parts = urllib.parse.urlsplit(self.endpoint)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 0, timeout=30)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        try:
            connection.request(method, path, headers=sent)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return ApiAnswer(answer.status, found, answer.read())
        finally:
            connection.close()


def start(
    world: LiveWorld, name: str, cluster: ThrowAwayCluster | None = None, **settings: str
) -> AdminApiProcess:
    """Start one in a world, by default on its cluster. Settings are fields of `ApiSettings` as
    text.
    """
    component = components.admin_api(name=name, timeout_seconds=60, **settings)
    known = world.start(component, cluster)
    return AdminApiProcess(
        record=world.state.processes[-1],
        probes=known.url(name, "probes"),
        endpoint=known.url(name, "http"),
    )
