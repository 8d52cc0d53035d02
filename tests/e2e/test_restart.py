"""The operator comes back: over many objects, beside another cluster, without its database."""

from __future__ import annotations

import json

from callplane.testing import polling
from callplane.testing.estates import Estate
from callplane.testing.live_world import LiveWorld, OperatorProcess
from callplane.testing.wires import Wire

PEOPLE = 200


def test_operator_restarted_with_many_objects_writes_nothing(live_world: LiveWorld) -> None:
    operator = live_world.leader()
    estate = live_world.estate(users=PEOPLE, numbers=PEOPLE)
    live_world.apply(*estate.base(writesPerSecond=200, driftInterval="5s"), *estate.people(PEOPLE))
    live_world.ready(estate, seconds=120)
    polling.until(lambda: _settled(live_world, estate), "everything is said", seconds=30)
    operator.stop()
    before, writes = estate.mark(), len(live_world.api_writes(estate))

    restarted = live_world.start_operator()
    listed = estate.listings()
    # Two complete looks at the tenant, each comparing every person.
    polling.until(lambda: estate.listings() >= listed + 2, "two drift checks", seconds=60)
    polling.until(lambda: _idle(restarted), "the queue is empty")
    assert estate.writes_since(before) == []
    told = live_world.api_writes(estate)[writes:]
    assert [each for each in told if not each.startswith("patch teamstenants/status")] == []
    assert len(told) <= 1, "a connection tells its age at most once a minute"


def test_two_clusters_one_tenant_the_second_is_told(live_world: LiveWorld) -> None:
    live_world.leader()
    estate = live_world.estate()
    live_world.apply(*estate.base(), *estate.people(2))
    live_world.ready(estate)
    before = estate.mark()
    with live_world.empty_cluster() as cluster, live_world.operating(cluster=cluster):
        live_world.apply(*estate.base(), *estate.people(3), kubectl=cluster.kubectl)

        def reason() -> str:
            path = "{.status.conditions[?(@.type=='Ready')].reason}"
            return cluster.kubectl(
                *("get", "teamstenant/main", "-n", estate.platform, "-o", f"jsonpath={path}")
            ).stdout

        polling.until(lambda: reason() == "ConnectionHeldElsewhere", "the second is told")
        polling.stays(lambda: estate.writes_since(before) == [], "it writes nothing", seconds=3)


def test_database_down_reads_go_on_nothing_is_claimed_and_it_recovers(
    live_world: LiveWorld,
) -> None:
    live_world.stop_operators()
    with (
        Wire.to(live_world.database_url) as wire,
        live_world.operating(database_url=wire.url) as operator,
    ):
        estate = live_world.estate()
        live_world.apply(*estate.base(driftInterval="2s"), *estate.people(3))
        live_world.ready(estate)
        before, assigned = estate.mark(), estate.assigned()
        wire.cut()
        live_world.apply(estate.user(4))

        def tenant() -> tuple[str, str, str]:
            return live_world.condition("teamstenant", "main", namespace=estate.platform)

        polling.until(lambda: tenant()[1] == "RegisterUnavailable", "Ready says so", seconds=60)
        assert tenant()[0] != "True"
        listed = estate.listings()
        polling.until(lambda: estate.listings() > listed, "reads go on")
        assert estate.writes_since(before) == []
        assert estate.assigned() == assigned
        wire.mend()
        live_world.ready(estate)
        assert estate.writes_since(before) == ["assignNumber"]
        assert operator.alive


def _settled(world: LiveWorld, estate: Estate) -> bool:
    users = world.items("teamsusers", namespace=estate.team)
    [tenant] = world.items("teamstenants", namespace=estate.platform)
    return tenant["status"].get("users") == len(users)


def _idle(operator: OperatorProcess) -> bool:
    depths = [
        float(line.rpartition(" ")[2])
        for line in operator.metrics().splitlines()
        if line.startswith("callplane_queue_depth")
    ]
    assert depths, json.dumps(operator.metrics()[:500])
    return sum(depths) == 0
