"""What a carrier's folder must say about its HTTP ways; `rest_app` does the rest."""

from __future__ import annotations

import abc
import base64
import binascii
import hmac
import json
from typing import Any

from callplane.simulators.carriers.portal import Portal
from callplane.simulators.carriers.refusals import Refusal
from callplane.simulators.carriers.routing import Call, Route, RouteTable
from callplane.simulators.carriers.rows import AccessKey
from callplane.simulators.carriers.world import Account, CarrierWorld
from callplane.simulators.exchange import Request, Response


class Surface(abc.ABC):
    """Paths, credentials, bodies and errors of one carrier."""

    name: str
    api_path: str
    """Where the carrier's API begins, behind the origin."""
    routes: RouteTable

    @abc.abstractmethod
    def authenticate(self, world: CarrierWorld, request: Request) -> tuple[Account, AccessKey]:
        """Whose credentials these are. Raises Refusal."""

    @abc.abstractmethod
    def unauthorized(self) -> Refusal:
        """Credentials that are worth nothing."""

    @abc.abstractmethod
    def forbidden(self) -> Refusal:
        """A key that may read only, or another account's path."""

    @abc.abstractmethod
    def unknown_path(self, path: str, *, is_known: bool) -> Refusal:
        """No such path, or (`is_known`) not with this method."""

    @abc.abstractmethod
    def throttled(self) -> Refusal:
        """Too many calls; Retry-After is added by the application."""

    @abc.abstractmethod
    def refused(self, world: CarrierWorld, refusal: Refusal) -> Response:
        """A refusal in the carrier's own shape."""

    @abc.abstractmethod
    def subject(self, call: Call, route: Route) -> str:
        """What a request is about; numbers with plus."""

    def body(self, request: Request) -> dict[str, Any]:
        """The body as a mapping. Raises Refusal when it is none."""
        return json_body(request)

    def portal(self, world: CarrierWorld, account: Account) -> Portal:
        """The administrator of an account."""
        return Portal(world, account)


def json_body(request: Request) -> dict[str, Any]:
    """A JSON object. Raises ValueError."""
    if not request.body:
        return {}
    body = json.loads(request.body)
    if not isinstance(body, dict):
        raise ValueError("a JSON object is wanted")
    return body


def basic_credentials(request: Request) -> tuple[str, str] | None:
    """User and password of HTTP Basic, None when there are none."""
    scheme, _, encoded = request.header("authorization").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(encoded, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return None
    user, separator, password = text.partition(":")
    return (user, password) if separator else None


def key_with_secret(world: CarrierWorld, secret: str) -> tuple[Account, AccessKey] | None:
    """The account and key with this secret."""
    for account in world.accounts.values():
        for key in account.keys:
            if not key.is_revoked and hmac.compare_digest(key.secret.encode(), secret.encode()):
                return account, key
    return None


def key_with_name(account: Account, name: str, secret: str) -> AccessKey | None:
    """The key of an account with this name and secret."""
    for key in account.keys:
        if (
            key.name == name
            and not key.is_revoked
            and hmac.compare_digest(key.secret.encode(), secret.encode())
        ):
            return key
    return None
