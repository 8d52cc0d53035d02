"""The operator comes back: over many objects, beside another cluster, without its database."""

from __future__ import annotations

import json
import time

import psycopg

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
    stopped_at = time.monotonic()

    restarted = live_world.start_operator()
    listed = estate.listings()
    # Two complete looks at the tenant, each comparing every person.
    polling.until(lambda: estate.listings() >= listed + 2, "two drift checks", seconds=60)
    polling.until(lambda: _idle(restarted), "the queue is empty")
    assert estate.writes_since(before) == []
    told = live_world.api_writes(estate)[writes:]
    assert [each for each in told if not each.startswith("patch teamstenants/status")] == []
    minutes = (time.monotonic() - stopped_at) / 60
    assert len(told) <= 1 + minutes, "a connection tells its age at most once a minute"


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


def test_two_clusters_with_databases_of_their_own_stop_fighting(live_world: LiveWorld) -> None:
    live_world.leader()
    estate = live_world.estate(users=1)

    def granted(name: str) -> list[dict[str, str]]:
        return [{"type": "OnlineVoiceRoutingPolicy", "name": name}]

    person = {"phoneNumber": None}
    live_world.apply(
        *estate.base(driftInterval="1s"), estate.user(1, policies=granted("UK-Domestic"), **person)
    )
    live_world.ready(estate)
    with (
        live_world.empty_cluster() as cluster,
        live_world.postgres.database() as database,
        live_world.operating(cluster=cluster, database_url=database),
    ):
        live_world.apply(
            *estate.base(driftInterval="1s"),
            estate.user(1, policies=granted("UK-International"), **person),
            kubectl=cluster.kubectl,
        )

        def contested() -> bool:
            path = "{.status.conditions[?(@.type=='Ready')].reason}"
            ask = ("get", "teamsuser/user-1", "-n", estate.team, "-o", f"jsonpath={path}")
            return "Contested" in {
                each(*ask).stdout for each in (live_world.kubectl, cluster.kubectl)
            }

        polling.until(contested, "the third time undone, one of them stops", seconds=60)
        polling.until(lambda: _quiet(estate), "and then there is peace, for the other is satisfied")
        assert len(estate.writes()) < 20


def test_database_restored_from_yesterday_nothing_is_written_until_a_human_says_so(
    live_world: LiveWorld,
) -> None:
    live_world.stop_operators()
    with live_world.postgres.database() as database:
        estate = live_world.estate()
        with live_world.operating(database_url=database):
            live_world.apply(*estate.base(driftInterval="3s"), *estate.people(3))
            live_world.ready(estate)
        yesterday = live_world.postgres.copy_database(database)
        with live_world.operating(database_url=database):
            live_world.apply(*estate.people(6))
            live_world.ready(estate)
            # The connection's status mirrors the register's sequence at most once a minute; this
            # one is made to look older than that.
            aged = json.dumps({"status": {"lastObservedTime": "2026-01-01T00:00:00Z"}})
            live_world.kubectl(
                *("patch", "teamstenant/main", "-n", estate.platform, "--type=merge"),
                *("--subresource=status", "-p", aged),
            )
            # What yesterday's register cannot have said.
            known = _last_sequence(yesterday)
            polling.until(lambda: _sequence(live_world, estate) > known, "the sequence is mirrored")
        before, assigned = estate.mark(), estate.assigned()
        with live_world.operating(database_url=yesterday):
            live_world.apply(estate.user(7))

            def tenant() -> tuple[str, str, str]:
                return live_world.condition("teamstenant", "main", namespace=estate.platform)

            polling.until(lambda: tenant()[1] == "RegisterRestored", "it is recognised")
            polling.stays(lambda: estate.writes_since(before) == [], "nothing written", seconds=4)
            assert estate.assigned() == assigned

            def confirmed() -> bool:
                """Do what the message asks for: it may ask again, with newer figures."""
                if tenant()[1] != "RegisterRestored":
                    return True
                confirmation = tenant()[2].rpartition(": ")[2]
                live_world.kubectl(
                    *("annotate", "--overwrite", "teamstenant/main", "-n", estate.platform),
                    f"callplane.dev/register-confirmed={confirmation}",
                )
                return False

            polling.until(confirmed, "a person has looked")
            polling.until(lambda: estate.number_of(7), "writes resume", seconds=60)
            # What the older register does not know is adopted, for it is what git says.
            live_world.ready(estate)
            assert {n: h for n, h in estate.assigned().items() if n in assigned} == assigned


def _last_sequence(database_url: str) -> int:
    with psycopg.connect(database_url) as session:
        row = session.execute("select last_value from register.version").fetchone()
    assert row is not None
    return int(row[0])


def _sequence(world: LiveWorld, estate: Estate) -> int:
    status = world.get("teamstenant", "main", namespace=estate.platform)["status"]
    return int(status.get("registerSequence", 0))


def _quiet(estate: Estate) -> bool:
    before = estate.mark()
    polling.stays(lambda: estate.writes_since(before) == [], "nobody writes", seconds=4)
    return True


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
