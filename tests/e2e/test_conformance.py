"""What was not written by us agrees with our conditions: kubectl wait, kstatus, other managers."""

from __future__ import annotations

import json
from subprocess import CompletedProcess

import pytest

from callplane.testing import kstatus, polling
from callplane.testing.estates import Estate, Manifest
from callplane.testing.live_world import LiveWorld

pytestmark = pytest.mark.usefixtures("operator")


def mixed(world: LiveWorld) -> Estate:
    """An estate in which some are Ready, some wait for a person, some cannot be."""
    estate = world.estate(
        users=4, people=[{"user_principal_name": "new@x.example", "licensed": False}]
    )
    world.apply(
        *estate.base(),
        *estate.people(3),
        estate.user(4, name="nobody", userPrincipalName="nobody@x.example"),
        estate.user(4, name="unlicensed", userPrincipalName="new@x.example"),
        estate.user(4, name="lost", phoneNumber={"rangeRef": {"name": "elsewhere"}}),
    )

    def everybody_is_told() -> bool:
        said = {
            body["metadata"]["name"]: {
                each["type"]: each["status"]
                for each in body.get("status", {}).get("conditions", ())
            }
            for body in world.items("teamsusers", namespace=estate.team)
        }
        assert len(said) == 6
        assert all("Ready" in each for each in said.values()), said
        assert all(said[f"user-{index}"]["Ready"] == "True" for index in (1, 2, 3)), said
        assert any(each.get("Stalled") == "True" for each in said.values()), said
        return True

    polling.until(everybody_is_told, "three are Ready, and the others are told why not")
    return estate


def test_kstatus_agrees_with_ready(live_world: LiveWorld) -> None:
    estate = mixed(live_world)
    seen = set()
    for kind, namespace in (
        ("teamstenants", estate.platform),
        ("numberranges", estate.platform),
        ("teamsusers", estate.team),
    ):
        for body in live_world.items(kind, namespace=namespace):
            conditions = {c["type"]: c["status"] for c in body["status"]["conditions"]}
            computed = kstatus.compute(body)
            if conditions["Ready"] == "True":
                expected = "Current"
            elif conditions.get("Stalled") == "True":
                expected = "Failed"
            else:
                expected = "InProgress"
            assert (body["metadata"]["name"], computed.status) == (
                body["metadata"]["name"],
                expected,
            ), computed.message
            seen.add(computed.status)
    assert {"Current", "Failed"} <= seen


def test_a_new_object_is_in_progress_until_it_is_seen(live_world: LiveWorld) -> None:
    estate = live_world.estate()
    live_world.apply(*estate.namespaces())
    applied = live_world.kubectl(
        *("create", "-o", "json", "-f", "-"), stdin=json.dumps(estate.user(1))
    )
    assert kstatus.compute(json.loads(applied.stdout)).status == "InProgress"


def apply_as(world: LiveWorld, manager: str, manifest: Manifest) -> CompletedProcess[str]:
    """Server-side apply as somebody."""
    return world.kubectl(
        *("apply", "--server-side", f"--field-manager={manager}", "-f", "-"),
        stdin=json.dumps(manifest),
        check=False,
    )


def test_a_second_manager_by_server_side_apply_keeps_its_fields(live_world: LiveWorld) -> None:
    estate = live_world.estate()
    live_world.apply(*estate.base())
    assert apply_as(live_world, "git", estate.user(1)).returncode == 0
    live_world.ready(estate)
    policies = [{"type": "TeamsCallingPolicy", "name": "AllowCalling"}]
    second = estate.user(1)
    second["metadata"]["labels"] = {"department": "sales"}
    second["spec"] = {"tenantRef": second["spec"]["tenantRef"], "policies": policies}
    assert apply_as(live_world, "people-system", second).returncode == 0

    def granted() -> bool:
        return "AllowCalling" in estate.control.user(estate.principal(1))["policies"].values()

    polling.until(granted, "the policy of the second manager is applied")
    # The first manager applies its own file again, and takes nothing of the other's away.
    assert apply_as(live_world, "git", estate.user(1)).returncode == 0
    live_world.ready(estate)
    body = live_world.get("teamsuser", "user-1", namespace=estate.team)
    assert body["metadata"]["labels"] == {"department": "sales"}
    assert body["spec"]["policies"] == policies
    assert estate.number_of(1) is not None
    # What both state differently is a conflict, said by the API server.
    second["spec"]["userPrincipalName"] = estate.principal(2)
    answer = apply_as(live_world, "people-system", second)
    assert answer.returncode != 0
    assert "conflict" in answer.stderr
    assert ".spec.userPrincipalName" in answer.stderr
