"""A number from a carrier, over HTTP: bought once although its answer is lost and a process dies,
pointed at the SBC, and given back with two keys and an approval.
"""

from __future__ import annotations

import datetime
from typing import Any

from callplane.clock import SystemClock
from callplane.sandbox.control_plane import ADMINISTRATOR
from callplane.testing import polling
from callplane.testing.live_world import LiveWorld, OperatorProcess, SimulatedCarrier


def ready(world: LiveWorld, carrier: SimulatedCarrier, name: str, reason: str) -> None:
    """Wait until a PhoneNumber says so."""

    def says() -> bool:
        said = world.condition("phonenumber", name, namespace=carrier.namespace)
        assert said[1] == reason, said
        return True

    polling.until(says, f"{name} is {reason}", seconds=60)


def owned(carrier: SimulatedCarrier) -> list[str]:
    state: dict[str, Any] = carrier.control.state()
    return sorted(state["numbers"])


def test_a_number_is_bought_once_and_given_back_with_two_keys(
    live_world: LiveWorld, operator: OperatorProcess
) -> None:
    carrier = live_world.simulated_carrier()
    live_world.apply(*carrier.manifests())
    carrier.control.add_fault(effect="drop-after", kinds=["buyNumber"], times=1)
    live_world.apply(carrier.phone_number("front", 3, acquisition="Order"))
    polling.until(lambda: carrier.control.writes(kind="buyNumber"), "the order has left")
    operator.kill()
    live_world.start_operator()
    ready(live_world, carrier, "front", "Succeeded")
    assert owned(carrier) == [carrier.number(3).text]
    assert len(carrier.control.writes(kind="buyNumber")) == 1
    shown = live_world.get("phonenumber", "front", namespace=carrier.namespace)["status"]
    assert shown["carrier"]["state"] == "Active"
    assert "sbc1.example.com" in shown["carrier"]["trunk"]

    long_ago = datetime.date(2020, 1, 1).isoformat()
    acknowledgement = {"number": carrier.number(3).text, "date": long_ago}
    release = {"acquisition": "Order", "releasePolicy": "Release", "quarantine": {"days": 1}}
    live_world.apply(carrier.phone_number("front", 3, **release))
    ready(live_world, carrier, "front", "ReleaseRefused")
    live_world.apply(
        carrier.phone_number("front", 3, **release, releaseAcknowledgement=acknowledgement)
    )
    ready(live_world, carrier, "front", "ApprovalRequired")
    assert owned(carrier) == [carrier.number(3).text]
    [plan] = polling.until(
        lambda: live_world.items("changeplans", namespace=carrier.namespace), "there is a plan"
    )
    ends = SystemClock().now() + datetime.timedelta(hours=1)
    live_world.apply(
        {
            "apiVersion": "callplane.dev/v1alpha1",
            "kind": "ChangeApproval",
            "metadata": {"name": "yes", "namespace": carrier.namespace},
            "spec": {
                "connectionRef": {"kind": "Carrier", "name": "main"},
                "digest": plan["spec"]["digest"],
                "decision": "Approve",
                "approvedBy": ADMINISTRATOR,
                "expiresAt": ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
            },
        }
    )
    ready(live_world, carrier, "front", "Released")
    assert owned(carrier) == []
    assert live_world.number_state(carrier.number(3).text) == "Released"
