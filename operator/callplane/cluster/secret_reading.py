"""One key of one Secret, read by name. Secrets are never listed and never watched.

Called by the engine when it opens a connection, and every 30 s while an authentication failure
keeps the connection's breaker open.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import TypeAlias

from callplane.cluster import api_errors, ports
from callplane.cluster.resource_kinds import SECRETS


@dataclass(frozen=True, slots=True)
class SecretValue:
    """Secret bytes that show themselves only through `reveal`, never in a repr or a log."""

    _content: bytes = field(repr=False)

    def reveal(self) -> bytes:
        """The bytes."""
        return self._content

    def reveal_text(self) -> str:
        """The bytes as UTF-8 text without surrounding white space, as a person would paste it.

        Raises ValueError, without the content, when they are not UTF-8.
        """
        try:
            return self._content.decode("utf-8").strip()
        except UnicodeDecodeError:
            raise ValueError("the secret is not UTF-8 text") from None

    def __repr__(self) -> str:
        return "SecretValue(***)"

    __str__ = __repr__


@dataclass(frozen=True, slots=True)
class SecretFound:
    """The value, and which version of which Secret it came from."""

    value: SecretValue
    resource_version: str
    uid: str


@dataclass(frozen=True, slots=True)
class SecretMissing:
    """There is no Secret of that name."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class SecretKeyMissing:
    """The Secret exists and has no usable value under the key; an empty value counts as missing."""

    namespace: str
    name: str
    key: str
    resource_version: str


SecretReading: TypeAlias = SecretFound | SecretMissing | SecretKeyMissing


class ClusterSecrets:
    """`ports.SecretReader` over a cluster."""

    def __init__(self, objects: ports.ObjectReader) -> None:
        self._objects = objects

    async def read(self, *, namespace: str, name: str, key: str) -> SecretReading:
        """See `ports.SecretReader.read`."""
        try:
            body = await self._objects.get(SECRETS, namespace=namespace, name=name)
        except api_errors.NotFound:
            return SecretMissing(namespace, name)
        resource_version = body["metadata"]["resourceVersion"]
        encoded = (body.get("data") or {}).get(key)
        if not encoded:
            return SecretKeyMissing(namespace, name, key, resource_version)
        try:
            content = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            raise api_errors.ClusterError(
                f"Secret {namespace}/{name}: key {key!r} is not base64"
            ) from None
        return SecretFound(SecretValue(content), resource_version, body["metadata"]["uid"])
