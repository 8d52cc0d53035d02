"""Tokens of an OpenID Connect issuer, read without asking anybody but for its public keys.

A name or group of such a token gets a prefix, and one that would be a name of Kubernetes itself is
refused: whoever runs the issuer must not be able to make a `system:masters`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import jwt

from callplane.clock import Clock
from callplane.cluster.issuer_keys import IssuerUnavailable
from callplane.cluster.reviews import Subject
from callplane.server.ports import AccessUnavailable, TokenReader

#: Only signatures of a private key: never `none`, and no shared secret.
ALGORITHMS: Final = ("ES256", "ES384", "PS256", "RS256", "RS512", "EdDSA")
RESERVED: Final = "system:"
AUTHENTICATED: Final = "system:authenticated"
GROUPS_MAX: Final = 500


@dataclass(frozen=True, slots=True)
class IssuerTerms:
    """What a token must say. Keys are read anew when they are older than `refresh_seconds`, or when
    a token names one that is not known, then at most once in `unknown_key_seconds`; keys older than
    `stale_seconds` count no more.
    """

    issuer: str
    audience: str
    user_claim: str = "sub"
    groups_claim: str = "groups"
    prefix: str = "oidc:"
    algorithms: tuple[str, ...] = ("ES256", "RS256")
    leeway_seconds: int = 30
    refresh_seconds: float = 3600.0
    unknown_key_seconds: float = 30.0
    stale_seconds: float = 86_400.0

    def __post_init__(self) -> None:
        wrong = [name for name in self.algorithms if name not in ALGORITHMS]
        if wrong or not self.algorithms:
            raise ValueError(f"algorithms {wrong}: only {', '.join(ALGORITHMS)}")
        if not self.prefix or self.prefix.startswith(RESERVED):
            raise ValueError("names of an issuer need a prefix, and not one of Kubernetes")
        if not self.audience:
            raise ValueError("an issuer's tokens need an audience")


FetchKeys = Callable[[], Awaitable[Mapping[str, Any]]]


class IssuerTokens:
    """`TokenReader` for one issuer."""

    def __init__(self, terms: IssuerTerms, fetch: FetchKeys, clock: Clock) -> None:
        self._terms = terms
        self._fetch = fetch
        self._clock = clock
        self._keys: dict[str, jwt.PyJWK] = {}
        self._read_at: float | None = None
        self._tried_at: float | None = None
        self._lock = asyncio.Lock()

    async def subject_of(self, token: str) -> Subject | None:
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError:
            return None
        name = header.get("kid")
        if header.get("alg") not in self._terms.algorithms or not isinstance(name, str):
            return None
        key = await self._key(name)
        if key is None or key.algorithm_name != header["alg"]:
            return None
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[header["alg"]],
                audience=self._terms.audience,
                issuer=self._terms.issuer,
                leeway=self._terms.leeway_seconds,
                options={"require": ["exp", "iss", "aud", self._terms.user_claim]},
            )
        except jwt.PyJWTError:
            return None
        return _subject(claims, self._terms)

    async def _key(self, name: str) -> jwt.PyJWK | None:
        async with self._lock:
            now = self._clock.monotonic()
            if self._is_due(name, now):
                self._tried_at = now
                await self._read(now)
            if self._read_at is None or now - self._read_at > self._terms.stale_seconds:
                raise AccessUnavailable("the issuer's keys are not known")
            return self._keys.get(name)

    def _is_due(self, name: str, now: float) -> bool:
        recently = self._terms.unknown_key_seconds
        if self._tried_at is not None and now - self._tried_at < recently:
            return False
        is_old = self._read_at is None or now - self._read_at > self._terms.refresh_seconds
        return is_old or name not in self._keys

    async def _read(self, now: float) -> None:
        """Keys that cannot be read are kept as they were, until they are stale."""
        try:
            found = keys_of(await self._fetch())
        except IssuerUnavailable:
            return
        self._keys, self._read_at = found, now


def keys_of(document: Mapping[str, Any]) -> dict[str, jwt.PyJWK]:
    """Keys for signatures by their names; what is of another kind is passed over."""
    found: dict[str, jwt.PyJWK] = {}
    entries = document.get("keys")
    for entry in entries if isinstance(entries, list) else ():
        if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
            continue
        name = entry.get("kid")
        try:
            key = jwt.PyJWK(entry)
        except (jwt.PyJWTError, ValueError, KeyError, TypeError):
            continue
        if isinstance(name, str) and key.algorithm_name in ALGORITHMS:
            found[name] = key
    return found


def _subject(claims: Mapping[str, Any], terms: IssuerTerms) -> Subject | None:
    user = claims.get(terms.user_claim)
    if not isinstance(user, str) or not user:
        return None
    if terms.user_claim == "email" and claims.get("email_verified") is not True:
        return None
    groups = claims.get(terms.groups_claim) or []
    if isinstance(groups, str):
        groups = [groups]
    if not isinstance(groups, Sequence) or len(groups) > GROUPS_MAX:
        return None
    named = [terms.prefix + str(group) for group in groups]
    if any(name.startswith(RESERVED) for name in (terms.prefix + user, *named)):
        return None
    return Subject(user=terms.prefix + user, groups=(*named, AUTHENTICATED))


@dataclass(frozen=True, slots=True)
class ByIssuer:
    """Tokens that name the issuer are its own to vouch for; everybody else's are the cluster's.

    What a token says of itself chooses who is asked, and nothing more; whoever is asked is asked
    alone, so that a token one has refused is not shown to the other.
    """

    issuer: str
    of_issuer: TokenReader
    of_cluster: TokenReader

    async def subject_of(self, token: str) -> Subject | None:
        try:
            claims = jwt.decode(token, options={"verify_signature": False})
        except jwt.PyJWTError:
            claims = {}
        named = claims.get("iss") == self.issuer
        return await (self.of_issuer if named else self.of_cluster).subject_of(token)
