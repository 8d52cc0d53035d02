"""Manifests of a Webex organisation beside an `Estate`, for tests on a real API server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from callplane.apis.model import API_VERSION
from callplane.simulators.webex.seeding import (
    DEFAULT_CLIENT_ID,
    DEFAULT_LOCATION,
    DEFAULT_ORGANISATION_ID,
    DEFAULT_REFRESH_TOKEN,
    DEFAULT_SECRET,
)
from callplane.testing.estates import Estate, Manifest

WEBEX = "webex"


def organization(estate: Estate, api: str, **spec: Any) -> list[Manifest]:
    """The connection and its Secret; `api` is where the simulated organisation is."""
    content = {"client-secret": DEFAULT_SECRET, "refresh-token": DEFAULT_REFRESH_TOKEN}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": WEBEX, "namespace": estate.platform},
        "stringData": content,
    }
    app = {
        "clientId": DEFAULT_CLIENT_ID,
        "clientSecretRef": {"name": WEBEX, "key": "client-secret"},
        "refreshTokenRef": {"name": WEBEX, "key": "refresh-token"},
    }
    merged = {
        "orgId": DEFAULT_ORGANISATION_ID,
        "credentials": {"serviceApp": app},
        "endpoint": {"api": api},
        "writesPerSecond": 50,
        "driftInterval": "10s",
        "changeLimits": {"settle": "1s"},
        "allowedNamespaces": [{"name": estate.team}],
        **spec,
    }
    return [secret, _manifest("WebexOrganization", WEBEX, estate.platform, merged)]


def webex_user(
    estate: Estate, name: str, email: str, number: Mapping[str, Any], **spec: Any
) -> Manifest:
    """Somebody of the organisation, with what `phoneNumber` is to say."""
    merged = {
        "organizationRef": {"name": WEBEX, "namespace": estate.platform},
        "email": email,
        "location": DEFAULT_LOCATION,
        "phoneNumber": dict(number),
        **spec,
    }
    return _manifest("WebexUser", name, estate.team, merged)


def _manifest(kind: str, name: str, namespace: str, spec: dict[str, Any]) -> Manifest:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}
