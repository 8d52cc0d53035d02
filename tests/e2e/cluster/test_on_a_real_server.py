"""What only a real API server can tell: whether it accepts our events and our leases."""

from __future__ import annotations

import asyncio
import contextlib
import json

import pytest

from callplane.clock import SystemClock
from callplane.cluster import api_errors, crd_serving, credentials, finalizers
from callplane.cluster.client import FinishedRequest, KubernetesClient
from callplane.cluster.events import EventRecorder, EventSubject, ObjectEvent
from callplane.cluster.lease import LeaderElector, LeaseName, LeaseSettings
from callplane.cluster.resource_kinds import EVENTS, LEASES, SECRETS
from callplane.cluster.secret_reading import ClusterSecrets, SecretFound, SecretMissing
from callplane.cluster.status_writes import StatusOutcome, write_status
from callplane.testing.cluster_state import CALLPLANE_KINDS
from callplane.testing.control_plane import ThrowAwayCluster
from callplane.testing.object_store_contract import RANGES, condition, number_range


async def test_what_the_whole_life_of_an_object_costs(
    throw_away_cluster: ThrowAwayCluster, namespace: str
) -> None:
    finished: list[FinishedRequest] = []
    connection = credentials.from_kubeconfig(throw_away_cluster.kubeconfig, clock=SystemClock())
    async with KubernetesClient(connection, on_request=finished.append) as client:
        created = await client.create(RANGES, body=number_range(namespace))
        held = await finalizers.add(client, RANGES, body=created)
        assert held is not None
        assert finalizers.has_finalizer(held, finalizers.PROVIDER_CLEANUP)
        status = {"observedGeneration": 1, "conditions": [condition("Ready")]}
        # Somebody labels the range while the pass computes its status.
        throw_away_cluster.kubectl("label", "-n", namespace, "numberrange/range", "team=a")
        written = await write_status(client, RANGES, body=held, status=status)
        assert written.outcome is StatusOutcome.WRITTEN
        again = await write_status(client, RANGES, body=written.body, status=status)
        assert again.outcome is StatusOutcome.UNCHANGED
        # A former leader that still holds the first version of the object.
        late = await write_status(
            client, RANGES, body=held, status={**status, "observedGeneration": 0}
        )
        assert late.outcome is StatusOutcome.OVERTAKEN
        deleting = await client.delete(RANGES, namespace=namespace, name="range")
        last = await finalizers.remove(client, RANGES, body=deleting)
        assert last is not None
        gone = await write_status(client, RANGES, body=last, status={"observedGeneration": 2})
        assert gone.outcome is StatusOutcome.GONE
    assert [(request.verb, request.status) for request in finished] == [
        ("create", 201),
        ("json_patch", 200),
        ("merge_patch", 409),
        ("get", 200),
        ("merge_patch", 200),
        ("merge_patch", 409),
        ("get", 200),
        ("delete", 200),
        ("json_patch", 200),
        ("merge_patch", 404),
    ]


async def test_all_our_kinds_are_served_with_their_status(objects: KubernetesClient) -> None:
    assert await crd_serving.unserved_kinds(objects, CALLPLANE_KINDS.values()) == []


async def test_events_are_accepted_counted_and_shown_by_kubectl(
    objects: KubernetesClient, throw_away_cluster: ThrowAwayCluster, namespace: str
) -> None:
    body = await objects.create(RANGES, body=number_range(namespace))
    recorder = EventRecorder(objects, clock=SystemClock(), instance="test")
    news = ObjectEvent(
        EventSubject.of(body), "LowStock", "é" * 2000, action="Report", type="Warning"
    )
    for _ in range(3):
        recorder.emit(news)
        await recorder.flush()
    assert recorder.counts.failed == 0
    [event] = (await objects.list_all(EVENTS, namespace=namespace)).items
    assert event["series"]["count"] == 3
    assert len(event["note"].encode()) <= 1024
    shown = throw_away_cluster.kubectl("describe", "-n", namespace, "numberrange/range").stdout
    assert "LowStock" in shown
    assert "(x3 over" in shown


