"""The SBC half of an `EngineWorld`: phones, PBXes and SIP addresses beside the tenant.

sip = SipSide(world)
sip.seed_secret()
await sip.seed_sbc()
await sip.declare_phone("bob")
assert await sip.holder_of(0) == "phone:bob"
"""

from __future__ import annotations

import base64
from typing import Any

from callplane.testing.engine_world import EngineWorld

DOMAIN = "sip.callplane.example"
PASSWORD = b"a sample password"


class SipSide:
    """What users do and see at the SBC."""

    def __init__(self, world: EngineWorld) -> None:
        self._world = world

    async def seed_sbc(self, *, name: str = "sbc", **spec: Any) -> None:
        """An SBC that admits every namespace."""
        merged = {"domain": DOMAIN, "allowedNamespaces": [{"selector": {}}], **spec}
        await self._world.apply("SessionBorderController", name, merged)

    def seed_secret(self) -> None:
        """The Secret `phones`, with a password, which is no digest."""
        content = {"password": PASSWORD}
        self._world.cluster.seed(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": "phones", "namespace": "default"},
                "data": {key: base64.b64encode(value).decode() for key, value in content.items()},
            }
        )

    async def declare_phone(self, name: str, **spec: Any) -> None:
        """A phone of that name, with a number of range `london` unless told otherwise. A field
        given as None is left out.
        """
        secret = {"name": "phones", "key": "password"}
        merged: dict[str, Any] = {
            "sbcRef": {"name": "sbc", "namespace": "default"},
            "username": name,
            "credentials": {"passwordRef": secret},
            "phoneNumber": {"rangeRef": {"name": "london", "namespace": "default"}},
        }
        merged.update(spec)
        await self._world.apply("SipPhone", name, _stated(merged))

    async def declare_trunk(self, name: str = "branch", **spec: Any) -> None:
        """A PBX behind which no number is yet."""
        merged: dict[str, Any] = {
            "sbcRef": {"name": "sbc", "namespace": "default"},
            "trunk": name,
            "targets": ["192.0.2.65:5060"],
            "sources": ["192.0.2.65/32"],
        }
        merged.update(spec)
        await self._world.apply("PbxTrunk", name, _stated(merged))

    async def holder_of(self, which: int | str) -> str | None:
        """Who has the number, as the register calls them; None for a number without a row."""
        row = await self._world.row(which)
        return row.holder.user_id if row is not None and row.holder is not None else None


def _stated(spec: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in spec.items() if value is not None}
