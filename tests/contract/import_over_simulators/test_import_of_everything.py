"""Two tenants, an organisation and four carriers over HTTP: one import, and nothing left to do.

The worlds are written from the vendors' documents and know nothing of the import. The tree is
planned twice: on the recorded snapshot and on a second observation.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from callplane.apis.references import SecretKeyRef
from callplane.cli import importing, plan_computing
from callplane.clock import SystemClock
from callplane.desired.brownfield import Document
from callplane.engine import snapshot_files
from callplane.engine.observations import Body, Observations
from callplane.plan.document import Plan
from callplane.providers.registry import Registry
from callplane.simulators.carriers import seeding as carrier_seeding
from callplane.simulators.carriers.running import RunningCarrier, running_carrier
from callplane.simulators.carriers.seeding import AccountSeed, RangeSeed
from callplane.simulators.didww.surface import DidwwSurface
from callplane.simulators.didww.world import DidwwWorld
from callplane.simulators.graph import seeding as graph_seeding
from callplane.simulators.graph.running import RunningGraph, running_graph
from callplane.simulators.graph.seeding import TenantSeed
from callplane.simulators.graph.world import GraphWorld
from callplane.simulators.simwood.surface import SimwoodSurface
from callplane.simulators.simwood.world import SimwoodWorld
from callplane.simulators.telnyx.surface import TelnyxSurface
from callplane.simulators.telnyx.world import TelnyxWorld
from callplane.simulators.twilio.surface import TwilioSurface
from callplane.simulators.twilio.world import DEFAULT_SID, TwilioWorld
from callplane.simulators.webex import seeding as webex_seeding
from callplane.simulators.webex.running import RunningWebex, running_webex
from callplane.simulators.webex.seeding import (
    LocationSeed,
    OrganisationSeed,
    ServiceSeed,
)
from callplane.simulators.webex.world import WebexWorld
from callplane.testing.planning_builders import manifest
from callplane.wiring.observing import Sources, observe

NAMESPACE = "platform"
SECRET = {"name": "secret", "key": "value"}
REFRESH = {"name": "secret", "key": "refresh"}
SECOND_TENANT = "00000000-0000-4000-8000-00000000eeee"

TEAMS = graph_seeding.WorldSeed(
    seed=3,
    tenants=(
        TenantSeed(
            domain="one.example",
            people=(
                graph_seeding.PersonSeed("anna@one.example", number="+442079460000"),
                graph_seeding.PersonSeed(
                    "ben@one.example",
                    number="+442079460001",
                    policies={"TeamsCallingPolicy": "Sales"},
                ),
                graph_seeding.PersonSeed(
                    "hall@one.example", account_type="resourceAccount", number="+442079460002"
                ),
                graph_seeding.PersonSeed("nobody@one.example"),
            ),
            ranges=(graph_seeding.RangeSeed("+442079460000", 8),),
            policies={"TeamsCallingPolicy": ("Sales",)},
        ),
        TenantSeed(
            id=SECOND_TENANT,
            domain="two.example",
            people=(
                graph_seeding.PersonSeed(
                    "cara@two.example", usage_location="US", number="+12025550100"
                ),
            ),
            ranges=(graph_seeding.RangeSeed("+12025550100", 4, country="US"),),
        ),
    ),
)
WEBEX = webex_seeding.WorldSeed(
    seed=3,
    organisations=(
        OrganisationSeed(
            locations=(LocationSeed("London", main_number="+441614960000"),),
            ranges=(webex_seeding.RangeSeed("+441614960000", 6),),
            people=(
                webex_seeding.PersonSeed(
                    "eve@organisation.example",
                    "Eve",
                    "Example",
                    location="London",
                    number="+441614960001",
                    extension="1001",
                    licences=("professional",),
                ),
            ),
            services=(ServiceSeed("Reception", number="+441614960002", extension="1002"),),
        ),
    ),
)


def at_carrier(first: str, count: int, account: str = "") -> carrier_seeding.WorldSeed:
    owner = account or carrier_seeding.DEFAULT_ACCOUNT
    accounts = (AccountSeed(owner),)
    return carrier_seeding.WorldSeed(
        seed=3, accounts=accounts, ranges=(RangeSeed(first, count, owner=owner),)
    )


@dataclass(slots=True)
class Everything:
    """All simulators at work, and the manifests of connections to them."""

    graph: RunningGraph
    webex: RunningWebex
    carriers: dict[str, RunningCarrier] = field(default_factory=dict)

    @property
    def connections(self) -> list[Body]:
        """Two tenants, an organisation, four carriers; rates as wide as they go."""
        found = [
            self._tenant("one", graph_seeding.DEFAULT_TENANT_ID),
            self._tenant("two", SECOND_TENANT),
            self._organisation(),
        ]
        for kind, running in self.carriers.items():
            spec = {
                "type": kind,
                "account": next(iter(running.world.accounts)),
                "credentials": {"user": self._user(kind), "secretRef": SECRET},
                "endpoint": {"url": running.api_url},
                "deletionLock": False,
                "driftReadsPerSecond": 1000,
            }
            found.append(manifest("Carrier", kind.lower(), spec, namespace=NAMESPACE))
        return found

    def _user(self, kind: str) -> str:
        return carrier_seeding.DEFAULT_USER if kind == "Simwood" else ""

    def _tenant(self, name: str, tenant_id: str) -> Body:
        client = {"clientId": graph_seeding.DEFAULT_CLIENT_ID, "secretRef": SECRET}
        spec = {
            "tenantId": tenant_id,
            "credentials": {"clientSecret": client},
            "endpoint": {
                "graph": self.graph.graph_url,
                "authority": self.graph.login_url,
                "caBundle": self.graph.ca_file.read_text(),
            },
            "driftReadsPerSecond": 1000,
        }
        return manifest("TeamsTenant", name, spec, namespace=NAMESPACE)

    def _organisation(self) -> Body:
        app = {
            "clientId": webex_seeding.DEFAULT_CLIENT_ID,
            "clientSecretRef": SECRET,
            "refreshTokenRef": REFRESH,
        }
        spec = {
            "orgId": self.webex.world.organisation().id,
            "credentials": {"serviceApp": app},
            "endpoint": {"api": self.webex.base_url},
            "driftReadsPerSecond": 1000,
        }
        return manifest("WebexOrganization", "webex", spec, namespace=NAMESPACE)

    async def observe(self) -> Observations:
        """As `snapshot save --manifests` does; the objects are those that a cluster would have."""
        sources = Sources(
            provider_factory=Registry().create,
            clock=SystemClock(),
            taken_by="anna@workstation",
            declared=self.connections,
            secrets={
                (NAMESPACE, SecretKeyRef(name=each["name"], key=each["key"])): value
                for each, value in ((SECRET, self._secret()), (REFRESH, self._refresh()))
            },
        )
        return await observe(sources, report=lambda _: None)

    def _secret(self) -> bytes:
        secrets = {
            graph_seeding.DEFAULT_SECRET,
            webex_seeding.DEFAULT_SECRET,
            carrier_seeding.DEFAULT_SECRET,
        }
        (secret,) = secrets
        return secret.encode()

    def _refresh(self) -> bytes:
        return webex_seeding.DEFAULT_REFRESH_TOKEN.encode()

    def writes(self) -> int:
        worlds: list[Any] = [self.graph.world, self.webex.world]
        worlds += [running.world for running in self.carriers.values()]
        return sum(len(world.recorder.writes()) for world in worlds)


@pytest.fixture
async def everything() -> AsyncIterator[Everything]:
    clock = SystemClock()
    carriers = (
        ("Simwood", SimwoodWorld, SimwoodSurface(), at_carrier("+442079460000", 6)),
        ("Telnyx", TelnyxWorld, TelnyxSurface(), at_carrier("+12025550100", 3)),
        ("Twilio", TwilioWorld, TwilioSurface(), at_carrier("+441614960000", 3, DEFAULT_SID)),
        ("Didww", DidwwWorld, DidwwSurface(), at_carrier("+441134960000", 2)),
    )
    async with contextlib.AsyncExitStack() as stack:
        graph = await stack.enter_async_context(running_graph(GraphWorld(clock=clock, seed=TEAMS)))
        webex = await stack.enter_async_context(running_webex(WebexWorld(clock=clock, seed=WEBEX)))
        found = Everything(graph, webex)
        for kind, world, surface, seed in carriers:
            running = running_carrier(world(clock=clock, seed=seed), surface)
            found.carriers[kind] = await stack.enter_async_context(running)
        yield found


async def planned(folder: Path, observations: Observations) -> Plan:
    def plan() -> Plan:
        wanted = plan_computing.Wanted([str(folder)], NAMESPACE)
        tree = plan_computing.read_valid(wanted, observations, now=SystemClock().now())
        return plan_computing.compute(tree, observations, wanted)

    return await asyncio.to_thread(plan)


async def taken_over(
    everything: Everything, tree: Path, observed: Observations
) -> importing.Imported:
    """Import what was observed into a folder that has the connections."""
    tree.mkdir()
    manifests = [Document("", body) for body in everything.connections]
    content = b"---\n".join(importing.rendered(each) for each in manifests)
    (tree / "connections.yaml").write_bytes(content)
    wanted, now = importing.Wanted(tree), SystemClock().now()
    imported = await asyncio.to_thread(importing.compute, observed, wanted, now=now)
    importing.write(tree, imported.documents)
    return imported


async def test_an_import_of_everything_plans_to_nothing(
    everything: Everything, tmp_path: Path
) -> None:
    tree, snapshot = tmp_path / "estate", tmp_path / "a.snapshot"
    observed = await everything.observe()
    snapshot_files.save(snapshot, observed)
    recorded = snapshot_files.load(snapshot)
    assert recorded == observed
    imported = await taken_over(everything, tree, recorded)
    assert imported.left_out == ()
    bodies = [each.body for each in imported.documents]
    kinds = Counter(body["kind"] for body in bodies)
    assert (kinds["TeamsUser"], kinds["WebexUser"], kinds["ServiceLine"]) == (3, 1, 2)
    owners = {
        body["spec"].get("carrierRef", {}).get("name")
        for body in bodies
        if body["kind"] in ("NumberRange", "PhoneNumber")
    }
    assert owners == {"simwood", "telnyx", "twilio", "didww", None}

    for again in (recorded, await everything.observe()):
        plan = await planned(tree, again)
        assert plan.is_settled, [each for each in plan.objects if each.has_changes or each.notes]
        assert not plan.has_changes
        (remark,) = plan.remarks
        assert remark.startswith("the number register was not read")
    assert everything.writes() == 0


async def test_what_somebody_changes_afterwards_is_in_the_next_plan(
    everything: Everything, tmp_path: Path
) -> None:
    """The check above would notice: the same steps, and one number that has moved."""
    tree = tmp_path / "estate"
    await taken_over(everything, tree, await everything.observe())
    everything.webex.world.portal().unassign("+441614960001")
    plan = await planned(tree, await everything.observe())
    assert not plan.is_settled
