"""One token request to Entra ID through msal, in a thread, over our own transport.

msal blocks, so it runs in a thread; its HTTP calls come back to the event loop and go through our
`Transport`, so that time-outs, certificates, the ban on proxies and metrics are the same
everywhere. Each request builds a fresh msal application: a token is wanted once an hour, and
msal's own memory of refusals would outlive the Secret that caused them. Called by `tokens`.
"""

from __future__ import annotations

import asyncio
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from callplane.errors import scrub
from callplane.providers.protocol import AuthenticationFailed, ProviderError, Unavailable
from callplane.providers.teams import credentials
from callplane.providers.teams.credentials import Credential
from callplane.providers.tokens import Grant
from callplane.providers.transport import Request, Transport

GLOBAL_AUTHORITY = "https://login.microsoftonline.com"

# Beyond the transport's own limits: a thread must end even if its event loop never answers.
_THREAD_PATIENCE_SECONDS = 90.0

# Refusals that say nothing about the credentials: the token service itself is unwell.
_PASSING_CODES = frozenset({"AADSTS90033", "AADSTS50196", "AADSTS90051"})
_PASSING_ERRORS = frozenset({"temporarily_unavailable", "server_error"})


@dataclass(frozen=True, slots=True)
class Account:
    """For which tenant, at which service, as whom, and for which API a token is wanted."""

    tenant_id: str
    credential: Credential
    scope: str
    authority_url: str = GLOBAL_AUTHORITY

    @property
    def tenant_authority(self) -> str:
        return f"{self.authority_url.rstrip('/')}/{self.tenant_id}"


async def acquire(account: Account, transport: Transport) -> Grant:
    """Ask for a token once. Raises AuthenticationFailed, Throttled or Unavailable."""
    http = _HttpForMsal(transport, asyncio.get_running_loop())
    answer = await asyncio.to_thread(_acquire_in_thread, account, http)
    token = answer.get("access_token")
    if isinstance(token, str) and token:
        return Grant(token, float(answer.get("expires_in", 0)))
    raise refusal(answer)


def refusal(answer: Mapping[str, Any]) -> ProviderError:
    """What msal's error answer means: the credentials are wrong, or the service is unwell."""
    error = str(answer.get("error", "unknown_error"))
    description = str(answer.get("error_description", ""))
    # What follows are trace ids and a time, of which the request ids of our own are the better.
    description = description.partition(" Trace ID:")[0].partition("\n")[0].strip()
    code = description.partition(":")[0]
    text = scrub(f"{error}: {description}" if description else error)
    if code in _PASSING_CODES or error in _PASSING_ERRORS:
        return Unavailable(f"the token service cannot answer now: {text}")
    return AuthenticationFailed(f"the token service refused the credentials: {text}")


def _acquire_in_thread(account: Account, http: _HttpForMsal) -> Mapping[str, Any]:
    # Imported here: it costs 100 ms and some 20 MB, and only a tenant needs it.
    import msal

    try:
        application = msal.ConfidentialClientApplication(
            account.credential.client_id,
            authority=account.tenant_authority,
            client_credential=credentials.for_msal(account.credential),
            # Discovery of instances always goes to Microsoft's public service; an authority that
            # somebody configured is trusted because they configured it.
            instance_discovery=None if account.authority_url == GLOBAL_AUTHORITY else False,
            http_client=http,
        )
        answer: Mapping[str, Any] = application.acquire_token_for_client(scopes=[account.scope])
    except ProviderError:
        raise
    except OSError as error:
        # Reading the federated token is the only file access here.
        raise AuthenticationFailed(
            f"the federated token cannot be read: {scrub(error.strerror or str(error))}"
        ) from error
    except ValueError as error:
        text = scrub(str(error))
        raise AuthenticationFailed(f"the token service is not usable: {text}") from error
    except (msal.exceptions.MsalError, KeyError, RuntimeError) as error:
        raise Unavailable(f"the token service cannot answer now: {scrub(str(error))}") from error
    return answer or {}


class _TextAnswer:
    """An answer in the shape that msal reads."""

    def __init__(self, status_code: int, text: str, headers: Mapping[str, str]) -> None:
        self.status_code = status_code
        self.text = text
        self.headers = dict(headers)

    def raise_for_status(self) -> None:
        if self.status_code >= 400:
            raise Unavailable(f"the token service answered {self.status_code}")


class _HttpForMsal:
    """What msal calls in its thread; the calls themselves run on the event loop."""

    def __init__(self, transport: Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop

    def get(
        self,
        url: str,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str | None] | None = None,
        **_: Any,
    ) -> _TextAnswer:
        if params:
            url = f"{url}?{urllib.parse.urlencode(params)}"
        return self._call(Request("discoverTokenService", "GET", url, _clean(headers)))

    def post(
        self,
        url: str,
        params: Mapping[str, str] | None = None,
        data: Mapping[str, str] | str | None = None,
        headers: Mapping[str, str | None] | None = None,
        **_: Any,
    ) -> _TextAnswer:
        if params:
            url = f"{url}?{urllib.parse.urlencode(params)}"
        body = data if isinstance(data, str) else urllib.parse.urlencode(data or {})
        content_type = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._call(
            Request("getToken", "POST", url, {**content_type, **_clean(headers)}, body.encode())
        )

    def close(self) -> None:
        """The transport is closed by its owner."""

    def _call(self, request: Request) -> _TextAnswer:
        pending = asyncio.run_coroutine_threadsafe(self._transport.call(request), self._loop)
        try:
            answer = pending.result(_THREAD_PATIENCE_SECONDS)
        except TimeoutError as error:
            pending.cancel()
            raise Unavailable("the token service did not answer") from error
        return _TextAnswer(
            answer.status, answer.body.decode("utf-8", errors="replace"), answer.headers
        )


def _clean(headers: Mapping[str, str | None] | None) -> dict[str, str]:
    return {name: str(value) for name, value in (headers or {}).items() if value is not None}
