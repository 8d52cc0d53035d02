"""Twilio's HTTP ways: four hosts, credentials, forms in, JSON out, and what a no looks like.

Not the vendor's SDK. It keeps an address for each of its hosts, and one that is forgotten calls the
real Twilio from a test; it sets no time-out; nothing tells a connection that was never made from an
answer that never came; and its asynchronous client signs in by a part of aiohttp that is on its way
out. What we need of Twilio is a dozen requests, which `providers.transport` sends as it should. One
address other than the public ones takes the place of all hosts.
"""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

from callplane.errors import scrub
from callplane.providers.protocol import AuthenticationFailed, Unavailable
from callplane.providers.transport import Answer, Request, Transport

ACCOUNT_SID: Final = re.compile(r"AC[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Hosts:
    """Where each part of Twilio is, without slashes at the end."""

    api: str = "https://api.twilio.com"
    numbers: str = "https://numbers.twilio.com"
    pricing: str = "https://pricing.twilio.com"
    trunking: str = "https://trunking.twilio.com"

    @classmethod
    def all_at(cls, url: str) -> Hosts:
        return cls(url, url, url, url)


@dataclass(frozen=True, slots=True)
class Login:
    """The account, and who signs in: its own SID with the token, or an API key with its secret."""

    account: str
    user: str
    secret: str

    def header(self) -> str:
        return "Basic " + base64.b64encode(f"{self.user}:{self.secret}".encode()).decode()


@dataclass(frozen=True, slots=True)
class Said:
    """An answer that is understood; `code` and `said` are the carrier's when it is a no."""

    status: int
    is_yes: bool
    document: Mapping[str, Any]
    code: str = ""
    said: str = ""


class TwilioClient:
    """Requests of one account."""

    def __init__(self, hosts: Hosts, *, transport: Transport, login: Login) -> None:
        self.hosts = hosts
        self.transport = transport
        self._headers = {"Authorization": login.header(), "Accept": "application/json"}
        self._account_path = f"/2010-04-01/Accounts/{quote(login.account, safe='')}"

    def account_url(self, path: str) -> str:
        """An address below the account."""
        return f"{self.hosts.api}{self._account_path}/{path}"

    async def read(self, name: str, url: str, query: Mapping[str, str] | None = None) -> Said:
        """GET. Raises Throttled, Unavailable, AuthenticationFailed."""
        full = f"{url}?{urlencode(query)}" if query else url
        return _judged(name, await self.transport.call(Request(name, "GET", full, self._headers)))

    async def pages(
        self, name: str, path: str, query: Mapping[str, str]
    ) -> AsyncIterator[tuple[Mapping[str, Any], bool]]:
        """The pages of a list below the account, each with whether it is the last one."""
        url: str = f"{self.account_url(path)}?{urlencode(query)}"
        while True:
            said = await self.read(name, url)
            if not said.is_yes:
                raise Unavailable(f"{name}: {said.said}")
            # The key must be there: a page that does not say whether it is the last may be cut.
            if "next_page_uri" not in said.document:
                raise Unavailable(f"{name}: the answer is not understood")
            following = said.document["next_page_uri"]
            yield said.document, following is None
            if following is None:
                return
            if not str(following).startswith(f"{self._account_path}/"):
                raise Unavailable(f"{name}: the next page is outside the account")
            url = f"{self.hosts.api}{following}"

    async def write(
        self, name: str, method: str, url: str, form: Mapping[str, str] | None = None
    ) -> Said:
        """Send once. Raises OutcomeUnknown, Throttled, Unavailable, AuthenticationFailed."""
        headers, body = self._headers, None
        if form is not None:
            headers = {**headers, "Content-Type": "application/x-www-form-urlencoded"}
            body = urlencode(form).encode()
        request = Request(name, method, url, headers, body, writes=True)
        return _judged(name, await self.transport.call(request))


def _judged(name: str, answer: Answer) -> Said:
    content = answer.json()
    document: Mapping[str, Any] = content if isinstance(content, Mapping) else {}
    if answer.ok:
        return Said(answer.status, True, document)
    said = scrub(str(document.get("message") or f"status {answer.status}"))
    if answer.status == 401:
        raise AuthenticationFailed(f"{name}: {said}")
    # A no without a code is none of Twilio's, and what stands between us may say anything.
    if not isinstance(document.get("code"), int) and answer.status not in (403, 404):
        raise Unavailable(f"{name}: the answer is not understood ({said})")
    return Said(answer.status, False, document, str(document.get("code") or ""), said)
