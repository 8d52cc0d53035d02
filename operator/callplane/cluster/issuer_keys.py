"""The public keys of an issuer of tokens, as its discovery document names them (OpenID Connect
Discovery 1.0): fetched by the admin API where people sign in elsewhere than at the API server.
"""

from __future__ import annotations

import ipaddress
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp

from callplane.errors import CallplaneError

TIMEOUT_SECONDS: Final = 5.0
DOCUMENT_LIMIT_BYTES: Final = 256 * 1024
DISCOVERY: Final = "/.well-known/openid-configuration"


class IssuerUnavailable(CallplaneError):
    """The issuer's keys could not be had; nothing is known of any token."""


@dataclass(frozen=True, slots=True)
class IssuerKeys:
    """`fetch` reads both documents anew. `ca_file` names the authority of a private issuer."""

    issuer: str
    ca_file: str = ""

    def __post_init__(self) -> None:
        if not is_issuer(self.issuer):
            raise ValueError(f"{self.issuer!r} is no issuer: https, or http on loopback")

    async def fetch(self) -> Mapping[str, Any]:
        """The JSON Web Key Set. Raises IssuerUnavailable."""
        try:
            async with aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self._tls()),
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            ) as session:
                discovery = await _document(session, self.issuer.rstrip("/") + DISCOVERY)
                if discovery.get("issuer") != self.issuer:
                    raise IssuerUnavailable("the issuer's discovery document is another issuer's")
                address = str(discovery.get("jwks_uri"))
                if not is_issuer(address):
                    raise IssuerUnavailable("the issuer's keys are not at an https address")
                return await _document(session, address)
        except (aiohttp.ClientError, OSError) as error:
            raise IssuerUnavailable(
                f"the issuer did not answer ({type(error).__name__})"
            ) from error

    def _tls(self) -> ssl.SSLContext | bool:
        if not self.ca_file:
            return True
        return ssl.create_default_context(cadata=Path(self.ca_file).read_text(encoding="ascii"))


async def _document(session: aiohttp.ClientSession, address: str) -> Mapping[str, Any]:
    async with session.get(address, allow_redirects=False) as answer:
        if answer.status != 200:
            raise IssuerUnavailable(f"the issuer answered {answer.status}")
        content = await answer.content.read(DOCUMENT_LIMIT_BYTES + 1)
        while len(content) <= DOCUMENT_LIMIT_BYTES and not answer.content.at_eof():
            content += await answer.content.read(DOCUMENT_LIMIT_BYTES + 1)
    if len(content) > DOCUMENT_LIMIT_BYTES:
        raise IssuerUnavailable("the issuer's document is too long")
    try:
        found = json.loads(content)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise IssuerUnavailable("the issuer's document is no JSON object")
    return found


def is_issuer(address: str) -> bool:
    """Whether keys may be fetched from there."""
    parts = urlsplit(address)
    if parts.scheme == "https":
        return bool(parts.hostname) and not parts.query and not parts.fragment
    try:
        return parts.scheme == "http" and ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False
