"""Locations and licences of an organisation: who manages whose numbers, and what licences are.

They change rarely and are asked for with every number, so what was read is kept until the next
listing; whoever is about to write asks about the location's owner anew.
"""

from __future__ import annotations

from collections.abc import Mapping

from callplane.providers.protocol import Unavailable
from callplane.providers.webex import mapping, paths
from callplane.providers.webex.client import WebexClient
from callplane.providers.webex.mapping import Location
from callplane.resources.webex import short_licence

_CALLING = "webex calling"
# Of a room or a phone, never of a person.
_NOT_FOR_PEOPLE = frozenset({"workspaces"})


class Directory:
    """What is known of locations (by id) and of Calling licences (short name by id)."""

    def __init__(self, client: WebexClient) -> None:
        self._client = client
        self._locations: dict[str, Location] | None = None
        self._licences: dict[str, str] | None = None

    async def locations(self, *, anew: bool = False) -> Mapping[str, Location]:
        if self._locations is None or anew:
            found: dict[str, Location] = {}
            pages = self._client.pages("listCallingLocations", paths.LOCATIONS)
            async for page in pages:
                for item in page.content.get("locations") or ():
                    key, name = mapping.text_of(item, "id"), mapping.text_of(item, "name")
                    if key is not None and name is not None:
                        found[key] = Location(key, name, await self.manager_of(key))
            self._locations = found
        return self._locations

    async def location_named(self, name: str) -> Location | None:
        """A location by name; one that is not known is looked for once more."""
        for anew in (False, True):
            for location in (await self.locations(anew=anew)).values():
                if location.name == name:
                    return location
        return None

    async def manager_of(self, location_id: str) -> str:
        """Who manages the location's numbers, asked now; empty when we may."""
        item = await self._client.read("getPstn", paths.pstn_connection(location_id))
        if item is None:
            return "nobody yet: the location has no PSTN connection"
        kind = str(item.get("pstnConnectionType") or "an unknown PSTN connection")
        if kind in mapping.WRITABLE_PSTN:
            return ""
        return f"{item.get('displayName') or 'its provider'} ({kind})"

    async def licences(self, *, anew: bool = False) -> Mapping[str, str]:
        """Calling licences for people."""
        if self._licences is None or anew:
            item = await self._client.read("listLicences", paths.LICENCES)
            if item is None:
                raise Unavailable("listLicences: the organisation shows no licences")
            found: dict[str, str] = {}
            for licence in item.get("items") or ():
                key, name = mapping.text_of(licence, "id"), mapping.text_of(licence, "name")
                if key is None or name is None or not name.lower().startswith(_CALLING):
                    continue
                short = short_licence(name)
                if short.lower() not in _NOT_FOR_PEOPLE:
                    found[key] = short
            self._licences = found
        return self._licences

    async def licence_named(self, name: str) -> str | None:
        """The id of a Calling licence by its short name, in any case of letters."""
        for anew in (False, True):
            for key, short in (await self.licences(anew=anew)).items():
                if short.lower() == short_licence(name).lower():
                    return key
        return None

    async def licence_of(self, ids: tuple[str, ...]) -> str | None:
        """The id of the Calling licence among those that a person has."""
        known = await self.licences()
        return next((key for key in ids if key in known), None)

    async def holders(self) -> Mapping[str, str]:
        """Short name of the Calling licence by person, from the licences themselves: lists of
        people leave licences out.
        """
        found: dict[str, str] = {}
        for key, short in (await self.licences(anew=True)).items():
            pages = self._client.pages(
                "getLicence", paths.licence(key), includeAssignedTo="user", limit="300"
            )
            async for page in pages:
                for item in page.content.get("users") or ():
                    person_id = mapping.text_of(item, "id")
                    if person_id is not None:
                        found[person_id] = short
        return found