async def test_the_lease_goes_from_leader_to_standby(
    throw_away_cluster: ThrowAwayCluster, namespace: str
) -> None:
    settings = LeaseSettings(duration_seconds=6, renew_deadline_seconds=5, retry_seconds=0.2)
    connection = credentials.from_kubeconfig(throw_away_cluster.kubeconfig, clock=SystemClock())
    async with KubernetesClient(connection) as first, KubernetesClient(connection) as second:
        one, two, three = (
            LeaderElector(
                client,
                lease=LeaseName(namespace, "callplane", holder),
                clock=SystemClock(),
                settings=settings,
            )
            for client, holder in ((first, "one"), (second, "two"), (second, "three"))
        )
        clock = SystemClock()
        async with asyncio.timeout(60):
            leader = asyncio.create_task(one.run())
            await one.leading.wait()
            standby = asyncio.create_task(two.run())
            await asyncio.sleep(settings.duration_seconds + 1)
            assert one.may_write(1)
            assert not two.may_write(0)
            await one.release()
            released_at = clock.monotonic()
            await two.leading.wait()
            assert clock.monotonic() - released_at < settings.duration_seconds / 2
            await leader
            # Killed: nobody releases anything.
            last_deadline = two.deadline()
            standby.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await standby
            last_deadline = two.deadline() or last_deadline
            assert last_deadline is not None
            heir = asyncio.create_task(three.run())
            await three.leading.wait()
            assert clock.monotonic() > last_deadline
            assert not two.may_write(0)
            spec = (await first.get(LEASES, namespace=namespace, name="callplane"))["spec"]
            assert (spec["holderIdentity"], spec["leaseTransitions"]) == ("three", 2)
            await three.release()
            await heir


async def test_a_secret_is_read_by_name(objects: KubernetesClient, namespace: str) -> None:
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"namespace": namespace, "name": "graph"},
        "stringData": {"client-secret": "hush"},
    }
    await objects.create(SECRETS, body=body)
    reader = ClusterSecrets(objects)
    found = await reader.read(namespace=namespace, name="graph", key="client-secret")
    assert isinstance(found, SecretFound)
    assert found.value.reveal_text() == "hush"
    missing = await reader.read(namespace=namespace, name="other", key="client-secret")
    assert missing == SecretMissing(namespace, "other")


async def test_a_user_without_rights_is_told_so(
    throw_away_cluster: ThrowAwayCluster, namespace: str
) -> None:
    kubeconfig = throw_away_cluster.client_kubeconfig("stranger")
    connection = credentials.from_kubeconfig(kubeconfig, clock=SystemClock())
    async with KubernetesClient(connection) as stranger:
        with pytest.raises(api_errors.Forbidden, match='"stranger"'):
            await stranger.get(RANGES, namespace=namespace, name="range")
        with pytest.raises(api_errors.Forbidden):
            await ClusterSecrets(stranger).read(namespace=namespace, name="graph", key="k")


async def test_what_the_schema_refuses_names_the_field(
    objects: KubernetesClient, namespace: str
) -> None:
    body = number_range(namespace)
    body["spec"]["first"] = "+442079460099"
    with pytest.raises(api_errors.Invalid, match=r"spec\.first.*must not be greater"):
        await objects.create(RANGES, body=body)


async def test_what_we_apply_is_ours_in_managed_fields(
    objects: KubernetesClient, throw_away_cluster: ThrowAwayCluster, namespace: str
) -> None:
    await objects.apply(RANGES, body=number_range(namespace))
    throw_away_cluster.kubectl(
        *("apply", "--server-side", "-f", "-"),
        stdin=json.dumps(number_range(namespace)),
    )
    shared = await objects.get(RANGES, namespace=namespace, name="range")
    managers = {entry["manager"] for entry in shared["metadata"]["managedFields"]}
    assert {"callplane", "kubectl"} <= managers
    edited = number_range(namespace)
    edited["spec"]["route"] = "CallingPlan"
    with pytest.raises(api_errors.Conflict, match="kubectl"):
        await objects.apply(RANGES, body=edited, force=False)
