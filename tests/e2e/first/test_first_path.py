"""The one path that `make test` walks with everything real: kubectl, API server, PostgreSQL, Graph
over HTTP, operator processes that are killed.
"""

from __future__ import annotations

import pytest

from callplane.testing import polling
from callplane.testing.live_world import LiveWorld, OperatorProcess

ORDER_SECONDS = 6.0


@pytest.mark.usefixtures("operator")
def test_applied_becomes_ready_deleted_rests_and_made_again_has_the_same_number(
    live_world: LiveWorld,
) -> None:
    estate = live_world.estate()
    live_world.apply(*estate.base(), *estate.people(5))
    live_world.ready(estate)

    given = {index: estate.number_of(index) for index in range(1, 6)}
    assert None not in given.values()
    assert len(set(given.values())) == 5
    assert len(estate.assigned()) == 5
    shown = live_world.get("teamsuser", "user-3", namespace=estate.team)["status"]
    assert shown["phoneNumber"]["e164"] == given[3]

    # The second deletion keeps another number from being the next free one by chance.
    leaving = ("user-3", "user-4")
    live_world.kubectl("delete", "teamsuser", *leaving, "-n", estate.team, "--wait=false")
    for name in leaving:
        live_world.gone("teamsuser", name, namespace=estate.team)
    assert estate.number_of(3) is None
    assert live_world.number_state(str(given[3])) == "Quarantined"
    live_world.apply(estate.user(6))
    live_world.ready(estate)
    assert estate.number_of(6) not in given.values()

    live_world.apply(estate.user(3))
    live_world.ready(estate)
    assert estate.number_of(3) == given[3]
    assert live_world.number_state(str(given[3])) == "Assigned"


def test_killed_in_the_middle_of_an_assignment_it_ends_with_one_order(
    live_world: LiveWorld, operator: OperatorProcess
) -> None:
    estate = live_world.estate()
    live_world.apply(*estate.base())
    live_world.base_ready(estate)
    estate.control.change_settings(operation_seconds=ORDER_SECONDS)
    live_world.apply(estate.user(1))
    polling.until(estate.writes, "the order is at the provider")
    operator.kill()
    assert estate.number_of(1) is None

    live_world.start_operator()
    live_world.ready(estate)
    assert estate.writes() == ["assignNumber"]
    assert estate.number_of(1) is not None
    assert len(estate.assigned()) == 1


def test_all_objects_applied_to_an_empty_cluster_cause_no_write(live_world: LiveWorld) -> None:
    live_world.leader()
    estate = live_world.estate()
    everything = [*estate.base(), *estate.people(10)]
    live_world.apply(*everything)
    live_world.ready(estate)
    assigned, before = estate.assigned(), estate.mark()
    live_world.stop_operators()

    with (
        live_world.empty_cluster() as cluster,
        # The connection's row names the other cluster until its heartbeat is old.
        live_world.operating(cluster=cluster, heartbeat_stale_seconds="2"),
    ):
        live_world.apply(*everything, kubectl=cluster.kubectl)
        live_world.ready(estate, kubectl=cluster.kubectl)

    assert estate.writes_since(before) == []
    assert estate.assigned() == assigned
