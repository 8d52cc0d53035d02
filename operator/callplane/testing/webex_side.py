"""The Webex half of an `EngineWorld`: an organisation beside the tenant, and people in it.

webex = WebexSide(world)
await webex.seed_organization()
await webex.declare("ann")
assert webex.number_of("ann") == "+442079460000"
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from callplane.plan.change import Change
from callplane.resources.platforms import CallingConfiguration, Person
from callplane.testing.engine_world import ORGANIZATION, EngineWorld, user_id


def person_id(name: str) -> str:
    """The id in Webex of the person of that name, who is somebody else in Teams."""
    return user_id(f"webex/{name}")


class WebexSide:
    """What users do and see in Webex. `world.webex` is the truth there."""

    def __init__(self, world: EngineWorld) -> None:
        self._world = world

    async def seed_organization(self, *, name: str = "org", **spec: Any) -> None:
        """A WebexOrganization that signs in with the tenant's Secret; it admits every namespace."""
        secret = {"name": "graph", "key": "secret"}
        app = {"clientId": "service-app", "clientSecretRef": secret, "refreshTokenRef": secret}
        merged = {
            "orgId": ORGANIZATION.external_id,
            "credentials": {"serviceApp": app},
            "writesPerSecond": 100,
            "driftInterval": "60s",
            "allowedNamespaces": [{"selector": {}}],
            **spec,
        }
        await self._world.apply("WebexOrganization", name, merged)

    def seed_people(self, names: Iterable[str]) -> None:
        """People of the organisation."""
        people = [Person(person_id(name), f"{name}@example.com") for name in names]
        self._world.webex.put_people(people)
        self._world.webex.put_configurations([CallingConfiguration(p.user_id) for p in people])

    async def declare(self, name: str, **spec: Any) -> None:
        """A WebexUser for the person of that name; a number of range `london` unless told
        otherwise. A field given as None is left out.
        """
        merged: dict[str, Any] = {
            "organizationRef": {"name": "org", "namespace": "default"},
            "email": f"{name}@example.com",
            "location": "London",
            "phoneNumber": {"rangeRef": {"name": "london", "namespace": "default"}},
        }
        merged.update(spec)
        merged = {key: value for key, value in merged.items() if value is not None}
        await self._world.apply("WebexUser", name, merged)

    def number_of(self, name: str) -> str | None:
        """The number the person really has."""
        rows = self._world.webex.true.numbers.values()
        held = [row.number.text for row in rows if row.holder_id == person_id(name)]
        assert len(held) <= 1, f"{name} has {len(held)} numbers"
        return held[0] if held else None

    def changes(self) -> list[Change]:
        """The writes that Webex has received, in order."""
        return [call.change for call in self._world.webex.journal if call.change is not None]
