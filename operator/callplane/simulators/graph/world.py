"""A world of tenants: their state, the token service they share, its faults and its records."""

from __future__ import annotations

import dataclasses

from callplane.clock import Clock, SystemClock
from callplane.simulators.faults import FaultScript, rule_from
from callplane.simulators.graph import misfortunes, seeding
from callplane.simulators.graph.identity import TokenService
from callplane.simulators.graph.portal import Portal
from callplane.simulators.graph.seeding import TenantSeed, WorldSeed
from callplane.simulators.graph.settings import WorldSettings
from callplane.simulators.graph.tenant import Tenant
from callplane.simulators.recording import Recorder


class GraphWorld:
    """Everything behind the HTTP surface; same seed and requests at the same times, same world."""

    def __init__(self, *, clock: Clock | None = None, seed: WorldSeed | None = None) -> None:
        description = seed if seed is not None else WorldSeed(tenants=())
        self.clock = clock if clock is not None else SystemClock()
        self.seed = description.seed
        self.settings = WorldSettings()
        self.settings.change(description.settings)
        self.tenants: dict[str, Tenant] = {}
        self.tokens = TokenService(self.clock, seed=self.seed)
        self.faults = FaultScript(self.seed)
        self.recorder = Recorder()
        for tenant in description.tenants:
            self.add_tenant(tenant)
        for index, rule in enumerate(description.faults):
            self.faults.add(rule_from(rule, f"faults[{index}]"))
        if description.misfortune > 0:
            for bad in misfortunes.bad_days(description.misfortune):
                self.faults.add(bad)

    def add_tenant(self, seed: TenantSeed) -> Tenant:
        """Add a tenant from its description. ValueError when it makes no sense."""
        if seed.id in self.tenants:
            raise ValueError(f"tenant {seed.id} exists already")
        settings = dataclasses.replace(self.settings)
        settings.change(seed.settings, f"tenant {seed.id}.settings")
        tenant = Tenant(
            seed.id, domain=seed.domain, clock=self.clock, settings=settings, seed=self.seed
        )
        seeding.populate(tenant, seed)
        for application in seed.applications:
            self.tokens.register(seed.id, application.application())
        self.tenants[seed.id] = tenant
        return tenant

    def tenant(self, key: str | None = None) -> Tenant:
        """The tenant with this id or domain; without one, the only tenant. ValueError otherwise."""
        if key is None:
            if len(self.tenants) != 1:
                raise ValueError(f"there are {len(self.tenants)} tenants: name one")
            return next(iter(self.tenants.values()))
        found = self.tenants.get(key) or next(
            (tenant for tenant in self.tenants.values() if tenant.domain == key), None
        )
        if found is None:
            raise ValueError(f"no tenant {key!r}")
        return found

    def realm(self, key: str | None = None) -> Tenant:
        """The same, under the name that control endpoints share."""
        return self.tenant(key)

    def realm_ids(self) -> list[str]:
        """The ids of all tenants."""
        return list(self.tenants)

    def portal(self, key: str | None = None) -> Portal:
        """An administrator of a tenant."""
        return Portal(self.tenant(key))

    def change_settings(self, changes: dict[str, object], key: str | None = None) -> None:
        """Change settings of one tenant, or of the world and all its tenants."""
        if key is not None:
            self.tenant(key).settings.change(changes)
            return
        self.settings.change(changes)
        for tenant in self.tenants.values():
            tenant.settings.change(changes)
