"""Access tokens of a service app: its refresh token is spent again and again, until it ends.

A service app is authorised once by an administrator and lives on its refresh token, whose life
begins anew with each use. How long that is, is not published; the answer says it, and so it is
shown and warned of. Where the service hands out another refresh token, that one is used from then
on as long as this process lives; whoever stores the Secret has to store it there.
"""

from __future__ import annotations

import logging
import urllib.parse
from dataclasses import dataclass
from datetime import datetime, timedelta

from callplane.clock import Clock
from callplane.errors import scrub
from callplane.providers.protocol import AuthenticationFailed, Unavailable
from callplane.providers.tokens import Grant
from callplane.providers.transport import Answer, Request, Transport
from callplane.providers.webex import paths
from callplane.providers.webex.refusals import describe, said_by

log = logging.getLogger(__name__)

_FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
# What an OAuth token service answers when the credentials themselves are wrong or at an end.
_REFUSED = frozenset({400, 401, 403})


@dataclass(frozen=True, slots=True)
class ServiceApp:
    """Who signs in, and with what it was authorised."""

    client_id: str
    client_secret: str
    refresh_token: str

    def __repr__(self) -> str:
        return f"ServiceApp(client_id={self.client_id!r})"


class SignIn:
    """Fetches access tokens for one service app; `ends_at` is when its refresh token ends."""

    def __init__(self, api_url: str, app: ServiceApp, *, transport: Transport, clock: Clock):
        self._url = api_url.rstrip("/") + paths.ACCESS_TOKEN
        self._app = app
        self._refresh_token = app.refresh_token
        self._transport = transport
        self._clock = clock
        self.ends_at: datetime | None = None

    async def acquire(self) -> Grant:
        """Ask for a token once. Raises AuthenticationFailed, Throttled or Unavailable."""
        form = {
            "grant_type": "refresh_token",
            "client_id": self._app.client_id,
            "client_secret": self._app.client_secret,
            "refresh_token": self._refresh_token,
        }
        body = urllib.parse.urlencode(form).encode()
        now = self._clock.now()
        answer = await self._transport.call(
            Request("refreshToken", "POST", self._url, _FORM, body=body)
        )
        content = answer.json()
        if not answer.ok or not isinstance(content, dict):
            raise _refusal(answer)
        token = content.get("access_token")
        if not isinstance(token, str) or not token:
            raise Unavailable("the token service gave no token")
        self._remember(content.get("refresh_token"), content.get("refresh_token_expires_in"), now)
        return Grant(token, _seconds(content.get("expires_in")))

    def _remember(self, refresh_token: object, lifetime: object, now: datetime) -> None:
        given = refresh_token if isinstance(refresh_token, str) else ""
        if given not in ("", self._refresh_token):
            log.warning("the token service gave another refresh token; store it in the Secret")
            self._refresh_token = given
        seconds = _seconds(lifetime)
        self.ends_at = now + timedelta(seconds=seconds) if seconds > 0 else None


def _seconds(value: object) -> float:
    return float(value) if isinstance(value, int | float) and value > 0 else 0.0


def _refusal(answer: Answer) -> AuthenticationFailed | Unavailable:
    if answer.status in _REFUSED:
        said = scrub("; ".join(said_by(answer.json()).texts)) or str(answer.status)
        return AuthenticationFailed(
            f"the token service refused the service app: {said}; authorise it anew in Control Hub "
            "and put the new refresh token into the Secret"
        )
    return Unavailable(f"the token service cannot answer now: {describe(answer)}")
