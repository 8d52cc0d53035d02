"""A world of organisations: their state, the token service they share, its faults and records."""

from __future__ import annotations

import dataclasses

from callplane.clock import Clock, SystemClock
from callplane.simulators.faults import FaultScript, rule_from
from callplane.simulators.recording import Recorder
from callplane.simulators.webex import misfortunes, seeding
from callplane.simulators.webex.identity import TokenService
from callplane.simulators.webex.organisation import Organisation
from callplane.simulators.webex.portal import Portal
from callplane.simulators.webex.seeding import OrganisationSeed, WorldSeed
from callplane.simulators.webex.settings import WorldSettings


class WebexWorld:
    """Everything behind the HTTP surface; same seed and requests at the same times, same world."""

    def __init__(self, *, clock: Clock | None = None, seed: WorldSeed | None = None) -> None:
        description = seed if seed is not None else WorldSeed(organisations=())
        self.clock = clock if clock is not None else SystemClock()
        self.seed = description.seed
        self.settings = WorldSettings()
        self.settings.change(description.settings)
        self.organisations: dict[str, Organisation] = {}
        self.tokens = TokenService(self.clock, seed=self.seed)
        self.faults = FaultScript(self.seed)
        self.recorder = Recorder()
        for organisation in description.organisations:
            self.add_organisation(organisation)
        for index, rule in enumerate(description.faults):
            self.faults.add(rule_from(rule, f"faults[{index}]"))
        if description.misfortune > 0:
            for bad in misfortunes.bad_days(description.misfortune):
                self.faults.add(bad)

    def add_organisation(self, seed: OrganisationSeed) -> Organisation:
        """Add an organisation from its description. ValueError when it makes no sense."""
        if seed.id in self.organisations:
            raise ValueError(f"organisation {seed.id} exists already")
        settings = dataclasses.replace(self.settings)
        settings.change(seed.settings, f"organisation {seed.id}.settings")
        organisation = Organisation(
            seed.id, name=seed.name, clock=self.clock, settings=settings, seed=self.seed
        )
        seeding.populate(organisation, seed)
        for each in seed.service_apps:
            self.tokens.authorise(each.app(seed.id), settings.refresh_token_seconds)
        self.organisations[seed.id] = organisation
        return organisation

    def organisation(self, key: str | None = None) -> Organisation:
        """The organisation with this id (ours or Webex's) or name, or the only one. ValueError."""
        if key is None:
            if len(self.organisations) != 1:
                raise ValueError(f"there are {len(self.organisations)} organisations: name one")
            return next(iter(self.organisations.values()))
        found = self.organisations.get(key) or next(
            (each for each in self.organisations.values() if key in (each.webex_id, each.name)),
            None,
        )
        if found is None:
            raise ValueError(f"no organisation {key!r}")
        return found

    def realm(self, key: str | None = None) -> Organisation:
        """The same, under the name that control endpoints share."""
        return self.organisation(key)

    def realm_ids(self) -> list[str]:
        """The ids of all organisations."""
        return list(self.organisations)

    def portal(self, key: str | None = None) -> Portal:
        """An administrator of an organisation."""
        return Portal(self.organisation(key), self.tokens)

    def change_settings(self, changes: dict[str, object], key: str | None = None) -> None:
        """Change settings of one organisation, or of the world and all its organisations."""
        if key is not None:
            self.organisation(key).settings.change(changes)
            return
        self.settings.change(changes)
        for organisation in self.organisations.values():
            organisation.settings.change(changes)
