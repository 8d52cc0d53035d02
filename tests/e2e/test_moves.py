"""Objects that are replaced by others for the same person: renamed, moved, in either order."""

from __future__ import annotations

import pytest

from callplane.testing import polling
from callplane.testing.estates import Estate, Manifest
from callplane.testing.live_world import LiveWorld

pytestmark = pytest.mark.usefixtures("operator")
BOTH_ORDERS = pytest.mark.parametrize("order", ["new first", "old first"])
# Longer than two commands of kubectl take on a busy machine: they stand for one commit.
SETTLES = {"settle": "6s"}


def exchanged(world: LiveWorld, estate: Estate, new: Manifest, *, order: str) -> None:
    """Put `new` in the place of user-1 and wait until it is Ready and the old one is gone."""
    delete = ("delete", "teamsuser", "user-1", "-n", estate.team, "--wait=false")
    if order == "new first":
        world.apply(new)
        world.kubectl(*delete)
    else:
        world.kubectl(*delete)
        world.apply(new)
    world.gone("teamsuser", "user-1", namespace=estate.team)
    metadata = new["metadata"]
    world.kubectl(
        *("wait", "--for=condition=Ready", f"teamsuser/{metadata['name']}"),
        *("-n", metadata["namespace"], "--timeout=60s"),
    )


@BOTH_ORDERS
def test_object_renamed_nothing_is_written(live_world: LiveWorld, order: str) -> None:
    estate = live_world.estate()
    live_world.apply(*estate.base(changeLimits=SETTLES), estate.user(1))
    live_world.ready(estate)
    before, assigned = estate.mark(), estate.assigned()
    exchanged(live_world, estate, estate.user(1, name="renamed"), order=order)
    assert estate.writes_since(before) == []
    assert estate.assigned() == assigned


@BOTH_ORDERS
def test_object_moved_to_another_namespace_nothing_is_written(
    live_world: LiveWorld, order: str
) -> None:
    estate = live_world.estate()
    other = f"{estate.team}-b"
    namespaces = [*estate.namespaces(), estate.namespace(other)]
    consent = [{"name": estate.team}, {"name": other}]
    live_world.apply(
        *namespaces,
        estate.secret(),
        estate.tenant(allowedNamespaces=consent, changeLimits=SETTLES),
        estate.range(allowedNamespaces=consent),
        estate.user(1),
    )
    live_world.ready(estate)
    before, assigned = estate.mark(), estate.assigned()
    exchanged(live_world, estate, estate.user(1, namespace=other), order=order)
    assert estate.writes_since(before) == []
    assert estate.assigned() == assigned
    [number] = assigned
    told = live_world.sql(
        "select cause, declared_by from register.number_events"
        f" join register.number_event_people on event = sequence where number = '{number}'"
        " order by sequence"
    )
    assert other in told[-1][1], "the history shows who took it over"


def test_two_people_swap_in_one_commit(live_world: LiveWorld) -> None:
    estate = live_world.estate()
    seats = [{"phoneNumber": {"e164": estate.number(offset)}} for offset in (7, 8)]
    live_world.apply(*estate.base(), estate.user(1, **seats[0]), estate.user(2, **seats[1]))
    live_world.ready(estate)
    before = estate.mark()
    live_world.apply(estate.user(1, **seats[1]), estate.user(2, **seats[0]))
    polling.until(
        lambda: (estate.number_of(1), estate.number_of(2)) == (estate.number(8), estate.number(7)),
        "each has the other's number",
    )
    live_world.ready(estate)
    assert sorted(estate.writes_since(before)) == ["assignNumber"] * 2 + ["unassignNumber"] * 2
    for offset in (7, 8):
        assert live_world.number_state(estate.number(offset)) == "Assigned"


def test_a_number_wanted_by_two_stays_where_it_is(live_world: LiveWorld) -> None:
    estate = live_world.estate()
    seat = {"phoneNumber": {"e164": estate.number(3)}}
    live_world.apply(*estate.base(), estate.user(1, **seat))
    live_world.ready(estate)
    before = estate.mark()
    live_world.apply(estate.user(2, **seat))
    polling.until(
        lambda: (
            live_world.condition("teamsuser", "user-2", namespace=estate.team)[1] == "NumberTaken"
        ),
        "the second is told",
    )
    message = live_world.condition("teamsuser", "user-2", namespace=estate.team)[2]
    assert "user-1" in message
    assert live_world.condition("teamsuser", "user-1", namespace=estate.team)[0] == "True"
    assert estate.writes_since(before) == []


def test_consent_withdrawn_takes_nothing_away_and_given_again_goes_on(
    live_world: LiveWorld,
) -> None:
    estate = live_world.estate()
    live_world.apply(*estate.base(), estate.user(1))
    live_world.ready(estate)
    before, assigned = estate.mark(), estate.assigned()
    live_world.apply(estate.range(allowedNamespaces=[]), estate.user(2))

    def reasons() -> set[str]:
        return {
            live_world.condition("teamsuser", name, namespace=estate.team)[1]
            for name in ("user-1", "user-2")
        }

    polling.until(lambda: reasons() == {"DependencyNotReady"}, "everybody is told")
    polling.stays(lambda: estate.writes_since(before) == [], "nothing is written", seconds=2)
    assert estate.assigned() == assigned
    live_world.apply(estate.range())
    live_world.ready(estate)
    assert estate.writes_since(before) == ["assignNumber"]
