"""A description becomes a world, the same one each time; mistakes are told with their place."""

from __future__ import annotations

import time

import pytest

from callplane.simulators.graph.seeding import TenantSeed, WorldSeed, world_seed_from
from callplane.simulators.graph.world import GraphWorld
from callplane.testing.manual_clock import ManualClock

NUMBER = "+442079460001"


def world(**tenant: object) -> GraphWorld:
    seed = world_seed_from({"tenants": [tenant]})
    return GraphWorld(clock=ManualClock(), seed=seed)


def test_the_same_description_makes_the_same_tenant() -> None:
    first, second = (world(users=3, holders=2).tenant() for _ in range(2))

    assert [row.document() for row in first.teams.rows()] == [
        row.document() for row in second.teams.rows()
    ]
    assert first.policy_ids == second.policy_ids
    other = GraphWorld(clock=ManualClock(), seed=WorldSeed(seed=1, tenants=(TenantSeed(users=3),)))
    assert {row.id for row in other.tenant().users.rows()}.isdisjoint(
        row.id for row in first.users.rows()
    )


def test_holders_have_the_first_numbers() -> None:
    tenant = world(users=3, holders=2).tenant()

    assert [row.telephone_numbers for row in tenant.teams.rows()] == [
        (("+442079460000", "primary"),),
        (("+442079460001", "primary"),),
        (),
    ]


def test_a_large_tenant_is_ready_in_two_seconds() -> None:
    started = time.process_time()
    tenant = world(users=10_000, holders=10_000).tenant()

    assert len(tenant.users.rows()) == len(tenant.numbers.rows()) == 10_000
    assert time.process_time() - started < 2.0


def test_people_come_as_described() -> None:
    person = {
        "user_principal_name": "ada@x.example",
        "number": NUMBER,
        "policies": {"OnlineVoiceRoutingPolicy": "UK-Domestic"},
    }
    tenant = world(people=[person], ranges=[{"first": "+442079460000", "count": 2}]).tenant()
    row = tenant.teams.rows()[0]

    assert row.telephone_numbers == ((NUMBER, "primary"),)
    assert [grant.name for grant in row.grants] == ["UK-Domestic"]
    number = tenant.numbers.get(NUMBER)
    assert number is not None
    assert number.assignment_target_id == row.id


@pytest.mark.parametrize(
    ("tenant", "text"),
    [
        ({"user": 3}, r"seed.tenants\[0\].user: unknown field"),
        ({"users": "3"}, r"seed.tenants\[0\].users: a whole number"),
        ({"people": {}}, r"seed.tenants\[0\].people: a list"),
        ({"people": [{"licensed": True}]}, r"seed.tenants\[0\].people\[0\]: .*user_principal_name"),
        ({"ranges": [{"first": 442079460000}]}, r"ranges\[0\].first: a text"),
        ({"settings": {"speed": 1}}, "settings.speed: unknown setting"),
        ({"people": [{"user_principal_name": "a", "number": NUMBER}]}, None),
        ({"people": [{"user_principal_name": "a"}] * 2}, "'a' is described twice"),
        ({"people": [{"user_principal_name": "a", "policies": {"X": "y"}}]}, "no policy 'y'"),
        ({"policies": {"TeamsCallingPolicy": "x"}}, "policies.TeamsCallingPolicy: a list"),
        ({"applications": [{"federated": [{"sub": "x"}]}]}, r"federated\[0\].sub: unknown field"),
        ({"applications": [{"secrets": [7]}]}, "a secret is a text or"),
        ({"users": 20_000}, "need ranges of their own"),
        ({"ranges": [{"first": NUMBER, "number_type": "sip"}]}, "number_type is one of"),
    ],
)
def test_a_mistake_is_told_with_its_place(tenant: dict[str, object], text: str | None) -> None:
    if text is None:
        # The first drama block is there whenever there are people and no ranges.
        assert world(**tenant).tenant().numbers.get(NUMBER) is not None
        return
    with pytest.raises(ValueError, match=text):
        world(**tenant)


def test_two_tenants_do_not_mix() -> None:
    both = world_seed_from({"tenants": [{"id": "a", "users": 1}, {"id": "b", "domain": "b.test"}]})
    found = GraphWorld(clock=ManualClock(), seed=both)

    assert found.tenant("b.test").id == "b"
    assert found.tenant("b").users.rows() == []
    with pytest.raises(ValueError, match="there are 2 tenants"):
        found.tenant()
    with pytest.raises(ValueError, match="no tenant 'c'"):
        found.tenant("c")
    with pytest.raises(ValueError, match="exists already"):
        found.add_tenant(TenantSeed(id="a"))
