"""Service apps and their tokens: who may ask, for how long, and when an administrator must act.

A service app belongs to one organisation, is authorised there by an administrator, and lives on its
refresh token. Lifetimes are settings, because the vendor publishes none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from callplane.clock import Clock
from callplane.simulators.webex import refusals
from callplane.simulators.webex.refusals import Refusal
from callplane.simulators.webex.settings import WorldSettings

PREFIX = "spark-admin:"
ALL_SCOPES = frozenset(
    PREFIX + name
    for name in (
        "people_read",
        "people_write",
        "licenses_read",
        "organizations_read",
        "telephony_config_read",
        "telephony_config_write",
        "telephony_pstn_read",
        "telephony_pstn_write",
        "locations_read",
        "locations_write",
        "calling_cdr_read",
    )
)


SettingsOf = Callable[[str], WorldSettings]
"""What an organisation, by id, is like."""


@dataclass(slots=True)
class ServiceApp:
    """A service app as an organisation authorised it. `expires_at`: when each refresh token ends,
    in seconds of the world's monotonic clock.
    """

    organisation_id: str
    client_id: str
    client_secret: str
    refresh_token: str
    scopes: frozenset[str] = ALL_SCOPES
    expires_at: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Token:
    """What an access token stands for."""

    app: ServiceApp
    expires_at: float


class TokenService:
    """Service apps of all organisations and the access tokens they hold."""

    def __init__(self, clock: Clock, *, seed: int = 0) -> None:
        self._clock = clock
        self._seed = seed
        self._issued = 0
        self._apps: dict[str, ServiceApp] = {}
        self._tokens: dict[str, Token] = {}

    def authorise(self, app: ServiceApp, lifetime_seconds: float) -> None:
        """Let an app in, or let it in anew: its refresh token lives from now."""
        app.expires_at = {app.refresh_token: self._clock.monotonic() + lifetime_seconds}
        self._apps[app.client_id] = app

    def app(self, client_id: str) -> ServiceApp:
        """An authorised app. KeyError when there is none."""
        return self._apps[client_id]

    def organisation_id(self, client_id: str) -> str | None:
        """Where an app is authorised, None when it is nowhere."""
        app = self._apps.get(client_id)
        return app.organisation_id if app is not None else None

    def apps(self, organisation_id: str) -> list[ServiceApp]:
        """The apps of an organisation."""
        return [app for app in self._apps.values() if app.organisation_id == organisation_id]

    def withdraw(self, client_id: str) -> None:
        """Take the authorisation back: every token of the app is worthless. KeyError if unknown."""
        app = self._apps[client_id]
        app.expires_at.clear()
        self._tokens = {text: token for text, token in self._tokens.items() if token.app is not app}

    def revoke_all(self, organisation_id: str | None = None) -> int:
        """Make all access tokens (of one organisation) worthless at once. Returns how many."""
        revoked = [
            text
            for text, token in self._tokens.items()
            if organisation_id in (None, token.app.organisation_id)
        ]
        for text in revoked:
            del self._tokens[text]
        return len(revoked)

    def refresh(self, form: Mapping[str, str], settings_of: SettingsOf) -> dict[str, object]:
        """An access token for a form of the refresh grant. Raises Refusal."""
        grant = form.get("grant_type")
        if grant != "refresh_token":
            raise refusals.bad_request(f"grant_type {grant!r} is not for a service app")
        app = self._apps.get(form.get("client_id", ""))
        if app is None or form.get("client_secret") != app.client_secret:
            raise refusals.unauthorized("The client_id or client_secret is invalid.")
        now = self._clock.monotonic()
        refresh_token = form.get("refresh_token", "")
        expires_at = app.expires_at.get(refresh_token)
        if expires_at is None or expires_at <= now:
            raise refusals.bad_request("The request requires a valid refresh token.")
        settings = settings_of(app.organisation_id)
        if settings.refresh_rotates:
            del app.expires_at[refresh_token]
            refresh_token = self._text("refresh", app)
        if settings.refresh_extends or settings.refresh_rotates:
            expires_at = now + settings.refresh_token_seconds
        app.expires_at[refresh_token] = expires_at
        self._tokens = {text: token for text, token in self._tokens.items() if _lives(token, now)}
        access_token = self._text("access", app)
        self._tokens[access_token] = Token(app, now + settings.token_seconds)
        return {
            "access_token": access_token,
            "expires_in": int(settings.token_seconds),
            "refresh_token": refresh_token,
            "refresh_token_expires_in": int(expires_at - now),
            "token_type": "Bearer",
        }

    def authenticate(self, authorization: bytes, now: float) -> Token:
        """The token of an Authorization header. Raises Refusal (401)."""
        text = authorization[7:].decode("latin-1") if authorization[:7] == b"Bearer " else ""
        token = self._tokens.get(text)
        if token is None or not _lives(token, now):
            raise expired()
        return token

    def _text(self, what: str, app: ServiceApp) -> str:
        self._issued += 1
        parts = f"{self._seed}/{app.client_id}/{what}/{self._issued}"
        return hashlib.blake2b(parts.encode("utf-8"), digest_size=32).hexdigest()


def expired() -> Refusal:
    """The access token has run out, or nobody ever gave it."""
    return refusals.unauthorized("The access token is expired or invalid.")


def _lives(token: Token, now: float) -> bool:
    return token.expires_at > now
